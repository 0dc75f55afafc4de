"""Statements over both engines through every way that a client has to run one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def numbers(relation: Callable[..., str]) -> str:
    return relation("numbers", "AS SELECT n, n::text AS name FROM generate_series(1, 1000) n")


@pytest.fixture
def boom(relation: Callable[..., str]) -> str:
    """Nobody reads its rows without an error."""
    return relation(
        "boom", "AS SELECT n, 1 / (n - n) AS broken FROM generate_series(1, 9) n", "VIEW"
    )


def test_describing_runs_nothing(server: Any, memories: Any, boom: str) -> None:
    async def run() -> None:
        client = await asyncpg.connect(server.url)
        try:
            statement = await client.prepare(
                "SELECT b.n, b.broken, m.memory_key FROM hd_runtime.boom b, agent_memories m "
                "WHERE b.n = $1 AND m.memory_key = $2"
            )
            assert [kind.name for kind in statement.get_parameters()] == ["int4", "text"]
            told = [(a.name, a.type.name) for a in statement.get_attributes()]
            assert told == [("n", "int4"), ("broken", "int4"), ("memory_key", "text")]
            with pytest.raises(asyncpg.DivisionByZeroError):
                await statement.fetch(1, "style")
            assert await client.fetchval("SELECT 1") == 1
        finally:
            await client.close()

    asyncio.run(run())


def test_a_prepared_statement_runs_again_and_reads_anew(
    server: Any, memories: Any, admin: Any, numbers: str
) -> None:
    async def run() -> None:
        client = await asyncpg.connect(server.url)
        try:
            statement = await client.prepare(
                "SELECT n, name FROM hd_runtime.numbers, agent_memories "
                "WHERE memory_key = 'style' AND n > $1 ORDER BY n"
            )
            assert await statement.fetch(998) == [(999, "999"), (1000, "1000")]
            assert await statement.fetch(999) == [(1000, "1000")]
            admin.execute("INSERT INTO hd_runtime.numbers VALUES (2000, 'new')")
            assert await statement.fetch(1500) == [(2000, "new")]
            admin.execute("ALTER TABLE hd_runtime.numbers ALTER n TYPE text")
            with pytest.raises(asyncpg.PostgresError):
                await statement.fetch(1)
        finally:
            await client.close()

    asyncio.run(run())


def test_a_portal_is_read_in_pieces(server: Any, memories: Any, numbers: str) -> None:
    async def run() -> None:
        client = await asyncpg.connect(server.url)
        try:
            async with client.transaction():
                cursor = await client.cursor(
                    "SELECT n FROM hd_runtime.numbers, agent_memories "
                    "WHERE memory_key = 'style' ORDER BY n"
                )
                assert [row[0] for row in await cursor.fetch(3)] == [1, 2, 3]
                # Another statement over the same relations in between.
                count = "SELECT count(*) FROM hd_runtime.numbers, agent_memories WHERE n < 5"
                assert await client.fetchval(count) == 8
                assert [row[0] for row in await cursor.fetch(2)] == [4, 5]
                assert len(await cursor.fetch(2000)) == 995
        finally:
            await client.close()

    asyncio.run(run())


def test_cursors(memories: Any, numbers: str) -> None:
    query = "SELECT n FROM hd_runtime.numbers, agent_memories WHERE memory_key = 'style' ORDER BY n"
    memories.execute("BEGIN")
    memories.execute(f"DECLARE c CURSOR FOR {query}")
    memories.execute(f"DECLARE kept CURSOR WITH HOLD FOR {query}")
    assert memories.execute("FETCH 2 FROM c").fetchall() == [(1,), (2,)]
    assert memories.execute("SELECT count(*) FROM agent_memories").fetchone() == (2,)
    assert memories.execute("FETCH 2 FROM c").fetchall() == [(3,), (4,)]
    memories.execute("COMMIT")
    with pytest.raises(errors.InvalidCursorName):
        memories.execute("FETCH 1 FROM c")
    assert memories.execute("FETCH 3 FROM kept").fetchall() == [(1,), (2,), (3,)]
    memories.execute("CLOSE kept")


def test_prepare_and_execute(memories: Any, numbers: str) -> None:
    memories.execute(
        "PREPARE fed (int) AS SELECT n FROM hd_runtime.numbers, agent_memories "
        "WHERE memory_key = 'style' AND n = $1"
    )
    assert memories.execute("EXECUTE fed (7)").fetchall() == [(7,)]
    assert memories.execute("EXECUTE fed (8)").fetchall() == [(8,)]
    memories.execute("DEALLOCATE fed")


@pytest.mark.parametrize("prepare", [False, True])
def test_explain_says_what_is_asked_of_postgres(memories: Any, boom: str, prepare: bool) -> None:
    lines = [
        line
        for (line,) in memories.execute(
            "EXPLAIN SELECT b.broken FROM hd_runtime.boom b, agent_memories WHERE b.n = %s",
            [3],
            prepare=prepare,
        )
    ]
    assert lines[-1] == (
        'Postgres: SELECT 0::pg_catalog.int2, "n", "broken" FROM "hd_runtime"."boom" WHERE ("n" = (3))'
    )
    with pytest.raises(errors.DivisionByZero):
        memories.execute("EXPLAIN ANALYZE SELECT broken FROM hd_runtime.boom, agent_memories")


def test_copy_out(memories: Any, numbers: str) -> None:
    query = "SELECT n, memory_key FROM hd_runtime.numbers, agent_memories WHERE n < 3 ORDER BY ALL"
    for options, expected in (
        ("", b"1\tother\n1\tstyle\n2\tother\n2\tstyle\n"),
        ("(FORMAT csv, HEADER)", b"n,memory_key\n1,other\n1,style\n2,other\n2,style\n"),
    ):
        with memories.cursor().copy(f"COPY ({query}) TO STDOUT {options}") as copied:
            assert b"".join(map(bytes, copied)) == expected
    memories.execute(f"CREATE VIEW fed_view AS {query}")
    with memories.cursor().copy("COPY (SELECT n FROM fed_view) TO STDOUT") as copied:
        assert b"".join(map(bytes, copied)) == b"1\n1\n2\n2\n"
    memories.execute("DROP VIEW fed_view")
    with (
        pytest.raises(errors.UndefinedTable),
        memories.cursor().copy(
            "COPY (SELECT * FROM hd_runtime.nothing, agent_memories) TO STDOUT"
        ) as copied,
    ):
        list(copied)
    assert memories.execute("SELECT 1").fetchone() == (1,)


def test_many_rows_stream(memories: Any, relation: Callable[..., str]) -> None:
    relation("many", "AS SELECT n, repeat('x', 20) AS pad FROM generate_series(1, 150000) n")
    cursor = memories.execute(
        "SELECT n, pad FROM hd_runtime.many, agent_memories WHERE memory_key = 'style' ORDER BY n"
    )
    rows = cursor.fetchall()
    assert len(rows) == 150000
    assert rows[0] == (1, "x" * 20)
    assert rows[-1] == (150000, "x" * 20)


def test_views(memories: Any, numbers: str) -> None:
    memories.execute(
        "CREATE VIEW fed_view AS SELECT n, memory_key FROM hd_runtime.numbers, agent_memories"
    )
    memories.execute(
        "CREATE OR REPLACE VIEW fed_view AS SELECT n + 0 AS n, memory_key "
        "FROM hd_runtime.numbers, agent_memories WHERE n < 4"
    )
    assert memories.execute("SELECT max(n), count(*) FROM fed_view").fetchone() == (3, 6)
    memories.execute("CREATE TABLE fed_copy AS SELECT * FROM fed_view WHERE n = 2")
    assert memories.execute("SELECT * FROM fed_copy ORDER BY ALL").fetchall() == [
        (2, "other"), (2, "style")
    ]  # fmt: skip
    # Other statements that only name the view go their way.
    assert memories.execute(
        "SELECT count(*) FROM duckdb_columns() WHERE table_name = 'fed_view'"
    ).fetchone() == (2,)
    memories.execute("DROP TABLE fed_copy")
    memories.execute("DROP VIEW fed_view")


def test_a_view_outlives_its_server(start_server: Callable[..., Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        where = ("--data-dir", str(Path(directory) / "data"))
        first = start_server(*where)
        with first.connect() as connection:
            connection.execute("CREATE TABLE kept (n int)")
            connection.execute("INSERT INTO kept VALUES (1)")
            connection.execute(
                "CREATE VIEW fed_view AS SELECT n, count(t.id) AS tasks FROM kept "
                "LEFT JOIN hd_runtime.tasks t ON t.agent_type = 'nobody' GROUP BY n"
            )
        first.process.__exit__(None, None, None)
        second = start_server(*where)
        with second.connect() as connection:
            listed = (
                "SELECT relname, attname FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid "
            )
            listed += "WHERE relname IN ('fed_view', 'kept') AND attnum > 0 ORDER BY 1, 2"
            assert connection.execute(listed).fetchall() == [
                ("fed_view", "n"), ("fed_view", "tasks"), ("kept", "n")
            ]  # fmt: skip
            assert connection.execute("SELECT * FROM fed_view").fetchall() == [(1, 0)]


def test_text_that_is_sent_as_it_is(memories: Any, numbers: str) -> None:
    memories.execute("SET hatidata.transpile = off")
    found = memories.execute(
        "SELECT max(n) FROM hd_runtime.numbers, agent_memories WHERE n <= 5"
    ).fetchone()
    memories.execute("RESET hatidata.transpile")
    assert found == (5,)


def test_a_parameter_of_each_kind_is_pushed_down(
    memories: Any, relation: Callable[..., str]
) -> None:
    relation(
        "kinds",
        "AS SELECT 7::bigint AS i, 'it''s \\'::text AS t, 1.5::numeric(6, 2) AS d, "
        "'2026-01-02 03:04:05.678+00'::timestamptz AS at, true AS ok, 0.1::float8 AS f, "
        "'2026-01-02'::date AS day, '00000000-0000-0000-0000-00000000000a'::uuid AS id",
    )
    kinds = memories.execute("SELECT * FROM hd_runtime.kinds")
    names, values = [c.name for c in kinds.description], kinds.fetchone()
    for name, value in zip(names, values, strict=True):
        text = (
            f"SELECT k.{name} FROM hd_runtime.kinds k, agent_memories WHERE k.{name} = %s LIMIT 1"
        )
        for prepare in (False, True):
            assert memories.execute(text, [value], prepare=prepare).fetchone() == (value,), name
        plan = memories.execute(f"EXPLAIN {text}", [value]).fetchall()[-1][0]
        assert "WHERE" in plan, (name, plan)


def test_sessions_at_the_same_time(server: Any, memories: Any, numbers: str) -> None:
    async def one(n: int) -> None:
        client = await asyncpg.connect(server.url)
        try:
            for step in range(5):
                top = n * 10 + step + 1
                found = await client.fetchval(
                    "SELECT count(*) FROM hd_runtime.numbers, agent_memories WHERE n <= $1", top
                )
                assert found == 2 * top
        finally:
            await client.close()

    async def run() -> None:
        await asyncio.gather(*(one(n) for n in range(12)))

    asyncio.run(run())


def test_a_client_that_leaves_in_the_middle(server: Any, memories: Any, relation: Any) -> None:
    relation("slow", "AS SELECT n, pg_sleep(60)::text AS s FROM generate_series(1, 9) n", "VIEW")
    leaving = psycopg.connect(server.url, autocommit=True)
    leaving.pgconn.send_query(b"SELECT s FROM hd_runtime.slow, agent_memories")
    leaving.pgconn.flush()
    leaving.close()
    assert memories.execute("SELECT count(*) FROM hd_runtime.tasks t, agent_memories m "
                            "WHERE t.agent_type = 'nobody'").fetchone() == (0,)  # fmt: skip


def test_a_view_that_comes_to_read_from_postgres(server: Any, memories: Any, numbers: str) -> None:
    async def run() -> None:
        client = await asyncpg.connect(server.url)
        try:
            memories.execute("CREATE VIEW fed_view AS SELECT 1::int4 AS n")
            statement = await client.prepare("SELECT max(n) FROM fed_view WHERE n < $1")
            assert await statement.fetchval(9) == 1
            memories.execute("CREATE OR REPLACE VIEW fed_view AS SELECT n FROM hd_runtime.numbers")
            assert await statement.fetchval(9) == 8
            memories.execute("CREATE OR REPLACE VIEW fed_view AS SELECT 3::int4 AS n")
            assert await statement.fetchval(9) == 3
        finally:
            memories.execute("DROP VIEW fed_view")
            await client.close()

    asyncio.run(run())
