CREATE OR REPLACE FUNCTION hd_runtime.decide_review(review_id uuid, decision text, note text DEFAULT NULL)
RETURNS hd_runtime.review_requests
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_review review_requests;
    v_attempt task_attempts;
    v_new uuid;
BEGIN
    PERFORM _check_length('decision', decide_review.decision, 200);
    PERFORM _check_length('note', decide_review.note, 100000);
    PERFORM _require_read_committed();
    IF decide_review.review_id IS NULL OR decide_review.decision IS NULL
       OR decide_review.decision NOT IN ('approved', 'rejected') THEN
        RAISE EXCEPTION 'a decision on a review request is approved or rejected, not %',
            coalesce(quote_literal(decide_review.decision), 'null') USING ERRCODE = 'HD006',
            DETAIL = format('review request %s', coalesce(decide_review.review_id::text, 'null')),
            HINT = 'decide_review(review_id, ''approved''), or ''rejected''.';
    END IF;
    SELECT * INTO v_review FROM review_requests r WHERE r.id = decide_review.review_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no review request %', decide_review.review_id USING ERRCODE = 'HD004',
            HINT = 'SELECT * FROM hd_runtime.review_queue lists the open ones.',
            DETAIL = format('no row of hd_runtime.review_requests has id %s', decide_review.review_id);
    END IF;
    -- The attempt before its review request, as everybody locks them.
    IF v_review.subject = 'recovery' THEN
        PERFORM FROM task_attempts a WHERE a.id = v_review.attempt_id FOR UPDATE;
    END IF;
    UPDATE review_requests r
    SET status = decide_review.decision, decided_by = session_user, decided_at = clock_timestamp(), note = decide_review.note
    WHERE r.id = decide_review.review_id AND r.status = 'pending'
    RETURNING * INTO v_review;
    IF NOT FOUND THEN
        SELECT * INTO v_review FROM review_requests r WHERE r.id = decide_review.review_id;
        RAISE EXCEPTION 'review request % is decided: %', v_review.id, v_review.status USING ERRCODE = 'HD002',
            DETAIL = format('by %s at %s', v_review.decided_by, v_review.decided_at),
            HINT = 'A request is decided once; ask again with request_review.';
    END IF;
    IF v_review.subject <> 'recovery' THEN
        RETURN v_review;
    END IF;

    v_attempt := _lock_failed(v_review.attempt_id);
    IF decide_review.decision = 'approved' THEN
        IF EXISTS (SELECT FROM tasks t WHERE t.id = v_attempt.task_id AND t.status = 'failed') THEN
            PERFORM _reopen(v_attempt.task_id);
        END IF;
        UPDATE task_attempts a SET status = 'terminal_failed', event_actor = session_user,
            event_detail = jsonb_build_object('review_id', v_review.id)
        WHERE a.id = v_attempt.id AND a.status = 'repair_required';
        v_new := _next_attempt(v_attempt.id, 'L4', (SELECT t.agent_type FROM tasks t WHERE t.id = v_attempt.task_id),
                               v_attempt.model_class, interval '0', session_user);
    ELSE
        UPDATE task_attempts a SET status = 'terminal_failed', event_actor = session_user, event_type = 'attempt.rejected',
            event_detail = jsonb_build_object('review_id', v_review.id)
        WHERE a.id = v_attempt.id AND a.status = 'repair_required';
    END IF;
    INSERT INTO recovery_actions
        (task_id, failed_attempt_id, new_attempt_id, level, action, failure_kind, reason, actor)
    VALUES (v_attempt.task_id, v_attempt.id, v_new, 'L4',
            CASE decide_review.decision WHEN 'approved' THEN 'resume' ELSE 'reject' END, v_attempt.failure_kind,
            coalesce(decide_review.note, 'review request ' || v_review.id), session_user);
    IF decide_review.decision = 'rejected' THEN
        PERFORM _task_ended(v_attempt.task_id, 'failed');
    END IF;
    RETURN v_review;
END
$$;
COMMENT ON FUNCTION hd_runtime.decide_review(uuid, text, text) IS
'A human''s answer to a review request (operator): approved or rejected, once. On a failed attempt (L4), approved queues a new attempt with fresh budgets, rejected ends the task as failed. Returns the request. Errors: HD002 decided already, HD004 no such request, HD005 the task cannot be resumed, HD006 no such decision.';
