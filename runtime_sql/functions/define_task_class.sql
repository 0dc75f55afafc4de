CREATE OR REPLACE FUNCTION hd_runtime.define_task_class(
    name text, description text DEFAULT NULL, lease_ttl interval DEFAULT NULL, heartbeat_interval interval DEFAULT NULL,
    max_l1 int DEFAULT NULL, max_l2 int DEFAULT NULL, max_l3 int DEFAULT NULL, max_expiries int DEFAULT NULL,
    backoff interval DEFAULT NULL, backoff_max interval DEFAULT NULL, model_classes text[] DEFAULT NULL,
    min_confidence double precision DEFAULT NULL, review_within interval DEFAULT NULL)
RETURNS hd_runtime.task_classes
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_class task_classes;
BEGIN
    PERFORM _check_length('name', define_task_class.name, 200);
    PERFORM _check_length('description', define_task_class.description, 100000);
    IF coalesce(define_task_class.name, '') = '' THEN
        RAISE EXCEPTION 'a task class needs a name' USING ERRCODE = 'HD006',
            DETAIL = 'name is null or empty',
            HINT = 'SELECT define_task_class(''name''); all else has defaults.';
    END IF;
    PERFORM _check_length('model_classes', array_to_string(define_task_class.model_classes, ','), 1000);
    IF array_position(define_task_class.model_classes, NULL) IS NOT NULL
       OR array_ndims(define_task_class.model_classes) > 1 THEN
        RAISE EXCEPTION 'model_classes must be a list of names' USING ERRCODE = 'HD006',
            HINT = 'Weakest first: ''{standard,strong,strongest}''.',
            DETAIL = format('class %s', define_task_class.name);
    END IF;
    INSERT INTO task_classes (name) VALUES (define_task_class.name) ON CONFLICT DO NOTHING;
    UPDATE task_classes c
    SET description = coalesce(define_task_class.description, c.description),
        lease_ttl = coalesce(define_task_class.lease_ttl, c.lease_ttl),
        heartbeat_interval = coalesce(define_task_class.heartbeat_interval, c.heartbeat_interval),
        max_l1 = coalesce(define_task_class.max_l1, c.max_l1),
        max_l2 = coalesce(define_task_class.max_l2, c.max_l2),
        max_l3 = coalesce(define_task_class.max_l3, c.max_l3),
        max_expiries = coalesce(define_task_class.max_expiries, c.max_expiries),
        backoff = coalesce(define_task_class.backoff, c.backoff),
        backoff_max = coalesce(define_task_class.backoff_max, c.backoff_max),
        model_classes = coalesce(define_task_class.model_classes, c.model_classes),
        min_confidence = coalesce(define_task_class.min_confidence, c.min_confidence),
        review_within = coalesce(define_task_class.review_within, c.review_within),
        updated_at = now()
    WHERE c.name = define_task_class.name
    RETURNING c.* INTO v_class;
    RETURN v_class;
EXCEPTION WHEN check_violation OR numeric_value_out_of_range THEN
    RAISE EXCEPTION 'a setting of task class % is out of range', quote_literal(define_task_class.name)
        USING ERRCODE = 'HD006', DETAIL = SQLERRM,
        HINT = '\d+ hd_runtime.task_classes describes the settings.';
END
$$;
COMMENT ON FUNCTION hd_runtime.define_task_class(text, text, interval, interval, int, int, int, int, interval, interval, text[], double precision, interval) IS
'Makes a class of task, or changes one (operator). A null leaves a setting as it is, a new class gets the defaults of the table: SELECT define_task_class(''nightly'', lease_ttl => ''30 minutes''). Error HD006: no name, a setting out of range.';
