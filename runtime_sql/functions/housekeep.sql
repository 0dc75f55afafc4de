CREATE OR REPLACE FUNCTION hd_runtime.housekeep(
    OUT reaped bigint, OUT announced bigint, OUT marks_removed bigint, OUT partitions_made int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = hd_runtime, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_class text;
    v_now timestamptz := clock_timestamp();
    v_signals bigint;
BEGIN
    SELECT count(*) INTO reaped FROM reap_expired_leases(1000);
    partitions_made := ensure_event_partitions();

    -- What became claimable by the clock alone, or slipped through between a claim and a sleep.
    announced := 0;
    FOR v_class IN
        SELECT DISTINCT l.task_class
        FROM queue_lanes l
        WHERE EXISTS (
            SELECT FROM task_attempts a
            WHERE a.status = 'queued' AND a.lane_id = l.id AND a.available_at <= v_now
              AND a.available_at >= coalesce(
                (SELECT m.position FROM queue_marks m
                 WHERE m.lane_id = l.id AND m.project_id = '00000000-0000-0000-0000-000000000000'
                 ORDER BY m.position DESC LIMIT 1), '-infinity'))
    LOOP
        announced := announced + _announce_work(v_class)::int;
    END LOOP;

    DELETE FROM queue_marks m
    WHERE m.position < (SELECT x.position FROM queue_marks x
                        WHERE x.lane_id = m.lane_id AND x.project_id = m.project_id
                        ORDER BY x.position DESC LIMIT 1);
    GET DIAGNOSTICS marks_removed = ROW_COUNT;
    DELETE FROM work_signals s
    WHERE s.at < (SELECT x.at FROM work_signals x WHERE x.task_class = s.task_class ORDER BY x.at DESC LIMIT 1)
      AND s.at < v_now - interval '1 minute';
    GET DIAGNOSTICS v_signals = ROW_COUNT;
    marks_removed := marks_removed + v_signals;
END
$$;
COMMENT ON FUNCTION hd_runtime.housekeep() IS
'What is to be done every few seconds, in a transaction of its own; any number may run at the same time: ends expired leases, announces tasks that became due, makes the coming months'' event partitions, removes surpassed low-water marks. Returns how many of each.';
