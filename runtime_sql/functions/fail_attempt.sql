CREATE OR REPLACE FUNCTION hd_runtime.fail_attempt(
    attempt_id uuid, lease_token text, failure_kind text, detail jsonb DEFAULT NULL)
RETURNS hd_runtime.recovery_step
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_actor text;
BEGIN
    PERFORM _check_length('failure_kind', fail_attempt.failure_kind, 200);
    PERFORM _require_read_committed();
    IF coalesce(fail_attempt.failure_kind, '') = '' THEN
        RAISE EXCEPTION 'failure_kind must not be null or empty' USING ERRCODE = 'HD006',
            HINT = 'SELECT * FROM hd_runtime.failure_kinds lists those that recovery knows; any other goes to a human.',
            DETAIL = format('attempt %s', coalesce(fail_attempt.attempt_id::text, 'null'));
    END IF;
    IF fail_attempt.failure_kind = 'lease_expired' THEN
        RAISE EXCEPTION 'lease_expired is for the reaper to say' USING ERRCODE = 'HD006',
            HINT = 'To give the task back without blame, call release_attempt.',
            DETAIL = format('attempt %s', coalesce(fail_attempt.attempt_id::text, 'null'));
    END IF;
    PERFORM _check_size('detail', fail_attempt.detail);
    SELECT a.agent_run_id INTO v_actor FROM task_attempts a
    WHERE a.id = fail_attempt.attempt_id
      AND a.lease_token = _token_digest(fail_attempt.lease_token)
      AND a.lease_expires > clock_timestamp()
    FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM _lease_lost(fail_attempt.attempt_id, fail_attempt.lease_token);
    END IF;
    RETURN _recover(fail_attempt.attempt_id, fail_attempt.failure_kind, fail_attempt.detail, v_actor, NULL);
END
$$;
COMMENT ON FUNCTION hd_runtime.fail_attempt(uuid, text, text, jsonb) IS
'Ends an attempt badly; the recovery coordinator decides the next step and carries it out in the same transaction. Returns level (L1 retry, L2 stronger model, L3 repair agent, L4 a human is asked, blocked: over), action, and new_attempt_id where there is one. Errors: HD001 lease lost, HD004 no such attempt, HD006 a null or a detail over 1 MiB.';
