CREATE OR REPLACE FUNCTION hd_runtime.create_project(name text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_id uuid;
BEGIN
    PERFORM _check_length('name', create_project.name, 200);
    IF coalesce(create_project.name, '') = '' THEN
        RAISE EXCEPTION 'a project needs a name' USING ERRCODE = 'HD006',
            DETAIL = 'name is null or empty',
            HINT = 'SELECT create_project(''name'').';
    END IF;
    LOOP
        SELECT p.id INTO v_id FROM projects p WHERE p.name = create_project.name;
        IF FOUND THEN
            RETURN v_id;
        END IF;
        INSERT INTO projects (id, name) VALUES (_new_id(), create_project.name) ON CONFLICT DO NOTHING;
    END LOOP;
END
$$;
COMMENT ON FUNCTION hd_runtime.create_project(text) IS
'The id of the project of that name, which is made if there is none: calling it twice is harmless. Project ''default'' is always there. Error: HD006 without a name.';
