-- Names are qualified where they are ours, and the functions run with their caller's search_path:
-- pinning it here would cost every transition a second change of settings.
CREATE OR REPLACE FUNCTION hd_runtime._record_transition() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_ts timestamptz := clock_timestamp();
    v_type text;
BEGIN
    -- What every task goes through need not be looked up: both are in attempt_transitions. An attempt
    -- with a lease_check_at is a leased one: see below.
    IF OLD.status = 'queued' AND NEW.status = 'context_resolved' AND NEW.lease_check_at IS NOT NULL
       AND NEW.event_type IS NULL AND NEW.event_detail IS NULL THEN
        v_type := 'attempt.claimed';
    ELSIF NEW.status = 'completed_verified' AND OLD.lease_check_at IS NOT NULL AND NEW.lease_check_at IS NULL
       AND NEW.event_type IS NULL AND NEW.event_detail IS NULL THEN
        v_type := 'attempt.completed';
    ELSE
        IF NEW.status IS DISTINCT FROM OLD.status THEN
            INSERT INTO hd_runtime.workflow_events
                (task_id, attempt_id, seq, ts, type, from_status, to_status, actor, detail, prev_hash, hash)
            SELECT NEW.task_id, NEW.id, OLD.event_seq + 1, v_ts, coalesce(NEW.event_type, t.event_type), OLD.status,
                   NEW.status, coalesce(NEW.event_actor, session_user), NEW.event_detail, OLD.event_hash,
                   hd_runtime.event_digest(OLD.event_hash, NEW.task_id, NEW.id, OLD.event_seq + 1, v_ts,
                                           coalesce(NEW.event_type, t.event_type), OLD.status, NEW.status,
                                           coalesce(NEW.event_actor, session_user), NEW.event_detail)
            FROM hd_runtime.attempt_transitions t
            WHERE t.from_status = OLD.status AND t.to_status = NEW.status
            RETURNING seq, hash INTO NEW.event_seq, NEW.event_hash;
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
    END IF;
    INSERT INTO hd_runtime.workflow_events
        (task_id, attempt_id, seq, ts, type, from_status, to_status, actor, prev_hash, hash)
    VALUES
        (NEW.task_id, NEW.id, OLD.event_seq + 1, v_ts, v_type, OLD.status, NEW.status,
         coalesce(NEW.event_actor, session_user), OLD.event_hash,
         hd_runtime.event_digest(OLD.event_hash, NEW.task_id, NEW.id, OLD.event_seq + 1, v_ts, v_type, OLD.status,
                                 NEW.status, coalesce(NEW.event_actor, session_user), NULL))
    RETURNING seq, hash INTO NEW.event_seq, NEW.event_hash;
    NEW.event_actor := NULL;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hd_runtime._record_transition() IS
'Trigger: refuses an illegal change of status (HD002) and writes the event of a legal one, so that no status changes without its event. The function that makes the change may name the event''s type, actor and detail in columns event_type, event_actor, event_detail of the same UPDATE.';

CREATE OR REPLACE TRIGGER record_transition BEFORE UPDATE OF status ON hd_runtime.task_attempts
    FOR EACH ROW EXECUTE FUNCTION hd_runtime._record_transition();
COMMENT ON TRIGGER record_transition ON hd_runtime.task_attempts IS 'Every event of an attempt but the first.';
