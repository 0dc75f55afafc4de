"""GENERATED ALWAYS AS (...) STORED: computed by DuckDB, and shown as such by the catalog."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def connection(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute(
        "CREATE TABLE g (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, name text DEFAULT 'q', "
        "loud text GENERATED ALWAYS AS (upper(name) || '!') STORED, "
        "price numeric(10, 2) GENERATED ALWAYS AS (a * 1.5) STORED)"
    )
    return connection


def generated(connection: psycopg.Connection, table: str) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT attname, attgenerated FROM pg_attribute "
        f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    ).fetchall()


def test_they_are_what_their_row_makes_them(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO g (a, name) VALUES (%s, %s), (-3, NULL)", (5, "x"))
    connection.execute("UPDATE g SET a = 6 WHERE a = 5")
    assert connection.execute("SELECT * FROM g ORDER BY a").fetchall() == [
        (-3, -6, None, None, Decimal("-4.50")),
        (6, 12, "x", "X!", Decimal("9.00")),
    ]


def test_division_is_postgress(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE halves (a int, h int GENERATED ALWAYS AS (a / 2) STORED)")
    connection.execute("INSERT INTO halves (a) VALUES (5), (-5)")
    assert connection.execute("SELECT h FROM halves ORDER BY a").fetchall() == [(-2,), (2,)]


def test_the_catalog_shows_them(connection: psycopg.Connection) -> None:
    assert generated(connection, "scratch.g") == [
        ("a", ""),
        ("twice", "s"),
        ("name", ""),
        ("loud", "s"),
        ("price", "s"),
    ]
    found = connection.execute(
        "SELECT column_name, is_generated, column_default IS NULL FROM information_schema.columns "
        "WHERE table_name = 'g' ORDER BY ordinal_position"
    ).fetchall()
    assert found == [
        ("a", "NEVER", True),
        ("twice", "ALWAYS", True),
        ("name", "NEVER", False),
        ("loud", "ALWAYS", True),
        ("price", "ALWAYS", True),
    ]
    ((expression,),) = connection.execute(
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef "
        "WHERE adrelid = 'scratch.g'::regclass AND adnum = 2"
    ).fetchall()
    assert "a * 2" in expression


def test_so_it_does_after_changes_and_in_blocks(connection: psycopg.Connection) -> None:
    connection.execute("COMMENT ON COLUMN g.twice IS 'two'")
    connection.execute("ALTER TABLE g RENAME COLUMN a TO b")
    connection.execute("ALTER TABLE g ADD COLUMN z int")
    connection.execute("ALTER TABLE g RENAME TO h")
    assert dict(generated(connection, "scratch.h")) == {
        "b": "",
        "twice": "s",
        "name": "",
        "loud": "s",
        "price": "s",
        "z": "",
    }
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE TABLE k (a int, b int GENERATED ALWAYS AS (a % 3) STORED)")
        assert generated(connection, "scratch.k") == [("a", ""), ("b", "s")]
    connection.execute("CREATE TEMP TABLE own (a int, b int GENERATED ALWAYS AS (a + 1) STORED)")
    assert generated(connection, "own") == [("a", ""), ("b", "s")]


def test_what_postgres_cannot_read_is_shown_as_text(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a / 2) STORED)")
    assert generated(connection, "scratch.t") == [("a", ""), ("b", "s")]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("INSERT INTO g (a, twice) VALUES (1, 2)", "428C9"),
        ("UPDATE g SET twice = 3", "428C9"),
        ("INSERT INTO g (a) VALUES (2000000000)", "22000"),
        ("CREATE TABLE x (a int, b float8 GENERATED ALWAYS AS (random()) STORED)", "42P17"),
        ("CREATE TABLE x (a int, b timestamptz GENERATED ALWAYS AS (now()) STORED)", "42P17"),
        ("CREATE TABLE x (a int, b text GENERATED ALWAYS AS (current_user) STORED)", "42P17"),
        ("CREATE TABLE x (a int, b int GENERATED ALWAYS AS ((SELECT 1)) STORED)", "0A000"),
        ("CREATE TABLE x (a int, b int GENERATED ALWAYS AS (a) STORED NOT NULL)", "0A000"),
        ("CREATE TABLE x (a int, b int GENERATED ALWAYS AS (a) STORED PRIMARY KEY)", "0A000"),
        ("CREATE TABLE x (a int, b int GENERATED ALWAYS AS (a) STORED, UNIQUE (b))", "0A000"),
        ("CREATE TABLE x (a int, b varchar(3) GENERATED ALWAYS AS (a::text) STORED)", "0A000"),
        ("ALTER TABLE g ADD COLUMN c int GENERATED ALWAYS AS (a) STORED", "0A000"),
    ],
)
def test_what_cannot_be_is_refused(connection: psycopg.Connection, sql: str, sqlstate: str) -> None:
    with pytest.raises(errors.Error) as error:
        connection.execute(sql.encode())
    assert error.value.sqlstate == sqlstate


def test_snowflakes_are_shown_too(connection: psycopg.Connection) -> None:
    connection.execute("SET hatidata.dialect = 'snowflake'")
    connection.execute("CREATE TABLE s (a INT, b INT AS (a * 2))")
    assert generated(connection, "scratch.s") == [("a", ""), ("b", "s")]
    connection.execute("CREATE OR REPLACE TABLE s (a INT, b INT)")
    assert generated(connection, "scratch.s") == [("a", ""), ("b", "")]
