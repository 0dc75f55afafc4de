-- What a claim costs, measured in instructions: Postgres reads an index page as a whole, so that the
-- first entry of a lane costs as much as all that stand on its page; and looking for dependencies that
-- are hardly ever there costs as much as an update.

-- A quarter full: a page has some 70 entries to look at, and not 260.
DROP INDEX hd_runtime.idx_queue;
CREATE INDEX idx_queue ON hd_runtime.task_attempts (lane_id, available_at)
    WITH (fillfactor = 25) WHERE status = 'queued';
COMMENT ON INDEX hd_runtime.idx_queue IS 'The queue: one probe per lane gives its oldest waiting attempt. A quarter full, because a probe reads its page as a whole.';
DROP INDEX hd_runtime.idx_project_queue;
CREATE INDEX idx_project_queue ON hd_runtime.task_attempts (project_id, lane_id, available_at)
    WITH (fillfactor = 25) WHERE status = 'queued';
COMMENT ON INDEX hd_runtime.idx_project_queue IS 'The queue for a claim of one project, so that it need not pass the backlog of others.';

ALTER TABLE hd_runtime.task_attempts ADD COLUMN has_needs boolean;
COMMENT ON COLUMN hd_runtime.task_attempts.has_needs IS 'Whether its task needs others, so that a claim knows without looking. Null: made before there was this column; then it looks.';
