-- Enumerated types. One that changes is altered, so that columns of it and what was granted on it stay.

CREATE OR REPLACE FUNCTION hatidata_catalog._labels(p_type oid) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(enumlabel ORDER BY enumsortorder), '[]') FROM pg_enum WHERE enumtypid = p_type
$$;

-- Not a type that is Postgres's alone. It may have got another owner.
CREATE OR REPLACE FUNCTION hatidata_catalog._is_mirrored(p_type pg_type) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT p_type.typowner = 'hatidata_users'::regrole
        OR EXISTS (SELECT FROM hatidata_catalog.enumerations WHERE typid = p_type.oid)
$$;

-- The type by its number, else the one of its name that has none.
CREATE OR REPLACE FUNCTION hatidata_catalog._known_type(p_schema text, p_name text, p_number text) RETURNS oid
LANGUAGE sql STABLE AS $$
    SELECT t.oid FROM pg_type t LEFT JOIN hatidata_catalog.enumerations e ON e.typid = t.oid
    WHERE t.typtype = 'e' AND hatidata_catalog._is_mirrored(t)
      AND (p_number <> '' AND e.number = p_number
           OR t.typname = p_name AND t.typnamespace = to_regnamespace(quote_ident(p_schema)) AND coalesce(e.number, '') = '')
    ORDER BY e.number = p_number DESC NULLS LAST LIMIT 1
$$;

-- Whether it could be given these labels: by values that are added, or by others' names.
CREATE OR REPLACE FUNCTION hatidata_catalog._set_labels(p_type oid, p_labels jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_old jsonb := hatidata_catalog._labels(p_type);
    v_label record;
BEGIN
    IF v_old = p_labels THEN
        RETURN true;
    END IF;
    IF (SELECT jsonb_agg(l.v ORDER BY l.place) FROM jsonb_array_elements(p_labels) WITH ORDINALITY AS l (v, place)
        WHERE v_old @> jsonb_build_array(l.v)) IS NOT DISTINCT FROM nullif(v_old, '[]') THEN
        FOR v_label IN SELECT n.v, lag(n.v) OVER (ORDER BY n.place) AS before, n.place
                       FROM jsonb_array_elements_text(p_labels) WITH ORDINALITY AS n (v, place) ORDER BY n.place LOOP
            EXECUTE format('ALTER TYPE %s ADD VALUE IF NOT EXISTS %L%s', p_type::regtype, v_label.v,
                CASE WHEN v_old = '[]' THEN '' WHEN v_label.before IS NULL THEN format(' BEFORE %L', v_old ->> 0)
                     ELSE format(' AFTER %L', v_label.before) END);
        END LOOP;
        RETURN true;
    ELSIF jsonb_array_length(v_old) = jsonb_array_length(p_labels) THEN
        FOR v_label IN SELECT o.v AS old, n.v AS new FROM jsonb_array_elements_text(v_old) WITH ORDINALITY AS o (v, place)
                       JOIN jsonb_array_elements_text(p_labels) WITH ORDINALITY AS n (v, place) USING (place) WHERE o.v <> n.v LOOP
            EXECUTE format('ALTER TYPE %s RENAME VALUE %L TO %L', p_type::regtype, v_label.old, v_label.new);
        END LOOP;
        RETURN true;
    END IF;
    RETURN false;
EXCEPTION WHEN duplicate_object OR invalid_parameter_value THEN
    RETURN false;
END
$$;

-- With the columns that are of it: in DuckDB they are gone.
CREATE OR REPLACE FUNCTION hatidata_catalog._forget_type(p_type oid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_column record;
    v_views oid[] := '{}';
BEGIN
    FOR v_column IN
        SELECT a.attrelid, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE a.atttypid IN (p_type, (SELECT typarray FROM pg_type WHERE oid = p_type)) AND NOT a.attisdropped AND c.relkind = 'r'
    LOOP
        v_views := v_views || hatidata_catalog._let_go(v_column.attrelid);
        EXECUTE format('ALTER TABLE %s DROP COLUMN %I CASCADE', v_column.attrelid::regclass, v_column.attname);
        UPDATE hatidata_catalog.relations SET digest = '' WHERE relid = v_column.attrelid;
    END LOOP;
    EXECUTE format('DROP TYPE %s CASCADE', p_type::regtype);
    DELETE FROM hatidata_catalog.enumerations WHERE typid = p_type;
    IF v_views <> '{}' THEN
        PERFORM hatidata_catalog._hold(v_views);
    END IF;
END
$$;

-- p_types: each enumerated type of the schema by its name, with labels and number.
CREATE OR REPLACE FUNCTION hatidata_catalog._set_types(p_schema text, p_types jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_type record;
    v_known oid;
BEGIN
    IF to_regnamespace(quote_ident(p_schema)) IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM hatidata_catalog.enumerations e WHERE NOT EXISTS (SELECT FROM pg_type WHERE oid = e.typid);
    FOR v_type IN SELECT n.name, n.said ->> 'number' AS number, n.said -> 'labels' AS labels FROM jsonb_each(p_types) AS n (name, said) LOOP
        v_known := hatidata_catalog._known_type(p_schema, v_type.name, v_type.number);
        IF v_known IS NOT NULL AND NOT hatidata_catalog._set_labels(v_known, v_type.labels) THEN
            PERFORM hatidata_catalog._forget_type(v_known);
            v_known := NULL;
        END IF;
        -- What else has the name has gone.
        PERFORM hatidata_catalog._forget_type(t.oid) FROM pg_type t
        WHERE t.typname = v_type.name AND t.typnamespace = to_regnamespace(quote_ident(p_schema)) AND t.typtype = 'e'
          AND hatidata_catalog._is_mirrored(t) AND t.oid IS DISTINCT FROM v_known;
        IF v_known IS NULL THEN
            EXECUTE format('CREATE TYPE %I.%I AS ENUM (%s)', p_schema, v_type.name,
                (SELECT string_agg(quote_literal(l.v), ', ' ORDER BY l.place)
                 FROM jsonb_array_elements_text(v_type.labels) WITH ORDINALITY AS l (v, place)));
            EXECUTE format('ALTER TYPE %I.%I OWNER TO hatidata_users', p_schema, v_type.name);
            v_known := format('%I.%I', p_schema, v_type.name)::regtype;
        END IF;
        IF EXISTS (SELECT FROM pg_type WHERE oid = v_known AND typnamespace <> to_regnamespace(quote_ident(p_schema))) THEN
            EXECUTE format('ALTER TYPE %s SET SCHEMA %I', v_known::regtype, p_schema);
        END IF;
        IF EXISTS (SELECT FROM pg_type WHERE oid = v_known AND typname <> v_type.name) THEN
            EXECUTE format('ALTER TYPE %s RENAME TO %I', v_known::regtype, v_type.name);
        END IF;
        INSERT INTO hatidata_catalog.enumerations VALUES (v_known, v_type.number)
        ON CONFLICT (typid) DO UPDATE SET number = excluded.number;
    END LOOP;
    PERFORM hatidata_catalog._forget_type(t.oid) FROM pg_type t
    WHERE t.typnamespace = to_regnamespace(quote_ident(p_schema)) AND t.typtype = 'e'
      AND hatidata_catalog._is_mirrored(t) AND NOT p_types ? t.typname::text;
END
$$;
