-- When what DuckDB holds was made and altered, which it does not know itself: told by the statements that did so
-- (proxy/mirror/moments.py), in their transactions. What is found without a time has that of when it was found.

CREATE TABLE IF NOT EXISTS hatidata_catalog.moments (
    schema  text NOT NULL,
    name    text NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    altered timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS moments_of ON hatidata_catalog.moments (lower(schema), lower(name));
COMMENT ON TABLE hatidata_catalog.moments IS 'When relations, schemas and the database were defined.';
COMMENT ON COLUMN hatidata_catalog.moments.schema IS 'Empty for the database.';
COMMENT ON COLUMN hatidata_catalog.moments.name IS 'Empty for the schema, or the database, itself.';
COMMENT ON COLUMN hatidata_catalog.moments.created IS 'A rename keeps it, CREATE OR REPLACE does not.';
COMMENT ON COLUMN hatidata_catalog.moments.altered IS 'By the last statement that defined it: never by one that changed rows.';

INSERT INTO hatidata_catalog.moments (schema, name)
SELECT '', '' UNION ALL SELECT 'public', '' UNION ALL SELECT name, '' FROM hatidata_catalog.schemas
UNION ALL SELECT schema, name FROM hatidata_catalog.relations
ON CONFLICT DO NOTHING;
REVOKE ALL ON hatidata_catalog.moments FROM PUBLIC;
GRANT SELECT ON hatidata_catalog.moments TO PUBLIC;

CREATE OR REPLACE FUNCTION hatidata_catalog._forget_moments(p_schema text, p_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_name = '' THEN
        DELETE FROM hatidata_catalog.moments WHERE lower(schema) = lower(p_schema);
    ELSE
        DELETE FROM hatidata_catalog.moments WHERE lower(schema) = lower(p_schema) AND lower(name) = lower(p_name);
    END IF;
END
$$;

-- The first schema of a path in which something of this name is known.
CREATE OR REPLACE FUNCTION hatidata_catalog._place_of(p_path jsonb, p_name text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT m.schema FROM jsonb_array_elements_text(p_path) WITH ORDINALITY AS p (schema, place)
    JOIN hatidata_catalog.moments m ON lower(m.schema) = lower(p.schema) AND lower(m.name) = lower(p_name)
    ORDER BY p.place LIMIT 1
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._rename_moments(p_schema text, p_name text, p_into text, p_to text, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF (lower(p_schema), lower(p_name)) <> (lower(p_into), lower(p_to)) THEN
        PERFORM hatidata_catalog._forget_moments(p_into, p_to);
    END IF;
    UPDATE hatidata_catalog.moments SET schema = p_into, name = p_to, altered = p_at
    WHERE lower(schema) = lower(p_schema) AND lower(name) = lower(p_name);
END
$$;

CREATE OR REPLACE FUNCTION hatidata_catalog._moment(p_document jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_event text := p_document ->> 'event';
    v_name text := p_document ->> 'name';
    v_to text := p_document ->> 'to';
    v_at timestamptz := p_document ->> 'at';
    v_makes boolean := v_event IN ('made', 'unless');
    v_schema text := hatidata_catalog._place_of(p_document -> 'path', CASE WHEN v_makes THEN '' ELSE v_name END);
BEGIN
    IF v_schema IS NULL AND NOT v_makes THEN
        RETURN;  -- the mirror does not know it yet
    END IF;
    v_schema := coalesce(v_schema, p_document ->> 'schema');
    CASE v_event
    WHEN 'made' THEN
        PERFORM hatidata_catalog._forget_moments(v_schema, v_name);
        INSERT INTO hatidata_catalog.moments VALUES (v_schema, v_name, v_at, v_at);
    WHEN 'unless' THEN
        INSERT INTO hatidata_catalog.moments VALUES (v_schema, v_name, v_at, v_at) ON CONFLICT DO NOTHING;
    WHEN 'altered' THEN
        UPDATE hatidata_catalog.moments SET altered = v_at WHERE lower(schema) = lower(v_schema) AND lower(name) = lower(v_name);
    WHEN 'dropped' THEN
        PERFORM hatidata_catalog._forget_moments(v_schema, v_name);
    WHEN 'renamed' THEN
        PERFORM hatidata_catalog._rename_moments(v_schema, v_name, coalesce(p_document ->> 'into', v_schema), v_to, v_at);
    WHEN 'swapped' THEN
        PERFORM hatidata_catalog._rename_moments(v_schema, v_name, v_schema, ' ' || v_name, v_at);
        PERFORM hatidata_catalog._rename_moments(v_schema, v_to, v_schema, v_name, v_at);
        PERFORM hatidata_catalog._rename_moments(v_schema, ' ' || v_name, v_schema, v_to, v_at);
    END CASE;
    IF p_document ? 'comment' THEN
        IF v_event = 'made' THEN
            PERFORM hatidata_catalog._set_schema(v_schema, false);
        END IF;
        EXECUTE format('COMMENT ON %s %I IS %L', CASE v_schema WHEN '' THEN 'DATABASE' ELSE 'SCHEMA' END,
            CASE v_schema WHEN '' THEN current_database() ELSE v_schema END, nullif(p_document ->> 'comment', ''));
    END IF;
END
$$;

-- What Snowflake's catalog tells of all that and DuckDB does not know, as JSON.
CREATE OR REPLACE FUNCTION hatidata_catalog.told(p_relations boolean, p_texts boolean) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object(
        'schema', m.schema, 'name', m.name, 'created', m.created, 'altered', m.altered,
        'owner', CASE WHEN coalesce(c.relowner, n.nspowner) = u.oid THEN current_user
                 ELSE pg_get_userbyid(coalesce(c.relowner, n.nspowner)) END,
        'comment', CASE WHEN m.schema = '' THEN pg_catalog.shobj_description(d.oid, 'pg_database')
                   WHEN m.name = '' THEN nullif(pg_catalog.obj_description(n.oid, 'pg_namespace'), 'standard public schema') END,
        'text', CASE WHEN p_texts AND r.kind IN ('v', 'm') THEN r.source END)), '[]')::text
    FROM hatidata_catalog.moments m
    JOIN pg_roles u ON u.rolname = 'hatidata_users'
    JOIN pg_database d ON d.datname = current_database()
    LEFT JOIN hatidata_catalog.relations r ON r.schema = m.schema AND lower(r.name) = lower(m.name)
    LEFT JOIN pg_class c ON c.oid = r.relid
    LEFT JOIN pg_namespace n ON n.nspname = CASE m.schema WHEN '' THEN 'public' ELSE m.schema END
    WHERE p_relations OR m.name = ''
$$;
COMMENT ON FUNCTION hatidata_catalog.told IS 'When what was defined, whose it is, and what schemas are said to be; of the schemas and the database alone, or of relations too, with the texts of views or without.';
