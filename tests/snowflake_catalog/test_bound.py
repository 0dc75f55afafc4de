"""Snowflake's functions give of a parameter what they give of a constant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

CALLS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "snowflake_arguments.jsonl")
    .read_text()
    .splitlines()
]
# Arguments that are a part of the syntax.
_LITERALS = {
    ("sha2", 1),
    ("sha2_binary", 1),
    ("time_slice", 1),
    ("time_slice", 2),
    ("to_decimal", 1),
}


def _text(argument: str) -> str | None:
    """The text that a plain string literal is; None for other arguments."""
    inner = argument[1:-1]
    quoted = len(argument) > 1 and argument[0] == argument[-1] == "'" and "'" not in inner
    return inner if quoted else None


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call["function"])
def test_a_text_may_be_bound(snow: psycopg.Connection, call: dict[str, Any]) -> None:
    name, arguments = call["function"], call["arguments"]
    expected = snow.execute(f"SELECT {name}({', '.join(arguments)})").fetchall()
    for place, argument in enumerate(arguments):
        value = _text(argument)
        if value is None or (name, place) in _LITERALS:
            continue
        given = [one.replace("%", "%%") for one in arguments]
        given[place] = "%s"
        assert snow.execute(f"SELECT {name}({', '.join(given)})", [value]).fetchall() == expected


@pytest.mark.parametrize(
    ("call", "values", "expected"),
    [
        ("left(%s, %s)", ["abc", 2], "ab"),
        ("insert(%s, %s, %s, %s)", ["abc", 1, 1, "z"], "zbc"),
        ("left(%s, 1)", [b"ab"], b"a"),
        ("to_binary(%s)", ["ab"], b"\xab"),
        ("%s::variant", ["a"], "a"),
        ("to_variant(%s)", [1], 1),
        ("try_cast(%s as int)", ["x"], None),
        ("try_to_number(%s)", ["x"], None),
        ("try_to_date(%s)", ["x"], None),
        ("try_to_date(%s)::varchar", ["2024-01-02"], "2024-01-02"),
        ("try_to_boolean(%s)", ["x"], None),
    ],
)
def test_a_parameter_has_the_type_that_the_function_takes(
    snow: psycopg.Connection, call: str, values: list[Any], expected: Any
) -> None:
    assert snow.execute(f"SELECT {call}", values).fetchall() == [(expected,)]
