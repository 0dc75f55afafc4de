CREATE OR REPLACE FUNCTION hd_runtime._reopen(task_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_task hd_runtime.tasks;
    v_failed uuid;
BEGIN
    SELECT * INTO STRICT v_task FROM hd_runtime.tasks t WHERE t.id = _reopen.task_id;
    PERFORM pg_advisory_xact_lock_shared(x'48440002'::int, uuid_hash(d.needs_task_id))
    FROM hd_runtime.task_dependencies d WHERE d.task_id = _reopen.task_id ORDER BY d.needs_task_id;
    SELECT t.id INTO v_failed
    FROM hd_runtime.task_dependencies d JOIN hd_runtime.tasks t ON t.id = d.needs_task_id
    WHERE d.task_id = _reopen.task_id AND t.status = 'failed' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'task % needs task %, which failed', v_task.id, v_failed USING ERRCODE = 'HD005',
            HINT = 'Recover that one first.',
            DETAIL = format('task %s is %s; task %s is failed', v_task.id, v_task.status, v_failed);
    END IF;
    IF v_task.work_item_key IS NOT NULL THEN
        INSERT INTO hd_runtime.open_work_items (project_id, work_item_key, task_id)
        VALUES (v_task.project_id, v_task.work_item_key, v_task.id)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'task % cannot be resumed: another unfinished task has its work_item_key', v_task.id
                USING ERRCODE = 'HD005', DETAIL = format('work_item_key %L', v_task.work_item_key),
                HINT = 'Wait until that one has ended, or have it cancelled: cancel_task.';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime._reopen(uuid) IS
'A failed task is about to get another attempt: takes its work_item_key again. Error HD005: another task has it, or a task it needs has failed.';
