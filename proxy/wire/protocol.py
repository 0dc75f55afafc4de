"""The server's side of one connection as a state machine without I/O: bytes in, events out.

One rule, from which the rest follows: **which frames mean anything now is a table**, `_ALLOWED`.
The session moves the machine (`ready`, `fail`, `copy_in`); the machine drops what Postgres would
drop (everything up to Sync after an error, Flush and Sync inside a COPY), refuses what it would
refuse, and never hands a frame to a session that is in no state to take it.
"""

from __future__ import annotations

import struct
from enum import Enum

from proxy.wire import messages as m


class State(Enum):
    STARTUP = "startup"
    READY = "ready"  # a simple query, or anything of the extended protocol
    SKIP = "skip"  # an error in the extended protocol: ignore until Sync
    COPY_IN = "copy in"
    CLOSED = "closed"


_EVERY = m.KINDS
_COPY_FRAMES = frozenset((b"d", b"c", b"f"))

# state -> (frames that reach the session, frames dropped without a word); others end the session.
_ALLOWED: dict[State, tuple[frozenset[bytes], frozenset[bytes]]] = {
    State.READY: (_EVERY - _COPY_FRAMES, _COPY_FRAMES),
    State.SKIP: (frozenset((b"S", b"X")), _EVERY - {b"S", b"X"}),
    State.COPY_IN: (_EVERY - {b"H", b"S"}, frozenset((b"H", b"S"))),
}

MAX_STARTUP_PACKET = 10_000
MAX_MESSAGE = 0x3FFF_FFFF  # as Postgres: one byte less than a gigabyte
MAX_SMALL_MESSAGE = 10_000  # ... and for messages that have no reason to be long
_LARGE = frozenset((b"Q", b"P", b"B", b"F", b"d"))
_HEADER = 5
_SYNC = b"S"[0]
_header = struct.Struct("!ci")


class NoClient(Exception):
    """What came is no startup packet: a port scan, a browser. Hang up without a word."""


class FrontendProtocol:
    """Feed it what the socket gives; iterate what it means.

    `receive` buffers; packets and frames are taken one by one, so that the state is judged at the
    moment a frame is taken, after what the frame before it did.
    """

    def __init__(self) -> None:
        self.state = State.STARTUP
        self._taken = self._dropped = frozenset[bytes]()  # what the state admits
        self._buffer = bytearray()
        self._at = 0

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def push_back(self, data: bytes) -> None:
        """`data` comes before what is buffered."""
        self._compact()
        self._buffer[0:0] = data

    @property
    def buffered(self) -> int:
        """Bytes received and not yet taken."""
        return len(self._buffer) - self._at

    def startup_packet(self) -> bytes | None:
        """The next startup packet's body, or None. Raises `NoClient` for a senseless length."""
        if self.buffered < 4:
            return None
        length = int.from_bytes(self._buffer[self._at : self._at + 4], "big", signed=True)
        if not 8 <= length <= MAX_STARTUP_PACKET:
            raise NoClient
        if self.buffered < length:
            return None
        return self._take(length)[4:]

    def next_frame(self) -> tuple[bytes, bytes] | None:
        """One frame that the state admits, as (type, body), or None when it is not all there yet.

        Raises FATAL 08P01 where Postgres would hang up.
        """
        while True:
            buffer, at = self._buffer, self._at
            if len(buffer) - at < _HEADER:
                if at:
                    self._compact()
                return None
            kind, length = _header.unpack_from(buffer, at)
            if kind not in _EVERY:
                self._close()
                raise m.protocol_violation(
                    f"invalid frontend message type {kind[0]}", severity="FATAL"
                )
            if not 4 <= length <= (MAX_MESSAGE if kind in _LARGE else MAX_SMALL_MESSAGE):
                self._close()
                raise m.protocol_violation("invalid message length", severity="FATAL")
            if len(buffer) - at <= length:
                self._compact()
                return None
            body = self._take(length + 1, _HEADER)
            if kind in self._taken:
                return kind, body
            assert kind in self._dropped

    def next_is(self, kind: bytes) -> bool:
        """Whether the next frame has already begun to arrive and is of this type."""
        return self._buffer[self._at : self._at + 1] == kind

    @property
    def more_than_sync(self) -> bool:
        """Whether something else than a Sync comes next: statements sent at once."""
        return self._at < len(self._buffer) and self._buffer[self._at] != _SYNC

    def rest_is(self, expected: bytes) -> bool:
        """Whether these very bytes are what comes next and nothing follows them yet."""
        return len(self._buffer) - self._at == len(expected) and self._buffer.endswith(expected)

    def take_rest(self) -> None:
        """Takes all that has arrived."""
        self._buffer.clear()
        self._at = 0

    def ready(self) -> None:
        """Startup is over, a Sync was answered, or a COPY ended."""
        self._enter(State.READY)

    def skip_until_sync(self) -> None:
        self._enter(State.SKIP)

    def copy_in(self) -> None:
        self._enter(State.COPY_IN)

    def _enter(self, state: State) -> None:
        self.state = state
        self._taken, self._dropped = _ALLOWED[state]

    def _close(self) -> None:
        self.state = State.CLOSED
        self._buffer.clear()
        self._at = 0

    def _take(self, count: int, skip: int = 0) -> bytes:
        """The next `count` bytes without the first `skip` of them."""
        end = self._at + count
        piece = bytes(self._buffer[self._at + skip : end])
        self._at = end
        if self._at == len(self._buffer):
            self._buffer.clear()
            self._at = 0
        return piece

    def _compact(self) -> None:
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
