CREATE OR REPLACE FUNCTION hd_runtime._refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on hd_runtime.% is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'HD003',
        HINT = 'Use the functions of schema hd_runtime; \df+ hd_runtime.* lists them.',
        DETAIL = format('table hd_runtime.%s, trigger %s', TG_TABLE_NAME, TG_NAME);
END
$$;
COMMENT ON FUNCTION hd_runtime._refuse_change() IS
'Trigger: refuses a change (HD003), for the owner and for superusers too; its argument says why. The triggers that use it fire even with session_replication_role = replica.';

-- Row triggers too on workflow_events, because statement triggers of a partitioned table are not
-- those of its partitions; ensure_event_partitions adds the one for TRUNCATE to each.
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON hd_runtime.workflow_events
    FOR EACH ROW EXECUTE FUNCTION hd_runtime._refuse_change('events are append-only');
CREATE OR REPLACE TRIGGER append_only_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON hd_runtime.workflow_events
    FOR EACH STATEMENT EXECUTE FUNCTION hd_runtime._refuse_change('events are append-only');
CREATE OR REPLACE TRIGGER append_only_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON hd_runtime.workflow_events_default
    FOR EACH STATEMENT EXECUTE FUNCTION hd_runtime._refuse_change('events are append-only');
ALTER TABLE hd_runtime.workflow_events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE hd_runtime.workflow_events ENABLE ALWAYS TRIGGER append_only_statement;
ALTER TABLE hd_runtime.workflow_events_default ENABLE ALWAYS TRIGGER append_only_statement;

-- A column list, and not a comparison of old and new, so that a change of status does not
-- have to read the payload.
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OF id, project_id, agent_type, task_class, input_hash,
        priority, work_item_key, payload, available_at, created_by, created_at ON hd_runtime.tasks
    FOR EACH STATEMENT EXECUTE FUNCTION hd_runtime._refuse_change('a task is immutable but for status and updated_at');
ALTER TABLE hd_runtime.tasks ENABLE ALWAYS TRIGGER immutable;
CREATE OR REPLACE TRIGGER immutable BEFORE UPDATE OF id, task_id, project_id, parent_attempt_id, attempt_no,
        recovery_level, created_at ON hd_runtime.task_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION hd_runtime._refuse_change('what an attempt is does not change, only its state');
ALTER TABLE hd_runtime.task_attempts ENABLE ALWAYS TRIGGER immutable;

DO $$
DECLARE
    v_table text;
    v_verb text;
    v_reason text;
BEGIN
    FOR v_table, v_verb, v_reason IN VALUES
        ('tasks',                'DELETE OR TRUNCATE',           'tasks are kept'),
        ('task_attempts',        'DELETE OR TRUNCATE',           'attempts are kept'),
        ('task_dependencies',    'UPDATE OR DELETE OR TRUNCATE', 'dependencies are kept'),
        ('projects',             'DELETE OR TRUNCATE',           'projects are kept'),
        ('task_classes',         'DELETE OR TRUNCATE',           'classes are kept'),
        ('queue_lanes',          'UPDATE OF id, task_class, agent_type, priority, created_at OR DELETE OR TRUNCATE',
                                                                 'attempts refer to lanes without a key'),
        ('model_decisions',      'UPDATE OR DELETE OR TRUNCATE', 'decisions are append-only'),
        ('llm_invocations',      'UPDATE OR DELETE OR TRUNCATE', 'invocations are append-only'),
        ('artifact_instances',   'UPDATE OR DELETE OR TRUNCATE', 'artifacts are append-only'),
        ('artifact_validations', 'UPDATE OR DELETE OR TRUNCATE', 'validations are append-only'),
        ('recovery_actions',     'UPDATE OR DELETE OR TRUNCATE', 'recovery actions are append-only'),
        ('review_requests',      'DELETE OR TRUNCATE',           'review requests are kept'),
        ('gate_evaluations',     'UPDATE OR DELETE OR TRUNCATE', 'gate evaluations are append-only'),
        ('release_decisions',    'UPDATE OR DELETE OR TRUNCATE', 'release decisions are immutable'),
        ('event_archives',       'UPDATE OR DELETE OR TRUNCATE', 'the record of archives is append-only')
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER append_only BEFORE %s ON hd_runtime.%I
             FOR EACH STATEMENT EXECUTE FUNCTION hd_runtime._refuse_change(%L)', v_verb, v_table, v_reason);
        EXECUTE format('ALTER TABLE hd_runtime.%I ENABLE ALWAYS TRIGGER append_only', v_table);
    END LOOP;
END
$$;
