-- A session's temporary relations: real temporary relations of its own backend, so that pg_temp,
-- pg_my_temp_schema() and information_schema tell of them as Postgres does, to their session alone.
-- Nothing is kept about them elsewhere: what is there is brought in line with the document.

CREATE OR REPLACE FUNCTION hatidata_catalog._temporary(p_name text) RETURNS oid
LANGUAGE sql STABLE AS $$
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = pg_my_temp_schema() AND lower(c.relname) = lower(p_name)
      AND c.relkind IN ('r', 'v', 'S') AND c.relowner = 'hatidata_users'::regrole
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._drop_temporary(p_relid oid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP %s %s CASCADE',
        CASE (SELECT relkind FROM pg_class WHERE oid = p_relid)
        WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, p_relid::regclass);
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._apply_temporary(p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_name text := p_document ->> 'name';
    v_kind text := p_document ->> 'kind';
    v_target text := format('pg_temp.%I', v_name);
    v_relid oid := hatidata_catalog._temporary(v_name);
    v_dropped boolean;
BEGIN
    IF octet_length(v_name) > 63 THEN
        RAISE EXCEPTION 'name "%" is longer than Postgres''s names can be', v_name USING ERRCODE = '42622';
    END IF;
    IF v_kind = 'rename' THEN
        IF v_relid IS NOT NULL AND hatidata_catalog._temporary(p_document ->> 'new') IS NULL THEN
            EXECUTE format('ALTER TABLE %s RENAME TO %I', v_relid::regclass, p_document ->> 'new');
        END IF;
        RETURN;
    END IF;
    IF v_relid IS NOT NULL AND (v_kind IN ('gone', 'S') OR (SELECT relkind <> v_kind::"char" FROM pg_class WHERE oid = v_relid)) THEN
        PERFORM hatidata_catalog._drop_temporary(v_relid);
        v_relid := NULL;
    END IF;
    IF v_kind = 'gone' THEN
        RETURN;
    ELSIF v_kind = 'v' THEN
        v_relid := hatidata_catalog._make_view(v_relid, v_target, p_document);
    ELSIF v_kind = 'S' THEN
        v_relid := hatidata_catalog._make_sequence(v_target, p_document);
    ELSIF v_relid IS NULL THEN
        v_relid := hatidata_catalog._make_table(v_target, p_document);
    ELSE
        PERFORM hatidata_catalog._drop_identities(v_relid, p_document, NULL);
        v_dropped := hatidata_catalog._alter_columns(v_relid, p_document);
        PERFORM hatidata_catalog._set_constraints(v_relid, p_document, NULL, v_dropped);
        PERFORM hatidata_catalog._set_columns(v_relid, p_document, NULL);
    END IF;
    PERFORM hatidata_catalog._set_comments(v_relid, p_document);
END
$$;
