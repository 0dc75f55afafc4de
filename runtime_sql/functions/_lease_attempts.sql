CREATE OR REPLACE FUNCTION hd_runtime._lease_attempts(attempts uuid[], agent_run_id text)
RETURNS SETOF hd_runtime.claimed_task
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_token text := gen_random_uuid();
    v_now timestamptz;
BEGIN
    -- The reaper's own low-water mark: as _queue_position, for lane 0.
    PERFORM pg_advisory_xact_lock_shared(hd_runtime._flight_key(0, now()));
    v_now := clock_timestamp();
    RETURN QUERY
    WITH leased AS (
        UPDATE hd_runtime.task_attempts a
        SET status = 'context_resolved',
            agent_run_id = _lease_attempts.agent_run_id,
            lease_token = hd_runtime._token_digest(v_token),
            lease_epoch = a.lease_epoch + 1,
            lease_ttl = c.lease_ttl,
            lease_expires = v_now + c.lease_ttl,
            lease_check_at = greatest(
                v_now + c.lease_ttl,
                (SELECT m.position FROM hd_runtime.queue_marks m
                 WHERE m.lane_id = 0 AND m.project_id = '00000000-0000-0000-0000-000000000000'
                 ORDER BY m.position DESC LIMIT 1)),
            claimed_at = v_now,
            event_actor = _lease_attempts.agent_run_id
        FROM hd_runtime.queue_lanes l JOIN hd_runtime.task_classes c ON c.name = l.task_class
        WHERE a.id = ANY (_lease_attempts.attempts) AND l.id = a.lane_id
        RETURNING a.task_id, a.id AS attempt_id, a.attempt_no, a.parent_attempt_id, a.agent_type, a.recovery_level,
                  a.model_class, a.lease_epoch, a.lease_expires, a.available_at
    ), started AS (
        UPDATE hd_runtime.tasks t SET status = 'running', updated_at = v_now
        FROM leased WHERE t.id = leased.task_id
        RETURNING t.id, t.task_class, t.project_id, t.payload, t.input_hash
    )
    SELECT leased.task_id, leased.attempt_id, leased.attempt_no, t.task_class, leased.agent_type, t.project_id,
           t.payload, t.input_hash, leased.recovery_level, leased.model_class,
           CASE WHEN leased.parent_attempt_id IS NULL
                 AND NOT EXISTS (SELECT FROM hd_runtime.task_dependencies d WHERE d.task_id = leased.task_id)
                THEN '{}' ELSE hd_runtime._claim_context(leased.task_id, leased.parent_attempt_id) END,
           v_token, leased.lease_epoch, leased.lease_expires
    FROM leased JOIN started t ON t.id = leased.task_id
    ORDER BY leased.available_at;
END
$$;
COMMENT ON FUNCTION hd_runtime._lease_attempts(uuid[], text) IS
'Leases queued attempts that the caller has locked. One random token serves all that one call claims; it is stored as a digest.';
