"""Encoders of the types whose bytes need no arithmetic: bool, integers, text, bytea, uuid, bit.

Promises: text never carries a zero byte (22021, as Postgres's own input functions refuse it), and
unsigned integers have already been given a wider Postgres type by `proxy.wire.types`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.wire.encoders.cells import (
    Cells,
    Encoder,
    binary_from,
    binary_parts,
    check_bytes,
    concat,
    narrow,
    null_mask,
    offsets_of,
    replaced_bytes,
    rows_of,
    slot,
    storage,
    values,
    void,
)

_BOOL_TEXT = np.frombuffer(b"ft", "S1")


def bools(array: pa.Array, nulls: np.ndarray | None) -> np.ndarray:
    """The truth values of a boolean column, whichever of Arrow's two layouts it has: (n,) of 0/1."""
    array = storage(array)
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    truth = values(array, "i1") != 0
    return truth if nulls is None else truth & ~nulls


def bool_text(array: pa.Array) -> Cells:
    nulls = null_mask(array)
    return Cells(fixed=_BOOL_TEXT[bools(array, nulls).view("i1")], nulls=nulls)


def bool_binary(array: pa.Array) -> Cells:
    nulls = null_mask(array)
    return Cells(fixed=bools(array, nulls).view("i1"), nulls=nulls)


def integer_text(array: pa.Array) -> Cells:
    """Decimal digits; Arrow writes integers as Postgres does."""
    return Cells(ragged=array.cast(pa.string()), nulls=null_mask(array))


def number_binary(source: str, target: str) -> Encoder:
    """Numbers of numpy type `source` as the big-endian `target` (`>i2`, `>f8`, ...)."""

    def encode(array: pa.Array) -> Cells:
        return Cells(fixed=values(array, source).astype(target), nulls=null_mask(array))

    return encode


def text(array: pa.Array) -> Cells:
    """Strings as they are; the same bytes in both formats."""
    array = storage(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    nulls = null_mask(array)
    array = narrow(array)
    refuse_zero_bytes(array)
    return Cells(ragged=array, nulls=nulls)


def refuse_zero_bytes(array: pa.Array) -> None:
    """Raises 22021 if a string has a zero byte, which no Postgres text can hold."""
    offsets, data = binary_parts(array)
    used = data[offsets[0] : offsets[-1]]
    # A zero byte may lie in the slot of a NULL, so the fast question is only a first one.
    if used.all() or not pc.any(pc.match_substring(array, "\0")).as_py():
        return
    raise SqlError(
        "22021",
        'invalid byte sequence for encoding "UTF8": 0x00',
        hint="A Postgres text cannot hold chr(0); remove it or cast the value to BLOB.",
    )


def nothing(array: pa.Array) -> Cells:
    """A column of type NULL, whatever Arrow type stands in for it."""
    n = len(array)
    return Cells(fixed=np.empty(n, "V0"), nulls=np.ones(n, bool))


def blob_binary(array: pa.Array) -> Cells:
    array = storage(array)
    return Cells(ragged=narrow(array), nulls=null_mask(array))


_HEX = np.frombuffer(b"".join(b"%02x" % i for i in range(256)), "u2")
# bytea_output = escape: printable bytes stay, a backslash is doubled, the rest is \ooo.
_ESCAPED = [
    b"\\\\" if i == 0x5C else bytes([i]) if 0x20 <= i <= 0x7E else b"\\%03o" % i for i in range(256)
]


def blob_text(output: str) -> Encoder:
    """bytea as `\\x6162` (hex) or with octal escapes (escape)."""
    return _blob_hex if output == "hex" else _blob_escape


def _blob_hex(array: pa.Array) -> Cells:
    array = storage(array)
    nulls = null_mask(array)
    offsets, data = binary_parts(array)
    first, last = int(offsets[0]), int(offsets[-1])
    check_bytes(2 * (last - first))
    digits = _HEX[data[first:last]].view("u1")
    return Cells(
        ragged=concat(len(array), [b"\\x", binary_from(2 * (offsets - offsets[0]), digits)]),
        nulls=nulls,
    )


def _blob_escape(array: pa.Array) -> Cells:
    array = storage(array)
    return Cells(ragged=replaced_bytes(narrow(array), _ESCAPED), nulls=null_mask(array))


def uuid_binary(array: pa.Array) -> Cells:
    return Cells(fixed=values(storage(array), "V16"), nulls=null_mask(array))


# Where the 16 bytes of a uuid go in its 36 characters: runs of (first byte, bytes, column).
_UUID_RUNS = ((0, 4, 0), (4, 2, 9), (6, 2, 14), (8, 2, 19), (10, 6, 24))


def uuid_text(array: pa.Array) -> Cells:
    n = len(array)
    digits = _HEX[values(storage(array), "V16").view("u1")].view("u1").reshape(n, 32)
    out = np.full((n, 36), ord("-"), "u1")
    for first, count, column in _UUID_RUNS:
        slot(out, column, void(2 * count))[...] = slot(digits, 2 * first, void(2 * count))
    return Cells(fixed=rows_of(out), nulls=null_mask(array))


def bit_text(array: pa.Array) -> Cells:
    """A bit string as `0` and `1`."""
    nulls, offsets, padding, data = _bits(array)
    bits = np.unpackbits(data) + np.uint8(ord("0"))
    starts, lengths = 8 * (offsets[:-1].astype("i8") + 1) + padding, _bit_count(offsets, padding)
    return Cells(ragged=_slices(bits, starts, lengths), nulls=nulls)


def bit_binary(array: pa.Array) -> Cells:
    """int32 count of bits, then the bits from the left, the last byte padded with 0."""
    nulls, offsets, padding, data = _bits(array)
    n = len(array)
    counts = _bit_count(offsets, padding)
    # DuckDB pads on the left with ones, Postgres on the right with zeros: spell the bits out,
    # each value on whole bytes, and pack them again.
    size = (counts + 7) // 8
    ends = offsets_of(size)
    bits = np.zeros(8 * int(ends[-1]), "u1")
    spelled = _slices(np.unpackbits(data), 8 * (offsets[:-1].astype("i8") + 1) + padding, counts)
    from_offsets, from_bits = binary_parts(spelled)
    shift = 8 * ends[:-1].astype("i8") - from_offsets[:-1]
    bits[np.arange(len(from_bits)) + np.repeat(shift, counts)] = from_bits
    packed = binary_from(ends, np.packbits(bits))
    return Cells(ragged=concat(n, [counts.astype(">i4"), packed]), nulls=nulls)


def _bits(array: pa.Array) -> tuple[np.ndarray | None, np.ndarray, np.ndarray, np.ndarray]:
    """NULLs, byte offsets, bits of padding, bytes. DuckDB: one byte of padding count, then bits."""
    array = storage(array)
    nulls = null_mask(array)
    if nulls is not None:
        array = pc.fill_null(array, b"\x00")
    offsets, data = binary_parts(array)
    padding = data[offsets[:-1]] if len(data) else np.zeros(0, "u1")
    return nulls, offsets, padding.astype("i4"), data


def _bit_count(offsets: np.ndarray, padding: np.ndarray) -> np.ndarray:
    return (8 * (np.diff(offsets) - 1) - padding).astype("i4")


def _slices(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> pa.Array:
    """The given runs of bytes as a binary array."""
    offsets = offsets_of(lengths)
    shift = starts - offsets[:-1]
    return binary_from(offsets, data[np.arange(int(offsets[-1])) + np.repeat(shift, lengths)])
