"""What expressions over columns give, by the columns' types: numbers' scales, casts, VARIANTs.

The cases are `tests/data/snowflake_columns.jsonl`, over the two tables made here: a statement and its
rows (in the notation of `snowflake_cases.jsonl`), or `error`. A column's type is known only when the
engine binds the statement, unlike a literal's.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from proxy.errors import SqlError

from .cases import Runner, read_lines, same

_TABLES = (
    "create table vt (v variant, s varchar, n number(10,2), d date, b binary, i int, f float,"
    " a array, o object)",
    "insert into vt select '\"abc\"'::json, '12', 1.5, '2020-01-01', '41'::binary, 7, 2.5, [1,2],"
    " {'k': 'x'}",
    "create table nt (a number(10,2), b number(5,0), c number(38,0), f float, i int, s varchar(5),"
    " d date, t timestamp, z timestamp_tz, bo boolean, n number(38,10))",
    "insert into nt values (12.34, 5, 7, 2.5, 3, '42', '2020-02-29', '2020-02-29 10:11:12',"
    " '2020-02-29 10:11:12+00:00', true, 1.5)",
)


@pytest.fixture(scope="module")
def runner() -> Runner:
    made = Runner()
    made.fresh()
    for text in _TABLES:
        made.run(text)
    return made


@pytest.mark.parametrize(
    "case", list(read_lines("snowflake_columns.jsonl")), ids=lambda case: case["sql"]
)
def test_columns(runner: Runner, case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises((SqlError, duckdb.Error)):
            runner.run(case["sql"])
        return
    _, rows = runner.run(case["sql"])
    want = case["expected"]
    assert [len(row) for row in rows] == [len(row) for row in want]
    for got_row, want_row in zip(rows, want, strict=True):
        for got, value in zip(got_row, want_row, strict=True):
            assert same(value, got, 1e-9 if isinstance(value, float) else None), rows
