"""The types of a statement's parameters, inferred as Postgres's parser infers them.

Why it exists: DuckDB types each place of a parameter by itself, and gives up on the whole statement
where one place says nothing (`$1 + 1`, `= ANY($1)`, a parameter that stands twice). Drivers ask for
the types before they send values, and send what Postgres would have answered.

What it promises, over the tree of a statement that is already DuckDB's SQL: the clauses are visited
in the order in which Postgres analyses them, and the first place that says of what type a parameter
is, decides. A place that is not understood decides nothing. Nothing is read and nothing runs here:
the columns of tables are asked of the caller.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.inference.names import Columns, Relation
from proxy.sql.inference.signatures import name_of
from proxy.sql.inference.statements import Statements
from proxy.sql.reading import DUCKDB
from proxy.wire.types import BY_NAME


def read(sql: str) -> exp.Expr | None:
    """The tree of one statement of DuckDB's SQL; None for what the parser cannot read.

    On the thread that the readers belong to.
    """
    try:
        tree = DUCKDB.parse(sql, DUCKDB.tokenize(sql))
    except SqlError:
        return None
    return None if isinstance(tree, exp.Command) else tree


def infer(
    tree: exp.Expr,
    wanted: Collection[int],
    given: Mapping[int, int],
    columns: Callable[[Relation], Columns | None],
    *,
    integer: str = "int4",
) -> dict[int, int]:
    """OIDs of those of the parameters `wanted` whose type follows from the statement.

    given: OIDs of the others. columns: of a table or view, None if there is none of that name.
    integer: the type of a whole literal that fits it.
    """
    told = {n: name_of(oid) for n, oid in given.items()}
    inference = Statements(frozenset(wanted), told, columns, integer)
    # Deeper than can be followed: what was decided before holds all the same.
    with contextlib.suppress(RecursionError):
        inference.statement(tree)
    return {n: BY_NAME[kind].oid for n, kind in inference.decided.items()}


__all__ = ["Columns", "Relation", "infer", "read"]
