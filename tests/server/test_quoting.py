r"""Values quoted on the client's side arrive as they are, whatever the dialect makes of backslashes."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

_VALUES = [
    "plain",
    "it's",
    "\\",
    "\\'; DROP TABLE quoted; --",
    "\\\\'' \\n \\x41",
    "a\nb",
    '"',
    "$1",
    "$$",
]


@pytest.fixture(params=["snowflake", "postgres", "duckdb"])
def dialect(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("value", _VALUES)
def test_psycopg_literals(server: Any, dialect: str, value: str) -> None:
    with server.connect(options=f"-c hatidata.dialect={dialect}") as connection:
        query = sql.SQL("SELECT {}::text").format(sql.Literal(value))
        assert connection.execute(query).fetchone() == (value,)


@pytest.mark.parametrize("value", _VALUES)
def test_psycopg2_literals(server: Any, dialect: str, value: str) -> None:
    connection = psycopg2.connect(server.url, options=f"-c hatidata.dialect={dialect}")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::text", [value])
            assert cursor.fetchone() == (value,)
    finally:
        connection.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(st.sampled_from("ab'\\\"$; \n-/*"), max_size=12))
def test_no_text_breaks_out_of_its_quotes(connection: Any, value: str) -> None:
    query = sql.SQL("SELECT {}::text, 'end'").format(sql.Literal(value))
    assert connection.execute(query).fetchone() == (value, "end")


def test_backslashes_escape_in_snowflake_s_strings_unless_the_client_says_otherwise(
    server: Any,
) -> None:
    with server.connect() as connection:
        assert connection.info.parameter_status("standard_conforming_strings") == "off"
        assert connection.execute(r"SELECT 'a\tb'").fetchone() == ("a\tb",)
        connection.execute("SET standard_conforming_strings = on")
        assert connection.info.parameter_status("standard_conforming_strings") == "on"
        assert connection.execute(r"SELECT 'a\tb'").fetchone() == (r"a\tb",)
        connection.execute("SET hatidata.dialect = postgres")
        assert connection.info.parameter_status("standard_conforming_strings") == "on"
        with pytest.raises(Exception, match="not supported"):
            connection.execute("SET standard_conforming_strings = off")
        connection.execute("RESET hatidata.dialect")
        assert connection.info.parameter_status("standard_conforming_strings") == "off"
