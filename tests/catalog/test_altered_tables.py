"""ALTER TABLE that DuckDB cannot do to a table that is there: the table is made anew."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from proxy.demo.server import ServerProcess

Ask = Any


def asking(connection: psycopg.Connection) -> Ask:
    def ask(sql: str) -> list[tuple[Any, ...]]:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []

    return ask


@pytest.fixture(params=["snowflake", "postgres"])
def ask(request: pytest.FixtureRequest, connection: psycopg.Connection, schema: str) -> Ask:
    """Runs a statement in each dialect, where `kept` has two rows, an index and comments."""
    connection.execute(f"SET hatidata.dialect = '{request.param}'")
    run = asking(connection)
    run("CREATE TABLE kept (id SERIAL PRIMARY KEY, name VARCHAR(10) NOT NULL, n INT, ok BOOLEAN)")
    run("INSERT INTO kept (name, n, ok) VALUES ('a', 1, true), ('b', 2, false)")
    run("CREATE INDEX kept_ok ON kept (ok)")
    run("COMMENT ON TABLE kept IS 'it''s kept'")
    run("COMMENT ON COLUMN kept.name IS 'a name'")
    return run


def constraints(ask: Ask, table: str = "kept") -> list[tuple[str, str]]:
    return ask(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        f"WHERE conrelid = 'scratch.{table}'::regclass AND contype IN ('c', 'f', 'u') ORDER BY 1"
    )


def test_all_else_stays(ask: Ask) -> None:
    ask("ALTER TABLE kept ADD CONSTRAINT positive CHECK (n > 0)")
    assert ask("SELECT id, name, n, ok FROM kept ORDER BY id") == [
        (1, "a", 1, True),
        (2, "b", 2, False),
    ]
    assert ask(
        "SELECT obj_description('kept'::regclass), col_description('kept'::regclass, 2)"
    ) == [("it's kept", "a name")]
    assert ask("SELECT indexname FROM pg_indexes WHERE tablename = 'kept' ORDER BY 1") == [
        ("kept_ok",),
        ("kept_pkey",),
    ]
    assert ask("INSERT INTO kept (name, n) VALUES ('c', 3) RETURNING id") == [(3,)]
    assert ask("SELECT pg_get_serial_sequence('kept', 'id')") == [("scratch.kept_id_seq",)]
    with pytest.raises(errors.CheckViolation):
        ask("INSERT INTO kept (name, n) VALUES ('d', -1)")
    with pytest.raises(errors.UniqueViolation):
        ask("INSERT INTO kept (id, name) VALUES (1, 'd')")


def test_unique_constraints_have_names(ask: Ask) -> None:
    ask("ALTER TABLE kept ADD CONSTRAINT one_name UNIQUE (name)")
    ask("ALTER TABLE ONLY kept ADD UNIQUE (n, ok)")
    assert constraints(ask)[-1:] == [("one_name", "UNIQUE (name)")]
    assert ("kept_n_ok_key", "UNIQUE (n, ok)") in constraints(ask)
    with pytest.raises(errors.UniqueViolation):
        ask("INSERT INTO kept (name) VALUES ('a')")
    assert ask(
        "INSERT INTO kept (name, n) VALUES ('a', 9) ON CONFLICT (name) "
        "DO UPDATE SET n = excluded.n RETURNING id, n"
    ) == [(1, 9)]
    ask("ALTER TABLE kept DROP CONSTRAINT one_name")
    ask("INSERT INTO kept (name) VALUES ('a')")
    with pytest.raises(errors.UndefinedObject):
        ask("ALTER TABLE kept DROP CONSTRAINT one_name")
    ask("ALTER TABLE kept DROP CONSTRAINT IF EXISTS one_name")


def test_a_foreign_key_as_mappers_add_it(ask: Ask) -> None:
    ask("CREATE TABLE parents (id INT PRIMARY KEY)")
    ask("INSERT INTO parents VALUES (1), (2)")
    ask(
        "ALTER TABLE kept ADD CONSTRAINT to_parent FOREIGN KEY (n) REFERENCES parents (id) "
        "DEFERRABLE INITIALLY DEFERRED"
    )
    found = [definition for _, definition in constraints(ask)]
    assert found == ["FOREIGN KEY (n) REFERENCES parents(id)"]
    if ask("SHOW hatidata.dialect") == [("postgres",)]:  # it is not enforced in Snowflake
        with pytest.raises(errors.ForeignKeyViolation):
            ask("INSERT INTO kept (name, n) VALUES ('c', 7)")
    else:
        assert constraints(ask)[0][0] == "to_parent"
        ask("ALTER TABLE kept DROP CONSTRAINT to_parent")
        assert constraints(ask) == []


def test_columns_with_more_than_a_default(ask: Ask) -> None:
    ask("ALTER TABLE kept ADD COLUMN code VARCHAR(3) NOT NULL DEFAULT 'x'")
    ask("ALTER TABLE kept ADD COLUMN number BIGSERIAL")
    assert ask("SELECT code FROM kept GROUP BY code") == [("x",)]
    assert sorted(ask("SELECT number FROM kept")) == [(1,), (2,)]
    assert ask("INSERT INTO kept (name) VALUES ('c') RETURNING number") == [(3,)]
    with pytest.raises(errors.StringDataRightTruncation):
        ask("INSERT INTO kept (name, code) VALUES ('d', 'long')")
    assert ask(
        "SELECT format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
        "WHERE attrelid = 'kept'::regclass AND attname IN ('code', 'number') ORDER BY attnum"
    ) == [("character varying(3)", True), ("bigint", True)]
    with pytest.raises(errors.NotNullViolation):
        ask("ALTER TABLE kept ADD COLUMN missing INT NOT NULL")
    with pytest.raises(errors.DuplicateColumn):
        ask("ALTER TABLE kept ADD COLUMN code VARCHAR(3)")
    ask("ALTER TABLE kept ADD COLUMN IF NOT EXISTS code VARCHAR(3)")


def test_types_and_lengths_change(ask: Ask) -> None:
    ask("ALTER TABLE kept ALTER COLUMN name TYPE VARCHAR(20)")
    ask("UPDATE kept SET name = 'twelve chars' WHERE id = 1")
    ask("ALTER TABLE kept ALTER COLUMN name TYPE TEXT USING name || '!'")
    assert ask("SELECT name FROM kept ORDER BY id") == [("twelve chars!",), ("b!",)]
    with pytest.raises(errors.StringDataRightTruncation):
        ask("ALTER TABLE kept ALTER COLUMN name TYPE VARCHAR(5)")
    assert ask("SELECT name FROM kept WHERE id = 2") == [("b!",)]


def test_names_change_though_there_is_an_index(ask: Ask) -> None:
    ask("ALTER TABLE kept RENAME ok TO good")
    ask("ALTER TABLE kept RENAME TO other")
    assert ask("SELECT indexdef FROM pg_indexes WHERE indexname = 'kept_ok'") == [
        ("CREATE INDEX kept_ok ON scratch.other USING btree (good)",)
    ]
    ask("ALTER TABLE other ALTER COLUMN good SET NOT NULL")
    ask("ALTER TABLE other DROP COLUMN good")
    assert ask("SELECT 1 FROM pg_indexes WHERE indexname = 'kept_ok'") == []
    assert ask("INSERT INTO other (name) VALUES ('c') RETURNING id") == [(3,)]
    ask("ALTER TABLE other RENAME TO kept")


def test_it_is_rolled_back(ask: Ask) -> None:
    ask("BEGIN")
    ask("ALTER TABLE kept ADD COLUMN code VARCHAR(3)")
    assert ask("SELECT 1 FROM pg_attribute WHERE attrelid = 'kept'::regclass AND attname = 'code'")
    ask("ROLLBACK")
    assert ask("SELECT count(*) FROM kept") == [(2,)]
    assert ask("INSERT INTO kept (name) VALUES ('c') RETURNING id") == [(3,)]
    with pytest.raises(errors.UndefinedTable):
        ask("ALTER TABLE nothing ADD COLUMN code VARCHAR(3)")
    ask("ALTER TABLE IF EXISTS nothing ADD COLUMN code VARCHAR(3)")


def test_indexes_as_mappers_write_them(ask: Ask) -> None:
    ask("CREATE INDEX like_it ON kept (name varchar_pattern_ops)")
    ask("CREATE INDEX CONCURRENTLY IF NOT EXISTS late ON kept USING btree (n DESC NULLS LAST)")
    ask("CREATE INDEX some ON kept (n) WHERE n > 0")
    ask("CREATE UNIQUE INDEX few ON kept (n) WHERE n > 0")
    assert len(ask("SELECT 1 FROM pg_indexes WHERE tablename = 'kept'")) == 6


def test_it_outlives_a_crash() -> None:
    """DuckDB cannot replay by itself what alters a table that calls functions."""
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        with ServerProcess(Path(directory)) as first:
            with psycopg.connect(first.url, autocommit=True) as connection:
                ask = asking(connection)
                ask("CREATE TABLE kept (id SERIAL PRIMARY KEY, n INT)")
                ask("INSERT INTO kept (n) VALUES (1), (2)")
                ask("CREATE INDEX kept_n ON kept (n)")
                ask("ALTER TABLE kept ADD COLUMN code VARCHAR(3) DEFAULT 'x'")
                ask("INSERT INTO kept (n) VALUES (3)")
                ask("ALTER TABLE kept ADD COLUMN at TIMESTAMP DEFAULT now()")
                ask("CREATE TABLE short (a VARCHAR(3))")
                ask("ALTER TABLE short RENAME a TO b")
                ask("CREATE UNIQUE INDEX one ON short (lower(b)) WHERE b <> 'x'")
                ask("INSERT INTO short VALUES ('x'), ('x'), ('y')")
                ask("CREATE TABLE documents (id INT)")
                ask("INSERT INTO documents VALUES (1)")
                ask('ALTER TABLE documents ADD COLUMN doc JSONB DEFAULT \'{"b":1,"a":2}\'')
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
        with (
            ServerProcess(Path(directory)) as second,
            psycopg.connect(second.url, autocommit=True) as connection,
        ):
            ask = asking(connection)
            assert ask("SELECT id, n, code FROM kept ORDER BY id") == [
                (1, 1, "x"),
                (2, 2, "x"),
                (3, 3, "x"),
            ]
            assert ask("SELECT id FROM kept WHERE n = 2") == [(2,)]
            assert ask("SELECT doc::text FROM documents") == [('{"a": 2, "b": 1}',)]
            ask("INSERT INTO short VALUES ('x')")
            with pytest.raises(errors.UniqueViolation, match="one"):
                ask("INSERT INTO short VALUES ('Y')")
            assert ask("INSERT INTO kept (n) VALUES (4) RETURNING id") == [(4,)]


def test_what_a_remade_table_refers_to_can_be_dropped(
    connection: psycopg.Connection, schema: str
) -> None:
    """DuckDB kept the name that it was made under, and dropped neither it nor what it refers to."""
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE a (id INT4 PRIMARY KEY)")
    connection.execute("CREATE TABLE b (id INT4 PRIMARY KEY)")
    connection.execute("CREATE TABLE refers (a INT4, b INT4, t TEXT)")
    connection.execute("INSERT INTO a VALUES (1)")
    connection.execute("INSERT INTO refers VALUES (1, NULL, 'x')")
    connection.execute("ALTER TABLE refers ADD FOREIGN KEY (a) REFERENCES a")
    connection.execute("ALTER TABLE refers ADD FOREIGN KEY (b) REFERENCES b")
    connection.execute("ALTER TABLE refers ALTER t TYPE VARCHAR(5)")
    assert connection.execute("SELECT * FROM refers").fetchall() == [(1, None, "x")]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute("INSERT INTO refers VALUES (2, NULL, 'y')")
    for table in ("refers", "b", "a"):
        connection.execute(f"DROP TABLE {table}")


def test_a_table_whose_first_name_postgres_cannot_have_is_whole_under_its_next(
    connection: psycopg.Connection, schema: str
) -> None:
    long = "n" * 70
    connection.execute(
        f'CREATE TABLE {schema}."{long}" (a INT PRIMARY KEY, b INT NOT NULL)'.encode()
    )
    connection.execute(f"COMMENT ON TABLE {schema}.\"{long}\" IS 'kept'".encode())
    connection.execute(f'ALTER TABLE {schema}."{long}" RENAME TO {schema}.fits'.encode())
    found = connection.execute(
        "SELECT pg_get_constraintdef(k.oid), obj_description(c.oid) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_constraint k ON k.conrelid = c.oid "
        f"WHERE lower(n.nspname) = lower('{schema}') AND lower(c.relname) = 'fits' "
        "AND k.contype = 'p'".encode()
    ).fetchall()
    assert found == [("PRIMARY KEY (a)", "kept")]


def test_a_comment_is_on_the_column_however_its_name_is_spelt(
    connection: psycopg.Connection, schema: str
) -> None:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute('CREATE TABLE spelt (id int, "Mixed" int)')
    connection.execute("COMMENT ON COLUMN spelt.\"Mixed\" IS 'kept'")
    connection.execute("ALTER TABLE spelt ADD CONSTRAINT positive CHECK (id > 0)")
    found = connection.execute("SELECT col_description('spelt'::regclass, 2)").fetchall()
    assert found == [("kept",)]
