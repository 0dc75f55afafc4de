"""psycopg2: the simple query protocol, values written into the text by the client."""

# What must raise is often the end of a block, so the block stands inside `pytest.raises`.

from __future__ import annotations

import datetime as dt
import io
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extras
import pytest
from psycopg2.extensions import connection as Connection

LONG = (
    "select count(*) from generate_series(1, 1000000) as a(i), generate_series(1, 1000000) as b(j)"
    " where i + j < 0"
)
psycopg2.extras.register_uuid()


@pytest.fixture
def conn(libpq: dict[str, Any], table: str) -> Iterator[Connection]:
    """Closed before `table` is dropped: an open transaction would hold it."""
    conn = psycopg2.connect(**libpq)
    psycopg2.extras.register_default_json(conn)  # Pony sets its own for the whole process
    psycopg2.extras.register_default_jsonb(conn)
    yield conn
    conn.close()


def fetch(conn: Connection, query: str, values: Any = None) -> list[Any]:
    with conn.cursor() as cur:
        cur.execute(query, values)
        return cur.fetchall()


def run(conn: Connection, query: str, values: Any = None) -> int:
    with conn.cursor() as cur:
        cur.execute(query, values)
        return cur.rowcount


def test_values_go_there_and_back(conn: Connection) -> None:
    run(conn, "set timezone = 'UTC'")
    moment = dt.datetime(2024, 2, 29, 12, 34, 56, 789)
    pairs = [
        ("int4", 5),
        ("int8", 9223372036854775807),
        ("numeric(18, 4)", Decimal("12345678901234.5678")),
        ("bool", True),
        ("text", "it's Größe 🦆 \\"),
        ("text", None),
        ("date", dt.date(2024, 2, 29)),
        ("timestamp", moment),
        ("timestamptz", moment.replace(tzinfo=dt.UTC)),
        ("interval", dt.timedelta(days=3, seconds=4)),
        ("uuid", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
        ("int4[]", [1, 2, None]),
        ("text[]", ["a", "b,c"]),
    ]
    query = "select " + ", ".join(f"%s::{kind}" for kind, _ in pairs)
    values = tuple(value for _, value in pairs)
    assert fetch(conn, query, values) == [values]


def test_floats(conn: Connection) -> None:
    values = (0.1, -1e300, float("inf"))
    assert fetch(conn, "select %s::float8, %s::float8, %s::float8", values) == [values]


def test_bytes_and_json_through_a_table(conn: Connection, table: str) -> None:
    run(conn, f"create table {table} (b bytea, j json)")
    document = {"a": [1, None, "x"]}
    values = (psycopg2.Binary(b"\x00\xff\\'"), psycopg2.extras.Json(document))
    run(conn, f"insert into {table} values (%s, %s)", values)
    [(data, read)] = fetch(conn, f"select b, j from {table}")
    assert (bytes(data), read) == (b"\x00\xff\\'", document)
    conn.commit()


def test_named_parameters_in_and_any(conn: Connection, table: str) -> None:
    run(conn, f"create table {table} (id int4, name text)")
    run(conn, f"insert into {table} select i, 'n' || i from generate_series(1, 9) g(i)")
    query = f"select id from {table} where id in %(ids)s or id = any(%(more)s) order by id"
    assert fetch(conn, query, {"ids": (1, 2), "more": [8]}) == [(1,), (2,), (8,)]
    assert fetch(conn, f"select id from {table} where name like 'n5%%'") == [(5,)]
    conn.commit()


def test_the_connection_knows_its_server(conn: Connection) -> None:
    assert conn.server_version >= 150000
    assert conn.encoding == "UTF8"
    assert conn.get_parameter_status("DateStyle").startswith("ISO")
    assert conn.get_backend_pid() > 0


def test_the_description(conn: Connection) -> None:
    with conn.cursor() as cur:
        cur.execute("select 1::int4 as id, 1.5::numeric(18, 4) as price")
        names = [(c.name, c.type_code, c.precision, c.scale) for c in cur.description]
    assert names == [("id", 23, None, None), ("price", 1700, 18, 4)]


def test_commit_rollback_and_with_blocks(conn: Connection, table: str) -> None:
    with conn:
        run(conn, f"create table {table} (id int4)")
    with conn:
        assert run(conn, f"insert into {table} values (1), (2)") == 2
    with pytest.raises(ZeroDivisionError), conn:
        run(conn, f"insert into {table} values (3)")
        raise ZeroDivisionError
    run(conn, f"insert into {table} values (4)")
    conn.rollback()
    assert fetch(conn, f"select count(*) from {table}") == [(2,)]
    conn.commit()


def test_autocommit_and_session_modes(conn: Connection, table: str) -> None:
    conn.autocommit = True
    run(conn, f"create table {table} (id int4)")
    conn.autocommit = False
    conn.set_session(isolation_level="REPEATABLE READ", readonly=True)
    assert fetch(conn, "show transaction_isolation") == [("repeatable read",)]
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        run(conn, f"insert into {table} values (1)")
    conn.rollback()


def test_an_error_fails_the_transaction(conn: Connection) -> None:
    with pytest.raises(psycopg2.errors.UndefinedTable) as undefined:
        fetch(conn, "select * from no_such_table")
    assert undefined.value.pgcode == "42P01"
    assert undefined.value.diag.statement_position == "15"
    assert "LINE 1: select * from no_such_table" in str(undefined.value)
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        fetch(conn, "select 1")
    conn.rollback()
    assert fetch(conn, "select 1") == [(1,)]


def test_savepoints_of_a_session_that_goes_on_after_an_error(conn: Connection, table: str) -> None:
    run(conn, f"create table {table} (id int4)")
    conn.commit()
    run(conn, "savepoint one")
    with pytest.raises(psycopg2.errors.UndefinedColumn):
        fetch(conn, f"select no_such_column from {table}")
    run(conn, "rollback to savepoint one")
    run(conn, f"insert into {table} values (1)")
    run(conn, "release savepoint one")
    conn.commit()
    assert fetch(conn, f"select id from {table}") == [(1,)]
    conn.commit()


def test_several_statements_keep_the_last_result(conn: Connection) -> None:
    assert fetch(conn, "select 1; select 2; select 'last'::text") == [("last",)]


def test_execute_values_and_batch(conn: Connection, table: str) -> None:
    rows = [(i, f"n{i}") for i in range(500)]
    with conn, conn.cursor() as cur:
        cur.execute(f"create table {table} (id int4, name text)")
        query = f"insert into {table} (id, name) values %s returning id"
        returned = psycopg2.extras.execute_values(cur, query, rows, page_size=90, fetch=True)
        assert returned == [(i,) for i in range(500)]
        query = f"update {table} set name = %s where id = %s"
        psycopg2.extras.execute_batch(cur, query, [("x", i) for i in range(50)], page_size=20)
        cur.execute(f"select count(*) from {table} where name = 'x'")
        assert cur.fetchone() == (50,)
        cur.executemany(f"delete from {table} where id = %s", [(1,), (2,)])
        cur.execute(f"select count(*) from {table}")
        assert cur.fetchone() == (498,)


def test_a_named_cursor_fetches_in_portions(conn: Connection) -> None:
    with conn.cursor("portions") as cur:
        cur.itersize = 7
        cur.execute("select i::int4 from generate_series(1, %s) g(i) order by i", [50])
        assert cur.fetchone() == (1,)
        assert cur.fetchmany(2) == [(2,), (3,)]
        assert [row[0] for row in cur] == list(range(4, 51))
        assert cur.description[0].name == "i"
    conn.commit()


def test_a_named_cursor_that_scrolls_forward_and_one_with_hold(conn: Connection) -> None:
    with conn.cursor("scrolls", scrollable=False) as cur:
        cur.execute("select i::int4 from generate_series(1, 20) g(i) order by i")
        cur.scroll(10)
        assert cur.fetchone() == (11,)
    held = conn.cursor("held", withhold=True)
    held.execute("select i::int4 from generate_series(1, 3) g(i) order by i")
    conn.commit()
    assert held.fetchall() == [(1,), (2,), (3,)]
    held.close()


def test_copy(conn: Connection, table: str) -> None:
    with conn, conn.cursor() as cur:
        cur.execute(f"create table {table} (id int4, name text)")
        cur.copy_from(io.StringIO("1\tone\n2\t\\N\n"), table, columns=("id", "name"))
        assert cur.rowcount == 2
        cur.copy_expert(f"copy {table} from stdin (format csv, header)", io.StringIO("a,b\n3,c\n"))
        text, csv = io.StringIO(), io.StringIO()
        cur.copy_to(text, table, null="none", sep="|")
        query = f"copy (select * from {table} order by id) to stdout csv header"
        cur.copy_expert(query, csv)
    assert sorted(text.getvalue().splitlines()) == ["1|one", "2|none", "3|c"]
    assert csv.getvalue() == "id,name\n1,one\n2,\n3,c\n"


def test_an_error_in_copied_data(conn: Connection, table: str) -> None:
    with conn, conn.cursor() as cur:
        cur.execute(f"create table {table} (id int4)")
    with pytest.raises(psycopg2.errors.InvalidTextRepresentation), conn, conn.cursor() as cur:
        cur.copy_expert(f"copy {table} from stdin", io.StringIO("1\nx\n"))
    assert fetch(conn, f"select count(*) from {table}") == [(0,)]
    conn.commit()


def test_notices_are_collected(conn: Connection) -> None:
    run(conn, "drop table if exists no_such_table")
    assert conn.notices == ['NOTICE:  table "no_such_table" does not exist, skipping\n']


def test_cancel_interrupts_a_statement(conn: Connection) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            run(conn, LONG)
        except psycopg2.Error as error:
            failed.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        conn.cancel()
        worker.join(0.2)
    assert [type(error) for error in failed] == [psycopg2.errors.QueryCanceled]
    conn.rollback()
    assert fetch(conn, "select 1") == [(1,)]


def test_dictionary_rows(conn: Connection) -> None:
    with conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cur:
        cur.execute("select 1::int4 as id, 'x'::text as name")
        assert cur.fetchone() == {"id": 1, "name": "x"}


def test_reset_and_closing(libpq: dict[str, Any]) -> None:
    conn = psycopg2.connect(**libpq)
    run(conn, "set application_name = 'x'")
    conn.reset()
    assert fetch(conn, "show application_name") == [("",)]
    conn.close()
    assert conn.closed
