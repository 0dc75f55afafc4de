CREATE OR REPLACE FUNCTION hd_runtime.verify_events(
    task_id uuid, OUT ok boolean, OUT attempt_id uuid, OUT seq bigint, OUT problem text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_status text;
    v_attempt record;
    v_event workflow_events;
    v_prev bytea;
    v_seq bigint;
    v_last_status text;
    v_last_no int := 0;
BEGIN
    IF verify_events.task_id IS NULL THEN
        RAISE EXCEPTION 'task_id must not be null' USING ERRCODE = 'HD006',
            DETAIL = 'task_id is null',
            HINT = 'create_task returns task_id; SELECT * FROM hd_runtime.task_summary lists the tasks.';
    END IF;
    SELECT t.status INTO v_status FROM tasks t WHERE t.id = verify_events.task_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no task %', verify_events.task_id USING ERRCODE = 'HD004',
            DETAIL = format('no row of hd_runtime.tasks has id %s', verify_events.task_id),
            HINT = 'create_task returns task_id; SELECT * FROM hd_runtime.task_summary lists the tasks.';
    END IF;
    ok := false;

    -- What was archived with its month is not here: the chain is taken up where it is found, and
    -- only if every event that is missing before it belongs to an archived month.
    v_prev := decode(repeat('00', 32), 'hex');
    FOR v_attempt IN SELECT a.* FROM task_attempts a WHERE a.task_id = verify_events.task_id ORDER BY a.attempt_no LOOP
        attempt_id := v_attempt.id;
        IF v_attempt.attempt_no <> v_last_no + 1 THEN
            seq := NULL;
            problem := format('attempt %s of the task is missing', v_last_no + 1);
            RETURN;
        END IF;
        v_last_no := v_attempt.attempt_no;
        v_seq := 0;
        v_last_status := NULL;
        FOR v_event IN SELECT e.* FROM workflow_events e
                       WHERE e.task_id = verify_events.task_id AND e.attempt_id = v_attempt.id ORDER BY e.seq LOOP
            seq := v_event.seq;
            IF v_event.seq <> v_seq + 1 AND NOT (v_prev IS NULL AND v_seq = 0) THEN
                IF v_seq = 0 AND _archived(v_attempt.created_at, v_event.ts) THEN
                    v_prev := NULL;
                ELSE
                    seq := v_seq + 1;
                    problem := format('event %s of the attempt is missing', v_seq + 1);
                    RETURN;
                END IF;
            END IF;
            IF v_prev IS NOT NULL AND v_event.prev_hash IS DISTINCT FROM v_prev THEN
                problem := 'prev_hash is not the hash of the event before';
                RETURN;
            END IF;
            IF v_event.hash IS DISTINCT FROM event_digest(v_event.prev_hash, v_event.task_id, v_event.attempt_id,
                    v_event.seq, v_event.ts, v_event.type, v_event.from_status, v_event.to_status, v_event.actor,
                    v_event.detail) THEN
                problem := 'hash does not match the row';
                RETURN;
            END IF;
            IF v_seq > 0 AND v_event.from_status IS DISTINCT FROM v_last_status THEN
                problem := format('begins at %s, but the event before ended at %s',
                                  coalesce(v_event.from_status, 'nothing'), v_last_status);
                RETURN;
            END IF;
            v_prev := v_event.hash;
            v_seq := v_event.seq;
            v_last_status := v_event.to_status;
        END LOOP;
        IF v_seq = 0 AND _archived(v_attempt.created_at, coalesce(v_attempt.completed_at, v_attempt.created_at)) THEN
            -- Wholly archived; its head is what the next one must go on from.
            v_prev := v_attempt.event_hash;
            v_seq := v_attempt.event_seq;
            v_last_status := v_attempt.status;
        END IF;
        IF v_seq <> v_attempt.event_seq THEN
            seq := least(v_seq, v_attempt.event_seq) + 1;
            problem := CASE WHEN v_seq < v_attempt.event_seq THEN format('event %s of the attempt is missing', v_seq + 1)
                            ELSE format('the attempt''s head is event %s, but there is an event %s',
                                        v_attempt.event_seq, v_seq) END;
            RETURN;
        END IF;
        seq := v_seq;
        IF v_prev IS DISTINCT FROM v_attempt.event_hash THEN
            problem := 'hash is not the one at the attempt''s head';
            RETURN;
        END IF;
        IF v_last_status IS DISTINCT FROM v_attempt.status THEN
            problem := format('the attempt is %s, but its last event ended at %s', v_attempt.status, v_last_status);
            RETURN;
        END IF;
    END LOOP;

    seq := NULL;
    attempt_id := NULL;
    SELECT e.attempt_id, e.seq INTO verify_events.attempt_id, verify_events.seq FROM workflow_events e
    WHERE e.task_id = verify_events.task_id
      AND NOT EXISTS (SELECT FROM task_attempts a WHERE a.id = e.attempt_id AND a.task_id = e.task_id)
    ORDER BY e.id LIMIT 1;
    IF FOUND THEN
        problem := 'the attempt of this event is missing';
        RETURN;
    END IF;
    IF v_last_no = 0 THEN
        problem := 'the task has no attempt';
        RETURN;
    END IF;
    ok := true;
END
$$;
COMMENT ON FUNCTION hd_runtime.verify_events(uuid) IS
'Recomputes the event chain of a task. ok, or the first link that is broken: which attempt, which event (seq) and what is wrong with it. Finds an event that was changed, removed, added or moved, an attempt that was removed, and a status that has no event. Events that were archived with their month are taken as they are; archives are verified on their own. Whoever can rewrite every later hash and the attempts'' heads too leaves no trace in the database: keep the archives, or the newest hashes, elsewhere. Errors: HD004 no such task, HD006 a null.';
