-- Who may do what with what is mirrored, as Snowflake tells of it: the owner has OWNERSHIP in place of each right,
-- and what is all clients' is the asking client's. Postgres keeps no times of grants.

CREATE OR REPLACE FUNCTION hatidata_catalog.told_name(p_role oid) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_role = 0 THEN 'PUBLIC'
                WHEN p_role = 'hatidata_users'::regrole AND pg_has_role('hatidata_users', 'MEMBER') THEN current_user
                ELSE p_role::regrole::text END
$$;
COMMENT ON FUNCTION hatidata_catalog.told_name IS 'A role''s name, the asking client''s in place of that of all clients.';

CREATE OR REPLACE FUNCTION hatidata_catalog._role_kind(p_role oid) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles WHERE oid = p_role AND rolcanlogin) THEN 'USER' ELSE 'ROLE' END
$$;

-- relation, schema_id: by which one object's are found; 0 for none.
CREATE OR REPLACE VIEW hatidata_catalog.privileges AS
WITH objects AS (
    SELECT c.oid AS relation, n.oid AS schema_id, n.nspname::text AS schema, c.relname::text AS name, c.relowner AS owner, c.relacl AS rights,
           CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'S', 'p') AND NOT hatidata_catalog._protected(n.nspname::text)
    UNION ALL
    SELECT 0, n.oid, n.nspname::text, n.nspname::text, n.nspowner, n.nspacl, 'SCHEMA'
    FROM pg_catalog.pg_namespace n WHERE NOT hatidata_catalog._protected(n.nspname::text)
    UNION ALL
    SELECT 0, 0, NULL, pg_catalog.current_database()::text, n.nspowner, NULL, 'DATABASE'
    FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'
)
SELECT o.kind, o.schema, o.name, 'OWNERSHIP' AS privilege, o.owner AS grantee, o.owner AS grantor, true AS grantable, o.relation, o.schema_id
FROM objects o
UNION ALL
SELECT o.kind, o.schema, o.name, r.privilege_type, r.grantee, r.grantor, r.is_grantable, o.relation, o.schema_id
FROM objects o CROSS JOIN LATERAL pg_catalog.aclexplode(o.rights) AS r WHERE r.grantee <> o.owner;
COMMENT ON VIEW hatidata_catalog.privileges IS 'The rights on relations, schemas and the database, a row each.';

CREATE OR REPLACE VIEW hatidata_catalog.role_grants AS
SELECT r.rolname::text AS role, m.member AS grantee, m.grantor, pg_catalog.bool_or(m.admin_option) AS grantable
FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
GROUP BY r.rolname, m.member, m.grantor;
COMMENT ON VIEW hatidata_catalog.role_grants IS 'Which roles were granted to whom.';

-- ALTER DEFAULT PRIVILEGES, of what all clients own: rights on what is yet to be made. schema: '' for any.
CREATE OR REPLACE VIEW hatidata_catalog.future_privileges AS
SELECT coalesce(n.nspname::text, '') AS schema, CASE d.defaclobjtype WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FUNCTION' ELSE 'TABLE' END AS kind,
       r.privilege_type AS privilege, r.grantee, r.is_grantable AS grantable
FROM pg_catalog.pg_default_acl d
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
JOIN pg_catalog.pg_roles u ON u.rolname = 'hatidata_users' AND u.oid = d.defaclrole
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS r
WHERE d.defaclobjtype IN ('r', 'S', 'f') AND r.grantee <> d.defaclrole;
COMMENT ON VIEW hatidata_catalog.future_privileges IS 'The rights that what is yet to be made will have.';

REVOKE ALL ON hatidata_catalog.privileges, hatidata_catalog.role_grants, hatidata_catalog.future_privileges FROM PUBLIC;
GRANT SELECT ON hatidata_catalog.privileges, hatidata_catalog.role_grants, hatidata_catalog.future_privileges TO PUBLIC;

CREATE OR REPLACE FUNCTION hatidata_catalog._owner_of_role(p_role text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT min(pg_get_userbyid(grantee)) FROM hatidata_catalog.role_grants WHERE role = p_role AND grantable
$$;

-- All that INFORMATION_SCHEMA tells of it, as JSON.
CREATE OR REPLACE FUNCTION hatidata_catalog.rights_told() RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'privileges', (
            SELECT coalesce(json_agg(json_build_object(
                'grantor', hatidata_catalog.told_name(grantor), 'grantee', hatidata_catalog.told_name(grantee),
                'granted_to', hatidata_catalog._role_kind(grantee), 'schema', schema, 'name', name, 'kind', kind,
                'privilege', privilege, 'grantable', CASE WHEN grantable THEN 'YES' ELSE 'NO' END)), '[]')
            FROM hatidata_catalog.privileges),
        'applicable', (
            SELECT coalesce(json_agg(json_build_object(
                'grantee', pg_get_userbyid(grantee), 'role', role, 'owner', hatidata_catalog._owner_of_role(role),
                'grantable', CASE WHEN grantable THEN 'YES' ELSE 'NO' END)), '[]')
            FROM hatidata_catalog.role_grants WHERE pg_has_role(session_user, grantee, 'MEMBER')),
        'enabled', (
            SELECT coalesce(json_agg(json_build_object(
                'role', rolname, 'owner', hatidata_catalog._owner_of_role(rolname::text))), '[]')
            FROM (SELECT rolname FROM pg_roles WHERE pg_has_role(oid, 'USAGE') AND NOT starts_with(rolname::text, 'pg_')
                  UNION ALL SELECT 'PUBLIC') AS roles))::text
$$;
COMMENT ON FUNCTION hatidata_catalog.rights_told IS 'Rights and roles, as Snowflake''s INFORMATION_SCHEMA tells of them.';

REVOKE ALL ON FUNCTION hatidata_catalog.told_name, hatidata_catalog._role_kind, hatidata_catalog._owner_of_role, hatidata_catalog.rights_told FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hatidata_catalog.told_name, hatidata_catalog._role_kind, hatidata_catalog._owner_of_role, hatidata_catalog.rights_told,
    hatidata_catalog._protected TO PUBLIC;
