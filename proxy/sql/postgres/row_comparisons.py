"""Rows compared with rows, value by value, so that NULL makes unknown what it decides.

Why it exists: DuckDB compares rows as a whole: NULL is equal to NULL there, and greater than any other
value. In Postgres `(1, 2) < (1, NULL)` is NULL, and `(1, 2) < (2, NULL)` is true: the first values that
differ decide, unless one is NULL before. The right side may be a query that gives one row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.rows_among import ONCE, ROWS

Pair = tuple[exp.Expr, exp.Expr]

_EITHER_WAY = {  # of all values, or of one of them
    exp.EQ: exp.and_,
    exp.NullSafeEQ: exp.and_,
    exp.NEQ: exp.or_,
    exp.NullSafeNEQ: exp.or_,
}
_ORDERS: dict[type[exp.Expr], tuple[type[exp.Expr], type[exp.Expr]]] = {
    exp.LT: (exp.LT, exp.LTE),
    exp.LTE: (exp.LT, exp.LTE),
    exp.GT: (exp.GT, exp.GTE),
    exp.GTE: (exp.GT, exp.GTE),
}
_ASSIGNING = (exp.Update, exp.OnConflict)


def row_of(node: exp.Expr) -> list[exp.Expr] | None:
    """The values of `(a, b)` or `ROW(a, b)`."""
    while isinstance(node, exp.Paren):
        node = node.this
    called = isinstance(node, exp.Anonymous) and str(node.this).upper() == "ROW"
    if not called and not isinstance(node, exp.Tuple):
        return None
    values: list[exp.Expr] = node.expressions
    return None if any(value.is_star for value in values) else values


def compared(node: exp.Binary) -> exp.Expr | None:
    """A comparison of rows, taken apart; None for any other, and for SET (a, b) = (1, 2)."""
    left, right = row_of(node.this), row_of(node.expression)
    if left is None or isinstance(node.parent, _ASSIGNING):
        return None
    if right is None:
        return _with_query(type(node), left, node.expression)
    if not left and not right:
        raise SqlError("0A000", "cannot compare rows of zero length")
    if len(left) != len(right):
        raise SqlError("42601", "unequal number of entries in row expressions")
    return _by_value(type(node), list(zip(left, right, strict=True)))


def tested(node: exp.Is) -> exp.Expr | None:
    """`(a, b) IS NULL`: of all values; so is IS NOT NULL. DuckDB's row is never NULL."""
    row = row_of(node.this) if isinstance(node.expression, exp.Null) else None
    if row is None:
        return None
    negated = node.args.get("negate")
    tests = [exp.Is(this=one, expression=exp.Null(), negate=negated) for one in row]
    return exp.Paren(this=exp.and_(*tests, copy=False)) if tests else exp.true()


def denied(node: exp.Not) -> None:
    """`NOT t IS NULL` is not `t IS NOT NULL` where t is a row: written down, only parentheses tell."""
    test = node.this
    if (
        isinstance(test, exp.Is)
        and isinstance(test.this, exp.Column)
        and not test.args.get("negate")
    ):
        node.set("this", exp.Paren(this=test))


def _with_query(kind: type[exp.Expr], row: list[exp.Expr], query: exp.Expr) -> exp.Expr | None:
    asked = query.this if isinstance(query, exp.Subquery) else None
    if not isinstance(asked, exp.Query) or any(value.find(*ONCE) is not None for value in row):
        return None
    names = [exp.to_identifier(f"{ROWS}_{number}") for number in range(len(row))]
    pairs = [(value, exp.column(name.copy())) for value, name in zip(row, names, strict=True)]
    alias = exp.TableAlias(this=exp.to_identifier(ROWS), columns=names)
    rows = exp.From(this=exp.Subquery(this=asked, alias=alias))
    return exp.Subquery(this=exp.Select(expressions=[_by_value(kind, pairs)], from_=rows))


def _by_value(kind: type[exp.Expr], pairs: Sequence[Pair]) -> exp.Expr:
    joined = _EITHER_WAY.get(kind)
    if joined is not None:
        return exp.Paren(this=joined(*(kind(this=a, expression=b) for a, b in pairs), copy=False))
    return exp.Paren(this=_ordered(kind, pairs))


def _ordered(kind: type[exp.Expr], pairs: Sequence[Pair]) -> exp.Expr:
    """a <= x AND (a < x OR ...): unknown where a or x is NULL, whatever follows."""
    (left, right), *others = pairs
    if not others:
        return kind(this=left, expression=right)
    strict, loose = _ORDERS[kind]
    decided = strict(this=left.copy(), expression=right.copy())
    rest = exp.Paren(this=exp.or_(decided, _ordered(kind, others), copy=False))
    return exp.and_(loose(this=left, expression=right), rest, copy=False)


RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr | None]] = {
    **dict.fromkeys((exp.NullSafeEQ, exp.NullSafeNEQ, *_ORDERS), compared),
    exp.Is: tested,
    exp.Not: denied,
}
