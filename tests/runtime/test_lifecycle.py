"""From a task's creation to its end: what each function answers, and what it refuses."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

HUGE = {"text": "x" * (1 << 20)}
NOBODY = uuid.UUID(int=0)


def test_the_shortest_way(rt):
    created = rt.row("SELECT * FROM create_task(default_project(), 'builder', 'code')")
    assert created["created"] is True
    claimed = rt.row("SELECT * FROM claim_next_task('agent-1')")
    assert claimed["task_id"] == created["task_id"]
    assert claimed["attempt_id"] == created["attempt_id"]
    renewed = rt.row(
        "SELECT * FROM heartbeat(%s, %s)", claimed["attempt_id"], claimed["lease_token"]
    )
    assert renewed["lease_expires"] >= claimed["lease_expires"]
    assert renewed["cancel_requested"] is False
    completed = rt.row(
        "SELECT * FROM complete_attempt(%s, %s)", claimed["attempt_id"], claimed["lease_token"]
    )
    assert completed == {"seq": 3}
    assert rt.row("SELECT status FROM tasks") == {"status": "done"}
    assert rt.rows("SELECT * FROM claim_next_task('agent-1')") == []


def test_a_claim_carries_all_that_the_worker_needs(rt):
    task = rt.create(
        payload={"goal": "x"}, input_hash="abc", work_item_key="k", priority=7, task_class="test"
    )
    claimed = rt.claim()
    assert claimed | {"lease_token": "", "lease_expires": ""} == {
        "task_id": task["task_id"],
        "attempt_id": task["attempt_id"],
        "attempt_no": 1,
        "task_class": "test",
        "agent_type": "builder",
        "project_id": rt.default_project,
        "payload": {"goal": "x"},
        "input_hash": "abc",
        "recovery_level": "L0",
        "model_class": "standard",
        "context": {},
        "lease_token": "",
        "lease_epoch": 1,
        "lease_expires": "",
    }
    assert len(claimed["lease_token"]) == 36
    ttl = claimed["lease_expires"] - datetime.now(UTC)
    assert timedelta(minutes=2) < ttl <= timedelta(minutes=3)


def test_the_states_are_walked_forward_and_each_step_is_an_event(rt):
    claimed = rt.claim_new()
    key = claimed["attempt_id"], claimed["lease_token"]
    steps = [
        "model_selected", "cache_checked", "executing", "artifact_validating",
        "evidence_collecting", "verifier_pending",
    ]  # fmt: skip
    for seq, step in enumerate(steps, start=3):
        assert rt.call1("advance_attempt", *key, step, {"step": step}) == {"seq": seq}
    assert rt.call1("complete_attempt", *key, {"ok": True}) == {"seq": 9}
    events = rt.rows(
        "SELECT seq, type, from_status, to_status, actor, detail FROM workflow_events ORDER BY id"
    )
    path = ["queued", "context_resolved", *steps, "completed_verified"]
    assert [e["to_status"] for e in events] == path
    assert [e["from_status"] for e in events] == [None, *path[:-1]]
    assert [e["seq"] for e in events] == list(range(1, 10))
    assert events[0]["actor"] == "postgres"
    assert {e["actor"] for e in events[1:]} == {"agent-1"}
    assert events[4]["detail"] == {"step": "executing"}
    assert rt.row("SELECT result, agent_run_id FROM task_attempts") == {
        "result": {"ok": True},
        "agent_run_id": "agent-1",
    }


def test_steps_can_be_skipped_but_not_taken_back(rt):
    claimed = rt.claim_new()
    key = claimed["attempt_id"], claimed["lease_token"]
    rt.call1("advance_attempt", *key, "artifact_validating")
    with rt.refused("HD002", "artifact_validating to executing"):
        rt.call("advance_attempt", *key, "executing")
    with rt.refused("HD002", "already"):
        rt.call("advance_attempt", *key, "artifact_validating")


@pytest.mark.parametrize(
    "status",
    ["queued", "preflight_blocked", "completed_verified", "retryable_failed", "terminal_failed", "?"],
)  # fmt: skip
def test_a_worker_cannot_advance_to_a_state_that_is_not_a_step(rt, status):
    claimed = rt.claim_new()
    with rt.refused("HD002", "A worker may go to: model_selected"):
        rt.call("advance_attempt", claimed["attempt_id"], claimed["lease_token"], status)


ACTIONS = {
    "heartbeat": [],
    "advance_attempt": ["executing"],
    "complete_attempt": [],
    "fail_attempt": ["timeout"],
    "release_attempt": [],
    "record_model_decision": ["a-model"],
    "publish_artifact": ["report", "key", {"a": 1}],
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_worker_needs_its_token(rt, action):
    claimed = rt.claim_new()
    attempt, token = claimed["attempt_id"], claimed["lease_token"]
    with rt.refused("HD001", str(attempt), "has another lease token"):
        rt.call(action, attempt, str(uuid.uuid4()), *ACTIONS[action])
    with rt.refused("HD004", "there is no attempt"):
        rt.call(action, NOBODY, token, *ACTIONS[action])
    with rt.refused("HD006"):
        rt.call(action, None, token, *ACTIONS[action])
    with rt.refused("HD006"):
        rt.call(action, attempt, None, *ACTIONS[action])
    rt.call1(action, attempt, token, *ACTIONS[action])


@pytest.mark.parametrize("action", ACTIONS)
def test_a_worker_that_comes_back_late_is_refused(rt, action):
    claimed = rt.claim_new()
    key = claimed["attempt_id"], claimed["lease_token"]
    rt.expire(claimed["attempt_id"])
    with rt.refused("HD001", "expired"):
        rt.call(action, *key, *ACTIONS[action])
    [reaped] = rt.call("reap_expired_leases")
    with rt.refused("HD001", "terminal_failed"):
        rt.call(action, *key, *ACTIONS[action])
    with rt.refused("HD001", "has another lease token"):
        rt.call(action, reaped["new_attempt_id"], claimed["lease_token"], *ACTIONS[action])


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_can_be_done_for_a_completed_attempt(rt, action):
    claimed = rt.claim_new()
    key = claimed["attempt_id"], claimed["lease_token"]
    rt.call("complete_attempt", *key)
    with rt.refused("HD001", "completed_verified"):
        rt.call(action, *key, *ACTIONS[action])


def test_an_attempt_that_was_never_claimed_has_no_token(rt):
    task = rt.create()
    with rt.refused("HD001", "another lease token"):
        rt.call("complete_attempt", task["attempt_id"], "")


def test_the_lease_token_is_not_to_be_had_from_the_table(rt):
    claimed = rt.claim_new()
    stored = rt.value("SELECT lease_token FROM task_attempts")
    assert stored.startswith("sha256:")
    assert claimed["lease_token"] not in stored
    with rt.refused("HD001"):
        rt.call("complete_attempt", claimed["attempt_id"], stored)
    assert claimed["lease_token"] not in str(rt.snapshot())


def test_a_heartbeat_gives_the_classs_lease_again(rt):
    rt.call("define_task_class", "long", lease_ttl=timedelta(hours=1))
    claimed = rt.claim_new(task_class="long")
    renewed = rt.call1("heartbeat", claimed["attempt_id"], claimed["lease_token"])
    assert renewed["lease_expires"] - datetime.now(UTC) > timedelta(minutes=59)


@pytest.mark.parametrize(
    ("bad", "sqlstate", "words"),
    [
        ({"project_id": None}, "HD006", "project_id"),
        ({"project_id": NOBODY}, "HD004", "there is no project"),
        ({"agent_type": None}, "HD006", "agent_type"),
        ({"agent_type": ""}, "HD006", "agent_type"),
        ({"task_class": None}, "HD006", "task_class"),
        ({"task_class": "coed"}, "HD004", "Known: build, code"),
        ({"priority": None}, "HD006", "priority"),
        ({"priority": -1}, "HD006", "priority"),
        ({"priority": 40000}, "HD006", "priority"),
        ({"available_at": None}, "HD006", "available_at"),
        ({"payload": HUGE}, "HD006", "payload is too large"),
        ({"needs": [NOBODY]}, "HD004", "needs"),
        ({"needs": [None]}, "HD006", "needs"),
    ],
)
def test_a_bad_task_is_refused(rt, bad, sqlstate, words):
    with rt.refused(sqlstate, words):
        rt.create(**bad)


def test_documents_have_a_limit(rt):
    claimed = rt.claim_new()
    key = claimed["attempt_id"], claimed["lease_token"]
    for function, arguments in {
        "complete_attempt": [HUGE],
        "advance_attempt": ["executing", HUGE],
        "fail_attempt": ["timeout", HUGE],
        "publish_artifact": ["kind", "key", HUGE],
    }.items():
        with rt.refused("HD006", "too large"):
            rt.call(function, *key, *arguments)


def test_an_unfinished_work_item_is_dispatched_once(rt):
    first = rt.create(work_item_key="issue-7")
    second = rt.create(work_item_key="issue-7", task_class="test")
    assert second == first | {"created": False}
    assert rt.value("SELECT count(*) FROM tasks") == 1

    other = rt.value("SELECT create_project('other')")
    assert rt.create(work_item_key="issue-7", project_id=other)["created"]

    claimed = rt.call1("claim_task", first["task_id"], "agent-1")
    assert rt.create(work_item_key="issue-7")["created"] is False
    rt.call("complete_attempt", claimed["attempt_id"], claimed["lease_token"])
    third = rt.create(work_item_key="issue-7")
    assert third["created"]
    assert third["task_id"] != first["task_id"]


def test_of_a_work_item_the_newest_attempt_is_returned(rt):
    first = rt.create(work_item_key="k")
    claimed = rt.claim()
    new = rt.call1("release_attempt", claimed["attempt_id"], claimed["lease_token"])
    again = rt.create(work_item_key="k")
    assert again == {
        "task_id": first["task_id"],
        "attempt_id": new["new_attempt_id"],
        "created": False,
    }


def test_a_project_is_made_once(rt):
    first = rt.value("SELECT create_project('acme')")
    assert rt.value("SELECT create_project('acme')") == first
    assert rt.value("SELECT create_project('default')") == rt.default_project
    with rt.refused("HD006"):
        rt.call("create_project", "")
    with rt.refused("HD006"):
        rt.call("create_project", None)


def test_a_class_is_made_and_changed(rt):
    [made] = rt.call("define_task_class", "nightly", max_l1=9)
    assert (made["max_l1"], made["max_l2"]) == (9, 2)
    [changed] = rt.call("define_task_class", "nightly", lease_ttl=timedelta(minutes=30))
    assert (changed["max_l1"], changed["lease_ttl"]) == (9, timedelta(minutes=30))
    with rt.refused("HD006", "out of range"):
        rt.call("define_task_class", "nightly", max_l1=-1)
    with rt.refused("HD006", "out of range"):
        rt.call("define_task_class", "nightly", max_l1=100_000)
    with rt.refused("HD006"):
        rt.call("define_task_class", "")


@pytest.mark.parametrize("name", [None, "", "x" * 201, "two\nlines"])
def test_a_claim_needs_a_name_that_fits_into_the_audit_trail(rt, name):
    task = rt.create()
    with rt.refused("HD006", "agent_run_id"):
        rt.call("claim_next_task", name)
    with rt.refused("HD006", "agent_run_id"):
        rt.call("claim_task", task["task_id"], name)


def test_ids_rise_with_time(rt):
    ids = [rt.create()["task_id"] for _ in range(5)]
    assert {i.version for i in ids} == {7}
    milliseconds = [i.int >> 80 for i in ids]
    assert milliseconds == sorted(milliseconds)
    assert abs(milliseconds[0] / 1000 - datetime.now(UTC).timestamp()) < 60


def test_higher_isolation_is_refused_where_it_could_miss_something(rt):
    needed = rt.create()
    conn = rt.connect(autocommit=False)
    conn.isolation_level = 3  # REPEATABLE READ
    conn.execute("SELECT 1")
    with pytest.raises(Exception, match="READ COMMITTED") as caught:
        rt.call(
            "create_task", rt.default_project, "b", "code", needs=[needed["task_id"]], conn=conn
        )
    assert caught.value.sqlstate == "0A000"
