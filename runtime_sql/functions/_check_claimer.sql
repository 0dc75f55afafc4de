CREATE OR REPLACE FUNCTION hd_runtime._check_claimer(agent_run_id text) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF agent_run_id IS NULL OR agent_run_id = '' OR length(agent_run_id) > 200
       OR position(E'\n' IN agent_run_id) > 0 THEN
        RAISE EXCEPTION 'agent_run_id must be 1 to 200 characters on one line' USING ERRCODE = 'HD006',
            HINT = 'A name for this run of the agent; it goes into the audit trail: claim_next_task(''agent-1'').';
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime._check_claimer(text) IS 'Refuses an agent_run_id that could not stand in an event (HD006).';
