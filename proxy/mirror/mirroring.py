"""How the catalog's mirror in Postgres follows what sessions do to DuckDB's definitions.

Why it exists: a catalog question is answered by Postgres, so what CREATE, ALTER and DROP did must be
there by then: at once for the author, inside the author's transaction for nobody else, and gone with
its ROLLBACK. What is committed in DuckDB is mirrored while the client goes on, several statements'
definitions in one step where more than one waits; whoever asks about the catalog waits until what was
committed by then is there. What an open block defines is its author's (`session_mirror`).

Promises: what goes wrong with the mirror never fails a client's statement. It is noted, and made good:
a few names as soon as whoever holds them lets go, everything once Postgres is back. What sessions do
to one relation at the same time ends as DuckDB has it (`proxy.mirror.overlapping`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import psycopg
import structlog

from catalog.mirror import Document, MirrorConnection
from proxy.engines.catalog_reading import own_schema
from proxy.engines.duck import catalog as duck_catalog
from proxy.engines.duck.c import DuckError
from proxy.engines.duck.catalog import Target
from proxy.engines.duck.engine import DuckEngine
from proxy.engines.postgres import unreachable
from proxy.errors import SqlError
from proxy.mirror.moments import Event
from proxy.mirror.overlapping import EVERYWHERE, Change, Changes, Reach

log = structlog.get_logger()

T = TypeVar("T")

_RETRY = (0.1, 0.3, 1.0, 3.0, 10.0)  # seconds until the next attempt; the last one again and again
_BUSY = (
    "55P03",
    "40P01",
    "23505",
    "40001",
    "XX000",
)  # someone else's transaction is at the same relation
_MET = frozenset({"42P01", "42P07", "42701", "42703", "42704", "42710"})
"""What a document fails with that waited for another's transaction, which then changed the relation; or
with a name that Postgres cannot give, which no other look will change."""

_LOOKS = 3  # at what may have met another's

EVERYTHING = None
"""In place of targets: any of DuckDB's definitions may have changed."""

Targets = Sequence[Target] | None


@dataclass(frozen=True, slots=True)
class _Due:
    """What is committed in DuckDB and not mirrored yet."""

    targets: Targets
    change: Change
    reach: Reach


def _have_met(failures: Sequence[dict[str, str]]) -> bool:
    return any(failure["sqlstate"] in _MET for failure in failures)


class Mirror:
    """The server's mirror: what is committed in DuckDB. One for all sessions."""

    def __init__(self, duck: DuckEngine, conninfo: str, secret: str) -> None:
        self.secret = secret
        self._duck = duck.session()
        self._connection = MirrorConnection(conninfo, secret)
        self._lock = asyncio.Lock()
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.changes = Changes()
        # The folded names of materialized views seen so far. Replaced, never changed: threads read it.
        self.materialized: frozenset[str] = frozenset()
        self._due: list[_Due] = []
        self._following: list[_Due] = []  # ... of which somebody takes care just now
        self._follower: asyncio.Task[None] | None = None  # who takes what is due, or took the last
        self._stale: list[tuple[Sequence[Target], Change]] = []
        self._untold: list[Event] = []  # of what is looked at with everything
        self._all_stale = self._making_good = False
        self._retrying: asyncio.Task[None] | None = None

    @property
    def stale(self) -> bool:
        """Whether the mirror is known to lag behind."""
        return self._all_stale or bool(self._stale) or self._making_good

    def reconcile(self) -> None:
        """Blocks. Makes the mirror show all that DuckDB holds, by way of what differs.

        Raises psycopg.Error or `SqlError`.
        """
        self._in_transaction(self._reconcile)

    def follow(self, targets: Targets, change: Change, reach: Reach = EVERYWHERE) -> None:
        """Mirrors, soon, what is committed of `targets`; what cannot be is made good later.

        change: what they are of. It is ended here, once they are mirrored.
        """
        self._due.append(_Due(targets, change, reach))
        if len(self._due) == 1:  # with more, somebody is about to come for them
            self._follower = self._begun(self._follow())

    @property
    def due(self) -> bool:
        """Whether something is committed that is not mirrored yet."""
        return bool(self._due or self._following)

    def comes_first(self, reach: Reach) -> bool:
        """Whether something that is due has to be mirrored before what `reach` is of may happen."""
        return any(one.reach.meets(reach) for one in (*self._due, *self._following))

    async def followed(self) -> None:
        """Returns once what is due now is mirrored, or known to be left for later."""
        if self._follower is not None:
            await asyncio.shield(self._follower)

    async def _follow(self) -> None:
        async with self._lock:
            self._following, self._due = self._due, []
            try:
                while self._following:
                    together = self._together()
                    targets = [t for one in together for t in one.targets or ()]
                    everything = any(one.targets is EVERYTHING for one in together)
                    change = together[0].change
                    if len(together) > 1:
                        change = self.changes.merged(one.change for one in together)
                    await self._sync(EVERYTHING if everything else targets, change)
                    del self._following[: len(together)]
            finally:
                self._following = []

    def _together(self) -> list[_Due]:
        """The next that one look will do for: of what met another's, all is looked at by itself."""
        count = 1
        if not self._following[0].change.mixed:
            while count < len(self._following) and not self._following[count].change.mixed:
                count += 1
        return self._following[:count]

    def _begun(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Goes on whatever becomes of the session that waits: what it did to DuckDB is done."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(self) -> None:
        """Looks again at what a block, now committed, could not mirror on its own backend."""
        await asyncio.shield(self._begun(self._settle()))

    async def _settle(self) -> None:
        async with self._lock:
            try:
                left = await self._duck.call(self._connection.unsettled, helped=False)
            except psycopg.Error:
                self._all_stale = True
                return await self._again()
            if left:
                change = self.changes.begin()
                change.add(
                    None if any(name is None for _, name in left) else (n for _, n in left if n)
                )
                targets = [
                    target for schema, name in left for target in whatever(own_schema(schema), name)
                ]
                await self._sync(targets, change)

    async def apply(self, documents: Sequence[Document]) -> None:
        """Tells the mirror what is no definition, and the same to all. Raises SqlError 08006."""
        async with self._lock:
            try:
                await self._duck.call(self._connection.apply, documents, helped=False)
            except psycopg.Error as error:
                raise unreachable(str(error).strip()) from error

    async def catch_up(self) -> None:
        """Makes good now what was left, if Postgres is there; for a client who asks it anything."""
        async with self._lock:
            if self.stale:
                await self._again()

    async def stop(self) -> None:
        """No more attempts to make good; what is under way ends."""
        self._stopping = True
        if self._retrying is not None:
            self._retrying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._retrying
        if self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> None:
        """Blocks. Before the engine is closed."""
        self._connection.close()
        self._duck.close()

    # --- in a worker's thread -------------------------------------------------------------------

    def _in_transaction(self, step: Callable[..., T], *arguments: Any) -> T:
        """One look at DuckDB is one snapshot."""
        self._duck.begin()
        try:
            return step(*arguments)
        finally:
            with contextlib.suppress(SqlError, DuckError):
                self._duck.rollback()

    def note(self, documents: Iterable[Document]) -> None:
        """What there is that rows cannot be written to."""
        found = {d["name"].casefold() for d in documents if d["kind"] == "m"}
        if not found <= self.materialized:
            self.materialized = self.materialized | found

    def _reconcile(self, change: Change | None = None) -> list[dict[str, str]]:
        documents, schemas = duck_catalog.everything(self._duck)
        self.note(documents)
        connection = self._connection
        if change is not None:
            connection.apply([event.document() for event in change.events])
        untyped = connection.apply(duck_catalog.types(self._duck))  # before columns of them
        failures = connection.apply(connection.differences(documents, schemas))
        if _have_met(failures):
            failures = connection.apply(connection.differences(documents, schemas))
        connection.apply(duck_catalog.functions(self._duck))
        connection.apply(connection.miscounted(duck_catalog.rows(self._duck)))
        return self._reported([*untyped, *failures])

    def _look_and_apply(self, targets: Sequence[Target], change: Change) -> list[dict[str, str]]:
        if over := {name.casefold() for _, name in duck_catalog.views_on(self._duck, targets)}:
            change.add(over)  # before they are looked at: those who change them have to know
        documents = self._seen(targets, change)
        events = [event.document() for event in change.events]
        self.note(documents)
        views = {document["name"].casefold() for document in documents if document["kind"] == "v"}
        if not views <= change.names and not change.everything:
            change.add(views)  # found only now
            documents = self._seen(targets, change)
        failures = self._connection.apply([*events, *documents])
        busy = {(one["schema"], one["name"]) for one in failures if one["sqlstate"] in _BUSY}
        left = zip(change.events, events, strict=True)
        change.events = [one for one, said in left if (said["schema"], said["name"]) in busy]
        for _ in range(_LOOKS):
            if not _have_met(failures):
                break
            change.mixed = True  # the mirror is not as the change found it: all of it is looked at
            if any(failure["sqlstate"] in _BUSY for failure in failures):
                break
            failures = self._connection.apply(self._seen(targets, change))
        return self._reported(failures)

    def _look(self, targets: Sequence[Target], change: Change) -> list[Document]:
        return duck_catalog.changes(self._duck, looked_at(targets, change))

    def _seen(self, targets: Sequence[Target], change: Change) -> list[Document]:
        for _ in range(_LOOKS):  # DuckDB may lose sight of what is just being altered
            with contextlib.suppress(DuckError):
                return self._in_transaction(self._look, targets, change)
        return self._in_transaction(self._look, targets, change)

    @staticmethod
    def _reported(failures: list[dict[str, str]]) -> list[dict[str, str]]:
        for failure in failures:
            if failure["sqlstate"] not in _BUSY:
                log.warning("not mirrored", **failure)
        return [failure for failure in failures if failure["sqlstate"] in _BUSY]

    # --- on the loop ----------------------------------------------------------------------------

    async def _sync(self, targets: Targets, change: Change) -> None:
        if self._all_stale:
            self._untold += change.events
            change.end()
            return  # everything will be looked at
        busy: list[dict[str, str]] = []
        try:
            if targets is EVERYTHING:
                change.add(None)
                busy = await self._duck.call(self._in_transaction, self._reconcile, change)
            else:
                busy = await self._duck.call(self._look_and_apply, targets, change, helped=False)
        except (psycopg.Error, SqlError) as error:
            log.warning("the catalog's mirror is behind", error=str(error).strip())
            self._all_stale = True
        except Exception:
            log.exception("the catalog's mirror is behind")
            self._all_stale = True
        else:
            if busy and targets is EVERYTHING:
                self._all_stale = True
            elif busy:
                self._stale.append((targets or (), change))
        if not busy or self._all_stale:
            change.end()
        if self._all_stale:
            self._untold += change.events
        behind = self._all_stale or self._stale
        if behind and not self._stopping and (self._retrying is None or self._retrying.done()):
            self._retrying = asyncio.create_task(self._retry())

    async def _again(self) -> None:
        stale, self._stale = self._stale, []
        everything, self._all_stale = self._all_stale, False
        self._making_good = True  # until then, whoever asks has to wait
        try:
            change = self.changes.merged(change for _, change in stale)
            change.events[:0], self._untold = self._untold, []
            left = [target for targets, _ in stale for target in targets]
            await self._sync(EVERYTHING if everything else list(dict.fromkeys(left)), change)
        finally:
            self._making_good = False

    async def _retry(self) -> None:
        for attempt in range(1_000_000_000):
            await asyncio.sleep(_RETRY[min(attempt, len(_RETRY) - 1)])
            async with self._lock:
                if self.stale:
                    await self._again()
                if not self.stale:
                    return


def looked_at(targets: Sequence[Target], change: Change) -> Sequence[Target]:
    """`targets` of a change, with all that is to be looked at of them."""
    if not change.mixed:
        return targets
    return [
        replace(
            one,
            deep=True,
            kept=one.kept or one.indexed or one.commented or one.comment is not None,
            source=None if change.contested else one.source,
            indexed=False,
            commented=False,
            constrained=False,
            comment=None,
        )
        for one in targets
    ]


def whatever(schema: str, name: str | None) -> list[Target]:
    """All that a name may be, of a relation or an index; None: the schema."""
    if name is None:
        return [Target(schema, types=True)]
    return [Target(schema, name, index=True), Target(schema, name, deep=True)]
