-- What the group roles are for, where whoever lists them (\du+) sees it. They belong to the whole
-- cluster: another role may own them, or another database may be at this very moment.

DO $$
DECLARE
    v_role text;
    v_comment text;
BEGIN
    FOR v_role, v_comment IN VALUES
        ('hd_agent', 'Agents of hd_runtime: may call its functions and read its tables, and no more.'),
        ('hd_operator', 'Operators of hd_runtime: agents who may also cancel, recover and decide.')
    LOOP
        BEGIN
            IF shobj_description((SELECT r.oid FROM pg_roles r WHERE r.rolname = v_role), 'pg_authid') IS NULL THEN
                EXECUTE format('COMMENT ON ROLE %I IS %L', v_role, v_comment);
            END IF;
        EXCEPTION WHEN insufficient_privilege OR unique_violation OR internal_error THEN
            NULL;
        END;
    END LOOP;
END
$$;
