"""One client's socket: frames for the session to take, bytes from it to send, both with back-pressure.

The transport's half of a session. It never decides anything: the protocol's state machine says what
a frame is, the session what to do about it. Reading stops while the session has more than enough to
do, writing tells it to wait while the client does not read. What is written in one go is sent as one
packet: a system call, and a client that is woken, cost more than a small statement.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from proxy.engines import lane
from proxy.engines.lane import ClientEnd
from proxy.engines.prepared import RelayedStatement
from proxy.session.portal import PreparedStatement
from proxy.sql.statement import Statement
from proxy.tls import CLIENT_HELLO, ServerTls, TlsLayer
from proxy.wire.protocol import FrontendProtocol

if TYPE_CHECKING:
    from proxy.session.shortcut import Shortcut

_READ_AHEAD = 1 << 20  # bytes taken from a client whose session is busy
_WRITE_AHEAD = 1 << 22  # bytes waiting for a client that does not read
_PACKET = 1 << 16  # bytes that are sent without waiting for more


class ClientLink(ClientEnd, asyncio.Protocol):
    """`accepted` is called once the connection stands, and starts the session."""

    def __init__(
        self, accepted: Callable[[ClientLink], None], tls: ServerTls | None = None
    ) -> None:
        ClientEnd.__init__(self)
        self.protocol = FrontendProtocol()
        self.on_lost: Callable[[], None] = _nothing
        self.on_pause: Callable[[], None] = _nothing
        self.on_resume: Callable[[], None] = _nothing
        self.shortcut: Shortcut | None = None  # once the session serves
        self.lost = False
        self.tls = tls  # what the server offers
        self._layer: TlsLayer | None = None
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._paused_reading = False
        self._paused_writing = False
        self._eof = False
        self._untouched = True  # nothing has come yet
        self._unsent: list[bytes | memoryview] = []
        self._unsent_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._transport.set_write_buffer_limits(high=_WRITE_AHEAD)
        self._accepted(self)

    def data_received(self, data: bytes) -> None:
        if self.tls is not None and self._untouched and data[0] == CLIENT_HELLO:
            self.secure()
        self._untouched = False
        if self._layer is not None:
            try:
                data = self._layer.receive(data)
            except ssl.SSLError:
                self._flush_tls()
                self.close()
                return
            self._flush_tls()
            if not data:
                return
        shortcut = self.shortcut
        if shortcut is not None:
            if self.armed:
                shortcut.unfold()
            if shortcut.pending:
                self.protocol.receive(data)
                self._hold_back()
                return
            if self._arrival is not None and not self.protocol.buffered and shortcut.take(data):
                return
        self.protocol.receive(data)
        if self._arrival is not None:
            self._wake(self._arrival)
        else:
            self._hold_back()

    def _hold_back(self) -> None:
        """Reads no more from a client that is far ahead."""
        if self.protocol.buffered > _READ_AHEAD and not self._paused_reading:
            assert self._transport is not None
            self._paused_reading = True
            lane.pause_reading(self, self._transport)

    def take_over(self) -> None:
        """Its session has relayed what may pass: from here on it reads its socket itself."""
        if self._layer is None and not self._paused_reading and not self.lost:
            assert self._transport is not None
            lane.take_over(self, self._transport)

    @property
    def borrower(self) -> Shortcut:
        """Who waits for a backend, where an exchange waits that passes without Python."""
        assert self.shortcut is not None
        return self.shortcut

    def unfold(self) -> None:
        """An exchange that passes without Python is Python's from here on."""
        self.borrower.unfold()

    def parsed(self, plan: Statement, body: bytes) -> PreparedStatement:
        """What an unnamed Parse makes, in an exchange that passes; body: behind its name."""
        return PreparedStatement("", plan, relayed=RelayedStatement(body))

    def at_end(self) -> None:
        """The client has said its last."""
        assert self._transport is not None
        keep_open = self.eof_received()
        lane.let_go(self)
        if not keep_open:
            self._transport.close()

    def broken(self, number: int) -> None:
        """Nothing can be read any more; number: errno."""
        assert self._transport is not None
        self.connection_lost(OSError(number, os.strerror(number)))
        self._transport.abort()

    def go_on(self) -> None:
        """The shortcut is free again: what has arrived meanwhile is the session's."""
        if self._arrival is not None:
            self._wake(self._arrival)

    @property
    def sleeping(self) -> bool:
        """The session waits for the client, and nothing has woken it."""
        return self._arrival is not None and not self._arrival.done()

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self._eof

    def take_back(self, data: bytes) -> None:
        """The shortcut leaves to the session what it has taken."""
        self.protocol.push_back(data)
        self.go_on()

    def eof_received(self) -> bool:
        self._eof = True
        if self.armed and self.shortcut is not None:
            self.shortcut.unfold()
        if self._arrival is not None and not (self.shortcut and self.shortcut.pending):
            self._wake(self._arrival)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = self._eof = True
        lane.let_go(self)
        for waiting in (self._arrival, self._drained):
            if waiting is not None:
                self._wake(waiting)
        self.on_lost()

    def pause_writing(self) -> None:
        self._paused_writing = True
        self.on_pause()

    def resume_writing(self) -> None:
        self._paused_writing = False
        if self._drained is not None:
            self._wake(self._drained)
        self.on_resume()

    @staticmethod
    def _wake(waiting: asyncio.Future[None]) -> None:
        if not waiting.done():
            waiting.set_result(None)

    # --- for the session ----------------------------------------------------------------------

    async def startup_packet(self) -> bytes | None:
        """The next packet before any frame; None when the client has gone, or never was one."""
        while (packet := self.protocol.startup_packet()) is None:
            if not await self._more():
                return None
        return packet

    async def next_frame(self) -> tuple[bytes, bytes] | None:
        """The next frame that the protocol's state admits; None when the client has gone."""
        while (frame := self.protocol.next_frame()) is None:
            if not await self._more():
                return None
        return frame

    async def _more(self) -> bool:
        self.flush()
        if self._eof:
            return False
        if self._paused_reading:
            assert self._transport is not None
            self._paused_reading = False
            lane.resume_reading(self, self._transport)
        self._arrival = self._loop.create_future()
        if self.fd >= 0 and self.shortcut is not None:
            self.shortcut.arm()
        try:
            await self._arrival
        finally:
            self._arrival = None
            if self.armed and self.shortcut is not None:
                self.shortcut.unfold()
        return True

    def secure(self) -> None:
        """From here on both directions are TLS."""
        assert self.tls is not None
        self.flush()
        self._layer = TlsLayer(self.tls.context)

    @property
    def secured(self) -> bool:
        return self._layer is not None

    def _flush_tls(self) -> None:
        if self._layer is not None and (data := self._layer.pending()) and not self.lost:
            assert self._transport is not None
            self._transport.write(data)

    def write(self, data: bytes | memoryview) -> None:
        """Sends it with what else is written, in order.

        While the session waits for its client, as soon as the loop turns; else with `flush`, which
        comes at the latest when it waits again: Postgres too keeps an answer until it is whole.
        """
        if not self._unsent and self._arrival is not None:
            self._loop.call_soon(self.flush)
        self._unsent.append(data)
        self._unsent_size += len(data)
        if self._unsent_size >= _PACKET:
            self.flush()

    def send(self, data: bytes | memoryview) -> None:
        """Sends it now, after what was written before."""
        if self._unsent or self._layer is not None or self._transport is None:
            self.write(data)
            self.flush()
        elif not self.lost:
            self.unsent = True
            self._transport.write(data)

    def flush(self) -> None:
        """Sends what is written now."""
        if not self._unsent:
            return
        unsent, self._unsent, self._unsent_size = self._unsent, [], 0
        if not self.lost:
            assert self._transport is not None
            data = unsent[0] if len(unsent) == 1 else b"".join(unsent)
            if self._layer is not None:
                data = self._layer.send(data)
            self.unsent = True
            self._transport.write(data)

    async def drain(self) -> None:
        """Waits while the client reads too slowly. Raises ConnectionResetError when it has gone."""
        self.flush()
        while self._paused_writing and not self.lost:
            self._drained = self._loop.create_future()
            try:
                await self._drained
            finally:
                self._drained = None
        if self.lost:
            raise ConnectionResetError("the client has gone")

    @property
    def host(self) -> str:
        """The client's address, '' where the transport has none."""
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    @property
    def peer(self) -> str:
        assert self._transport is not None
        name = self._transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name or "")

    def close(self) -> None:
        """Sends what is written, then hangs up."""
        self.flush()
        lane.let_go(self)
        if self._transport is not None:
            self._transport.close()


def _nothing() -> None:
    return None
