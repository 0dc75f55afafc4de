CREATE OR REPLACE FUNCTION hd_runtime._make_event_partition(month timestamptz) RETURNS boolean
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    v_name text := to_char(month, '"workflow_events_"YYYY_MM');
BEGIN
    IF to_regclass('hd_runtime.' || v_name) IS NOT NULL
       -- One at a time, without waiting: whoever holds the lock makes the partition.
       OR NOT pg_try_advisory_xact_lock(x'48440004'::int, 0)
       OR to_regclass('hd_runtime.' || v_name) IS NOT NULL
       -- A month that has begun in the default partition stays there until _sort_default_partition moves it.
       OR EXISTS (SELECT FROM hd_runtime.workflow_events_default
                  WHERE ts >= month AND ts < month + interval '1 month') THEN
        RETURN false;
    END IF;
    -- Made beside the table and then attached: attaching lets writers go on.
    EXECUTE format('CREATE TABLE hd_runtime.%I (LIKE hd_runtime.workflow_events
                    INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', v_name);
    EXECUTE format('ALTER TABLE hd_runtime.workflow_events ATTACH PARTITION hd_runtime.%I
                    FOR VALUES FROM (%L) TO (%L)', v_name, month, month + interval '1 month');
    PERFORM hd_runtime._seal_event_partition(v_name);
    -- Insert-only: nothing to vacuum but the visibility map and freezing, so seldom and in big steps;
    -- statistics more often, because ts always runs ahead of them.
    EXECUTE format('ALTER TABLE hd_runtime.%I SET (autovacuum_vacuum_insert_scale_factor = 0.2,
                    autovacuum_analyze_scale_factor = 0.02)', v_name);
    EXECUTE format('COMMENT ON TABLE hd_runtime.%I IS %L', v_name, to_char(month, '"Events of "YYYY-MM", UTC."'));
    RETURN true;
END
$$;
COMMENT ON FUNCTION hd_runtime._make_event_partition(timestamptz) IS
'Makes the partition of workflow_events for the month that begins at "month" (UTC). False when it is there, is being made, or the month has begun in the default partition.';
