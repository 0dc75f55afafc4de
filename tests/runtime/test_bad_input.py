"""Every function, every argument, everything wrong with it: its own HDxxx, and nothing has changed.

The cases are made from the catalog, so that a new function or argument is in them by itself: it is
missing from `GOOD` until somebody says how it is called rightly.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

import runtime_sql

# How each function is called rightly: the arguments without a default. A word that begins with $ is
# something that the world below has.
GOOD: dict[str, dict[str, Any]] = {
    "add_dependency": {"task_id": "$task", "needs_task_id": "$leased_task"},
    "advance_attempt": {
        "attempt_id": "$attempt",
        "lease_token": "$token",
        "to_status": "executing",
    },
    "cancel_task": {"task_id": "$task"},
    "claim_next_task": {"agent_run_id": "a"},
    "claim_task": {"task_id": "$task", "agent_run_id": "a"},
    "complete_attempt": {"attempt_id": "$attempt", "lease_token": "$token"},
    "create_project": {"name": "new"},
    "create_task": {"project_id": "$project", "agent_type": "builder", "task_class": "code"},
    "decide_release": {"gate_evaluation_id": "$evaluation", "decision": "block"},
    "decide_review": {"review_id": "$review", "decision": "approved"},
    "default_project": {},
    "define_gate": {
        "gate": "G3",
        "predicates": [{"fact": "a", "operator": "eq", "expected": 1}],
    },
    "define_task_class": {"name": "nightly"},
    "ensure_event_partitions": {},
    "evaluate_gate": {"project_id": "$project", "gate": "G2", "facts": {"a": 1}},
    "explain": {"attempt_id": "$attempt"},
    "fail_attempt": {"attempt_id": "$attempt", "lease_token": "$token", "failure_kind": "timeout"},
    "heartbeat": {"attempt_id": "$attempt", "lease_token": "$token"},
    "housekeep": {},
    "publish_artifact": {
        "attempt_id": "$attempt",
        "lease_token": "$token",
        "kind": "code",
        "artifact_key": "main.py",
        "content": {"a": 1},
    },
    "reap_expired_leases": {},
    "record_llm_invocation": {
        "decision_id": "$decision",
        "lease_token": "$token",
        "provider": "acme",
        "model": "small",
    },
    "record_model_decision": {
        "attempt_id": "$attempt",
        "lease_token": "$token",
        "primary_model": "small",
    },
    "record_validation": {"artifact_id": "$artifact", "verifier_type": "schema", "passed": True},
    "recover_attempt": {"attempt_id": "$failed"},
    "release_attempt": {"attempt_id": "$attempt", "lease_token": "$token"},
    "request_review": {"project_id": "$project", "title": "look"},
    "verify_events": {"task_id": "$task"},
}
# Pure arithmetic, strict in nothing: it hashes what it is given.
NO_STATE = {"event_digest"}


@pytest.fixture
def world(rt_newest) -> dict[str, Any]:
    """One of everything that a function may be asked about."""
    rt = rt_newest
    leased = rt.claim_new()
    key = leased["attempt_id"], leased["lease_token"]
    decision = rt.call1("record_model_decision", *key, "small")["id"]
    artifact = rt.call1("publish_artifact", *key, "code", "main.py", {"a": 1})["id"]
    doomed = rt.claim_new()
    rt.call("fail_attempt", doomed["attempt_id"], doomed["lease_token"], "policy_denied")
    rt.call("define_gate", "G2", Jsonb([{"fact": "a", "operator": "eq", "expected": 1}]))
    return {
        "$project": rt.default_project,
        "$task": rt.create()["task_id"],
        "$leased_task": leased["task_id"],
        "$attempt": leased["attempt_id"],
        "$token": leased["lease_token"],
        "$decision": decision,
        "$artifact": artifact,
        "$failed": doomed["attempt_id"],
        "$review": rt.value("SELECT review_id FROM review_queue"),
        "$evaluation": rt.call1("evaluate_gate", rt.default_project, "G2", {"a": 1})["id"],
    }


def call(rt: Any, world: dict[str, Any], function: str, **changed: Any) -> list[dict]:
    arguments = {**GOOD[function], **changed}
    values = [
        Jsonb(value)
        if isinstance(value, (dict, list))
        else world.get(value, value)
        if isinstance(value, str)
        else value
        for value in arguments.values()
    ]
    places = [sql.SQL("{} => %s").format(sql.Identifier(name)) for name in arguments]
    query = sql.SQL("SELECT * FROM {}({})").format(
        sql.Identifier(function), sql.SQL(", ").join(places)
    )
    return rt.conn.execute(query, values).fetchall()


def arguments(rt: Any, types: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Function -> names of its arguments (of those types)."""
    found: dict[str, list[str]] = {}
    for row in rt.rows(
        "SELECT p.proname, a.name, format_type(a.type, NULL) AS type"
        " FROM pg_proc p CROSS JOIN LATERAL ("
        "   SELECT p.proargnames[i] AS name, p.proargtypes[i - 1] AS type"
        "   FROM generate_series(1, p.pronargs) AS i) AS a"
        " WHERE p.pronamespace = 'hd_runtime'::regnamespace AND NOT starts_with(p.proname, '_')"
    ):
        if not types or row["type"] in types:
            found.setdefault(row["proname"], []).append(row["name"])
    return found


def test_every_function_is_called_rightly_here(rt_newest, world):
    assert set(GOOD) | NO_STATE == set(runtime_sql.FUNCTIONS)
    for function in GOOD:
        with rt_newest.conn.transaction(force_rollback=True):
            call(rt_newest, world, function)


@pytest.mark.parametrize("function", GOOD)
def test_a_null_for_what_is_needed(rt_newest, world, function):
    for name in GOOD[function]:
        if (function, name) == ("publish_artifact", "content"):
            continue  # a uri will do
        with rt_newest.refused("HD006"):
            call(rt_newest, world, function, **{name: None})


@pytest.mark.parametrize("function", GOOD)
def test_an_empty_text_for_what_is_needed(rt_newest, world, function):
    for name in GOOD[function]:
        if name in arguments(rt_newest, ("text",)).get(function, ()):
            sqlstate = {"lease_token": "HD001", "to_status": "HD002"}.get(name, "HD006")
            if (function, name) == ("evaluate_gate", "gate"):
                sqlstate = "HD004"
            with rt_newest.refused(sqlstate):
                call(rt_newest, world, function, **{name: ""})


@pytest.mark.parametrize("function", GOOD)
def test_an_id_of_nothing(rt_newest, world, function):
    for name in arguments(rt_newest, ("uuid",)).get(function, ()):
        if function == "claim_next_task":
            # A project without tasks has none to give, whether it is there or not.
            assert call(rt_newest, world, function, **{name: uuid.uuid4()}) == []
            continue
        with rt_newest.refused("HD004", "there is no"):
            call(rt_newest, world, function, **{name: uuid.uuid4()})


def test_a_need_that_is_nothing(rt_newest, world):
    with rt_newest.refused("HD004", "not there"):
        rt_newest.create(needs=[uuid.uuid4()])


@pytest.mark.parametrize("function", [f for f in GOOD if "lease_token" in GOOD[f]])
def test_a_token_that_is_not_the_live_one(rt_newest, world, function):
    rt = rt_newest
    other = rt.claim_new()["lease_token"]
    for wrong in (other, "guess", "", world["$token"].upper(), world["$token"] + " "):
        with rt.refused("HD001", "lease lost"):
            call(rt, world, function, lease_token=wrong)
    rt.expire(world["$attempt"])
    if function == "record_llm_invocation":
        # It was made and costs money: kept, and marked.
        [made] = call(rt, world, function)
        assert rt.value("SELECT stale FROM llm_invocations WHERE id = %s", made["id"])
        return
    with rt.refused("HD001", "lease lost"):
        call(rt, world, function)
    rt.call("reap_expired_leases")
    with rt.refused("HD001", "lease lost"):
        call(rt, world, function)


@pytest.mark.parametrize("function", GOOD)
def test_a_document_that_is_too_large(rt_newest, world, function):
    for name in arguments(rt_newest, ("jsonb",)).get(function, ()):
        # Many short texts, which do not compress to nothing.
        large: Any = {"a": "".join(str(uuid.uuid4()) for _ in range(40_000))}
        if name == "predicates":
            large = [{"fact": "a", "operator": "eq", "expected": large}]
        with rt_newest.refused("HD006", "too large"):
            call(rt_newest, world, function, **{name: large})


@pytest.mark.parametrize("function", GOOD)
def test_a_text_that_is_too_long(rt_newest, world, function):
    for name in arguments(rt_newest, ("text",)).get(function, ()):
        if (function, name) == ("claim_next_task", "agent_type"):
            continue  # nothing is of that type
        sqlstate = "HD001" if name == "lease_token" else "HD006"
        for text in ("ä" * 200_000, "".join(str(uuid.uuid4()) for _ in range(5_600))):
            with rt_newest.refused(sqlstate) as caught:
                call(rt_newest, world, function, **{name: text})
            assert len(str(caught.value)) < 1000


def test_lists_have_limits_too(rt_newest, world):
    for function, changed in (
        ("define_task_class", {"model_classes": ["standard", None]}),
        ("define_task_class", {"model_classes": []}),
        ("define_task_class", {"model_classes": ["m" * 2000]}),
        ("record_model_decision", {"fallback_chain": ["a", None]}),
        ("record_model_decision", {"fallback_chain": ["m"] * 2000}),
        ("create_task", {"needs": [None]}),
    ):
        with rt_newest.refused("HD006"):
            arguments = {**GOOD[function], **changed}
            rt_newest.call(function, **{k: world.get(str(v), v) for k, v in arguments.items()})


def test_a_class_nobody_knows(rt_newest, world):
    for function, arguments in (
        ("create_task", {"task_class": "unheard of"}),
        ("claim_next_task", {"task_classes": ["code", "unheard of"]}),
        ("claim_next_task", {"task_classes": [None]}),
    ):
        with rt_newest.refused("HD004", "class", "Known"):
            merged = {**GOOD[function], **arguments}
            rt_newest.call(function, **{k: world.get(str(v), v) for k, v in merged.items()})


def test_states_that_do_not_allow_it(rt_newest, world):
    rt = rt_newest
    done = rt.claim_new()
    rt.call("complete_attempt", done["attempt_id"], done["lease_token"])
    for sqlstate, function, changed in (
        ("HD005", "claim_task", {"task_id": done["task_id"]}),
        ("HD002", "add_dependency", {"task_id": done["task_id"]}),
        ("HD002", "add_dependency", {"task_id": "$leased_task", "needs_task_id": "$task"}),
        ("HD002", "recover_attempt", {"attempt_id": "$attempt"}),
        ("HD002", "recover_attempt", {"attempt_id": done["attempt_id"]}),
        ("HD002", "advance_attempt", {"to_status": "completed_verified"}),
        ("HD002", "advance_attempt", {"to_status": "context_resolved"}),
        ("HD002", "advance_attempt", {"to_status": "unheard of"}),
        ("HD006", "add_dependency", {"needs_task_id": "$task"}),
        ("HD006", "fail_attempt", {"failure_kind": "lease_expired"}),
        ("HD006", "recover_attempt", {"level": "L5"}),
        ("HD006", "decide_review", {"decision": "perhaps"}),
        ("HD006", "decide_release", {"decision": "perhaps"}),
        ("HD006", "record_validation", {"verifier_type": "a friend"}),
        ("HD006", "create_task", {"priority": -1}),
        ("HD006", "create_task", {"priority": 40_000}),
        ("HD006", "claim_next_task", {"max_tasks": 0}),
        ("HD006", "claim_next_task", {"max_tasks": 1001}),
        ("HD006", "reap_expired_leases", {"max_rows": 0}),
        ("HD006", "ensure_event_partitions", {"months_ahead": -1}),
        ("HD006", "publish_artifact", {"confidence": 1.5}),
        ("HD006", "publish_artifact", {"confidence": float("nan")}),
        ("HD006", "publish_artifact", {"content_hash": "sha256:abc"}),
        ("HD006", "record_llm_invocation", {"cost_usd": -1}),
        ("HD006", "record_llm_invocation", {"cost_usd": float("nan")}),
        ("HD006", "record_llm_invocation", {"input_tokens": -1}),
        ("HD006", "record_llm_invocation", {"status": "so so"}),
        ("HD006", "define_task_class", {"lease_ttl": "-1 second"}),
        ("HD006", "define_task_class", {"max_l1": 100_000}),
    ):
        with rt.refused(sqlstate):
            call(rt, world, function, **changed)
    assert call(rt, world, "cancel_task", task_id=done["task_id"]) == [{"outcome": "noop"}]
