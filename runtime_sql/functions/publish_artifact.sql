CREATE OR REPLACE FUNCTION hd_runtime.publish_artifact(
    attempt_id uuid, lease_token text, kind text, artifact_key text, content jsonb DEFAULT NULL, uri text DEFAULT NULL,
    content_hash text DEFAULT NULL, size_bytes bigint DEFAULT NULL, confidence double precision DEFAULT NULL,
    branch_id text DEFAULT NULL, OUT id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_attempt task_attempts := _live_attempt(publish_artifact.attempt_id, publish_artifact.lease_token);
    v_class task_classes;
BEGIN
    PERFORM _check_length('kind', publish_artifact.kind, 200);
    PERFORM _check_length('artifact_key', publish_artifact.artifact_key, 1000);
    PERFORM _check_length('uri', publish_artifact.uri, 1000);
    PERFORM _check_length('content_hash', publish_artifact.content_hash, 1000);
    PERFORM _check_length('branch_id', publish_artifact.branch_id, 200);
    PERFORM _check_size('content', publish_artifact.content);
    IF coalesce(publish_artifact.kind, '') = '' OR coalesce(publish_artifact.artifact_key, '') = ''
       OR (publish_artifact.content IS NULL AND publish_artifact.uri IS NULL) THEN
        RAISE EXCEPTION 'an artifact needs a kind, an artifact_key, and a content or a uri' USING ERRCODE = 'HD006',
            DETAIL = format('attempt %s', publish_artifact.attempt_id),
            HINT = 'publish_artifact(attempt_id, lease_token, ''code'', ''main.py'', uri => ''s3://...'').';
    END IF;
    IF publish_artifact.content IS NOT NULL THEN
        content_hash := coalesce(publish_artifact.content_hash,
            'sha256:' || encode(sha256(convert_to(publish_artifact.content::text, 'UTF8')), 'hex'));
        size_bytes := coalesce(publish_artifact.size_bytes,
                               octet_length(convert_to(publish_artifact.content::text, 'UTF8')));
    END IF;
    IF coalesce(publish_artifact.content_hash, '') !~ '^sha256:[0-9a-f]{64}$' OR coalesce(publish_artifact.size_bytes, -1) < 0
       OR publish_artifact.confidence NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION 'an artifact needs a content_hash, a size and, if any, a confidence between 0 and 1'
            USING ERRCODE = 'HD006', HINT = 'content_hash is sha256: and 64 hexadecimal digits; with a uri, give size_bytes.',
            DETAIL = format('attempt %s', publish_artifact.attempt_id);
    END IF;
    INSERT INTO artifact_instances (id, attempt_id, kind, artifact_key, content_hash, size_bytes, uri, content,
                                    confidence, lease_epoch, branch_id)
    VALUES (_new_id(), v_attempt.id, publish_artifact.kind, publish_artifact.artifact_key,
            publish_artifact.content_hash, publish_artifact.size_bytes, publish_artifact.uri, publish_artifact.content,
            publish_artifact.confidence, v_attempt.lease_epoch, publish_artifact.branch_id)
    RETURNING artifact_instances.id INTO publish_artifact.id;
    SELECT c.* INTO STRICT v_class FROM tasks t JOIN task_classes c ON c.name = t.task_class WHERE t.id = v_attempt.task_id;
    IF publish_artifact.confidence < v_class.min_confidence THEN
        INSERT INTO review_requests (project_id, subject, attempt_id, artifact_id, title, evidence, requested_by, due_at)
        VALUES (v_attempt.project_id, 'artifact', v_attempt.id, publish_artifact.id,
                format('low confidence in %s %s', publish_artifact.kind, publish_artifact.artifact_key),
                jsonb_build_object('confidence', publish_artifact.confidence, 'min_confidence', v_class.min_confidence),
                v_attempt.agent_run_id, now() + v_class.review_within);
    END IF;
END
$$;
COMMENT ON FUNCTION hd_runtime.publish_artifact(uuid, text, text, text, jsonb, text, text, bigint, double precision, text) IS
'Publishes an output of a live attempt: small content in the row, anything else by uri with content_hash and size_bytes. Hash and size of content are computed where they are not given (of its jsonb text). Below the class''s min_confidence, a human is asked. Returns its id. Errors: HD001 lease lost, HD004 no such attempt, HD006 something missing or malformed, content over 1 MiB.';
