-- What follows a failure, when a human is asked, and what may be released.

CREATE TABLE hd_runtime.failure_kinds (
    kind        text PRIMARY KEY,
    first_level text NOT NULL CHECK (first_level IN ('L1', 'L2', 'L3', 'L4', 'blocked')),
    meaning     text NOT NULL
);
COMMENT ON TABLE hd_runtime.failure_kinds IS 'Where recovery starts for a kind of failure. A kind that is not listed starts at L4: what nobody foresaw is shown to a human.';
COMMENT ON COLUMN hd_runtime.failure_kinds.kind IS 'As given to fail_attempt.';
COMMENT ON COLUMN hd_runtime.failure_kinds.first_level IS 'L1 retry, L2 stronger model, L3 repair agent, L4 human, blocked: no autonomous next step.';
COMMENT ON COLUMN hd_runtime.failure_kinds.meaning IS 'For people.';

INSERT INTO hd_runtime.failure_kinds (kind, first_level, meaning) VALUES
    ('timeout',            'L1',      'the model or a tool did not answer in time'),
    ('rate_limit',         'L1',      'the provider asked to slow down'),
    ('network',            'L1',      'the connection failed'),
    ('lease_expired',      'L1',      'the worker stopped sending heartbeats; counted against max_expiries'),
    ('schema_validation',  'L2',      'the output does not have the shape asked for'),
    ('build_failed',       'L3',      'what was produced does not build'),
    ('test_failed',        'L3',      'what was produced fails its tests'),
    ('deploy_failed',      'L3',      'what was produced cannot be deployed'),
    ('security_blocker',   'L4',      'a security finding'),
    ('policy_denied',      'L4',      'a policy forbids it'),
    ('missing_dependency', 'blocked', 'something it needs is not there and will not come');


CREATE TABLE hd_runtime.recovery_actions (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id           uuid NOT NULL REFERENCES hd_runtime.tasks,
    failed_attempt_id uuid NOT NULL REFERENCES hd_runtime.task_attempts,
    new_attempt_id    uuid REFERENCES hd_runtime.task_attempts,
    level             text NOT NULL CHECK (level IN ('L1', 'L2', 'L3', 'L4', 'blocked')),
    action            text NOT NULL CHECK (action IN (
                          'retry', 'requeue', 'escalate', 'repair', 'ask_human', 'resume', 'reject', 'block', 'cancel')),
    failure_kind      text,
    reason            text,
    actor             text NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idx_recovery_of_task ON hd_runtime.recovery_actions (task_id, id);
CREATE INDEX idx_recovery_of_attempt ON hd_runtime.recovery_actions (failed_attempt_id);
COMMENT ON TABLE hd_runtime.recovery_actions IS 'What followed a failure. Append-only; a task''s rows in order of id are its recovery chain.';
COMMENT ON COLUMN hd_runtime.recovery_actions.id IS 'Rises along the chain.';
COMMENT ON COLUMN hd_runtime.recovery_actions.task_id IS 'The task.';
COMMENT ON COLUMN hd_runtime.recovery_actions.failed_attempt_id IS 'The attempt that failed.';
COMMENT ON COLUMN hd_runtime.recovery_actions.new_attempt_id IS 'The attempt that replaces it; null where none does.';
COMMENT ON COLUMN hd_runtime.recovery_actions.level IS 'The level taken.';
COMMENT ON COLUMN hd_runtime.recovery_actions.action IS 'retry (L1), requeue (L1 after an expired lease), escalate (L2), repair (L3), ask_human (L4), resume or reject (a human''s answer), block or cancel (blocked).';
COMMENT ON COLUMN hd_runtime.recovery_actions.failure_kind IS 'Why the attempt failed.';
COMMENT ON COLUMN hd_runtime.recovery_actions.reason IS 'Why this level, for people.';
COMMENT ON COLUMN hd_runtime.recovery_actions.actor IS 'Who reported the failure or decided.';
COMMENT ON COLUMN hd_runtime.recovery_actions.created_at IS 'When.';
COMMENT ON INDEX hd_runtime.idx_recovery_of_task IS 'A task''s recovery chain; what its budgets are counted from.';
COMMENT ON INDEX hd_runtime.idx_recovery_of_attempt IS 'What followed one failure.';

CREATE TYPE hd_runtime.recovery_step AS (level text, action text, new_attempt_id uuid);
COMMENT ON TYPE hd_runtime.recovery_step IS 'What the recovery coordinator did.';
COMMENT ON COLUMN hd_runtime.recovery_step.level IS 'L1, L2, L3, L4 or blocked.';
COMMENT ON COLUMN hd_runtime.recovery_step.action IS 'As in recovery_actions.action.';
COMMENT ON COLUMN hd_runtime.recovery_step.new_attempt_id IS 'The attempt that replaces the failed one; null where none does.';


CREATE TABLE hd_runtime.gates (
    gate       text PRIMARY KEY CHECK (gate <> ''),
    title      text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hd_runtime.gates IS 'Checkpoints between phases of a project. Made and changed with define_gate.';
COMMENT ON COLUMN hd_runtime.gates.gate IS 'Short name: G1, G2...';
COMMENT ON COLUMN hd_runtime.gates.title IS 'For people.';
COMMENT ON COLUMN hd_runtime.gates.created_at IS 'When it was made.';
COMMENT ON COLUMN hd_runtime.gates.updated_at IS 'When it last changed.';

CREATE TABLE hd_runtime.gate_predicates (
    gate      text NOT NULL REFERENCES hd_runtime.gates,
    no        smallint NOT NULL CHECK (no > 0),
    fact      text NOT NULL CHECK (fact <> ''),
    operator  text NOT NULL CHECK (operator IN ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'contains', 'regex')),
    expected  jsonb NOT NULL,
    otherwise text NOT NULL DEFAULT 'needs_human' CHECK (otherwise IN ('needs_human', 'blocked')),
    PRIMARY KEY (gate, no)
);
COMMENT ON TABLE hd_runtime.gate_predicates IS 'What must hold at a gate, over the fact bag given to evaluate_gate.';
COMMENT ON COLUMN hd_runtime.gate_predicates.gate IS 'The gate.';
COMMENT ON COLUMN hd_runtime.gate_predicates.no IS '1, 2, 3... within the gate.';
COMMENT ON COLUMN hd_runtime.gate_predicates.fact IS 'Path into the fact bag, dots between keys: coverage.lines. A fact that is missing or of the wrong type does not hold.';
COMMENT ON COLUMN hd_runtime.gate_predicates.operator IS 'eq, ne: any JSON value. gt, gte, lt, lte: two numbers or two strings. contains: array has element, string has substring, object has sub-object. regex: string matches (Postgres ARE).';
COMMENT ON COLUMN hd_runtime.gate_predicates.expected IS 'What the fact is compared with.';
COMMENT ON COLUMN hd_runtime.gate_predicates.otherwise IS 'Outcome when it does not hold: needs_human or blocked.';

CREATE TABLE hd_runtime.gate_evaluations (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id   uuid NOT NULL REFERENCES hd_runtime.projects,
    gate         text NOT NULL,
    facts        jsonb NOT NULL,
    predicates   jsonb NOT NULL,
    outcome      text NOT NULL CHECK (outcome IN ('auto_approved', 'needs_human', 'blocked')),
    evaluated_by text NOT NULL DEFAULT session_user,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idx_evaluations_of_project ON hd_runtime.gate_evaluations (project_id, gate, created_at);
COMMENT ON TABLE hd_runtime.gate_evaluations IS 'A gate evaluated: the facts, each predicate with its outcome, and the verdict. Append-only, and complete in itself: a later change of the gate does not touch it.';
COMMENT ON COLUMN hd_runtime.gate_evaluations.id IS 'Given to decide_release.';
COMMENT ON COLUMN hd_runtime.gate_evaluations.project_id IS 'The project.';
COMMENT ON COLUMN hd_runtime.gate_evaluations.gate IS 'The gate.';
COMMENT ON COLUMN hd_runtime.gate_evaluations.facts IS 'The fact bag as it was given; at most 1 MiB.';
COMMENT ON COLUMN hd_runtime.gate_evaluations.predicates IS 'Array of {no, fact, operator, expected, actual, passed, otherwise}.';
COMMENT ON COLUMN hd_runtime.gate_evaluations.outcome IS 'auto_approved: all hold. blocked: one that must hold does not. needs_human: the rest.';
COMMENT ON COLUMN hd_runtime.gate_evaluations.evaluated_by IS 'The role that asked.';
COMMENT ON COLUMN hd_runtime.gate_evaluations.created_at IS 'When.';
COMMENT ON INDEX hd_runtime.idx_evaluations_of_project IS 'A project''s evaluations of a gate, in order.';

CREATE TABLE hd_runtime.review_requests (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id         uuid NOT NULL REFERENCES hd_runtime.projects,
    subject            text NOT NULL CHECK (subject IN ('recovery', 'artifact', 'gate', 'other')),
    attempt_id         uuid REFERENCES hd_runtime.task_attempts,
    artifact_id        uuid REFERENCES hd_runtime.artifact_instances,
    gate_evaluation_id uuid REFERENCES hd_runtime.gate_evaluations,
    title              text NOT NULL CHECK (title <> ''),
    evidence           jsonb,
    requested_by       text NOT NULL,
    due_at             timestamptz,
    status             text NOT NULL DEFAULT 'pending'
                       CHECK (status IN ('pending', 'approved', 'rejected', 'withdrawn')),
    decided_by         text,
    decided_at         timestamptz,
    note               text,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((subject = 'recovery') <= (attempt_id IS NOT NULL)),
    CHECK ((subject = 'artifact') = (artifact_id IS NOT NULL)),
    CHECK ((subject = 'gate') = (gate_evaluation_id IS NOT NULL)),
    CHECK ((status = 'pending') = (decided_by IS NULL)),
    CHECK ((status = 'pending') = (decided_at IS NULL))
);
CREATE INDEX idx_pending_reviews ON hd_runtime.review_requests (due_at) WHERE status = 'pending';
CREATE UNIQUE INDEX idx_one_recovery_review ON hd_runtime.review_requests (attempt_id)
    WHERE status = 'pending' AND subject = 'recovery';
CREATE UNIQUE INDEX idx_one_gate_review ON hd_runtime.review_requests (gate_evaluation_id)
    WHERE subject = 'gate';
COMMENT ON TABLE hd_runtime.review_requests IS 'A human is asked. A request is decided once and does not change afterwards.';
COMMENT ON COLUMN hd_runtime.review_requests.id IS 'Given to decide_review.';
COMMENT ON COLUMN hd_runtime.review_requests.project_id IS 'The project.';
COMMENT ON COLUMN hd_runtime.review_requests.subject IS 'recovery (L4: a failed attempt waits), artifact (low confidence), gate (an evaluation needs a human), other.';
COMMENT ON COLUMN hd_runtime.review_requests.attempt_id IS 'The attempt in question.';
COMMENT ON COLUMN hd_runtime.review_requests.artifact_id IS 'The artifact in question.';
COMMENT ON COLUMN hd_runtime.review_requests.gate_evaluation_id IS 'The gate evaluation in question.';
COMMENT ON COLUMN hd_runtime.review_requests.title IS 'The question, in a line.';
COMMENT ON COLUMN hd_runtime.review_requests.evidence IS 'What the human needs to answer it; at most 1 MiB.';
COMMENT ON COLUMN hd_runtime.review_requests.requested_by IS 'Who asked.';
COMMENT ON COLUMN hd_runtime.review_requests.due_at IS 'When an answer is due.';
COMMENT ON COLUMN hd_runtime.review_requests.status IS 'pending, approved, rejected, or withdrawn (the question went away).';
COMMENT ON COLUMN hd_runtime.review_requests.decided_by IS 'The role that answered.';
COMMENT ON COLUMN hd_runtime.review_requests.decided_at IS 'When.';
COMMENT ON COLUMN hd_runtime.review_requests.note IS 'What the human said.';
COMMENT ON COLUMN hd_runtime.review_requests.created_at IS 'When it was asked.';
COMMENT ON INDEX hd_runtime.idx_pending_reviews IS 'The review queue, most urgent first.';
COMMENT ON INDEX hd_runtime.idx_one_recovery_review IS 'A failed attempt waits for one answer, not for two.';
COMMENT ON INDEX hd_runtime.idx_one_gate_review IS 'A gate evaluation is put to a human once.';

CREATE TABLE hd_runtime.release_decisions (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    gate_evaluation_id uuid NOT NULL UNIQUE REFERENCES hd_runtime.gate_evaluations,
    decision           text NOT NULL CHECK (decision IN ('ship', 'block')),
    confidence         numeric(4, 3) CHECK (confidence BETWEEN 0 AND 1),
    reason             text,
    decided_by         text NOT NULL DEFAULT session_user,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hd_runtime.release_decisions IS 'Ship or block, on a gate evaluation; one each, immutable.';
COMMENT ON COLUMN hd_runtime.release_decisions.id IS 'Its id.';
COMMENT ON COLUMN hd_runtime.release_decisions.gate_evaluation_id IS 'The evaluation it rests on.';
COMMENT ON COLUMN hd_runtime.release_decisions.decision IS 'ship or block.';
COMMENT ON COLUMN hd_runtime.release_decisions.confidence IS '0 to 1.';
COMMENT ON COLUMN hd_runtime.release_decisions.reason IS 'Why, for people.';
COMMENT ON COLUMN hd_runtime.release_decisions.decided_by IS 'The role that decided.';
COMMENT ON COLUMN hd_runtime.release_decisions.created_at IS 'When.';
