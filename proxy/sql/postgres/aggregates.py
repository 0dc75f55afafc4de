"""Aggregates and windows of Postgres's, in the forms that DuckDB takes.

Why it exists: DuckDB computes what an aggregate is given of all rows before FILTER takes some of them, so
that `sum(a / b) FILTER (WHERE b <> 0)` would divide by zero; and it takes `RANGE '7 days' PRECEDING` for
an offset that is a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from proxy.sql.postgres.json import filtered_document
from proxy.sql.postgres.literals import cast, literal_of
from proxy.sql.postgres.values import duck, is_text, refused

_NEVER_RAISES = (exp.Column, exp.Literal, exp.Star, exp.Distinct, exp.Order, exp.Placeholder)


def filtered(node: exp.Filter) -> exp.Expr | None:
    """The argument is computed of those rows alone that FILTER takes."""
    if (made := filtered_document(node)) is not None:
        return made
    aggregate, condition = node.this, node.expression
    value = aggregate.this if isinstance(aggregate, exp.AggFunc) else None
    if not isinstance(value, exp.Expr) or isinstance(value, _NEVER_RAISES):
        return None
    chosen = exp.If(this=condition.this.copy(), true=value)
    aggregate.set("this", exp.Case(ifs=[chosen]))
    return None


def frame(node: exp.WindowSpec) -> None:
    """An offset in quotes is an interval, if it is no number; that of rows and groups is one."""
    if str(node.args.get("kind")).upper() != "RANGE":
        return
    for side in ("start", "end"):
        offset = node.args.get(side)
        if is_text(offset) and not _is_number(offset.this):
            node.set(side, literal_of(offset, "interval"))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_HYPOTHETICAL = (exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist)


def hypothetical(node: exp.WithinGroup) -> exp.Expr | None:
    """rank(x) WITHIN GROUP (ORDER BY y): how many rows would stand before that of x."""
    function = node.this
    if not isinstance(function, _HYPOTHETICAL):
        return None
    name, given, order = function.sql_name().lower(), function.expressions, node.expression
    if len(given) != 1 or len(order.expressions) != 1 or isinstance(node.parent, exp.Window):
        raise refused(f"{name} WITHIN GROUP of several values, or over a window,", node)
    (value,), (ordered,) = given, order.expressions
    if value.find(exp.Column) is not None:
        raise refused(f"{name} WITHIN GROUP of a column", node, "Give it a constant.")
    condition = node.parent.expression.this if isinstance(node.parent, exp.Filter) else None
    by, column = ordered.this, exp.Paren(this=ordered.this)
    descends = bool(ordered.args.get("desc"))
    nulls_first = bool(ordered.args.get("nulls_first"))

    def rows(test: exp.Expr | None, counted: exp.Expr | None = None) -> exp.Expr:
        tests = [one.copy() for one in (test, condition) if one is not None]
        count: exp.Expr = exp.Count(this=counted or exp.Star(), big_int=True)
        if not tests:
            return count
        return exp.Filter(this=count, expression=exp.Where(this=exp.and_(*tests, copy=False)))

    strict, loose = (exp.GT, exp.GTE) if descends else (exp.LT, exp.LTE)
    missing, none = (exp.Is(this=x, expression=exp.Null()) for x in (column.copy(), value.copy()))

    def ahead(kind: type[exp.Expr]) -> exp.Expr:
        """Of a row: of NULLs, one group, either the rows or the value stand at one end."""
        test = kind(this=column.copy(), expression=value.copy())
        first, last = (missing, none) if nulls_first else (none, missing)
        apart = exp.and_(first.copy(), exp.Not(this=last.copy()), copy=False)
        return exp.Paren(this=exp.or_(test, first.copy() if kind is loose else apart, copy=False))

    one = exp.Literal.number(1)
    rank: exp.Expr = exp.Add(this=rows(ahead(strict)), expression=one)
    if isinstance(function, exp.DenseRank):
        apart = exp.Distinct(expressions=[by.copy()])
        rank = exp.Add(this=rows(ahead(strict), apart), expression=one)
        if nulls_first:
            null = exp.and_(missing, exp.Not(this=none))
            least = exp.Least(this=rows(null), expressions=[one.copy()])
            rank = exp.Add(this=rank, expression=least)
    elif isinstance(function, exp.PercentRank):
        rank = duck("coalesce", _share(rows(ahead(strict)), rows(None)), exp.Literal.number(0))
        rank = exp.Cast(this=rank, to=exp.DataType(this=exp.DType.DOUBLE))
    elif isinstance(function, exp.CumeDist):
        most = exp.Add(this=rows(ahead(loose)), expression=one)
        rank = _share(most, exp.Paren(this=exp.Add(this=rows(None), expression=one.copy())))
    made = exp.Paren(this=rank)
    if condition is not None:
        node.parent.meta["around"] = made
        return None
    return made


def _share(part: exp.Expr, whole: exp.Expr) -> exp.Expr:
    """A part of a whole as a float; NULL of nothing."""
    least = exp.Anonymous(this="nullif", expressions=[whole, exp.Literal.number(0)])
    return exp.Div(this=cast(exp.Paren(this=part), "float8"), expression=cast(least, "float8"))


RULES: dict[type, Callable[[Any], exp.Expr | None]] = {
    exp.Filter: filtered,
    exp.WindowSpec: frame,
}
