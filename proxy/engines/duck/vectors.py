"""A few rows from DuckDB's vectors to DataRow messages, value by value, without Arrow between.

Why it exists: handing a chunk to Arrow and its columns to kernels has a price that does not depend
on the rows. A point query pays it for one row; here that row costs a few microseconds a column.

Promise: the bytes are those of `wire.rows`, whose writers of single values do the writing. A type
without a line here, and a value out of the ordinary, go the long way.
"""

from __future__ import annotations

import ctypes as c
import struct
from collections.abc import Callable, Sequence
from typing import Any

from proxy.engines.duck.c import Chunk
from proxy.wire.encoders.few import FEW_ROWS, Unusual, Write, writer
from proxy.wire.rows import MAX_BYTES, TextStyle
from proxy.wire.types import DuckType

Read = Callable[[int, int], Sequence[Any]]
"""(address of the first value, number of values) to values as `few`'s writers take them."""


def _numbers(code: str) -> Read:
    width, one = struct.calcsize("<" + code), struct.Struct("<" + code)

    def read(address: int, n: int) -> Sequence[Any]:
        raw = c.string_at(address, n * width)
        return one.unpack(raw) if n == 1 else struct.unpack(f"<{n}{code}", raw)

    return read


_SIGN = 1 << 127


def _wide(address: int, n: int) -> list[int]:
    """128-bit two's complement numbers, the lower half first."""
    raw = c.string_at(address, n * 16)
    return [int.from_bytes(raw[i : i + 16], "little", signed=True) for i in range(0, n * 16, 16)]


def _unsigned_wide(address: int, n: int) -> list[int]:
    raw = c.string_at(address, n * 16)
    return [int.from_bytes(raw[i : i + 16], "little") for i in range(0, n * 16, 16)]


def _uuids(address: int, n: int) -> list[bytes]:
    """Numbers whose highest bit is turned, so that they sort."""
    return [(number ^ _SIGN).to_bytes(16, "big") for number in _unsigned_wide(address, n)]


_INLINE = 12  # bytes of a `duckdb_string_t` that hold a short string themselves
_POINTER = struct.Struct("<Q")


def _blobs(address: int, n: int) -> list[bytes]:
    raw = c.string_at(address, n * 16)
    found = []
    for i in range(0, n * 16, 16):
        length = int.from_bytes(raw[i : i + 4], "little")
        if length <= _INLINE:
            found.append(raw[i + 4 : i + 4 + length])
        else:
            found.append(c.string_at(_POINTER.unpack_from(raw, i + 8)[0], length))
    return found


def _strings(address: int, n: int) -> list[str]:
    return [blob.decode() for blob in _blobs(address, n)]


def _decimal(duck: DuckType) -> Read:
    for digits, code in ((4, "h"), (9, "i"), (18, "q")):
        if duck.width <= digits:
            return _numbers(code)
    return _wide


_READERS: dict[str, Read] = {
    "BOOLEAN": _numbers("B"),
    "TINYINT": _numbers("b"),
    "SMALLINT": _numbers("h"),
    "INTEGER": _numbers("i"),
    "BIGINT": _numbers("q"),
    "UTINYINT": _numbers("B"),
    "USMALLINT": _numbers("H"),
    "UINTEGER": _numbers("I"),
    "UBIGINT": _numbers("Q"),
    "HUGEINT": _wide,
    "UHUGEINT": _unsigned_wide,
    "FLOAT": _numbers("f"),
    "DOUBLE": _numbers("d"),
    "VARCHAR": _strings,
    "BLOB": _blobs,
    "DATE": _numbers("i"),
    "TIMESTAMP": _numbers("q"),
    "TIMESTAMP_TZ": _numbers("q"),
    "UUID": _uuids,
}


class FewRows:
    """Encodes chunks of up to `FEW_ROWS` rows whose columns are of these types."""

    def __init__(self, columns: Sequence[tuple[Read, Write]]) -> None:
        self._columns = columns
        self._count = len(columns).to_bytes(2, "big")

    def encode(self, chunk: Chunk) -> bytes | None:
        """Blocks briefly. DataRow messages; None where the chunk is for the long way."""
        n = chunk.rows
        if n > FEW_ROWS:
            return None
        try:
            columns = [
                _cells(read, write, *chunk.vector(i), n)
                for i, (read, write) in enumerate(self._columns)
            ]
        except Unusual:
            return None
        rows = []
        for i in range(n):
            body = self._count + b"".join([column[i] for column in columns])
            if len(body) + 4 > MAX_BYTES:
                return None
            rows += (b"D", (len(body) + 4).to_bytes(4, "big"), body)
        return b"".join(rows)


def _cells(read: Read, write: Write, address: int, validity: int | None, n: int) -> list[bytes]:
    """Length words and bytes of one column's values. Raises `Unusual`."""
    if validity is None:
        written = [write(value) for value in read(address, n)]
        return [len(cell).to_bytes(4, "big") + cell for cell in written]
    valid = int.from_bytes(c.string_at(validity, 8), "little")
    if not valid & ((1 << n) - 1):
        return [_NULL] * n
    cells = []
    for i, value in enumerate(_read_valid(read, address, valid, n)):
        if valid >> i & 1:
            cell = write(value)
            cells.append(len(cell).to_bytes(4, "big") + cell)
        else:
            cells.append(_NULL)
    return cells


_NULL = b"\xff\xff\xff\xff"


def _read_valid(read: Read, address: int, valid: int, n: int) -> Sequence[Any]:
    """All values, or one by one where a NULL's place may hold a pointer to nowhere."""
    if read not in (_strings, _blobs):
        return read(address, n)
    return [read(address + 16 * i, 1)[0] if valid >> i & 1 else None for i in range(n)]


def few_rows(types: Sequence[DuckType], formats: Sequence[int], style: TextStyle) -> FewRows | None:
    """None if a column's type has no short way."""
    columns = []
    for duck, code in zip(types, formats, strict=True):
        read = _decimal(duck) if duck.id == "DECIMAL" else _READERS.get(duck.id)
        write = writer(duck, binary=code == 1, style=style)
        if read is None or write is None:
            return None
        columns.append((read, write))
    return FewRows(columns)
