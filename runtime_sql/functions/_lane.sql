CREATE OR REPLACE FUNCTION hd_runtime._lane(task_class text, agent_type text, priority smallint) RETURNS int
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_id int;
BEGIN
    LOOP
        SELECT l.id INTO v_id FROM hd_runtime.queue_lanes l
        WHERE l.task_class = _lane.task_class AND l.agent_type = _lane.agent_type AND l.priority = _lane.priority;
        IF FOUND THEN
            RETURN v_id;
        END IF;
        -- The class is locked, so that its lease_ttl cannot change unseen: see _lanes_follow.
        INSERT INTO hd_runtime.queue_lanes (task_class, agent_type, priority, lease_ttl)
        VALUES (_lane.task_class, _lane.agent_type, _lane.priority,
                (SELECT c.lease_ttl FROM hd_runtime.task_classes c WHERE c.name = _lane.task_class FOR SHARE))
        ON CONFLICT DO NOTHING;
    END LOOP;
END
$$;
COMMENT ON FUNCTION hd_runtime._lane(text, text, smallint) IS
'The lane for a class, agent type and priority; made when it is first used.';
