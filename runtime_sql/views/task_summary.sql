CREATE OR REPLACE VIEW hd_runtime.task_summary AS
SELECT t.id AS task_id, t.project_id, p.name AS project, t.agent_type, t.task_class, t.status, t.priority, t.work_item_key,
       a.attempts, a.attempt_id, a.attempt_status, a.recovery_level, a.agent_run_id, a.lease_expires, a.failure_kind,
       coalesce(c.cost_usd, 0.000000) AS total_cost_usd,
       t.created_at, t.updated_at,
       CASE WHEN t.status IN ('done', 'failed') THEN t.updated_at - t.created_at END AS took
FROM hd_runtime.tasks t
JOIN hd_runtime.projects p ON p.id = t.project_id
LEFT JOIN LATERAL (
    SELECT x.attempt_no AS attempts, x.id AS attempt_id, x.status AS attempt_status, x.recovery_level, x.agent_run_id,
           x.lease_expires, x.failure_kind
    FROM hd_runtime.task_attempts x WHERE x.task_id = t.id ORDER BY x.attempt_no DESC LIMIT 1) AS a ON true
LEFT JOIN LATERAL (
    SELECT sum(i.cost_usd) AS cost_usd
    FROM hd_runtime.task_attempts x
    JOIN hd_runtime.model_decisions d ON d.attempt_id = x.id
    JOIN hd_runtime.llm_invocations i ON i.decision_id = d.id
    WHERE x.task_id = t.id) AS c ON true;
COMMENT ON VIEW hd_runtime.task_summary IS 'One row per task: where it stands, its last attempt, what it has cost. Ask for a project, a status or a task: it looks at every attempt and invocation of each row.';
COMMENT ON COLUMN hd_runtime.task_summary.task_id IS 'The task.';
COMMENT ON COLUMN hd_runtime.task_summary.project_id IS 'Its project.';
COMMENT ON COLUMN hd_runtime.task_summary.project IS 'Its project''s name.';
COMMENT ON COLUMN hd_runtime.task_summary.agent_type IS 'The type of agent it is meant for.';
COMMENT ON COLUMN hd_runtime.task_summary.task_class IS 'Its class.';
COMMENT ON COLUMN hd_runtime.task_summary.status IS 'Its status.';
COMMENT ON COLUMN hd_runtime.task_summary.priority IS 'Its priority, lower first.';
COMMENT ON COLUMN hd_runtime.task_summary.work_item_key IS 'Its work_item_key.';
COMMENT ON COLUMN hd_runtime.task_summary.attempts IS 'How many attempts there were.';
COMMENT ON COLUMN hd_runtime.task_summary.attempt_id IS 'The last attempt.';
COMMENT ON COLUMN hd_runtime.task_summary.attempt_status IS 'The last attempt''s status.';
COMMENT ON COLUMN hd_runtime.task_summary.recovery_level IS 'The recovery that made the last attempt.';
COMMENT ON COLUMN hd_runtime.task_summary.agent_run_id IS 'Who has, or had, the last attempt.';
COMMENT ON COLUMN hd_runtime.task_summary.lease_expires IS 'When the last attempt''s lease ends.';
COMMENT ON COLUMN hd_runtime.task_summary.failure_kind IS 'Why the last attempt failed.';
COMMENT ON COLUMN hd_runtime.task_summary.total_cost_usd IS 'Cost of all its attempts, stale calls included.';
COMMENT ON COLUMN hd_runtime.task_summary.created_at IS 'When it was created.';
COMMENT ON COLUMN hd_runtime.task_summary.updated_at IS 'When its status last changed.';
COMMENT ON COLUMN hd_runtime.task_summary.took IS 'From creation to end; null while it has not ended.';
