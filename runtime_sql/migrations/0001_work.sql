-- What is to be done, and every run of it: projects, classes of task, tasks, attempts.

CREATE TABLE hd_runtime.projects (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text NOT NULL UNIQUE CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hd_runtime.projects IS 'A tenant''s project: what every task, artifact and gate belongs to. Made with create_project(name).';
COMMENT ON COLUMN hd_runtime.projects.id IS 'Given to create_task and claim_next_task. The project named ''default'' is 00000000-0000-0000-0000-000000000001 in every database.';
COMMENT ON COLUMN hd_runtime.projects.name IS 'Unique name, as given to create_project.';
COMMENT ON COLUMN hd_runtime.projects.created_at IS 'When the project was made.';

INSERT INTO hd_runtime.projects (id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'default');


CREATE TABLE hd_runtime.task_classes (
    name               text PRIMARY KEY CHECK (name <> ''),
    description        text,
    lease_ttl          interval NOT NULL DEFAULT '3 minutes' CHECK (lease_ttl > '0'),
    heartbeat_interval interval NOT NULL DEFAULT '60 seconds' CHECK (heartbeat_interval > '0'),
    max_l1             smallint NOT NULL DEFAULT 3 CHECK (max_l1 >= 0),
    max_l2             smallint NOT NULL DEFAULT 2 CHECK (max_l2 >= 0),
    max_l3             smallint NOT NULL DEFAULT 1 CHECK (max_l3 >= 0),
    max_expiries       smallint NOT NULL DEFAULT 5 CHECK (max_expiries >= 0),
    backoff            interval NOT NULL DEFAULT '2 seconds' CHECK (backoff >= '0'),
    backoff_max        interval NOT NULL DEFAULT '5 minutes' CHECK (backoff_max >= '0'),
    model_classes      text[] NOT NULL DEFAULT '{standard,strong,strongest}' CHECK (cardinality(model_classes) > 0),
    min_confidence     numeric(4, 3) CHECK (min_confidence BETWEEN 0 AND 1),
    review_within      interval NOT NULL DEFAULT '1 day' CHECK (review_within > '0'),
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hd_runtime.task_classes IS 'Settings of a class of task: how long a lease lasts, how many recoveries of each level it is worth. A task of an unknown class is refused. Made and changed with define_task_class; a change holds from the next claim or failure on.';
COMMENT ON COLUMN hd_runtime.task_classes.name IS 'As given to create_task and claim_next_task.';
COMMENT ON COLUMN hd_runtime.task_classes.description IS 'For people.';
COMMENT ON COLUMN hd_runtime.task_classes.lease_ttl IS 'How long a lease lasts without a heartbeat.';
COMMENT ON COLUMN hd_runtime.task_classes.heartbeat_interval IS 'How often a worker should send one; advice to the worker, nothing is enforced by it.';
COMMENT ON COLUMN hd_runtime.task_classes.max_l1 IS 'Budget of L1 recoveries (retry as it was), expired leases not counted.';
COMMENT ON COLUMN hd_runtime.task_classes.max_l2 IS 'Budget of L2 recoveries (a stronger model).';
COMMENT ON COLUMN hd_runtime.task_classes.max_l3 IS 'Budget of L3 recoveries (the repair agent).';
COMMENT ON COLUMN hd_runtime.task_classes.max_expiries IS 'How many expired leases are simply given out again before the next level is taken: their own count, beside max_l1.';
COMMENT ON COLUMN hd_runtime.task_classes.backoff IS 'Wait before the first retry of a level; doubled for each further one, times a random factor between 0.5 and 1.5.';
COMMENT ON COLUMN hd_runtime.task_classes.backoff_max IS 'The wait never grows beyond this (before the random factor).';
COMMENT ON COLUMN hd_runtime.task_classes.model_classes IS 'The ladder of model classes, weakest first. The first attempt gets the first; each L2 recovery goes one up. At the top there is no L2 any more.';
COMMENT ON COLUMN hd_runtime.task_classes.min_confidence IS 'An artifact published with less confidence than this asks for a human review. Null: never.';
COMMENT ON COLUMN hd_runtime.task_classes.review_within IS 'How long a human has to answer a review request of this class (due_at).';
COMMENT ON COLUMN hd_runtime.task_classes.created_at IS 'When the class was made.';
COMMENT ON COLUMN hd_runtime.task_classes.updated_at IS 'When its settings last changed.';

INSERT INTO hd_runtime.task_classes (name, description) VALUES
    ('default',  'anything that has no class of its own'),
    ('plan',     'break a goal into tasks'),
    ('research', 'find things out'),
    ('code',     'write or change code'),
    ('test',     'write or run tests'),
    ('build',    'build what was written'),
    ('deploy',   'bring it into service'),
    ('document', 'write documentation'),
    ('review',   'judge what somebody else produced');


CREATE TABLE hd_runtime.attempt_states (
    status   text PRIMARY KEY,
    position smallint NOT NULL UNIQUE,
    leased   boolean NOT NULL,
    terminal boolean NOT NULL,
    meaning  text NOT NULL
);
COMMENT ON TABLE hd_runtime.attempt_states IS 'The thirteen states of an attempt.';
COMMENT ON COLUMN hd_runtime.attempt_states.status IS 'As in task_attempts.status.';
COMMENT ON COLUMN hd_runtime.attempt_states.position IS 'Order in which an attempt passes through them; steps are skipped forward, never backward.';
COMMENT ON COLUMN hd_runtime.attempt_states.leased IS 'A worker holds a lease in this state.';
COMMENT ON COLUMN hd_runtime.attempt_states.terminal IS 'Nothing follows.';
COMMENT ON COLUMN hd_runtime.attempt_states.meaning IS 'For people.';

INSERT INTO hd_runtime.attempt_states (position, status, leased, terminal, meaning) VALUES
    ( 1, 'preflight_blocked',   false, false, 'required inputs missing: waits for the tasks it needs'),
    ( 2, 'queued',              false, false, 'in the queue, not yet leased'),
    ( 3, 'context_resolved',    true,  false, 'claimed, dependencies loaded'),
    ( 4, 'model_selected',      true,  false, 'routing decision made'),
    ( 5, 'cache_checked',       true,  false, 'prompt cache looked up'),
    ( 6, 'executing',           true,  false, 'model call in progress'),
    ( 7, 'artifact_validating', true,  false, 'output is being validated'),
    ( 8, 'evidence_collecting', true,  false, 'waiting for runtime evidence'),
    ( 9, 'verifier_pending',    true,  false, 'verifier dispatched'),
    (10, 'completed_verified',  false, true,  'artifact validated and evidence confirmed'),
    (11, 'retryable_failed',    false, false, 'failed; L1 or L2 recovery follows in the same transaction'),
    (12, 'repair_required',     false, false, 'failed; L3 recovery follows in the same transaction, or a human is asked (L4)'),
    (13, 'terminal_failed',     false, true,  'over without success: replaced by another attempt, or no recovery path');


CREATE TABLE hd_runtime.attempt_transitions (
    from_status text NOT NULL REFERENCES hd_runtime.attempt_states,
    to_status   text NOT NULL REFERENCES hd_runtime.attempt_states,
    event_type  text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE hd_runtime.attempt_transitions IS 'The legal changes of task_attempts.status. Any other is error HD002, whoever asks.';
COMMENT ON COLUMN hd_runtime.attempt_transitions.from_status IS 'State before.';
COMMENT ON COLUMN hd_runtime.attempt_transitions.to_status IS 'State after.';
COMMENT ON COLUMN hd_runtime.attempt_transitions.event_type IS 'Type of the event that records it, unless the function that makes the change knows a more telling one.';

INSERT INTO hd_runtime.attempt_transitions (from_status, to_status, event_type) VALUES
    ('queued',            'context_resolved',  'attempt.claimed'),
    ('queued',            'preflight_blocked', 'attempt.blocked'),
    ('preflight_blocked', 'queued',            'attempt.unblocked'),
    ('queued',            'terminal_failed',   'attempt.cancelled'),
    ('preflight_blocked', 'terminal_failed',   'attempt.cancelled'),
    ('retryable_failed',  'terminal_failed',   'attempt.replaced'),
    ('repair_required',   'terminal_failed',   'attempt.replaced');
INSERT INTO hd_runtime.attempt_transitions (from_status, to_status, event_type)
    SELECT f.status, t.status, 'attempt.advanced'
    FROM hd_runtime.attempt_states f JOIN hd_runtime.attempt_states t ON f.position < t.position
    WHERE f.leased AND t.leased
    UNION ALL
    SELECT f.status, t.status, t.event_type
    FROM hd_runtime.attempt_states f
    CROSS JOIN (VALUES ('completed_verified', 'attempt.completed'),
                       ('retryable_failed',   'attempt.failed'),
                       ('repair_required',    'attempt.failed'),
                       ('terminal_failed',    'attempt.failed')) AS t (status, event_type)
    WHERE f.leased;


CREATE TABLE hd_runtime.tasks (
    id            uuid PRIMARY KEY,
    project_id    uuid NOT NULL REFERENCES hd_runtime.projects,
    agent_type    text NOT NULL,
    task_class    text NOT NULL,
    status        text NOT NULL DEFAULT 'created',
    input_hash    text,
    priority      smallint NOT NULL DEFAULT 100,
    work_item_key text,
    payload       jsonb,
    available_at  timestamptz NOT NULL DEFAULT now(),
    created_by    text NOT NULL DEFAULT session_user,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
) WITH (
    -- Two HOT updates (running, done) find room on the row's own page; no index names status.
    fillfactor = 90,
    -- A busy queue turns its rows over quickly: vacuum after 2 % and not after 20 %.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.05
);
COMMENT ON TABLE hd_runtime.tasks IS 'An intent: what is to be done. Immutable but for status and updated_at, which only the functions change.';
COMMENT ON COLUMN hd_runtime.tasks.id IS 'Version 7 UUID: rises with time, so that indexes grow at one end.';
COMMENT ON COLUMN hd_runtime.tasks.project_id IS 'The project it belongs to.';
COMMENT ON COLUMN hd_runtime.tasks.agent_type IS 'The type of agent it is meant for.';
COMMENT ON COLUMN hd_runtime.tasks.task_class IS 'Its class in task_classes. Checked by create_task; not a foreign key, because that would lock one class row in every transaction that creates a task.';
COMMENT ON COLUMN hd_runtime.tasks.status IS 'created (waits for other tasks), queued, running (or waiting for a human), done, failed. Follows the attempts.';
COMMENT ON COLUMN hd_runtime.tasks.input_hash IS 'The caller''s hash of the input, for caching; not interpreted.';
COMMENT ON COLUMN hd_runtime.tasks.priority IS 'Lower goes first. Meant to take a few distinct values: each in use costs a claim one more index probe.';
COMMENT ON COLUMN hd_runtime.tasks.work_item_key IS 'Idempotent dispatch: at most one unfinished task per project and key (see open_work_items).';
COMMENT ON COLUMN hd_runtime.tasks.payload IS 'What the agent gets with the claim; at most 1 MiB.';
COMMENT ON COLUMN hd_runtime.tasks.available_at IS 'Not claimable before this instant.';
COMMENT ON COLUMN hd_runtime.tasks.created_by IS 'The role that created it.';
COMMENT ON COLUMN hd_runtime.tasks.created_at IS 'When it was created.';
COMMENT ON COLUMN hd_runtime.tasks.updated_at IS 'When status last changed.';


CREATE TABLE hd_runtime.open_work_items (
    project_id    uuid NOT NULL,
    work_item_key text NOT NULL,
    task_id       uuid NOT NULL,
    PRIMARY KEY (project_id, work_item_key)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE hd_runtime.open_work_items IS 'The work_item_keys of unfinished tasks. A table of its own, and not a partial unique index on tasks, so that no index names tasks.status and its updates stay HOT.';
COMMENT ON COLUMN hd_runtime.open_work_items.project_id IS 'The task''s project.';
COMMENT ON COLUMN hd_runtime.open_work_items.work_item_key IS 'The task''s key.';
COMMENT ON COLUMN hd_runtime.open_work_items.task_id IS 'The unfinished task that has the key. The row goes when the task is done or failed.';


CREATE TABLE hd_runtime.task_dependencies (
    task_id       uuid NOT NULL REFERENCES hd_runtime.tasks,
    needs_task_id uuid NOT NULL REFERENCES hd_runtime.tasks,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (task_id, needs_task_id),
    CHECK (task_id <> needs_task_id)
);
CREATE INDEX idx_dependents ON hd_runtime.task_dependencies (needs_task_id, task_id);
COMMENT ON TABLE hd_runtime.task_dependencies IS '"This task needs that one": task_id becomes claimable in the transaction that completes the last needs_task_id. Without cycles.';
COMMENT ON COLUMN hd_runtime.task_dependencies.task_id IS 'The task that waits.';
COMMENT ON COLUMN hd_runtime.task_dependencies.needs_task_id IS 'The task it waits for.';
COMMENT ON COLUMN hd_runtime.task_dependencies.created_at IS 'When the dependency was declared.';
COMMENT ON INDEX hd_runtime.idx_dependents IS 'Who waits for a task that has just ended.';


CREATE TABLE hd_runtime.task_attempts (
    id                uuid PRIMARY KEY,
    task_id           uuid NOT NULL REFERENCES hd_runtime.tasks,
    project_id        uuid NOT NULL,
    parent_attempt_id uuid REFERENCES hd_runtime.task_attempts,
    attempt_no        int NOT NULL,
    lane_id           int NOT NULL,
    status            text NOT NULL DEFAULT 'queued',
    available_at      timestamptz NOT NULL,
    agent_type        text NOT NULL,
    agent_run_id      text,
    model_class       text NOT NULL,
    recovery_level    text NOT NULL DEFAULT 'L0',
    lease_epoch       bigint NOT NULL DEFAULT 0,
    lease_ttl         interval,
    lease_token       text,
    lease_expires     timestamptz,
    lease_check_at    timestamptz,
    heartbeat_at      timestamptz,
    cancel_requested  boolean NOT NULL DEFAULT false,
    cancel_reason     text,
    failure_kind      text,
    result            jsonb,
    created_at        timestamptz NOT NULL DEFAULT now(),
    claimed_at        timestamptz,
    completed_at      timestamptz,
    event_seq         bigint NOT NULL,
    event_hash        bytea NOT NULL,
    event_type        text,
    event_actor       text,
    event_detail      jsonb,
    UNIQUE (task_id, attempt_no)
) WITH (
    -- Heartbeats are HOT updates: they need room on the row's own page.
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05
);
CREATE UNIQUE INDEX idx_one_active_attempt ON hd_runtime.task_attempts (task_id)
    WHERE status NOT IN ('completed_verified', 'terminal_failed');
CREATE INDEX idx_queue ON hd_runtime.task_attempts (lane_id, available_at)
    WHERE status = 'queued';
CREATE INDEX idx_project_queue ON hd_runtime.task_attempts (project_id, lane_id, available_at)
    WHERE status = 'queued';
CREATE INDEX idx_leases ON hd_runtime.task_attempts (lease_check_at)
    WHERE lease_check_at IS NOT NULL;

COMMENT ON TABLE hd_runtime.task_attempts IS 'One run of a task. A retry, an escalation, a repair, an expired lease each make a new row; the old one ends as terminal_failed in the same transaction. Every change of status writes its event (trigger record_transition).';
COMMENT ON COLUMN hd_runtime.task_attempts.id IS 'Version 7 UUID.';
COMMENT ON COLUMN hd_runtime.task_attempts.task_id IS 'The task it is a run of.';
COMMENT ON COLUMN hd_runtime.task_attempts.project_id IS 'The task''s project, here for idx_project_queue.';
COMMENT ON COLUMN hd_runtime.task_attempts.parent_attempt_id IS 'The attempt that this one replaces: attempt_no - 1 of the same task.';
COMMENT ON COLUMN hd_runtime.task_attempts.attempt_no IS '1, 2, 3... within the task.';
COMMENT ON COLUMN hd_runtime.task_attempts.lane_id IS 'Its lane in queue_lanes: task class, agent type and priority. Not a foreign key, because that would lock one lane row in every transaction that creates a task; lanes are never deleted.';
COMMENT ON COLUMN hd_runtime.task_attempts.status IS 'One of attempt_states; changes along attempt_transitions only.';
COMMENT ON COLUMN hd_runtime.task_attempts.available_at IS 'Place in the queue: oldest first within a lane, and not claimable before. Never before the instant it entered the queue, so that a claim may start its scan at the lane''s mark (queue_marks).';
COMMENT ON COLUMN hd_runtime.task_attempts.agent_type IS 'The type of agent that may run it: the task''s, or ''repair'' after an L3 recovery.';
COMMENT ON COLUMN hd_runtime.task_attempts.agent_run_id IS 'Who claimed it.';
COMMENT ON COLUMN hd_runtime.task_attempts.model_class IS 'The rung of the class''s model_classes that this attempt is to use.';
COMMENT ON COLUMN hd_runtime.task_attempts.recovery_level IS 'The recovery that made it: L0 the first attempt, L1 retry, L2 stronger model, L3 repair agent, L4 resumed by a human. An attempt that was given back (release_attempt) hands its level on.';
COMMENT ON COLUMN hd_runtime.task_attempts.lease_epoch IS 'Fencing token for systems outside: rises with each lease of the task, so that a store that remembers the highest it has seen can refuse a late worker.';
COMMENT ON COLUMN hd_runtime.task_attempts.lease_ttl IS 'The class''s lease_ttl when it was claimed; each heartbeat gives that much again.';
COMMENT ON COLUMN hd_runtime.task_attempts.lease_token IS 'SHA-256 of the lease token, as sha256:hex. The token itself is known to the worker alone: agents may read this table. Kept after the end, when it opens nothing.';
COMMENT ON COLUMN hd_runtime.task_attempts.lease_expires IS 'When the lease ends without a heartbeat. In no index, so that a heartbeat is a HOT update. Null while nobody holds a lease.';
COMMENT ON COLUMN hd_runtime.task_attempts.lease_check_at IS 'When the reaper looks at the lease next; set by the claim, moved on by the reaper and not by heartbeats. Null while nobody holds a lease.';
COMMENT ON COLUMN hd_runtime.task_attempts.heartbeat_at IS 'The last heartbeat.';
COMMENT ON COLUMN hd_runtime.task_attempts.cancel_requested IS 'An operator asked to stop; heartbeat tells the worker.';
COMMENT ON COLUMN hd_runtime.task_attempts.cancel_reason IS 'Who asked to stop, and why.';
COMMENT ON COLUMN hd_runtime.task_attempts.failure_kind IS 'Why it failed, of failure_kinds or the worker''s own word. Null when it did not fail, or was given back or cancelled.';
COMMENT ON COLUMN hd_runtime.task_attempts.result IS 'What complete_attempt was given; at most 1 MiB. Dependents get it with their claim.';
COMMENT ON COLUMN hd_runtime.task_attempts.created_at IS 'When the attempt was made.';
COMMENT ON COLUMN hd_runtime.task_attempts.claimed_at IS 'When it was claimed.';
COMMENT ON COLUMN hd_runtime.task_attempts.completed_at IS 'When it ended, well or badly.';
COMMENT ON COLUMN hd_runtime.task_attempts.event_seq IS 'Head of its event chain: seq of its last event.';
COMMENT ON COLUMN hd_runtime.task_attempts.event_hash IS 'Head of its event chain: hash of its last event.';
COMMENT ON COLUMN hd_runtime.task_attempts.event_type IS 'Null at rest. A function sets it in the UPDATE that changes status, to name the event; the trigger takes it.';
COMMENT ON COLUMN hd_runtime.task_attempts.event_actor IS 'Null at rest; the event''s actor, as event_type.';
COMMENT ON COLUMN hd_runtime.task_attempts.event_detail IS 'Null at rest; the event''s detail, as event_type.';
COMMENT ON INDEX hd_runtime.idx_one_active_attempt IS 'One active attempt per task, at every instant.';
COMMENT ON INDEX hd_runtime.idx_queue IS 'The queue: one probe per lane gives its oldest waiting attempt.';
COMMENT ON INDEX hd_runtime.idx_project_queue IS 'The queue for a claim of one project, so that it need not pass the backlog of others.';
COMMENT ON INDEX hd_runtime.idx_leases IS 'What the reaper has to look at, next first.';


-- Named types, and not OUT parameters: Postgres builds the row type of those anew in every call.

CREATE TYPE hd_runtime.created_task AS (task_id uuid, attempt_id uuid, created boolean);
COMMENT ON TYPE hd_runtime.created_task IS 'What create_task answers.';
COMMENT ON COLUMN hd_runtime.created_task.task_id IS 'The task.';
COMMENT ON COLUMN hd_runtime.created_task.attempt_id IS 'Its newest attempt.';
COMMENT ON COLUMN hd_runtime.created_task.created IS 'False when an unfinished task had the work_item_key already: it is that one.';

CREATE TYPE hd_runtime.renewed_lease AS (lease_expires timestamptz, cancel_requested boolean);
COMMENT ON TYPE hd_runtime.renewed_lease IS 'What heartbeat answers.';
COMMENT ON COLUMN hd_runtime.renewed_lease.lease_expires IS 'When the lease ends without another heartbeat.';
COMMENT ON COLUMN hd_runtime.renewed_lease.cancel_requested IS 'An operator asked to stop.';

CREATE TYPE hd_runtime.claimed_task AS (
    task_id        uuid,
    attempt_id     uuid,
    attempt_no     int,
    task_class     text,
    agent_type     text,
    project_id     uuid,
    payload        jsonb,
    input_hash     text,
    recovery_level text,
    model_class    text,
    context        jsonb,
    lease_token    text,
    lease_epoch    bigint,
    lease_expires  timestamptz
);
COMMENT ON TYPE hd_runtime.claimed_task IS 'What a worker gets with a claim.';
COMMENT ON COLUMN hd_runtime.claimed_task.task_id IS 'The task.';
COMMENT ON COLUMN hd_runtime.claimed_task.attempt_id IS 'The attempt: with lease_token, the key to all that the worker does.';
COMMENT ON COLUMN hd_runtime.claimed_task.attempt_no IS '1 unless the task has failed before.';
COMMENT ON COLUMN hd_runtime.claimed_task.task_class IS 'The task''s class.';
COMMENT ON COLUMN hd_runtime.claimed_task.agent_type IS 'The type of agent wanted: the task''s, or ''repair''.';
COMMENT ON COLUMN hd_runtime.claimed_task.project_id IS 'The task''s project.';
COMMENT ON COLUMN hd_runtime.claimed_task.payload IS 'The task''s payload.';
COMMENT ON COLUMN hd_runtime.claimed_task.input_hash IS 'The task''s input_hash.';
COMMENT ON COLUMN hd_runtime.claimed_task.recovery_level IS 'L0 for a first attempt, else the recovery that made this one.';
COMMENT ON COLUMN hd_runtime.claimed_task.model_class IS 'The class of model to use.';
COMMENT ON COLUMN hd_runtime.claimed_task.context IS '{} or: needs = what the tasks it needed produced (result, artifacts), failure = why the attempt before failed.';
COMMENT ON COLUMN hd_runtime.claimed_task.lease_token IS 'The lease''s secret. Shown here and nowhere else.';
COMMENT ON COLUMN hd_runtime.claimed_task.lease_epoch IS 'Fencing token for systems outside; rises with each lease of the task.';
COMMENT ON COLUMN hd_runtime.claimed_task.lease_expires IS 'When the lease ends without a heartbeat.';
