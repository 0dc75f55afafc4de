CREATE OR REPLACE FUNCTION hd_runtime.complete_attempt(
    attempt_id uuid, lease_token text, result jsonb DEFAULT NULL, OUT seq bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = hd_runtime, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_task uuid;
    v_project uuid;
    v_key text;
    v_needed boolean;
BEGIN
    IF complete_attempt.result IS NOT NULL OR current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM _require_read_committed();
        PERFORM _check_size('result', complete_attempt.result);
    END IF;
    UPDATE task_attempts a
    SET status = 'completed_verified', result = complete_attempt.result, completed_at = clock_timestamp(),
        lease_expires = NULL, lease_check_at = NULL, event_actor = a.agent_run_id
    WHERE a.id = complete_attempt.attempt_id
      AND a.lease_token = _token_digest(complete_attempt.lease_token)
      AND a.lease_expires > clock_timestamp()
    RETURNING a.task_id, a.event_seq INTO v_task, complete_attempt.seq;
    IF NOT FOUND THEN
        PERFORM _lease_lost(complete_attempt.attempt_id, complete_attempt.lease_token);
    END IF;
    -- As _task_ended, whose call would cost as much as one of its statements.
    IF pg_advisory_xact_lock(x'48440002'::int, uuid_hash(v_task)) IS NOT NULL THEN
        UPDATE tasks t SET status = 'done', updated_at = clock_timestamp()
        WHERE t.id = v_task
        RETURNING t.project_id, t.work_item_key,
                  EXISTS (SELECT FROM task_dependencies d WHERE d.needs_task_id = v_task)
        INTO v_project, v_key, v_needed;
    END IF;
    IF v_needed OR v_key IS NOT NULL THEN
        DELETE FROM open_work_items o
        WHERE o.project_id = v_project AND o.work_item_key = v_key AND o.task_id = v_task;
        PERFORM _unblock_dependents(v_task);
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime.complete_attempt(uuid, text, jsonb) IS
'Ends an attempt well: completed_verified, its task done, and what waited only for this task is claimable in the same transaction and gets result with its claim. Returns seq of the event. Errors: HD001 lease lost (also when it is completed already), HD004 no such attempt, HD006 a null or a result over 1 MiB.';
