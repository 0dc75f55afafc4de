"""The database that a client asks for."""

from __future__ import annotations

from typing import Any

import psycopg


def test_the_database_has_the_name_that_was_asked_for(connection: psycopg.Connection) -> None:
    for question in (
        "SELECT current_database()",
        "SELECT current_catalog",
        "SELECT catalog_name FROM information_schema.schemata WHERE schema_name = 'public'",
        "SELECT datname FROM pg_database WHERE datname = current_database()",
        "SELECT DISTINCT table_catalog FROM information_schema.tables",
    ):
        assert connection.execute(question).fetchall() == [("hatidata",)], question


def test_any_name_may_be_asked_for(server: Any) -> None:
    """Clients that name none ask for a database called as their user."""
    with server.connect(dbname="tester") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM hd_runtime.tasks").fetchone() is not None
        connection.execute("CREATE OR REPLACE TABLE asked_for (i int)")
        assert connection.execute("SELECT count(*) FROM tester.public.asked_for").fetchone() == (0,)
        connection.execute("DROP TABLE asked_for")
