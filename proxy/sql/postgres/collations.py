"""Collations of Postgres's that sort by bytes, as DuckDB does: each is DuckDB's "C", or none.

Why it exists: what dumps and session stores define says `COLLATE "default"`, which is the database's own, and
`pg_catalog."C"`; DuckDB knows neither the one nor schemas of collations, and alters no table that has one.
"""

from __future__ import annotations

from sqlglot import exp

BY_BYTES = frozenset({"C", "POSIX", "default", "ucs_basic"})


def collation(node: exp.Expr) -> None:
    """Of an expression (`Collate`), or of a column (`CollateColumnConstraint`), where it is left out."""
    of_column = isinstance(node, exp.CollateColumnConstraint)
    given = node.this if of_column else node.expression
    if given.name not in BY_BYTES or getattr(given, "table", "") not in ("", "pg_catalog"):
        return
    if of_column:
        node.parent.pop()
    else:
        node.set("expression", exp.to_identifier("C", quoted=True))
