-- Keys, checks and indexes. One that Postgres cannot read is left out; the table stands without it. One that
-- fails over what another transaction does at the same time fails the document, which is then made good.

CREATE OR REPLACE FUNCTION hatidata_catalog._names(p_names jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(quote_ident(n.name), ', ' ORDER BY n.place)
    FROM jsonb_array_elements_text(p_names) WITH ORDINALITY AS n (name, place)
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._constraint(p_item jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_item ->> 'type' WHEN 'CHECK'
           THEN format('%s CHECK (%s)', 'CONSTRAINT ' || quote_ident(p_item ->> 'name'), p_item ->> 'expression')
           ELSE format('%s %s (%s)', 'CONSTRAINT ' || quote_ident(p_item ->> 'name'), CASE p_item ->> 'type' WHEN 'PRIMARY KEY' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END,
                       hatidata_catalog._names(p_item -> 'columns')) END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._drop_index(p_schema text, p_name text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_index oid;
    v_table oid;
BEGIN
    SELECT i.indexrelid, i.indrelid INTO v_index, v_table
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN hatidata_catalog.relations r ON r.relid = i.indrelid
    WHERE r.schema = p_schema AND lower(c.relname) = lower(p_name)
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid);
    IF v_index IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('DROP INDEX %s', v_index::regclass);
    UPDATE hatidata_catalog.relations SET digest = '', document = document || jsonb_build_object('indexes', (
        SELECT coalesce(jsonb_agg(e.v), '[]') FROM jsonb_array_elements(document -> 'indexes') AS e (v)
        WHERE lower(e.v ->> 'name') <> lower(p_name)))
    WHERE relid = v_table;
END
$$;

-- p_whole: with what only tunes it, as far as Postgres can have that.
CREATE OR REPLACE FUNCTION hatidata_catalog._index(p_relid oid, p_item jsonb, p_whole boolean) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format('CREATE %s INDEX %I ON %s%s (%s)%s%s', CASE WHEN (p_item ->> 'unique')::boolean THEN 'UNIQUE' ELSE '' END,
        p_item ->> 'name', p_relid::regclass, CASE WHEN p_whole THEN ' USING ' || quote_ident(p_item ->> 'using') END,
        (SELECT string_agg(concat_ws(' ', e.v, CASE WHEN p_whole THEN p_item -> 'orders' ->> (e.place - 1)::int END), ', ' ORDER BY e.place)
         FROM jsonb_array_elements_text(p_item -> 'expressions') WITH ORDINALITY AS e (v, place)),
        CASE WHEN p_whole THEN ' INCLUDE (' || hatidata_catalog._names(p_item -> 'include') || ')' END,
        CASE WHEN p_whole OR (p_item ->> 'unique')::boolean THEN ' WHERE ' || (p_item ->> 'where') END)
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._make_indexes(p_relid oid, p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_item jsonb;
    v_made text;
BEGIN
    FOR v_item IN SELECT * FROM jsonb_array_elements(p_document -> 'indexes') LOOP
        v_made := hatidata_catalog._index(p_relid, v_item, true);
        BEGIN
            EXECUTE v_made;
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation OR undefined_table OR internal_error THEN
            RAISE;
        WHEN duplicate_table THEN  -- it was another table's, of which that is still to be told
            PERFORM hatidata_catalog._drop_index(p_document ->> 'schema', v_item ->> 'name');
            BEGIN
                EXECUTE v_made;
            EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation THEN
                RAISE;
            WHEN OTHERS THEN
                NULL;
            END;
        WHEN OTHERS THEN
            BEGIN
                EXECUTE hatidata_catalog._index(p_relid, v_item, false);
            EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation THEN
                RAISE;
            WHEN OTHERS THEN
                NULL;
            END;
        END;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._set_constraints(p_relid oid, p_document jsonb, p_old jsonb, p_dropped boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_table text := p_relid::regclass::text;
    v_name text;
    v_item jsonb;
    v_same boolean := NOT p_dropped AND p_document -> 'constraints' IS NOT DISTINCT FROM p_old -> 'constraints';
BEGIN
    IF v_same AND p_document -> 'indexes' IS NOT DISTINCT FROM p_old -> 'indexes' THEN
        RETURN;
    END IF;
    -- Those that are as they were stay, where nothing else of the table is made again.
    FOR v_name IN SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                  WHERE i.indrelid = p_relid
                  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = p_relid)
                  AND NOT (v_same AND EXISTS (SELECT FROM jsonb_array_elements(p_document -> 'indexes') AS e (v)
                                              WHERE e.v ->> 'name' = c.relname AND p_old -> 'indexes' @> jsonb_build_array(e.v))) LOOP
        EXECUTE format('DROP INDEX %s', v_name);
    END LOOP;
    IF v_same THEN
        PERFORM hatidata_catalog._make_indexes(p_relid, jsonb_build_object('schema', p_document -> 'schema', 'indexes', (
            SELECT coalesce(jsonb_agg(e.v ORDER BY e.place), '[]')
            FROM jsonb_array_elements(p_document -> 'indexes') WITH ORDINALITY AS e (v, place)
            WHERE NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                              WHERE i.indrelid = p_relid AND c.relname = e.v ->> 'name'))));
        RETURN;
    END IF;
    FOR v_name IN SELECT conname FROM pg_constraint WHERE conrelid = p_relid AND contype IN ('p', 'u', 'f', 'c') LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', v_table, v_name);
    END LOOP;
    -- Those with names first: what has none is called by what is free.
    FOR v_item IN SELECT c.v FROM jsonb_array_elements(p_document -> 'constraints') WITH ORDINALITY AS c (v, place)
                  WHERE c.v ->> 'type' <> 'FOREIGN KEY' ORDER BY c.v ->> 'name' IS NULL, c.place LOOP
        BEGIN
            EXECUTE format('ALTER TABLE %s ADD %s', v_table, hatidata_catalog._constraint(v_item));
        EXCEPTION WHEN duplicate_table OR duplicate_object THEN
            -- The name is another table's index's: DuckDB has no such names.
            EXECUTE format('ALTER TABLE %s ADD %s', v_table, hatidata_catalog._constraint(v_item - 'name'));
        WHEN lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation THEN
            RAISE;
        WHEN OTHERS THEN
            NULL;
        END;
    END LOOP;
    PERFORM hatidata_catalog._make_indexes(p_relid, p_document);
    IF p_old IS NOT NULL THEN
        PERFORM hatidata_catalog._set_foreign_keys(p_relid, p_document);
        -- Other tables' references went with the keys.
        PERFORM hatidata_catalog._set_foreign_keys(r.relid, r.document) FROM hatidata_catalog.relations r
        WHERE r.kind = 'r' AND r.document -> 'constraints' @> '[{"type": "FOREIGN KEY"}]'  -- as the index has it
          AND r.document -> 'constraints' @> jsonb_build_array(jsonb_build_object('type', 'FOREIGN KEY', 'table', p_document ->> 'name'));
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._rule(p_said text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT r FROM unnest('{RESTRICT,CASCADE,SET NULL,SET DEFAULT}'::text[]) AS r WHERE r = p_said
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._set_foreign_keys(p_relid oid, p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_item jsonb;
BEGIN
    -- Once all tables are there; those that are there already stay.
    FOR v_item IN SELECT * FROM jsonb_array_elements(p_document -> 'constraints') LOOP
        CONTINUE WHEN v_item ->> 'type' <> 'FOREIGN KEY' OR EXISTS (
            SELECT FROM pg_constraint c WHERE c.conrelid = p_relid AND c.contype = 'f'
            AND (SELECT jsonb_agg(a.attname ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY AS k (num, place)
                 JOIN pg_attribute a ON a.attrelid = p_relid AND a.attnum = k.num) = v_item -> 'columns'
            AND c.conname = coalesce(nullif(v_item ->> 'name', ''), c.conname)
            AND c.confrelid = to_regclass(format('%I.%I', coalesce(v_item ->> 'schema', p_document ->> 'schema'), v_item ->> 'table')));
        BEGIN
            EXECUTE format('ALTER TABLE %s ADD %s FOREIGN KEY (%s) REFERENCES %I.%I %s', p_relid::regclass,
                'CONSTRAINT ' || quote_ident(nullif(v_item ->> 'name', '')),
                hatidata_catalog._names(v_item -> 'columns'),
                coalesce(v_item ->> 'schema', p_document ->> 'schema'), v_item ->> 'table',
                concat('(' || hatidata_catalog._names(v_item -> 'references') || ')',
                       ' ON DELETE ' || hatidata_catalog._rule(v_item ->> 'delete'),
                       ' ON UPDATE ' || hatidata_catalog._rule(v_item ->> 'update')));
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation THEN
            RAISE;
        WHEN OTHERS THEN
            NULL;
        END;
    END LOOP;
END
$$;
