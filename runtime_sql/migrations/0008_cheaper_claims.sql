-- What a claim costs: looking for dependencies that are hardly ever there costs as much as an update.

ALTER TABLE hd_runtime.task_attempts ADD COLUMN has_needs boolean;
COMMENT ON COLUMN hd_runtime.task_attempts.has_needs IS 'Whether its task needs others, so that a claim knows without looking. Null: made before there was this column; then it looks.';
