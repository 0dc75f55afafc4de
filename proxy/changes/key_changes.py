"""An UPDATE of what other rows refer to: ON UPDATE CASCADE, SET NULL, SET DEFAULT, and of any indexed column.

Why it exists: DuckDB changes a column that has an index by deleting the row and inserting it again, which it
refuses while another row refers to it; and it changes no other table. So the tables that refer, and those
that refer to them, are made anew without these keys before such an UPDATE and with them afterwards, when
what refers to the old values has been changed. That costs their size, and is done only where DuckDB would
refuse. A key that would be changed along and is referred to itself is refused (0A000).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from proxy.changes.levels import OwnKey, Ran, check_met, counted, run_out, violated
from proxy.definitions.altered_tables import foreign_keys_to, put_aside, referring_tables
from proxy.definitions.rebuilding import Table
from proxy.definitions.table_parts import reads
from proxy.engines.duck.names import Meant
from proxy.errors import SqlError
from proxy.session import savepoints
from proxy.session.savepoints import Write
from proxy.sql.changes.changed_rows import changed_by
from proxy.sql.changes.written_columns import EVERY, is_default
from proxy.sql.parameters import part_with
from proxy.sql.quoting import quoted
from proxy.sql.reading import write_duckdb

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session

_SETS = {"SET NULL": "NULL", "SET DEFAULT": "DEFAULT"}
_RESTRICT = "RESTRICT"
_ACTING = frozenset((*_SETS, "CASCADE", _RESTRICT))


def may_matter(duck: DuckSession, meant: Meant, columns: frozenset[str]) -> bool:
    """Blocks. Whether DuckDB may refuse to change these columns, folded, of a table that others refer to."""
    if EVERY in columns:
        return True
    table = Table(duck, meant)
    indexed = {
        name.lower()
        for one in table.constraints
        if one.kind in ("PRIMARY KEY", "UNIQUE", "FOREIGN KEY")
        for name in one.columns
    }
    return any(
        column.name.lower() in columns
        and (
            column.name.lower() in indexed
            or "[" in column.kind  # of what is no single value, too
            or column.kind.startswith(("STRUCT", "MAP"))
            or any(reads(index.expressions, column.name) for index in table.indexes)
        )
        for column in table.columns
    )


@dataclass(frozen=True, slots=True)
class _Key:
    """A foreign key that refers to the table. moved: the table of old and new values, '' for none."""

    of: Meant
    name: str
    key: OwnKey
    rule: str
    moved: str = ""


class KeyChanges:
    """What one UPDATE sets off. values: of its parameters."""

    def __init__(
        self, session: Session, meant: Meant, tree: exp.Update, values: Sequence[tuple[int, Any]]
    ) -> None:
        self._session, self._duck = session, session.duck
        self._meant, self._tree, self._values = meant, tree, values
        self._keys = [
            _Key(
                of,
                table.name_of(one),
                OwnKey(tuple(one.columns), tuple(one.theirs)),
                dict(one.rules).get("update", ""),
            )
            for of, table, one in foreign_keys_to(self._duck, meant)
        ]
        self._tables = [Table(self._duck, one) for one in referring_tables(self._duck, meant)]
        own = Table(self._duck, meant)
        if any(one.of.name == meant.name for one in self._keys):
            self._tables.insert(0, own)
        self._kinds = {column.name.lower(): column.kind for column in own.columns}
        self._ran: Ran = []

    def before(self) -> bool:
        """Blocks. What has to be done before; whether there is something to be done afterwards."""
        changed = self._session.transaction.has_changed_rows
        if not any(changed(one.of.name) or self._is_met(one) for one in self._keys):
            return False
        assigned = _assigned(self._tree)
        self._keys = [self._with_moved(one, assigned) for one in self._keys]
        group = {self._meant.name, *(table.name for table in self._tables)}
        self._make(
            [[one for one in table.constraints if one.other not in group] for table in self._tables]
        )
        for sql, count in self._ran:
            self._session.transaction.wrote(sql, (), count, settled=True)
        self._ran = []
        return True

    def after(self) -> tuple[Ran, frozenset[str]]:
        """Blocks. What refers to the old values is changed, and refers again; what was run for it, and the
        tables that were made."""
        for one in self._keys:
            if one.moved:
                self._follow(one)
        for one in self._keys:
            check_met(self._duck, self._meant, one.of, one.name, one.key)
        self._make([table.constraints for table in self._tables])
        for one in self._keys:
            if one.moved:
                self._run(f"DROP TABLE {one.moved}")
        return self._ran, frozenset(table.name for table in self._tables)

    # --- before -------------------------------------------------------------------------------

    def _is_met(self, one: _Key) -> bool:
        """Whether a row refers to one that is to be changed."""
        columns = ", ".join(map(quoted, one.key.columns))
        rows = self._rows([exp.column(_name(name), table=self._its) for name in one.key.theirs])
        query = f"SELECT count(*) FROM {quoted(*one.of[:3])} WHERE ({columns}) IN ({rows})"
        return counted(self._duck, query, self._values) > 0

    def _with_moved(self, one: _Key, assigned: dict[str, exp.Expr | None]) -> _Key:
        """With its old and new values kept, where it is one that follows them."""
        if one.rule not in _ACTING or not any(n.lower() in assigned for n in one.key.theirs):
            return one
        if one.rule != _RESTRICT:
            self._check_depth(one)
        outputs: list[exp.Expr] = []
        for number, name in enumerate(one.key.theirs):
            old = exp.column(_name(name), table=self._its)
            new = assigned.get(name.lower(), old)
            if new is None:
                raise _refused("such an UPDATE of a column that other tables refer to")
            new = exp.cast(new, self._kinds[name.lower()], dialect="duckdb")
            outputs += [
                exp.alias_(old.copy(), f"o{number}", quoted=True),
                exp.alias_(new, f"n{number}", quoted=True),
            ]
        rows = self._rows(outputs)
        try:
            savepoints.repeatable([Write(rows, (), 0)])
        except SqlError as error:
            raise _refused("an UPDATE of a referenced column to a volatile value") from error
        moved = quoted(*self._meant[:2], f"{self._meant.name}_{secrets.token_hex(4)}")
        made, values = part_with(f"CREATE TABLE {moved} AS {rows}", self._values)
        count = run_out(self._duck, made, values)
        self._session.transaction.wrote(made, values, count)
        return replace(one, moved=moved)

    def _check_depth(self, one: _Key) -> None:
        columns = {name.lower() for name in one.key.columns}
        for _, _, key in foreign_keys_to(self._duck, one.of):
            if columns & {name.lower() for name in key.theirs}:
                raise _refused("ON UPDATE of a column that is referred to itself")

    @property
    def _its(self) -> exp.Identifier:
        return _name(self._tree.this.alias_or_name)

    def _rows(self, outputs: Sequence[exp.Expr]) -> str:
        """A query of the rows that are to be changed."""
        return write_duckdb(changed_by(self._tree, outputs))

    # --- after --------------------------------------------------------------------------------

    def _follow(self, one: _Key) -> None:
        places = range(len(one.key.columns))
        values = [_SETS.get(one.rule, f'm."n{n}"') for n in places]
        sets = ", ".join(
            f"{quoted(name)} = {value}" for name, value in zip(one.key.columns, values, strict=True)
        )
        met = " AND ".join(f'o.{quoted(one.key.columns[n])} = m."o{n}"' for n in places)
        moves = " OR ".join(f'm."o{n}" IS DISTINCT FROM m."n{n}"' for n in places)
        table, where = quoted(*one.of[:3]), f"WHERE {met} AND ({moves})"
        if one.rule != _RESTRICT:
            self._run(f"UPDATE {table} AS o SET {sets} FROM {one.moved} AS m {where}")
            return
        listed = ", ".join(f'm."o{n}"::VARCHAR' for n in places)
        query = f"SELECT {listed} FROM {table} AS o, {one.moved} AS m {where} LIMIT 1"
        for values in self._duck.run(query):
            raise violated(self._meant, one.of, one.name, one.key, values, restricts=True)

    def _make(self, constraints: Sequence[list[Any]]) -> None:
        """Makes the tables again, each with its constraints."""
        made = [
            Table(self._duck, Meant(table.database, table.schema, table.name, "r"))
            for table in self._tables
        ]
        for table, some in zip(made, constraints, strict=True):
            table.constrain(list(some))
        aside, back = put_aside(made)
        for sql in (*aside, *back):
            self._run(sql)

    def _run(self, sql: str) -> None:
        self._ran.append((sql, run_out(self._duck, sql)))


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _assigned(tree: exp.Update) -> dict[str, exp.Expr | None]:
    """What each column, folded, is set to; None where that is in no expression of its own."""
    found: dict[str, exp.Expr | None] = {}
    for one in tree.expressions:
        if not isinstance(one, exp.EQ):
            continue
        if isinstance(one.this, exp.Tuple):
            items = one.expression.expressions if isinstance(one.expression, exp.Tuple) else ()
            for place, column in enumerate(one.this.expressions):
                found[column.name.lower()] = items[place] if place < len(items) else None
        else:
            found[one.this.name.lower()] = one.expression
    return {
        name: None if value is not None and is_default(value) else value
        for name, value in found.items()
    }


def _refused(what: str) -> SqlError:
    return SqlError("0A000", f"{what} is not supported on analytical tables")
