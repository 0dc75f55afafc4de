"""Tables that others refer to can be altered like any: the others step aside meanwhile."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from proxy.demo.server import ServerProcess

_TABLES = (
    "CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL, region varchar(10), UNIQUE (name))",
    "CREATE TABLE orders (id int PRIMARY KEY, customer_id int CONSTRAINT by_customer "
    "REFERENCES customers (id), amount int CONSTRAINT positive CHECK (amount > 0))",
    "CREATE TABLE items (n int, order_id int NOT NULL REFERENCES orders, name text REFERENCES customers (name))",
    "CREATE INDEX orders_amount ON orders (amount)",
    "COMMENT ON COLUMN orders.amount IS 'in cents'",
    "INSERT INTO customers (name, region) VALUES ('a', 'x'), ('b', 'y')",
    "INSERT INTO orders VALUES (1, 1, 10), (2, 2, 20)",
    "INSERT INTO items VALUES (1, 1, 'a'), (2, 2, NULL)",
)


@pytest.fixture
def connection(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("SET hatidata.dialect = 'postgres'")
    for sql in _TABLES:
        connection.execute(sql.encode())
    return connection


def keys(connection: psycopg.Connection) -> list[tuple[str, ...]]:
    return connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'f' AND connamespace = 'scratch'::regnamespace ORDER BY 1, 2"
    ).fetchall()


_KEYS = [
    ("items", "items_name_fkey", "FOREIGN KEY (name) REFERENCES customers(name)"),
    ("items", "items_order_id_fkey", "FOREIGN KEY (order_id) REFERENCES orders(id)"),
    ("orders", "by_customer", "FOREIGN KEY (customer_id) REFERENCES customers(id)"),
]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE customers ADD COLUMN plain int",
        "ALTER TABLE customers ADD COLUMN note text NOT NULL DEFAULT 'x'",
        "ALTER TABLE customers ADD CONSTRAINT short CHECK (length(name) < 9)",
        "ALTER TABLE customers ALTER COLUMN region TYPE text",
        "ALTER TABLE customers ALTER COLUMN region SET NOT NULL",
        "ALTER TABLE customers DROP COLUMN region",
        "ALTER TABLE orders DROP CONSTRAINT positive",
        "ALTER TABLE orders ALTER COLUMN amount TYPE bigint",
    ],
)
def test_what_refers_stays_as_it_is(connection: psycopg.Connection, sql: str) -> None:
    connection.execute(sql.encode())
    assert keys(connection) == _KEYS
    rows = connection.execute("SELECT id, customer_id, amount FROM orders ORDER BY 1").fetchall()
    assert rows == [(1, 1, 10), (2, 2, 20)]
    assert connection.execute("SELECT * FROM items ORDER BY 1").fetchall() == [
        (1, 1, "a"),
        (2, 2, None),
    ]
    assert connection.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1"
    ).fetchall() == [("orders_amount",), ("orders_pkey",)]
    assert connection.execute("SELECT col_description('orders'::regclass, 3)").fetchall() == [
        ("in cents",)
    ]
    with pytest.raises(errors.ForeignKeyViolation, match='"by_customer"'):
        connection.execute("INSERT INTO orders VALUES (3, 99, 1)")
    with pytest.raises(errors.ForeignKeyViolation):
        connection.execute("DELETE FROM customers")
    assert connection.execute(
        "INSERT INTO customers (name, region) VALUES ('c', 'z') RETURNING id"
        if "DROP COLUMN" not in sql
        else "INSERT INTO customers (name) VALUES ('c') RETURNING id"
    ).fetchall() == [(3,)]


def test_names_are_followed(connection: psycopg.Connection) -> None:
    connection.execute("ALTER TABLE customers RENAME TO clients")
    connection.execute("ALTER TABLE clients RENAME COLUMN id TO number")
    connection.execute("ALTER TABLE orders RENAME COLUMN customer_id TO client")
    assert keys(connection) == [
        ("items", "items_name_fkey", "FOREIGN KEY (name) REFERENCES clients(name)"),
        ("items", "items_order_id_fkey", "FOREIGN KEY (order_id) REFERENCES orders(id)"),
        ("orders", "by_customer", "FOREIGN KEY (client) REFERENCES clients(number)"),
    ]
    assert connection.execute("SELECT client FROM orders ORDER BY 1").fetchall() == [(1,), (2,)]
    with pytest.raises(errors.ForeignKeyViolation, match='"by_customer"'):
        connection.execute("INSERT INTO orders (id, client) VALUES (3, 99)")


def test_a_block_takes_it_back(connection: psycopg.Connection) -> None:
    with pytest.raises(ZeroDivisionError), connection.transaction():
        connection.execute("ALTER TABLE customers RENAME COLUMN name TO full_name")
        connection.execute("INSERT INTO customers (full_name) VALUES ('c')")
        connection.execute("INSERT INTO orders VALUES (3, 3, 1)")
        assert keys(connection)[0][2] == "FOREIGN KEY (name) REFERENCES customers(full_name)"
        raise ZeroDivisionError
    assert keys(connection) == _KEYS
    assert connection.execute("SELECT count(*) FROM orders").fetchall() == [(2,)]


def test_drop_cascade_drops_the_keys(connection: psycopg.Connection) -> None:
    with pytest.raises(errors.DependentObjectsStillExist):
        connection.execute("DROP TABLE customers")
    connection.execute("DROP TABLE customers CASCADE")
    assert keys(connection) == _KEYS[1:2]
    connection.execute("INSERT INTO orders VALUES (3, 99, 1)")
    assert connection.execute("SELECT count(*) FROM items").fetchall() == [(2,)]
    with pytest.raises(errors.CheckViolation, match='"positive"'):
        connection.execute("INSERT INTO orders VALUES (4, 1, -1)")


_DELETE, _UPDATE = "DELETE FROM heads", "UPDATE heads SET id = 9 WHERE id = 1"


@pytest.mark.parametrize(
    ("action", "shown", "acts", "fails"),
    [
        ("ON DELETE SET DEFAULT", "d", _DELETE, _UPDATE),
        ("ON UPDATE SET NULL", "n", _UPDATE, _DELETE),
        ("ON UPDATE CASCADE", "c", _UPDATE, _DELETE),
        ("ON UPDATE SET DEFAULT", "d", _UPDATE, _DELETE),
    ],
)
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a int CONSTRAINT k REFERENCES heads (id) {})",
        "CREATE TABLE t (a int, CONSTRAINT k FOREIGN KEY (a) REFERENCES heads (id) {})",
        "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES heads (id) {}",
        "CREATE TABLE t (a int CONSTRAINT k REFERENCES heads (id) {}); ALTER TABLE t ADD b int NOT NULL DEFAULT 0",
    ],
)
def test_actions_that_write_elsewhere_are_shown_and_carried_out(
    connection: psycopg.Connection, sql: str, action: str, shown: str, acts: str, fails: str
) -> None:
    connection.execute("CREATE TABLE heads (id int PRIMARY KEY); INSERT INTO heads VALUES (1), (2)")
    for statement in sql.format(action).split("; "):
        connection.execute(statement.encode())
    found = connection.execute(
        "SELECT confdeltype, confupdtype, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conname = 'k'"
    ).fetchall()
    assert found == [
        (
            shown if "DELETE" in action else "a",
            shown if "UPDATE" in action else "a",
            f"FOREIGN KEY (a) REFERENCES heads(id) {action}",
        )
    ]
    connection.execute("INSERT INTO t (a) VALUES (1)")
    with pytest.raises(errors.ForeignKeyViolation, match='"k" on table "t"') as raised:
        connection.execute(fails.encode())
    assert raised.value.diag.message_detail == 'Key (id)=(1) is still referenced from table "t".'
    assert connection.execute("SELECT id FROM heads ORDER BY 1").fetchall() == [(1,), (2,)]
    connection.execute(acts.encode())
    left = [(9,)] if "CASCADE" in action else [(None,)]
    assert connection.execute("SELECT a FROM t").fetchall() == left
    connection.execute("DELETE FROM t")
    connection.execute("DELETE FROM heads")
    connection.execute("DROP TABLE t")


def test_it_outlives_a_crash() -> None:
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        with ServerProcess(Path(directory)) as first:
            with psycopg.connect(first.url, autocommit=True) as connection:
                connection.execute("SET hatidata.dialect = 'postgres'")
                for sql in _TABLES:
                    connection.execute(sql.encode())
                connection.execute(
                    "ALTER TABLE customers ADD COLUMN note text NOT NULL DEFAULT 'x'"
                )
                connection.execute("ALTER TABLE customers RENAME TO clients")
                connection.execute("ALTER TABLE orders RENAME COLUMN customer_id TO client")
                connection.execute("INSERT INTO orders VALUES (3, 1, 30)")
                connection.execute("CREATE TABLE gone (a int PRIMARY KEY)")
                connection.execute("CREATE TABLE left_over (a int REFERENCES gone)")
                connection.execute("DROP TABLE gone CASCADE")
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
        with (
            ServerProcess(Path(directory)) as second,
            psycopg.connect(second.url, autocommit=True) as connection,
        ):
            connection.execute("SET hatidata.dialect = 'postgres'")
            assert connection.execute("SELECT id, client FROM orders ORDER BY 1").fetchall() == [
                (1, 1),
                (2, 2),
                (3, 1),
            ]
            connection.execute("INSERT INTO left_over VALUES (1)")
            with pytest.raises(errors.ForeignKeyViolation, match='"by_customer"'):
                connection.execute("INSERT INTO orders VALUES (4, 99, 1)")


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE later (a int REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TABLE later (a int, FOREIGN KEY (a) REFERENCES parents (id) DEFERRABLE)",
        "CREATE TABLE later (a int UNIQUE DEFERRABLE, b int REFERENCES parents (id))",
        "CREATE TABLE later (a int, b int REFERENCES parents (id), UNIQUE (a) INITIALLY DEFERRED)",
    ],
)
def test_a_constraint_that_is_to_be_deferred_is_checked_at_once_and_says_so(
    connection: psycopg.Connection, schema: str, sql: str
) -> None:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE parents (id int PRIMARY KEY)")
    told: list[str] = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    connection.execute(sql.encode())
    assert told == [
        "constraints of analytical tables are checked at once: DEFERRABLE has no effect"
    ]
    found = connection.execute(
        "SELECT DISTINCT condeferrable, condeferred FROM pg_constraint "
        "WHERE conrelid = 'scratch.later'::regclass AND contype IN ('f', 'u')"
    )
    assert found.fetchall() == [(False, False)]


def test_not_deferrable_is_what_they_are(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("SET hatidata.dialect = 'postgres'")
    told: list[str] = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    connection.execute("CREATE TABLE parents (id int PRIMARY KEY NOT DEFERRABLE)")
    connection.execute(
        "CREATE TABLE children (a int REFERENCES parents (id) ON DELETE NO ACTION ON UPDATE "
        "NO ACTION NOT DEFERRABLE INITIALLY IMMEDIATE, b int UNIQUE NOT DEFERRABLE)"
    )
    assert told == []
    with connection.transaction():
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
    assert told == []
    with pytest.raises(psycopg.errors.WrongObjectType, match='"x" is not deferrable'):
        connection.execute("SET CONSTRAINTS x DEFERRED")


def make_coded_parents(connection: psycopg.Connection) -> None:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE parents (id int PRIMARY KEY, code int UNIQUE, name text)")
    connection.execute("CREATE TABLE children (parent int REFERENCES parents (id))")
    connection.execute("INSERT INTO parents VALUES (1, 1, 'x'), (2, 2, 'y')")
    connection.execute("INSERT INTO children VALUES (1)")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE parents SET code = 5 WHERE id = 1",
        "UPDATE parents SET (code, name) = (5, 'x') WHERE id = 1",
        "UPDATE parents SET code = p.code + 4 FROM parents AS p WHERE p.id = parents.id AND p.id = 1",
        "INSERT INTO parents VALUES (1, 5, 'x') ON CONFLICT (id) DO UPDATE SET code = 5",
    ],
)
def test_an_indexed_column_of_a_row_that_is_referred_to_is_changed(
    connection: psycopg.Connection, schema: str, sql: str
) -> None:
    make_coded_parents(connection)
    assert connection.execute(sql.encode()).rowcount == 1
    found = connection.execute("SELECT id, code FROM parents ORDER BY id").fetchall()
    assert found == [(1, 5), (2, 2)]
    with pytest.raises(errors.UniqueViolation):
        connection.execute("UPDATE parents SET code = 2 WHERE id = 1")
    with pytest.raises(errors.ForeignKeyViolation):
        connection.execute("INSERT INTO children VALUES (9)")
    assert connection.execute("SELECT * FROM children").fetchall() == [(1,)]


@pytest.mark.parametrize("between", ["parents", "children"])
def test_tables_that_would_refer_to_each_other_are_refused_by_name(
    connection: psycopg.Connection, schema: str, between: str
) -> None:
    """In a circle of two, and of three."""
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE parents (id INT PRIMARY KEY, last INT)")
    connection.execute("CREATE TABLE children (id INT PRIMARY KEY, of INT REFERENCES parents)")
    connection.execute(f"CREATE TABLE others (id INT PRIMARY KEY, of INT REFERENCES {between})")
    with pytest.raises(errors.FeatureNotSupported, match='"parents" and "others" to each other'):
        connection.execute("ALTER TABLE parents ADD FOREIGN KEY (last) REFERENCES others (id)")
    connection.execute("ALTER TABLE others ADD self INT REFERENCES others (id)")
    connection.execute("INSERT INTO parents VALUES (1, 1)")
