CREATE OR REPLACE FUNCTION hd_runtime._check_classes(task_classes text[]) RETURNS void
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    IF EXISTS (SELECT FROM unnest(_check_classes.task_classes) AS c
               WHERE NOT EXISTS (SELECT FROM hd_runtime.task_classes k WHERE k.name = c)) THEN
        RAISE EXCEPTION 'task_classes names a class that is not there' USING ERRCODE = 'HD004',
            DETAIL = format('Asked for: %s. Known: %s.', array_to_string(_check_classes.task_classes, ', ', 'null'),
                            (SELECT string_agg(k.name, ', ' ORDER BY k.name) FROM hd_runtime.task_classes k)),
            HINT = 'An operator makes one with SELECT define_task_class(''name'').';
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime._check_classes(text[]) IS 'Refuses the name of a class that is not there (HD004).';
