"""A session's temporary relations in the catalog: real temporary relations on its own backend.

Why it exists: what a client made with CREATE TEMPORARY TABLE it looks up in the catalog like any
other - dbt asks `information_schema.columns` for the table that it has just filled - and Postgres
answers about temporary relations only on the connection that has them. So they are mirrored there,
when the catalog is asked and not before, and the backend then stays with its session until they are
gone: their OIDs hold between one question and the next.

Promises: what is mirrored is what DuckDB has, in a block and after its ROLLBACK as well as outside.
A backend that is lost takes nothing along that cannot be made again: the next question does that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from catalog.mirror import APPLY, Document
from proxy.engines.duck import catalog as duck_catalog
from proxy.engines.duck.session import DuckSession
from proxy.session.transaction import Block
from proxy.sql.definitions.touched import Touched
from proxy.sql.traces import Trace

if TYPE_CHECKING:
    from proxy.engines.backend import Backend
    from proxy.session.session import Session


class TemporaryRelations:
    """One session's. Names are DuckDB's, told apart without regard to case."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, str] = {}  # all that there may be, by their names in lower case
        self._pending: dict[str, bool] = {}  # those to look at, and whether deeply
        self._renamed: list[Document] = []
        self._going: list[str] = []
        self._look = False  # which there are is not known
        self._backend: Backend | None = None  # which has what is not pending
        self._in_block = False  # something was mirrored in the block that is open

    def touched(self, items: Sequence[Touched]) -> None:
        """A statement of DuckDB's may have changed these."""
        for item in items:
            if item.everything:
                self._look = True
            elif item.index:
                self._pending |= dict.fromkeys(self._known, True)  # whose it was is not said
            elif item.name is not None and self._may_be(item):
                deep = item.deep or item.indexed or item.constrained or item.comment is not None
                self._note(item.name, deep)
                if item.renamed is not None:
                    rename = {"kind": "rename", "schema": "pg_temp", "name": item.name}
                    self._renamed.append(rename | {"new": item.renamed})
                    self._note(item.renamed, deep=True)

    def is_known(self, item: Touched) -> bool:
        """Whether a statement about it is about one of these, or was, before `touched`."""
        return item.name is not None and item.event != "made" and self._may_be(item)

    def _may_be(self, item: Touched) -> bool:
        assert item.name is not None
        if item.temporary:
            return True
        return item.schema in (None, "main", "public") and item.name.casefold() in self._known

    def _note(self, name: str, deep: bool) -> None:
        key = name.casefold()
        self._known[key] = name
        self._pending[key] = deep or self._pending.get(key, False)

    @property
    def due(self) -> bool:
        """Whether a question about the catalog needs `follow` first."""
        if not self._known and not self._look:
            return False
        backend = self._backend
        lost = backend is None or not backend.alive or backend is not self._session.relay.backend
        return lost or self._look or bool(self._pending)

    def look_at_all(self) -> None:
        """What was mirrored may be gone from the backend: the block, or a part of it, is undone."""
        self._pending |= dict.fromkeys(self._known, True)
        self._renamed.clear()

    def gone_at_end(self, name: str) -> None:
        """The block's end drops it (ON COMMIT DROP)."""
        self._going.append(name)

    def ended(self, committed: bool) -> None:
        """The block is over."""
        for name in self._going:
            self._note(name, deep=True)
        self._going.clear()
        if self._in_block and not committed:
            self.look_at_all()
        self._in_block = False

    def discarded(self) -> None:
        """DISCARD has dropped them on both sides."""
        self._known.clear()
        self._pending.clear()
        self._renamed.clear()
        self._look = False

    async def follow(self, secret: str, begin: str | None) -> None:
        """Makes the session's backend have what there is. Raises `SqlError`, `Told`."""
        relay, transaction = self._session.relay, self._session.transaction
        if transaction.read_only and not relay.in_transaction:
            begin = None  # what may only read may not define: before it, then
        if relay.backend is not self._backend or self._backend is None or not self._backend.alive:
            self.look_at_all()
        wanted = {self._known[key]: deep for key, deep in self._pending.items()}
        renames, self._renamed = self._renamed, []
        documents = await self._session.on_duck(
            self._seen, self._session.duck, None if self._look else wanted
        )
        if self._look:
            there = {document["name"].casefold() for document in documents}
            gone = (name for key, name in self._known.items() if key not in there)
            documents += [{"kind": "gone", "schema": "pg_temp", "name": name} for name in gone]
            self._known |= {d["name"].casefold(): d["name"] for d in documents}
        self._look = False
        self._pending.clear()
        if self._session.transaction.block is Block.NONE:
            for document in documents:
                if document["kind"] == "gone":
                    self._known.pop(document["name"].casefold(), None)
        there = [document for document in documents if document["kind"] != "gone"]
        if relay.backend is None and not there:
            return  # a backend that is fresh has none
        await relay.call(APPLY, [secret, json.dumps([*renames, *documents]), "false"], begin)
        relay.leaves(Trace.KNOWN)
        self._backend = relay.backend
        if relay.in_transaction or self._session.transaction.block is Block.PIPELINE:
            self._in_block = True

    def _seen(self, duck: DuckSession, names: dict[str, bool] | None) -> list[Document]:
        """Blocks."""
        if self._session.transaction.duck_open:
            return duck_catalog.temporary(duck, names)
        duck.begin()
        try:
            return duck_catalog.temporary(duck, names)
        finally:
            duck.rollback()
