CREATE OR REPLACE FUNCTION hd_runtime._archived(since timestamptz, until timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT EXISTS (
        SELECT FROM hd_runtime.event_archives a
        WHERE a.month >= date_trunc('month', since AT TIME ZONE 'UTC')::date
          AND a.month <= (until AT TIME ZONE 'UTC')::date)
$$;
COMMENT ON FUNCTION hd_runtime._archived(timestamptz, timestamptz) IS
'Whether a month of that span was archived.';
