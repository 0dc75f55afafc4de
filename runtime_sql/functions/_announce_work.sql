CREATE OR REPLACE FUNCTION hd_runtime._announce_work(task_class text) RETURNS boolean
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_waiting text[];
BEGIN
    SELECT array_agg(c) INTO v_waiting
    FROM unnest(ARRAY[_announce_work.task_class, '*']) AS c
    WHERE (SELECT s.waiting FROM hd_runtime.work_signals s WHERE s.task_class = c ORDER BY s.at DESC LIMIT 1);
    -- The lock is not waited for: whoever has it is about to notify, and if that transaction rolls
    -- back, housekeep() notifies within seconds.
    IF v_waiting IS NOT NULL
       AND pg_try_advisory_xact_lock(x'48440003'::int, hashtext(_announce_work.task_class)) THEN
        INSERT INTO hd_runtime.work_signals (task_class, waiting) SELECT c, false FROM unnest(v_waiting) AS c;
        PERFORM pg_notify('hd_work', _announce_work.task_class);
        RETURN true;
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION hd_runtime._announce_work(text) IS
'Something of a class became claimable: notifies channel hd_work with the class as payload, if somebody waits and has not been told yet. Returns whether it did.';
