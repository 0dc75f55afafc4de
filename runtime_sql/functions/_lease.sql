CREATE OR REPLACE FUNCTION hd_runtime._lease(
    attempt_id uuid, task_id uuid, agent_run_id text, lease_ttl interval, since timestamptz)
RETURNS hd_runtime.claimed_task
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_claimed hd_runtime.claimed_task;
    v_parent uuid;
    v_needs boolean;
BEGIN
    v_claimed.lease_token := gen_random_uuid();
    UPDATE hd_runtime.task_attempts a
    SET status = 'context_resolved',
        agent_run_id = _lease.agent_run_id,
        lease_token = hd_runtime._token_digest(v_claimed.lease_token),
        lease_epoch = a.lease_epoch + 1,
        lease_ttl = _lease.lease_ttl,
        lease_expires = since + _lease.lease_ttl,
        lease_check_at = greatest(
            since + _lease.lease_ttl,
            (SELECT m.position FROM hd_runtime.queue_marks m
             WHERE m.lane_id = 0 AND m.project_id = '00000000-0000-0000-0000-000000000000'
             ORDER BY m.position DESC LIMIT 1)),
        claimed_at = since,
        event_actor = _lease.agent_run_id
    WHERE a.id = _lease.attempt_id
    RETURNING a.task_id, a.id, a.attempt_no, a.agent_type, a.recovery_level, a.model_class, a.lease_epoch,
              a.lease_expires, a.parent_attempt_id, a.has_needs
    INTO v_claimed.task_id, v_claimed.attempt_id, v_claimed.attempt_no, v_claimed.agent_type,
         v_claimed.recovery_level, v_claimed.model_class, v_claimed.lease_epoch, v_claimed.lease_expires, v_parent,
         v_needs;
    UPDATE hd_runtime.tasks t
    SET status = 'running', updated_at = since
    WHERE t.id = _lease.task_id
    RETURNING t.task_class, t.project_id, t.payload, t.input_hash, '{}'
    INTO v_claimed.task_class, v_claimed.project_id, v_claimed.payload, v_claimed.input_hash, v_claimed.context;
    IF v_parent IS NOT NULL OR v_needs IS NOT FALSE THEN
        v_claimed.context := hd_runtime._claim_context(v_claimed.task_id, v_parent);
    END IF;
    RETURN v_claimed;
END
$$;
COMMENT ON FUNCTION hd_runtime._lease(uuid, uuid, text, interval, timestamptz) IS
'Leases a queued attempt that the caller has locked. since: from _lease_clock, taken before the attempt was looked for.';
