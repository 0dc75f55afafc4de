"""One session's way to the control plane: a backend when it is needed, kept in step with the session.

The session says what is to be relayed and when it needs to know how it went; this class owns the
rest: connecting as the client's role with the client's settings, opening a transaction there when
the client's has one, and putting a prepared statement back that a new backend does not know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from proxy.engines import postgres as pg
from proxy.engines.copy_answer import CopyAnswer
from proxy.errors import SqlError
from proxy.wire import messages as m


class Told(Exception):
    """Postgres's ErrorResponse has already reached the client; the session has only to act on it."""


class Login(NamedTuple):
    role: str
    password: str | None


@dataclass(slots=True)
class RelayedStatement:
    """A prepared statement of the client's that belongs to Postgres. frame: its Parse message."""

    name: str
    frame: bytes
    backend: pg.Backend | None = None


class Relay:
    """Statements go out in order and may be pipelined; `settle` is where errors come to light."""

    def __init__(
        self,
        control: pg.ControlPlane,
        login: Callable[[], Awaitable[Login]],
        client: Callable[[bytes | memoryview], None],
        settings: Callable[[], dict[str, str]],
        on_parameter: Callable[[str, str], None],
    ) -> None:
        """settings: what a new backend must be given to be in step with the session."""
        self._control = control
        self._login = login
        self._client = client
        self._settings = settings
        self._on_parameter = on_parameter
        self._backend: pg.Backend | None = None
        self.in_transaction = False  # a BEGIN of ours is open there
        self._unsynced = False  # extended messages went out and no Sync after them

    @property
    def connected(self) -> bool:
        return self._backend is not None and self._backend.alive

    async def _ready(self) -> pg.Backend:
        """The backend; a new one when there is none. Raises `SqlError` 08006 and the like."""
        if self._backend is not None and not self._backend.alive:
            lost_transaction, self.in_transaction = self.in_transaction, False
            self._backend, self._unsynced = None, False
            if lost_transaction:
                raise pg.unreachable("the connection was lost inside a transaction")
        if self._backend is None:
            role, password = await self._login()
            backend = await self._control.connect(role, password, self._settings())
            backend.attach(self._client, self._on_parameter)
            self._backend = backend
        return self._backend

    async def begin(self, begin: str | None) -> pg.Backend:
        """Readies a backend; `begin` is the BEGIN statement to open there first, if not yet open."""
        backend = await self._ready()
        if begin is not None and not self.in_transaction:
            backend.send(_query(begin), pg.QUERY.swallowed())
            self.in_transaction = True
        return backend

    async def query(self, text: str, begin: str | None) -> None:
        """Relays one simple Query and all that comes back but its ReadyForQuery."""
        backend = await self.begin(begin)
        backend.send(_query(text), pg.QUERY)
        await self.settle()

    async def parse(self, statement: RelayedStatement, begin: str | None) -> None:
        backend = await self.begin(begin)
        self._send(backend, statement.frame, pg.PARSE)
        statement.backend = backend

    async def forward(
        self, frame: bytes, reply: pg.Reply, statement: RelayedStatement | None, begin: str | None
    ) -> None:
        """Sends one extended message, preceded by Parse where this backend lacks the statement."""
        backend = await self.begin(begin)
        if statement is not None and statement.backend is not backend:
            self._send(backend, statement.frame, pg.PARSE.swallowed())
            statement.backend = backend
        self._send(backend, frame, reply)

    def _send(self, backend: pg.Backend, frame: bytes, reply: pg.Reply) -> None:
        self._unsynced = True
        backend.send(frame, reply)

    async def settle(self) -> None:
        """Waits until Postgres has answered all that was sent. Raises `Told` after an error."""
        backend = self._backend
        if backend is None:
            return
        if self._unsynced and backend.busy:
            backend.send(_FLUSH)
        if not await backend.settle():
            raise Told

    async def sync(self) -> None:
        """Ends the extended messages sent so far; without a BEGIN of ours that commits them."""
        backend = self._backend
        if backend is None or not self._unsynced:
            return
        self._unsynced = False
        if not backend.alive:
            await backend.settle()
        backend.send(_SYNC, pg.SYNC)
        if not await backend.settle():
            raise Told

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
        await self.settle()

    async def execute(self, text: str) -> None:
        """Runs a statement of the session's own, whose answer the client does not see."""
        backend = await self._ready()
        await self._recover(backend)
        backend.send(_query(text), pg.QUERY.swallowed())
        await self.settle()

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
        backend.attach(CopyAnswer(take, self._client, failure.append), self._on_parameter)
        try:
            if self._unsynced:
                name = m.cstring(_COPY)
                for kind, body, reply in (
                    (b"P", name + m.cstring(sql) + bytes(2), pg.PARSE),
                    (b"B", name + name + bytes(6), pg.BIND),
                    (b"E", name + bytes(4), pg.EXECUTE),
                    (b"C", b"P" + name, pg.CLOSE),
                    (b"C", b"S" + name, pg.CLOSE),
                ):
                    self._send(backend, m.frame(kind, body), reply)
            else:
                backend.send(_query(sql), pg.QUERY)
            await self.settle()
        except Told:
            raise pg.read_error(failure[0]) from None
        finally:
            backend.attach(self._client, self._on_parameter)

    def hold_back(self, held: bool) -> None:
        """Whether Postgres is to wait with what it has still to send."""
        (self.pause if held else self.resume)()

    async def call(self, text: str, parameters: Sequence[str], begin: str | None) -> None:
        """Runs one statement of the session's own with its parameters, in the client's transaction.

        Parameters are bound, so that nobody reads them in pg_stat_activity.
        """
        backend = await self.begin(begin)
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
            _SYNC,
        )
        replies = (pg.PARSE, pg.BIND, pg.EXECUTE, pg.CLOSE, pg.CLOSE, pg.SYNC)
        backend.send(b"".join(frames), *(reply.swallowed() for reply in replies))
        await self.settle()

    async def end(self, statement: str) -> None:
        """COMMIT or ROLLBACK of the transaction opened by `begin`, if it is open."""
        backend = self._backend
        if backend is None or not self.in_transaction:
            if backend is not None and self._unsynced and statement == "ROLLBACK":
                await self._recover(backend)
            return
        self.in_transaction = False
        if not backend.alive:
            if statement == "COMMIT":
                raise pg.unreachable("the connection was lost before the transaction was committed")
            return
        await self._recover(backend)
        backend.send(_query(statement), pg.QUERY.swallowed())
        await self.settle()

    async def abort_pipeline(self) -> None:
        """Rolls back what Postgres holds open until Sync, because another engine's statement failed."""
        backend = self._backend
        if backend is None or not self._unsynced or not backend.alive or self.in_transaction:
            return
        self._unsynced = False
        # A portal that does not exist: an error on purpose, so that the Sync behind it rolls back.
        backend.send(_NO_SUCH_PORTAL + _SYNC, pg.ERROR.swallowed(), pg.SYNC)
        try:
            await backend.settle()
        except SqlError:
            self._backend = None

    async def _recover(self, backend: pg.Backend) -> None:
        """After an error among extended messages Postgres waits for Sync; give it one."""
        if self._unsynced and backend.alive:
            self._unsynced = False
            backend.send(_SYNC, pg.SYNC)
            await backend.settle()

    async def apply(self, name: str, value: str) -> None:
        """Tells a connected backend of a setting that changed. An error there is the client's."""
        if self.connected:
            await self.execute(f"SELECT set_config({_literal(name)}, {_literal(value)}, false)")

    async def cancel(self) -> None:
        backend = self._backend
        if backend is not None and backend.alive and backend.busy:
            await self._control.cancel(backend.pid, backend.key)

    def pause(self) -> None:
        if self._backend is not None:
            self._backend.pause()

    def resume(self) -> None:
        if self._backend is not None:
            self._backend.resume()

    def close(self) -> None:
        if self._backend is not None:
            self._backend.close()
            self._backend = None


_FLUSH, _SYNC = m.frame(b"H"), m.frame(b"S")
_NO_SUCH_PORTAL = m.frame(b"E", m.cstring("hatidata: no such portal") + bytes(4))


_COPY = "hatidata: copy"


def _query(text: str) -> bytes:
    return m.frame(b"Q", m.cstring(text))


def _literal(text: str) -> str:
    """A string constant that means the same whatever `standard_conforming_strings` says."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
