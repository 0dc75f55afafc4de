"""Bind's parameters: from bytes in the text or the binary format to plain values.

Why it exists: a parameter must reach the engine with its own type. A number that is passed as text
is compared as text, and one that is passed as a double loses digits. Pure: no I/O, no engine;
`proxy.engines.duck.values` makes DuckDB's values of these.

Promises: the value is exactly the one that Postgres 15 reads from the same bytes, or the SqlError
that it answers, or - for a type or value that DuckDB cannot hold - an error that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from proxy.errors import SqlError
from proxy.wire.decoders import arrays, datetimes, documents, intervals, numbers, plain
from proxy.wire.decoders.values import LeftOver, Value, utf8
from proxy.wire.types import BY_NAME, BY_OID

TEXT, BINARY = 0, 1

_TextDecoder = Callable[[str, str], Value]
_BinaryDecoder = Callable[[bytes], Value]

_STRING: tuple[_TextDecoder, _BinaryDecoder] = (plain.plain_text, plain.plain_binary)

# name of the type -> (decoder of its text, decoder of its binary form)
_DECODERS: dict[str, tuple[_TextDecoder, _BinaryDecoder]] = {
    "bool": (plain.bool_text, plain.bool_binary),
    "int2": (numbers.integer_text("smallint", 16), numbers.integer_binary("h")),
    "int4": (numbers.integer_text("integer", 32), numbers.integer_binary("i")),
    "int8": (numbers.integer_text("bigint", 64), numbers.integer_binary("q")),
    "oid": (numbers.oid_text, numbers.integer_binary("I")),
    "float4": (numbers.float4_text, numbers.float4_binary),
    "float8": (numbers.float8_text, numbers.float8_binary),
    "numeric": (numbers.numeric_text, numbers.numeric_binary),
    "text": _STRING,
    "varchar": _STRING,
    "bpchar": _STRING,
    "unknown": _STRING,
    "cstring": _STRING,
    "name": (plain.name_text, plain.name_binary),
    "char": (plain.char_text, plain.char_binary),
    "bytea": (plain.bytea_text, plain.bytea_binary),
    "uuid": (plain.uuid_text, plain.uuid_binary),
    "bit": (plain.bit_text, plain.bit_binary),
    "varbit": (plain.bit_text, plain.bit_binary),
    "json": (documents.json_text, documents.json_binary),
    "jsonb": (documents.jsonb_text, documents.jsonb_binary),
    "date": (datetimes.date_text, datetimes.date_binary),
    "time": (datetimes.time_text, datetimes.time_binary),
    "timetz": (datetimes.timetz_text, datetimes.timetz_binary),
    "timestamp": (datetimes.timestamp_text, datetimes.timestamp_binary),
    "timestamptz": (datetimes.timestamptz_text, datetimes.timestamptz_binary),
    "interval": (intervals.interval_text, intervals.interval_binary),
}


def _with_arrays() -> Iterator[tuple[int, tuple[_TextDecoder, _BinaryDecoder]]]:
    for name, decoders in _DECODERS.items():
        kind = BY_NAME[name]
        yield kind.oid, decoders
        if kind.array_oid:
            text, binary = decoders
            yield (
                kind.array_oid,
                (
                    partial(arrays.array_text, kind.oid, text),
                    partial(arrays.array_binary, kind.oid, binary),
                ),
            )


# OID -> decoders; 0 is a parameter whose type nobody named.
_BY_OID = dict(_with_arrays()) | {0: _STRING}


def decode(
    raw: bytes | None, format: int, oid: int, *, time_zone: str = "UTC", number: int = 1
) -> Value:
    """The value of one parameter.

    raw: what Bind carries, None for NULL. format: 0 text, 1 binary. oid: of the declared or
    inferred type, 0 if there is none. time_zone: the session's, for times written without one.
    number: the parameter's place, for errors.

    Raises SqlError: 22P02, 22003, 22007, 22008, 22021... for a text that is no value of the type,
    08P01 or 22P03 for a binary value of the wrong length, 0A000 for a type that is not supported.
    """
    decoders = _BY_OID.get(oid)
    if decoders is None:
        raise _unsupported(oid)
    if raw is None:
        return None
    if format == TEXT:
        return decoders[0](utf8(raw), time_zone)
    if format != BINARY:
        raise SqlError("22023", f"unsupported format code: {format}")
    try:
        return decoders[1](raw)
    except LeftOver:
        raise SqlError(
            "22P03", f"incorrect binary data format in bind parameter {number}"
        ) from None


def _unsupported(oid: int) -> SqlError:
    known = BY_OID.get(oid)
    if known is not None and known.name == "record":
        return SqlError("0A000", "input of anonymous composite types is not implemented")
    name = known.name if known else f"with OID {oid}"
    return SqlError(
        "0A000",
        f"type {name} is not supported for a parameter",
        hint="Pass the value as text and cast it in the statement.",
    )


__all__ = ["BINARY", "TEXT", "Value", "decode"]
