"""COMPRESS and DECOMPRESS: SNAPPY and ZSTD by Arrow's codecs, ZLIB and BZ2 by Python's."""

from __future__ import annotations

import bz2
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

_MOST = 64 * 1024 * 1024  # bytes of one value, unpacked; Snowflake's BINARY has 8 MB at most


class _Method(NamedTuple):
    """How a value is packed, at a level (None: the method's own), and unpacked again."""

    pack: Callable[[bytes, int | None], bytes]
    unpack: Callable[[bytes], bytes]


def _codec(name: str) -> Callable[[bytes, int | None], bytes]:
    def pack(value: bytes, level: int | None) -> bytes:
        codec = pa.Codec(name, compression_level=level) if level is not None else pa.Codec(name)
        return codec.compress(value, asbytes=True)

    return pack


def _unsnapped(value: bytes) -> bytes:
    """Snappy's block begins with the length of what is in it, seven bits a byte."""
    size = shift = 0
    for byte in value:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if not 0 <= size <= _MOST:
        raise ValueError("too long")
    return pa.Codec("snappy").decompress(value, size, asbytes=True)


def _streamed(name: str) -> Callable[[bytes], bytes]:
    def unpack(value: bytes) -> bytes:
        with pa.input_stream(pa.BufferReader(value), compression=name) as stream:
            return stream.read(_MOST)

    return unpack


def _unzipped(value: bytes) -> bytes:
    work = zlib.decompressobj()
    made = work.decompress(value, _MOST)
    if not work.eof:
        raise ValueError("incomplete")
    return made


_METHODS: dict[str, _Method] = {
    "SNAPPY": _Method(_codec("snappy"), _unsnapped),
    "ZSTD": _Method(_codec("zstd"), _streamed("zstd")),
    "ZLIB": _Method(lambda v, n: zlib.compress(v, -1 if n is None else n), _unzipped),
    "BZ2": _Method(lambda v, n: bz2.compress(v, 9 if n is None else n), bz2.decompress),
}
_SPELLED = re.compile(r"\s*([A-Za-z0-9]+)\s*(?:\(\s*(\d+)\s*\))?\s*")


def _method(spelled: str) -> tuple[_Method, int | None]:
    """`zlib`, `zlib(1)`. Raises ValueError for a method that there is not."""
    found = _SPELLED.fullmatch(spelled)
    method = _METHODS.get(found[1].upper()) if found else None
    if found is None or method is None:
        raise ValueError(f"unknown compression method '{spelled}'")
    return method, int(found[2]) if found[2] else None


def packed(values: pa.Array, methods: pa.Array) -> pa.Array:
    """COMPRESS of binaries, each by its method."""

    def one(value: bytes | None, spelled: str | None) -> bytes | None:
        if value is None or spelled is None:
            return None
        method, level = _method(spelled)
        return method.pack(value, level)

    return pa.array(map(one, values.to_pylist(), methods.to_pylist()), pa.binary())


def unpacked(values: pa.Array, methods: pa.Array) -> pa.Array:
    """DECOMPRESS_BINARY. Raises ValueError for what was not packed by that method."""

    def one(value: bytes | None, spelled: str | None) -> bytes | None:
        if value is None or spelled is None:
            return None
        method, _ = _method(spelled)
        try:
            return method.unpack(value)
        except (OSError, ValueError, zlib.error, EOFError) as error:
            raise ValueError(f"the value is not compressed by {spelled}") from error

    return pa.array(map(one, values.to_pylist(), methods.to_pylist()), pa.binary())
