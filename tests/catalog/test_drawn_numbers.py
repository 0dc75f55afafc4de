"""currval and lastval: a session's own numbers, whoever draws others meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

Fetch = Callable[[str], list[tuple[Any, ...]]]


def _asking(connection: psycopg.Connection) -> Fetch:
    def fetch(sql: str) -> list[tuple[Any, ...]]:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []

    return fetch


@pytest.fixture(params=["snowflake", "postgres"])
def ask(request: pytest.FixtureRequest, connection: psycopg.Connection, schema: str) -> Fetch:
    connection.execute(f"SET hatidata.dialect = '{request.param}'")
    ask = _asking(connection)
    ask("CREATE TABLE orders (id SERIAL PRIMARY KEY, note TEXT)")
    return ask


@pytest.fixture
def other(ask: Fetch, connection: psycopg.Connection) -> Iterator[Fetch]:
    """Another session in the same schema."""
    with psycopg.connect(connection.info.dsn, autocommit=True) as second:
        second.execute("SET search_path = scratch")
        yield _asking(second)


def test_before_a_number_is_drawn_there_is_none(ask: Fetch) -> None:
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="lastval is not yet defined"):
        ask("SELECT lastval()")
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match='sequence "orders_id_seq"'):
        ask("SELECT currval('orders_id_seq')")
    with pytest.raises(errors.UndefinedTable):
        ask("SELECT currval('nobodys')")


def test_what_another_session_draws_changes_nothing(ask: Fetch, other: Fetch) -> None:
    ask("INSERT INTO orders (note) VALUES ('a'), ('b')")
    other("INSERT INTO orders (note) VALUES ('c')")
    mine = "SELECT currval('orders_id_seq'), currval('scratch.orders_id_seq'), lastval()"
    assert ask(mine) == [(2, 2, 2)]
    assert other(mine) == [(3, 3, 3)]
    ask("CREATE TABLE lines (order_id BIGINT, note TEXT)")
    ask("INSERT INTO lines VALUES (currval('orders_id_seq'), 'x'), (lastval(), 'y')")
    assert ask("SELECT order_id FROM lines") == [(2,), (2,)]


def test_numbers_are_kept_whatever_becomes_of_the_transaction(ask: Fetch) -> None:
    ask("BEGIN")
    ask("INSERT INTO orders (note) VALUES ('a')")
    ask("ROLLBACK")
    assert ask("SELECT lastval(), currval('orders_id_seq'::regclass)") == [(1, 1)]


def test_the_last_of_many_counts(ask: Fetch, connection: psycopg.Connection) -> None:
    ask("INSERT INTO orders (note) SELECT 'a' FROM generate_series(1, 300000)")
    assert ask("SELECT lastval(), currval('orders_id_seq')") == [(300000, 300000)]
    with connection.cursor().copy("COPY orders (note) FROM STDIN") as copy:
        copy.write("b\nc\n")
    assert ask("SELECT pg_catalog.lastval()") == [(300002,)]


def test_setval_and_nextval_of_pg_catalog_are_the_same_functions(ask: Fetch) -> None:
    assert ask("SELECT pg_catalog.setval('orders_id_seq', 40, true)") == [(40,)]
    assert ask("SELECT currval('orders_id_seq')") == [(40,)]
    assert ask("SELECT setval('orders_id_seq', 7, false)") == [(7,)]
    assert ask("SELECT currval('orders_id_seq')") == [(40,)]
    assert ask("SELECT pg_catalog.nextval('orders_id_seq'), lastval()") == [(7, 7)]
    assert ask("INSERT INTO orders (note) VALUES ('a') RETURNING id") == [(8,)]


def test_sequences_of_one_name_are_told_apart_by_their_schemas(ask: Fetch) -> None:
    ask("CREATE SCHEMA beside")
    try:
        ask("CREATE SEQUENCE beside.orders_id_seq")
        ask("INSERT INTO orders (note) VALUES ('a'), ('b')")
        assert ask("SELECT nextval('beside.orders_id_seq')") == [(1,)]
        assert ask("SELECT currval('orders_id_seq'), lastval()") == [(2, 1)]
        ask("SET search_path = beside, scratch")
        assert ask("SELECT currval('orders_id_seq')") == [(1,)]
        assert ask("SELECT nextval('orders_id_seq')") == [(2,)]
        assert ask("SELECT currval('beside.orders_id_seq')") == [(2,)]
        assert ask("SELECT currval('scratch.orders_id_seq')") == [(2,)]
    finally:
        ask("SET search_path = scratch")
        ask("DROP SCHEMA beside CASCADE")


def test_a_sequence_that_is_made_anew_has_no_number_yet(ask: Fetch) -> None:
    ask("INSERT INTO orders (note) VALUES ('a')")
    ask("DROP TABLE orders")
    ask("CREATE TABLE orders (id SERIAL PRIMARY KEY, note TEXT)")
    with pytest.raises(errors.ObjectNotInPrerequisiteState):
        ask("SELECT currval('orders_id_seq')")
    ask("INSERT INTO orders (note) VALUES ('a')")
    assert ask("SELECT currval('orders_id_seq')") == [(1,)]
    ask("DISCARD SEQUENCES")
    with pytest.raises(errors.ObjectNotInPrerequisiteState):
        ask("SELECT lastval()")


def test_what_the_tables_and_views_say_stays_what_was_written(ask: Fetch) -> None:
    ask("CREATE VIEW drawing AS SELECT nextval('scratch.orders_id_seq') AS n")
    assert ask("SELECT n FROM drawing") == [(1,)]
    assert ask("SELECT lastval()") == [(1,)]
    [(view,)] = ask("SELECT sql FROM duckdb_views() WHERE view_name = 'drawing'")
    [(table,)] = ask("SELECT sql FROM duckdb_tables() WHERE schema_name = 'scratch'")
    assert "drawn_" not in view + table


def test_a_statement_that_draws_and_asks_is_right_or_refused(ask: Fetch) -> None:
    """DuckDB computes values before defaults, and each column of many rows before the next."""
    ask("CREATE TABLE tree (id BIGINT DEFAULT nextval('orders_id_seq'), parent BIGINT)")
    assert ask("SELECT nextval('orders_id_seq'), currval('orders_id_seq'), lastval()") == [
        (1, 1, 1)
    ]
    ask("INSERT INTO tree VALUES (nextval('orders_id_seq'), currval('orders_id_seq'))")
    assert ask("SELECT * FROM tree") == [(2, 2)]
    for refused in (
        "INSERT INTO tree (parent) VALUES (currval('orders_id_seq'))",
        "INSERT INTO tree (parent) VALUES (lastval())",
        "UPDATE tree SET id = nextval('orders_id_seq'), parent = currval('orders_id_seq')",
    ):
        if refused.startswith("UPDATE"):
            ask("INSERT INTO tree VALUES (0, 0)")
        with pytest.raises(errors.FeatureNotSupported, match="draws from sequence"):
            ask(refused)
    assert ask("SELECT id, parent FROM tree ORDER BY id") == [(0, 0), (2, 2)]


def test_what_is_drawn_first_in_a_block_is_known_after_it(ask: Fetch) -> None:
    for end in ("ROLLBACK", "COMMIT"):
        ask("BEGIN")
        ask("SELECT count(*) FROM orders")
        [(number,)] = ask("SELECT nextval('orders_id_seq')")
        ask(end)
        assert ask("SELECT currval('orders_id_seq'), lastval()") == [(number, number)]
        ask("INSERT INTO orders (note) VALUES ('a')")
        assert ask("SELECT lastval()") == [(number + 1,)]
