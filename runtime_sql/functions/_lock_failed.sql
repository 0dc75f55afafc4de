CREATE OR REPLACE FUNCTION hd_runtime._lock_failed(attempt_id uuid) RETURNS hd_runtime.task_attempts
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_attempt hd_runtime.task_attempts;
BEGIN
    SELECT a.* INTO v_attempt FROM hd_runtime.task_attempts a WHERE a.id = _lock_failed.attempt_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no attempt %', _lock_failed.attempt_id USING ERRCODE = 'HD004',
            DETAIL = format('no row of hd_runtime.task_attempts has id %s', _lock_failed.attempt_id),
            HINT = 'claim_next_task returns attempt_id; SELECT * FROM hd_runtime.attempt_chain lists the attempts.';
    END IF;
    IF v_attempt.status NOT IN ('repair_required', 'terminal_failed') THEN
        RAISE EXCEPTION 'attempt % has not failed: it is %', v_attempt.id, v_attempt.status USING ERRCODE = 'HD002',
            DETAIL = format('attempt %s of task %s', v_attempt.attempt_no, v_attempt.task_id),
            HINT = 'cancel_task asks a worker to stop.';
    END IF;
    IF EXISTS (SELECT FROM hd_runtime.task_attempts a
               WHERE a.task_id = v_attempt.task_id AND a.attempt_no > v_attempt.attempt_no) THEN
        RAISE EXCEPTION 'attempt % was replaced by a later one', v_attempt.id USING ERRCODE = 'HD002',
            DETAIL = format('attempt %s of task %s', v_attempt.attempt_no, v_attempt.task_id),
            HINT = 'SELECT * FROM hd_runtime.attempt_chain WHERE task_id = ... shows them all.';
    END IF;
    RETURN v_attempt;
END
$$;
COMMENT ON FUNCTION hd_runtime._lock_failed(uuid) IS
'The last attempt of a task, failed and locked. Errors: HD004 no such attempt, HD002 it has not failed or was replaced.';
