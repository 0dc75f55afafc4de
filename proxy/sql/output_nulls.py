"""Columns of a statement's result that are NULL and nothing else: text, as in Postgres.

DuckDB calls such a column an INTEGER. A client that was told so reads numbers where there will
never be one, and a table that is made of the query gets a column of the wrong type.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp


def nulls_are_text(tree: exp.Expr) -> bool:
    """Gives the NULLs that are whole columns of the outermost query a type, in place; whether any."""
    query = tree.expression if isinstance(tree, exp.Create) else tree
    branches = list(_branches(query)) if isinstance(query, exp.Query) else []
    if not branches or any(node.is_star for one in branches for node in one.expressions):
        return False
    changed = False
    for column in zip(*(one.expressions for one in branches), strict=False):
        nulls = [node for node in map(_bare, column) if isinstance(node, exp.Null)]
        if len(nulls) == len(branches):
            for null in nulls:
                null.replace(exp.Cast(this=exp.Null(), to=exp.DataType(this=exp.DType.TEXT)))
            changed = True
    return changed


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Alias | exp.Paren):
        node = node.this
    return node


def _branches(query: exp.Expr) -> Iterator[exp.Select]:
    if isinstance(query, exp.SetOperation):
        yield from _branches(query.this)
        yield from _branches(query.expression)
    elif isinstance(query, exp.Subquery):
        yield from _branches(query.this)
    elif isinstance(query, exp.Select):
        yield query
