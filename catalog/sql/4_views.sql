-- Views: what they are, and what they read, which is for Postgres to know too: pg_depend, pg_dump's order and
-- information_schema.view_table_usage rest on it. One that was written in Postgres's SQL is such a view here,
-- where that has the same columns; otherwise it calls a function with its text, and reads what it reads aside.
-- DuckDB drops and alters what a view reads all the same, so whoever does that here lets go of the views first.

CREATE OR REPLACE FUNCTION hatidata_catalog._reading(p_document jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT ' WHERE ' || string_agg(format('EXISTS (SELECT %s FROM %I.%I AS r)', coalesce((
               SELECT string_agg(format('r.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND r.v -> 'columns' ? a.attname::text), '1'),
               n.nspname, c.relname), ' AND ' ORDER BY r.place)
    FROM jsonb_array_elements(p_document -> 'reads') WITH ORDINALITY AS r (v, place)
    JOIN pg_namespace n ON n.nspname = r.v ->> 'schema'
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.v ->> 'name' AND c.relkind IN ('r', 'v', 'm')
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._view_body(p_document jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format('SELECT %s FROM hatidata_catalog.duckdb_view(%L) AS duckdb (%s)',
        string_agg(format('duckdb.%I', c.name), ', ' ORDER BY c.place),
        coalesce(p_document ->> 'source', p_document ->> 'query'),
        string_agg(concat_ws(' ', quote_ident(c.name), c.type, 'COLLATE ' || (p_document #>> array['columns', (c.place - 1)::text, 'collation'])),
                   ', ' ORDER BY c.place))
    FROM hatidata_catalog._columns(p_document) c
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._create_view(p_target text, p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_source text := p_document ->> 'source';
    v_columns text;
BEGIN
    -- One statement: without a semicolon, no text is two.
    IF (p_document ->> 'native')::boolean AND position(';' IN v_source) = 0 THEN
        SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.place) INTO v_columns FROM hatidata_catalog._columns(p_document) c;
        BEGIN
            EXECUTE format('CREATE OR REPLACE VIEW %s (%s) AS ', p_target, v_columns) || v_source;
            IF EXISTS (SELECT FROM hatidata_catalog._attributes(p_target::regclass) a
                       JOIN hatidata_catalog._columns(p_document) c USING (place)
                       WHERE a.type_oid <> c.type_oid AND NOT (a.type_oid = 1043 AND c.type_oid = 25)) THEN
                RAISE EXCEPTION 'other types' USING ERRCODE = '42P17';
            END IF;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation THEN
            RAISE;
        WHEN OTHERS THEN
            NULL;
        END;
    END IF;
    EXECUTE concat('CREATE OR REPLACE VIEW ', p_target, ' AS ', hatidata_catalog._view_body(p_document),
                   -- Snowflake's views depend on nothing: what they read goes, or gets another name, without them.
                   CASE WHEN (p_document ->> 'native')::boolean THEN hatidata_catalog._reading(p_document) END);
END
$$;

-- The document of a view that stays as it is: with the types and collations that its columns have here, which
-- CREATE OR REPLACE VIEW does not change.
CREATE OR REPLACE FUNCTION hatidata_catalog._as_it_is(p_view hatidata_catalog.relations) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT p_view.document || jsonb_build_object('source', p_view.source, 'native', p_view.native, 'columns', (
        SELECT jsonb_agg(c.v - 'enumeration' || jsonb_build_object('oid', a.atttypid::bigint, 'modifier', a.atttypmod,
                           'collation', (SELECT format('%I.%I', n.nspname, o.collname) FROM pg_collation o
                                         JOIN pg_namespace n ON n.oid = o.collnamespace
                                         WHERE o.oid = a.attcollation AND o.collname <> 'default')) ORDER BY c.place)
        FROM jsonb_array_elements(p_view.document -> 'columns') WITH ORDINALITY AS c (v, place)
        JOIN pg_attribute a ON a.attrelid = p_view.relid AND a.attname = c.v ->> 'name'))
$$;

-- The views that read a relation, which from now on read nothing; `_hold` is for afterwards.
CREATE OR REPLACE FUNCTION hatidata_catalog._let_go(p_relid oid) RETURNS oid[]
LANGUAGE plpgsql AS $$
DECLARE
    v_view hatidata_catalog.relations;
    v_views oid[] := '{}';
BEGIN
    FOR v_view IN
        SELECT r.* FROM (SELECT DISTINCT w.ev_class FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid
              WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = p_relid
              AND d.classid = 'pg_rewrite'::regclass AND w.ev_class <> p_relid) AS v
        JOIN hatidata_catalog.relations r ON r.relid = v.ev_class
    LOOP
        IF v_view.kind = 'm' THEN
            v_views := v_views || hatidata_catalog._make_materialized(v_view.relid,
                format('%I.%I', v_view.schema, v_view.name), hatidata_catalog._as_it_is(v_view), false);
        ELSE
            EXECUTE format('CREATE OR REPLACE VIEW %I.%I AS ', v_view.schema, v_view.name)
                || hatidata_catalog._view_body(hatidata_catalog._as_it_is(v_view));
            v_views := v_views || v_view.relid;
        END IF;
    END LOOP;
    RETURN v_views;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._hold(p_views oid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_view hatidata_catalog.relations;
    v_path text := current_setting('search_path');
BEGIN
    FOR v_view IN SELECT r.* FROM hatidata_catalog.relations r JOIN pg_class c ON c.oid = r.relid WHERE r.relid = ANY (p_views) LOOP
        PERFORM set_config('search_path', format('pg_catalog, %I, public, pg_temp', v_view.schema), true);
        IF v_view.kind = 'm' THEN
            PERFORM hatidata_catalog._make_materialized(v_view.relid,
                format('%I.%I', v_view.schema, v_view.name), hatidata_catalog._as_it_is(v_view), true);
        ELSE
            PERFORM hatidata_catalog._create_view(format('%I.%I', v_view.schema, v_view.name), hatidata_catalog._as_it_is(v_view));
        END IF;
    END LOOP;
    PERFORM set_config('search_path', v_path, true);
END
$$;

-- Those that by their texts read what has this name.
CREATE OR REPLACE FUNCTION hatidata_catalog._views_on(p_schema text, p_name text) RETURNS oid[]
LANGUAGE sql STABLE AS $$
    SELECT array_agg(relid) FROM hatidata_catalog.relations
    WHERE kind IN ('v', 'm') AND document -> 'reads' @> jsonb_build_array(jsonb_build_object('schema', p_schema, 'name', p_name))
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._make_view(p_relid oid, p_target text, p_document jsonb) RETURNS oid
LANGUAGE plpgsql AS $$
DECLARE
    v_views oid[];
BEGIN
    IF p_relid IS NOT NULL THEN
        BEGIN
            PERFORM hatidata_catalog._create_view(p_target, p_document);
            RETURN p_relid;
        EXCEPTION WHEN invalid_table_definition THEN  -- other columns than before
            v_views := hatidata_catalog._let_go(p_relid);
            EXECUTE format('DROP VIEW %s CASCADE', p_target);
            DELETE FROM hatidata_catalog.relations WHERE relid = p_relid;
        END;
    END IF;
    PERFORM hatidata_catalog._create_view(p_target, p_document);
    EXECUTE format('ALTER VIEW %s OWNER TO hatidata_users', p_target);
    IF v_views <> '{}' THEN
        PERFORM hatidata_catalog._hold(v_views);
    END IF;
    RETURN p_target::regclass;
END
$$;
