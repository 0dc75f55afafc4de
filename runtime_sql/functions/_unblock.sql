CREATE OR REPLACE FUNCTION hd_runtime._unblock(attempt_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_task uuid;
    v_class text;
BEGIN
    UPDATE hd_runtime.task_attempts a
    SET status = 'queued', available_at = hd_runtime._queue_position(a.lane_id, a.project_id, a.available_at)
    WHERE a.id = _unblock.attempt_id
    RETURNING a.task_id INTO STRICT v_task;
    UPDATE hd_runtime.tasks t SET status = 'queued', updated_at = clock_timestamp()
    WHERE t.id = v_task
    RETURNING t.task_class INTO v_class;
    PERFORM hd_runtime._announce_work(v_class);
END
$$;
COMMENT ON FUNCTION hd_runtime._unblock(uuid) IS
'Queues a blocked attempt, which the caller has locked.';
