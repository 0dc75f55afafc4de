CREATE OR REPLACE FUNCTION hd_runtime._recover(
    attempt_id uuid, failure_kind text, detail jsonb, actor text, forced_level text)
RETURNS hd_runtime.recovery_step
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_attempt hd_runtime.task_attempts;
    v_task hd_runtime.tasks;
    v_class hd_runtime.task_classes;
    v_next record;
    v_step hd_runtime.recovery_step;
    v_reason text;
BEGIN
    SELECT * INTO STRICT v_attempt FROM hd_runtime.task_attempts a WHERE a.id = _recover.attempt_id;
    SELECT * INTO STRICT v_task FROM hd_runtime.tasks t WHERE t.id = v_attempt.task_id;
    SELECT * INTO STRICT v_class FROM hd_runtime.task_classes c WHERE c.name = v_task.task_class;
    SELECT * INTO v_next FROM hd_runtime._next_level(v_task.id, v_attempt.model_class, _recover.failure_kind);

    IF forced_level IS NOT NULL THEN
        v_step.level := forced_level;
        v_reason := format('%s chose %s', actor, forced_level);
    ELSIF v_attempt.cancel_requested THEN
        v_step.level := 'blocked';
        v_reason := 'cancelled by ' || v_attempt.cancel_reason;
    ELSE
        v_step.level := v_next.level;
        v_reason := v_next.reason;
    END IF;
    v_step.action := CASE v_step.level
        WHEN 'L1' THEN CASE WHEN _recover.failure_kind = 'lease_expired' THEN 'requeue' ELSE 'retry' END
        WHEN 'L2' THEN 'escalate' WHEN 'L3' THEN 'repair' WHEN 'L4' THEN 'ask_human'
        ELSE CASE WHEN v_attempt.cancel_requested AND forced_level IS NULL THEN 'cancel' ELSE 'block' END END;

    -- The failure itself, with its event; recover_attempt comes with one that has failed already.
    IF v_attempt.lease_check_at IS NOT NULL THEN
        UPDATE hd_runtime.task_attempts a
        SET status = CASE v_step.level WHEN 'L1' THEN 'retryable_failed' WHEN 'L2' THEN 'retryable_failed'
                                       WHEN 'L3' THEN 'repair_required' WHEN 'L4' THEN 'repair_required'
                                       ELSE 'terminal_failed' END,
            failure_kind = _recover.failure_kind, completed_at = clock_timestamp(),
            lease_expires = NULL, lease_check_at = NULL, event_actor = actor,
            event_type = CASE WHEN _recover.failure_kind = 'lease_expired' THEN 'attempt.expired' ELSE 'attempt.failed' END,
            event_detail = jsonb_strip_nulls(jsonb_build_object(
                'failure_kind', _recover.failure_kind, 'level', v_step.level, 'reason', v_reason,
                'detail', _recover.detail))
        WHERE a.id = v_attempt.id;
    END IF;
    IF v_step.level IN ('L1', 'L2', 'L3', 'blocked') THEN
        UPDATE hd_runtime.task_attempts a SET status = 'terminal_failed', event_actor = actor,
            event_type = CASE WHEN v_step.level = 'blocked' THEN 'attempt.blocked' END
        WHERE a.id = v_attempt.id AND a.status IN ('retryable_failed', 'repair_required');
        UPDATE hd_runtime.review_requests r
        SET status = 'withdrawn', decided_by = actor, decided_at = clock_timestamp(), note = v_reason
        WHERE r.attempt_id = v_attempt.id AND r.subject = 'recovery' AND r.status = 'pending';
    END IF;

    IF v_step.level IN ('L1', 'L2', 'L3') THEN
        IF v_task.status = 'failed' THEN
            PERFORM hd_runtime._reopen(v_task.id);
        END IF;
        v_step.new_attempt_id := hd_runtime._next_attempt(
            v_attempt.id, v_step.level,
            CASE v_step.level WHEN 'L3' THEN 'repair' ELSE v_attempt.agent_type END,
            CASE v_step.level WHEN 'L2' THEN hd_runtime._stronger_model(v_class.model_classes, v_attempt.model_class)
                              ELSE v_attempt.model_class END,
            -- A retry waits; another model, another agent or another worker is worth trying at once.
            CASE WHEN forced_level IS NOT NULL OR v_step.action = 'requeue'
                   OR (v_step.level <> 'L1' AND v_next.used = 0) THEN interval '0'
                 ELSE least(v_class.backoff * power(2, least(v_next.used, 30)), v_class.backoff_max) * (0.5 + random()) END,
            actor);
    ELSIF v_step.level = 'L4' THEN
        INSERT INTO hd_runtime.review_requests
            (project_id, subject, attempt_id, title, evidence, requested_by, due_at)
        VALUES
            (v_task.project_id, 'recovery', v_attempt.id,
             format('%s task failed: %s', v_task.task_class, coalesce(_recover.failure_kind, 'no reason given')),
             jsonb_strip_nulls(jsonb_build_object('task_id', v_task.id, 'attempt_no', v_attempt.attempt_no,
                 'failure_kind', _recover.failure_kind, 'reason', v_reason, 'detail', _recover.detail)),
             actor, clock_timestamp() + v_class.review_within)
        ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO hd_runtime.recovery_actions
        (task_id, failed_attempt_id, new_attempt_id, level, action, failure_kind, reason, actor)
    VALUES (v_task.id, v_attempt.id, v_step.new_attempt_id, v_step.level, v_step.action, _recover.failure_kind,
            v_reason, actor);
    IF v_step.level = 'blocked' THEN
        PERFORM hd_runtime._task_ended(v_task.id, 'failed');
    END IF;
    RETURN v_step;
END
$$;
COMMENT ON FUNCTION hd_runtime._recover(uuid, text, jsonb, text, text) IS
'The recovery coordinator: decides what follows a failure and does it, in the caller''s transaction. The caller has locked the attempt, which is leased or has failed. forced_level: an operator''s choice, which no budget limits. A worker that was asked to stop gets no successor.';
