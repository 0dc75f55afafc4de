"""A raw client of the Postgres protocol, version 3: what goes over the wire, nothing hidden.

Drivers hide exactly what these tests must see: the order of messages, fields that nobody reads,
what follows an error. So this client knows no transactions, no types and no retries; it encodes
one frontend message per function, decodes one backend message per tuple, and never sends or
swallows anything on its own. Decoding is strict: a message with a byte too few or too many, an
error without its mandatory fields, a string without its terminator raise `BrokenMessage`, so that
every test that reads a message also proves it to be well formed.

    wire = Wire.connect(host, port)          # host: a name, or the directory of a unix socket
    wire.send(startup({"user": "me", "database": "db"}))
    wire.read()                              # Authentication(code=0, data=b'')
    wire.send(parse("", "select $1::int4") + sync())
    wire.read_until(ReadyForQuery)           # [ParseComplete(), ReadyForQuery(status='I')]
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = 3 << 16 | 2
SSL_REQUEST = 1234 << 16 | 5679
GSSENC_REQUEST = 1234 << 16 | 5680
CANCEL_REQUEST = 1234 << 16 | 5678

ANSWER_TIMEOUT = 10.0
"""Seconds to wait for an answer that never comes; only a failing test ever waits that long."""


class BrokenMessage(Exception):
    """The server sent bytes that are not a message of the protocol."""


# ---- frontend: one function, one message


def message(kind: bytes, payload: bytes = b"") -> bytes:
    """Any message: type byte, length (of itself and the payload), payload."""
    return kind + struct.pack("!i", len(payload) + 4) + payload


def _untyped(payload: bytes) -> bytes:
    return struct.pack("!i", len(payload) + 4) + payload


def _cstring(text: str | bytes) -> bytes:
    return (text.encode() if isinstance(text, str) else text) + b"\0"


def _int16s(values: Sequence[int]) -> bytes:
    return struct.pack(f"!h{len(values)}h", len(values), *values)


def startup(
    parameters: Mapping[str, str] | Iterable[tuple[str, str]], version: int = PROTOCOL_3_0
) -> bytes:
    """StartupMessage; `version` is major << 16 | minor."""
    pairs = parameters.items() if isinstance(parameters, Mapping) else parameters
    body = b"".join(_cstring(name) + _cstring(value) for name, value in pairs)
    return _untyped(struct.pack("!i", version) + body + b"\0")


def ssl_request() -> bytes:
    return _untyped(struct.pack("!i", SSL_REQUEST))


def gssenc_request() -> bytes:
    return _untyped(struct.pack("!i", GSSENC_REQUEST))


def cancel_request(pid: int, secret: bytes) -> bytes:
    """CancelRequest, on a connection of its own; the server closes it without an answer."""
    return _untyped(struct.pack("!ii", CANCEL_REQUEST, pid) + secret)


def query(sql: str | bytes) -> bytes:
    return message(b"Q", _cstring(sql))


def parse(name: str | bytes, sql: str | bytes, type_oids: Sequence[int] = ()) -> bytes:
    oids = struct.pack(f"!h{len(type_oids)}I", len(type_oids), *type_oids)
    return message(b"P", _cstring(name) + _cstring(sql) + oids)


def bind(
    portal: str | bytes,
    statement: str | bytes,
    parameters: Sequence[bytes | None] = (),
    formats: Sequence[int] = (),
    result_formats: Sequence[int] = (),
) -> bytes:
    """Bind; parameters are the bytes of the values as they travel, None is NULL."""
    values = b"".join(
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
        for value in parameters
    )
    body = _cstring(portal) + _cstring(statement) + _int16s(formats)
    body += struct.pack("!h", len(parameters)) + values + _int16s(result_formats)
    return message(b"B", body)


def describe(what: bytes, name: str | bytes) -> bytes:
    """Describe; `what` is b"S" for a statement, b"P" for a portal."""
    return message(b"D", what + _cstring(name))


def execute(portal: str | bytes, max_rows: int = 0) -> bytes:
    return message(b"E", _cstring(portal) + struct.pack("!i", max_rows))


def close(what: bytes, name: str | bytes) -> bytes:
    return message(b"C", what + _cstring(name))


def flush() -> bytes:
    return message(b"H")


def sync() -> bytes:
    return message(b"S")


def copy_data(data: bytes) -> bytes:
    return message(b"d", data)


def copy_done() -> bytes:
    return message(b"c")


def copy_fail(reason: str | bytes) -> bytes:
    return message(b"f", _cstring(reason))


def password(text: str | bytes) -> bytes:
    return message(b"p", _cstring(text))


def terminate() -> bytes:
    return message(b"X")


# ---- backend: one tuple, one message


class Authentication(NamedTuple):
    code: int
    data: bytes


class BackendKeyData(NamedTuple):
    pid: int
    secret: bytes


class ParameterStatus(NamedTuple):
    name: str
    value: str


class NegotiateProtocolVersion(NamedTuple):
    version: int
    options: tuple[str, ...]


class ReadyForQuery(NamedTuple):
    status: str


class Column(NamedTuple):
    name: str
    table_oid: int
    attnum: int
    type_oid: int
    typlen: int
    typmod: int
    format: int


class RowDescription(NamedTuple):
    columns: tuple[Column, ...]


class DataRow(NamedTuple):
    values: tuple[bytes | None, ...]


class CommandComplete(NamedTuple):
    tag: str


class ErrorResponse(NamedTuple):
    """`fields` by the protocol's one-letter codes: S, V, C, M always, the others where known."""

    fields: dict[str, str]


class NoticeResponse(NamedTuple):
    fields: dict[str, str]


class NotificationResponse(NamedTuple):
    pid: int
    channel: str
    payload: str


class ParameterDescription(NamedTuple):
    type_oids: tuple[int, ...]


class CopyInResponse(NamedTuple):
    format: int
    columns: tuple[int, ...]


class CopyOutResponse(NamedTuple):
    format: int
    columns: tuple[int, ...]


class CopyBothResponse(NamedTuple):
    format: int
    columns: tuple[int, ...]


class CopyData(NamedTuple):
    data: bytes


class FunctionCallResponse(NamedTuple):
    value: bytes | None


class CopyDone(NamedTuple):
    pass


class EmptyQueryResponse(NamedTuple):
    pass


class NoData(NamedTuple):
    pass


class ParseComplete(NamedTuple):
    pass


class BindComplete(NamedTuple):
    pass


class CloseComplete(NamedTuple):
    pass


class PortalSuspended(NamedTuple):
    pass


class Byte(NamedTuple):
    """The bare byte that answers SSLRequest and GSSENCRequest: not a message, so read apart."""

    value: bytes


class Closed(NamedTuple):
    """The server ended the connection (with or without a TCP reset)."""


Message = NamedTuple


class _Reader:
    """Takes a payload apart; the end must be reached exactly."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.at = 0

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.payload):
            raise BrokenMessage(f"{size} bytes wanted at {self.at} of {self.payload!r}")
        self.at += size
        return self.payload[self.at - size : self.at]

    def unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack("!" + form, self.take(struct.calcsize("!" + form)))

    def int16(self) -> int:
        return self.unpack("h")[0]

    def int32(self) -> int:
        return self.unpack("i")[0]

    def string(self) -> str:
        end = self.payload.find(b"\0", self.at)
        if end < 0:
            raise BrokenMessage(f"string without terminator in {self.payload!r}")
        raw = self.take(end - self.at)
        self.at += 1
        return raw.decode()

    def value(self) -> bytes | None:
        size = self.int32()
        return None if size == -1 else self.take(size)

    def rest(self) -> bytes:
        return self.take(len(self.payload) - self.at)

    def done(self) -> None:
        if self.at != len(self.payload):
            raise BrokenMessage(f"{len(self.payload) - self.at} bytes too many: {self.payload!r}")


def _fields(reader: _Reader) -> dict[str, str]:
    fields: dict[str, str] = {}
    while (code := reader.take(1)) != b"\0":
        if code.decode() in fields:
            raise BrokenMessage(f"field {code!r} twice in {reader.payload!r}")
        fields[code.decode()] = reader.string()
    if missing := set("SVCM") - set(fields):
        raise BrokenMessage(f"fields {sorted(missing)} are mandatory: {fields}")
    if len(fields["C"]) != 5 or not fields["M"]:
        raise BrokenMessage(f"SQLSTATE or message malformed: {fields}")
    return fields


def _row_description(reader: _Reader) -> RowDescription:
    return RowDescription(
        tuple(Column(reader.string(), *reader.unpack("IhIhih")) for _ in range(reader.int16()))
    )


def _copy_formats(reader: _Reader) -> tuple[int, tuple[int, ...]]:
    (overall,) = reader.unpack("b")
    return overall, tuple(reader.int16() for _ in range(reader.int16()))


DECODERS: dict[bytes, Callable[[_Reader], Message]] = {
    b"R": lambda r: Authentication(r.int32(), r.rest()),
    b"K": lambda r: BackendKeyData(r.int32(), r.rest()),
    b"S": lambda r: ParameterStatus(r.string(), r.string()),
    b"v": lambda r: NegotiateProtocolVersion(
        r.int32(), tuple(r.string() for _ in range(r.int32()))
    ),
    b"Z": lambda r: ReadyForQuery(r.take(1).decode()),
    b"T": _row_description,
    b"D": lambda r: DataRow(tuple(r.value() for _ in range(r.int16()))),
    b"C": lambda r: CommandComplete(r.string()),
    b"E": lambda r: ErrorResponse(_fields(r)),
    b"N": lambda r: NoticeResponse(_fields(r)),
    b"A": lambda r: NotificationResponse(r.int32(), r.string(), r.string()),
    b"t": lambda r: ParameterDescription(tuple(r.unpack("I")[0] for _ in range(r.int16()))),
    b"G": lambda r: CopyInResponse(*_copy_formats(r)),
    b"H": lambda r: CopyOutResponse(*_copy_formats(r)),
    b"W": lambda r: CopyBothResponse(*_copy_formats(r)),
    b"d": lambda r: CopyData(r.rest()),
    b"c": lambda r: CopyDone(),
    b"I": lambda r: EmptyQueryResponse(),
    b"n": lambda r: NoData(),
    b"1": lambda r: ParseComplete(),
    b"2": lambda r: BindComplete(),
    b"3": lambda r: CloseComplete(),
    b"s": lambda r: PortalSuspended(),
    b"V": lambda r: FunctionCallResponse(r.value()),
}


def decode(kind: bytes, payload: bytes) -> Message:
    """One backend message. Raises BrokenMessage for an unknown type or malformed payload."""
    decoder = DECODERS.get(kind)
    if decoder is None:
        raise BrokenMessage(f"unknown message type {kind!r} with {payload!r}")
    reader = _Reader(payload)
    decoded = decoder(reader)
    reader.done()
    return decoded


class Wire:
    """A socket that speaks in messages. `statuses` and `key` are noted as they come by."""

    def __init__(self, sock: socket.socket, address: tuple[str, int]) -> None:
        self.sock = sock
        self.address = address
        self.statuses: dict[str, str] = {}
        self.key: BackendKeyData | None = None
        self._buffer = bytearray()
        self._ended = False

    @classmethod
    def connect(cls, host: str, port: int, timeout: float = ANSWER_TIMEOUT) -> Wire:
        """Opens the socket and sends nothing. A host that starts with `/` is a directory."""
        if host.startswith("/"):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(timeout)
            sock.connect(f"{host}/.s.PGSQL.{port}")
        else:
            sock = socket.create_connection((host, port), timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock, (host, port))

    def send(self, data: bytes) -> None:
        """Sends bytes; a peer that has hung up is noticed by the next read, not here."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def read(self) -> Message:
        """The next message, or `Closed()`. Raises TimeoutError when nothing comes."""
        if (head := self._take(5)) is None:
            return Closed()
        (size,) = struct.unpack("!i", head[1:])
        if size < 4:
            raise BrokenMessage(f"length {size} in {head!r}")
        if (payload := self._take(size - 4)) is None:
            raise BrokenMessage(f"connection closed inside a message of type {head[:1]!r}")
        decoded = decode(head[:1], payload)
        if isinstance(decoded, ParameterStatus):
            self.statuses[decoded.name] = decoded.value
        elif isinstance(decoded, BackendKeyData):
            self.key = decoded
        return decoded

    def read_byte(self) -> Byte | Closed:
        """The bare byte that answers SSLRequest or GSSENCRequest."""
        byte = self._take(1)
        return Closed() if byte is None else Byte(byte)

    def read_until(self, *kinds: type) -> list[Message]:
        """Every message up to and including the first of one of `kinds`, or `Closed()`."""
        messages = [self.read()]
        while not isinstance(messages[-1], (*kinds, Closed)):
            messages.append(self.read())
        return messages

    def readable(self, timeout: float) -> bool:
        """Whether something (the end of the connection included) arrives within `timeout` s."""
        if self._buffer or self._ended:
            return True
        self.sock.settimeout(timeout)
        try:
            self._receive()
            return True
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(ANSWER_TIMEOUT)

    def cancel(self, secret: bytes) -> Message:
        """Sends a CancelRequest for this session; returns what came back (`Closed()` is right)."""
        assert self.key is not None
        with Wire.connect(*self.address) as other:
            other.send(cancel_request(self.key.pid, secret))
            return other.read_byte()

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> None:
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        self._buffer += data
        self._ended = not data

    def _take(self, size: int) -> bytes | None:
        while len(self._buffer) < size:
            if not self._ended:
                self._receive()
            if self._ended:
                if self._buffer:
                    raise BrokenMessage(f"connection closed inside {bytes(self._buffer)!r}")
                return None
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
