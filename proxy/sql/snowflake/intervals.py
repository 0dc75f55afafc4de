"""INTERVAL '1 year, 2 mm': several parts, in Snowflake's units, added one after the other.

Why it exists: DuckDB's intervals add their months, days and microseconds in an order of their own, and
know other units. INTERVAL '1-2' YEAR TO MONTH has several parts, too, which it does not read.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.snowflake.datetime import INTERVALS, UNITS, dateadd
from proxy.sql.snowflake.registry import cast, node, text, unsupported

_D = exp.DType


@node(exp.Interval)
def _interval(interval: exp.Interval) -> None:
    """'1 year, 2 mm': the units are Snowflake's, where mm is a month; no unit is a second."""
    value, unit = interval.this, interval.args.get("unit")
    if not isinstance(value, exp.Literal):
        return
    if isinstance(unit, exp.IntervalSpan):
        _take(interval, _of_span(value.name, _field(unit.this), _field(unit.expression)))
        return
    if unit is not None:
        _field(unit)
        return
    words = value.this.replace(",", " ").split()
    steps: list[tuple[str, str]] = []
    for count, part in zip(words[::2], words[1::2] or ["s"], strict=False):
        unit = UNITS.get(part.upper())
        if unit not in INTERVALS and unit != "nanosecond":
            return
        steps.append((count, unit))
    if steps and len(words) in (1, 2 * len(steps)):
        _take(interval, steps)


def _take(interval: exp.Interval, steps: list[tuple[str, str]]) -> None:
    interval.meta[STEPS_KEY] = steps
    interval.set("unit", None)
    interval.this.set("this", " ".join(map(_as_duckdb_counts, steps)))


_SPANS = (("YEAR", "MONTH"), ("DAY", "HOUR", "MINUTE", "SECOND"))


def _field(unit: exp.Expr) -> str:
    """YEAR of YEAR and YEARS."""
    if not isinstance(unit, exp.Var):
        raise unsupported("the precision of an interval", unit, "Leave it out: DAY, not DAY(2).")
    return unit.name.upper().removesuffix("S")


def _of_span(written: str, first: str, last: str) -> list[tuple[str, str]]:
    """'-1-2' from YEAR to MONTH, '1 02:03:04.5' from DAY to SECOND: the sign is all parts'."""
    fields = next((fields for fields in _SPANS if first in fields and last in fields), ())
    units = fields[fields.index(first) : fields.index(last) + 1] if fields else ()
    body = written.strip()
    sign = -1 if body.startswith("-") else 1
    parts = body.removeprefix("+").removeprefix("-").replace("-", " ").replace(":", " ").split()
    steps = []
    for unit, part in zip(units, parts, strict=False):
        try:
            count = sign * Decimal(part)
        except InvalidOperation:
            break
        if unit == "SECOND":
            count, unit = count.scaleb(6), "MICROSECOND"
        if count != int(count):
            break
        steps.append((str(int(count)), unit.lower()))
    if not steps or not len(steps) == len(units) == len(parts):
        raise SqlError("22007", f'invalid input syntax for type interval: "{written}"')
    return steps


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
