"""Unnamed columns are named as Postgres 18 names them (its answers, recorded)."""

from __future__ import annotations

import pytest

from proxy.sql.plan import Dialect, plan_message

from .cases import Runner

RECORDED = [
    ("select true", ["?column?"]),
    ("select 1.5, 'a', null", ["?column?"] * 3),
    ("select date '2020-01-01'", ["date"]),
    ("select interval '1 day'", ["interval"]),
    ("select 'a'::text", ["text"]),
    ("select case when true then 1 else 2 end", ["case"]),
    ("select case when true then 1 else x end from (select 1 as x) t", ["x"]),
    ("select coalesce(1,2), greatest(1,2), nullif(1,2)", ["coalesce", "greatest", "nullif"]),
    ("select (select 5 as foo), exists(select 1)", ["foo", "exists"]),
    ("select extract(year from now())", ["extract"]),
    ("select current_date, current_timestamp", ["current_date", "current_timestamp"]),
    (
        "select 1::int4, 1::numeric(10,2), 'x'::varchar(10), 1::float",
        ["int4", "numeric", "varchar", "float8"],
    ),
    ("select 't'::bool, now()::timestamptz, '10:00'::time", ["bool", "now", "time"]),
    (
        "select x::int, -x, x + 1, not true from (select 1 as x) t",
        ["x", "?column?", "?column?", "?column?"],
    ),
    ("select x::int::text, (t.x) from (select 1 as x) t", ["x", "x"]),
    ("select upper('x')::varchar(10)", ["upper"]),
    ("select count(*), sum(1) over ()", ["count", "sum"]),
    ("select trim('a'), substring('abc', 1, 2)", ["btrim", "substring"]),
    ("select 1 in (1,2), 1 between 0 and 2, 'a' like 'b', 1 is null", ["?column?"] * 4),
    ("select cast(null as int4)", ["int4"]),
    ("select (1+1)::int4, coalesce(1,2)::text", ["int4", "coalesce"]),
    ("select 1 as a union select 2 as b", ["a"]),
    ("select count(*) union all select 2", ["count"]),
    ("values (1,2)", ["column1", "column2"]),
]


@pytest.fixture(scope="module")
def runners() -> dict[str, Runner]:
    found = {name: Runner(name) for name in ("snowflake", "postgres")}
    for runner in found.values():
        runner.fresh()
    return found


@pytest.mark.parametrize("dialect", ["snowflake", "postgres"])
@pytest.mark.parametrize(("text", "names"), RECORDED, ids=[text for text, _ in RECORDED])
def test_unnamed_columns_have_postgres_names(
    runners: dict[str, Runner], text: str, names: list[str], dialect: str
) -> None:
    columns, _ = runners[dialect].run(text)
    assert columns == names


SNOWFLAKE = [
    ("select iff(true, 1, 2), nvl(null, 7)", ["iff", "nvl"]),
    ("select dateadd(day, 1, '2024-02-28'::date)", ["dateadd"]),
    ("select to_date('2024-01-01'), div0(1, 0)", ["to_date", "div0"]),
    ("select v:a.b::int, v:a, v['k'] from (select parse_json('{}') as v)", ["b", "a", "k"]),
    ('select Foo, "Bar" as "Baz" from (select 1 as foo, 2 as "Bar")', ["foo", "Baz"]),
]


@pytest.mark.parametrize(("text", "names"), SNOWFLAKE, ids=[text for text, _ in SNOWFLAKE])
def test_snowflakes_functions_and_paths_follow_the_same_rule(
    runners: dict[str, Runner], text: str, names: list[str]
) -> None:
    columns, _ = runners["snowflake"].run(text)
    assert columns == names


def test_a_name_never_changes_what_order_by_means(runners: dict[str, Runner]) -> None:
    _, rows = runners["snowflake"].run(
        "select a::varchar from (select 10 as a union all select 9) t order by a"
    )
    assert rows == [("9",), ("10",)]
    columns, rows = runners["snowflake"].run(
        "select a::varchar, count(*) from (select 10 as a union all select 9) t"
        " group by a having a > 1 order by a"
    )
    assert (columns, rows) == (["a", "count"], [("9", 1), ("10", 1)])


def test_in_postgres_order_by_means_the_output_column(runners: dict[str, Runner]) -> None:
    columns, rows = runners["postgres"].run(
        "select a::text from (select 10 as a union all select 9) t order by a"
    )
    assert (columns, rows) == (["a"], [("10",), ("9",)])


def test_a_name_that_several_sources_could_mean_is_not_given() -> None:
    (statement,) = plan_message("select a::date from t, u order by a", Dialect())
    assert statement.sql == "SELECT _SF.TO_DATE_(a) FROM t, u ORDER BY a"


def test_stars_and_named_columns_are_left_alone() -> None:
    (statement,) = plan_message("select *, a, b as c from t", Dialect())
    assert statement.sql == "SELECT *, a, b AS c FROM t"
