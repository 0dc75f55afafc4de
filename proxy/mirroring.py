"""How the catalog's mirror in Postgres follows what sessions do to DuckDB's definitions.

Why it exists: a catalog question is answered by Postgres, so what CREATE, ALTER and DROP did must be
there by then: at once for the author, inside the author's transaction for nobody else, and gone with
its ROLLBACK. What is committed in DuckDB is mirrored while the client goes on, several statements'
definitions in one step where more than one waits; whoever asks about the catalog waits until what was
committed by then is there. Inside a block the names are noted, and mirrored on the session's own
backend, in its transaction, when the first question for Postgres comes.

Promises: what goes wrong with the mirror never fails a client's statement. It is noted, and made good:
a few names as soon as whoever holds them lets go, everything once Postgres is back. What sessions do
to one relation at the same time ends as DuckDB has it (`proxy.overlapping`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
import structlog

from catalog.mirror import APPLY, Document, MirrorConnection
from proxy.engines import duck_catalog
from proxy.engines.catalog_reading import own_schema
from proxy.engines.duck import DuckEngine, DuckSession
from proxy.engines.duck_catalog import Target
from proxy.engines.duckdb_c import DuckError
from proxy.errors import SqlError
from proxy.overlapping import Change, Changes
from proxy.sql.definitions import Touched
from proxy.sql.materialized import name_of_query
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
_MET = frozenset({"42P01", "42P07", "42701", "42703", "42704", "42710"})
"""What a document fails with that waited for another's transaction, which then changed the relation; or
with a name that Postgres cannot give, which no other look will change."""

_LOOKS = 3  # at what may have met another's

EVERYTHING = None
"""In place of targets: any of DuckDB's definitions may have changed."""

Targets = Sequence[Target] | None


@dataclass(frozen=True, slots=True)
class _Due:
    """What is committed in DuckDB and not mirrored yet. alone: it may concern more than it names."""

    targets: Targets
    change: Change
    alone: bool


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

    def follow(self, targets: Targets, change: Change, alone: bool) -> None:
        """Mirrors, soon, what is committed of `targets`; what cannot be is made good later.

        change: what they are of. It is ended here, once they are mirrored. alone: they may concern
        more than they name.
        """
        self._due.append(_Due(targets, change, alone))
        if len(self._due) == 1:  # with more, somebody is about to come for them
            self._follower = self._begun(self._follow())

    @property
    def due(self) -> bool:
        """Whether something is committed that is not mirrored yet."""
        return bool(self._due or self._following)

    def first(self, names: Set[str], alone: bool) -> bool:
        """Whether something that is due has to be mirrored before a change of `names`, folded."""
        return any(
            alone or one.alone or not names.isdisjoint(one.change.names)
            for one in (*self._due, *self._following)
        )

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
                    target
                    for schema, name in left
                    for target in _whatever(own_schema(schema), name)
                ]
                await self._sync(targets, change)

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

    def _reconcile(self) -> list[dict[str, str]]:
        documents, schemas = duck_catalog.everything(self._duck)
        self.note(documents)
        connection = self._connection
        failures = connection.apply(connection.differences(documents, schemas))
        if _have_met(failures):
            failures = connection.apply(connection.differences(documents, schemas))
        connection.apply(duck_catalog.types(self._duck))
        connection.apply(connection.miscounted(duck_catalog.rows(self._duck)))
        return self._reported(failures)

    def _look_and_apply(self, targets: Sequence[Target], change: Change) -> list[dict[str, str]]:
        if over := {name.casefold() for _, name in duck_catalog.views_on(self._duck, targets)}:
            change.add(over)  # before they are looked at: those who change them have to know
        documents = self._seen(targets, change)
        self.note(documents)
        views = {document["name"].casefold() for document in documents if document["kind"] == "v"}
        if not views <= change.names and not change.everything:
            change.add(views)  # found only now
            documents = self._seen(targets, change)
        failures = self._connection.apply(documents)
        for _ in range(_LOOKS):
            if not _have_met(failures):
                break
            change.mixed = True  # the mirror is not as the change found it: all of it is looked at
            if any(failure["sqlstate"] in _BUSY for failure in failures):
                break
            failures = self._connection.apply(self._seen(targets, change))
        return self._reported(failures)

    def _look(self, targets: Sequence[Target], change: Change) -> list[Document]:
        return duck_catalog.changes(self._duck, _looked_at(targets, change))

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
            change.end()
            return  # everything will be looked at
        busy: list[dict[str, str]] = []
        try:
            if targets is EVERYTHING:
                change.add(None)
                busy = await self._duck.call(self._in_transaction, self._reconcile)
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
        behind = self._all_stale or self._stale
        if behind and not self._stopping and (self._retrying is None or self._retrying.done()):
            self._retrying = asyncio.create_task(self._retry())

    async def _again(self) -> None:
        stale, self._stale = self._stale, []
        everything, self._all_stale = self._all_stale, False
        self._making_good = True  # until then, whoever asks has to wait
        try:
            change = self.changes.merged(change for _, change in stale)
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


class SessionMirror:
    """One session's part: what its open block has touched, and its author's view of that."""

    def __init__(self, session: Session, mirror: Mirror | None) -> None:
        self._session, self._mirror = session, mirror
        self._pending: list[Target] = []  # touched in the block, and not mirrored in it
        self._mirrored: list[Target] = []  # ... and mirrored, on the session's own backend
        self._everything = False
        self._change: Change | None = None  # the block's, or the statement's that runs
        self._begun: list[Target] | None = []  # what that statement is about to change; None: all
        self._alone = False  # ... and may concern more than it names
        self.temporary = TemporaryRelations(session)

    async def changing(self, touched: Sequence[Touched]) -> None:
        """A statement of DuckDB's is about to run that may change definitions."""
        touched = [item for item in touched if not item.temporary]
        if not touched or self._mirror is None:
            return
        names = {n.casefold() for item in touched for n in (item.name, item.renamed) if n}
        alone = any(map(_is_alone, touched))
        if self._mirror.due and self._mirror.first(names, alone):
            await self._mirror.followed()
        if self._session.transaction.block is Block.NONE:
            self.failed()
        if self._change is None:
            self._change = self._mirror.changes.begin()
        if any(item.everything or item.name is None for item in touched):
            self._change.add(None)
        self._change.add(names)
        self._alone |= alone
        self._begun = self._meant(touched)

    async def changed(self, touched: Sequence[Touched]) -> None:
        """... has run, after `changing`."""
        if not touched or self._mirror is None:
            return
        self.temporary.touched(touched)
        touched = [item for item in touched if not item.temporary]
        if not touched:
            return
        targets = self._meant(touched)
        self._begun = []
        if self._session.transaction.block is Block.NONE:
            await self._committed(targets)
        elif targets is EVERYTHING:
            self._everything = True
        else:
            self._pending += targets

    async def _committed(self, targets: Targets) -> None:
        assert self._mirror is not None
        change, self._change = self._change or self._mirror.changes.begin(), None
        alone, self._alone = self._alone, False
        self._mirror.follow(targets, change, alone or targets is EVERYTHING)
        if any(name_of_query(target.name or "") is not None for target in targets or ()):
            await self._mirror.followed()  # a materialized view: then writes to it are refused

    def has_touched(self, name: str) -> bool:
        """Whether the open block has defined something of this name."""
        folded = name.casefold()
        return any(
            folded in (one.casefold() for one in (target.name, target.renamed) if one)
            for target in (*self._pending, *self._mirrored)
        )

    def failed(self) -> None:
        """A statement has failed: what it was about to change does not come."""
        self._begun = []
        if self._session.transaction.block is Block.NONE:
            self._end()

    def _end(self) -> None:
        if self._change is not None:
            self._change.end()
            self._change = None
        self._alone = False

    async def close(self) -> None:
        """The session is over, amid whatever it did: that may be committed and not mirrored yet."""
        begun, self._begun = self._begun, []
        if self._mirror is None or self._change is None:
            return
        everything = self._everything or begun is EVERYTHING
        left = _again([*self._pending, *self._mirrored, *(begun or ())])
        if everything or left:
            await self._committed(EVERYTHING if everything else left)
        self._end()

    @property
    def quiet(self) -> bool:
        """Outside a block: `before_question` has nothing to do."""
        mirror = self._mirror
        return mirror is None or not (mirror.stale or mirror.due or self.temporary.due)

    async def before_question(self, catalog: bool = True) -> None:
        """Something is about to be asked of Postgres: what the client did must be there.

        catalog: the question may be about what the catalog tells of.
        """
        mirror, session = self._mirror, self._session
        if mirror is None:
            return
        if mirror.due and (catalog or self._pending or self._everything):
            await mirror.followed()
        if mirror.stale:
            await mirror.catch_up()
        begin = session.transaction.postgres_begin()
        if (self._pending or self._everything) and begin is not None:
            await self._follow(mirror, begin)
        if catalog and self.temporary.due:
            await self.temporary.follow(mirror.secret, begin)

    async def _follow(self, mirror: Mirror, begin: str) -> None:
        """Mirrors in the session's transaction what its open block has touched."""
        session, change = self._session, self._change
        pending = self._pending if change is None else _looked_at(self._pending, change)
        documents = await session.on_duck(
            self._look, session.duck, EVERYTHING if self._everything else pending
        )
        mirror.note(documents)
        self._mirrored += self._pending
        self._mirrored += [  # those that columns count by are nobody's target
            Target(own_schema(document["schema"]), document["name"], deep=True)
            for document in documents
            if document["kind"] == "S"
        ]
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
        made = [{"kind": "schema", "name": name} for name in schemas]
        return [*made, *duck_catalog.types(duck), *documents]

    async def ended(self, committed: bool, half: bool) -> None:
        """The block is over. half: Postgres committed it and DuckDB did not."""
        self.temporary.ended(committed)
        pending, self._pending = self._pending, []
        mirrored, self._mirrored = self._mirrored, []
        everything, self._everything = self._everything, False
        if self._mirror is None:
            return
        mixed = self._change is not None and self._change.mixed
        if mirrored and (half or (committed and mixed)):
            pending += _again(mirrored)  # others may have looked at what was not final
        if (committed or half) and (pending or everything):
            await self._committed(EVERYTHING if everything else pending)
        elif self._begun == [] or not committed:  # no statement that is still to be mirrored
            self._end()
        if committed and mirrored:
            await self._mirror.settle()

    def _meant(self, touched: Sequence[Touched]) -> list[Target] | None:
        everything = any(item.everything for item in touched)
        return EVERYTHING if everything else list(self._targets(touched))

    def _targets(self, touched: Iterable[Touched]) -> Iterable[Target]:
        path = None
        for item in touched:
            if item.schema is not None:
                schemas = ["main" if item.schema == "public" else item.schema]
            elif item.name is None and not item.types:
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
                    native=self._session.dialect.name == "postgres",
                    index=item.index,
                    indexed=item.indexed,
                    constrained=item.constrained,
                    comment=item.comment if len(schemas) == 1 else None,
                    commented=item.comment is not None and len(schemas) > 1,
                    types=item.types,
                )


def _is_alone(item: Touched) -> bool:
    """Whether what a statement changes may concern relations that it does not name."""
    plain = item.name is not None and item.renamed is None
    return not plain or item.everything or item.views or item.index


def _looked_at(targets: Sequence[Target], change: Change) -> Sequence[Target]:
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


def _again(targets: Sequence[Target]) -> list[Target]:
    """The names of `targets`, whatever was done to them."""
    names = {(t.schema, name) for t in targets for name in (t.name, t.renamed or t.name)}
    return [target for name in names for target in _whatever(*name)]


def _whatever(schema: str, name: str | None) -> list[Target]:
    """All that a name may be, of a relation or an index; None: the schema."""
    if name is None:
        return [Target(schema)]
    return [Target(schema, name, index=True), Target(schema, name, deep=True)]


def schemas_of(search_path: str) -> list[str]:
    """DuckDB's schemas in which a name without one may be."""
    return list(dict.fromkeys([*schemas_named(search_path), "main"]))


def schemas_named(search_path: str) -> list[str]:
    """DuckDB's names of the schemas that a search_path names."""
    names = [name.strip().strip('"') for name in search_path.split(",")]
    return ["main" if name == "public" else name for name in names if name and name != "$user"]


def in_postgres(name: str, value: str) -> str:
    """A setting's value as Postgres is given it: there, `main` is called `public`."""
    if name != "search_path":
        return value
    names = [part.strip() for part in value.split(",")]
    return ", ".join("public" if part in ("main", '"main"') else part for part in names)
