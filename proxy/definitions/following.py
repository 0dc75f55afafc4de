"""Views that follow what is renamed, where other transactions are at the same views.

Why it exists: to Postgres a rename changes no view, which knows what it reads by its number. Here the view's
text is made anew (`proxy.definitions.dependents`), and DuckDB refuses that to the later of two transactions: to one of two
of dbt's threads that put new tables in the place of two which one view reads.

Promises: in a block, a view that another transaction changes, or has changed since this one's snapshot, stays
as it is, and a notice says so; the rename happens. A DROP that takes views along waits a moment for those who
make them follow. Outside a block nothing is left out: what meets another's change fails with 40001.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from proxy.engines.duck.c import DuckError
from proxy.engines.duck.names import Meant
from proxy.errors import SqlError
from proxy.session.transaction import Block

if TYPE_CHECKING:
    from proxy.engines.duck.engine import DuckEngine
    from proxy.session.session import Session

Place = tuple[str, str]
"""A view's schema and name."""

Following = Sequence[tuple[Meant, list[str]]]
"""Views, and what makes each follow."""

_PATIENCE = 5.0  # seconds that a DROP waits


class Claims:
    """Which sessions' open blocks make which views anew, or drop them. On the event loop alone."""

    def __init__(self) -> None:
        self._by: dict[Place, Session] = {}
        self._released = asyncio.Condition()

    def claim(self, session: Session, place: Place) -> bool:
        """Whether the view is this session's to change; it is until its block ends."""
        return self._by.setdefault(place, session) is session

    def is_mine(self, session: Session, place: Place) -> bool:
        return self._by.get(place) is session

    async def release(self, session: Session) -> None:
        """The session's block is over."""
        mine = [place for place, by in self._by.items() if by is session]
        for place in mine:
            del self._by[place]
        if mine:
            async with self._released:
                self._released.notify_all()

    async def wait(self, session: Session) -> None:
        """Until nobody else has a claim, for a moment at most. Who has one himself does not wait."""
        if not self._by or session in self._by.values():
            return
        async with self._released:
            try:
                await asyncio.wait_for(self._released.wait_for(lambda: not self._by), _PATIENCE)
            except TimeoutError:
                return


async def free_to_follow(session: Session, following: Following) -> Following:
    """Those of the views that can be made to follow; the client is told of the others."""
    if not following or session.transaction.block is Block.NONE:
        return following
    claims = session.services.claims
    free, asked = [], []
    for view, _ in following:
        place = view.schema, view.name
        if claims.is_mine(session, place) or session.mirror.has_touched(view.name):
            free.append(place)
        elif claims.claim(session, place):
            asked.append(place)
    if asked:
        mine = await session.on_duck(session.duck.views)
        texts = [(schema, name, sql) for schema, name, sql in mine if (schema, name) in asked]
        free += await session.duck.call(_unchanged, session.services.duck, texts)
    for view, _ in following:
        if (view.schema, view.name) not in free:
            said = f'view "{view.name}" does not follow: another transaction changes it'
            session.notice(SqlError("00000", said), "NOTICE")
    return [one for one in following if (one[0].schema, one[0].name) in free]


def claim_dropped(session: Session, places: Iterable[Place]) -> None:
    """A block is about to drop what these name."""
    if session.transaction.block is not Block.NONE:
        for place in places:
            session.services.claims.claim(session, place)


def _unchanged(engine: DuckEngine, texts: Sequence[tuple[str, str, str]]) -> list[Place]:
    """Blocks. Those that are committed as a transaction sees them, and that nobody is changing."""
    found = []
    other = engine.session()
    try:
        committed = {(schema, name): sql for schema, name, sql in other.views()}
        for schema, name, sql in texts:
            if committed.get((schema, name)) != sql:
                continue
            again = sql.partition("CREATE ")[2]
            other.run("BEGIN TRANSACTION")
            try:
                other.run(f"CREATE OR REPLACE {again}")
                found.append((schema, name))
            except DuckError:
                continue
            finally:
                other.run("ROLLBACK")
    finally:
        other.close()
    return found
