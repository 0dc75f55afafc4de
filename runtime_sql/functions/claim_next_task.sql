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
    v_lane int;
    v_from timestamptz;
    v_until timestamptz;
    v_ttl interval;
    v_id uuid;
    v_task uuid;
    v_tried int[];
    v_index regclass := CASE WHEN project_id IS NULL THEN regclass 'idx_queue' ELSE regclass 'idx_project_queue' END;
    v_visited bigint := pg_stat_get_xact_tuples_returned(v_index);
BEGIN
    -- One expression for all: each costs a tenth of a statement, also when it finds nothing wrong.
    IF (claim_next_task.agent_run_id <> '' AND length(claim_next_task.agent_run_id) <= 200
        AND position(E'\n' IN claim_next_task.agent_run_id) = 0 AND max_tasks BETWEEN 1 AND 1000
        AND (claim_next_task.task_classes IS NULL
             OR current_setting('hd_runtime.known_classes', true) = claim_next_task.task_classes::text)) IS NOT TRUE THEN
        PERFORM _check_claim(claim_next_task.agent_run_id, claim_next_task.task_classes, claim_next_task.max_tasks);
    END IF;

    FOR v_round IN 1 .. 2 LOOP
        v_now := _lease_clock();
        LOOP
            -- The lane to take from: of the best priority, the one whose oldest has waited longest.
            IF claim_next_task.project_id IS NULL THEN
                SELECT best.id, best.available_at, best.until, c.lease_ttl
                INTO v_lane, v_from, v_until, v_ttl
                FROM (
                    SELECT l.id, l.task_class, head.available_at, greatest(v_now, mark.position) AS until
                    FROM queue_lanes l
                    LEFT JOIN LATERAL (
                        SELECT m.position FROM queue_marks m
                        WHERE m.lane_id = l.id AND m.project_id = '00000000-0000-0000-0000-000000000000'
                        ORDER BY m.position DESC LIMIT 1) AS mark ON true
                    CROSS JOIN LATERAL (
                        SELECT a.available_at FROM task_attempts a
                        WHERE a.status = 'queued' AND a.lane_id = l.id
                          AND a.available_at >= coalesce(mark.position, '-infinity')
                        ORDER BY a.available_at LIMIT 1) AS head
                    WHERE (claim_next_task.task_classes IS NULL OR l.task_class = ANY (claim_next_task.task_classes))
                      AND (claim_next_task.agent_type IS NULL OR l.agent_type = claim_next_task.agent_type)
                      AND head.available_at <= greatest(v_now, mark.position)
                      AND (l.id = ANY (v_tried)) IS NOT TRUE
                    ORDER BY l.priority, head.available_at LIMIT 1) AS best
                JOIN task_classes c ON c.name = best.task_class;
            ELSE
                SELECT best.id, best.available_at, best.until, c.lease_ttl
                INTO v_lane, v_from, v_until, v_ttl
                FROM (
                    SELECT l.id, l.task_class, head.available_at, greatest(v_now, mark.position) AS until
                    FROM queue_lanes l
                    LEFT JOIN LATERAL (
                        SELECT m.position FROM queue_marks m
                        WHERE m.lane_id = l.id AND m.project_id = claim_next_task.project_id
                        ORDER BY m.position DESC LIMIT 1) AS mark ON true
                    CROSS JOIN LATERAL (
                        SELECT a.available_at FROM task_attempts a
                        WHERE a.status = 'queued' AND a.project_id = claim_next_task.project_id AND a.lane_id = l.id
                          AND a.available_at >= coalesce(mark.position, '-infinity')
                        ORDER BY a.available_at LIMIT 1) AS head
                    WHERE (claim_next_task.task_classes IS NULL OR l.task_class = ANY (claim_next_task.task_classes))
                      AND (claim_next_task.agent_type IS NULL OR l.agent_type = claim_next_task.agent_type)
                      AND head.available_at <= greatest(v_now, mark.position)
                      AND (l.id = ANY (v_tried)) IS NOT TRUE
                    ORDER BY l.priority, head.available_at LIMIT 1) AS best
                JOIN task_classes c ON c.name = best.task_class;
            END IF;
            EXIT WHEN v_lane IS NULL;

            WHILE v_left > 0 LOOP
                IF claim_next_task.project_id IS NULL THEN
                    SELECT a.id, a.task_id, a.available_at INTO v_id, v_task, v_from
                    FROM task_attempts a
                    WHERE a.status = 'queued' AND a.lane_id = v_lane
                      AND a.available_at >= v_from AND a.available_at <= v_until
                    ORDER BY a.available_at LIMIT 1 FOR UPDATE SKIP LOCKED;
                ELSE
                    SELECT a.id, a.task_id, a.available_at INTO v_id, v_task, v_from
                    FROM task_attempts a
                    WHERE a.status = 'queued' AND a.project_id = claim_next_task.project_id AND a.lane_id = v_lane
                      AND a.available_at >= v_from AND a.available_at <= v_until
                    ORDER BY a.available_at LIMIT 1 FOR UPDATE SKIP LOCKED;
                END IF;
                EXIT WHEN NOT FOUND;
                RETURN NEXT _lease(v_id, v_task, claim_next_task.agent_run_id, v_ttl, v_now);
                v_left := v_left - 1;
            END LOOP;
            EXIT WHEN v_left = 0;
            v_tried := v_tried || v_lane;
        END LOOP;

        -- Far more index entries visited than a claim needs: dead ones that cannot be removed yet. Now
        -- and then one of the claims moves the marks past them.
        IF pg_stat_get_xact_tuples_returned(v_index) - v_visited > 250 + 4 * (max_tasks - v_left)
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
        v_tried := NULL;
    END LOOP;
    IF v_left = max_tasks THEN
        PERFORM _await_work(claim_next_task.task_classes);
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime.claim_next_task(text, text[], uuid, text, int) IS
'Leases what is to be done next to agent_run_id: SELECT * FROM claim_next_task(''agent-1''). Returns up to max_tasks rows, none when there is nothing to do. Null means any: class, project, agent type.
Lower priority first; within a priority, what has waited longest. (With max_tasks above 1, lane by lane: the class and agent type whose oldest task has waited longest is emptied before the next.) Two claims never get the same attempt and never wait for each other (FOR UPDATE SKIP LOCKED). The cost depends on the number of lanes, not on what waits in them.
Keep lease_token: it is shown here once. Send heartbeat(attempt_id, lease_token) before lease_expires, end with complete_attempt, fail_attempt or release_attempt. After an empty answer, LISTEN hd_work tells of new work (payload: its class); ask again every few seconds all the same.
Errors: HD004 unknown class; HD006 no agent_run_id, max_tasks not between 1 and 1000.';
