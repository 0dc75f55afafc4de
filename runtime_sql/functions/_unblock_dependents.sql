CREATE OR REPLACE FUNCTION hd_runtime._unblock_dependents(task_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_waiting record;
BEGIN
    -- Locked first and in one order, then judged by a later statement: of two transactions that end
    -- the last two needs of a task, the second waits here and then sees what the first did.
    FOR v_waiting IN
        SELECT a.id, a.task_id, a.lane_id, a.project_id, a.available_at
        FROM hd_runtime.task_dependencies d
        JOIN hd_runtime.task_attempts a ON a.task_id = d.task_id AND a.status = 'preflight_blocked'
        WHERE d.needs_task_id = _unblock_dependents.task_id
        ORDER BY a.task_id
        FOR UPDATE OF a
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM hd_runtime.task_dependencies d JOIN hd_runtime.tasks t ON t.id = d.needs_task_id
            WHERE d.task_id = v_waiting.task_id AND t.status <> 'done');
        PERFORM hd_runtime._unblock(v_waiting.id);
    END LOOP;
END
$$;
COMMENT ON FUNCTION hd_runtime._unblock_dependents(uuid) IS
'A task is done: queues those of its dependents that wait for nothing else.';
