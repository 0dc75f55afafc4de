"""Changes of one row by several sessions: they wait for each other, as in Postgres."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.conftest import Running, waits

ADD = "UPDATE counters SET n = n + 1 WHERE id = 1"


@pytest.fixture(params=["snowflake", "postgres"])
def dialect(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def sessions(server: Running, schema: str, dialect: str) -> Iterator[list[psycopg.Connection]]:
    options = f"-c hatidata.dialect={dialect} -c search_path={schema}"
    made = [server.connect(options=options) for _ in range(4)]
    made[0].execute("CREATE TABLE counters (id INT PRIMARY KEY, n INT)")
    made[0].execute("INSERT INTO counters VALUES (1, 0), (2, 0)")
    yield made
    for session in made:
        session.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as made:
        yield made


def rows(session: psycopg.Connection) -> list[tuple[Any, ...]]:
    return session.execute("SELECT * FROM counters ORDER BY id").fetchall()


def test_all_who_count_are_counted(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    def count(session: psycopg.Connection) -> None:
        for each in range(25):
            if each % 2:
                session.execute(ADD)
            else:
                session.execute("UPDATE counters SET n = n + %s WHERE id = %s RETURNING n", (1, 1))

    list(threads.map(count, sessions))
    assert rows(sessions[0]) == [(1, 100), (2, 0)]


@pytest.mark.parametrize("dialect", ["postgres"])
def test_all_who_count_by_upserts_and_merges_are_counted(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    upsert = "INSERT INTO counters VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET n = counters.n + 1"
    merge = (
        "MERGE INTO counters USING (SELECT 1 AS i) AS s ON counters.id = s.i"
        " WHEN MATCHED THEN UPDATE SET n = counters.n + 1"
    )

    def count(session: psycopg.Connection) -> None:
        for _ in range(8):
            for sql in (upsert, merge, f"{upsert} RETURNING n"):
                session.execute(sql.encode())

    list(threads.map(count, sessions))
    assert rows(sessions[0]) == [(1, 96), (2, 0)]


@pytest.mark.parametrize("dialect", ["postgres"])
@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize(
    "does",
    ["NOTHING", "UPDATE SET n = counters.n + 1", "UPDATE SET n = counters.n + 1 RETURNING n"],
)
def test_upserts_of_a_new_key_do_not_fail(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor, does: str, block: bool
) -> None:
    """DuckDB looks at others' keys when it commits."""
    sql = f"INSERT INTO counters VALUES (%s, 1) ON CONFLICT (id) DO {does}".encode()
    together = threading.Barrier(len(sessions))

    def add(session: psycopg.Connection) -> int:
        changed = 0
        for key in range(10, 30):
            together.wait()
            with session.transaction() if block else nullcontext():
                changed += session.execute(sql, [key]).rowcount
        return changed

    changed = list(threads.map(add, sessions))
    added = dict(rows(sessions[0])[2:])
    assert sorted(added) == list(range(10, 30))
    assert sum(added.values()) == sum(changed) == (20 if does == "NOTHING" else 80)


@pytest.mark.parametrize(("end", "left"), [("COMMIT", 11), ("ROLLBACK", 1)])
@pytest.mark.parametrize("parameters", [None, (1,)])
def test_it_waits_for_a_transaction_to_end(
    sessions: list[psycopg.Connection],
    threads: ThreadPoolExecutor,
    end: str,
    left: int,
    parameters: tuple[int, ...] | None,
) -> None:
    first, second, third, _ = sessions
    first.execute("BEGIN")
    first.execute("UPDATE counters SET n = n + 10 WHERE id = 1")
    sql = ADD.replace("id = 1", "id = %s") if parameters else ADD
    future = threads.submit(second.execute, sql.encode(), parameters)
    assert waits(future)
    third.execute("UPDATE counters SET n = 5 WHERE id = 2")  # another row
    first.execute(end.encode())
    assert future.result().rowcount == 1
    assert rows(third) == [(1, left), (2, 5)]


def waits_until_it_is_cancelled(session: psycopg.Connection, threads: ThreadPoolExecutor) -> None:
    future = threads.submit(session.execute, ADD)
    assert waits(future)
    session.cancel()
    with pytest.raises(errors.QueryCanceled):
        future.result()


def test_waiting_has_an_end(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    first, second, *_ = sessions
    first.execute("BEGIN")
    first.execute(ADD)
    second.execute("SET lock_timeout = '100ms'")
    with pytest.raises(errors.LockNotAvailable):
        second.execute(ADD)
    second.execute("SET lock_timeout = 0")
    second.execute("SET statement_timeout = '100ms'")
    with pytest.raises(errors.QueryCanceled):
        second.execute(ADD)
    second.execute("SET statement_timeout = 0")
    waits_until_it_is_cancelled(second, threads)
    first.execute("COMMIT")
    second.execute(ADD)
    assert rows(second) == [(1, 2), (2, 0)]


def test_the_first_change_of_a_transaction_waits(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    """Each statement of READ COMMITTED sees what is there when it comes."""
    first, second, *_ = sessions
    first.execute("BEGIN")
    first.execute(ADD)
    second.execute("BEGIN")
    assert rows(second) == [(1, 0), (2, 0)]
    second.execute("SAVEPOINT s")
    future = threads.submit(second.execute, ADD)
    assert waits(future)
    first.execute("COMMIT")
    assert future.result().rowcount == 1
    assert rows(second) == [(1, 2), (2, 0)]
    second.execute("ROLLBACK TO s")
    assert rows(second) == [(1, 1), (2, 0)]
    second.execute("COMMIT")


@pytest.mark.parametrize("dialect", ["postgres"])
@pytest.mark.parametrize(
    ("begin", "before"),
    [
        ("BEGIN", "UPDATE counters SET n = 5 WHERE id = 2"),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1"),
        ("BEGIN", "SELECT * FROM counters WHERE id = 2 FOR UPDATE"),
    ],
)
def test_a_later_one_fails(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor, begin: str, before: str
) -> None:
    """Others may wait for it, or it has said that it wants to see no others' changes.

    Of a table whose rows were locked it waits before it fails.
    """
    first, second, *_ = sessions
    first.execute("BEGIN")
    first.execute(ADD)
    second.execute(begin.encode())
    second.execute(before.encode())
    future = threads.submit(second.execute, ADD)
    wait([future], 0.1)
    first.execute("COMMIT")
    with pytest.raises(errors.SerializationFailure):
        future.result()
    with pytest.raises(errors.InFailedSqlTransaction):
        second.execute("SELECT 1")
    second.execute("ROLLBACK")
    assert rows(second) == [(1, 1), (2, 0)]


def test_waiting_in_a_transaction_ends_with_it(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    first, second, *_ = sessions
    first.execute("BEGIN")
    first.execute(ADD)
    second.execute("BEGIN")
    waits_until_it_is_cancelled(second, threads)
    with pytest.raises(errors.InFailedSqlTransaction):
        second.execute("SELECT 1")
    second.execute("ROLLBACK")
    first.execute("COMMIT")
    assert rows(second) == [(1, 1), (2, 0)]


@pytest.mark.parametrize("kinds", [(ADD, f"{ADD} RETURNING n"), (f"{ADD} RETURNING n", ADD)])
def test_no_change_is_lost_between_transactions(
    sessions: list[psycopg.Connection], kinds: tuple[str, str]
) -> None:
    """DuckDB adds rows anew for RETURNING, and would not see what another changes in its place.

    `tests/engines/test_row_changes.py` has all kinds of statements.
    """
    first, second, third, _ = sessions
    first.execute("BEGIN")
    second.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert rows(second) == [(1, 0), (2, 0)]
    first.execute(kinds[0].encode())
    first.execute("COMMIT")
    with pytest.raises(errors.SerializationFailure):
        second.execute(kinds[1].encode())
    second.execute("ROLLBACK")
    third.execute(kinds[1].encode())
    assert rows(third) == [(1, 2), (2, 0)]


@pytest.mark.parametrize("dialect", ["postgres"])
@pytest.mark.parametrize("begin", ["SELECT 1", "BEGIN"])
@pytest.mark.parametrize(("end", "sqlstate"), [("COMMIT", "23505"), ("ROLLBACK", None)])
@pytest.mark.parametrize("key", [7, None, "seven"])
def test_who_inserts_a_key_waits_for_who_has(
    sessions: list[psycopg.Connection],
    threads: ThreadPoolExecutor,
    begin: str,
    end: str,
    sqlstate: str | None,
    key: int | str | None,
) -> None:
    first, second, *_ = sessions
    first.execute("CREATE TABLE named (id INT PRIMARY KEY, name TEXT UNIQUE)")
    first.execute("BEGIN")
    first.execute("INSERT INTO named VALUES (7, 'seven')")
    second.execute(begin.encode())
    if key is None:
        insert = partial(second.execute, "INSERT INTO named (name, id) VALUES ('7', 7)")
    elif key == 7:
        insert = partial(second.execute, "INSERT INTO named VALUES (%s, NULL)", [key])
    else:
        insert = partial(second.execute, "INSERT INTO named (name, id) VALUES (%s, 9)", [key])
    future = threads.submit(insert)
    assert waits(future)
    first.execute(end.encode())
    if sqlstate is None:
        assert future.result().rowcount == 1
    else:
        with pytest.raises(errors.UniqueViolation):
            future.result()
    if begin == "BEGIN":
        second.execute("COMMIT")
    assert first.execute("SELECT count(*) FROM named").fetchone() == (1,)


@pytest.mark.parametrize("dialect", ["postgres"])
def test_who_has_written_is_told_at_once(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    """Its transaction could not be committed."""
    first, second, *_ = sessions
    second.execute("BEGIN")
    second.execute("INSERT INTO counters VALUES (3, 0)")
    first.execute("BEGIN")
    first.execute("INSERT INTO counters VALUES (7, 0)")
    upsert = "INSERT INTO counters VALUES (7, 0) ON CONFLICT (id) DO UPDATE SET n = 1"
    future = threads.submit(second.execute, upsert)
    assert waits(future)
    with pytest.raises(errors.DeadlockDetected):
        first.execute("INSERT INTO counters VALUES (3, 0)")
    first.execute("ROLLBACK")
    assert future.result().rowcount == 1
    first.execute("BEGIN")
    first.execute("INSERT INTO counters VALUES (8, 0)")
    future = threads.submit(second.execute, upsert.replace("7", "8"))
    assert waits(future)
    first.execute("COMMIT")
    with pytest.raises(errors.SerializationFailure):
        future.result()
    second.execute("ROLLBACK")
    assert rows(second) == [(1, 0), (2, 0), (8, 0)]


@pytest.mark.parametrize("dialect", ["postgres"])
def test_who_makes_an_index_waits_for_who_changes_rows_or_reads_what_was(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    first, second, third, _ = sessions
    index = "CREATE INDEX of_n ON counters (n)"
    for begun in (ADD, "SELECT count(*) FROM counters"):
        first.execute("BEGIN")
        first.execute(begun.encode())
        second.execute("DELETE FROM counters WHERE id = 2")
        future = threads.submit(third.execute, index)
        assert waits(future)
        first.execute("COMMIT")
        future.result()
        second.execute("DROP INDEX of_n")
        second.execute("INSERT INTO counters VALUES (2, 0)")
    assert rows(third) == [(1, 1), (2, 0)]


def test_a_checkpoint_waits_for_who_writes_or_reads_what_was(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    first, second, third, _ = sessions
    for begun in (ADD, "SELECT count(*) FROM counters"):
        first.execute("BEGIN")
        first.execute(begun.encode())
        second.execute("CREATE TABLE others (n INT)")
        second.execute("DROP TABLE others")
        future = threads.submit(third.execute, "CHECKPOINT")
        assert waits(future)
        first.execute("COMMIT")
        assert future.result().statusmessage == "CHECKPOINT"
    first.execute("BEGIN")
    first.execute(ADD)
    with pytest.raises(errors.ObjectInUse):
        third.execute("CHECKPOINT")
    first.execute("COMMIT")


@pytest.mark.parametrize("dialect", ["postgres"])
def test_a_result_that_is_still_read_is_such_a_reader(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    first, second, third, _ = sessions
    read = first.cursor().stream("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
    next(read)
    second.execute("DELETE FROM counters WHERE id = 2")
    with pytest.raises(errors.SerializationFailure):
        third.execute("CREATE INDEX of_n ON counters (n)")
    second.execute("DELETE FROM counters WHERE id = 1")
    assert len(list(read)) == 99_999
    third.execute("CREATE INDEX of_n ON counters (n)")


@pytest.mark.parametrize("dialect", ["postgres"])
def test_who_changes_rows_waits_for_who_makes_an_index(
    sessions: list[psycopg.Connection], threads: ThreadPoolExecutor
) -> None:
    first, second, *_ = sessions
    first.execute("BEGIN")
    first.execute("CREATE INDEX of_n ON counters (n)")
    future = threads.submit(second.execute, ADD)
    assert waits(future)
    first.execute("COMMIT")
    assert future.result().rowcount == 1
    assert rows(first) == [(1, 1), (2, 0)]
