CREATE OR REPLACE FUNCTION hd_runtime._stronger_model(ladder text[], model_class text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- A class that is no longer on the ladder counts as below it.
    SELECT coalesce(ladder[coalesce(array_position(ladder, model_class), 0) + 1], model_class)
$$;
COMMENT ON FUNCTION hd_runtime._stronger_model(text[], text) IS
'One rung up the ladder of model classes; the same class at the top.';
