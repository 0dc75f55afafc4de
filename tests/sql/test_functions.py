"""Snowflake's functions, one expression a case, as its reference documents them.

The cases are `tests/data/snowflake_functions.jsonl`: a statement, and the value of its one row (in
the notation of `snowflake_cases.jsonl`) or `error`. All run on one DuckDB, as a client's would.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from proxy.errors import SqlError

from .cases import Runner, read_lines, same


@pytest.fixture(scope="module")
def runner() -> Runner:
    made = Runner()
    made.fresh()
    return made


@pytest.mark.parametrize(
    "case", list(read_lines("snowflake_functions.jsonl")), ids=lambda case: case["sql"][7:]
)
def test_function(runner: Runner, case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises((SqlError, duckdb.Error)):
            runner.run(case["sql"])
        return
    _, rows = runner.run(case["sql"])
    want = case["expected"]
    tolerance = 1e-9 * max(1, abs(want)) if isinstance(want, float) else None
    assert len(rows) == 1
    assert same(want, rows[0][0], tolerance), rows


def test_digests_and_documents_take_columns(runner: Runner) -> None:
    """The functions over Arrow see whole chunks, with NULLs and rows of many lengths."""
    _, rows = runner.run(
        "select count(*), count(d), count(distinct d), count(v), min(v:b::int), max(v:b::int)"
        " from (select sha2(repeat('x', n), 512) d,"
        " try_parse_json(iff(n % 5 = 0, '{\"b\":', '{\"b\":' || n || ', \"a\":1}')) v"
        " from (select iff(seq4() % 7 = 0, null, seq4()) n from table(generator(rowcount => 5000))))"
    )
    numbers = [n for n in range(5000) if n % 7]
    valid = [n for n in numbers if n % 5]
    assert rows == [(5000, len(numbers), len(numbers), len(valid), min(valid), max(valid))]
