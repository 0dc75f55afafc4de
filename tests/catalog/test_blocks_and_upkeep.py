"""DO blocks, and statements about what Postgres alone keeps: they act on the catalog, or are refused."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def connection(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute(
        "CREATE TABLE kept (id serial PRIMARY KEY, n int CONSTRAINT positive CHECK (n > 0))"
    )
    connection.execute("CREATE INDEX kept_n ON kept (n)")
    return connection


def test_a_block_about_the_control_plane_is_postgres_s(connection: psycopg.Connection) -> None:
    told: list[str | None] = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary))
    connection.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
    connection.execute("DO LANGUAGE plpgsql 'BEGIN PERFORM 1; END'")
    connection.execute(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postgres') "
        "THEN CREATE ROLE nobody; END IF; END $$"
    )
    connection.execute("DO $$ BEGIN PERFORM count(*) FROM hd_runtime.tasks; END $$")
    with pytest.raises(errors.DataException, match="no"):
        connection.execute("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '22000'; END $$")
    assert told == ["hello"]


@pytest.mark.parametrize(
    "body",
    [
        "IF NOT EXISTS (SELECT FROM kept) THEN INSERT INTO kept (n) VALUES (1); END IF;",
        "FOR i IN 1..3 LOOP INSERT INTO kept (n) VALUES (i); END LOOP;",
        "INSERT INTO kept (n) VALUES (1); PERFORM count(*) FROM kept;",
        "INSERT INTO kept (n) VALUES (1); EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'no';",
        "PERFORM count(*) FROM kept;",
        "PERFORM 1 FROM pg_class JOIN kept ON true;",
        "EXECUTE 'DROP TABLE kept';",
    ],
)
def test_a_block_about_anything_else_is_refused(connection: psycopg.Connection, body: str) -> None:
    with pytest.raises(errors.FeatureNotSupported, match="DO is not supported"):
        connection.execute(f"DO $$ BEGIN {body} END $$".encode())
    assert connection.execute("SELECT count(*) FROM kept").fetchall() == [(0,)]


def test_comments_on_what_postgres_alone_tells_of(connection: psycopg.Connection) -> None:
    connection.execute("COMMENT ON CONSTRAINT positive ON kept IS 'above zero'")
    connection.execute("COMMENT ON INDEX kept_n IS 'for n'")
    connection.execute("COMMENT ON SEQUENCE kept_id_seq IS 'numbers'")
    connection.execute("COMMENT ON SCHEMA scratch IS 'for tests'")
    assert connection.execute(
        "SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint "
        "WHERE conname = 'positive' AND conrelid = 'kept'::regclass"
    ).fetchall() == [("above zero",)]
    assert connection.execute(
        "SELECT obj_description('kept_n'::regclass), obj_description('kept_id_seq'::regclass), "
        "obj_description('scratch'::regnamespace, 'pg_namespace')"
    ).fetchall() == [("for n", "numbers", "for tests")]
    with pytest.raises(errors.UndefinedObject, match='constraint "gone" for table "kept"'):
        connection.execute("COMMENT ON CONSTRAINT gone ON kept IS 'x'")
    with pytest.raises(errors.UndefinedTable):
        connection.execute("COMMENT ON INDEX gone IS 'x'")


def test_upkeep_of_what_is_there(connection: psycopg.Connection) -> None:
    for sql in ("REINDEX TABLE kept", "REINDEX INDEX kept_n", "CLUSTER kept USING kept_n"):
        assert connection.execute(sql).statusmessage == sql.partition(" ")[0]
    for sql in ("REINDEX TABLE gone", "REINDEX INDEX gone", "CLUSTER gone USING kept_n"):
        with pytest.raises(errors.UndefinedTable):
            connection.execute(sql)


def test_exists_asks_for_no_columns(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO kept (n) VALUES (1)")
    found = connection.execute(
        "SELECT EXISTS (SELECT FROM kept WHERE n = 1), EXISTS (SELECT FROM kept WHERE n = 2)"
    )
    assert found.fetchall() == [(True, False)]
