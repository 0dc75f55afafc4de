"""RETURNING in Postgres's dialect: DuckDB's knows the columns of the table, by the table's name.

Why it exists: `INSERT INTO t AS a ... RETURNING a.id` names an alias that DuckDB has forgotten by then. What
UPDATE ... FROM or DELETE ... USING has joined is gone, too: see `proxy.sql.changes.joined_returning`.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.postgres.values import refused

_HINT = "Ask for it in a query: WITH changed AS (... RETURNING *) SELECT ... FROM changed."


def returning(node: exp.Returning) -> None:
    """The outputs, as DuckDB takes them. Raises SqlError 0A000."""
    changing = node.parent
    for output in node.expressions:
        if (query := output.find(exp.Query)) is not None:
            raise refused("a query in RETURNING", query, _HINT)
    if isinstance(changing, exp.Insert):
        _of_insert(node, changing)
    elif isinstance(changing, exp.Merge):
        _of_merge(node, changing)


def _of_insert(node: exp.Returning, insert: exp.Insert) -> None:
    target = insert.this.this if isinstance(insert.this, exp.Schema) else insert.this
    alias = target.args.get("alias") if isinstance(target, exp.Table) else None
    for column in list(node.find_all(exp.Column)) if alias is not None else ():
        listed = not isinstance(column.this, exp.Star) or isinstance(column.parent, exp.Returning)
        if listed and column.table == alias.name and not column.args.get("db"):
            column.replace(column.this)


def _of_merge(node: exp.Returning, merge: exp.Merge) -> None:
    """DuckDB gives the columns of the target, and what was done as one of them."""
    name = merge.this.alias_or_name
    for output in list(node.expressions):
        if isinstance(output, exp.Star):
            raise refused("RETURNING * of MERGE", merge, f"Name the target's columns: {name}.*.")
        for column in output.find_all(exp.Column):
            if column.table and column.table != name:
                raise refused("RETURNING of what MERGE joins", column)
        for called in list(output.find_all(exp.Anonymous)):
            if called.name.lower() == _ACTION:
                called.replace(exp.column(_ACTION))


_ACTION = "merge_action"
RULES = {exp.Returning: returning}
