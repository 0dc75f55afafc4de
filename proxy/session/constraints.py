"""Which constraint an error of DuckDB's is about, in the fields that Postgres's errors have.

Why it exists: ORMs decide by the constraint's name, and by the table, schema and column beside it, what
to tell their user. DuckDB says only which value was wrong. The statement tells the table, DuckDB's
catalog its constraints; they are called what Postgres would call them, as in the mirror.

Promises: a name is given only where one constraint alone can be meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from proxy.definitions.table_parts import indexes_of
from proxy.engines.duck.c import DuckError
from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.names import DATABASE, Meant
from proxy.engines.duck.session import DuckSession
from proxy.engines.duck.texts import plain_name
from proxy.engines.freshness import Stamp
from proxy.errors import SqlError
from proxy.sql import inference
from proxy.sql.changes.written_columns import columns_set
from proxy.sql.definitions.constraint_names import given_names, given_rules
from proxy.sql.definitions.indexing import partial_index
from proxy.sql.postgres.references import ACTIONS

if TYPE_CHECKING:
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_WITHOUT_ROWS = frozenset(
    f"{verb} {kind}"
    for verb in ("CREATE", "DROP")
    for kind in ("TABLE", "VIEW", "SCHEMA", "SEQUENCE")
) | {"COMMENT"}
_LONGEST = 63
_CASE, _END = "CASE  WHEN ", " END"  # around what DuckDB says of such a key
_ENDINGS = {"PRIMARY KEY": "pkey", "UNIQUE": "key", "CHECK": "check", "FOREIGN KEY": "fkey"}

Name = tuple[str, ...]


@dataclass(slots=True)
class Constraint:
    """One constraint, or unique index, of a table. rules: as `NamedKey` has them."""

    kind: str
    columns: tuple[str, ...]
    name: str
    expression: str = ""
    other: str = ""  # the table that it references
    theirs: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Known:
    """What the catalog says. path: the schemas that a name without one is looked for in, in order."""

    path: tuple[tuple[str, str], ...] = ()
    tables: dict[tuple[str, str, str], list[Constraint]] = field(default_factory=dict)

    def find(self, name: Name) -> tuple[str, str, str] | None:
        """The table that a statement means."""
        *within, table = (part.casefold() for part in name)
        for database, schema, own in self.tables:
            if own.casefold() == table and within and schema.casefold() == within[-1]:
                return database, schema, own
        for database, schema in self.path if not within else ():
            for found in self.tables:
                if (found[0], found[1], found[2].casefold()) == (database, schema, table):
                    return found
        return None


def read(duck: DuckSession, tables: Iterable[Meant], *, referring: bool = False) -> Known:
    """Blocks. What is declared of `tables`, as this connection sees it.

    referring: and of those that refer to them, of which the catalog has to be read as a whole.
    """
    database, schemas = duck.run("SELECT current_database(), current_schemas(true)")[0]
    known = Known((("temp", "main"), *((database, schema) for schema in schemas)))
    wanted = list(tables)
    if referring:
        names = {(table.schema.lower(), table.name.lower()) for table in wanted}
        wanted += [
            meant
            for (schema, name), told in duck.all_told().items()
            if any((schema, (row[4] or "").lower()) in names for row in told.constraints)
            and (meant := duck.means((DATABASE, schema, name))) is not None
        ]
    for meant in wanted:
        database, schema, table, _ = meant
        there: list[Constraint] = []
        rows = duck.told(schema, table, database).constraints
        names, rules = given_names(rows), given_rules(rows)
        for place, (kind, _, columns, expression, other, theirs) in enumerate(rows):
            if (name := names.get(place)) == "":
                continue
            taken = [found.name for found in there]
            name = name or _name(table, kind, columns, expression, taken)
            of_key = (other or "", theirs, rules.get(place, ()))
            there.append(Constraint(kind, columns, name, expression or "", *of_key))
        for index in indexes_of(duck, meant):
            if index.unique:
                keys, _ = partial_index(index.expressions) or (index.expressions, "")
                computed = ", ".join(index.expressions) if index.computes else ""
                there.append(Constraint("UNIQUE", tuple(map(_written, keys)), index.name, computed))
        known.tables[database, schema, table] = there
    return known


def read_named(duck: DuckSession, name: Name, referring: bool) -> Known:
    """Blocks. As `read`, of the table that a name means."""
    inside = duck.in_block
    if not inside:
        duck.begin()
    try:
        meant = duck.means(name)
        return read(duck, [meant] if meant is not None else [], referring=referring)
    finally:
        if not inside:
            duck.rollback()


def _name(
    table: str, kind: str, columns: Sequence[str], expression: str | None, taken: Sequence[str]
) -> str:
    """What Postgres calls a constraint that was given no name (`ChooseConstraintName`)."""
    middle = [] if kind == "PRIMARY KEY" or (kind == "CHECK" and len(columns) > 1) else columns
    ending = _ENDINGS.get(kind, "key")
    number = 0
    while True:
        last = ending + (str(number) if number else "")
        name = _fitted(table, "_".join(middle), last)
        if name not in taken:
            return name
        number += 1


def _fitted(table: str, columns: str, ending: str) -> str:
    """At most 63 bytes: the longer of table and columns is cut (`makeObjectName`)."""
    first, second = table.encode(), columns.encode()
    room = _LONGEST - len(ending) - 1 - (1 if second else 0)
    while len(first) + len(second) > room:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    parts = [part.decode(errors="ignore") for part in (first, second) if part]
    return "_".join([*parts, ending])


def target(sql: str) -> Name | None:
    """The table that DuckDB's statement writes to."""
    tree = inference.read(sql)
    if not isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        return None
    table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    if not isinstance(table, exp.Table):
        return None
    return tuple(part.name for key in ("db", "this") if (part := table.args.get(key)))


class Constraints:
    """One session's errors about constraints."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._own: Known | None = None  # of what the open block has defined itself
        self._at: Stamp | None = None

    def look(self, duck: DuckSession, plan: Statement) -> None:
        """Blocks. Before a statement that writes: what nobody else could tell of after an error.

        Not before one that has no rows to check: a script of a thousand tables in one transaction
        would read all that it has made before each.
        """
        if plan.kind in _WITHOUT_ROWS:
            return
        if not duck.has_own_definitions:
            self._own = None
        elif self._own is None or self._at is None or not duck.same_definitions(self._at):
            self._own, self._at = None, duck.definitions()
            with suppress(DuckError):
                self._own = read(duck, duck.own_tables())

    async def explain(self, error: EngineError) -> None:
        """Adds to an error of class 23 what it is about."""
        name = error.table or await self._session.texts.of(error.sql, target)
        if name is None:
            return
        known = self._own
        if known is None or known.find(name) is None or error.is_referenced:
            with suppress(SqlError):
                aside = await self._read_aside(name, error.is_referenced)
                if known is not None:
                    aside.tables |= known.tables
                known = aside
        if known is not None and (table := known.find(name)) is not None:
            _complete(error, known, table)
        if error.sqlstate == "0A000" and self._session.references.sees_all:
            error.sqlstate, error.hint = "40001", "The transaction might succeed if retried."
            error.message = "could not serialize access due to concurrent update"

    async def _read_aside(self, name: Name, referring: bool) -> Known:
        """By another connection: the session's own may be in a transaction that has failed."""
        session = self._session
        if not session.transaction.duck_open:
            return await session.on_duck(read_named, session.duck, name, referring)
        aside = session.services.duck.session()
        try:
            path = session.settings.get("search_path")
            await aside.call(aside.apply, "search_path", path)
            return await aside.call(read_named, aside, name, referring)
        finally:
            await aside.call(aside.close)


def _complete(error: EngineError, known: Known, table: tuple[str, str, str]) -> None:
    _, schema, name = table
    shown = "public" if schema == "main" else schema
    error.objects = {"s": shown, "t": name} | dict(error.objects)
    tell = _TELLERS.get(error.sqlstate)
    if tell is not None:
        tell(error, known, table)


def _of_one(found: Iterable[Constraint]) -> Constraint | None:
    """The only one among them."""
    several = list(found)
    return several[0] if len(several) == 1 else None


def _values(key: str, columns: Sequence[str]) -> list[str] | None:
    """The values of a key as DuckDB writes it: `a: 1, b: 2`; None for other columns."""
    values = []
    rest = key
    for index, column in enumerate(columns):
        if not rest.startswith(f"{column}: "):
            return None
        rest = rest[len(column) + 2 :]
        if index + 1 == len(columns):
            values.append(rest)
            break
        value, comma, after = rest.partition(f", {columns[index + 1]}: ")
        if not comma:
            return None
        values.append(value)
        rest = f"{columns[index + 1]}: {after}"
    return values


def _of_some(key: str) -> dict[str, str] | None:
    """The values of a key of an index over some of the rows, `CASE WHEN ... END: 1, CASE ...`, by key."""
    values = {}
    for part in key.split(f", {_CASE}"):
        expression, end, value = part.removeprefix(_CASE).partition(f"{_END}: ")
        partial = partial_index([f"({_CASE}{expression}{_END})"]) if end else None
        if partial is None:
            return None
        values[partial[0][0]] = value
    return values


def _written(key: str) -> str:
    """A key of an index as errors tell it: a column's name without what quotes it, an expression without
    the parentheses in which DuckDB lists it."""
    if "(" not in key:
        return plain_name(key)
    return key[1:-1] if key.startswith("(") else key


def _key(columns: Sequence[str], values: Sequence[str]) -> str:
    return f"Key ({', '.join(columns)})=({', '.join(values)})"


def _taken(error: EngineError, known: Known, table: tuple[str, str, str]) -> None:
    unique = [one for one in known.tables[table] if one.kind in ("PRIMARY KEY", "UNIQUE")]
    named = [(one, values) for one in unique if (values := _values(error.key, one.columns))]
    found: tuple[Constraint, list[str]] | None = None
    if named:
        found = max(named, key=lambda one: len(one[0].columns))
    elif ": " not in error.key and (only := _of_one(o for o in unique if len(o.columns) == 1)):
        found = only, [error.key]
    elif (values := _of_some(error.key)) is not None:
        keys = tuple(map(_written, values))
        if (only := _of_one(one for one in unique if one.columns == keys)) is not None:
            found = only, list(values.values())
    if found is None and "(" in error.key:  # DuckDB says what it computes in words of its own
        only = _of_one(one for one in unique if one.expression)
        if only is not None:
            _tell_taken(error, only)
    if found is not None:
        constraint, values = found
        _tell_taken(error, constraint)
        error.detail = f"{_key(constraint.columns, values)} already exists."


def _tell_taken(error: EngineError, constraint: Constraint) -> None:
    error.objects = {**error.objects, "n": constraint.name}
    error.message = f'duplicate key value violates unique constraint "{constraint.name}"'


def _checked(error: EngineError, known: Known, table: tuple[str, str, str]) -> None:
    found = _of_one(
        one
        for one in known.tables[table]
        if one.kind == "CHECK" and one.expression and error.key == f"CHECK({one.expression})"
    )
    if found is not None:
        error.objects = {**error.objects, "n": found.name}
        error.message = (
            f'new row for relation "{table[2]}" violates check constraint "{found.name}"'
        )


def _foreign(error: EngineError, known: Known, table: tuple[str, str, str]) -> None:
    if error.is_referenced:
        _referenced(error, known, table)
        return
    keys = [one for one in known.tables[table] if one.kind == "FOREIGN KEY"]
    found = _of_one(one for one in keys if _values(error.key, one.theirs) is not None)
    if found is None and len(keys) == 1 and len(keys[0].theirs) == 1:
        (found,) = keys  # DuckDB's index says what a column was called when it was made
    if found is not None:
        values = _values(error.key, found.theirs) or [error.key.partition(": ")[2]]
        error.objects = {**error.objects, "n": found.name}
        error.message = (
            f'insert or update on table "{table[2]}" violates foreign key constraint "{found.name}"'
        )
        what = _key(found.columns, values)
        error.detail = f'{what} is not present in table "{found.other}".'


def _referenced(error: EngineError, known: Known, table: tuple[str, str, str]) -> None:
    """What is still referenced is a row of `table`; the constraint is another table's."""
    found = [
        (path, one, values)
        for path, constraints in known.tables.items()
        for one in constraints
        if one.kind == "FOREIGN KEY"
        and one.other.lower() == table[2].lower()
        and path[:2] == table[:2]
        if (values := _values(error.key, one.columns)) is not None
    ]
    if not found:
        return
    path, constraint, values = found[0]
    key = _key(constraint.columns, values)
    if (changed := _changed(error.sql)) is not None and not any(
        column.casefold() in changed for _, one, _ in found for column in one.theirs
    ):
        # DuckDB changes a column that has an index by deleting the row and inserting it again.
        error.sqlstate = "0A000"
        error.message = (
            f'changing an indexed column of a row of "{table[2]}" that another table refers to'
            " is not supported"
        )
        error.detail = f'{key} of table "{path[2]}" refers to the row.'
        error.hint = "Columns without a primary key, unique constraint or index can be changed."
        return
    event = "delete" if changed is None else "update"
    if isinstance(inference.read(error.sql), (exp.Delete, exp.Update)):  # what goes along is gone
        found = [o for o in found if dict(o[1].rules).get(event) not in ACTIONS] or found
    path, constraint, values = found[0]
    for path, one, values in found:
        if (action := dict(one.rules).get(event)) in ACTIONS:
            error.sqlstate, error.position = "0A000", None
            error.message = (
                f'ON {event.upper()} {action} of foreign key constraint "{one.name}" on table'
                f' "{path[2]}" is not supported'
            )
            error.detail = f'{_key(one.theirs, values)} is still referenced from table "{path[2]}".'
            error.hint = "Change the rows that refer to it first, in a transaction of their own."
            return
    if len(found) != 1:
        return
    error.objects = {**error.objects, "t": path[2], "n": constraint.name}
    error.message = (
        f'update or delete on table "{table[2]}" violates foreign key constraint'
        f' "{constraint.name}" on table "{path[2]}"'
    )
    error.detail = f'{_key(constraint.theirs, values)} is still referenced from table "{path[2]}".'


def _changed(sql: str) -> frozenset[str] | None:
    """The columns, folded, that DuckDB's UPDATE or ON CONFLICT DO UPDATE sets; None for what else."""
    tree = inference.read(sql)
    if isinstance(tree, exp.Insert):
        tree = tree.args.get("conflict")
    if not isinstance(tree, (exp.Update, exp.OnConflict)):
        return None
    return columns_set(tree)


_TELLERS: dict[str, Any] = {"23505": _taken, "23514": _checked, "23503": _foreign}
