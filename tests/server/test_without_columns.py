"""Rows of no columns, in Postgres's dialect: how many there are is all that a client sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

POSTGRES = "-c hatidata.dialect=postgres -c search_path=without"


@pytest.fixture
def connection(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect() as admin:
        admin.execute("CREATE SCHEMA without")
    try:
        with server.connect(options=POSTGRES) as connection:
            connection.execute("CREATE TABLE t AS SELECT generate_series(1, 5000) AS id")
            yield connection
    finally:
        with server.connect() as admin:
            admin.execute("DROP SCHEMA without CASCADE")


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    ("sql", "values", "rows"),
    [
        ("SELECT FROM t", None, 5000),
        ("SELECT FROM t WHERE id <= %s", (7,), 7),
        ("SELECT FROM t WHERE id <= %s", (4000,), 4000),
        ("SELECT FROM t WHERE id <= %s", (0,), 0),
        ("SELECT WHERE %s", (True,), 1),
        ("SELECT", None, 1),
    ],
)
def test_rows_are_counted(
    connection: psycopg.Connection, sql: str, values: Any, rows: int, binary: bool
) -> None:
    result = connection.execute(sql, values, prepare=True, binary=binary).pgresult
    assert result is not None
    assert (result.nfields, result.ntuples) == (0, rows)
    assert result.command_status == f"SELECT {rows}".encode()


def test_a_cursor_gives_them_in_portions(connection: psycopg.Connection) -> None:
    with connection.transaction(), connection.cursor("c") as cursor:
        cursor.execute("SELECT FROM t")
        portions = [len(cursor.fetchmany(2000)) for _ in range(3)]
    assert portions == [2000, 2000, 1000]


@pytest.mark.usefixtures("connection")
def test_asyncpg_reads_them(server: Any) -> None:
    async def ask() -> tuple[list[int], Any, list[tuple[()]]]:
        settings = {"hatidata.dialect": "postgres", "search_path": "without"}
        own = await asyncpg.connect(server.url, server_settings=settings)
        try:
            few = [len(await own.fetch("SELECT FROM t WHERE id <= $1", 9)) for _ in range(3)]
            statement = await own.prepare("SELECT FROM t")
            async with own.transaction():
                rows = [tuple(row) async for row in statement.cursor(prefetch=700)]
            return few, statement.get_attributes(), rows
        finally:
            await own.close()

    assert asyncio.run(ask()) == ([9, 9, 9], (), [()] * 5000)
