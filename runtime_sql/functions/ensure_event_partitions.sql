CREATE OR REPLACE FUNCTION hd_runtime.ensure_event_partitions(months_ahead int DEFAULT 3) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_month timestamptz;
    v_name text;
    v_created int := 0;
BEGIN
    IF months_ahead IS NULL OR months_ahead NOT BETWEEN 0 AND 120 THEN
        RAISE EXCEPTION 'months_ahead must be between 0 and 120, not %', coalesce(months_ahead::text, 'null')
            USING ERRCODE = 'HD006';
    END IF;
    FOR i IN 0 .. months_ahead LOOP
        v_month := date_trunc('month', now()) + make_interval(months => i);
        v_name := to_char(v_month, '"workflow_events_"YYYY_MM');
        CONTINUE WHEN to_regclass('hd_runtime.' || v_name) IS NOT NULL;
        -- One at a time, without waiting: whoever holds the lock makes the partition.
        EXIT WHEN NOT pg_try_advisory_xact_lock(x'48440004'::int, 0);
        CONTINUE WHEN to_regclass('hd_runtime.' || v_name) IS NOT NULL;
        -- A month that has begun in the default partition stays there.
        CONTINUE WHEN EXISTS (SELECT FROM workflow_events_default
                              WHERE ts >= v_month AND ts < v_month + interval '1 month');
        -- Made beside the table and then attached: attaching lets writers go on.
        EXECUTE format('CREATE TABLE hd_runtime.%I (LIKE hd_runtime.workflow_events
                        INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', v_name);
        EXECUTE format('ALTER TABLE hd_runtime.workflow_events ATTACH PARTITION hd_runtime.%I
                        FOR VALUES FROM (%L) TO (%L)', v_name, v_month, v_month + interval '1 month');
        EXECUTE format('CREATE TRIGGER append_only_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON hd_runtime.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION hd_runtime._refuse_change(%L)',
                       v_name, 'events are append-only');
        EXECUTE format('ALTER TABLE hd_runtime.%I ENABLE ALWAYS TRIGGER append_only_statement', v_name);
        EXECUTE format('ALTER TABLE hd_runtime.%I ENABLE ALWAYS TRIGGER append_only', v_name);
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON hd_runtime.%I FROM PUBLIC, %I', v_name, current_user);
        EXECUTE format('GRANT SELECT ON hd_runtime.%I TO hd_agent', v_name);
        -- Insert-only: nothing to vacuum but the visibility map and freezing, so seldom and in big steps;
        -- statistics more often, because ts always runs ahead of them.
        EXECUTE format('ALTER TABLE hd_runtime.%I SET (autovacuum_vacuum_insert_scale_factor = 0.2,
                        autovacuum_analyze_scale_factor = 0.02)', v_name);
        EXECUTE format('COMMENT ON TABLE hd_runtime.%I IS %L', v_name,
                       to_char(v_month, '"Events of "YYYY-MM", UTC."'));
        v_created := v_created + 1;
    END LOOP;
    RETURN v_created;
END
$$;
COMMENT ON FUNCTION hd_runtime.ensure_event_partitions(int) IS
'Makes the partitions of workflow_events for this month and the next months_ahead that are missing, and says how many it made. Called by the migration and by housekeep().';
