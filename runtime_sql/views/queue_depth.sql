CREATE OR REPLACE VIEW hd_runtime.queue_depth AS
SELECT t.project_id, t.task_class, a.agent_type, t.priority,
       count(*) FILTER (WHERE a.status = 'queued' AND a.available_at <= now()) AS ready,
       count(*) FILTER (WHERE a.status = 'queued' AND a.available_at > now()) AS waiting_for_time,
       count(*) FILTER (WHERE a.status = 'preflight_blocked') AS waiting_for_tasks,
       count(*) FILTER (WHERE a.status = 'repair_required') AS waiting_for_human,
       count(*) FILTER (WHERE a.lease_check_at IS NOT NULL) AS running,
       now() - min(a.available_at) FILTER (WHERE a.status = 'queued' AND a.available_at <= now()) AS oldest_waits
FROM hd_runtime.task_attempts a
JOIN hd_runtime.tasks t ON t.id = a.task_id
WHERE a.status NOT IN ('completed_verified', 'terminal_failed')
GROUP BY t.project_id, t.task_class, a.agent_type, t.priority;
COMMENT ON VIEW hd_runtime.queue_depth IS 'What is unfinished, by project, class, agent type and priority. Counts the rows it speaks of.';
COMMENT ON COLUMN hd_runtime.queue_depth.project_id IS 'The project.';
COMMENT ON COLUMN hd_runtime.queue_depth.task_class IS 'The class.';
COMMENT ON COLUMN hd_runtime.queue_depth.agent_type IS 'The type of agent wanted.';
COMMENT ON COLUMN hd_runtime.queue_depth.priority IS 'The priority, lower first.';
COMMENT ON COLUMN hd_runtime.queue_depth.ready IS 'Claimable now.';
COMMENT ON COLUMN hd_runtime.queue_depth.waiting_for_time IS 'Claimable later (available_at).';
COMMENT ON COLUMN hd_runtime.queue_depth.waiting_for_tasks IS 'Waiting for other tasks.';
COMMENT ON COLUMN hd_runtime.queue_depth.waiting_for_human IS 'Waiting for a review.';
COMMENT ON COLUMN hd_runtime.queue_depth.running IS 'Leased.';
COMMENT ON COLUMN hd_runtime.queue_depth.oldest_waits IS 'How long the oldest claimable one has waited.';
