"""Constraints keep the names that they are given: in errors, in the catalog, for ALTER TABLE."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def connection(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute(
        "CREATE TABLE parents (a int, b int, code text CONSTRAINT one_code UNIQUE,"
        " CONSTRAINT the_key PRIMARY KEY (a, b))"
    )
    connection.execute(
        "CREATE TABLE orders (id int CONSTRAINT orders_id PRIMARY KEY, a int, b int,"
        " amount numeric(10, 2) CONSTRAINT positive CHECK (amount > 0 OR amount IS NULL),"
        " CONSTRAINT of_parent FOREIGN KEY (a, b) REFERENCES parents (a, b),"
        " CONSTRAINT differ CHECK (a <> b), CHECK (id < 100))"
    )
    connection.execute("INSERT INTO parents VALUES (1, 2, 'x'), (3, 3, 'z')")
    return connection


def constraints(connection: psycopg.Connection, table: str) -> dict[str, str]:
    return dict(
        connection.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            f"WHERE conrelid = 'scratch.{table}'::regclass AND contype <> 'n'"
        ).fetchall()
    )


def test_the_catalog_has_them(connection: psycopg.Connection) -> None:
    assert constraints(connection, "parents") == {
        "the_key": "PRIMARY KEY (a, b)",
        "one_code": "UNIQUE (code)",
    }
    assert constraints(connection, "orders") == {
        "orders_id": "PRIMARY KEY (id)",
        "positive": "CHECK (((amount > (0)::numeric) OR (amount IS NULL)))",
        "of_parent": "FOREIGN KEY (a, b) REFERENCES parents(a, b)",
        "differ": "CHECK ((a <> b))",
        "orders_id_check": "CHECK ((id < 100))",
    }


@pytest.mark.parametrize(
    ("sql", "name", "message"),
    [
        (
            "INSERT INTO orders VALUES (1, 1, 2, -1)",
            "positive",
            'new row for relation "orders" violates check constraint "positive"',
        ),
        (
            "INSERT INTO orders VALUES (1, 3, 3, 1)",
            "differ",
            'new row for relation "orders" violates check constraint "differ"',
        ),
        (
            "INSERT INTO orders VALUES (200, 1, 2, 1)",
            "orders_id_check",
            'new row for relation "orders" violates check constraint "orders_id_check"',
        ),
        (
            "INSERT INTO orders VALUES (1, 8, 9, 1)",
            "of_parent",
            'insert or update on table "orders" violates foreign key constraint "of_parent"',
        ),
        (
            "INSERT INTO parents VALUES (1, 2, 'y')",
            "the_key",
            'duplicate key value violates unique constraint "the_key"',
        ),
        (
            "INSERT INTO parents VALUES (5, 6, 'x')",
            "one_code",
            'duplicate key value violates unique constraint "one_code"',
        ),
    ],
)
def test_errors_say_them(connection: psycopg.Connection, sql: str, name: str, message: str) -> None:
    with pytest.raises(psycopg.IntegrityError) as error:
        connection.execute(sql.encode())
    assert error.value.diag.constraint_name == name
    assert error.value.diag.message_primary == message


def test_a_null_passes_a_named_check(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO orders (id, amount) VALUES (1, NULL), (2, 5)")
    assert connection.execute("SELECT count(*) FROM orders").fetchall() == [(2,)]


def test_errors_in_the_block_that_makes_the_table_say_them(connection: psycopg.Connection) -> None:
    with pytest.raises(errors.CheckViolation) as error, connection.transaction():
        connection.execute("CREATE TABLE new (n int CONSTRAINT small CHECK (n < 5))")
        connection.execute("INSERT INTO new VALUES (9)")
    assert error.value.diag.constraint_name == "small"


def test_they_can_be_renamed_and_dropped(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO orders VALUES (1, 1, 2, 5)")
    connection.execute("ALTER TABLE orders RENAME CONSTRAINT positive TO above_zero")
    connection.execute("ALTER TABLE orders RENAME CONSTRAINT orders_id TO orders_key")
    connection.execute("ALTER TABLE orders RENAME CONSTRAINT orders_id_check TO few")
    connection.execute("ALTER TABLE orders RENAME COLUMN id TO number")
    connection.execute("ALTER TABLE orders DROP CONSTRAINT differ")
    assert constraints(connection, "orders") == {
        "orders_key": "PRIMARY KEY (number)",
        "above_zero": "CHECK (((amount > (0)::numeric) OR (amount IS NULL)))",
        "of_parent": "FOREIGN KEY (a, b) REFERENCES parents(a, b)",
        "few": "CHECK ((number < 100))",
    }
    with pytest.raises(errors.CheckViolation, match='"above_zero"'):
        connection.execute("UPDATE orders SET amount = -1")
    assert connection.execute("SELECT * FROM orders").fetchall() == [(1, 1, 2, 5)]
    with pytest.raises(errors.DuplicateObject, match='"few" for relation "orders" already exists'):
        connection.execute("ALTER TABLE orders RENAME CONSTRAINT above_zero TO few")
    with pytest.raises(errors.UndefinedObject, match='"gone" for table "orders" does not exist'):
        connection.execute("ALTER TABLE orders RENAME CONSTRAINT gone TO x")
    connection.execute("ALTER TABLE orders DROP CONSTRAINT of_parent")
    connection.execute("INSERT INTO orders VALUES (2, 7, 8, 1)")


def test_one_is_added_with_a_name(connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE orders ADD CONSTRAINT below CHECK (amount < 1000)")
    connection.execute("ALTER TABLE orders ADD CHECK (b > 0)")
    connection.execute("ALTER TABLE orders ADD COLUMN c int CONSTRAINT c_small CHECK (c < 9)")
    found = constraints(connection, "orders")
    assert found["below"] == "CHECK ((amount < (1000)::numeric))"
    assert found["orders_b_check"] == "CHECK ((b > 0))"
    assert found["c_small"] == "CHECK ((c < 9))"
    with pytest.raises(errors.CheckViolation, match='"below"'):
        connection.execute("INSERT INTO orders VALUES (1, 1, 2, 5000)")


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE orders ADD CONSTRAINT positive CHECK (id > 0)",
        "ALTER TABLE orders ADD CONSTRAINT positive UNIQUE (a)",
        "ALTER TABLE orders ADD CONSTRAINT orders_id_check CHECK (id > 0)",
        "ALTER TABLE orders ADD CONSTRAINT x CHECK (id > 0), ADD CONSTRAINT x CHECK (id > 1)",
        "ALTER TABLE orders ADD COLUMN c int CONSTRAINT positive CHECK (c > 0)",
        "CREATE TABLE twice (a int CONSTRAINT x CHECK (a > 0), CONSTRAINT x CHECK (a < 9))",
        "CREATE TABLE twice (a int CONSTRAINT x PRIMARY KEY, b int CONSTRAINT x UNIQUE)",
    ],
)
def test_a_name_is_given_once(connection: psycopg.Connection, sql: str) -> None:
    before = constraints(connection, "orders")
    with pytest.raises(errors.DuplicateObject, match=r'constraint ".*" for relation ".*" already'):
        connection.execute(sql.encode())
    assert constraints(connection, "orders") == before


def test_a_name_that_snowflake_takes_twice_is_shown_with_a_number(
    connection: psycopg.Connection,
) -> None:
    connection.execute("SET hatidata.dialect = 'duckdb'")
    names = ('CHECK (a > 0 OR \'{"check name": "x"}\' IS NULL)',) * 2
    connection.execute(f"CREATE TABLE twice (a INTEGER, {', '.join(names)})".encode())
    assert sorted(constraints(connection, "twice")) == ["x", "x1"]


def test_a_key_whose_name_is_another_tables_is_shown(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE twice (a int CONSTRAINT one_code UNIQUE)")
    assert list(constraints(connection, "twice").values()) == ["UNIQUE (a)"]


def test_a_unique_index_becomes_a_constraint(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE later (a int NOT NULL, b int)")
    connection.execute("CREATE UNIQUE INDEX CONCURRENTLY later_a ON later (a)")
    connection.execute("CREATE UNIQUE INDEX later_b ON later (b)")
    connection.execute("CREATE INDEX plain ON later (b)")
    connection.execute("ALTER TABLE later ADD CONSTRAINT later_key PRIMARY KEY USING INDEX later_a")
    connection.execute("ALTER TABLE later ADD UNIQUE USING INDEX later_b")
    assert constraints(connection, "later") == {
        "later_key": "PRIMARY KEY (a)",
        "later_b": "UNIQUE (b)",
    }
    connection.execute("INSERT INTO later VALUES (1, 1)")
    with pytest.raises(errors.UniqueViolation, match='"later_key"'):
        connection.execute("INSERT INTO later VALUES (1, 2)")
    with pytest.raises(errors.WrongObjectType, match='"plain" is not a unique index'):
        connection.execute("ALTER TABLE later ADD CONSTRAINT x UNIQUE USING INDEX plain")


def test_what_is_checked_is_valid(connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE orders ADD CONSTRAINT odd CHECK (id % 2 = 1) NOT VALID")
    connection.execute("ALTER TABLE orders VALIDATE CONSTRAINT odd")
    with pytest.raises(errors.UndefinedObject, match='constraint "even" of relation "orders"'):
        connection.execute("ALTER TABLE orders VALIDATE CONSTRAINT even")


def test_a_table_moves_to_another_schema(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE moving (id int CONSTRAINT k PRIMARY KEY, n int)")
    connection.execute("CREATE INDEX moving_n ON moving (n)")
    connection.execute("COMMENT ON COLUMN moving.n IS 'a number'")
    connection.execute("INSERT INTO moving VALUES (1, 2)")
    connection.execute("CREATE SCHEMA IF NOT EXISTS scratch_2")
    try:
        connection.execute("ALTER TABLE moving SET SCHEMA scratch_2")
        assert connection.execute("SELECT * FROM scratch_2.moving").fetchall() == [(1, 2)]
        assert connection.execute(
            "SELECT col_description('scratch_2.moving'::regclass, 2), to_regclass('scratch.moving')"
        ).fetchall() == [("a number", None)]
        assert connection.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = 'scratch_2' ORDER BY 1"
        ).fetchall() == [("k",), ("moving_n",)]
        with pytest.raises(errors.InvalidSchemaName):
            connection.execute("ALTER TABLE scratch_2.moving SET SCHEMA nowhere")
    finally:
        connection.execute("DROP SCHEMA scratch_2 CASCADE")


def test_a_conflict_is_named(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO parents VALUES (7, 7, 'x') ON CONFLICT ON CONSTRAINT one_code DO NOTHING"
    )
    found = connection.execute(
        "INSERT INTO parents (a, b, code) VALUES (%s, 2, 'new') "
        "ON CONFLICT ON CONSTRAINT the_key DO UPDATE SET code = excluded.code RETURNING a, code",
        [1],
    )
    assert found.fetchall() == [(1, "new")]
    connection.execute("ALTER TABLE parents ADD CONSTRAINT late UNIQUE (b)")
    connection.execute(
        "INSERT INTO parents VALUES (8, 2, 'y') ON CONFLICT ON CONSTRAINT late DO NOTHING"
    )
    assert connection.execute("SELECT count(*) FROM parents").fetchall() == [(2,)]
    with pytest.raises(errors.UndefinedObject, match='constraint "gone" for table "parents"'):
        connection.execute(
            "INSERT INTO parents VALUES (8, 8, 'z') ON CONFLICT ON CONSTRAINT gone DO NOTHING"
        )
