CREATE OR REPLACE FUNCTION hd_runtime._task_ended(task_id uuid, status text) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_project uuid;
    v_key text;
    v_locked boolean;
BEGIN
    UPDATE hd_runtime.tasks t SET status = _task_ended.status, updated_at = clock_timestamp()
    WHERE t.id = _task_ended.task_id
    RETURNING t.project_id, t.work_item_key INTO STRICT v_project, v_key;
    IF v_key IS NOT NULL THEN
        DELETE FROM hd_runtime.open_work_items o
        WHERE o.project_id = v_project AND o.work_item_key = v_key AND o.task_id = _task_ended.task_id;
    END IF;
    -- Whoever is declaring a need for this task at this moment has the lock, and is waited for;
    -- the next statement sees it. Whoever comes later sees that the task has ended.
    -- An expression, and not PERFORM, costs no statement.
    v_locked := pg_advisory_xact_lock(x'48440002'::int, uuid_hash(_task_ended.task_id)) IS NOT NULL;
    IF EXISTS (SELECT FROM hd_runtime.task_dependencies d WHERE d.needs_task_id = _task_ended.task_id) THEN
        IF _task_ended.status = 'done' THEN
            PERFORM hd_runtime._unblock_dependents(_task_ended.task_id);
        ELSE
            PERFORM hd_runtime._block_dependents(_task_ended.task_id);
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime._task_ended(uuid, text) IS
'A task is done or failed: sets its status, frees its work_item_key, and tells its dependents.';
