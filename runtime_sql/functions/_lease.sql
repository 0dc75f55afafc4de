CREATE OR REPLACE FUNCTION hd_runtime._lease(
    attempt_id uuid, task_id uuid, agent_run_id text, lease_token text, lease_ttl interval)
RETURNS hd_runtime.claimed_task
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_claimed hd_runtime.claimed_task;
    v_now timestamptz;
    v_parent uuid;
BEGIN
    -- The reaper's own low-water mark: as _queue_position, for lane 0. One expression costs less than
    -- a statement; the condition is evaluated before the clock is read.
    v_now := CASE WHEN pg_advisory_xact_lock_shared(hd_runtime._flight_key(0, now())) IS NOT NULL
                  THEN clock_timestamp() END;
    UPDATE hd_runtime.task_attempts a
    SET status = 'context_resolved',
        agent_run_id = _lease.agent_run_id,
        lease_token = hd_runtime._token_digest(_lease.lease_token),
        lease_epoch = a.lease_epoch + 1,
        lease_ttl = _lease.lease_ttl,
        lease_expires = v_now + _lease.lease_ttl,
        lease_check_at = greatest(
            v_now + _lease.lease_ttl,
            (SELECT m.position FROM hd_runtime.queue_marks m
             WHERE m.lane_id = 0 AND m.project_id = '00000000-0000-0000-0000-000000000000'
             ORDER BY m.position DESC LIMIT 1)),
        claimed_at = v_now,
        event_actor = _lease.agent_run_id
    WHERE a.id = _lease.attempt_id
    RETURNING a.task_id, a.id, a.attempt_no, a.agent_type, a.recovery_level, a.model_class, a.lease_epoch,
              a.lease_expires, a.parent_attempt_id
    INTO v_claimed.task_id, v_claimed.attempt_id, v_claimed.attempt_no, v_claimed.agent_type,
         v_claimed.recovery_level, v_claimed.model_class, v_claimed.lease_epoch, v_claimed.lease_expires, v_parent;
    UPDATE hd_runtime.tasks t
    SET status = 'running', updated_at = v_now
    WHERE t.id = _lease.task_id
    RETURNING t.task_class, t.project_id, t.payload, t.input_hash,
              CASE WHEN v_parent IS NOT NULL
                     OR EXISTS (SELECT FROM hd_runtime.task_dependencies d WHERE d.task_id = t.id)
                   THEN hd_runtime._claim_context(t.id, v_parent) ELSE '{}' END
    INTO v_claimed.task_class, v_claimed.project_id, v_claimed.payload, v_claimed.input_hash, v_claimed.context;
    v_claimed.lease_token := _lease.lease_token;
    RETURN v_claimed;
END
$$;
COMMENT ON FUNCTION hd_runtime._lease(uuid, uuid, text, text, interval) IS
'Leases a queued attempt that the caller has locked.';
