CREATE OR REPLACE FUNCTION hd_runtime._check_claim(agent_run_id text, task_classes text[], max_tasks int) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF coalesce(length(_check_claim.agent_run_id), 0) NOT BETWEEN 1 AND 200 OR position(E'\n' IN _check_claim.agent_run_id) > 0 THEN
        RAISE EXCEPTION 'agent_run_id must be 1 to 200 characters on one line' USING ERRCODE = 'HD006',
            HINT = 'A name for this run of the agent; it goes into the audit trail: claim_next_task(''agent-1'').';
    END IF;
    IF _check_claim.max_tasks IS NULL OR _check_claim.max_tasks NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'max_tasks must be between 1 and 1000, not %', coalesce(_check_claim.max_tasks::text, 'null')
            USING ERRCODE = 'HD006';
    END IF;
    IF _check_claim.task_classes IS NULL THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM unnest(_check_claim.task_classes) AS c
               WHERE NOT EXISTS (SELECT FROM hd_runtime.task_classes k WHERE k.name = c)) THEN
        RAISE EXCEPTION 'task_classes names a class that is not there' USING ERRCODE = 'HD004',
            DETAIL = format('Asked for: %s. Known: %s.', array_to_string(_check_claim.task_classes, ', ', 'null'),
                            (SELECT string_agg(k.name, ', ' ORDER BY k.name) FROM hd_runtime.task_classes k)),
            HINT = 'An operator makes one with SELECT define_task_class(''name'').';
    END IF;
    -- Classes are never deleted: what was found once need not be looked for in every claim.
    PERFORM set_config('hd_runtime.known_classes', _check_claim.task_classes::text, false);
END
$$;
COMMENT ON FUNCTION hd_runtime._check_claim(text, text[], int) IS
'Refuses the arguments of a claim: HD006 an agent_run_id that could not stand in an event, or max_tasks out of range; HD004 the name of a class that is not there. Remembers the classes for the session (hd_runtime.known_classes).';
