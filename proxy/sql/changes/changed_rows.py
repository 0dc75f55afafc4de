"""The rows that an UPDATE or DELETE of DuckDB's will change, as a query, and one that changes no others.

Why it exists: where two statements are to change one table as it was before either, which rows each means
is asked before the first runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from proxy.sql import inference
from proxy.sql.reading import write_duckdb
from proxy.sql.statement import Statement

ROW = "rowid"
"""What DuckDB calls a row's number, unless a column is called so."""


def changed_by(tree: exp.Update | exp.Delete, outputs: Sequence[exp.Expr]) -> exp.Select:
    """A query of what its rows have, of those that a statement changes."""
    query = exp.select(*outputs, copy=False).from_(tree.this.copy(), copy=False)
    source = tree.args.get("from_")
    for other in [source.this] if source is not None else tree.args.get("using") or ():
        query = query.join(other.copy(), join_type="cross", copy=False)
    for key in ("where", "with_"):
        if tree.args.get(key) is not None:
            query.set(key, tree.args[key].copy())
    return query


def rows_of(plan: Statement, *, every: bool = False) -> Statement | None:
    """The query of the numbers of the rows that a statement changes; None where there is none.

    every: of all rows of its table.
    """
    tree = inference.read(plan.sql)
    if not isinstance(tree, (exp.Update, exp.Delete)):
        return None
    query = exp.select(_row(tree.this)).from_(tree.this.copy()) if every else rows_changed(tree)
    kind = {"kind": "SELECT", "tag": "SELECT", "writes": False, "deletes": (), "locks": None}
    return replace(plan, sql=write_duckdb(query), **kind)


def rows_changed(tree: exp.Update | exp.Delete) -> exp.Select:
    """The query of the numbers of the rows that a statement changes."""
    return changed_by(tree, [_row(tree.this)]).distinct()


def only_those(plan: Statement, table: str) -> Statement:
    """The statement, of the rows alone whose numbers are in a table."""
    tree = inference.read(plan.sql)
    assert isinstance(tree, (exp.Update, exp.Delete))
    numbers = exp.select(exp.column(ROW, quoted=True)).from_(exp.to_table(table))
    among = exp.In(this=_row(tree.this), query=numbers.subquery())
    where = tree.args.get("where")
    condition = exp.and_(exp.paren(where.this), among) if where is not None else among
    tree.set("where", exp.Where(this=condition))
    return replace(plan, sql=write_duckdb(tree))


def _row(target: exp.Table) -> exp.Column:
    name = exp.to_identifier(target.alias_or_name, quoted=True)
    return exp.Column(this=exp.Identifier(this=ROW), table=name)
