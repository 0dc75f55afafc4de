"""The postgres dialect against Postgres itself: each statement runs on both.

`postgres_statements.txt` holds the statements. Either the answers agree, or the engine raises; what
differs by decision is listed here with its reason. Numbers are compared by value, to 12 digits:
numeric / numeric has 16 decimals here, and averages, deviations, roots and powers are floats.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import Running

AGREEING_AT_LEAST = 711
"""Raised with every statement that is won; never lowered."""

DIFFERENT: dict[str, str] = {
    "select row(1, 'a')": "a row is shown as JSON",
    "select t from (select 1 as a) t": "a row is shown as JSON",
    "select tt from tt where id = 1": "a row is shown as JSON",
    "select 'foo' 'bar'": "is read, where Postgres wants a new line between the two",
    "select symmetric.x from (values (1)) symmetric(x)": "reserved in Postgres, not here",
    "select (-2147483648) / -1": "a literal beyond int4 is int8",
    "select abs(-2147483648)": "a literal beyond int4 is int8",
}

SETUP = (
    "create table tt (id int primary key, n int, s text, d numeric(10,2),"
    " ts timestamptz default '2024-05-06 07:08:09+00')",
    "insert into tt (id, n, s, d)"
    " values (1, 10, 'a', 1.5), (2, 20, 'b', 2.25), (3, null, null, null)",
)

_NUMBERS = frozenset({20, 21, 23, 700, 701, 1700})
_NUMBER_ARRAYS = frozenset({1005, 1007, 1016, 1021, 1022, 1231})
_DOCUMENTS = frozenset({114, 3802})

Answer = list[list[tuple[int, str | None]]]
"""Rows of (type's OID, text)."""


def statements() -> list[str]:
    lines = (Path(__file__).parent / "postgres_statements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def both(server: Running) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Postgres itself, past the proxy, and a session of the postgres dialect."""
    socket = next(server.process.data_directory.rglob(".s.PGSQL.*[0-9]"))
    own = psycopg.connect(
        host=str(socket.parent), user="postgres", dbname="postgres", autocommit=True
    )
    with own, server.connect(options="-c hatidata.dialect=postgres") as ours:
        for connection in (own, ours):
            connection.execute("create schema if not exists compared")
            connection.execute("set search_path = compared")
            connection.execute("set timezone = 'UTC'")
        yield own, ours
        for connection in (own, ours):
            connection.execute("drop schema compared cascade")


def answer(connection: psycopg.Connection, text: str) -> Answer | str:
    """The rows of a statement, or the SQLSTATE that it raises; what it did is undone."""
    try:
        with connection.transaction(force_rollback=True):
            if " tt" in text:
                for statement in SETUP:
                    connection.execute(statement)
            result = connection.execute(text).pgresult
            assert result is not None
            return [
                [
                    (result.ftype(column), _decoded(result.get_value(row, column)))
                    for column in range(result.nfields)
                ]
                for row in range(result.ntuples)
            ]
    except psycopg.Error as error:
        return error.sqlstate or "lost"


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def same_value(own: tuple[int, str | None], ours: tuple[int, str | None]) -> bool:
    (own_type, left), (our_type, right) = own, ours
    if left is None or right is None:
        return left is right
    if {own_type, our_type} <= _NUMBERS:
        return math.isclose(float(left), float(right), rel_tol=1e-11) or (
            math.isnan(float(left)) and math.isnan(float(right))
        )
    if {own_type, our_type} <= _DOCUMENTS:
        return json.loads(left) == json.loads(right)
    if {own_type, our_type} <= _NUMBER_ARRAYS and left != right:
        return [float(x) for x in left.strip("{}").split(",")] == [
            float(x) for x in right.strip("{}").split(",")
        ]
    return left == right


def same_rows(own: Answer, ours: Answer, text: str) -> bool:
    if "order by" not in text:
        own, ours = sorted(own, key=_sortable), sorted(ours, key=_sortable)
    return len(own) == len(ours) and all(
        len(left) == len(right) and all(map(same_value, left, right))
        for left, right in zip(own, ours, strict=True)
    )


def _sortable(row: list[tuple[int, str | None]]) -> list[Any]:
    return [(text is None, text or "") for _, text in row]


def test_what_is_answered_is_postgress_answer(
    both: tuple[psycopg.Connection, psycopg.Connection],
) -> None:
    agreeing = 0
    wrong: dict[str, tuple[Any, Any]] = {}
    for text in statements():
        own, ours = (answer(connection, text) for connection in both)
        if isinstance(ours, str):
            agreeing += isinstance(own, str)
        elif not isinstance(own, str) and same_rows(own, ours, text):
            agreeing += 1
        else:
            wrong[text] = (own, ours)
    assert wrong.keys() == DIFFERENT.keys(), {
        text: seen for text, seen in wrong.items() if text not in DIFFERENT
    }
    assert agreeing >= AGREEING_AT_LEAST, agreeing


@pytest.mark.parametrize(
    ("text", "sqlstate"),
    [
        ("select 7 % 0", "22012"),
        ("select 1.5 / 0", "22012"),
        ("select '2.5'::int", "22P02"),
        ("select 'maybe'::boolean", "22P02"),
        ("select 'a' similar to '[a]' from t", "0A000"),
        ("select to_char(1.5, '9.9EEEE') from t", "0A000"),
        ("select format('%5s', 1) from t", "0A000"),
        ("select X'1F' from t", "0A000"),
        ("select 1_000 from t", "0A000"),
        ("select '{}'::json = '{ }'::json from t", "0A000"),
        ("select 'a'::char(3) from t", "0A000"),
        ("select 1 from t order by 1 fetch first 1 row with ties", "0A000"),
    ],
)
def test_what_would_differ_raises(
    both: tuple[psycopg.Connection, psycopg.Connection], text: str, sqlstate: str
) -> None:
    assert answer(both[1], text) == sqlstate
