CREATE OR REPLACE FUNCTION hd_runtime.record_llm_invocation(
    decision_id uuid, lease_token text, provider text, model text, input_tokens bigint DEFAULT 0,
    output_tokens bigint DEFAULT 0, cached_tokens bigint DEFAULT 0, cost_usd double precision DEFAULT 0,
    latency_ms bigint DEFAULT NULL, prompt_hash text DEFAULT NULL, status text DEFAULT 'ok', error text DEFAULT NULL,
    OUT id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_attempt task_attempts;
BEGIN
    PERFORM _check_length('provider', record_llm_invocation.provider, 200);
    PERFORM _check_length('model', record_llm_invocation.model, 200);
    PERFORM _check_length('prompt_hash', record_llm_invocation.prompt_hash, 1000);
    PERFORM _check_length('status', record_llm_invocation.status, 200);
    PERFORM _check_length('error', record_llm_invocation.error, 100000);
    IF record_llm_invocation.decision_id IS NULL OR record_llm_invocation.lease_token IS NULL THEN
        RAISE EXCEPTION 'decision_id and lease_token must not be null' USING ERRCODE = 'HD006',
            DETAIL = format('model decision %s', coalesce(record_llm_invocation.decision_id::text, 'null')),
            HINT = 'record_model_decision returns decision_id, claim_next_task the lease token.';
    END IF;
    SELECT a.* INTO v_attempt FROM model_decisions d JOIN task_attempts a ON a.id = d.attempt_id
    WHERE d.id = record_llm_invocation.decision_id
    -- Until this transaction ends, the lease can be neither renewed nor taken away: stale is the truth.
    FOR SHARE OF a;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no model decision %', record_llm_invocation.decision_id USING ERRCODE = 'HD004',
            HINT = 'record_model_decision returns its id.',
            DETAIL = format('no row of hd_runtime.model_decisions has id %s', record_llm_invocation.decision_id);
    END IF;
    IF v_attempt.lease_token IS DISTINCT FROM _token_digest(record_llm_invocation.lease_token) THEN
        PERFORM _lease_lost(v_attempt.id, record_llm_invocation.lease_token);
    END IF;
    IF coalesce(record_llm_invocation.provider, '') = '' OR coalesce(record_llm_invocation.model, '') = ''
       OR coalesce(record_llm_invocation.status, '') NOT IN ('ok', 'error', 'timeout', 'rate_limited', 'cancelled')
       OR coalesce(least(record_llm_invocation.input_tokens, record_llm_invocation.output_tokens,
                         record_llm_invocation.cached_tokens, record_llm_invocation.latency_ms), 0) < 0
       OR num_nulls(record_llm_invocation.input_tokens, record_llm_invocation.output_tokens,
                    record_llm_invocation.cached_tokens, record_llm_invocation.cost_usd) > 0
       OR record_llm_invocation.cost_usd NOT BETWEEN 0 AND 999999 THEN
        RAISE EXCEPTION 'an invocation needs a provider, a model, a status, and counts and a cost that are not negative'
            USING ERRCODE = 'HD006', HINT = 'status is ok, error, timeout, rate_limited or cancelled.',
            DETAIL = format('model decision %s', record_llm_invocation.decision_id);
    END IF;
    -- Any kind of number is taken, for drivers send a float as one; up to 999999.999999, fifteen digits hold it exactly.
    IF record_llm_invocation.cost_usd::numeric <> round(record_llm_invocation.cost_usd::numeric, 6) THEN
        RAISE EXCEPTION 'cost_usd has more than six decimals: %', record_llm_invocation.cost_usd USING ERRCODE = 'HD006',
            HINT = 'Round it as the bill does.',
            DETAIL = format('model decision %s', record_llm_invocation.decision_id);
    END IF;
    INSERT INTO llm_invocations (id, decision_id, provider, model, input_tokens, output_tokens, cached_tokens, cost_usd,
                                 latency_ms, prompt_hash, status, error, stale)
    VALUES (_new_id(), record_llm_invocation.decision_id, record_llm_invocation.provider, record_llm_invocation.model,
            record_llm_invocation.input_tokens, record_llm_invocation.output_tokens, record_llm_invocation.cached_tokens,
            record_llm_invocation.cost_usd::numeric, record_llm_invocation.latency_ms, record_llm_invocation.prompt_hash,
            record_llm_invocation.status, record_llm_invocation.error,
            coalesce(v_attempt.lease_expires <= clock_timestamp(), true))
    RETURNING llm_invocations.id INTO record_llm_invocation.id;
END
$$;
COMMENT ON FUNCTION hd_runtime.record_llm_invocation(uuid, text, text, text, bigint, bigint, bigint, double precision, bigint, text, text, text) IS
'Records one call of a model. A worker whose lease has ended may still report a call that it made: it costs money all the same, and is marked stale. Returns its id. Errors: HD001 not the token of that attempt, HD004 no such decision, HD006 nothing named, a negative number, a cost with more than six decimals.';
