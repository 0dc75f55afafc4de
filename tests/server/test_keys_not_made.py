"""Tables that are not made, or replaced, leave no foreign keys behind: DuckDB would look for their rows.

It notes a key with the table that is referred to, also where IF NOT EXISTS makes nothing, and does not take
it back from a table that CREATE OR REPLACE replaces. A DELETE there then ends the whole database.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

POSTGRES = "-c hatidata.dialect=postgres -c search_path=noted"
REFERRING = "(id INT PRIMARY KEY, pid INT REFERENCES p)"


@pytest.fixture
def parents(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect() as admin:
        admin.execute("CREATE SCHEMA noted")
    try:
        with server.connect(options=POSTGRES) as connection:
            connection.execute("CREATE TABLE p (id INT PRIMARY KEY)")
            connection.execute("INSERT INTO p VALUES (1), (2), (3)")
            yield connection
    finally:
        with server.connect() as admin:
            admin.execute("DROP SCHEMA noted CASCADE")


def check_free(connection: psycopg.Connection) -> None:
    """Nothing refers to the parents any more."""
    assert connection.execute("DELETE FROM p WHERE id = 1").rowcount == 1
    assert connection.execute("UPDATE p SET id = 7 WHERE id = 2").rowcount == 1
    assert connection.execute("DROP TABLE p").statusmessage == "DROP TABLE"


@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize(
    "there", ["TABLE c (id INT)", "VIEW c AS SELECT 1 AS id", "TABLE c AS SELECT 1 AS id"]
)
def test_if_not_exists_makes_no_key(
    parents: psycopg.Connection, there: str, block: bool, prepare: bool
) -> None:
    told: list[str] = []
    parents.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    parents.execute(f"CREATE {there}".encode())
    if block:
        parents.execute("BEGIN")
    made = parents.execute(f"CREATE TABLE IF NOT EXISTS c {REFERRING}".encode(), prepare=prepare)
    assert made.statusmessage == "CREATE TABLE"
    if block:
        parents.execute("COMMIT")
    assert told == ['relation "c" already exists, skipping']
    check_free(parents)


def test_a_table_that_outlived_what_it_referred_to_gets_no_key(parents: psycopg.Connection) -> None:
    parents.execute(f"CREATE TABLE c {REFERRING}".encode())
    parents.execute("DROP TABLE p CASCADE")
    parents.execute("CREATE TABLE p (id INT PRIMARY KEY)")
    parents.execute("INSERT INTO p VALUES (1), (2)")
    parents.execute(f"CREATE TABLE IF NOT EXISTS c {REFERRING}".encode())
    check_free(parents)


def test_if_not_exists_makes_what_another_schema_or_session_has(
    parents: psycopg.Connection,
) -> None:
    parents.execute("CREATE TEMP TABLE c (id INT)")
    parents.execute(f"CREATE TABLE IF NOT EXISTS noted.c {REFERRING}".encode())
    parents.execute("INSERT INTO noted.c VALUES (1, 1)")
    with pytest.raises(errors.ForeignKeyViolation):
        parents.execute("DELETE FROM p WHERE id = 1")
    parents.execute("CREATE TABLE only_kept (id INT)")
    parents.execute("CREATE TEMP TABLE IF NOT EXISTS only_kept (id INT, own INT)")
    assert parents.execute("SELECT own FROM only_kept").fetchall() == []


@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize("dialect", ["snowflake", "postgres"])
@pytest.mark.parametrize(
    ("by", "tag"), [("(id INT, pid INT)", "CREATE TABLE"), ("AS SELECT 4 AS id", "SELECT 1")]
)
def test_a_replaced_table_leaves_no_key(
    parents: psycopg.Connection,
    server: Any,
    by: str,
    tag: str,
    dialect: str,
    block: bool,
    prepare: bool,
) -> None:
    parents.execute(f"CREATE TABLE c {REFERRING}".encode())
    parents.execute("INSERT INTO c VALUES (1, 1)")
    options = f"-c hatidata.dialect={dialect} -c search_path=noted"
    with server.connect(options=options) as other:
        if block:
            other.execute("BEGIN")
        made = other.execute(f"CREATE OR REPLACE TABLE c {by}".encode(), prepare=prepare)
        assert made.statusmessage == tag
        if block:
            other.execute("COMMIT")
    check_free(parents)


def test_what_could_not_be_replaced_keeps_its_key(parents: psycopg.Connection) -> None:
    parents.execute(f"CREATE TABLE c {REFERRING}".encode())
    parents.execute("INSERT INTO c VALUES (1, 1)")
    with pytest.raises(errors.UndefinedTable):
        parents.execute("CREATE OR REPLACE TABLE c AS SELECT * FROM nothing")
    with pytest.raises(errors.DivisionByZero):
        parents.execute("CREATE OR REPLACE TABLE c AS SELECT 1 / (id - 1) AS n FROM p")
    with pytest.raises(errors.ForeignKeyViolation):
        parents.execute("DELETE FROM p WHERE id = 1")
    assert parents.execute("SELECT * FROM c").fetchall() == [(1, 1)]


@pytest.mark.parametrize(
    "statements",
    [
        "CREATE TEMP TABLE tc (pid INT); CREATE TEMP TABLE IF NOT EXISTS tc (pid INT REFERENCES tp)",
        "CREATE TEMP TABLE tc (pid INT REFERENCES tp); CREATE OR REPLACE TEMP TABLE tc (pid INT)",
    ],
)
def test_nor_do_temporary_tables(parents: psycopg.Connection, statements: str) -> None:
    parents.execute("CREATE TEMP TABLE tp (id INT PRIMARY KEY)")
    for statement in statements.split(";"):
        parents.execute(statement.encode())
    parents.execute("INSERT INTO tp VALUES (1)")
    assert parents.execute("DELETE FROM tp").rowcount == 1
