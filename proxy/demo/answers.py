"""Does a result equal the answer that TPC-H's validation run prints?

`tpch_answers()` holds each answer as text: a header line and one line per row, values separated by
`|`. A result arrives as typed values. `differences` reads each printed value as the type of the
value it stands against, and compares without tolerance, with one exception that has a reason:

An average or a quotient was printed from a DOUBLE, with up to 17 digits, while Snowflake's own
answer is a NUMBER of at least six decimals. There the printed value, rounded half up to the
decimals that the result has, must be the result. A NUMBER with fewer than six decimals gets no
such allowance. Zeros at the end of the decimals mean nothing: `3774200` is `3774200.00`.
"""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

__all__ = ["differences"]

QUOTIENT_SCALE = 6
"""The fewest decimals that Snowflake gives an average or a quotient of NUMBERs."""


def _number_equals(printed: str, value: int | Decimal) -> bool:
    expected, got = Decimal(printed), Decimal(value)
    decimals = -int(got.as_tuple().exponent)
    if QUOTIENT_SCALE <= decimals < -int(expected.as_tuple().exponent):
        expected = expected.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return expected == got


_EQUALS: dict[type, Callable[[str, Any], bool]] = {
    int: _number_equals,
    Decimal: _number_equals,
    float: lambda printed, value: float(printed) == value,
    date: lambda printed, value: date.fromisoformat(printed) == value,
    str: lambda printed, value: printed == value,
}


def _equals(printed: str, value: object) -> bool:
    """Whether `value` is what was printed. A NULL or a type that TPC-H does not have never is."""
    equals = _EQUALS.get(type(value))
    try:
        return equals is not None and equals(printed, value)
    except (ArithmeticError, ValueError):
        return False


def differences(answer: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Everything in which a result differs from a printed answer; empty when it is right.

    `columns` are the result's column names, `rows` its rows in the order in which they came, each
    with as many values as there are columns. Rows are compared by position: order is part of an
    answer. Row numbers in the messages count from 1.
    """
    header, *lines = answer.rstrip("\n").split("\n")
    if header != "|".join(columns):
        return [f"columns {'|'.join(columns)} where the answer has {header}"]
    found = []
    if len(rows) != len(lines):
        found.append(f"{len(rows)} rows where the answer has {len(lines)}")
    for number, (line, row) in enumerate(zip(lines, rows, strict=False), start=1):
        found += [
            f"row {number}, {name}: {value!r} where the answer has {printed}"
            for name, printed, value in zip(columns, line.split("|"), row, strict=True)
            if not _equals(printed, value)
        ]
    return found
