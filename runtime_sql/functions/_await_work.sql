CREATE OR REPLACE FUNCTION hd_runtime._await_work(task_classes text[]) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO hd_runtime.work_signals (task_class, waiting)
    SELECT c, true FROM unnest(coalesce(task_classes, '{*}')) AS c
    WHERE (c = '*' OR EXISTS (SELECT FROM hd_runtime.task_classes k WHERE k.name = c))
      AND (SELECT s.waiting FROM hd_runtime.work_signals s
           WHERE s.task_class = c ORDER BY s.at DESC LIMIT 1) IS NOT TRUE;
END
$$;
COMMENT ON FUNCTION hd_runtime._await_work(text[]) IS
'A claim came back empty-handed: remembers that somebody waits for these classes (null: for any), so that the next task is announced on channel hd_work.';
