"""What tools that are not on the machine ask first (`statements.sql`), against a real Postgres.

The same tables are made on both sides; each statement must have the same columns of the same types
here as there, and rows where there are rows there. Only `name` may be `text`: the session's own
functions (`current_schema()`) are answered by DuckDB, which has no such type.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ..protocol.conftest import real_postgres
from ..protocol.targets import Target

__all__ = ["real_postgres"]

_TEXT = Path(__file__).with_name("statements.sql").read_text()
_LINES = [line for line in _TEXT.splitlines() if line]
STATEMENTS = dict(zip((line[3:] for line in _LINES[::2]), _LINES[1::2], strict=True))

_NAME_OID, _TEXT_OID = 19, 25

_TABLES = (
    "CREATE SCHEMA tool",
    "CREATE TABLE tool.orders (id BIGINT PRIMARY KEY, total DECIMAL(12,2) DEFAULT 0, placed DATE)",
    "CREATE TABLE tool.lines (order_id BIGINT REFERENCES tool.orders (id), n BIGINT)",
    "CREATE VIEW tool.dear AS SELECT id, total FROM tool.orders WHERE total > 100",
    "COMMENT ON COLUMN tool.orders.total IS 'in euros'",
)


@pytest.fixture(scope="module")
def both(server: Any, real_postgres: Target) -> Iterator[list[psycopg.Connection]]:
    """Ours and the real one, with the same tables."""
    there = real_postgres
    with (
        server.connect() as ours,
        psycopg.connect(
            host=there.host,
            port=there.port,
            user=there.user,
            dbname=there.database,
            autocommit=True,
        ) as real,
    ):
        for connection in (ours, real):
            for statement in _TABLES:
                connection.execute(statement)
        yield [ours, real]
        for connection in (ours, real):
            connection.execute("DROP TABLE tool.lines")
            connection.execute("DROP SCHEMA tool CASCADE")


@pytest.mark.parametrize("name", STATEMENTS)
def test_it_answers_as_postgres_does(both: list[psycopg.Connection], name: str) -> None:
    answers = []
    for connection in both:
        cursor = connection.execute(STATEMENTS[name])
        columns = [
            (one.name, _TEXT_OID if one.type_code == _NAME_OID else one.type_code)
            for one in cursor.description or ()
        ]
        answers.append((columns, bool(cursor.fetchall()) if columns else None))
    assert answers[0] == answers[1]
