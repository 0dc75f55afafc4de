CREATE OR REPLACE FUNCTION hd_runtime.heartbeat(attempt_id uuid, lease_token text)
RETURNS hd_runtime.renewed_lease
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_lease renewed_lease;
    -- Read once: the lease lasts for lease_ttl from heartbeat_at on, to the microsecond.
    v_now timestamptz := clock_timestamp();
BEGIN
    UPDATE task_attempts a
    SET heartbeat_at = v_now, lease_expires = v_now + a.lease_ttl
    WHERE a.id = heartbeat.attempt_id
      AND a.lease_token = _token_digest(heartbeat.lease_token)
      AND a.lease_expires > clock_timestamp()
    RETURNING a.lease_expires, a.cancel_requested INTO v_lease;
    IF NOT FOUND THEN
        PERFORM _lease_lost(heartbeat.attempt_id, heartbeat.lease_token);
    END IF;
    RETURN v_lease;
END
$$;
COMMENT ON FUNCTION hd_runtime.heartbeat(uuid, text) IS
'Renews a lease: lease_expires is now plus the class''s lease_ttl. cancel_requested: an operator asked to stop; end with fail_attempt or release_attempt, and no new attempt follows. Errors: HD001 lease lost, HD004 no such attempt, HD006 a null.';
