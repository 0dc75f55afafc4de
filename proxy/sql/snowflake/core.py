"""Rules for operators, casts, types and names."""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.postgres import byte_string, public_is_main, refuse_lock
from proxy.sql.snowflake.registry import FUNCTIONS, NODES, node, sf

NODES[exp.ByteString] = byte_string
NODES[exp.Table] = public_is_main
NODES[exp.Column] = public_is_main
NODES[exp.Lock] = refuse_lock


@node(exp.Anonymous)
def _anonymous(call: exp.Anonymous) -> exp.Expr | None:
    name = call.this
    rule = FUNCTIONS.get(name.upper()) if isinstance(name, str) else None
    return rule(call.expressions) if rule is not None else None


@node(exp.Div)
def _division(division: exp.Div) -> exp.Expr:
    return sf("div_", division.this, division.expression)


@node(exp.Identifier)
def _identifier(identifier: exp.Identifier) -> None:
    name = identifier.this
    if not identifier.args.get("quoted") and not name.islower():
        identifier.set("this", name.lower())
