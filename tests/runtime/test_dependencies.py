"""Tasks that need tasks: what an orchestrator of DAGs stands on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest


def status(rt, task) -> str:
    return rt.value("SELECT status FROM tasks WHERE id = %s", task["task_id"])


def run(rt, task, result=None) -> dict:
    claimed = rt.call1("claim_task", task["task_id"], "agent-1")
    rt.call("complete_attempt", claimed["attempt_id"], claimed["lease_token"], result)
    return claimed


def test_a_diamond(rt):
    architect = rt.create(agent_type="architect")
    builder = rt.create(needs=[architect["task_id"]])
    docs = rt.create(agent_type="docs", needs=[architect["task_id"]])
    qa = rt.create(agent_type="qa", needs=[builder["task_id"], docs["task_id"]])
    assert [status(rt, t) for t in (architect, builder, docs, qa)] == [
        "queued", "created", "created", "created",
    ]  # fmt: skip
    assert rt.row("SELECT status FROM task_attempts WHERE id = %s", qa["attempt_id"]) == {
        "status": "preflight_blocked"
    }
    assert rt.call("claim_task", qa["task_id"], "agent-1") == []
    run(rt, architect, {"plan": 1})
    assert [status(rt, t) for t in (builder, docs, qa)] == ["queued", "queued", "created"]
    run(rt, builder, {"code": 2})
    assert status(rt, qa) == "created"
    run(rt, docs, {"text": 3})
    claimed = rt.claim()
    assert claimed["task_id"] == qa["task_id"]
    needs = claimed["context"]["needs"]
    assert [(n["agent_type"], n["result"]) for n in needs] == [
        ("builder", {"code": 2}), ("docs", {"text": 3}),
    ]  # fmt: skip


def test_what_a_need_produced_comes_with_the_claim(rt):
    need = rt.create(work_item_key="design")
    claimed = rt.claim()
    key = claimed["attempt_id"], claimed["lease_token"]
    rt.call("publish_artifact", *key, "report", "a.md", {"text": "hello"}, confidence=0.9)
    rt.call(
        "publish_artifact", *key, "binary", "b", uri="file:///b", size_bytes=3,
        content_hash="sha256:" + "0" * 64,
    )  # fmt: skip
    rt.call("complete_attempt", *key)
    rt.create(needs=[need["task_id"]])
    [got] = rt.claim()["context"]["needs"]
    assert got["work_item_key"] == "design"
    assert got["attempt_id"] == str(claimed["attempt_id"])
    first, second = got["artifacts"]
    assert (first["content"], first["confidence"]) == ({"text": "hello"}, 0.9)
    assert (second["uri"], second["size_bytes"]) == ("file:///b", 3)


def test_it_becomes_claimable_in_the_very_transaction_that_completes_the_last(rt):
    need = rt.create()
    rt.create(needs=[need["task_id"]])
    conn = rt.connect(autocommit=False)
    [claimed] = rt.call("claim_next_task", "a", conn=conn)
    rt.call("complete_attempt", claimed["attempt_id"], claimed["lease_token"], conn=conn)
    assert rt.rows("SELECT 1 FROM task_attempts WHERE status = 'queued'") == [{"?column?": 1}]
    conn.commit()
    assert rt.claim()["context"]["needs"]


def test_needs_that_are_done_do_not_block(rt):
    need = rt.create()
    run(rt, need)
    task = rt.create(needs=[need["task_id"], need["task_id"]])
    assert status(rt, task) == "queued"
    assert rt.claim()["task_id"] == task["task_id"]


def test_a_retry_of_a_need_blocks_on(rt):
    need = rt.create()
    task = rt.create(needs=[need["task_id"]])
    claimed = rt.claim()
    rt.call("fail_attempt", claimed["attempt_id"], claimed["lease_token"], "build_failed")
    assert status(rt, task) == "created"
    claimed = rt.claim()
    rt.call("complete_attempt", claimed["attempt_id"], claimed["lease_token"])
    assert status(rt, task) == "queued"


def test_a_failed_need_fails_all_that_stands_on_it(rt):
    need = rt.create()
    other = rt.create()
    middle = rt.create(needs=[need["task_id"], other["task_id"]], work_item_key="m")
    top = rt.create(needs=[middle["task_id"]])
    rt.call("cancel_task", need["task_id"])
    assert [status(rt, t) for t in (other, middle, top)] == ["queued", "failed", "failed"]
    for task, because in ((middle, need), (top, middle)):
        action = rt.row(
            "SELECT * FROM recovery_actions WHERE failed_attempt_id = %s", task["attempt_id"]
        )
        assert (action["level"], action["action"]) == ("blocked", "block")
        assert str(because["task_id"]) in action["reason"]
        assert rt.row(
            "SELECT status, failure_kind FROM task_attempts WHERE id = %s", task["attempt_id"]
        ) == {"status": "terminal_failed", "failure_kind": "missing_dependency"}
        assert rt.call1("verify_events", task["task_id"])["ok"]
    assert rt.create(work_item_key="m")["created"] is True


def test_needing_what_has_failed_already_is_the_same(rt):
    need = rt.create()
    rt.call("cancel_task", need["task_id"])
    task = rt.create(needs=[need["task_id"]])
    assert task["created"] is True
    assert status(rt, task) == "failed"


def test_what_failed_with_its_need_is_recovered_after_it(rt):
    need = rt.create()
    task = rt.create(needs=[need["task_id"]])
    rt.call("cancel_task", need["task_id"])
    with rt.refused("HD005", "which failed"):
        rt.call("recover_attempt", task["attempt_id"], "L1")
    rt.call("recover_attempt", need["attempt_id"])
    rt.call("recover_attempt", task["attempt_id"])
    assert status(rt, task) == "created"
    run(rt, need)
    assert status(rt, task) == "queued"


def test_a_chain_longer_than_a_stack_is_deep(rt_newest):
    rt = rt_newest
    first = rt.create()
    rt.conn.execute(
        """
        DO $$
        DECLARE
            t uuid := (SELECT id FROM hd_runtime.tasks);
        BEGIN
            FOR i IN 1 .. 1500 LOOP
                t := (SELECT task_id FROM create_task(default_project(), 'b', 'code', needs => ARRAY[t]));
            END LOOP;
        END $$
        """
    )
    rt.call("cancel_task", first["task_id"])
    assert rt.value("SELECT count(*) FROM tasks WHERE status = 'failed'") == 1501


def test_needs_are_of_the_same_project(rt):
    need = rt.create()
    other = rt.value("SELECT create_project('other')")
    with rt.refused("HD004", str(need["task_id"])):
        rt.create(needs=[need["task_id"]], project_id=other)


def test_two_that_end_the_last_needs_at_once_unblock_it_once(rt):
    needs = [rt.create() for _ in range(2)]
    task = rt.create(needs=[n["task_id"] for n in needs])
    first, second = rt.connect(autocommit=False), rt.connect(autocommit=False)
    claims = [
        rt.call("claim_task", n["task_id"], "a", conn=c)[0]
        for n, c in zip(needs, (first, second), strict=True)
    ]
    rt.call("complete_attempt", claims[0]["attempt_id"], claims[0]["lease_token"], conn=first)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            rt.call, "complete_attempt", claims[1]["attempt_id"], claims[1]["lease_token"],
            conn=second,
        )  # fmt: skip
        while not rt.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not waiting.done()
        first.commit()
        waiting.result()
    second.commit()
    assert status(rt, task) == "queued"
    assert rt.value("SELECT count(*) FROM workflow_events WHERE type = 'attempt.unblocked'") == 1


def test_a_need_cannot_end_unseen_while_it_is_being_declared(rt):
    need = rt.create()
    claimed = rt.claim()
    declaring = rt.connect(autocommit=False)
    [task] = rt.call(
        "create_task", rt.default_project, "b", "code", needs=[need["task_id"]], conn=declaring
    )
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(
            rt.call, "complete_attempt", claimed["attempt_id"], claimed["lease_token"],
            conn=rt.connect(),
        )  # fmt: skip
        while not rt.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not ending.done()
        declaring.commit()
        ending.result()
    assert status(rt, task) == "queued"


def test_a_task_can_be_claimed_while_somebody_declares_a_need_for_it(rt):
    need = rt.create()
    declaring = rt.connect(autocommit=False)
    rt.call("create_task", rt.default_project, "b", "code", needs=[need["task_id"]], conn=declaring)
    rt.conn.execute("SET statement_timeout = '5s'")
    assert rt.claim()["task_id"] == need["task_id"]
    declaring.rollback()


# --- dependencies added later ---------------------------------------------------------------------


def test_a_dependency_added_later_blocks(rt):
    need, task = rt.create(), rt.create()
    assert rt.call1("add_dependency", task["task_id"], need["task_id"]) == {"blocked": True}
    assert status(rt, task) == "created"
    assert rt.call("claim_task", task["task_id"], "a") == []
    run(rt, need)
    assert rt.claim()["task_id"] == task["task_id"]
    assert rt.call1("verify_events", task["task_id"])["ok"]


def test_a_dependency_on_what_is_over(rt):
    done, failed = rt.create(), rt.create()
    run(rt, done)
    rt.call("cancel_task", failed["task_id"])
    task = rt.create()
    assert rt.call1("add_dependency", task["task_id"], done["task_id"]) == {"blocked": False}
    assert status(rt, task) == "queued"
    assert rt.call1("add_dependency", task["task_id"], failed["task_id"]) == {"blocked": True}
    assert status(rt, task) == "failed"


def test_cycles_are_refused(rt):
    a, b, c = rt.create(), rt.create(), rt.create()
    rt.call("add_dependency", b["task_id"], a["task_id"])
    rt.call("add_dependency", c["task_id"], b["task_id"])
    with rt.refused("HD006", "cycle", f"{c['task_id']} needs {b['task_id']}"):
        rt.call("add_dependency", a["task_id"], c["task_id"])
    with rt.refused("HD006", "cycle"):
        rt.call("add_dependency", a["task_id"], a["task_id"])


def test_two_that_are_no_cycle_alone_are_refused_together(rt):
    a, b = rt.create(), rt.create()
    conn = rt.connect(autocommit=False)
    rt.call("add_dependency", a["task_id"], b["task_id"], conn=conn)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(rt.call, "add_dependency", b["task_id"], a["task_id"])
        watcher = rt.connect()
        while not watcher.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
            assert not other.done()
        conn.commit()
        with pytest.raises(psycopg.Error, match="cycle"):
            other.result()


def test_what_somebody_works_on_cannot_need_anything_more(rt):
    need = rt.create()
    started = rt.create()
    rt.call("claim_task", started["task_id"], "a")
    with rt.refused("HD002", "does not wait in the queue"):
        rt.call("add_dependency", started["task_id"], need["task_id"])
    with rt.refused("HD004"):
        rt.call("add_dependency", need["task_id"], rt.default_project)
    with rt.refused("HD004"):
        rt.call("add_dependency", rt.default_project, need["task_id"])
    with rt.refused("HD006"):
        rt.call("add_dependency", need["task_id"], None)
