"""Snowflake's answers, as its reference gives them, from a real DuckDB.

The breadth is in `tests/data/snowflake_cases.jsonl`; here stand the rules that everything else
builds on, each with the reason why DuckDB alone would answer otherwise.
"""

from __future__ import annotations

import datetime
from collections import Counter
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from proxy.errors import SqlError
from proxy.sql.plan import Dialect, plan_message
from proxy.sql.snowflake import macro_scripts

from .cases import Runner

D = Decimal
DATE = datetime.date
AT = datetime.datetime


@pytest.fixture(scope="module")
def runner() -> Runner:
    made = Runner()
    made.fresh()
    return made


def answer(runner: Runner, text: str) -> Any:
    _, rows = runner.run(text)
    return rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else rows


ANSWERS: list[tuple[str, Any]] = [
    # Division: NUMBER / NUMBER is exact, of scale + 6; DuckDB's / is a float's.
    ("select 2/7", D("0.285714")),
    ("select 7/2", D("3.500000")),
    ("select 10.1/2.1", D("4.8095238")),
    ("select -1/3", D("-0.333333")),
    ("select 2/3", D("0.666667")),
    ("select 123456789012.34::number(20,2)/7", D("17636684144.62000000")),
    ("select '\\\\x00ff'::bytea", b"\x00\xff"),
    ("select 98765432109876543210/3", D("32921810703292181070.000000")),
    ("select 1::float/3", 1 / 3),
    ("select 1/3::float", 1 / 3),
    ("select null/3", None),
    ("select sum(x)/count(*) from (values (1),(2)) t(x)", D("1.500000")),
    ("select x / sum(x) over () from (values (1)) t(x)", D("1.000000")),
    ("select div0(1, 0)", 0),
    ("select div0(1, null)", None),
    ("select div0null(1, null)", 0),
    ("select avg(x) from (values (1),(2),(2)) t(x)", D("1.666667")),
    ("select avg(distinct x) from (values (1),(2),(2)) t(x)", D("1.500000")),
    ("select avg(x) from (values (1)) t(x) where x > 1", None),
    ("select avg(x) over (partition by 1) from (values (1.5)) t(x)", D("1.5000")),
    # Integers are NUMBER(38, 0): literals do not overflow at 32 bits.
    ("select 1000000 * 1000000", 10**12),
    ("select 2147483647 + 1", 2**31),
    # Casts round half away from zero; a string may be any number.
    ("select 2.5::float::int", 3),
    ("select (-2.5)::float::int", -3),
    ("select 2.5::int", 3),
    ("select '2.5'::int", 3),
    ("select '1e2'::int", 100),
    ("select 1.235::number(5,2)", D("1.24")),
    ("select 12.9::number", D("13")),
    ("select to_number('12.3456')", D("12")),
    ("select to_decimal('12.3456', 10, 2)", D("12.35")),
    ("select try_to_number('x')", None),
    ("select try_cast('x' as int)", None),
    ("select try_cast('5' as int)", 5),
    ("select 'yes'::boolean", True),
    ("select try_to_boolean('maybe')", None),
    ("select 1.0::float::varchar", "1"),
    ("select 1.10::varchar", "1.10"),
    ("select true::varchar", "true"),
    ("select '2024-01-15 10:00:00'::timestamp::varchar", "2024-01-15 10:00:00.000"),
    ("select '5' + 3", 8),
    ("select '2' * '3'", 6),
    # Conditions.
    ("select iff(null, 'a', 'b')", "b"),
    ("select nvl2(null, 1, 2)", 2),
    ("select zeroifnull(null)", 0),
    ("select nullifzero(0)", None),
    ("select decode(2, 1, 'one', 2, 'two', 'other')", "two"),
    ("select equal_null(null, null)", True),
    ("select booland(1, 0)", False),
    # Dates: a day added to a DATE gives a DATE, an hour a TIMESTAMP; boundaries are counted.
    ("select dateadd(day, 1, '2024-02-28'::date)", DATE(2024, 2, 29)),
    ("select dateadd('month', 1, '2024-01-31'::date)", DATE(2024, 2, 29)),
    ("select dateadd(hour, 2, '2022-04-05'::date)", AT(2022, 4, 5, 2)),
    ("select dateadd(mm, -1, '2024-03-31 10:00:00'::timestamp)", AT(2024, 2, 29, 10)),
    ("select dateadd(quarter, 1, '2024-01-31'::date)", DATE(2024, 4, 30)),
    ("select dateadd(week, 1.5, '2024-01-01'::date)", DATE(2024, 1, 15)),
    ("select timeadd(minute, 30, '10:00:00'::time)", datetime.time(10, 30)),
    ("select datediff(year, '2015-12-31'::date, '2016-01-01'::date)", 1),
    ("select datediff(week, '2017-01-01'::date, '2017-01-02'::date)", 1),
    ("select datediff('hour', '2016-01-01 01:59:59', '2016-01-01 02:00:00')", 1),
    ("select datediff(day, '2024-01-01'::date, '2024-03-01 23:00:00'::timestamp)", 60),
    ("select date_trunc('month', '2024-05-09'::date)", DATE(2024, 5, 1)),
    ("select date_trunc(hour, '2024-05-09 08:50:57'::timestamp)", AT(2024, 5, 9, 8)),
    ("select trunc('2024-05-09'::date, 'quarter')", DATE(2024, 4, 1)),
    ("select last_day('2024-02-10'::date)", DATE(2024, 2, 29)),
    ("select last_day('2024-02-10'::date, 'year')", DATE(2024, 12, 31)),
    ("select next_day('2025-05-01'::date, 'Friday')", DATE(2025, 5, 2)),
    ("select next_day('2025-05-02'::date, 'fr')", DATE(2025, 5, 9)),
    ("select previous_day('2025-05-02'::date, 'Friday')", DATE(2025, 4, 25)),
    ("select date_part(epoch_second, '2024-04-08T23:39:20.123'::timestamp)", 1712619560),
    ("select date_part(year from '2024-04-08'::date)", 2024),
    ("select extract(dayofweek from '2016-01-03'::date)", 0),
    ("select dayofweekiso('2016-01-03'::date)", 7),
    ("select weekiso('2016-01-02'::date)", 53),
    ("select to_date('03/04/2024', 'MM/DD/YYYY')", DATE(2024, 3, 4)),
    ("select to_date('2024-05-10')", DATE(2024, 5, 10)),
    ("select to_date('31536000000')", DATE(1971, 1, 1)),
    ("select try_to_date('x')", None),
    ("select to_timestamp(1.5)", AT(1970, 1, 1, 0, 0, 1, 500_000)),
    ("select to_timestamp('31536002400')", AT(1971, 1, 1, 0, 0, 2, 400_000)),
    ("select '2024-04-05 01:02:03 +02:00'::timestamp_ntz", AT(2024, 4, 5, 1, 2, 3)),
    ("select to_char('2024-04-05'::date, 'DD.MM.YYYY')", "05.04.2024"),
    ("select to_varchar('2024-04-05 13:02:03'::timestamp, 'HH12:MI AM')", "01:02 PM"),
    ("select '2024-03-01'::date - '2024-02-01'::date", 29),
    ("select add_months('2024-02-29'::date, 1)", DATE(2024, 3, 31)),
    ("select '2024-01-31'::date + interval '1 month'", DATE(2024, 2, 29)),
    ("select '2024-01-31'::date - interval '1 day'", DATE(2024, 1, 30)),
    ("select '2024-01-31'::date + interval '1 hour'", AT(2024, 1, 31, 1)),
    # VARIANT: strings lose their quotes in a cast, JSON null becomes NULL there and only there.
    ("""select parse_json('{"a":{"b":"5"}}'):a.b::int""", 5),
    ("""select parse_json('{"a":"x"}'):a::varchar""", "x"),
    ("""select parse_json('{"a":"x"}')['a']::string""", "x"),
    ("""select parse_json('{"a":[1,"q"]}'):a[1]::string""", "q"),
    ("""select parse_json('{"A b":{"c.d":1}}'):"A b"."c.d"::int""", 1),
    ("""select parse_json('{"a":null}'):a is null""", False),
    ("""select parse_json('{"a":null}'):a::varchar is null""", True),
    ("""select parse_json('{"a":1}'):b is null""", True),
    ("""select parse_json('{"a":"x"}'):a = 'x'""", True),
    ("""select parse_json('{"a":10}'):a > 9""", True),
    ("""select parse_json('{"a":"x"}'):a || '!'""", "x!"),
    ("""select upper(parse_json('{"a":"x"}'):a)""", "X"),
    ("""select parse_json('{"a":2}'):a + 1""", 3),
    ("""select get(parse_json('[5,6]'), 1)::int""", 6),
    ("""select get_path(parse_json('{"a":[{"b":7}]}'), 'a[0].b')::int""", 7),
    ("""select v:x::int from (select parse_json('{"x":3}') as v)""", 3),
    ("""select v::varchar from (select to_variant('abc') as v)""", "abc"),
    ("""select v::int from (select parse_json('2.5') as v)""", 3),
    ("""select typeof(parse_json('[1]'))""", "ARRAY"),
    ("""select max(parse_json(x))::int from (values ('1'),('10'),('9')) t(x)""", 10),
    ("""select object_construct('b', 1, 'a', null)::varchar""", '{"b":1}'),
    ("""select array_construct(1, 'a', null)::varchar""", '[1,"a",null]'),
    ("""select array_size(array_construct(1, 2))""", 2),
    ("""select array_contains('b'::variant, array_construct('a', 'b'))""", True),
    ("""select array_agg(x)::varchar from (values (1),(null)) t(x)""", "[1]"),
    ("""select array_agg(x)::varchar from (values (1)) t(x) where x > 1""", "[]"),
    # Aggregates.
    ("select listagg(x, ',') within group (order by x desc) from (values (1),(2)) t(x)", "2,1"),
    ("select listagg(x) from (values ('a')) t(x) where false", ""),
    (
        "select ratio_to_report(x) over () from (values (1),(3)) t(x) order by 1 limit 1",
        D("0.250000"),
    ),
    ("select nth_value(x, 1) from last over (order by x) from (values (1),(3)) t(x) limit 1", 3),
    ("select 1.0::float || 'a' || '2024-01-01'::timestamp", "1a2024-01-01 00:00:00.000"),
    ("select concat('a', 1.0::float, null)", None),
    ("select count_if(x > 1) from (values (1),(2),(3)) t(x)", 2),
    ("select boolor_agg(x) from (values (true),(false)) t(x)", True),
    # Queries.
    ("select column2 from values (1, 'a')", "a"),
    ("select v.column1 from (values (1)) v", 1),
    ("select x from (values (1),(2)) t(x) qualify row_number() over (order by x desc) = 1", 2),
    ("select top 1 x from (values (2),(1)) t(x) order by x", 1),
    ("select sum(x) from (values (1),(2)) t(x) group by all", 3),
    ("select x from (values (1),(null)) t(x) order by x desc limit 1", None),
    ("select x from (values (1),(null)) t(x) order by x limit 1", 1),
    ("select a + 1 as b, b * 2 as c from (select 1 as a)", [(2, 4)]),
    ("with r (n) as (select 1 union all select n + 1 from r where n < 5) select sum(n) from r", 15),
    ("select l.a from (select 1 as a) l, (select 2 as b) r where l.a = r.b (+)", 1),
    ("select f.value::int from table(flatten(parse_json('[7]'))) f", 7),
    (
        "select f.path from table(flatten(input => parse_json('{\"a\":{\"b\":1}}'), path => 'a')) f",
        "a.b",
    ),
    ("select count(*) from table(flatten(parse_json('[]'), outer => true))", 1),
    ("select s.value from table(split_to_table('a.b', '.')) s where s.index = 2", "b"),
    ("select 'Ab' ilike 'aB'", True),
    ("select 'x' like any ('a%', 'x%')", True),
    ("select 'ab' rlike 'a'", False),
    ("select 'a\\tb'", "a\tb"),
    ("select $$a\\tb$$", "a\\tb"),
    ("select upper('Foo') as FOO", "FOO"),
    ("select split('a,b', ',')::varchar", '["a","b"]'),
    # One type for several decimals: the fraction stays.
    ("select coalesce(x, 0.5) from (select null::number as x)", D("0.5")),
    ("select case when x > 9 then x else 0.25 end from (select 5::number as x)", D("0.25")),
    ("select least(x, 6.5) from (select 7::number as x)", D("6.5")),
    ("select decode(x, 5, 0.5, x) from (select 5::number as x)", D("0.5")),
    ("select iff(x > 9, x, x * 0.5) from (select 5::number as x)", D("2.5")),
    ("select max(y) from (select 0::number as y union all select 0.5)", D("0.5")),
    # NULLs where they are asked for, whatever the direction.
    ("select x from (values (1),(null)) t(x) order by x desc nulls last limit 1", 1),
    ("select x from (values (1),(null)) t(x) order by x nulls first limit 1", None),
    ("select column1 from values (1),(2) order by 1 desc limit 1", 2),
    # What FLATTEN gives is compared and ordered by value.
    ("select f.value from table(flatten(parse_json('[10,9]'))) f order by f.value limit 1", "9"),
    ("select count(*) from table(flatten(parse_json('[\"a\"]'))) f where f.value = 'a'", 1),
    ("select max(f.value) from table(flatten(parse_json('[10,9]'))) f", "10"),
    # Models of numbers.
    ("select to_number('-1,234.50', '9,999.99', 6, 2)", D("-1234.50")),
    ("select to_number('FF', 'XX')", D("255")),
    ("select try_to_number('12345', '999')", None),
]


@pytest.mark.parametrize(("text", "expected"), ANSWERS, ids=[text for text, _ in ANSWERS])
def test_answer(runner: Runner, text: str, expected: Any) -> None:
    found = answer(runner, text)
    assert found == expected
    assert isinstance(found, bool) == isinstance(expected, bool)
    if isinstance(expected, Decimal):
        assert found.as_tuple() == expected.as_tuple()


@pytest.mark.parametrize(
    "text",
    [
        "select 1/0",
        "select 7 % 0",
        "select mod(x, 0) from (select 1.5 as x)",
        "select to_number('12345', '999')",
        "select coalesce(x, y) from (select null::number as x, 0.5::number(38, 6) as y)",
        "select 'abc'::int",
        "select 'maybe'::boolean",
        "select 'ABCD'::varchar(2)",
        "select parse_json('{')",
        "select 99999999999999999999999999999999999999 + 1",
        "select to_date('hello')",
        "select a from (select 1 as a) x, (select 2 as a) y",
    ],
)
def test_an_error_where_snowflake_errs(runner: Runner, text: str) -> None:
    with pytest.raises(duckdb.Error):
        runner.run(text)


@pytest.mark.parametrize(
    "text",
    [
        "select * from t at (offset => -60)",
        "select * from t match_recognize (measures prev(a.x) as p pattern (a) define a as true)",
        "select level from t start with a = 1 connect by nocycle prior a = b",
        "select * from t pivot (sum(a), max(a) for b in ('x'))",
        "select hash(a) from t",
        "select search_ip(a, '1.2.3.4') from t",
        "select random(42)",
        "select to_char(1234.5, '9D999EE')",
        "select object_construct(* rename a as b) from t",
        "create table t clone s at (offset => -60)",
        "create table t (g geometry)",
        "describe warehouse w",
        "select * from table(information_schema.query_history())",
        "select system$version()",
        "select all_user_names()",
    ],
)
def test_what_has_no_faithful_form_is_refused(text: str) -> None:
    (statement,) = plan_message(text, Dialect())
    assert statement.refused is not None
    assert statement.refused.sqlstate == "0A000"
    assert statement.sql == ""


def test_tables_have_snowflakes_types() -> None:
    runner = Runner()
    runner.fresh()
    runner.run(
        "create or replace transient table T (ID int not null, a number, b number(10, 2),"
        " c varchar(3), d string, e variant, f object, g array, h timestamp_ntz, i timestamp_ltz,"
        " j float, k binary, l boolean, m date, n time, o smallint, p int4, q int2, r int4[])"
        " cluster by (id) comment = 'x'"
    )
    _, rows = runner.run("select column_name, data_type from duckdb_columns() where table_name='t'")
    assert dict(rows) == {
        **dict.fromkeys(("id", "o"), "BIGINT"),
        "a": "DECIMAL(38,0)",
        "b": "DECIMAL(10,2)",
        **dict.fromkeys(("c", "d"), "VARCHAR"),
        **dict.fromkeys(("e", "f", "g"), "JSON"),
        "h": "TIMESTAMP",
        "i": "TIMESTAMP WITH TIME ZONE",
        "j": "DOUBLE",
        "k": "BLOB",
        "l": "BOOLEAN",
        "m": "DATE",
        "n": "TIME",
        "p": "INTEGER",
        "q": "SMALLINT",
        "r": "INTEGER[]",
    }
    with pytest.raises(duckdb.ConstraintException):
        runner.run("insert into t (id, c) values (1, 'long')")
    runner.run("insert into t (id, c, b) values (1, 'abc', 1.235)")
    assert answer(runner, "select b from t") == D("1.24")


def test_data_changes() -> None:
    runner = Runner()
    runner.fresh()
    runner.run("create table t (id int, v variant, n int default 7)")
    runner.run('insert into t (id, v) select 1, parse_json(\'{"a":{"b":5}}\')')
    runner.run("insert into t values (2, null, default), (3, null, 1)")
    assert answer(runner, "select v:a.b::int from t where id = 1") == 5
    runner.run("update t set n = s.m from (select 2 as id, 20 as m) s where t.id = s.id")
    runner.run("delete from t using (select 3 as id) s where t.id = s.id")
    runner.run(
        "merge into t using (select 2 as id, 5 as n union all select 4, 6) s on t.id = s.id"
        " when matched and s.n > 1 then update set n = s.n"
        " when not matched then insert (id, n) values (s.id, s.n)"
    )
    assert answer(runner, "select id, n from t order by id") == [(1, 7), (2, 5), (4, 6)]
    runner.run("create table u clone t")
    runner.run("create table w like t")
    assert answer(runner, "select (select count(*) from u), (select count(*) from w)") == [(3, 0)]
    runner.run("truncate table if exists t")
    assert answer(runner, "select count(*) from t") == 0


def test_merge_raises_where_two_rows_would_change_one() -> None:
    runner = Runner()
    runner.fresh()
    runner.run("create table t (id int, n int)")
    runner.run("insert into t values (1, 1), (2, 2)")
    twice = "(select 1 as id, 5 as n union all select 1, 6) s"
    with pytest.raises(duckdb.Error, match="second time"):
        runner.run(f"merge into t using {twice} on t.id = s.id when matched then delete")
    assert answer(runner, "select count(*) from t") == 2
    runner.run(
        f"merge into t as a using {twice} on a.id = s.id"
        " when matched and s.n > 5 then update set n = s.n"
        " when not matched then insert (id, n) values (s.id, s.n)"
    )
    assert answer(runner, "select n from t where id = 1") == 6


def test_lateral_flatten_keeps_rows_without_elements_only_when_outer() -> None:
    runner = Runner()
    runner.fresh()
    runner.run('create table t as select 1 as id, parse_json(\'[{"q":1},{"q":2}]\') as v')
    runner.run("insert into t select 2, parse_json('[]')")
    inner = "select id, f.index, f.value:q::int from t, lateral flatten(input => v) f order by 1, 2"
    assert answer(runner, inner) == [(1, 0, 1), (1, 1, 2)]
    for text in (
        "select id, f.value:q::int from t, lateral flatten(v, outer => true) f order by 1, 2",
        "select id, f.value:q::int from t left join lateral flatten(v) f on true order by 1, 2",
    ):
        assert answer(runner, text) == [(1, 1), (1, 2), (2, None)]


def test_every_macro_is_created_and_known() -> None:
    (statement,) = plan_message("select array_size(a), haversine(1, 2, 3, 4) from t", Dialect())
    assert "_SF.ARRAY_SIZE(a)" in statement.sql
    assert "_SF.HAVERSINE(1, 2, 3, 4)" in statement.sql


def test_no_two_macros_have_one_name() -> None:
    """The later one would silently take the place of the other."""
    made = [script.partition(" MACRO ")[2].partition("(")[0].strip() for script in macro_scripts()]
    assert len(made) > 500
    assert {name for name, count in Counter(made).items() if name and count > 1} == set()


def test_functions_that_snowflake_does_not_know_are_duckdbs(runner: Runner) -> None:
    assert answer(runner, "select levenshtein('duck', 'dock')") == 1


def test_a_refusal_carries_its_position() -> None:
    text = "select a, search_ip(b, '1.2.3.4') from t"
    (statement,) = plan_message(text, Dialect())
    assert isinstance(statement.refused, SqlError)
    assert statement.refused.position is None or text[statement.refused.position - 1 :]


def test_the_texts_of_our_views_are_short() -> None:
    """DuckDB writes them all whenever it tells the text of one view of a client's."""
    views = [sql for sql in macro_scripts() if sql.startswith("CREATE OR REPLACE VIEW")]
    assert views
    assert all(len(sql) < 200 for sql in views)
