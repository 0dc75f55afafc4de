"""CREATE, REFRESH, ALTER and DROP MATERIALIZED VIEW in Postgres's dialect: what they do, what Postgres's
catalog shows of them, and what they depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest


@pytest.fixture
def pg(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    """In Postgres's dialect, with a table and a materialized view of it."""
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE src (id int PRIMARY KEY, name varchar(10))")
    connection.execute("INSERT INTO src VALUES (1, 'a'), (2, 'b')")
    done = connection.execute("CREATE MATERIALIZED VIEW mv AS SELECT id, name FROM src -- all")
    assert done.statusmessage == "SELECT 2"
    return connection


def rows(connection: psycopg.Connection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


def listed(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return rows(
        connection,
        "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'scratch'::regnamespace "
        "AND relkind <> 'i' ORDER BY 1",
    )


def test_rows_are_those_of_the_last_refresh(pg: psycopg.Connection) -> None:
    pg.execute("CREATE UNIQUE INDEX mv_id ON mv (id)")
    pg.execute("INSERT INTO src VALUES (3, 'c')")
    pg.execute("UPDATE src SET name = 'changed' WHERE id = 1")
    assert rows(pg, "SELECT * FROM mv ORDER BY id") == [(1, "a"), (2, "b")]
    assert pg.execute("REFRESH MATERIALIZED VIEW mv").statusmessage == "REFRESH MATERIALIZED VIEW"
    assert rows(pg, "SELECT * FROM mv ORDER BY id") == [(1, "changed"), (2, "b"), (3, "c")]
    pg.execute("DELETE FROM src WHERE id = 2")
    with pg.transaction():
        pg.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY scratch.mv WITH DATA")
        assert rows(pg, "SELECT count(*) FROM mv") == [(2,)]


def test_the_catalog_shows_it(pg: psycopg.Connection) -> None:
    pg.execute("CREATE INDEX mv_name ON mv (name)")
    pg.execute("COMMENT ON MATERIALIZED VIEW mv IS 'kept rows'")
    pg.execute("COMMENT ON COLUMN mv.id IS 'whose'")
    assert listed(pg) == [("mv", "m"), ("src", "r")]
    ((definition, populated, indexed),) = rows(
        pg, "SELECT definition, ispopulated, hasindexes FROM pg_matviews WHERE matviewname = 'mv'"
    )
    assert definition.split() == ["SELECT", "id,", "name", "FROM", "src;"]
    assert (populated, indexed) == (True, True)
    assert rows(
        pg,
        "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum), "
        "obj_description(attrelid, 'pg_class') FROM pg_attribute "
        "WHERE attrelid = 'mv'::regclass AND attnum > 0 ORDER BY attnum",
    ) == [
        ("id", "integer", "whose", "kept rows"),
        ("name", "character varying(10)", None, "kept rows"),
    ]
    assert rows(pg, "SELECT tablename FROM pg_tables WHERE schemaname = 'scratch'") == [("src",)]
    pg.execute("SET hatidata.dialect = 'snowflake'")
    assert [row[1] for row in rows(pg, "SHOW VIEWS IN SCHEMA scratch")] == []


def test_it_depends_on_what_it_reads_and_follows_it(pg: psycopg.Connection) -> None:
    pg.execute("CREATE VIEW over_mv AS SELECT id FROM mv")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist) as caught:
        pg.execute("DROP TABLE src")
    assert caught.value.diag.message_detail == (
        "materialized view mv depends on table src\nview over_mv depends on materialized view mv"
    )
    with pytest.raises(psycopg.errors.DependentObjectsStillExist) as caught:
        pg.execute("DROP MATERIALIZED VIEW mv")
    assert caught.value.diag.message_detail == "view over_mv depends on materialized view mv"
    pg.execute("ALTER TABLE src RENAME TO source")
    pg.execute("REFRESH MATERIALIZED VIEW mv")
    pg.execute("GRANT SELECT ON mv TO hd_agent")
    pg.execute("ALTER MATERIALIZED VIEW mv RENAME TO kept")
    assert rows(pg, "SELECT id FROM over_mv ORDER BY 1") == [(1,), (2,)]
    assert "FROM source src" in rows(pg, "SELECT pg_get_viewdef('kept'::regclass)")[0][0]
    assert rows(pg, "SELECT has_table_privilege('hd_agent', 'kept', 'SELECT')") == [(True,)]
    pg.execute("REFRESH MATERIALIZED VIEW kept")
    pg.execute("DROP TABLE source CASCADE")
    assert listed(pg) == []


def test_dbt_puts_a_new_one_in_its_place(pg: psycopg.Connection) -> None:
    with pg.transaction():
        pg.execute(
            "CREATE MATERIALIZED VIEW IF NOT EXISTS mv__tmp AS SELECT id FROM src WHERE id > 1"
        )
        pg.execute("CREATE INDEX IF NOT EXISTS ix ON mv__tmp (id)")
        pg.execute("ALTER MATERIALIZED VIEW mv RENAME TO mv__backup")
        pg.execute("ALTER MATERIALIZED VIEW mv__tmp RENAME TO mv")
        assert listed(pg) == [("mv", "m"), ("mv__backup", "m"), ("src", "r")]
    pg.execute("DROP MATERIALIZED VIEW IF EXISTS mv__backup CASCADE")
    assert rows(pg, "SELECT * FROM mv") == [(2,)]
    assert listed(pg) == [("mv", "m"), ("src", "r")]
    with pytest.raises(psycopg.errors.DivisionByZero), pg.transaction():
        pg.execute("DROP MATERIALIZED VIEW mv")
        pg.execute("SELECT 1 / 0")
    assert listed(pg) == [("mv", "m"), ("src", "r")]


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        ("INSERT INTO mv VALUES (9, 'z')", "42809", 'cannot change materialized view "mv"'),
        ("UPDATE scratch.mv SET id = 9", "42809", 'cannot change materialized view "mv"'),
        ("DELETE FROM mv WHERE id = 1", "42809", 'cannot change materialized view "mv"'),
        ("COPY mv FROM STDIN", "42809", 'cannot copy to materialized view "mv"'),
        ("TRUNCATE mv", "42809", '"mv" is not a table'),
        ("DROP TABLE mv", "42809", '"mv" is not a table'),
        ("DROP MATERIALIZED VIEW src", "42809", '"src" is not a materialized view'),
        ("REFRESH MATERIALIZED VIEW src", "42809", '"src" is not a materialized view'),
        ("REFRESH MATERIALIZED VIEW nowhere", "42P01", 'materialized view "nowhere" does not exist'),
        ("DROP MATERIALIZED VIEW nowhere", "42P01", 'materialized view "nowhere" does not exist'),
        ("CREATE MATERIALIZED VIEW mv AS SELECT 1", "42P07", 'relation "mv" already exists'),
        ("CREATE MATERIALIZED VIEW w AS SELECT nope FROM src", "42703", 'column "nope" does not exist'),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY mv", "55000",
         'cannot refresh materialized view "scratch.mv" concurrently'),
    ],
)  # fmt: skip
def test_what_cannot_be_done(
    pg: psycopg.Connection, text: str, sqlstate: str, message: str
) -> None:
    rows(pg, "SELECT count(*) FROM pg_class")  # what was made is mirrored
    with pytest.raises(psycopg.Error) as caught:
        pg.execute(text)
    assert (caught.value.sqlstate, caught.value.diag.message_primary) == (sqlstate, message)
    assert rows(pg, "SELECT count(*) FROM mv") == [(2,)]


def test_it_is_found_again_by_another_start(start_server: Callable[..., Any]) -> None:
    first = start_server()
    with first.connect(options="-c hatidata.dialect=postgres") as connection:
        connection.execute("CREATE TABLE src AS SELECT 1 AS id")
        connection.execute("CREATE MATERIALIZED VIEW mv AS SELECT id FROM src")
    first.process._stop()
    again = start_server("--data-dir", str(first.process.data_directory))
    with again.connect(options="-c hatidata.dialect=postgres") as connection:
        assert rows(connection, "SELECT ispopulated FROM pg_matviews") == [(True,)]
        with pytest.raises(psycopg.Error, match="cannot change materialized view"):
            connection.execute("INSERT INTO mv VALUES (2)")
        connection.execute("REFRESH MATERIALIZED VIEW mv")
