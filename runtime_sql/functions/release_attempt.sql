CREATE OR REPLACE FUNCTION hd_runtime.release_attempt(attempt_id uuid, lease_token text, OUT new_attempt_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_attempt task_attempts;
BEGIN
    PERFORM _require_read_committed();
    SELECT a.* INTO v_attempt FROM task_attempts a
    WHERE a.id = release_attempt.attempt_id
      AND a.lease_token = _token_digest(release_attempt.lease_token)
      AND a.lease_expires > clock_timestamp()
    FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM _lease_lost(release_attempt.attempt_id, release_attempt.lease_token);
    END IF;
    IF v_attempt.cancel_requested THEN
        PERFORM _recover(v_attempt.id, NULL, NULL, v_attempt.agent_run_id, NULL);
        RETURN;
    END IF;
    UPDATE task_attempts a
    SET status = 'terminal_failed', completed_at = clock_timestamp(), lease_expires = NULL, lease_check_at = NULL,
        event_type = 'attempt.released', event_actor = v_attempt.agent_run_id
    WHERE a.id = v_attempt.id;
    new_attempt_id := _next_attempt(v_attempt.id, v_attempt.recovery_level, v_attempt.agent_type,
                                    v_attempt.model_class, interval '0', v_attempt.agent_run_id);
END
$$;
COMMENT ON FUNCTION hd_runtime.release_attempt(uuid, text) IS
'Gives a task back without blame: a new attempt of the same level is queued, at the end of its lane, and no budget is touched. Returns its id; null when an operator had asked to cancel, which this then does. Errors: HD001 lease lost, HD004 no such attempt, HD006 a null.';
