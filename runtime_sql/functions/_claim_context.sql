CREATE OR REPLACE FUNCTION hd_runtime._claim_context(task_id uuid, parent_attempt_id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    v_needs jsonb;
    v_failure jsonb;
BEGIN
    SELECT jsonb_agg(jsonb_build_object(
               'task_id', t.id, 'work_item_key', t.work_item_key, 'agent_type', t.agent_type,
               'task_class', t.task_class, 'attempt_id', a.id, 'result', a.result,
               'artifacts', coalesce(art.list, '[]')) ORDER BY t.id)
    INTO v_needs
    FROM hd_runtime.task_dependencies d
    JOIN hd_runtime.tasks t ON t.id = d.needs_task_id
    LEFT JOIN hd_runtime.task_attempts a ON a.task_id = t.id AND a.status = 'completed_verified'
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object(
                   'id', i.id, 'kind', i.kind, 'artifact_key', i.artifact_key, 'content_hash', i.content_hash,
                   'size_bytes', i.size_bytes, 'uri', i.uri, 'content', i.content, 'confidence', i.confidence,
                   'branch_id', i.branch_id) ORDER BY i.created_at, i.id) AS list
        FROM hd_runtime.artifact_instances i WHERE i.attempt_id = a.id) AS art ON true
    WHERE d.task_id = _claim_context.task_id;

    SELECT jsonb_build_object(
               'attempt_id', a.id, 'attempt_no', a.attempt_no, 'failure_kind', a.failure_kind,
               'level', r.level, 'action', r.action, 'reason', r.reason, 'detail', f.detail -> 'detail')
    INTO v_failure
    FROM hd_runtime.task_attempts a
    LEFT JOIN LATERAL (
        SELECT * FROM hd_runtime.recovery_actions x
        WHERE x.failed_attempt_id = a.id ORDER BY x.id DESC LIMIT 1) AS r ON true
    LEFT JOIN LATERAL (
        SELECT e.detail FROM hd_runtime.workflow_events e
        WHERE e.task_id = a.task_id AND e.attempt_id = a.id AND e.type IN ('attempt.failed', 'attempt.expired')
        ORDER BY e.seq DESC LIMIT 1) AS f ON true
    WHERE a.id = _claim_context.parent_attempt_id AND a.failure_kind IS NOT NULL;

    RETURN jsonb_strip_nulls(jsonb_build_object('needs', v_needs, 'failure', v_failure));
END
$$;
COMMENT ON FUNCTION hd_runtime._claim_context(uuid, uuid) IS
'What a worker needs to know with a claim: needs = what the tasks it depends on produced, failure = why the attempt before it failed (detail: what fail_attempt was given). Absent where there is nothing to tell.';
