"""Queries of Postgres's dialect that read no relation have Postgres's answer, whoever gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.conftest import Running

# What DuckDB has not, has otherwise, or has under another name.
EXPRESSIONS = """
erf(1.0)
power(0, -1)
power(0::float8, -1)
min_scale(8.4100)
scale(8.4100)
trim_scale(8.4100)
sind(30)
width_bucket('2024-01-01'::date, array['2020-01-01', '2030-01-01']::date[])
'NaN'::numeric
'-Infinity'::numeric
1_000
0x1F
0b101
0o17
to_hex(-1)
to_hex(-1::bigint)
to_hex(2147483647)
format('|%10s|%-10s|', 'foo', 'bar')
normalize('a', NFC)
octet_length('jose')
overlay('Txxxxas' placing 'hom' from 2 for 4)
parse_ident('"SomeSchema".someTable')
regexp_like('Hello World', 'world$', 'i')
regexp_like('Hello World', 'world$', 'ic')
regexp_like('Hello World', 'world$')
string_to_array('xx~^~yy~^~zz', '~^~', 'yy')
unistr('d\\0061t\\+000061')
'abc' ~* 'B'
trim(leading 'x' from 'xxTomxx')
|/ 25.0
'a'::char(3) || 'b'
sha512('abc'::bytea)
get_byte('\\x1234567890'::bytea, 4)
bit_count('\\x1234567890'::bytea)
length('\\x1234567890'::bytea)
substring('\\x1234567890'::bytea from 3 for 2)
convert_from('text_in_utf8'::bytea, 'UTF8')
encode('\\x0102'::bytea, 'escape')
B'1011' & B'0110'
X'1FF'
7::bit(4)
to_char(125, '999')
to_char(-125.8, '999D99S')
to_char(485, 'RN')
to_char(1234567.891, 'FM9,999,999.00')
to_char(interval '15h 2m 12s', 'HH24:MI:SS')
to_char(timestamp '2024-01-05 04:05:06', 'Day, DD  HH12:MI:SS')
to_char(date '2024-03-09', 'DDth Month YYYY')
to_number('12,454.8-', '99G999D9S')
justify_interval(interval '1 mon -1 hour')
time '05:00' - time '03:00'
date_trunc('century', date '2024-05-16')
date_trunc('century', date '2000-05-16')
date_trunc('millennium', timestamp '2024-05-16 10:00')
date_trunc('day', timestamptz '2001-02-16 20:38:40+00', 'Australia/Sydney')
date_trunc('hour', interval '2 days 3 hours 40 minutes')
'J2451187'::date
'1/8/1999'::date
'04:05:06 PST'::timetz
clock_timestamp() >= now()
array_dims(array[[1,2,3], [4,5,6]])
array_fill(11, array[2,3])
array_lower('[0:2]={1,2,3}'::int[], 1)
cardinality(array[[1,2],[3,4]])
(1, NULL) = (1, NULL)
(1, NULL) <> (2, NULL)
(1, 2) = (1, 2)
inet '192.168.1.5/24'
host(inet '192.168.1.5/24')
point '(1,2)'
money '12.34'
'[1,5)'::int4range
int4range(1, 5) @> 3
to_tsvector('english', 'a fat cat')
nosuch(1)
'x'::nosuch
'2024-13-01'::date
""".strip().splitlines()


# Known only while it runs, when a prepared statement is DuckDB's already.
WHILE_IT_RUNS = """
power(0, -1)
power(0::float8, -1)
'04:05:06 PST'::timetz
date_trunc('hour', interval '2 days 3 hours 40 minutes')
cardinality(array[[1,2],[3,4]])
""".strip().splitlines()


@pytest.fixture(scope="module")
def ours(server: Running) -> Iterator[psycopg.Connection]:
    with server.connect() as connection:
        connection.execute("SET hatidata.dialect = 'postgres'")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def theirs(server: Running) -> Iterator[psycopg.Connection]:
    """The same session's Postgres, which a catalog question reaches."""
    with server.connect() as connection:
        connection.execute("SET hatidata.dialect = 'postgres'")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _answer(connection: psycopg.Connection, query: str, prepare: bool) -> tuple[Any, ...]:
    try:
        cursor = connection.execute(query, prepare=prepare)
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary
    result = cursor.pgresult
    assert result is not None
    return result.fname(0), result.ftype(0), result.get_value(0, 0)


@pytest.mark.parametrize("prepare", [False, True], ids=["simple", "prepared"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_answer_is_postgres_s(
    ours: psycopg.Connection, theirs: psycopg.Connection, expression: str, prepare: bool
) -> None:
    if prepare and expression in WHILE_IT_RUNS:
        with pytest.raises(psycopg.Error):
            ours.execute(f"SELECT {expression}", prepare=True)
        return
    # A relation of the catalog's makes a statement Postgres's own.
    asked = f"SELECT {expression} FROM pg_catalog.pg_class LIMIT 1"
    assert _answer(ours, f"SELECT {expression}", prepare) == _answer(theirs, asked, False)


def test_over_analytical_tables_it_stays_refused(ours: psycopg.Connection) -> None:
    ours.execute("CREATE OR REPLACE TABLE portable AS SELECT 1 AS i")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="json_query"):
        ours.execute("SELECT i, json_query(jsonb '[1]', '$') FROM portable")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        ours.execute("SELECT parse_ident('a') FROM portable")


def test_it_is_a_part_of_the_transaction(ours: psycopg.Connection) -> None:
    with ours.transaction():
        ours.execute("CREATE OR REPLACE TABLE portable AS SELECT 1 AS i")
        assert ours.execute("SELECT to_char(125, '999')").fetchone() == (" 125",)
        assert ours.execute("SELECT i FROM portable").fetchone() == (1,)
    assert ours.execute("SELECT i FROM portable").fetchone() == (1,)


def test_parameters_travel_along(ours: psycopg.Connection) -> None:
    for number in (1, 2, 30):
        found = ours.execute("SELECT to_char(%s::int, '000')", [number], prepare=True).fetchone()
        assert found == (f" {number:03d}",)


def test_snowflakes_dialect_asks_nobody_else(server: Running) -> None:
    with server.connect() as connection, pytest.raises(psycopg.errors.UndefinedFunction):
        connection.execute("SELECT min_scale(1.50)")
