"""TIMESTAMP_TZ: a moment together with the offset that it was written with.

No type of DuckDB's holds both, and Postgres's timestamptz, which clients get, holds the moment
alone. So a TIMESTAMP_TZ made in a statement (a cast, TO_TIMESTAMP_TZ, CONVERT_TIMEZONE, and what
DATEADD and its kin make of one) is a pair {clock, offset} as long as the syntax shows that it is
one: its text, its hours, its date come from the clock, and where anything else is done with it
(comparing, storing, sending) the pair becomes its moment. A column keeps moments.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.sql.snowflake.registry import duck, sf, text

_MOMENT = "_sf.moment_of_"


def of_pair(pair: exp.Expr) -> exp.Anonymous:
    """The TIMESTAMP_TZ of a pair."""
    return sf("moment_of_", pair)


def zoned(value: exp.Expr, *, safe: bool = False) -> exp.Expr:
    """A value of any type as a TIMESTAMP_TZ: what has no offset gets the session's.

    safe: NULL for what is none.
    """
    pair = sf("zoned_", value)
    return of_pair(duck("TRY", pair) if safe else pair)


def pair_of(value: exp.Expr) -> exp.Expr | None:
    """The pair of a value that is known to be a TIMESTAMP_TZ, None for any other."""
    while isinstance(value, exp.Paren):
        value = value.this
    if isinstance(value, exp.Anonymous) and value.this == _MOMENT:
        return value.expressions[0]
    return None


def has_offset(value: exp.Expr) -> bool:
    """Whether the syntax says that a value is a TIMESTAMP_TZ."""
    return pair_of(value) is not None


def clock(pair: exp.Expr) -> exp.Expr:
    """What the clock shows where the moment was written: a TIMESTAMP_NTZ."""
    return duck("struct_extract", pair.copy(), text("t"))


def offset(pair: exp.Expr) -> exp.Expr:
    """Minutes east of UTC."""
    return duck("struct_extract", pair.copy(), text("o"))


def once(pair: exp.Expr, use: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """What `use` makes of a pair, which is written, and evaluated, once."""
    name = exp.Identifier(this="_pair")
    function = exp.Lambda(this=use(exp.Column(this=name)), expressions=[name.copy()])
    made = duck("list_transform", duck("list_value", pair), function)
    return duck("list_extract", made, exp.Literal.number(1))


def moved(value: exp.Expr, step: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """A function of a date or time; of a TIMESTAMP_TZ it moves the clock and keeps the offset."""
    pair = pair_of(value)
    if pair is None:
        return step(value)
    return of_pair(once(pair, lambda p: sf("pair_", step(clock(p)), offset(p))))
