"""What a session hands to the relay as a whole: the text of a simple query, the data of a COPY."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.sql import portable
from proxy.sql.portable import asked_of_postgres
from proxy.sql.statement import Statement
from proxy.sql.traces import Trace
from proxy.wire import messages as m

if TYPE_CHECKING:
    from proxy.session.session import Session


def relayed_text(sql: str, plans: tuple[Statement, ...]) -> str:
    """A message as Postgres is given it, each statement in its place."""
    for plan in reversed(plans):
        if plan.relayed is not None:
            end = plan.start + len(plan.text)
            sql = sql[: plan.start] + plan.relayed + sql[end:]
    return sql


async def handed_over(session: Session, plan: Statement, error: SqlError) -> Statement:
    """The plan by which Postgres is asked what DuckDB has refused. Raises the error if that would say no more.

    A sequence is no relation of DuckDB's: `SELECT last_value FROM s` is asked of the one in the mirror.
    """
    if error.sqlstate == "42P01" and await reads_sequence(session, plan):
        return asked_of_postgres(
            plan, asks_catalog=True, asks_positions=True, trace=Trace.NOTHING, reads_alone=()
        )
    return portable.handed_over(plan, error)


async def reads_sequence(session: Session, plan: Statement) -> bool:
    """Whether the one relation that a query reads is a sequence."""
    if not plan.reads_alone:
        return False
    meant = await session.on_duck(session.duck.means, plan.reads_alone)
    return meant is not None and meant.kind == "S"


async def relay_query(session: Session, sql: str, plans: Sequence[Statement]) -> None:
    """Sends a simple query to Postgres, whose answers go to the client as they come."""
    for plan in plans:
        if plan.calls:
            await session.calls.check(plan)
    await session.mirror.before_question(
        any(plan.asks_catalog for plan in plans), any(plan.asks_positions for plan in plans)
    )
    trace = max(map(session.own.trace, plans))
    names = tuple(name for plan in plans for name in plan.sets if isinstance(name, str))
    begin = session.transaction.postgres_begin()
    await session.relay.query(sql, begin, trace, names, len(plans))
    if session.relay.copying:
        await relay_copy(session)


async def relay_copy(session: Session) -> None:
    """Hands the client's COPY data on until its end."""
    protocol, relay = session.link.protocol, session.relay
    protocol.copy_in()
    try:
        while relay.copying:
            frame = await session.link.next_frame()
            if frame is None:
                raise ConnectionResetError("the client has gone")
            kind, body = frame
            if kind == b"d":
                relay.copy_data(m.frame(kind, body))
            else:
                if kind not in (b"c", b"f"):
                    kind, body = b"f", m.cstring("unexpected message during COPY")
                await relay.copy_end(m.frame(kind, body))
    finally:
        protocol.ready()
