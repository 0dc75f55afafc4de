CREATE OR REPLACE FUNCTION hd_runtime.record_validation(
    artifact_id uuid, verifier_type text, passed boolean, evidence jsonb DEFAULT NULL, verified_by text DEFAULT NULL,
    OUT id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = hd_runtime, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM _check_length('verifier_type', record_validation.verifier_type, 200);
    PERFORM _check_length('verified_by', record_validation.verified_by, 200);
    PERFORM _check_size('evidence', record_validation.evidence);
    IF record_validation.artifact_id IS NULL OR record_validation.passed IS NULL
       OR coalesce(record_validation.verifier_type, '') NOT IN ('schema', 'contract', 'policy', 'human') THEN
        RAISE EXCEPTION 'a validation needs an artifact, a verifier_type and a verdict' USING ERRCODE = 'HD006',
            HINT = 'verifier_type is schema, contract, policy or human.',
            DETAIL = format('artifact %s', coalesce(record_validation.artifact_id::text, 'null'));
    END IF;
    IF NOT EXISTS (SELECT FROM artifact_instances i WHERE i.id = record_validation.artifact_id) THEN
        RAISE EXCEPTION 'there is no artifact %', record_validation.artifact_id USING ERRCODE = 'HD004',
            DETAIL = format('no row of hd_runtime.artifact_instances has id %s', record_validation.artifact_id),
            HINT = 'publish_artifact returns its id.';
    END IF;
    INSERT INTO artifact_validations (id, artifact_id, verifier_type, passed, evidence, verified_by)
    VALUES (_new_id(), record_validation.artifact_id, record_validation.verifier_type, record_validation.passed,
            record_validation.evidence, coalesce(record_validation.verified_by, session_user))
    RETURNING artifact_validations.id INTO record_validation.id;
END
$$;
COMMENT ON FUNCTION hd_runtime.record_validation(uuid, text, boolean, jsonb, text) IS
'Records a verdict on an artifact; a verifier needs no lease. Returns its id. Errors: HD004 no such artifact, HD006 something missing, evidence over 1 MiB.';
