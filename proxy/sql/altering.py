"""ALTER TABLE that DuckDB does not take as it stands.

Postgres's ALTER TABLE renames a view too; DuckDB wants ALTER VIEW for that. It adds no CHECK, no UNIQUE
and no foreign key to a table that is there, and so no varchar(n): such a table is made anew, with its
rows. What the relation is, only DuckDB's catalog knows when the statement runs (`proxy.defining`): here
is read from the tree what will have to be known. Several changes in one statement are several of
DuckDB's.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.postgres_values import LENGTH
from proxy.sql.reading import write_duckdb
from proxy.sql.statement import Alters, Remakes

_NOT_ADDED = (exp.CheckColumnConstraint, exp.UniqueColumnConstraint, exp.ForeignKey)


def one_by_one(tree: exp.Expr) -> tuple[str, ...]:
    """The statements of DuckDB's for an ALTER TABLE with several changes; () for all others."""
    actions = tree.args.get("actions") or () if isinstance(tree, exp.Alter) else ()
    if len(actions) < 2:
        return ()
    written = []
    for action in actions:
        alone = tree.copy()
        alone.set("actions", [action.copy()])
        written.append(write_duckdb(alone))
    return tuple(written)


def remakes(tree: exp.Expr) -> Remakes | None:
    """What a statement says that DuckDB can say of a new table only; None for all others.

    tree: as DuckDB is to have it. Raises 0A000 for such a change beside one of another kind.
    """
    if not isinstance(tree, exp.Alter) or not isinstance(tree.this, exp.Table):
        return None
    actions = tree.args.get("actions") or ()
    if not any(map(_is_remade, actions)):
        of_column = [one for one in actions if isinstance(one, exp.AlterColumn | exp.Var)]
        return Remakes(_parts(tree.this), always=False) if of_column else None
    elements, texts, always = [], [], False
    for action in actions:
        if isinstance(action, exp.ColumnDef):
            elements.append(write_duckdb(action.copy()))
        elif isinstance(action, exp.AddConstraint) and _adds(action):
            elements += [write_duckdb(_unnamed(one).copy()) for one in action.expressions]
        elif isinstance(action, exp.AlterColumn) and LENGTH in action.meta:
            using = action.args.get("using")
            value = write_duckdb(using.copy()) if isinstance(using, exp.Expr) else ""
            texts.append((action.this.name, action.meta[LENGTH], value))
            always = always or action.meta[LENGTH] > 0
        else:
            raise SqlError("0A000", "these changes in one ALTER TABLE are not supported")
    return Remakes(_parts(tree.this), tuple(elements), tuple(texts), always or bool(elements))


def _parts(table: exp.Table) -> tuple[str, ...]:
    return tuple(part.name for part in table.parts)


def _is_remade(action: exp.Expr) -> bool:
    if isinstance(action, exp.ColumnDef):
        kinds = [one.args.get("kind") for one in action.args.get("constraints") or ()]
        return any(isinstance(kind, (*_NOT_ADDED, exp.Reference)) for kind in kinds)
    if isinstance(action, exp.AlterColumn):
        return LENGTH in action.meta
    return isinstance(action, exp.AddConstraint) and _adds(action)


def _adds(action: exp.AddConstraint) -> bool:
    return all(isinstance(_unnamed(one), _NOT_ADDED) for one in action.expressions)


def _unnamed(constraint: exp.Expr) -> exp.Expr:
    """DuckDB keeps no names of constraints."""
    if isinstance(constraint, exp.Constraint) and len(constraint.expressions) == 1:
        return constraint.expressions[0]
    return constraint


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
