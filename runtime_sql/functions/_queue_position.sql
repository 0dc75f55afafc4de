CREATE OR REPLACE FUNCTION hd_runtime._queue_position(lane_id int, project_id uuid, requested timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_registered boolean;
BEGIN
    v_registered := pg_advisory_xact_lock_shared(hd_runtime._flight_key(_queue_position.lane_id, now())) IS NOT NULL;
    -- After the registration, in a statement of its own: see _advance_marks. The marks matter only
    -- if the server's clock was set back.
    RETURN greatest(
        requested, clock_timestamp(),
        (SELECT m.position FROM hd_runtime.queue_marks m
         WHERE m.lane_id = _queue_position.lane_id AND m.project_id = '00000000-0000-0000-0000-000000000000'
         ORDER BY m.position DESC LIMIT 1),
        (SELECT m.position FROM hd_runtime.queue_marks m
         WHERE m.lane_id = _queue_position.lane_id AND m.project_id = _queue_position.project_id
         ORDER BY m.position DESC LIMIT 1));
END
$$;
COMMENT ON FUNCTION hd_runtime._queue_position(int, uuid, timestamptz) IS
'The place in a lane for an attempt that is about to become queued: not before "requested", and never before any mark of the lane. Whatever sets status = ''queued'' takes available_at from here, in the same transaction.';
