CREATE OR REPLACE VIEW hd_runtime.lineage AS
SELECT i.id AS artifact_id, i.artifact_key, i.kind, i.content_hash, i.branch_id, i.confidence, i.created_at AS published_at,
       i.lease_epoch, a.id AS attempt_id, a.attempt_no, a.status AS attempt_status, a.recovery_level, a.agent_run_id,
       d.decisions, d.models, d.cost_usd,
       v.validations, v.passed,
       a.status = 'completed_verified' AND coalesce(v.passed, true) AS consumable,
       t.id AS task_id, t.agent_type, t.task_class, t.work_item_key, t.created_by,
       p.id AS project_id, p.name AS project
FROM hd_runtime.artifact_instances i
JOIN hd_runtime.task_attempts a ON a.id = i.attempt_id
JOIN hd_runtime.tasks t ON t.id = a.task_id
JOIN hd_runtime.projects p ON p.id = t.project_id
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT x.id) AS decisions, array_agg(DISTINCT n.model) FILTER (WHERE n.model IS NOT NULL) AS models,
           coalesce(sum(n.cost_usd), 0.000000) AS cost_usd
    FROM hd_runtime.model_decisions x LEFT JOIN hd_runtime.llm_invocations n ON n.decision_id = x.id
    WHERE x.attempt_id = a.id) AS d
CROSS JOIN LATERAL (
    SELECT count(*) AS validations, bool_and(x.passed) AS passed
    FROM hd_runtime.artifact_validations x WHERE x.artifact_id = i.id) AS v;
COMMENT ON VIEW hd_runtime.lineage IS 'Where an artifact came from: artifact, attempt, model decisions and calls, task, project.';
COMMENT ON COLUMN hd_runtime.lineage.artifact_id IS 'The artifact.';
COMMENT ON COLUMN hd_runtime.lineage.artifact_key IS 'Its name.';
COMMENT ON COLUMN hd_runtime.lineage.kind IS 'What it is.';
COMMENT ON COLUMN hd_runtime.lineage.content_hash IS 'Hash of its content.';
COMMENT ON COLUMN hd_runtime.lineage.branch_id IS 'Its branch; null: the mainline.';
COMMENT ON COLUMN hd_runtime.lineage.confidence IS 'The worker''s confidence in it.';
COMMENT ON COLUMN hd_runtime.lineage.published_at IS 'When it was published.';
COMMENT ON COLUMN hd_runtime.lineage.lease_epoch IS 'The lease it was published under.';
COMMENT ON COLUMN hd_runtime.lineage.attempt_id IS 'The attempt that produced it.';
COMMENT ON COLUMN hd_runtime.lineage.attempt_no IS 'Which attempt of the task that was.';
COMMENT ON COLUMN hd_runtime.lineage.attempt_status IS 'How that attempt stands.';
COMMENT ON COLUMN hd_runtime.lineage.recovery_level IS 'The recovery that made that attempt.';
COMMENT ON COLUMN hd_runtime.lineage.agent_run_id IS 'Who produced it.';
COMMENT ON COLUMN hd_runtime.lineage.decisions IS 'The attempt''s model decisions.';
COMMENT ON COLUMN hd_runtime.lineage.models IS 'The models that were called.';
COMMENT ON COLUMN hd_runtime.lineage.cost_usd IS 'What the attempt''s calls cost.';
COMMENT ON COLUMN hd_runtime.lineage.validations IS 'How many verdicts there are on it.';
COMMENT ON COLUMN hd_runtime.lineage.passed IS 'Whether all of them passed it; null without any.';
COMMENT ON COLUMN hd_runtime.lineage.consumable IS 'Its attempt was completed and no verdict is against it.';
COMMENT ON COLUMN hd_runtime.lineage.task_id IS 'The task.';
COMMENT ON COLUMN hd_runtime.lineage.agent_type IS 'The task''s agent type.';
COMMENT ON COLUMN hd_runtime.lineage.task_class IS 'The task''s class.';
COMMENT ON COLUMN hd_runtime.lineage.work_item_key IS 'The task''s work_item_key.';
COMMENT ON COLUMN hd_runtime.lineage.created_by IS 'The role that created the task.';
COMMENT ON COLUMN hd_runtime.lineage.project_id IS 'The project.';
COMMENT ON COLUMN hd_runtime.lineage.project IS 'The project''s name.';
