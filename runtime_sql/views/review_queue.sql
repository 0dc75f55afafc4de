CREATE OR REPLACE VIEW hd_runtime.review_queue AS
SELECT r.id AS review_id, r.project_id, p.name AS project, r.subject, r.title, r.evidence, r.requested_by, r.created_at,
       r.due_at, r.due_at < now() AS overdue, r.attempt_id, a.task_id, t.task_class, a.failure_kind, r.artifact_id,
       r.gate_evaluation_id
FROM hd_runtime.review_requests r
JOIN hd_runtime.projects p ON p.id = r.project_id
LEFT JOIN hd_runtime.task_attempts a ON a.id = r.attempt_id
LEFT JOIN hd_runtime.tasks t ON t.id = a.task_id
WHERE r.status = 'pending'
ORDER BY r.due_at;
COMMENT ON VIEW hd_runtime.review_queue IS 'What waits for a human, most urgent first. Answer with decide_review(review_id, ''approved'' or ''rejected'', note).';
COMMENT ON COLUMN hd_runtime.review_queue.review_id IS 'Given to decide_review.';
COMMENT ON COLUMN hd_runtime.review_queue.project_id IS 'The project.';
COMMENT ON COLUMN hd_runtime.review_queue.project IS 'The project''s name.';
COMMENT ON COLUMN hd_runtime.review_queue.subject IS 'recovery, artifact, gate or other.';
COMMENT ON COLUMN hd_runtime.review_queue.title IS 'The question.';
COMMENT ON COLUMN hd_runtime.review_queue.evidence IS 'What there is to answer it from.';
COMMENT ON COLUMN hd_runtime.review_queue.requested_by IS 'Who asked.';
COMMENT ON COLUMN hd_runtime.review_queue.created_at IS 'When.';
COMMENT ON COLUMN hd_runtime.review_queue.due_at IS 'When an answer is due.';
COMMENT ON COLUMN hd_runtime.review_queue.overdue IS 'Whether that has passed.';
COMMENT ON COLUMN hd_runtime.review_queue.attempt_id IS 'The attempt in question.';
COMMENT ON COLUMN hd_runtime.review_queue.task_id IS 'Its task.';
COMMENT ON COLUMN hd_runtime.review_queue.task_class IS 'Its task''s class.';
COMMENT ON COLUMN hd_runtime.review_queue.failure_kind IS 'Why it failed.';
COMMENT ON COLUMN hd_runtime.review_queue.artifact_id IS 'The artifact in question.';
COMMENT ON COLUMN hd_runtime.review_queue.gate_evaluation_id IS 'The gate evaluation in question.';
