"""ODBC: unixODBC with Debian's `odbc-postgresql`, where they are, through pyodbc."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

try:
    import pyodbc
except ImportError as error:  # also where there is no unixODBC
    pytest.skip(f"no pyodbc: {error}", allow_module_level=True)

_DRIVER = "PostgreSQL Unicode"
if _DRIVER not in pyodbc.drivers():
    pytest.skip(f'no ODBC driver "{_DRIVER}"', allow_module_level=True)


@pytest.fixture(params=["", "UseDeclareFetch=1;Fetch=100"])
def odbc(
    server: Any, connection: psycopg.Connection, schema: str, request: pytest.FixtureRequest
) -> Iterator[Any]:
    """A connection whose schema has a table, a reference to it and a view."""
    connection.execute(
        "CREATE TABLE sold (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, "
        "price DECIMAL(10,2) DEFAULT 0, at TIMESTAMP, day DATE, note TEXT, raw BYTEA, ok BOOLEAN)"
    )
    connection.execute("CREATE TABLE line (sold_id INTEGER REFERENCES sold (id), n INTEGER)")
    connection.execute("CREATE VIEW dear AS SELECT id FROM sold")
    parts = f"DRIVER={{{_DRIVER}}};SERVER={server.host};PORT={server.port};DATABASE=hatidata"
    client = pyodbc.connect(f"{parts};UID=tester;PWD=x;{request.param}", timeout=30)
    client.execute("SET search_path = scratch")
    client.commit()
    yield client
    client.close()


def test_values_go_in_and_come_out(odbc: Any) -> None:
    moment = datetime.datetime(2024, 1, 2, 3, 4, 5, 678000)
    row = (1, "Zoë", Decimal("10.50"), moment, moment.date(), "x" * 300, b"\x00\x01", True)
    cursor = odbc.cursor()
    cursor.execute("INSERT INTO sold VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)
    cursor.execute("INSERT INTO sold (id, name) VALUES (?, ?)", 2, "n")
    odbc.commit()
    [first, second] = cursor.execute("SELECT * FROM sold WHERE id <= ? ORDER BY id", 2).fetchall()
    assert tuple(first) == (*row[:-1], "1")  # its default is to show booleans as characters
    assert tuple(second)[:4] == (2, "n", Decimal("0.00"), None)
    assert [column[0] for column in cursor.description][:3] == ["id", "name", "price"]


def test_many_rows_are_sent_and_fetched(odbc: Any) -> None:
    cursor = odbc.cursor()
    cursor.fast_executemany = True
    cursor.executemany(
        "INSERT INTO sold (id, name) VALUES (?, ?)", [(i, f"n{i}") for i in range(1000)]
    )
    odbc.commit()
    cursor.execute("SELECT id FROM sold ORDER BY id")
    assert [row[0] for row in cursor.fetchmany(10)] == list(range(10))
    assert len(cursor.fetchall()) == 990


def test_transactions_and_errors(odbc: Any) -> None:
    cursor = odbc.cursor()
    cursor.execute("INSERT INTO sold (id, name) VALUES (1, 'a')")
    odbc.commit()
    assert cursor.execute("UPDATE sold SET name = 'b' WHERE id = ?", 1).rowcount == 1
    odbc.rollback()
    assert cursor.execute("SELECT name FROM sold").fetchval() == "a"
    with pytest.raises(pyodbc.Error) as raised:
        cursor.execute("SELECT nothing FROM sold")
    assert raised.value.args[0] == "42703"
    odbc.rollback()
    escaped = cursor.execute("SELECT {fn UCASE('a')}, {d '2024-01-02'}").fetchone()
    assert tuple(escaped) == ("A", datetime.date(2024, 1, 2))


def test_the_catalog(odbc: Any) -> None:
    cursor = odbc.cursor()
    assert odbc.getinfo(pyodbc.SQL_DBMS_NAME) == "PostgreSQL"
    assert sorted((row[2], row[3]) for row in cursor.tables(schema="scratch")) == [
        ("dear", "VIEW"),
        ("line", "TABLE"),
        ("sold", "TABLE"),
    ]
    columns = cursor.columns(table="sold", schema="scratch").fetchall()
    assert [(row[3], row[5], row[6], row[10]) for row in columns][:3] == [
        ("id", "int8", 19, 0),
        ("name", "varchar", 20, 0),
        ("price", "numeric", 10, 1),
    ]
    keys = cursor.primaryKeys(table="sold", schema="scratch").fetchall()
    assert [(row[3], row[5]) for row in keys] == [("id", "sold_pkey")]
    references = cursor.foreignKeys(foreignTable="line", foreignSchema="scratch").fetchall()
    assert [(row[2], row[3], row[6], row[7]) for row in references] == [
        ("sold", "id", "line", "sold_id")
    ]
    assert "sold_pkey" in [row[5] for row in cursor.statistics("sold", schema="scratch")]
    assert len(cursor.getTypeInfo().fetchall()) > 20
