-- What an attempt did: which model and why, each call, each output, each verdict on an output.

CREATE TABLE hd_runtime.model_decisions (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    attempt_id       uuid NOT NULL REFERENCES hd_runtime.task_attempts,
    task_class       text NOT NULL,
    primary_model    text NOT NULL CHECK (primary_model <> ''),
    fallback_chain   text[] NOT NULL DEFAULT '{}',
    capability_class text,
    budget_mode      text NOT NULL DEFAULT 'normal' CHECK (budget_mode IN ('normal', 'warning', 'constrained')),
    routing_reason   text,
    policy           text,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idx_decisions_of_attempt ON hd_runtime.model_decisions (attempt_id);
COMMENT ON TABLE hd_runtime.model_decisions IS 'Which model and why, written before the call. Append-only.';
COMMENT ON COLUMN hd_runtime.model_decisions.id IS 'Given to record_llm_invocation.';
COMMENT ON COLUMN hd_runtime.model_decisions.attempt_id IS 'The attempt that decided.';
COMMENT ON COLUMN hd_runtime.model_decisions.task_class IS 'The class of its task.';
COMMENT ON COLUMN hd_runtime.model_decisions.primary_model IS 'The model chosen.';
COMMENT ON COLUMN hd_runtime.model_decisions.fallback_chain IS 'The models to try after it, in order.';
COMMENT ON COLUMN hd_runtime.model_decisions.capability_class IS 'The capability asked for.';
COMMENT ON COLUMN hd_runtime.model_decisions.budget_mode IS 'State of the budget when it was chosen: normal, warning or constrained.';
COMMENT ON COLUMN hd_runtime.model_decisions.routing_reason IS 'Why, for people.';
COMMENT ON COLUMN hd_runtime.model_decisions.policy IS 'The policy that decided.';
COMMENT ON COLUMN hd_runtime.model_decisions.created_at IS 'When.';
COMMENT ON INDEX hd_runtime.idx_decisions_of_attempt IS 'The decisions of one attempt.';


CREATE TABLE hd_runtime.llm_invocations (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    decision_id   uuid NOT NULL REFERENCES hd_runtime.model_decisions,
    provider      text NOT NULL CHECK (provider <> ''),
    model         text NOT NULL CHECK (model <> ''),
    input_tokens  bigint NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
    output_tokens bigint NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    cached_tokens bigint NOT NULL DEFAULT 0 CHECK (cached_tokens >= 0),
    cost_usd      numeric(12, 6) NOT NULL DEFAULT 0 CHECK (cost_usd >= 0),
    latency_ms    bigint CHECK (latency_ms >= 0),
    prompt_hash   text,
    status        text NOT NULL DEFAULT 'ok' CHECK (status IN ('ok', 'error', 'timeout', 'rate_limited', 'cancelled')),
    error         text,
    stale         boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idx_invocations_of_decision ON hd_runtime.llm_invocations (decision_id);
COMMENT ON TABLE hd_runtime.llm_invocations IS 'One call of a model''s API. Append-only.';
COMMENT ON COLUMN hd_runtime.llm_invocations.id IS 'Its id.';
COMMENT ON COLUMN hd_runtime.llm_invocations.decision_id IS 'The decision it carries out.';
COMMENT ON COLUMN hd_runtime.llm_invocations.provider IS 'Who answered.';
COMMENT ON COLUMN hd_runtime.llm_invocations.model IS 'The model that answered: the primary or one of the fallback chain.';
COMMENT ON COLUMN hd_runtime.llm_invocations.input_tokens IS 'Tokens sent.';
COMMENT ON COLUMN hd_runtime.llm_invocations.output_tokens IS 'Tokens received.';
COMMENT ON COLUMN hd_runtime.llm_invocations.cached_tokens IS 'Of the tokens sent, how many the provider had cached.';
COMMENT ON COLUMN hd_runtime.llm_invocations.cost_usd IS 'What it cost, in US dollars, exact to a millionth.';
COMMENT ON COLUMN hd_runtime.llm_invocations.latency_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN hd_runtime.llm_invocations.prompt_hash IS 'Hash of the prompt.';
COMMENT ON COLUMN hd_runtime.llm_invocations.status IS 'ok, error, timeout, rate_limited or cancelled.';
COMMENT ON COLUMN hd_runtime.llm_invocations.error IS 'The provider''s error, where there was one.';
COMMENT ON COLUMN hd_runtime.llm_invocations.stale IS 'The worker no longer held the lease when it reported the call: billed, never used.';
COMMENT ON COLUMN hd_runtime.llm_invocations.created_at IS 'When it was reported.';
COMMENT ON INDEX hd_runtime.idx_invocations_of_decision IS 'The calls of one decision.';


CREATE TABLE hd_runtime.artifact_instances (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    attempt_id   uuid NOT NULL REFERENCES hd_runtime.task_attempts,
    kind         text NOT NULL CHECK (kind <> ''),
    artifact_key text NOT NULL CHECK (artifact_key <> ''),
    content_hash text NOT NULL,
    size_bytes   bigint NOT NULL CHECK (size_bytes >= 0),
    uri          text,
    content      jsonb,
    confidence   numeric(4, 3) CHECK (confidence BETWEEN 0 AND 1),
    lease_epoch  bigint NOT NULL,
    branch_id    text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
    CHECK (uri IS NOT NULL OR content IS NOT NULL)
);
CREATE INDEX idx_artifacts_of_attempt ON hd_runtime.artifact_instances (attempt_id);
CREATE INDEX idx_artifacts_by_hash ON hd_runtime.artifact_instances (content_hash);
COMMENT ON TABLE hd_runtime.artifact_instances IS 'One output of an attempt. Published under a live lease only; append-only; its chain to attempt, task and project cannot break.';
COMMENT ON COLUMN hd_runtime.artifact_instances.id IS 'Given to record_validation.';
COMMENT ON COLUMN hd_runtime.artifact_instances.attempt_id IS 'The attempt that produced it.';
COMMENT ON COLUMN hd_runtime.artifact_instances.kind IS 'What it is: api_contract, source, report...';
COMMENT ON COLUMN hd_runtime.artifact_instances.artifact_key IS 'Its name within the project; newer instances of a key supersede older ones.';
COMMENT ON COLUMN hd_runtime.artifact_instances.content_hash IS 'sha256:hex of the content.';
COMMENT ON COLUMN hd_runtime.artifact_instances.size_bytes IS 'Size of the content.';
COMMENT ON COLUMN hd_runtime.artifact_instances.uri IS 'Where the content is, when it is not in the row.';
COMMENT ON COLUMN hd_runtime.artifact_instances.content IS 'The content itself, when it is small; at most 1 MiB.';
COMMENT ON COLUMN hd_runtime.artifact_instances.confidence IS 'The worker''s confidence in it, 0 to 1.';
COMMENT ON COLUMN hd_runtime.artifact_instances.lease_epoch IS 'The epoch of the lease it was published under.';
COMMENT ON COLUMN hd_runtime.artifact_instances.branch_id IS 'The data branch it belongs to; null: the mainline.';
COMMENT ON COLUMN hd_runtime.artifact_instances.created_at IS 'When.';
COMMENT ON INDEX hd_runtime.idx_artifacts_of_attempt IS 'The outputs of one attempt.';
COMMENT ON INDEX hd_runtime.idx_artifacts_by_hash IS 'Where a content came from.';


CREATE TABLE hd_runtime.artifact_validations (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    artifact_id   uuid NOT NULL REFERENCES hd_runtime.artifact_instances,
    verifier_type text NOT NULL CHECK (verifier_type IN ('schema', 'contract', 'policy', 'human')),
    passed        boolean NOT NULL,
    evidence      jsonb,
    verified_by   text NOT NULL DEFAULT session_user,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idx_validations_of_artifact ON hd_runtime.artifact_validations (artifact_id);
COMMENT ON TABLE hd_runtime.artifact_validations IS 'One verdict on an artifact. Append-only.';
COMMENT ON COLUMN hd_runtime.artifact_validations.id IS 'Its id.';
COMMENT ON COLUMN hd_runtime.artifact_validations.artifact_id IS 'The artifact judged.';
COMMENT ON COLUMN hd_runtime.artifact_validations.verifier_type IS 'schema, contract, policy or human.';
COMMENT ON COLUMN hd_runtime.artifact_validations.passed IS 'The verdict.';
COMMENT ON COLUMN hd_runtime.artifact_validations.evidence IS 'What it rests on; at most 1 MiB.';
COMMENT ON COLUMN hd_runtime.artifact_validations.verified_by IS 'Who judged: the name the verifier gave, or its role.';
COMMENT ON COLUMN hd_runtime.artifact_validations.created_at IS 'When.';
COMMENT ON INDEX hd_runtime.idx_validations_of_artifact IS 'The verdicts on one artifact.';
