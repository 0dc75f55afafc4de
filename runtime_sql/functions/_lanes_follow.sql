CREATE OR REPLACE FUNCTION hd_runtime._lanes_follow() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- With an older snapshot it would miss a lane made since.
    PERFORM hd_runtime._require_read_committed();
    UPDATE hd_runtime.queue_lanes l SET lease_ttl = NEW.lease_ttl WHERE l.task_class = NEW.name;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hd_runtime._lanes_follow() IS
'Trigger: the lanes of a class have its lease_ttl. Whoever makes a lane at the same time has locked the class (_lane) and is waited for.';

CREATE OR REPLACE TRIGGER lanes_follow AFTER UPDATE OF lease_ttl ON hd_runtime.task_classes
    FOR EACH ROW WHEN (NEW.lease_ttl IS DISTINCT FROM OLD.lease_ttl) EXECUTE FUNCTION hd_runtime._lanes_follow();
ALTER TABLE hd_runtime.task_classes ENABLE ALWAYS TRIGGER lanes_follow;
COMMENT ON TRIGGER lanes_follow ON hd_runtime.task_classes IS 'queue_lanes.lease_ttl follows lease_ttl.';
