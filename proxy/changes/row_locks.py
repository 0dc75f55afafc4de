"""SELECT ... FOR UPDATE on analytical tables: who has locked which rows.

Why it exists: DuckDB's transactions are optimistic. Of two that change one row the later one fails
(40001), but of two that read a row so as to write elsewhere, neither does; who locks rows relies on
their turn, and workers that take jobs from a table on never being given another's (SKIP LOCKED). So the rows
that a query locks, by DuckDB's numbers of them, are asked for before it runs, and are its session's until
the transaction has ended on both engines.

Promises: no row is given to two at once, nor one whose lock another has given back, committed, since the
snapshot in which it is seen. Who meets a locked row waits, fails or does without, as the query says, and has a
new snapshot behind the wait, where the transaction is READ COMMITTED and has written nothing; else it fails with
40001, as in Postgres's REPEATABLE READ. UPDATE and DELETE wait for locked rows, and lock what they change in a
client's block, of tables of which somebody has locked rows before. Who only reads is not kept waiting. Deadlocks are
found as they come about (40P01).

Waiting is done on the event loop; rows are chosen in the engine's threads.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

from sqlglot import exp

from proxy.engines.duck.c import DuckFailure
from proxy.engines.duck.errors import sql_error
from proxy.engines.duck.names import DATABASE, Meant
from proxy.engines.freshness import Stamp
from proxy.engines.row_changes import change_of
from proxy.errors import SqlError
from proxy.session.parameter_types import relation_columns
from proxy.session.settings import in_milliseconds
from proxy.session.transaction import Block
from proxy.sql import inference
from proxy.sql.changes.changed_rows import ROW, rows_changed
from proxy.sql.changes.row_locks import (
    CONFLICT,
    Lock,
    Locks,
    Strength,
    Wait,
    locking_queries,
    only_locked,
    rows_asked,
)
from proxy.sql.changes.written_columns import Path, path_of
from proxy.sql.parameters import part_with
from proxy.sql.reading import write_duckdb

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_ADDED = 36028797018960000  # the first row that a transaction adds, which only it sees: DuckDB's MAX_ROW_ID
_KEPT = 64
_NOTED = 10_000  # rows of a table that one transaction changes, at most
_LOOKS_UP = 0.05  # seconds after which who waits for its turn sees that it is not to
_WITHOUT_COLUMN = frozenset({"42703", "42P01"})

KEYS = "key"
"""What the keys of a table are locked as (`inserted_keys`), in place of its kind."""

_Rows = dict[Any, int]
"""Rows by their numbers, or keys, with the strength of the lock of each."""


class _Place(NamedTuple):
    """A row that is waited for."""

    table: Meant
    row: Any


@dataclass(frozen=True, slots=True)
class _Waiter:
    """least: the strength of the locks of others that it waits for."""

    session: Session
    place: _Place
    least: int
    turn: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Wanted:
    lock: Lock
    table: Meant
    rows: Collection[Any]


@dataclass(frozen=True, slots=True)
class Met:
    """A row that cannot be had now. released: another one had it and has committed since."""

    place: _Place
    lock: Lock
    released: bool = False


class RowLocks:
    """Of all sessions."""

    def __init__(self) -> None:
        self._guard = threading.Lock()  # of what follows, for moments
        self._held: dict[Meant, dict[Session, _Rows]] = {}
        self._of: dict[Session, set[Meant]] = {}
        self._released: dict[Meant, deque[tuple[float, _Rows]]] = defaultdict(deque)  # and when
        self._kept, self._most = 0, _KEPT  # of these, with a weight; and before some are forgotten
        self._choosing: WeakValueDictionary[Meant, threading.Lock] = WeakValueDictionary()
        self._names: set[str] = set()  # of tables of which rows were ever locked, folded
        # On the loop alone:
        self._queues: dict[_Place, deque[_Waiter]] = {}
        self._waiters: dict[Session, _Waiter] = {}
        self._woken: dict[Session, _Place] = {}
        self._met: dict[Session, asyncio.Future[None]] = {}  # what it does not know who has locked

    # --- in the engine's threads ----------------------------------------------------------------

    def turn(self, table: Meant) -> threading.Lock:
        """Held while rows are chosen that nobody has: who chooses at once would choose the same."""
        with self._guard:
            return self._choosing.setdefault(table, threading.Lock())

    def skipped(self, session: Session, table: Meant, lock: Lock, since: float) -> set[int]:
        """The rows that a session may not have, whose snapshot is that old."""
        least = CONFLICT - lock.strength
        with self._guard:
            others = [*self._theirs(session, table), *self._since(table, since)]
            return {row for rows in others for row, theirs in rows.items() if theirs >= least}

    def take(self, session: Session, wanted: Sequence[Wanted], since: float) -> Met | None:
        """Locks all of the rows, or none and says why."""
        self._names |= {one.table.name.lower() for one in wanted}
        return self._take(session, wanted, since)

    def take_to_write(
        self, session: Session, wanted: Wanted, keep: bool, since: float = math.inf
    ) -> Met | None:
        """As `take`, for who writes: DuckDB knows whether others have changed the rows since its snapshot.

        keep: until its transaction's end, so many of a table at most; else nothing is locked.
        """
        return self._take(session, [wanted], since, _NOTED if keep else 0)

    @property
    def holds_keys(self) -> bool:
        """Whether any are locked that were inserted."""
        with self._guard:
            return any(table.kind == KEYS for table in self._held)

    def locks_rows_of(self, name: str) -> bool:
        """Whether somebody has ever locked rows of a table of this name, folded."""
        return name in self._names

    def _take(
        self, session: Session, wanted: Sequence[Wanted], since: float, most: float = math.inf
    ) -> Met | None:
        with self._guard:
            for one in wanted:
                least = CONFLICT - one.lock.strength
                for rows in self._theirs(session, one.table):
                    if (row := _common(one.rows, rows, least)) is not None:
                        return Met(_Place(one.table, row), one.lock)
                for rows in self._since(one.table, since):
                    if (row := _common(one.rows, rows, least)) is not None:
                        return Met(_Place(one.table, row), one.lock, released=True)
            for one in wanted if most else ():
                own = self._held.setdefault(one.table, {}).setdefault(session, {})
                self._of.setdefault(session, set()).add(one.table)
                for row in one.rows if len(own) < most else ():
                    own[row] = max(own.get(row, 0), one.lock.strength)
        return None

    def _theirs(self, session: Session, table: Meant) -> list[_Rows]:
        held = self._held.get(table, {})
        return [rows for other, rows in held.items() if other is not session]

    def _since(self, table: Meant, since: float) -> list[_Rows]:
        """What others had whose transactions have committed since."""
        return [rows for when, rows in self._released.get(table, ()) if when >= since]

    # --- on the loop ----------------------------------------------------------------------------

    async def wait(self, session: Session, met: Met, limit: float | None) -> None:
        """Until it may be tried again. limit: seconds. Raises SqlError 40P01, 55P03, 57014."""
        session.heed()
        turn = asyncio.get_running_loop().create_future()
        waiter = _Waiter(session, met.place, CONFLICT - met.lock.strength, turn)
        others = self._holders(waiter)
        if not others:
            return
        if self._wait_for(others, session):
            table = met.place.table.name
            raise SqlError(
                "40P01",
                "deadlock detected",
                detail=f'Another transaction has locked rows of "{table}", and waits for this one.',
            )
        queue = self._queues.setdefault(met.place, deque())
        queue.append(waiter)
        self._waiters[session] = waiter
        try:
            await asyncio.wait_for(turn, limit)
        except TimeoutError:
            raise SqlError("55P03", "canceling statement due to lock timeout") from None
        except asyncio.CancelledError:
            self.tried(session)  # it may have been woken already
            raise
        finally:
            self._waiters.pop(session, None)
            if waiter in queue:
                queue.remove(waiter)

    def tried(self, session: Session) -> None:
        """Whom it was woken for has locked the row, or has not: then the next one has its turn."""
        place = self._woken.pop(session, None)
        if place is not None:
            self._wake(place)

    def _wake(self, place: _Place) -> None:
        """The one who waits longest for a row tries again, unless another has it."""
        queue = self._queues.get(place)
        while queue and not self._holders(queue[0]):
            waiter = queue.popleft()
            if not waiter.turn.done():
                del self._waiters[waiter.session]  # it waits no more, also before it knows
                self._woken[waiter.session] = place
                waiter.turn.set_result(None)
                break
        if not queue:
            self._queues.pop(place, None)

    def _holders(self, waiter: _Waiter) -> list[Session]:
        row = waiter.place.row
        with self._guard:
            held = self._held.get(waiter.place.table, {})
            return [
                other
                for other, rows in held.items()
                if other is not waiter.session and rows.get(row, -1) >= waiter.least
            ]

    def _wait_for(self, others: Sequence[Session], session: Session) -> bool:
        """Whether one of them waits for what `session` holds, or for one that does."""
        left = list(others)
        seen: set[Session] = set()
        while left:
            other = left.pop()
            if other is session:
                return True
            if other not in seen and (waiter := self._waiters.get(other)) is not None:
                seen.add(other)
                left += self._holders(waiter)
        return False

    def has(self, session: Session) -> bool:
        """Whether it has locked rows."""
        return session in self._of

    async def another_ends(self, session: Session, patience: float) -> None:
        """Until a transaction has ended, or for so many seconds. Raises SqlError 57014."""
        session.heed()
        turn = self._met[session] = asyncio.get_running_loop().create_future()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(turn, patience)
        finally:
            del self._met[session]

    def cancel(self, session: Session) -> None:
        """Ends its waiting, if it waits."""
        waiter = self._waiters.get(session)
        turn = waiter.turn if waiter is not None else self._met.get(session)
        if turn is not None and not turn.done():
            turn.set_exception(SqlError("57014", "canceling statement due to user request"))

    def release(self, session: Session, committed: bool) -> None:
        """Its transaction is over: those who wait longest have their turn."""
        for turn in self._met.values():
            if not turn.done():
                turn.set_result(None)
        tables = self._of.pop(session, None)
        if tables is None:
            return
        now = time.monotonic()
        with self._guard:
            for table in tables:
                held = self._held[table]
                rows = held.pop(session)
                if not held:
                    del self._held[table]
                if committed and rows:
                    self._released[table].append((now, rows))
                    self._kept += 1 + len(rows) // _KEPT
            if self._kept >= self._most:
                self._forget(session)
        for place in [place for place in self._queues if place.table in tables]:
            self._wake(place)

    def _forget(self, session: Session) -> None:
        """What was released before the oldest snapshot, nobody asks for any more."""
        others = [one.transaction for one in session.services.sessions()]
        oldest = min((one.duck_since for one in others if one.duck_open), default=time.monotonic())
        self._kept = 0
        for table, released in list(self._released.items()):
            while released and released[0][0] < oldest:
                released.popleft()
            if not released:
                del self._released[table]
            self._kept += sum(1 + len(rows) // _KEPT for _, rows in released)
        self._most = max(_KEPT, 2 * self._kept)


def _common(rows: Collection[Any], theirs: _Rows, least: int) -> Any:
    """One of the rows on which they have a lock as strong as that; None for none."""
    if len(theirs) < len(rows):
        return next(
            (row for row, strength in theirs.items() if strength >= least and row in rows), None
        )
    return next((row for row in rows if theirs.get(row, -1) >= least), None)


class Locking:
    """One session's part."""

    def __init__(self, session: Session) -> None:
        self._session, self._duck = session, session.duck
        self._registry = session.services.row_locks
        # What names mean, as of when; None: rows that nobody else sees.
        self._known: tuple[Stamp, dict[Path, Meant | None]] | None = None

    async def lock(self, plan: Statement, sql: str, values: Sequence[tuple[int, Any]] = ()) -> str:
        """Locks the rows that the queries of a statement lock; the statement with these rows alone.

        sql, values: as DuckDB would run it. Raises SqlError 0A000, 40001, 40P01, 55P03, 57014.
        """
        session, locks = self._session, plan.locks
        if locks is None or plan.kind == "EXPLAIN":
            return sql
        limit = in_milliseconds(session.settings.get("lock_timeout")) / 1000 or None
        while True:
            try:
                renewed = await self._look_again()
                found = await session.on_duck(self._choose, locks, sql, values)
            finally:
                self._registry.tried(session)
            if isinstance(found, str):
                return found
            if not found.released:
                await self._registry.wait(session, found, limit)
            elif not renewed:
                table = found.place.table.name
                raise SqlError(
                    "40001",
                    "could not serialize access due to concurrent update",
                    detail=f'The transaction sees "{table}" as it was before another one locked its rows.',
                    hint="Retry it, and lock the rows first.",
                )

    async def wait_to_write(self, sql: str, values: Sequence[tuple[int, Any]] = ()) -> None:
        """Until nobody else has locked a row that an UPDATE or DELETE is to change.

        sql, values: as DuckDB would run it. Raises SqlError 40P01, 55P03, 57014.
        """
        change, session = change_of(sql), self._session
        if change is None or not self._registry.locks_rows_of(change.name):
            return
        limit = in_milliseconds(session.settings.get("lock_timeout")) / 1000 or None
        while True:
            try:
                await self._look_again()
                met = await session.on_duck(self._lock_changed, sql, values)
            finally:
                self._registry.tried(session)
            if met is None:
                return
            await self._registry.wait(session, met, limit)

    async def _look_again(self) -> bool:
        """Whether what comes next has a snapshot of its own, as each statement has in READ COMMITTED."""
        session = self._session
        if session.dialect.name != "postgres":
            return not session.transaction.duck_open
        return await session.transaction.look_again()

    # --- in the engine's thread -----------------------------------------------------------------

    def _choose(self, locks: Locks, sql: str, values: Sequence[tuple[int, Any]]) -> str | Met:
        """The statement, when all of the rows are the session's."""
        self._look(locks)
        tree = inference.read(sql)
        if tree is None:
            raise SqlError("0A000", "locking rows in a statement of this form is not supported")
        changed = False
        for number, query in locking_queries(tree):
            found = self._lock(query, locks.queries[number], values)
            if isinstance(found, Met):
                return found
            changed |= only_locked(query, *found)
        return write_duckdb(tree) if changed else sql

    def _lock_changed(self, sql: str, values: Sequence[tuple[int, Any]]) -> Met | None:
        """Locks the rows that a statement is to change, or says which of them another has."""
        tree = inference.read(sql)
        if not isinstance(tree, (exp.Update, exp.Delete)):
            return None
        path = path_of(tree.this)
        table = self._duck.means(path)
        if table is None or table.kind != "r" or table.database != DATABASE:
            return None
        try:
            running = self._duck.start_once(*part_with(write_duckdb(rows_changed(tree)), values))
        except DuckFailure as error:
            if error.kind != "Binder":
                raise
            return (
                None  # nor can the statement be bound, or a column is called as rows' numbers are
            )
        rows: list[int] = []
        more = True
        while more and len(rows) <= _NOTED:
            batch, more = running.fetch_batch()
            rows += batch.column(0).to_pylist() if batch is not None else ()
        running.close()
        strength = Strength.UPDATE if isinstance(tree, exp.Delete) else Strength.NO_KEY_UPDATE
        lock = Lock(tree.this.alias_or_name, path, strength, Wait.WAITS)
        wanted = Wanted(lock, table, {row for row in rows if row < _ADDED})
        in_block = self._session.transaction.block is Block.EXPLICIT
        return self._registry.take_to_write(self._session, wanted, in_block and not more)

    def _look(self, locks: Locks) -> None:
        """Raises SqlError 0A000 where a name is not that of a table whose rows can be locked."""
        if self._known is None or not self._duck.same_definitions(self._known[0]):
            self._known = self._duck.definitions(), {}
        for lock in locks:
            if lock.table not in self._known[1]:
                self._known[1][lock.table] = _table(self._duck, lock.table)

    def _lock(
        self, query: exp.Select, locks: Sequence[Lock], values: Sequence[tuple[int, Any]]
    ) -> tuple[dict[str, Collection[int]], dict[str, set[int]]] | Met:
        """The rows that the query has locked, and those that it did without, by the names of their tables."""
        assert self._known is not None
        session, since = self._session, self._session.transaction.duck_since
        tables = {lock: meant for lock in locks if (meant := self._known[1][lock.table])}
        skipping = [lock for lock in tables if lock.wait is Wait.SKIPS]
        with ExitStack() as turns:
            for table in sorted({tables[lock] for lock in skipping}):
                turns.enter_context(self._in_turn(table))
            while True:
                skipped = {
                    lock.alias: self._registry.skipped(session, tables[lock], lock, since)
                    for lock in skipping
                }
                rows = self._asked(query, [lock.alias for lock in tables], skipped, values)
                wanted = [
                    Wanted(lock, table, [row for row in rows[lock.alias] if row < _ADDED])
                    for lock, table in tables.items()
                ]
                met = self._registry.take(session, wanted, since)
                if met is None:
                    return rows, skipped
                if met.lock.wait is Wait.FAILS and not met.released:
                    message = f'could not obtain lock on row in relation "{met.place.table.name}"'
                    raise SqlError("55P03", message)
                if met.lock.wait is not Wait.SKIPS:
                    return met

    @contextmanager
    def _in_turn(self, table: Meant) -> Iterator[None]:
        """Raises SqlError 57014: whose turn it is may look for its rows for long."""
        turn = self._registry.turn(table)
        while not turn.acquire(timeout=_LOOKS_UP):
            if self._duck.unwanted:
                raise SqlError("57014", "canceling statement due to user request")
        try:
            yield
        finally:
            turn.release()

    def _asked(
        self,
        query: exp.Select,
        aliases: Sequence[str],
        skipped: Mapping[str, set[int]],
        values: Sequence[tuple[int, Any]],
    ) -> dict[str, Collection[int]]:
        """The numbers of the rows that it would lock."""
        if not aliases:
            return {}
        try:
            asked = part_with(rows_asked(query, aliases, skipped), values)
            running = self._duck.start_once(*asked)
        except DuckFailure as error:
            if sql_error(error).sqlstate not in _WITHOUT_COLUMN:
                raise
            message = "locking rows in a subquery that reads from the query around it"
            raise SqlError("0A000", f"{message} is not supported") from error
        found: dict[str, dict[int, None]] = {alias: {} for alias in aliases}
        more = True
        while more:
            batch, more = running.fetch_batch()
            columns = batch.columns if batch is not None else ()
            for rows, column in zip(found.values(), columns, strict=False):
                rows.update(dict.fromkeys(column.to_pylist()))
        for rows in found.values():
            rows.pop(None, None)  # what an outer join added
        return {alias: rows.keys() for alias, rows in found.items()}


def _table(duck: DuckSession, path: Path) -> Meant | None:
    """None: its rows are nobody else's. Raises SqlError 0A000."""
    meant = duck.means(path)
    if meant is not None and meant.kind == "v":
        message = f'locking rows of view "{meant.name}" is not supported'
        raise SqlError("0A000", message, hint="Lock those of the tables that it reads.")
    if meant is None or meant.kind != "r" or meant.database != DATABASE:
        return None
    columns = relation_columns(duck, meant[:3]) or []
    if any(name.lower() == ROW for name, _ in columns):
        message = f'locking rows of a table with a column "{ROW}" is not supported'
        raise SqlError("0A000", message)
    return meant
