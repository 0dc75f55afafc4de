"""SERIALIZABLE: what is committed is what the transactions would have left one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import IsolationLevel, errors

from tests.conftest import Running

Two = tuple[psycopg.Connection, psycopg.Connection]
SUM = "SELECT sum(n) FROM accounts"


@pytest.fixture(params=["snowflake", "postgres"])
def two(server: Running, schema: str, request: pytest.FixtureRequest) -> Iterator[Two]:
    options = f"-c hatidata.dialect={request.param} -c search_path={schema}"
    with (
        server.connect(options=options, autocommit=False) as one,
        server.connect(options=options, autocommit=False) as other,
    ):
        one.execute("CREATE TABLE accounts (id INT PRIMARY KEY, n INT)")
        one.execute("INSERT INTO accounts VALUES (1, 50), (2, 50)")
        one.execute("CREATE TABLE marks (n INT)")
        one.commit()
        yield one, other


def serial(two: Two) -> Two:
    for each in two:
        each.isolation_level = IsolationLevel.SERIALIZABLE
    return two


def rows(connection: psycopg.Connection) -> list[tuple[int, int]]:
    found = connection.execute("SELECT id, n FROM accounts ORDER BY id").fetchall()
    connection.commit()
    return found


def test_each_takes_from_another_row_as_long_as_there_is_enough(two: Two) -> None:
    one, other = serial(two)
    for number, each in enumerate(two, start=1):
        assert each.execute(SUM).fetchone() == (100,)
        each.execute("UPDATE accounts SET n = n - 80 WHERE id = %s", [number])
    one.commit()
    with pytest.raises(errors.SerializationFailure, match="read/write dependencies"):
        other.commit()
    assert other.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert rows(other) == [(1, -30), (2, 50)]
    # ... and again, it sees that there is not.
    assert other.execute(SUM).fetchone() == (20,)
    other.execute("UPDATE accounts SET n = n + 1 WHERE id = 2")
    other.commit()
    assert rows(one) == [(1, -30), (2, 51)]


def test_rows_that_come_are_seen_too(two: Two) -> None:
    one, other = serial(two)
    for each in two:
        assert each.execute("SELECT count(*) FROM marks").fetchone() == (0,)
        each.execute("INSERT INTO marks SELECT count(*) FROM marks")
    other.commit()
    with pytest.raises(errors.SerializationFailure):
        one.commit()
    assert one.execute("SELECT * FROM marks").fetchall() == [(0,)]


def test_who_only_reads_is_not_held_up(two: Two) -> None:
    one, other = serial(two)
    assert one.execute(SUM).fetchone() == (100,)
    other.execute("UPDATE accounts SET n = 0")
    other.commit()
    assert one.execute(SUM).fetchone() == (100,)
    one.commit()
    assert one.execute(SUM).fetchone() == (0,)


def test_what_was_rolled_back_counts_not(two: Two) -> None:
    one, other = serial(two)
    one.execute(SUM)
    one.execute("UPDATE accounts SET n = 1 WHERE id = 1")
    other.execute("UPDATE accounts SET n = 1 WHERE id = 2")
    other.rollback()
    one.commit()
    assert rows(one) == [(1, 1), (2, 50)]


def test_weaker_transactions_go_beside(two: Two) -> None:
    one, other = two
    one.isolation_level = IsolationLevel.SERIALIZABLE
    for number, each in enumerate(two, start=1):
        each.execute(SUM)
        each.execute("UPDATE accounts SET n = 0 WHERE id = %s", [number])
    other.commit()
    one.commit()
    assert rows(one) == [(1, 0), (2, 0)]


def test_single_statements_and_both_engines(two: Two) -> None:
    """Nothing is committed on Postgres where DuckDB's part is not."""
    one, other = serial(two)
    one.execute(SUM)
    one.execute("UPDATE accounts SET n = 1 WHERE id = 1")
    made = one.execute(
        "SELECT task_id FROM hd_runtime.create_task(hd_runtime.default_project(), 'builder', 'code')"
    ).fetchone()
    assert made is not None
    other.autocommit = True
    other.execute("SET default_transaction_isolation = serializable")
    other.execute("UPDATE accounts SET n = 2 WHERE id = 2")
    with pytest.raises(errors.SerializationFailure) as told:
        one.commit()
    assert "was committed, the analytical part was not" not in (
        told.value.diag.message_detail or ""
    )
    assert rows(one) == [(1, 50), (2, 2)]
    assert one.execute("SELECT * FROM hd_runtime.tasks WHERE id = %s", made).fetchall() == []


@pytest.mark.parametrize("parameters", [None, (0,)])
def test_read_committed_sees_what_was_committed(
    two: Two, parameters: tuple[int, ...] | None
) -> None:
    """Drivers open a transaction for the first query, and many a reader never ends it."""
    one, other = two
    total = (
        "SELECT sum(n) FROM accounts WHERE n >= 0" if parameters is None else f"{SUM} WHERE n >= %s"
    )
    for expected in (100, 70, 40):
        for _ in range(4):  # also once psycopg has prepared it
            assert one.execute(total.encode(), parameters).fetchone() == (expected,)
        other.execute("UPDATE accounts SET n = n - 15")
        other.commit()
    one.execute("SAVEPOINT s")
    other.execute("ALTER TABLE accounts ADD COLUMN m INT")
    other.commit()
    assert one.execute("SELECT m FROM accounts").fetchall() == [(None,), (None,)]


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
def test_stronger_transactions_see_what_was_there(two: Two, level: IsolationLevel) -> None:
    one, other = two
    one.isolation_level = level
    assert one.execute(SUM).fetchone() == (100,)
    other.execute("UPDATE accounts SET n = 0")
    other.commit()
    assert one.execute(SUM).fetchone() == (100,)


def test_a_cursor_and_what_was_written_stay(two: Two) -> None:
    one, other = two
    with one.cursor("c") as cursor:
        cursor.execute("SELECT n FROM accounts, range(100000) ORDER BY 1")
        assert cursor.fetchone() == (50,)
        other.execute("UPDATE accounts SET n = 0")
        other.commit()
        assert one.execute(SUM).fetchone() == (0,)
        assert cursor.fetchmany(3) == [(50,)] * 3
    one.execute("CREATE TEMPORARY TABLE mine AS SELECT 7 AS n")
    other.execute("UPDATE accounts SET n = 1")
    other.commit()
    assert one.execute("SELECT n FROM mine").fetchone() == (7,)
    assert one.execute(SUM).fetchone() == (0,)
    one.commit()
    assert one.execute(SUM).fetchone() == (2,)


def test_what_stands_aside_in_a_block_stays(two: Two) -> None:
    """A RESULT_SCAN gives what was given, and goes on giving it."""
    one, other = two
    one.execute("SET hatidata.dialect = snowflake")
    assert one.execute(SUM).fetchone() == (100,)
    scan = "SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))"
    assert one.execute(scan).fetchone() == (100,)
    other.execute("UPDATE accounts SET n = 0")
    other.commit()
    assert one.execute(scan).fetchone() == (100,)
    assert one.execute(SUM).fetchone() == (100,)
    one.commit()
    assert one.execute(SUM).fetchone() == (0,)
