"""A cancel may come at any moment: the client is told the truth, and told it in Postgres's words."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import errors

TIMES = 60
STEP = 0.0003  # seconds: with TIMES of them, from before the statement to after its end


@pytest.fixture
def cancelled(connection: psycopg.Connection) -> Iterator[Callable[[int], threading.Timer]]:
    """Sends a cancel a while later; the number says how much."""
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE kept_anyway (id INT, amount NUMERIC(10, 2), at TIMESTAMP(3))")

    def cancel(number: int) -> threading.Timer:
        timer = threading.Timer(number % TIMES * STEP, connection.cancel_safe)
        timer.start()
        return timer

    yield cancel
    connection.execute("DROP TABLE kept_anyway")


def _settled(connection: psycopg.Connection, timer: threading.Timer) -> None:
    """Once no cancel is under way any more; one that came late hits what stands here."""
    timer.join()
    for _ in range(2):
        try:
            connection.execute("ROLLBACK")
        except errors.QueryCanceled:
            continue


def _written(connection: psycopg.Connection, number: int) -> int:
    sql = "SELECT count(*) FROM kept_anyway WHERE id = %s"
    [(rows,)] = connection.execute(sql, [number]).fetchall()
    return int(rows)


WRITE = "INSERT INTO kept_anyway VALUES ({n}, 1.5, now()), ({n}, 2, now())"


@pytest.mark.parametrize("script", [WRITE, f"{WRITE}; SELECT count(*) FROM kept_anyway"])
def test_what_was_said_to_be_cancelled_is_not_there(
    connection: psycopg.Connection, cancelled: Callable[[int], threading.Timer], script: str
) -> None:
    for number in range(TIMES):
        timer = cancelled(number)
        try:
            connection.execute(script.format(n=number).encode())
            done = 2
        except errors.QueryCanceled:
            done = 0
        _settled(connection, timer)
        assert _written(connection, number) == done


def test_a_block_is_committed_or_said_to_be_cancelled(
    connection: psycopg.Connection, cancelled: Callable[[int], threading.Timer]
) -> None:
    for number in range(TIMES):
        timer = cancelled(number)
        try:
            connection.execute("BEGIN")
            connection.execute(WRITE.format(n=number).encode())
            connection.execute("UPDATE kept_anyway SET amount = 3 WHERE id = %s", [number])
            connection.execute("COMMIT")
            done = 2
        except errors.QueryCanceled:
            done = 0
        _settled(connection, timer)
        assert _written(connection, number) == done


@pytest.mark.parametrize(
    ("statement", "after"),
    [
        ("SELECT setval('numbers', {n} * 7 + 1)", "SELECT nextval('numbers')"),
        ("CREATE TABLE numbered (id SERIAL, n INT)", "DROP TABLE IF EXISTS numbered"),
        (
            "ALTER TABLE kept_anyway ADD COLUMN IF NOT EXISTS c{n} INT NOT NULL DEFAULT 1",
            "SELECT 1",
        ),
    ],
)
def test_the_session_goes_on(
    connection: psycopg.Connection,
    cancelled: Callable[[int], threading.Timer],
    statement: str,
    after: str,
) -> None:
    connection.execute("CREATE SEQUENCE IF NOT EXISTS numbers")
    for number in range(TIMES):
        timer = cancelled(number)
        with contextlib.suppress(errors.QueryCanceled):
            connection.execute(statement.format(n=number).encode())
        _settled(connection, timer)
        connection.execute(after.encode())
    connection.execute("DROP SEQUENCE numbers")


ENDLESS = (
    "SELECT count(*) FROM generate_series(1, 100000) a(i), generate_series(1, 100000) b(i)"
    " WHERE a.i + b.i > {n} AND a.i % 7 <> b.i % 11"
)


@pytest.mark.parametrize(
    "statement",
    [ENDLESS, f"CREATE TABLE never AS {ENDLESS}", f"DELETE FROM kept_anyway WHERE ({ENDLESS}) > 0"],
)
def test_a_timeout_that_comes_before_the_engine_has_begun_is_not_forgotten(
    connection: psycopg.Connection, statement: str
) -> None:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE kept_anyway (id INT)")
    last_resort = threading.Timer(60, connection.cancel_safe)
    last_resort.start()
    for number in range(10):
        connection.execute(f"SET statement_timeout = '{1 + number}ms'")
        with pytest.raises(errors.QueryCanceled, match="statement timeout"):
            connection.execute(statement.format(n=number).encode())
    last_resort.cancel()
    connection.execute("RESET statement_timeout")
    connection.execute("DROP TABLE kept_anyway")
