"""Old months leave the database as Parquet files, and the chain stays whole across them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest

import runtime_sql
from runtime_sql import ArchiveError

from .test_audit import GENESIS, digest

# Rewrites history so that a task's first events lie in the past: what a clock would have done.
AGE = """
DO $$
DECLARE
    e record;
    p bytea := decode(repeat('00', 32), 'hex');
    h bytea;
    t timestamptz;
BEGIN
    ALTER TABLE hd_runtime.workflow_events DISABLE TRIGGER USER;
    ALTER TABLE hd_runtime.task_attempts DISABLE TRIGGER USER;
    FOR e IN SELECT w.*, a.attempt_no FROM hd_runtime.workflow_events w
             JOIN hd_runtime.task_attempts a ON a.id = w.attempt_id
             WHERE w.task_id = '{task}' ORDER BY w.id LOOP
        t := e.ts - CASE WHEN e.attempt_no <= {attempts} THEN interval '{ago}' ELSE '0' END;
        h := event_digest(p, e.task_id, e.attempt_id, e.seq, t, e.type, e.from_status,
                          e.to_status, e.actor, e.detail);
        DELETE FROM hd_runtime.workflow_events WHERE id = e.id;
        INSERT INTO hd_runtime.workflow_events
        VALUES (e.id, e.task_id, e.attempt_id, e.seq, t, e.type, e.from_status, e.to_status,
                e.actor, e.detail, p, h);
        p := h;
        UPDATE hd_runtime.task_attempts SET event_hash = h, created_at = CASE WHEN e.seq = 1 THEN t
            ELSE created_at END, completed_at = CASE WHEN completed_at IS NULL THEN NULL ELSE t END
        WHERE id = e.attempt_id;
    END LOOP;
    ALTER TABLE hd_runtime.workflow_events ENABLE ALWAYS TRIGGER append_only;
    ALTER TABLE hd_runtime.workflow_events ENABLE ALWAYS TRIGGER append_only_statement;
    ALTER TABLE hd_runtime.task_attempts ENABLE TRIGGER USER;
END $$
"""


@pytest.fixture
def old(rt) -> dict:
    """A task whose first two attempts lie two months back, and which is still under way."""
    rt.rows(
        "SELECT hd_runtime._make_event_partition(date_trunc('month', now(), 'UTC')"
        " - make_interval(months => m)) FROM generate_series(1, 3) AS m"
    )
    task = rt.create(payload={"x": 1})
    for agent in ('ägent, "one"', "two"):
        claimed = rt.claim(agent)
        detail = {"text": 'a "b", c\n', "empty": "", "none": None}
        key = claimed["attempt_id"], claimed["lease_token"]
        rt.call("advance_attempt", *key, "executing", detail)
        rt.call("release_attempt", *key)
    claimed = rt.claim("three")
    rt.conn.execute(AGE.format(task=task["task_id"], attempts=2, ago="2 months"))
    assert rt.call1("verify_events", task["task_id"])["ok"]
    return claimed


def test_old_months_go_and_the_chain_holds(rt, old, tmp_path):
    before = rt.rows("SELECT * FROM workflow_events ORDER BY id")
    month = rt.value("SELECT date_trunc('month', min(ts), 'UTC')::date FROM workflow_events")
    today = datetime.now(UTC).date()
    archived = runtime_sql.archive(rt.conninfo(), today, tmp_path)
    assert len(archived) == 3
    [full] = [m for m in archived if m.events]
    assert full.month == month
    assert full.events == 8
    assert full.path == tmp_path / f"workflow_events_{month:%Y_%m}.parquet"
    assert rt.value("SELECT count(*) FROM workflow_events") == len(before) - 8
    assert rt.row("SELECT events, file_sha256 FROM event_archives WHERE month = %s", month) == {
        "events": 8,
        "file_sha256": full.sha256,
    }

    rows = duckdb.sql(f"SELECT * FROM '{full.path}' ORDER BY id").fetchall()
    assert [(r[0], r[1], r[3], r[8], r[11]) for r in rows] == [
        (e["id"], e["task_id"], e["seq"], e["actor"], e["hash"]) for e in before[:8]
    ]
    assert runtime_sql.verify_archives([m.path for m in archived]) == []

    # The task goes on as if nothing had happened.
    assert rt.call1("verify_events", old["task_id"])["ok"]
    rt.call("complete_attempt", old["attempt_id"], old["lease_token"])
    assert rt.call1("verify_events", old["task_id"])["ok"]
    assert runtime_sql.check(rt.conninfo()) == []
    assert runtime_sql.archive(rt.conninfo(), today, tmp_path) == []


def test_the_chain_can_be_recomputed_from_the_file_in_python(rt, old, tmp_path):
    archived = runtime_sql.archive(rt.conninfo(), datetime.now(UTC).date(), tmp_path)
    [path] = [month.path for month in archived if month.events]
    prev = GENESIS
    for event in pyarrow.parquet.read_table(path).to_pylist():
        event |= {
            "ts": event["ts"].replace(tzinfo=UTC),
            "detail_text": event["detail"],
        }
        assert event["prev_hash"] == prev
        prev = digest(prev, event)
        assert event["hash"] == prev
    # What is still in the database goes on from there.
    first = rt.rows("SELECT prev_hash FROM workflow_events ORDER BY id LIMIT 1")
    assert first[0]["prev_hash"] == prev


def test_tampering_is_found_beyond_the_archive(rt, old, tmp_path):
    runtime_sql.archive(rt.conninfo(), datetime.now(UTC).date(), tmp_path, drop=True)
    rt.conn.execute("ALTER TABLE hd_runtime.workflow_events DISABLE TRIGGER USER")
    partition = rt.value("SELECT tableoid::regclass::text FROM workflow_events LIMIT 1")
    rt.conn.execute(f"ALTER TABLE hd_runtime.{partition} DISABLE TRIGGER USER")
    rt.conn.execute("DELETE FROM hd_runtime.workflow_events WHERE seq = 1")
    found = rt.call1("verify_events", old["task_id"])
    assert (found["ok"], found["attempt_id"], found["seq"]) == (False, old["attempt_id"], 1)


def test_a_tampered_archive_is_found(rt, old, tmp_path):
    runtime_sql.archive(rt.conninfo(), datetime.now(UTC).date(), tmp_path)
    [path] = [p for p in tmp_path.glob("*.parquet") if duckdb.sql(f"FROM '{p}'").fetchall()]
    for change, words in {
        "SELECT * REPLACE (CASE WHEN seq = 2 THEN 'x' ELSE actor END AS actor)": "hash does not",
        "SELECT * REPLACE (hash AS prev_hash)": "hash does not match",
    }.items():
        copy = tmp_path / "copy.parquet"
        duckdb.sql(f"COPY ({change} FROM '{path}') TO '{copy}' (FORMAT parquet)")
        assert words in runtime_sql.verify_archives([copy])[0]
    duckdb.sql(f"COPY (FROM '{path}' WHERE seq <> 2) TO '{copy}' (FORMAT parquet)")
    problems = runtime_sql.verify_archives([copy])
    assert any("prev_hash" in problem for problem in problems)
    assert any("event 2 is missing" in problem for problem in problems)
    assert runtime_sql.verify_archives([]) == []


def test_a_broken_month_is_not_archived(rt, old, tmp_path):
    rt.conn.execute("ALTER TABLE hd_runtime.workflow_events DISABLE TRIGGER USER")
    for row in rt.rows("SELECT DISTINCT tableoid::regclass::text AS p FROM workflow_events"):
        rt.conn.execute(f"ALTER TABLE hd_runtime.{row['p']} DISABLE TRIGGER USER")
    rt.conn.execute("UPDATE hd_runtime.workflow_events SET actor = 'x' WHERE seq = 2")
    with pytest.raises(ArchiveError, match="hash does not match"):
        runtime_sql.archive(rt.conninfo(), datetime.now(UTC).date(), tmp_path)
    assert rt.value("SELECT count(*) FROM workflow_events") == 10
    assert [p.name for p in tmp_path.iterdir() if duckdb.sql(f"FROM '{p}'").fetchall()] == []


def test_nothing_is_overwritten_and_nothing_recent_goes(rt, old, tmp_path):
    assert runtime_sql.archive(rt.conninfo(), date(2000, 1, 1), tmp_path) == []
    for name in rt.rows("SELECT DISTINCT tableoid::regclass::text AS p FROM workflow_events"):
        (tmp_path / f"{name['p']}.parquet").write_text("mine")
    with pytest.raises(ArchiveError, match="is there already"):
        runtime_sql.archive(rt.conninfo(), date(2999, 1, 1), tmp_path)
    assert {p.read_text() for p in Path(tmp_path).glob("*.parquet") if p.stat().st_size < 9} == {
        "mine"
    }
    assert rt.value("SELECT count(*) FROM workflow_events") == 10


def test_a_transaction_that_is_open_delays_the_archive_and_nobody_else(rt, old, tmp_path):
    slow = rt.connect(autocommit=False)
    rt.call("create_task", rt.default_project, "b", "code", conn=slow)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(
            runtime_sql.archive, rt.conninfo(), datetime.now(UTC).date(), tmp_path
        )
        # It asks for the table, again and again; who comes in between is served within a moment.
        asks = (
            "SELECT count(*) AS n FROM pg_locks WHERE NOT granted"
            " AND relation = 'hd_runtime.workflow_events'::regclass"
        )
        while not rt.value(asks):
            assert not waiting.done()
        rt.conn.execute("SET statement_timeout = '5s'")
        assert rt.create()["created"]
        assert not waiting.done()
        slow.rollback()
        assert len(waiting.result(timeout=60)) == 3
    assert rt.call1("verify_events", old["task_id"])["ok"]


def test_a_month_that_began_in_the_default_partition_is_archived_too(rt, old, tmp_path):
    before = rt.rows("SELECT * FROM workflow_events ORDER BY id")
    month = rt.value("SELECT date_trunc('month', min(ts), 'UTC')::date FROM workflow_events")
    # As if nobody had made a partition in time, neither for that month nor for this one.
    rt.conn.execute(
        "CREATE TABLE kept AS SELECT * FROM hd_runtime.workflow_events;"
        "DO $$ DECLARE t regclass; BEGIN"
        " FOR t IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'hd_runtime.workflow_events'::regclass"
        " AND inhrelid <> 'hd_runtime.workflow_events_default'::regclass"
        " LOOP EXECUTE format('DROP TABLE %s', t); END LOOP; END $$;"
        "INSERT INTO hd_runtime.workflow_events SELECT * FROM kept ORDER BY id; DROP TABLE kept"
    )
    assert rt.value("SELECT count(*) FROM workflow_events_default") == len(before)
    assert any("default partition" in problem for problem in runtime_sql.check(rt.conninfo()))

    archived = runtime_sql.archive(rt.conninfo(), datetime.now(UTC).date(), tmp_path)

    assert [(m.month, m.events) for m in archived] == [(month, 8)]
    assert runtime_sql.verify_archives([m.path for m in archived]) == []
    assert rt.rows("SELECT * FROM workflow_events ORDER BY id") == before[8:]
    assert rt.value("SELECT count(*) FROM workflow_events_default") == 0
    assert rt.call1("verify_events", old["task_id"])["ok"]
    rt.call("complete_attempt", old["attempt_id"], old["lease_token"])
    rt.call1("housekeep")
    assert runtime_sql.check(rt.conninfo()) == []
    assert runtime_sql.verify_trail(rt.conninfo()) == []
    for row in rt.rows(
        "SELECT inhrelid::regclass::text AS p FROM pg_inherits"
        " WHERE inhparent = 'workflow_events'::regclass"
    ):
        for statement in (f"UPDATE {row['p']} SET actor = 'x'", f"TRUNCATE {row['p']}"):
            with rt.refused("HD003"):
                rt.conn.execute(f"SET search_path = hd_runtime; {statement}")
        assert rt.value("SELECT has_table_privilege('hd_agent', %s::regclass, 'SELECT')", row["p"])
        assert rt.value("SELECT obj_description(%s::regclass, 'pg_class')", row["p"])


def test_what_comes_late_for_an_archived_month_stays_where_it_is(rt, old, tmp_path):
    today = datetime.now(UTC).date()
    [full] = [m for m in runtime_sql.archive(rt.conninfo(), today, tmp_path) if m.events]
    late = rt.create()
    rt.conn.execute(AGE.format(task=late["task_id"], attempts=1, ago="2 months"))
    assert rt.value("SELECT count(*) FROM workflow_events_default") == 1
    assert runtime_sql.archive(rt.conninfo(), today, tmp_path) == []
    assert rt.value("SELECT count(*) FROM workflow_events_default") == 1
    assert rt.call1("verify_events", late["task_id"])["ok"]
    assert full.path.exists()
