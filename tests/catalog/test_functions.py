"""Functions of Postgres's dialect: the catalog has them as their authors see them, after a restart too."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.demo.server import ServerProcess

THERE = (
    "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'scratch'::regnamespace ORDER BY 1"
)
POSTGRES = "-c hatidata.dialect=postgres -c search_path=scratch"


@pytest.fixture
def author(server: Any, schema: str) -> Any:
    with server.connect(options=POSTGRES) as connection:
        yield connection


def test_they_are_seen_as_their_block_has_them(
    author: psycopg.Connection, connection: psycopg.Connection
) -> None:
    author.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    author.execute("BEGIN")
    author.execute("CREATE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT one() + 1'")
    author.execute("DROP FUNCTION one()")
    assert author.execute(THERE).fetchall() == [("two", "SELECT one() + 1")]
    assert connection.execute(THERE).fetchall() == [("one", "SELECT 1")]
    author.execute("ROLLBACK")
    assert author.execute(THERE).fetchall() == [("one", "SELECT 1")]


def test_what_is_granted_on_one_stays_when_it_is_replaced(
    author: psycopg.Connection, connection: psycopg.Connection
) -> None:
    author.execute("CREATE FUNCTION one(a int) RETURNS int LANGUAGE sql AS 'SELECT a'")
    author.execute("REVOKE EXECUTE ON FUNCTION one(int) FROM PUBLIC")
    author.execute("CREATE OR REPLACE FUNCTION one(a int) RETURNS int LANGUAGE sql AS 'SELECT a+1'")
    asked = "SELECT proacl IS NOT NULL, prosrc FROM pg_proc WHERE proname = 'one'"
    assert connection.execute(asked).fetchone() == (True, "SELECT a+1")
    assert author.execute("SELECT one(1)").fetchone() == (2,)


def test_another_session_calls_them_once_they_are_committed(
    server: Any, author: psycopg.Connection
) -> None:
    with server.connect(options=POSTGRES) as other:
        author.execute("BEGIN")
        author.execute("CREATE FUNCTION later(a int) RETURNS text LANGUAGE sql AS 'SELECT a::text'")
        with pytest.raises(psycopg.errors.UndefinedFunction):
            other.execute("SELECT later('7')")
        author.execute("COMMIT")
        assert other.execute("SELECT later('7'), later(a => 8)").fetchone() == ("7", "8")


def test_they_are_there_after_a_restart() -> None:
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        for turn in range(2):
            with ServerProcess(Path(directory)) as process:
                options = "-c hatidata.dialect=postgres"
                with psycopg.connect(process.url, user="ana", options=options) as connection:
                    if not turn:
                        connection.execute(
                            "CREATE FUNCTION added(a int, b int DEFAULT 2) RETURNS int RETURN a + b"
                        )
                    found = connection.execute("SELECT added(1), added(b => 5, a => 1)").fetchone()
                    assert found == (3, 6)
                    shown = "SELECT pg_get_functiondef('added(int,int)'::regprocedure)"
                    (written,) = connection.execute(shown).fetchone() or ("",)
                    assert "RETURN (a + b)" in written
