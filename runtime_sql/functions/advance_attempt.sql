CREATE OR REPLACE FUNCTION hd_runtime.advance_attempt(
    attempt_id uuid, lease_token text, to_status text, detail jsonb DEFAULT NULL, OUT seq bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM _check_length('to_status', advance_attempt.to_status, 200);
    PERFORM _check_size('detail', advance_attempt.detail);
    IF advance_attempt.to_status IS NULL THEN
        RAISE EXCEPTION 'to_status must not be null' USING ERRCODE = 'HD006',
            DETAIL = format('attempt %s', coalesce(advance_attempt.attempt_id::text, 'null')),
            HINT = 'SELECT * FROM hd_runtime.attempt_states lists the states.';
    END IF;
    IF NOT EXISTS (SELECT FROM attempt_states s WHERE s.status = advance_attempt.to_status AND s.leased) THEN
        -- The lease first: a late worker learns that it is late.
        IF NOT EXISTS (SELECT FROM task_attempts a WHERE a.id = advance_attempt.attempt_id
                       AND a.lease_token = _token_digest(advance_attempt.lease_token)
                       AND a.lease_expires > clock_timestamp()) THEN
            PERFORM _lease_lost(advance_attempt.attempt_id, advance_attempt.lease_token);
        END IF;
        RAISE EXCEPTION 'an attempt cannot be advanced to %', quote_literal(advance_attempt.to_status)
            USING ERRCODE = 'HD002',
            DETAIL = 'A worker may go to: ' || (SELECT string_agg(s.status, ', ' ORDER BY s.position)
                                                FROM attempt_states s WHERE s.leased AND s.position > 3),
            HINT = 'complete_attempt, fail_attempt and release_attempt end an attempt.';
    END IF;
    UPDATE task_attempts a
    SET status = advance_attempt.to_status, event_actor = a.agent_run_id, event_detail = advance_attempt.detail
    WHERE a.id = advance_attempt.attempt_id
      AND a.lease_token = _token_digest(advance_attempt.lease_token)
      AND a.lease_expires > clock_timestamp()
      AND a.status <> advance_attempt.to_status
    RETURNING a.event_seq INTO advance_attempt.seq;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM task_attempts a WHERE a.id = advance_attempt.attempt_id
                   AND a.lease_token = _token_digest(advance_attempt.lease_token)
                   AND a.lease_expires > clock_timestamp()) THEN
            RAISE EXCEPTION 'the attempt is % already', advance_attempt.to_status USING ERRCODE = 'HD002',
                DETAIL = format('attempt %s', advance_attempt.attempt_id),
                HINT = 'Go on with what follows, or end it: complete_attempt, fail_attempt, release_attempt.';
        END IF;
        PERFORM _lease_lost(advance_attempt.attempt_id, advance_attempt.lease_token);
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime.advance_attempt(uuid, text, text, jsonb) IS
'Moves a leased attempt on: model_selected, cache_checked, executing, artifact_validating, evidence_collecting, verifier_pending; steps may be skipped, never taken back. detail goes into the event. Returns seq of the event. Errors: HD001 lease lost, HD002 not a step forward, HD004 no such attempt, HD006 a null or a detail over 1 MiB.';
