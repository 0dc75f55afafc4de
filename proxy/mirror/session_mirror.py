"""What one session defines, on its way into the catalog's mirror.

Why it exists: beside `mirroring`, which is the server's, as the author of an open block sees what
nobody else does: its definitions are noted, and mirrored on the session's own backend, in its
transaction, when the first question for Postgres comes. What is committed, the server's mirror follows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from catalog.mirror import APPLY, Document
from proxy.engines.catalog_reading import own_schema
from proxy.engines.duck import catalog as duck_catalog
from proxy.engines.duck.catalog import Target
from proxy.engines.duck.session import DuckSession
from proxy.mirror.mirroring import EVERYTHING, Mirror, Targets, looked_at, whatever
from proxy.mirror.moments import Event, events_of
from proxy.mirror.overlapping import EVERYWHERE, Change, Reach, reach_of
from proxy.mirror.temporary import TemporaryRelations
from proxy.session.transaction import Block
from proxy.sql.definitions.materialized import name_of_query
from proxy.sql.definitions.touched import Touched
from proxy.sql.quoting import name_as_needed, names_listed

if TYPE_CHECKING:
    from proxy.session.session import Session


class SessionMirror:
    """One session's part: what its open block has touched, and its author's view of that."""

    def __init__(self, session: Session, mirror: Mirror | None) -> None:
        self._session, self._mirror = session, mirror
        self._pending: list[Target] = []  # touched in the block, and not mirrored in it
        self._mirrored: list[Target] = []  # ... and mirrored, on the session's own backend
        self._everything = False
        self._events: list[Event] = []  # of the block
        self._told = 0  # how many of them Postgres knows of, in the block's transaction there
        self._change: Change | None = None  # the block's, or the statement's that runs
        self._begun: list[Target] | None = []  # what that statement is about to change; None: all
        self._reach = Reach()  # of the change
        self.temporary = TemporaryRelations(session)

    async def changing(self, touched: Sequence[Touched]) -> None:
        """A statement of DuckDB's is about to run that may change definitions."""
        touched = [item for item in touched if not item.temporary]
        if not touched or self._mirror is None:
            return
        reach = reach_of(touched)
        if self._mirror.due and self._mirror.comes_first(reach):
            await self._mirror.followed()
        if self._session.transaction.block is Block.NONE:
            self.failed()
        if self._change is None:
            self._change = self._mirror.changes.begin()
        if any(item.everything or item.name is None for item in touched):
            self._change.add(None)
        self._change.add(reach.names)
        self._reach |= reach
        self._begun = self._meant(touched)

    async def changed(self, touched: Sequence[Touched]) -> None:
        """... has run, after `changing`."""
        if not touched or self._mirror is None:
            return
        lasting = [item for item in touched if not item.temporary]
        meant = [item for item in lasting if not self.temporary.is_known(item)]
        self.temporary.touched(touched)
        if not lasting:
            return
        targets = self._meant(lasting)
        self._begun = []
        path = schemas_of(self._session.settings.get("search_path"))
        self._events += events_of(meant, path)
        if self._session.transaction.block is Block.NONE:
            await self._committed(targets)
        elif targets is EVERYTHING:
            self._everything = True
        else:
            self._pending += targets

    async def _committed(self, targets: Targets) -> None:
        assert self._mirror is not None
        change, self._change = self._change or self._mirror.changes.begin(), None
        reach, self._reach = self._reach, Reach()
        change.events += self._events[self._told :]
        self._events, self._told = [], 0
        self._mirror.follow(targets, change, EVERYWHERE if targets is EVERYTHING else reach)
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
        self._reach = Reach()

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

    async def before_question(self, catalog: bool = True, positions: bool = False) -> None:
        """Something is about to be asked of Postgres: what the client did must be there.

        catalog: the question may be about what the catalog tells of. positions: about where sequences stand.
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
        if positions:
            documents = await session.on_duck(duck_catalog.positions, session.duck)
            if self._mirrored:  # its own transaction may hold them
                await session.relay.call(
                    APPLY, [mirror.secret, json.dumps(documents), "false"], begin
                )
            else:
                await mirror.apply(documents)

    async def _follow(self, mirror: Mirror, begin: str) -> None:
        """Mirrors in the session's transaction what its open block has touched."""
        session, change = self._session, self._change
        pending = self._pending if change is None else looked_at(self._pending, change)
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
        events = [event.document() for event in self._events[self._told :]]
        self._told = len(self._events)
        given = json.dumps([*events, *documents])
        await session.relay.call(APPLY, [mirror.secret, given, "true"], begin)

    def mark(self) -> tuple[int, int]:
        """A savepoint is set: where `went_back` goes to."""
        return len(self._events), self._told

    def went_back(self, mark: tuple[int, int]) -> None:
        """To a savepoint: what was mirrored since is undone, and to be looked at again."""
        events, told = mark
        del self._events[events:]
        self._told = min(self._told, told)
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
        functions = duck_catalog.functions(duck)
        return [*made, *duck_catalog.types(duck), *documents, *functions]

    async def ended(self, committed: bool, half: bool) -> None:
        """The block is over. half: Postgres committed it and DuckDB did not."""
        self.temporary.ended(committed)
        pending, self._pending = self._pending, []
        mirrored, self._mirrored = self._mirrored, []
        everything, self._everything = self._everything, False
        if not committed:
            self._events, self._told = [], 0
        if self._mirror is None:
            return
        mixed = self._change is not None and self._change.mixed
        if mirrored and (half or (committed and mixed)):
            pending += _again(mirrored)  # others may have looked at what was not final
        if (committed or half) and (pending or everything):
            await self._committed(EVERYTHING if everything else pending)
        elif self._begun == [] or not committed:  # no statement that is still to be mirrored
            self._end()
            self._events, self._told = [], 0
        if committed and mirrored:
            await self._mirror.settle()

    def _meant(self, touched: Sequence[Touched]) -> list[Target] | None:
        everything = any(item.everything for item in touched)
        return EVERYTHING if everything else list(self._targets(touched))

    def _targets(self, touched: Iterable[Touched]) -> Iterable[Target]:
        path = None
        for item in touched:
            if item.schema == "":
                continue  # the database
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


def _again(targets: Sequence[Target]) -> list[Target]:
    """The names of `targets`, whatever was done to them."""
    names = {(t.schema, name) for t in targets for name in (t.name, t.renamed or t.name)}
    return [target for name in names for target in whatever(*name)]


def schemas_of(search_path: str) -> list[str]:
    """DuckDB's schemas in which a name without one may be."""
    return list(dict.fromkeys([*schemas_named(search_path), "main"]))


def schemas_named(search_path: str) -> list[str]:
    """DuckDB's names of the schemas that a search_path names."""
    names = names_listed(search_path)
    return ["main" if name == "public" else name for name in names if name and name != "$user"]


def in_postgres(name: str, value: str) -> str:
    """A setting's value as Postgres is given it: there, `main` is called `public`."""
    if name != "search_path":
        return value
    names = names_listed(value)
    if "main" not in names:
        return value
    return ", ".join(name_as_needed("public" if name == "main" else name) for name in names)
