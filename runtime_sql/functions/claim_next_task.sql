CREATE OR REPLACE FUNCTION hd_runtime.claim_next_task(
    agent_run_id text,
    task_classes text[] DEFAULT NULL,
    project_id   uuid DEFAULT NULL,
    agent_type   text DEFAULT NULL,
    max_tasks    int DEFAULT 1)
RETURNS SETOF hd_runtime.claimed_task
LANGUAGE plpgsql SECURITY DEFINER
-- Index scans in index order, planned once, whatever the statistics say: a plan that sorts or
-- scans the backlog would be right for the empty queue it was made for, and never again.
SET search_path = hd_runtime, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_left int := max_tasks;
    v_now timestamptz;
    v_head record;
    v_ids uuid[];
    v_id uuid;
    v_token text := gen_random_uuid();
    v_visited bigint;
BEGIN
    PERFORM _check_claimer(claim_next_task.agent_run_id);
    IF max_tasks IS NULL OR max_tasks NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'max_tasks must be between 1 and 1000, not %', coalesce(max_tasks::text, 'null')
            USING ERRCODE = 'HD006';
    END IF;
    IF task_classes IS NOT NULL AND EXISTS (
            SELECT FROM unnest(task_classes) AS c WHERE NOT EXISTS (SELECT FROM task_classes k WHERE k.name = c)) THEN
        RAISE EXCEPTION 'task_classes names a class that is not there' USING ERRCODE = 'HD004',
            DETAIL = format('Asked for: %s. Known: %s.', array_to_string(task_classes, ', ', 'null'),
                            (SELECT string_agg(k.name, ', ' ORDER BY k.name) FROM task_classes k)),
            HINT = 'An operator makes one with SELECT define_task_class(''name'').';
    END IF;

    FOR v_round IN 1 .. 2 LOOP
        v_now := clock_timestamp();
        v_visited := pg_stat_get_xact_tuples_returned('idx_queue'::regclass)
                   + pg_stat_get_xact_tuples_returned('idx_project_queue'::regclass);
        IF claim_next_task.project_id IS NULL THEN
            FOR v_head IN
                SELECT l.id, coalesce(mark.position, '-infinity') AS mark, greatest(v_now, mark.position) AS until
                FROM queue_lanes l
                LEFT JOIN LATERAL (
                    SELECT m.position FROM queue_marks m
                    WHERE m.lane_id = l.id AND m.project_id = '00000000-0000-0000-0000-000000000000'
                    ORDER BY m.position DESC LIMIT 1) AS mark ON true
                CROSS JOIN LATERAL (
                    SELECT a.available_at FROM task_attempts a
                    WHERE a.status = 'queued' AND a.lane_id = l.id
                      AND a.available_at >= coalesce(mark.position, '-infinity') AND a.available_at <= greatest(v_now, mark.position)
                    ORDER BY a.available_at LIMIT 1) AS head
                WHERE (claim_next_task.task_classes IS NULL OR l.task_class = ANY (claim_next_task.task_classes))
                  AND (claim_next_task.agent_type IS NULL OR l.agent_type = claim_next_task.agent_type)
                ORDER BY l.priority, head.available_at
            LOOP
                SELECT array_agg(id) INTO v_ids FROM (
                    SELECT a.id FROM task_attempts a
                    WHERE a.status = 'queued' AND a.lane_id = v_head.id
                      AND a.available_at >= v_head.mark AND a.available_at <= v_head.until
                    ORDER BY a.available_at LIMIT v_left FOR UPDATE SKIP LOCKED) AS taken;
                IF v_ids IS NOT NULL THEN
                    FOREACH v_id IN ARRAY v_ids LOOP
                        RETURN NEXT _lease(v_id, claim_next_task.agent_run_id, v_token);
                    END LOOP;
                    v_left := v_left - cardinality(v_ids);
                    EXIT WHEN v_left = 0;
                END IF;
            END LOOP;
        ELSE
            FOR v_head IN
                SELECT l.id, coalesce(mark.position, '-infinity') AS mark, greatest(v_now, mark.position) AS until
                FROM queue_lanes l
                LEFT JOIN LATERAL (
                    SELECT m.position FROM queue_marks m
                    WHERE m.lane_id = l.id AND m.project_id = claim_next_task.project_id
                    ORDER BY m.position DESC LIMIT 1) AS mark ON true
                CROSS JOIN LATERAL (
                    SELECT a.available_at FROM task_attempts a
                    WHERE a.status = 'queued' AND a.project_id = claim_next_task.project_id AND a.lane_id = l.id
                      AND a.available_at >= coalesce(mark.position, '-infinity') AND a.available_at <= greatest(v_now, mark.position)
                    ORDER BY a.available_at LIMIT 1) AS head
                WHERE (claim_next_task.task_classes IS NULL OR l.task_class = ANY (claim_next_task.task_classes))
                  AND (claim_next_task.agent_type IS NULL OR l.agent_type = claim_next_task.agent_type)
                ORDER BY l.priority, head.available_at
            LOOP
                SELECT array_agg(id) INTO v_ids FROM (
                    SELECT a.id FROM task_attempts a
                    WHERE a.status = 'queued' AND a.project_id = claim_next_task.project_id AND a.lane_id = v_head.id
                      AND a.available_at >= v_head.mark AND a.available_at <= v_head.until
                    ORDER BY a.available_at LIMIT v_left FOR UPDATE SKIP LOCKED) AS taken;
                IF v_ids IS NOT NULL THEN
                    FOREACH v_id IN ARRAY v_ids LOOP
                        RETURN NEXT _lease(v_id, claim_next_task.agent_run_id, v_token);
                    END LOOP;
                    v_left := v_left - cardinality(v_ids);
                    EXIT WHEN v_left = 0;
                END IF;
            END LOOP;
        END IF;

        -- Many index entries visited for one claim: they are dead and cannot be removed yet. Now and
        -- then one of the claims moves the marks past them.
        IF pg_stat_get_xact_tuples_returned('idx_queue'::regclass)
           + pg_stat_get_xact_tuples_returned('idx_project_queue'::regclass) - v_visited > 1000
           AND random() < 0.125 THEN
            PERFORM _advance_marks(
                ARRAY(SELECT l.id FROM queue_lanes l
                      WHERE (claim_next_task.task_classes IS NULL OR l.task_class = ANY (claim_next_task.task_classes))
                        AND (claim_next_task.agent_type IS NULL OR l.agent_type = claim_next_task.agent_type)),
                claim_next_task.project_id);
        END IF;
        EXIT WHEN v_round = 2 OR v_left < max_tasks;
        -- Nothing there: perhaps a worker died with something in hand.
        EXIT WHEN NOT EXISTS (SELECT FROM reap_expired_leases());
    END LOOP;
    IF v_left = max_tasks THEN
        PERFORM _await_work(claim_next_task.task_classes);
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime.claim_next_task(text, text[], uuid, text, int) IS
'Leases what is to be done next to agent_run_id: SELECT * FROM claim_next_task(''agent-1''). Returns up to max_tasks rows, none when there is nothing to do. Null means any: class, project, agent type.
Lower priority first, then the lane (class and agent type) whose oldest task has waited longest, oldest first within it. Two claims never get the same attempt and never wait for each other (FOR UPDATE SKIP LOCKED). The cost depends on the number of lanes, not on what waits in them.
Keep lease_token: it is shown here once. Send heartbeat(attempt_id, lease_token) before lease_expires, end with complete_attempt, fail_attempt or release_attempt. After an empty answer, LISTEN hd_work tells of new work (payload: its class); ask again every few seconds all the same.
Errors: HD004 unknown class; HD006 no agent_run_id, max_tasks not between 1 and 1000.';
