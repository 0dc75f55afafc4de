"""Postgres's floats: what is beyond their range raises 22003, where DuckDB answers Infinity.

Why it exists: an infinity that nobody wrote looks like a measurement. Literals, casts, exp(), powers
and the sums and products that the tree shows to be of floats are checked; those of two columns are
not, since only the engine knows their types.
"""

from __future__ import annotations

import math

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.postgres.values import (
    TEXT_CALLS,
    TEXT_NODES,
    TEXTS,
    call,
    holds_aggregate,
    unwrapped,
)
from proxy.sql.reading import position_of

_D = exp.DType


def _checked(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    """What is beyond a float's range is no infinity."""
    double = to.this == _D.DOUBLE
    if isinstance(value, exp.Literal):
        try:
            read = float(value.this)
        except ValueError:
            return None  # DuckDB says what is wrong with it
        beyond = not abs(read) < (math.inf if double else _REAL_LIMIT)
        if beyond and any(mark.isdigit() for mark in value.this):
            message = f'"{value.this}" is out of range for type {"double precision" if double else "real"}'
            at = position_of(value) if value.is_string else None
            raise SqlError("22003", message, position=at)
        return None
    inner = unwrapped(value)
    text = isinstance(inner, (exp.Column, *TEXT_NODES)) or (
        isinstance(inner, exp.Cast) and inner.to.this in TEXTS
    )
    text = text or (isinstance(inner, exp.Anonymous) and inner.this in TEXT_CALLS)
    if not text or holds_aggregate(inner):
        return None
    return call("pg_float_" if double else "pg_real_", value)


_REAL_LIMIT = 2.0**128 * (1 - 2.0**-25)
"""From here on a number rounds to more than the largest float4."""


def _is_float(node: exp.Expr) -> bool:
    """Whether the tree says that a value is a float."""
    inner = unwrapped(node)
    if isinstance(inner, exp.Neg):
        return _is_float(inner.this)
    return _is_finite(inner) or (
        isinstance(inner, exp.Cast) and inner.to.this in (_D.DOUBLE, _D.FLOAT)
    )


def _is_finite(node: exp.Expr) -> bool:
    if isinstance(node, exp.Dot):  # as DuckDB's SQL is read back
        return isinstance(node.expression, exp.Anonymous) and node.expression.this == "pg_finite_"
    return isinstance(node, exp.Anonymous) and node.this == _FINITE


_FINITE = "_sf.pg_finite_"


def finite(made: exp.Expr, operands: list[exp.Expr]) -> exp.Expr:
    """`made`, which raises where it is infinite and none of its operands is."""
    infinite: list[exp.Expr] = []
    for operand in operands:
        inner = unwrapped(operand)
        if _is_finite(inner):
            # One check around a chain of operations: each operand is written twice, not 2 ^ n times.
            checked = inner.expression if isinstance(inner, exp.Dot) else inner
            value, *found = checked.expressions
            inner.replace(value)
            infinite += found
        elif not isinstance(inner, exp.Literal):
            infinite.append(call("pg_is_infinite_", operand.copy()))
    said = exp.or_(*infinite, copy=False) if infinite else exp.false()
    return call("pg_finite_", made, said)


def float_arithmetic(node: exp.Binary) -> exp.Expr | None:
    """A sum or product of floats that overflows raises; DuckDB's is Infinity.

    Only where the tree says that one of the two is a float: columns' types are the engine's to know.
    """
    sides = [node.this, node.expression]
    if not any(map(_is_float, sides)) or _not_to_be_doubled(node):
        return None
    return finite(node, sides)


def _not_to_be_doubled(node: exp.Expr) -> bool:
    """Whether a value cannot be written twice: it is one only once, or a parameter's place."""
    return holds_aggregate(node) or node.find(*_ONCE) is not None


def may_be_doubled(node: exp.Expr) -> bool:
    """Whether a value may be written twice once the types of all its parts are known."""
    return node.find(exp.Query, exp.Rand) is None


_ONCE = (exp.Parameter, exp.Placeholder, exp.Query, exp.Interval, exp.Rand)


def power(node: exp.Pow) -> exp.Expr | None:
    """x ^ y and power(x, y)"""
    if node.find(*_ONCE) is not None:
        return None
    sides = [node.this, node.expression]
    made = exp.Pow(
        this=call("pg_base_", node.this.copy(), node.expression.copy()),
        expression=node.expression.copy(),
    )
    return made if holds_aggregate(node) else finite(made, sides)


def exponential(node: exp.Exp) -> exp.Expr | None:
    """exp(x)"""
    return None if _not_to_be_doubled(node) else finite(node, [node.this])


def cast(node: exp.Cast) -> None:
    """A cast to float4 or float8."""
    to = node.args["to"]
    if to.this in (_D.DOUBLE, _D.FLOAT) and not (node._meta and node._meta.get("plain")):
        made = _checked(node.this, to)
        if made is not None:
            node.set("this", made)
