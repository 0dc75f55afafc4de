"""WITH of statements that change data, by both protocols, in and out of transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import errors

POSTGRES = "-c hatidata.dialect=postgres -c search_path=parts"
MOVE = "WITH m AS (DELETE FROM a WHERE id <= 2 RETURNING *) INSERT INTO b SELECT * FROM m"


@pytest.fixture
def one(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect() as admin:
        admin.execute("CREATE SCHEMA parts")
    try:
        with server.connect(options=POSTGRES) as connection:
            connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
            connection.execute(
                "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(20), n NUMERIC(10,2), j JSONB, "
                "u UUID, m mood, l TEXT[], at TIMESTAMPTZ, i INTERVAL, b BYTEA)"
            )
            connection.execute("CREATE TABLE b AS SELECT * FROM a")
            connection.execute(
                "INSERT INTO a SELECT i, 'v' || i, i, '{\"b\": 1, \"a\": [1.50]}', "
                "'7b6b5e6e-9b6b-4e6e-8b6b-5e6e9b6b4e6e', 'ok', '{x,NULL}', '2024-01-01 00:00Z', "
                "'1 mon 2 days 03:04:05', '\\x00ff' FROM generate_series(1, 5) AS g (i)"
            )
            yield connection
            connection.execute("ROLLBACK")
    finally:
        with server.connect() as admin:
            admin.execute("DROP SCHEMA parts CASCADE")


def ids(connection: psycopg.Connection, table: str) -> list[int]:
    rows = connection.execute(f"SELECT id FROM {table} ORDER BY 1".encode()).fetchall()
    return [row[0] for row in rows]


def test_rows_move_as_they_are(one: psycopg.Connection) -> None:
    before = one.execute("SELECT * FROM a WHERE id <= 2 ORDER BY 1").fetchall()
    assert one.execute(MOVE).statusmessage == "INSERT 0 2"
    assert one.execute("SELECT * FROM b ORDER BY 1").fetchall() == before
    assert ids(one, "a") == [3, 4, 5]


def test_more_rows_than_wait_in_memory(one: psycopg.Connection) -> None:
    one.execute(
        "CREATE TABLE many AS SELECT i AS id, repeat('x', 100) AS v FROM range(300000) r (i)"
    )
    one.execute("CREATE TABLE moved (id BIGINT, v TEXT)")
    moved = one.execute(
        "WITH m AS (DELETE FROM many WHERE id >= 1 RETURNING *) INSERT INTO moved SELECT * FROM m"
    )
    assert moved.statusmessage == "INSERT 0 299999"
    assert one.execute("SELECT sum(id), count(DISTINCT v) FROM moved").fetchone() == (
        Decimal(299999 * 300000 // 2),
        1,
    )


def test_all_or_nothing(one: psycopg.Connection) -> None:
    with pytest.raises(errors.DivisionByZero):
        one.execute(
            "WITH d AS (DELETE FROM a RETURNING id) INSERT INTO b (id) SELECT id / 0 FROM d"
        )
    assert ids(one, "a") == [1, 2, 3, 4, 5]
    with pytest.raises(errors.UniqueViolation):
        one.execute("WITH d AS (DELETE FROM b), i AS (INSERT INTO a (id) VALUES (1)) SELECT 1")
    assert one.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_in_a_transaction(one: psycopg.Connection) -> None:
    with pytest.raises(errors.InFailedSqlTransaction), one.transaction():
        one.execute(MOVE)
        assert ids(one, "b") == [1, 2]
        with pytest.raises(errors.DivisionByZero):
            one.execute("WITH u AS (UPDATE a SET n = 1 / 0 RETURNING n) SELECT * FROM u")
        assert one.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        one.execute("SELECT 1")
    assert ids(one, "b") == []
    with one.transaction():
        one.execute(MOVE)
        one.execute(MOVE.replace("<= 2", "<= 4"))
    assert ids(one, "b") == [1, 2, 3, 4]


def test_a_savepoint_is_not_gone_back_to_by_repeating_it(one: psycopg.Connection) -> None:
    with one.transaction():
        one.execute(MOVE)
        one.execute("SAVEPOINT s")
        one.execute("INSERT INTO b (id) VALUES (9)")
        with pytest.raises(errors.FeatureNotSupported):
            one.execute("ROLLBACK TO s")
        one.execute("ROLLBACK")


def test_values_of_parameters_in_any_part(one: psycopg.Connection) -> None:
    sql = """
        WITH picked AS (SELECT id FROM a WHERE v = %(v)s),
        u AS (UPDATE a SET n = n + %(n)s, j = %(j)s FROM picked WHERE a.id = picked.id RETURNING a.id, n, j),
        i AS (INSERT INTO b (id, v) SELECT id, %(v)s FROM u RETURNING v)
        SELECT u.id, u.n, u.j, i.v, %(n)s::numeric FROM u, i
    """
    for time in range(1, 9):  # also once psycopg has prepared it
        row = one.execute(sql, {"v": "v3", "n": Decimal("0.5"), "j": '{"z": 1}'}).fetchone()
        assert row == (3, 3 + time * Decimal("0.5"), {"z": 1}, "v3", Decimal("0.5"))
    with one.cursor(binary=True) as cursor:
        cursor.execute(sql, {"v": "v4", "n": 1, "j": None})
        assert cursor.fetchone() == (4, Decimal(5), None, "v4", Decimal(1))


def test_a_row_that_is_there_or_made(one: psycopg.Connection) -> None:
    sql = """
        WITH made AS (INSERT INTO a (id, v) VALUES (%s, 'made') ON CONFLICT DO NOTHING RETURNING id, v)
        SELECT id, v FROM made UNION ALL SELECT id, v FROM a WHERE id = %s
    """
    assert one.execute(sql, [5, 5]).fetchall() == [(5, "v5")]
    assert one.execute(sql, [6, 6]).fetchall() == [(6, "made")]
    assert one.execute(sql, [6, 6]).fetchall() == [(6, "made")]


def test_views_and_temporary_views_are_as_before(one: psycopg.Connection) -> None:
    one.execute("CREATE VIEW over_a AS SELECT id, n FROM a")
    one.execute("CREATE VIEW above AS SELECT sum(n) AS n FROM over_a")
    one.execute("CREATE TEMP VIEW passing AS SELECT max(n) AS n FROM a")
    found = one.execute(
        "WITH u AS (UPDATE a SET n = 100), d AS (DELETE FROM b) "
        "SELECT above.n, passing.n FROM above, passing"
    ).fetchone()
    assert found == (15, 5)
    assert one.execute("SELECT n FROM above").fetchone() == (500,)


def test_asyncpg(server: Any, one: psycopg.Connection) -> None:
    async def run() -> None:
        settings = {"hatidata.dialect": "postgres", "search_path": "parts"}
        there = await asyncpg.connect(server.url, server_settings=settings)
        try:
            statement = await there.prepare(
                "WITH m AS (DELETE FROM a WHERE id = $1 AND v = $2 RETURNING *) "
                "INSERT INTO b SELECT * FROM m RETURNING id, n, m, l"
            )
            assert [kind.name for kind in statement.get_parameters()] == ["int4", "text"]
            assert [column.name for column in statement.get_attributes()] == ["id", "n", "m", "l"]
            assert [tuple(row) for row in await statement.fetch(1, "v1")] == [
                (1, Decimal(1), "ok", ["x", None])
            ]
            assert await statement.fetch(1, "v1") == []
            said = await there.execute(
                "WITH d AS (DELETE FROM a RETURNING id) INSERT INTO b (id) SELECT id FROM d"
            )
            assert said == "INSERT 0 4"
            async with there.transaction():
                cursor = await there.cursor(
                    "WITH u AS (UPDATE b SET n = $1 RETURNING id) SELECT id FROM u ORDER BY id", 7
                )
                assert [row["id"] for row in await cursor.fetch(2)] == [1, 2]
                assert [row["id"] for row in await cursor.fetch(9)] == [3, 4, 5]
        finally:
            await there.close()

    asyncio.run(run())


def test_prepared_by_name(one: psycopg.Connection) -> None:
    one.execute(
        "PREPARE p (INT) AS WITH u AS (UPDATE a SET n = $1 RETURNING n) SELECT sum(n) FROM u"
    )
    assert one.execute("EXECUTE p (2)").fetchone() == (10,)
    assert one.execute("EXECUTE p (3)").fetchone() == (15,)


def test_work_is_taken_once(server: Any, one: psycopg.Connection) -> None:
    one.execute("CREATE TABLE jobs (id INT, taken TEXT)")
    one.execute("INSERT INTO jobs SELECT i, NULL FROM generate_series(1, 40) AS g (i)")
    take = """
        WITH next AS (SELECT id FROM jobs WHERE taken IS NULL ORDER BY id LIMIT 1 FOR UPDATE)
        UPDATE jobs SET taken = %s FROM next WHERE jobs.id = next.id RETURNING jobs.id
    """

    def work(name: str) -> list[int]:
        with server.connect(options=POSTGRES) as worker:
            return [worker.execute(take, [name]).fetchone()[0] for _ in range(10)]

    with ThreadPoolExecutor(4) as pool:
        taken = [number for some in pool.map(work, "abcd") for number in some]
    assert sorted(taken) == list(range(1, 41))


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("WITH u AS (UPDATE a SET n = 1 RETURNING id) DELETE FROM a USING u WHERE a.id = u.id",
         'DELETE of "a", which another part of WITH changes, is not supported on analytical tables'),
        ("WITH u AS (UPDATE a SET n = 1 WHERE id < 3), d AS (DELETE FROM a WHERE id = 2) SELECT 1",
         "changing a row in two parts of one WITH is not supported"),
        ("WITH i AS (INSERT INTO a (id) VALUES (9)) INSERT INTO a (id) VALUES (9) "
         "ON CONFLICT (id) DO UPDATE SET n = 1",
         'INSERT of "a", which another part of WITH changes, is not supported on analytical tables'),
        ("EXPLAIN WITH u AS (UPDATE a SET n = 1 RETURNING id) SELECT * FROM u",
         "EXPLAIN of WITH that changes analytical tables is not supported"),
        ("COPY (WITH u AS (UPDATE a SET n = 1 RETURNING id) SELECT * FROM u) TO STDOUT",
         "COPY of WITH that changes data is not supported on analytical tables"),
        ("WITH u AS (UPDATE a SET n = 1 RETURNING id) SELECT * FROM u, hd_runtime.tasks",
         "WITH that changes analytical tables, over relations of the control plane, is not supported"),
    ],
)  # fmt: skip
def test_what_is_refused(one: psycopg.Connection, sql: str, message: str) -> None:
    with pytest.raises(errors.FeatureNotSupported) as caught:
        one.execute(sql.encode())
    assert caught.value.diag.message_primary == message
    assert one.execute("SELECT sum(n), count(*) FROM a").fetchone() == (15, 5)


def test_places_in_errors_are_those_of_the_text(one: psycopg.Connection) -> None:
    sql = (
        "SELECT 1; WITH u AS (UPDATE a SET n = 1 RETURNING id, v), x AS (SELECT 1) SELECT {} FROM u"
    )
    for bad in ("nope", "u.nope", "nope(1)"):
        with pytest.raises(psycopg.Error) as caught:
            one.execute(sql.format(bad).encode())
        place = sql.format(bad).index(bad) + 1
        assert caught.value.diag.statement_position == str(place)


def test_snowflake_has_none(one: psycopg.Connection) -> None:
    one.execute("SET hatidata.dialect = snowflake")
    with pytest.raises(psycopg.Error) as caught:
        one.execute(MOVE)
    assert caught.value.sqlstate in ("42601", "0A000")


def test_what_a_function_reads_is_not_known(one: psycopg.Connection) -> None:
    one.execute("SET hatidata.dialect = 'snowflake'")
    one.execute("CREATE FUNCTION left_in_a() RETURNS INT AS 'SELECT count(*) FROM parts.a'")
    one.execute("SET hatidata.dialect = 'postgres'")
    removes = "WITH d AS (DELETE FROM a WHERE id = 1 RETURNING id) SELECT {} FROM d"
    with pytest.raises(errors.FeatureNotSupported, match=r"left_in_a\(\)"):
        one.execute(removes.format("left_in_a()").encode())
    assert one.execute(removes.format("id, upper('x')").encode()).fetchall() == [(1, "X")]
    assert one.execute("SELECT left_in_a()").fetchall() == [(4,)]
