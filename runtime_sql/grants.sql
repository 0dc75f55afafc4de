-- Least privilege: agents call functions and read; operators decide as well; nobody writes a table.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA hd_runtime FROM PUBLIC, hd_agent, hd_operator;
REVOKE ALL ON ALL TABLES IN SCHEMA hd_runtime FROM PUBLIC, hd_agent, hd_operator;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA hd_runtime FROM PUBLIC, hd_agent, hd_operator;
REVOKE ALL ON SCHEMA hd_runtime FROM PUBLIC, hd_agent, hd_operator;

GRANT USAGE ON SCHEMA hd_runtime TO hd_agent;
GRANT SELECT ON ALL TABLES IN SCHEMA hd_runtime TO hd_agent;

-- The owner keeps what its functions need on the audit trail: INSERT and SELECT.
DO $$
DECLARE
    v_table regclass;
BEGIN
    FOR v_table IN
        SELECT 'hd_runtime.workflow_events'::regclass
        UNION ALL
        SELECT i.inhrelid::regclass FROM pg_inherits i WHERE i.inhparent = 'hd_runtime.workflow_events'::regclass
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM PUBLIC, %I', v_table,
                       (SELECT c.relowner::regrole::text FROM pg_class c WHERE c.oid = v_table));
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION
    hd_runtime.advance_attempt,
    hd_runtime.claim_next_task,
    hd_runtime.claim_task,
    hd_runtime.complete_attempt,
    hd_runtime.create_project,
    hd_runtime.create_task,
    hd_runtime.default_project,
    hd_runtime.evaluate_gate,
    hd_runtime.event_digest,
    hd_runtime.explain,
    hd_runtime.fail_attempt,
    hd_runtime.heartbeat,
    hd_runtime.publish_artifact,
    hd_runtime.reap_expired_leases,
    hd_runtime.record_llm_invocation,
    hd_runtime.record_model_decision,
    hd_runtime.record_validation,
    hd_runtime.release_attempt,
    hd_runtime.request_review,
    hd_runtime.verify_events
TO hd_agent;

GRANT EXECUTE ON FUNCTION
    hd_runtime.add_dependency,
    hd_runtime.cancel_task,
    hd_runtime.decide_release,
    hd_runtime.decide_review,
    hd_runtime.define_gate,
    hd_runtime.define_task_class,
    hd_runtime.ensure_event_partitions,
    hd_runtime.housekeep,
    hd_runtime.recover_attempt
TO hd_operator;
