CREATE OR REPLACE FUNCTION hd_runtime._sort_default_partition() RETURNS bigint
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    v_month timestamptz;
    v_before bigint;
    v_moved bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM hd_runtime.workflow_events_default) THEN
        RETURN 0;
    END IF;
    -- The lock under which partitions are made, and then the table: nobody writes or reads meanwhile.
    PERFORM pg_advisory_xact_lock(x'48440004'::int, 0);
    LOCK TABLE hd_runtime.workflow_events IN ACCESS EXCLUSIVE MODE;
    -- Copied and the old table dropped, because no row of the trail can be deleted.
    ALTER TABLE hd_runtime.workflow_events DETACH PARTITION hd_runtime.workflow_events_default;
    ALTER TABLE hd_runtime.workflow_events_default RENAME TO workflow_events_unsorted;
    CREATE TABLE hd_runtime.workflow_events_default
        (LIKE hd_runtime.workflow_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS);
    ALTER TABLE hd_runtime.workflow_events ATTACH PARTITION hd_runtime.workflow_events_default DEFAULT;
    PERFORM hd_runtime._seal_event_partition('workflow_events_default');
    EXECUTE format('COMMENT ON TABLE hd_runtime.workflow_events_default IS %L',
                   obj_description('hd_runtime.workflow_events_unsorted'::regclass, 'pg_class'));
    -- A month that was archived has its name taken, or its record made: what came late for it stays.
    FOR v_month IN
        SELECT DISTINCT date_trunc('month', u.ts) FROM hd_runtime.workflow_events_unsorted u
        WHERE NOT hd_runtime._archived(u.ts, u.ts)
    LOOP
        PERFORM hd_runtime._make_event_partition(v_month);
    END LOOP;
    INSERT INTO hd_runtime.workflow_events SELECT * FROM hd_runtime.workflow_events_unsorted ORDER BY id;
    GET DIAGNOSTICS v_before = ROW_COUNT;
    SELECT v_before - count(*) INTO v_moved FROM hd_runtime.workflow_events_default;
    DROP TABLE hd_runtime.workflow_events_unsorted;
    RETURN v_moved;
END
$$;
COMMENT ON FUNCTION hd_runtime._sort_default_partition() IS
'Moves events out of the default partition into those of their months, which it makes; the rows stay as they are, and so does the chain. Takes workflow_events for itself until the transaction ends. Returns how many it moved. Called by hatidata runtime archive.';
