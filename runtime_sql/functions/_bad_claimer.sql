CREATE OR REPLACE FUNCTION hd_runtime._bad_claimer() RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE EXCEPTION 'agent_run_id must be 1 to 200 characters on one line' USING ERRCODE = 'HD006',
        HINT = 'A name for this run of the agent; it goes into the audit trail: claim_next_task(''agent-1'').';
END
$$;
COMMENT ON FUNCTION hd_runtime._bad_claimer() IS 'Raises the error for an agent_run_id that could not stand in an event (HD006).';
