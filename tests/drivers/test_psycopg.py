"""psycopg 3: the driver that uses most of the protocol, in text and in binary."""

# What must raise is often the end of a block, so the block stands inside `pytest.raises`.

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import pq, sql
from psycopg.rows import dict_row, namedtuple_row
from psycopg.types import TypeInfo
from psycopg.types.json import Json

Connection = psycopg.Connection[Any]

LONG = (
    "select count(*) from generate_series(1, 1000000) as a(i), generate_series(1, 1000000) as b(j)"
    " where i + j < 0"
)
VALUES = [
    ("int2", -32768),
    ("int4", 2147483647),
    ("int8", -9223372036854775808),
    ("float8", 0.1),
    ("float8", float("-inf")),
    ("float4", 1.5),
    ("numeric(18, 4)", Decimal("12345678901234.5678")),
    ("numeric(38, 0)", Decimal("-12345678901234567890123456789012345678")),
    ("bool", True),
    ("text", ""),
    ("text", "Größe 東京 🦆 '\"\\"),
    ("bytea", b"\x00\xff\\'"),
    ("date", dt.date(2024, 2, 29)),
    ("time", dt.time(23, 59, 59, 999999)),
    ("timestamp", dt.datetime(1969, 12, 31, 23, 59, 59, 1)),
    ("timestamptz", dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)),
    ("interval", dt.timedelta(days=-3, seconds=4, microseconds=5)),
    ("uuid", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
    ("int4[]", [1, None, -3]),
    ("int8[]", []),
    ("text[]", ["a", None, "", "NULL", 'b,"c\\']),
    ("float8[]", [0.5, None]),
    ("date[]", [dt.date(2000, 1, 1)]),
    ("numeric(10, 2)[]", [Decimal("1.50")]),
    ("bool[]", [True, False]),
]


@pytest.fixture
def conn(libpq: dict[str, Any], table: str) -> Iterator[Connection]:
    """Closed before `table` is dropped: an open transaction would hold it."""
    with psycopg.connect(**libpq, autocommit=True) as conn:
        yield conn


def numbers(conn: Connection, table: str, count: int) -> None:
    conn.execute(f"create table {table} (id int4, name text)")
    conn.execute(f"insert into {table} select i, 'n' || i from generate_series(1, {count}) g(i)")


def test_the_connection_knows_its_server(conn: Connection) -> None:
    assert conn.info.server_version >= 150000
    assert conn.info.encoding == "utf-8"
    assert conn.info.parameter_status("integer_datetimes") == "on"
    assert conn.info.parameter_status("standard_conforming_strings") == "on"
    assert conn.info.transaction_status == pq.TransactionStatus.IDLE


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(("kind", "value"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
def test_values_go_there_and_back(conn: Connection, kind: str, value: Any, binary: bool) -> None:
    conn.execute("set timezone = 'UTC'")
    placeholder = "%b" if binary else "%t"
    cur = conn.cursor(binary=binary)
    assert cur.execute(f"select {placeholder}::{kind}", [value]).fetchone() == (value,)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_values_go_through_a_table(conn: Connection, table: str, binary: bool) -> None:
    conn.execute("set timezone = 'UTC'")
    kinds = [kind for kind, _ in VALUES]
    values = [value for _, value in VALUES]
    columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(kinds))
    conn.execute(f"create table {table} ({columns})")
    cur = conn.cursor(binary=binary)
    marks = ", ".join(["%s"] * len(values))
    cur.execute(f"insert into {table} values ({marks})", values)
    cur.execute(f"insert into {table} values ({marks})", [None] * len(values))
    rows = cur.execute(f"select * from {table} order by c0").fetchall()
    assert rows == [tuple(values), (None,) * len(values)]


def test_json_comes_back_as_what_it_says(conn: Connection) -> None:
    document = {"a": [1, 2.5, None, "x"], "b": {"c": True}}
    assert conn.execute("select %s::json", [Json(document)]).fetchone() == (document,)


def test_parameters_without_casts_take_the_column_type(conn: Connection, table: str) -> None:
    numbers(conn, table, 20)
    query = f"select name from {table} where id between %s and %s order by id limit %s"
    assert conn.execute(query, [5, 15, 2]).fetchall() == [("n5",), ("n6",)]
    query = f"select id from {table} where name = %s or id = any(%s) order by id"
    assert conn.execute(query, ["n3", [7, 9]]).fetchall() == [(3,), (7,), (9,)]
    assert conn.execute(f"update {table} set name = %s where id = %s", ["x", 1]).rowcount == 1


def test_the_description_has_types_and_modifiers(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4, price numeric(18, 4))")
    cur = conn.execute(f"select id, price, id::int8 as big from {table}")
    assert cur.description is not None
    assert [(c.name, c.type_code) for c in cur.description] == [
        ("id", 23),
        ("price", 1700),
        ("big", 20),
    ]
    price = cur.description[1]
    assert (price.precision, price.scale) == (18, 4)


def test_row_counts_and_status_messages(conn: Connection, table: str) -> None:
    cur = conn.execute(f"create table {table} (id int4)")
    assert cur.statusmessage == "CREATE TABLE"
    cur.execute(f"insert into {table} values (1), (2), (3)")
    assert (cur.rowcount, cur.statusmessage) == (3, "INSERT 0 3")
    cur.execute(f"update {table} set id = id + %s", [1])
    assert (cur.rowcount, cur.statusmessage) == (3, "UPDATE 3")
    cur.execute(f"delete from {table} where id > 3")
    assert (cur.rowcount, cur.statusmessage) == (1, "DELETE 1")
    cur.execute(f"select id from {table} order by id")
    assert (cur.rowcount, cur.statusmessage) == (2, "SELECT 2")


def test_several_statements_give_several_results(conn: Connection) -> None:
    cur = conn.execute("select 1; select 'two'::text; select 3")
    results = [cur.fetchall()]
    while cur.nextset():
        results.append(cur.fetchall())
    assert results == [[(1,)], [("two",)], [(3,)]]


def test_executemany_and_its_results(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4, name text)")
    cur = conn.cursor()
    cur.executemany(f"insert into {table} values (%s, %s)", [(i, f"n{i}") for i in range(100)])
    assert cur.rowcount == 100
    cur.executemany(
        f"delete from {table} where id = %s returning name", [(5,), (6,)], returning=True
    )
    returned = [cur.fetchone()]
    while cur.nextset():
        returned.append(cur.fetchone())
    assert returned == [("n5",), ("n6",)]
    assert conn.execute(f"select count(*) from {table}").fetchone() == (98,)


def test_row_factories(conn: Connection) -> None:
    query = "select 1::int4 as id, 'x'::text as name"
    assert conn.cursor(row_factory=dict_row).execute(query).fetchone() == {"id": 1, "name": "x"}
    assert conn.cursor(row_factory=namedtuple_row).execute(query).fetchone().name == "x"


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_large_result(conn: Connection, binary: bool) -> None:
    query = "select i::int8, (i * 0.5)::float8, 'row ' || i from generate_series(1, 20000) g(i)"
    rows = conn.cursor(binary=binary).execute(f"{query} order by i").fetchall()
    assert len(rows) == 20000
    assert rows[-1] == (20000, 10000.0, "row 20000")
    assert sum(row[0] for row in rows) == 200010000


def test_stream_reads_row_by_row(conn: Connection) -> None:
    stream = conn.cursor().stream("select i::int4 from generate_series(1, 500) g(i) order by i")
    assert [row[0] for row in stream] == list(range(1, 501))


def test_client_side_and_raw_cursors(conn: Connection) -> None:
    values = [5, "it's", None, dt.date(2024, 2, 29)]
    cur = psycopg.ClientCursor(conn)
    query = "select %s::int4, %s::text, %s::text, %s::date"
    assert cur.execute(query, values).fetchone() == tuple(values)
    raw = psycopg.RawCursor(conn)
    assert raw.execute("select $2::text, $1::int4", [5, "x"]).fetchone() == ("x", 5)


# ---- transactions


def test_commit_and_rollback(libpq: dict[str, Any], table: str) -> None:
    with psycopg.connect(**libpq) as conn:
        conn.execute(f"create table {table} (id int4)")
        conn.commit()
        conn.execute(f"insert into {table} values (1)")
        assert conn.info.transaction_status == pq.TransactionStatus.INTRANS
        conn.rollback()
        conn.execute(f"insert into {table} values (2)")
        conn.commit()
        assert conn.execute(f"select id from {table}").fetchall() == [(2,)]


def test_an_error_fails_the_transaction_until_rollback(libpq: dict[str, Any]) -> None:
    with psycopg.connect(**libpq) as conn:
        with pytest.raises(psycopg.errors.UndefinedColumn):
            conn.execute("select no_such_column")
        assert conn.info.transaction_status == pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            conn.execute("select 1")
        conn.rollback()
        assert conn.execute("select 1").fetchone() == (1,)


def test_transaction_blocks(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4)")
    with conn.transaction():
        conn.execute(f"insert into {table} values (1)")
    with pytest.raises(ZeroDivisionError), conn.transaction():
        conn.execute(f"insert into {table} values (2)")
        raise ZeroDivisionError
    with conn.transaction(force_rollback=True):
        conn.execute(f"insert into {table} values (3)")
    assert conn.execute(f"select id from {table}").fetchall() == [(1,)]


def test_nested_blocks_that_all_succeed(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4)")
    with conn.transaction():
        conn.execute(f"insert into {table} values (1)")
        with conn.transaction():
            conn.execute(f"insert into {table} values (2)")
            with conn.transaction():
                conn.execute(f"insert into {table} values (3)")
    assert conn.execute(f"select id from {table} order by id").fetchall() == [(1,), (2,), (3,)]


def test_an_inner_block_that_fails_reading(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4)")
    with conn.transaction():
        with pytest.raises(psycopg.errors.UndefinedColumn), conn.transaction():
            conn.execute(f"select no_such_column from {table}")
        conn.execute(f"insert into {table} values (1)")
    assert conn.execute(f"select id from {table}").fetchall() == [(1,)]


def test_an_inner_block_that_is_taken_back_after_reading(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4)")
    with conn.transaction():
        conn.execute(f"insert into {table} values (1)")
        with conn.transaction(force_rollback=True):
            assert conn.execute(f"select count(*) from {table}").fetchone() == (1,)
    assert conn.execute(f"select id from {table}").fetchall() == [(1,)]


def test_an_inner_block_that_is_taken_back_after_writing(conn: Connection, table: str) -> None:
    """Either undone exactly, or refused and the whole undone: no row kept or lost wrongly."""
    conn.execute(f"create table {table} (id int4)")
    expected = [(1,), (3,)]
    try:
        with conn.transaction():
            conn.execute(f"insert into {table} values (1)")
            with conn.transaction(force_rollback=True):
                conn.execute(f"insert into {table} values (2)")
            conn.execute(f"insert into {table} values (3)")
    except psycopg.errors.FeatureNotSupported:
        expected = []
    assert conn.execute(f"select id from {table} order by id").fetchall() == expected


def test_isolation_level_and_read_only(libpq: dict[str, Any], table: str) -> None:
    with psycopg.connect(**libpq) as conn:
        conn.execute(f"create table {table} (id int4)")
        conn.commit()
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        level = conn.execute("show transaction_isolation").fetchone()
        assert level == ("repeatable read",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute(f"insert into {table} values (1)")


# ---- prepared statements


def test_statements_are_prepared_after_a_few_executions(conn: Connection, table: str) -> None:
    numbers(conn, table, 10)
    for i in range(1, 11):
        row = conn.execute(f"select name from {table} where id = %s", [i]).fetchone()
        assert row == (f"n{i}",)


def test_a_prepared_statement_survives_ddl_and_rollback(libpq: dict[str, Any], table: str) -> None:
    with psycopg.connect(**libpq) as conn:
        conn.prepare_threshold = 0
        conn.execute(f"create table {table} (id int4)")
        conn.commit()
        for i in range(3):
            conn.execute(f"insert into {table} values (%s)", [i])
            conn.rollback()
        conn.execute(f"alter table {table} add column name text")
        conn.execute(f"insert into {table} values (%s)", [7])
        conn.commit()
        assert conn.execute(f"select id, name from {table}").fetchall() == [(7, None)]


def test_many_prepared_statements_are_evicted(conn: Connection) -> None:
    conn.prepare_threshold = 0
    conn.prepared_max = 5
    for i in range(20):
        assert conn.execute(f"select %s::int4 + {i}", [1]).fetchone() == (1 + i,)


# ---- pipelines


def test_a_pipeline(conn: Connection, table: str) -> None:
    with conn.pipeline():
        conn.execute(f"create table {table} (id int4)")
        cursors = [
            conn.execute(f"insert into {table} values (%s) returning id", [i]) for i in range(50)
        ]
        last = conn.execute(f"select count(*), sum(id)::int8 from {table}")
    assert [cur.fetchone() for cur in cursors] == [(i,) for i in range(50)]
    assert last.fetchone() == (50, 1225)


def test_an_error_aborts_the_pipeline_up_to_its_sync(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4)")
    with pytest.raises(psycopg.errors.UndefinedColumn), conn.pipeline() as pipeline:
        conn.execute(f"insert into {table} values (1)")
        pipeline.sync()
        conn.execute("select no_such_column")
        conn.execute(f"insert into {table} values (2)")
        pipeline.sync()
    conn.execute(f"insert into {table} values (3)")
    assert conn.execute(f"select id from {table} order by id").fetchall() == [(1,), (3,)]


def test_a_transaction_in_a_pipeline(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4)")
    with conn.pipeline(), conn.transaction():
        conn.execute(f"insert into {table} values (1)")
        conn.execute(f"insert into {table} values (2)")
    with (
        pytest.raises(psycopg.errors.InvalidTextRepresentation),
        conn.pipeline(),
        conn.transaction(),
    ):
        conn.execute(f"insert into {table} values (3)")
        conn.execute("select %s::int4", ["x"])
    assert conn.execute(f"select id from {table} order by id").fetchall() == [(1,), (2,)]


# ---- server-side cursors


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_named_cursor_fetches_in_portions(conn: Connection, binary: bool) -> None:
    with conn.transaction(), conn.cursor("portions", binary=binary) as cur:
        cur.itersize = 7
        cur.execute("select i::int4 from generate_series(1, %s) g(i) order by i", [50])
        assert cur.fetchone() == (1,)
        assert cur.fetchmany(3) == [(2,), (3,), (4,)]
        assert [row[0] for row in cur] == list(range(5, 51))
        assert cur.fetchone() is None


def test_a_named_cursor_scrolls_forward(conn: Connection) -> None:
    with conn.transaction(), conn.cursor("scrolls", scrollable=False) as cur:
        cur.execute("select i::int4 from generate_series(1, 20) g(i) order by i")
        cur.scroll(10)
        assert cur.fetchone() == (11,)
        assert cur.fetchall() == [(i,) for i in range(12, 21)]


def test_a_named_cursor_with_hold_outlives_its_transaction(libpq: dict[str, Any]) -> None:
    with psycopg.connect(**libpq) as conn:
        cur = conn.cursor("held", withhold=True)
        cur.execute("select i::int4 from generate_series(1, 5) g(i) order by i")
        conn.commit()
        assert cur.fetchall() == [(i,) for i in range(1, 6)]
        cur.close()


def test_two_named_cursors_at_once(conn: Connection) -> None:
    with conn.transaction(), conn.cursor("one") as one, conn.cursor("two") as two:
        one.execute("select i::int4 from generate_series(1, 3) g(i) order by i")
        two.execute("select i::int4 from generate_series(11, 13) g(i) order by i")
        pairs = [(one.fetchone(), two.fetchone()) for _ in range(3)]
        assert pairs == [((i,), (10 + i,)) for i in range(1, 4)]


# ---- COPY


def test_copy_in_rows(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4, name text, at timestamp)")
    rows = [(i, f"tab\t{i}\n\\" if i % 3 else None, dt.datetime(2024, 1, 1)) for i in range(1000)]
    cur = conn.cursor()
    with cur.copy(f"copy {table} from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    assert cur.rowcount == 1000
    assert conn.execute(f"select * from {table} order by id").fetchall() == rows


def test_copy_in_binary_rows(conn: Connection, table: str) -> None:
    conn.execute(
        f"create table {table} (id int8, name text, price numeric(18, 4), d date, f float8)"
    )
    rows = [
        (1, "one", Decimal("1.5000"), dt.date(2024, 2, 29), 0.5),
        (2, None, Decimal("-12345678901234.5678"), dt.date(1, 1, 1), float("inf")),
        (3, "", None, None, None),
    ]
    with conn.cursor().copy(f"copy {table} from stdin (format binary)") as copy:
        copy.set_types(["int8", "text", "numeric", "date", "float8"])
        for row in rows:
            copy.write_row(row)
    assert conn.execute(f"select * from {table} order by id").fetchall() == rows


def test_copy_out_rows(conn: Connection) -> None:
    query = "select i::int4, 'tab\t' || i, null::text from generate_series(1, 100) g(i) order by i"
    with conn.cursor().copy(f"copy ({query}) to stdout") as copy:
        copy.set_types(["int4", "text", "text"])
        assert list(copy.rows()) == [(i, f"tab\t{i}", None) for i in range(1, 101)]


def test_copy_out_binary_rows(conn: Connection) -> None:
    query = "select i::int4, (i * 0.5)::float8, 'x'::text from generate_series(1, 100) g(i)"
    with conn.cursor().copy(f"copy ({query} order by i) to stdout (format binary)") as copy:
        copy.set_types(["int4", "float8", "text"])
        assert list(copy.rows()) == [(i, i * 0.5, "x") for i in range(1, 101)]


def test_copy_from_one_table_to_another(libpq: dict[str, Any], table: str) -> None:
    with psycopg.connect(**libpq) as source, psycopg.connect(**libpq, autocommit=True) as sink:
        sink.execute(f"create table {table} (id int4, name text)")
        query = "select i, 'n' || i from generate_series(1, 5000) g(i)"
        with (
            source.cursor().copy(f"copy ({query}) to stdout (format csv)") as out,
            sink.cursor().copy(f"copy {table} from stdin (format csv)") as into,
        ):
            for block in out:
                into.write(block)
        row = sink.execute(f"select count(*), max(name) from {table}").fetchone()
        assert row == (5000, "n999")


def test_an_error_in_copied_data_leaves_nothing(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4)")
    refused = pytest.raises(psycopg.errors.InvalidTextRepresentation)
    with refused, conn.cursor().copy(f"copy {table} from stdin") as copy:
        copy.write("1\n2\nx\n")
    assert conn.execute(f"select count(*) from {table}").fetchone() == (0,)


def test_an_exception_in_the_client_ends_copy(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4)")
    command = f"copy {table} from stdin"
    with pytest.raises(ZeroDivisionError), conn.cursor().copy(command) as copy:
        copy.write("1\n")
        raise ZeroDivisionError
    assert conn.execute(f"select count(*) from {table}").fetchone() == (0,)


def test_leaving_copy_out_early_keeps_the_session(conn: Connection) -> None:
    command = "copy (select i from generate_series(1, 200000) g(i)) to stdout"
    with pytest.raises(ZeroDivisionError), conn.cursor().copy(command) as out:
        assert next(iter(out))
        raise ZeroDivisionError
    assert conn.execute("select 1").fetchone() == (1,)


# ---- errors, notices, cancelling


def test_errors_have_their_classes_and_diagnostics(conn: Connection, table: str) -> None:
    conn.execute(f"create table {table} (id int4 primary key)")
    conn.execute(f"insert into {table} values (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(f"insert into {table} values (1)")
    with pytest.raises(psycopg.errors.UndefinedTable) as undefined:
        conn.execute("select *\nfrom no_such_table")
    assert undefined.value.diag.severity == "ERROR"
    assert undefined.value.diag.severity_nonlocalized == "ERROR"
    assert undefined.value.diag.statement_position == "15"
    with pytest.raises(psycopg.errors.SyntaxError):
        conn.execute("selec 1")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        conn.execute(f"insert into {table} values (%s)", ["x"])
    assert conn.execute("select 1").fetchone() == (1,)


def test_notices_reach_their_listener(conn: Connection) -> None:
    notices: list[tuple[str | None, str | None]] = []
    conn.add_notice_handler(lambda diag: notices.append((diag.severity, diag.sqlstate)))
    conn.execute("drop table if exists no_such_table")
    conn.execute("rollback")
    assert notices == [("NOTICE", "00000"), ("WARNING", "25P01")]


def test_cancel_interrupts_a_statement(conn: Connection) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            conn.execute(LONG)
        except psycopg.Error as error:
            failed.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        conn.cancel_safe()
        worker.join(0.2)
    assert [type(error) for error in failed] == [psycopg.errors.QueryCanceled]
    assert conn.execute("select 1").fetchone() == (1,)


def test_statement_timeout(conn: Connection) -> None:
    conn.execute("set statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        conn.execute(LONG)
    assert conn.execute("select 1").fetchone() == (1,)


# ---- the rest of a driver's life


def test_types_are_looked_up_in_the_catalog(conn: Connection) -> None:
    info = TypeInfo.fetch(conn, "int4")
    assert info is not None
    assert (info.oid, info.array_oid) == (23, 1007)


def test_composed_identifiers(conn: Connection, table: str) -> None:
    conn.execute(sql.SQL("create table {} ({} int4)").format(*map(sql.Identifier, (table, "A b"))))
    conn.execute(sql.SQL("insert into {} values ({})").format(sql.Identifier(table), 5))
    cur = conn.execute(sql.SQL("select {} from {}").format(*map(sql.Identifier, ("A b", table))))
    assert cur.description is not None
    assert (cur.description[0].name, cur.fetchall()) == ("A b", [(5,)])


def test_the_asynchronous_connection(libpq: dict[str, Any], table: str) -> None:
    async def work() -> list[Any]:
        async with await psycopg.AsyncConnection.connect(**libpq) as conn:
            await conn.execute(f"create table {table} (id int4)")
            async with conn.pipeline():
                for i in range(10):
                    await conn.execute(f"insert into {table} values (%s)", [i])
            async with conn.cursor("several") as cur:
                await cur.execute(f"select id from {table} order by id")
                return [row[0] async for row in cur]

    assert asyncio.run(work()) == list(range(10))
