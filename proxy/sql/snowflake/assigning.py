"""String literals that Snowflake's SQL writes into columns of another type, as its casts read them.

Why it exists: DuckDB casts a literal to the column's type by its own rules: of `'2020-01-01 foo'` it
takes the date, of a BINARY's hexadecimal digits the characters. An explicit cast is read as Snowflake
reads it; here a literal in an INSERT, UPDATE, DELETE or MERGE is given that cast, once the columns'
types are known (`proxy.typed`).
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql import snowflake
from proxy.sql.inference.names import Scope
from proxy.sql.inference.signatures import Type
from proxy.sql.inference.statements import Statements
from proxy.sql.listing import Listing, listed
from proxy.sql.postgres_typing import Typing
from proxy.sql.reading import write_duckdb

_D = exp.DType
_CASTS = {
    "date": _D.DATE,
    "time": _D.TIME,
    "timestamp": _D.TIMESTAMP,
    "timestamptz": _D.TIMESTAMPLTZ,
    "bool": _D.BOOLEAN,
    "bytea": _D.BINARY,
}


_WRITING = (exp.Insert, exp.Update, exp.Merge, exp.Delete)


def writes_literals(tree: exp.Expr, nodes: Listing) -> bool:
    """Whether a statement may write a string literal into a column."""
    return isinstance(tree, _WRITING) and any(one.is_string for one in nodes.of(exp.Literal))


class Assigning(Typing):
    """As `Typing`, for literals alone; nothing is refused for its type."""

    integer = "int8"

    def apply(self, zone: str) -> str | None:
        changed = False
        for literal, kind in self._literals.values():
            in_postgress_format = kind == "bytea" and literal.this.startswith("\\x")
            if kind in _CASTS and not in_postgress_format:
                literal.replace(_cast(literal, _CASTS[kind]))
                changed = True
        return write_duckdb(self._tree) if changed else None

    def _compare(self, left: exp.Expr, kind: Type, right: exp.Expr, scope: Scope) -> None:
        Statements._compare(self, left, kind, right, scope)

    def _assigned(self, name: str, kind: Type, value: exp.Expr | None) -> None:
        """Snowflake casts what it can."""


def _cast(literal: exp.Literal, kind: exp.DType) -> exp.Expr:
    """The literal under a cast of Snowflake's, as DuckDB's."""
    select = exp.Select(expressions=[exp.Cast(this=literal.copy(), to=exp.DataType(this=kind))])
    return snowflake.rewrite(select, listed(select)).expressions[0].unalias()
