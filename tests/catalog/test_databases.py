"""The database that a client asks for is the one it is told of, or there is none of that name."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest


def test_the_database_has_the_name_that_was_asked_for(connection: psycopg.Connection) -> None:
    for question in (
        "SELECT current_database()",
        "SELECT current_catalog",
        "SELECT catalog_name FROM information_schema.schemata WHERE schema_name = 'public'",
        "SELECT datname FROM pg_database WHERE datname = current_database()",
        "SELECT DISTINCT table_catalog FROM information_schema.tables",
    ):
        assert connection.execute(question).fetchall() == [("hatidata",)], question


def test_another_database_does_not_exist(server: Any) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "nowhere" does not exist'):
        server.connect(dbname="nowhere")
