"""Which enumerated type a value is of: the last of its type's values says so, and is nobody's.

Why it exists: DuckDB's columns and expressions have the values of an enumerated type, not its name; two types
with the same values are one to it. So Postgres's CREATE TYPE gives each a last value that no client
can (Postgres's labels have 63 bytes at most): a number that stays when the type is altered, and its name.
Whoever shows values, or takes them, asks here which are real.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 63  # bytes of a label
_DIGITS = 64  # of the number


def identity(number: str, name: str) -> str:
    """The last value of a type. number: 64 hexadecimal digits."""
    return f"{number} {name}"


def _is_identity(value: str) -> bool:
    return len(value) > _DIGITS and value[_DIGITS] == " "


def number_of(values: Sequence[str]) -> str:
    """The number of the type that has these values; '' for one that has none."""
    return values[-1][:_DIGITS] if values and _is_identity(values[-1]) else ""


def name_of(values: Sequence[str]) -> str:
    """The name of the type that has these values; '' where they do not say."""
    return values[-1][_DIGITS + 1 :] if number_of(values) else ""


def labels_of(values: Sequence[str]) -> Sequence[str]:
    """The values that are the client's."""
    return values[:-1] if number_of(values) else values
