CREATE OR REPLACE FUNCTION hd_runtime.default_project() RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '00000000-0000-0000-0000-000000000001'::uuid
$$;
COMMENT ON FUNCTION hd_runtime.default_project() IS
'The id of project ''default'', which every database has: SELECT * FROM create_task(default_project(), ''builder'', ''code'').';
