"""The postgres dialect's result types against Postgres's: each expression is described by both.

`postgres_expressions.txt` holds expressions over one table that has a column of each common type.
Compared are the names and the types of the columns; `test_postgres_answers.py` compares values.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from .test_postgres_answers import both

__all__ = ["both"]

Both = tuple[psycopg.Connection, psycopg.Connection]

TABLE = (
    "create table q (i int, s smallint, b bigint, n numeric(10,2), nn numeric, f4 float4,"
    " f8 float8, d date, ts timestamp, tz timestamptz, ti time, iv interval, t text,"
    " v varchar(10), bo boolean, u uuid, j json, jb jsonb, by bytea, ai int[], at text[])",
    "insert into q values (7, 3, 9, 1.25, 3.5, 1.5, 2.5, '2024-02-29', '2024-02-29 12:34:56.789',"
    " '2024-02-29 12:34:56.789+00', '12:34:56', '1 day 02:03:04', 'abc', 'def', true,"
    r""" 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a":1}', '{"a": 1}', '\x6162', '{1,2,3}',"""
    " '{a,b}')",
)


def expressions() -> list[str]:
    lines = (Path(__file__).parent / "postgres_expressions.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def tables(both: Both) -> Both:
    for connection in both:
        for statement in TABLE:
            connection.execute(statement)
    return both


def described(connection: psycopg.Connection, text: str) -> list[tuple[str, int]] | str:
    """Names and OIDs of the columns, or the SQLSTATE of what went wrong."""
    try:
        cursor = connection.execute(text)
    except psycopg.Error as error:
        return error.sqlstate or "lost"
    return [(column.name, column.type_code) for column in cursor.description or ()]


def test_a_result_has_the_type_that_it_has_in_postgres(tables: Both) -> None:
    wrong = {}
    for expression in expressions():
        own, ours = (described(one, f"select {expression} from q") for one in tables)
        if own != ours:
            wrong[expression] = (own, ours)
    assert not wrong


def test_a_statement_is_described_with_the_types_that_it_returns(tables: Both) -> None:
    _, ours = tables
    described = ours.pgconn.prepare(b"lengths", b"select length(t), sum(i) over (), s + 1 from q")
    assert not described.error_message
    answer = ours.pgconn.describe_prepared(b"lengths")
    assert [answer.ftype(column) for column in range(3)] == [23, 20, 23]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("select avg(i) from q", Decimal(7)),
        ("select avg(x) from (values (1), (2), (2)) t(x)", Decimal("1.6666666666666667")),
        ("select avg(x) filter (where x > 1) from (values (1), (2)) t(x)", Decimal(2)),
        ("select avg(distinct x) from (values (1), (1), (3)) t(x)", Decimal(2)),
        ("select avg(x) from (values (1), (2)) t(x) where x > 5", None),
        (
            "select avg(x) from (values (12345678901234567.12)) t(x)",
            Decimal("12345678901234567.12"),
        ),
        ("select s * 20000 from q", 60000),
        ("select f4 * 10 from (values (1e38::float4)) t(f4)", 9.999999680285692e38),
        ("select extract(epoch from ts) from q", Decimal("1709210096.789000")),
        ("select date_part('second', ts) from q", 56.789),
        ("select div(7.5, 2)", Decimal(3)),
        ("select sum(x) / count(*) from (values (1.25), (1.5)) t(x)", Decimal("1.375")),
    ],
)
def test_a_value_of_that_type_is_exact(tables: Both, text: str, value: Any) -> None:
    for connection in tables:
        row = connection.execute(text).fetchone()
        assert row is not None
        assert row[0] == value
        assert type(row[0]) is type(value)


@pytest.mark.parametrize("part", ["year", "epoch", "second", "dow"])
def test_the_part_of_a_date_may_be_a_parameter(tables: Both, part: str) -> None:
    text = "select date_part(%s, ts) from q"
    answers = [connection.execute(text, [part]).fetchone() for connection in tables]
    assert answers[0] == answers[1]


OVERFLOWS = """
f8 * 10|f8 + f8|f8 - (-f8)|f8 / 1e-300|f4 * f4|f8 * 10 > 1|f8 * 10 * 10|power(f8, 2)|exp(f8)
i + 1|i * 2|big + 1|s + s|s * s|-i - 2
"""


@pytest.mark.parametrize("expression", OVERFLOWS.replace("\n", "|").strip("|").split("|"))
def test_an_overflow_raises(tables: Both, expression: str) -> None:
    source = (
        "(values (1e308::float8, 1e38::float4, 2147483647, 9223372036854775807, 32767::smallint))"
        " t(f8, f4, i, big, s)"
    )
    for connection in tables:
        with pytest.raises(psycopg.errors.NumericValueOutOfRange):
            connection.execute(f"select {expression} from {source}")


@pytest.mark.parametrize("expression", ["f8 * 10", "f8 + f8", "-f8 - f8"])
def test_what_is_infinite_stays_so(tables: Both, expression: str) -> None:
    source = "(values ('infinity'::float8)) t(f8)"
    answers = [one.execute(f"select {expression} from {source}").fetchone() for one in tables]
    assert answers[0] == answers[1]


# --- literals -----------------------------------------------------------------------------------

ASSIGNED = """
d|0044-03-15 BC
d|2020-01-01 garbage
d|2020-01-01x
d|20200105
d|infinity
d|2020-13-01
d|
ts|2020-01-01 10:00:00 BC
ts|2020-01-01 10:00 foo
ts|2020-01-01T10:00:00Z
ts|epoch
tz|2020-01-01 10:00:00 America/New_York
tz|2020-01-01 10:00:00+05:30
ti|10:00 PM
ti|25:00
ti|10:00:00.1234567
ti|040506
iv|1-2
iv|P1Y2M
iv|1 day ago
iv|3 4:05:06
iv|1 day foo
bo|off
bo|FALSE
bo|maybe
bo|o
n|1.005
n|1e3
n|abc
i| 12
i|1.5
i|12abc
i|99999999999
s|70000
b|9223372036854775808
by|\\xdeadbeef
by|a\\000b
by|a\\\\b
by|\\xdeadbee
u|{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}
u|foo
f4|1e50
f8|1e400
f8|-inf
f8|1.5x
ai|{1,NULL,3}
ai|{1,x}
at|{a,"b c",NULL}
j|{a:1}
"""
_PLACES = (
    "insert into lit ({0}) values ('{1}') returning {0}",
    "insert into lit ({0}) select '{1}' returning {0}",
    "update lit set {0} = '{1}' returning {0}",
    "select {0} from lit where {0} = '{1}'",
    "select {0} from lit where '{1}' >= {0}",
    "select {0} from lit where {0} in ('{1}', '{1}')",
    "select {0} from lit where {0} between '{1}' and '{1}'",
    "select coalesce({0}, '{1}') from lit",
    "select case when true then '{1}' else {0} end from lit",
    "select {0} from lit union all select '{1}'",
)


# Postgres has no equality of json; DuckDB has no BETWEEN of arrays, and one scale for a column.
_FEWER_PLACES = {"j": 3, "ai": 6, "at": 6, "n": 7}


def outcome(connection: psycopg.Connection, text: str) -> Any:
    """The rows as texts, or the error's class and place; what it did is undone."""
    try:
        with connection.transaction(force_rollback=True):
            result = connection.execute(text).pgresult
            assert result is not None
            return [result.get_value(row, 0) for row in range(result.ntuples)]
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary, error.diag.statement_position


@pytest.mark.parametrize("case", ASSIGNED.strip("\n").splitlines())
def test_a_literal_is_read_as_one_of_the_columns_type(tables: Both, case: str) -> None:
    column, _, text = case.partition("|")
    text = text.replace("\\\\", "\\")
    for connection in tables:
        connection.execute("drop table if exists lit")
        connection.execute(TABLE[0].replace("create table q", "create table lit"))
        connection.execute("insert into lit (i) values (1)")
    for place in _PLACES[: _FEWER_PLACES.get(column)]:
        own, ours = (outcome(one, place.format(column, text)) for one in tables)
        assert own == ours, place


def test_a_literal_may_mean_the_moment_in_which_it_is_read(tables: Both) -> None:
    for connection in tables:
        row = connection.execute(
            "select coalesce(null::date, 'tomorrow') - coalesce(null::date, 'yesterday')"
        ).fetchone()
        assert row == (2,)


@pytest.mark.parametrize(
    "text",
    [
        "insert into q (i) values (true)",
        "insert into q (bo) values (1)",
        "insert into q (d) values (1)",
        "insert into q (d) select d::text from q",
        "update q set d = t",
        "update q set bo = i",
        "select 1 from q where t = 1",
        "select 1 from q where d = i",
        "select 1 from q where bo = 1",
    ],
)
def test_types_that_do_not_go_together_are_refused(tables: Both, text: str) -> None:
    states = [described(connection, text) for connection in tables]
    assert states[0] == states[1]
    assert states[0] in ("42804", "42883")


def test_a_literal_follows_a_column_whose_type_changes(tables: Both) -> None:
    for connection in tables:
        connection.execute("drop table if exists turned")
        connection.execute("create table turned (c date)")
        text = "insert into turned values ('2020-01-01')"
        connection.execute(text)
        connection.execute("drop table turned")
        connection.execute("create table turned (c varchar(20))")
        connection.execute(text)
        assert connection.execute("select c from turned").fetchone() == ("2020-01-01",)


def test_a_literal_of_a_zone_follows_the_sessions(tables: Both) -> None:
    answers = []
    for connection in tables:
        connection.execute("set timezone = 'America/New_York'")
        text = "select count(*) from q where tz = '2024-02-29 07:34:56.789'"
        answers.append(connection.execute(text).fetchone())
        connection.execute("set timezone = 'UTC'")
        answers.append(connection.execute(text).fetchone())
    assert answers == [(1,), (0,)] * 2


def test_a_date_is_a_date_in_python(tables: Both) -> None:
    for connection in tables:
        row = connection.execute("select greatest(d, '2024-03-01') from q").fetchone()
        assert row == (datetime.date(2024, 3, 1),)


ENUMS = (
    "select m, m > 'sad', m in ('ok', 'happy') from moods order by m",
    "select n from moods where m >= 'ok' order by n",
    "select coalesce(m, 'sad') from moods order by 1",
    "select case when n = 1 then 'happy' else m end from moods order by 1",
    "update moods set m = 'sad' where m = 'happy' returning m::text",
    "select n from moods where m = 'bad'",
    "insert into moods values ('bad', 1)",
)


@pytest.mark.parametrize("text", ENUMS)
def test_a_literal_beside_an_enum_is_one_of_its_values(both: Both, text: str) -> None:
    seen = []
    for connection in both:
        connection.execute("create type mood as enum ('sad', 'ok', 'happy')")
        connection.execute("create table moods (m mood, n int)")
        connection.execute("insert into moods values ('ok', 1), ('happy', 2), ('sad', 3)")
        try:
            seen.append(connection.execute(text).fetchall())
        except psycopg.Error as error:
            seen.append(error.sqlstate)
        connection.execute("drop table moods")
        connection.execute("drop type mood")
    assert seen[0] == seen[1]


SERIES = (
    "select * from generate_series(1, 3)",
    "select * from generate_series(1, 3) g(x)",
    "select g from generate_series(1, 3) as g",
    "select g.x * 2, x from generate_series(1, 9, 4) g(x)",
    "select a.x, b.y from generate_series(1, 2) a(x) join generate_series(1, 2) b(y) on a.x = b.y",
    "select * from generate_series(1, 3::bigint) g(x)",
    "select i, x from q, lateral generate_series(1, i) g(x)",
)


@pytest.mark.parametrize("text", SERIES)
def test_a_series_in_from_is_of_its_bounds_type(tables: Both, text: str) -> None:
    assert described(tables[1], text) == described(tables[0], text)
    answers = [connection.execute(text).fetchall() for connection in tables]
    assert sorted(answers[0]) == sorted(answers[1])


@pytest.mark.parametrize(
    "written",
    ["'1 mon'", "'1-2'", "'1' day", "'2 hours 3 minutes'", "'1.5 hours'", "'1 day ago'", "'1 foo'"],
)
def test_an_interval_is_read_as_postgres_reads_it(both: Both, written: str) -> None:
    own, ours = (outcome(connection, f"select interval {written}") for connection in both)
    assert own[:1] == ours[:1]


NAMED_MONTHS = (
    *("Jan 5 2020", "January 8, 1999", "1999-Jan-08", "08-Jan-1999", "Fri, 03 Jan 2020 10:00:00"),
    *("jan 5 2020 BC", "Sept 5 2020", "Septem 5 2020", "Feb 30 2020", "5Jan2020", "Jan. 5 2020"),
    *("2020-Jan-5 10:00+02", "Jan 05 2020 America/New_York", "Jan 5 2020 foo", "Jan 5"),
)


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
@pytest.mark.parametrize("written", NAMED_MONTHS)
def test_a_month_may_be_named(both: Both, written: str, kind: str) -> None:
    for text in (f"select '{written}'::{kind}", f"select coalesce(null::{kind}, '{written}')"):
        own, ours = (outcome(connection, text) for connection in both)
        assert own == ours


def test_a_literal_of_a_zone_is_read_in_the_sessions(both: Both) -> None:
    answers = []
    for connection in both:
        connection.execute("set timezone = 'America/New_York'")
        row = connection.execute(
            "select '2020-07-01'::timestamptz::text, '0044-03-15 10:00+00 BC'::timestamptz"
            " = '0044-03-15 05:03:58 BC'::timestamptz"
        ).fetchone()
        answers.append(row)
        connection.execute("set timezone = 'UTC'")
    assert answers[0] == answers[1]


def test_a_plan_as_json_is_one_document(both: Both) -> None:
    for connection in both:
        for row in (
            connection.execute("explain (format json) select 1").fetchone(),
            connection.execute("explain (format json) select %s::int", (1,)).fetchone(),
        ):
            assert row is not None
            assert isinstance(row[0], list)
