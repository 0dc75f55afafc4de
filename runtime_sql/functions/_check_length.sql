CREATE OR REPLACE FUNCTION hd_runtime._check_length(what text, value text, at_most int) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF length(value) > at_most THEN
        RAISE EXCEPTION '% is too long', what USING ERRCODE = 'HD006',
            DETAIL = format('%s characters, %s are allowed', length(value), at_most),
            HINT = 'Put what is long into the payload or an artifact, and name it here.';
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime._check_length(text, text, int) IS
'Refuses a text of more characters than its place has room for (HD006): 200 for a name, 500 for a work_item_key, 1000 for other keys, hashes, titles and uris, 100000 for prose. Names and keys stand in indexes, whose rows are limited.';
