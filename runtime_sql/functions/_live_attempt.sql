CREATE OR REPLACE FUNCTION hd_runtime._live_attempt(attempt_id uuid, lease_token text) RETURNS hd_runtime.task_attempts
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_attempt hd_runtime.task_attempts;
BEGIN
    SELECT a.* INTO v_attempt FROM hd_runtime.task_attempts a
    WHERE a.id = _live_attempt.attempt_id
      AND a.lease_token = hd_runtime._token_digest(_live_attempt.lease_token)
      AND a.lease_expires > clock_timestamp()
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM hd_runtime._lease_lost(_live_attempt.attempt_id, _live_attempt.lease_token);
    END IF;
    RETURN v_attempt;
END
$$;
COMMENT ON FUNCTION hd_runtime._live_attempt(uuid, text) IS
'The attempt whose live lease this is, locked: until the transaction ends, the lease cannot be lost. Errors as _lease_lost.';
