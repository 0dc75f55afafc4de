"""ALTER TABLE as DuckDB wants it: one change at a time, and none of what an index depends on.

Postgres's ALTER TABLE makes several changes at once, renames a view too, and takes a table's indexes
along. DuckDB makes one change a statement, wants ALTER VIEW for a view, and refuses most changes of a
table that has an index. Which of them it is, only DuckDB's catalog knows when the statement runs
(`proxy.defining`): here is read from the tree what will have to be known.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.reading import write_duckdb
from proxy.sql.statement import Alters

_SCHEMAS = {"public": "main", "pg_temp": "temp"}  # Postgres's name -> DuckDB's


def _of_table(tree: exp.Expr) -> bool:
    return (
        isinstance(tree, exp.Alter)
        and str(tree.args.get("kind") or "").upper() == "TABLE"
        and isinstance(tree.this, exp.Table)
    )


def _renames(tree: exp.Expr) -> bool:
    """Whether all that a statement does is to give the relation another name."""
    actions = tree.args.get("actions") or ()
    return (
        _of_table(tree)
        and len(actions) == 1
        and not tree.args.get("options")  # RENAME a TO b, without the word COLUMN
        and isinstance(actions[0], exp.AlterRename)
        and isinstance(actions[0].this, exp.Table)
    )


def one_by_one(tree: exp.Expr) -> list[exp.Expr]:
    """A statement for each change that `tree` makes, in order; `tree` alone where it makes one."""
    if not _of_table(tree):
        return [tree]
    actions: list[exp.Expr] = []
    for action in tree.args.get("actions") or ():
        named = action.args.get("tables") or () if isinstance(action, exp.Drop) else ()
        if len(named) > 1:
            for one in named:
                alone = action.copy()
                alone.set("tables", [one.copy()])
                actions.append(alone)
        else:
            actions.append(action)
    if len(actions) < 2:
        return [tree]
    parts = []
    for action in actions:
        part = tree.copy()
        part.set("actions", [action.copy()])
        parts.append(part)
    return parts


def of_view(tree: exp.Expr) -> str:
    """What renames a view in place of `tree`, which is as DuckDB is to have it; '' for all others."""
    if not _renames(tree):
        return ""
    view = tree.copy()
    view.set("kind", "VIEW")
    return write_duckdb(view)


def alters(tree: exp.Expr) -> Alters | None:
    """What a statement changes of what an index may depend on; None where that is nothing.

    tree: as the client wrote it.
    """
    if not _of_table(tree):
        return None
    parts = [part.name for part in tree.this.parts]
    parts[:-1] = [_SCHEMAS.get(part.lower(), part) for part in parts[:-1]]
    if _renames(tree):
        (action,) = tree.args["actions"]
        return Alters(tuple(parts), renamed=action.this.name)
    columns: list[tuple[str, str]] = []
    dropped: list[str] = []
    depends = retyped = False
    for action in tree.args.get("actions") or ():
        if isinstance(action, exp.RenameColumn):
            columns.append((action.this.name, action.args["to"].name))
        elif isinstance(action, exp.AlterRename):
            found = [one.this for one in tree.args.get("options") or ()]
            columns += [(action.this.name, to.name) for to in found if isinstance(to, exp.Expr)]
        elif isinstance(action, exp.Drop):
            dropped += [one.name for one in action.args.get("tables") or ()]
        elif isinstance(action, exp.AlterColumn):
            given = action.args
            retyped = retyped or given.get("dtype") is not None
            depends = depends or given.get("allow_null") is not None
        elif isinstance(action, exp.AddConstraint):
            depends = True
    if not (columns or dropped or retyped or depends):
        return None
    return Alters(tuple(parts), "", tuple(columns), tuple(dropped), retyped)
