-- The one door: documents that say how relations are in DuckDB, and the mirror is made so.

CREATE OR REPLACE FUNCTION hatidata_catalog._protected(p_schema text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_schema LIKE 'pg\_%' OR p_schema IN ('information_schema', 'hd_runtime', 'hatidata_catalog', 'hatidata_private')
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._relation(p_schema text, p_name text) RETURNS oid
LANGUAGE sql STABLE AS $$
    SELECT r.relid FROM hatidata_catalog.relations r
    JOIN pg_class c ON c.oid = r.relid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.schema = p_schema AND lower(r.name) = lower(p_name) AND n.nspname = r.schema AND c.relname = r.name
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._forget(p_schema text, p_name text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_relid oid := hatidata_catalog._relation(p_schema, p_name);
    v_views oid[];
BEGIN
    IF v_relid IS NOT NULL THEN
        v_views := hatidata_catalog._let_go(v_relid);
        EXECUTE format('DROP %s %s CASCADE',
            CASE (SELECT relkind FROM pg_class WHERE oid = v_relid)
            WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, v_relid::regclass);
    END IF;
    DELETE FROM hatidata_catalog.relations WHERE schema = p_schema AND lower(name) = lower(p_name);
    IF v_views <> '{}' THEN
        PERFORM hatidata_catalog._hold(v_views);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._rename(p_schema text, p_old text, p_new text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_relid oid := hatidata_catalog._relation(p_schema, p_old);
    v_views oid[];
BEGIN
    IF v_relid IS NULL THEN
        RETURN;
    END IF;
    v_views := hatidata_catalog._let_go(v_relid);  -- they read what has the name
    IF lower(p_old) <> lower(p_new) THEN
        PERFORM hatidata_catalog._forget(p_schema, p_new);
    END IF;
    EXECUTE format('ALTER TABLE %s RENAME TO %I', v_relid::regclass, p_new);
    UPDATE hatidata_catalog.relations SET name = p_new, digest = '' WHERE relid = v_relid;
    v_views := v_views || hatidata_catalog._views_on(p_schema, p_new);
    IF v_views <> '{}' THEN
        PERFORM hatidata_catalog._hold(v_views);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._set_schema(p_name text, p_gone boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_views oid[];
BEGIN
    IF hatidata_catalog._protected(p_name) THEN
        RAISE EXCEPTION 'schema name "%" is Postgres''s own', p_name USING ERRCODE = '42939';
    END IF;
    IF p_gone THEN
        IF EXISTS (SELECT FROM hatidata_catalog.schemas WHERE name = p_name) THEN
            SELECT array_agg(v.relid) INTO v_views FROM hatidata_catalog.relations r
            CROSS JOIN LATERAL unnest(hatidata_catalog._let_go(r.relid)) AS v (relid) WHERE r.schema = p_name;
            EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', p_name);
            DELETE FROM hatidata_catalog.schemas WHERE name = p_name;
        END IF;
        DELETE FROM hatidata_catalog.relations WHERE schema = p_name;
        DELETE FROM hatidata_catalog.functions WHERE schema = p_name;
        PERFORM hatidata_catalog._forget_moments(p_name, '');
        IF v_views <> '{}' THEN
            PERFORM hatidata_catalog._hold(v_views);
        END IF;
    ELSIF to_regnamespace(quote_ident(p_name)) IS NULL THEN
        EXECUTE format('CREATE SCHEMA %I', p_name);
        EXECUTE format('ALTER SCHEMA %I OWNER TO hatidata_users', p_name);
        INSERT INTO hatidata_catalog.schemas VALUES (p_name) ON CONFLICT DO NOTHING;
        INSERT INTO hatidata_catalog.moments (schema, name) VALUES (p_name, '') ON CONFLICT DO NOTHING;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._with_what_was_kept(p_document jsonb, p_old jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_document
        || CASE WHEN p_document -> 'kept' ? 'constraints' AND p_old ? 'constraints'
                THEN jsonb_build_object('constraints', p_old -> 'constraints') ELSE '{}' END
        || CASE WHEN p_document -> 'kept' ? 'indexes' AND p_old ? 'indexes'
                THEN jsonb_build_object('indexes', p_old -> 'indexes') ELSE '{}' END
        || CASE WHEN NOT p_document -> 'kept' ? 'comments' THEN '{}' ELSE
           jsonb_build_object('comment', p_old -> 'comment', 'columns', (
            SELECT coalesce(jsonb_agg(n.v || coalesce((
                SELECT jsonb_build_object('comment', o.v -> 'comment')
                FROM jsonb_array_elements(p_old -> 'columns') AS o (v)
                WHERE o.v ->> 'name' = n.v ->> 'name' AND o.v ->> 'comment' IS NOT NULL), '{}') ORDER BY n.place), '[]')
            FROM jsonb_array_elements(p_document -> 'columns') WITH ORDINALITY AS n (v, place))) END
$$;

-- What ALTER DEFAULT PRIVILEGES says of relations that all clients own; they were made by another role.
CREATE OR REPLACE FUNCTION hatidata_catalog._grant_defaults(p_relid oid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_grant record;
BEGIN
    FOR v_grant IN
        SELECT a.* FROM pg_class c
        JOIN pg_default_acl d ON d.defaclrole = c.relowner AND d.defaclnamespace IN (0, c.relnamespace)
            AND d.defaclobjtype = CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END
        CROSS JOIN LATERAL aclexplode(d.defaclacl) AS a
        WHERE c.oid = p_relid AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT %s ON %s TO %s%s', v_grant.privilege_type, p_relid::regclass,
            CASE v_grant.grantee WHEN 0 THEN 'PUBLIC' ELSE v_grant.grantee::regrole::text END,
            CASE WHEN v_grant.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._set_relation(p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_schema text := p_document ->> 'schema';
    v_name text := p_document ->> 'name';
    v_kind text := p_document ->> 'kind';
    v_relid oid := hatidata_catalog._relation(v_schema, v_name);
    v_old hatidata_catalog.relations;
    v_dropped boolean := false;
    v_target text := format('%I.%I', v_schema, v_name);
    v_views oid[];
BEGIN
    SELECT * INTO v_old FROM hatidata_catalog.relations WHERE relid = v_relid;
    IF v_old.digest = p_document ->> 'digest' AND p_document ->> 'source' IS NULL THEN
        RETURN;
    END IF;
    IF p_document ? 'kept' THEN
        IF v_relid IS NULL AND v_kind IN ('r', 'm') THEN
            RAISE EXCEPTION 'there is no table "%" to be kept as it is', v_name USING ERRCODE = '42P01';
        END IF;
        p_document := hatidata_catalog._with_what_was_kept(p_document, v_old.document);
    END IF;
    PERFORM hatidata_catalog._set_schema(v_schema, false);
    IF octet_length(v_name) > 63 THEN
        RAISE EXCEPTION 'name "%" is longer than Postgres''s names can be', v_name USING ERRCODE = '42622';
    END IF;
    IF v_relid IS NOT NULL AND (v_old.kind <> v_kind OR hatidata_catalog._generated_columns(p_document)
                                IS DISTINCT FROM hatidata_catalog._generated_columns(v_old.document)) THEN
        PERFORM hatidata_catalog._forget(v_schema, v_name);
        v_relid := NULL;
        v_old := NULL;
    END IF;
    IF v_relid IS NULL THEN
        DELETE FROM hatidata_catalog.relations WHERE schema = v_schema AND lower(name) = lower(v_name);
    ELSIF v_old.name <> v_name THEN
        EXECUTE format('ALTER TABLE %s RENAME TO %I', v_relid::regclass, v_name);
    END IF;
    -- Defaults may name sequences and functions of their own schema.
    PERFORM set_config('search_path', format('pg_catalog, %I, public, pg_temp', v_schema), true);
    IF v_kind = 'r' THEN
        IF v_relid IS NULL THEN
            v_relid := hatidata_catalog._make_table(v_target, p_document);
        ELSE
            IF v_old.document -> 'columns' @? '$[*].identity' THEN
                PERFORM hatidata_catalog._drop_identities(v_relid, p_document, v_old.document);
            END IF;
            IF v_old.document -> 'columns' <> p_document -> 'columns' THEN
                v_views := hatidata_catalog._let_go(v_relid);
            END IF;
            v_dropped := hatidata_catalog._alter_columns(v_relid, p_document);
            PERFORM hatidata_catalog._set_constraints(v_relid, p_document, v_old.document, v_dropped);
            PERFORM hatidata_catalog._set_columns(v_relid, p_document, v_old.document);
        END IF;
        IF p_document -> 'columns' @? '$[*].owns' THEN
            PERFORM hatidata_catalog._own_sequences(v_relid, p_document);
        END IF;
    ELSIF v_kind IN ('v', 'm') THEN
        IF p_document ->> 'source' IS NULL THEN
            p_document := p_document || CASE WHEN v_old.document ->> 'query' = p_document ->> 'query'
                THEN jsonb_build_object('source', v_old.source, 'native', v_old.native)
                ELSE jsonb_build_object('source', rtrim(p_document ->> 'query', E'; \n'), 'native', coalesce(v_old.native, false)) END;
        END IF;
        IF v_relid IS NULL OR v_old.document -> 'columns' <> p_document -> 'columns'
           OR v_old.document ->> 'query' <> p_document ->> 'query' OR v_old.source <> p_document ->> 'source'
           OR v_old.document -> 'reads' IS DISTINCT FROM p_document -> 'reads' THEN
            v_relid := CASE v_kind WHEN 'v' THEN hatidata_catalog._make_view(v_relid, v_target, p_document)
                       ELSE hatidata_catalog._make_materialized(v_relid, v_target, p_document, true) END;
        ELSIF v_kind = 'm' THEN
            PERFORM hatidata_catalog._set_constraints(v_relid, p_document, v_old.document, false);
        END IF;
    ELSE
        IF v_relid IS NULL THEN
            v_relid := hatidata_catalog._make_sequence(v_target, p_document);
        ELSE  -- not made again: defaults call it
            EXECUTE format('ALTER SEQUENCE %s INCREMENT %s MINVALUE %s MAXVALUE %s START %5$s RESTART %5$s %6$s', v_target,
                p_document ->> 'increment', p_document ->> 'minimum', p_document ->> 'maximum',
                (SELECT greatest(least(coalesce((p_document ->> 'start')::bigint, seqstart), (p_document ->> 'maximum')::bigint),
                                 (p_document ->> 'minimum')::bigint) FROM pg_sequence WHERE seqrelid = v_relid),
                CASE WHEN (p_document ->> 'cycle')::boolean THEN 'CYCLE' ELSE 'NO CYCLE' END);
        END IF;
    END IF;
    IF v_old.relid IS NULL AND EXISTS (SELECT FROM pg_default_acl) THEN
        PERFORM hatidata_catalog._grant_defaults(v_relid);
    END IF;
    IF v_old.relid IS NOT NULL OR p_document ->> 'comment' IS NOT NULL OR p_document -> 'columns' @? '$[*].comment' THEN
        PERFORM hatidata_catalog._set_comments(v_relid, p_document);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = v_relid AND relname = v_name AND relnamespace = to_regnamespace(quote_ident(v_schema))) THEN
        RAISE EXCEPTION 'relation "%" has got another name meanwhile', v_name USING ERRCODE = '42P01';
    END IF;
    INSERT INTO hatidata_catalog.relations AS r (relid, schema, name, kind, digest, document, source, native)
    VALUES (v_relid, v_schema, v_name, v_kind::"char", p_document ->> 'digest', p_document - '{source,native,digest,kept}'::text[],
            p_document ->> 'source', coalesce((p_document ->> 'native')::boolean, false))
    ON CONFLICT (relid) DO UPDATE SET name = excluded.name, digest = excluded.digest,
        document = excluded.document, source = excluded.source, native = excluded.native;
    IF v_old.relid IS NULL THEN
        INSERT INTO hatidata_catalog.moments (schema, name) VALUES (v_schema, v_name) ON CONFLICT DO NOTHING;
    END IF;
    IF v_old.relid IS NULL AND v_kind IN ('r', 'v', 'm') THEN
        v_views := hatidata_catalog._views_on(v_schema, v_name);
    END IF;
    IF v_views <> '{}' THEN
        PERFORM hatidata_catalog._hold(v_views);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._make_table(p_target text, p_document jsonb) RETURNS oid
LANGUAGE plpgsql AS $$
DECLARE
    v_relid oid;
BEGIN
    BEGIN
        EXECUTE format('CREATE TABLE %s (%s)', p_target, (
            SELECT string_agg(part, ', ' ORDER BY kind, place) FROM (
                SELECT 1 AS kind, c.place, concat(quote_ident(c.name), ' ', c.type,
                           CASE WHEN c.not_null THEN ' NOT NULL' END, ' ' || hatidata_catalog._identity(p_document, c.name),
                           ' DEFAULT (' || hatidata_catalog._readable(c.default_value) || ')',
                           ' GENERATED ALWAYS AS (' || hatidata_catalog._generated(p_document, c.name) || ') STORED') AS part
                FROM hatidata_catalog._columns(p_document) c
                UNION ALL
                SELECT 2, k.place, hatidata_catalog._constraint(k.v)
                FROM jsonb_array_elements(p_document -> 'constraints') WITH ORDINALITY AS k (v, place)
                WHERE k.v ->> 'type' <> 'FOREIGN KEY') AS parts));
        v_relid := p_target::regclass;
        PERFORM hatidata_catalog._make_indexes(v_relid, p_document);
    EXCEPTION WHEN OTHERS THEN
        -- Something in it Postgres does not read: part by part, that is left out or shown as text.
        EXECUTE format('CREATE TABLE %s (%s)', p_target, (
            SELECT string_agg(concat(quote_ident(c.name), ' ', c.type, CASE WHEN c.not_null THEN ' NOT NULL' END,
                                     ' GENERATED ALWAYS AS (hatidata_catalog.duckdb_generated(' ||
                                     quote_literal(hatidata_catalog._generated(p_document, c.name)) || ', NULL::' || c.type || ')) STORED'),
                              ', ' ORDER BY c.place)
            FROM hatidata_catalog._columns(p_document) c));
        v_relid := p_target::regclass;
        PERFORM hatidata_catalog._set_constraints(v_relid, p_document, NULL, false);
        PERFORM hatidata_catalog._set_columns(v_relid, p_document, NULL);
    END;
    EXECUTE format('ALTER TABLE %s OWNER TO hatidata_users', p_target);
    RETURN v_relid;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._make_sequence(p_target text, p_document jsonb) RETURNS oid
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE SEQUENCE %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s %s', p_target,
        p_document ->> 'increment', p_document ->> 'minimum', p_document ->> 'maximum', coalesce(p_document ->> 'start', p_document ->> 'began'),
        CASE WHEN (p_document ->> 'cycle')::boolean THEN 'CYCLE' ELSE 'NO CYCLE' END);
    EXECUTE format('ALTER SEQUENCE %s OWNER TO hatidata_users', p_target);
    RETURN p_target::regclass;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._set_rows(p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_relid oid := hatidata_catalog._relation(p_document ->> 'schema', p_document ->> 'name');
BEGIN
    IF v_relid IS NULL OR p_document ->> 'rows' IS NULL OR to_regproc('pg_catalog.pg_restore_relation_stats') IS NULL
       OR (SELECT reltuples = (p_document ->> 'rows')::real AND relpages = 0 FROM pg_class WHERE oid = v_relid) THEN
        RETURN;
    END IF;
    -- No pages: clients divide a table that has some by ctid, which analytical tables have not.
    EXECUTE 'SELECT pg_restore_relation_stats(''schemaname'', $1, ''relname'', $2, ''reltuples'', $3, ''relpages'', 0)'
    USING p_document ->> 'schema', p_document ->> 'name', (p_document ->> 'rows')::real;
END
$$;

-- Where a sequence of DuckDB's stands. It goes as setval does: at once, and for everybody.
CREATE OR REPLACE FUNCTION hatidata_catalog._set_position(p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    -- An identity's is its column's, and no relation of the mirror's own.
    v_relid oid := to_regclass(format('%I.%I', p_document ->> 'schema', p_document ->> 'name'));
BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE oid = v_relid AND relkind = 'S') THEN
        PERFORM setval(v_relid::regclass, (p_document ->> 'last')::bigint, (p_document ->> 'called')::boolean);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._apply(p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_document ->> 'schema' = 'pg_temp' THEN
        PERFORM hatidata_catalog._apply_temporary(p_document);
        RETURN;
    END IF;
    CASE p_document ->> 'kind'
    WHEN 'schema' THEN
        PERFORM hatidata_catalog._set_schema(p_document ->> 'name', coalesce((p_document ->> 'gone')::boolean, false));
        IF p_document ? 'types' THEN
            PERFORM hatidata_catalog._set_types(p_document ->> 'name', p_document -> 'types');
        END IF;
    WHEN 'functions' THEN
        PERFORM hatidata_catalog._set_functions(p_document ->> 'name', p_document -> 'functions');
    WHEN 'rename' THEN
        PERFORM hatidata_catalog._rename(p_document ->> 'schema', p_document ->> 'name', p_document ->> 'new');
    WHEN 'gone' THEN
        PERFORM hatidata_catalog._forget(p_document ->> 'schema', p_document ->> 'name');
        PERFORM hatidata_catalog._forget_moments(p_document ->> 'schema', p_document ->> 'name');
    WHEN 'moment' THEN
        PERFORM hatidata_catalog._moment(p_document);
    WHEN 'comment' THEN
        PERFORM hatidata_catalog._comment(hatidata_catalog._relation(p_document ->> 'schema', p_document ->> 'name'), p_document);
    WHEN 'unindexed' THEN
        PERFORM hatidata_catalog._drop_index(p_document ->> 'schema', p_document ->> 'name');
    WHEN 'references' THEN
        PERFORM hatidata_catalog._set_foreign_keys(hatidata_catalog._relation(p_document ->> 'schema', p_document ->> 'name'), p_document);
    WHEN 'rows' THEN
        PERFORM hatidata_catalog._set_rows(p_document);
    WHEN 'position' THEN
        PERFORM hatidata_catalog._set_position(p_document);
    ELSE
        PERFORM hatidata_catalog._set_relation(p_document);
    END CASE;
END
$$;

-- Returns what could not be done, [] for nothing; raises only for a caller who is not the proxy.
-- p_note: note it as well, in the caller's transaction.
DROP FUNCTION IF EXISTS hatidata_catalog.apply(text, jsonb);
CREATE OR REPLACE FUNCTION hatidata_catalog.apply(p_secret text, p_documents jsonb, p_note boolean) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
SET standard_conforming_strings = on
SET client_min_messages = error
SET default_tablespace = ''
SET DateStyle = 'ISO, MDY'
AS $$
DECLARE
    v_document jsonb;
    v_failures jsonb := '[]';
BEGIN
    IF NOT EXISTS (SELECT FROM hatidata_catalog.keys WHERE digest = sha256(convert_to(p_secret, 'UTF8'))) THEN
        RAISE EXCEPTION 'permission denied for function apply' USING ERRCODE = '42501';
    END IF;
    FOR v_document IN SELECT * FROM jsonb_array_elements(p_documents) LOOP
        BEGIN
            -- As the document before found it: what was planned for one path is planned anew for another.
            PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
            PERFORM hatidata_catalog._apply(v_document);
        EXCEPTION WHEN OTHERS THEN
            v_failures := v_failures || jsonb_build_object('sqlstate', SQLSTATE, 'message', SQLERRM,
                'schema', v_document ->> 'schema', 'name', v_document ->> 'name');
            IF p_note THEN
                INSERT INTO hatidata_catalog.unsettled
                SELECT coalesce(v_document ->> 'schema', v_document ->> 'name'),
                       CASE WHEN v_document ? 'schema' THEN v_document ->> 'name' END;
            END IF;
        END;
    END LOOP;
    RETURN v_failures;
END
$$;
COMMENT ON FUNCTION hatidata_catalog.apply IS 'Makes the mirror so as the documents say. The proxy''s.';

-- public is DuckDB's main, and as much every client's.
ALTER SCHEMA public OWNER TO hatidata_users;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA hatidata_catalog FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hatidata_catalog.apply, hatidata_catalog.view_query, hatidata_catalog.duckdb,
    hatidata_catalog.duckdb_generated, hatidata_catalog.duckdb_view, hatidata_catalog.told TO PUBLIC;
