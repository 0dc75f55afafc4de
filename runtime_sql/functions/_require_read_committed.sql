CREATE OR REPLACE FUNCTION hd_runtime._require_read_committed() RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'this function runs at isolation level READ COMMITTED only' USING ERRCODE = '0A000',
            DETAIL = format('The transaction is at %s.', upper(current_setting('transaction_isolation'))),
            HINT = 'BEGIN ISOLATION LEVEL READ COMMITTED. With an older snapshot it would miss dependencies that were declared since.';
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime._require_read_committed() IS
'Refuses a transaction whose snapshot may be older than the locks it is about to take (0A000).';
