"""The values of parameters that Python has no type for, and the few errors that all decoders share.

Why not datetime and friends: they end at year 9999, begin at year 1, know no infinity, and their
intervals have no months. These hold exactly what Postgres's own representation holds, with the
Unix epoch, so that an engine binds them without arithmetic.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, TypeAlias

from proxy.errors import SqlError

# The ends of the ranges stand for the infinities.
DATE_INFINITY = 2**31 - 1
TIMESTAMP_INFINITY = 2**63 - 1


class Date(NamedTuple):
    """days since 1970-01-01; ±DATE_INFINITY is infinity."""

    days: int


class Time(NamedTuple):
    """micros since midnight, 0 to 86,400,000,000 (24:00:00)."""

    micros: int


class TimeTz(NamedTuple):
    """Local micros since midnight, and seconds east of Greenwich."""

    micros: int
    offset: int


class Timestamp(NamedTuple):
    """micros since 1970-01-01 00:00:00 of no zone; ±TIMESTAMP_INFINITY is infinity."""

    micros: int


class TimestampTz(NamedTuple):
    """micros since 1970-01-01 00:00:00 UTC; ±TIMESTAMP_INFINITY is infinity."""

    micros: int


class Interval(NamedTuple):
    """Three counts that do not convert into one another."""

    months: int
    days: int
    micros: int


class Uuid(NamedTuple):
    """A uuid as an unsigned number of 128 bits."""

    bits: int


class Bits(NamedTuple):
    """A bit string; `count` bits from the left of `data`, whose last byte is padded with 0."""

    count: int
    data: bytes


class Array(NamedTuple):
    """An array with lower bounds of 1.

    element: OID of the elements' type. dims: length in each dimension, () if the array is empty.
    items: nested tuples of that shape; innermost values or None.
    """

    element: int
    dims: tuple[int, ...]
    items: tuple


Value: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | Decimal
    | Date
    | Time
    | TimeTz
    | Timestamp
    | TimestampTz
    | Interval
    | Uuid
    | Bits
    | Array
    | None
)

# What C's isspace() skips around a value.
SPACES = " \t\n\v\f\r"


class LeftOver(Exception):
    """A binary value has more bytes than its type; who knows the parameter's place says 22P03."""


def sized(raw: bytes, size: int) -> bytes:
    """`raw`, if it has exactly `size` bytes. Raises 08P01 if it is shorter, LeftOver if longer."""
    if len(raw) != size:
        if len(raw) < size:
            raise insufficient()
        raise LeftOver
    return raw


def insufficient() -> SqlError:
    """A binary value ends before its type does."""
    return SqlError("08P01", "insufficient data left in message")


def bad_syntax(kind: str, text: str) -> SqlError:
    """22P02: `text` is no spelling of a value of `kind`, Postgres's long name of the type."""
    return SqlError("22P02", f'invalid input syntax for type {kind}: "{text}"')


def utf8(raw: bytes) -> str:
    """The text that a client sent. Raises 22021, as for a zero byte, which no text may hold."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise _bad_encoding(raw, error.start) from error
    if "\0" in text:
        raise _bad_encoding(raw, raw.index(0))
    return text


def _bad_encoding(raw: bytes, start: int) -> SqlError:
    # Postgres stops at whichever comes first, and shows as many bytes as the first one announces.
    zero = raw.find(0)
    if 0 <= zero < start:
        start = zero
    first = raw[start]
    width = 2 if first & 0xE0 == 0xC0 else 3 if first & 0xF0 == 0xE0 else 1
    if first & 0xF8 == 0xF0:
        width = 4
    shown = " ".join(f"0x{byte:02x}" for byte in raw[start : start + width])
    return SqlError("22021", f'invalid byte sequence for encoding "UTF8": {shown}')
