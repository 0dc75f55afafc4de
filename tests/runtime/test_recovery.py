"""What follows a failure: levels, budgets, back-off, humans, and leases that run out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest


@pytest.fixture
def tight(rt):
    """A class with small budgets and no wait."""
    rt.call(
        "define_task_class", "tight", max_l1=2, max_l2=1, max_l3=1, max_expiries=1,
        backoff=timedelta(0),
    )  # fmt: skip
    return rt


def fail(rt, kind: str, **named) -> dict:
    """Claims whatever there is and fails it."""
    claimed = rt.claim()
    return rt.call1("fail_attempt", claimed["attempt_id"], claimed["lease_token"], kind, **named)


def chain(rt) -> list[tuple]:
    return [
        (r["recovery_level"], r["status"], r["next_action"], r["model_class"], r["agent_type"])
        for r in rt.rows("SELECT * FROM attempt_chain")
    ]


@pytest.mark.parametrize(
    ("kind", "level", "action"),
    [
        ("timeout", "L1", "retry"),
        ("rate_limit", "L1", "retry"),
        ("network", "L1", "retry"),
        ("schema_validation", "L2", "escalate"),
        ("build_failed", "L3", "repair"),
        ("test_failed", "L3", "repair"),
        ("deploy_failed", "L3", "repair"),
        ("security_blocker", "L4", "ask_human"),
        ("policy_denied", "L4", "ask_human"),
        ("missing_dependency", "blocked", "block"),
        ("the moon was full", "L4", "ask_human"),
    ],
)
def test_each_kind_of_failure_has_its_level(rt, kind, level, action):
    task = rt.create()
    step = fail(rt, kind, detail={"why": "because"})
    assert (step["level"], step["action"]) == (level, action)
    assert (step["new_attempt_id"] is not None) == (level in ("L1", "L2", "L3"))
    recorded = rt.row("SELECT * FROM recovery_actions")
    assert recorded["failed_attempt_id"] == task["attempt_id"]
    assert recorded["new_attempt_id"] == step["new_attempt_id"]
    assert (recorded["level"], recorded["failure_kind"]) == (level, kind)
    status, task_status = {
        "L4": ("repair_required", "running"),
        "blocked": ("terminal_failed", "failed"),
    }.get(level, ("terminal_failed", "queued"))
    failed = rt.row("SELECT * FROM task_attempts WHERE id = %s", task["attempt_id"])
    assert (failed["status"], failed["failure_kind"]) == (status, kind)
    assert rt.value("SELECT status FROM tasks") == task_status
    [event] = rt.rows("SELECT detail FROM workflow_events WHERE type = 'attempt.failed'")
    assert event["detail"]["detail"] == {"why": "because"}


def test_spent_budgets_lead_to_the_next_level(tight):
    tight.create(task_class="tight")
    levels = [fail(tight, "timeout")["level"] for _ in range(5)]
    assert levels == ["L1", "L1", "L2", "L3", "L4"]
    assert chain(tight) == [
        ("L0", "terminal_failed", "retry", "standard", "builder"),
        ("L1", "terminal_failed", "retry", "standard", "builder"),
        ("L1", "terminal_failed", "escalate", "standard", "builder"),
        ("L2", "terminal_failed", "repair", "strong", "builder"),
        ("L3", "repair_required", "ask_human", "strong", "repair"),
    ]
    reason = tight.value("SELECT reason FROM recovery_actions ORDER BY id DESC LIMIT 1")
    assert reason == "timeout starts at L1; 2 of 2 L1 used; 1 of 1 L2 used; 1 of 1 L3 used"


def test_a_model_at_the_top_of_the_ladder_is_not_escalated(rt):
    rt.call("define_task_class", "flat", model_classes=["only"], backoff=timedelta(0))
    rt.create(task_class="flat")
    assert fail(rt, "schema_validation")["level"] == "L3"


def test_a_retry_waits_ever_longer_and_never_the_same(rt):
    rt.call(
        "define_task_class", "slow", max_l1=20, backoff=timedelta(seconds=100),
        backoff_max=timedelta(seconds=800),
    )  # fmt: skip
    waits = []
    for _ in range(2):
        task = rt.create(task_class="slow")
        for expected in (100, 200, 400, 800, 800):
            claimed = rt.claim_new_attempt = rt.row(
                "SELECT id FROM task_attempts WHERE task_id = %s ORDER BY attempt_no DESC LIMIT 1",
                task["task_id"],
            )
            # The wait is over for the test, as if the clock had gone on.
            rt.conn.execute(
                "UPDATE hd_runtime.task_attempts SET available_at = now() WHERE id = %s",
                [claimed["id"]],
            )
            claimed = rt.call1("claim_task", task["task_id"], "a")
            step = rt.call1(
                "fail_attempt", claimed["attempt_id"], claimed["lease_token"], "timeout"
            )
            wait = rt.value(
                "SELECT extract(epoch FROM available_at - created_at) FROM task_attempts WHERE id = %s",
                step["new_attempt_id"],
            )
            assert expected * 0.5 <= wait <= expected * 1.5 + 1
            waits.append(float(wait))
    assert len({round(w) for w in waits}) > 5


def test_the_next_worker_learns_why_the_last_one_failed(tight):
    tight.create(task_class="tight")
    fail(tight, "build_failed", detail={"log": "line 7"})
    claimed = tight.claim()
    assert claimed["agent_type"] == "repair"
    assert claimed["recovery_level"] == "L3"
    assert claimed["attempt_no"] == 2
    assert claimed["lease_epoch"] == 2
    failure = claimed["context"]["failure"]
    assert failure["failure_kind"] == "build_failed"
    assert failure["detail"] == {"log": "line 7"}


def test_a_repair_that_succeeds_ends_the_task(tight):
    tight.create(task_class="tight")
    fail(tight, "test_failed")
    claimed = tight.claim()
    tight.call("complete_attempt", claimed["attempt_id"], claimed["lease_token"])
    assert tight.value("SELECT status FROM tasks") == "done"


def test_bad_failures_are_refused(rt):
    claimed = rt.claim_new()
    key = claimed["attempt_id"], claimed["lease_token"]
    for kind in (None, "", "lease_expired"):
        with rt.refused("HD006"):
            rt.call("fail_attempt", *key, kind)


# --- given back, cancelled ------------------------------------------------------------------------


def test_a_task_given_back_costs_nothing(tight):
    tight.create(task_class="tight")
    fail(tight, "timeout")
    for _ in range(5):
        claimed = tight.claim()
        new = tight.call1("release_attempt", claimed["attempt_id"], claimed["lease_token"])
        assert new["new_attempt_id"]
    assert tight.value("SELECT count(*) FROM recovery_actions") == 1
    claimed = tight.claim()
    assert (claimed["recovery_level"], claimed["attempt_no"]) == ("L1", 7)
    assert tight.rows("SELECT DISTINCT type FROM workflow_events WHERE type LIKE '%%released'")


def test_what_nobody_works_on_is_cancelled(rt):
    task = rt.create()
    assert rt.call1("cancel_task", task["task_id"], "not needed") == {"outcome": "cancelled"}
    assert rt.value("SELECT status FROM tasks") == "failed"
    assert rt.call("claim_next_task", "a") == []
    assert rt.call1("cancel_task", task["task_id"]) == {"outcome": "noop"}
    with rt.refused("HD004"):
        rt.call("cancel_task", rt.default_project)
    with rt.refused("HD006"):
        rt.call("cancel_task", None)


@pytest.mark.parametrize("ending", ["fail", "release", "expire", "complete"])
def test_a_worker_learns_that_it_should_stop_and_no_other_follows(rt, ending):
    claimed = rt.claim_new()
    key = claimed["attempt_id"], claimed["lease_token"]
    assert rt.call1("cancel_task", claimed["task_id"], "stop") == {"outcome": "requested"}
    assert rt.call1("heartbeat", *key)["cancel_requested"] is True
    if ending == "fail":
        step = rt.call1("fail_attempt", *key, "timeout")
        assert (step["level"], step["action"]) == ("blocked", "cancel")
    elif ending == "release":
        assert rt.call1("release_attempt", *key) == {"new_attempt_id": None}
    elif ending == "expire":
        rt.expire(claimed["attempt_id"])
        assert rt.call1("reap_expired_leases")["level"] == "blocked"
    else:
        rt.call("complete_attempt", *key)
    assert rt.value("SELECT count(*) FROM task_attempts") == 1
    assert rt.value("SELECT status FROM tasks") == ("done" if ending == "complete" else "failed")


# --- leases that run out --------------------------------------------------------------------------


def test_an_expired_lease_makes_the_task_claimable_at_once(rt):
    claimed = rt.claim_new()
    rt.expire(claimed["attempt_id"])
    [reaped] = rt.call("reap_expired_leases")
    assert reaped["attempt_id"] == claimed["attempt_id"]
    assert reaped["level"] == "L1"
    again = rt.claim("agent-2")
    assert again["attempt_id"] == reaped["new_attempt_id"]
    assert again["lease_epoch"] == 2
    [event] = rt.rows("SELECT * FROM workflow_events WHERE type = 'attempt.expired'")
    assert event["actor"] == "reaper"


def test_an_empty_handed_claim_takes_over_from_the_dead(rt):
    claimed = rt.claim_new()
    assert rt.call("claim_next_task", "agent-2") == []
    rt.expire(claimed["attempt_id"])
    assert rt.claim("agent-2")["task_id"] == claimed["task_id"]


def test_a_lease_kept_alive_is_not_reaped(rt):
    claimed = rt.claim_new()
    key = claimed["attempt_id"], claimed["lease_token"]
    # The reaper's appointment has come, but heartbeats have moved the end.
    rt.conn.execute("UPDATE hd_runtime.task_attempts SET lease_check_at = now()")
    assert rt.call("reap_expired_leases") == []
    row = rt.row("SELECT lease_check_at = lease_expires AS moved FROM task_attempts")
    assert row["moved"]
    rt.call("complete_attempt", *key)


def test_expiries_have_their_own_count(tight):
    tight.create(task_class="tight")
    levels = []
    for _ in range(4):
        claimed = tight.claim()
        tight.expire(claimed["attempt_id"])
        levels.append(tight.call1("reap_expired_leases")["level"])
    assert levels == ["L1", "L2", "L3", "L4"]
    assert tight.value("SELECT count(*) FROM recovery_actions WHERE action = 'requeue'") == 1


def test_the_reaper_takes_so_many_at_a_time_and_leaves_what_is_locked(rt):
    claimed = [rt.claim_new() for _ in range(5)]
    for c in claimed:
        rt.expire(c["attempt_id"])
    conn = rt.connect(autocommit=False)
    conn.execute(
        "SELECT 1 FROM hd_runtime.task_attempts WHERE id = %s FOR UPDATE",
        [claimed[0]["attempt_id"]],
    )
    assert len(rt.call("reap_expired_leases", 3)) == 3
    assert len(rt.call("reap_expired_leases")) == 1
    conn.rollback()
    assert len(rt.call("reap_expired_leases")) == 1
    with rt.refused("HD006"):
        rt.call("reap_expired_leases", 0)


def test_a_lease_that_begins_late_is_reaped_for_all_the_marks(rt):
    """A claim that is still under way while the reaper's mark moves."""
    rt.call("define_task_class", "brief", lease_ttl=timedelta(milliseconds=1))
    rt.create(task_class="brief")
    slow = rt.connect(autocommit=False)
    [claimed] = rt.call("claim_next_task", "slow", conn=slow)
    while datetime.now(UTC) < claimed["lease_expires"] + timedelta(milliseconds=20):
        pass
    rt.rows("SELECT hd_runtime._advance_marks('{0}', NULL)")
    slow.commit()
    assert rt.call1("reap_expired_leases")["attempt_id"] == claimed["attempt_id"]


def test_marks_of_the_reaper_move_on(rt):
    for _ in range(3):
        claimed = rt.claim_new()
        rt.expire(claimed["attempt_id"])
        rt.rows("SELECT hd_runtime._advance_marks('{0}', NULL)")
        assert len(rt.call("reap_expired_leases")) == 1
    rt.rows("SELECT hd_runtime._advance_marks('{0}', NULL)")
    assert rt.value("SELECT count(*) FROM queue_marks WHERE lane_id = 0") > 1


# --- humans ---------------------------------------------------------------------------------------


def test_a_human_resumes_with_fresh_budgets(tight):
    tight.create(task_class="tight")
    assert [fail(tight, "build_failed")["level"] for _ in range(2)] == ["L3", "L4"]
    asked = tight.row("SELECT * FROM review_queue")
    assert asked["subject"] == "recovery"
    assert asked["failure_kind"] == "build_failed"
    assert asked["evidence"]["reason"].endswith("1 of 1 L3 used")
    assert tight.call("claim_next_task", "a") == []

    [decided] = tight.call("decide_review", asked["review_id"], "approved", "try again")
    assert (decided["status"], decided["decided_by"]) == ("approved", "postgres")
    claimed = tight.claim()
    assert (claimed["recovery_level"], claimed["agent_type"]) == ("L4", "builder")
    step = tight.call1(
        "fail_attempt", claimed["attempt_id"], claimed["lease_token"], "build_failed"
    )
    assert step["level"] == "L3"
    with tight.refused("HD002", "is decided: approved"):
        tight.call("decide_review", asked["review_id"], "rejected")


def test_a_human_ends_it(rt):
    rt.create(work_item_key="k")
    fail(rt, "policy_denied")
    asked = rt.row("SELECT * FROM review_queue")
    assert rt.create(work_item_key="k")["created"] is False
    rt.call("decide_review", asked["review_id"], "rejected", "no")
    assert rt.value("SELECT status FROM tasks") == "failed"
    assert rt.rows("SELECT * FROM review_queue") == []
    assert chain(rt)[0][1:3] == ("terminal_failed", "reject")
    assert rt.create(work_item_key="k")["created"] is True


@pytest.mark.parametrize("decision", [None, "", "maybe"])
def test_a_decision_is_one_of_two(rt, decision):
    rt.create()
    fail(rt, "policy_denied")
    review = rt.value("SELECT review_id FROM review_queue")
    with rt.refused("HD006", "approved or rejected"):
        rt.call("decide_review", review, decision)
    with rt.refused("HD004"):
        rt.call("decide_review", rt.default_project, "approved")


def test_a_task_that_waits_for_a_human_can_be_cancelled(rt):
    task = rt.create()
    fail(rt, "policy_denied")
    assert rt.call1("cancel_task", task["task_id"]) == {"outcome": "cancelled"}
    assert rt.value("SELECT status FROM review_requests") == "withdrawn"


def test_two_humans_cannot_both_decide(rt):
    rt.create()
    fail(rt, "policy_denied")
    review = rt.value("SELECT review_id FROM review_queue")
    first, second = rt.connect(autocommit=False), rt.connect()
    rt.call("decide_review", review, "approved", conn=first)
    second.execute("SET lock_timeout = '200ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        rt.call("decide_review", review, "rejected", conn=second)
    first.commit()
    with rt.refused("HD002"):
        rt.call("decide_review", review, "rejected", conn=second)


@pytest.mark.parametrize("level", ["L1", "L2", "L3"])
def test_an_operator_recovers_what_has_failed_whatever_the_budgets_say(rt, level):
    task = rt.create(work_item_key="k")
    fail(rt, "policy_denied")
    step = rt.call1("recover_attempt", task["attempt_id"], level)
    assert step["level"] == level
    assert rt.value("SELECT status FROM review_requests") == "withdrawn"
    claimed = rt.claim()
    assert claimed["attempt_id"] == step["new_attempt_id"]
    assert claimed["recovery_level"] == level
    assert claimed["model_class"] == ("strong" if level == "L2" else "standard")
    assert claimed["agent_type"] == ("repair" if level == "L3" else "builder")


def test_an_operator_gives_up(rt):
    task = rt.create()
    fail(rt, "policy_denied")
    assert rt.call1("recover_attempt", task["attempt_id"], "blocked")["level"] == "blocked"
    assert rt.value("SELECT status FROM tasks") == "failed"


def test_a_cancelled_task_can_be_taken_up_again(rt):
    task = rt.create(work_item_key="k")
    rt.call("cancel_task", task["task_id"])
    step = rt.call1("recover_attempt", task["attempt_id"])
    assert step["level"] == "L1"
    assert rt.create(work_item_key="k")["created"] is False
    assert rt.claim()["attempt_id"] == step["new_attempt_id"]


def test_a_task_whose_key_was_taken_cannot_be_taken_up_again(rt):
    task = rt.create(work_item_key="k")
    rt.call("cancel_task", task["task_id"])
    rt.create(work_item_key="k")
    with rt.refused("HD005", "work_item_key"):
        rt.call("recover_attempt", task["attempt_id"], "L1")


def test_an_ended_task_can_be_put_to_a_human(rt):
    task = rt.create(work_item_key="k")
    fail(rt, "missing_dependency")
    assert rt.call1("recover_attempt", task["attempt_id"], "L4")["action"] == "ask_human"
    rt.call("decide_review", rt.value("SELECT review_id FROM review_queue"), "approved")
    assert rt.claim()["attempt_no"] == 2
    assert rt.create(work_item_key="k")["created"] is False


def test_only_the_last_failed_attempt_can_be_recovered(rt):
    task = rt.create()
    with rt.refused("HD002", "has not failed: it is queued"):
        rt.call("recover_attempt", task["attempt_id"])
    claimed = rt.claim()
    with rt.refused("HD002", "context_resolved"):
        rt.call("recover_attempt", task["attempt_id"])
    rt.call("fail_attempt", claimed["attempt_id"], claimed["lease_token"], "build_failed")
    with rt.refused("HD002", "replaced by a later one"):
        rt.call("recover_attempt", task["attempt_id"])
    with rt.refused("HD004"):
        rt.call("recover_attempt", rt.default_project)
    with rt.refused("HD006", "no recovery level"):
        rt.call("recover_attempt", task["attempt_id"], "L9")
    with rt.refused("HD006"):
        rt.call("recover_attempt", None)
