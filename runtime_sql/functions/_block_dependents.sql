CREATE OR REPLACE FUNCTION hd_runtime._block_dependents(task_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_failed uuid[] := ARRAY[_block_dependents.task_id];
    v_waiting record;
    v_reason text;
    i int := 1;
BEGIN
    -- A list and not a recursion: chains of tasks may be longer than the stack is deep.
    WHILE i <= cardinality(v_failed) LOOP
        FOR v_waiting IN
            SELECT a.id, a.task_id, a.project_id
            FROM hd_runtime.task_dependencies d
            JOIN hd_runtime.task_attempts a ON a.task_id = d.task_id AND a.status = 'preflight_blocked'
            WHERE d.needs_task_id = v_failed[i]
            ORDER BY a.task_id
            FOR UPDATE OF a
        LOOP
            v_reason := format('needs task %s, which failed', v_failed[i]);
            UPDATE hd_runtime.task_attempts a
            SET status = 'terminal_failed', failure_kind = 'missing_dependency', completed_at = clock_timestamp(),
                event_type = 'attempt.dependency_failed', event_detail = jsonb_build_object('needs', v_failed[i])
            WHERE a.id = v_waiting.id;
            INSERT INTO hd_runtime.recovery_actions
                (task_id, failed_attempt_id, level, action, failure_kind, reason, actor)
            VALUES (v_waiting.task_id, v_waiting.id, 'blocked', 'block', 'missing_dependency', v_reason, session_user);
            UPDATE hd_runtime.tasks t SET status = 'failed', updated_at = clock_timestamp()
            WHERE t.id = v_waiting.task_id;
            DELETE FROM hd_runtime.open_work_items o WHERE o.task_id = v_waiting.task_id
                AND o.project_id = v_waiting.project_id;
            PERFORM pg_advisory_xact_lock(x'48440002'::int, uuid_hash(v_waiting.task_id));
            v_failed := v_failed || v_waiting.task_id;
        END LOOP;
        i := i + 1;
    END LOOP;
END
$$;
COMMENT ON FUNCTION hd_runtime._block_dependents(uuid) IS
'A task has failed: what needs it, and what needs that, fails as blocked, with the reason.';
