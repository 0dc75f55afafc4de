"""INSERT, UPDATE, MERGE: names of columns, and statements that DuckDB needs as several.

What is one statement in Snowflake and several here (INSERT OVERWRITE, INSERT ALL, INSERT FIRST) is
given to the session as a list, which it runs in one transaction.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.changes.written_columns import is_default
from proxy.sql.postgres.sets import name_defaults
from proxy.sql.snowflake.registry import node, unsupported


def _unqualify(assignments: list[exp.Expr]) -> None:
    """`SET t.a = 1` is `SET a = 1`."""
    for assignment in assignments:
        column = assignment.this
        if isinstance(column, exp.Column) and column.args.get("table") is not None:
            column.replace(exp.Column(this=column.this))


@node(exp.Update)
def _update(update: exp.Update) -> None:
    _unqualify(update.expressions)
    name_defaults(update.expressions)


@node(exp.When)
def _when(when: exp.When) -> None:
    if when.args.get("source"):
        raise unsupported("WHEN NOT MATCHED BY SOURCE", when)


def parts(tree: exp.Expr, overwrite: bool) -> list[exp.Expr] | None:
    """The statements that a statement becomes, None for one that stays one.

    overwrite: whether INSERT OVERWRITE was written, which the tree of INSERT ALL does not tell.
    """
    if isinstance(tree, exp.Insert) and tree.args.get("overwrite"):
        tree.set("overwrite", None)
        table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        emptied = exp.Delete(this=table.copy())
        source = tree.expression
        if isinstance(source, exp.Values):
            return [emptied, tree]
        # The query may read the table itself: it is run first.
        tree.set(
            "expression", exp.Select(expressions=[exp.Star()]).from_(exp.to_table(ROWS), copy=False)
        )
        return [_kept(source), emptied, tree]
    if isinstance(tree, exp.MultitableInserts):
        return _multi(tree, overwrite)
    return None


_SOURCE = "_inserted"
ROWS = f"temp.main.{_SOURCE}"
"""The rows to be inserted: a table that `parts` begins by making, to be dropped at the end."""


def _multi(tree: exp.Expr, overwrite: bool) -> list[exp.Expr]:
    """INSERT ALL and INSERT FIRST: the rows are read once, then each INTO takes its own."""
    first = str(tree.args.get("kind") or "").upper() == "FIRST"
    statements: list[exp.Expr] = [_kept(tree.args["source"])]
    if overwrite:
        targets = {}
        for branch in tree.expressions:
            table = branch.this.this
            table = table.this if isinstance(table, exp.Schema) else table
            targets.setdefault(table.sql("snowflake"), table)
        statements.extend(exp.Delete(this=table.copy()) for table in targets.values())
    taken: list[exp.Expr] = []  # the conditions of earlier branches
    condition: exp.Expr | None = None
    otherwise = False
    for branch in tree.expressions:
        own = branch.args.get("expression")
        otherwise = otherwise or bool(branch.args.get("else_"))
        if (own is not None or otherwise) and condition is not None:
            taken.append(condition)
            condition = None
        if otherwise:
            statements.append(_into(branch.this, _none_of(taken)))
            continue
        condition = own if own is not None else condition
        wanted = condition.copy() if condition is not None else None
        if first and taken and wanted is not None:
            wanted = exp.And(this=exp.Paren(this=wanted), expression=_none_of(taken))
        statements.append(_into(branch.this, wanted))
    return statements


def _kept(query: exp.Expr) -> exp.Expr:
    """The table `ROWS`, made of a query's rows."""
    temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
    return exp.Create(
        this=exp.to_table(ROWS), kind="TABLE", expression=query, replace=True, properties=temporary
    )


def _none_of(conditions: list[exp.Expr]) -> exp.Expr | None:
    """No condition was true: NULL is not true."""
    if not conditions:
        return None
    made: exp.Expr | None = None
    for condition in conditions:
        failed = exp.Not(
            this=exp.Coalesce(
                this=exp.Paren(this=condition.copy()), expressions=[exp.Boolean(this=False)]
            )
        )
        made = failed if made is None else exp.And(this=made, expression=failed)
    return made


def _into(insert: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    values = insert.args.get("expression")
    query = exp.Select(expressions=[exp.Star()])
    target = insert.this.copy()
    if values is not None:
        rows = values.expressions
        given = _row(rows[0])
        kept = [place for place, value in enumerate(given) if not is_default(value)]
        if len(kept) < len(given) and isinstance(target, exp.Schema):
            columns = target.expressions  # the others have their defaults without being named
            if len(columns) == len(given) and kept:
                target.set("expressions", [columns[place] for place in kept])
                given = [given[place] for place in kept]
        if len(rows) != 1 or any(map(is_default, given)):
            hint = "Name the columns of the table."
            raise unsupported("DEFAULT in a multi-table INSERT", insert, hint)
        query = exp.Select(expressions=[value.copy() for value in given])
    query = query.from_(exp.to_table(ROWS), copy=False)
    if condition is not None:
        query = query.where(condition, copy=False)
    return exp.Insert(this=target, expression=query)


def _row(row: exp.Expr) -> list[exp.Expr]:
    return row.expressions if isinstance(row, exp.Tuple) else [row]
