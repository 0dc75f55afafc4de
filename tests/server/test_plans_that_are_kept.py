"""A plan that is run again gives what a new one would, whatever happened in between.

DuckDB plans with the statistics and settings of the moment, and keeps such a plan for ever: each
case here is answered wrongly by a server that runs its kept plans as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.conftest import Running
from tests.protocol import client as wire

Ask = Callable[..., list[tuple[Any, ...]]]

_FIVE = "SELECT i FROM kept_rows WHERE i = 5"


@pytest.fixture
def table(connection: Any) -> str:
    connection.execute("CREATE OR REPLACE TABLE kept_rows AS SELECT 1 AS i")
    return "kept_rows"


def _simple(connection: psycopg.Connection) -> Ask:
    return lambda sql: connection.execute(sql).fetchall()


def _prepared(connection: psycopg.Connection) -> Ask:
    return lambda sql: connection.execute(sql, prepare=True).fetchall()


def _parsed_each_time(connection: psycopg.Connection) -> Ask:
    def ask(sql: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql, prepare=False, binary=True).fetchall()

    return ask


@pytest.fixture(params=[_simple, _prepared, _parsed_each_time])
def ask(request: pytest.FixtureRequest, connection: Any) -> Iterator[Ask]:
    return request.param(connection)


def test_rows_that_come_later_are_found(connection: Any, table: str, ask: Ask) -> None:
    for _ in range(3):
        assert ask(_FIVE) == []
    connection.execute("INSERT INTO kept_rows VALUES (5)")
    assert ask(_FIVE) == [(5,)]
    connection.execute("DELETE FROM kept_rows WHERE i = 5")
    assert ask(_FIVE) == []


def test_rows_of_another_session_are_found(server: Running, table: str, ask: Ask) -> None:
    for _ in range(3):
        assert ask(_FIVE) == []
    with server.connect() as other:
        other.execute("INSERT INTO kept_rows VALUES (5)")
        assert ask(_FIVE) == [(5,)]


def test_rows_that_a_transaction_took_back_are_gone(connection: Any, table: str, ask: Ask) -> None:
    for _ in range(3):
        assert ask(_FIVE) == []
    with connection.transaction(force_rollback=True):
        connection.execute("INSERT INTO kept_rows VALUES (5)")
        assert ask(_FIVE) == [(5,)]
        assert ask(_FIVE) == [(5,)]
    assert ask(_FIVE) == []


def test_rows_that_were_committed_during_a_snapshot_are_found_after_it(
    server: Running, connection: Any, table: str, ask: Ask
) -> None:
    with server.connect() as other:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            assert ask(_FIVE) == []
            other.execute("INSERT INTO kept_rows VALUES (5)")
            assert ask(_FIVE) == []
        assert ask(_FIVE) == [(5,)]


def test_an_update_and_a_delete_find_rows_that_come_later(connection: Any, table: str) -> None:
    cursor = connection.cursor()
    for _ in range(3):
        assert cursor.execute("UPDATE kept_rows SET i = 6 WHERE i = 5", prepare=True).rowcount == 0
        assert cursor.execute("DELETE FROM kept_rows WHERE i = 6", prepare=True).rowcount == 0
    connection.execute("INSERT INTO kept_rows VALUES (5)")
    assert cursor.execute("UPDATE kept_rows SET i = 6 WHERE i = 5", prepare=True).rowcount == 1
    assert cursor.execute("DELETE FROM kept_rows WHERE i = 6", prepare=True).rowcount == 1


def test_the_time_zone_that_is_set_later_counts(connection: Any, ask: Ask) -> None:
    instant = "SELECT '2024-01-01 00:00'::timestamptz = '2024-01-01 00:00+00'::timestamptz"
    for _ in range(3):
        assert ask(instant) == [(True,)]
    connection.execute("SET TimeZone = 'America/New_York'")
    assert ask(instant) == [(False,)]
    connection.execute("RESET TimeZone")
    assert ask(instant) == [(True,)]


def test_the_schema_that_is_set_later_counts(connection: Any, table: str, ask: Ask) -> None:
    connection.execute("CREATE SCHEMA IF NOT EXISTS kept_elsewhere")
    connection.execute("CREATE OR REPLACE TABLE kept_elsewhere.kept_rows AS SELECT 5 AS i")
    for _ in range(3):
        assert ask(_FIVE) == []
    connection.execute("SET search_path = kept_elsewhere")
    assert ask(_FIVE) == [(5,)]
    connection.execute("RESET search_path")
    assert ask(_FIVE) == []


def test_a_text_parsed_again_after_its_table_changed_has_the_new_columns(
    connection: Any, table: str
) -> None:
    def columns() -> list[str]:
        return [column.name for column in cursor.description or ()]

    cursor = connection.cursor(binary=True)
    for _ in range(3):
        cursor.execute("SELECT * FROM kept_rows WHERE i = %s", [1], prepare=False)
        assert columns() == ["i"]
    connection.execute("ALTER TABLE kept_rows ADD COLUMN j int")
    cursor.execute("SELECT * FROM kept_rows WHERE i = %s", [1], prepare=False)
    assert columns() == ["i", "j"]


def test_a_constant_is_not_answered_in_a_failed_transaction(connection: Any) -> None:
    for _ in range(3):
        assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.autocommit = False
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM there_is_none")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.rollback()


def test_a_prepared_constant_follows_its_values_its_name_and_the_settings(
    connection: Any,
) -> None:
    cursor = connection.cursor()
    ask = "SELECT %s::int + 1, '2024-01-01 00:00'::timestamptz = '2024-01-01 00:00+00'::timestamptz"
    for value in (1, 1, 1, 2, 2, 1, 2):
        assert cursor.execute(ask, [value], prepare=True).fetchone() == (value + 1, True)
    connection.execute("SET TimeZone = 'America/New_York'")
    assert cursor.execute(ask, [1], prepare=True).fetchone() == (2, False)
    connection.execute("RESET TimeZone")


def test_a_name_that_is_given_to_another_statement_has_its_answer(server: Running) -> None:
    with contextlib.closing(wire.Wire.connect(server.host, server.port)) as client:
        client.send(wire.startup({"user": "tester", "database": "hatidata"}))
        client.read_until(wire.ReadyForQuery)
        again = wire.bind("", "s") + wire.execute("") + wire.sync()
        for text, answer in (("select 1", b"1"), ("select 2", b"2")):
            client.send(wire.parse("s", text) + wire.sync())
            client.read_until(wire.ReadyForQuery)
            for _ in range(3):
                client.send(again)
                bound, row, *_ = client.read_until(wire.ReadyForQuery)
                assert (type(bound), row) == (wire.BindComplete, wire.DataRow((answer,)))
            client.send(wire.close(b"S", "s") + wire.sync())
            client.read_until(wire.ReadyForQuery)
