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
    v_row tid;
    v_token text;
    v_task uuid;
    v_id uuid;
    v_no int;
    v_agent_type text;
    v_level text;
    v_model text;
    v_epoch bigint;
    v_expires timestamptz;
    v_parent uuid;
    v_needs boolean;
    v_tried int[];
    v_reaped boolean := false;
    -- Counting is not free: it is done now and then.
    v_counted boolean := random() < 0.125;
    v_index regclass;
    v_pages bigint;
    v_entries bigint;
BEGIN
    -- One expression for all: each costs a tenth of a statement, also when it finds nothing wrong.
    IF (claim_next_task.agent_run_id <> '' AND length(claim_next_task.agent_run_id) <= 200
        AND position(E'\n' IN claim_next_task.agent_run_id) = 0 AND max_tasks BETWEEN 1 AND 1000
        AND (claim_next_task.task_classes IS NULL
             OR current_setting('hd_runtime.known_classes', true) = claim_next_task.task_classes::text)) IS NOT TRUE THEN
        PERFORM _check_claim(claim_next_task.agent_run_id, claim_next_task.task_classes, claim_next_task.max_tasks);
    END IF;
    IF v_counted THEN
        v_index := CASE WHEN project_id IS NULL THEN regclass 'idx_queue' ELSE regclass 'idx_project_queue' END;
        v_pages := pg_stat_get_xact_blocks_fetched(v_index);
        v_entries := pg_stat_get_xact_tuples_returned(v_index);
    END IF;

    LOOP
        v_now := _lease_clock();
        <<lanes>>
        LOOP
            -- The lane to take from: of the best priority, the one whose oldest has waited longest.
            IF claim_next_task.project_id IS NULL THEN
                SELECT l.id, head.available_at, greatest(v_now, mark.position), l.lease_ttl
                INTO v_lane, v_from, v_until, v_ttl
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
                ORDER BY l.priority, head.available_at LIMIT 1;
            ELSE
                SELECT l.id, head.available_at, greatest(v_now, mark.position), l.lease_ttl
                INTO v_lane, v_from, v_until, v_ttl
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
                ORDER BY l.priority, head.available_at LIMIT 1;
            END IF;
            EXIT WHEN v_lane IS NULL;

            LOOP
                IF claim_next_task.project_id IS NULL THEN
                    SELECT a.ctid INTO v_row
                    FROM task_attempts a
                    WHERE a.status = 'queued' AND a.lane_id = v_lane
                      AND a.available_at >= v_from AND a.available_at <= v_until
                    ORDER BY a.available_at LIMIT 1 FOR UPDATE SKIP LOCKED;
                ELSE
                    SELECT a.ctid INTO v_row
                    FROM task_attempts a
                    WHERE a.status = 'queued' AND a.project_id = claim_next_task.project_id AND a.lane_id = v_lane
                      AND a.available_at >= v_from AND a.available_at <= v_until
                    ORDER BY a.available_at LIMIT 1 FOR UPDATE SKIP LOCKED;
                END IF;
                EXIT WHEN NOT FOUND;
                -- As _lease, whose call would cost as much as one of its statements. Where the row
                -- lies cannot change: it is locked.
                v_token := gen_random_uuid();
                UPDATE task_attempts a
                SET status = 'context_resolved',
                    agent_run_id = claim_next_task.agent_run_id,
                    lease_token = _token_digest(v_token),
                    lease_epoch = a.lease_epoch + 1,
                    lease_ttl = v_ttl,
                    lease_expires = v_now + v_ttl,
                    lease_check_at = greatest(
                        v_now + v_ttl,
                        (SELECT m.position FROM queue_marks m
                         WHERE m.lane_id = 0 AND m.project_id = '00000000-0000-0000-0000-000000000000'
                         ORDER BY m.position DESC LIMIT 1)),
                    claimed_at = v_now,
                    event_actor = claim_next_task.agent_run_id
                WHERE a.ctid = v_row
                RETURNING a.task_id, a.id, a.attempt_no, a.agent_type, a.recovery_level, a.model_class, a.lease_epoch,
                          a.lease_expires, a.parent_attempt_id, a.has_needs
                INTO STRICT v_task, v_id, v_no, v_agent_type, v_level, v_model, v_epoch, v_expires, v_parent, v_needs;
                RETURN QUERY
                UPDATE tasks t
                SET status = 'running', updated_at = v_now
                WHERE t.id = v_task
                RETURNING v_task, v_id, v_no, t.task_class, v_agent_type, t.project_id, t.payload, t.input_hash, v_level,
                          v_model,
                          CASE WHEN v_parent IS NOT NULL OR v_needs IS NOT FALSE THEN _claim_context(v_task, v_parent)
                               ELSE '{}' END,
                          v_token, v_epoch, v_expires;
                v_left := v_left - 1;
                EXIT lanes WHEN v_left = 0;
            END LOOP;
            v_tried := v_tried || v_lane;
        END LOOP;

        -- Far more pages or entries visited than a claim needs: dead ones that are not removed yet. The
        -- claims that have counted move the marks past them.
        IF v_counted AND (pg_stat_get_xact_blocks_fetched(v_index) - v_pages > 32 + 4 * (max_tasks - v_left)
                          OR pg_stat_get_xact_tuples_returned(v_index) - v_entries > 250 + 4 * (max_tasks - v_left)) THEN
            PERFORM _advance_marks(
                ARRAY(SELECT l.id FROM queue_lanes l
                      WHERE (claim_next_task.task_classes IS NULL OR l.task_class = ANY (claim_next_task.task_classes))
                        AND (claim_next_task.agent_type IS NULL OR l.agent_type = claim_next_task.agent_type)),
                claim_next_task.project_id);
        END IF;
        EXIT WHEN v_left < max_tasks;
        -- Nothing there: perhaps a worker died with something in hand.
        IF v_reaped OR NOT EXISTS (SELECT FROM reap_expired_leases()) THEN
            PERFORM _await_work(claim_next_task.task_classes);
            EXIT;
        END IF;
        v_reaped := true;
        v_tried := NULL;
    END LOOP;
END
$$;
COMMENT ON FUNCTION hd_runtime.claim_next_task(text, text[], uuid, text, int) IS
'Leases what is to be done next to agent_run_id: SELECT * FROM claim_next_task(''agent-1''). Returns up to max_tasks rows, none when there is nothing to do. Null means any: class, project, agent type.
Lower priority first; within a priority, what has waited longest. (With max_tasks above 1, lane by lane: the class and agent type whose oldest task has waited longest is emptied before the next.) Two claims never get the same attempt and never wait for each other (FOR UPDATE SKIP LOCKED). The cost depends on the number of lanes, not on what waits in them.
Keep lease_token: it is shown here once. Send heartbeat(attempt_id, lease_token) before lease_expires, end with complete_attempt, fail_attempt or release_attempt. After an empty answer, LISTEN hd_work tells of new work (payload: its class); ask again every few seconds all the same.
Errors: HD004 unknown class; HD006 no agent_run_id, max_tasks not between 1 and 1000.';
