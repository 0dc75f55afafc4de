"""SELECT ... FOR UPDATE on analytical tables: a transaction that locks rows has its table's lock.

Why it exists: DuckDB's transactions are optimistic. Of two that change one row the later one fails
(40001), but of two that read a row so as to write elsewhere, neither does; who locks rows relies on
their turn. Here those who lock rows of one table take turns, whichever rows: the lock is held until
the transaction ends on both engines, and the next one has its snapshot from after that. One whose
snapshot is older fails with 40001, as in Postgres's REPEATABLE READ. Who does not lock is not kept
waiting; outside a transaction block a lock would end with its statement, and none is taken.

Deadlocks are found as they come about (40P01). All on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.session_settings import in_milliseconds
from proxy.sql.row_locks import Locks
from proxy.transaction import Block

if TYPE_CHECKING:
    from proxy.engines.duck import DuckSession
    from proxy.session import Session
    from proxy.sql.statement import Statement

_Waiting = tuple["Session", "asyncio.Future[None]"]


class TableLocks:
    """Of all sessions. Tables are told apart by their names alone, folded."""

    def __init__(self) -> None:
        self._holders: dict[str, Session] = {}
        self._queues: dict[str, deque[_Waiting]] = {}
        self._wanted: dict[Session, str] = {}
        self._released: dict[str, float] = {}  # when a transaction that had it committed last

    async def acquire(
        self, session: Session, table: str, nowait: bool, limit: float | None
    ) -> None:
        """limit: seconds. Raises SqlError 40P01, 55P03, 57014."""
        holder = self._holders.setdefault(table, session)
        if holder is session:
            return
        if nowait:
            raise SqlError("55P03", f'could not obtain lock on row in relation "{table}"')
        if self._waits_for(holder, session):
            raise SqlError(
                "40P01",
                "deadlock detected",
                detail=f'Another transaction has locked rows of "{table}", and waits for this one.',
            )
        turn = asyncio.get_running_loop().create_future()
        queue = self._queues.setdefault(table, deque())
        queue.append((session, turn))
        self._wanted[session] = table
        try:
            await asyncio.wait_for(turn, limit)
        except TimeoutError:
            raise SqlError("55P03", "canceling statement due to lock timeout") from None
        finally:
            self._wanted.pop(session, None)
            if (session, turn) in queue:
                queue.remove((session, turn))

    def _waits_for(self, other: Session, session: Session) -> bool:
        """Whether `other` waits for what `session` holds, or for one that does."""
        while (holder := self._holders.get(self._wanted.get(other, ""))) is not None:
            if holder is session:
                return True
            other = holder
        return False

    def cancel(self, session: Session) -> None:
        """Ends its waiting, if it waits."""
        for waiting, turn in self._queues.get(self._wanted.get(session, ""), ()):
            if waiting is session and not turn.done():
                message = "canceling statement due to user request"
                turn.set_exception(SqlError("57014", message))

    def release(self, session: Session, committed: bool) -> None:
        """Its transaction is over: those who wait longest have their turn."""
        for table in [table for table, by in self._holders.items() if by is session]:
            if committed:
                self._released[table] = time.monotonic()
            del self._holders[table]
            queue = self._queues.get(table, deque())
            while queue:
                waiting, turn = queue.popleft()
                if not turn.done():
                    self._holders[table] = waiting
                    del self._wanted[waiting]  # it waits no more, also before it knows
                    turn.set_result(None)
                    break

    def is_newer(self, table: str, since: float) -> bool:
        """Whether one who had the table's lock has committed since."""
        return self._released.get(table, 0.0) >= since


async def hold(session: Session, plan: Statement) -> None:
    """Before a query that locks rows, and before DuckDB sees it: waits for its turn.

    Raises SqlError 40001, 40P01, 55P03, 57014.
    """
    locks, transaction = plan.locks, session.transaction
    if locks is None or transaction.block is Block.NONE:
        return
    limit = in_milliseconds(session.settings.get("lock_timeout")) / 1000 or None
    for table in locks.tables:
        await session.services.table_locks.acquire(session, table, locks.nowait, limit)
        began = transaction.duck_since
        if transaction.duck_open and session.services.table_locks.is_newer(table, began):
            raise SqlError(
                "40001",
                "could not serialize access due to concurrent update",
                detail=f'The transaction sees "{table}" as it was before another one locked its rows.',
                hint="Retry it, and lock the rows first.",
            )


def check_tables(duck: DuckSession, locks: Locks) -> None:
    """Blocks. Raises SqlError 0A000 where a name is a view's: its tables would not be locked."""
    for table in locks.tables:
        meant = duck.means((table,))
        if meant is not None and meant.kind == "v":
            message = f'locking rows of view "{meant.name}" is not supported'
            raise SqlError("0A000", message, hint="Lock those of the tables that it reads.")
