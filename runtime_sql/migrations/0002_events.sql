-- The audit trail: one row per state transition, chained by hash, never changed.

CREATE SEQUENCE hd_runtime.workflow_events_id_seq AS bigint;
COMMENT ON SEQUENCE hd_runtime.workflow_events_id_seq IS 'Ids of workflow_events. A sequence and a default, because identity columns of partitioned tables need Postgres 17.';

CREATE TABLE hd_runtime.workflow_events (
    id          bigint NOT NULL DEFAULT nextval('hd_runtime.workflow_events_id_seq'),
    task_id     uuid NOT NULL,
    attempt_id  uuid NOT NULL,
    seq         bigint NOT NULL,
    ts          timestamptz NOT NULL,
    type        text NOT NULL,
    from_status text,
    to_status   text NOT NULL,
    actor       text NOT NULL,
    detail      jsonb,
    prev_hash   bytea NOT NULL,
    hash        bytea NOT NULL,
    PRIMARY KEY (task_id, attempt_id, seq, ts)
) PARTITION BY RANGE (ts);

COMMENT ON TABLE hd_runtime.workflow_events IS 'One state transition of an attempt. Append-only: UPDATE, DELETE and TRUNCATE are refused to everybody, the owner too (HD003). Partitioned by month of ts, UTC. No foreign keys: rows are written by the trigger on task_attempts alone, a key would lock the attempt''s row once more for each, and a month must be detachable. One index, which begins with task_id: name the task too when you ask for an attempt''s events.';
COMMENT ON COLUMN hd_runtime.workflow_events.id IS 'Rises along a task''s chain: ORDER BY id is the order in which things happened to the task.';
COMMENT ON COLUMN hd_runtime.workflow_events.task_id IS 'The task.';
COMMENT ON COLUMN hd_runtime.workflow_events.attempt_id IS 'The attempt whose status changed.';
COMMENT ON COLUMN hd_runtime.workflow_events.seq IS '1, 2, 3... within the attempt, without gaps.';
COMMENT ON COLUMN hd_runtime.workflow_events.ts IS 'When, by the server''s clock.';
COMMENT ON COLUMN hd_runtime.workflow_events.type IS 'What happened: task.created, attempt.claimed, attempt.completed...';
COMMENT ON COLUMN hd_runtime.workflow_events.from_status IS 'State before; null where the attempt begins.';
COMMENT ON COLUMN hd_runtime.workflow_events.to_status IS 'State after.';
COMMENT ON COLUMN hd_runtime.workflow_events.actor IS 'Who: the worker''s agent_run_id, the role of an operator, or ''reaper''.';
COMMENT ON COLUMN hd_runtime.workflow_events.detail IS 'What there is to say about it; null where the transition says all.';
COMMENT ON COLUMN hd_runtime.workflow_events.prev_hash IS 'Hash of the task''s event before, of whichever attempt; 32 zero bytes for the first.';
COMMENT ON COLUMN hd_runtime.workflow_events.hash IS 'SHA-256 over prev_hash and the row''s own fields; see event_digest for the exact bytes.';

CREATE TABLE hd_runtime.workflow_events_default PARTITION OF hd_runtime.workflow_events DEFAULT;
COMMENT ON TABLE hd_runtime.workflow_events_default IS 'Events of a month whose partition was not there in time: nothing is ever refused for want of a partition. Empty as long as housekeep() runs.';


CREATE TABLE hd_runtime.event_archives (
    month       date PRIMARY KEY CHECK (extract(day FROM month) = 1),
    uri         text NOT NULL,
    events      bigint NOT NULL,
    file_sha256 text NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    archived_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE hd_runtime.event_archives IS 'Months of workflow_events that were written to Parquet and detached. verify_events takes a chain that begins in an archived month from there on.';
COMMENT ON COLUMN hd_runtime.event_archives.month IS 'First day of the month, UTC.';
COMMENT ON COLUMN hd_runtime.event_archives.uri IS 'Where the Parquet file is.';
COMMENT ON COLUMN hd_runtime.event_archives.events IS 'How many events it holds.';
COMMENT ON COLUMN hd_runtime.event_archives.file_sha256 IS 'SHA-256 of the file, hex.';
COMMENT ON COLUMN hd_runtime.event_archives.archived_at IS 'When.';
COMMENT ON COLUMN hd_runtime.event_archives.archived_by IS 'By which role.';
