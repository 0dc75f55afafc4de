CREATE OR REPLACE FUNCTION hd_runtime._seal_event_partition(name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER append_only_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON hd_runtime.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION hd_runtime._refuse_change(%L)',
                   name, 'events are append-only');
    EXECUTE format('ALTER TABLE hd_runtime.%I ENABLE ALWAYS TRIGGER append_only_statement', name);
    EXECUTE format('ALTER TABLE hd_runtime.%I ENABLE ALWAYS TRIGGER append_only', name);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON hd_runtime.%I FROM PUBLIC, %I', name, current_user);
    EXECUTE format('GRANT SELECT ON hd_runtime.%I TO hd_agent', name);
END
$$;
COMMENT ON FUNCTION hd_runtime._seal_event_partition(text) IS
'Makes a partition of workflow_events that was just attached append-only, and readable for agents.';
