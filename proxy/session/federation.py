"""Statements over both engines: what they read of Postgres is brought to DuckDB, and they run there.

Why not DuckDB's own way to Postgres: it opens connections of its own, which see nothing of the
session's open transaction, cannot be cancelled while they wait, and once attached are everybody's.
Here Postgres is asked by the session's own backend: as the client's role, with its row-level
policies, its search_path and its transaction. What DuckDB's plan of the statement would read is
asked for - those columns, filtered by what means the same in both engines - in one COPY, and so in
one snapshot; it goes by the chunk into temporary tables, which spill to disk.

Promises: Postgres sees one read, and is done with it before the first row leaves; what an open
transaction wrote is seen; a statement that cannot be told apart from one of DuckDB's by its text,
because a view hides the relation, is found when it is bound, and reads as the one who runs it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxy.engines.duck.errors import EngineError
from proxy.engines.foreign import (
    Call,
    Foreign,
    calls_query,
    columns_query,
    copy_binary,
    duck_value,
    read_calls,
    read_columns,
    rows_query,
    values_query,
)
from proxy.engines.stand_ins import Filling, StandIns
from proxy.errors import SqlError
from proxy.session.transaction import Block
from proxy.sql.federated import ANALYZED, called, stands_for, without_explain
from proxy.sql.statement import Statement
from proxy.wire.copying.sent import only_text

if TYPE_CHECKING:
    from proxy.session.session import Session

# In bytes: what is worth a round of kernels, and what may wait for the round before.
_CHUNK = 1 << 21
_MOST_WAITING = 1 << 22

_READ_NOTHING = frozenset({"CREATE VIEW", "DESCRIBE"})
_CANCELED = "canceling statement due to user request"


class Federation:
    """One session's statements over both engines, of which one runs at a time.

    spent: the statement has started, and what stood in for Postgres's relations can go.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stand_ins = StandIns(session.duck)
        self._cancelled = self._asking = False
        self._stopping: asyncio.Task[None] | None = None  # tells Postgres to stop
        self.spent = False
        self.asked = ""  # what the last statement asks of Postgres

    @staticmethod
    def widened(plan: Statement, error: EngineError) -> Statement:
        """The statement with the relation that a view in it reads. Raises the error if it is other."""
        relation = stands_for(error.missing)
        if relation is None or relation in plan.federated:
            raise error
        return replace(plan, federated=(*plan.federated, relation))

    async def show(self, plan: Statement) -> list[Foreign]:
        """Puts the relations in place without rows, so that a statement over them can be bound."""
        if not plan.federated:
            return []
        await self.close()
        self._cancelled = False
        foreign = await self._columns(plan)
        await self._show(foreign)
        calls = await self._calls(plan)
        await self._define(dict.fromkeys(calls))
        return foreign

    async def open(
        self, plan: Statement, sql: str, values: Sequence[Any] = (), shown: Sequence[Foreign] = ()
    ) -> Statement:
        """Brings what a statement reads of Postgres; it is to be started next, once.

        sql: the statement's, with values for its $1..$n. shown: what `show` has just put in place
        for it. Returns it with all relations that it reads. Raises SqlError: Postgres's refusals
        and DuckDB's.
        """
        if not shown:
            await self.close()
        self.spent, self._cancelled, self.asked = False, False, ""
        # What DuckDB's plan says holds for the snapshot on which the statement then runs. Postgres
        # needs no block for its one read, unless the client has one.
        self._session.transaction.open(Block.PIPELINE)
        try:
            return await self._bring(plan, sql, values, shown)
        except BaseException:
            self.spent = True
            raise

    async def _bring(
        self, plan: Statement, sql: str, values: Sequence[Any], foreign: Sequence[Foreign]
    ) -> Statement:
        opening, query = without_explain(sql) if plan.kind == "EXPLAIN" else ("", sql)
        calls = await self._calls(plan)
        await self._define(await self._values(calls))
        while True:
            if not foreign:
                foreign = await self._columns(plan)
                await self._show(foreign)
            if plan.kind in _READ_NOTHING:
                return plan
            try:
                wanted = await self._session.on_duck(self._stand_ins.wanted, query, values, foreign)
                break
            except EngineError as error:
                if error.offset is not None:
                    error.offset += len(opening)
                try:
                    plan, foreign = self.widened(plan, error), ()
                except EngineError:
                    raise await self._session.located(error, plan, sql) from error
        if not foreign:
            return plan
        self.asked, layout = rows_query(foreign, wanted)
        if not opening or opening in ANALYZED:
            await self._fill(foreign, layout)
        return plan

    async def close(self) -> None:
        """The statement has ended: nothing of it stays."""
        self.spent = True
        if self._stand_ins:
            await self._session.duck.call(self.drop)

    def drop(self) -> None:
        """Blocks. Takes away what a statement that has started left behind."""
        if self.spent:
            self.spent = False
            self._stand_ins.drop()

    def end(self) -> None:
        """The session has ended, and DuckDB takes away what is its."""
        self._stand_ins.forget()

    def cancel(self) -> None:
        """The client wants no more (57014). Who calls this cancels on both engines too."""
        self._cancelled = True

    def time_out(self) -> None:
        """As `cancel`, and Postgres is told here: only what this asks of it is meant."""
        self._cancelled = True
        if self._asking and self._stopping is None:
            self._stopping = self._session.relay.cancel()

    # --- asking Postgres ------------------------------------------------------------------------

    async def _columns(self, plan: Statement) -> list[Foreign]:
        relations = [relation for relation in plan.federated if relation[0]]
        if not relations:
            return []
        told = await self.told(columns_query(relations))
        return read_columns(relations, told, self._session.dialect.name != "postgres")

    async def _calls(self, plan: Statement) -> list[Call]:
        calls = [text for schema, text in plan.federated if not schema]
        if not calls:
            return []
        names = sorted({name for call in calls for name in called(call)})
        return read_calls(calls, await self.told(calls_query(calls, names)))

    async def _values(self, calls: Sequence[Call]) -> dict[Call, str | None]:
        if not calls:
            return {}
        values = json.loads(await self.told(values_query(calls)))
        return dict(zip(calls, values, strict=True))

    async def _define(self, values: Mapping[Call, str | None]) -> None:
        if values:
            written = {call.text: duck_value(call, value) for call, value in values.items()}
            await self._session.on_duck(self._stand_ins.define, written)

    async def told_alone(self, query: str) -> str:
        """As `told`, for a statement that reads nothing else of Postgres."""
        self._cancelled = False
        return await self.told(query)

    async def told(self, query: str) -> str:
        """The one text that a query of ours to Postgres gives."""
        answer: list[bytes] = []
        await self._ask(query, lambda data: answer.append(bytes(data)))
        return only_text(b"".join(answer))

    async def _show(self, foreign: Sequence[Foreign]) -> None:
        await self._session.on_duck(self._stand_ins.show, foreign)

    async def _ask(self, query: str, take: Any) -> None:
        session = self._session
        await session.mirror.before_question()
        self._check_cancelled()
        self._asking = True
        try:
            begin = session.transaction.postgres_begin()
            await session.relay.copy_out(copy_binary(query), begin, take)
        finally:
            self._asking = False
            if self._stopping is not None:
                # It must not reach what this backend is asked next.
                await self._stopping
                self._stopping = None

    async def _fill(self, foreign: Sequence[Foreign], layout: list[tuple[int, ...]]) -> None:
        session = self._session
        zone = session.settings.get("TimeZone")
        filling = await session.on_duck(self._stand_ins.filling, foreign, layout, zone)
        try:
            await self._receive(filling)
        finally:
            await session.duck.call(filling.close)
        await session.on_duck(self._stand_ins.replace, foreign, filling)

    async def _receive(self, filling: Filling) -> None:
        """Rows as they come: Postgres sends, and waits, while those before go into their tables."""
        session, incoming = self._session, _Incoming(self._session.relay.hold_back)
        asking = asyncio.ensure_future(self._ask(self.asked, incoming.put))
        asking.add_done_callback(lambda _: incoming.end())
        rest = b""
        try:
            while True:
                last = await incoming.ready()
                if last:
                    await asking  # its error counts, not what is missing for it
                rest = await session.duck.call(filling.append, rest + incoming.take())
                self._check_cancelled()
                if last and rest:
                    raise SqlError("08P01", "the rows from the control plane end within a row")
                if last:
                    return
        except BaseException:
            incoming.discard()
            unwanted = not asking.done() and not self._cancelled
            if unwanted and (stopping := session.relay.cancel()) is not None:
                await stopping
            with suppress(SqlError):
                await asking
            raise

    def _check_cancelled(self) -> None:
        if self._cancelled:
            raise SqlError("57014", _CANCELED)


class _Incoming:
    """Bytes that have come and wait to be used; holds their sender back when they are many."""

    def __init__(self, hold_back: Any) -> None:
        self._hold_back = hold_back
        self._parts: list[bytes | memoryview] = []
        self._enough = asyncio.Event()
        self._ended = self._held = self._discarded = False
        self.size = 0

    def put(self, data: bytes | memoryview) -> None:
        if self._discarded:
            return
        self._parts.append(data)
        self.size += len(data)
        if self.size >= _CHUNK:
            self._enough.set()
        if self.size >= _MOST_WAITING and not self._held:
            self._held = True
            self._hold_back(True)

    def end(self) -> None:
        self._ended = True
        self._enough.set()

    async def ready(self) -> bool:
        """Waits until there is enough to use; True once no more will come."""
        await self._enough.wait()
        return self._ended

    def take(self) -> bytes:
        parts, self._parts, self.size = self._parts, [], 0
        if not self._ended:
            self._enough.clear()
        if self._held:
            self._held = False
            self._hold_back(False)
        return b"".join(parts)

    def discard(self) -> None:
        """Whatever has come or will come is not wanted."""
        self._discarded = True
        self.take()
