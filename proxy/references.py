"""What a DELETE sets off in the tables that refer to its own: ON DELETE CASCADE and SET NULL.

Why it exists: DuckDB changes no other table, and looks for rows that refer to a deleted one in an index
that has them as they were when the transaction began. So what goes along is deleted, or set to NULL, here
before; and tables that refer, some of whose rows the transaction has changed, are made anew in it
(`proxy.rebuilding`), so that their index has the rows that there are. Both cost a table's size, and are
done only where DuckDB would refuse.

A table that refers to itself, and tables that refer to each other, are left to DuckDB, which refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from proxy.altered_tables import foreign_keys_to, put_aside, referring_tables
from proxy.engines.duck_names import DATABASE, Meant
from proxy.engines.freshness import Stamp
from proxy.errors import SqlError
from proxy.rebuilding import Table
from proxy.sql import inference
from proxy.sql.quoting import quoted
from proxy.sql.reading import write_duckdb
from proxy.transaction import Block

if TYPE_CHECKING:
    from proxy.engines.duck import DuckSession
    from proxy.session import Session
    from proxy.sql.statement import Statement

_Rows = Callable[[Sequence[str]], str]
"""A query of these columns of the rows that are to go."""

_CASCADE, _SET_NULL = "CASCADE", "SET NULL"


@dataclass(frozen=True, slots=True)
class _Reference:
    """A foreign key of another table. rule: what becomes of its rows."""

    of: Meant
    columns: list[str]
    theirs: list[str]
    rule: str


class References:
    """One session's part."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # What deletes from a table of this name sets off, as of when: None, nothing refers to it.
        self._known: tuple[Stamp, dict[tuple[str, ...], bool | None]] | None = None

    async def open_block(self, plan: Statement, block: Block) -> None:
        """Before a DELETE that is a transaction of its own: what it sets off is to be in the same."""
        session = self._session
        if not plan.deletes or session.transaction.block is not Block.NONE:
            return
        known = self._known
        if known is None or not (session.duck_in_step and session.duck.same_definitions(known[0])):
            known = None
        if known is None or plan.deletes not in known[1]:
            acts = await session.on_duck(self._look, session.duck, plan.deletes)
        else:
            acts = known[1][plan.deletes]
        if acts:
            session.transaction.open(block)

    def follow(self, plan: Statement, sql: str, values: Sequence[tuple[int, Any]] = ()) -> None:
        """Blocks. Does what a DELETE in a block sets off, just before it. sql: DuckDB's, as it will run."""
        session = self._session
        if session.transaction.block is Block.NONE:
            return
        if self._look(session.duck, plan.deletes) is None:
            return
        tree, meant = inference.read(sql), session.duck.means(plan.deletes)
        if isinstance(tree, exp.Delete) and meant is not None:
            _Following(session, values).before(meant, _rows_of(tree), frozenset())

    def _look(self, duck: DuckSession, name: tuple[str, ...]) -> bool | None:
        """Blocks. Whether a DELETE sets something off; None where nothing refers to the table."""
        if self._known is None or not duck.same_definitions(self._known[0]):
            self._known = duck.definitions(), {}
        known = self._known[1]
        if name not in known:
            meant = _table(duck, name)
            acts = meant is not None and any(one.rule for one in _references(duck, meant))
            known[name] = acts if meant is not None else None
        return known[name]


def _table(duck: DuckSession, name: tuple[str, ...]) -> Meant | None:
    """The table of that name, if others refer to it."""
    meant = duck.means(name) if name else None
    if meant is None or meant.kind != "r" or meant.database != DATABASE:
        return None
    return meant if duck.referring(meant.schema, meant.name) else None


def _references(duck: DuckSession, meant: Meant) -> list[_Reference]:
    found = []
    for of, _, key in foreign_keys_to(duck, meant):
        rule = dict(key.rules).get("delete", "")
        acts = rule if rule in (_CASCADE, _SET_NULL) else ""
        found.append(_Reference(of, key.columns, key.theirs, acts))
    return found


def _rows_of(tree: exp.Delete) -> _Rows:
    def rows(columns: Sequence[str]) -> str:
        table = tree.this.copy()
        its = exp.to_identifier(table.alias_or_name, quoted=True)
        query = exp.select(*(exp.column(quoted_name(one), table=its.copy()) for one in columns))
        query = query.from_(table, copy=False)
        for other in tree.args.get("using") or ():
            query = query.join(other.copy(), join_type="cross", copy=False)
        for key in ("where", "with_"):
            if tree.args.get(key) is not None:
                query.set(key, tree.args[key].copy())
        return write_duckdb(query)

    def quoted_name(name: str) -> exp.Identifier:
        return exp.to_identifier(name, quoted=True)

    return rows


class _Following:
    """values: of the parameters of the DELETE."""

    def __init__(self, session: Session, values: Sequence[tuple[int, Any]]) -> None:
        self._session, self._duck, self._values = session, session.duck, values

    def before(self, meant: Meant, rows: _Rows, above: frozenset[str]) -> None:
        """Blocks. What has to be done before these rows of the table can be deleted.

        above: the tables whose rows these go along with.
        """
        changed = False
        for one in _references(self._duck, meant):
            if one.of.name != meant.name and one.of.name not in above:
                changed |= self._go_along(one, rows, above | {meant.name})
        if changed:
            self._renew(meant)

    def _go_along(self, one: _Reference, rows: _Rows, above: frozenset[str]) -> bool:
        """Whether the index of the references may be behind."""
        table, columns = quoted(*one.of[:3]), [quoted(name) for name in one.columns]
        key = columns[0] if len(columns) == 1 else f"({', '.join(columns)})"
        where = f"WHERE {key} IN ({rows(one.theirs)})"
        count = 0
        if one.rule == _CASCADE:

            def theirs(wanted: Sequence[str]) -> str:
                return f"SELECT {', '.join(map(quoted, wanted))} FROM {table} {where}"

            self.before(one.of, theirs, above)
            count = self._run(f"DELETE FROM {table} {where}", self._values)
        elif one.rule == _SET_NULL:
            changes = ", ".join(f"{column} = NULL" for column in columns)
            count = self._run(f"UPDATE {table} SET {changes} {where}", self._values)
        return bool(count) or self._session.transaction.has_changed_rows(one.of.name)

    def _renew(self, meant: Meant) -> None:
        """Makes the tables that refer to it, and those that refer to them, again as they are."""
        try:
            tables = [Table(self._duck, one) for one in referring_tables(self._duck, meant)]
            aside, back = put_aside(tables)
        except SqlError:  # one that cannot be made again: DuckDB looks into the index that there is
            return
        for sql in (*aside, *back):
            self._run(sql)
        self._session.transaction.renewed(table.name for table in tables)

    def _run(self, sql: str, values: Sequence[tuple[int, Any]] = ()) -> int:
        statement = self._duck.prepare(sql)
        try:
            count = self._duck.start(statement, values).run_out()
        finally:
            statement.close()
        self._session.transaction.wrote(sql, values, count)
        return count
