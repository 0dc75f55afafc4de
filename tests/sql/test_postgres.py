"""The postgres dialect: what ORMs and dbt-postgres write must mean what it means there."""

from __future__ import annotations

import datetime
from typing import Any

import duckdb
import pytest

from proxy.sql.plan import Dialect, plan_message

from .cases import Runner


@pytest.fixture(scope="module")
def runner() -> Runner:
    made = Runner("postgres")
    made.fresh()
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 7/2", 3),
        ("select -7/2", -3),
        ("select 7.0/2", 3.5),
        ("select 7/2.0::float8", 3.5),
        ("select x/2 from (values (9)) t(x)", 4),
        ("select sum(x)/count(*) from (values (1),(2)) t(x)", 1),
        ("select '2020-01-01'::date + interval '1 day'", datetime.datetime(2020, 1, 2)),
        ("select 'a' || 1", "a1"),
        ("select 'abc' ~ 'b'", True),
        ("select 'ABC' ilike 'abc'", True),
        ("select E'a\\nb'", "a\nb"),
        ("select 'a\\nb'", "a\\nb"),
        ("select array[1,2]", [1, 2]),
        ("select (array[5,6])[1]", 5),
        ("select 2 = any(array[1,2])", True),
        ("select count(*) from generate_series(1, 3)", 3),
        ("select distinct on (a) b from (values (1, 1), (1, 2)) t(a, b) order by a, b desc", 2),
        ("select x from (values (1),(null)) t(x) order by x desc limit 1", None),
        ("select Foo from (select 1 as foo) t", 1),
        ("select $$it's$$", "it's"),
        ("select coalesce(null, 1)", 1),
    ],
)
def test_answer(runner: Runner, text: str, expected: Any) -> None:
    _, rows = runner.run(text)
    assert rows[0][0] == expected


def test_division_by_zero_raises(runner: Runner) -> None:
    with pytest.raises(duckdb.Error, match="division by zero"):
        runner.run("select 1/0")


def test_upsert_with_returning(runner: Runner) -> None:
    runner.run("create table up (id int primary key, n int)")
    runner.run("insert into up values (1, 1)")
    _, rows = runner.run(
        "insert into up (id, n) values (1, 5) on conflict (id) do update set n = excluded.n"
        " returning id, n"
    )
    assert rows == [(1, 5)]


def test_a_session_in_snowflakes_dialect_reads_postgres_and_divides_its_own_way() -> None:
    (statement,) = plan_message("select 7/2 as a where 'a' ~ 'a'", Dialect())
    made = Runner()
    made.fresh()
    assert float(made.connection.execute(statement.sql).fetchall()[0][0]) == 3.5
