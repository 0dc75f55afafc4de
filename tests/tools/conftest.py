"""The tables that tools are asked about, made alike on our server and on a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ..protocol.conftest import real_postgres
from ..protocol.targets import Target

__all__ = ["real_postgres"]

DIALECTS = ("snowflake", "postgres")
_TABLES = [
    statement
    for text in Path(__file__).with_name("tables.sql").read_text().split(";\n")
    if (statement := text.strip())
]

Side = tuple[psycopg.Connection, Mapping[str, int]]
"""A connection, and the oids of `schema` (tool) and of its relations (`orders:oid`)."""


def _oids(connection: psycopg.Connection) -> dict[str, int]:
    rows = connection.execute(
        "SELECT relname || ':oid', oid::int8 FROM pg_class WHERE relnamespace = 'tool'::regnamespace "
        "UNION ALL SELECT 'schema', oid::int8 FROM pg_namespace WHERE nspname = 'tool'"
    )
    return dict(rows.fetchall())


def _connected(there: Target) -> psycopg.Connection:
    return psycopg.connect(
        host=there.host,
        port=there.port,
        user=there.user,
        dbname=there.database,
        autocommit=True,
    )


@pytest.fixture(scope="module")
def sides(server: Any, real_postgres: Target) -> Iterator[dict[str, tuple[Side, Side]]]:
    """Dialect -> a session of ours in it, and one of the real server's, with the same tables."""
    with ExitStack() as connections:
        makers = [server.connect(), _connected(real_postgres)]
        pairs = {
            dialect: (
                server.connect(options=f"-c hatidata.dialect={dialect}"),
                _connected(real_postgres),
            )
            for dialect in DIALECTS
        }
        for connection in (*makers, *(one for pair in pairs.values() for one in pair)):
            connections.enter_context(connection)
        makers[0].execute("SET hatidata.dialect = 'postgres'")
        for maker in makers:
            for statement in _TABLES:
                maker.execute(statement)
        yield {
            dialect: ((ours, _oids(ours)), (real, _oids(real)))
            for dialect, (ours, real) in pairs.items()
        }
        for maker in makers:
            for table in ("lines", "orders", "customers"):
                maker.execute(f"DROP TABLE tool.{table} CASCADE")
            maker.execute("DROP SCHEMA tool CASCADE")


@contextmanager
def defined_on(
    sides: dict[str, tuple[Side, Side]], schema: str, statements: str
) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Ours in Postgres's dialect, and the real one's, with what the statements define in a schema."""
    (ours, _), (real, _) = sides["postgres"]
    for one in (ours, real):
        for statement in statements.split(";\n"):
            one.execute(statement.encode())
    yield ours, real
    for one in (ours, real):
        one.execute(f"DROP SCHEMA {schema} CASCADE".encode())
        one.execute("RESET search_path")
