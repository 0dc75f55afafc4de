-- Roles as Snowflake's scripts make them: holders of rights, without a login. A client is no CREATEROLE;
-- here it may make roles that can do nothing but what is granted to them, grant them on (it has their
-- ADMIN OPTION), and drop those of which it has that.

CREATE TABLE IF NOT EXISTS hatidata_catalog.roles (
    name name PRIMARY KEY,
    made timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hatidata_catalog.roles IS 'Which roles clients have made, and so may drop.';
GRANT SELECT ON hatidata_catalog.roles TO PUBLIC; -- pg_dump locks what it lists

CREATE OR REPLACE FUNCTION hatidata_catalog._role_there(p_name text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = p_name)
$$;

DROP PROCEDURE IF EXISTS hatidata_catalog.drop_role(text, boolean);
CREATE OR REPLACE PROCEDURE hatidata_catalog.drop_role(p_name text, p_if_exists boolean, p_with_rights boolean DEFAULT true)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT hatidata_catalog._role_there(p_name) THEN
        IF NOT p_if_exists THEN
            RAISE EXCEPTION 'role "%" does not exist', p_name USING ERRCODE = '42704';
        END IF;
        RAISE NOTICE 'role "%" does not exist, skipping', p_name;
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM hatidata_catalog.roles WHERE name = p_name)
        OR NOT pg_has_role(session_user, p_name, 'MEMBER WITH ADMIN OPTION') THEN
        RAISE EXCEPTION 'permission denied to drop role "%"', p_name USING ERRCODE = '42501';
    END IF;
    IF p_with_rights THEN
        EXECUTE format('REASSIGN OWNED BY %I TO hatidata_users', p_name);
        EXECUTE format('DROP OWNED BY %I', p_name);
    END IF;
    EXECUTE format('DROP ROLE %I', p_name);
    DELETE FROM hatidata_catalog.roles WHERE name = p_name;
END
$$;
COMMENT ON PROCEDURE hatidata_catalog.drop_role IS 'Drops a role that a client has made, with its rights; what it owned is all clients'' again.';

CREATE OR REPLACE PROCEDURE hatidata_catalog.drop_roles(p_names text[], p_if_exists boolean)
LANGUAGE plpgsql AS $$
DECLARE
    v_name text;
BEGIN
    FOREACH v_name IN ARRAY p_names LOOP
        CALL hatidata_catalog.drop_role(v_name, p_if_exists, false);
    END LOOP;
END
$$;
COMMENT ON PROCEDURE hatidata_catalog.drop_roles IS 'Drops roles that have no rights and own nothing any more, as Postgres does.';

CREATE OR REPLACE PROCEDURE hatidata_catalog.drop_owned(p_names text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text;
BEGIN
    FOREACH v_name IN ARRAY p_names LOOP
        IF NOT hatidata_catalog._role_there(v_name) THEN
            RAISE EXCEPTION 'role "%" does not exist', v_name USING ERRCODE = '42704';
        ELSIF NOT EXISTS (SELECT FROM hatidata_catalog.roles WHERE name = v_name)
            OR NOT pg_has_role(session_user, v_name, 'MEMBER WITH ADMIN OPTION') THEN
            RAISE EXCEPTION 'permission denied to drop objects' USING ERRCODE = '42501';
        ELSIF EXISTS (SELECT FROM pg_shdepend WHERE refobjid = quote_ident(v_name)::regrole AND deptype = 'o') THEN
            RAISE EXCEPTION 'DROP OWNED BY a role that owns analytical relations is not supported'
                USING ERRCODE = '0A000', HINT = 'REASSIGN OWNED BY it first, or drop them.';
        END IF;
        EXECUTE format('DROP OWNED BY %I', v_name);
    END LOOP;
END
$$;
COMMENT ON PROCEDURE hatidata_catalog.drop_owned IS 'Takes from roles that clients have made what was granted to them.';

CREATE OR REPLACE PROCEDURE hatidata_catalog.create_role(p_name text, p_if_not_exists boolean, p_replace boolean, p_comment text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_name ~ '^(pg_|hd_|hatidata)' OR octet_length(p_name) > 63 THEN
        RAISE EXCEPTION 'role name "%" is reserved', p_name USING ERRCODE = '42939';
    END IF;
    IF hatidata_catalog._role_there(p_name) THEN
        IF p_if_not_exists THEN
            RAISE NOTICE 'role "%" already exists, skipping', p_name;
            RETURN;
        END IF;
        IF NOT p_replace THEN
            RAISE EXCEPTION 'role "%" already exists', p_name USING ERRCODE = '42710';
        END IF;
        CALL hatidata_catalog.drop_role(p_name, false);
    END IF;
    EXECUTE format('CREATE ROLE %I NOLOGIN ADMIN %I', p_name, session_user);
    -- Who has been granted several roles grants in the name of the first that may: which is to be the owner.
    IF NOT EXISTS (SELECT FROM pg_auth_members WHERE member = quote_ident(session_user)::regrole AND roleid = 'hatidata_users'::regrole) THEN
        EXECUTE format('GRANT hatidata_users TO %I', session_user);
    END IF;
    INSERT INTO hatidata_catalog.roles (name) VALUES (p_name) ON CONFLICT DO NOTHING;
    IF p_comment IS NOT NULL THEN
        EXECUTE format('COMMENT ON ROLE %I IS %L', p_name, p_comment);
    END IF;
END
$$;
COMMENT ON PROCEDURE hatidata_catalog.create_role IS 'Makes a role without a login that the caller may grant on.';
