"""ALTER VIEW ... SET SCHEMA, and a view that RENAME TO takes to another schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest


@pytest.fixture
def author(server: Any, schema: str) -> Iterator[psycopg.Connection]:
    """Postgres's dialect, in the schema scratch, with views over each other and a schema beside."""
    with server.connect(options="-c hatidata.dialect=postgres") as connection:
        connection.execute("DROP SCHEMA IF EXISTS beside CASCADE")
        connection.execute("CREATE SCHEMA beside")
        connection.execute("SET search_path = scratch")
        connection.execute("CREATE TABLE t (i int, name text)")
        connection.execute("INSERT INTO t VALUES (1, 'one')")
        connection.execute("CREATE VIEW v (number, word) AS SELECT i, name FROM t")
        connection.execute("COMMENT ON VIEW v IS 'numbers in words'")
        connection.execute("CREATE VIEW over AS SELECT v.word, u.number FROM scratch.v, v u")
        yield connection
        connection.rollback()
        connection.execute("DROP SCHEMA beside CASCADE")


WHERE = "SELECT table_schema FROM information_schema.views WHERE table_name = 'v'"


@pytest.mark.parametrize("kind", ["VIEW", "TABLE", "VIEW IF EXISTS"])
def test_a_view_goes_and_those_that_read_it_follow(author: psycopg.Connection, kind: str) -> None:
    status = author.execute(f"ALTER {kind} v SET SCHEMA beside").statusmessage
    assert status == f"ALTER {kind.split()[0]}"
    assert author.execute("SELECT * FROM beside.v").fetchall() == [(1, "one")]
    assert author.execute("SELECT * FROM over").fetchall() == [("one", 1)]
    assert author.execute(WHERE).fetchall() == [("beside",)]
    said = author.execute("SELECT obj_description('beside.v'::regclass)").fetchone()
    assert said == ("numbers in words",)
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        author.execute("DROP VIEW beside.v")


def test_it_is_undone_with_its_transaction(author: psycopg.Connection) -> None:
    author.execute("BEGIN")
    author.execute("ALTER VIEW v SET SCHEMA beside")
    assert author.execute(WHERE).fetchall() == [("beside",)]
    author.execute("ROLLBACK")
    assert author.execute(WHERE).fetchall() == [("scratch",)]
    assert author.execute("SELECT * FROM over").fetchall() == [("one", 1)]


def test_in_snowflakes_dialect_its_name_says_where(author: psycopg.Connection) -> None:
    author.execute("SET hatidata.dialect = snowflake")
    author.execute("ALTER VIEW v RENAME TO beside.w")
    assert author.execute("SELECT * FROM beside.w").fetchall() == [(1, "one")]
    with pytest.raises(psycopg.errors.UndefinedTable):
        author.execute("SELECT * FROM v")


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("ALTER VIEW v SET SCHEMA nowhere", "3F000"),
        ("ALTER VIEW nothing SET SCHEMA beside", "42P01"),
        ("ALTER VIEW t SET SCHEMA beside", "42809"),
        ("ALTER VIEW v SET SCHEMA taken", "42P07"),
    ],
)
def test_what_cannot_be(author: psycopg.Connection, statement: str, sqlstate: str) -> None:
    author.execute("CREATE SCHEMA taken")
    try:
        author.execute("CREATE TABLE taken.v (i int)")
        with pytest.raises(psycopg.Error) as raised:
            author.execute(statement)
        assert raised.value.sqlstate == sqlstate
    finally:
        author.execute("DROP SCHEMA taken CASCADE")
