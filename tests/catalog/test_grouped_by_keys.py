"""GROUP BY of a primary key stands for all columns of its table, as ORMs write it."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def connection(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE customers (id serial PRIMARY KEY, name text, region text)")
    connection.execute("CREATE TABLE orders (id int PRIMARY KEY, customer_id int, amount int)")
    connection.execute("CREATE TABLE places (a int, b int, note text, PRIMARY KEY (a, b))")
    connection.execute(
        "INSERT INTO customers (name, region) VALUES ('a', 'x'), ('b', 'y'), ('c', NULL)"
    )
    connection.execute("INSERT INTO orders VALUES (1, 1, 10), (2, 1, 20), (3, 2, 5)")
    connection.execute("INSERT INTO places VALUES (1, 1, 'p'), (1, 2, 'q')")
    return connection


_JOINED = "FROM customers c LEFT JOIN orders o ON o.customer_id = c.id"


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            f"SELECT c.id, c.name, count(o.id) {_JOINED} GROUP BY c.id ORDER BY c.id",
            [(1, "a", 2), (2, "b", 1), (3, "c", 0)],
        ),
        (
            f"SELECT c.*, sum(o.amount) {_JOINED} GROUP BY c.id ORDER BY 1",
            [(1, "a", "x", 30), (2, "b", "y", 5), (3, "c", None, None)],
        ),
        (
            f"SELECT c.id {_JOINED} GROUP BY c.id HAVING c.region IS NULL ORDER BY c.name",
            [(3,)],
        ),
        (
            'SELECT "customers"."name", count(*) AS "n" FROM "customers" INNER JOIN "orders" ON '
            '("customers"."id" = "orders"."customer_id") GROUP BY "customers"."id" '
            'ORDER BY "customers"."name" DESC',
            [("b", 1), ("a", 2)],
        ),
        ("SELECT id, upper(name) FROM customers GROUP BY 1 ORDER BY 1 LIMIT 1", [(1, "A")]),
        (
            "SELECT name, (SELECT sum(amount) FROM orders o WHERE o.customer_id = c.id "
            "AND c.region = 'x') FROM customers c GROUP BY c.id ORDER BY name",
            [("a", 30), ("b", None), ("c", None)],
        ),
        (
            "WITH named AS (SELECT name FROM customers GROUP BY id) SELECT count(*) FROM named",
            [(3,)],
        ),
        ("SELECT a, b, note FROM places GROUP BY b, a ORDER BY note", [(1, 1, "p"), (1, 2, "q")]),
    ],
)
def test_the_key_settles_the_other_columns(
    connection: psycopg.Connection, sql: str, rows: list[tuple[object, ...]]
) -> None:
    assert connection.execute(sql.encode()).fetchall() == rows
    assert connection.execute(sql.encode(), prepare=True).fetchall() == rows
    with psycopg.ClientCursor(connection) as simple:
        assert simple.execute(sql.encode()).fetchall() == rows


def test_parameters_stay_in_place(connection: psycopg.Connection) -> None:
    found = connection.execute(
        f"SELECT c.name, count(*) {_JOINED} WHERE c.id < %s GROUP BY c.id "
        "HAVING count(*) > %s AND c.name <> %s",
        [9, 1, "z"],
    )
    assert found.fetchall() == [("a", 2)]


def test_views_and_tables_are_made_of_it(connection: psycopg.Connection) -> None:
    connection.execute(
        f"CREATE VIEW totals AS SELECT c.name, count(*) AS n {_JOINED} GROUP BY c.id"
    )
    connection.execute("CREATE TABLE kept AS SELECT name, count(*) AS n FROM customers GROUP BY id")
    assert connection.execute("SELECT * FROM totals ORDER BY 1 LIMIT 1").fetchall() == [("a", 2)]
    assert connection.execute("SELECT count(*) FROM kept").fetchall() == [(3,)]


def test_a_table_made_in_the_block_counts(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute("CREATE TABLE new (id int PRIMARY KEY, t text)")
        connection.execute("INSERT INTO new VALUES (1, 'x')")
        assert connection.execute("SELECT id, t FROM new GROUP BY id").fetchall() == [(1, "x")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM customers GROUP BY region",
        "SELECT a, note FROM places GROUP BY a",
        f"SELECT o.id, c.name {_JOINED} GROUP BY o.id",
        "SELECT name FROM (SELECT * FROM customers) AS c GROUP BY id",
        "SELECT id, name FROM customers GROUP BY ROLLUP (id)",
    ],
)
def test_what_no_key_settles_is_refused(connection: psycopg.Connection, sql: str) -> None:
    with pytest.raises(errors.GroupingError):
        connection.execute(sql.encode())
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
