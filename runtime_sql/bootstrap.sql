-- What the migration itself needs, and nothing else: the schema and the record of what was applied.

CREATE SCHEMA IF NOT EXISTS hd_runtime;
COMMENT ON SCHEMA hd_runtime IS 'The governed agent runtime: tasks, attempts, leases, recovery, evidence and an audit trail. Agents use its functions (role hd_agent); only functions change its tables. \df+ hd_runtime.* and \d+ hd_runtime.tasks are its documentation.';

CREATE TABLE IF NOT EXISTS hd_runtime.schema_migrations (
    number     int PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE hd_runtime.schema_migrations IS 'The numbered migrations that were applied. Forward only: an applied one is never changed.';
COMMENT ON COLUMN hd_runtime.schema_migrations.number IS 'Its number.';
COMMENT ON COLUMN hd_runtime.schema_migrations.name IS 'Its file.';
COMMENT ON COLUMN hd_runtime.schema_migrations.checksum IS 'SHA-256 of the file, hex.';
COMMENT ON COLUMN hd_runtime.schema_migrations.applied_at IS 'When.';
COMMENT ON COLUMN hd_runtime.schema_migrations.applied_by IS 'By which role.';

CREATE TABLE IF NOT EXISTS hd_runtime.schema_files (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE hd_runtime.schema_files IS 'The files that are applied again whenever they change: one per function, one per view, the grants.';
COMMENT ON COLUMN hd_runtime.schema_files.name IS 'The file: functions/claim_task.sql.';
COMMENT ON COLUMN hd_runtime.schema_files.checksum IS 'SHA-256 of the file as it was applied, hex.';
COMMENT ON COLUMN hd_runtime.schema_files.applied_at IS 'When it was last applied.';
COMMENT ON COLUMN hd_runtime.schema_files.applied_by IS 'By which role.';
