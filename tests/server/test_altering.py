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
