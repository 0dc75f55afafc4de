"""Typed DuckDB values made of decoded parameters: `duckdb_value` handles, over the C API.

Why it exists: a parameter that arrives as another type than the statement was planned for makes
DuckDB plan again, and a value that travels as text can change its meaning. Here each Postgres type
has one DuckDB type, the one that `proxy.wire.types` names, NULLs included.

Promises: a handle belongs to the caller, who destroys it; nothing is rounded or cut. Knows no
connection. `duck.c` binds what is made here.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import _duckdb

from proxy.errors import SqlError
from proxy.wire.decoders.values import (
    Array,
    Bits,
    Date,
    Interval,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    Uuid,
    Value,
)
from proxy.wire.types import BY_OID

_lib = c.CDLL(_duckdb.__file__)
_ptr = c.c_void_p
_idx = c.c_uint64


class _HugeInt(c.Structure):
    _fields_ = [("lower", c.c_uint64), ("upper", c.c_int64)]


class _UHugeInt(c.Structure):
    _fields_ = [("lower", c.c_uint64), ("upper", c.c_uint64)]


class _Decimal(c.Structure):
    _fields_ = [("width", c.c_uint8), ("scale", c.c_uint8), ("value", _HugeInt)]


class _Interval(c.Structure):
    _fields_ = [("months", c.c_int32), ("days", c.c_int32), ("micros", c.c_int64)]


class _Bit(c.Structure):
    """One byte that counts the bits of padding, then the bits, padded with ones on the left."""

    _fields_ = [("data", c.c_char_p), ("size", _idx)]


class _Word32(c.Structure):
    """`duckdb_date`: one int32 in a struct."""

    _fields_ = [("value", c.c_int32)]


class _Word64(c.Structure):
    """`duckdb_time`, `duckdb_timestamp`: one int64 in a struct."""

    _fields_ = [("value", c.c_int64)]


class _Word64Unsigned(c.Structure):
    """`duckdb_time_tz`: one uint64 in a struct."""

    _fields_ = [("value", c.c_uint64)]


# name (without the `duckdb_` prefix) -> (result type, argument types)
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "create_bool": (_ptr, (c.c_bool,)),
    "create_int16": (_ptr, (c.c_int16,)),
    "create_int32": (_ptr, (c.c_int32,)),
    "create_int64": (_ptr, (c.c_int64,)),
    "create_uint32": (_ptr, (c.c_uint32,)),
    "create_float": (_ptr, (c.c_float,)),
    "create_double": (_ptr, (c.c_double,)),
    "create_decimal": (_ptr, (_Decimal,)),
    "create_varchar_length": (_ptr, (c.c_char_p, _idx)),
    "create_blob": (_ptr, (c.c_char_p, _idx)),
    "create_bit": (_ptr, (_Bit,)),
    "create_uuid": (_ptr, (_UHugeInt,)),
    "create_date": (_ptr, (_Word32,)),
    "create_time": (_ptr, (_Word64,)),
    "create_time_tz_value": (_ptr, (_Word64Unsigned,)),
    "create_timestamp": (_ptr, (_Word64,)),
    "create_timestamp_tz": (_ptr, (_Word64,)),
    "create_interval": (_ptr, (_Interval,)),
    "create_null_value": (_ptr, ()),
    "create_list_value": (_ptr, (_ptr, c.POINTER(_ptr), _idx)),
    "get_list_child": (_ptr, (_ptr, _idx)),
    "destroy_value": (None, (c.POINTER(_ptr),)),
    "create_logical_type": (_ptr, (c.c_int,)),
    "create_list_type": (_ptr, (_ptr,)),
    "create_decimal_type": (_ptr, (c.c_uint8, c.c_uint8)),
    "logical_type_set_alias": (None, (_ptr, c.c_char_p)),
    "destroy_logical_type": (None, (c.POINTER(_ptr),)),
}


class _Api:
    """`_api.create_bool(...)` is `duckdb_create_bool(...)`; a missing symbol fails at import."""

    def __init__(self) -> None:
        for name, (result_type, argument_types) in _SIGNATURES.items():
            function = getattr(_lib, "duckdb_" + name)
            function.restype, function.argtypes = result_type, argument_types
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


_api = _Api()

# `duckdb_type`, of the types that values are made of.
_TYPE_IDS = {
    "BOOLEAN": 1,
    "SMALLINT": 3,
    "INTEGER": 4,
    "BIGINT": 5,
    "UINTEGER": 8,
    "FLOAT": 10,
    "DOUBLE": 11,
    "TIMESTAMP": 12,
    "DATE": 13,
    "TIME": 14,
    "INTERVAL": 15,
    "VARCHAR": 17,
    "BLOB": 18,
    "UUID": 27,
    "BIT": 29,
    "TIMETZ": 30,
    "TIMESTAMPTZ": 31,
}


def _document_type(name: str) -> int:
    """JSON and JSONB are VARCHARs with an alias."""
    made = _api.create_logical_type(_TYPE_IDS["VARCHAR"])
    _api.logical_type_set_alias(made, name.encode())
    return made


# DuckDB's name of a type -> its `duckdb_logical_type`; they live as long as the process.
_TYPES: dict[str, int] = {
    **{name: _api.create_logical_type(number) for name, number in _TYPE_IDS.items()},
    **{name: _document_type(name) for name in ("JSON", "JSONB")},
    # Of a numeric NULL: the narrowest DECIMAL widens no other operand.
    "DECIMAL": _api.create_decimal_type(1, 0),
}


def _destroy(handle: int) -> None:
    _api.destroy_value(c.byref(_ptr(handle)))


def _list(element: int, values: list[int]) -> int:
    """A LIST of the logical type `element`; the values are spent. DuckDB casts each to `element`."""
    try:
        made = _api.create_list_value(element, (_ptr * len(values))(*values), len(values))
    finally:
        for value in values:
            _destroy(value)
    if not made:
        raise SqlError("XX000", "DuckDB refused a list of parameter values")
    return made


def _as(element: int, value: int) -> int:
    """`value` cast to a logical type: only a list's element takes a type that is given."""
    holder = _list(element, [value])
    try:
        return _api.get_list_child(holder, 0)
    finally:
        _destroy(holder)


# A list of one typed NULL for each type; its child is a new value of that type.
_NULLS: dict[str, int] = {
    name: _list(kind, [_api.create_null_value()]) for name, kind in _TYPES.items()
}


def _text(value: str) -> int:
    raw = value.encode()
    return _api.create_varchar_length(raw, len(raw))


def _bit(value: Bits) -> int:
    if not value.count:
        raise SqlError(
            "0A000",
            "an empty bit string is not supported",
            detail="DuckDB's BIT holds at least one bit.",
        )
    padding = -value.count % 8
    number = int.from_bytes(value.data, "big") >> padding
    size = (value.count + 7) // 8
    padded = number | ((1 << padding) - 1 << value.count)
    raw = bytes([padding]) + padded.to_bytes(size, "big")
    return _api.create_bit(_Bit(raw, len(raw)))


_HALF = (1 << 64) - 1


def _uuid(value: Uuid) -> int:
    return _api.create_uuid(_UHugeInt(value.bits & _HALF, value.bits >> 64))


# DuckDB keeps the offset beside the time as what is left to 15:59:59, so that bits sort.
_MOST_EAST = 16 * 3600 - 1


def _time_tz(value: TimeTz) -> int:
    return _api.create_time_tz_value(
        _Word64Unsigned(value.micros << 24 | _MOST_EAST - value.offset)
    )


def _date(value: Date) -> int:
    return _api.create_date(_Word32(value.days))


def _time(value: Time) -> int:
    return _api.create_time(_Word64(value.micros))


def _timestamp(value: Timestamp) -> int:
    return _api.create_timestamp(_Word64(value.micros))


def _timestamp_tz(value: TimestampTz) -> int:
    return _api.create_timestamp_tz(_Word64(value.micros))


def _interval(value: Interval) -> int:
    return _api.create_interval(_Interval(*value))


# --- DECIMAL -------------------------------------------------------------------------------------

_MAX_WIDTH = 38


def _digits(value: Decimal) -> tuple[int, int]:
    """Digits before and after the point."""
    _, digits, exponent = value.as_tuple()
    return (max(len(digits) + exponent, 0) if value else 0), max(-exponent, 0)


def _fitting(values: list[Decimal]) -> tuple[int, int]:
    """(width, scale) of the narrowest DECIMAL that holds all of them. Raises 22003."""
    sizes = [_digits(value) for value in values]
    before, scale = (max((size[i] for size in sizes), default=0) for i in (0, 1))
    if before + scale > _MAX_WIDTH:
        raise SqlError(
            "22003",
            "numeric field overflow",
            detail=f"{before} digits before and {scale} after the point are needed; "
            f"a DECIMAL holds {_MAX_WIDTH} in all.",
            hint="Round the number, or pass it as double precision.",
        )
    return max(before + scale, 1), scale


def _decimal(value: Decimal, width: int, scale: int) -> int:
    """`value` as DECIMAL(width, scale), which must hold it."""
    sign, digits, exponent = value.as_tuple()
    whole = int("".join(map(str, digits))) * 10 ** (exponent + scale)
    whole = -whole if sign else whole
    return _api.create_decimal(_Decimal(width, scale, _HugeInt(whole & _HALF, whole >> 64)))


def _numeric(value: Decimal) -> int:
    return _decimal(value, *_fitting([value]))


# --- making values -------------------------------------------------------------------------------

# DuckDB's name of a type -> how a value of it is made
_MAKERS: dict[str, Callable[[Any], int]] = {
    "BOOLEAN": _api.create_bool,
    "SMALLINT": _api.create_int16,
    "INTEGER": _api.create_int32,
    "BIGINT": _api.create_int64,
    "UINTEGER": _api.create_uint32,
    "FLOAT": _api.create_float,
    "DOUBLE": _api.create_double,
    "DECIMAL": _numeric,
    "VARCHAR": _text,
    "JSON": lambda value: _as(_TYPES["JSON"], _text(value)),
    "JSONB": lambda value: _as(_TYPES["JSONB"], _text(value)),
    "BLOB": lambda value: _api.create_blob(value, len(value)),
    "UUID": _uuid,
    "BIT": _bit,
    "DATE": _date,
    "TIME": _time,
    "TIMETZ": _time_tz,
    "TIMESTAMP": _timestamp,
    "TIMESTAMPTZ": _timestamp_tz,
    "INTERVAL": _interval,
}

# OID -> DuckDB's name of the type; 0 is a parameter whose type nobody named.
_NAMES: dict[int, str] = {
    oid: kind.duck for oid, kind in BY_OID.items() if kind.duck in _MAKERS
} | {0: "VARCHAR"}


def type_name(value: Value, oid: int) -> str:
    """DuckDB's SQL name of the type of `make(value, oid)`: `DECIMAL(3,2)`, `INTEGER[]`...

    A plan whose parameters are cast to these types is used as it is; any other is made anew.
    Raises as `make`.
    """
    kind = BY_OID.get(oid)
    is_array = kind is not None and kind.element_oid != 0
    name = _name(kind.element_oid if is_array else oid)
    if name == "DECIMAL" and value is not None:
        leaves = _leaves(value.items) if is_array else (value,)
        width, scale = _fitting([item for item in leaves if item is not None])
        name = f"DECIMAL({width},{scale})"
    elif name == "DECIMAL":
        name = "DECIMAL(1,0)"
    depth = (len(value.dims) if value and value.dims else 1) if is_array else 0
    return name + "[]" * depth


def make(value: Value, oid: int) -> int:
    """A `duckdb_value` of the DuckDB type of `oid`; the caller destroys it.

    value: what `proxy.wire.params.decode` gave for the same OID.

    Raises SqlError 0A000 for a type or value that DuckDB does not have, 22003 for a numeric array
    whose elements have no DECIMAL in common.
    """
    kind = BY_OID.get(oid)
    if kind is not None and kind.element_oid:
        return _make_array(value, kind.element_oid)
    name = _name(oid)
    if value is None:
        return _api.get_list_child(_NULLS[name], 0)
    return _MAKERS[name](value)


def _name(oid: int) -> str:
    name = _NAMES.get(oid)
    if name is None:
        known = BY_OID.get(oid)
        raise SqlError("0A000", f"type {known.name if known else oid} has no DuckDB value")
    return name


# --- LIST ----------------------------------------------------------------------------------------


def _make_array(value: Array | None, element_oid: int) -> int:
    """A LIST, of LISTs if the array has more dimensions."""
    name = _name(element_oid)
    made_types: list[int] = []
    element, make_one = _TYPES[name], _MAKERS[name]
    if name == "DECIMAL" and value is not None:
        width, scale = _fitting([item for item in _leaves(value.items) if item is not None])
        element = _api.create_decimal_type(width, scale)
        made_types.append(element)
        make_one = partial(_decimal, width=width, scale=scale)
    try:
        # levels[0] is the type of the innermost elements, levels[i] a list of levels[i - 1].
        levels = [element]
        for _ in range(len(value.dims) if value and value.dims else 1):
            levels.append(_api.create_list_type(levels[-1]))
        made_types.extend(levels[1:])
        if value is None:
            return _as(levels[1], _api.create_null_value())
        return _make_list(value.items, levels[:-1], make_one)
    finally:
        for handle in made_types:
            _api.destroy_logical_type(c.byref(_ptr(handle)))


def _make_list(items: tuple, levels: list[int], make_one: Callable[[Any], int]) -> int:
    """`items` as a LIST of `levels[-1]`; a None among them is NULL, which DuckDB gives a type."""
    made: list[int] = []
    try:
        for item in items:
            if item is None:
                made.append(_api.create_null_value())
            elif len(levels) > 1:
                made.append(_make_list(item, levels[:-1], make_one))
            else:
                made.append(make_one(item))
    except BaseException:
        for handle in made:
            _destroy(handle)
        raise
    return _list(levels[-1], made)


def _leaves(items: tuple) -> Iterator[Any]:
    for item in items:
        if isinstance(item, tuple):
            yield from _leaves(item)
        else:
            yield item
