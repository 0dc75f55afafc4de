"""ALTER TABLE, and DROP TABLE ... CASCADE, as the statements that do it in DuckDB.

Why it exists: DuckDB alters a table only where nothing depends on it. Where it can, its own statement
runs. A table that it cannot alter is made anew (`proxy.definitions.rebuilding`), and the tables that refer to one
that is altered or dropped step aside meanwhile: their rows wait in a table of their own, and they are
made again afterwards, with what they refer to as it is then.

Promises: all statements are for one transaction; rows, names, indexes and comments are what they were.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proxy.changes.levels import check_refers
from proxy.definitions.dependents import (
    View,
    check_free,
    check_type,
    described,
    drops_of,
    keys_depend,
    readers_of_moved,
    refusal,
    view_moved,
    view_with_column,
    views_over,
    views_with_column,
    views_without_columns,
)
from proxy.definitions.identity_edits import add_identity, check_kept, drop_identity
from proxy.definitions.rebuilding import Table
from proxy.definitions.table_parts import Constraint, indexes_of, references
from proxy.engines.duck.names import DATABASE, Meant
from proxy.engines.duck.texts import held_key
from proxy.engines.duck.wording_parts import pg_name
from proxy.errors import SqlError
from proxy.sql.definitions import edits
from proxy.sql.definitions.edits import Rebuilds
from proxy.sql.definitions.materialized import query_name
from proxy.sql.quoting import name_as_needed, quoted

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession


@dataclass(frozen=True, slots=True)
class Altering:
    """What alters a table in DuckDB. beside: (schema, name) of other tables that are made anew.

    gone: what is dropped beside it, each as in 'view v'. following: views that are to follow it.
    """

    statements: list[str]
    beside: tuple[tuple[str, str], ...] = ()
    gone: tuple[str, ...] = ()
    following: tuple[tuple[Meant, list[str]], ...] = ()

    def with_views(self, duck: DuckSession, views: Sequence[View]) -> Altering:
        """... after the views, each after what it reads, have been dropped. Blocks."""
        return Altering(
            [*(sql for one in reversed(views) for sql in drops_of(one.view)), *self.statements],
            (*self.beside, *((one.view.schema, one.view.name) for one in views)),
            (*self.gone, *(described(duck, one.view) for one in views)),
        )

    def with_query(self, meant: Meant, new: str) -> Altering:
        """... of a materialized view that gets a new name, and the view of its query with it."""
        old = query_name(meant.name)
        statement = f"ALTER VIEW {quoted(*meant[:2], old)} RENAME TO {quoted(query_name(new))}"
        names = ((meant.schema, old), (meant.schema, query_name(new)))
        return replace(
            self, statements=[*self.statements, statement], beside=(*self.beside, *names)
        )

    def followed(self, views: Sequence[tuple[Meant, list[str]]]) -> Altering:
        """... and the views that follow, each made anew by its statements."""
        statements = [*self.statements, *(sql for _, some in views for sql in some)]
        beside = (*self.beside, *((view.schema, view.name) for view, _ in views))
        return replace(self, statements=statements, beside=beside)


def rebuilt(duck: DuckSession, plan: Rebuilds, native: str) -> Altering | None:
    """Blocks. DuckDB's statements for the ALTER TABLE; None where its own, `native`, will do.

    Raises SqlError where the edits do not fit the table, or it cannot be made anew.
    """
    meant = duck.means(plan.table)
    renames = [edit for edit in plan.edits if isinstance(edit, edits.RenameColumn)]
    if meant is not None and meant.kind == "v" and plan.of_postgres and renames:
        (edit,) = renames
        return Altering([]).followed(view_with_column(duck, meant, edit.name, edit.new))
    moves = [edit for edit in plan.edits if isinstance(edit, edits.SetSchema)]
    if meant is not None and meant.kind == "v" and moves:
        return moved_view(duck, meant, moves[0].schema, meant.name, following=True)
    if plan.view and meant is not None:
        raise SqlError("42809", f'"{meant.name}" is not a view')
    if meant is None or meant.kind != "r":
        if plan.native:
            return None  # a view, or nothing: DuckDB says so
        if plan.exists:
            return Altering(["SELECT 1 LIMIT 0"])
        raise SqlError("42P01", f'relation "{plan.table[-1]}" does not exist')
    if plan.of_postgres:
        _check_columns(duck, meant, plan)
    views = _views_in_the_way(duck, meant, plan) if plan.of_postgres else []
    following = [
        one
        for edit in (renames if plan.of_postgres else ())
        for one in views_with_column(duck, meant, edit.name, edit.new)
    ]
    added = [edit.name for edit in plan.edits if isinstance(edit, edits.AddColumn)]
    staying = views_without_columns(duck, meant, added) if plan.of_postgres and added else []
    altering = _altered(duck, meant, plan, native)
    if staying:
        altering = replace(altering or Altering([native]), following=tuple(staying))
    if following:
        altering = (altering or Altering([native])).followed(following)
    if not views:
        return altering
    return (altering or Altering([native])).with_views(duck, views)


def _check_columns(duck: DuckSession, meant: Meant, plan: Rebuilds) -> None:
    """Raises SqlError for what an identity, or a key, does not let ALTER COLUMN do."""
    edited = [one for one in plan.edits if isinstance(one, _OF_COLUMNS)]
    if not edited:
        return
    table = Table(duck, meant)
    for edit in edited:
        if any(one.name.lower() == edit.name for one in table.columns):
            check_kept(table, edit, duck)
            if isinstance(edit, edits.SetNull):
                table.check_null(edit)


def _views_in_the_way(duck: DuckSession, meant: Meant, plan: Rebuilds) -> list[View]:
    """The views that go with columns; raises SqlError where they may not."""
    found: list[View] = []
    for edit in plan.edits:
        if isinstance(edit, edits.SetType):
            check_type(duck, meant, edit.name)
            _check_cast(duck, meant, edit)
        elif isinstance(edit, edits.DropColumn) and edit.cascades:
            found += [one for one in views_over(duck, meant, edit.name) if one not in found]
        elif isinstance(edit, edits.DropColumn):
            check_free(duck, meant, keys_to(duck, meant, edit.name), edit.name)
    return found


_FAMILIES = (
    ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT", "DOUBLE"),
    ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
    ("TIME", "TIME WITH TIME ZONE", "INTERVAL"),
    ("JSON", "JSONB"),
)
_FAMILY = {kind: family for family in _FAMILIES for kind in family}
_TIMES_OF_DAY = frozenset(("TIME", "TIME WITH TIME ZONE"))


def _check_cast(duck: DuckSession, meant: Meant, edit: edits.SetType) -> None:
    """Raises SqlError 42804 where Postgres has no cast that it would make unasked."""
    column = next(
        (one for one in Table(duck, meant).columns if one.name.lower() == edit.name), None
    )
    if edit.using or column is None:
        return
    [(whole,)] = duck.run(f"SELECT typeof(CAST(NULL AS {edit.kind}))")
    old, new = (kind.partition("(")[0] for kind in (column.kind, whole))
    akin = _FAMILY.get(old, old) == _FAMILY.get(new, new) or new == "VARCHAR"
    if akin or (old.startswith("TIMESTAMP") and new in _TIMES_OF_DAY):
        return
    if old.endswith("[]") or new.endswith("[]"):
        return
    kind = edit.kind if new == "ENUM" else pg_name(whole)
    raise SqlError(
        "42804",
        f'column "{edit.name}" cannot be cast automatically to type {kind}',
        hint=f'You might need to specify "USING {name_as_needed(edit.name)}::{kind}".',
    )


def _altered(duck: DuckSession, meant: Meant, plan: Rebuilds, native: str) -> Altering | None:
    written = plan.written and any(not isinstance(edit, _NAMING) for edit in plan.edits)
    if plan.native and not written and not indexes_of(duck, meant):
        if not any(isinstance(edit, _OF_DEPENDED_ON) for edit in plan.edits):
            return None
        if not _is_constrained(Table(duck, meant), plan.edits):
            renamed_columns = {
                edit.name.lower(): edit.new
                for edit in plan.edits
                if isinstance(edit, edits.RenameColumn)
            }
            around = _around(duck, meant, [native], meant.name, renamed_columns)
            return around if around.beside else None
    table = Table(duck, meant)
    going = _keys_that_go(duck, meant, table, plan)
    for edit in plan.edits:
        if isinstance(edit, edits.SetSchema):
            _check_schema(duck, meant, edit.schema)
        if type(edit) in _ASKING:
            _ASKING[type(edit)](table, edit, duck)
        else:
            _EDITORS[type(edit)](table, edit)
    for edit in plan.edits:
        if isinstance(edit, edits.AddConstraint) and edit.refers and not edit.recorded:
            _refer_to_itself(duck, meant, table, edit)
    table.anew = table.anew or written
    referring = referring_tables(duck, meant) if table.anew else []
    _check_no_circle(table, plan, referring)
    return made_anew(duck, meant, table, going)


def _refer_to_itself(
    duck: DuckSession, meant: Meant, table: Table, edit: edits.AddConstraint
) -> None:
    """Foreign keys to the table itself find a key there, and its rows one another.

    Raises SqlError 23503 where a row refers to none.
    """
    for one in (found for sql in edit.sql for found in references(sql)):
        if duck.means(one.table) != meant:
            continue
        table.constrain_unique(one.theirs)
        key = table.refer_to_itself(one.columns, one.theirs)
        if key is not None:
            name = edit.names[0] if edit.names else "_".join([table.name, *key.columns, "fkey"])
            check_refers(duck, meant, name, key)


def made_anew(
    duck: DuckSession, meant: Meant, table: Table, going: Sequence[tuple[str, Meant]] = ()
) -> Altering:
    """Blocks. What makes a table as `table` is by now. going: foreign keys that go, and whose they are."""
    if table.anew and referring_tables(duck, meant):
        made = table.statements(directly=True)
        around = _around(duck, meant, made, meant.name, table.columns_renamed, going)
        own = [f"constraint {name} on {described(duck, of)}" for name, of in going if of == meant]
        return replace(around, gone=(*own, *around.gone))
    own_gone = tuple(f"constraint {name} on {described(duck, meant)}" for name, _ in going)
    return Altering(table.statements() or ["SELECT 1 LIMIT 0"], gone=own_gone)


def _check_no_circle(table: Table, plan: Rebuilds, referring: Sequence[Meant]) -> None:
    """DuckDB makes a foreign key with its table alone, so that what it refers to has to be there first."""
    added = [edit for edit in plan.edits if isinstance(edit, edits.AddConstraint)]
    refers = {name.lower() for edit in added if not edit.recorded for name in edit.refers}
    for other in referring:
        if other.name.lower() in refers:
            message = (
                f'foreign keys of "{table.name}" and "{other.name}" to each other are not supported'
            )
            hint = "Leave one of them out, or keep its columns in a table of their own."
            raise SqlError("0A000", message, hint=hint)


def _keys_that_go(
    duck: DuckSession, meant: Meant, table: Table, plan: Rebuilds
) -> list[tuple[str, Meant]]:
    """The foreign keys that go with a key that they refer to: their names, and whose they are.

    Those of the table itself are gone from it afterwards. Raises SqlError 2BP01 without CASCADE.
    """
    found: list[tuple[str, Meant]] = []
    for edit in plan.edits if plan.of_postgres else ():
        if isinstance(edit, edits.DropColumn) and edit.cascades:
            found += keys_to(duck, meant, edit.name)
        if not isinstance(edit, edits.DropConstraint):
            continue
        columns = table.key_of(edit.name)
        if columns is None:
            continue
        own = table.own_keys_to(columns)
        keys = [*((one, meant) for one in own), *keys_to(duck, meant, columns=columns)]
        if not edit.cascades and keys:
            name, of = name_as_needed(edit.name), described(duck, meant)
            raise refusal(f"constraint {name} on {of}", keys_depend(duck, keys, f"index {name}"))
        table.without(own)
        found += keys
    return found


def _check_schema(duck: DuckSession, meant: Meant, schema: str) -> None:
    if schema == meant.schema:
        return
    if not duck.has("SCHEMA", (schema,)):
        raise SqlError("3F000", f'schema "{schema}" does not exist')
    if duck.means((meant.database, schema, meant.name)) is not None:
        message = f'relation "{meant.name}" already exists in schema "{schema}"'
        raise SqlError("42P07", message)


def moved_view(
    duck: DuckSession, view: Meant, schema: str, new: str, *, following: bool
) -> Altering:
    """Blocks. What takes a view to another schema. following: the views that read it follow."""
    if schema == view.schema:
        return Altering(["SELECT 1 LIMIT 0"])
    _check_schema(duck, view._replace(name=new), schema)
    readers = readers_of_moved(duck, view, schema) if following else []
    return replace(Altering(view_moved(duck, view, schema, new)), following=tuple(readers))


def renamed(
    duck: DuckSession, meant: Meant, new: str, native: str, schema: str = ""
) -> Altering | None:
    """Blocks. What renames a table; None where DuckDB's own statement, `native`, will do.

    One that refers to others is made anew: what it refers to knows it by its first name for ever.
    schema: into which it goes, if not its own.
    """
    made = [native]
    if schema and schema.lower() != meant.schema.lower():
        _check_schema(duck, meant._replace(name=new), schema)
        table = Table(duck, meant)
        table.set_schema(edits.SetSchema(schema))
        table.new = new
        return made_anew(duck, meant, table)
    told = duck.told(meant.schema, meant.name, meant.database)
    if indexes_of(duck, meant) or any(row[0] == "FOREIGN KEY" for row in told.constraints):
        there = duck.means((meant.database, meant.schema, new))
        if there is not None and new.lower() != meant.name.lower():
            raise SqlError("42P07", f'relation "{new}" already exists')
        table = Table(duck, meant)
        table.anew, table.new = True, new
        made = table.statements()
    around = _around(duck, meant, made, new, {})
    return None if around.statements == [native] else around


def dropped(duck: DuckSession, meant: Meant, drops: Altering) -> Altering:
    """Blocks. What drops a table and the keys that refer to it: DROP TABLE ... CASCADE."""
    around = _around(duck, meant, drops.statements, None, {})
    return replace(around, beside=(*around.beside, *drops.beside))


def keys_to(
    duck: DuckSession,
    meant: Meant,
    column: str | None = None,
    columns: frozenset[str] | None = None,
) -> list[tuple[str, Meant]]:
    """Blocks. The foreign keys of other tables that refer to one: their names, and whose they are.

    column: only those that refer to this one of its columns. columns: ... to just these, folded.
    """
    return [
        (table.name_of(one), other)
        for other, table, one in foreign_keys_to(duck, meant)
        if other.name != meant.name
        if column is None or column.lower() in (name.lower() for name in one.theirs)
        if columns is None or columns == frozenset(name.lower() for name in one.theirs)
    ]


def foreign_keys_to(duck: DuckSession, meant: Meant) -> Iterator[tuple[Meant, Table, Constraint]]:
    """Blocks. The foreign keys that refer to a table, its own too, and whose they are."""
    for name in duck.referring(meant.schema, meant.name) if meant.database == DATABASE else ():
        other = Meant(meant.database, meant.schema, name, "r")
        table = Table(duck, other)
        for one in table.constraints:
            if one.kind == "FOREIGN KEY" and one.other == meant.name:
                yield other, table, one


def put_aside(tables: Sequence[Table]) -> tuple[list[str], list[str]]:
    """What takes the tables away, and what brings them back; each comes after those that it refers to."""
    waiting = [(table, f"{table.name}_{secrets.token_hex(4)}") for table in tables]
    aside = [sql for table, where in reversed(waiting) for sql in table.put_aside(where)]
    return aside, [sql for table, where in waiting for sql in table.brought_back(where)]


def _around(
    duck: DuckSession,
    meant: Meant,
    statements: list[str],
    new: str | None,
    columns: dict[str, str],
    going: Sequence[tuple[str, Meant]] = (),
) -> Altering:
    """The statements, with the tables that refer to one aside meanwhile; themselves if there is none.

    new: its name afterwards, None where it is gone. columns: its columns that got other names.
    going: foreign keys that go for good, and whose they are.
    """
    leaving = {(of.name, name) for name, of in going}
    tables = [Table(duck, one) for one in referring_tables(duck, meant)]
    if not tables:
        return Altering(statements)
    gone = []
    for table in tables:
        for constraint in table.constraints:
            if constraint.kind == "FOREIGN KEY" and constraint.other == meant.name:
                name = table.name_of(constraint)
                goes = new is None or (table.name, name) in leaving
                if goes:
                    gone.append(f"constraint {name} on table {table.name}")
                constraint.other = "" if goes else new or ""
                constraint.theirs = [columns.get(one.lower(), one) for one in constraint.theirs]
        table.constraints = [c for c in table.constraints if c.kind != "FOREIGN KEY" or c.other]
    aside, back = put_aside(tables)
    beside = tuple((table.schema, table.name) for table in tables)
    return Altering([*aside, *statements, *back], beside, tuple(gone))


def referring_tables(duck: DuckSession, meant: Meant) -> list[Meant]:
    """Blocks. The tables that refer to one, and those that refer to them, each after what it refers to."""
    if meant.database != DATABASE:
        return []
    found: dict[str, Meant] = {}
    left = [meant.name]
    while left:
        name = left.pop(0)
        for table in duck.referring(meant.schema, name):
            if table != meant.name:
                found.pop(table, None)
                found[table] = Meant(meant.database, meant.schema, table, "r")
                left.append(table)
        if len(left) > 10_000:
            raise SqlError("0A000", "foreign keys that refer to each other are not supported")
    return list(found.values())


_OF_COLUMNS = (edits.SetType, edits.SetNull, edits.SetDefault)
_NAMING = (edits.RenameColumn, edits.SetDefault)
"""What DuckDB does to a table whatever its transaction has written there."""
_OF_CONSTRAINED = (edits.SetType, edits.DropColumn, edits.RenameColumn)
_OF_DEPENDED_ON = (
    *_OF_CONSTRAINED,
    edits.SetNull,
)  # DuckDB refuses them where another table refers


def alters_alone(
    duck: DuckSession, meant: Meant, table: Table, changes: tuple[edits.Edit, ...]
) -> bool:
    """Blocks. Whether DuckDB can alter a table itself, with nothing aside."""
    free = not table.indexes and not referring_tables(duck, meant)
    return free and not _is_constrained(table, changes)


def _is_constrained(table: Table, changes: tuple[edits.Edit, ...]) -> bool:
    """Whether DuckDB would refuse an edit over the column's constraints."""
    own = {name.lower() for key in table.own_keys() for name in key.theirs}
    for edit in changes:
        if isinstance(edit, _OF_CONSTRAINED):
            if edit.name.lower() in own:
                return True
            about = [one for one in table.constraints if table.is_about(one, edit.name)]
            renames = isinstance(edit, edits.RenameColumn)
            if any(
                not renames
                or one.name
                or one.kind == "FOREIGN KEY"
                or held_key(one.expression or "")
                for one in about
            ):
                return True
    return False


_EDITORS: dict[type, Any] = {
    edits.AddColumn: Table.add_column,
    edits.AddConstraint: Table.add_constraint,
    edits.AddUnique: Table.add_unique,
    edits.DropConstraint: Table.drop_constraint,
    edits.DropKey: Table.drop_key,
    edits.FindKey: Table.find_key,
    edits.DropColumn: Table.drop_column,
    edits.RenameColumn: Table.rename_column,
    edits.SetType: Table.set_type,
    edits.SetNull: Table.set_null,
    edits.SetDefault: Table.set_default,
    edits.RenameConstraint: Table.rename_constraint,
    edits.ValidateConstraint: Table.validate_constraint,
    edits.UseIndex: Table.use_index,
    edits.SetSchema: Table.set_schema,
}
_ASKING: dict[type, Any] = {edits.AddIdentity: add_identity, edits.DropIdentity: drop_identity}
"""What has to ask DuckDB about more than the table."""
