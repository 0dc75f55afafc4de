"""What the recursive term of WITH RECURSIVE may not do, in Postgres's dialect.

Why it exists: an aggregate over the query's own rows, or a subquery that reads them, gives a row each time.
DuckDB goes on for ever, where Postgres refuses the statement.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.listing import Listing
from proxy.sql.reading import position_of


def check(nodes: Listing) -> None:
    """Raises SqlError 42P19."""
    for around in nodes.of(exp.With):
        if not around.args.get("recursive"):
            continue
        for query in around.expressions:
            if isinstance(query.this, exp.Union):
                _check(query.this.expression, query.alias.lower())


def _check(term: exp.Expr, name: str) -> None:
    for table in term.find_all(exp.Table):
        if table.name.lower() != name or table.args.get("db") is not None:
            continue
        select = table.find_ancestor(exp.Select)
        if _is_in_subquery(table, term):
            message = f'recursive reference to query "{name}" must not appear within a subquery'
            raise SqlError("42P19", message, position=position_of(table))
        for aggregate in _aggregates(select) if select is not None else ():
            message = "aggregate functions are not allowed in a recursive query's recursive term"
            raise SqlError("42P19", message, position=position_of(aggregate))


def _is_in_subquery(table: exp.Expr, term: exp.Expr) -> bool:
    """Whether it is read by a query that is a value, and not one of FROM or a side of a UNION."""
    node = table
    while node is not term and node.parent is not None:
        node, inner = node.parent, node
        if isinstance(node, exp.CTE):
            return False  # whatever reads that
        plain = isinstance(node, exp.From | exp.Join | exp.SetOperation | exp.Subquery | exp.Query)
        if isinstance(inner, exp.Query) and not plain and not isinstance(node, exp.Lateral):
            return True
        if isinstance(node, exp.Select) and isinstance(inner, exp.Subquery):
            return inner.arg_key != "from_"
    return False


def _aggregates(select: exp.Select) -> Iterator[exp.Expr]:
    """Those of the query itself."""
    parts = [*select.expressions, *filter(None, (select.args.get("having"),))]
    for part in parts:
        for node in part.walk(prune=lambda one: isinstance(one, exp.Query | exp.Window)):
            if isinstance(node, exp.AggFunc):
                yield node
