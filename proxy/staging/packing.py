"""Packed files and other encodings than UTF-8: a file's bytes as the readers want them, and back.

`COMPRESSION = AUTO` goes by the bytes that a file begins with, so that a name that says something else
misleads nobody; Brotli and Deflate, which have none, go by the name's ending.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import IO, Any

import pyarrow as pa

from proxy.errors import SqlError
from proxy.sql.snowflake.file_formats import FileFormat

_BLOCK = 1 << 22
_MAGIC = {b"\x1f\x8b": "GZIP", b"BZh": "BZ2", b"\x28\xb5\x2f\xfd": "ZSTD"}
_ENDINGS = {".br": "BROTLI", ".deflate": "DEFLATE", ".raw_deflate": "RAW_DEFLATE"}
ENDINGS = {
    "GZIP": ".gz",
    "BZ2": ".bz2",
    "ZSTD": ".zst",
    "BROTLI": ".br",
    "DEFLATE": ".deflate",
    "RAW_DEFLATE": ".raw_deflate",
    "NONE": "",
}
_CODECS = {"GZIP": "gzip", "BZ2": "bz2", "ZSTD": "zstd", "BROTLI": "brotli"}
_WINDOWS = {"DEFLATE": zlib.MAX_WBITS, "RAW_DEFLATE": -zlib.MAX_WBITS}
_MARK = b"\xef\xbb\xbf"


def packing_of(file: IO[bytes], name: str) -> str:
    """How a file is packed; 'NONE' where nothing says that it is."""
    head = file.read(4)
    file.seek(0)
    for magic, packing in _MAGIC.items():
        if head.startswith(magic):
            return packing
    return next((how for ending, how in _ENDINGS.items() if name.endswith(ending)), "NONE")


def blocks(file: IO[bytes], name: str, format_: FileFormat) -> Iterator[bytes]:
    """The text of a file, in UTF-8 and without a byte order mark, in blocks of whole characters.

    Raises 22P04 for what cannot be unpacked, 22021 for bytes that are no text.
    """
    packing = format_["COMPRESSION"]
    if packing == "AUTO":
        packing = packing_of(file, name)
    raw = _unpacked(file, packing, name)
    encoding = format_.options.get("ENCODING", "utf-8")
    lenient = format_["REPLACE_INVALID_CHARACTERS"] or format_.options.get("IGNORE_UTF8_ERRORS")
    return _in_utf8(raw, encoding, "replace" if lenient else "strict", name)


def _unpacked(file: IO[bytes], packing: str, name: str) -> Iterator[bytes]:
    try:
        if packing in _WINDOWS:
            yield from _inflated(file, _WINDOWS[packing])
            return
        stream: Any = file
        if packing != "NONE":
            stream = pa.CompressedInputStream(pa.PythonFile(file, "r"), _CODECS[packing])
        while block := stream.read(_BLOCK):
            yield block
    except (OSError, zlib.error, EOFError, pa.ArrowException) as error:
        raise SqlError(
            "22P04", f'the file "{name}" is not {packing}', detail=str(error).strip()
        ) from error


def _inflated(file: IO[bytes], window: int) -> Iterator[bytes]:
    inflating = zlib.decompressobj(window)
    while block := file.read(_BLOCK):
        while block:
            if found := inflating.decompress(block, _BLOCK):
                yield found
            block = inflating.unconsumed_tail
    if found := inflating.flush():
        yield found
    if not inflating.eof:
        raise EOFError("it ends too early")


def _in_utf8(raw: Iterator[bytes], encoding: str, errors: str, name: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    first = True
    try:
        for block in raw:
            text = decoder.decode(block)
            found = text.encode()
            if first and found:
                found, first = found.removeprefix(_MARK), False
            if found:
                yield found
        if found := decoder.decode(b"", final=True).encode():
            yield found
    except UnicodeDecodeError as error:
        raise SqlError(
            "22021",
            f'the file "{name}" has bytes that are no {encoding}',
            detail=str(error),
            hint="ENCODING says another one; REPLACE_INVALID_CHARACTERS = TRUE takes what is there.",
        ) from error


class _Open:
    """A file to write to that stays open: Arrow's streams close what they write to."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.closed = False

    def write(self, data: Any) -> int:
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True


class Packed(AbstractContextManager["Packed"]):
    """Writes packed bytes to a file."""

    def __init__(self, file: IO[bytes], packing: str) -> None:
        self._file = file
        self._stream: Any = None
        self._deflating: Any = None
        if packing in _WINDOWS:
            self._deflating = zlib.compressobj(wbits=_WINDOWS[packing])
        elif packing != "NONE":
            sink = pa.PythonFile(_Open(file), "w")
            self._stream = pa.CompressedOutputStream(sink, _CODECS[packing])

    def write(self, data: Any) -> None:
        if self._deflating is not None:
            self._file.write(self._deflating.compress(data))
        elif self._stream is not None:
            self._stream.write(data)
        else:
            self._file.write(data)

    def __exit__(self, *error: object) -> None:
        if self._deflating is not None:
            self._file.write(self._deflating.flush())
        elif self._stream is not None:
            self._stream.close()
