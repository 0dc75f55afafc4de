"""IF [NOT] EXISTS that leaves a statement nothing to do: said in a notice, as Postgres says it.

Why it exists: DuckDB passes over such a statement in silence, and does not know IF EXISTS in some.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.sql.definitions.existence import Existence, existence
from proxy.sql.statement import Statement

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session

_NEEDS_ITS_OBJECT = ("COMMENT", "TRUNCATE TABLE")  # DuckDB's have no IF EXISTS


def needs_its_object(plan: Statement) -> bool:
    """Whether DuckDB could not even prepare it without what it is about."""
    return plan.kind in _NEEDS_ITS_OBJECT


async def without_its_object(session: Session, plan: Statement) -> bool:
    """Whether a statement that needs its object is about nothing there is."""
    return needs_its_object(plan) and await _idle(session, plan) is not None


async def existence_notice(session: Session, plan: Statement) -> bool:
    """Says so when IF [NOT] EXISTS leaves a statement nothing to do; True when it did."""
    about = await _idle(session, plan)
    if about is None:
        return False
    name = about.name[-1]
    if about.creates:
        what = f'schema "{name}"' if about.kind == "SCHEMA" else f'relation "{name}"'
        code = "42P06" if about.kind == "SCHEMA" else "42P07"
        session.notice(SqlError(code, f"{what} already exists, skipping"), "NOTICE")
    else:
        what = f'{about.kind.lower()} "{name}" does not exist, skipping'
        session.notice(SqlError("00000", what), "NOTICE")
    return True


async def _idle(session: Session, plan: Statement) -> Existence | None:
    """The IF [NOT] EXISTS that leaves a statement nothing to do."""
    judged = plan.ddl or needs_its_object(plan)
    about = existence(plan.text, session.dialect.name) if judged else None
    if about is None:
        return None
    kinds = ("TABLE", "VIEW") if about.creates and about.kind == "TABLE" else (about.kind,)
    there = await session.on_duck(_has, session.duck, kinds, about.name)
    return about if there == about.creates else None


def _has(duck: DuckSession, kinds: Sequence[str], name: tuple[str, ...]) -> bool:
    """Blocks."""
    return any(duck.has(kind, name) for kind in kinds)
