CREATE OR REPLACE FUNCTION hd_runtime.evaluate_gate(project_id uuid, gate text, facts jsonb)
RETURNS hd_runtime.gate_evaluations
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_evaluation gate_evaluations;
    v_predicates jsonb;
    v_blocked boolean;
    v_human boolean;
BEGIN
    PERFORM _check_length('gate', evaluate_gate.gate, 200);
    IF evaluate_gate.project_id IS NULL OR evaluate_gate.gate IS NULL
       OR coalesce(jsonb_typeof(evaluate_gate.facts), '') <> 'object' THEN
        RAISE EXCEPTION 'a gate is evaluated for a project, over an object of facts' USING ERRCODE = 'HD006',
            DETAIL = format('project_id %s, facts %s', coalesce(evaluate_gate.project_id::text, 'null'),
                            coalesce(jsonb_typeof(evaluate_gate.facts), 'null')),
            HINT = 'SELECT * FROM evaluate_gate(default_project(), ''G2'', ''{"coverage": {"lines": 91}}'').';
    END IF;
    PERFORM _check_size('facts', evaluate_gate.facts);
    IF NOT EXISTS (SELECT FROM projects p WHERE p.id = evaluate_gate.project_id) THEN
        RAISE EXCEPTION 'there is no project %', evaluate_gate.project_id USING ERRCODE = 'HD004',
            DETAIL = format('no row of hd_runtime.projects has id %s', evaluate_gate.project_id),
            HINT = 'SELECT create_project(''name'') makes one; default_project() is always there.';
    END IF;
    SELECT jsonb_agg(jsonb_build_object(
               'no', p.no, 'fact', p.fact, 'operator', p.operator, 'expected', p.expected,
               'actual', f.actual, 'passed', f.passed, 'otherwise', p.otherwise) ORDER BY p.no),
           bool_or(NOT f.passed AND p.otherwise = 'blocked'), bool_or(NOT f.passed)
    INTO v_predicates, v_blocked, v_human
    FROM gate_predicates p
    CROSS JOIN LATERAL (SELECT coalesce(evaluate_gate.facts -> p.fact,
                                        evaluate_gate.facts #> string_to_array(p.fact, '.'))) AS a (actual)
    CROSS JOIN LATERAL (SELECT a.actual, _predicate_holds(a.actual, p.operator, p.expected)) AS f (actual, passed)
    WHERE p.gate = evaluate_gate.gate;
    IF v_predicates IS NULL THEN
        RAISE EXCEPTION 'there is no gate %', quote_literal(evaluate_gate.gate) USING ERRCODE = 'HD004',
            HINT = 'An operator makes one with define_gate.',
            DETAIL = 'Known: ' || coalesce((SELECT string_agg(g.gate, ', ' ORDER BY g.gate) FROM gates g), 'none');
    END IF;
    INSERT INTO gate_evaluations (project_id, gate, facts, predicates, outcome)
    VALUES (evaluate_gate.project_id, evaluate_gate.gate, evaluate_gate.facts, v_predicates,
            CASE WHEN v_blocked THEN 'blocked' WHEN v_human THEN 'needs_human' ELSE 'auto_approved' END)
    RETURNING * INTO v_evaluation;
    IF v_evaluation.outcome = 'needs_human' THEN
        INSERT INTO review_requests (project_id, subject, gate_evaluation_id, title, evidence, requested_by, due_at)
        VALUES (v_evaluation.project_id, 'gate', v_evaluation.id, format('gate %s needs a human', v_evaluation.gate),
                jsonb_build_object('predicates', v_predicates), session_user, now() + interval '1 day');
    END IF;
    RETURN v_evaluation;
END
$$;
COMMENT ON FUNCTION hd_runtime.evaluate_gate(uuid, text, jsonb) IS
'Evaluates a gate over a bag of facts and records it: auto_approved when all predicates hold, blocked when one fails that blocks, else needs_human, which asks for a review. Returns the evaluation. Errors: HD004 no such project or gate, HD006 a null, facts not an object or over 1 MiB.';
