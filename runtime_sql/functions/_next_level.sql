CREATE OR REPLACE FUNCTION hd_runtime._next_level(
    task_id uuid, model_class text, failure_kind text, OUT level text, OUT used int, OUT reason text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    v_class hd_runtime.task_classes;
    v_l1 int;
    v_expiries int;
    v_l2 int;
    v_l3 int;
BEGIN
    SELECT c.* INTO STRICT v_class
    FROM hd_runtime.tasks t JOIN hd_runtime.task_classes c ON c.name = t.task_class
    WHERE t.id = _next_level.task_id;
    -- Budgets count from the last time a human resumed the task.
    SELECT count(*) FILTER (WHERE r.action = 'retry'), count(*) FILTER (WHERE r.action = 'requeue'),
           count(*) FILTER (WHERE r.action = 'escalate'), count(*) FILTER (WHERE r.action = 'repair')
    INTO v_l1, v_expiries, v_l2, v_l3
    FROM hd_runtime.recovery_actions r
    WHERE r.task_id = _next_level.task_id
      AND r.id > coalesce((SELECT max(x.id) FROM hd_runtime.recovery_actions x
                           WHERE x.task_id = _next_level.task_id AND x.action = 'resume'), 0);

    level := coalesce((SELECT k.first_level FROM hd_runtime.failure_kinds k WHERE k.kind = _next_level.failure_kind), 'L4');
    reason := format('%s starts at %s', _next_level.failure_kind, level);
    used := 0;
    IF level = 'L1' AND _next_level.failure_kind = 'lease_expired' THEN
        used := v_expiries;
        IF v_expiries >= v_class.max_expiries THEN
            reason := reason || format('; %s of %s expiries used', v_expiries, v_class.max_expiries);
            level := 'L2';
        END IF;
    ELSIF level = 'L1' THEN
        used := v_l1;
        IF v_l1 >= v_class.max_l1 THEN
            reason := reason || format('; %s of %s L1 used', v_l1, v_class.max_l1);
            level := 'L2';
        END IF;
    END IF;
    IF level = 'L2' THEN
        used := v_l2;
        IF v_l2 >= v_class.max_l2 THEN
            reason := reason || format('; %s of %s L2 used', v_l2, v_class.max_l2);
            level := 'L3';
        ELSIF hd_runtime._stronger_model(v_class.model_classes, _next_level.model_class) = _next_level.model_class THEN
            reason := reason || format('; no model class above %s', _next_level.model_class);
            level := 'L3';
        END IF;
    END IF;
    IF level = 'L3' THEN
        used := v_l3;
        IF v_l3 >= v_class.max_l3 THEN
            reason := reason || format('; %s of %s L3 used', v_l3, v_class.max_l3);
            level := 'L4';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime._next_level(uuid, text, text) IS
'The recovery coordinator''s decision: the first level for the kind of failure whose budget is not spent, L1 to L2 to L3 to L4. used: how many recoveries of that level there were already. reason: how it came to that, for people. Unknown kinds start at L4.';
