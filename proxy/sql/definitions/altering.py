"""ALTER and DROP TABLE for which it matters what the relation is, not only what the statement says.

Postgres's ALTER TABLE renames a view too; DuckDB wants ALTER VIEW for that. Which of them it is, only
DuckDB's catalog knows when the statement runs (`proxy.definitions.defining`): here is read from the tree what
will have to be known.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.definitions.identities import folded
from proxy.sql.reading import write_duckdb
from proxy.sql.statement import (
    Alters,
    Drops,
    DropsType,
    MakesEnumeration,
    MakesView,
    Truncates,
)


def alters(tree: exp.Expr, of_postgres: bool) -> Alters | None:
    """What a statement that renames a table needs; None for all others.

    tree: as DuckDB is to have it. of_postgres: views follow what they read.
    """
    kind = str(tree.args.get("kind") or "").upper()
    if not isinstance(tree, exp.Alter) or kind not in ("TABLE", "VIEW"):
        return None
    actions = tree.args.get("actions") or ()
    of_column = tree.args.get("options")  # RENAME a TO b, without the word COLUMN
    if of_column or len(actions) != 1 or not isinstance(actions[0], exp.AlterRename):
        return None
    if not isinstance(tree.this, exp.Table) or not isinstance(actions[0].this, exp.Table):
        return None
    new = actions[0].this
    if kind == "VIEW" and not of_postgres and not new.db:
        return None
    of_view = tree.copy()
    of_view.set("kind", "VIEW")
    name = tuple(part.name for part in tree.this.parts)
    place = new.catalog, new.db
    return Alters(name, write_duckdb(of_view), new.name, of_postgres, kind == "VIEW", place)


def drops(tree: exp.Expr, of_postgres: bool) -> Drops | None:
    """What a statement that takes a relation away needs; None for all others. tree: as for `alters`.

    of_postgres: CASCADE takes views along, and without it there may be none.
    """
    kind = str(tree.args.get("kind") or "").upper()
    dropped = of_postgres and isinstance(tree, exp.Drop)
    if kind != "TABLE" and not (kind in ("VIEW", "SCHEMA") and dropped):
        return None
    cascades = dropped and bool(tree.args.get("cascade"))
    this = tree.this
    if isinstance(tree, exp.Drop):
        tables = tree.args.get("tables") or ()
        this = tables[0] if this is None and len(tables) == 1 else this
    elif not isinstance(tree, exp.Create) or not tree.args.get("replace"):
        return None
    table = this.this if isinstance(this, exp.Schema) else this
    if not isinstance(table, exp.Table):
        return None
    name = tuple(part.name for part in table.parts if part.name)
    return Drops(name, kind == "VIEW", cascades, dropped and not cascades, kind == "SCHEMA")


def makes_view(tree: exp.Expr) -> MakesView | None:
    """A CREATE VIEW of Postgres's of which more is to be known; None for all others."""
    if not isinstance(tree, exp.Create) or not isinstance(tree.expression, exp.Query):
        return None
    if str(tree.args.get("kind")).upper() != "VIEW":
        return None
    replaces = bool(tree.args.get("replace"))
    query = tree.expression
    searches = any(not table.args.get("db") for table in query.find_all(exp.Table)) or any(
        kind.this == exp.DType.USERDEFINED for kind in query.find_all(exp.DataType)
    )
    if not replaces and not searches:
        return None
    named = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    columns = tuple(folded(one.this if isinstance(one, exp.ColumnDef) else one) for one in named)
    name = tuple(part.name for part in table.parts if part.name)
    temporary = tree.find(exp.TemporaryProperty) is not None
    return MakesView(name, columns, temporary, replaces)


def of_type(tree: exp.Expr, of_postgres: bool) -> MakesEnumeration | DropsType | None:
    """DROP TYPE, or CREATE TYPE ... AS ENUM of Postgres's; None for all others. tree: as for `alters`."""
    if str(tree.args.get("kind") or "").upper() != "TYPE":
        return None
    named = tree.args.get("tables") or ()
    this = named[0] if tree.this is None and len(named) == 1 else tree.this
    if not isinstance(this, exp.Table):
        return None
    name = tuple(part.name for part in this.parts)
    if isinstance(tree, exp.Drop):
        return DropsType(name, bool(tree.args.get("cascade")))
    kind = tree.expression
    if not of_postgres or not isinstance(kind, exp.DataType) or kind.this != exp.DType.ENUM:
        return None
    if not all(isinstance(one, exp.Literal) for one in kind.expressions):
        return None
    return MakesEnumeration(name, tuple(one.this for one in kind.expressions))


def truncates(tree: exp.TruncateTable) -> Truncates | None:
    """What a TRUNCATE says; None for one of a partition. tree: as it was read, in Postgres's dialect."""
    tables = tree.expressions
    if not all(
        isinstance(one, exp.Table) and isinstance(one.this, exp.Identifier) for one in tables
    ):
        return None
    names = []
    for table in tables:
        *places, name = (folded(part) for part in table.parts)
        names.append((*("main" if one == "public" else one for one in places), name))
    restarts = str(tree.args.get("identity") or "").upper() == "RESTART"
    cascades = str(tree.args.get("option") or "").upper() == "CASCADE"
    return Truncates(tuple(names), restarts, cascades)
