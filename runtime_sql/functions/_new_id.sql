CREATE OR REPLACE FUNCTION hd_runtime._new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6),
            52, 1), 53, 1), 'hex')::uuid
$$;
COMMENT ON FUNCTION hd_runtime._new_id() IS
'A version 7 UUID (RFC 9562): 48 bits of milliseconds, then random bits. Postgres has uuidv7() from 18 on; this is for 15 to 17 as well.';
