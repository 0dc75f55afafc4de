"""ALTER SESSION SET: what each parameter that changes answers does to them, and to nothing else."""

from __future__ import annotations

import datetime
from typing import Any

import psycopg
import pytest

from proxy.errors import SqlError
from tests.conftest import Running

from .cases import Runner


@pytest.fixture(scope="module")
def one() -> Runner:
    return Runner()


@pytest.fixture
def runner(one: Runner) -> Runner:
    one.fresh()
    return one


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("parameters", "expression", "value"),
    [
        # WEEK_START: 0 counts days from Sunday = 0, else the first day is 1
        ("week_start = 7", "dayofweek('2024-01-07'::date)", 1),
        ("week_start = 7", "dayofweek('2024-01-06'::date)", 7),
        ("week_start = 1", "dayofweek('2024-01-07'::date)", 7),
        ("week_start = 7", "dayofweekiso('2024-01-07'::date)", 7),
        ("week_start = 7", "date_trunc(week, '2024-01-10'::date)", _day("2024-01-07")),
        ("week_start = 7", "datediff(week, '2024-01-06', '2024-01-07')", 1),
        ("week_start = 7", "datediff(week, '2024-01-07', '2024-01-08')", 0),
        ("week_start = 7", "last_day('2024-01-10'::date, week)", _day("2024-01-13")),
        ("week_start = 7", "week('2017-01-01'::date)", 1),
        ("week_start = 7", "weekiso('2017-01-01'::date)", 52),
        ("week_start = 7", "date_part(week, '2016-01-01'::date)", 52),
        # WEEK_OF_YEAR_POLICY
        ("week_of_year_policy = 1", "week('2016-01-02'::date)", 1),
        ("week_of_year_policy = 1", "week('2016-01-04'::date)", 2),
        ("week_of_year_policy = 1", "week('2016-12-31'::date)", 53),
        ("week_of_year_policy = 1", "yearofweek('2016-01-02'::date)", 2016),
        ("week_of_year_policy = 1, week_start = 3", "week('2017-01-04'::date)", 2),
        # what TIMESTAMP is
        (
            "timestamp_type_mapping = 'TIMESTAMP_LTZ'",
            "typeof(to_timestamp('2024-01-01')::variant)",
            "TIMESTAMP_LTZ",
        ),
        (
            "timestamp_type_mapping = timestamp_tz",
            "'2024-01-01 00:00:00 +03:00'::timestamp::varchar",
            "2024-01-01 00:00:00.000 +0300",
        ),
        # texts of dates and times
        ("date_output_format = 'DD/MM/YYYY'", "'2024-01-15'::date::varchar", "15/01/2024"),
        ("date_output_format = 'DD/MM/YYYY'", "'2024-01-15'::date || ''", "15/01/2024"),
        ("date_output_format = 'DD/MM/YYYY'", "to_char('2024-01-15'::date, 'YYYY')", "2024"),
        ("date_output_format = 'DD/MM/YYYY'", "'2024-01-15'::date", _day("2024-01-15")),
        ("date_output_format = 'DD/MM/YYYY'", "1.50::varchar", "1.50"),
        ("time_output_format = 'HH12:MI AM'", "'13:05:06'::time::varchar", "01:05 PM"),
        ("timestamp_ntz_output_format = 'YYYY'", "'2024-01-15'::timestamp::varchar", "2024"),
        (
            "timestamp_output_format = 'MON', timestamp_ntz_output_format = ''",
            "'2024-01-15'::timestamp::varchar",
            "Jan",
        ),
        ("timestamp_output_format = 'MON'", "'2024-01-15'::timestamp_ltz::varchar", "Jan"),
        (
            "timestamp_output_format = 'MON'",
            "'2024-01-15'::timestamp::varchar",
            "2024-01-15 00:00:00.000",
        ),
        (
            "timestamp_tz_output_format = 'HH24 TZH:TZM'",
            "'2024-01-15 10:11:12 -01:30'::timestamp_tz::varchar",
            "10 -01:30",
        ),
        ("binary_output_format = base64", "to_char(to_binary('hello', 'utf-8'))", "aGVsbG8="),
        # reading them
        ("date_input_format = 'DD/MM/YYYY'", "'02/01/2024'::date", _day("2024-01-02")),
        ("date_input_format = 'DD/MM/YYYY'", "to_date('02/01/2024')", _day("2024-01-02")),
        (
            "timestamp_input_format = 'YYYY/MM/DD HH24.MI'",
            "'2024/01/02 03.04'::timestamp",
            datetime.datetime(2024, 1, 2, 3, 4),
        ),
        ("binary_input_format = 'UTF-8'", "'hi'::binary", b"hi"),
        ("two_digit_century_start = 1980", "to_date('79-01-01', 'YY-MM-DD')", _day("2079-01-01")),
        ("two_digit_century_start = 1980", "to_date('80-01-01', 'YY-MM-DD')", _day("1980-01-01")),
    ],
)
def test_a_parameter_changes_what_is_answered(
    runner: Runner, parameters: str, expression: str, value: Any
) -> None:
    _, default = runner.run(f"select {expression}") if "input" not in parameters else (None, None)
    runner.run(f"alter session set {parameters}")
    _, rows = runner.run(f"select {expression}")
    assert rows == [(value,)]
    names = ", ".join(part.split("=")[0] for part in parameters.split(","))
    runner.run(f"alter session unset {names}")
    if default is not None:
        assert runner.run(f"select {expression}")[1] == default


@pytest.mark.parametrize(
    "setting",
    ["week_start = 8", "timestamp_type_mapping = 'DATE'", "binary_output_format = 'UTF-8'"],
)
def test_a_value_that_a_parameter_cannot_have_is_refused(runner: Runner, setting: str) -> None:
    with pytest.raises(SqlError) as caught:
        runner.run(f"alter session set {setting}")
    assert caught.value.sqlstate == "22023"


def test_prepared_statements_follow_the_session(server: Running) -> None:
    with server.connect() as connection:
        connection.prepare_threshold = 0
        query = "select dayofweek('2024-01-07'::date), '2024-01-07'::date::varchar"
        seen = []
        for setting in ("", "set week_start = 7, date_output_format = 'YYYY'", "unset week_start"):
            if setting:
                connection.execute(f"alter session {setting}")
            seen.append(connection.execute(query).fetchone())
        assert seen == [(0, "2024-01-07"), (1, "2024"), (0, "2024")]
        connection.execute("discard all")
        assert connection.execute(query).fetchone() == (0, "2024-01-07")


def test_sessions_do_not_share_parameters(server: Running) -> None:
    query = "select dayofweek('2024-01-07'::date)"
    with server.connect() as one, server.connect() as other:
        one.execute("alter session set week_start = 7")
        assert [c.execute(query).fetchone() for c in (one, other)] == [(1,), (0,)]


def test_a_column_of_timestamps_is_what_the_mapping_says(server: Running) -> None:
    with server.connect() as connection:
        connection.execute("alter session set timestamp_type_mapping = 'TIMESTAMP_LTZ'")
        connection.execute("create or replace table mapped_ (a timestamp, b timestamp_ntz)")
        columns = connection.execute("select a, b from mapped_").description
        assert isinstance(columns, list)
        types = psycopg.adapters.types
        assert [c.type_code for c in columns] == [types["timestamptz"].oid, types["timestamp"].oid]
        connection.execute("drop table mapped_")


def test_slices_of_weeks_begin_on_week_start(connection: psycopg.Connection, schema: str) -> None:
    """Slices are counted from the week of 1970-01-01, whatever day it begins on."""
    connection.execute("ALTER SESSION SET WEEK_START = 3")
    row = connection.execute(
        "SELECT TIME_SLICE('2018-07-31'::DATE, 2, 'WEEK', 'START')::VARCHAR,"
        " TIME_SLICE('2018-08-25'::DATE, 2, 'WEEK', 'END')::VARCHAR"
    ).fetchone()
    assert row == ("2018-07-25", "2018-09-05")


def test_a_text_of_a_query_is_cast_as_snowflake_casts_it(
    connection: psycopg.Connection, schema: str
) -> None:
    """What is inserted out of a query becomes the column's type as an explicit cast would make it."""
    connection.execute("CREATE TABLE t (d DATE, b BINARY)")
    connection.execute("CREATE TABLE s (v VARCHAR)")
    connection.execute("INSERT INTO s VALUES ('05-Mar-2016')")
    connection.execute("INSERT INTO t SELECT v, HEX_ENCODE('Hi') FROM s")
    assert connection.execute("SELECT d::VARCHAR, b FROM t").fetchone() == ("2016-03-05", b"Hi")


def test_a_text_that_is_inserted_is_read_by_the_sessions_format(server: Running) -> None:
    insert = "insert into read_by_ values ('05/10/2024')"
    with server.connect() as connection:
        connection.execute("create or replace temporary table read_by_ (d date)")
        connection.execute(insert)
        connection.execute("alter session set date_input_format = 'DD/MM/YYYY'")
        connection.execute(insert)
        with pytest.raises(psycopg.Error, match="2024-05-10"):
            connection.execute("insert into read_by_ values ('2024-05-10')")
        found = connection.execute("select d from read_by_ order by d").fetchall()
        assert found == [(_day("2024-05-10"),), (_day("2024-10-05"),)]


def test_a_bulk_insert_is_one_statement(server: Running) -> None:
    rows = ", ".join(f"({n}, '2024-01-{n % 28 + 1:02}', 'x{n}')" for n in range(5000))
    with server.connect() as connection:
        connection.execute("create or replace temporary table bulk_ (n int, d date, t varchar)")
        assert connection.execute(f"insert into bulk_ values {rows}").rowcount == 5000
        query = "select count(distinct d), min(d), max(d), count(distinct t) from bulk_"
        found = connection.execute(query).fetchone()
        assert found == (28, _day("2024-01-01"), _day("2024-01-28"), 5000)
