-- What claiming and completing cost.

-- An attempt changes its status twice at least. With room for that on its own page, the new version
-- lies beside the old one: no second page is locked and logged, and only what differs is logged.
ALTER TABLE hd_runtime.task_attempts SET (fillfactor = 70);

-- Postgres reads an index page as a whole: the first entry of a lane costs as much as all that stand
-- on its page. A quarter full, those are some 70 and not 260. This pays only because claims move the
-- marks (queue_marks) past pages on which all is dead: there are more of those too.
DROP INDEX hd_runtime.idx_queue;
CREATE INDEX idx_queue ON hd_runtime.task_attempts (lane_id, available_at)
    WITH (fillfactor = 25) WHERE status = 'queued';
COMMENT ON INDEX hd_runtime.idx_queue IS 'The queue: one probe per lane gives its oldest waiting attempt. A quarter full, because a probe reads its page as a whole.';

-- As for attempts: both changes of a task's status find room beside the row.
ALTER TABLE hd_runtime.tasks SET (fillfactor = 80);

-- A claim reads its lane anyway; what it needs of the class stands there too.
ALTER TABLE hd_runtime.queue_lanes ADD COLUMN lease_ttl interval;
DROP TRIGGER IF EXISTS append_only ON hd_runtime.queue_lanes;
UPDATE hd_runtime.queue_lanes l SET lease_ttl = coalesce(
    (SELECT c.lease_ttl FROM hd_runtime.task_classes c WHERE c.name = l.task_class), '3 minutes');
ALTER TABLE hd_runtime.queue_lanes ALTER COLUMN lease_ttl SET NOT NULL;
COMMENT ON COLUMN hd_runtime.queue_lanes.lease_ttl IS 'The class''s lease_ttl, which it follows (trigger lanes_follow on task_classes).';
