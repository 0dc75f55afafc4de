"""How the catalog's mirror in Postgres follows what sessions do to DuckDB's definitions.

Why it exists: a catalog question is answered by Postgres, so what CREATE, ALTER and DROP did must be
there by then: at once for the author, inside the author's transaction for nobody else, and gone with
its ROLLBACK. Outside a block the mirror is brought up to date before the statement is answered.
Inside one the names are noted, and mirrored on the session's own backend, in its transaction, when
the first question for Postgres comes; what has not been by COMMIT is mirrored after it.

Promises: what goes wrong with the mirror never fails a client's statement. It is noted, and made good:
a few names as soon as whoever holds them lets go, everything once Postgres is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
import structlog

from catalog.mirror import APPLY, Document, MirrorConnection
from proxy.engines import duck_catalog
from proxy.engines.duck import DuckEngine, DuckSession
from proxy.engines.duck_catalog import Target
from proxy.engines.duckdb_c import DuckError
from proxy.errors import SqlError
from proxy.sql.definitions import Touched
from proxy.temporary import TemporaryRelations
from proxy.transaction import Block

if TYPE_CHECKING:
    from proxy.session import Session

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
EVERYTHING = None
"""In place of targets: any of DuckDB's definitions may have changed."""

Targets = Sequence[Target] | None


class Mirror:
    """The server's mirror: what is committed in DuckDB. One for all sessions."""

    def __init__(self, duck: DuckEngine, conninfo: str, secret: str) -> None:
        self.secret = secret
        self._duck = duck.session()
        self._connection = MirrorConnection(conninfo, secret)
        self._lock = asyncio.Lock()
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._stale: list[Target] = []
        self._all_stale = self._making_good = False
        self._retrying: asyncio.Task[None] | None = None
        self.waiting = 0  # calls of `sync` under way

    @property
    def stale(self) -> bool:
        """Whether the mirror is known to lag behind."""
        return self._all_stale or bool(self._stale) or self._making_good

    def reconcile(self) -> None:
        """Blocks. Makes the mirror show all that DuckDB holds, by way of what differs.

        Raises psycopg.Error or `SqlError`.
        """
        self._in_transaction(self._reconcile)

    async def sync(self, targets: Targets) -> None:
        """Mirrors what is committed of `targets`; what cannot be is made good later."""
        await self._to_the_end(self._alone(targets))

    async def _alone(self, targets: Targets) -> None:
        self.waiting += 1
        try:
            async with self._lock:
                await self._sync(targets)
        finally:
            self.waiting -= 1

    async def _to_the_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Whatever becomes of the session that waits: what it did to DuckDB is done."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def settle(self) -> None:
        """Looks again at what a block, now committed, could not mirror on its own backend."""
        await self._to_the_end(self._settle())

    async def _settle(self) -> None:
        async with self._lock:
            try:
                left = await self._duck.call(self._connection.unsettled)
            except psycopg.Error:
                self._all_stale = True
                return await self._again()
            if left:
                named = [(duck_catalog.own_schema(schema), name) for schema, name in left]
                await self._sync([Target(schema, name, deep=True) for schema, name in named])

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

    def _reconcile(self) -> list[dict[str, str]]:
        documents, schemas = duck_catalog.everything(self._duck)
        connection = self._connection
        failures = connection.apply(connection.differences(documents, schemas))
        connection.apply(connection.miscounted(duck_catalog.rows(self._duck)))
        return self._reported(failures)

    def _look_and_apply(self, targets: Sequence[Target]) -> list[dict[str, str]]:
        return self._reported(self._connection.apply(duck_catalog.changes(self._duck, targets)))

    @staticmethod
    def _reported(failures: list[dict[str, str]]) -> list[dict[str, str]]:
        for failure in failures:
            if failure["sqlstate"] not in _BUSY:
                log.warning("not mirrored", **failure)
        return [failure for failure in failures if failure["sqlstate"] in _BUSY]

    # --- on the loop ----------------------------------------------------------------------------

    async def _sync(self, targets: Targets) -> None:
        if self._all_stale:
            return  # everything will be looked at
        try:
            if targets is EVERYTHING:
                busy = await self._duck.call(self._in_transaction, self._reconcile)
            else:
                busy = await self._duck.call(self._in_transaction, self._look_and_apply, targets)
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
                self._stale += targets or ()
        behind = self._all_stale or self._stale
        if behind and not self._stopping and (self._retrying is None or self._retrying.done()):
            self._retrying = asyncio.create_task(self._retry())

    async def _again(self) -> None:
        stale, self._stale = self._stale, []
        everything, self._all_stale = self._all_stale, False
        self._making_good = True  # until then, whoever asks has to wait
        try:
            await self._sync(EVERYTHING if everything else list(dict.fromkeys(stale)))
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


class SessionMirror:
    """One session's part: what its open block has touched, and its author's view of that."""

    def __init__(self, session: Session, mirror: Mirror | None) -> None:
        self._session, self._mirror = session, mirror
        self._pending: list[Target] = []  # touched in the block, and not mirrored in it
        self._mirrored: list[Target] = []  # ... and mirrored, on the session's own backend
        self._everything = False
        self.temporary = TemporaryRelations(session)

    async def changed(self, touched: Sequence[Touched]) -> None:
        """A statement of DuckDB's that may have changed definitions has run."""
        if not touched or self._mirror is None:
            return
        self.temporary.touched(touched)
        touched = [item for item in touched if not item.temporary]
        if not touched:
            return
        everything = any(item.everything for item in touched)
        targets = [] if everything else list(self._targets(touched))
        if self._session.transaction.block is Block.NONE:
            await self._mirror.sync(EVERYTHING if everything else targets)
        else:
            self._everything = self._everything or everything
            self._pending += targets

    @property
    def quiet(self) -> bool:
        """Outside a block: `before_question` has nothing to do."""
        return self._mirror is None or not (self._mirror.stale or self.temporary.due)

    async def before_question(self, catalog: bool = True) -> None:
        """Something is about to be asked of Postgres: what the client did must be there.

        catalog: the question may be about the session's temporary relations.
        """
        mirror, session = self._mirror, self._session
        if mirror is None:
            return
        if mirror.stale:
            await mirror.catch_up()
        begin = session.transaction.postgres_begin()
        if (self._pending or self._everything) and begin is not None:
            await self._follow(mirror, begin)
        if catalog and self.temporary.due:
            await self.temporary.follow(mirror.secret, begin)

    async def _follow(self, mirror: Mirror, begin: str) -> None:
        """Mirrors in the session's transaction what its open block has touched."""
        session = self._session
        documents = await session.on_duck(
            self._look, session.duck, EVERYTHING if self._everything else self._pending
        )
        self._mirrored += self._pending
        self._pending = []
        await session.relay.call(APPLY, [mirror.secret, json.dumps(documents), "true"], begin)

    def went_back(self) -> None:
        """To a savepoint: what was mirrored since is undone, and to be looked at again."""
        self._pending += _again(self._mirrored)
        self._mirrored = []
        self.temporary.look_at_all()

    @staticmethod
    def _look(duck: DuckSession, targets: Targets) -> list[Document]:
        """Blocks."""
        if targets is not EVERYTHING:
            return duck_catalog.changes(duck, targets)
        documents, schemas = duck_catalog.everything(duck)
        return [*({"kind": "schema", "name": name} for name in schemas), *documents]

    async def ended(self, committed: bool, half: bool) -> None:
        """The block is over. half: Postgres committed it and DuckDB did not."""
        self.temporary.ended(committed)
        pending, self._pending = self._pending, []
        mirrored, self._mirrored = self._mirrored, []
        everything, self._everything = self._everything, False
        if self._mirror is None:
            return
        if mirrored and (half or (committed and self._mirror.waiting)):
            pending += _again(mirrored)  # others may have looked at what was not final
        if (committed or half) and (pending or everything):
            await self._mirror.sync(EVERYTHING if everything else pending)
        if committed and mirrored:
            await self._mirror.settle()

    def _targets(self, touched: Iterable[Touched]) -> Iterable[Target]:
        path = None
        for item in touched:
            if item.schema is not None:
                schemas = ["main" if item.schema == "public" else item.schema]
            elif item.name is None:
                continue
            else:
                path = path or schemas_of(self._session.settings.get("search_path"))
                schemas = path
            for schema in schemas:
                yield Target(
                    schema,
                    item.name,
                    deep=item.deep,
                    kept=item.kept,
                    views=item.views,
                    rows=item.rows,
                    renamed=item.renamed,
                    source=item.source,
                    index=item.index,
                    indexed=item.indexed,
                    constrained=item.constrained,
                    comment=item.comment if len(schemas) == 1 else None,
                    commented=item.comment is not None and len(schemas) > 1,
                )


def _again(targets: Sequence[Target]) -> list[Target]:
    """The names of `targets`, whatever was done to them."""
    names = {(t.schema, name) for t in targets for name in (t.name, t.renamed or t.name)}
    return [Target(schema, name, deep=True) for schema, name in names]


def schemas_of(search_path: str) -> list[str]:
    """DuckDB's schemas in which a name without one may be."""
    names = [name.strip().strip('"') for name in search_path.split(",")]
    found = ["main" if name == "public" else name for name in names if name != "$user"]
    return list(dict.fromkeys([*found, "main"]))


def in_postgres(name: str, value: str) -> str:
    """A setting's value as Postgres is given it: there, `main` is called `public`."""
    if name != "search_path":
        return value
    names = [part.strip() for part in value.split(",")]
    return ", ".join("public" if part in ("main", '"main"') else part for part in names)
