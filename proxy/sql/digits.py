"""How many digits of a second are kept: timestamp(3), timestamptz(0), time(2), in Postgres's dialect.

Why it exists: DuckDB's types have six digits or say how many in their names, of which few have a name.
So a column keeps its digits as varchar(n) keeps its length: a CHECK says how many there are, from which
the mirror and RowDescription read it. What is written into such a column is rounded first
(`proxy.sql.changes.written_columns`), and so is what is cast.

Promises: what is not rounded is not kept: the CHECK raises. Half a digit is rounded away from the
beginning of 2000, Postgres's own zero.
"""

from __future__ import annotations

from sqlglot import exp

MOST = 6
"""Digits that are kept anyway."""

_D = exp.DType
_MACROS: dict[exp.DType, str] = {
    **dict.fromkeys((_D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.DATETIME), "pg_timestamp_digits_"),
    **dict.fromkeys((_D.TIMESTAMPTZ, _D.TIMESTAMPLTZ), "pg_timestamptz_digits_"),
    _D.TIME: "pg_time_digits_",
}
_DUCK = {
    "timestamp": _D.TIMESTAMP,
    "timestamptz": _D.TIMESTAMPTZ,
    "time": _D.TIME,
}
"""What Postgres calls them, and how a tree does."""

MOMENTS = frozenset(("TIMESTAMP", "TIMESTAMP_TZ", "TIME"))
"""DuckDB's names of the same."""

OIDS = frozenset((1083, 1114, 1184))
"""Postgres's, of the types that may say their digits; the number is their modifier."""


def digits_of(kind: exp.Expr | None) -> int | None:
    """p of timestamp(p) and its kin; None for what says none. More than six are six, as in Postgres."""
    if not isinstance(kind, exp.DataType) or kind.this not in _MACROS or not kind.expressions:
        return None
    size = kind.expressions[0].name
    return min(int(size), MOST) if size.isdigit() else None


def rounded(value: exp.Expr, kind: exp.DataType, digits: int) -> exp.Expr:
    """The value as one of that type with so many digits, as DuckDB's. `kind` says no digits then."""
    kind.set("expressions", None)
    plain = exp.Cast(this=value, to=kind.copy())
    places = exp.Literal.number(MOST - digits)
    return exp.Anonymous(this=f"_sf.{_MACROS[kind.this]}", expressions=[plain, places])


def rounded_as(value: exp.Expr, kind: str, digits: int) -> exp.Expr:
    """As `rounded`, by Postgres's name of the type."""
    return rounded(value, exp.DataType(this=_DUCK[kind]), digits)


def at_most(name: exp.Expr, digits: int) -> exp.ColumnConstraint:
    """CHECK (epoch_us(name) % n = 0), in which n says how many digits there are."""
    micros = exp.Anonymous(this="epoch_us", expressions=[exp.Column(this=name.copy())])
    unit = exp.Literal.number(10 ** (MOST - digits))
    rest = exp.EQ(this=exp.Mod(this=micros, expression=unit), expression=exp.Literal.number(0))
    return exp.ColumnConstraint(kind=exp.CheckColumnConstraint(this=rest))


def checked_digits(check: exp.Expr, column: str) -> int | None:
    """The digits that a CHECK of `at_most` keeps; None for any other."""
    tree = check.unnest()
    if not isinstance(tree, exp.EQ) or not isinstance(tree.this.unnest(), exp.Mod):
        return None
    rest = tree.this.unnest()
    micros, unit = rest.this, rest.expression
    if not isinstance(micros, exp.Anonymous) or micros.name.lower() != "epoch_us":
        return None
    about = micros.expressions[0] if len(micros.expressions) == 1 else None
    if not isinstance(about, exp.Column) or about.name.lower() != column.lower():
        return None
    return _UNITS.get(unit.name) if isinstance(unit, exp.Literal) else None


_UNITS = {str(10 ** (MOST - digits)): digits for digits in range(MOST + 1)}


def cast_digits(cast: exp.Cast) -> int | None:
    """The digits that a cast of DuckDB's rounds to, as `rounded` was put into it."""
    inner = cast.this
    if isinstance(inner, exp.Dot):
        inner = inner.expression
    if not isinstance(inner, exp.Anonymous) or len(inner.expressions) != 2:
        return None
    if inner.name.lower().rpartition(".")[2] not in _MACRO_NAMES:
        return None
    return MOST - int(inner.expressions[1].name)


_MACRO_NAMES = frozenset(_MACROS.values())


def may_round(sql: str) -> bool:
    """Whether DuckDB's SQL may hold what `rounded` makes: a quick look, for what asks of every statement."""
    return _MARK in sql or _MARK.upper() in sql


_MARK = "_digits_("
