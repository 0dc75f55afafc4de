"""The frames of protocol 3.0, both ways: bytes to messages, messages to bytes; no state, no socket.

Frontend messages become small tuples that the rest of the proxy speaks in; backend messages are
built here and nowhere else. Layouts follow the chapter "Message Formats" of Postgres's manual.
A frame that is not what it claims to be raises `SqlError` 08P01, text that is not UTF-8 22021.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from proxy.errors import SqlError

_int16, _int32, _uint32 = struct.Struct("!h"), struct.Struct("!i"), struct.Struct("!I")
_header = struct.Struct("!ci")
_key = struct.Struct("!ii")
_column = struct.Struct("!IhIhih")


# --- frontend ---------------------------------------------------------------------------------


class Query(NamedTuple):
    sql: str


class Parse(NamedTuple):
    statement: str
    sql: str
    parameter_oids: tuple[int, ...]


class Bind(NamedTuple):
    portal: str
    statement: str
    parameter_formats: tuple[int, ...]
    parameters: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


class Describe(NamedTuple):
    kind: str  # 'S' statement, 'P' portal
    name: str


class Execute(NamedTuple):
    portal: str
    max_rows: int  # 0: all


class Close(NamedTuple):
    kind: str
    name: str


class Flush(NamedTuple):
    pass


class Sync(NamedTuple):
    pass


class Terminate(NamedTuple):
    pass


class CopyData(NamedTuple):
    data: bytes


class CopyDone(NamedTuple):
    pass


class CopyFail(NamedTuple):
    reason: str


class FunctionCall(NamedTuple):
    pass


Message = (
    Query
    | Parse
    | Bind
    | Describe
    | Execute
    | Close
    | Flush
    | Sync
    | Terminate
    | CopyData
    | CopyDone
    | CopyFail
    | FunctionCall
)


_FLUSH, _SYNC = Flush(), Sync()


class _Body:
    """A reader over one frame's body; running past its end is a protocol violation."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise protocol_violation("insufficient data left in message")
        piece, self._at = self._data[self._at : end], end
        return piece

    def int16s(self) -> tuple[int, ...]:
        """As many as the count before them says."""
        count = self.count()
        return struct.unpack(f"!{count}h", self.take(2 * count)) if count else ()

    def count(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def int32(self) -> int:
        return _int32.unpack(self.take(4))[0]

    def uint32(self) -> int:
        return _uint32.unpack(self.take(4))[0]

    def text(self) -> str:
        start, end = self._at, self._data.find(b"\0", self._at)
        if end < 0:
            raise protocol_violation("invalid string in message")
        self._at = end + 1
        return decode_text(self._data[start:end]) if end > start else ""

    def value(self) -> bytes | None:
        length = self.int32()
        return None if length == -1 else self.take(length)

    def finish(self) -> None:
        if self._at != len(self._data):
            raise protocol_violation("invalid message format")


def protocol_violation(message: str, *, severity: str = "ERROR") -> SqlError:
    return SqlError("08P01", message, severity=severity)


def decode_text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        wrong = " ".join(
            f"0x{byte:02x}" for byte in raw[error.start : max(error.end, error.start + 1)]
        )
        raise SqlError("22021", f'invalid byte sequence for encoding "UTF8": {wrong}') from None


def _parse(body: _Body) -> Parse:
    name, sql = body.text(), body.text()
    return Parse(name, sql, tuple(body.uint32() for _ in range(body.count())))


def _bind(body: _Body) -> Bind:
    portal, statement = body.text(), body.text()
    formats = body.int16s()
    values = tuple([body.value() for _ in range(body.count())])
    result_formats = body.int16s()
    if len(formats) not in (0, 1, len(values)):
        raise protocol_violation(
            f"bind message has {len(formats)} parameter formats but {len(values)} parameters"
        )
    for code in formats + result_formats:
        if code not in (0, 1):
            raise SqlError("22023", f"unsupported format code: {code}")
    return Bind(portal, statement, formats, values, result_formats)


def _describe_kind(body: _Body, verb: str) -> str:
    kind = body.take(1)
    if kind not in (b"S", b"P"):
        raise protocol_violation(f"invalid {verb} message subtype {kind[0]}")
    return kind.decode()


def _function_call(body: _Body) -> FunctionCall:
    raise SqlError("0A000", "the function call protocol is not supported", hint="Use SELECT.")


_DECODERS: dict[bytes, Callable[[_Body], Message]] = {
    b"Q": lambda body: Query(body.text()),
    b"P": _parse,
    b"B": _bind,
    b"D": lambda body: Describe(_describe_kind(body, "DESCRIBE"), body.text()),
    b"E": lambda body: Execute(body.text(), body.int32()),
    b"C": lambda body: Close(_describe_kind(body, "CLOSE"), body.text()),
    b"H": lambda body: _FLUSH,
    b"S": lambda body: _SYNC,
    b"X": lambda body: Terminate(),
    b"c": lambda body: CopyDone(),
    b"f": lambda body: CopyFail(body.text()),
    b"F": _function_call,
}


def decode(kind: bytes, data: bytes) -> Message:
    """One frame (type byte, body without its length) to a message. Raises 08P01, 22021, 22023."""
    if kind == b"d":
        return CopyData(data)
    body = _Body(data)
    message = _DECODERS[kind](body)
    body.finish()
    return message


KINDS = frozenset(_DECODERS) | {b"d"}


# --- startup packets --------------------------------------------------------------------------

PROTOCOL_3 = 3
_SSL, _GSSENC, _CANCEL = 80877103, 80877104, 80877102


class SslRequest(NamedTuple):
    pass


class GssEncRequest(NamedTuple):
    pass


class CancelRequest(NamedTuple):
    pid: int
    key: bytes


class Startup(NamedTuple):
    major: int
    minor: int
    parameters: dict[str, str]


def decode_startup(data: bytes) -> SslRequest | GssEncRequest | CancelRequest | Startup:
    """The packet before any other, without its length. Raises FATAL 08P01."""
    body = _Body(data)
    code = body.int32()
    if code == _SSL:
        return SslRequest()
    if code == _GSSENC:
        return GssEncRequest()
    if code == _CANCEL:
        return CancelRequest(body.int32(), data[8:])
    parameters: dict[str, str] = {}
    major, minor = code >> 16, code & 0xFFFF
    if major == PROTOCOL_3:
        try:
            while name := body.text():
                parameters[name] = body.text()
            body.finish()
        except SqlError as error:
            if error.sqlstate != "08P01":
                error.severity = "FATAL"
                raise
            raise protocol_violation(
                "invalid startup packet layout: expected terminator as last byte", severity="FATAL"
            ) from None
    return Startup(major, minor, parameters)


# --- backend ----------------------------------------------------------------------------------


def frame(kind: bytes, body: bytes = b"") -> bytes:
    return _header.pack(kind, len(body) + 4) + body


def cstring(text: str) -> bytes:
    return text.encode("utf-8", "replace").replace(b"\0", b"") + b"\0"


class Column(NamedTuple):
    """One field of RowDescription."""

    name: str
    oid: int
    size: int
    modifier: int
    format: int = 0
    table_oid: int = 0
    attribute: int = 0


AUTHENTICATION_OK = frame(b"R", _int32.pack(0))
PARSE_COMPLETE = frame(b"1")
BIND_COMPLETE = frame(b"2")
CLOSE_COMPLETE = frame(b"3")
NO_DATA = frame(b"n")
PORTAL_SUSPENDED = frame(b"s")
EMPTY_QUERY = frame(b"I")
READY = {state: frame(b"Z", state.encode()) for state in "ITE"}


def backend_key_data(pid: int, key: bytes) -> bytes:
    return frame(b"K", _int32.pack(pid) + key)


def cancel_request(pid: int, key: bytes) -> bytes:
    return _int32.pack(12 + len(key)) + _int32.pack(_CANCEL) + _int32.pack(pid) + key


def startup(parameters: Iterable[tuple[str, str]]) -> bytes:
    pairs = b"".join(cstring(name) + cstring(value) for name, value in parameters)
    body = _int32.pack(PROTOCOL_3 << 16) + pairs + b"\0"
    return _int32.pack(len(body) + 4) + body


def ssl_request() -> bytes:
    return _int32.pack(8) + _int32.pack(_SSL)


def negotiate_protocol_version(minor: int, unknown_options: Sequence[str]) -> bytes:
    options = b"".join(map(cstring, unknown_options))
    return frame(
        b"v",
        _int32.pack(PROTOCOL_3 << 16 | minor) + _int32.pack(len(unknown_options)) + options,
    )


def parameter_status(name: str, value: str) -> bytes:
    return frame(b"S", cstring(name) + cstring(value))


def parameter_description(oids: Sequence[int]) -> bytes:
    return frame(b"t", len(oids).to_bytes(2, "big") + b"".join(map(_uint32.pack, oids)))


def row_description(columns: Sequence[Column]) -> bytes:
    fields = b"".join(
        cstring(column.name)
        + _column.pack(
            column.table_oid,
            column.attribute,
            column.oid,
            column.size,
            column.modifier,
            column.format,
        )
        for column in columns
    )
    return frame(b"T", len(columns).to_bytes(2, "big") + fields)


def command_complete(tag: str) -> bytes:
    return frame(b"C", cstring(tag))


def copy_response(kind: bytes, binary: bool, columns: int) -> bytes:
    """kind: b'G' for CopyInResponse, b'H' for CopyOutResponse."""
    code = int(binary)
    return frame(
        kind, bytes([code]) + columns.to_bytes(2, "big") + code.to_bytes(2, "big") * columns
    )


def error_response(error: SqlError) -> bytes:
    return frame(b"E", _fields(error, error.severity))


def notice_response(error: SqlError, severity: str = "NOTICE") -> bytes:
    return frame(b"N", _fields(error, severity))


def _fields(error: SqlError, severity: str) -> bytes:
    fields = (
        ("S", severity),
        ("V", severity),
        ("C", error.sqlstate),
        ("M", error.message),
        ("D", error.detail),
        ("H", error.hint),
        ("P", error.position),
        ("W", error.where),
        *error.objects.items(),
        ("R", error.routine),
    )
    return (
        b"".join(code.encode() + cstring(str(value)) for code, value in fields if value is not None)
        + b"\0"
    )
