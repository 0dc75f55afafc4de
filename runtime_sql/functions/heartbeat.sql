-- The one call that agents make all the time. Pinning the search_path costs more than a twentieth of
-- it; instead every name in it, operators too, says the schema that it is of.
CREATE OR REPLACE FUNCTION hd_runtime.heartbeat(attempt_id uuid, lease_token text)
RETURNS hd_runtime.renewed_lease
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
DECLARE
    v_lease hd_runtime.renewed_lease;
    -- Read once: the lease lasts for lease_ttl from heartbeat_at on, to the microsecond.
    v_now pg_catalog.timestamptz := pg_catalog.clock_timestamp();
BEGIN
    UPDATE hd_runtime.task_attempts a
    SET heartbeat_at = v_now, lease_expires = v_now OPERATOR(pg_catalog.+) a.lease_ttl
    WHERE a.id OPERATOR(pg_catalog.=) heartbeat.attempt_id
      AND a.lease_token OPERATOR(pg_catalog.=) hd_runtime._token_digest(heartbeat.lease_token)
      AND a.lease_expires OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()
    RETURNING a.lease_expires, a.cancel_requested INTO v_lease;
    IF NOT FOUND THEN
        PERFORM hd_runtime._lease_lost(heartbeat.attempt_id, heartbeat.lease_token);
    END IF;
    RETURN v_lease;
END
$$;
COMMENT ON FUNCTION hd_runtime.heartbeat(uuid, text) IS
'Renews a lease: lease_expires is now plus the class''s lease_ttl. cancel_requested: an operator asked to stop; end with fail_attempt or release_attempt, and no new attempt follows. Errors: HD001 lease lost, HD004 no such attempt, HD006 a null.';
