CREATE OR REPLACE FUNCTION hd_runtime.event_digest(
    prev_hash bytea, task_id uuid, attempt_id uuid, seq bigint, ts timestamptz, type text,
    from_status text, to_status text, actor text, detail jsonb)
RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(prev_hash || convert_to(concat_ws(E'\n',
        task_id, attempt_id, seq,
        to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        type, coalesce(from_status, ''), to_status, actor, coalesce(detail::text, '')), 'UTF8'))
$$;
COMMENT ON FUNCTION hd_runtime.event_digest(bytea, uuid, uuid, bigint, timestamptz, text, text, text, text, jsonb) IS
'The hash of an event: SHA-256 over the 32 bytes of prev_hash, followed by these fields in UTF-8 with a line feed between them: task_id, attempt_id, seq, ts as 2026-01-31T23:59:59.000001Z, type, from_status (empty when null), to_status, actor, detail as Postgres prints jsonb (empty when null). No field but the last can hold a line feed, and printed jsonb never does, so no two events give the same bytes. Anybody can recompute it outside the database.';
