CREATE OR REPLACE FUNCTION hd_runtime._flight_key(lane_id int, since timestamptz) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (x'4844'::bigint << 48) | (lane_id::bigint << 24)
         | (floor(date_part('epoch', since))::bigint & x'ffffff'::bigint)
$$;
COMMENT ON FUNCTION hd_runtime._flight_key(int, timestamptz) IS
'Key of the advisory lock with which a transaction that began at "since" (to the second, modulo 194 days) shows that it may have put something in a lane that others cannot see yet. Nobody ever waits for this lock: it is a registration that Postgres removes when the transaction ends, and _advance_marks reads it in pg_locks.';
