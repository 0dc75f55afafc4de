"""Uncommitted definitions are their author's alone, in the catalog as in DuckDB."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from .test_mirror import names, relations


@pytest.fixture
def author(server: Any, schema: str) -> Any:
    with server.connect(autocommit=False) as connection:
        connection.execute("SET search_path = scratch")
        connection.commit()
        yield connection
        connection.rollback()


def test_a_block_sees_its_own_definitions_and_nobody_else_does(
    author: psycopg.Connection, connection: psycopg.Connection, schema: str
) -> None:
    author.execute("CREATE TABLE t (a INT)")
    author.execute("CREATE VIEW v AS SELECT a FROM t")
    assert relations(author, schema) == {"t": "r", "v": "v"}
    author.execute("ALTER TABLE t ADD COLUMN b INT")
    assert names(author, "t") == ["a", "b"]
    assert relations(connection, schema) == {}
    author.commit()
    assert relations(connection, schema) == {"t": "r", "v": "v"}
    assert names(connection, "t") == ["a", "b"]


def test_a_rollback_takes_the_definitions_back(
    author: psycopg.Connection, connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE kept (a INT)")
    author.execute("DROP TABLE kept")
    author.execute("CREATE TABLE new (a INT)")
    assert relations(author, schema) == {"new": "r"}
    author.rollback()
    assert relations(author, schema) == {"kept": "r"} == relations(connection, schema)
    author.execute("DROP TABLE kept")  # nothing asked within the block
    author.rollback()
    assert relations(author, schema) == {"kept": "r"}


def test_an_error_takes_the_definitions_back(
    author: psycopg.Connection, connection: psycopg.Connection, schema: str
) -> None:
    author.execute("CREATE TABLE new (a INT)")
    assert relations(author, schema) == {"new": "r"}
    with pytest.raises(psycopg.Error):
        author.execute("SELECT * FROM nowhere")
    author.rollback()
    assert relations(author, schema) == {}


def test_what_nobody_asked_about_is_there_after_commit(
    author: psycopg.Connection, connection: psycopg.Connection, schema: str
) -> None:
    author.execute("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b")
    author.execute("ALTER TABLE t RENAME TO u")
    author.commit()
    assert relations(connection, schema) == {"u": "r"}


def test_a_savepoint_is_gone_back_to(
    author: psycopg.Connection, connection: psycopg.Connection, schema: str
) -> None:
    author.execute("CREATE TABLE before (a INT)")
    assert relations(author, schema) == {"before": "r"}
    author.execute("SAVEPOINT s")
    author.execute("CREATE TABLE after (a INT)")
    assert relations(author, schema) == {"before": "r", "after": "r"}
    author.execute("ROLLBACK TO SAVEPOINT s")
    assert relations(author, schema) == {"before": "r"}
    author.execute("CREATE TABLE other (a INT)")
    author.commit()
    assert relations(connection, schema) == {"before": "r", "other": "r"}


def test_statements_of_one_message_are_one_block(
    connection: psycopg.Connection, schema: str
) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute("CREATE TABLE t (a INT); SELECT 't'::regclass; SELECT 1/0 FROM nowhere")
    assert relations(connection, schema) == {}
    connection.execute("CREATE TABLE t (a INT); SELECT 't'::regclass; CREATE TABLE u (a INT)")
    assert relations(connection, schema) == {"t": "r", "u": "r"}


def test_dbt_creates_inspects_renames_and_commits(
    author: psycopg.Connection, connection: psycopg.Connection, schema: str
) -> None:
    """What dbt-postgres does for a table model, and again for its second run."""
    listing = (
        "SELECT 'hatidata' AS database, tablename AS name, schemaname AS schema, 'table' AS type "
        "FROM pg_tables WHERE schemaname ILIKE 'scratch' UNION ALL "
        "SELECT 'hatidata', viewname, schemaname, 'view' FROM pg_views WHERE schemaname ILIKE 'scratch'"
    )
    shape = (
        'SELECT column_name, data_type FROM "hatidata".INFORMATION_SCHEMA.columns '
        "WHERE table_name = 'model__dbt_tmp' AND table_schema = 'scratch' ORDER BY ordinal_position"
    )
    # With a database's name in front it is Snowflake's INFORMATION_SCHEMA in Snowflake's dialect.
    author.execute("SET hatidata.dialect = 'postgres'")
    for run in (1, 2):
        author.execute(
            'CREATE TABLE "hatidata"."scratch"."model__dbt_tmp" AS (SELECT 1 AS id, 2.5::NUMERIC(6,2) AS price)'
        )
        assert author.execute(shape).fetchall() == [("id", "integer"), ("price", "numeric")]
        if run == 2:
            author.execute('ALTER TABLE "hatidata"."scratch"."model" RENAME TO "model__dbt_backup"')
        author.execute('ALTER TABLE "hatidata"."scratch"."model__dbt_tmp" RENAME TO "model"')
        found = {row[1] for row in author.execute(listing)}
        assert found == ({"model"} if run == 1 else {"model", "model__dbt_backup"})
        author.commit()
        author.execute('DROP TABLE IF EXISTS "hatidata"."scratch"."model__dbt_backup" CASCADE')
        author.commit()
        assert [row[1] for row in connection.execute(listing)] == ["model"]


def test_sessions_that_define_at_once_do_not_wait_for_each_other(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    """A block is left open with its relations mirrored; others go on beside it, also on its names."""
    with server.connect(autocommit=False) as holder:
        holder.execute("CREATE TABLE scratch.held (a INT)")
        assert relations(holder, schema) == {"held": "r"}
        failures: list[BaseException] = []

        def define(number: int) -> None:
            try:
                with server.connect() as own:
                    for turn in range(5):
                        own.execute(f"CREATE TABLE scratch.t{number}_{turn} (a INT)")
                        own.execute(f"ALTER TABLE scratch.t{number}_{turn} ADD COLUMN b INT")
                        own.execute(
                            f"CREATE OR REPLACE VIEW scratch.shared AS SELECT {number} AS n"
                        )
                        own.execute(f"DROP TABLE scratch.t{number}_{turn}")
            except psycopg.errors.SerializationFailure:
                pass  # DuckDB's: two replaced the view at the same moment
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=define, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failures
        assert not any(thread.is_alive() for thread in threads)
        holder.commit()
    there = {
        row[0]
        for row in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'scratch'"
        )
    }
    assert set(relations(connection, schema)) == there | {"shared"}


def test_a_relation_that_someone_holds_is_mirrored_once_it_is_free(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("CREATE TABLE held (a INT)")
    with server.connect(autocommit=False) as holder:
        holder.execute("CREATE TABLE scratch.mine (a INT)")
        holder.execute("ALTER TABLE scratch.held ADD COLUMN b INT")
        assert names(holder, "scratch.held") == ["a", "b"]  # altered there, until the block ends
        with pytest.raises(psycopg.errors.SerializationFailure):
            connection.execute("ALTER TABLE held ADD COLUMN c INT")
        connection.execute("CREATE SCHEMA scratch_two")
        connection.execute("DROP SCHEMA scratch_two CASCADE")
        holder.rollback()
    assert names(connection, "held") == ["a"]


def test_two_blocks_may_not_define_the_same(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    with server.connect(autocommit=False) as one, server.connect(autocommit=False) as two:
        one.execute("CREATE TABLE scratch.same (a INT)")
        assert names(one, "scratch.same") == ["a"]
        with pytest.raises(psycopg.errors.SerializationFailure):
            two.execute("CREATE TABLE scratch.same (b INT, c INT)")
        two.rollback()
        one.commit()
    assert names(connection, "same") == ["a"]


def test_what_a_block_could_not_mirror_is_there_after_commit(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    """Somebody's open GRANT holds the view; the block goes on, and is right in the end."""
    connection.execute("CREATE VIEW v AS SELECT 1 AS a")
    with server.connect(autocommit=False) as holder, server.connect(autocommit=False) as author:
        holder.execute("GRANT SELECT ON scratch.v TO hd_agent")
        author.execute("CREATE OR REPLACE VIEW scratch.v AS SELECT 1 AS b, 2 AS c")
        author.execute("CREATE TABLE scratch.t (x INT)")
        assert names(author, "scratch.v") == ["a"]
        assert names(author, "scratch.t") == ["x"]
        holder.commit()
        author.commit()
    assert names(connection, "v") == ["b", "c"]
