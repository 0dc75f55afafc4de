"""Rules for operators, literals and names."""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.postgres import byte_string, public_is_main, refuse_lock
from proxy.sql.snowflake.registry import FUNCTIONS, NODES, cast, node, sf

NODES[exp.ByteString] = byte_string
NODES[exp.Lock] = refuse_lock


@node(exp.Anonymous)
def _anonymous(call: exp.Anonymous) -> exp.Expr | None:
    name = call.this
    if not isinstance(name, str):
        return None
    rule = FUNCTIONS.get(name.upper())
    return rule(call.expressions) if rule is not None else None


@node(exp.Div)
def _division(division: exp.Div) -> exp.Expr:
    return sf("div_", division.this, division.expression)


@node(exp.Identifier)
def _identifier(identifier: exp.Identifier) -> None:
    name = identifier.this
    if not identifier.args.get("quoted") and not name.islower():
        identifier.set("this", name.lower())


@node(exp.Column)
def _column(column: exp.Column) -> exp.Expr | None:
    public_is_main(column)
    name = column.this
    if isinstance(name, exp.Identifier) and name.this.lower() in ("nextval", "currval"):
        sequence = column.args.get("table")
        if sequence is not None and not name.args.get("quoted"):
            parts = [column.args.get("catalog"), column.args.get("db"), sequence]
            path = ".".join(part.sql() for part in parts if part is not None)
            return exp.Anonymous(this="nextval", expressions=[exp.Literal.string(path)])
    return None


_INT32 = 2_147_483_647
_INT64 = 9_223_372_036_854_775_807


def _whole(value: exp.Expr) -> int | None:
    if isinstance(value, exp.Literal) and not value.is_string and value.this.isdigit():
        return int(value.this)
    return None


@node(exp.Add, exp.Sub, exp.Mul)
def _arithmetic(operation: exp.Binary) -> exp.Expr | None:
    """Numbers are 38 digits wide: literals must not make DuckDB count in 32 bits."""
    left = _whole(operation.this)
    if left is None:
        return None
    if left > _INT64:
        operation.set("this", cast(operation.this, exp.DType.DECIMAL, 38, 0))
    elif left <= _INT32:
        right = operation.expression
        if isinstance(right, (exp.Literal, exp.Binary, exp.Paren, exp.Neg)):
            operation.set("this", cast(operation.this, exp.DType.BIGINT))
    return None
