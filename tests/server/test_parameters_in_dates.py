"""Parameters of Snowflake's functions of dates: a count of days, and the part itself."""

from __future__ import annotations

from datetime import date, datetime

import psycopg
import pytest


@pytest.fixture
def moments(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute("create table moments (d date, ts timestamp, n int)")
    connection.execute("insert into moments values ('2024-02-03', '2024-02-03 04:05:06', 7)")
    return connection


def test_days_that_are_a_parameter_are_added_to_a_date(moments: psycopg.Connection) -> None:
    found = moments.execute("select d + %s::int, d - %s::int, n + %s::int from moments", (3, 3, 3))
    assert found.fetchall() == [(date(2024, 2, 6), date(2024, 1, 31), 10)]


@pytest.mark.parametrize("part", ["month", "MM", "mons"])
def test_the_part_of_date_trunc_may_be_a_parameter(moments: psycopg.Connection, part: str) -> None:
    found = moments.execute(
        "select date_trunc(%s, d), date_trunc(%s, ts) from moments", (part,) * 2
    )
    assert found.fetchall() == [(date(2024, 2, 1), datetime(2024, 2, 1))]


def test_a_part_that_there_is_not_raises(moments: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        moments.execute("select date_trunc(%s, d) from moments", ("fortnight",))


@pytest.mark.parametrize(("part", "value"), [("month", 2), ("DD", 3), ("h", 4), ("sec", 6)])
def test_the_part_of_date_part_may_be_a_parameter(
    moments: psycopg.Connection, part: str, value: int
) -> None:
    found = moments.execute("select date_part(%s, ts) from moments", (part,))
    assert found.fetchall() == [(value,)]


def test_a_part_of_date_part_that_there_is_not_raises(moments: psycopg.Connection) -> None:
    with pytest.raises(psycopg.DataError):
        moments.execute("select date_part(%s, d) from moments", ("fortnight",))
