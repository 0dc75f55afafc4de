"""Gates over a bag of facts, and release decisions that cannot be taken back; who may do what."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

import runtime_sql

HOLDS = [
    # operator, fact, expected
    ("eq", 1, 1), ("eq", "a", "a"), ("eq", [1, {"a": None}], [1, {"a": None}]), ("eq", False, False),
    ("eq", 1, 1.0), ("ne", 1, 2), ("ne", "1", 1), ("gt", 0.9, 0.8), ("gte", 2, 2), ("lt", -1, 0),
    ("lte", 10, 10), ("gt", "b", "a"), ("gt", "a", "B"), ("lt", "2026-01-31", "2026-02-01"),
    ("contains", ["x", "y"], "x"), ("contains", [1, {"a": 1}], {"a": 1}), ("contains", "haystack", "st"),
    ("contains", {"a": 1, "b": 2}, {"b": 2}), ("regex", "v1.22.3", r"^v\d+\.\d+"), ("gt", 10, 9),
]  # fmt: skip
FAILS = [
    ("eq", 1, "1"), ("eq", None, None), ("ne", 1, 1), ("ne", None, 1), ("gt", 0.8, 0.8),
    ("gt", "10", 9), ("gt", True, False), ("gte", [2], 1), ("lt", None, 5), ("lte", 11, 10),
    ("contains", ["xy"], "x"), ("contains", "a", 1), ("contains", 5, 5), ("contains", [{"a": 1, "b": 2}], {"a": 1}),
    ("regex", 5, "5"), ("regex", "abc", "^b"),
]  # fmt: skip


def define(rt, *predicates: dict, gate: str = "G2", title: str | None = None) -> list[dict]:
    return rt.rows("SELECT * FROM define_gate(%s, %s, %s)", gate, Jsonb(list(predicates)), title)


def evaluate(rt, facts: dict, gate: str = "G2") -> dict:
    return rt.call1("evaluate_gate", rt.default_project, gate, facts)


@pytest.mark.parametrize(("operator", "fact", "expected"), HOLDS)
def test_a_predicate_that_holds(rt_newest, operator, fact, expected):
    define(rt_newest, {"fact": "f", "operator": operator, "expected": expected})
    assert evaluate(rt_newest, {"f": fact})["outcome"] == "auto_approved"


@pytest.mark.parametrize(("operator", "fact", "expected"), FAILS)
def test_a_predicate_that_does_not(rt_newest, operator, fact, expected):
    rt_newest.conn.execute("INSERT INTO hd_runtime.gates (gate) VALUES ('G2')")
    rt_newest.conn.execute(
        "INSERT INTO hd_runtime.gate_predicates (gate, no, fact, operator, expected)"
        " VALUES ('G2', 1, 'f', %s, %s)",
        [operator, Jsonb(expected)],
    )
    assert evaluate(rt_newest, {"f": fact})["outcome"] == "needs_human"


def test_all_operators_on_every_version(rt):
    for holds, cases in ((True, HOLDS), (False, FAILS)):
        for operator, fact, expected in cases:
            found = rt.value(
                "SELECT hd_runtime._predicate_holds(%s, %s, %s)",
                Jsonb(fact), operator, Jsonb(expected),
            )  # fmt: skip
            assert found is holds, (operator, fact, expected)


def test_outcomes(rt):
    define(
        rt,
        {"fact": "tests.failed", "operator": "eq", "expected": 0, "otherwise": "blocked"},
        {"fact": "coverage.lines", "operator": "gte", "expected": 0.8},
        title="Architecture review",
    )
    good = {"tests": {"failed": 0}, "coverage": {"lines": 0.9}}
    approved = evaluate(rt, good)
    assert approved["outcome"] == "auto_approved"
    assert approved["facts"] == good
    assert rt.rows("SELECT * FROM review_queue") == []

    unsure = evaluate(rt, {"tests": {"failed": 0}, "coverage": {"lines": 0.7}})
    assert unsure["outcome"] == "needs_human"
    assert unsure["predicates"][1] == {
        "no": 2, "fact": "coverage.lines", "operator": "gte", "expected": 0.8, "actual": 0.7,
        "passed": False, "otherwise": "needs_human",
    }  # fmt: skip
    asked = rt.row("SELECT * FROM review_queue")
    assert (asked["subject"], asked["gate_evaluation_id"]) == ("gate", unsure["id"])

    assert (
        evaluate(rt, {"tests": {"failed": 1}, "coverage": {"lines": 0.7}})["outcome"] == "blocked"
    )
    # A fact that is missing does not hold.
    assert evaluate(rt, {"coverage": {"lines": 0.9}})["outcome"] == "blocked"
    # A key with a dot in it is a key.
    assert evaluate(rt, {"tests.failed": 0, "coverage.lines": 1})["outcome"] == "auto_approved"


def test_a_gate_can_be_changed_and_its_past_is_not(rt):
    define(rt, {"fact": "a", "operator": "eq", "expected": 1}, title="first")
    before = evaluate(rt, {"a": 1})
    [changed] = define(rt, {"fact": "b", "operator": "eq", "expected": 2})
    assert changed["no"] == 1
    assert rt.row("SELECT title FROM gates") == {"title": "first"}
    assert evaluate(rt, {"a": 1})["outcome"] == "needs_human"
    assert rt.row("SELECT * FROM gate_evaluations WHERE id = %s", before["id"]) == before


@pytest.mark.parametrize(
    "predicate",
    [
        {}, {"fact": "a"}, {"fact": "a", "operator": "eq"}, {"operator": "eq", "expected": 1},
        {"fact": "", "operator": "eq", "expected": 1}, {"fact": "a", "operator": "is", "expected": 1},
        {"fact": "a", "operator": "eq", "expected": 1, "otherwise": "shrug"},
        {"fact": "a", "operator": "gt", "expected": [1]}, {"fact": "a", "operator": "regex", "expected": 5},
        {"fact": "a", "operator": "regex", "expected": "("},
    ],
)  # fmt: skip
def test_what_is_no_predicate_is_refused(rt, predicate):
    with rt.refused("HD006", "predicate 2"):
        define(rt, {"fact": "a", "operator": "eq", "expected": 1}, predicate)


def test_bad_gates_and_evaluations_are_refused(rt):
    with rt.refused("HD006"):
        define(rt)
    with rt.refused("HD006"):
        rt.call("define_gate", "G2", {"not": "an array"})
    with rt.refused("HD004", "there is no gate"):
        evaluate(rt, {}, gate="G9")
    define(rt, {"fact": "a", "operator": "eq", "expected": 1})
    with rt.refused("HD006"):
        rt.call("evaluate_gate", rt.default_project, "G2", Jsonb([1]))
    with rt.refused("HD006"):
        rt.call("evaluate_gate", rt.default_project, "G2", None)
    with rt.refused("HD006", "too large"):
        evaluate(rt, {"a": "x" * (1 << 20)})
    with rt.refused("HD004", "there is no project"):
        rt.call("evaluate_gate", "00000000-0000-0000-0000-000000000000", "G2", {"a": 1})


# --- release decisions ----------------------------------------------------------------------------


@pytest.fixture
def gate(rt):
    define(
        rt,
        {"fact": "ok", "operator": "eq", "expected": True},
        {"fact": "safe", "operator": "eq", "expected": True, "otherwise": "blocked"},
    )
    return rt


def test_what_a_gate_lets_through_can_be_shipped_once(gate):
    evaluation = evaluate(gate, {"ok": True, "safe": True})
    [decision] = gate.call("decide_release", evaluation["id"], "ship", 0.95, "all green")
    assert (decision["decision"], decision["decided_by"]) == ("ship", "postgres")
    with gate.refused("HD003", "immutable"):
        gate.call("decide_release", evaluation["id"], "block")


def test_what_needs_a_human_is_shipped_after_the_human(gate):
    evaluation = evaluate(gate, {"ok": False, "safe": True})
    with gate.refused("HD002", "review pending"):
        gate.call("decide_release", evaluation["id"], "ship")
    review = gate.value("SELECT review_id FROM review_queue")
    gate.call("decide_review", review, "approved")
    assert gate.call1("decide_release", evaluation["id"], "ship")["decision"] == "ship"


def test_what_a_human_rejects_is_not_shipped(gate):
    evaluation = evaluate(gate, {"ok": False, "safe": True})
    gate.call("decide_review", gate.value("SELECT review_id FROM review_queue"), "rejected")
    with gate.refused("HD002", "review rejected"):
        gate.call("decide_release", evaluation["id"], "ship")
    assert gate.call1("decide_release", evaluation["id"], "block")["decision"] == "block"


def test_what_is_blocked_is_not_shipped(gate):
    evaluation = evaluate(gate, {"ok": True, "safe": False})
    with gate.refused("HD002", "outcome blocked"):
        gate.call("decide_release", evaluation["id"], "ship")
    for bad in ((evaluation["id"], "maybe"), (evaluation["id"], None), (None, "ship"),
                (evaluation["id"], "block", 1.5)):  # fmt: skip
        with gate.refused("HD006"):
            gate.call("decide_release", *bad)
    with gate.refused("HD004"):
        gate.call("decide_release", gate.default_project, "block")


# --- rights ---------------------------------------------------------------------------------------


def test_an_agent_needs_nothing_but_the_functions(rt, login):
    agent = login("hd_agent")
    [task] = rt.call("create_task", rt.default_project, "b", "code", conn=agent)
    [claimed] = rt.call("claim_next_task", "agent-1", conn=agent)
    key = claimed["attempt_id"], claimed["lease_token"]
    rt.call("heartbeat", *key, conn=agent)
    decision = rt.call("record_model_decision", *key, "m", conn=agent)[0]["id"]
    rt.call("record_llm_invocation", decision, key[1], "p", "m", conn=agent)
    rt.call("publish_artifact", *key, "k", "a", {"a": 1}, conn=agent)
    rt.call("complete_attempt", *key, conn=agent)
    assert rt.call("verify_events", task["task_id"], conn=agent)[0]["ok"]
    assert agent.execute("SELECT explain(%s) AS b", [key[0]]).fetchone()["b"]["chain_valid"]
    role = agent.info.user
    assert rt.row("SELECT created_by FROM tasks") == {"created_by": role}
    assert rt.row("SELECT actor FROM workflow_events WHERE seq = 1") == {"actor": role}


def test_an_agent_reads_every_table_and_view_and_writes_none(rt, login):
    agent = login("hd_agent")
    rt.create()
    relations = rt.rows(
        "SELECT oid::regclass::text AS name, relkind FROM pg_class"
        " WHERE relnamespace = 'hd_runtime'::regnamespace AND relkind IN ('r', 'p', 'v')"
    )
    assert len(relations) > 25
    for relation in relations:
        name = f"hd_runtime.{relation['name']}"
        agent.execute(f"SELECT * FROM {name} LIMIT 1")
        for statement in (
            f"INSERT INTO {name} DEFAULT VALUES",
            f"DELETE FROM {name}",
            f"TRUNCATE {name}",
        ):
            if relation["relkind"] == "v" and statement.startswith("TRUNCATE"):
                continue
            with pytest.raises(psycopg.Error) as caught:
                agent.execute(statement)
            assert caught.value.sqlstate in ("42501", "55000", "42809"), (statement, caught.value)


def test_an_agent_does_not_decide(rt, login):
    agent, operator = login("hd_agent"), login("hd_operator")
    task = rt.create()
    for name in runtime_sql.FUNCTIONS:
        allowed = rt.value(
            "SELECT has_function_privilege(%s, p.oid, 'EXECUTE') FROM pg_proc p WHERE proname = %s",
            agent.info.user, name,
        )  # fmt: skip
        assert allowed is (name not in OPERATOR)
    with rt.refused("42501"):
        rt.call("cancel_task", task["task_id"], conn=agent)
    with rt.refused("42501"):
        agent.execute("SELECT hd_runtime._task_ended(%s, 'done')", [task["task_id"]])
    rt.call("cancel_task", task["task_id"], "enough", conn=operator)
    action = rt.row("SELECT actor, reason FROM recovery_actions")
    assert action["actor"] == operator.info.user
    assert action["reason"] == f"cancelled by {operator.info.user}: enough"


OPERATOR = {
    "add_dependency", "cancel_task", "decide_release", "decide_review", "define_gate",
    "define_task_class", "ensure_event_partitions", "housekeep", "recover_attempt",
}  # fmt: skip


def test_whoever_is_in_neither_group_gets_nothing(rt):
    rt.server.execute("CREATE ROLE stranger LOGIN")
    try:
        conn = rt.connect(user="stranger")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT * FROM hd_runtime.tasks")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT hd_runtime.default_project()")
        conn.close()
    finally:
        rt.server.execute("DROP ROLE stranger")


def test_a_definer_cannot_be_fooled_by_a_search_path(rt, login):
    """An agent puts its own table in front: the functions do not see it."""
    agent = login("hd_agent")
    agent.execute("CREATE TEMP TABLE projects (id uuid, name text)")
    agent.execute("CREATE TEMP TABLE task_classes (name text, lease_ttl interval)")
    agent.execute("SET search_path = pg_temp, hd_runtime")
    assert rt.call("create_task", rt.default_project, "b", "code", conn=agent)
    assert rt.call("claim_next_task", "a", conn=agent)


def test_what_does_not_pin_its_search_path_cannot_be_fooled_by_one(rt, login):
    """heartbeat says the schema of each name: another's operators and functions are not called."""
    functions = rt.rows(
        "SELECT p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments,"
        " p.prorettype::regtype::text AS result, NULL AS operator FROM pg_proc p"
        " WHERE p.pronamespace = 'pg_catalog'::regnamespace"
        " AND p.proname IN ('clock_timestamp', 'now', 'sha256', 'encode', 'convert_to')"
        " UNION ALL SELECT 'operator_' || o.oid,"
        " concat_ws(', ', o.oprleft::regtype, o.oprright::regtype), o.oprresult::regtype::text,"
        " o.oprname FROM pg_operator o WHERE o.oprnamespace = 'pg_catalog'::regnamespace"
        " AND o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '+', '-', '||')"
        " AND o.oprleft::regtype::text = ANY (%s) AND o.oprright::regtype::text = ANY (%s)",
        *[["uuid", "text", "interval", "timestamp with time zone", "boolean", "bigint"]] * 2,
    )
    assert len([f for f in functions if f["operator"]]) > 20
    rt.conn.execute("CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO public")
    for function in functions:
        rt.conn.execute(
            f"CREATE FUNCTION evil.{function['name']}({function['arguments']})"
            f" RETURNS {function['result']} LANGUAGE plpgsql AS $$"
            f" BEGIN RAISE 'fooled by {function['name']} {function['operator'] or ''}'; END $$"
        )
        if function["operator"]:
            left, right = function["arguments"].split(", ")
            rt.conn.execute(
                f"CREATE OPERATOR evil.{function['operator']} (LEFTARG = {left},"
                f" RIGHTARG = {right}, FUNCTION = evil.{function['name']})"
            )
    lease = rt.claim_new()
    agent = login("hd_agent")
    agent.execute("SET search_path = evil, pg_catalog, hd_runtime")
    with pytest.raises(psycopg.errors.RaiseException, match="fooled by operator_"):
        agent.execute("SELECT 'a'::text || 'b'::text")
    renewed = rt.call1("heartbeat", lease["attempt_id"], lease["lease_token"], conn=agent)
    assert renewed["lease_expires"] > lease["lease_expires"]
    with rt.refused("HD001"):
        rt.call("heartbeat", lease["attempt_id"], "another", conn=agent)
