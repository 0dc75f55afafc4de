"""Changes that meet another transaction's, tried again once that has ended.

Why it exists: DuckDB does not wait: of two that change one row the later one fails. In Postgres, and in
Snowflake, it waits for the other one to end, and goes on with what that has left. A statement that is a
transaction by itself has seen nothing and has left nothing behind, so it can be run as if it came only now; so can
the first change of a READ COMMITTED one, each of whose statements sees what is there when it comes.

Promises: nobody waits who keeps others waiting: neither behind a change, nor with rows locked, nor with a
transaction on Postgres.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from proxy.errors import SqlError
from proxy.session.settings import in_milliseconds
from proxy.session.transaction import Block

if TYPE_CHECKING:
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

T = TypeVar("T")

_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE TABLE"})
_FOR_READERS = frozenset({"CREATE INDEX", "CHECKPOINT"})
"""What others are in the way of that only read, as the mirror is for a moment after each definition."""
_SHORTLY = 2.0
"""Seconds that those wait: who reads may go on for hours."""
_WAITING = _CHANGES | _FOR_READERS
_PATIENCE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
"""Seconds until the next attempt, if no transaction's end comes first; the last again and again."""
_LOOKS = 10
"""How often an upsert looks for conflicts: another constraint than the one that it means may be violated."""


async def patiently(
    session: Session, plan: Statement | None, start: Callable[[], Awaitable[T]]
) -> T:
    """What `start` gives, which runs a statement up to its first rows.

    Raises what it raises, and SqlError 55P03 after the session's lock_timeout.
    """
    if plan is None or plan.kind not in _WAITING or plan.locks or plan.federated:
        return await start()
    began, attempt = time.monotonic(), 0
    while True:
        changes = session.duck.changes_of_others
        try:
            return await start()
        except SqlError as error:
            if attempt < _LOOKS and _came_late(session, plan, error, changes):
                attempt += 1
                continue
            if not error.collided or not await _starts_afresh(session):
                raise
            if plan.kind in _FOR_READERS and time.monotonic() - began > _SHORTLY:
                raise
        limit = in_milliseconds(session.settings.get("lock_timeout")) / 1000
        patience = _PATIENCE[min(attempt, len(_PATIENCE) - 1)]
        if limit and time.monotonic() - began + patience > limit:
            raise SqlError("55P03", "canceling statement due to lock timeout")
        await session.services.row_locks.another_ends(session, patience)
        attempt += 1


def _came_late(session: Session, plan: Statement, error: SqlError, changes: int | None) -> bool:
    """Whether an upsert has found no conflict, since the other one's key was not there yet when it looked.

    DuckDB looks again when it commits. changes: `changes_of_others` before.
    """
    looked = plan.upserts and error.sqlstate == "23505"
    alone = session.transaction.block is Block.NONE
    if not looked or not alone:
        return False
    return changes is None or session.duck.changes_of_others != changes


async def _starts_afresh(session: Session) -> bool:
    """Whether the statement that has just failed can be run as the first one of its transaction."""
    transaction = session.transaction
    if transaction.block is Block.NONE:
        return True
    if transaction.block is not Block.EXPLICIT or session.relay.in_transaction:
        return False
    if session.services.row_locks.has(session):
        return False
    return await transaction.look_again()
