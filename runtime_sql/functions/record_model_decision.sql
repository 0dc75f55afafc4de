CREATE OR REPLACE FUNCTION hd_runtime.record_model_decision(
    attempt_id uuid, lease_token text, primary_model text, routing_reason text DEFAULT NULL,
    fallback_chain text[] DEFAULT '{}', capability_class text DEFAULT NULL, budget_mode text DEFAULT 'normal',
    policy text DEFAULT NULL, OUT id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_attempt task_attempts := _live_attempt(record_model_decision.attempt_id, record_model_decision.lease_token);
BEGIN
    PERFORM _check_length('primary_model', record_model_decision.primary_model, 200);
    PERFORM _check_length('capability_class', record_model_decision.capability_class, 200);
    PERFORM _check_length('budget_mode', record_model_decision.budget_mode, 200);
    PERFORM _check_length('routing_reason', record_model_decision.routing_reason, 100000);
    PERFORM _check_length('policy', record_model_decision.policy, 1000);
    PERFORM _check_length('fallback_chain', array_to_string(record_model_decision.fallback_chain, ','), 1000);
    IF coalesce(record_model_decision.primary_model, '') = '' OR record_model_decision.fallback_chain IS NULL
       OR array_position(record_model_decision.fallback_chain, NULL) IS NOT NULL
       OR coalesce(record_model_decision.budget_mode, '') NOT IN ('normal', 'warning', 'constrained') THEN
        RAISE EXCEPTION 'a model decision needs a primary_model, a fallback_chain (which may be empty) and a budget_mode'
            USING ERRCODE = 'HD006', HINT = 'budget_mode is normal, warning or constrained.',
            DETAIL = format('attempt %s', record_model_decision.attempt_id);
    END IF;
    INSERT INTO model_decisions (id, attempt_id, task_class, primary_model, fallback_chain, capability_class, budget_mode,
                                 routing_reason, policy)
    SELECT _new_id(), v_attempt.id, t.task_class, record_model_decision.primary_model,
           record_model_decision.fallback_chain, record_model_decision.capability_class,
           record_model_decision.budget_mode, record_model_decision.routing_reason, record_model_decision.policy
    FROM tasks t WHERE t.id = v_attempt.task_id
    RETURNING model_decisions.id INTO record_model_decision.id;
END
$$;
COMMENT ON FUNCTION hd_runtime.record_model_decision(uuid, text, text, text, text[], text, text, text) IS
'Records which model was chosen and why, before it is called. Returns the id for record_llm_invocation. Errors: HD001 lease lost, HD004 no such attempt, HD006 no model.';
