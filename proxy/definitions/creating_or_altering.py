"""CREATE OR ALTER TABLE, carried out: the table is made, or altered into what the statement says.

Why it exists: only DuckDB's catalog knows what the table is, and only DuckDB what its new definition comes
to. So the definition becomes an empty temporary table first; where the two differ, the table that there is
gets ALTER TABLE statements, each as if the client had sent it. Rows stay, save those of dropped columns.

Promises: one transaction. What Snowflake's ALTER TABLE cannot do (another order of columns, another default)
is refused with 0A000 by its name, and nothing is changed by that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from proxy.definitions.edited_tables import EditedTable
from proxy.definitions.table_parts import Column, is_length, key_in
from proxy.engines.definition_names import TEMPORARY
from proxy.engines.duck.texts import CONSTRAINT, called_sequence, plain_name
from proxy.errors import SqlError
from proxy.session.portal import Outcome
from proxy.sql.compound import CreateOrAlter
from proxy.sql.quoting import literal, quoted

if TYPE_CHECKING:
    from proxy.engines.duck.names import Meant
    from proxy.engines.duck.session import DuckSession
    from proxy.scripting.blocks import Script
    from proxy.session.session import Session

_WANTED = "_hd_wanted"
_DONE = Outcome("CREATE TABLE")
_IDENTITY = "_identity"

Keys = dict[tuple[str, frozenset[str]], str]
"""Kind and columns of each key, and the name that it was given, or ''."""


async def run(session: Session, script: Script, action: CreateOrAlter) -> Outcome:
    """Raises SqlError 42809 for what is no table, 0A000 for what cannot be altered."""
    name = quoted(*action.name)
    async with session.compound.one_transaction():
        meant = await session.on_duck(session.duck.means, action.name)
        if meant is None or (action.temporary and meant.database != TEMPORARY):
            kind = "TEMPORARY TABLE" if action.temporary else "TABLE"
            await script.statement(f"CREATE {kind} {action.written}")
            return _DONE
        _check(action, meant)
        wanted = ", ".join([*(one.definition for one in action.columns), *action.keys])
        await script.statement(f"CREATE OR REPLACE TEMPORARY TABLE {_WANTED} ({wanted})")
        there, new = await session.on_duck(_read, session.duck, meant)
        await script.statement(f"DROP TABLE {_WANTED}")
        for change in _changes(action, there, new):
            await script.statement(f"ALTER TABLE {name} {change}")
        for column in new.columns:
            before = there.comment_of(column.name)
            if column.comment != before:
                changed = f"ALTER COLUMN {quoted(column.name)} COMMENT"
                said = literal(column.comment or "")
                await script.statement(f"ALTER TABLE {name} {changed} {said}")
        if action.comment != there.comment:
            await script.statement(f"COMMENT ON TABLE {name} IS {literal(action.comment or '')}")
        altered = await session.on_duck(_Read, session.duck, meant)
        for (kind, columns), called in new.keys.items():
            if (kind, columns) not in altered.keys:
                constraint = f"CONSTRAINT {quoted(called)} " if called else ""
                await script.statement(
                    f"ALTER TABLE {name} ADD {constraint}{kind} ({_listed(new, columns)})"
                )
    return _DONE


class _Read(EditedTable):
    """A table, for comparing."""

    def __init__(self, duck: DuckSession, meant: Meant) -> None:
        super().__init__(duck, meant)
        self.keys: Keys = {}
        self.checks: set[str] = set()
        for one in self.constraints:
            kind, called, columns = key_in(one)
            if kind != "CHECK":
                self.keys[kind, _folded(columns)] = called
            elif not any(is_length(one, column.name) for column in self.columns):
                self.checks.add(one.expression)
        for index in self.indexes:
            if index.comment == CONSTRAINT:
                names = [plain_name(one) for one in index.expressions]
                self.keys["UNIQUE", _folded(names)] = index.name

    def comment_of(self, name: str) -> str | None:
        found = (one for one in self.columns if one.name.lower() == name.lower())
        return next((one.comment for one in found), None)

    def type_of(self, column: Column) -> tuple[str, frozenset[str]]:
        """DuckDB's type, and what is checked of its length or digits."""
        lengths = (one for one in self.constraints if is_length(one, column.name))
        return column.kind, frozenset(one.expression for one in lengths)


def _read(duck: DuckSession, meant: Meant) -> tuple[_Read, _Read]:
    """Blocks. The table that there is, and the one that is wanted."""
    wanted = duck.means((TEMPORARY, _WANTED))
    assert wanted is not None
    return _Read(duck, meant), _Read(duck, wanted)


def _check(action: CreateOrAlter, meant: Meant) -> None:
    if meant.kind != "r":
        raise SqlError("42809", f'"{meant.name}" is not a table')
    if meant.database == TEMPORARY and not action.temporary:
        raise _unable("makes a temporary table a permanent one")
    if action.refers:
        raise _unable("has foreign keys, of a table that is there")


def _changes(action: CreateOrAlter, there: _Read, new: _Read) -> Iterator[str]:
    """What ALTER TABLE is to do. Raises SqlError 0A000 before the first for what it cannot."""
    wanted = {one.name.lower(): one for one in new.columns}
    before = {one.name.lower(): one for one in there.columns}
    kept = [name for name in before if name in wanted]
    if list(wanted)[: len(kept)] != kept:
        raise _unable("adds columns elsewhere than behind the others, or moves some")
    if any(kind == "FOREIGN KEY" for kind, _ in there.keys):
        raise _unable("takes foreign keys away")
    if there.checks != new.checks:
        raise _unable("changes checks")
    for name in kept:
        _check_column(before[name], wanted[name])
    said = {one.name.lower(): one for one in action.columns}
    for kind, columns in there.keys:
        if (kind, columns) not in new.keys:
            of = "" if kind == "PRIMARY KEY" else f" ({_listed(there, columns)})"
            yield f"DROP {kind}{of}"
    for name, column in before.items():
        if name not in wanted:
            yield f"DROP COLUMN {quoted(column.name)}"
    for name in kept:
        column, target = before[name], wanted[name]
        changed = f"ALTER COLUMN {quoted(column.name)}"
        if column.default is not None and target.default is None:
            yield f"{changed} DROP DEFAULT"
        if there.type_of(column) != new.type_of(target):
            yield f"{changed} SET DATA TYPE {said[name].type}"
        if column.not_null != target.not_null:
            yield f"{changed} {'SET' if target.not_null else 'DROP'} NOT NULL"
    for name in wanted:
        if name not in before:
            yield f"ADD COLUMN {said[name].definition}"


def _check_column(before: Column, target: Column) -> None:
    if before.generated != target.generated:
        raise _unable(f'changes what column "{before.name}" is computed from')
    if target.default is not None and not _same_default(before.default, target.default):
        raise _unable(f'gives column "{before.name}" another default')


def _same_default(before: str | None, wanted: str) -> bool:
    if before == wanted or before is None:
        return before == wanted
    old, new = called_sequence(before), called_sequence(wanted)
    if old is None or new is None:
        return False
    return old[-1].endswith(_IDENTITY) and new[-1].endswith(_IDENTITY)


def _listed(table: _Read, columns: frozenset[str]) -> str:
    return ", ".join(quoted(one.name) for one in table.columns if one.name.lower() in columns)


def _folded(names: list[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _unable(what: str) -> SqlError:
    hint = (
        "ALTER TABLE has forms of its own for some of it; CREATE OR REPLACE TABLE forgets the rows."
    )
    return SqlError("0A000", f"CREATE OR ALTER TABLE that {what} is not supported", hint=hint)
