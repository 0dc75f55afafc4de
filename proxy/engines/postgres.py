"""The control plane's side of a session: one Postgres backend, and its bytes passed on as they come.

Answers are not decoded: frames are cut at their headers and handed to the client in the slices in
which they arrived. What the relay must know - which reply ends which request, what failed, what is
ours to swallow - it reads from the frames' types alone. Requests are pipelined: `send` records what
must come back for each message, `settle` waits until all of it has.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

import scramp

from proxy.errors import SqlError
from proxy.wire import messages as m

_length = struct.Struct("!I")

# Frames that may be handed on piecemeal: nothing is learned from them, and they may be large.
_BULK = frozenset(b"Dd")
# Frames that answer no request: they reach the client whatever is being waited for.
_UNASKED = frozenset(b"NA")
_PARAMETER_STATUS, _ERROR, _READY, _COPY_IN = b"SEZG"


class Reply(NamedTuple):
    """What answers one request: the frame types that end it, and whether the client sees them."""

    ends: frozenset[int]
    forward: bool = True

    def swallowed(self) -> Reply:
        return Reply(self.ends, False)


QUERY = SYNC = Reply(frozenset(b"Z"))
PARSE, BIND, CLOSE = (Reply(frozenset(kind)) for kind in (b"1", b"2", b"3"))
DESCRIBE = Reply(frozenset(b"Tn"))
EXECUTE = Reply(frozenset(b"CIsGW"))
ERROR = Reply(frozenset(b"E"))


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Where Postgres is; `connect` gives a backend authenticated as a client's own role."""

    host: str  # a name, an address, or the directory of a unix socket
    port: int
    database: str
    sslmode: str = "prefer"
    timeout: float = 10.0  # seconds to a ready backend

    async def connect(
        self, user: str, password: str | None, settings: Mapping[str, str]
    ) -> Backend:
        """Raises `SqlError`: 08006 when Postgres is away, or Postgres's own refusal."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout):
                backend: Backend
                if self.host.startswith("/"):
                    path = f"{self.host}/.s.PGSQL.{self.port}"
                    _, backend = await loop.create_unix_connection(Backend, path)
                else:
                    _, backend = await loop.create_connection(Backend, self.host, self.port)
                try:
                    if not self.host.startswith("/"):
                        await backend.secure(self.sslmode, self.host)
                    await backend.start(user, password, self.database, settings)
                except BaseException:
                    backend.close()
                    raise
                return backend
        except (OSError, TimeoutError) as error:
            raise unreachable(str(error) or "no answer in time") from error

    async def cancel(self, pid: int, key: bytes) -> None:
        """Asks Postgres to cancel what backend `pid` runs; says nothing if it cannot be asked."""
        try:
            async with asyncio.timeout(self.timeout):
                if self.host.startswith("/"):
                    path = f"{self.host}/.s.PGSQL.{self.port}"
                    reader, writer = await asyncio.open_unix_connection(path)
                else:
                    reader, writer = await asyncio.open_connection(self.host, self.port)
                writer.write(m.cancel_request(pid, key))
                await reader.read()  # Postgres closes once the signal is sent
                writer.close()
        except (OSError, TimeoutError):
            return


def unreachable(detail: str) -> SqlError:
    return SqlError(
        "08006",
        "the control-plane Postgres cannot be reached",
        detail=detail,
        hint="Analytical statements go on; runtime and catalog statements work again once it is back.",
    )


class Backend(asyncio.Protocol):
    """One connection to Postgres; what is to be forwarded goes to the `client` given to `attach`."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}
        self.pid, self.key = 0, b""
        self.status = "I"
        self.failed = False  # an ErrorResponse came since the last `settle`
        self.copying = False  # Postgres asked for COPY data and has not been given its end
        self._expected: deque[Reply] = deque()
        self._buffer = b""
        self._bulk_left = 0
        self._bulk_forward = False
        self._waiter: asyncio.Future[None] | None = None
        self._client: Callable[[memoryview], None] = _nobody
        self._on_parameter: Callable[[str, str], None] = _nothing
        self._lost: SqlError | None = None
        self._transport: asyncio.Transport | None = None
        self._startup = asyncio.StreamReader()
        self._ready = False

    # --- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self._lost or SqlError(
            "08006",
            "the connection to the control-plane Postgres was lost",
            detail=str(exc) if exc else None,
        )
        self._startup.feed_eof()
        self._wake()

    def data_received(self, data: bytes) -> None:
        if not self._ready:
            self._startup.feed_data(data)
            return
        if self._bulk_left:
            taken = min(self._bulk_left, len(data))
            if self._bulk_forward:
                self._client(memoryview(data)[:taken])
            self._bulk_left -= taken
            data = data[taken:]
        if self._buffer:
            data = self._buffer + data
        self._buffer = self._relay(data) if data else b""

    # --- starting -----------------------------------------------------------------------------

    async def secure(self, sslmode: str, host: str) -> None:
        """TLS as libpq's `sslmode` means it. Raises `SqlError` where it is demanded and refused."""
        if sslmode in ("disable", "allow"):
            return
        assert self._transport is not None
        self._transport.write(m.ssl_request())
        answer = await self._startup.read(1)
        if answer == b"S":
            context = ssl.create_default_context()
            if sslmode in ("prefer", "require"):
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            elif sslmode == "verify-ca":
                context.check_hostname = False
            loop = asyncio.get_running_loop()
            secured = await loop.start_tls(self._transport, self, context, server_hostname=host)
            assert secured is not None
            self._transport = secured
        elif sslmode != "prefer":
            raise SqlError("08001", "the control-plane Postgres does not support TLS")

    async def start(
        self, user: str, password: str | None, database: str, settings: Mapping[str, str]
    ) -> None:
        """Startup and authentication. Raises Postgres's refusal as `SqlError`."""
        assert self._transport is not None
        pairs = (("user", user), ("database", database), *settings.items())
        self._transport.write(m.startup(pairs))
        scram: scramp.ScramClient | None = None
        while True:
            kind, body = await self._startup_frame()
            if kind == b"R":
                scram = self._authenticate(body, user, password, scram)
            elif kind == b"S":
                name, value = _texts(body, 2)
                self.parameters[name] = value
            elif kind == b"K":
                self.pid, self.key = int.from_bytes(body[:4], "big"), body[4:]
            elif kind == b"E":
                raise read_error(body)
            elif kind == b"Z":
                self._ready = True
                return

    async def _startup_frame(self) -> tuple[bytes, bytes]:
        try:
            header = await self._startup.readexactly(5)
            return header[:1], await self._startup.readexactly(
                int.from_bytes(header[1:], "big") - 4
            )
        except asyncio.IncompleteReadError:
            raise unreachable("Postgres closed the connection at startup") from None

    def _authenticate(
        self, body: bytes, user: str, password: str | None, scram: scramp.ScramClient | None
    ) -> scramp.ScramClient | None:
        code, data = int.from_bytes(body[:4], "big"), body[4:]
        if code == 0:
            return None
        if password is None:
            raise SqlError(
                "28000", f'the control-plane Postgres wants a password for role "{user}"'
            )
        assert self._transport is not None
        if code == 3:
            answer = m.cstring(password)
        elif code == 5:
            inner = hashlib.md5(password.encode() + user.encode()).hexdigest()
            answer = m.cstring("md5" + hashlib.md5(inner.encode() + data).hexdigest())
        elif code == 10:
            scram = scramp.ScramClient(["SCRAM-SHA-256"], user, password)
            first = scram.get_client_first().encode()
            answer = m.cstring("SCRAM-SHA-256") + len(first).to_bytes(4, "big") + first
        elif code == 11 and scram is not None:
            scram.set_server_first(data.decode())
            answer = scram.get_client_final().encode()
        elif code == 12 and scram is not None:
            scram.set_server_final(data.decode())
            return None
        else:
            raise SqlError(
                "28000", f"the control-plane Postgres wants authentication method {code}"
            )
        self._transport.write(m.frame(b"p", answer))
        return scram

    # --- relaying -----------------------------------------------------------------------------

    def attach(
        self, client: Callable[[memoryview], None], on_parameter: Callable[[str, str], None]
    ) -> None:
        """client: takes slices of frames. on_parameter: told of each forwarded ParameterStatus."""
        self._client, self._on_parameter = client, on_parameter

    def send(self, data: bytes, *replies: Reply) -> None:
        """Writes messages and records the reply that each will have."""
        if self._lost is not None:
            raise self._lost
        assert self._transport is not None
        self._expected.extend(replies)
        self._transport.write(data)

    async def settle(self) -> bool:
        """Waits for every recorded reply, or for Postgres to ask for COPY data; True: no error came.

        Raises `SqlError` 08006 when the backend is gone.
        """
        while self._expected and not self.copying and self._lost is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._lost is not None:
            raise self._lost
        failed, self.failed = self.failed, False
        return not failed

    @property
    def alive(self) -> bool:
        return self._lost is None

    @property
    def busy(self) -> bool:
        return bool(self._expected)

    def pause(self) -> None:
        if self._transport is not None and self._lost is None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and self._lost is None:
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if self._ready:
                self._transport.write(m.frame(b"X"))
            self._transport.close()
        self._lost = self._lost or unreachable("the connection is closed")

    def _relay(self, data: bytes) -> bytes:
        """Passes whole frames on in as few slices as possible; returns what is not whole yet."""
        view, size = memoryview(data), len(data)
        at = kept = 0  # data[kept:at] has been read and is still to be passed on
        while size - at >= 5:
            kind = data[at]
            end = at + 1 + _length.unpack_from(data, at + 1)[0]
            if kind in _BULK:
                forward = not self._expected or self._expected[0].forward
                if end > size:
                    self._bulk_left, self._bulk_forward = end - size, forward
                    end = size
            elif end > size:
                break
            else:
                forward = self._note(kind, data[at + 5 : end])
            if not forward:
                if kept < at:
                    self._client(view[kept:at])
                kept = end
            at = end
        if kept < at:
            self._client(view[kept:at])
        if not self._expected or self.copying:
            self._wake()
        return data[at:]

    def _note(self, kind: int, body: bytes) -> bool:
        """Learns from one frame; True when the client is to see it."""
        if kind in _UNASKED:
            return True
        current = self._expected[0] if self._expected else None
        forward = current is None or current.forward
        if kind == _PARAMETER_STATUS:
            if forward:
                self._on_parameter(*_texts(body, 2))
            return forward
        if kind == _ERROR:
            self.copying = False
            if current is None:
                self._lost = read_error(body)
                return True
            provoked = current == ERROR.swallowed()
            self.failed = self.failed or not provoked
            self._drop_until_ready()
            return not provoked
        if kind == _READY:
            self.status = chr(body[0])
            forward = False
            self._drop_until_ready()
            current = self._expected[0] if self._expected else None
        if kind == _COPY_IN:
            self.copying = True
        if current is not None and kind in current.ends:
            self._expected.popleft()
        return forward

    def _drop_until_ready(self) -> None:
        """After an error Postgres answers nothing more before its ReadyForQuery."""
        while self._expected and _READY not in self._expected[0].ends:
            self._expected.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _nobody(data: memoryview) -> None:
    return None


def _nothing(name: str, value: str) -> None:
    return None


def _texts(body: bytes, count: int) -> list[str]:
    return [piece.decode("utf-8", "replace") for piece in body.split(b"\0")[:count]]


def read_error(body: bytes) -> SqlError:
    """An ErrorResponse's body as a value."""
    fields = {
        piece[:1].decode(): piece[1:].decode("utf-8", "replace")
        for piece in body.split(b"\0")
        if piece
    }
    return SqlError(
        fields.get("C", "XX000"),
        fields.get("M", ""),
        detail=fields.get("D"),
        hint=fields.get("H"),
    )
