CREATE OR REPLACE FUNCTION hd_runtime.recover_attempt(attempt_id uuid, level text DEFAULT NULL)
RETURNS hd_runtime.recovery_step
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_attempt task_attempts;
BEGIN
    PERFORM _check_length('level', recover_attempt.level, 200);
    PERFORM _require_read_committed();
    IF recover_attempt.attempt_id IS NULL THEN
        RAISE EXCEPTION 'attempt_id must not be null' USING ERRCODE = 'HD006',
            DETAIL = 'attempt_id is null',
            HINT = 'claim_next_task returns attempt_id; SELECT * FROM hd_runtime.attempt_chain lists the attempts.';
    END IF;
    IF recover_attempt.level NOT IN ('L1', 'L2', 'L3', 'L4', 'blocked') THEN
        RAISE EXCEPTION 'there is no recovery level %', quote_literal(recover_attempt.level) USING ERRCODE = 'HD006',
            HINT = 'L1 retry, L2 stronger model, L3 repair agent, L4 ask a human, blocked: give up.',
            DETAIL = format('attempt %s', recover_attempt.attempt_id);
    END IF;
    v_attempt := _lock_failed(recover_attempt.attempt_id);
    -- Cancelled, or failed with what it needed: it did nothing wrong, and is simply tried again.
    RETURN _recover(v_attempt.id, v_attempt.failure_kind, NULL, session_user,
                    coalesce(recover_attempt.level,
                             CASE WHEN coalesce(v_attempt.failure_kind, 'missing_dependency') = 'missing_dependency'
                                  THEN 'L1' END));
END
$$;
COMMENT ON FUNCTION hd_runtime.recover_attempt(uuid, text) IS
'Recovers the last attempt of a task after it failed (operator): one that waits for a human, or whose task has failed. level: L1 to L3, whatever the budgets say; L4: ask a human; blocked: give up; null: as the coordinator would decide. What needed the task and failed with it stays failed until it is recovered itself. Returns as fail_attempt. Errors: HD002 it has not failed or was replaced, HD004 no such attempt, HD005 its work_item_key was taken by another task, or a task it needs has failed; HD006 a null or no such level.';
