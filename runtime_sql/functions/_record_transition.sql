-- Names are qualified where they are ours, and the function runs with its caller's search_path:
-- pinning it here would cost every transition a second change of settings.
CREATE OR REPLACE FUNCTION hd_runtime._record_transition() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_prev_hash bytea;
    v_ts timestamptz := clock_timestamp();
    v_type text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status NOT IN ('queued', 'preflight_blocked') THEN
            RAISE EXCEPTION 'an attempt cannot begin as %', NEW.status USING ERRCODE = 'HD002',
                DETAIL = format('attempt %s, task %s', NEW.id, NEW.task_id),
                HINT = 'An attempt begins as queued or preflight_blocked.';
        END IF;
        IF NEW.parent_attempt_id IS NOT NULL THEN
            SELECT a.event_hash INTO STRICT v_prev_hash
            FROM hd_runtime.task_attempts a WHERE a.id = NEW.parent_attempt_id;
        ELSE
            v_prev_hash := decode(repeat('00', 32), 'hex');
        END IF;
        NEW.event_seq := 1;
        INSERT INTO hd_runtime.workflow_events
            (task_id, attempt_id, seq, ts, type, from_status, to_status, actor, detail, prev_hash, hash)
        SELECT NEW.task_id, NEW.id, 1, e.ts, e.type, NULL, NEW.status, e.actor, NEW.event_detail, v_prev_hash,
               hd_runtime.event_digest(v_prev_hash, NEW.task_id, NEW.id, 1, e.ts, e.type,
                                       NULL, NEW.status, e.actor, NEW.event_detail)
        FROM (SELECT clock_timestamp(),
                     coalesce(NEW.event_type,
                              CASE WHEN NEW.attempt_no = 1 THEN 'task.created' ELSE 'attempt.created' END),
                     coalesce(NEW.event_actor, session_user::text)) AS e (ts, type, actor)
        RETURNING hash INTO NEW.event_hash;
    ELSIF NEW.status IS DISTINCT FROM OLD.status THEN
        NEW.event_seq := OLD.event_seq + 1;
        -- What every task goes through need not be looked up: both are in attempt_transitions. That an
        -- attempt with a lease_check_at is leased is seen to below.
        v_type := CASE
            WHEN NEW.event_type IS NOT NULL OR NEW.event_detail IS NOT NULL THEN NULL
            WHEN OLD.status = 'queued' AND NEW.status = 'context_resolved' AND NEW.lease_check_at IS NOT NULL
                THEN 'attempt.claimed'
            WHEN OLD.lease_check_at IS NOT NULL AND NEW.status = 'completed_verified' AND NEW.lease_check_at IS NULL
                THEN 'attempt.completed' END;
        IF v_type IS NOT NULL THEN
            INSERT INTO hd_runtime.workflow_events
                (task_id, attempt_id, seq, ts, type, from_status, to_status, actor, prev_hash, hash)
            VALUES
                (NEW.task_id, NEW.id, NEW.event_seq, v_ts, v_type, OLD.status, NEW.status,
                 coalesce(NEW.event_actor, session_user), OLD.event_hash,
                 hd_runtime.event_digest(OLD.event_hash, NEW.task_id, NEW.id, NEW.event_seq, v_ts, v_type, OLD.status,
                                         NEW.status, coalesce(NEW.event_actor, session_user), NULL))
            RETURNING hash INTO NEW.event_hash;
            NEW.event_actor := NULL;
            RETURN NEW;
        END IF;
        INSERT INTO hd_runtime.workflow_events
            (task_id, attempt_id, seq, ts, type, from_status, to_status, actor, detail, prev_hash, hash)
        SELECT NEW.task_id, NEW.id, NEW.event_seq, v_ts, coalesce(NEW.event_type, t.event_type), OLD.status,
               NEW.status, coalesce(NEW.event_actor, session_user), NEW.event_detail, OLD.event_hash,
               hd_runtime.event_digest(OLD.event_hash, NEW.task_id, NEW.id, NEW.event_seq, v_ts,
                                       coalesce(NEW.event_type, t.event_type), OLD.status, NEW.status,
                                       coalesce(NEW.event_actor, session_user), NEW.event_detail)
        FROM hd_runtime.attempt_transitions t
        WHERE t.from_status = OLD.status AND t.to_status = NEW.status
        RETURNING hash INTO NEW.event_hash;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'an attempt cannot go from % to %', OLD.status, coalesce(NEW.status, 'null')
                USING ERRCODE = 'HD002',
                DETAIL = format('attempt %s, task %s', NEW.id, NEW.task_id),
                HINT = 'SELECT * FROM hd_runtime.attempt_transitions lists the legal changes.';
        END IF;
    END IF;
    -- No leased attempt escapes the reaper. Not a CHECK constraint: Postgres parses those anew in every statement.
    IF (NEW.lease_check_at IS NOT NULL) <> (NEW.status IN (
            'context_resolved', 'model_selected', 'cache_checked', 'executing',
            'artifact_validating', 'evidence_collecting', 'verifier_pending')) THEN
        RAISE EXCEPTION 'lease_check_at does not fit status %', NEW.status USING ERRCODE = 'HD002',
            DETAIL = format('attempt %s, task %s', NEW.id, NEW.task_id),
            HINT = 'Use the functions of schema hd_runtime; \df+ hd_runtime.* lists them.';
    END IF;
    NEW.event_type := NULL;
    NEW.event_actor := NULL;
    NEW.event_detail := NULL;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hd_runtime._record_transition() IS
'Trigger: refuses an illegal change of status (HD002) and writes the event of a legal one, so that no status changes without its event. The function that makes the change may name the event''s type, actor and detail in columns event_type, event_actor, event_detail of the same UPDATE.';

CREATE OR REPLACE TRIGGER record_creation BEFORE INSERT ON hd_runtime.task_attempts
    FOR EACH ROW EXECUTE FUNCTION hd_runtime._record_transition();
COMMENT ON TRIGGER record_creation ON hd_runtime.task_attempts IS 'The first event of an attempt.';
CREATE OR REPLACE TRIGGER record_transition BEFORE UPDATE OF status ON hd_runtime.task_attempts
    FOR EACH ROW EXECUTE FUNCTION hd_runtime._record_transition();
COMMENT ON TRIGGER record_transition ON hd_runtime.task_attempts IS 'Every further event of an attempt.';
