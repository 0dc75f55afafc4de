"""Who gets what, in which order, at what cost, and who is told of new work."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest


def test_the_oldest_of_the_best_priority_goes_first_whatever_its_class(rt):
    order = [
        rt.create(task_class=task_class, priority=priority, agent_type=agent)["task_id"]
        for task_class, priority, agent in [
            ("code", 100, "a"), ("test", 50, "b"), ("code", 50, "a"), ("build", 100, "a"),
            ("test", 50, "a"), ("code", 0, "b"), ("code", 100, "a"),
        ]
    ]  # fmt: skip
    expected = [order[i] for i in (5, 1, 2, 4, 0, 3, 6)]
    assert [rt.claim()["task_id"] for _ in order] == expected


def test_a_claim_takes_what_it_asks_for(rt):
    other = rt.value("SELECT create_project('other')")
    made = {
        (project, task_class, agent): rt.create(
            project_id=project, task_class=task_class, agent_type=agent
        )["task_id"]
        for project in (rt.default_project, other)
        for task_class in ("code", "test")
        for agent in ("x", "y")
    }
    for (project, task_class, agent), task in reversed(made.items()):
        claimed = rt.claim(project_id=project, task_classes=[task_class], agent_type=agent)
        assert claimed["task_id"] == task
    assert rt.call("claim_next_task", "agent-1") == []


def test_several_classes_are_one_queue(rt):
    tasks = [rt.create(task_class=c)["task_id"] for c in ("test", "code", "build", "test")]
    claimed = [rt.claim(task_classes=["code", "test"])["task_id"] for _ in range(3)]
    assert claimed == [tasks[0], tasks[1], tasks[3]]


def test_many_at_once(rt):
    tasks = [rt.create(priority=p)["task_id"] for p in (5, 5, 1, 5)]
    claimed = rt.call("claim_next_task", "agent-1", max_tasks=3)
    assert [c["task_id"] for c in claimed] == [tasks[2], tasks[0], tasks[1]]
    assert len(rt.call("claim_next_task", "agent-1", max_tasks=3)) == 1
    for c in claimed:
        rt.call("complete_attempt", c["attempt_id"], c["lease_token"])


def test_unknown_classes_and_sizes_are_refused(rt):
    rt.create()
    with rt.refused("HD004", "Asked for: code, coed"):
        rt.call("claim_next_task", "agent-1", task_classes=["code", "coed"])
    with rt.refused("HD004", "null"):
        rt.call("claim_next_task", "agent-1", task_classes=[None])
    for size in (0, -1, 1001, None):
        with rt.refused("HD006", "max_tasks"):
            rt.call("claim_next_task", "agent-1", max_tasks=size)


def test_nothing_is_claimable_before_its_time(rt):
    later = datetime.now(UTC) + timedelta(hours=1)
    task = rt.create(available_at=later)
    assert rt.call("claim_next_task", "agent-1") == []
    assert rt.call("claim_task", task["task_id"], "agent-1") == []
    now = rt.create(available_at=datetime.now(UTC) - timedelta(days=1))
    assert rt.claim()["task_id"] == now["task_id"]


def test_what_is_due_later_does_not_stand_in_the_way(rt):
    for _ in range(3):
        rt.create(available_at=datetime.now(UTC) + timedelta(hours=1))
    task = rt.create()
    assert rt.claim()["task_id"] == task["task_id"]


def test_one_task_by_name(rt):
    rt.create()
    task = rt.create()
    claimed = rt.call1("claim_task", task["task_id"], "agent-1")
    assert claimed["attempt_id"] == task["attempt_id"]
    assert rt.call("claim_task", task["task_id"], "agent-2") == []
    rt.call("complete_attempt", claimed["attempt_id"], claimed["lease_token"])
    with rt.refused("HD005", "it is done"):
        rt.call("claim_task", task["task_id"], "agent-2")
    with rt.refused("HD004"):
        rt.call("claim_task", rt.default_project, "agent-2")
    with rt.refused("HD006"):
        rt.call("claim_task", None, "agent-2")


def test_a_task_created_in_a_transaction_can_be_claimed_in_it(rt):
    with rt.connect(autocommit=False) as conn:
        conn.execute("SELECT create_task(default_project(), 'builder', 'code')")
        assert len(rt.call("claim_next_task", "agent-1", conn=conn)) == 1


def test_a_claim_that_is_rolled_back_leaves_the_task_first_in_the_queue(rt):
    first = rt.create()
    rt.create()
    conn = rt.connect(autocommit=False)
    assert rt.call("claim_next_task", "a", conn=conn)[0]["task_id"] == first["task_id"]
    conn.rollback()
    assert rt.claim()["task_id"] == first["task_id"]
    assert rt.value("SELECT count(*) FROM workflow_events WHERE type = 'attempt.claimed'") == 1


def test_claims_never_wait_for_each_other(rt):
    tasks = [rt.create()["task_id"] for _ in range(3)]
    held = rt.connect(autocommit=False)
    assert rt.call("claim_next_task", "slow", conn=held)[0]["task_id"] == tasks[0]
    rt.conn.execute("SET statement_timeout = '5s'")
    assert rt.claim()["task_id"] == tasks[1]
    assert rt.call("claim_task", tasks[0], "agent-1") == []
    held.rollback()


def test_competing_agents_never_share_a_task(rt):
    rt.rows(
        "SELECT create_task(default_project(), 'builder', (ARRAY['code', 'test'])[1 + g % 2],"
        " priority => g % 3) FROM generate_series(1, 300) AS g"
    )

    def work(name: int) -> list:
        conn = rt.connect()
        mine = []
        while claimed := rt.call("claim_next_task", f"a{name}", max_tasks=1 + name % 3, conn=conn):
            mine += [c["task_id"] for c in claimed]
            for c in claimed:
                rt.call("complete_attempt", c["attempt_id"], c["lease_token"], conn=conn)
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = [task for mine in pool.map(work, range(8)) for task in mine]
    assert len(taken) == 300
    assert len(set(taken)) == 300
    assert rt.rows("SELECT DISTINCT status FROM tasks") == [{"status": "done"}]


# --- the cost of a claim --------------------------------------------------------------------------


def buffers(conn: psycopg.Connection, query: str) -> int:
    """Pages that one execution touches, in all plans within it; rolled back."""
    with conn.transaction(force_rollback=True):
        [row] = conn.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}").fetchall()
    plan = row["QUERY PLAN"]
    plan = plan if isinstance(plan, list) else json.loads(plan)
    return plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]


CLAIMS = {
    "any": "SELECT * FROM claim_next_task('a')",
    "classes": "SELECT * FROM claim_next_task('a', '{code,test,build}')",
    "agent": "SELECT * FROM claim_next_task('a', agent_type => 'builder')",
    "project": "SELECT * FROM claim_next_task('a', project_id => default_project())",
    "rare": "SELECT * FROM claim_next_task('a', agent_type => 'rare')",
    "small project": "SELECT * FROM claim_next_task('a', project_id => create_project('small'))",
}


def test_a_claim_costs_the_same_whatever_waits(rt):
    """Neither a scan nor a sort of the backlog, for any choice of class, agent and project."""

    def create(count: int) -> None:
        rt.rows(
            "SELECT count(create_task(default_project(), 'builder',"
            " (ARRAY['code', 'test', 'build'])[1 + g %% 3], priority => g %% 2))"
            " FROM generate_series(1, %s) AS g",
            count,
        )

    rt.create(agent_type="rare", task_class="deploy")
    rt.create(project_id=rt.value("SELECT create_project('small')"), task_class="deploy")
    create(30)
    for query in CLAIMS.values():
        buffers(rt.conn, query)  # the session's first: catalogs and plans
    before = {name: buffers(rt.conn, query) for name, query in CLAIMS.items()}
    create(6000)
    rt.conn.execute("ANALYZE")
    for query in CLAIMS.values():
        buffers(rt.conn, query)
    after = {name: buffers(rt.conn, query) for name, query in CLAIMS.items()}
    # An index that has grown has one more level at most.
    assert {n: c for n, c in after.items() if c > before[n] + 40} == {}, before


def test_dead_entries_that_vacuum_cannot_remove_do_not_slow_claims(rt):
    """An idle transaction pins the horizon; the low-water marks keep the scan short."""
    pin = rt.connect(autocommit=False)
    pin.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    pin.execute("SELECT count(*) FROM tasks")
    rt.rows(
        "SELECT count(create_task(default_project(), 'builder', 'code'))"
        " FROM generate_series(1, 4000)"
    )
    rt.rows("SELECT count(*) FROM claim_next_task('a')")
    fresh = buffers(rt.conn, CLAIMS["any"])
    rt.conn.execute(
        "DO $$ BEGIN FOR i IN 1 .. 3500 LOOP PERFORM claim_next_task('a'); COMMIT; END LOOP; END $$"
    )
    assert rt.value("SELECT count(*) FROM queue_marks") > 0
    assert buffers(rt.conn, CLAIMS["any"]) < fresh + 150
    pin.rollback()


def test_claims_themselves_move_the_marks_past_pages_of_the_dead(rt):
    """No horizon is pinned and nothing is vacuumed: what was claimed is passed over all the same."""
    rt.conn.execute("ALTER TABLE hd_runtime.task_attempts SET (autovacuum_enabled = off)")
    rt.rows(
        "SELECT count(create_task(default_project(), 'builder', 'code'))"
        " FROM generate_series(1, 4000)"
    )
    rt.conn.execute(
        "DO $$ BEGIN FOR i IN 1 .. 3900 LOOP PERFORM claim_next_task('a'); COMMIT; END LOOP; END $$"
    )
    assert rt.value("SELECT count(*) FROM queue_marks") > 0
    assert buffers(rt.conn, CLAIMS["any"]) < 150


def test_a_classs_lease_ttl_holds_from_the_next_claim_on(rt):
    def expected() -> timedelta:
        rt.create()
        return rt.value(
            "SELECT lease_ttl FROM task_attempts WHERE id = %s", rt.claim()["attempt_id"]
        )

    rt.create()
    rt.call("define_task_class", "code", lease_ttl=timedelta(minutes=7))
    assert expected() == timedelta(minutes=7)
    rt.conn.execute("UPDATE hd_runtime.task_classes SET lease_ttl = '9 minutes'")
    assert expected() == timedelta(minutes=9)
    assert rt.value("SELECT DISTINCT lease_ttl FROM queue_lanes") == timedelta(minutes=9)


def test_a_class_that_changes_waits_for_whoever_makes_a_lane_of_it(rt):
    maker, changer = rt.connect(autocommit=False), rt.connect()
    rt.call("create_task", rt.default_project, "another", "code", conn=maker)
    with ThreadPoolExecutor(1) as threads:
        changed = threads.submit(
            changer.execute, "SELECT hd_runtime.define_task_class('code', lease_ttl => '7 minutes')"
        )
        while not rt.value(
            "SELECT cardinality(pg_blocking_pids(%s)) > 0", changer.info.backend_pid
        ):
            pass
        maker.commit()
        changed.result()
    assert rt.value("SELECT lease_ttl FROM queue_lanes") == timedelta(minutes=7)


def test_nothing_is_lost_below_a_mark(rt):
    """A task whose transaction began before the mark moved, and commits after."""
    rt.create()
    slow = rt.connect(autocommit=False)
    early = rt.call("create_task", rt.default_project, "builder", "code", conn=slow)[0]
    for _ in range(3):
        rt.create()
    while rt.call("claim_next_task", "a", project_id=None):
        pass
    lanes = [row["id"] for row in rt.rows("SELECT id FROM queue_lanes")]
    rt.rows("SELECT hd_runtime._advance_marks(%s, NULL)", lanes)
    rt.rows("SELECT hd_runtime._advance_marks(%s, default_project())", lanes)
    slow.commit()
    assert rt.claim(project_id=rt.default_project)["task_id"] == early["task_id"]


def test_a_claim_under_way_holds_the_mark_back(rt):
    first = rt.create()
    rt.create()
    slow = rt.connect(autocommit=False)
    rt.call("claim_next_task", "slow", conn=slow)
    rt.claim()
    rt.rows("SELECT hd_runtime._advance_marks(ARRAY(SELECT id FROM queue_lanes), NULL)")
    slow.rollback()
    assert rt.claim()["task_id"] == first["task_id"]


def test_marks_move_on_and_new_work_is_found_beyond_them(rt):
    for _ in range(3):
        rt.create()
        rt.claim()
        rt.rows("SELECT hd_runtime._advance_marks(ARRAY(SELECT id FROM queue_lanes), NULL)")
    assert rt.value("SELECT count(*) FROM queue_marks") == 3
    rt.create()
    rt.claim()
    assert rt.call1("housekeep")["marks_removed"] == 2


def test_a_clock_that_was_set_back_hides_nothing(rt):
    rt.create()
    rt.claim()
    rt.conn.execute(
        "INSERT INTO hd_runtime.queue_marks SELECT id, %s, now() + interval '1 hour'"
        " FROM hd_runtime.queue_lanes",
        ["00000000-0000-0000-0000-000000000000"],
    )
    task = rt.create()
    assert rt.claim()["task_id"] == task["task_id"]


# --- waiting for work -----------------------------------------------------------------------------


def notifications(conn: psycopg.Connection) -> list[str]:
    """Those that have arrived; a round trip first, for they come with an answer."""
    conn.execute("SELECT 1")
    return [n.payload for n in conn.notifies(timeout=0)]


@pytest.fixture
def listener(rt) -> psycopg.Connection:
    conn = rt.connect()
    conn.execute("LISTEN hd_work")
    return conn


def test_nobody_is_told_when_nobody_waits(rt, listener):
    rt.create()
    assert notifications(listener) == []


def test_whoever_waits_is_told_once(rt, listener):
    assert rt.call("claim_next_task", "a") == []
    for _ in range(100):
        rt.create(task_class="test")
    assert notifications(listener) == ["test"]
    rt.rows(
        "SELECT count(create_task(default_project(), 'b', 'test')) FROM generate_series(1, 100)"
    )
    assert notifications(listener) == []
    while rt.call("claim_next_task", "a", max_tasks=100):
        pass
    rt.create(task_class="code")
    assert notifications(listener) == ["code"]


def test_who_waits_for_a_class_is_told_of_that_class(rt, listener):
    assert rt.call("claim_next_task", "a", task_classes=["code", "test"]) == []
    rt.create(task_class="build")
    assert notifications(listener) == []
    rt.create(task_class="test")
    assert notifications(listener) == ["test"]
    rt.create(task_class="code")
    assert notifications(listener) == ["code"]


def test_a_creation_that_is_rolled_back_tells_nobody(rt, listener):
    rt.call("claim_next_task", "a")
    conn = rt.connect(autocommit=False)
    rt.call("create_task", rt.default_project, "b", "code", conn=conn)
    conn.rollback()
    assert notifications(listener) == []
    rt.create()
    assert notifications(listener) == ["code"]


def test_what_becomes_due_is_announced_by_housekeeping(rt, listener):
    rt.create(available_at=datetime.now(UTC) + timedelta(seconds=2))
    assert rt.call("claim_next_task", "a") == []
    assert rt.call1("housekeep")["announced"] == 0
    while not rt.call1("housekeep")["announced"]:
        pass
    assert notifications(listener) == ["code"]
    assert rt.call1("housekeep")["announced"] == 0


def test_an_unblocked_task_is_announced(rt, listener):
    first = rt.claim_new()
    rt.create(needs=[first["task_id"]], task_class="test")
    assert rt.call("claim_next_task", "a") == []
    rt.call("complete_attempt", first["attempt_id"], first["lease_token"])
    assert notifications(listener) == ["test"]
