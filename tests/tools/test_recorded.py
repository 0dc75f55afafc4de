"""What tools that are not on the machine ask (`recorded/`), beside a real Postgres with the same tables.

Each statement goes to both servers with its parameters, as the tools send them, to ours in both
dialects. Columns, types and rows must be the same, but for what `comparing` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ..protocol.conftest import real_postgres
from ..protocol.targets import Target
from .comparing import Recorded, ask, differences, read

__all__ = ["real_postgres"]

_RECORDED = Path(__file__).with_name("recorded")
_TABLES = [
    statement
    for text in Path(__file__).with_name("tables.sql").read_text().split(";\n")
    if (statement := text.strip())
]
_DIALECTS = ("snowflake", "postgres")
_ASKED = [
    pytest.param(statement, dialect, id=f"{path.stem}: {statement.name}, {dialect}")
    for path in sorted(_RECORDED.glob("*.sql"))
    for dialect in _DIALECTS
    for statement in read(path)
    if dialect == "postgres" or not statement.postgres
]

Side = tuple[psycopg.Connection, Mapping[str, int]]
"""A connection, and the oids that the statements' parameters name."""


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


@pytest.mark.parametrize(("statement", "dialect"), _ASKED)
def test_it_answers_as_postgres_does(
    sides: dict[str, Side], statement: Recorded, dialect: str
) -> None:
    (ours, here), (real, there) = sides[dialect], sides["real"]
    wrong = differences(
        ask(ours, statement, here),
        ask(real, statement, there),
        statement,
        names_are_texts=dialect == "snowflake",
    )
    assert wrong == []
