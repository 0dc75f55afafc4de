"""ALTER TABLE that DuckDB refuses over what the relation is, not over what the statement says.

Postgres's ALTER TABLE renames a view too; DuckDB wants ALTER VIEW for that. Which of them it is, only
DuckDB's catalog knows when the statement runs (`proxy.defining`): here is read from the tree what
will have to be known.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.reading import write_duckdb
from proxy.sql.statement import Alters


def alters(tree: exp.Expr) -> Alters | None:
    """What a statement that renames a table needs; None for all others.

    tree: as DuckDB is to have it.
    """
    if not isinstance(tree, exp.Alter) or str(tree.args.get("kind") or "").upper() != "TABLE":
        return None
    actions = tree.args.get("actions") or ()
    of_column = tree.args.get("options")  # RENAME a TO b, without the word COLUMN
    if of_column or len(actions) != 1 or not isinstance(actions[0], exp.AlterRename):
        return None
    if not isinstance(tree.this, exp.Table) or not isinstance(actions[0].this, exp.Table):
        return None
    of_view = tree.copy()
    of_view.set("kind", "VIEW")
    return Alters(tuple(part.name for part in tree.this.parts), write_duckdb(of_view))
