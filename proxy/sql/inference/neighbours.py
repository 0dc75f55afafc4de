"""What a subquery in FROM may name: without LATERAL, nothing that stands before it.

Why it exists: DuckDB looks a name up among what stands before a subquery in FROM, and only then in the
queries around. In Postgres the former are not to be seen, so that a name which both have is another one's.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.inference.names import Scope, Source
from proxy.sql.reading import position_of

_UNSEEN = "a name of a query around it, which stands before a subquery of FROM too,"


def is_shut_off(node: exp.Expr, scope: Scope) -> bool:
    """Whether something stands before a subquery of FROM that it does not see."""
    if not isinstance(node, exp.Subquery) or not scope.sources:
        return False
    return not isinstance(node.parent, exp.Lateral) and scope.outer is not None


def _holders(scope: Scope, name: str, table: str) -> Iterator[tuple[Scope, Source]]:
    """The sources that have a column of that name, from the innermost query on."""
    around: Scope | None = scope
    while around is not None:
        for source in around.sources:
            if (not table or source.name == table) and source.find(name):
                yield around, source
        around = around.outer


def meant(column: exp.Expr, scope: Scope, unseen: list[Scope]) -> Source | None:
    """Whose column it is in Postgres, where DuckDB would take a neighbour's.

    unseen: the queries whose FROM has subqueries that are shut off and stand around the column. Raises
    SqlError 0A000 where a name cannot tell the two apart.
    """
    if not isinstance(column, exp.Column):
        return None
    name, table = column.name.lower(), column.table.lower()
    found = list(_holders(scope, name, table))
    if not found or not any(found[0][0] is one for one in unseen):
        return None
    for around, source in found:
        if any(around is one for one in unseen):
            continue
        nearer = scope
        while nearer is not around and nearer is not None:
            if not source.name or any(one.name == source.name for one in nearer.sources):
                hint = "Give one of the two another name."
                message = f"{_UNSEEN} is not supported on analytical tables"
                raise SqlError("0A000", message, hint=hint, position=position_of(column))
            nearer = nearer.outer  # type: ignore[assignment]
        return source
    return None
