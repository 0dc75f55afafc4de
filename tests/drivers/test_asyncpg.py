"""asyncpg: binary alone, everything prepared and cached, types looked up in pg_catalog."""

# What must raise is often the end of a block, so the block stands inside `pytest.raises`.

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from ..protocol.run import Target

LONG = (
    "select count(*) from generate_series(1, 1000000) as a(i), generate_series(1, 1000000) as b(j)"
    " where i + j < 0"
)
VALUES = [
    ("int2", -32768),
    ("int4", 2147483647),
    ("int8", -9223372036854775808),
    ("float8", 0.1),
    ("float8", float("inf")),
    ("float4", 1.5),
    ("numeric(18, 4)", Decimal("12345678901234.5678")),
    ("numeric(38, 0)", Decimal("-12345678901234567890123456789012345678")),
    ("bool", True),
    ("text", "Größe 東京 🦆 '\"\\"),
    ("bytea", b"\x00\xff\\'"),
    ("date", dt.date(2024, 2, 29)),
    ("time", dt.time(23, 59, 59, 999999)),
    ("timestamp", dt.datetime(1969, 12, 31, 23, 59, 59, 1)),
    ("timestamptz", dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)),
    ("interval", dt.timedelta(days=-3, seconds=4, microseconds=5)),
    ("uuid", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
    ("json", '{"a": [1, 2.5, null]}'),
    ("int4[]", [1, None, -3]),
    ("int8[]", []),
    ("text[]", ["a", None, "", "NULL", 'b,"c\\']),
    ("float8[]", [0.5, None]),
    ("date[]", [dt.date(2000, 1, 1)]),
    ("numeric(10, 2)[]", [Decimal("1.50")]),
]


def settings(target: Target) -> dict[str, Any]:
    return {
        "host": target.host,
        "port": target.port,
        "user": target.user,
        "database": target.database,
        "server_settings": dict(target.settings),
    }


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[asyncpg.Connection]:
    """A connection with asyncpg's defaults."""
    con = await asyncpg.connect(**settings(target))
    try:
        yield con
    finally:
        await con.close()


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
async def test_values_go_there_and_back(target: Target, kind: str, value: Any) -> None:
    async with connected(target) as con:
        assert await con.fetchval(f"select $1::{kind}", value) == value
        assert await con.fetchval(f"select $1::{kind}", None) is None


async def test_values_go_through_a_table(target: Target, table: str) -> None:
    values = [value for _, value in VALUES]
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(VALUES))
    marks = ", ".join(f"${i + 1}" for i in range(len(VALUES)))
    async with connected(target) as con:
        await con.execute(f"create table {table} ({columns})")
        assert await con.execute(f"insert into {table} values ({marks})", *values) == "INSERT 0 1"
        row = await con.fetchrow(f"select * from {table}")
        assert list(row.values()) == values
        assert list(row.keys()) == [f"c{i}" for i in range(len(VALUES))]


async def test_the_connection_knows_its_server(target: Target) -> None:
    async with connected(target) as con:
        assert con.get_server_version().major >= 15
        assert con.get_settings().server_encoding == "UTF8"
        assert con.get_server_pid() != 0
        assert not con.is_in_transaction()


async def test_ways_to_fetch(target: Target) -> None:
    query = "select i::int4 as i from generate_series(1, $1::int4) as g(i) order by i"
    async with connected(target) as con:
        assert [row["i"] for row in await con.fetch(query, 3)] == [1, 2, 3]
        assert (await con.fetchrow(query, 3))["i"] == 1
        assert await con.fetchrow(query, 0) is None
        assert await con.fetchval(query, 5) == 1
        assert await con.fetch(query, 0) == []


async def test_execute_runs_several_statements_without_parameters(
    target: Target, table: str
) -> None:
    async with connected(target) as con:
        status = await con.execute(
            f"create table {table} (id int4); insert into {table} values (1), (2)"
        )
        assert status == "INSERT 0 2"
        assert await con.execute(f"delete from {table} where id = $1", 1) == "DELETE 1"


async def test_parameters_take_the_type_of_their_column(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(f"create table {table} (id int8, name text, made timestamp, ok bool)")
        made = dt.datetime(2024, 2, 29, 12)
        await con.execute(f"insert into {table} values ($1, $2, $3, $4)", 1, "one", made, True)
        query = f"select name from {table} where id = $1 and made = $2 and ok = $3 limit $4"
        assert await con.fetchval(query, 1, made, True, 10) == "one"
        query = f"select id from {table} where id = any($1) and name like $2"
        assert await con.fetchval(query, [1, 2], "o%") == 1
        assert await con.fetchval(f"update {table} set name = $1 returning name", "x") == "x"


async def test_a_statement_is_prepared_once_and_used_again(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(f"create table {table} (id int4)")
        for i in range(10):
            await con.execute(f"insert into {table} values ($1)", i)
        for i in range(10):
            assert await con.fetchval(f"select id from {table} where id = $1", i) == i


async def test_a_cached_statement_whose_table_changed(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(f"create table {table} (id int4)")
        await con.execute(f"insert into {table} values (1)")
        assert len(await con.fetchrow(f"select * from {table}")) == 1
        await con.execute(f"alter table {table} add column name text")
        assert len(await con.fetchrow(f"select * from {table}")) == 2


async def test_prepared_statements_describe_themselves(target: Target) -> None:
    async with connected(target) as con:
        query = "select $1::int4 as id, $2::text as name, array[1]::int4[] as list"
        statement = await con.prepare(query)
        assert [p.name for p in statement.get_parameters()] == ["int4", "text"]
        assert [(a.name, a.type.name) for a in statement.get_attributes()] == [
            ("id", "int4"),
            ("name", "text"),
            ("list", "int4[]"),
        ]
        assert statement.get_statusmsg() is None
        assert [tuple(row) for row in await statement.fetch(5, "x")] == [(5, "x", [1])]
        assert statement.get_statusmsg() == "SELECT 1"
        assert [tuple(row) for row in await statement.fetchmany([(1, "a"), (2, "b")])] == [
            (1, "a", [1]),
            (2, "b", [1]),
        ]


async def test_cursors(target: Target) -> None:
    query = "select i::int4 as i from generate_series(1, $1::int4) as g(i) order by i"
    async with connected(target) as con, con.transaction():
        assert [row["i"] async for row in con.cursor(query, 120)] == list(range(1, 121))
        assert [row["i"] async for row in con.cursor(query, 20, prefetch=3)] == list(range(1, 21))
        cursor = await con.cursor(query, 30)
        assert [row["i"] for row in await cursor.fetch(5)] == [1, 2, 3, 4, 5]
        assert (await cursor.fetchrow())["i"] == 6
        assert await cursor.forward(4) == 4
        assert [row["i"] for row in await cursor.fetch(100)] == list(range(11, 31))
        assert await cursor.fetch(1) == []


async def test_two_cursors_at_once(target: Target) -> None:
    query = "select i::int4 as i from generate_series($1::int4, $2::int4) as g(i) order by i"
    async with connected(target) as con, con.transaction():
        one, two = await con.cursor(query, 1, 3), await con.cursor(query, 11, 13)
        pairs = [((await one.fetchrow())["i"], (await two.fetchrow())["i"]) for _ in range(3)]
        assert pairs == [(1, 11), (2, 12), (3, 13)]


async def test_a_large_result(target: Target) -> None:
    query = "select i::int8 as i, (i * 0.5)::float8 as h from generate_series(1, 50000) as g(i)"
    async with connected(target) as con:
        rows = await con.fetch(query)
        assert len(rows) == 50000
        assert sum(row["i"] for row in rows) == 1250025000


async def test_transactions(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(f"create table {table} (id int4)")
        async with con.transaction():
            assert con.is_in_transaction()
            await con.execute(f"insert into {table} values (1)")
        with pytest.raises(ZeroDivisionError):
            async with con.transaction():
                await con.execute(f"insert into {table} values (2)")
                raise ZeroDivisionError
        async with con.transaction(isolation="serializable", readonly=True):
            assert await con.fetchval(f"select count(*) from {table}") == 1
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with con.transaction(readonly=True):
                await con.execute(f"insert into {table} values (3)")
        assert await con.fetchval(f"select count(*) from {table}") == 1


async def test_nested_transactions_that_succeed(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(f"create table {table} (id int4)")
        async with con.transaction():
            await con.execute(f"insert into {table} values (1)")
            async with con.transaction():
                await con.execute(f"insert into {table} values (2)")
        assert await con.fetchval(f"select count(*) from {table}") == 2


async def test_a_nested_transaction_that_fails_reading(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(f"create table {table} (id int4)")
        async with con.transaction():
            with pytest.raises(asyncpg.UndefinedColumnError):
                async with con.transaction():
                    await con.fetch(f"select no_such_column from {table}")
            await con.execute(f"insert into {table} values (1)")
        assert await con.fetchval(f"select count(*) from {table}") == 1


async def test_an_error_in_a_transaction(target: Target) -> None:
    async with connected(target) as con:
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            async with con.transaction():
                with pytest.raises(asyncpg.UndefinedTableError):
                    await con.fetch("select 1 from no_such_table")
                await con.fetchval("select 1")
        assert await con.fetchval("select 1") == 1


async def test_executemany_is_one_transaction(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(f"create table {table} (id int4 primary key, name text)")
        rows = [(i, f"n{i}") for i in range(500)]
        await con.executemany(f"insert into {table} values ($1, $2)", rows)
        with pytest.raises(asyncpg.UniqueViolationError):
            await con.executemany(f"insert into {table} values ($1, $2)", [(1000, ""), (1, "")])
        assert await con.fetchval(f"select count(*) from {table}") == 500


async def test_copy_records_to_a_table(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(
            f"create table {table} (id int4, name text, price numeric(18, 4), d date)"
        )
        records = [
            (i, None if i % 7 == 0 else f"n{i}", Decimal(i) / 8, dt.date(2024, 1, 1))
            for i in range(2000)
        ]
        assert await con.copy_records_to_table(table, records=records) == "COPY 2000"
        rows = await con.fetch(f"select * from {table} order by id")
        assert [tuple(row) for row in rows] == records
        await con.copy_records_to_table(table, records=[(1, "x")], columns=["id", "name"])
        assert await con.fetchval(f"select count(*) from {table} where price is null") == 1


async def test_copy_from_a_query_and_a_table(target: Target, table: str) -> None:
    async with connected(target) as con:
        out = io.BytesIO()
        query = "select i::int4, 'n' || i from generate_series(1, $1) as g(i) order by i"
        assert await con.copy_from_query(query, 3, output=out, format="csv") == "COPY 3"
        assert out.getvalue() == b"1,n1\n2,n2\n3,n3\n"
        await con.execute(f"create table {table} (id int4, name text)")
        await con.execute(f"insert into {table} values (1, null), (2, 'x')")
        out = io.BytesIO()
        options = {"format": "csv", "header": True, "null": "none", "delimiter": ";"}
        await con.copy_from_table(table, columns=["name", "id"], output=out, **options)
        assert sorted(out.getvalue().splitlines()) == [b"name;id", b"none;1", b"x;2"]


async def test_copy_to_a_table(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(f"create table {table} (id int4, name text)")
        source = io.BytesIO(b"id,name\n1,one\n2,\n")
        status = await con.copy_to_table(table, source=source, format="csv", header=True)
        assert status == "COPY 2"
        with pytest.raises(asyncpg.PostgresError):
            await con.copy_to_table(table, source=io.BytesIO(b"x,one\n"), format="csv")
        assert await con.fetchval(f"select count(*) from {table}") == 2


async def test_a_timeout_cancels_the_statement(target: Target) -> None:
    async with connected(target) as con:
        with pytest.raises(asyncio.TimeoutError):
            await con.fetchval(LONG, timeout=0.2)
        assert await con.fetchval("select 1") == 1


async def test_a_cancelled_task_cancels_the_statement(target: Target) -> None:
    async with connected(target) as con:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(con.fetchval(LONG), 0.2)
        assert await con.fetchval("select 1") == 1


async def test_errors_have_their_classes(target: Target, table: str) -> None:
    async with connected(target) as con:
        await con.execute(f"create table {table} (id int4 primary key)")
        await con.execute(f"insert into {table} values (1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await con.execute(f"insert into {table} values ($1)", 1)
        with pytest.raises(asyncpg.NotNullViolationError):
            await con.execute(f"insert into {table} values ($1)", None)
        with pytest.raises(asyncpg.PostgresSyntaxError) as syntax:
            await con.fetch("selec 1")
        assert syntax.value.position == "1"
        with pytest.raises(asyncpg.UndefinedTableError):
            await con.fetch("select 1 from no_such_table where id = $1", 5)
        with pytest.raises(asyncpg.UndefinedFunctionError):
            await con.fetch("select no_such_function(1)")


async def test_notices_reach_their_listener(target: Target) -> None:
    notices: list[str] = []
    async with connected(target) as con:
        con.add_log_listener(lambda _, message: notices.append(message.sqlstate))
        await con.execute("drop table if exists no_such_table")
        await con.fetchval("select 1")
    assert notices == ["00000"]


async def test_a_codec_by_name_is_looked_up_in_the_catalog(target: Target) -> None:
    async with connected(target) as con:
        await con.set_type_codec(
            "json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
        assert await con.fetchval("select $1::json", {"a": [1, None]}) == {"a": [1, None]}


async def test_a_pool_resets_what_it_lends(target: Target, table: str) -> None:
    async with asyncpg.create_pool(**settings(target), min_size=1, max_size=2) as pool:
        async with pool.acquire() as con:
            await con.execute("set application_name = 'lent'")
            await con.execute(f"create table {table} (id int4)")
        async with pool.acquire() as con:
            assert await con.fetchval("show application_name") == ""

        async def insert(i: int) -> None:
            await pool.execute(f"insert into {table} values ($1)", i)

        await asyncio.gather(*(insert(i) for i in range(20)))
        assert await pool.fetchval(f"select count(*) from {table}") == 20
