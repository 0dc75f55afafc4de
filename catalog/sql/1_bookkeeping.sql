-- What the mirror knows of itself. Clients have no business here but to call what is granted below.

CREATE SCHEMA IF NOT EXISTS hatidata_catalog;
COMMENT ON SCHEMA hatidata_catalog IS 'How DuckDB''s schemas, tables and views come to be seen in this database. Kept by the proxy.';

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hatidata_users') THEN
        BEGIN
            CREATE ROLE hatidata_users NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
    -- Whose relation it is, a client may grant, comment and hand on; all clients own what is shared.
    IF NOT pg_has_role('hd_agent', 'hatidata_users', 'MEMBER') THEN
        GRANT hatidata_users TO hd_agent;
    END IF;
    IF NOT pg_has_role(current_user, 'hatidata_users', 'USAGE') THEN
        EXECUTE format('GRANT hatidata_users TO %I', current_user);
    END IF;
EXCEPTION WHEN unique_violation THEN
    NULL;
END
$$;

-- What a role may own, it must be able to create; and clients may create schemas, which are DuckDB's.
DO $$
BEGIN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO hatidata_users', current_database());
END
$$;

DROP TABLE IF EXISTS hatidata_catalog.secret;
CREATE TABLE IF NOT EXISTS hatidata_catalog.keys (
    digest bytea PRIMARY KEY,
    made   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hatidata_catalog.keys IS 'By which apply() knows the proxy: a client''s own backend calls it, the client may not.';
COMMENT ON COLUMN hatidata_catalog.keys.digest IS 'SHA-256 of what the proxy made when it started; its last few starts'' are kept.';

CREATE TABLE IF NOT EXISTS hatidata_catalog.schemas (
    name text PRIMARY KEY
);
COMMENT ON TABLE hatidata_catalog.schemas IS 'Schemas that the mirror has made, and drops when DuckDB has them no more.';

CREATE TABLE IF NOT EXISTS hatidata_catalog.relations (
    relid    oid PRIMARY KEY,
    schema   text NOT NULL,
    name     text NOT NULL,
    kind     "char" NOT NULL,
    digest   text NOT NULL,
    document jsonb NOT NULL,
    source   text
);
ALTER TABLE hatidata_catalog.relations ADD COLUMN IF NOT EXISTS native boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX IF NOT EXISTS relations_name ON hatidata_catalog.relations (schema, lower(name));
DROP INDEX IF EXISTS hatidata_catalog.relations_read;
CREATE INDEX IF NOT EXISTS relations_that_read ON hatidata_catalog.relations USING gin ((document -> 'reads') jsonb_path_ops) WHERE kind IN ('v', 'm');
CREATE INDEX IF NOT EXISTS relations_that_refer ON hatidata_catalog.relations USING gin ((document -> 'constraints') jsonb_path_ops)
    WHERE kind = 'r' AND document -> 'constraints' @> '[{"type": "FOREIGN KEY"}]';
COMMENT ON TABLE hatidata_catalog.relations IS 'The mirrored relations.';
COMMENT ON COLUMN hatidata_catalog.relations.kind IS 'r table, v view, m materialized view, S sequence.';
COMMENT ON COLUMN hatidata_catalog.relations.digest IS 'Names the state of the relation in DuckDB that was mirrored last.';
COMMENT ON COLUMN hatidata_catalog.relations.document IS 'That state, as apply() was given it.';
COMMENT ON COLUMN hatidata_catalog.relations.source IS 'A view''s query, as its author wrote it where that is known.';
COMMENT ON COLUMN hatidata_catalog.relations.native IS 'Whether that is in Postgres''s SQL.';

CREATE TABLE IF NOT EXISTS hatidata_catalog.enumerations (
    typid  oid PRIMARY KEY,
    number text NOT NULL
);
COMMENT ON TABLE hatidata_catalog.enumerations IS 'The mirrored enumerated types that columns may be of.';
COMMENT ON COLUMN hatidata_catalog.enumerations.number IS 'By which DuckDB''s columns know it, whatever its name and its labels are.';

CREATE TABLE IF NOT EXISTS hatidata_catalog.unsettled (
    schema text NOT NULL,
    name   text
);
COMMENT ON TABLE hatidata_catalog.unsettled IS 'What a client''s transaction could not mirror, to be looked at once it is committed.';

-- They may be read, so that pg_dump may lock them; the proxy lets no client name them.
REVOKE ALL ON ALL TABLES IN SCHEMA hatidata_catalog FROM PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA hatidata_catalog TO PUBLIC;
GRANT USAGE ON SCHEMA hatidata_catalog TO PUBLIC;
