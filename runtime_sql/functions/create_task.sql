CREATE OR REPLACE FUNCTION hd_runtime.create_task(
    project_id    uuid,
    agent_type    text,
    task_class    text,
    payload       jsonb DEFAULT NULL,
    input_hash    text DEFAULT NULL,
    work_item_key text DEFAULT NULL,
    priority      int DEFAULT 100,
    needs         uuid[] DEFAULT '{}',
    available_at  timestamptz DEFAULT now())
RETURNS hd_runtime.created_task
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = hd_runtime, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_made created_task;
    v_needs uuid[];
    v_unmet int := 0;
    v_failed uuid;
    v_lane int;
    v_model text;
    v_missing text;
BEGIN
    v_missing := CASE WHEN create_task.project_id IS NULL THEN 'project_id'
                      WHEN coalesce(create_task.agent_type, '') = '' THEN 'agent_type'
                      WHEN coalesce(create_task.task_class, '') = '' THEN 'task_class'
                      WHEN create_task.priority IS NULL THEN 'priority'
                      WHEN create_task.available_at IS NULL THEN 'available_at'
                      WHEN array_position(create_task.needs, NULL) IS NOT NULL THEN 'an element of needs'
                 END;
    IF v_missing IS NOT NULL THEN
        RAISE EXCEPTION 'a task needs %', v_missing USING ERRCODE = 'HD006',
            DETAIL = v_missing || ' is null or empty';
    END IF;
    IF greatest(length(create_task.agent_type), length(create_task.task_class)) > 200
       OR greatest(length(create_task.work_item_key), length(create_task.input_hash)) > 500 THEN
        PERFORM _check_length('agent_type', create_task.agent_type, 200);
        PERFORM _check_length('task_class', create_task.task_class, 200);
        PERFORM _check_length('work_item_key', create_task.work_item_key, 500);
        PERFORM _check_length('input_hash', create_task.input_hash, 500);
    END IF;
    IF create_task.priority NOT BETWEEN 0 AND 32767 THEN
        RAISE EXCEPTION 'priority % is out of range', create_task.priority USING ERRCODE = 'HD006',
            HINT = 'Priorities go from 0 (first) to 32767; 100 is usual.';
    END IF;
    PERFORM _check_size('payload', create_task.payload);
    IF NOT EXISTS (SELECT FROM projects p WHERE p.id = create_task.project_id) THEN
        RAISE EXCEPTION 'there is no project %', create_task.project_id USING ERRCODE = 'HD004',
            HINT = 'SELECT create_project(''name'') makes one; default_project() is always there.';
    END IF;
    SELECT c.model_classes[1] INTO v_model FROM task_classes c WHERE c.name = create_task.task_class;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no task class %', quote_literal(create_task.task_class) USING ERRCODE = 'HD004',
            DETAIL = 'Known: ' || (SELECT string_agg(c.name, ', ' ORDER BY c.name) FROM task_classes c),
            HINT = 'An operator makes one with SELECT define_task_class(''name'').';
    END IF;

    v_made.task_id := _new_id();
    IF create_task.work_item_key IS NOT NULL THEN
        LOOP
            INSERT INTO open_work_items (project_id, work_item_key, task_id)
            VALUES (create_task.project_id, create_task.work_item_key, v_made.task_id)
            ON CONFLICT DO NOTHING;
            EXIT WHEN FOUND;
            -- Another unfinished task has the key, unless it has just ended.
            SELECT a.task_id, a.id, false INTO v_made
            FROM open_work_items o JOIN task_attempts a ON a.task_id = o.task_id
            WHERE o.project_id = create_task.project_id AND o.work_item_key = create_task.work_item_key
            ORDER BY a.attempt_no DESC LIMIT 1;
            IF FOUND THEN
                RETURN v_made;
            END IF;
            v_made.task_id := _new_id();
        END LOOP;
    END IF;

    IF cardinality(create_task.needs) > 0 THEN
        PERFORM _require_read_committed();
        SELECT array_agg(DISTINCT n ORDER BY n) INTO v_needs FROM unnest(create_task.needs) AS n;
        -- Until this transaction ends, none of them can end unseen: see _task_ended.
        PERFORM pg_advisory_xact_lock_shared(x'48440002'::int, uuid_hash(n)) FROM unnest(v_needs) AS n;
        SELECT string_agg(n::text, ', ') INTO v_missing
        FROM unnest(v_needs) AS n
        WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.id = n AND t.project_id = create_task.project_id);
        IF v_missing IS NOT NULL THEN
            RAISE EXCEPTION 'needs names tasks that are not there' USING ERRCODE = 'HD004',
                DETAIL = format('not in project %s: %s', create_task.project_id, v_missing);
        END IF;
        SELECT count(*) FILTER (WHERE t.status <> 'done'), (array_agg(t.id) FILTER (WHERE t.status = 'failed'))[1]
        INTO v_unmet, v_failed
        FROM tasks t WHERE t.id = ANY (v_needs);
    END IF;

    INSERT INTO tasks (id, project_id, agent_type, task_class, status, input_hash, priority, work_item_key,
                       payload, available_at)
    VALUES (v_made.task_id, create_task.project_id, create_task.agent_type, create_task.task_class,
            CASE WHEN v_unmet > 0 THEN 'created' ELSE 'queued' END, create_task.input_hash, create_task.priority,
            create_task.work_item_key, create_task.payload, create_task.available_at);
    IF v_needs IS NOT NULL THEN
        INSERT INTO task_dependencies (task_id, needs_task_id)
        SELECT v_made.task_id, n FROM unnest(v_needs) AS n;
    END IF;
    v_lane := _lane(create_task.task_class, create_task.agent_type, create_task.priority::smallint);
    v_made.attempt_id := _new_id();
    INSERT INTO task_attempts (id, task_id, project_id, attempt_no, lane_id, status, available_at, agent_type, model_class,
                               has_needs)
    VALUES (v_made.attempt_id, v_made.task_id, create_task.project_id, 1, v_lane,
            CASE WHEN v_unmet > 0 THEN 'preflight_blocked' ELSE 'queued' END,
            CASE WHEN v_unmet > 0 THEN create_task.available_at
                 ELSE _queue_position(v_lane, create_task.project_id, create_task.available_at) END,
            create_task.agent_type, v_model, v_needs IS NOT NULL);
    v_made.created := true;
    IF v_failed IS NOT NULL THEN
        PERFORM _block_dependents(v_failed);
    ELSIF v_unmet = 0 AND create_task.available_at <= clock_timestamp() THEN
        PERFORM _announce_work(create_task.task_class);
    END IF;
    RETURN v_made;
END
$$;
COMMENT ON FUNCTION hd_runtime.create_task(uuid, text, text, jsonb, text, text, int, uuid[], timestamptz) IS
'Creates a task and its first attempt. Shortest: SELECT * FROM create_task(default_project(), ''builder'', ''code''). Returns task_id, attempt_id, and created: false when an unfinished task of the project has the same work_item_key, in which case that one is returned and nothing is made.
needs: tasks of the same project that must be done first; the new task waits as created / preflight_blocked until then. If one of them has failed, it fails as blocked at once. Keep the transaction short: those tasks cannot end before it does.
Lower priority goes first; within a class, agent type and priority, the oldest.
Errors: HD004 unknown project (make one with create_project(name); default_project() is always there), class (define_task_class) or needed task; HD006 something null or empty, priority out of range, payload over 1 MiB.';
