CREATE OR REPLACE FUNCTION hd_runtime.cancel_task(task_id uuid, reason text DEFAULT NULL, OUT outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_attempt task_attempts;
    v_who text := session_user || coalesce(': ' || cancel_task.reason, '');
BEGIN
    PERFORM _check_length('reason', cancel_task.reason, 100000);
    PERFORM _require_read_committed();
    IF cancel_task.task_id IS NULL THEN
        RAISE EXCEPTION 'task_id must not be null' USING ERRCODE = 'HD006',
            DETAIL = 'task_id is null',
            HINT = 'create_task returns task_id; SELECT * FROM hd_runtime.task_summary lists the tasks.';
    END IF;
    IF NOT EXISTS (SELECT FROM tasks t WHERE t.id = cancel_task.task_id) THEN
        RAISE EXCEPTION 'there is no task %', cancel_task.task_id USING ERRCODE = 'HD004',
            DETAIL = format('no row of hd_runtime.tasks has id %s', cancel_task.task_id),
            HINT = 'create_task returns task_id; SELECT * FROM hd_runtime.task_summary lists the tasks.';
    END IF;
    LOOP
        SELECT a.* INTO v_attempt FROM task_attempts a
        WHERE a.task_id = cancel_task.task_id AND a.status NOT IN ('completed_verified', 'terminal_failed')
        FOR UPDATE;
        EXIT WHEN FOUND;
        -- None was active, or the one that was has been replaced while this waited for its lock.
        IF EXISTS (SELECT FROM tasks t WHERE t.id = cancel_task.task_id AND t.status IN ('done', 'failed')) THEN
            outcome := 'noop';
            RETURN;
        END IF;
    END LOOP;
    IF v_attempt.lease_check_at IS NOT NULL THEN
        UPDATE task_attempts a SET cancel_requested = true, cancel_reason = v_who WHERE a.id = v_attempt.id;
        outcome := 'requested';
        RETURN;
    END IF;
    UPDATE task_attempts a
    SET status = 'terminal_failed', completed_at = coalesce(a.completed_at, clock_timestamp()), cancel_reason = v_who,
        event_type = 'attempt.cancelled',
        event_detail = jsonb_strip_nulls(jsonb_build_object('reason', cancel_task.reason))
    WHERE a.id = v_attempt.id;
    UPDATE review_requests r
    SET status = 'withdrawn', decided_by = session_user, decided_at = clock_timestamp(), note = 'task cancelled'
    WHERE r.attempt_id = v_attempt.id AND r.status = 'pending';
    INSERT INTO recovery_actions (task_id, failed_attempt_id, level, action, failure_kind, reason, actor)
    VALUES (cancel_task.task_id, v_attempt.id, 'blocked', 'cancel', v_attempt.failure_kind, 'cancelled by ' || v_who, session_user);
    PERFORM _task_ended(cancel_task.task_id, 'failed');
    outcome := 'cancelled';
END
$$;
COMMENT ON FUNCTION hd_runtime.cancel_task(uuid, text) IS
'Cancels a task (operator). cancelled: nobody was working on it; it has failed, and so has what needs it. requested: a worker has it, learns of it with its next heartbeat and decides whether to stop or to finish; however it ends, there is no further attempt. noop: it had ended. Errors: HD004 no such task, HD006 a null.';
