CREATE OR REPLACE FUNCTION hd_runtime.explain(attempt_id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_task tasks;
    v_bundle jsonb;
BEGIN
    IF explain.attempt_id IS NULL THEN
        RAISE EXCEPTION 'attempt_id must not be null' USING ERRCODE = 'HD006',
            DETAIL = 'attempt_id is null',
            HINT = 'claim_next_task returns attempt_id; SELECT * FROM hd_runtime.attempt_chain lists the attempts.';
    END IF;
    SELECT t.* INTO v_task FROM tasks t JOIN task_attempts a ON a.task_id = t.id WHERE a.id = explain.attempt_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no attempt %', explain.attempt_id USING ERRCODE = 'HD004',
            DETAIL = format('no row of hd_runtime.task_attempts has id %s', explain.attempt_id),
            HINT = 'claim_next_task returns attempt_id; SELECT * FROM hd_runtime.attempt_chain lists the attempts.';
    END IF;
    WITH chain AS (
        SELECT * FROM task_attempts a WHERE a.task_id = v_task.id
    ), decisions AS (
        SELECT d.* FROM model_decisions d JOIN chain ON chain.id = d.attempt_id
    ), invocations AS (
        SELECT i.*, d.attempt_id FROM llm_invocations i JOIN decisions d ON d.id = i.decision_id
    ), artifacts AS (
        SELECT x.* FROM artifact_instances x JOIN chain ON chain.id = x.attempt_id
    )
    SELECT jsonb_build_object(
        'attempt_id', explain.attempt_id,
        'task', to_jsonb(v_task) || jsonb_build_object('needs', coalesce(
            (SELECT jsonb_agg(d.needs_task_id ORDER BY d.needs_task_id) FROM task_dependencies d
             WHERE d.task_id = v_task.id), '[]')),
        'attempts', (
            SELECT jsonb_agg((to_jsonb(c) - '{lease_token,event_type,event_actor,event_detail,lane_id,lease_check_at}'::text[])
                             || jsonb_build_object('cost_usd', coalesce(
                                 (SELECT sum(i.cost_usd) FROM invocations i WHERE i.attempt_id = c.id), 0.000000))
                             ORDER BY c.attempt_no)
            FROM chain c),
        'decisions', coalesce((SELECT jsonb_agg(to_jsonb(d) ORDER BY d.created_at, d.id) FROM decisions d), '[]'),
        'invocations', coalesce((SELECT jsonb_agg(to_jsonb(i) ORDER BY i.created_at, i.id) FROM invocations i), '[]'),
        'artifacts', coalesce((
            SELECT jsonb_agg(to_jsonb(x) || jsonb_build_object('validations', coalesce(
                (SELECT jsonb_agg(to_jsonb(v) ORDER BY v.created_at, v.id) FROM artifact_validations v
                 WHERE v.artifact_id = x.id), '[]')) ORDER BY x.created_at, x.id)
            FROM artifacts x), '[]'),
        'recovery', coalesce((SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM recovery_actions r
                              WHERE r.task_id = v_task.id), '[]'),
        'reviews', coalesce((SELECT jsonb_agg(to_jsonb(q) ORDER BY q.created_at, q.id) FROM review_requests q
                             JOIN chain ON chain.id = q.attempt_id), '[]'),
        'events', coalesce((
            SELECT jsonb_agg(to_jsonb(e) || jsonb_build_object(
                'prev_hash', encode(e.prev_hash, 'hex'), 'hash', encode(e.hash, 'hex')) ORDER BY e.id)
            FROM workflow_events e WHERE e.task_id = v_task.id), '[]'),
        'total_cost_usd', coalesce((SELECT sum(i.cost_usd) FROM invocations i), 0.000000),
        'chain_valid', (SELECT v.ok FROM verify_events(v_task.id) AS v))
    INTO v_bundle;
    RETURN v_bundle;
END
$$;
COMMENT ON FUNCTION hd_runtime.explain(uuid) IS
'The ExplainBundle of an attempt, with all that belongs to its task: task, attempts (each with its cost), decisions, invocations, artifacts with their validations, recovery, reviews, events, total_cost_usd (exact, over the whole chain of attempts, stale calls included), chain_valid (as verify_events). Errors: HD004 no such attempt, HD006 a null.';
