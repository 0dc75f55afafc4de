-- Functions of Postgres's dialect, as their authors declared them. Nobody calls them here: the proxy sends no
-- statement that does, since the rows that they read are in DuckDB.

CREATE TABLE IF NOT EXISTS hatidata_catalog.functions (
    oid       oid PRIMARY KEY,
    schema    text NOT NULL,
    signature text NOT NULL,
    document  jsonb NOT NULL
);
COMMENT ON TABLE hatidata_catalog.functions IS 'The mirrored functions.';
COMMENT ON COLUMN hatidata_catalog.functions.signature IS 'The name and the types of the parameters.';
COMMENT ON COLUMN hatidata_catalog.functions.document IS 'What was mirrored last, as apply() was given it.';
REVOKE ALL ON hatidata_catalog.functions FROM PUBLIC;
GRANT SELECT ON hatidata_catalog.functions TO PUBLIC;

CREATE OR REPLACE FUNCTION hatidata_catalog._of_type(p_type text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format_type(p_type::regtype, NULL)
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._parameters(p_parameters jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(concat(quote_ident(nullif(p.v ->> 'name', '')) || ' ', hatidata_catalog._of_type(p.v ->> 'type'),
                                      ' DEFAULT ' || (p.v ->> 'default')), ', ' ORDER BY p.place), '')
    FROM jsonb_array_elements(p_parameters) WITH ORDINALITY AS p (v, place)
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._function_text(p_schema text, p_function jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ', format('CREATE OR REPLACE FUNCTION %I.%I(%s)', p_schema, p_function ->> 'name', hatidata_catalog._parameters(p_function -> 'parameters')),
        'RETURNS', CASE WHEN p_function ? 'columns' THEN format('TABLE(%s)', hatidata_catalog._parameters(p_function -> 'columns'))
                        ELSE concat(CASE WHEN (p_function ->> 'rows')::boolean THEN 'SETOF ' END, hatidata_catalog._of_type(p_function ->> 'returns')) END,
        'LANGUAGE sql',
        CASE p_function #>> '{traits,volatility}' WHEN 'IMMUTABLE' THEN 'IMMUTABLE' WHEN 'STABLE' THEN 'STABLE' END,
        CASE WHEN p_function #>> '{traits,strict}' = 'true' THEN 'STRICT' END,
        CASE WHEN p_function #>> '{traits,definer}' = 'true' THEN 'SECURITY DEFINER' END,
        CASE p_function #>> '{traits,parallel}' WHEN 'SAFE' THEN 'PARALLEL SAFE' WHEN 'RESTRICTED' THEN 'PARALLEL RESTRICTED' END,
        'COST ' || (p_function #>> '{traits,cost}')::float4, 'ROWS ' || (p_function #>> '{traits,rows}')::float4,
        CASE p_function ->> 'standard' WHEN 'RETURN' THEN 'RETURN ' || (p_function ->> 'body')
             WHEN 'ATOMIC' THEN format('BEGIN ATOMIC %s; END', p_function ->> 'body')
             ELSE format('AS %L', p_function ->> 'body') END)
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._forget_function(p_oid oid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_proc WHERE oid = p_oid) THEN
        EXECUTE format('DROP FUNCTION %s CASCADE', p_oid::regprocedure);
    END IF;
    DELETE FROM hatidata_catalog.functions WHERE oid = p_oid;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._set_function(p_schema text, p_function jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_oid oid;
    v_call text;
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, public, pg_temp', p_schema), true);
    PERFORM set_config('check_function_bodies', 'off', true);
    v_call := format('%I.%I(%s)', p_schema, p_function ->> 'name', (
        SELECT string_agg(hatidata_catalog._of_type(p.v ->> 'type'), ', ' ORDER BY p.place)
        FROM jsonb_array_elements(p_function -> 'parameters') WITH ORDINALITY AS p (v, place)));
    EXECUTE hatidata_catalog._function_text(p_schema, p_function);
    v_oid := v_call::regprocedure;
    -- Whatever the text says: what clients wrote is no more than a query.
    IF NOT EXISTS (SELECT FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                   WHERE p.oid = v_oid AND l.lanname = 'sql' AND NOT p.proleakproof) THEN
        RAISE EXCEPTION 'not a function in SQL: %', v_call;
    END IF;
    EXECUTE format('ALTER FUNCTION %s OWNER TO hatidata_users', v_call);
    EXECUTE format('COMMENT ON FUNCTION %s IS %L', v_call, p_function ->> 'comment');
    INSERT INTO hatidata_catalog.functions VALUES (v_oid, p_schema, p_function ->> 'signature', p_function)
    ON CONFLICT (oid) DO UPDATE SET schema = excluded.schema, signature = excluded.signature, document = excluded.document;
END
$$;

-- p_functions: all that there are in the schema. What cannot be shown is left out.
CREATE OR REPLACE FUNCTION hatidata_catalog._set_functions(p_schema text, p_functions jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_function jsonb;
    v_old record;
BEGIN
    IF hatidata_catalog._protected(p_schema) OR to_regnamespace(quote_ident(p_schema)) IS NULL THEN
        RETURN;
    END IF;
    FOR v_old IN
        SELECT f.oid FROM hatidata_catalog.functions f LEFT JOIN pg_proc p ON p.oid = f.oid
        WHERE f.schema = p_schema AND (p.oid IS NULL OR NOT EXISTS (
            SELECT FROM jsonb_array_elements(p_functions) AS n (v) WHERE n.v ->> 'signature' = f.signature))
    LOOP
        PERFORM hatidata_catalog._forget_function(v_old.oid);
    END LOOP;
    FOR v_function IN SELECT * FROM jsonb_array_elements(p_functions) LOOP
        SELECT f.oid, f.document INTO v_old FROM hatidata_catalog.functions f
        WHERE f.schema = p_schema AND f.signature = v_function ->> 'signature';
        CONTINUE WHEN v_old.document = v_function;
        BEGIN
            PERFORM hatidata_catalog._set_function(p_schema, v_function);
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation THEN
            RAISE;
        WHEN invalid_function_definition THEN  -- it gives something else now
            PERFORM hatidata_catalog._forget_function(v_old.oid);
            PERFORM hatidata_catalog._set_function(p_schema, v_function);
        END;
    END LOOP;
END
$$;
