"""Savepoints on analytical tables: no row is kept or lost, whatever comes between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def table(connection: Any) -> str:
    connection.execute("DROP TABLE IF EXISTS saved")
    connection.execute("CREATE TABLE saved (n int PRIMARY KEY, at timestamp)")
    return "saved"


def _rows(connection: Any) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM saved ORDER BY n").fetchall()]


def test_nested_blocks_of_psycopg(connection: Any, table: str) -> None:
    with connection.transaction():
        connection.execute("INSERT INTO saved (n) VALUES (1)")
        with pytest.raises(errors.UniqueViolation), connection.transaction():
            connection.execute("INSERT INTO saved (n) VALUES (1)")
        with connection.transaction():
            connection.execute("INSERT INTO saved (n) VALUES (%s)", [2])
        with connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO saved (n) VALUES (3)")
        connection.execute("INSERT INTO saved (n) VALUES (4)")
    assert _rows(connection) == [1, 2, 4]


def test_what_is_undone_and_repeated_on_both_engines(connection: Any, table: str) -> None:
    def tasks() -> int:
        return connection.execute(
            "SELECT count(*) FROM hd_runtime.tasks WHERE work_item_key LIKE 'saved-%'"
        ).fetchone()[0]

    create = "SELECT * FROM create_task(default_project(), 'builder', 'code', NULL, NULL, %s)"
    before = tasks()
    with connection.transaction(force_rollback=True):
        connection.execute(create, ["saved-1"])
        connection.execute("INSERT INTO saved (n) VALUES (1)")
        connection.execute("SAVEPOINT s")
        connection.execute("INSERT INTO saved (n) VALUES (2)")
        connection.execute(create, ["saved-2"])
        with pytest.raises(errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        connection.execute("ROLLBACK TO s")
        assert _rows(connection) == [1]
        assert tasks() == before + 1


@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO saved VALUES (1, now()) ON CONFLICT (n) DO UPDATE SET at = now()",
        "DELETE FROM saved WHERE random() > 2",
    ],
)
def test_what_would_come_out_differently_is_refused(
    connection: Any, table: str, write: str
) -> None:
    connection.execute("BEGIN")
    connection.execute(write)
    connection.execute("SAVEPOINT s")
    with pytest.raises(errors.DivisionByZero):
        connection.execute("SELECT 1 / 0")
    with pytest.raises(errors.FeatureNotSupported, match="cannot roll back to the savepoint"):
        connection.execute("ROLLBACK TO s")
    with pytest.raises(errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    assert connection.execute("COMMIT").statusmessage == "ROLLBACK"
    assert _rows(connection) == []


@pytest.fixture
def stamped(connection: Any) -> Iterator[None]:
    connection.execute("CREATE SEQUENCE stamps")
    connection.execute(
        "CREATE TABLE stamped (id int PRIMARY KEY DEFAULT nextval('stamps'), n int,"
        " at timestamp DEFAULT current_timestamp, by uuid DEFAULT gen_random_uuid())"
    )
    yield
    connection.execute("ROLLBACK")
    connection.execute("DROP TABLE stamped")
    connection.execute("DROP SEQUENCE stamps")


def test_rows_stay_what_their_defaults_gave(connection: Any, stamped: None) -> None:
    connection.execute("BEGIN")
    told = connection.execute("INSERT INTO stamped (n) VALUES (1), (2) RETURNING *").fetchall()
    connection.execute("SAVEPOINT s")
    connection.execute("INSERT INTO stamped (n) VALUES (3)")
    connection.execute("ROLLBACK TO s")
    told += connection.execute("INSERT INTO stamped (n) VALUES (4) RETURNING *").fetchall()
    connection.execute("SAVEPOINT t")
    with pytest.raises(errors.UniqueViolation):
        connection.execute("INSERT INTO stamped (id) VALUES (1)")
    connection.execute("ROLLBACK TO t")
    connection.execute("ROLLBACK TO s")
    connection.execute("COMMIT")
    assert connection.execute("SELECT * FROM stamped ORDER BY id").fetchall() == told[:2]


@pytest.mark.parametrize(
    "write",
    ["INSERT INTO saved VALUES (1, now())", "INSERT INTO saved SELECT random() % 1000, NULL"],
)
def test_rows_stay_what_they_were_computed_as(connection: Any, table: str, write: str) -> None:
    connection.execute("BEGIN")
    told = connection.execute(f"{write} RETURNING n, at").fetchall()
    connection.execute("SAVEPOINT s")
    with pytest.raises(errors.DivisionByZero):
        connection.execute("SELECT 1 / 0")
    connection.execute("ROLLBACK TO s")
    connection.execute("COMMIT")
    assert connection.execute("SELECT * FROM saved").fetchall() == told


def test_rows_that_were_changed_since_are_not_repeated(connection: Any, stamped: None) -> None:
    connection.execute("BEGIN")
    connection.execute("INSERT INTO stamped (n) VALUES (1)")
    connection.execute("UPDATE stamped SET n = n + 1")
    connection.execute("SAVEPOINT s")
    connection.execute("INSERT INTO stamped (n) VALUES (2)")
    with pytest.raises(errors.FeatureNotSupported, match="DEFAULT"):
        connection.execute("ROLLBACK TO s")


def test_copied_rows_are_not_repeated(connection: Any, table: str) -> None:
    connection.execute("BEGIN")
    with connection.cursor().copy("COPY saved (n) FROM STDIN") as copy:
        copy.write("1\n2\n")
    connection.execute("SAVEPOINT s")
    connection.execute("INSERT INTO saved (n) VALUES (3)")
    with pytest.raises(errors.FeatureNotSupported, match="COPY"):
        connection.execute("ROLLBACK TO s")
    connection.execute("ROLLBACK")
    assert _rows(connection) == []


def test_a_change_by_another_session_fails_the_transaction(
    server: Any, connection: Any, table: str
) -> None:
    connection.execute("INSERT INTO saved (n) VALUES (1), (2)")
    connection.execute("BEGIN")
    assert connection.execute("DELETE FROM saved WHERE n < 10").rowcount == 2
    connection.execute("SAVEPOINT s")
    with pytest.raises(errors.DivisionByZero):
        connection.execute("SELECT 1 / 0")
    with server.connect() as other:
        other.execute("INSERT INTO saved (n) VALUES (3)")
    with pytest.raises(errors.SerializationFailure):
        connection.execute("ROLLBACK TO s")
    connection.execute("ROLLBACK")
    assert _rows(connection) == [1, 2, 3]


def test_a_block_that_began_in_a_pipeline_keeps_what_came_before_it(
    connection: Any, table: str
) -> None:
    with connection.pipeline():
        connection.execute("INSERT INTO saved (n) VALUES (1)")
        connection.execute("BEGIN")
        connection.execute("SAVEPOINT s")
        connection.execute("INSERT INTO saved (n) VALUES (2)")
        connection.execute("ROLLBACK TO s")
    connection.execute("COMMIT")
    assert _rows(connection) == [1]


def test_rows_that_are_returned_count_as_written(connection: Any, table: str) -> None:
    pg = connection.pgconn
    connection.execute("BEGIN")
    connection.execute("SAVEPOINT s")
    query = b"DECLARE c CURSOR FOR INSERT INTO saved (n) VALUES (1), (2), (3) RETURNING n"
    assert pg.exec_(query).error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"42601"
    connection.execute("ROLLBACK TO s")
    connection.execute("INSERT INTO saved (n) VALUES (1), (2), (3) RETURNING n")
    connection.execute("ROLLBACK TO s")
    connection.execute("COMMIT")
    assert _rows(connection) == []
