CREATE OR REPLACE FUNCTION hd_runtime.request_review(
    project_id uuid, title text, evidence jsonb DEFAULT NULL, attempt_id uuid DEFAULT NULL,
    artifact_id uuid DEFAULT NULL, due_at timestamptz DEFAULT now() + interval '1 day')
RETURNS hd_runtime.review_requests
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_attempt uuid := request_review.attempt_id;
    v_review review_requests;
BEGIN
    PERFORM _check_length('title', request_review.title, 1000);
    IF request_review.project_id IS NULL OR coalesce(request_review.title, '') = '' THEN
        RAISE EXCEPTION 'a review request needs a project and a title' USING ERRCODE = 'HD006',
            DETAIL = format('project_id %s, title %s', coalesce(request_review.project_id::text, 'null'),
                            coalesce(quote_literal(request_review.title), 'null')),
            HINT = 'SELECT * FROM request_review(default_project(), ''May this ship?'').';
    END IF;
    PERFORM _check_size('evidence', request_review.evidence);
    IF NOT EXISTS (SELECT FROM projects p WHERE p.id = request_review.project_id) THEN
        RAISE EXCEPTION 'there is no project %', request_review.project_id USING ERRCODE = 'HD004',
            DETAIL = format('no row of hd_runtime.projects has id %s', request_review.project_id),
            HINT = 'SELECT create_project(''name'') makes one; default_project() is always there.';
    END IF;
    IF request_review.artifact_id IS NOT NULL THEN
        SELECT i.attempt_id INTO v_attempt
        FROM artifact_instances i JOIN task_attempts a ON a.id = i.attempt_id
        WHERE i.id = request_review.artifact_id AND a.project_id = request_review.project_id
          AND i.attempt_id = coalesce(request_review.attempt_id, i.attempt_id);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no artifact % of that project and attempt', request_review.artifact_id
                USING ERRCODE = 'HD004',
                DETAIL = format('project %s, attempt %s', request_review.project_id, coalesce(request_review.attempt_id::text, 'any')),
                HINT = 'publish_artifact returns its id.';
        END IF;
    ELSIF v_attempt IS NOT NULL AND NOT EXISTS (
            SELECT FROM task_attempts a WHERE a.id = v_attempt AND a.project_id = request_review.project_id) THEN
        RAISE EXCEPTION 'there is no attempt % in that project', v_attempt USING ERRCODE = 'HD004',
            DETAIL = format('project %s', request_review.project_id),
            HINT = 'claim_next_task returns attempt_id; SELECT * FROM hd_runtime.attempt_chain lists the attempts.';
    END IF;
    INSERT INTO review_requests (project_id, subject, attempt_id, artifact_id, title, evidence, requested_by, due_at)
    VALUES (request_review.project_id, CASE WHEN request_review.artifact_id IS NULL THEN 'other' ELSE 'artifact' END,
            v_attempt, request_review.artifact_id, request_review.title, request_review.evidence, session_user,
            request_review.due_at)
    RETURNING * INTO v_review;
    RETURN v_review;
END
$$;
COMMENT ON FUNCTION hd_runtime.request_review(uuid, text, jsonb, uuid, uuid, timestamptz) IS
'Asks a human: about an artifact, an attempt, or anything else. Returns the request; see review_queue. Errors: HD004 no such project, artifact or attempt; HD006 no title, evidence over 1 MiB.';
