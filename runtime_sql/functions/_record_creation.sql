CREATE OR REPLACE FUNCTION hd_runtime._record_creation() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_prev_hash bytea;
BEGIN
    IF NEW.status NOT IN ('queued', 'preflight_blocked') THEN
        RAISE EXCEPTION 'an attempt cannot begin as %', NEW.status USING ERRCODE = 'HD002',
            DETAIL = format('attempt %s, task %s', NEW.id, NEW.task_id),
            HINT = 'An attempt begins as queued or preflight_blocked.';
    END IF;
    IF NEW.lease_check_at IS NOT NULL THEN
        RAISE EXCEPTION 'lease_check_at does not fit status %', NEW.status USING ERRCODE = 'HD002',
            DETAIL = format('attempt %s, task %s', NEW.id, NEW.task_id),
            HINT = 'Use the functions of schema hd_runtime; \df+ hd_runtime.* lists them.';
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
    NEW.event_type := NULL;
    NEW.event_actor := NULL;
    NEW.event_detail := NULL;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hd_runtime._record_creation() IS
'Trigger: the first event of an attempt, chained to the last of the attempt that it replaces. Columns event_type, event_actor and event_detail as in _record_transition.';

CREATE OR REPLACE TRIGGER record_creation BEFORE INSERT ON hd_runtime.task_attempts
    FOR EACH ROW EXECUTE FUNCTION hd_runtime._record_creation();
COMMENT ON TRIGGER record_creation ON hd_runtime.task_attempts IS 'The first event of an attempt.';
