"""What a session has Postgres do: the client's own messages, and statements of the session's.

The session says what is to be relayed and when it needs to know how it went; this class owns the
rest: opening a transaction there when the client's has one, and the prepared statements' names. The
backend it is done on is a `Loan`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from proxy.engines import replies
from proxy.engines.backend import Backend
from proxy.engines.copy_answer import CopyAnswer
from proxy.engines.loan import SYNC, Loan, Told
from proxy.engines.postgres import read_error, unreachable
from proxy.engines.prepared import (
    MOST_ON_A_BACKEND,
    PreparedText,
    RelayedStatement,
    changed_result,
)
from proxy.engines.replies import Reply
from proxy.errors import SqlError
from proxy.sql.traces import Trace
from proxy.wire import messages as m

log = structlog.get_logger()


class Relay(Loan):
    """Statements go out in order and may be pipelined; `settle` is where errors come to light."""

    async def begin(self, begin: str | None) -> Backend:
        """Readies a backend; `begin` is the BEGIN statement to open there first, if not yet open."""
        backend = await self._ready()
        if begin is not None and not self.in_transaction:
            backend.query(begin)
            self.in_transaction = True
        return backend

    async def query(
        self,
        text: str,
        begin: str | None,
        trace: Trace,
        names: tuple[str, ...] = (),
        statements: int = 1,
    ) -> None:
        """Relays one simple Query and all that comes back but its ReadyForQuery."""
        backend = await self.begin(begin)
        self.leaves(trace, names)
        backend.completed, self._statements = 0, statements
        backend.query(text, replies.QUERY)
        await self.settle(statements)

    async def parse(self, statement: RelayedStatement, begin: str | None) -> None:
        """A client's Parse, under whatever name: on the backend it is the unnamed statement."""
        backend = await self.begin(begin)
        self._send(backend, _parse(b"", statement.body), replies.PARSE._replace(parses=statement))
        backend.unnamed = statement

    async def bind(
        self, statement: RelayedStatement, portal: bytes, rest: bytes, begin: str | None
    ) -> None:
        """rest: the Bind message behind its two names."""
        name, backend = await self._name(statement, begin)
        self._send(backend, m.frame(b"B", portal + b"\0" + name + b"\0" + rest), replies.BIND)

    async def describe_statement(self, statement: RelayedStatement, begin: str | None) -> None:
        name, backend = await self._name(statement, begin)
        reply = replies.DESCRIBE._replace(describes=statement)
        self._send(backend, m.frame(b"D", b"S" + name + b"\0"), reply)

    async def describe_portal(
        self, frame: bytes, statement: RelayedStatement, begin: str | None
    ) -> None:
        reply = replies.DESCRIBE
        if statement.result is None:
            reply = reply._replace(describes=statement)
        await self.forward(frame, reply, begin)

    async def forward(self, frame: bytes, reply: Reply, begin: str | None) -> None:
        """Sends one extended message as it came."""
        backend = await self.begin(begin)
        self._send(backend, frame, reply)

    def answer(self, data: bytes) -> None:
        """An answer of the session's own, after those of Postgres that are still to come."""
        if self._backend is not None and self._backend.alive and self._releasing is None:
            self._backend.answer(data)
        else:
            self._client(data)

    async def _name(self, statement: RelayedStatement, begin: str | None) -> tuple[bytes, Backend]:
        """The statement's name on the backend; it is prepared there where it is not."""
        backend = await self.begin(begin)
        if backend.unnamed is statement:
            return b"", backend
        text = self.text(statement)
        if statement.result is not None and text.result not in (None, statement.result):
            raise changed_result()
        if not backend.knows(text):
            await self._prepare(backend, statement, text)
        else:
            backend.used(text)
        return text.name, backend

    def text(self, statement: RelayedStatement) -> PreparedText:
        """The statement as backends know it under the session's settings."""
        profile, text = self.profile, statement.text
        if text is None or text.retired or statement.text_profile is not profile.matter:
            if self.trace is Trace.NOTHING:
                text = self._pools.texts.get(profile, statement.body)
                statement.text_profile = profile.matter
            else:  # under settings that may not be the session's
                text, statement.text_profile = self._pools.texts.private(statement.body), None
            statement.text = text
        return text

    async def _prepare(
        self, backend: Backend, statement: RelayedStatement, text: PreparedText
    ) -> None:
        excess = len(backend.prepared) - len(backend.closing) - MOST_ON_A_BACKEND + 1
        if excess > 0:
            old = [each for each in backend.prepared.values() if each.name not in backend.closing]
            for each in old[:excess]:
                backend.closing.add(each.name)
                close = replies.CLOSE._replace(forward=False, text=each)
                self._send(backend, m.frame(b"C", b"S" + each.name + b"\0"), close)
        backend.sending.add(text.name)
        reply = replies.PARSE._replace(forward=False, text=text)
        self._send(backend, _parse(text.name, text.body), reply)
        if statement.result is None:
            return
        # The client knows what it returns. Here that may have changed meanwhile: ask first.
        found = RelayedStatement(text.body)
        describe = replies.DESCRIBE._replace(forward=False, describes=found)
        self._send(backend, m.frame(b"D", b"S" + text.name + b"\0"), describe)
        await self.settle()
        text.result = found.result
        if found.result != statement.result:
            raise changed_result()

    def _send(self, backend: Backend, frame: bytes, reply: Reply) -> None:
        self._unsynced = True
        backend.send(frame, reply)

    async def sync(self) -> None:
        """Ends the extended messages sent so far; without a BEGIN of ours that commits them."""
        backend = self._backend
        if backend is None or not self._unsynced:
            return
        self._unsynced = False
        if not backend.alive:
            raise backend.error
        backend.send(SYNC, replies.SYNC)
        if not await backend.settle():
            self._settings_rolled_back()
            raise Told
        self._set_inside = False

    # --- COPY ------------------------------------------------------------------------------------

    @property
    def copying(self) -> bool:
        """Postgres waits for COPY data."""
        return self._backend is not None and self._backend.copying

    def copy_data(self, frame: bytes) -> None:
        assert self._backend is not None
        self._backend.send(frame)

    async def copy_end(self, frame: bytes) -> None:
        """CopyDone or CopyFail; what follows is the rest of the statement's reply."""
        assert self._backend is not None
        self._backend.copying = False
        self._backend.send(frame)
        await self.settle(0 if self._unsynced else self._statements)

    async def copy_out(
        self, sql: str, begin: str | None, take: Callable[[bytes | memoryview], None]
    ) -> None:
        """Runs a COPY ... TO STDOUT of the session's own; `take` gets the answer's frames.

        Raises SqlError where Postgres refuses it. Between two Syncs of the client it is a part of
        what they enclose.
        """
        backend = await self.begin(begin)
        await self.settle()
        failure: list[bytes] = []
        client = CopyAnswer(take, self._client, failure.append)
        backend.attach(client, self._on_parameter, self._gone)
        try:
            if self._unsynced:
                name = m.cstring(_COPY)
                for kind, body, reply in (
                    (b"P", name + m.cstring(sql) + bytes(2), replies.PARSE),
                    (b"B", name + name + bytes(6), replies.BIND),
                    (b"E", name + bytes(4), replies.EXECUTE),
                    (b"C", b"P" + name, replies.CLOSE),
                    (b"C", b"S" + name, replies.CLOSE),
                ):
                    self._send(backend, m.frame(kind, body), reply)
            else:
                backend.query(sql, replies.QUERY)
            await self.settle()
        except (Told, SqlError) as error:
            if not failure:
                raise
            raise read_error(failure[0]) from error
        finally:
            backend.attach(self._client, self._on_parameter, self._gone)

    def hold_back(self, held: bool) -> None:
        """Whether Postgres is to wait with what it has still to send."""
        (self.pause if held else self.resume)()

    # --- the session's own statements ------------------------------------------------------------

    async def execute(self, text: str) -> None:
        """Runs a statement of the session's own, whose answer the client does not see."""
        backend = await self._ready()
        await self._recover(backend)
        backend.query(text)
        await self.settle()

    async def discard(self, statement: str) -> None:
        """DISCARD or DEALLOCATE ALL, where a backend keeps something for the client."""
        if self._releasing is not None:
            await asyncio.wait([self._releasing])
        if self._backend is None:
            return
        await self.execute(statement)
        self._backend.forget_prepared()
        if statement == "DISCARD ALL":
            self._backend.profile = self._pools.profiles.base
        self.leaves(Trace.KNOWN)

    async def call(self, text: str, parameters: Sequence[str], begin: str | None) -> None:
        """Runs one statement of the session's own with its parameters, in the client's transaction.

        Parameters are bound, so that nobody reads them in pg_stat_activity.
        """
        backend = await self.begin(begin)
        inside = self._unsynced and not self.in_transaction  # a part of what Sync will end
        if not inside:
            await self._recover(backend)
        name = m.cstring("hatidata: own")
        values = [value.encode() for value in parameters]
        bound = b"".join(len(value).to_bytes(4, "big") + value for value in values)
        frames = (
            m.frame(b"P", name + m.cstring(text) + bytes(2)),
            m.frame(
                b"B", name + name + bytes(2) + len(values).to_bytes(2, "big") + bound + bytes(2)
            ),
            m.frame(b"E", name + bytes(4)),
            m.frame(b"C", b"P" + name) + m.frame(b"C", b"S" + name),
            b"" if inside else SYNC,
        )
        answers = [replies.PARSE, replies.BIND, replies.EXECUTE, replies.CLOSE, replies.CLOSE]
        if not inside:
            answers.append(replies.SYNC)
        backend.send(b"".join(frames), *(reply.swallowed() for reply in answers))
        backend.unnamed = None
        await self.settle()

    # --- the end of a transaction ----------------------------------------------------------------

    async def end(self, statement: str) -> None:
        """COMMIT or ROLLBACK of the transaction opened by `begin`, if it is open."""
        backend = self._backend
        if statement == "ROLLBACK":
            self._settings_rolled_back()
        if backend is None or not self.in_transaction:
            if backend is not None and self._unsynced and statement == "ROLLBACK":
                await self._recover(backend)
            return
        self.in_transaction = self._set_inside = False
        if not backend.alive:
            if statement == "COMMIT":
                raise unreachable("the connection was lost before the transaction was committed")
            return
        await self._recover(backend)
        backend.query(statement)
        try:
            await self.settle()
        except SqlError as error:
            if statement == "COMMIT":
                error = SqlError(
                    error.sqlstate,
                    error.message,
                    detail="The connection was lost during COMMIT: whether the control plane's part "
                    "of the transaction was committed is not known. Nothing else was committed.",
                )
            raise error from None

    async def abort_pipeline(self) -> None:
        """Rolls back what Postgres holds open until Sync, because another engine's statement failed."""
        backend = self._backend
        if backend is None or not self._unsynced or not backend.alive or self.in_transaction:
            return
        self._unsynced = False
        self._settings_rolled_back()
        # A portal that does not exist: an error on purpose, so that the Sync behind it rolls back.
        backend.send(_NO_SUCH_PORTAL + SYNC, replies.ERROR.swallowed(), replies.SYNC)
        try:
            await backend.settle()
        except SqlError as error:
            log.debug("abort", error=str(error))

    async def _recover(self, backend: Backend) -> None:
        """After an error among extended messages Postgres waits for Sync; give it one."""
        if self._unsynced and backend.alive:
            self._unsynced = False
            backend.send(SYNC, replies.SYNC)
            await backend.settle()


_NO_SUCH_PORTAL = m.frame(b"E", m.cstring("hatidata: no such portal") + bytes(4))
_COPY = "hatidata: copy"


def _parse(name: bytes, body: bytes) -> bytes:
    return m.frame(b"P", name + b"\0" + body)
