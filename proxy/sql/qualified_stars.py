"""`schema.table.*`, which DuckDB's grammar does not have: there it is `table.*`.

The schema is left out where the query has one source of that name, and it is the one that is meant.
Everywhere else the star stays, and DuckDB says that it cannot read it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

_WRITERS = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


def shorten_stars(tree: exp.Expr) -> None:
    """Makes `table.*` of each `schema.table.*` and `database.schema.table.*` that is unambiguous."""
    for column in tree.find_all(exp.Column):
        if isinstance(column.this, exp.Star) and column.args.get("db") is not None:
            named = [one for one in _sources(column) if one.alias_or_name.lower() == _name(column)]
            if len(named) == 1 and _is_meant(column, named[0]):
                column.set("db", None)
                column.set("catalog", None)


def _name(column: exp.Column) -> str:
    return column.table.lower()


def _sources(column: exp.Column) -> Iterator[exp.Expr]:
    """What stands in the FROM of the column's query, or what its statement writes to."""
    query = column.find_ancestor(exp.Select, *_WRITERS)
    if isinstance(query, exp.Select):
        if (from_ := query.args.get("from_")) is not None:
            yield from_.this
        for join in query.args.get("joins") or ():
            yield join.this
        yield from query.args.get("laterals") or ()
    elif query is not None:
        target = query.this.this if isinstance(query.this, exp.Schema) else query.this
        if isinstance(target, exp.Table):
            yield target
        if (from_ := query.args.get("from_")) is not None:
            yield from_.this


def _is_meant(column: exp.Column, source: exp.Expr) -> bool:
    """Whether the source is the very table: with an alias, its own name would mean nothing."""
    if not isinstance(source, exp.Table) or source.args.get("alias") is not None:
        return False
    catalog = column.args.get("catalog")
    return source.db.lower() == column.args["db"].name.lower() and (
        catalog is None or catalog.name.lower() == source.catalog.lower()
    )
