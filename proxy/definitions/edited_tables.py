"""A table as DuckDB's catalog tells of it, and as the edits of an ALTER TABLE make it.

The edits are `proxy.sql.definitions.edits`. What DuckDB can do alone is left to it (`after`); what it cannot makes
the table another one (`anew`), which `rebuilding` then writes.

Promises: what cannot be carried over (a collation, a column that others are computed from) is refused with
0A000, what is not there with Postgres's own error, and nothing is changed by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxy.changes.levels import OwnKey
from proxy.definitions.table_parts import (
    Column,
    Constraint,
    Index,
    indexes_of,
    is_length,
    keep_key,
    key_in,
    reads,
    rename_in_key,
    renamed_in,
    unable,
)
from proxy.engines.definition_names import TEMPORARY
from proxy.engines.duck.texts import CONSTRAINT, called_sequence, held_key, plain_name
from proxy.errors import SqlError
from proxy.sql.definitions import edits
from proxy.sql.definitions.constraint_names import NamedKey, check_of, given_names, given_rules
from proxy.sql.definitions.default_literals import of_column
from proxy.sql.definitions.indexing import partial_index, with_renamed_column
from proxy.sql.quoting import literal, quoted

if TYPE_CHECKING:
    from proxy.engines.duck.engine import DuckSession
    from proxy.engines.duck.names import Meant

_COLUMNS = """
SELECT name, type, CASE WHEN dflt_value <> 'NULL' THEN dflt_value END, "notnull"
FROM pragma_table_info({name})
"""


def _column(row: tuple[Any, ...], comment: str | None, computed: bool) -> Column:
    name, kind, default, not_null = row
    if computed:
        return Column(name, kind, None, False, comment, generated=default)
    return Column(name, kind, default, not_null, comment)


class EditedTable:
    """A table as it is, and as the edits make it."""

    def __init__(self, duck: DuckSession, meant: Meant) -> None:
        self.database, self.schema, self.name, _ = meant
        self.temporary = self.database == TEMPORARY
        told = duck.told(self.schema, self.name, self.database)
        self.comment, self.peculiar = told.comment, told.peculiar
        place = literal(quoted(self.database, self.schema, self.name))
        self.columns = [
            _column(row, told.comments.get(row[0].lower()), row[0].lower() in told.generated)
            for row in duck.run(_COLUMNS.format(name=place))
        ]
        self.old = [column.name for column in self.columns]
        names, rules = given_names(told.constraints), given_rules(told.constraints)
        self.constraints = [
            Constraint(
                kind,
                sql,
                list(columns),
                expression or "",
                names.get(place, ""),
                list(columns),
                (other or "") if self.temporary else duck.stored(self.schema, other or ""),
                list(theirs),
                rules.get(place, ()),
                "" if self.temporary else self.schema,
            )
            for place, (kind, sql, columns, expression, other, theirs) in enumerate(
                told.constraints
            )
            if names.get(place) != ""
        ]
        self._duck, self._old_keys = duck, self.own_keys()  # by the names that columns have now
        self._new_keys: list[OwnKey] = []
        self.indexes = indexes_of(duck, meant)
        self.old_indexes = {index.name: index.comment for index in self.indexes}
        self.added: set[str] = set()  # names of constraints
        self.counters: list[str] = []  # what creates the sequences of new columns
        self.after: list[str] = []
        self.columns_renamed: dict[str, str] = {}
        self.anew = False  # its definition changed
        self.new = self.name
        self.new_schema = self.schema

    @property
    def target(self) -> str:
        return quoted(self.database, self.new_schema, self.new)

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name.lower() == name.lower():
                return column
        raise SqlError("42703", f'column "{name}" of relation "{self.name}" does not exist')

    def _has(self, name: str) -> bool:
        return any(column.name.lower() == name.lower() for column in self.columns)

    # --- edits ----------------------------------------------------------------------------------

    def add_column(self, edit: edits.AddColumn) -> None:
        if self._has(edit.name):
            if edit.exists:
                return
            message = f'column "{edit.name}" of relation "{self.name}" already exists'
            raise SqlError("42701", message)
        self._check_free(edit.names)
        self.anew = True
        value = edit.value
        if edit.counter:
            create, default = edit.counter
            value = default.partition(" SET DEFAULT ")[2]
            self.counters.append(create)
            self.after.append(default)
        self.after += edit.more
        self.columns.append(Column(edit.name, "", None, False, None, value, edit.sql))

    def add_constraint(self, edit: edits.AddConstraint) -> None:
        kinds = (key_in(one)[0] for one in self.constraints)
        if edit.primary and any(kind == "PRIMARY KEY" for kind in kinds):
            message = f'multiple primary keys for table "{self.name}" are not allowed'
            raise SqlError("42P16", message)
        self._check_free(edit.names)
        self.anew = True
        self.constraints += [Constraint("", sql) for sql in edit.sql]

    def add_unique(self, edit: edits.AddUnique) -> None:
        columns = [self.column(name).name for name in edit.columns]
        name = edit.name or "_".join([self.name, *columns, "key"])
        if edit.name and self._constraint(edit.name) is not None:
            raise self._taken(edit.name)
        if any(index.name.lower() == name.lower() for index in self.indexes):
            raise SqlError("42P07", f'relation "{name}" already exists')
        self.indexes.append(Index(name, True, [quoted(one) for one in columns], CONSTRAINT))

    def constrain_unique(self, wanted: Sequence[str]) -> bool:
        """Makes a constraint of the unique index over just these columns.

        False where there is no such index, or a key of them already.
        """
        columns = frozenset(name.lower() for name in wanted)
        if any(
            columns == frozenset(name.lower() for name in one.columns)
            for one in self.constraints
            if one.kind in ("PRIMARY KEY", "UNIQUE")
        ):
            return False
        for index in self.indexes:
            names = [] if index.computes else [plain_name(one) for one in index.expressions]
            if index.unique and columns == frozenset(name.lower() for name in names):
                self.indexes.remove(index)
                self.constraints.append(
                    Constraint("UNIQUE", "", names, name=index.name, named=names)
                )
                self.anew = True
                return True
        return False

    def _check_free(self, names: tuple[str, ...]) -> None:
        for name in names:
            indexes = (one.name.lower() for one in self.indexes if one.comment == CONSTRAINT)
            if name in self.added or name in indexes or self._constraint(name) is not None:
                raise self._taken(name)
            self.added.add(name)

    def _taken(self, name: str) -> SqlError:
        message = f'constraint "{name}" for relation "{self.name}" already exists'
        return SqlError("42710", message)

    def drop_constraint(self, edit: edits.DropConstraint) -> None:
        for index in self.indexes:
            if index.name.lower() == edit.name.lower() and index.comment == CONSTRAINT:
                self.indexes.remove(index)
                return
        found = self._constraint(edit.name)
        if found is not None:
            self.anew = True
            self.constraints.remove(found)
        elif not edit.exists:
            raise self._no_constraint(edit.name)

    def drop_key(self, edit: edits.DropKey) -> None:
        """Keys of the same columns go together."""
        for found in self._keys(edit):
            if isinstance(found, Index):
                self.indexes.remove(found)
            else:
                self.anew = True
                self.constraints.remove(found)

    def find_key(self, edit: edits.FindKey) -> None:
        self._keys(edit)

    def _keys(self, edit: edits.DropKey | edits.FindKey) -> list[Constraint | Index]:
        """The keys that a kind and columns mean; raises SqlError 42704 where there is none."""
        wanted = {self.column(name).name.lower() for name in edit.columns}
        found: list[Constraint | Index] = [
            one
            for one in self.constraints
            if (key := key_in(one))[0] == edit.kind
            and (not wanted or wanted == {column.lower() for column in key[2]})
        ]
        if edit.kind == "UNIQUE":
            found += [
                index
                for index in self.indexes
                if index.comment == CONSTRAINT
                and wanted == {plain_name(one).lower() for one in index.expressions}
            ]
        if not found:
            columns = f" ({', '.join(edit.columns)})" if edit.columns else ""
            message = f'{edit.kind}{columns} of relation "{self.name}" does not exist'
            raise SqlError("42704", message)
        return found

    def key_of(self, name: str) -> frozenset[str] | None:
        """The columns of the primary key or unique constraint of that name, folded."""
        found = self._constraint(name)
        if found is None or found.kind not in ("PRIMARY KEY", "UNIQUE"):
            return None
        return frozenset(column.lower() for column in found.columns)

    def constrain(self, constraints: list[Constraint]) -> None:
        """Gives it these constraints, over the columns that it has."""
        self.constraints = constraints
        self._old_keys = self.own_keys()

    def own_keys(self) -> list[OwnKey]:
        """The foreign keys by which the table refers to itself."""
        return [
            OwnKey(tuple(one.columns), tuple(one.theirs))
            for one in self.constraints
            if one.kind == "FOREIGN KEY" and one.other == self.name
        ]

    def refer_to_itself(self, columns: Sequence[str], theirs: Sequence[str]) -> OwnKey | None:
        """A foreign key to itself is added: its rows are to come in an order in which DuckDB takes them.

        None where its columns are new, so that no row refers to another.
        """
        if not theirs:
            keys = (one for one in self.constraints if one.kind == "PRIMARY KEY")
            theirs = next((one.columns for one in keys), ())
        old = {name.lower() for name in self.old}
        if len(columns) != len(theirs) or not old.issuperset(map(str.lower, columns)):
            return None
        key = OwnKey(tuple(columns), tuple(theirs))
        self._new_keys.append(key)
        return key

    def own_keys_to(self, columns: frozenset[str]) -> list[str]:
        """The foreign keys by which the table refers to these columns of itself, by name."""
        return [
            self.name_of(one)
            for one in self.constraints
            if one.kind == "FOREIGN KEY" and one.other == self.name
            if columns == frozenset(name.lower() for name in one.theirs)
        ]

    def without(self, keys: list[str]) -> None:
        """Takes foreign keys out of its definition."""
        self.constraints = [
            one
            for one in self.constraints
            if one.kind != "FOREIGN KEY" or self.name_of(one) not in keys
        ]

    def _no_constraint(self, name: str) -> SqlError:
        message = f'constraint "{name}" of relation "{self.name}" does not exist'
        return SqlError("42704", message)

    def _constraint(self, wanted: str) -> Constraint | None:
        taken: set[str] = set()
        for constraint in self.constraints:
            if not constraint.kind:
                continue  # it is only being added
            name = self.name_of(constraint)
            stem, number = name, 0
            while name in taken:
                number += 1
                name = f"{stem}{number}"
            taken.add(name)
            if name.lower() == wanted.lower():
                return constraint
        return None

    def _keep_names(self, column: str) -> None:
        """Foreign keys of a column keep the names that they were given by nobody."""
        taken: set[str] = set()
        for constraint in self.constraints:
            if not constraint.kind:
                continue
            stem = name = self.name_of(constraint)
            number = 0
            while name in taken:
                number += 1
                name = f"{stem}{number}"
            taken.add(name)
            if constraint.kind == "FOREIGN KEY" and column in constraint.columns:
                constraint.name = name

    def rename_constraint(self, edit: edits.RenameConstraint) -> None:
        taken = self._constraint(edit.new) is not None
        if taken or any(index.name.lower() == edit.new.lower() for index in self.indexes):
            raise self._taken(edit.new)
        for index in self.indexes:
            if index.name.lower() == edit.name.lower() and index.comment == CONSTRAINT:
                self.indexes.remove(index)
                self.indexes.append(replace(index, name=edit.new))
                return
        found = self._constraint(edit.name)
        if found is None:
            message = f'constraint "{edit.name}" for table "{self.name}" does not exist'
            raise SqlError("42704", message)
        self.anew = True
        found.name = edit.new
        key = held_key(found.expression) if found.kind == "CHECK" else None
        if key is not None:
            key["name"], found.name = edit.new, ""
            keep_key(found, key)

    def validate_constraint(self, edit: edits.ValidateConstraint) -> None:
        unique = any(
            index.name.lower() == edit.name.lower() and index.comment == CONSTRAINT
            for index in self.indexes
        )
        if not unique and self._constraint(edit.name) is None:
            raise self._no_constraint(edit.name)

    def set_schema(self, edit: edits.SetSchema) -> None:
        if any("nextval(" in (column.default or "") for column in self.columns):
            raise unable("moving a table with numbered columns to another schema")
        if edit.schema != self.schema:
            self.anew, self.new_schema = True, edit.schema

    def use_index(self, edit: edits.UseIndex) -> None:
        found = [one for one in self.indexes if one.name.lower() == edit.index.lower()]
        if not found:
            raise SqlError("42704", f'index "{edit.index}" does not exist')
        (index,) = found
        if not index.unique:
            message = f'"{index.name}" is not a unique index'
            raise SqlError(
                "42809",
                message,
                detail="Cannot create a primary key or unique constraint using such an index.",
            )
        if index.computes:
            what = (
                "is a partial index" if partial_index(index.expressions) else "contains expressions"
            )
            raise SqlError(
                "42809",
                f'index "{index.name}" {what}',
                detail="Cannot create a primary key or unique constraint using such an index.",
            )
        columns = [plain_name(one) for one in index.expressions]
        self.indexes.remove(index)
        name = edit.name or index.name
        if not edit.primary:
            self.indexes.append(replace(index, name=name, comment=CONSTRAINT))
            return
        listed = ", ".join(map(quoted, columns))
        self.add_constraint(edits.AddConstraint((f"PRIMARY KEY ({listed})",), True))
        self.constraints.append(
            Constraint("", check_of(NamedKey(name, "PRIMARY KEY", tuple(columns))))
        )

    def name_of(self, constraint: Constraint) -> str:
        """What the mirror's Postgres calls a constraint, which has no name in DuckDB."""
        if constraint.name:
            return constraint.name
        kind, name, columns = key_in(constraint)
        if name:
            return name
        ending = {"PRIMARY KEY": "pkey", "UNIQUE": "key", "FOREIGN KEY": "fkey", "CHECK": "check"}
        if kind == "PRIMARY KEY" or (kind == "CHECK" and len(columns) != 1):
            columns = []
        return "_".join([self.name, *columns, ending[kind]])

    def drop_column(self, edit: edits.DropColumn) -> None:
        if edit.exists and not self._has(edit.name):
            return
        column = self.column(edit.name)
        for other in self._computed_from(column):
            raise SqlError(
                "2BP01",
                f"cannot drop column {column.name} of table {self.name} because other objects depend on it",
                detail=f"column {other.name} of table {self.name} depends on column {column.name}",
                hint="Drop that column first.",
            )
        self.anew = True
        self.columns.remove(column)
        self.constraints = [one for one in self.constraints if not self.is_about(one, column.name)]
        self.indexes = [one for one in self.indexes if not reads(one.expressions, column.name)]

    def _computed_from(self, column: Column) -> list[Column]:
        """The generated columns that read it."""
        others = (one for one in self.columns if one is not column and one.generated)
        return [one for one in others if reads([one.generated], column.name)]

    def is_about(self, constraint: Constraint, column: str) -> bool:
        return column.lower() in (name.lower() for name in key_in(constraint)[2])

    def rename_column(self, edit: edits.RenameColumn) -> None:
        old = self.column(edit.name).name
        if self._has(edit.new) and edit.new.lower() != old.lower():
            message = f'column "{edit.new}" of relation "{self.name}" already exists'
            raise SqlError("42701", message)
        self._keep_names(old)
        for constraint in self.constraints:
            constraint.named = [edit.new if one == old else one for one in constraint.named]
            rename_in_key(constraint, old, edit.new)
        self.anew = True
        self.columns_renamed[old.lower()] = edit.new
        for index in self.indexes:
            index.expressions = [renamed_in(one, old, edit.new) for one in index.expressions]
            index.comment = with_renamed_column(
                index.comment, old, edit.new, lambda one: renamed_in(one, old, edit.new)
            )
        own = [name for one in self.own_keys() for name in one.theirs]
        if old in own or any(
            one.kind == "FOREIGN KEY" and old in one.columns for one in self.constraints
        ):
            column = self.column(old)
            if column.sql:
                raise unable("renaming a column that the same statement adds")
            for other in self._computed_from(column):
                other.generated = renamed_in(other.generated, old, edit.new)
            column.name, column.value = edit.new, column.value or quoted(old)
            for constraint in self.constraints:
                constraint.rename(old, edit.new)
                if constraint.other == self.name:
                    theirs = constraint.theirs
                    constraint.theirs = [edit.new if one == old else one for one in theirs]
            return
        # DuckDB renames what the other constraints say, before there are indexes.
        names = f"{quoted(old)} TO {quoted(edit.new)}"
        self.after.append(f"ALTER TABLE {self.target} RENAME COLUMN {names}")

    def set_type(self, edit: edits.SetType) -> None:
        column = self.column(edit.name)
        if column.sql:
            raise unable("changing the type of a column that the same statement adds")
        for other in self._computed_from(column):
            raise SqlError(
                "0A000",
                "cannot alter type of a column used by a generated column",
                detail=f'Column "{column.name}" is used by generated column "{other.name}".',
            )
        self.anew = True
        column.kind, column.value = edit.kind, edit.value
        if column.default is not None and called_sequence(column.default) is None:
            column.default = f"CAST({column.default} AS {edit.kind})"
        self.constraints = [one for one in self.constraints if not is_length(one, column.name)]
        self.constraints += [Constraint("", check) for check in edit.checks]

    def check_null(self, edit: edits.SetNull) -> None:
        """Raises SqlError 42P16 where a column of the primary key would take NULL."""
        column = self.column(edit.name)
        key = [one for one in self.constraints if one.kind == "PRIMARY KEY"]
        if edit.nullable and any(self.is_about(one, column.name) for one in key):
            raise SqlError("42P16", f'column "{column.name}" is in a primary key')

    def set_null(self, edit: edits.SetNull) -> None:
        self.check_null(edit)
        column = self.column(edit.name)
        if column.sql:
            raise unable("changing a column that the same statement adds")
        self.anew = True
        column.not_null = not edit.nullable

    def set_default(self, edit: edits.SetDefault) -> None:
        column = self.column(edit.name)
        sql = edit.sql
        if edit.text is not None:
            sql = of_column(edit.text, column.kind) or sql
        value = "DROP DEFAULT" if sql is None else f"SET DEFAULT {sql}"
        self.after.append(f"ALTER TABLE {self.target} ALTER COLUMN {quoted(column.name)} {value}")
