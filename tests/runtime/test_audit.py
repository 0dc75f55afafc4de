"""The audit trail: chained, append-only, recomputable by anybody, and telling of whoever tampers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC

import psycopg
import pytest

GENESIS = bytes(32)


def digest(prev: bytes, event: dict) -> bytes:
    """As the comment on event_digest says, in Python."""
    ts = event["ts"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    fields = [
        str(event["task_id"]), str(event["attempt_id"]), str(event["seq"]), ts, event["type"],
        event["from_status"] or "", event["to_status"], event["actor"], event["detail_text"] or "",
    ]  # fmt: skip
    return hashlib.sha256(prev + "\n".join(fields).encode()).digest()


def chain(rt, task_id) -> Iterator[dict]:
    return iter(
        rt.rows(
            "SELECT *, detail::text AS detail_text FROM workflow_events WHERE task_id = %s"
            " ORDER BY id",
            task_id,
        )
    )


@pytest.fixture
def story(rt) -> dict:
    """A task with a past: four attempts, of which the last completed. {no: attempt_id, 'task': id}"""
    task = rt.create(payload={"umlaut": "ä", "quote": '"\\\n'})
    claimed = rt.claim("ägent \"x\" \t'1'")
    rt.call(
        "advance_attempt", claimed["attempt_id"], claimed["lease_token"], "executing",
        {"b": 1, "a": "zeile\nzwei", "c": [1.50, None, "ü"]},
    )  # fmt: skip
    rt.call("fail_attempt", claimed["attempt_id"], claimed["lease_token"], "schema_validation")
    claimed = rt.claim()
    rt.call("release_attempt", claimed["attempt_id"], claimed["lease_token"])
    claimed = rt.claim()
    rt.expire(claimed["attempt_id"])
    rt.call("reap_expired_leases")
    claimed = rt.claim()
    rt.call("complete_attempt", claimed["attempt_id"], claimed["lease_token"], {"ok": True})
    attempts = rt.rows("SELECT attempt_no, id FROM task_attempts ORDER BY 1")
    return {"task": task["task_id"]} | {a["attempt_no"]: a["id"] for a in attempts}


def test_the_chain_can_be_recomputed_outside_the_database(rt, story):
    rt.conn.execute("SET timezone = 'Asia/Kathmandu'")
    prev, last = GENESIS, {}
    for event in chain(rt, story["task"]):
        assert event["prev_hash"] == prev
        prev = digest(prev, event)
        assert event["hash"] == prev
        assert event["seq"] == last.get(event["attempt_id"], 0) + 1
        last[event["attempt_id"]] = event["seq"]
    heads = rt.rows("SELECT id, event_seq, event_hash FROM task_attempts ORDER BY attempt_no")
    assert {h["id"]: h["event_seq"] for h in heads} == last
    assert heads[-1]["event_hash"] == prev
    assert rt.call1("verify_events", story["task"]) == {
        "ok": True, "attempt_id": None, "seq": None, "problem": None,
    }  # fmt: skip


def test_every_change_of_status_has_its_event(rt, story):
    """Whoever makes it: here an administrator by hand."""
    task = rt.create()
    rt.conn.execute(
        "UPDATE hd_runtime.task_attempts SET status = 'terminal_failed' WHERE id = %s",
        [task["attempt_id"]],
    )
    *_, event = chain(rt, task["task_id"])
    assert (event["type"], event["actor"]) == ("attempt.cancelled", "postgres")
    assert (event["from_status"], event["to_status"]) == ("queued", "terminal_failed")


def test_only_legal_transitions_exist_whoever_asks(rt):
    states = [r["status"] for r in rt.rows("SELECT status FROM attempt_states ORDER BY position")]
    assert len(states) == 13
    legal = {
        (r["from_status"], r["to_status"]) for r in rt.rows("SELECT * FROM attempt_transitions")
    }
    leased = {r["status"] for r in rt.rows("SELECT status FROM attempt_states WHERE leased")}
    ends = {"completed_verified", "terminal_failed"}
    rt.conn.execute("ALTER TABLE hd_runtime.task_attempts DISABLE TRIGGER record_creation")
    tried = 0
    for before in states:
        for after in states:
            if before == after:
                continue
            conn = rt.conn
            with conn.transaction(force_rollback=True):
                task, attempt = rt.rows(
                    "SELECT hd_runtime._new_id() AS id FROM generate_series(1, 2)"
                )
                conn.execute(
                    "INSERT INTO hd_runtime.tasks (id, project_id, agent_type, task_class)"
                    " VALUES (%s, default_project(), 'a', 'code')",
                    [task["id"]],
                )
                watch = "now()" if before in leased else "NULL"
                conn.execute(
                    "INSERT INTO hd_runtime.task_attempts (id, task_id, project_id, attempt_no,"
                    " lane_id, status, available_at, agent_type, model_class, event_seq,"
                    " event_hash, lease_check_at) VALUES (%s, %s, default_project(), 1, 1, %s,"
                    f" now(), 'a', 'm', 1, decode(repeat('00', 32), 'hex'), {watch})",
                    [attempt["id"], task["id"], before],
                )
                watch = "now()" if after in leased else "NULL"
                update = (
                    "UPDATE hd_runtime.task_attempts SET status = %s,"
                    f" lease_check_at = {watch} WHERE id = %s"
                )
                if (before, after) in legal:
                    conn.execute(update, [after, attempt["id"]])
                else:
                    with pytest.raises(psycopg.Error) as caught, conn.transaction():
                        conn.execute(update, [after, attempt["id"]])
                    assert caught.value.sqlstate == "HD002"
            tried += 1
    assert tried == 13 * 12
    assert not [pair for pair in legal if pair[0] in ends]
    assert len(legal) == 21 + 7 * 4 + 7


def test_a_leased_attempt_cannot_be_hidden_from_the_reaper(rt):
    rt.create()
    with rt.refused("HD002", "lease_check_at"):
        rt.conn.execute("UPDATE hd_runtime.task_attempts SET status = 'context_resolved'")


def test_an_attempt_begins_at_the_beginning(rt):
    task = rt.create()
    rt.call("cancel_task", task["task_id"])
    with rt.refused("HD002", "cannot begin as executing"):
        rt.conn.execute(
            "INSERT INTO hd_runtime.task_attempts (id, task_id, project_id, attempt_no, lane_id,"
            " status, available_at, agent_type, model_class)"
            " VALUES (gen_random_uuid(), %s, default_project(), 2, 1, 'executing', now(), 'a', 'm')",
            [task["task_id"]],
        )


APPEND_ONLY = [
    "workflow_events", "model_decisions", "llm_invocations", "artifact_instances",
    "artifact_validations", "recovery_actions", "gate_evaluations", "release_decisions",
]  # fmt: skip


@pytest.mark.parametrize("table", [*APPEND_ONLY, "workflow_events_default"])
def test_the_owner_cannot_change_what_was_written(rt, story, table):
    column = "created_at" if table not in ("workflow_events", "workflow_events_default") else "ts"
    for statement in (
        f"UPDATE hd_runtime.{table} SET {column} = now()",
        f"DELETE FROM hd_runtime.{table}",
        f"TRUNCATE hd_runtime.{table} CASCADE",
    ):
        with rt.refused("HD003", "append-only" if "release" not in table else "immutable"):
            rt.conn.execute(statement)


def test_a_partition_is_no_way_round(rt, story):
    partition = rt.value("SELECT tableoid::regclass::text FROM workflow_events LIMIT 1")
    assert partition.startswith("workflow_events_2")
    for statement in (
        f"UPDATE hd_runtime.{partition} SET actor = 'x'",
        f"DELETE FROM hd_runtime.{partition}",
        f"TRUNCATE hd_runtime.{partition}",
    ):
        with rt.refused("HD003"):
            rt.conn.execute(statement)
        # Nor with the switch that turns ordinary triggers off.
        with rt.refused("HD003"), rt.conn.transaction():
            rt.conn.execute("SET LOCAL session_replication_role = replica")
            rt.conn.execute(statement)


def test_the_owner_has_no_right_to_try(rt):
    for table in ("workflow_events", "workflow_events_default"):
        acl = rt.value("SELECT relacl::text FROM pg_class WHERE relname = %s", table)
        owner = next(entry for entry in acl.strip("{}").split(",") if entry.startswith("postgres="))
        rights = owner.removeprefix("postgres=").partition("/")[0]
        assert "a" in rights
        assert "r" in rights
        assert not set("wdD") & set(rights)


@pytest.mark.parametrize(
    "column",
    ["id", "project_id", "agent_type", "task_class", "input_hash", "priority", "work_item_key",
     "payload", "available_at", "created_by", "created_at"],
)  # fmt: skip
def test_a_task_is_immutable(rt, column):
    rt.create()
    with rt.refused("HD003", "immutable"):
        rt.conn.execute(f"UPDATE hd_runtime.tasks SET {column} = {column}")


@pytest.mark.parametrize("table", ["tasks", "task_attempts", "task_dependencies", "projects"])
def test_nothing_is_deleted(rt, story, table):
    with rt.refused("HD003"):
        rt.conn.execute(f"DELETE FROM hd_runtime.{table}")
    with rt.refused("HD003"):
        rt.conn.execute(f"TRUNCATE hd_runtime.{table} CASCADE")


# --- tampering: a superuser behind the triggers' back ---------------------------------------------

TAMPERINGS = {
    # name: (statement over {task}, {a1}...{a4}; attempt, seq and words that verify_events gives)
    "an actor": ("UPDATE workflow_events SET actor = 'x' WHERE attempt_id = {a1} AND seq = 2",
                 1, 2, "hash does not match the row"),
    "a detail": ("UPDATE workflow_events SET detail = detail || '{{\"b\": 2}}'"
                 " WHERE attempt_id = {a1} AND seq = 3", 1, 3, "hash does not match the row"),
    "a time": ("UPDATE workflow_events SET ts = ts + interval '1 microsecond'"
               " WHERE attempt_id = {a4} AND seq = 1", 4, 1, "hash does not match the row"),
    "a type": ("UPDATE workflow_events SET type = 'attempt.nothing' WHERE attempt_id = {a2} AND seq = 3",
               2, 3, "hash does not match the row"),
    "a status": ("UPDATE workflow_events SET to_status = 'queued' WHERE attempt_id = {a2} AND seq = 2",
                 2, 2, "hash does not match the row"),
    "a hash": ("UPDATE workflow_events SET hash = decode(repeat('ab', 32), 'hex')"
               " WHERE attempt_id = {a1} AND seq = 1", 1, 1, "hash does not match the row"),
    "a link": ("UPDATE workflow_events SET prev_hash = decode(repeat('ab', 32), 'hex')"
               " WHERE attempt_id = {a2} AND seq = 1", 2, 1, "prev_hash"),
    "a row with its hash": (
        "UPDATE workflow_events e SET actor = 'x', hash = event_digest(prev_hash, task_id,"
        " attempt_id, seq, ts, type, from_status, to_status, 'x', detail)"
        " WHERE attempt_id = {a1} AND seq = 2", 1, 3, "prev_hash"),
    "the last row with its hash": (
        "UPDATE workflow_events e SET actor = 'x', hash = event_digest(prev_hash, task_id,"
        " attempt_id, seq, ts, type, from_status, to_status, 'x', detail)"
        " WHERE attempt_id = {a4} AND seq = 3", 4, 3, "head"),
    "an event removed": ("DELETE FROM workflow_events WHERE attempt_id = {a1} AND seq = 3",
                         1, 3, "event 3 of the attempt is missing"),
    "the first event removed": ("DELETE FROM workflow_events WHERE attempt_id = {a1} AND seq = 1",
                                1, 1, "event 1 of the attempt is missing"),
    "the last event removed": ("DELETE FROM workflow_events WHERE attempt_id = {a4} AND seq = 3",
                               4, 3, "event 3 of the attempt is missing"),
    "all events of an attempt removed": ("DELETE FROM workflow_events WHERE attempt_id = {a3}",
                                         3, 1, "event 1 of the attempt is missing"),
    "an event added": (
        "INSERT INTO workflow_events (task_id, attempt_id, seq, ts, type, from_status, to_status,"
        " actor, prev_hash, hash) SELECT task_id, attempt_id, 4, ts, type, to_status, to_status,"
        " actor, hash, hash FROM workflow_events WHERE attempt_id = {a4} AND seq = 3",
        4, 4, "hash does not match the row"),
    "an event added, well made": (
        "INSERT INTO workflow_events (task_id, attempt_id, seq, ts, type, from_status, to_status,"
        " actor, prev_hash, hash) SELECT task_id, attempt_id, 4, ts, type, to_status, to_status,"
        " actor, hash, event_digest(hash, task_id, attempt_id, 4, ts, type, to_status, to_status,"
        " actor, NULL) FROM workflow_events WHERE attempt_id = {a4} AND seq = 3",
        4, 4, "head is event 3, but there is an event 4"),
    "an event moved to another task": (
        "UPDATE workflow_events SET task_id = gen_random_uuid() WHERE attempt_id = {a2} AND seq = 2",
        2, 2, "event 2 of the attempt is missing"),
    "an event moved to another attempt": (
        "UPDATE workflow_events SET attempt_id = {a1}, seq = 6 WHERE attempt_id = {a2} AND seq = 1",
        1, 6, "hash does not match the row"),
    "a status without an event": ("UPDATE task_attempts SET status = 'queued' WHERE id = {a4}",
                                  4, 3, "is queued, but its last event ended at completed_verified"),
    "a head": ("UPDATE task_attempts SET event_hash = decode(repeat('ab', 32), 'hex') WHERE id = {a2}",
               2, 3, "head"),
    "an attempt removed": ("DELETE FROM task_attempts WHERE id = {a2}",
                           3, None, "attempt 2 of the task is missing"),
    "the last attempt removed": ("DELETE FROM task_attempts WHERE id = {a4}",
                                 4, 1, "the attempt of this event is missing"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_is_named(rt, story, what):
    statement, attempt, seq, words = TAMPERINGS[what]
    untouched = rt.create()
    owner = rt.connect(autocommit=False)
    for table in ("workflow_events", "task_attempts"):
        owner.execute(f"ALTER TABLE hd_runtime.{table} DISABLE TRIGGER ALL")
    for row in rt.rows(
        "SELECT inhrelid::regclass::text AS p FROM pg_inherits"
        " WHERE inhparent = 'workflow_events'::regclass"
    ):
        owner.execute(f"ALTER TABLE hd_runtime.{row['p']} DISABLE TRIGGER ALL")
    ids = {f"a{no}": f"'{attempt_id}'" for no, attempt_id in story.items() if no != "task"}
    changed = owner.execute(statement.format(**ids))
    assert changed.rowcount >= 1
    owner.commit()

    found = rt.call1("verify_events", story["task"])
    assert found["ok"] is False
    assert found["attempt_id"] == story[attempt]
    assert found["seq"] == seq
    assert words in found["problem"]
    assert rt.call1("verify_events", untouched["task_id"])["ok"] is True


def test_verifying_needs_a_task(rt):
    with rt.refused("HD004"):
        rt.call("verify_events", rt.default_project)
    with rt.refused("HD006"):
        rt.call("verify_events", None)


# --- partitions -----------------------------------------------------------------------------------


def test_the_coming_months_have_their_partitions(rt):
    assert rt.value("SELECT ensure_event_partitions(3)") == 0
    assert rt.value("SELECT ensure_event_partitions(5)") == 2
    with rt.refused("HD006"):
        rt.value("SELECT ensure_event_partitions(-1)")
    partitions = rt.rows(
        "SELECT inhrelid::regclass::text AS p FROM pg_inherits"
        " WHERE inhparent = 'workflow_events'::regclass"
    )
    assert len(partitions) == 7


def test_a_missing_partition_stops_nobody(rt):
    for row in rt.rows(
        "SELECT inhrelid::regclass::text AS p FROM pg_inherits"
        " WHERE inhparent = 'workflow_events'::regclass"
        " AND inhrelid <> 'workflow_events_default'::regclass"
    ):
        rt.conn.execute(f"DROP TABLE hd_runtime.{row['p']}")
    task = rt.create()
    assert rt.value("SELECT count(*) FROM workflow_events_default") == 1
    # The month that has begun there stays there; the next ones are made.
    assert rt.call1("housekeep")["partitions_made"] == 3
    rt.claim()
    assert rt.value("SELECT count(*) FROM workflow_events_default") == 2
    assert rt.call1("verify_events", task["task_id"])["ok"]
