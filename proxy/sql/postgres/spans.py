"""Times of day where Postgres takes them for intervals, and to_char of an interval.

Why it exists: `time - time`, `timestamp - time`, `time * 2`, `sum(time)` are of intervals in Postgres, and are
nothing in DuckDB; strftime knows no intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.inference.signatures import INTEGERS, Type
from proxy.sql.postgres.values import call

_NUMBERS = frozenset((*INTEGERS, "numeric", "float4", "float8"))
_MOMENTS = frozenset(("date", "timestamp", "timestamptz"))


class Place(NamedTuple):
    """Where an expression stands, whatever will stand there."""

    holder: exp.Expr
    key: str
    index: int | None

    def put(self, macro: str) -> bool:
        """A call of a macro around what stands there; whether something does."""
        found: Any = self.holder.args.get(self.key)
        value = found[self.index] if self.index is not None else found
        if not isinstance(value, exp.Expr):
            return False
        self.holder.set(self.key, call(macro, value), index=self.index)
        return True


def place_of(node: exp.Expr) -> Place | None:
    parent, key = node.parent, node.arg_key
    return None if parent is None or key is None else Place(parent, key, node.index)


def sides_to_span(
    operator: str, sides: Sequence[exp.Expr], kinds: tuple[Type, Type]
) -> Iterator[Place]:
    """The sides of an operator that are times of day, and intervals to Postgres."""
    left, right = kinds
    both = operator == "-" and kinds == ("time", "time")
    for side, own, other in zip(sides, kinds, (right, left), strict=True):
        of_moment = operator == "+" or side is sides[1]
        beside = (operator in "+-" and other in _MOMENTS and of_moment) or (
            operator in "*/" and other in _NUMBERS
        )
        if operator == "+" and other == "date":
            beside = False  # DuckDB's own
        place = place_of(side) if own == "time" and (both or beside) else None
        if place is not None:
            yield place


def argument_to_span(node: exp.Expr) -> Place | None:
    """What an aggregate, a cast or to_char is given."""
    value = node.this
    if isinstance(value, exp.Distinct) and len(value.expressions) == 1:
        value = value.expressions[0]
    return place_of(value)


# --- to_char --------------------------------------------------------------------------------------

_MONTHS, _DAYS, _SECOND = 12, 30, 1_000_000


def show(months: pa.Array, days: pa.Array, micros: pa.Array, models: pa.Array) -> pa.Array:
    """Intervals by strftime's model, of which Postgres's was made. Raises SqlError 22007 for an element that
    only a date has."""
    columns = (months.to_pylist(), days.to_pylist(), micros.to_pylist(), models.to_pylist())
    made = [
        None if parts[0] is None or model is None else _shown(*parts, model)
        for *parts, model in zip(*columns, strict=True)
    ]
    return pa.array(made, pa.string())


def _shown(months: int, days: int, micros: int, model: str) -> str:
    sign = -1 if micros < 0 else 1
    seconds, fraction = divmod(abs(micros), _SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    years, month = divmod(abs(months), _MONTHS)
    if months < 0:
        years, month = -years, -month
    noon = hour % 12 or 12
    values = {
        "H": (sign * hour, 2),
        "I": (noon if hour % 12 == 0 else sign * noon, 2),
        "M": (sign * minute, 2),
        "S": (sign * second, 2),
        "d": (days, 2),
        "m": (month, 2),
        "Y": (years, 4),
        "j": ((years * _MONTHS + month) * _DAYS + days, 3),
        "g": (sign * (fraction // 1000), 3),
        "f": (sign * fraction, 6),
    }
    made, at = "", 0
    while at < len(model):
        if model[at] != "%":
            made, at = made + model[at], at + 1
            continue
        short = model[at + 1] == "-"
        letter = model[at + 1 + short]
        at += 2 + short
        if letter == "%":
            made += "%"
        elif letter == "p":
            made += "PM" if sign > 0 and hour % 24 >= 12 else "AM"
        elif letter in values:
            number, width = values[letter]
            wide = width + (number < 0 and letter not in "dj")
            made += str(number) if short else f"{number:0{wide}}"
        else:
            raise SqlError("22007", "invalid format specification for an interval value")
    return made
