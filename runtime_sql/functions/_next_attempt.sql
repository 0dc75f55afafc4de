CREATE OR REPLACE FUNCTION hd_runtime._next_attempt(
    parent_id uuid, level text, agent_type text, model_class text, wait interval, actor text)
RETURNS uuid
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_id uuid := hd_runtime._new_id();
    v_parent hd_runtime.task_attempts;
    v_task hd_runtime.tasks;
    v_lane int;
    v_at timestamptz := clock_timestamp() + wait;
    v_unmet boolean;
BEGIN
    SELECT * INTO STRICT v_parent FROM hd_runtime.task_attempts a WHERE a.id = parent_id;
    v_unmet := EXISTS (
        SELECT FROM hd_runtime.task_dependencies d JOIN hd_runtime.tasks t ON t.id = d.needs_task_id
        WHERE d.task_id = v_parent.task_id AND t.status <> 'done');
    UPDATE hd_runtime.tasks t
    SET status = CASE WHEN v_unmet THEN 'created' ELSE 'queued' END, updated_at = clock_timestamp()
    WHERE t.id = v_parent.task_id
    RETURNING t.* INTO STRICT v_task;
    v_lane := hd_runtime._lane(v_task.task_class, _next_attempt.agent_type, v_task.priority);
    INSERT INTO hd_runtime.task_attempts
        (id, task_id, project_id, parent_attempt_id, attempt_no, lane_id, status, available_at, agent_type,
         model_class, recovery_level, lease_epoch, has_needs, event_actor)
    VALUES
        (v_id, v_task.id, v_task.project_id, parent_id, v_parent.attempt_no + 1, v_lane,
         CASE WHEN v_unmet THEN 'preflight_blocked' ELSE 'queued' END,
         CASE WHEN v_unmet THEN v_at ELSE hd_runtime._queue_position(v_lane, v_task.project_id, v_at) END,
         _next_attempt.agent_type, _next_attempt.model_class, level, v_parent.lease_epoch, v_parent.has_needs, actor);
    IF NOT v_unmet AND wait <= '0' THEN
        PERFORM hd_runtime._announce_work(v_task.task_class);
    END IF;
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION hd_runtime._next_attempt(uuid, text, text, text, interval, text) IS
'Queues the attempt that replaces parent_id, which has ended in this transaction, and sets the task''s status.';
