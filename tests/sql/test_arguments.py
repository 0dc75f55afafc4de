"""What holds of nearly every function: NULL of NULL, and a VARIANT's value is taken out of it.

`tests/data/snowflake_arguments.jsonl` has one good call of each; `not_strict` lists the arguments, by
number, whose NULL gives something else (or that are a part of the syntax).
"""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from proxy.errors import SqlError

from .cases import Runner, read_lines

_OF_VARIANTS = ("is_", "as_", "typeof", "to_variant", "array", "object_", "to_json", "to_array")
_ALTERNATIVES = ("nvl", "nvl2", "iff", "decode", "coalesce", "greatest", "least")


@pytest.fixture(scope="module")
def runner() -> Runner:
    made = Runner()
    made.fresh()
    made.run("create table held (v variant)")
    return made


def _answer(runner: Runner, call: dict[str, Any], place: int, by: str, rest: str = "") -> Any:
    arguments = list(call["arguments"])
    arguments[place] = by
    _, rows = runner.run(f"select {call['function']}({', '.join(arguments)}){rest}")
    return rows[0][0]


@pytest.mark.parametrize(
    "call", list(read_lines("snowflake_arguments.jsonl")), ids=lambda call: call["function"]
)
def test_null_gives_null(runner: Runner, call: dict[str, Any]) -> None:
    for place, argument in enumerate(call["arguments"]):
        if place in call.get("not_strict", ()):
            continue
        nulls = ["null"]
        if argument.startswith("'") and "::" not in argument:
            nulls.append("null::varchar")
        for null in nulls:
            assert _answer(runner, call, place, null) is None, (place, null)


@pytest.mark.parametrize(
    "call",
    [
        call
        for call in read_lines("snowflake_arguments.jsonl")
        if not call["function"].startswith(_OF_VARIANTS) and call["function"] not in _ALTERNATIVES
    ],
    ids=lambda call: call["function"],
)
def test_a_variant_is_its_value_or_an_error(runner: Runner, call: dict[str, Any]) -> None:
    first = call["arguments"][0]
    expected = _answer(runner, call, 0, first)
    for place, argument in enumerate(call["arguments"]):
        plain = argument.startswith("'") or argument.replace(".", "", 1).isdigit()
        if not plain or "::" in argument:
            continue
        runner.run(f"create or replace table held as select to_variant({argument}) v")
        for by, rest in ((f"to_variant({argument})", ""), ("v", " from held")):
            try:
                got = _answer(runner, call, place, by, rest)
            except (SqlError, duckdb.Error):
                continue
            assert got == expected or float(got) == float(expected), (place, by)
