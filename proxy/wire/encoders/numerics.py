"""Encoders of numeric: DECIMAL, the integers beyond int8 (HUGEINT, UHUGEINT, UBIGINT) and BIGNUM.

Postgres keeps a numeric as base-10000 digits around the decimal point, and so does this module:
a column is cut into *groups* of four decimal digits, most significant first, the point between two
groups. Text and binary are both made of them. A DECIMAL is printed with all of its scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.wire.encoders.cells import (
    FOUR_DIGITS,
    Cells,
    Encoder,
    binary_parts,
    null_mask,
    rows_of,
    shifted,
    slot,
    storage,
    trimmed,
    values,
    void,
    zero_nulls,
)

# NUMERIC_NEG and NUMERIC_POS of Postgres's numeric.h.
_NEGATIVE, _POSITIVE = 0x4000, 0x0000
# Digits that Postgres takes before the decimal point.
_MAX_DIGITS = 131072
# Up to here a BIGNUM's bytes are divided a column at a time; longer ones one by one, in C.
_VECTOR_BYTES = 64

# Up to here the columns of a number are moved to drop leading zeros.
_FEW_GROUPS = 6

# How many of the four digits of 0 .. 9999 are leading zeros; 0 is written as one digit.
_LEADING = np.array([3] + [4 - len(str(i)) for i in range(1, 10000)], "i4")


@dataclass(frozen=True, slots=True)
class Groups:
    """A column of numbers as base-10000 digits.

    negative: bool (n,). integer, fraction: uint arrays of shape (n,), most significant first;
    there is at least one integer group. The fraction has ceil(scale / 4) groups, the last one
    padded with zeros on the right.
    """

    negative: np.ndarray
    integer: list[np.ndarray]
    fraction: list[np.ndarray]
    scale: int


Cut = Callable[[pa.Array, np.ndarray | None], Groups]
"""A column and its NULLs (whose values are read as 0) to its groups."""


def decimal_text(width: int, scale: int) -> Encoder:
    # Arrow writes a decimal as Postgres does until a value is so small that it turns to exponents.
    if scale <= 6:
        return _arrow_text
    return _text(cut_decimal(width, scale))


def decimal_binary(width: int, scale: int) -> Encoder:
    return _binary(cut_decimal(width, scale))


def hugeint_text(signed: bool) -> Encoder:
    return _text(cut_hugeint(signed))


def hugeint_binary(signed: bool) -> Encoder:
    return _binary(cut_hugeint(signed))


def _arrow_text(array: pa.Array) -> Cells:
    return Cells(ragged=array.cast(pa.string()), nulls=null_mask(array))


def _text(cut: Cut) -> Encoder:
    def encode(array: pa.Array) -> Cells:
        nulls = null_mask(array)
        return Cells(ragged=text_of_groups(cut(array, nulls)), nulls=nulls)

    return encode


def _binary(cut: Cut) -> Encoder:
    def encode(array: pa.Array) -> Cells:
        nulls = null_mask(array)
        return Cells(ragged=binary_of_groups(cut(array, nulls)), nulls=nulls)

    return encode


# --- numbers to groups ---------------------------------------------------------------------------


def cut_decimal(width: int, scale: int) -> Cut:
    def cut(array: pa.Array, nulls: np.ndarray | None) -> Groups:
        halves = values(array, "V16").view("i8").reshape(-1, 2)
        if width <= 18:
            low = zero_nulls(halves[:, 0], nulls)
            return _cut_words(low < 0, np.abs(low).view("u8"), scale)
        low, high = zero_nulls(halves[:, 0], nulls), zero_nulls(halves[:, 1], nulls)
        return _cut_limbs(*_magnitude(low, high), scale)

    return cut


def cut_hugeint(signed: bool) -> Cut:
    def cut(array: pa.Array, nulls: np.ndarray | None) -> Groups:
        halves = values(storage(array), "V16").view("i8").reshape(-1, 2)
        low, high = zero_nulls(halves[:, 0], nulls), zero_nulls(halves[:, 1], nulls)
        if signed:
            return _cut_limbs(*_magnitude(low, high), 0)
        return _cut_limbs(np.zeros(len(low), bool), _limbs(low.view("u8"), high.view("u8")), 0)

    return cut


def cut_ubigint(array: pa.Array, nulls: np.ndarray | None) -> Groups:
    numbers = zero_nulls(values(array, "u8"), nulls)
    return _cut_words(np.zeros(len(numbers), bool), numbers, 0)


ubigint_binary = _binary(cut_ubigint)


def _magnitude(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Signs and 32-bit limbs of the absolute values of 128-bit two's complement numbers."""
    negative = high < 0
    low, high = low.view("u8"), high.view("u8")
    if negative.any():
        flip = np.where(negative, np.uint64(2**64 - 1), np.uint64(0))
        low, high = low ^ flip, high ^ flip
        low = low + negative
        high = high + (negative & (low == 0))
    return negative, _limbs(low, high)


def _limbs(low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    return [high >> half, high & mask, low >> half, low & mask]


def _cut_words(negative: np.ndarray, numbers: np.ndarray, scale: int) -> Groups:
    """Groups of uint64 magnitudes."""
    groups: list[np.ndarray] = []  # least significant first
    odd = scale % 4
    if odd:
        rest = numbers // 10**odd
        groups.append((numbers - rest * 10**odd) * 10 ** (4 - odd))
        numbers = rest
    top = int(numbers.max(initial=0))
    while top or len(groups) <= -(-scale // 4):
        if top < 2**32 and numbers.dtype != np.uint32:
            numbers = numbers.astype("u4")
        rest = numbers // numbers.dtype.type(10000)
        groups.append(numbers - rest * numbers.dtype.type(10000))
        numbers, top = rest, top // 10000
    return _at_point(negative, groups, scale)


def _cut_limbs(negative: np.ndarray, limbs: list[np.ndarray], scale: int) -> Groups:
    """Groups of magnitudes in 32-bit limbs (as uint64), most significant first."""
    groups: list[np.ndarray] = []
    odd = scale % 4
    if odd:
        limbs, low = _divide(limbs, 10**odd)
        groups.append(low * np.uint64(10 ** (4 - odd)))
    while True:
        while limbs and not limbs[0].any():
            limbs = limbs[1:]
        if not limbs and len(groups) > -(-scale // 4):
            return _at_point(negative, groups, scale)
        if limbs:
            limbs, low = _divide(limbs, 10**8)
        else:
            low = np.zeros(len(negative), "u8")
        low = low.astype("u4")
        high = low // np.uint32(10000)
        groups += [low - high * np.uint32(10000), high]


def _divide(limbs: list[np.ndarray], divisor: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Long division by a number below 2**32: quotient limbs and remainder."""
    by, half = np.uint64(divisor), np.uint64(32)
    quotient: list[np.ndarray] = []
    remainder = np.uint64(0)
    for limb in limbs:
        current = (remainder << half) | limb
        digit = current // by
        remainder = current - digit * by
        quotient.append(digit)
    return quotient, remainder


def _at_point(negative: np.ndarray, groups: list[np.ndarray], scale: int) -> Groups:
    points = -(-scale // 4)
    integer = groups[points:][::-1]
    while len(integer) > 1 and not integer[0].any():
        integer = integer[1:]
    return Groups(negative, integer, groups[:points][::-1], scale)


# --- groups to bytes -----------------------------------------------------------------------------


def text_of_groups(groups: Groups) -> pa.Array:
    """`-12.3400`: no leading zeros, always one digit before the point, all of the scale after it."""
    n, whole = len(groups.negative), len(groups.integer)
    parts = len(groups.fraction)
    width = 1 + 4 * whole + (1 + 4 * parts if parts else 0)
    out = np.empty((n, width), "u1")
    start = 1 + 4 * (whole - 1) + _LEADING[groups.integer[-1]]
    for i, group in enumerate(groups.integer):
        slot(out, 1 + 4 * i, "u4")[...] = FOUR_DIGITS[group]
    for i in range(whole - 2, -1, -1):
        group = groups.integer[i]
        start = np.where(group != 0, 1 + 4 * i + _LEADING[group], start)
    if parts:
        out[:, 1 + 4 * whole] = ord(".")
    for i, group in enumerate(groups.fraction):
        slot(out, 2 + 4 * whole + 4 * i, "u4")[...] = FOUR_DIGITS[group]
    if groups.negative.any():
        start = start - groups.negative
        row = np.flatnonzero(groups.negative)
        out.reshape(-1)[row * width + start[row]] = ord("-")
    lengths = width - (4 * parts - groups.scale) - start
    return trimmed(shifted(rows_of(out), start), lengths)


def binary_of_groups(groups: Groups) -> pa.Array:
    """numeric_send: ndigits, weight, sign, dscale, digits; without zero digits at either end."""
    every = groups.integer + groups.fraction
    n, count = len(groups.negative), len(every)
    first = np.full(n, count, "i4")
    last = np.full(n, -1, "i4")
    for i in range(count - 1, -1, -1):
        nonzero = every[i] != 0
        first = np.where(nonzero, np.int32(i), first)
        last = np.where(nonzero & (last < 0), np.int32(i), last)
    ndigits = np.where(last < 0, np.int32(0), last - first + 1)
    out = np.empty((n, 8 + 2 * count), "u1")
    slot(out, 0, ">i2")[...] = ndigits
    slot(out, 2, ">i2")[...] = np.where(last < 0, 0, len(groups.integer) - 1 - first)
    slot(out, 4, ">u2")[...] = np.where(groups.negative, _NEGATIVE, _POSITIVE)
    slot(out, 6, ">i2")[...] = groups.scale
    first = np.minimum(first, count - 1)
    few = count <= _FEW_GROUPS
    if few:
        # Moving whole columns costs less than moving the bytes of every row by its own distance.
        for step in range(int(first.max(initial=0))):
            behind = first > step
            pairs = pairwise([*every, every[-1]])
            every = [np.where(behind, after, group) for group, after in pairs]
    for i, group in enumerate(every):
        slot(out, 8 + 2 * i, ">u2")[...] = group
    if not few and first.any():
        digits = rows_of(np.ascontiguousarray(out[:, 8:]))
        slot(out, 8, void(2 * count))[...] = shifted(digits, 2 * first)
    return trimmed(rows_of(out), 8 + 2 * ndigits)


# --- BIGNUM --------------------------------------------------------------------------------------
#
# DuckDB: three bytes of header, whose top bit is set for a number >= 0 and whose other bits count
# the bytes that follow; then the magnitude, most significant byte first. All of the bytes of a
# negative number are inverted.


def bignum_text(array: pa.Array) -> Cells:
    return _bignum(array, text_of_groups, _long_text)


def bignum_binary(array: pa.Array) -> Cells:
    return _bignum(array, binary_of_groups, _long_binary)


def _bignum(
    array: pa.Array, write: Callable[[Groups], pa.Array], write_long: Callable[[int], bytes]
) -> Cells:
    array = storage(array)
    nulls = null_mask(array)
    if nulls is not None:
        array = pc.fill_null(array, b"\x80\x00\x01\x00")
    offsets, data = binary_parts(array)
    long = np.diff(offsets) - 3 > _VECTOR_BYTES
    if not long.any():
        return Cells(ragged=write(_cut_bignum(offsets, data)), nulls=nulls)
    short = array.filter(pa.array(~long))
    cells = write(_cut_bignum(*binary_parts(short)))
    indices = np.cumsum(~long) - 1
    texts = [write_long(_bignum_value(value.as_py())) for value in array.filter(pa.array(long))]
    indices[long] = len(cells) + np.arange(len(texts))
    every = pa.concat_arrays([cells, pa.array(texts, pa.binary())])
    return Cells(ragged=every.take(pa.array(indices)), nulls=nulls)


def _cut_bignum(offsets: np.ndarray, data: np.ndarray) -> Groups:
    n = len(offsets) - 1
    if n == 0:
        return Groups(np.zeros(0, bool), [np.zeros(0, "u4")], [], 0)
    sizes = np.diff(offsets) - 3
    negative = data[offsets[:-1]] < 0x80
    limbs = -(-int(sizes.max()) // 4)
    # Right-align every magnitude in the same number of bytes, 0 on the left.
    column = np.arange(4 * limbs)
    at = (offsets[1:, None] - 4 * limbs) + column
    inside = column >= (4 * limbs - sizes)[:, None]
    magnitude = data[np.where(inside, at, 0)] ^ np.where(negative, 0xFF, 0)[:, None].astype("u1")
    words = np.where(inside, magnitude, np.uint8(0)).view(">u4").astype("u8")
    return _cut_limbs(negative, list(np.ascontiguousarray(words.T)), 0)


def _bignum_value(stored: bytes) -> int:
    if stored[0] & 0x80:
        return int.from_bytes(stored[3:], "big")
    return -int.from_bytes(bytes(b ^ 0xFF for b in stored[3:]), "big")


def _long_text(value: int) -> bytes:
    # Decimal converts in less than quadratic time and knows no limit on the digits of an int.
    digits = format(Decimal(value), "f").encode()
    if len(digits.lstrip(b"-")) > _MAX_DIGITS:
        raise SqlError("22003", "value overflows numeric format")
    return digits


def _long_binary(value: int) -> bytes:
    digits = _long_text(abs(value))
    digits = digits.rjust(-(-len(digits) // 4) * 4, b"0")
    quads = np.frombuffer(digits, "u1").reshape(-1, 4) - np.uint8(48)
    numbers = quads @ np.array([1000, 100, 10, 1])
    used = np.flatnonzero(numbers)
    sign = _NEGATIVE if value < 0 else _POSITIVE
    # Postgres lets the count of digits wrap around in its 16 bits, and so do its readers.
    header = np.array([used[-1] + 1, len(numbers) - 1, sign, 0], ">u2")
    return header.tobytes() + numbers[: used[-1] + 1].astype(">i2").tobytes()
