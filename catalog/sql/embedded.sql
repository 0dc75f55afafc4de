-- pg_get_viewdef() and all that calls it (psql's \sv, information_schema.views, pg_views) tell the query
-- of a mirrored view as its author wrote it. For the embedded Postgres alone, whose system functions
-- are ours to change: the planner puts the body of a function in SQL in place of its call, also of a
-- built-in one's, and the built-in code stays reachable under another name.

CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(oid) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef';
CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(oid, boolean) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef_ext';
CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(oid, int) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef_wrap';
CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(text) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef_name';
CREATE OR REPLACE FUNCTION hatidata_catalog._viewdef(text, boolean) RETURNS text LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_viewdef_name_ext';

CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(oid) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query($1, hatidata_catalog._viewdef($1))';
CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(oid, boolean) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query($1, hatidata_catalog._viewdef($1, $2))';
CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(oid, int) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query($1, hatidata_catalog._viewdef($1, $2))';
CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query(to_regclass($1), hatidata_catalog._viewdef($1))';
CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(text, boolean) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.view_query(to_regclass($1), hatidata_catalog._viewdef($1, $2))';

GRANT EXECUTE ON FUNCTION hatidata_catalog._viewdef(oid), hatidata_catalog._viewdef(oid, boolean),
    hatidata_catalog._viewdef(oid, int), hatidata_catalog._viewdef(text), hatidata_catalog._viewdef(text, boolean) TO PUBLIC;

-- The runtime's functions are called without their schema's name, so its schema is at the end of every
-- client's search_path; its tables are not meant by their names alone, and tools that list what is
-- visible would take them for the client's own. Who sets a search_path with it sees them.
CREATE OR REPLACE FUNCTION hatidata_catalog._table_is_visible(oid) RETURNS boolean LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_table_is_visible';

CREATE OR REPLACE FUNCTION hatidata_catalog.meant_by_name(relation oid) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN current_setting('search_path') <> '"$user", public, hd_runtime' OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = relation AND n.nspname = 'hd_runtime');
END
$$;
COMMENT ON FUNCTION hatidata_catalog.meant_by_name IS 'Whether a relation that is in the search_path is meant by its name alone.';

CREATE OR REPLACE FUNCTION pg_catalog.pg_table_is_visible(oid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog._table_is_visible($1) AND hatidata_catalog.meant_by_name($1)';

GRANT EXECUTE ON FUNCTION hatidata_catalog._table_is_visible(oid), hatidata_catalog.meant_by_name(oid) TO PUBLIC;

-- A mirrored materialized view has its rows in DuckDB.
CREATE OR REPLACE FUNCTION hatidata_catalog._populated(p_relid oid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('allow_system_table_mods', 'on', true);
    UPDATE pg_catalog.pg_class SET relispopulated = true WHERE oid = p_relid;
    PERFORM set_config('allow_system_table_mods', 'off', true);
END
$$;
REVOKE ALL ON FUNCTION hatidata_catalog._populated(oid) FROM PUBLIC;

-- A mirrored relation is hatidata_users', of which every client is a member: a client who asks whose it is, or
-- who granted something on it, is told his own name. Tools look among what they themselves have granted
-- for what is to be revoked.
CREATE OR REPLACE FUNCTION hatidata_catalog._userbyid(oid) RETURNS name LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'pg_get_userbyid';

CREATE OR REPLACE FUNCTION hatidata_catalog.as_told(role name) RETURNS name LANGUAGE sql STABLE PARALLEL SAFE
AS $$SELECT CASE WHEN $1 = 'hatidata_users' AND pg_catalog.pg_has_role('hatidata_users', 'MEMBER') THEN current_user ELSE $1 END$$;
COMMENT ON FUNCTION hatidata_catalog.as_told IS 'A role''s name, the asking client''s in place of that of all clients.';

CREATE OR REPLACE FUNCTION pg_catalog.pg_get_userbyid(oid) RETURNS name LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT hatidata_catalog.as_told(hatidata_catalog._userbyid($1))';

GRANT EXECUTE ON FUNCTION hatidata_catalog._userbyid(oid), hatidata_catalog.as_told(name) TO PUBLIC;

-- As Postgres has it, but for the names; role_table_grants reads it.
CREATE OR REPLACE VIEW information_schema.table_privileges AS
    SELECT hatidata_catalog.as_told(g.rolname)::information_schema.sql_identifier AS grantor,
           hatidata_catalog.as_told(e.rolname)::information_schema.sql_identifier AS grantee,
           current_database()::information_schema.sql_identifier AS table_catalog,
           n.nspname::information_schema.sql_identifier AS table_schema,
           c.relname::information_schema.sql_identifier AS table_name,
           c.privilege::information_schema.character_data AS privilege_type,
           (CASE WHEN c.grantable OR e.oid = c.relowner
                      OR (g.rolname <> 'hatidata_users' AND pg_has_role(e.oid, c.relowner, 'USAGE'))
            THEN 'YES' ELSE 'NO' END)::information_schema.yes_or_no AS is_grantable,
           (CASE WHEN c.privilege = 'SELECT' THEN 'YES' ELSE 'NO' END)::information_schema.yes_or_no AS with_hierarchy
    FROM (SELECT r.relname, r.relnamespace, r.relkind, r.relowner, a.grantor, a.grantee,
                 a.privilege_type AS privilege, a.is_grantable AS grantable
          FROM pg_class r CROSS JOIN LATERAL aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) a) AS c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_authid g ON g.oid = c.grantor
    JOIN (SELECT oid, rolname FROM pg_authid UNION ALL SELECT 0, 'PUBLIC') AS e (oid, rolname) ON e.oid = c.grantee
    WHERE c.relkind IN ('r', 'v', 'f', 'p')
      AND c.privilege IN ('INSERT', 'SELECT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
      AND (pg_has_role(g.oid, 'USAGE') OR pg_has_role(e.oid, 'USAGE') OR e.rolname = 'PUBLIC');
