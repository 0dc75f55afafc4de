"""A connection in Snowflake's dialect, with an empty schema in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

Rows = list[dict[str, Any]]
Ask = Callable[..., Rows]

DATABASE = "hatidata"


@pytest.fixture
def snow(server: Any) -> Iterator[psycopg.Connection]:
    """Snowflake's dialect, in the schema `work` of the database `hatidata`."""
    parts = urlsplit(server.url)
    url = f"postgresql://{parts.netloc}/{DATABASE}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS work CASCADE")
        connection.execute("CREATE SCHEMA work")
        connection.execute("USE SCHEMA work")
        yield connection
        connection.rollback()
        connection.execute("USE SCHEMA public")
        connection.execute("DROP SCHEMA work CASCADE")


@pytest.fixture
def ask(snow: psycopg.Connection) -> Ask:
    """Runs a statement and gives its rows as dicts."""

    def run(sql: str, parameters: Any = None, **options: Any) -> Rows:
        cursor = snow.execute(sql, parameters, **options)
        if cursor.description is None:
            return []
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    return run


def columns(connection: psycopg.Connection, sql: str) -> list[str]:
    """The names of a statement's result columns."""
    description = connection.execute(sql).description
    assert description is not None
    return [column.name for column in description]
