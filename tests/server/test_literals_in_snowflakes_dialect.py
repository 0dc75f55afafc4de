"""A literal that is written into a column is read as an explicit cast reads it."""

from __future__ import annotations

import psycopg
import pytest

CASES = """
date|2020-01-01 garbage
date|0044-03-15 BC
date|05-Jan-2020
date|01/05/2020
date|1577836800
date|
timestamp|2020-01-01 10:00 foo
timestamp|01/05/2020 10:00
timestamp|2020-01-01T10:00:00Z
timestamp_ltz|2020-01-01 10:00:00 +02:00
time|10:00 foo
time|10:00:01.5
boolean|on
boolean|maybe
boolean|t
number(10,2)|1.005
number(10,2)|abc
int|1.5
binary|ABCD
binary|zz
"""
PLACES = (
    "insert into written values ('{0}') returning c",
    "insert into written (c) select '{0}' returning c",
    "update written set c = '{0}' returning c",
    "merge into written using (select 1 as x) s on x = 1 when matched then update set c = '{0}'"
    " returning c",
)


def answer(connection: psycopg.Connection, text: str) -> object:
    """The values that are not NULL, as texts, or the SQLSTATE; what the statement did is undone."""
    try:
        with connection.transaction(force_rollback=True):
            result = connection.execute(text).pgresult
            assert result is not None
            values = [result.get_value(row, 0) for row in range(result.ntuples)]
            return [value for value in values if value is not None]
    except psycopg.Error as error:
        return error.sqlstate


@pytest.mark.parametrize("case", CASES.strip("\n").splitlines())
def test_a_literal_is_read_as_its_cast_is(
    connection: psycopg.Connection, schema: str, case: str
) -> None:
    kind, _, written = case.partition("|")
    connection.execute(f"create table written (c {kind})")
    connection.execute("insert into written values (null)")
    expected = answer(connection, f"select '{written}'::{kind}")
    for place in PLACES:
        assert answer(connection, place.format(written)) == expected, place


def test_bytes_may_be_written_as_postgres_does(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("create table written (c binary)")
    connection.execute("set standard_conforming_strings = on")
    try:
        connection.execute(r"insert into written values ('\xAB\xCD')")
    finally:
        connection.execute("reset standard_conforming_strings")
    assert connection.execute("select c from written").fetchall() == [(b"\xab\xcd",)]
