CREATE OR REPLACE FUNCTION hd_runtime.claim_task(task_id uuid, agent_run_id text)
RETURNS SETOF hd_runtime.claimed_task
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_status text;
    v_ttl interval;
    v_id uuid;
BEGIN
    PERFORM _check_claim(claim_task.agent_run_id, NULL, 1);
    IF claim_task.task_id IS NULL THEN
        RAISE EXCEPTION 'task_id must not be null' USING ERRCODE = 'HD006';
    END IF;
    SELECT t.status, c.lease_ttl INTO v_status, v_ttl
    FROM tasks t JOIN task_classes c ON c.name = t.task_class WHERE t.id = claim_task.task_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no task %', claim_task.task_id USING ERRCODE = 'HD004';
    END IF;
    IF v_status IN ('done', 'failed') THEN
        RAISE EXCEPTION 'task % is not claimable: it is %', claim_task.task_id, v_status USING ERRCODE = 'HD005',
            DETAIL = format('task %s is %s', claim_task.task_id, v_status),
            HINT = 'A task that has ended stays so; an operator may recover_attempt a failed one.';
    END IF;
    SELECT a.id INTO v_id FROM task_attempts a
    WHERE a.task_id = claim_task.task_id AND a.status = 'queued' AND a.available_at <= clock_timestamp()
    FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
        RETURN NEXT _lease(v_id, claim_task.task_id, claim_task.agent_run_id, v_ttl, _lease_clock());
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime.claim_task(uuid, text) IS
'As claim_next_task, for one task. No row when it cannot be had now: somebody has it, it is not due yet, it waits for other tasks or for a human. Errors: HD004 no such task; HD005 it has ended, and will never be claimable; HD006 a null.';
