CREATE OR REPLACE FUNCTION hd_runtime.reap_expired_leases(max_rows int DEFAULT 100)
RETURNS TABLE (attempt_id uuid, level text, new_attempt_id uuid)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = hd_runtime, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := clock_timestamp();
    v_mark timestamptz;
    v_visited bigint := pg_stat_get_xact_tuples_returned('idx_leases'::regclass);
    v_lease record;
    v_step hd_runtime.recovery_step;
BEGIN
    IF max_rows IS NULL OR max_rows < 1 THEN
        RAISE EXCEPTION 'max_rows must be positive, not %', coalesce(max_rows::text, 'null') USING ERRCODE = 'HD006',
            DETAIL = format('max_rows is %s', coalesce(max_rows::text, 'null')),
            HINT = 'It is how many leases are looked at; 100 unless it is given.';
    END IF;
    v_mark := coalesce((SELECT m.position FROM queue_marks m
                        WHERE m.lane_id = 0 AND m.project_id = '00000000-0000-0000-0000-000000000000'
                        ORDER BY m.position DESC LIMIT 1), '-infinity');
    FOR v_lease IN
        SELECT a.id, a.lease_expires FROM task_attempts a
        WHERE a.lease_check_at IS NOT NULL
          AND a.lease_check_at >= v_mark AND a.lease_check_at <= greatest(v_now, v_mark)
        ORDER BY a.lease_check_at LIMIT max_rows
        FOR UPDATE SKIP LOCKED
    LOOP
        IF v_lease.lease_expires > v_now THEN
            -- Kept alive by heartbeats: look again when it would end now.
            UPDATE task_attempts a SET lease_check_at = greatest(v_lease.lease_expires, v_mark) WHERE a.id = v_lease.id;
        ELSE
            -- One that cannot be recovered now (a deadlock, say) must not keep all others waiting.
            BEGIN
                v_step := _recover(v_lease.id, 'lease_expired', NULL, 'reaper', NULL);
            EXCEPTION WHEN OTHERS THEN
                RAISE WARNING 'attempt %, whose lease has expired, cannot be recovered: %', v_lease.id, SQLERRM
                    USING ERRCODE = SQLSTATE, HINT = 'It is tried again when its lease would have ended next.';
                UPDATE task_attempts a SET lease_check_at = greatest(clock_timestamp() + a.lease_ttl, v_mark)
                WHERE a.id = v_lease.id;
                CONTINUE;
            END;
            attempt_id := v_lease.id;
            level := v_step.level;
            new_attempt_id := v_step.new_attempt_id;
            RETURN NEXT;
        END IF;
    END LOOP;
    IF pg_stat_get_xact_tuples_returned('idx_leases'::regclass) - v_visited > 1000 THEN
        PERFORM _advance_marks('{0}', NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime.reap_expired_leases(int) IS
'Ends leases that expired, at most max_rows of them, and recovers their attempts through L1: the task is claimable again at once. Run every few seconds by housekeep(), and by a claim that finds nothing. Any number may run at the same time. Returns one row per expired attempt.';
