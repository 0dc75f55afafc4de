"""Encoders of float4 and float8 as text: Postgres's shortest form, or `%.*g` on request.

Arrow finds the shortest digits that read back as the same number, as Postgres does, but it draws
the line between `0.00001` and `1e-05` elsewhere and writes exponents of one digit. So a column is
cast by Arrow's kernel, and only the rows beyond the lines are taken apart and written again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.wire.encoders.cells import (
    FOUR_DIGITS,
    Cells,
    Encoder,
    binary_parts,
    choice,
    concat,
    null_mask,
    padded,
    rows_of,
    shifted,
    slot,
    trimmed,
    values,
    void,
    zero_nulls,
)


@dataclass(frozen=True, slots=True)
class _Float:
    """One of the two widths.

    dtype: numpy's.
    fixed: in the shortest form exponents from -4 to below this are written without `e`.
    precision: significant digits for extra_float_digits = 0.
    mantissa: bits of it, the hidden one included; bits: of the whole number.
    """

    dtype: str
    fixed: int
    precision: int
    mantissa: int
    bits: str


_FLOATS = {
    "FLOAT": _Float("f4", 6, 6, 24, "u4"),
    "DOUBLE": _Float("f8", 15, 15, 53, "u8"),
}

# Arrow writes numbers up to here without an exponent, as far down as 1e-6.
_ARROW_FIXED = 1e10
# Below this an exponent has two digits at least, and is written alike.
_ARROW_SMALL = 1e-9

_POWERS = 10 ** np.arange(20, dtype="u8")
# 'e+00' ... at index exponent + 400, five bytes each, and their lengths.
_EXPONENTS = [b"e%+03d" % e for e in range(-400, 401)]
_EXPONENT_TEXT = np.frombuffer(b"".join(e.ljust(5, b" ") for e in _EXPONENTS), "u1").reshape(-1, 5)
_EXPONENT_LENGTH = np.array([len(e) for e in _EXPONENTS], "i4")
# The widest texts: Arrow's -0.0000012345678901234567, ours -1.2345678901234567e-300.
_PARSED, _WRITTEN = 25, 24
# As many as fit in a uint64 whatever they are.
_DIGITS = 19


@dataclass(slots=True)
class _Decimal:
    """Decimal numbers `digits * 10 ** (exponent - count + 1)`, arrays of shape (n,).

    digits: uint64 without trailing zeros; count: how many; exponent: of the first digit.
    """

    negative: np.ndarray
    digits: np.ndarray
    count: np.ndarray
    exponent: np.ndarray


def float_text(kind: str, extra_float_digits: int) -> Encoder:
    """kind: `FLOAT` or `DOUBLE`. See `TextStyle.extra_float_digits`."""
    width = _FLOATS[kind]
    if extra_float_digits > 0:
        return _shortest(width)
    return _rounded(width, max(1, width.precision + extra_float_digits))


def _shortest(width: _Float) -> Encoder:
    fixed = min(10.0**width.fixed, _ARROW_FIXED)
    small = np.dtype(width.dtype).type(_ARROW_SMALL)

    def encode(array: pa.Array) -> Cells:
        nulls = null_mask(array)
        numbers = zero_nulls(values(array, width.dtype), nulls)
        written = array.cast(pa.string())
        size = np.abs(numbers)
        with np.errstate(invalid="ignore"):
            same = (size >= 1e-4) & (size < fixed) | (size < small)
        if same.all():
            return Cells(ragged=written, nulls=nulls)
        redo = ~same
        texts = written.filter(pa.array(redo))
        numbers = numbers[redo]
        again = _write(_inside(_parse(texts), numbers, width), numbers, width.fixed)
        return Cells(ragged=_replaced(written, redo, again), nulls=nulls)

    return encode


def _rounded(width: _Float, precision: int) -> Encoder:
    def encode(array: pa.Array) -> Cells:
        nulls = null_mask(array)
        numbers = zero_nulls(values(array, width.dtype), nulls)
        texts = pa.array(numbers).cast(pa.string())
        decimals = _round(_parse(texts), numbers, precision, width)
        return Cells(ragged=_write(decimals, numbers, precision), nulls=nulls)

    return encode


def _replaced(texts: pa.Array, redo: np.ndarray, again: pa.Array) -> pa.Array:
    if len(again) == len(texts):
        return again
    return pc.replace_with_mask(texts.view(pa.binary()), pa.array(redo), again)


def _parse(texts: pa.Array) -> _Decimal:
    """Arrow's text of finite numbers taken apart; of others anything."""
    n = len(texts)
    offsets, _ = binary_parts(texts)
    chars = padded(texts, _PARSED).view("u1").reshape(n, _PARSED)
    column = np.arange(_PARSED, dtype="i4")
    end = np.diff(offsets)
    inside = column < end[:, None]
    e_at = _index_of(chars, inside, ord("e"), end)
    mantissa = column < e_at[:, None]
    dot = _index_of(chars, mantissa, ord("."), e_at)
    values_ = chars - np.uint8(48)
    is_digit = (values_ < 10) & inside
    digits, power = np.zeros(n, "u8"), np.zeros(n, "i4")
    for j in range(_PARSED):
        ours, digit = is_digit[:, j], values_[:, j]
        digits = np.where(ours & mantissa[:, j], digits * np.uint64(10) + digit, digits)
        power = np.where(ours & ~mantissa[:, j], power * 10 + digit, power)
    rows = np.arange(n)
    minus = chars[rows, np.minimum(e_at + 1, _PARSED - 1)] == ord("-")
    power = np.where(minus & (e_at < end), -power, power)
    power = power - np.maximum(e_at - dot - 1, 0)
    return _normal(chars[:, 0] == ord("-"), digits, power)


def _index_of(chars: np.ndarray, inside: np.ndarray, char: int, absent: np.ndarray) -> np.ndarray:
    found = (chars == char) & inside
    return np.where(found.any(axis=1), found.argmax(axis=1), absent).astype("i4")


def _normal(negative: np.ndarray, digits: np.ndarray, power: np.ndarray) -> _Decimal:
    """digits * 10 ** power without trailing zeros."""
    for step in (8, 4, 2, 1, 1):
        rest = digits // _POWERS[step]
        whole = (rest * _POWERS[step] == digits) & (digits != 0)
        if whole.any():
            digits = np.where(whole, rest, digits)
            power = np.where(whole, power + step, power)
    count = np.maximum(np.searchsorted(_POWERS, digits, side="right"), 1).astype("i4")
    return _Decimal(negative, digits, count, np.where(digits == 0, 0, power + count - 1))


def _inside(decimals: _Decimal, numbers: np.ndarray, width: _Float) -> _Decimal:
    """Decimals that lie exactly half-way to a neighbour are given more digits.

    Such a text reads back as the number only because ties go to even. Arrow takes it for the
    shortest; Postgres does not rely on ties: it writes 1e23 as 9.999999999999999e+22. It takes an
    integer of more bits than the mantissa has, so there are few to look at.
    """
    power = decimals.exponent - decimals.count + 1
    suspect = (np.abs(numbers) >= 2.0**width.mantissa) & np.isfinite(numbers) & (power > 0)
    rows = np.flatnonzero(suspect & (power < 28))
    if not len(rows):
        return decimals
    digits, power = decimals.digits[rows], power[rows]
    odd = digits // (digits & (~digits + np.uint64(1)))
    fits = odd.astype("f8") * 5.0**power < 2.0 ** (width.mantissa + 3)
    odd = odd * np.where(fits, np.uint64(5) ** np.where(fits, power, 0).astype("u8"), 0)
    hidden = np.uint64(1 << (width.mantissa - 1))
    bits = numbers[rows].view(width.bits).astype("u8")
    mantissa = (bits & (hidden - np.uint64(1))) | hidden
    half_way = (odd == 2 * mantissa + 1) | (odd == 2 * mantissa - 1) | (odd == 4 * mantissa - 1)
    for row in rows[half_way & fits]:
        digits_, power_ = _shortest_inside(int(abs(numbers[row])), width.mantissa)
        decimals.digits[row], decimals.count[row] = digits_, len(str(digits_))
        decimals.exponent[row] = power_ + len(str(digits_)) - 1
    return decimals


def _shortest_inside(number: int, mantissa: int) -> tuple[int, int]:
    """Fewest digits (and their power of ten) nearer to `number` than half-way to a neighbour."""
    gap = 1 << (number.bit_length() - mantissa)
    # In quarters of the gap; the neighbour below a power of two is at half the distance.
    below = 1 if number & (number - 1) == 0 else 2
    for power in range(len(str(number)) - 1, -1, -1):
        low = number // 10**power
        candidates = [
            (abs(digits * 10**power - number), digits)
            for digits, quarters in ((low, below), (low + 1, 2))
            if 4 * abs(digits * 10**power - number) < quarters * gap and digits
        ]
        if candidates:
            return min(candidates)[1], power
    return number, 0


def _round(decimals: _Decimal, numbers: np.ndarray, precision: int, width: _Float) -> _Decimal:
    """To `precision` significant digits, correctly rounded from the binary number.

    Rounding the shortest digits gives the same as rounding the number itself, unless they end
    exactly in the middle, or the number is so small that it has fewer bits: those few are rounded
    by the C library.
    """
    drop = np.maximum(decimals.count - precision, 0)
    unit = _POWERS[drop]
    kept = decimals.digits // unit
    rest = decimals.digits - kept * unit
    kept = kept + ((2 * rest > unit) & (drop > 0))
    # A carry into a new digit leaves 1 and zeros, which normalising takes away.
    power = decimals.exponent - decimals.count + 1 + drop
    tiny = (np.abs(numbers) < np.finfo(width.dtype).tiny) & (numbers != 0)
    middle = (2 * rest == unit) & (drop > 0) & np.isfinite(numbers)
    for row in np.flatnonzero(tiny | middle):
        digits, _, exponent = f"{abs(float(numbers[row])):.{precision - 1}e}".partition("e")
        kept[row] = int(digits.replace(".", ""))
        power[row] = int(exponent) - precision + 1
    return _normal(decimals.negative, kept, power)


def _digit_items(decimals: _Decimal) -> np.ndarray:
    """The digits from the left, zeros after them: items of `_DIGITS` bytes."""
    n = len(decimals.digits)
    out = np.empty((n, 1 + _DIGITS), "u1")
    rest = decimals.digits * _POWERS[_DIGITS - decimals.count]
    for at in (16, 12, 8, 4, 0):
        above = rest // np.uint64(10000)
        slot(out, at, "u4")[...] = FOUR_DIGITS[rest - above * np.uint64(10000)]
        rest = above
    return rows_of(np.ascontiguousarray(out[:, 1:]))


def _write(decimals: _Decimal, numbers: np.ndarray, fixed: int) -> pa.Array:
    """As `%g` writes it: exponents from -4 to below `fixed` without `e`."""
    n = len(numbers)
    negative = decimals.negative.astype("i4")
    count, exponent = decimals.count, decimals.exponent
    with_e = (exponent < -4) | (exponent >= fixed)
    # '0.000' before the first digit of a small number.
    lead = np.where(~with_e & (exponent < 0), 1 - exponent, 0)
    before_dot = np.where(with_e, 1, np.where(exponent < 0, 99, exponent + 1))
    shown = np.where(with_e | (exponent < 0), count, np.maximum(count, exponent + 1))
    mantissa = negative + lead + shown + (shown > before_dot)
    source = _digit_items(decimals).view("u1").reshape(n, _DIGITS)
    out = np.empty((n, _WRITTEN), "u1")
    rows = np.arange(n)
    tail = _EXPONENT_TEXT[exponent + 400]
    for column in range(out.shape[1]):
        k = column - negative - lead
        digit = source[rows, np.clip(k - (k > before_dot), 0, _DIGITS - 1)]
        char = np.where(k == before_dot, ord("."), digit)
        char = np.where(k < 0, np.where(column - negative == 1, ord("."), ord("0")), char)
        after = column - mantissa
        char = np.where(after >= 0, tail[rows, np.clip(after, 0, 4)], char)
        out[:, column] = char
    out[decimals.negative, 0] = ord("-")
    lengths = mantissa + np.where(with_e, _EXPONENT_LENGTH[exponent + 400], 0)
    if not np.isfinite(numbers).all():
        _write_special(out, lengths, numbers)
    return trimmed(rows_of(out), lengths)


_EXPONENT_OR_NAME = np.zeros(256, bool)
_EXPONENT_OR_NAME[list(b"eIN")] = True


def without_exponent(texts: pa.Array) -> pa.Array:
    """Texts of floats as numeric and to_jsonb write them: exponents spelled out, `-0` as `0`, NaN
    and the infinities in quotes."""
    offsets, data = binary_parts(texts)
    seen = np.zeros(len(data) + 1, "i4")
    np.cumsum(_EXPONENT_OR_NAME[data], out=seen[1:])
    redo = seen[offsets[1:]] != seen[offsets[:-1]]
    two = np.flatnonzero(np.diff(offsets) == 2)
    redo[two] |= padded(texts.take(pa.array(two)), 2).view("S2") == b"-0"
    if not redo.any():
        return texts
    some = texts.filter(pa.array(redo))
    offsets, data = binary_parts(some)
    # NaN and Infinity end with a letter.
    named = data[offsets[1:] - 1] >= ord("A")
    n = len(some)
    decimals = _parse(some)
    exponent, count = decimals.exponent, decimals.count
    digits = _digit_items(decimals)
    whole = np.clip(exponent + 1, 0, count)
    zeros = np.frombuffer(b"0." + b"0" * 400, void(402)).repeat(n)
    written = concat(
        n,
        [
            choice([b"", b"-"], (decimals.negative & (decimals.digits != 0)).view("i1")),
            trimmed(digits, whole),
            trimmed(shifted(zeros, np.full(n, 2)), np.maximum(exponent + 1 - count, 0)),
            trimmed(zeros, np.where(exponent < 0, 1 - exponent, 0)),
            choice([b"", b"."], ((exponent >= 0) & (count > whole)).view("i1")),
            trimmed(shifted(digits, whole), count - whole),
        ],
    )
    if named.any():
        written = pc.if_else(pa.array(named), concat(n, [b'"', some, b'"']), written)
    return _replaced(texts, redo, written)


def _write_special(out: np.ndarray, lengths: np.ndarray, numbers: np.ndarray) -> None:
    for text, rows in (
        (b"NaN", np.isnan(numbers)),
        (b"Infinity", np.isposinf(numbers)),
        (b"-Infinity", np.isneginf(numbers)),
    ):
        out[rows, : len(text)] = np.frombuffer(text, "u1")
        lengths[rows] = len(text)
