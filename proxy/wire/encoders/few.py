"""Encoders for batches of a few rows, one value at a time.

Why they exist: a kernel costs some 8 us before it looks at a value, and a column takes five to
twenty of them. For a point query that is more than DuckDB needs to answer it, while Python writes
a handful of values in a microsecond each. So up to `FEW_ROWS` rows go this way.

Promise: the bytes are those of the column encoders. Here are only the ordinary values of the
ordinary types; a value out of the ordinary (an infinity, a year before 1, an exponent, a zero byte)
raises `Unusual`, and its column goes the long way. So does every type without a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Any

import numpy as np
import pyarrow as pa

from proxy.wire.encoders.cells import Encoder, binary_parts, null_mask, storage, values
from proxy.wire.encoders.style import TextStyle
from proxy.wire.encoders.times import MICROS, offset_suffixes
from proxy.wire.encoders.zones import zone
from proxy.wire.types import DuckType

# Where the kernels' fixed price is earned back, measured with five ordinary columns.
FEW_ROWS = 48


class Unusual(Exception):
    """This value is for the column encoder."""


Few = Callable[[pa.Array], Sequence[bytes | None]]
"""A column of a few values to the bytes of each, None for NULL. May raise `Unusual`."""

Read = Callable[[pa.Array], list[Any]]
Write = Callable[[Any], bytes]


def few(duck: DuckType, *, binary: bool, style: TextStyle, encoder: Encoder) -> Few:
    """The encoder for a few values of this type; falls back on the column's own."""
    build = (_BINARY if binary else _TEXT).get(duck.id)

    def long_way(array: pa.Array) -> Sequence[bytes | None]:
        cells = encoder(array)
        texts, _ = cells.compact()
        offsets, data = binary_parts(texts)
        every = data[offsets[0] : offsets[-1]].tobytes()
        bounds = (offsets - offsets[0]).tolist()
        nulls = [False] * len(array) if cells.nulls is None else cells.nulls.tolist()
        return [None if null else every[bounds[i] : bounds[i + 1]] for i, null in enumerate(nulls)]

    if build is None:
        return long_way
    read, write = build(duck, style)

    def short_way(array: pa.Array) -> Sequence[bytes | None]:
        found = read(array)
        try:
            if array.null_count == 0:
                return [write(value) for value in found]
            nulls = null_mask(array).tolist()
            return [None if n else write(v) for v, n in zip(found, nulls, strict=True)]
        except Unusual:
            return long_way(array)

    return short_way


def writer(duck: DuckType, *, binary: bool, style: TextStyle) -> Write | None:
    """What writes one value of this type, or raises `Unusual`; None where nothing does."""
    build = (_BINARY if binary else _TEXT).get(duck.id)
    return None if build is None else build(duck, style)[1]


# --- reading -------------------------------------------------------------------------------------


def _of(dtype: str) -> Read:
    """Plain numbers from the values buffer; where NULL they may be anything."""
    return lambda array: values(storage(array), dtype).tolist()


def _python(array: pa.Array) -> list[Any]:
    return storage(array).to_pylist()


def _wide(array: pa.Array) -> list[int]:
    """128-bit two's complement numbers."""
    words = values(storage(array), "V16").view("i8").reshape(-1, 2).tolist()
    return [(high << 64) | (low & 0xFFFFFFFFFFFFFFFF) for low, high in words]


def _unsigned_wide(array: pa.Array) -> list[int]:
    return [number & ((1 << 128) - 1) for number in _wide(array)]


def _low(array: pa.Array) -> list[int]:
    """A DECIMAL of up to 18 digits: the lower half has all of it."""
    return values(array, "V16").view("i8")[::2].tolist()


# --- text ----------------------------------------------------------------------------------------


def _text(value: str) -> bytes:
    if "\0" in value:
        raise Unusual
    return value.encode()


def _jsonb(value: str) -> bytes:
    """Its binary format: a version byte, then the text."""
    return b"\1" + value.encode()


def _bool_text(value: int) -> bytes:
    return b"t" if value else b"f"


def _integer_text(value: int) -> bytes:
    return b"%d" % value


def _double_text(value: float) -> bytes:
    size = abs(value)
    if not (1e-4 <= size < 1e15 or value == 0):
        raise Unusual
    text = repr(value)
    return (text[:-2] if text.endswith(".0") else text).encode()


def _decimal_text(scale: int) -> Write:
    if scale == 0:
        return _integer_text

    def write(value: int) -> bytes:
        digits = str(abs(value)).zfill(scale + 1)
        sign = "-" if value < 0 else ""
        return f"{sign}{digits[:-scale]}.{digits[-scale:]}".encode()

    return write


_1970 = datetime(1970, 1, 1)
_ORDINAL_1970 = date(1970, 1, 1).toordinal()
# Of the years 1 and 9999 only what no time zone can push over the edge.
_FIRST, _LAST = -719_161, 2_932_895


def _date_text(days: int) -> bytes:
    if not _FIRST <= days <= _LAST:
        raise Unusual
    return date.fromordinal(_ORDINAL_1970 + days).isoformat().encode()


def _moment(micros: int) -> bytes:
    if not _FIRST * 86_400 * MICROS <= micros <= _LAST * 86_400 * MICROS:
        raise Unusual
    text = str(_1970 + timedelta(microseconds=micros))
    return (text.rstrip("0") if "." in text else text).encode()


@lru_cache(maxsize=64)
def _timestamptz_text(time_zone: str) -> Write:
    place = zone(time_zone)
    items, sizes = offset_suffixes(place.offsets)
    suffixes = [item.tobytes()[:size] for item, size in zip(items, sizes.tolist(), strict=True)]
    offsets = place.offsets.tolist()

    def write(micros: int) -> bytes:
        span = int(np.max(place.spans(np.array([micros]))))
        return _moment(micros + offsets[span] * MICROS) + suffixes[span]

    return write


def _uuid_text(value: bytes) -> bytes:
    h = value.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}".encode()


# --- binary --------------------------------------------------------------------------------------

_NUMERIC = Struct(">hhHh").pack
_EPOCH_DAYS = 10_957
_EPOCH_MICROS = _EPOCH_DAYS * 86_400 * MICROS
_int4, _int8 = Struct(">i").pack, Struct(">q").pack


def _decimal_binary(scale: int) -> Write:
    """numeric_send, see `proxy.wire.encoders.numerics`."""
    pad, points = 10 ** (-scale % 4), -(-scale // 4)

    def write(value: int) -> bytes:
        rest, groups = abs(value) * pad, []
        while rest:
            rest, group = divmod(rest, 10_000)
            groups.append(group)
        weight = len(groups) - points - 1 if groups else 0
        first = next((i for i, group in enumerate(groups) if group), 0)
        digits = groups[first:][::-1]
        header = _NUMERIC(len(digits), weight, 0x4000 if value < 0 else 0, scale)
        return header + b"".join([group.to_bytes(2, "big") for group in digits])

    return write


def _date_binary(days: int) -> bytes:
    if not _FIRST <= days <= _LAST:
        raise Unusual
    return _int4(days - _EPOCH_DAYS)


def _timestamp_binary(micros: int) -> bytes:
    if not _FIRST * 86_400 * MICROS <= micros <= _LAST * 86_400 * MICROS:
        raise Unusual
    return _int8(micros - _EPOCH_MICROS)


# --- the tables ----------------------------------------------------------------------------------

Build = Callable[[DuckType, TextStyle], tuple[Read, Write]]


def _always(read: Read, write: Write) -> Build:
    return lambda duck, style: (read, write)


def _double(duck: DuckType, style: TextStyle) -> tuple[Read, Write]:
    return _of("f8"), _double_text if style.extra_float_digits > 0 else _refuse


def _refuse(value: object) -> bytes:
    raise Unusual


def _decimal(write: Callable[[int], Write]) -> Build:
    return lambda duck, style: (_low if duck.width <= 18 else _wide, write(duck.scale))


# DuckDB type -> numpy type of its Arrow array, struct's of the Postgres type.
_INTEGERS = {
    "TINYINT": ("i1", ">h"),
    "SMALLINT": ("i2", ">h"),
    "INTEGER": ("i4", ">i"),
    "BIGINT": ("i8", ">q"),
    "UTINYINT": ("u1", ">h"),
    "USMALLINT": ("u2", ">i"),
    "UINTEGER": ("u4", ">q"),
}

_TEXT: dict[str, Build] = {
    **{id_: _always(_of(dtype), _integer_text) for id_, (dtype, _) in _INTEGERS.items()},
    "BOOLEAN": _always(_python, _bool_text),
    "UBIGINT": _always(_of("u8"), _integer_text),
    "HUGEINT": _always(_wide, _integer_text),
    "UHUGEINT": _always(_unsigned_wide, _integer_text),
    "DECIMAL": _decimal(_decimal_text),
    "DOUBLE": _double,
    "VARCHAR": _always(_python, _text),
    "ENUM": _always(_python, _text),
    "DATE": _always(_of("i4"), _date_text),
    "TIMESTAMP": _always(_of("i8"), _moment),
    "TIMESTAMP_TZ": lambda duck, style: (_of("i8"), _timestamptz_text(style.time_zone)),
    "UUID": _always(_python, _uuid_text),
}

_BINARY: dict[str, Build] = {
    **{id_: _always(_of(dtype), Struct(f).pack) for id_, (dtype, f) in _INTEGERS.items()},
    "BOOLEAN": _always(_python, lambda value: b"\1" if value else b"\0"),
    "UBIGINT": _always(_of("u8"), _decimal_binary(0)),
    "HUGEINT": _always(_wide, _decimal_binary(0)),
    "UHUGEINT": _always(_unsigned_wide, _decimal_binary(0)),
    "DECIMAL": _decimal(_decimal_binary),
    "FLOAT": _always(_of("f4"), Struct(">f").pack),
    "DOUBLE": _always(_of("f8"), Struct(">d").pack),
    "VARCHAR": lambda duck, style: (_python, _jsonb if duck.alias == "JSONB" else _text),
    "ENUM": _always(_python, _text),
    "BLOB": _always(_python, bytes),
    "DATE": _always(_of("i4"), _date_binary),
    "TIMESTAMP": _always(_of("i8"), _timestamp_binary),
    "TIMESTAMP_TZ": _always(_of("i8"), _timestamp_binary),
    "UUID": _always(_python, bytes),
}
