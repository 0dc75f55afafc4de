-- Group roles: grant hd_agent or hd_operator to the roles that people and agents log in with.
-- Roles belong to the whole cluster, so another database may have made them already, perhaps at
-- this very moment. What they may do is in grants.sql.

DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['hd_agent', 'hd_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

DO $$
BEGIN
    IF NOT pg_has_role('hd_operator', 'hd_agent', 'MEMBER') THEN
        GRANT hd_agent TO hd_operator;
    END IF;
EXCEPTION WHEN unique_violation THEN
    NULL;
END
$$;
