"""Parameters of every kind through real drivers, their types compared with Postgres's own answers."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import asyncpg
import pg8000.native
import psycopg
import pytest
from psycopg.pq import ExecStatus

from ..conftest import Running
from ..protocol import targets

DIALECTS = ("postgres", "snowflake", "duckdb")

TABLES = (
    "create table par (id int4 primary key, big int8, small int2, name text, price numeric(10,2),"
    " made timestamp, seen timestamptz, d date, ok bool, f float8, u uuid, ids int4[],"
    " names text[], span interval)",
    "create table other (id int8, label text, made date)",
)


@pytest.fixture(scope="module")
def servers(server: Running) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Postgres and our server, each with the tables and nothing else in their schema."""
    with targets.postgres() as real:
        where = {"host": real.host, "port": real.port, "user": real.user, "dbname": real.database}
        ours = server.connect(options="-c hatidata.dialect=postgres")
        with psycopg.connect(**where, autocommit=True) as theirs, ours:
            for connection in (theirs, ours):
                connection.execute("drop schema if exists par_live cascade")
                connection.execute("create schema par_live")
                connection.execute("set search_path = par_live")
                for table in TABLES:
                    connection.execute(table)
            yield theirs, ours
            for connection in (theirs, ours):
                connection.execute("reset search_path")
                connection.execute("drop schema par_live cascade")


def described(connection: psycopg.Connection, sql: str) -> list[int]:
    """The OIDs of the parameters, of which the client says nothing."""
    wire = connection.pgconn
    prepared = wire.prepare(b"", sql.encode())
    assert prepared.status == ExecStatus.COMMAND_OK, (sql, prepared.error_message)
    told = wire.describe_prepared(b"")
    return [told.param_type(n) for n in range(told.nparams)]


@pytest.mark.parametrize(
    "sql",
    [
        "select $1 + 1, $2 * 2.5, 10000000000 - $3, $4::int2 + $5",
        "select id + $1, big * $2, small - $3, price + $4, f / $5 from par",
        "select made + $1, made - $2, d - $3, seen - $4 from par",
        "select span * $1, span + $2 from par",
        "select -id = $1, id % $2 = 0, id & $3, id << $4 from par",
        "select big + id = $1, price * 2 = $2, f + id > $3, id + small = $4 from par",
        "select name || $1, $2 || name, id || $3 from par",
        "select id from par where id in ($1, $2, 3)",
        "select id from par where id in ($1, 2.5)",
        "select id from par where id in ($1, big)",
        "select id from par where $1 in (1, 2) and $2 in ('a', $3)",
        "select id from par where (id, name) in (($1, $2), ($3, $4))",
        "select id from par where id between $1 and $2 and $3 between id and big",
        "select id from par where made not between $1 and $2",
        "select id from par where id = any($1) and name <> all($2) and u = any($3) and d > any($4)",
        "select id from par where $1 = any(ids) and $2 = any(names)",
        "select id from par where id = any(array[$1, $2, 3])",
        "select id from par where big = any($1::int4[])",
        "select id from par where $2 in (select label from other where id = $1)",
        "select id from par p where exists"
        " (select 1 from other o where o.id = p.id and o.made = $1 and p.name = $2)",
        "select (select label from other where id = $1) = $2",
        "select count(*) from par having count(*) > $1 and sum(id) > $2 and max(price) < $3"
        " and sum(big) > $4 and avg(f) > $5",
        "select name, row_number() over (order by id) from par order by id limit $1 offset $2",
        "select case when id = $1 then $2 else price end from par",
        "select case name when $1 then $2 when $3 then 'x' end from par",
        "select coalesce($1, id), coalesce(name, $2), coalesce($3, $4), nullif($5, id),"
        " greatest($6, f), least(d, $7) from par",
        "select coalesce($1, 1, 2.5), coalesce($2, $3::date)",
        "select id from par where $1 is not distinct from id or name is distinct from $2",
        "select id from par where not $1 and ($2 or ok = $3) and $4 is true",
        "select id from par where name like $1 or name ilike $2 or name ~ $3 or $4 like name",
        "select upper($1), lower($2), length($3), md5($4), trim($5), replace($6, $7, $8)",
        "select substr($1, $2, $3), left($4, $5), lpad($6, $7), repeat($8, $9), strpos($10, $11)",
        "select abs($1), round($2, $3), ceil($4), sqrt($5), power($6, 2), ln($7)",
        "select length(name) = $1, lower(name) = $2, round(price) = $3, abs(id) = $4 from par",
        "select date_trunc('day', made) = $1, made::date = $2, now() > $3, current_date = $4"
        " from par",
        "select sum(id) filter (where ok = $1 and $2), string_agg(name, $3) from par",
        "select array_agg(id) = $1 from par",
        "select $1::int4[] = ids, ids = $2, ids[$3] = $4 from par",
        "select array[$1, $2]::int4[], array[$3, 2], array['a', $4]",
        "select * from unnest($1::int4[], $2::text[]) as x(a, b) where a = $3 and b = $4",
        "select n from generate_series(1, $1) as g(n) where n > $2",
        "select l.name from par l join other r on r.id = l.id and r.label = $1 where l.name = $2",
        "select 1 from par l left join other r using (id) where label = $1 and id = $2",
        "select x.a from (select id as a, big + 1 as b, name || 'x' as c from par) x"
        " where x.a = $1 and b = $2 and c = $3",
        "select x.a from (select $1::int8 as a, $2 as b) x where a = $3 and b = $4",
        "select * from (select * from par) q where q.price = $1 and d = $2",
        "with w as (select id, made from other where id = $1)"
        " select made from w where made > $2 and id = $3",
        "with w(a, b) as (values (1, 'x'), (2, $1)) select a from w where a = $2 and b = $3",
        "with recursive r(n) as (select 1 union all select n + $1 from r where n < $2)"
        " select n from r where n > $3",
        "select $1::int4 union all select $2",
        "select id, name from par union all select $1, $2 union all select 3, $3",
        "values ($1, 2), (3, $2)",
        "insert into par (id, name, price, made, d, ok, f, big, u, ids)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        "insert into par (id, name) values ($1, $2), ($3 + 1, upper($4)), ($5, default)",
        "insert into par (id, name, price) select $1, $2, $3",
        "insert into par (id, name) select id, $1 from other where label = $2",
        "insert into par (id, name) values ($1, $2) on conflict (id)"
        " do update set name = $3, big = excluded.big + $4 where par.price > $5",
        "with w as (select $1::int4 as a) insert into par (id, name) select a, $2 from w",
        "update par set name = $1, price = price + $2, made = $3 where id = $4",
        "update par set name = coalesce($1, name), big = case when $2 then $3 else big end",
        "update par set (name, price) = ($1, $2) where id = $3",
        "update par set name = o.label, big = $1 from other o where o.id = par.id and o.made = $2",
        "delete from par using other o where o.id = par.id and o.label = $1",
        "select id from par where $1 = id and $1 = 5",
        "select $1 = $2, $3 = 'x', 5.5 = $4, true = $5, null = $6",
        "select id from par order by $1",
        "select first_value(name) over (partition by id order by d) = $1 from par",
        "select id::text = $1, id::float8 = $2, price::int4 = $3 from par",
        "select array(select id from par where name = $1)",
        "select bool_and(ok) = $1, count(distinct id) = $2 from par",
        "select $1 / 2, 7 / $2, id / $3 = $4, price / 3 = $5 from par",
    ],
)
def test_types_are_inferred_as_postgres_infers_them(
    servers: tuple[psycopg.Connection, psycopg.Connection], sql: str
) -> None:
    theirs, ours = servers
    assert described(ours, sql) == described(theirs, sql)


def test_a_place_that_says_nothing_does_not_matter_where_another_does(
    servers: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    """Postgres refuses this; the usual optional filter of other databases."""
    assert described(servers[1], "select id from par where $1 is null or id = $1") == [23]


# --- digits of numeric -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "modifiers"),
    [
        ("select $1::numeric(10,2) as a, $2::int4 as b", [(10 << 16 | 2) + 4, -1]),
        ("select $1 + 0.5 as a, 1.25::numeric(4,2) as b", [-1, (4 << 16 | 2) + 4]),
        ("select coalesce($1, 1.5) as a, array[$1, 2.5] as b, array[1.5] as c", [-1, -1, -1]),
    ],
)  # fmt: skip
def test_only_columns_that_depend_on_a_value_lose_their_digits(
    server: Running, sql: str, modifiers: list[int]
) -> None:
    with server.connect(options="-c hatidata.dialect=postgres") as connection:
        wire = connection.pgconn
        assert wire.prepare(b"", sql.encode(), [1700]).status == ExecStatus.COMMAND_OK
        told = wire.describe_prepared(b"")
        assert [told.fmod(n) for n in range(told.nfields)] == modifiers


@pytest.mark.parametrize("value", ["0", "1.23456789", "-12345678901234567890.123456789", "1e-20"])
def test_a_numeric_value_keeps_every_digit(server: Running, value: str) -> None:
    number = Decimal(value)
    with server.connect(options="-c hatidata.dialect=postgres") as connection:
        for sql in ("select %s as v", "select %s::numeric as v", "select coalesce(%s, 0.5) as v"):
            assert connection.execute(sql, (number,)).fetchone() == (number,)
        connection.execute("begin")
        connection.execute("declare c cursor for select %s::numeric as v", (number,))
        assert connection.execute("fetch all from c").fetchone() == (number,)


# --- asyncpg: types and values in binary, nothing said of them --------------------------------

VALUES: dict[str, tuple[Any, ...]] = {
    "id": (1, 2, 3),
    "big": (2**40, -1, None),
    "name": ("a", None, "c"),
    "price": (Decimal("1.25"), None, Decimal("99999999.99")),
    "d": (dt.date(2024, 2, 29), dt.date(1, 1, 1), None),
    "made": (dt.datetime(2024, 2, 29, 1, 2, 3, 4), None, dt.datetime(1969, 12, 31)),
    "ok": (True, False, None),
    "f": (0.1, None, float("inf")),
    "ids": ([1, None], [], None),
}
TYPES = ("int4", "int8", "text", "numeric(10,2)", "date", "timestamp", "bool", "float8", "int4[]")
ROWS = [tuple(column[n] for column in VALUES.values()) for n in range(3)]


async def _every_place(server: Running, dialect: str) -> None:
    connection = await asyncpg.connect(server.url, server_settings={"hatidata.dialect": dialect})
    try:
        columns = ", ".join(map(" ".join, zip(VALUES, TYPES, strict=True)))
        await connection.execute(
            "create schema if not exists par_every; drop table if exists par_every.t"
        )
        await connection.execute(f"create table par_every.t ({columns})")
        await connection.execute("set search_path = par_every")
        names, width = ", ".join(VALUES), len(VALUES)
        marks = [", ".join(f"${n * width + i + 1}" for i in range(width)) for n in range(3)]
        await connection.execute(
            f"insert into t ({names}) values ({marks[0]}), ({marks[1]}), ({marks[2]})",
            *(value for row in ROWS for value in row),
        )
        everything = f"select {names} from t order by id"
        assert [tuple(row) for row in await connection.fetch(everything)] == ROWS
        await connection.execute("delete from t")
        await connection.executemany(f"insert into t ({names}) values ({marks[0]})", ROWS)
        assert [tuple(row) for row in await connection.fetch(everything)] == ROWS
        for name, column in VALUES.items():
            for number, value in enumerate(column, start=1):
                same = f"select id from t where {name} is not distinct from $1 and id = $2"
                assert await connection.fetchval(same, value, number) == number, (name, value)
                change = f"update t set {name} = $1 where id = $2 and $3"
                assert await connection.execute(change, value, number, True) == "UPDATE 1"
            if name != "ids":
                some = [value for value in column if value is not None]
                found = await connection.fetch(
                    f"select id from t where {name} = any($1) order by id", [*some, None]
                )
                assert len(found) == len(some), name
                assert not await connection.fetch(f"select id from t where {name} = any($1)", None)
                assert not await connection.fetch(f"select id from t where {name} <> all($1)", None)
    finally:
        await connection.close()


@pytest.mark.parametrize("dialect", DIALECTS[:2])
def test_asyncpg_sends_every_value_and_none_in_every_place(server: Running, dialect: str) -> None:
    asyncio.run(_every_place(server, dialect))


async def _fetch(server: Running, dialect: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(server.url, server_settings={"hatidata.dialect": dialect})
    try:
        return [tuple(row) for row in await connection.fetch(sql, *values)]
    finally:
        await connection.close()


@pytest.mark.parametrize("dialect", DIALECTS[:2])
@pytest.mark.parametrize(
    ("sql", "values", "rows"),
    [
        ("select $1::int[] as a, $2::text[] as b, $3::date[] as c",
         ([1, None], ["a", ""], []), [([1, None], ["a", ""], [])]),
        ("select x from unnest($1::int[]) as u(x) where x > $2", ([1, 2, 3], 1), [(2,), (3,)]),
        ("select a, b from unnest($1::int[], $2::text[]) as u(a, b)",
         ([1, 2], ["x"]), [(1, "x"), (2, None)]),
        ("select 1 as a where 1 = any($1::int[])", ([1, 2],), [(1,)]),
        ("select 3 = any($1::int[]) as a, 3 <> all($1::int[]) as b", ([1, None],), [(None, None)]),
        ("select 3 = any($1::int[]) as a, 3 <> all($1::int[]) as b", (None,), [(None, None)]),
        ("select 3 = any($1::int[]) as a, 3 <> all($1::int[]) as b", ([],), [(False, True)]),
        ("select $1 + 1 as a, $2 || 'x' as b", (1, "y"), [(2, "yx")]),
        ("select $1 + 1 as a, $2 || 'x' as b", (None, None), [(None, None)]),
        ("select case when $1 then $2 else 0 end as a", (True, 7), [(7,)]),
        ("select 1 as a limit $1 offset $2", (None, 0), [(1,)]),
        ("select coalesce($1, 5) as a, coalesce($2, 'z') as b", (None, None), [(5, "z")]),
        ("select $1::text as a where $1::text is null or $1 = 'x'", (None,), [(None,)]),
    ],
)  # fmt: skip
def test_asyncpg_sends_lists_and_nothing(
    server: Running, dialect: str, sql: str, values: tuple[Any, ...], rows: list[Any]
) -> None:
    assert asyncio.run(_fetch(server, dialect, sql, *values)) == rows


# --- psycopg: prepared by itself, each value under the type it has ----------------------------


@pytest.fixture(params=DIALECTS)
def prepared(server: Running, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    """A connection that prepares everything, and an empty table t (id int, name text, ...)."""
    with server.connect(options=f"-c hatidata.dialect={request.param}") as connection:
        connection.prepare_threshold = 0
        connection.execute("drop schema if exists par_prepared cascade")
        connection.execute("create schema par_prepared")
        connection.execute("set search_path = par_prepared")
        connection.execute("create table t (id int, name text, price numeric(10,2), d date)")
        yield connection
        connection.execute("reset search_path")
        connection.execute("drop schema par_prepared cascade")


PEOPLE = [
    (1, "a", Decimal("1.25"), dt.date(2024, 2, 29)),
    (None, None, None, None),
    (70000, "c", Decimal("2.50"), None),
    (-3, None, Decimal("-0.01"), dt.date(1, 1, 1)),
]


def test_psycopg_prepares_executemany_by_itself(prepared: psycopg.Connection) -> None:
    with prepared.cursor() as cursor:
        cursor.executemany("insert into t (id, name, price, d) values (%s, %s, %s, %s)", PEOPLE)
        assert cursor.rowcount == len(PEOPLE)
        cursor.executemany("update t set price = %s where id = %s", [(5, 1), (None, -3)])
        assert cursor.rowcount == 2
    found = prepared.execute("select id, price from t where id is not null order by id").fetchall()
    assert found == [(-3, None), (1, Decimal("5.00")), (70000, Decimal("2.50"))]


def test_psycopg_sends_lists(prepared: psycopg.Connection) -> None:
    prepared.cursor().executemany("insert into t values (%s, %s, %s, %s)", PEOPLE)
    for column, wanted, ids in (
        ("id", [1, -3, 5], [-3, 1]),
        ("id", [70000], [70000]),
        ("name", ["c", "x"], [70000]),
        ("d", [dt.date(2024, 2, 29)], [1]),
        ("price", [Decimal("2.5"), Decimal("1.250")], [1, 70000]),
    ):
        sql = f"select id from t where {column} = any(%s) order by id"
        assert [row[0] for row in prepared.execute(sql, (wanted,))] == ids
    others = prepared.execute("select id from t where id <> all(%s) order by id", ([1, -3],))
    assert others.fetchall() == [(70000,)]


def test_psycopg_sends_strings_of_which_it_does_not_know_the_type(
    prepared: psycopg.Connection,
) -> None:
    prepared.execute("insert into t values (%s, %s, %s, %s)", ("7", "n", "1.5", "2020-01-02"))
    sql = "select id + %s, price from t where d between %s and %s and id in (%s, %s)"
    values = ("1", "2020-01-01", "2020-12-31", "7", "8")
    assert prepared.execute(sql, values).fetchone() == (8, Decimal("1.50"))


def test_a_failed_parse_leaves_the_transaction_as_postgres_does(
    prepared: psycopg.Connection,
) -> None:
    prepared.execute("begin")
    prepared.execute("insert into t (id) values (%s)", (1,))
    with pytest.raises(psycopg.errors.UndefinedTable):
        prepared.execute("select 1 from no_such_table where id = %s", (1,))
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        prepared.execute("select 1")
    prepared.execute("rollback")
    assert prepared.execute("select count(*) from t").fetchone() == (0,)


# --- pg8000: everything as text, strings without a type ---------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS[:2])
def test_pg8000_sends_texts(server: Running, dialect: str) -> None:
    connection = pg8000.native.Connection(
        "tester", host=server.host, port=server.port, database="hatidata"
    )
    try:
        connection.run(f"set hatidata.dialect = '{dialect}'")
        connection.run("create schema if not exists par_texts")
        connection.run("drop table if exists par_texts.t")
        connection.run("create table par_texts.t (id int, name text, price numeric(10,2), d date)")
        for row in PEOPLE:
            values = dict(zip("abcd", row, strict=True))
            connection.run("insert into par_texts.t values (:a, :b, :c, :d)", **values)
        some = connection.run(
            "select id from par_texts.t where id = any(:x) order by id", x=[1, -3]
        )
        assert some == [[-3], [1]]
        day = connection.run("select id from par_texts.t where d = :x", x="2024-02-29")
        assert day == [[1]]
        assert connection.run("select :a + 1, cast(:b as int), :c", a=1, b="5", c="x") == [
            [2, 5, "x"]
        ]
        assert len(connection.run("select 1 from par_texts.t limit :n", n=2)) == 2
    finally:
        connection.close()


# --- numbers that the text does not have -------------------------------------------------------


def test_values_of_parameters_that_the_text_does_not_have_are_left_out(server: Running) -> None:
    with server.connect() as connection:
        wire = connection.pgconn
        sql = b"select $4::int4 as a, $2::text as b, $2 || 'y' as c"
        assert wire.prepare(b"gap", sql, [23, 0, 25, 0, 1082]).status == ExecStatus.COMMAND_OK
        told = wire.describe_prepared(b"gap")
        assert [told.param_type(n) for n in range(told.nparams)] == [23, 25, 25, 23, 1082]
        found = wire.exec_prepared(b"gap", [b"1", b"x", b"z", b"4", b"2020-01-01"])
        assert [found.get_value(0, n) for n in range(3)] == [b"4", b"x", b"xy"]
        short = wire.exec_prepared(b"gap", [b"1", b"x", b"z", b"4"])
        assert short.error_field(67) == b"08P01"
        wrong = wire.exec_prepared(b"gap", [b"no number", b"x", b"z", b"4", b"2020-01-01"])
        assert wrong.error_field(67) == b"22P02"


@pytest.mark.parametrize(
    ("sql", "oids", "state"),
    [
        ("select $2::int4", [], b"42P18"),
        ("select $2::int4", [705], b"42P18"),
        ("select $1::int4", [23, 0], b"42P18"),
        ("select $999999999::int4", [], b"42P18"),
        ("select $0::int4", [], b"42P02"),
        ("select '$0', $1::int4", [], None),
    ],
)
def test_numbers_without_a_type_are_refused(
    server: Running, sql: str, oids: list[int], state: bytes | None
) -> None:
    with server.connect() as connection:
        assert connection.pgconn.prepare(b"", sql.encode(), oids).error_field(67) == state
