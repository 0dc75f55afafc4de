"""Where the control-plane Postgres is, and how a connection to it begins.

What the relay, the pool and the console share about Postgres as a peer: its address, TLS as libpq's
`sslmode` means it, authentication as one role, cancelling, and errors read back into values. What
happens on a connection once it is ready is `engines.backend`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

import scramp

from proxy.errors import SqlError
from proxy.wire import messages as m


class StartingConnection(asyncio.Protocol):
    """A connection to Postgres up to its first ReadyForQuery; what comes then is a subclass's."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}
        self.pid, self.key = 0, b""
        self._transport: asyncio.Transport | None = None
        self._startup: asyncio.StreamReader | None = asyncio.StreamReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        if self._startup is not None:
            self._startup.feed_eof()

    def data_received(self, data: bytes) -> None:
        assert self._startup is not None
        self._startup.feed_data(data)

    def close(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    async def secure(self, sslmode: str, host: str) -> None:
        """TLS as libpq's `sslmode` means it. Raises `SqlError` where it is demanded and refused."""
        if sslmode in ("disable", "allow"):
            return
        assert self._transport is not None
        answer = await self.offers_tls()
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

    async def offers_tls(self) -> bytes:
        """Postgres's answer to SSLRequest: `S`, `N`, or nothing when it hung up."""
        assert self._transport is not None
        assert self._startup is not None
        self._transport.write(m.ssl_request())
        return await self._startup.read(1)

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
                self._startup = None
                return

    async def _startup_frame(self) -> tuple[bytes, bytes]:
        assert self._startup is not None
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


C = TypeVar("C", bound=StartingConnection)


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Where Postgres is; `connect` gives a connection authenticated as a client's own role."""

    host: str  # a name, an address, or the directory of a unix socket
    port: int
    database: str
    sslmode: str = "prefer"
    timeout: float = 10.0  # seconds to a ready connection

    async def connect(
        self,
        made: Callable[[], C],
        user: str,
        password: str | None,
        settings: Mapping[str, str],
    ) -> C:
        """Raises `SqlError`: 08006 when Postgres is away, or Postgres's own refusal."""
        try:
            async with asyncio.timeout(self.timeout):
                connection = await self._open(made)
                try:
                    if not self.host.startswith("/"):
                        await connection.secure(self.sslmode, self.host)
                    await connection.start(user, password, self.database, settings)
                except BaseException:
                    connection.close()
                    raise
                return connection
        except SqlError as error:
            error.severity = "ERROR"  # it ends that connection, and not the client's session
            raise
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise unreachable(str(error) or f"no answer within {self.timeout:g} s") from error

    async def _open(self, made: Callable[[], C]) -> C:
        loop = asyncio.get_running_loop()
        if self.host.startswith("/"):
            path = f"{self.host}/.s.PGSQL.{self.port}"
            return (await loop.create_unix_connection(made, path))[1]
        return (await loop.create_connection(made, self.host, self.port))[1]

    async def answers(self, seconds: float) -> bool:
        """Whether Postgres still takes connections: it says within `seconds` if it would do TLS."""
        try:
            async with asyncio.timeout(seconds):
                connection = await self._open(StartingConnection)
                try:
                    return bool(await connection.offers_tls())
                finally:
                    connection.close()
        except (OSError, TimeoutError):
            return False

    async def cancel(self, pid: int, key: bytes) -> bool:
        """Asks Postgres to cancel what backend `pid` runs. True: the signal has been sent.

        Postgres closes the connection once it has sent the signal; False when that was not seen,
        so that the signal may still come.
        """
        try:
            async with asyncio.timeout(self.timeout):
                if self.host.startswith("/"):
                    path = f"{self.host}/.s.PGSQL.{self.port}"
                    reader, writer = await asyncio.open_unix_connection(path)
                else:
                    reader, writer = await asyncio.open_connection(self.host, self.port)
                try:
                    writer.write(m.cancel_request(pid, key))
                    await reader.read()
                finally:
                    writer.close()
                return True
        except (OSError, TimeoutError):
            return False


def unreachable(detail: str) -> SqlError:
    return SqlError(
        "08006",
        "the control-plane Postgres cannot be reached",
        detail=detail,
        hint="Analytical statements go on; runtime and catalog statements work again once it is back.",
    )


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
        severity="FATAL" if fields.get("V", fields.get("S")) in ("FATAL", "PANIC") else "ERROR",
        routine=fields.get("R"),
    )
