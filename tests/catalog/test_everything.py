"""Statements that make relations without naming them one by one, and ways to run statements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg
import pytest

from .test_mirror import names, relations


def test_what_a_generator_makes_is_there(start_server: Callable[..., Any]) -> None:
    server = start_server("--extensions", "tpch")
    with server.connect() as connection:
        connection.execute("CALL dbgen(sf => 0.001)")
        assert {"lineitem", "orders", "nation"} <= set(relations(connection, "public"))
        assert names(connection, "nation") == ["n_nationkey", "n_name", "n_regionkey", "n_comment"]


def test_prepared_definitions_are_mirrored(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE t (a INT)", prepare=True)
    assert names(connection, "t") == ["a"]
    connection.execute("DROP TABLE t", prepare=True)
    assert relations(connection, schema) == {}
    with connection.pipeline():
        connection.execute("CREATE TABLE one (a INT)")
        connection.execute("CREATE TABLE two (a INT)")
    assert relations(connection, schema) == {"one": "r", "two": "r"}
    connection.execute("DROP TABLE one, two")
    assert relations(connection, schema) == {}


def test_select_into_makes_a_table(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("SELECT 1 AS a, 'x' AS b INTO made")
    assert names(connection, "made") == ["a", "b"]


def test_tables_change_places(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE x (a INT)")
    connection.execute("CREATE TABLE y (b INT)")
    connection.execute("ALTER TABLE x RENAME TO z")
    connection.execute("ALTER TABLE y RENAME TO x")
    connection.execute("ALTER TABLE z RENAME TO y")
    assert (names(connection, "x"), names(connection, "y")) == (["b"], ["a"])


def test_a_block_of_renames_that_nobody_asks_about(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE x (a INT)")
    connection.execute("CREATE TABLE y (b INT)")
    with server.connect(autocommit=False) as block:
        for rename in ("x RENAME TO z", "y RENAME TO x", "z RENAME TO y"):
            block.execute(f"ALTER TABLE scratch.{rename}")
        block.commit()
    assert (names(connection, "x"), names(connection, "y")) == (["b"], ["a"])
    assert relations(connection, schema) == {"x": "r", "y": "r"}


@pytest.mark.parametrize(
    "statement", ["CREATE TEMP TABLE held (a INT)", "CREATE TEMPORARY VIEW held AS SELECT 1 AS a"]
)
def test_temporary_relations_are_not_mirrored(
    connection: psycopg.Connection, schema: str, statement: str
) -> None:
    """Postgres's backends are not a session's own; a temporary table there would be another's too."""
    connection.execute(statement)
    assert relations(connection, schema) == {}
    connection.execute("CREATE TABLE held (b INT)")
    assert names(connection, "scratch.held") == ["b"]
    connection.execute("DROP TABLE scratch.held")
    assert relations(connection, schema) == {}


async def _asyncpg(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("CREATE TABLE scratch.made (a INT, b NUMBER(7, 2))")
            found = await connection.fetch(
                "SELECT attname, format_type(atttypid, atttypmod) AS kind FROM pg_attribute "
                "WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum",
                "scratch.made",
            )
        return [f"{row['attname']} {row['kind']}" for row in found]
    finally:
        await connection.close()


def test_asyncpg_defines_and_asks_in_a_transaction(server: Any, schema: str) -> None:

    assert asyncio.run(_asyncpg(server.url)) == ["a bigint", "b numeric(7,2)"]
