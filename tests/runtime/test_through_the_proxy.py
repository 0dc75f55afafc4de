"""Agents know port 5439 and SQL: every driver's own way of calling functions, and waiting for work."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import uuid
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pg8000.native
import psycopg
import psycopg2
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb


@pytest.fixture
def task_class(server: Any) -> str:
    """A class of the test's own, so that tests on one server do not take each other's tasks."""
    from proxy.engines.embedded import running_conninfo

    name = f"c{uuid.uuid4().hex}"
    direct = running_conninfo(server.process.data_directory / "postgres")
    with psycopg.connect(direct) as admin:
        admin.execute("SELECT hd_runtime.define_task_class(%s)", [name])
    return name


@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_psycopg(server: Any, task_class: str, prepare: bool, binary: bool) -> None:
    """Untyped texts, ids as objects and as text, numbers of every kind."""
    with (
        server.connect(prepare_threshold=0 if prepare else None) as connection,
        connection.cursor(binary=binary, row_factory=dict_row) as cursor,
    ):
        made = cursor.execute(
            "SELECT * FROM create_task(default_project(), 'builder', %s, %s, priority => %s)",
            [task_class, '{"a": 1}', 7],
        ).fetchone()
        assert made["created"] is True
        claimed = cursor.execute(
            "SELECT * FROM claim_next_task('agent-1', %s)", [[task_class]]
        ).fetchone()
        assert claimed["task_id"] == made["task_id"]
        assert claimed["payload"] == {"a": 1}
        key = [str(claimed["attempt_id"]), claimed["lease_token"]]
        assert cursor.execute("SELECT * FROM heartbeat(%s, %s)", key).fetchone()["lease_expires"]
        decision = cursor.execute(
            "SELECT id FROM record_model_decision(%s, %s, 'm', fallback_chain => %s)",
            [*key, ["n", "o"]],
        ).fetchone()["id"]
        for cost in (0.25, Decimal("0.5"), 1, "0.125"):
            cursor.execute(
                "SELECT record_llm_invocation(%s, %s, 'p', 'm', %s, %s, cost_usd => %s)",
                [decision, key[1], 3_000_000_000, 5, cost],
            )
        done = cursor.execute(
            "SELECT * FROM complete_attempt(%s, %s, %s)", [*key, Jsonb({"ok": True})]
        ).fetchone()
        assert done["seq"] == 3
        bundle = cursor.execute("SELECT explain(%s) AS b", [key[0]]).fetchone()["b"]
        assert (bundle["total_cost_usd"], bundle["chain_valid"]) == (1.875, True)


def test_asyncpg(server: Any, task_class: str) -> None:
    """Prepares everything and asks for the types of the parameters."""

    async def run() -> None:
        connection = await asyncpg.connect(server.url)
        try:
            made = await connection.fetchrow(
                "SELECT * FROM create_task(default_project(), $1, $2, $3, work_item_key => $4)",
                "builder",
                task_class,
                json.dumps({"a": 1}),
                "key",
            )
            again = await connection.fetchrow(
                "SELECT * FROM create_task(default_project(), 'builder', $1, work_item_key => 'key')",
                task_class,
            )
            assert (again["task_id"], again["created"]) == (made["task_id"], False)
            claimed = await connection.fetchrow(
                "SELECT * FROM claim_next_task($1, $2::text[])", "agent-1", [task_class]
            )
            key = claimed["attempt_id"], claimed["lease_token"]
            await connection.fetchrow("SELECT * FROM heartbeat($1, $2)", *key)
            with pytest.raises(asyncpg.PostgresError) as caught:
                await connection.fetchrow("SELECT heartbeat($1, $2)", key[0], "guess")
            assert caught.value.sqlstate == "HD001"
            failed = await connection.fetchrow(
                "SELECT * FROM fail_attempt($1, $2, $3, $4)", *key, "timeout", '{"after": 3}'
            )
            assert (failed["level"], failed["action"]) == ("L1", "retry")
        finally:
            await connection.close()

    asyncio.run(run())


def test_psycopg2_and_pg8000(server: Any, task_class: str) -> None:
    """One writes parameters into the text, the other sends each with the type it guesses."""
    parts = urlsplit(server.url)
    with psycopg2.connect(server.url) as one, one.cursor() as cursor:
        cursor.execute(
            "SELECT task_id FROM create_task(default_project(), 'builder', %s, %s)",
            [task_class, '{"a": 1}'],
        )
        [task] = cursor.fetchone()
    one.close()
    other = pg8000.native.Connection(
        "tester", host=parts.hostname, port=parts.port, database="hatidata"
    )
    try:
        [row] = other.run(
            "SELECT task_id, attempt_id, lease_token FROM claim_next_task(:name, :classes)",
            name="agent-1",
            classes=[task_class],
        )
        assert str(row[0]) == str(task)  # psycopg2 gives a UUID where somebody registered the type
        [[seq]] = other.run(
            "SELECT complete_attempt(:attempt, :token)", attempt=row[1], token=row[2]
        )
        assert seq == 3
    finally:
        other.close()


def test_with_and_without_the_schemas_name(server: Any, task_class: str) -> None:
    with server.connect() as connection:
        for prefix in ("", "hd_runtime."):
            connection.execute(
                f"SELECT * FROM {prefix}create_task(default_project(), 'builder', '{task_class}')"
            )
            claim = f"SELECT count(*) FROM {prefix}claim_next_task('agent-1', '{{{task_class}}}')"
            assert connection.execute(claim).fetchone() == (1,)


@pytest.mark.parametrize("prepare", [False, True])
def test_who_forgets_the_schemas_name_of_a_view_is_told(server: Any, prepare: bool) -> None:
    with server.connect(prepare_threshold=0 if prepare else None) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable) as caught:
            connection.execute("SELECT * FROM attempt_chain")
        assert caught.value.diag.message_hint == (
            "The agent runtime has one: hd_runtime.attempt_chain."
        )
        # A table of the user's own is another thing.
        connection.execute("CREATE TABLE lineage AS SELECT 1 AS a")
        assert connection.execute("SELECT * FROM lineage").fetchall() == [(1,)]
        connection.execute("DROP TABLE lineage")


def _create(connection: psycopg.Connection, task_class: str, count: int) -> None:
    connection.execute(
        "SELECT count(create_task(default_project(), 'builder', %s))"
        f" FROM generate_series(1, {count})",
        [task_class],
    )


@pytest.mark.parametrize("pipeline", [False, True])
def test_listening_agents_are_told_once_of_a_thousand_tasks(
    server: Any, task_class: str, pipeline: bool
) -> None:
    with server.connect() as waiting, server.connect() as other:
        if pipeline:
            with waiting.pipeline():
                waiting.execute("LISTEN hd_work")
        else:
            waiting.execute("LISTEN hd_work")
        empty = waiting.execute("SELECT * FROM claim_next_task('a', %s)", [[task_class]])
        assert empty.fetchone() is None
        for _ in range(5):
            _create(other, task_class, 200)
        assert [n.payload for n in waiting.notifies(timeout=30, stop_after=1)] == [task_class]
        # All five have come to an end, and told of nothing more.
        waiting.execute("SELECT pg_backend_pid()")
        assert list(waiting.notifies(timeout=0)) == []
        claim = "SELECT count(*) FROM claim_next_task('a', %s, max_tasks => 1000)"
        assert waiting.execute(claim, [[task_class]]).fetchone() == (1000,)
        assert waiting.execute(claim, [[task_class]]).fetchone() == (0,)
        _create(other, task_class, 1)
        assert [n.payload for n in waiting.notifies(timeout=30, stop_after=1)] == [task_class]
        waiting.execute("UNLISTEN hd_work")


def test_what_is_listened_to_survives_work_on_both_engines(server: Any, task_class: str) -> None:
    """Between LISTEN and the notification the session does other things, in transactions too."""
    with server.connect() as waiting, server.connect() as other:
        waiting.execute("LISTEN hd_work")
        assert waiting.execute("SELECT 6 * 7").fetchone() == (42,)
        waiting.execute("SELECT * FROM claim_next_task('a', %s)", [[task_class]])
        with waiting.transaction():
            waiting.execute("SELECT count(*) FROM hd_runtime.tasks")
            waiting.execute("SELECT 6 * 7")
        _create(other, task_class, 1)
        assert [n.payload for n in waiting.notifies(timeout=30, stop_after=1)] == [task_class]


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_psql_shows_the_notification(server: Any, task_class: str) -> None:
    script = f"""
        LISTEN hd_work;
        SELECT count(*) FROM claim_next_task('a', '{{{task_class}}}');
        SELECT created FROM create_task(default_project(), 'builder', '{task_class}');
    """
    done = subprocess.run(
        ["psql", "-X", "-At", server.url], input=script, capture_output=True, text=True, timeout=60
    )
    assert f'Asynchronous notification "hd_work" with payload "{task_class}"' in done.stdout
