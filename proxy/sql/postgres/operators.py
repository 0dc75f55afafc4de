"""Postgres's prefix operators, and clauses of SELECT that the parser reads otherwise.

Why it exists: `@ x` is read as a parameter's name; `|/ x + 1` is the root of x + 1, since an operator
of this kind binds more weakly than `+`; a SELECT may give no columns at all; FETCH ... WITH TIES
has another form in DuckDB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.dialects import Postgres
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.postgres.literals import literal_of
from proxy.sql.postgres.retyping import branches
from proxy.sql.postgres.values import call, is_text, refused, typed_call, unwrapped
from proxy.sql.reading import position_of
from proxy.wire.decoders.zones import ABBREVIATIONS, name_of_hours, posix_offset
from proxy.wire.types import NO_COLUMNS


def _of_term(kind: type[exp.Expr]) -> Callable[[Any], exp.Expr]:
    return lambda parser: parser.expression(kind(this=parser._parse_term()))


def _absolute(parser: Any) -> exp.Expr | None:
    if parser._prev.text == "@":
        made: exp.Expr = parser.expression(exp.Abs(this=parser._parse_term()))
        return made
    parser._retreat(parser._index - 1)
    parsed: exp.Expr | None = parser._parse_type()
    return parsed


Postgres.Parser.UNARY_PARSERS |= {
    TokenType.PARAMETER: _absolute,
    TokenType.PIPE_SLASH: _of_term(exp.Sqrt),
    TokenType.DPIPE_SLASH: _of_term(exp.Cbrt),
}


def without_columns(select: exp.Select) -> None:
    """A SELECT that gives rows without columns: to DuckDB they have one, which the client is not shown."""
    if select.expressions or select.args.get("kind"):
        return
    whole: exp.Expr = select
    while isinstance(whole.parent, exp.SetOperation):
        whole = whole.parent
    others = [one for one in branches(whole) if one.expressions and not _is_empty(one)]
    if others:
        message = f"each {whole.key.upper()} query must have the same number of columns"
        raise SqlError("42601", message, position=_on_the_right(others[0]))
    if isinstance(whole.parent, exp.Insert | exp.Create | exp.Copy) or _is_listed(whole):
        raise refused("a SELECT without columns here", select)
    select.set("expressions", [exp.alias_(exp.Literal.number(1), NO_COLUMNS, quoted=True)])


def _on_the_right(other: exp.Select) -> int | None:
    """The place of the other's first column, where it is the right side of a set operation."""
    union = other.parent
    is_right = isinstance(union, exp.SetOperation) and union.expression is other
    return position_of(other.expressions[0]) if is_right else None


def _is_empty(select: exp.Select) -> bool:
    return [one.alias for one in select.expressions] == [NO_COLUMNS]


def _is_listed(query: exp.Expr) -> bool:
    """Whether a query is a value, or the `*` of one around it means its columns."""
    around = query.parent
    while isinstance(around, exp.Subquery | exp.Paren | exp.Alias):
        around = around.parent
    if around is None or isinstance(around, exp.Exists):
        return False
    if not isinstance(around, exp.From | exp.Join | exp.Lateral | exp.CTE):
        return True
    outer = around.parent.parent if isinstance(around, exp.CTE) else around.parent
    if outer is None:
        return False
    stars = any(one.is_star for select in branches(outer) for one in select.expressions)
    return stars or (outer.parent is not None and _is_listed(outer))


_NO_TIES = ("distinct", "group", "having", "qualify", "offset", "windows")


def with_ties(select: exp.Select) -> None:
    """FETCH FIRST n ROWS WITH TIES: those whose rank is n at most."""
    fetch = select.args.get("limit")
    options = fetch.args.get("limit_options") if isinstance(fetch, exp.Fetch) else None
    if options is None or not options.args.get("with_ties"):
        return
    order, count = select.args.get("order"), fetch.args.get("count")
    plain = order is not None and not options.args.get("percent")
    if not plain or any(select.args.get(key) for key in _NO_TIES):
        raise refused("FETCH FIRST ... WITH TIES of such a query", select)
    aliases = {p.alias for p in select.expressions if isinstance(p, exp.Alias)}
    for one in order.expressions:
        if isinstance(one.this, exp.Literal) or one.this.name in aliases:
            raise refused("FETCH FIRST ... WITH TIES with ORDER BY of the select list", select)
    rank = exp.Window(this=exp.Anonymous(this="rank"), order=order.copy())
    limit = exp.LTE(this=rank, expression=count or exp.Literal.number(1))
    select.set("qualify", exp.Qualify(this=limit))
    select.set("limit", None)


def overlay(node: exp.Overlay) -> exp.Expr:
    """overlay(text placing other from start for length)"""
    parts = [node.this, node.expression, node.args["from_"]]
    if node.args.get("for_") is not None:
        parts.append(node.args["for_"])
    return call("pg_overlay_", *parts)


_UNITS = ("year", "month", "week", "day", "hour", "minute", "second")


def make_interval(node: exp.MakeInterval) -> exp.Expr:
    """make_interval(days => n), by name or by place; behind := the parser goes by place alone."""
    parts: dict[str, exp.Expr] = {}
    for unit in _UNITS:
        value = node.args.get(unit)
        if isinstance(value, exp.Kwarg | exp.PropertyEQ):
            unit, value = _NAMED_UNITS.get(value.this.name.lower(), ""), value.expression
        if value is not None:
            parts[unit] = value
    if "" in parts:
        raise SqlError("42883", "function make_interval with this argument does not exist")
    given = (parts.get(unit, exp.Literal.number(0)) for unit in _UNITS)
    return call("pg_make_interval_", *given)


_NAMED_UNITS = {
    **{f"{unit}s": unit for unit in ("year", "month", "week", "day", "hour")},
    "mins": "minute",
    "secs": "second",
}


def at_time_zone(node: exp.AtTimeZone) -> exp.Expr | None:
    """`AT TIME ZONE '+2'` is west of Greenwich, as POSIX has it; that of an interval is east."""
    return in_zone(node.this, node.args["zone"])


def in_zone(moment: exp.Expr, zone: exp.Expr) -> exp.Expr:
    """A moment at a zone. Of an abbreviation Postgres knows the offset, DuckDB a zone with a summer."""
    made = exp.AtTimeZone(this=moment, zone=zone)
    if is_text(zone):
        name = zone.this.strip()
        east = ABBREVIATIONS.get(name.lower())
        if east is None:
            east = posix_offset(name)
    else:
        east = _seconds_of_interval(unwrapped(zone))
    if east is None:
        return made
    if (named := name_of_hours(east)) is not None:
        made.set("zone", exp.Literal.string(named))
        return made
    return typed_call(moment, lambda one: call("pg_at_offset_", one, seconds_of(east)))


def seconds_of(count: int) -> exp.Expr:
    return literal_of(exp.Literal.string(f"{count} seconds"), "interval")


def _seconds_of_interval(zone: exp.Expr) -> int | None:
    """Of an interval that is written out. Raises 22023 for one of days."""
    if not isinstance(zone, exp.Cast) or zone.to.this != exp.DType.INTERVAL:
        return None
    words = zone.this.this.split() if is_text(zone.this) else ()
    if words[1::2] != _PARTS:
        return None
    months, days, micros = map(int, words[::2])
    if months or days:
        message = "an interval as a time zone must not include months or days"
        raise SqlError("22023", message, position=position_of(zone))
    return micros // 1_000_000


_PARTS = ["months", "days", "microseconds"]


def array_remove(node: exp.ArrayRemove) -> exp.Expr:
    """NULL stays, unless it is what is removed."""
    return call("pg_array_remove_", node.this, node.expression)


def array_cat(node: exp.ArrayConcat) -> exp.Expr:
    """With NULL, the other array; of two, NULL."""
    made = node.this
    for other in node.expressions:
        made = call("pg_array_cat_", made, other)
    return made


def sign(node: exp.Sign) -> exp.Expr:
    """Of a numeric it is one."""
    return call("pg_sign_", node.this)


def _justified(name: str) -> Callable[[Any], exp.Expr]:
    def rule(node: exp.Expr) -> exp.Expr:
        if node.find(exp.Column) is None:
            raise refused("this function of a constant", node)
        return call(name, node.this)

    return rule


RULES: dict[type, Callable[[Any], exp.Expr | None]] = {
    exp.ArrayConcat: array_cat,
    exp.ArrayRemove: array_remove,
    exp.JustifyDays: _justified("pg_justify_days_"),
    exp.JustifyHours: _justified("pg_justify_hours_"),
    exp.JustifyInterval: _justified("pg_justify_interval_"),
    exp.AtTimeZone: at_time_zone,
    exp.MakeInterval: make_interval,
    exp.Overlay: overlay,
    exp.Sign: sign,
}
