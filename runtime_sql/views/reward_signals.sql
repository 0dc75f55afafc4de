CREATE OR REPLACE VIEW hd_runtime.reward_signals AS
SELECT a.id AS attempt_id, a.task_id, t.project_id, t.task_class, a.agent_type, a.agent_run_id, a.model_class, m.model,
       a.recovery_level, a.status,
       CASE a.status WHEN 'completed_verified' THEN 1 ELSE 0 END AS completed,
       CASE WHEN a.status = 'completed_verified' AND a.attempt_no = 1 THEN 1 ELSE 0 END AS first_time_right,
       a.failure_kind, v.validations, v.validations_passed, v.confidence,
       coalesce(m.cost_usd, 0.000000) AS cost_usd, coalesce(m.input_tokens, 0) AS input_tokens,
       coalesce(m.output_tokens, 0) AS output_tokens, m.llm_latency_ms,
       a.completed_at - a.claimed_at AS took, a.completed_at
FROM hd_runtime.task_attempts a
JOIN hd_runtime.tasks t ON t.id = a.task_id
CROSS JOIN LATERAL (
    SELECT (array_agg(i.model ORDER BY i.created_at DESC))[1] AS model, sum(i.cost_usd) AS cost_usd,
           sum(i.input_tokens) AS input_tokens, sum(i.output_tokens) AS output_tokens, sum(i.latency_ms) AS llm_latency_ms
    FROM hd_runtime.model_decisions d JOIN hd_runtime.llm_invocations i ON i.decision_id = d.id
    WHERE d.attempt_id = a.id) AS m
CROSS JOIN LATERAL (
    SELECT count(x.id) AS validations, count(x.id) FILTER (WHERE x.passed) AS validations_passed,
           max(n.confidence) AS confidence
    FROM hd_runtime.artifact_instances n LEFT JOIN hd_runtime.artifact_validations x ON x.artifact_id = n.id
    WHERE n.attempt_id = a.id) AS v
WHERE a.claimed_at IS NOT NULL AND a.completed_at IS NOT NULL;
COMMENT ON VIEW hd_runtime.reward_signals IS 'What a router or a trainer can learn from: one row per attempt that was run and has ended, with its outcome, verdicts, cost and time.';
COMMENT ON COLUMN hd_runtime.reward_signals.attempt_id IS 'The attempt.';
COMMENT ON COLUMN hd_runtime.reward_signals.task_id IS 'The task.';
COMMENT ON COLUMN hd_runtime.reward_signals.project_id IS 'The project.';
COMMENT ON COLUMN hd_runtime.reward_signals.task_class IS 'The task''s class.';
COMMENT ON COLUMN hd_runtime.reward_signals.agent_type IS 'The type of agent that ran it.';
COMMENT ON COLUMN hd_runtime.reward_signals.agent_run_id IS 'Who ran it.';
COMMENT ON COLUMN hd_runtime.reward_signals.model_class IS 'The class of model it was to use.';
COMMENT ON COLUMN hd_runtime.reward_signals.model IS 'The model last called.';
COMMENT ON COLUMN hd_runtime.reward_signals.recovery_level IS 'The recovery that made it.';
COMMENT ON COLUMN hd_runtime.reward_signals.status IS 'How it ended (repair_required: a human is asked).';
COMMENT ON COLUMN hd_runtime.reward_signals.completed IS '1 completed, 0 not.';
COMMENT ON COLUMN hd_runtime.reward_signals.first_time_right IS '1 completed at the first attempt, 0 not.';
COMMENT ON COLUMN hd_runtime.reward_signals.failure_kind IS 'Why it failed.';
COMMENT ON COLUMN hd_runtime.reward_signals.validations IS 'Verdicts on its artifacts.';
COMMENT ON COLUMN hd_runtime.reward_signals.validations_passed IS 'Of them, those that passed.';
COMMENT ON COLUMN hd_runtime.reward_signals.confidence IS 'The highest confidence it had in an artifact.';
COMMENT ON COLUMN hd_runtime.reward_signals.cost_usd IS 'What its calls cost.';
COMMENT ON COLUMN hd_runtime.reward_signals.input_tokens IS 'Tokens sent.';
COMMENT ON COLUMN hd_runtime.reward_signals.output_tokens IS 'Tokens received.';
COMMENT ON COLUMN hd_runtime.reward_signals.llm_latency_ms IS 'Time spent in calls, in milliseconds.';
COMMENT ON COLUMN hd_runtime.reward_signals.took IS 'From claim to end.';
COMMENT ON COLUMN hd_runtime.reward_signals.completed_at IS 'When it ended.';
