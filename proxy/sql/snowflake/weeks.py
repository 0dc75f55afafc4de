"""Weeks by the session's WEEK_START and WEEK_OF_YEAR_POLICY.

With the defaults weeks are ISO's, which DuckDB has; here is what they become with others. A week
then begins on WEEK_START (1 Monday to 7 Sunday; 0 is Monday too, but counts days from Sunday = 0),
and a year's first week is the one with four days in it, or the one with the first of January.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.in_force import value
from proxy.sql.snowflake.registry import cast, duck, number, sf, text

PARTS = frozenset({"week", "yearofweek", "dayofweek"})


def _start() -> int:
    return int(value("week_start"))


def shift() -> int:
    """How many days after Monday a week begins."""
    return max(_start() - 1, 0)


def first_day(at: exp.Expr, *, iso: bool = False) -> exp.Expr:
    """The day on which the week of a moment begins, to be compared with others."""
    if iso or not shift():
        return duck("date_trunc", text("week"), at)
    return sf("week_begins_", at, number(shift()))


def truncated(at: exp.Expr) -> exp.Expr:
    """DATE_TRUNC to the week, of the type of `at`."""
    return duck("cast_to_type", sf("week_begins_", at, number(shift())), at.copy())


def last_day(at: exp.Expr) -> exp.Expr:
    """A week's last day."""
    return sf("week_ends_", at, number(shift()))


def slice_of(at: exp.Expr, count: exp.Expr, at_end: bool) -> exp.Expr:
    """TIME_SLICE of weeks: slices are counted from the week that 1970-01-01, a Thursday, is in."""
    weeks = duck("to_days", exp.Mul(this=cast(count, exp.DType.INT), expression=number(7)))
    day = shift() if shift() <= _THURSDAY else shift() - 7
    first = exp.Sub(
        this=cast(text("1970-01-01"), exp.DType.DATE), expression=number(_THURSDAY - day)
    )
    start = duck("time_bucket", weeks, at, exp.Paren(this=first))
    return exp.Add(this=start, expression=weeks.copy()) if at_end else start


_THURSDAY = 3


def part(unit: str, at: exp.Expr) -> exp.Expr | None:
    """WEEK, YEAROFWEEK or DAYOFWEEK; None where DuckDB's is the same."""
    if unit == "dayofweek":
        return sf("day_of_week_", at, number(shift())) if _start() else None
    by_january = value("week_of_year_policy") == "1"
    if by_january:
        if unit == "yearofweek":
            return duck("date_part", text("year"), at)
        return sf("week_from_january_", at, number(shift()))
    if not shift():
        return None
    # A week is of the year that its fourth day is in.
    middle = sf("week_middle_", at, number(shift()))
    if unit == "yearofweek":
        return duck("date_part", text("year"), middle)
    return sf("week_of_middle_", middle)
