CREATE OR REPLACE FUNCTION hd_runtime.add_dependency(task_id uuid, needs_task_id uuid, OUT blocked boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_task tasks;
    v_need tasks;
    v_attempt task_attempts;
    v_path text;
BEGIN
    PERFORM _require_read_committed();
    IF add_dependency.task_id IS NULL OR add_dependency.needs_task_id IS NULL THEN
        RAISE EXCEPTION 'task_id and needs_task_id must not be null' USING ERRCODE = 'HD006';
    END IF;
    SELECT * INTO v_task FROM tasks t WHERE t.id = add_dependency.task_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no task %', add_dependency.task_id USING ERRCODE = 'HD004';
    END IF;
    IF NOT EXISTS (SELECT FROM tasks t WHERE t.id = add_dependency.needs_task_id AND t.project_id = v_task.project_id) THEN
        RAISE EXCEPTION 'there is no task % in project %', add_dependency.needs_task_id, v_task.project_id
            USING ERRCODE = 'HD004';
    END IF;
    -- One at a time within a project: two that are each without a cycle may make one together.
    PERFORM pg_advisory_xact_lock(x'48440005'::int, uuid_hash(v_task.project_id));
    PERFORM pg_advisory_xact_lock_shared(x'48440002'::int, uuid_hash(add_dependency.needs_task_id));
    WITH RECURSIVE needed (id, path) AS (
        SELECT add_dependency.needs_task_id, ARRAY[add_dependency.needs_task_id]
        UNION ALL
        SELECT d.needs_task_id, n.path || d.needs_task_id
        FROM needed n JOIN task_dependencies d ON d.task_id = n.id
        WHERE n.id <> add_dependency.task_id
    ) CYCLE id SET is_cycle USING visited
    SELECT array_to_string(add_dependency.task_id || n.path, ' needs ') INTO v_path
    FROM needed n WHERE n.id = add_dependency.task_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the dependency would close a cycle' USING ERRCODE = 'HD006', DETAIL = v_path;
    END IF;

    SELECT a.* INTO v_attempt FROM task_attempts a
    WHERE a.task_id = add_dependency.task_id AND a.status IN ('queued', 'preflight_blocked') FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'task % does not wait in the queue: it cannot need anything more', add_dependency.task_id
            USING ERRCODE = 'HD002', DETAIL = format('task %s is %s', v_task.id, v_task.status);
    END IF;
    INSERT INTO task_dependencies (task_id, needs_task_id)
    VALUES (add_dependency.task_id, add_dependency.needs_task_id) ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT v_need FROM tasks t WHERE t.id = add_dependency.needs_task_id;
    blocked := v_need.status <> 'done';
    UPDATE task_attempts a SET has_needs = true WHERE a.id = v_attempt.id AND a.has_needs IS NOT TRUE;
    IF blocked AND v_attempt.status = 'queued' THEN
        UPDATE task_attempts a SET status = 'preflight_blocked',
            event_detail = jsonb_build_object('needs', add_dependency.needs_task_id)
        WHERE a.id = v_attempt.id;
        UPDATE tasks t SET status = 'created', updated_at = clock_timestamp() WHERE t.id = v_task.id;
    END IF;
    IF v_need.status = 'failed' THEN
        PERFORM _block_dependents(v_need.id);
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime.add_dependency(uuid, uuid) IS
'Makes a task that waits in the queue need another one of its project (operator): a worker that finds something missing may give its task back, and it waits for that. blocked: it waits now. If that one has failed, it fails as blocked at once. Errors: HD002 somebody works on it, or it has ended; HD004 no such task, HD006 a null or a cycle.';
