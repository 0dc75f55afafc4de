CREATE OR REPLACE FUNCTION hd_runtime._lease_lost(attempt_id uuid, lease_token text) RETURNS void
LANGUAGE plpgsql SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_attempt hd_runtime.task_attempts;
BEGIN
    IF _lease_lost.attempt_id IS NULL OR _lease_lost.lease_token IS NULL THEN
        RAISE EXCEPTION '% must not be null',
            CASE WHEN _lease_lost.attempt_id IS NULL THEN 'attempt_id' ELSE 'lease_token' END
            USING ERRCODE = 'HD006', HINT = 'claim_next_task returns both.',
            DETAIL = format('attempt %s, lease token %s', coalesce(_lease_lost.attempt_id::text, 'null'),
                            CASE WHEN _lease_lost.lease_token IS NULL THEN 'null' ELSE 'given' END);
    END IF;
    SELECT * INTO v_attempt FROM hd_runtime.task_attempts a WHERE a.id = _lease_lost.attempt_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no attempt %', _lease_lost.attempt_id USING ERRCODE = 'HD004',
            HINT = 'claim_next_task returns attempt_id; task_id is another column.',
            DETAIL = format('no row of hd_runtime.task_attempts has id %s', _lease_lost.attempt_id);
    END IF;
    RAISE EXCEPTION 'lease lost: attempt % %', _lease_lost.attempt_id,
        CASE WHEN v_attempt.lease_token IS DISTINCT FROM hd_runtime._token_digest(_lease_lost.lease_token)
             THEN 'has another lease token'
             WHEN v_attempt.lease_check_at IS NULL THEN 'is ' || v_attempt.status
             ELSE 'was not kept alive: its lease has expired' END
        USING ERRCODE = 'HD001',
        DETAIL = format('attempt %s of task %s is %s; lease %s', v_attempt.id, v_attempt.task_id, v_attempt.status,
                        CASE WHEN v_attempt.lease_expires IS NULL THEN 'none'
                             ELSE 'until ' || v_attempt.lease_expires END),
        HINT = 'Stop working on it: nothing this worker does for it counts any more. Claim again for new work.';
END
$$;
COMMENT ON FUNCTION hd_runtime._lease_lost(uuid, text) IS
'Raises the error that says why an attempt and a lease token did not match a live lease: HD006 null, HD004 no such attempt, else HD001. Never returns.';
