"""ALTER TABLE that DuckDB refuses over what the relation is, not over what the statement says.

Postgres's ALTER TABLE renames a view too, and a table that has indexes; DuckDB wants ALTER VIEW for
the first and refuses the second. Which of them it is, only DuckDB's catalog knows when the statement
runs (`proxy.defining`): here is read from the tree what will have to be known.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.reading import write_duckdb
from proxy.sql.statement import Alters


def alters(tree: exp.Expr) -> Alters | None:
    """What a statement that renames a table or adds columns to it needs; None for all others.

    tree: as DuckDB is to have it.
    """
    if not isinstance(tree, exp.Alter) or str(tree.args.get("kind") or "").upper() != "TABLE":
        return None
    actions = tree.args.get("actions") or ()
    if not isinstance(tree.this, exp.Table) or not actions:
        return None
    name = tuple(part.name for part in tree.this.parts)
    new = actions[0].this
    of_columns = tree.args.get("options")  # RENAME a TO b, without the word COLUMN
    if len(actions) == 1 and isinstance(actions[0], exp.AlterRename) and not of_columns:
        if not isinstance(new, exp.Table):
            return None
        of_view = tree.copy()
        of_view.set("kind", "VIEW")
        return Alters(name, (*name[:-1], new.name), write_duckdb(of_view))
    return Alters(name, name) if all(isinstance(one, exp.ColumnDef) for one in actions) else None
