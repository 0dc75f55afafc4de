"""The functions that people and agents call, in one table.

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
