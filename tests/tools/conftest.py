"""The tables that tools are asked about, made alike on our server and on a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ..protocol.conftest import real_postgres
from ..protocol.targets import Target

__all__ = ["real_postgres"]

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


@pytest.fixture(scope="module")
def sides(server: Any, real_postgres: Target) -> Iterator[dict[str, Side]]:
    """A session in each of our dialects, and the real one, with the same tables."""
    there = real_postgres
    with (
        server.connect() as maker,
        server.connect(options="-c hatidata.dialect=snowflake") as snowflake,
        server.connect(options="-c hatidata.dialect=postgres") as postgres,
        psycopg.connect(
            host=there.host,
            port=there.port,
            user=there.user,
            dbname=there.database,
            autocommit=True,
        ) as real,
    ):
        maker.execute("SET hatidata.dialect = 'postgres'")
        for statement in _TABLES:
            maker.execute(statement)
            real.execute(statement)
        named = {"snowflake": snowflake, "postgres": postgres, "real": real}
        yield {name: (connection, _oids(connection)) for name, connection in named.items()}
        for connection in (maker, real):
            for table in ("lines", "orders", "customers"):
                connection.execute(f"DROP TABLE tool.{table} CASCADE")
            connection.execute("DROP SCHEMA tool CASCADE")
