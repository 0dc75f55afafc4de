-- Bringing one table of the mirror in line with its document, with as little change as will do: what
-- is kept keeps its grants.

-- The enumerated type of a column, or the array of it; NULL for another column. As long as a type is not
-- there its columns are what they are on the wire: text.
CREATE OR REPLACE FUNCTION hatidata_catalog._enumeration(p_column jsonb) RETURNS oid
LANGUAGE sql STABLE AS $$
    SELECT CASE p_column ->> 'oid' WHEN '1009' THEN t.typarray ELSE t.oid END
    FROM hatidata_catalog.enumerations e JOIN pg_type t ON t.oid = e.typid
    WHERE p_column ? 'enumeration' AND e.number = p_column ->> 'enumeration'
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._columns(p_document jsonb)
RETURNS TABLE (place bigint, name text, type text, not_null boolean, default_value text, comment text, type_oid oid, modifier int)
LANGUAGE sql STABLE AS $$
    SELECT c.place, c.v ->> 'name',
           format_type(t.oid, nullif((c.v ->> 'modifier')::int, -1)),
           coalesce((c.v ->> 'not_null')::boolean, false), c.v ->> 'default', c.v ->> 'comment',
           t.oid, (c.v ->> 'modifier')::int
    FROM jsonb_array_elements(p_document -> 'columns') WITH ORDINALITY AS c (v, place)
    CROSS JOIN LATERAL (SELECT coalesce(hatidata_catalog._enumeration(c.v), (c.v ->> 'oid')::oid)) AS t (oid)
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._attributes(p_relid oid)
RETURNS TABLE (place bigint, name text, type_oid oid, modifier int, not_null boolean)
LANGUAGE sql STABLE AS $$
    SELECT row_number() OVER (ORDER BY attnum), attname::text, atttypid, atttypmod, attnotnull
    FROM pg_attribute WHERE attrelid = p_relid AND attnum > 0 AND NOT attisdropped
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._disown(p_relid oid, p_column text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    -- In DuckDB a sequence goes with its table, not with a column.
    v_sequence text := pg_get_serial_sequence(p_relid::regclass::text, p_column);
BEGIN
    IF v_sequence IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute
        WHERE attrelid = p_relid AND attname = p_column AND attidentity <> '') THEN
        EXECUTE format('ALTER SEQUENCE %s OWNED BY NONE', v_sequence);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._own_sequences(p_relid oid, p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_column jsonb;
    v_sequence text;
BEGIN
    FOR v_column IN SELECT * FROM jsonb_array_elements(p_document -> 'columns') c (v) WHERE v ? 'owns' LOOP
        v_sequence := format('%I.%I', p_document ->> 'schema', v_column ->> 'owns');
        IF to_regclass(v_sequence) IS NOT NULL AND to_regclass(v_sequence) IS DISTINCT FROM
           to_regclass(pg_get_serial_sequence(p_relid::regclass::text, v_column ->> 'name')) THEN
            EXECUTE format('ALTER SEQUENCE %s%s OWNED BY %s.%I', v_sequence,
                -- A serial's counts in the type of its column.
                (SELECT ' AS ' || k.type FROM (VALUES (21, 'smallint', 32767), (23, 'integer', 2147483647)) AS k (oid, type, most)
                 JOIN pg_sequence s ON s.seqrelid = to_regclass(v_sequence) AND s.seqmax = k.most
                 WHERE k.oid = (v_column ->> 'oid')::int), p_relid::regclass, v_column ->> 'name');
        END IF;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._identity(p_document jsonb, p_column text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT format('GENERATED %s AS IDENTITY (SEQUENCE NAME %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s %s)',
        CASE WHEN i.v ->> 'kind' = 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
        concat(quote_ident(nullif(p_document ->> 'schema', 'pg_temp')) || '.', quote_ident(i.v ->> 'sequence')),
        i.v ->> 'increment', greatest((i.v ->> 'minimum')::bigint, t.least), least((i.v ->> 'maximum')::bigint, t.most), i.v ->> 'start',
        CASE WHEN (i.v ->> 'cycle')::boolean THEN 'CYCLE' ELSE 'NO CYCLE' END)
    FROM jsonb_array_elements(p_document -> 'columns') AS c (v) CROSS JOIN LATERAL (SELECT c.v -> 'identity') AS i (v)
    -- In the type of its column, which may have been another when it was made.
    LEFT JOIN (VALUES (21, -32768::bigint, 32767::bigint), (23, -2147483648, 2147483647)) AS t (oid, least, most) ON t.oid = (c.v ->> 'oid')::int
    WHERE c.v ->> 'name' = p_column AND c.v ? 'identity'
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._drop_identities(p_relid oid, p_document jsonb, p_old jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_name text;
BEGIN
    FOR v_name IN
        SELECT a.attname FROM pg_attribute a
        LEFT JOIN hatidata_catalog._columns(p_document) w ON w.name = a.attname
        LEFT JOIN hatidata_catalog._columns(p_old) o ON o.name = a.attname
        WHERE a.attrelid = p_relid AND a.attidentity <> ''
          AND ((w.type_oid, hatidata_catalog._identity(p_document, w.name))
               IS DISTINCT FROM (a.atttypid, hatidata_catalog._identity(p_old, o.name)))
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', p_relid::regclass, v_name);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._add_identities(p_relid oid, p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT c.v ->> 'name' AS name, c.v -> 'identity' ->> 'sequence' AS sequence
        FROM jsonb_array_elements(p_document -> 'columns') AS c (v)
        JOIN pg_attribute a ON a.attrelid = p_relid AND a.attname = c.v ->> 'name'
        WHERE c.v ? 'identity' AND a.attidentity = ''
    LOOP
        -- It may have been a sequence of its own so far.
        PERFORM hatidata_catalog._forget(p_document ->> 'schema', v_column.sequence);
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I ADD %s', p_relid::regclass, v_column.name,
                       hatidata_catalog._identity(p_document, v_column.name));
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._alter_columns(p_relid oid, p_document jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_table text := p_relid::regclass::text;
    v_column record;
    v_kept bigint;
    v_dropped boolean := false;
    -- Lengths of texts and digits of seconds are constraints to DuckDB: where those are not told, they
    -- are what they were.
    v_lengths_kept boolean := coalesce(p_document -> 'kept' ? 'constraints', false);
BEGIN
    -- A column that changed its name where it stands.
    FOR v_column IN
        SELECT a.name AS old, w.name AS new
        FROM hatidata_catalog._attributes(p_relid) a
        JOIN hatidata_catalog._columns(p_document) w USING (place)
        WHERE a.name <> w.name
          AND (a.type_oid = w.type_oid AND a.modifier = w.modifier
               OR v_lengths_kept AND (a.type_oid = 1043 OR a.type_oid IN (1083, 1114, 1184) AND a.type_oid = w.type_oid))
          AND NOT EXISTS (SELECT FROM hatidata_catalog._attributes(p_relid) b WHERE b.name = w.name)
          AND NOT EXISTS (SELECT FROM hatidata_catalog._columns(p_document) x WHERE x.name = a.name)
    LOOP
        EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', v_table, v_column.old, v_column.new);
    END LOOP;
    -- How many of the columns that stay are in their places; what follows is made again.
    SELECT count(*) INTO v_kept FROM (
        SELECT bool_and(w.name IS NOT DISTINCT FROM k.name) OVER (ORDER BY k.place) AS fits
        FROM (SELECT row_number() OVER (ORDER BY a.place) AS place, a.name
              FROM hatidata_catalog._attributes(p_relid) a
              WHERE a.name IN (SELECT w.name FROM hatidata_catalog._columns(p_document) w)) k
        LEFT JOIN hatidata_catalog._columns(p_document) w USING (place)) f
    WHERE fits;
    FOR v_column IN
        SELECT a.name FROM hatidata_catalog._attributes(p_relid) a
        WHERE NOT EXISTS (SELECT FROM hatidata_catalog._columns(p_document) w
                          WHERE w.name = a.name AND w.place <= v_kept)
    LOOP
        PERFORM hatidata_catalog._disown(p_relid, v_column.name);
        EXECUTE format('ALTER TABLE %s DROP COLUMN %I CASCADE', v_table, v_column.name);
        v_dropped := true;
    END LOOP;
    FOR v_column IN
        SELECT w.name, w.type FROM hatidata_catalog._columns(p_document) w
        WHERE w.place > v_kept ORDER BY w.place
    LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', v_table, v_column.name, v_column.type);
    END LOOP;
    FOR v_column IN
        SELECT w.* FROM hatidata_catalog._columns(p_document) w
        JOIN hatidata_catalog._attributes(p_relid) a USING (name)
        WHERE (a.type_oid, a.modifier) IS DISTINCT FROM (w.type_oid, w.modifier)
          AND NOT (v_lengths_kept AND (a.type_oid = 1043 AND w.type_oid = 25
                                       OR a.type_oid IN (1083, 1114, 1184) AND a.type_oid = w.type_oid))
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT, ALTER COLUMN %I TYPE %s USING NULL',
                       v_table, v_column.name, v_column.name, v_column.type);
    END LOOP;
    RETURN v_dropped;  -- constraints and indexes may have gone with them
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._readable(p_default text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_default WHEN 'uuid()' THEN 'gen_random_uuid()' WHEN 'get_current_timestamp()' THEN 'now()'
                          WHEN 'getvariable(''hatidata_role'')' THEN 'CURRENT_USER'
                          WHEN 'today()' THEN 'CURRENT_DATE' WHEN 'get_current_time()' THEN 'CURRENT_TIME'
                          WHEN 'current_localtime()' THEN 'LOCALTIME' WHEN 'current_localtimestamp()' THEN 'LOCALTIMESTAMP'
                          ELSE p_default END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._generated(p_document jsonb, p_name text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT c.v ->> 'generated' FROM jsonb_array_elements(p_document -> 'columns') AS c (v) WHERE c.v ->> 'name' = p_name
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._generated_columns(p_document jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_agg(c.v - 'comment' ORDER BY c.place) FROM jsonb_array_elements(p_document -> 'columns') WITH ORDINALITY AS c (v, place)
    WHERE c.v ? 'generated'
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._set_default(p_table text, p_column text, p_type text, p_default text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_default IS NULL THEN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', p_table, p_column);
        RETURN;
    END IF;
    BEGIN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT (%s)', p_table, p_column, hatidata_catalog._readable(p_default));
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure OR unique_violation
        OR unsafe_new_enum_value_usage THEN
        RAISE;
    WHEN OTHERS THEN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT hatidata_catalog.duckdb(%L)::%s',
                       p_table, p_column, p_default, p_type);
    END;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._set_columns(p_relid oid, p_document jsonb, p_old jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_table text := p_relid::regclass::text;
    v_column record;
BEGIN
    FOR v_column IN
        SELECT w.name, w.not_null FROM hatidata_catalog._columns(p_document) w
        JOIN hatidata_catalog._attributes(p_relid) a USING (name)
        WHERE w.not_null <> a.not_null
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I %s NOT NULL', v_table, v_column.name,
                       CASE WHEN v_column.not_null THEN 'SET' ELSE 'DROP' END);
    END LOOP;
    FOR v_column IN
        SELECT w.* FROM hatidata_catalog._columns(p_document) w
        JOIN pg_attribute a ON a.attrelid = p_relid AND a.attname = w.name
        LEFT JOIN hatidata_catalog._columns(p_old) o ON o.name = w.name
        WHERE a.attgenerated = '' AND a.attidentity = '' AND ((w.default_value, w.type) IS DISTINCT FROM (o.default_value, o.type)
           OR a.atthasdef <> (w.default_value IS NOT NULL))
    LOOP
        PERFORM hatidata_catalog._set_default(v_table, v_column.name, v_column.type, v_column.default_value);
    END LOOP;
    IF p_document -> 'columns' @? '$[*].identity' THEN
        PERFORM hatidata_catalog._add_identities(p_relid, p_document);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._comment(p_relid oid, p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_column text := p_document ->> 'column';
    v_known hatidata_catalog.relations;
BEGIN
    SELECT * INTO v_known FROM hatidata_catalog.relations WHERE relid = p_relid;
    IF v_known.relid IS NULL THEN
        RETURN;
    ELSIF v_column IS NULL THEN
        v_known.document := jsonb_set(v_known.document, '{comment}', p_document -> 'comment');
    ELSE
        v_known.document := jsonb_set(v_known.document, '{columns}', (
            SELECT jsonb_agg(CASE WHEN lower(c.v ->> 'name') <> lower(v_column) THEN c.v
                                  WHEN p_document ->> 'comment' IS NULL THEN c.v - 'comment'
                                  ELSE c.v || jsonb_build_object('comment', p_document -> 'comment') END ORDER BY c.place)
            FROM jsonb_array_elements(v_known.document -> 'columns') WITH ORDINALITY AS c (v, place)));
    END IF;
    PERFORM hatidata_catalog._set_comments(p_relid, v_known.document);
    UPDATE hatidata_catalog.relations SET document = v_known.document, digest = '' WHERE relid = p_relid;
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._set_comments(p_relid oid, p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_kind text := CASE p_document ->> 'kind' WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW'
                           WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'SEQUENCE' END;
    v_relation text := p_relid::regclass::text;
    v_column record;
BEGIN
    IF obj_description(p_relid, 'pg_class') IS DISTINCT FROM p_document ->> 'comment' THEN
        EXECUTE format('COMMENT ON %s %s IS %L', v_kind, v_relation, p_document ->> 'comment');
    END IF;
    FOR v_column IN
        SELECT w.name, w.comment FROM hatidata_catalog._columns(p_document) w
        JOIN pg_attribute a ON a.attrelid = p_relid AND a.attname = w.name
        WHERE col_description(p_relid, a.attnum) IS DISTINCT FROM w.comment
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', v_relation, v_column.name, v_column.comment);
    END LOOP;
END
$$;
