"""What a DELETE sets off in the tables that refer to its own: ON DELETE CASCADE, SET NULL and SET DEFAULT.

Why it exists: DuckDB changes no other table, and looks for rows that refer to a deleted one in an index
that has them as they were when the transaction began. So what goes along is deleted, or set, here
before; and tables that refer, some of whose rows the transaction has changed, are made anew in it
(`proxy.definitions.rebuilding`), so that their index has the rows that there are. Both cost a table's size, and are
done only where DuckDB would refuse.

A table that refers to itself is made anew without that key before rows of it are deleted that others
refer to, and with it afterwards (`finish`), which finds what refers to rows that are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from proxy.changes.key_changes import KeyChanges, may_matter
from proxy.changes.levels import OwnKey, Ran, check_met, counted, run_out
from proxy.definitions.altered_tables import foreign_keys_to, put_aside, referring_tables
from proxy.definitions.rebuilding import Table
from proxy.definitions.table_parts import Constraint
from proxy.engines.duck.names import DATABASE, Meant
from proxy.engines.freshness import Stamp
from proxy.errors import SqlError
from proxy.session import savepoints
from proxy.session.savepoints import Write
from proxy.session.transaction import Block
from proxy.sql import inference
from proxy.sql.changes.changed_rows import changed_by
from proxy.sql.changes.conflicting import conflicting
from proxy.sql.quoting import quoted
from proxy.sql.reading import write_duckdb

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_Rows = Callable[[Sequence[str]], str]
"""A query of these columns of the rows that are to go."""

_CASCADE = "CASCADE"
_SETS = {"SET NULL": "NULL", "SET DEFAULT": "DEFAULT"}


@dataclass(frozen=True, slots=True)
class _Reference:
    """A foreign key. rule: what becomes of the rows that refer."""

    of: Meant
    name: str
    columns: list[str]
    theirs: list[str]
    rule: str


class References:
    """One session's part."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # What deletes from a table of this name sets off, as of when: None, nothing refers to it.
        self._known: tuple[Stamp, dict[tuple[str, ...], bool | None]] | None = None
        self._following: _Following | KeyChanges | None = None
        self._matter: dict[
            tuple[tuple[str, ...], frozenset[str]], bool
        ] = {}  # of columns to change
        self._late: Ran = []  # what was run after a DELETE that has not been noted yet
        self._made: frozenset[str] = frozenset()  # the tables that it has made again
        self.sees_all = False
        """Whether what refers to the rows of the last statement, as its snapshot has them, was seen to:
        what DuckDB finds then is another transaction's."""

    async def open_block(self, plan: Statement, block: Block) -> None:
        """Before a statement that is a transaction of its own: what it sets off is to be in the same."""
        session = self._session
        if session.transaction.block is not Block.NONE:
            return
        for name in _replaced(plan):
            if await session.on_duck(_has_keys, session.duck, name):
                session.transaction.open(block)
        if plan.updates and await self._may_change_key(plan):
            session.transaction.open(block)
        if not plan.deletes:
            return
        if self._holds and self._known is not None and plan.deletes in self._known[1]:
            acts = self._known[1][plan.deletes]
        else:
            acts = await session.on_duck(self._look, session.duck, plan.deletes)
        if acts:
            session.transaction.open(block)

    async def _may_change_key(self, plan: Statement) -> bool:
        """Whether an UPDATE may set something off, or DuckDB may refuse it."""
        found = self._matter.get((plan.updates, plan.changes)) if self._holds else None
        if found is not None:
            return found
        return await self._session.on_duck(self._look_at_columns, self._session.duck, plan)

    @property
    def _holds(self) -> bool:
        """On the loop: whether what is known still is so."""
        session, known = self._session, self._known
        in_step = known is not None and session.duck_in_step
        return known is not None and in_step and session.duck.same_definitions(known[0])

    def _look_at_columns(self, duck: DuckSession, plan: Statement) -> bool:
        """Blocks."""
        self._look(duck, plan.updates)
        key = plan.updates, plan.changes
        if (found := self._matter.get(key)) is None:
            meant = _table(duck, plan.updates)
            found = self._matter[key] = meant is not None and may_matter(duck, meant, plan.changes)
        return found

    def change(self, plan: Statement, sql: str, values: Sequence[tuple[int, Any]] = ()) -> None:
        """Blocks. As `follow`, before an UPDATE, or an INSERT that may become one."""
        session, self.sees_all = self._session, False
        self._following, self._late = None, []  # of a statement that has failed
        if session.transaction.block is Block.NONE:
            return
        if not self._look_at_columns(session.duck, plan):
            return
        tree, meant = inference.read(sql), session.duck.means(plan.updates)
        if not isinstance(tree, exp.Update):
            tree = _known_conflicts(session.duck, plan, tree)
        if isinstance(tree, exp.Update) and meant is not None:
            changes = KeyChanges(session, meant, tree, values)
            self._following = changes if changes.before() else None
            self.sees_all = True

    def follow(self, plan: Statement, sql: str, values: Sequence[tuple[int, Any]] = ()) -> None:
        """Blocks. Does what a DELETE in a block sets off, just before it. sql: DuckDB's, as it will run."""
        session, self.sees_all = self._session, False
        self._following, self._late = None, []  # of a statement that has failed
        if session.transaction.block is Block.NONE:
            return
        if self._look(session.duck, plan.deletes) is None:
            return
        tree, meant = inference.read(sql), session.duck.means(plan.deletes)
        if isinstance(tree, exp.Delete) and meant is not None:
            following = _Following(session, values)
            rows = _rows_of(tree)
            counted = _counted(tree) if tree.find(exp.Query) or tree.args.get("using") else ""
            count = following.count(counted)
            following.before(meant, rows, frozenset())
            if following.count(counted) != count:
                raise SqlError(
                    "0A000",
                    "a DELETE whose condition reads what goes along with its rows is not supported",
                    hint="Name the rows by their own columns.",
                )
            self._following, self.sees_all = following, following.sees_all

    def finish(self) -> None:
        """Blocks. Does what comes after a DELETE that was followed."""
        following, self._following = self._following, None
        if following is not None:
            self._late, self._made = following.after()

    def wrote(self) -> None:
        """The DELETE has been noted: what `finish` ran comes after it."""
        late, self._late = self._late, []
        for sql, count in late:
            self._session.transaction.wrote(sql, (), count, settled=True)
        if late:
            self._session.transaction.renewed(self._made)

    def _look(self, duck: DuckSession, name: tuple[str, ...]) -> bool | None:
        """Blocks. Whether a DELETE sets something off; None where nothing refers to the table."""
        if self._known is None or not duck.same_definitions(self._known[0]):
            self._known = duck.definitions(), {}
            self._matter.clear()
        known = self._known[1]
        if name not in known:
            meant = _table(duck, name)
            acts = meant is not None and any(
                one.rule or one.of.name == meant.name for one in _references(duck, meant)
            )
            known[name] = acts if meant is not None else None
        return known[name]


def _replaced(plan: Statement) -> list[tuple[str, ...]]:
    """The table that CREATE OR REPLACE may take the place of."""
    if plan.kind not in ("CREATE TABLE", "CREATE TABLE AS"):
        return []
    named = [(one.schema, one.name) for one in plan.touched if one.views]
    return [tuple(part for part in name if part) for name in named]


def _has_keys(duck: DuckSession, name: tuple[str, ...]) -> bool:
    """Blocks. Whether it is a table that refers to others: these have to forget it before it is replaced."""
    meant = duck.means(name)
    if meant is None or meant.kind != "r":
        return False
    return duck.told(meant.schema, meant.name, meant.database).refers


def _known_conflicts(
    duck: DuckSession, plan: Statement, tree: exp.Expr | None
) -> exp.Update | None:
    """Blocks. What an upsert does to rows that are there; None where that cannot be asked before."""
    found = conflicting(tree, list(duck.columns_of_table(plan.updates) or ()))
    if found is not None:
        try:
            savepoints.repeatable([Write(write_duckdb(found), (), 0)])
        except SqlError:
            return None  # it would propose other rows
    return found


def _table(duck: DuckSession, name: tuple[str, ...]) -> Meant | None:
    """The table of that name, if others refer to it."""
    meant = duck.means(name) if name else None
    if meant is None or meant.kind != "r" or meant.database != DATABASE:
        return None
    return meant if duck.referring(meant.schema, meant.name) else None


def _references(duck: DuckSession, meant: Meant) -> list[_Reference]:
    found = []
    for of, table, key in foreign_keys_to(duck, meant):
        rule = dict(key.rules).get("delete", "")
        acts = rule if rule == _CASCADE or rule in _SETS else ""
        found.append(_Reference(of, table.name_of(key), key.columns, key.theirs, acts))
    return found


def _counted(tree: exp.Delete) -> str:
    return f"SELECT count(*) FROM ({_rows_of(tree)(['rowid'])})"


def _rows_of(tree: exp.Delete) -> _Rows:
    def rows(columns: Sequence[str]) -> str:
        name = tree.this.alias_or_name
        outputs = [exp.column(one, table=name, quoted=True) for one in columns]
        return write_duckdb(changed_by(tree, outputs))

    return rows


class _Following:
    """values: of the parameters of the DELETE."""

    def __init__(self, session: Session, values: Sequence[tuple[int, Any]]) -> None:
        self._session, self._duck, self._values = session, session.duck, values
        self._freed: dict[str, tuple[Meant, list[Constraint]]] = {}  # made without their own keys
        self.sees_all = True

    def count(self, query: str) -> int:
        """Blocks. What a query of one number gives; 0 for none."""
        return counted(self._duck, query, self._values) if query else 0

    def before(self, meant: Meant, rows: _Rows, above: frozenset[str]) -> None:
        """Blocks. What has to be done before these rows of the table can be deleted.

        above: the tables whose rows these go along with.
        """
        references = _references(self._duck, meant)
        own = [one for one in references if one.of.name == meant.name]
        going = _with_own(meant, rows, [one for one in own if one.rule == _CASCADE])
        changed = False
        for one in references:
            if one.of.name != meant.name and one.of.name not in above:
                changed |= self._go_along(one, going, above | {meant.name})
        if own and self._refer(meant, own, rows):
            self._free(meant)
            self._change_own(meant, own, rows, going)
        elif changed:
            self._renew(meant)

    def after(self) -> tuple[Ran, frozenset[str]]:
        """Blocks. Tables that were made without their own keys get them back; what was run for it, and
        which tables were made."""
        run, made = Ran(), set[str]()
        for meant, constraints in self._freed.values():
            self._check_own(meant, constraints)
            run += self._made_again(meant, constraints)
            made |= {meant.name, *(one.name for one in referring_tables(self._duck, meant))}
        self._freed.clear()
        return run, frozenset(made)

    def _refer(self, meant: Meant, own: Sequence[_Reference], rows: _Rows) -> bool:
        """Whether DuckDB may find rows of the table that refer to those that go."""
        if self._session.transaction.has_changed_rows(meant.name):
            return True
        table = quoted(*meant[:3])
        return any(
            self.count(f"SELECT count(*) FROM {table} WHERE {_key(one)} IN ({rows(one.theirs)})")
            for one in own
        )

    def _change_own(
        self, meant: Meant, own: Sequence[_Reference], rows: _Rows, going: _Rows
    ) -> None:
        """What becomes of other rows of the same table; its own stay for the DELETE as they are."""
        table = quoted(*meant[:3])
        for one in own:
            if one.rule in _SETS:
                where = f"WHERE {_key(one)} IN ({going(one.theirs)}) AND rowid NOT IN ({going(['rowid'])})"
                self._set(one, where)
        if any(one.rule == _CASCADE for one in own):
            where = f"WHERE rowid IN ({going(['rowid'])}) AND rowid NOT IN ({rows(['rowid'])})"
            self._run(f"DELETE FROM {table} {where}", self._values)

    def _set(self, one: _Reference, where: str) -> int:
        changes = ", ".join(f"{quoted(name)} = {_SETS[one.rule]}" for name in one.columns)
        return self._run(f"UPDATE {quoted(*one.of[:3])} SET {changes} {where}", self._values)

    def _go_along(self, one: _Reference, rows: _Rows, above: frozenset[str]) -> bool:
        """Whether the index of the references may be behind."""
        table = quoted(*one.of[:3])
        where = f"WHERE {_key(one)} IN ({rows(one.theirs)})"
        count = 0
        if one.rule == _CASCADE:

            def theirs(wanted: Sequence[str]) -> str:
                return f"SELECT {', '.join(map(quoted, wanted))} FROM {table} {where}"

            self.before(one.of, theirs, above)
            count = self._run(f"DELETE FROM {table} {where}", self._values)
            if (freed := self._freed.pop(one.of.name, None)) is not None:
                self._check_own(*freed)
                self._note(self._made_again(*freed))
        elif one.rule in _SETS:
            count = self._set(one, where)
        return bool(count) or self._session.transaction.has_changed_rows(one.of.name)

    def _renew(self, meant: Meant) -> None:
        """Makes the tables that refer to it, and those that refer to them, again as they are."""
        try:
            tables = [Table(self._duck, one) for one in referring_tables(self._duck, meant)]
            aside, back = put_aside(tables)
        except SqlError:  # one that cannot be made again: DuckDB looks into the index that there is
            self.sees_all = False
            return
        self._note([(sql, run_out(self._duck, sql)) for sql in (*aside, *back)])
        self._session.transaction.renewed(table.name for table in tables)

    def _free(self, meant: Meant) -> None:
        """Makes a table again without the keys by which it refers to itself."""
        table = Table(self._duck, meant)
        constraints = list(table.constraints)
        self._note(self._made_again(meant, [o for o in constraints if o.other != meant.name]))
        self._freed[meant.name] = meant, constraints

    def _made_again(self, meant: Meant, constraints: list[Constraint]) -> Ran:
        """Makes a table, and those that refer to it, again with these constraints; what was run."""
        table = Table(self._duck, meant)
        others = [Table(self._duck, one) for one in referring_tables(self._duck, meant)]
        table.constrain(constraints)
        aside, back = put_aside([table, *others])
        ran = [(sql, run_out(self._duck, sql)) for sql in (*aside, *back)]
        self._session.transaction.renewed(one.name for one in (table, *others))
        return ran

    def _check_own(self, meant: Meant, constraints: Sequence[Constraint]) -> None:
        """Raises SqlError 23503 where a row refers to one of the same table that is gone."""
        table = Table(self._duck, meant)
        for one in constraints:
            if one.kind == "FOREIGN KEY" and one.other == meant.name:
                key = OwnKey(tuple(one.columns), tuple(one.theirs))
                check_met(self._duck, meant, meant, table.name_of(one), key)

    def _run(self, sql: str, values: Sequence[tuple[int, Any]] = ()) -> int:
        count = run_out(self._duck, sql, values)
        self._session.transaction.wrote(sql, values, count)
        return count

    def _note(self, ran: Ran) -> None:
        """What makes a table again gives the same rows each time."""
        for sql, count in ran:
            self._session.transaction.wrote(sql, (), count, settled=True)


def _key(one: _Reference) -> str:
    columns = [quoted(name) for name in one.columns]
    return columns[0] if len(columns) == 1 else f"({', '.join(columns)})"


def _with_own(meant: Meant, rows: _Rows, keys: Sequence[_Reference]) -> _Rows:
    """The rows, and those of the same table that go along with them."""
    if not keys:
        return rows
    table = quoted(*meant[:3])
    met = " OR ".join(OwnKey(tuple(one.columns), tuple(one.theirs)).meets("o", "g") for one in keys)

    def going(columns: Sequence[str]) -> str:
        read = list(dict.fromkeys([*columns, *(name for one in keys for name in one.theirs)]))
        listed = ", ".join(quoted("o", name) for name in read)
        return (
            f"WITH RECURSIVE going AS (SELECT * FROM ({rows(read)}) UNION"
            f" SELECT {listed} FROM {table} AS o JOIN going AS g ON {met})"
            f" SELECT {', '.join(map(quoted, columns))} FROM going"
        )

    return going
