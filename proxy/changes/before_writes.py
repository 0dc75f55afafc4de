"""What comes before, and after, a statement of DuckDB's that writes or locks, by whichever protocol it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from proxy.changes.view_writes import check
from proxy.definitions.set_sequences import set_all

if TYPE_CHECKING:
    from proxy.session.session import Session
    from proxy.session.transaction import Block
    from proxy.sql.statement import Statement

MAKES_OF_QUERY = "CREATE TABLE AS"


async def ahead(session: Session, plan: Statement, block: Block) -> None:
    """Before DuckDB sees it. block: the one that it opens, where it sets off more than itself."""
    if plan.locks is not None:
        session.transaction.open(block)  # its locks are there as long as it runs
    transaction = session.transaction
    await transaction.about_to(read=_only_reads(plan))
    if plan.writes and (transaction.on_commit.empties or transaction.is_serial):
        transaction.open(block)  # whose end empties what it wrote, or looks at what others have
    if (plan.writes or plan.numbers) and transaction.read_only:
        transaction.open(block)  # which DuckDB is told of
    if plan.kind == MAKES_OF_QUERY:
        transaction.open(block)
    await session.references.open_block(plan, block)


def _only_reads(plan: Statement) -> bool:
    return not (plan.writes or plan.numbers or plan.setting or plan.locks or plan.federated)


async def as_it_runs(
    session: Session, plan: Statement, sql: str, values: Sequence[tuple[int, Any]] = ()
) -> str:
    """What it is made into, once it is known what it is about to meet. sql, values: as DuckDB would run it."""
    if plan.locks is not None:
        sql = await session.locking.lock(plan, sql, values)
    elif plan.kind in ("UPDATE", "DELETE") and not plan.federated:
        await session.locking.wait_to_write(sql, values)
    elif plan.kind == "INSERT" and not plan.federated:
        await session.inserted_keys.wait(plan, sql, values)
    if plan.inserts:
        sql = await session.own_inserts.in_levels(plan, sql, values)
    if plan.kind == MAKES_OF_QUERY:
        sql = await session.taken_over.made(plan, sql, values)
    return sql


def just_before(
    session: Session, plan: Statement, sql: str, values: Sequence[tuple[int, Any]] = ()
) -> None:
    """Blocks. sql, values: as DuckDB is about to run it."""
    session.constraints.look(session.duck, plan)
    session.references.sees_all = False
    if plan.upserts:
        session.upserts.check(session.duck, plan)
    if plan.through:
        check(session.duck, plan)
    if plan.deletes:
        session.references.follow(plan, sql, values)
    if plan.updates:
        session.references.change(plan, sql, values)
    if plan.setting:
        set_all(session, plan, values)


def just_after(session: Session, plan: Statement) -> None:
    """Blocks. Once it has written, its rows may still be to read."""
    if plan.deletes or plan.updates:
        session.references.finish()
    if plan.kind == MAKES_OF_QUERY:
        session.taken_over.finish()
