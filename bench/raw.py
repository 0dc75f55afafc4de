"""The leanest client there can be: bytes made beforehand go out, answers are read and not decoded.

A driver spends more on a `select 1` than a server does, and would hide the ratio that is measured.
Only what a measurement needs is here; `tests/protocol/client.py` is the client that looks closely.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Self

_RECEIVE = 1 << 18
_READY = b"Z\0\0\0\5"


class Refused(Exception):
    """The server answered with an error; the text is its message's fields."""


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def query(sql: str) -> bytes:
    return _message(b"Q", sql.encode() + b"\0")


def parse(name: str, sql: str) -> bytes:
    return _message(b"P", f"{name}\0{sql}\0".encode() + b"\0\0")


def execute(name: str, *parameters: bytes) -> bytes:
    """Bind, Execute and Sync of a prepared statement: parameters and results as text."""
    values = b"".join(struct.pack("!i", len(value)) + value for value in parameters)
    bound = b"\0" + name.encode() + b"\0\0\0" + struct.pack("!h", len(parameters)) + values
    return _message(b"B", bound + b"\0\0") + _message(b"E", b"\0\0\0\0\0") + SYNC


SYNC = _message(b"S", b"")
COPY_DONE = _message(b"c", b"")


class RawClient:
    """One connection, in plain text and without a password. Raises OSError, `Refused`."""

    def __init__(self, host: str, port: int, user: str, database: str) -> None:
        self._socket = socket.create_connection((host, port), timeout=600)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = f"user\0{user}\0database\0{database}\0\0".encode()
        self._socket.sendall(struct.pack("!ii", len(body) + 8, 3 << 16) + body)
        self._until(_READY)

    def ask(self, request: bytes) -> bytes:
        """Sends it and returns everything up to ReadyForQuery. For small answers."""
        self._socket.sendall(request)
        answer = self._socket.recv(_RECEIVE)
        if answer[-6:-1] != _READY:
            answer = self._until(_READY, answer)
        if answer[:1] == b"E":
            raise Refused(_fields(answer))
        return answer

    def count(self, request: bytes) -> int:
        """Sends it and throws the answer away as it comes; returns its length in bytes."""
        self._socket.sendall(request)
        room = memoryview(bytearray(_RECEIVE))
        total, tail = 0, b""
        while tail[-6:-1] != _READY:
            got = self._socket.recv_into(room)
            if not got:
                raise ConnectionResetError("the server hung up")
            total += got
            tail = (tail + bytes(room[max(0, got - 6) : got]))[-6:]
        return total

    def copy_in(self, sql: str, pieces: Iterable[bytes]) -> None:
        """COPY ... FROM STDIN, a CopyData message for each piece."""
        self._socket.sendall(query(sql))
        answer = self._socket.recv(_RECEIVE)
        if answer[:1] != b"G":
            if answer[-6:-1] != _READY:
                answer = self._until(_READY, answer)
            raise Refused(_fields(answer))
        for piece in pieces:
            self._socket.sendall(b"d" + struct.pack("!i", len(piece) + 4))
            self._socket.sendall(piece)
        self.ask(COPY_DONE)

    def _until(self, mark: bytes, answer: bytes = b"") -> bytes:
        while answer[-6:-1] != mark:
            more = self._socket.recv(_RECEIVE)
            if not more:
                raise Refused(_fields(answer) if answer[:1] == b"E" else "the server hung up")
            answer += more
        return answer

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _fields(answer: bytes) -> str:
    length = int.from_bytes(answer[1:5], "big")
    return answer[5 : length + 1].replace(b"\0", b" ").decode("utf-8", "replace").strip()
