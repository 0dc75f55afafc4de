"""Which encoder a type has: one table for each format, from DuckDB's name of a type.

A line is a function from the type and the session's style to the encoder, called once per result.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from proxy.errors import SqlError
from proxy.wire.encoders import (
    arrays,
    datetimes,
    floats,
    interval_styles,
    jsons,
    numerics,
    plain,
    records,
    times,
)
from proxy.wire.encoders.cells import Encoder
from proxy.wire.encoders.style import TextStyle
from proxy.wire.types import EXACT_NUMBERS, FLOATS, LISTS, TIMES, DuckType, wire_type

Build = Callable[[DuckType, TextStyle], Encoder]


def _always(encoder: Encoder) -> Build:
    return lambda duck, style: encoder


_INTEGER = _always(plain.integer_text)
_STRING = _always(plain.text)
_JSONB = ("STRUCT", "MAP", "UNION", "VARIANT")

TEXT: dict[str, Build] = {
    "BOOLEAN": _always(plain.bool_text),
    "TINYINT": _INTEGER,
    "SMALLINT": _INTEGER,
    "INTEGER": _INTEGER,
    "BIGINT": _INTEGER,
    "UTINYINT": _INTEGER,
    "USMALLINT": _INTEGER,
    "UINTEGER": _INTEGER,
    "UBIGINT": _INTEGER,
    "HUGEINT": _always(numerics.hugeint_text(signed=True)),
    "UHUGEINT": _always(numerics.hugeint_text(signed=False)),
    "BIGNUM": _always(numerics.bignum_text),
    "DECIMAL": lambda duck, style: numerics.decimal_text(duck.width, duck.scale),
    "FLOAT": lambda duck, style: floats.float_text("FLOAT", style.extra_float_digits),
    "DOUBLE": lambda duck, style: floats.float_text("DOUBLE", style.extra_float_digits),
    "VARCHAR": _STRING,
    "ENUM": _STRING,
    "BLOB": lambda duck, style: plain.blob_text(style.bytea_output),
    "GEOMETRY": lambda duck, style: plain.blob_text(style.bytea_output),
    "UUID": _always(plain.uuid_text),
    "BIT": _always(plain.bit_text),
    "DATE": _always(datetimes.date_text),
    "TIME": _always(times.time_text),
    "TIME_NS": _always(times.time_text),
    "TIME_TZ": _always(times.timetz_text),
    "TIMESTAMP": _always(datetimes.timestamp_text("us")),
    "TIMESTAMP_S": _always(datetimes.timestamp_text("s")),
    "TIMESTAMP_MS": _always(datetimes.timestamp_text("ms")),
    "TIMESTAMP_NS": _always(datetimes.timestamp_text("ns")),
    "TIMESTAMP_TZ": lambda duck, style: datetimes.timestamptz_text(style.time_zone),
    "INTERVAL": lambda duck, style: interval_styles.styled(style.interval_style),
    "SQLNULL": _always(plain.nothing),
    "LIST": lambda duck, style: _array_text(duck, style),
    "ARRAY": lambda duck, style: _array_text(duck, style),
    **dict.fromkeys(_JSONB, lambda duck, style: jsons.json_text(duck, _text_of(style))),
}

BINARY: dict[str, Build] = {
    "BOOLEAN": _always(plain.bool_binary),
    "TINYINT": _always(plain.number_binary("i1", ">i2")),
    "SMALLINT": _always(plain.number_binary("i2", ">i2")),
    "INTEGER": _always(plain.number_binary("i4", ">i4")),
    "BIGINT": _always(plain.number_binary("i8", ">i8")),
    "UTINYINT": _always(plain.number_binary("u1", ">i2")),
    "USMALLINT": _always(plain.number_binary("u2", ">i4")),
    "UINTEGER": _always(plain.number_binary("u4", ">i8")),
    "UBIGINT": _always(numerics.ubigint_binary),
    "HUGEINT": _always(numerics.hugeint_binary(signed=True)),
    "UHUGEINT": _always(numerics.hugeint_binary(signed=False)),
    "BIGNUM": _always(numerics.bignum_binary),
    "DECIMAL": lambda duck, style: numerics.decimal_binary(duck.width, duck.scale),
    "FLOAT": _always(plain.number_binary("f4", ">f4")),
    "DOUBLE": _always(plain.number_binary("f8", ">f8")),
    "VARCHAR": lambda duck, style: jsons.document_binary if duck.alias == "JSONB" else plain.text,
    "ENUM": _STRING,
    "BLOB": _always(plain.blob_binary),
    "GEOMETRY": _always(plain.blob_binary),
    "UUID": _always(plain.uuid_binary),
    "BIT": _always(plain.bit_binary),
    "DATE": _always(datetimes.date_binary),
    "TIME": _always(times.time_binary),
    "TIME_NS": _always(times.time_binary),
    "TIME_TZ": _always(times.timetz_binary),
    "TIMESTAMP": _always(datetimes.timestamp_binary("us")),
    "TIMESTAMP_S": _always(datetimes.timestamp_binary("s")),
    "TIMESTAMP_MS": _always(datetimes.timestamp_binary("ms")),
    "TIMESTAMP_NS": _always(datetimes.timestamp_binary("ns")),
    "TIMESTAMP_TZ": _always(datetimes.timestamp_binary("us")),
    "INTERVAL": _always(times.interval_binary),
    "SQLNULL": _always(plain.nothing),
    "LIST": lambda duck, style: _array_binary(duck, style),
    "ARRAY": lambda duck, style: _array_binary(duck, style),
    **dict.fromkeys(_JSONB, lambda duck, style: jsons.json_binary(duck, _text_of(style))),
}

# Types whose texts never need quotes within an array.
_BARE = EXACT_NUMBERS | FLOATS | TIMES | {"BOOLEAN", "UUID", "BIT"}


def _array_text(duck: DuckType, style: TextStyle) -> Encoder:
    element, levels = _element(duck)
    inner = encoder(element, binary=False, style=style)
    return arrays.array_text(inner, levels, quote=element.id not in _BARE)


def _array_binary(duck: DuckType, style: TextStyle) -> Encoder:
    element, levels = _element(duck)
    inner = encoder(element, binary=True, style=style)
    return arrays.array_binary(inner, levels, wire_type(element).oid)


def printed(duck: DuckType, style: TextStyle) -> Encoder:
    """What a value is as a text: as `encoder`'s, but a row as record_out writes it, also in an array.

    Raises SqlError 0A000 for what Postgres has not.
    """
    if duck.id in LISTS:
        element, levels = _element(duck)
        return arrays.array_text(printed(element, style), levels, quote=element.id not in _BARE)
    if duck.id == "STRUCT":
        members = [(printed(child, style), child.id not in _BARE) for child in duck.children]
        return records.record_text(members)
    if duck.id in _JSONB:
        raise SqlError("0A000", f"the text of a {duck.id} is not supported")
    return encoder(duck, binary=False, style=style)


def _element(duck: DuckType) -> tuple[DuckType, int]:
    """The innermost element of nested lists, and how many levels of lists are around it."""
    levels = 0
    while duck.id in LISTS:
        duck, levels = duck.children[0], levels + 1
    return duck, levels


def _text_of(style: TextStyle) -> jsons.TextOf:
    return lambda duck: encoder(duck, binary=False, style=style)


def encoder(duck: DuckType, *, binary: bool, style: TextStyle) -> Encoder:
    """The encoder of a column. Raises SqlError 0A000 for a type without one."""
    wire_type(duck)
    build = (BINARY if binary else TEXT).get(duck.id)
    if build is None:
        raise SqlError("0A000", f"type {duck} has no representation on the wire")
    return build(duck, style)


# --- what a column must look like ----------------------------------------------------------------

Looks = Callable[[pa.DataType], bool]


def _is(*kinds: pa.DataType) -> Looks:
    return lambda kind: kind in kinds


def _ticks(unit: str, family: Looks) -> Looks:
    return lambda kind: family(kind) and kind.unit == unit


_STRINGS = (pa.string(), pa.large_string(), pa.string_view())
_BYTES = (pa.binary(), pa.large_binary(), pa.binary_view())


def _a_list(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    )


# DuckDB type -> whether an Arrow type (an extension's storage) is what the encoders read.
_LOOKS: dict[str, Looks] = {
    "BOOLEAN": _is(pa.int8(), pa.bool_()),
    "TINYINT": _is(pa.int8()),
    "SMALLINT": _is(pa.int16()),
    "INTEGER": _is(pa.int32()),
    "BIGINT": _is(pa.int64()),
    "UTINYINT": _is(pa.uint8()),
    "USMALLINT": _is(pa.uint16()),
    "UINTEGER": _is(pa.uint32()),
    "UBIGINT": _is(pa.uint64()),
    "HUGEINT": _is(pa.binary(16)),
    "UHUGEINT": _is(pa.binary(16)),
    "BIGNUM": _is(*_BYTES),
    "DECIMAL": pa.types.is_decimal128,
    "FLOAT": _is(pa.float32()),
    "DOUBLE": _is(pa.float64()),
    "VARCHAR": _is(*_STRINGS),
    "ENUM": pa.types.is_dictionary,
    "BLOB": _is(*_BYTES),
    "GEOMETRY": _is(*_BYTES),
    "UUID": _is(pa.binary(16)),
    "BIT": _is(*_BYTES),
    "DATE": _is(pa.date32()),
    "TIME": _ticks("us", pa.types.is_time64),
    "TIME_NS": _ticks("ns", pa.types.is_time64),
    "TIME_TZ": _is(pa.binary(8)),
    "TIMESTAMP": _ticks("us", pa.types.is_timestamp),
    "TIMESTAMP_S": _ticks("s", pa.types.is_timestamp),
    "TIMESTAMP_MS": _ticks("ms", pa.types.is_timestamp),
    "TIMESTAMP_NS": _ticks("ns", pa.types.is_timestamp),
    "TIMESTAMP_TZ": _ticks("us", pa.types.is_timestamp),
    "INTERVAL": _is(pa.month_day_nano_interval()),
    "LIST": _a_list,
    "ARRAY": _a_list,
    "STRUCT": pa.types.is_struct,
    "MAP": pa.types.is_map,
    "UNION": pa.types.is_union,
    "VARIANT": _is(*_STRINGS),
    "SQLNULL": lambda kind: True,
}


def check_layout(duck: DuckType, kind: pa.DataType) -> None:
    """Raises SqlError XX000 if a column of this Arrow type would be misread as `duck`.

    The encoders look at buffers, not at values: a layout that they do not expect is garbage.
    """
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if duck.id in _JSONB and kind in _STRINGS:
        return
    if not _LOOKS[duck.id](kind) or (duck.id == "DECIMAL" and kind.scale != duck.scale):
        raise SqlError("XX000", f"the engine delivered {kind} for a column of type {duck}")
    if duck.id == "MAP":
        inner = [kind.key_type, kind.item_type]
    elif duck.id in LISTS:
        inner = [kind.value_type]
    else:
        inner = [kind.field(i).type for i in range(kind.num_fields)] if duck.children else []
    for child, child_kind in zip(duck.children, inner, strict=True):
        check_layout(child, child_kind)
