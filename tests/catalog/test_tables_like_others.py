"""CREATE TABLE ... (LIKE other): what comes along is what Postgres brings along."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def connection(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute(
        "CREATE TABLE source (id serial PRIMARY KEY, name text NOT NULL CONSTRAINT named UNIQUE, "
        "region varchar(10) DEFAULT 'x', n int, CONSTRAINT positive CHECK (n > 0), CHECK (n < 100))"
    )
    connection.execute("CREATE INDEX on_n ON source (n)")
    connection.execute("COMMENT ON COLUMN source.n IS 'a number'")
    connection.execute("CREATE TABLE refers (id int PRIMARY KEY, source int REFERENCES source)")
    return connection


def columns(connection: psycopg.Connection, table: str) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, atthasdef, "
        "col_description(attrelid, attnum) FROM pg_attribute "
        f"WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"
    ).fetchall()


def declared(connection: psycopg.Connection, table: str) -> list[tuple[str, ...]]:
    found = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        f"WHERE conrelid = '{table}'::regclass AND contype <> 'n' ORDER BY 1"
    ).fetchall()
    indexes = connection.execute(
        f"SELECT indexname FROM pg_indexes WHERE tablename = '{table}' ORDER BY 1"
    )
    return [*found, *indexes.fetchall()]


def test_columns_alone(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE made (LIKE source)")
    assert columns(connection, "made") == [
        ("id", "integer", True, False, None),
        ("name", "text", True, False, None),
        ("region", "character varying(10)", False, False, None),
        ("n", "integer", False, False, None),
    ]
    assert declared(connection, "made") == []


def test_all_of_it(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE made (LIKE source INCLUDING ALL)")
    assert columns(connection, "made") == [
        ("id", "integer", True, True, None),
        ("name", "text", True, False, None),
        ("region", "character varying(10)", False, True, None),
        ("n", "integer", False, False, "a number"),
    ]
    assert declared(connection, "made") == [
        ("made_name_key", "UNIQUE (name)"),
        ("made_pkey", "PRIMARY KEY (id)"),
        ("positive", "CHECK ((n > 0))"),
        ("source_n_check", "CHECK ((n < 100))"),
        ("made_n_idx",),
        ("made_name_key",),
        ("made_pkey",),
    ]
    found = connection.execute("INSERT INTO made (name) VALUES ('a') RETURNING id, region")
    assert found.fetchall() == [(1, "x")]
    found = connection.execute("INSERT INTO source (name) VALUES ('a') RETURNING id")
    assert found.fetchall() == [(2,)]  # it counts for both
    with pytest.raises(errors.CheckViolation, match='"positive"'):
        connection.execute("INSERT INTO made (name, n) VALUES ('b', -1)")


def test_some_of_it_beside_columns_of_its_own(connection: psycopg.Connection) -> None:
    connection.execute(
        "CREATE TABLE made (extra serial, LIKE source INCLUDING ALL EXCLUDING INDEXES, "
        "note text CONSTRAINT short CHECK (length(note) < 3), PRIMARY KEY (extra))"
    )
    assert [row[0] for row in columns(connection, "made")] == [
        *("extra", "id", "name", "region", "n", "note")
    ]
    assert [row[0] for row in declared(connection, "made")] == [
        *("made_pkey", "positive", "short", "source_n_check", "made_pkey")
    ]
    found = connection.execute("INSERT INTO made (name) VALUES ('a') RETURNING extra")
    assert found.fetchall() == [(1,)]


def test_foreign_keys_do_not_come_along(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TEMP TABLE staged (LIKE refers INCLUDING ALL)")
    connection.execute("INSERT INTO staged VALUES (1, 99)")
    with pytest.raises(errors.UniqueViolation):
        connection.execute("INSERT INTO staged VALUES (1, 98)")
    connection.execute("DROP TABLE staged")


def test_what_is_there_stays(connection: psycopg.Connection) -> None:
    told: list[str] = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    connection.execute("CREATE TABLE IF NOT EXISTS refers (LIKE source)")
    assert told == ['relation "refers" already exists, skipping']
    assert [row[0] for row in columns(connection, "refers")] == ["id", "source"]


def test_what_is_not_there_is_no_pattern(connection: psycopg.Connection) -> None:
    with pytest.raises(errors.UndefinedTable, match='"gone" does not exist'):
        connection.execute("CREATE TABLE made (LIKE gone)")
    with pytest.raises(errors.SyntaxError, match=r"(?i)everything"):
        connection.execute("CREATE TABLE made (LIKE source INCLUDING everything)")
