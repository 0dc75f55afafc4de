"""DO blocks that are statements and errors to ignore (`proxy.sql.do_blocks`), run one after another.

Promises: as in Postgres, an error that is ignored undoes what the block has done, and nothing that was done
before it; any other is the block's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.session.if_exists import existence_notice, needs_its_object
from proxy.session.portal import Portal, PreparedStatement
from proxy.session.transaction import Block
from proxy.sql.do_blocks import EVERY
from proxy.sql.session_actions import RunDo
from proxy.sql.statement import Route, Statement

if TYPE_CHECKING:
    from proxy.session.session import Session

_MARK = "hatidata do block"


async def run(session: Session, action: RunDo) -> None:
    """Raises 0A000 where a statement is not about analytical tables."""
    plans = [_planned(session, text) for text in action.statements]
    transaction = session.transaction
    alone = transaction.block is Block.NONE
    within = not alone and bool(action.ignored)
    if alone:
        transaction.open(Block.MESSAGE)
    elif within:
        await transaction.savepoint(_MARK, own=True)
    try:
        for plan in plans:
            await _run_one(session, plan)
    except SqlError as error:
        if not _is_ignored(error, action) or not (alone or within):
            raise
        if alone:
            await transaction.rollback()
            return
        await transaction.rollback_to(_MARK, own=True)
    if alone:
        await transaction.commit()
    elif within:
        await transaction.release(_MARK, own=True)


def _is_ignored(error: SqlError, action: RunDo) -> bool:
    refused = error.sqlstate == "0A000"  # ours, not Postgres's: nobody meant to ignore it
    return error.sqlstate in action.ignored or (EVERY in action.ignored and not refused)


def _planned(session: Session, text: str) -> Statement:
    plans = session.plans.of_short(text)
    if len(plans) != 1 or plans[0].route is not Route.DUCKDB or plans[0].federated:
        raise SqlError(
            "0A000", "DO with such statements is not supported", hint="Send them one by one."
        )
    session.admit(plans[0])
    return plans[0]


async def _run_one(session: Session, plan: Statement) -> None:
    nothing_to_do = await existence_notice(session, plan)
    if nothing_to_do and needs_its_object(plan):
        return
    statement = PreparedStatement("", plan)
    await session.preparation.prepare(statement, plan, ())
    portal = Portal(statement)
    try:
        await session.executor.run(portal, 0)
    finally:
        await session.executor.close_portal(portal)
