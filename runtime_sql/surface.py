"""The functions that people and agents call, and the tables and views that they read.

The router needs to know their names (an unqualified `claim_next_task(...)` belongs to Postgres) and
which of them change something (those may not be called from a statement that also reads DuckDB).
`grants.sql` gives agents and operators the right to call them; a test holds this table, the grants
and the functions' volatility in the database against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FUNCTIONS: Mapping[str, bool] = MappingProxyType(
    {
        # Agents
        "advance_attempt": True,
        "claim_next_task": True,
        "claim_task": True,
        "complete_attempt": True,
        "create_project": True,
        "create_task": True,
        "default_project": False,
        "evaluate_gate": True,
        "event_digest": False,
        "explain": False,
        "fail_attempt": True,
        "heartbeat": True,
        "publish_artifact": True,
        "reap_expired_leases": True,
        "record_llm_invocation": True,
        "record_model_decision": True,
        "record_validation": True,
        "release_attempt": True,
        "request_review": True,
        "verify_events": False,
        # Operators
        "add_dependency": True,
        "cancel_task": True,
        "decide_release": True,
        "decide_review": True,
        "define_gate": True,
        "define_task_class": True,
        "ensure_event_partitions": True,
        "housekeep": True,
        "recover_attempt": True,
    }
)
"""Name of each public function of hd_runtime -> whether it has side effects."""

RELATIONS: frozenset[str] = frozenset(
    {
        "artifact_instances",
        "artifact_validations",
        "attempt_chain",
        "attempt_states",
        "attempt_transitions",
        "event_archives",
        "failure_kinds",
        "gate_evaluations",
        "gate_predicates",
        "gates",
        "lineage",
        "llm_invocations",
        "model_decisions",
        "open_work_items",
        "projects",
        "queue_depth",
        "queue_lanes",
        "queue_marks",
        "recovery_actions",
        "release_decisions",
        "review_queue",
        "review_requests",
        "reward_signals",
        "schema_files",
        "schema_migrations",
        "task_attempts",
        "task_classes",
        "task_dependencies",
        "task_summary",
        "tasks",
        "work_signals",
        "workflow_events",
    }
)
"""Tables and views of hd_runtime. Unlike the functions they need the schema's name: a user may have an
analytical table of the same name."""
