CREATE OR REPLACE VIEW hd_runtime.attempt_chain AS
SELECT a.task_id, a.attempt_no, a.id AS attempt_id, a.parent_attempt_id, a.recovery_level, a.status, a.agent_type,
       a.model_class, a.agent_run_id, a.failure_kind, r.level AS next_level, r.action AS next_action, r.reason AS next_reason,
       r.new_attempt_id AS next_attempt_id, a.lease_epoch, a.created_at, a.available_at, a.claimed_at, a.completed_at
FROM hd_runtime.task_attempts a
LEFT JOIN LATERAL (
    SELECT x.level, x.action, x.reason, x.new_attempt_id FROM hd_runtime.recovery_actions x
    WHERE x.failed_attempt_id = a.id ORDER BY x.id DESC LIMIT 1) AS r ON true
ORDER BY a.task_id, a.attempt_no;
COMMENT ON VIEW hd_runtime.attempt_chain IS 'The attempts of a task in order, and what followed each: SELECT * FROM attempt_chain WHERE task_id = ...';
COMMENT ON COLUMN hd_runtime.attempt_chain.task_id IS 'The task.';
COMMENT ON COLUMN hd_runtime.attempt_chain.attempt_no IS '1, 2, 3...';
COMMENT ON COLUMN hd_runtime.attempt_chain.attempt_id IS 'The attempt.';
COMMENT ON COLUMN hd_runtime.attempt_chain.parent_attempt_id IS 'The attempt it replaced.';
COMMENT ON COLUMN hd_runtime.attempt_chain.recovery_level IS 'The recovery that made it; L0 for the first.';
COMMENT ON COLUMN hd_runtime.attempt_chain.status IS 'Its status.';
COMMENT ON COLUMN hd_runtime.attempt_chain.agent_type IS 'The type of agent wanted.';
COMMENT ON COLUMN hd_runtime.attempt_chain.model_class IS 'The class of model to use.';
COMMENT ON COLUMN hd_runtime.attempt_chain.agent_run_id IS 'Who claimed it.';
COMMENT ON COLUMN hd_runtime.attempt_chain.failure_kind IS 'Why it failed.';
COMMENT ON COLUMN hd_runtime.attempt_chain.next_level IS 'The level of the recovery that followed.';
COMMENT ON COLUMN hd_runtime.attempt_chain.next_action IS 'What was done.';
COMMENT ON COLUMN hd_runtime.attempt_chain.next_reason IS 'Why.';
COMMENT ON COLUMN hd_runtime.attempt_chain.next_attempt_id IS 'The attempt that replaced it.';
COMMENT ON COLUMN hd_runtime.attempt_chain.lease_epoch IS 'Its lease''s epoch.';
COMMENT ON COLUMN hd_runtime.attempt_chain.created_at IS 'When it was made.';
COMMENT ON COLUMN hd_runtime.attempt_chain.available_at IS 'When it became, or becomes, claimable.';
COMMENT ON COLUMN hd_runtime.attempt_chain.claimed_at IS 'When it was claimed.';
COMMENT ON COLUMN hd_runtime.attempt_chain.completed_at IS 'When it ended.';
