"""Query constructs through the real server: the reference's examples, and what follows from its text.

The cases are `tests/data/snowflake_queries.jsonl`: `sql` over the tables that `over` names (`_TABLES`
below), and what comes of it: `expected` rows (in order where `ordered`), in the notation of
`snowflake_cases.jsonl`, and their columns' names (`cols`); `refused`, a part of the message of a 0A000;
or `error`, a SQLSTATE.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import set_json_loads

from tests.conftest import Running

from .cases import judged, read_lines

_TABLES = {
    "": (),
    "stocks": (
        "create table stock_price_history (company text, price_date date, price int)",
        "insert into stock_price_history select column1, '2020-10-01'::date + column2, column3"
        " from values ('ABCD', 0, 50), ('XYZ', 0, 89), ('ABCD', 1, 36), ('XYZ', 1, 24),"
        " ('ABCD', 2, 39), ('XYZ', 2, 37), ('ABCD', 3, 42), ('XYZ', 3, 63), ('ABCD', 4, 30),"
        " ('XYZ', 4, 65), ('ABCD', 5, 47), ('XYZ', 5, 56), ('ABCD', 6, 71), ('XYZ', 6, 50),"
        " ('ABCD', 7, 80), ('XYZ', 7, 54), ('ABCD', 8, 75), ('XYZ', 8, 30), ('ABCD', 9, 63),"
        " ('XYZ', 9, 32)",
    ),
}


@pytest.fixture(scope="module")
def connections(server: Running) -> Iterator[dict[str, psycopg.Connection]]:
    """A session for each set of tables, in a schema of its own."""
    made: dict[str, psycopg.Connection] = {}
    for name, setup in _TABLES.items():
        connection = made[name] = server.connect()
        set_json_loads(lambda raw: raw if isinstance(raw, str) else raw.decode(), connection)
        connection.execute(f"drop schema if exists queries_{name} cascade")
        connection.execute(f"create schema queries_{name}")
        connection.execute(f"use schema queries_{name}")
        for text in setup:
            connection.execute(text)
    yield made
    for name, connection in made.items():
        connection.execute(f"drop schema queries_{name} cascade")
        connection.close()


@pytest.mark.parametrize(
    "case", list(read_lines("snowflake_queries.jsonl")), ids=lambda case: case["id"]
)
def test_queries(connections: dict[str, psycopg.Connection], case: dict[str, Any]) -> None:
    connection = connections[case.get("over", "")]
    for text in case.get("setup", ()):
        connection.execute(text)
    if "expected" not in case:
        state = case.get("error", "0A000")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(case["sql"]).fetchall()
        assert caught.value.sqlstate == state, caught.value
        assert case.get("refused", "") in str(caught.value)
        return
    result = connection.execute(case["sql"])
    while result.nextset():
        pass
    names = [column.name for column in result.description or ()]
    outcome = judged(case, names, result.fetchall())
    assert outcome.verdict == "right", outcome.seen
