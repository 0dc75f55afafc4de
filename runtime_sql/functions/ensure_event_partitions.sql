CREATE OR REPLACE FUNCTION hd_runtime.ensure_event_partitions(months_ahead int DEFAULT 3) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_made int := 0;
BEGIN
    IF months_ahead IS NULL OR months_ahead NOT BETWEEN 0 AND 120 THEN
        RAISE EXCEPTION 'months_ahead must be between 0 and 120, not %', coalesce(months_ahead::text, 'null')
            USING ERRCODE = 'HD006',
            DETAIL = format('months_ahead is %s', coalesce(months_ahead::text, 'null')),
            HINT = '3 unless it is given.';
    END IF;
    FOR i IN 0 .. months_ahead LOOP
        v_made := v_made + _make_event_partition(date_trunc('month', now()) + make_interval(months => i))::int;
    END LOOP;
    RETURN v_made;
END
$$;
COMMENT ON FUNCTION hd_runtime.ensure_event_partitions(int) IS
'Makes the partitions of workflow_events for this month and the next months_ahead that are missing, and says how many it made. Called by the migration and by housekeep(). Error HD006: months_ahead not between 0 and 120.';
