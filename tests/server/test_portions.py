"""Results read in portions: the next one is begun before it is asked for, and nobody can tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

_ROWS = 20_000
_PORTION = 1_000  # large enough to be fetched ahead


@pytest.fixture
def connection(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect(autocommit=False) as connection:
        connection.execute("SET hatidata.dialect = postgres")
        connection.commit()
        yield connection


def _cursor(
    connection: psycopg.Connection, query: str, name: str = "portions", **options: Any
) -> Any:
    cursor = connection.cursor(name, **options)
    cursor.execute(sql.SQL(query))
    return cursor


def _range(columns: str = "i") -> str:
    return f"SELECT {columns} FROM range({_ROWS}) t(i)"


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("sizes", [[_PORTION], [_PORTION, 700, 5_000, 1, _PORTION, _PORTION]])
def test_every_row_comes_once_and_in_order(
    connection: psycopg.Connection, sizes: list[int], binary: bool
) -> None:
    cursor = _cursor(connection, _range(), binary=binary)
    found: list[int] = []
    turn = 0
    while rows := cursor.fetchmany(sizes[turn % len(sizes)]):
        assert len(rows) == min(sizes[turn % len(sizes)], _ROWS - len(found))
        found += [row[0] for row in rows]
        turn += 1
    assert found == list(range(_ROWS))


def test_a_portion_is_written_as_the_settings_are_when_it_is_asked_for(
    connection: psycopg.Connection,
) -> None:
    moments = _range("timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second'")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(sql.SQL("DECLARE moments CURSOR FOR " + moments))
    fetch = f"FETCH {_PORTION} FROM moments".encode()
    first = connection.pgconn.exec_(fetch)
    connection.execute("SET TimeZone = 'Asia/Tokyo'")
    second = connection.pgconn.exec_(fetch)
    assert first.get_value(_PORTION - 1, 0) == b"2024-01-01 00:16:39+00"
    assert second.get_value(0, 0) == b"2024-01-01 09:16:40+09"


_LATE = "SELECT CASE WHEN i = 800000 THEN error('here') ELSE i::text END FROM range(1000000) t(i)"


def test_an_error_is_told_once_its_rows_are_asked_for(connection: psycopg.Connection) -> None:
    cursor = _cursor(connection, _LATE)
    for portion in range(5):
        assert cursor.fetchmany(_PORTION)[0] == (str(portion * _PORTION),)
    with pytest.raises(psycopg.Error, match="here"):
        while cursor.fetchmany(100_000):
            pass


def test_an_error_nobody_asks_for_is_not_told(connection: psycopg.Connection) -> None:
    cursor = _cursor(connection, _LATE)
    cursor.fetchmany(_PORTION)
    connection.execute("CLOSE portions")
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.commit()


def test_other_statements_between_two_portions(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TEMP TABLE noted (n int)")
    cursor = _cursor(connection, _range())
    other = _cursor(connection, _range("-i"), "other")
    found: list[int] = []
    while rows := cursor.fetchmany(_PORTION):
        found += [row[0] for row in rows]
        connection.execute("INSERT INTO noted VALUES (%s)", [len(found)])
        assert other.fetchmany(_PORTION) == [(-row[0],) for row in rows]
    assert found == list(range(_ROWS))
    noted = connection.execute("SELECT count(*), max(n) FROM noted").fetchone()
    assert noted == (_ROWS // _PORTION, _ROWS)


def test_a_cancel_between_two_portions_stops_nothing(connection: psycopg.Connection) -> None:
    cursor = _cursor(connection, _range())
    found: list[int] = []
    while rows := cursor.fetchmany(_PORTION):
        found += [row[0] for row in rows]
        connection.cancel_safe()
    assert found == list(range(_ROWS))


def test_the_transaction_may_end_between_two_portions(connection: psycopg.Connection) -> None:
    for end in (connection.commit, connection.rollback):
        cursor = _cursor(connection, _range())
        cursor.fetchmany(_PORTION)
        end()
        with pytest.raises(psycopg.errors.InvalidCursorName):
            cursor.fetchmany(_PORTION)
        connection.rollback()


def test_the_client_may_leave_between_two_portions(server: Any) -> None:
    with server.connect(autocommit=False) as connection:
        cursor = _cursor(connection, _range())
        cursor.fetchmany(_PORTION)
    with server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
