"""Texts that Snowflake's SQL writes into columns of another type, as its casts read them.

Why it exists: DuckDB casts a text to the column's type by its own rules: of `'2020-01-01 foo'` it
takes the date, of a BINARY's hexadecimal digits the characters. An explicit cast is read as Snowflake
reads it; here a literal in an INSERT, UPDATE, DELETE or MERGE, and what is inserted out of a query, is
given that cast, once the columns' types are known (`proxy.typed`).
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql import snowflake
from proxy.sql.inference.expressions import bare
from proxy.sql.inference.names import Scope
from proxy.sql.inference.signatures import Type
from proxy.sql.inference.statements import Statements
from proxy.sql.listing import Listing, listed
from proxy.sql.postgres_typing import Typing
from proxy.sql.postgres_values import holds_aggregate
from proxy.sql.reading import write_duckdb
from proxy.sql.snowflake.types import cast_to

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


def writes_texts(tree: exp.Expr, nodes: Listing) -> bool:
    """Whether a statement may write a text into a column of another type."""
    if isinstance(tree, exp.Insert) and isinstance(tree.expression, exp.Query):
        return True
    return isinstance(tree, _WRITING) and any(one.is_string for one in nodes.of(exp.Literal))


class Assigning(Typing):
    """As `Typing`, for what is written alone; nothing is refused for its type."""

    integer = "int8"

    def look(self) -> bool:
        self._written: list[tuple[exp.Expr, str]] = []
        return super().look()

    def apply(self, zone: str) -> str | None:
        changed = False
        for literal, kind in self._literals.values():
            in_postgress_format = kind == "bytea" and literal.this.startswith("\\x")
            if kind in _CASTS and not in_postgress_format:
                literal.replace(_cast(literal, _CASTS[kind]))
                changed = True
        for value, kind in self._written:
            if (made := cast_to(value.copy(), exp.DataType(this=_CASTS[kind]))) is not None:
                value.replace(made)
                changed = True
        return write_duckdb(self._tree) if changed else None

    def _compare(self, left: exp.Expr, kind: Type, right: exp.Expr, scope: Scope) -> None:
        Statements._compare(self, left, kind, right, scope)

    def _assigned(self, name: str, kind: Type, value: exp.Expr | None) -> None:
        """Snowflake casts what it can: a text, and what may be one."""
        value = bare(value)
        if value is None or isinstance(value, _NO_TEXTS) or kind not in _CASTS:
            return
        if self._known(value) in (None, "text") and not holds_aggregate(value):
            self._written.append((value, kind))


_NO_TEXTS = (exp.Literal, exp.Null, exp.Cast, exp.TryCast, exp.Placeholder, exp.Parameter)


def _cast(literal: exp.Literal, kind: exp.DType) -> exp.Expr:
    """The literal under a cast of Snowflake's, as DuckDB's."""
    select = exp.Select(expressions=[exp.Cast(this=literal.copy(), to=exp.DataType(this=kind))])
    return snowflake.rewrite(select, listed(select)).expressions[0].unalias()
