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
        ("INSERT INTO g (a) VALUES (2000000000)", "22003"),
        ("CREATE TABLE x (a int, b float8 GENERATED ALWAYS AS (random()) STORED)", "42P17"),
        ("CREATE TABLE x (a int, b timestamptz GENERATED ALWAYS AS (now()) STORED)", "42P17"),
        ("CREATE TABLE x (a int, b text GENERATED ALWAYS AS (current_user) STORED)", "42P17"),
        ("CREATE TABLE x (a int, b int GENERATED ALWAYS AS ((SELECT 1)) STORED)", "0A000"),
        ("CREATE TABLE x (a int, b int GENERATED ALWAYS AS (a) STORED NOT NULL)", "0A000"),
        ("CREATE TABLE x (a int, b int GENERATED ALWAYS AS (a) STORED PRIMARY KEY)", "0A000"),
        ("CREATE TABLE x (a int, b int GENERATED ALWAYS AS (a) STORED, UNIQUE (b))", "0A000"),
        ("CREATE TABLE x (a int, b varchar(3) GENERATED ALWAYS AS (a::text) STORED)", "0A000"),
        ("INSERT INTO g VALUES (1, 2)", "428C9"),
        ("INSERT INTO g SELECT 1, 2", "428C9"),
        ("INSERT INTO g (a) VALUES (1) ON CONFLICT DO NOTHING; UPDATE g SET twice = a", "428C9"),
        ("ALTER TABLE g ALTER COLUMN a TYPE bigint", "0A000"),
        ("ALTER TABLE g ALTER COLUMN a TYPE bigint, ADD CHECK (a > 0)", "0A000"),
        ("ALTER TABLE g DROP COLUMN a", "2BP01"),
        ("ALTER TABLE g DROP COLUMN a, ADD CHECK (name > 'a')", "2BP01"),
    ],
)
def test_what_cannot_be_is_refused(connection: psycopg.Connection, sql: str, sqlstate: str) -> None:
    with pytest.raises(errors.Error) as error:
        connection.execute(sql.encode())
    assert error.value.sqlstate == sqlstate


WRITTEN = [
    ("INSERT INTO g VALUES (1, DEFAULT, 'n', DEFAULT, DEFAULT)", (1, 2, "n", "N!")),
    ("INSERT INTO g (twice, a) VALUES (DEFAULT, 1), (DEFAULT, 1)", (1, 2, "q", "Q!")),
    ("INSERT INTO g VALUES (1)", (1, 2, "q", "Q!")),
    ("INSERT INTO g SELECT 1", (1, 2, "q", "Q!")),
    ("INSERT INTO g (loud, twice) VALUES (DEFAULT, DEFAULT)", (None, None, "q", "Q!")),
    ("INSERT INTO g (a) VALUES (3); UPDATE g SET twice = DEFAULT", (3, 6, "q", "Q!")),
    ("INSERT INTO g (a) VALUES (3); UPDATE g SET twice = DEFAULT, a = 4", (4, 8, "q", "Q!")),
]


@pytest.mark.parametrize(("sql", "row"), WRITTEN)
def test_default_is_what_they_are(
    connection: psycopg.Connection, sql: str, row: tuple[object, ...]
) -> None:
    connection.execute(sql.encode())
    found = connection.execute("SELECT DISTINCT a, twice, name, loud FROM g").fetchall()
    assert found == [row]


@pytest.mark.parametrize(
    "change",
    [
        "ADD COLUMN more int NOT NULL DEFAULT 5",
        "ADD COLUMN more int GENERATED ALWAYS AS (a - 1) STORED",
        "ADD CHECK (a > 0)",
        "ADD UNIQUE (a), ADD PRIMARY KEY (a)",
        "DROP COLUMN price",
        "DROP COLUMN price, ADD CHECK (a > 0)",
        "ALTER COLUMN name SET NOT NULL",
        "RENAME COLUMN a TO b",
        "RENAME TO h",
    ],
)
def test_their_table_is_altered(connection: psycopg.Connection, change: str) -> None:
    connection.execute("INSERT INTO g (a) VALUES (1), (2)")
    connection.execute("ALTER TABLE g ADD PRIMARY KEY (a)" if "ADD" not in change else "SELECT 1")
    connection.execute(f"ALTER TABLE g {change}".encode())
    table, column = ("h" if "RENAME TO" in change else "g"), ("b" if "TO b" in change else "a")
    connection.execute(f"INSERT INTO {table} ({column}) VALUES (3)".encode())
    found = connection.execute(f"SELECT twice, loud FROM {table} ORDER BY {column}".encode())
    assert found.fetchall() == [(2, "Q!"), (4, "Q!"), (6, "Q!")]
    assert dict(generated(connection, f"scratch.{table}"))["twice"] == "s"
    if "more int GENERATED" in change:
        assert connection.execute("SELECT more FROM g ORDER BY a").fetchall() == [(0,), (1,), (2,)]


def test_their_table_is_made_again_for_another(connection: psycopg.Connection) -> None:
    for statement in (
        "INSERT INTO g (a) VALUES (1), (2)",
        "ALTER TABLE g ADD PRIMARY KEY (a)",
        "CREATE TABLE of_g (a int REFERENCES g ON DELETE CASCADE, twice int GENERATED ALWAYS AS (a * 2) STORED)",
        "INSERT INTO of_g VALUES (1), (2)",
        "ALTER TABLE g ADD CHECK (a > 0)",
        "DELETE FROM g WHERE a = 1",
    ):
        connection.execute(statement.encode())
    assert connection.execute("SELECT * FROM of_g").fetchall() == [(2, 4)]
    assert generated(connection, "scratch.of_g") == [("a", ""), ("twice", "s")]


@pytest.mark.parametrize(("options", "mark"), [("INCLUDING ALL", "s"), ("", "")])
def test_a_table_like_theirs(connection: psycopg.Connection, options: str, mark: str) -> None:
    connection.execute(f"CREATE TABLE other (LIKE g {options})".encode())
    assert dict(generated(connection, "scratch.other"))["twice"] == mark


def test_snowflakes_are_shown_too(connection: psycopg.Connection) -> None:
    connection.execute("SET hatidata.dialect = 'snowflake'")
    connection.execute("CREATE TABLE s (a INT, b INT AS (a * 2))")
    assert generated(connection, "scratch.s") == [("a", ""), ("b", "s")]
    connection.execute("CREATE OR REPLACE TABLE s (a INT, b INT)")
    assert generated(connection, "scratch.s") == [("a", ""), ("b", "")]
