CREATE OR REPLACE FUNCTION hd_runtime._check_size(what text, document jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF pg_column_size(document) > 1048576 THEN
        RAISE EXCEPTION '% is too large', what USING ERRCODE = 'HD006',
            DETAIL = format('%s bytes as jsonb, 1048576 are allowed', pg_column_size(document)),
            HINT = 'Publish it as an artifact with a uri, and pass the artifact''s key.';
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime._check_size(text, jsonb) IS
'Refuses a document of more than 1 MiB (HD006): what goes through the queue is read and written many times over.';
