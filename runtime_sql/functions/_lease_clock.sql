CREATE OR REPLACE FUNCTION hd_runtime._lease_clock() RETURNS timestamptz
LANGUAGE sql VOLATILE AS $$
    -- The condition is evaluated before the clock is read.
    SELECT CASE WHEN pg_advisory_xact_lock_shared(hd_runtime._flight_key(0, now())) IS NOT NULL
                THEN clock_timestamp() END
$$;
COMMENT ON FUNCTION hd_runtime._lease_clock() IS
'The instant at which a lease may begin: the clock, read after this transaction has registered in lane 0, the reaper''s own (see _advance_marks). The lease is then written in a later statement.';
