-- What makes a claim cheap: lanes, low-water marks, and who waits for work.

CREATE TABLE hd_runtime.queue_lanes (
    id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id BETWEEN 1 AND 16777215),
    task_class text NOT NULL,
    agent_type text NOT NULL,
    priority   smallint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (priority, task_class, agent_type)
);
COMMENT ON TABLE hd_runtime.queue_lanes IS 'The lanes of the queue: one per task class, agent type and priority in use. Within a lane the oldest goes first, so its head is one probe of idx_queue, whatever the backlog; a claim looks at the heads of the lanes it may take from and never sorts what waits. Rows are made by create_task and never deleted.';
COMMENT ON COLUMN hd_runtime.queue_lanes.id IS 'As in task_attempts.lane_id. 24 bits: it is part of an advisory lock''s key (see _queue_position).';
COMMENT ON COLUMN hd_runtime.queue_lanes.task_class IS 'Class of its tasks.';
COMMENT ON COLUMN hd_runtime.queue_lanes.agent_type IS 'Agent type of its attempts.';
COMMENT ON COLUMN hd_runtime.queue_lanes.priority IS 'Priority of its tasks, lower first.';
COMMENT ON COLUMN hd_runtime.queue_lanes.created_at IS 'When it was first used.';


CREATE TABLE hd_runtime.queue_marks (
    lane_id    int NOT NULL,
    project_id uuid NOT NULL,
    position   timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
CREATE INDEX idx_queue_marks ON hd_runtime.queue_marks (lane_id, project_id, position DESC);
COMMENT ON TABLE hd_runtime.queue_marks IS 'Low-water marks: nothing waits in a lane before its greatest mark, so a claim starts its index scan there and not among the dead entries of what was claimed before. While an old transaction keeps vacuum from removing those, this is what keeps a claim fast. A mark is added, never updated: reading the greatest of an index costs the same however many dead ones lie below it, nobody waits for anybody, and a rollback takes it back. housekeep() deletes the surpassed.';
COMMENT ON COLUMN hd_runtime.queue_marks.lane_id IS 'The lane; 0 for the reaper''s own scan of idx_leases.';
COMMENT ON COLUMN hd_runtime.queue_marks.project_id IS 'All zeros: for the whole lane (idx_queue). Else for the part of the lane that belongs to the project (idx_project_queue).';
COMMENT ON COLUMN hd_runtime.queue_marks.position IS 'No waiting attempt has a smaller available_at (lane 0: no lease a smaller lease_check_at). Not unique on purpose: a unique key would make two claims wait for each other.';
COMMENT ON INDEX hd_runtime.idx_queue_marks IS 'The greatest mark of a lane is its first entry.';


CREATE TABLE hd_runtime.work_signals (
    task_class text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    waiting    boolean NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
CREATE INDEX idx_work_signals ON hd_runtime.work_signals (task_class, at DESC);
COMMENT ON TABLE hd_runtime.work_signals IS 'Whether an agent waits for work of a class: the class''s newest row says so. A claim that finds nothing adds "waiting"; the next task that becomes claimable sees it, notifies channel hd_work once and adds "notified". So a thousand inserts are one notification, and none when nobody waits. Rows are added and never updated, for the reasons of queue_marks.';
COMMENT ON COLUMN hd_runtime.work_signals.task_class IS 'The class; ''*'' for an agent that takes any.';
COMMENT ON COLUMN hd_runtime.work_signals.at IS 'When.';
COMMENT ON COLUMN hd_runtime.work_signals.waiting IS 'True: a claim came back empty-handed. False: hd_work was notified since.';
COMMENT ON INDEX hd_runtime.idx_work_signals IS 'The newest signal of a class is its first entry.';
