"""Decisions, invocations, artifacts, validations, and the bundle that explains an attempt."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

SHA = "sha256:" + "ab" * 32


@pytest.fixture
def claimed(rt) -> dict:
    return rt.claim_new()


@pytest.fixture
def key(claimed) -> tuple:
    return claimed["attempt_id"], claimed["lease_token"]


def decide(rt, key, model="strong-1") -> object:
    return rt.call1("record_model_decision", *key, model)["id"]


def test_a_decision_is_recorded_before_the_call(rt, key):
    decision = rt.call1(
        "record_model_decision", *key, "strong-1", "cheapest that can", ["b", "c"], "reasoning",
        "warning", "policy-7",
    )["id"]  # fmt: skip
    row = rt.row("SELECT * FROM model_decisions WHERE id = %s", decision)
    assert row["task_class"] == "code"
    assert row["fallback_chain"] == ["b", "c"]
    assert (row["capability_class"], row["budget_mode"], row["policy"]) == (
        "reasoning", "warning", "policy-7",
    )  # fmt: skip
    for bad in ({"primary_model": ""}, {"primary_model": "m", "budget_mode": "broke"}):
        with rt.refused("HD006"):
            rt.call("record_model_decision", *key, **bad)


def test_an_invocation_belongs_to_a_decision(rt, key):
    decision = decide(rt, key)
    rt.call1(
        "record_llm_invocation", decision, key[1], "acme", "strong-1", input_tokens=4200,
        output_tokens=17, cached_tokens=4000, cost_usd=0.0031, latency_ms=812, prompt_hash="p",
    )  # fmt: skip
    row = rt.row("SELECT * FROM llm_invocations")
    assert row["cost_usd"] == Decimal("0.003100")
    assert (row["status"], row["stale"]) == ("ok", False)


@pytest.mark.parametrize(
    "bad",
    [
        {"provider": ""}, {"model": None}, {"input_tokens": -1}, {"input_tokens": None},
        {"cost_usd": -0.5}, {"cost_usd": 0.0000001}, {"cost_usd": None}, {"status": "fine"},
        {"latency_ms": -1}, {"cost_usd": float("nan")}, {"cost_usd": float("inf")},
    ],
)  # fmt: skip
def test_a_bad_invocation_is_refused(rt, key, bad):
    decision = decide(rt, key)
    with rt.refused("HD006"):
        rt.call(
            "record_llm_invocation", decision, key[1], **({"provider": "p", "model": "m"} | bad)
        )


def test_an_invocation_needs_its_decision_and_its_token(rt, key):
    decision = decide(rt, key)
    with rt.refused("HD004"):
        rt.call("record_llm_invocation", rt.default_project, key[1], "p", "m")
    with rt.refused("HD001"):
        rt.call("record_llm_invocation", decision, "guess", "p", "m")
    with rt.refused("HD006"):
        rt.call("record_llm_invocation", decision, None, "p", "m")


@pytest.mark.parametrize("ending", ["expired", "reaped", "completed"])
def test_a_late_invocation_is_billed_and_marked(rt, key, ending):
    decision = decide(rt, key)
    if ending == "completed":
        rt.call("complete_attempt", *key)
    else:
        rt.expire(key[0])
    if ending == "reaped":
        rt.call("reap_expired_leases")
    rt.call("record_llm_invocation", decision, key[1], "p", "m", cost_usd=0.25)
    assert rt.row("SELECT stale, cost_usd FROM llm_invocations") == {
        "stale": True,
        "cost_usd": Decimal("0.250000"),
    }
    assert rt.value("SELECT total_cost_usd FROM task_summary") == Decimal("0.250000")


def test_an_artifact_in_the_row(rt, key):
    artifact = rt.call1("publish_artifact", *key, "api_contract", "api", {"ä": 1})["id"]
    row = rt.row("SELECT *, content::text AS text FROM artifact_instances WHERE id = %s", artifact)
    import hashlib

    assert row["content_hash"] == "sha256:" + hashlib.sha256(row["text"].encode()).hexdigest()
    assert row["size_bytes"] == len(row["text"].encode())
    assert row["lease_epoch"] == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": ""}, {"artifact_key": None}, {"content": None}, {"confidence": 1.5},
        {"content_hash": "md5:1"}, {"content": None, "uri": "s3://x", "size_bytes": 1},
        {"content": None, "uri": "s3://x", "content_hash": SHA}, {"size_bytes": -1},
    ],
)  # fmt: skip
def test_a_bad_artifact_is_refused(rt, key, bad):
    good = {"kind": "k", "artifact_key": "a", "content": {"a": 1}}
    with rt.refused("HD006"):
        rt.call("publish_artifact", *key, **(good | bad))


def test_no_artifact_is_an_orphan(rt, key):
    rt.call("publish_artifact", *key, "k", "a", uri="s3://x", content_hash=SHA, size_bytes=1)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        rt.conn.execute(
            "INSERT INTO hd_runtime.artifact_instances (attempt_id, kind, artifact_key,"
            " content_hash, size_bytes, uri, lease_epoch)"
            " VALUES (gen_random_uuid(), 'k', 'a', %s, 1, 'x', 1)",
            [SHA],
        )
    keys = {
        row["k"]
        for row in rt.rows(
            "SELECT conrelid::regclass || '>' || confrelid::regclass AS k FROM pg_constraint"
            " WHERE contype = 'f' AND confdeltype = 'a' AND confupdtype = 'a'"
        )
    }
    assert {
        "artifact_instances>task_attempts", "task_attempts>tasks", "tasks>projects",
        "artifact_validations>artifact_instances",
    } <= keys  # fmt: skip


def test_a_lease_cannot_be_lost_while_an_artifact_is_being_published(rt, key):
    conn = rt.connect(autocommit=False)
    rt.call("publish_artifact", *key, "k", "a", {"a": 1}, conn=conn)
    rt.conn.execute("SET lock_timeout = '200ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        rt.expire(key[0])
    assert rt.call("reap_expired_leases") == []
    conn.commit()


def test_a_verdict_on_an_artifact(rt, key):
    artifact = rt.call1("publish_artifact", *key, "k", "a", {"a": 1})["id"]
    rt.call("record_validation", artifact, "schema", True, {"errors": 0}, "validator-1")
    rt.call("record_validation", artifact, "human", False)
    rows = rt.rows("SELECT verifier_type, passed, verified_by FROM artifact_validations")
    assert {tuple(r.values()) for r in rows} == {
        ("schema", True, "validator-1"), ("human", False, "postgres"),
    }  # fmt: skip
    for bad in ((artifact, "oracle", True), (artifact, "schema", None), (None, "schema", True)):
        with rt.refused("HD006"):
            rt.call("record_validation", *bad)
    with rt.refused("HD004"):
        rt.call("record_validation", rt.default_project, "schema", True)


def test_low_confidence_asks_a_human(rt):
    rt.call("define_task_class", "careful", min_confidence=0.8)
    claimed = rt.claim_new(task_class="careful")
    key = claimed["attempt_id"], claimed["lease_token"]
    rt.call("publish_artifact", *key, "k", "sure", {"a": 1}, confidence=0.8)
    assert rt.rows("SELECT * FROM review_queue") == []
    artifact = rt.call1("publish_artifact", *key, "k", "unsure", {"a": 1}, confidence=0.79)["id"]
    asked = rt.row("SELECT * FROM review_queue")
    assert (asked["subject"], asked["artifact_id"]) == ("artifact", artifact)
    [decided] = rt.call("decide_review", asked["review_id"], "approved", "fine")
    assert decided["note"] == "fine"
    rt.call("complete_attempt", *key)


def test_a_review_about_anything(rt, key):
    [asked] = rt.call("request_review", rt.default_project, "is this right?", {"x": 1})
    assert (asked["subject"], asked["status"]) == ("other", "pending")
    artifact = rt.call1("publish_artifact", *key, "k", "a", {"a": 1})["id"]
    [asked] = rt.call("request_review", rt.default_project, "and this?", artifact_id=artifact)
    assert (asked["subject"], asked["attempt_id"]) == ("artifact", key[0])
    other = rt.value("SELECT create_project('other')")
    for bad in ({"project_id": other, "artifact_id": artifact}, {"project_id": other, "attempt_id": key[0]},
                {"project_id": key[0]}):  # fmt: skip
        with rt.refused("HD004"):
            rt.call("request_review", **({"title": "?"} | bad))
    for bad in ({"title": ""}, {"title": None}, {"project_id": None}):
        with rt.refused("HD006"):
            rt.call("request_review", **({"title": "?", "project_id": rt.default_project} | bad))


# --- explain --------------------------------------------------------------------------------------


def test_the_bundle_holds_all_and_the_cost_is_exact(rt):
    need = rt.create()
    first = rt.claim()
    rt.call("complete_attempt", first["attempt_id"], first["lease_token"])
    task = rt.create(needs=[need["task_id"]], payload={"goal": 1})
    costs = [Decimal("0.100000"), Decimal("0.200000"), Decimal("0.000001")]
    last = None
    for no, cost in enumerate(costs):
        claimed = rt.claim()
        key = claimed["attempt_id"], claimed["lease_token"]
        decision = decide(rt, key, f"model-{no}")
        rt.call("record_llm_invocation", decision, key[1], "p", f"model-{no}", cost_usd=cost)
        artifact = rt.call1("publish_artifact", *key, "k", f"a{no}", {"no": no})["id"]
        rt.call("record_validation", artifact, "schema", no == 2)
        if no < 2:
            rt.call("fail_attempt", *key, ["schema_validation", "test_failed"][no])
        else:
            rt.call("complete_attempt", *key, {"done": True})
        last = key[0]
    [bundle] = rt.rows("SELECT explain(%s) AS b", last)
    bundle = bundle["b"]
    assert set(bundle) == {
        "attempt_id", "task", "attempts", "decisions", "invocations", "artifacts", "recovery",
        "reviews", "events", "total_cost_usd", "chain_valid",
    }  # fmt: skip
    assert bundle["chain_valid"] is True
    assert bundle["task"]["id"] == str(task["task_id"])
    assert bundle["task"]["needs"] == [str(need["task_id"])]
    assert [a["attempt_no"] for a in bundle["attempts"]] == [1, 2, 3]
    assert [d["primary_model"] for d in bundle["decisions"]] == ["model-0", "model-1", "model-2"]
    assert [i["cost_usd"] for i in bundle["invocations"]] == [float(c) for c in costs]
    assert [a["validations"][0]["passed"] for a in bundle["artifacts"]] == [False, False, True]
    assert [r["level"] for r in bundle["recovery"]] == ["L2", "L3"]
    assert len(bundle["events"]) == 3 + 4 + 4
    assert rt.value("SELECT (explain(%s) ->> 'total_cost_usd')::numeric", last) == sum(costs)
    assert rt.value("SELECT explain(%s) ->> 'total_cost_usd'", last) == "0.300001"
    assert "sha256:" not in str(bundle["attempts"])
    # The same story from any attempt of it.
    rows = rt.rows("SELECT explain(id) - 'attempt_id' AS b FROM task_attempts WHERE task_id = %s",
                   task["task_id"])  # fmt: skip
    assert all(row["b"] == rows[0]["b"] for row in rows)


def test_the_bundle_of_a_task_nobody_has_touched(rt):
    task = rt.create()
    bundle = rt.value("SELECT explain(%s)", task["attempt_id"])
    assert bundle["invocations"] == bundle["artifacts"] == bundle["recovery"] == []
    assert bundle["total_cost_usd"] == 0


def test_explaining_needs_an_attempt(rt):
    with rt.refused("HD004"):
        rt.value("SELECT explain(%s)", rt.default_project)
    with rt.refused("HD006"):
        rt.value("SELECT explain(NULL)")


def test_views_answer(rt, key):
    decision = decide(rt, key)
    rt.call("record_llm_invocation", decision, key[1], "p", "m", cost_usd=1.5, input_tokens=3)
    artifact = rt.call1("publish_artifact", *key, "k", "a", {"a": 1}, confidence=0.5)["id"]
    assert rt.row("SELECT * FROM lineage")["consumable"] is False
    rt.call("record_validation", artifact, "policy", True)
    rt.call("complete_attempt", *key)
    lineage = rt.row("SELECT * FROM lineage")
    assert lineage["consumable"] is True
    assert (lineage["artifact_id"], lineage["project"]) == (artifact, "default")
    assert (lineage["models"], lineage["cost_usd"]) == (["m"], Decimal("1.500000"))
    signal = rt.row("SELECT * FROM reward_signals")
    assert (signal["completed"], signal["first_time_right"], signal["cost_usd"]) == (
        1, 1, Decimal("1.500000"),
    )  # fmt: skip
    assert (signal["validations"], signal["validations_passed"]) == (1, 1)
    summary = rt.row("SELECT * FROM task_summary")
    assert (summary["status"], summary["attempts"]) == ("done", 1)
    assert summary["took"] is not None
    rt.create(task_class="test", priority=3)
    depth = rt.row("SELECT * FROM queue_depth")
    assert (depth["task_class"], depth["priority"], depth["ready"], depth["running"]) == (
        "test", 3, 1, 0,
    )  # fmt: skip
