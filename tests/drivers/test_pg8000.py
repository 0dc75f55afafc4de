"""pg8000: a driver in pure Python, everything by the extended protocol and in text."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pg8000.dbapi
import pg8000.native
import pytest

from ..protocol.run import Target


def address(target: Target) -> dict[str, Any]:
    where: dict[str, Any] = {"user": target.user, "database": target.database}
    if target.host.startswith("/"):
        where["unix_sock"] = f"{target.host}/.s.PGSQL.{target.port}"
    else:
        where |= {"host": target.host, "port": target.port}
    return where


# The fixtures ask for `table` so that it is dropped after they have closed: an open transaction
# would hold it.


@pytest.fixture
def conn(target: Target, table: str) -> Iterator[pg8000.dbapi.Connection]:
    conn = pg8000.dbapi.connect(**address(target))
    cur = conn.cursor()
    for name, value in target.settings.items():
        cur.execute(f"set {name} = '{value}'")
    conn.commit()
    yield conn
    conn.close()


@pytest.fixture
def native(target: Target, table: str) -> Iterator[pg8000.native.Connection]:
    conn = pg8000.native.Connection(**address(target))
    for name, value in target.settings.items():
        conn.run(f"set {name} = '{value}'")
    yield conn
    conn.close()


def test_values_go_there_and_back(conn: pg8000.dbapi.Connection) -> None:
    cur = conn.cursor()
    cur.execute("set timezone = 'UTC'")
    moment = dt.datetime(2024, 2, 29, 12, 34, 56, 789)
    pairs = [
        ("int4", 5),
        ("int8", 9223372036854775807),
        ("numeric(18, 4)", Decimal("12345678901234.5678")),
        ("float8", 0.1),
        ("bool", True),
        ("text", "it's Größe 🦆 \\"),
        ("text", None),
        ("bytea", b"\x00\xff"),
        ("date", moment.date()),
        ("time", moment.time()),
        ("timestamp", moment),
        ("timestamptz", moment.replace(tzinfo=dt.UTC)),
        ("interval", dt.timedelta(days=3, seconds=4)),
        ("uuid", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
        ("int4[]", [1, 2, None]),
        ("text[]", ["a", "b,c"]),
    ]
    query = "select " + ", ".join(f"%s::{kind}" for kind, _ in pairs)
    values = [value for _, value in pairs]
    cur.execute(query, values)
    assert list(cur.fetchone()) == values


def test_values_go_through_a_table(conn: pg8000.dbapi.Connection, table: str) -> None:
    cur = conn.cursor()
    cur.execute(f"create table {table} (id int4, name text, price numeric(10, 2), made timestamp)")
    rows = [(1, "one", Decimal("1.50"), dt.datetime(2024, 1, 1)), (2, None, None, None)]
    cur.executemany(f"insert into {table} values (%s, %s, %s, %s)", rows)
    assert cur.rowcount == 2
    cur.execute(f"select * from {table} order by id")
    assert [tuple(row) for row in cur.fetchall()] == rows
    assert [column[:2] for column in cur.description] == [
        ("id", 23),
        ("name", 25),
        ("price", 1700),
        ("made", 1114),
    ]
    cur.execute(f"update {table} set name = %s where id = %s", ("two", 2))
    assert cur.rowcount == 1
    cur.execute(f"select id from {table} where name = %s", ("two",))
    assert cur.fetchone() == [2]
    conn.commit()


def test_transactions(conn: pg8000.dbapi.Connection, table: str) -> None:
    cur = conn.cursor()
    cur.execute(f"create table {table} (id int4)")
    conn.commit()
    cur.execute(f"insert into {table} values (%s)", (1,))
    conn.rollback()
    cur.execute(f"insert into {table} values (%s)", (2,))
    conn.commit()
    cur.execute(f"select id from {table}")
    assert cur.fetchall() == ([2],)
    conn.commit()
    conn.autocommit = True
    cur.execute(f"delete from {table}")
    cur.execute(f"select count(*) from {table}")
    assert cur.fetchone() == [0]


def test_an_error_and_what_follows(conn: pg8000.dbapi.Connection) -> None:
    cur = conn.cursor()
    with pytest.raises(pg8000.dbapi.DatabaseError) as undefined:
        cur.execute("select * from no_such_table where id = %s", (1,))
    assert undefined.value.args[0]["C"] == "42P01"
    with pytest.raises(pg8000.dbapi.DatabaseError) as failed:
        cur.execute("select 1")
    assert failed.value.args[0]["C"] == "25P02"
    conn.rollback()
    cur.execute("select 1")
    assert cur.fetchone() == [1]


def test_copy(conn: pg8000.dbapi.Connection, table: str) -> None:
    cur = conn.cursor()
    cur.execute(f"create table {table} (id int4, name text)")
    cur.execute(f"copy {table} from stdin with (format csv)", stream=io.BytesIO(b"1,one\n2,\n"))
    assert cur.rowcount == 2
    out = io.BytesIO()
    cur.execute(f"copy (select * from {table} order by id) to stdout", stream=out)
    assert out.getvalue() == b"1\tone\n2\t\\N\n"
    conn.commit()


def test_rows_one_by_one(conn: pg8000.dbapi.Connection) -> None:
    cur = conn.cursor()
    cur.execute("select i::int4 from generate_series(1, 1000) as g(i) order by i")
    assert cur.fetchone() == [1]
    assert [list(row) for row in cur.fetchmany(2)] == [[2], [3]]
    assert sum(row[0] for row in cur) == 500500 - 6


def test_named_parameters_of_the_native_interface(native: pg8000.native.Connection) -> None:
    assert native.run("select :a::int4 + :a::int4, :b::text", a=5, b="x") == [[10, "x"]]
    assert native.run("select 1::int4 as id, 'x'::text as name") == [[1, "x"]]
    assert [column["name"] for column in native.columns] == ["id", "name"]
    assert native.row_count == 1


def test_prepared_statements_of_the_native_interface(native: pg8000.native.Connection) -> None:
    statement = native.prepare("select :v::int4 * 2")
    assert [statement.run(v=i) for i in range(5)] == [[[i * 2]] for i in range(5)]
    statement.close()


def test_a_transaction_of_the_native_interface(
    native: pg8000.native.Connection, table: str
) -> None:
    native.run(f"create table {table} (id int4)")
    native.run("start transaction")
    native.run(f"insert into {table} values (:id)", id=1)
    native.run("rollback")
    assert native.run(f"select count(*) from {table}") == [[0]]


def test_notices_and_settings_are_collected(native: pg8000.native.Connection) -> None:
    native.run("drop table if exists no_such_table")
    assert [notice[b"C"] for notice in native.notices] == [b"00000"]
    native.run("set application_name = 'native'")
    assert native.parameter_statuses["application_name"] == "native"


def test_several_statements_in_one_text(native: pg8000.native.Connection) -> None:
    assert native.run("select 1::int4 as a; select 2::int4 as a") == [[1], [2]]
