"""ALTER TABLE on what DuckDB's own does not take: views, and tables that have indexes."""

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


def indexes(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'scratch' ORDER BY 1, 2"
    ).fetchall()


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


@pytest.mark.parametrize("prepared", [False, True])
def test_a_table_with_indexes_is_renamed_and_widened(
    author: psycopg.Connection, prepared: bool
) -> None:
    author.execute("CREATE TABLE t (a INT, b INT)")
    author.execute('CREATE UNIQUE INDEX "by a" ON t (a)')
    author.execute("CREATE INDEX by_b ON scratch.t ((b + 1), a)")
    author.execute("INSERT INTO t VALUES (1, 2)")
    told: list[str | None] = []
    author.add_notice_handler(lambda notice: told.append(notice.message_primary))
    author.execute('ALTER TABLE scratch.t RENAME TO "T on u"', prepare=prepared)
    author.execute('ALTER TABLE "T on u" ADD COLUMN c INT', prepare=prepared)
    assert author.execute('SELECT * FROM "T on u"').fetchall() == [(1, 2, None)]
    assert indexes(author) == [("T on u", "by a_2"), ("T on u", "by_b_2")]
    assert told == [
        'index "by a" is now called "by a_1", "by_b" is now called "by_b_1"',
        'index "by a_1" is now called "by a_2", "by_b_1" is now called "by_b_2"',
    ]
    with pytest.raises(psycopg.errors.UniqueViolation):
        author.execute('INSERT INTO "T on u" VALUES (1, 3, 4)')


def test_the_indexes_of_a_block_that_is_rolled_back_stay(author: psycopg.Connection) -> None:
    author.execute("CREATE TABLE t (a INT)")
    author.execute("CREATE UNIQUE INDEX i ON t (a)")
    author.execute("INSERT INTO t VALUES (1)")
    with author.transaction(force_rollback=True):
        author.execute("ALTER TABLE t RENAME TO u")
        assert indexes(author) == [("u", "i_1")]
    assert indexes(author) == [("t", "i")]
    with pytest.raises(psycopg.errors.UniqueViolation):
        author.execute("INSERT INTO t VALUES (1)")


def test_an_index_of_a_namesake_in_another_schema_is_left_alone(author: psycopg.Connection) -> None:
    author.execute("CREATE SCHEMA IF NOT EXISTS other_scratch")
    try:
        author.execute("CREATE TABLE other_scratch.t (a INT)")
        author.execute("CREATE INDEX i ON other_scratch.t (a)")
        author.execute("CREATE TABLE t (a INT)")
        author.execute("ALTER TABLE t RENAME TO u")
        assert author.execute(
            "SELECT tablename FROM pg_indexes WHERE schemaname = 'other_scratch'"
        ).fetchall() == [("t",)]
    finally:
        author.execute("DROP SCHEMA other_scratch CASCADE")
