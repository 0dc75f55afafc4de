CREATE OR REPLACE FUNCTION hd_runtime._predicate_holds(actual jsonb, operator text, expected jsonb) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(CASE
        WHEN actual IS NULL OR actual = 'null' THEN false
        WHEN operator = 'eq' THEN actual = expected
        WHEN operator = 'ne' THEN actual <> expected
        WHEN operator IN ('gt', 'gte', 'lt', 'lte') THEN
            CASE WHEN jsonb_typeof(actual) <> jsonb_typeof(expected) THEN false
                 WHEN jsonb_typeof(actual) = 'number' THEN
                     CASE operator WHEN 'gt'  THEN actual::numeric > expected::numeric
                                   WHEN 'gte' THEN actual::numeric >= expected::numeric
                                   WHEN 'lt'  THEN actual::numeric < expected::numeric
                                   ELSE            actual::numeric <= expected::numeric END
                 WHEN jsonb_typeof(actual) = 'string' THEN
                     CASE operator WHEN 'gt'  THEN (actual #>> '{}') COLLATE "C" > (expected #>> '{}') COLLATE "C"
                                   WHEN 'gte' THEN (actual #>> '{}') COLLATE "C" >= (expected #>> '{}') COLLATE "C"
                                   WHEN 'lt'  THEN (actual #>> '{}') COLLATE "C" < (expected #>> '{}') COLLATE "C"
                                   ELSE            (actual #>> '{}') COLLATE "C" <= (expected #>> '{}') COLLATE "C" END
                 ELSE false END
        WHEN operator = 'contains' THEN
            CASE jsonb_typeof(actual)
                WHEN 'array' THEN EXISTS (SELECT FROM jsonb_array_elements(actual) AS e (value) WHERE e.value = expected)
                WHEN 'string' THEN jsonb_typeof(expected) = 'string'
                                   AND position((expected #>> '{}') IN (actual #>> '{}')) > 0
                WHEN 'object' THEN jsonb_typeof(expected) = 'object' AND actual @> expected
                ELSE false END
        WHEN operator = 'regex' THEN jsonb_typeof(actual) = 'string' AND jsonb_typeof(expected) = 'string'
                                     AND (actual #>> '{}') ~ (expected #>> '{}')
    END, false)
$$;
COMMENT ON FUNCTION hd_runtime._predicate_holds(jsonb, text, jsonb) IS
'Whether a fact satisfies a predicate of a gate. A fact that is missing, null or of a type the operator cannot take does not.';
