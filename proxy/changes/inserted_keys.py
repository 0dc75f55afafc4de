"""Keys that open transactions have inserted: who inserts one of them waits, as in Postgres.

Why it exists: DuckDB looks at other transactions' keys when it commits. Of two that insert one key the later
COMMIT would fail, also of those that say ON CONFLICT. So the keys that a client's block inserts by VALUES
are noted beside its row locks, by what they look like in the statement; whoever inserts the same, in a block or
not, waits for its end, and has a new snapshot where it may (`transaction.look_again`).

Promises: only that it waits. Which keys there are DuckDB alone decides; a key that is computed, or looks different,
is not waited for. An upsert whose snapshot is older than another one's commit of the same key gets 40001 at
once, since its transaction could not be committed.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlglot import exp

from proxy.changes.row_locks import KEYS, Met, Wanted
from proxy.definitions.table_parts import indexes_of
from proxy.engines.duck.names import DATABASE, Meant
from proxy.engines.freshness import Stamp
from proxy.errors import SqlError
from proxy.session.parameter_types import relation_columns
from proxy.session.settings import in_milliseconds
from proxy.session.transaction import Block
from proxy.sql import inference
from proxy.sql.changes.row_locks import Lock, Strength, Wait
from proxy.sql.changes.written_columns import Path, path_of
from proxy.sql.reading import DUCKDB

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_LONG = 4_000  # characters of a statement that is not looked into
_KEPT = 64


class _Insert(NamedTuple):
    """columns: folded, None for the table's. rows: a value each; a parameter's number, a text, or None."""

    path: Path
    columns: tuple[str, ...] | None
    rows: tuple[tuple[int | str | None, ...], ...]


class _Table(NamedTuple):
    """columns: all, folded. keys: the columns of each."""

    place: Meant
    columns: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]


class InsertedKeys:
    """One session's part."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._registry = session.services.row_locks
        self._read: OrderedDict[str, _Insert | None] = OrderedDict()
        # What names mean and which columns are keys there, as of when.
        self._known: tuple[Stamp, dict[Path, _Table | None]] | None = None

    async def wait(self, plan: Statement, sql: str, values: Sequence[tuple[int, Any]] = ()) -> None:
        """Until no other transaction is open that has inserted one of the keys.

        sql, values: as DuckDB would run it. Raises SqlError 40001, 40P01, 55P03, 57014.
        """
        session = self._session
        keeps = session.transaction.block is Block.EXPLICIT
        asked = keeps or self._registry.holds_keys
        if not asked or session.dialect.name != "postgres" or len(sql) > _LONG:
            return
        limit = in_milliseconds(session.settings.get("lock_timeout")) / 1000 or None
        looks_back = keeps
        while True:
            try:
                if self._is_known(sql):
                    met = self._take(sql, values, keeps, looks_back)
                else:
                    met = await session.on_duck(self._take, sql, values, keeps, looks_back)
            finally:
                self._registry.tried(session)
            if met is None:
                return
            if not met.released:
                await self._registry.wait(session, met, limit)
            elif not await session.transaction.look_again():
                if plan.upserts:
                    raise SqlError(
                        "40001",
                        "could not serialize access due to concurrent insert",
                        hint="The transaction might succeed if retried.",
                    )
                looks_back = False

    def _is_known(self, sql: str) -> bool:
        """Whether nothing has to be read or asked."""
        if sql not in self._read or not self._session.duck_in_step:
            return False
        insert, known = self._read[sql], self._known
        if insert is None:
            return True
        if known is None or insert.path not in known[1]:
            return False
        return self._session.duck.same_definitions(known[0])

    # --- in the engine's thread, where it is not known ------------------------------------------

    def _take(
        self, sql: str, values: Sequence[tuple[int, Any]], keeps: bool, looks_back: bool
    ) -> Met | None:
        insert = self._insert(sql)
        table = None if insert is None else self._table(insert.path)
        if insert is None or table is None:
            return None
        columns = insert.columns or table.columns
        inserted = set()
        for row in insert.rows:
            said = dict(zip(columns, row, strict=False))
            for number, key in enumerate(table.keys):
                looks = [_look(said.get(column), values) for column in key]
                if None not in looks:
                    inserted.add((number, *looks))
        if not inserted:
            return None
        lock = Lock(table.place.name, insert.path, Strength.UPDATE, Wait.WAITS)
        transaction = self._session.transaction
        since = transaction.duck_since if looks_back and transaction.duck_open else math.inf
        wanted = Wanted(lock, table.place, inserted)
        return self._registry.take_to_write(self._session, wanted, keeps, since)

    def _insert(self, sql: str) -> _Insert | None:
        if sql in self._read:
            self._read.move_to_end(sql)
            return self._read[sql]
        found = self._read[sql] = _insert_of(sql)
        if len(self._read) > _KEPT:
            self._read.popitem(last=False)
        return found

    def _table(self, path: Path) -> _Table | None:
        duck = self._session.duck
        if self._known is None or not duck.same_definitions(self._known[0]):
            self._known = duck.definitions(), {}
        known = self._known[1]
        if path not in known:
            known[path] = _table_of(duck, path)
        return known[path]


def _insert_of(sql: str) -> _Insert | None:
    tree = inference.read(sql)
    if not isinstance(tree, exp.Insert) or not isinstance(tree.expression, exp.Values):
        return None
    target, columns = tree.this, None
    if isinstance(target, exp.Schema):
        columns = tuple(column.name.lower() for column in target.expressions)
        target = target.this
    rows = [row.expressions for row in tree.expression.expressions if isinstance(row, exp.Tuple)]
    return _Insert(path_of(target), columns, tuple(tuple(map(_value, row)) for row in rows))


def _value(value: exp.Expr) -> int | str | None:
    """The number of a parameter, or what a constant looks like; None for what is computed."""
    while isinstance(value, (exp.Cast, exp.Paren)):
        value = value.this
    if isinstance(value, exp.Placeholder) and value.name.isdigit():
        return int(value.name)
    if isinstance(value, exp.Neg) and isinstance(value.this, exp.Literal):
        return f"-{value.this.name}"
    return value.name if isinstance(value, exp.Literal) else None


def _look(value: int | str | None, values: Sequence[tuple[int, Any]]) -> str | None:
    """What a value looks like; None where that is not known, and for NULL."""
    if not isinstance(value, int):
        return value
    given = values[value - 1][1] if value <= len(values) else None
    return None if given is None else str(given)


def _table_of(duck: DuckSession, path: Path) -> _Table | None:
    meant = duck.means(path)
    if meant is None or meant.kind != "r" or meant.database != DATABASE:
        return None
    told = duck.told(meant.schema, meant.name, meant.database).constraints
    keys = {tuple(row[2]) for row in told if row[0] in ("PRIMARY KEY", "UNIQUE")}
    for index in indexes_of(duck, meant):
        if index.unique and not index.computes:
            keys.add(tuple(DUCKDB.own_tokens(one)[0].text for one in index.expressions))
    if not keys:
        return None
    columns = relation_columns(duck, meant[:3]) or []
    folded = sorted(tuple(column.lower() for column in key) for key in keys)
    return _Table(
        meant._replace(kind=KEYS), tuple(name.lower() for name, _ in columns), tuple(folded)
    )
