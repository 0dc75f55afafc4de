CREATE OR REPLACE FUNCTION hd_runtime.define_gate(gate text, predicates jsonb, title text DEFAULT NULL)
RETURNS SETOF hd_runtime.gate_predicates
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_predicate jsonb;
    v_no int;
BEGIN
    PERFORM _check_length('gate', define_gate.gate, 200);
    PERFORM _check_length('title', define_gate.title, 1000);
    IF coalesce(define_gate.gate, '') = '' OR coalesce(jsonb_typeof(predicates), '') <> 'array'
       OR jsonb_array_length(predicates) = 0 THEN
        RAISE EXCEPTION 'a gate needs a name and an array of predicates' USING ERRCODE = 'HD006',
            HINT = '[{"fact": "coverage.lines", "operator": "gte", "expected": 0.8, "otherwise": "blocked"}]',
            DETAIL = format('gate %s', coalesce(quote_literal(define_gate.gate), 'null'));
    END IF;
    PERFORM _check_size('predicates', predicates);
    FOR v_predicate, v_no IN SELECT * FROM jsonb_array_elements(predicates) WITH ORDINALITY LOOP
        IF coalesce(v_predicate ->> 'fact', '') = '' OR NOT v_predicate ? 'expected'
           OR coalesce(v_predicate ->> 'operator', '') NOT IN ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'contains', 'regex')
           OR coalesce(v_predicate ->> 'otherwise', 'needs_human') NOT IN ('needs_human', 'blocked')
           OR (v_predicate ->> 'operator' IN ('gt', 'gte', 'lt', 'lte')
               AND jsonb_typeof(v_predicate -> 'expected') NOT IN ('number', 'string'))
           OR (v_predicate ->> 'operator' = 'regex' AND jsonb_typeof(v_predicate -> 'expected') <> 'string') THEN
            RAISE EXCEPTION 'predicate % of gate % is not one', v_no, quote_literal(define_gate.gate)
                USING ERRCODE = 'HD006', DETAIL = v_predicate::text,
                HINT = '\d+ hd_runtime.gate_predicates describes fact, operator, expected and otherwise.';
        END IF;
        IF v_predicate ->> 'operator' = 'regex' THEN
            BEGIN
                PERFORM '' ~ (v_predicate ->> 'expected');
            EXCEPTION WHEN invalid_regular_expression THEN
                RAISE EXCEPTION 'predicate % of gate % is not a regular expression', v_no, quote_literal(define_gate.gate)
                    USING ERRCODE = 'HD006', DETAIL = SQLERRM,
                    HINT = 'Postgres''s own regular expressions; in JSON a backslash is written twice.';
            END;
        END IF;
    END LOOP;
    INSERT INTO gates (gate, title) VALUES (define_gate.gate, define_gate.title)
    ON CONFLICT (gate) DO UPDATE SET title = coalesce(excluded.title, gates.title), updated_at = now();
    DELETE FROM gate_predicates p WHERE p.gate = define_gate.gate;
    RETURN QUERY
    INSERT INTO gate_predicates (gate, no, fact, operator, expected, otherwise)
    SELECT define_gate.gate, e.no, e.value ->> 'fact', e.value ->> 'operator', e.value -> 'expected',
           coalesce(e.value ->> 'otherwise', 'needs_human')
    FROM jsonb_array_elements(predicates) WITH ORDINALITY AS e (value, no)
    RETURNING *;
END
$$;
COMMENT ON FUNCTION hd_runtime.define_gate(text, jsonb, text) IS
'Makes a gate, or replaces its predicates (operator): SELECT define_gate(''G2'', ''[{"fact": "tests.failed", "operator": "eq", "expected": 0, "otherwise": "blocked"}]''). Returns the predicates. Evaluations made before are not touched. Error HD006: not a predicate.';
