"""ALTER TABLE on what DuckDB's own does not take: views."""

from __future__ import annotations

import psycopg
import pytest


@pytest.fixture(params=["postgres", "snowflake"])
def author(
    request: pytest.FixtureRequest, connection: psycopg.Connection, schema: str
) -> psycopg.Connection:
    connection.execute(f"SET hatidata.dialect = '{request.param}'")
    yield connection
    connection.execute("RESET hatidata.dialect")


def test_alter_table_renames_a_view(author: psycopg.Connection) -> None:
    author.execute("CREATE VIEW v AS SELECT 1 AS a")
    assert author.execute("ALTER TABLE v RENAME TO w").statusmessage == "ALTER TABLE"
    author.execute('ALTER TABLE "hatidata"."scratch"."w" RENAME TO "X y"')
    assert author.execute('SELECT a FROM scratch."X y"').fetchall() == [(1,)]
    assert author.execute(
        "SELECT viewname FROM pg_views WHERE schemaname = 'scratch'"
    ).fetchall() == [("X y",)]


def test_a_view_takes_a_tables_name_in_one_block(author: psycopg.Connection) -> None:
    author.execute("CREATE TABLE t AS SELECT 1 AS a")
    with author.transaction():
        author.execute("CREATE VIEW t__new AS SELECT 2 AS a")
        author.execute("ALTER TABLE t RENAME TO t__old")
        author.execute("ALTER TABLE t__new RENAME TO t")
        author.execute("DROP TABLE t__old CASCADE")
    assert author.execute("SELECT a FROM t").fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("kind", "default", "value"),
    [
        ("timestamptz", "now()", "added IS NOT NULL"),
        ("uuid", "gen_random_uuid()", "added IS NOT NULL"),
        ("int", "1 + 1", "added = 2"),
        ("date", "date '2024-01-01'", "added = date '2024-01-01'"),
        ("boolean", "true", "added"),
    ],
)
def test_an_added_column_may_have_any_default(
    connection: psycopg.Connection, kind: str, default: str, value: str
) -> None:
    connection.execute("SET hatidata.dialect = postgres")
    connection.execute("CREATE OR REPLACE TABLE grown (a int)")
    connection.execute("INSERT INTO grown VALUES (1), (2)")
    connection.execute(f"ALTER TABLE grown ADD COLUMN added {kind} DEFAULT {default}")
    connection.execute("INSERT INTO grown (a) VALUES (3)")
    rows = connection.execute(f"SELECT a, {value} FROM grown ORDER BY a").fetchall()
    assert rows == [(1, True), (2, True), (3, True)]
    connection.execute("DROP TABLE grown")


@pytest.mark.parametrize("kind", ["VIEW", "TABLE"])
def test_what_is_made_of_a_query_has_the_names_that_the_query_has(
    connection: psycopg.Connection, kind: str
) -> None:
    connection.execute(f"CREATE OR REPLACE {kind} made AS SELECT upper('x'), count(*)")
    made = connection.execute("SELECT * FROM made")
    assert [column.name for column in made.description or ()] == ["upper", "count"]
    connection.execute(f"DROP {kind} made")
