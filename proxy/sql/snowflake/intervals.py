"""INTERVAL '1 year, 2 mm': several parts, in Snowflake's units, added one after the other.

Why it exists: DuckDB's intervals add their months, days and microseconds in an order of their own, and
know other units.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.datetime import INTERVALS, UNITS, dateadd
from proxy.sql.snowflake.registry import cast, node, text, unsupported

_D = exp.DType


@node(exp.Interval)
def _interval(interval: exp.Interval) -> None:
    """'1 year, 2 mm': the units are Snowflake's, where mm is a month; no unit is a second."""
    value = interval.this
    if interval.args.get("unit") is not None or not isinstance(value, exp.Literal):
        return
    words = value.this.replace(",", " ").split()
    steps: list[tuple[str, str]] = []
    for count, part in zip(words[::2], words[1::2] or ["s"], strict=False):
        unit = UNITS.get(part.upper())
        if unit not in INTERVALS and unit != "nanosecond":
            return
        steps.append((count, unit))
    if steps and len(words) in (1, 2 * len(steps)):
        interval.meta[STEPS_KEY] = steps
        value.set("this", " ".join(map(_as_duckdb_counts, steps)))


STEPS_KEY = "steps"
"""Key of `node.meta` of an interval of several parts: how many of which unit, in order."""


def _as_duckdb_counts(step: tuple[str, str]) -> str:
    count, unit = step
    if unit in ("quarter", "week", "weekiso") and count.lstrip("+-").isdigit():
        factor, whole = (3, "month") if unit == "quarter" else (7, "day")
        return f"{int(count) * factor} {whole}"
    return f"{count} {unit}"


def stepped(value: exp.Expr, steps: list[tuple[str, str]], sign: int) -> exp.Expr:
    """A date or time plus or minus an interval's parts, one after the other: their order matters."""
    for count, unit in steps:
        if not count.lstrip("+-").isdigit():
            raise unsupported("a fraction in an interval of several parts", value)
        amount = exp.Literal.number(int(count) * sign)
        value = dateadd([text(unit), cast(amount, _D.BIGINT), value])
    return value
