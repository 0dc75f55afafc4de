CREATE OR REPLACE FUNCTION hd_runtime.decide_release(
    gate_evaluation_id uuid, decision text, confidence double precision DEFAULT NULL, reason text DEFAULT NULL)
RETURNS hd_runtime.release_decisions
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_evaluation gate_evaluations;
    v_review text;
    v_decision release_decisions;
BEGIN
    PERFORM _check_length('decision', decide_release.decision, 200);
    PERFORM _check_length('reason', decide_release.reason, 100000);
    IF decide_release.gate_evaluation_id IS NULL OR decide_release.decision IS NULL
       OR decide_release.decision NOT IN ('ship', 'block') THEN
        RAISE EXCEPTION 'a release decision is ship or block, not %', coalesce(quote_literal(decide_release.decision), 'null')
            USING ERRCODE = 'HD006',
            DETAIL = format('decision is %s', coalesce(quote_literal(decide_release.decision), 'null')),
            HINT = 'decide_release(gate_evaluation_id, ''ship''), or ''block''.';
    END IF;
    IF decide_release.confidence NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION 'confidence must be between 0 and 1, not %', decide_release.confidence USING ERRCODE = 'HD006',
            DETAIL = format('confidence is %s', decide_release.confidence),
            HINT = '0.9 means nine out of ten; null when nobody measured it.';
    END IF;
    SELECT * INTO v_evaluation FROM gate_evaluations e WHERE e.id = decide_release.gate_evaluation_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no gate evaluation %', decide_release.gate_evaluation_id USING ERRCODE = 'HD004',
            DETAIL = format('no row of hd_runtime.gate_evaluations has id %s', decide_release.gate_evaluation_id),
            HINT = 'evaluate_gate returns its id.';
    END IF;
    SELECT r.status INTO v_review FROM review_requests r
    WHERE r.gate_evaluation_id = v_evaluation.id AND r.subject = 'gate';
    IF decide_release.decision = 'ship' AND v_evaluation.outcome <> 'auto_approved'
       AND NOT (v_evaluation.outcome = 'needs_human' AND coalesce(v_review, '') = 'approved') THEN
        RAISE EXCEPTION 'what gate % has not let through cannot be shipped', v_evaluation.gate USING ERRCODE = 'HD002',
            DETAIL = format('outcome %s, review %s', v_evaluation.outcome, coalesce(v_review, 'none')),
            HINT = 'Evaluate the gate again with new facts, or decide its review request.';
    END IF;
    INSERT INTO release_decisions (gate_evaluation_id, decision, confidence, reason)
    VALUES (v_evaluation.id, decide_release.decision, decide_release.confidence, decide_release.reason)
    ON CONFLICT (gate_evaluation_id) DO NOTHING
    RETURNING * INTO v_decision;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'gate evaluation % has its release decision, which is immutable', v_evaluation.id
            USING ERRCODE = 'HD003', HINT = 'A new evaluation can have a new one.',
            DETAIL = format('gate evaluation %s of gate %s', v_evaluation.id, v_evaluation.gate);
    END IF;
    RETURN v_decision;
END
$$;
COMMENT ON FUNCTION hd_runtime.decide_release(uuid, text, double precision, text) IS
'Ships or blocks on a gate evaluation, once (operator). ship needs an evaluation that was auto_approved, or whose review a human approved. Returns the decision. Errors: HD002 the gate did not let it through, HD003 decided already, HD004 no such evaluation, HD006 no such decision, confidence not between 0 and 1.';
