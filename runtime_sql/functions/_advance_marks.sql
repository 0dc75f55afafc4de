CREATE OR REPLACE FUNCTION hd_runtime._advance_marks(lanes int[], project_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_seen timestamptz;
    v_second bigint;
    v_lane int[];
    v_since timestamptz[];
BEGIN
    -- An old snapshot could miss what was committed since.
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RETURN;
    END IF;
    v_seen := clock_timestamp();
    v_second := floor(date_part('epoch', v_seen));
    SELECT array_agg(lane), array_agg(since) INTO v_lane, v_since
    FROM (SELECT ((key >> 24) & x'ffffff'::bigint)::int AS lane,
                 to_timestamp(v_second - ((v_second - key) & x'ffffff'::bigint)) AS since
          FROM pg_locks
          CROSS JOIN LATERAL (SELECT (classid::bigint << 32) | objid::bigint) AS k (key)
          WHERE locktype = 'advisory' AND objsubid = 1 AND key >> 48 = x'4844'::bigint
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS flight;

    -- A new statement, thus a snapshot taken after pg_locks was read.
    INSERT INTO hd_runtime.queue_marks (lane_id, project_id, position)
    SELECT lane, coalesce(_advance_marks.project_id, '00000000-0000-0000-0000-000000000000'), mark.position
    FROM unnest(lanes) AS lane
    LEFT JOIN LATERAL (
        SELECT m.position FROM hd_runtime.queue_marks m
        WHERE m.lane_id = lane
          AND m.project_id = coalesce(_advance_marks.project_id, '00000000-0000-0000-0000-000000000000')
        ORDER BY m.position DESC LIMIT 1) AS old ON true
    CROSS JOIN LATERAL (
        SELECT least(
            v_seen,
            (SELECT min(f.since) FROM unnest(v_lane, v_since) AS f (lane, since) WHERE f.lane = lane.lane),
            CASE WHEN lane = 0 THEN
                (SELECT a.lease_check_at FROM hd_runtime.task_attempts a
                 WHERE a.lease_check_at IS NOT NULL
                   AND a.lease_check_at >= coalesce(old.position, '-infinity')
                 ORDER BY a.lease_check_at LIMIT 1)
            WHEN _advance_marks.project_id IS NULL THEN
                (SELECT a.available_at FROM hd_runtime.task_attempts a
                 WHERE a.status = 'queued' AND a.lane_id = lane
                   AND a.available_at >= coalesce(old.position, '-infinity')
                 ORDER BY a.available_at LIMIT 1)
            ELSE
                (SELECT a.available_at FROM hd_runtime.task_attempts a
                 WHERE a.status = 'queued' AND a.lane_id = lane AND a.project_id = _advance_marks.project_id
                   AND a.available_at >= coalesce(old.position, '-infinity')
                 ORDER BY a.available_at LIMIT 1)
            END)) AS mark (position)
    WHERE mark.position > coalesce(old.position, '-infinity');
END
$$;
COMMENT ON FUNCTION hd_runtime._advance_marks(int[], uuid) IS
'Moves the marks of lanes up to their oldest waiting attempt (project_id null: of whichever project), as far as that is safe. Why nothing is ever left below a mark: a transaction that queues something first registers in the lane (_flight_key) and then takes a position not before the clock. Here the clock is read first (v_seen), then the registrations, then what waits. A transaction that registered after they were read gets a position after v_seen. One that is still under way began at or before its position, and the mark stays at its beginning. One that had ended is visible to the last statement, which finds what it queued. A claim that is under way is invisible, so that what it takes still counts as waiting; a claim made by this transaction is rolled back together with the mark. Lane 0 is the same for idx_leases.';
