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
# 'e+00' ... at index exponent + 400: four or five bytes.
_EXPONENTS = [b"e%+03d" % e for e in range(-400, 401)]
_EXPONENT_TEXT = np.frombuffer(b"".join(e.ljust(5) for e in _EXPONENTS), void(5))
_EXPONENT_LENGTH = np.array([len(e) for e in _EXPONENTS], "i4")
# Texts are handled in 24 bytes, three words: the widest is Arrow's -0.0000012345678901234567
# without its sign and one zero.
_WIDTH = 24
# Digits that are kept of a number: as many as fit in a uint64 whatever they are.
_DIGITS = 19
_ZERO, _DOT, _MINUS, _E = b"0.-e"
# The first k bytes of a row, as a mask: uint64 (25, 3).
_FIRST = np.tril(np.full((_WIDTH + 1, _WIDTH), 255, "u1"), -1).view("u8")
_ZEROS = np.full(_WIDTH, _ZERO, "u1").view("u8")


@dataclass(slots=True)
class _Decimals:
    """Decimal numbers, arrays of shape (n,).

    digits: the significant ones from the left as uint8 (n, 24) of '0' to '9', then zeros.
    count: how many they are, without zeros at the end, at least 1. exponent: of the first digit.
    """

    negative: np.ndarray
    digits: np.ndarray
    count: np.ndarray
    exponent: np.ndarray

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """The significant digits of these rows as uint64."""
        each = (self.digits[rows, :_DIGITS] - np.uint8(48)).astype("u8")
        return (each @ _POWERS[_DIGITS - 1 :: -1]) // _POWERS[_DIGITS - self.count[rows]]


def float_text(kind: str, extra_float_digits: int) -> Encoder:
    """kind: `FLOAT` or `DOUBLE`. See `TextStyle.extra_float_digits`."""
    width = _FLOATS[kind]
    if extra_float_digits > 0:
        return _shortest(width)
    return _rounded(width, max(1, width.precision + extra_float_digits))


def _shortest(width: _Float) -> Encoder:
    fixed = min(10.0**width.fixed, _ARROW_FIXED)
    # From the greater line on both write exponents; half-way texts begin with 2 ** mantissa.
    large = 10.0**width.fixed if width.fixed > 10 else np.inf
    half_way = 2.0**width.mantissa
    small = np.dtype(width.dtype).type(_ARROW_SMALL)

    def encode(array: pa.Array) -> Cells:
        nulls = null_mask(array)
        numbers = zero_nulls(values(array, width.dtype), nulls)
        written = array.cast(pa.string())
        size = np.abs(numbers)
        with np.errstate(invalid="ignore"):
            same = (size >= 1e-4) & (size < fixed) | (size < small)
            same |= (size >= large) & (size < half_way)
        if same.all():
            return Cells(ragged=written, nulls=nulls)
        redo = ~same
        numbers = numbers[redo]
        decimals = _parse(written.filter(pa.array(redo)))
        _step_inside(decimals, numbers, width)
        again = _write(decimals, numbers, width.fixed)
        return Cells(ragged=_replaced(written, redo, again), nulls=nulls)

    return encode


def _rounded(width: _Float, precision: int) -> Encoder:
    def encode(array: pa.Array) -> Cells:
        nulls = null_mask(array)
        numbers = zero_nulls(values(array, width.dtype), nulls)
        decimals = _parse(pa.array(numbers).cast(pa.string()))
        _round(decimals, numbers, precision, width)
        return Cells(ragged=_write(decimals, numbers, precision), nulls=nulls)

    return encode


def _replaced(texts: pa.Array, redo: np.ndarray, again: pa.Array) -> pa.Array:
    if len(again) == len(texts):
        return again
    return pc.replace_with_mask(texts.view(pa.binary()), pa.array(redo), again)


# --- taking apart --------------------------------------------------------------------------------


def _parse(texts: pa.Array) -> _Decimals:
    """Texts of finite numbers, Arrow's or ours, taken apart; of others anything."""
    offsets, _ = binary_parts(texts)
    size = np.diff(offsets)
    negative = padded(texts, 1)[:, 0] == _MINUS
    # The sign is left out from here on.
    chars = padded(texts, _WIDTH, negative)
    size = size - negative
    end, power = _exponents(chars, size)
    dot = (chars == _DOT).argmax(axis=1)
    dot = np.where((dot == 0) | (dot > end), end, dot)
    digits = _either(dot, chars, _moved(chars, 1))
    total = end - (dot < end)
    # Zeros in front occur below 1, zeros at the end in integers.
    below_one = np.flatnonzero((chars[:, 0] == _ZERO) & (total > 1))
    if len(below_one):
        leading = (digits[below_one] != _ZERO).argmax(axis=1)
        digits[below_one] = _bytes(shifted(rows_of(digits[below_one]), leading))
        total[below_one] -= leading
        dot = dot.copy()
        dot[below_one] -= leading
    digits = _either(total, digits, None)
    integer = np.flatnonzero((dot == total) & (total > 1))
    if len(integer):
        total[integer] = _WIDTH - (digits[integer, ::-1] != _ZERO).argmax(axis=1)
    return _Decimals(
        negative, digits, np.minimum(total, _DIGITS), np.where(total > 0, power + dot - 1, 0)
    )


def _exponents(chars: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the mantissa ends, and the exponent: one to three digits behind a sign, at the end."""
    end, power = size.copy(), np.zeros(len(size), "i4")
    flat, row = chars.reshape(-1), np.arange(len(size)) * _WIDTH
    for digits in (1, 2, 3):
        at = np.clip(size - digits - 2, 0, _WIDTH - 1)
        found = np.flatnonzero((flat[row + at] == _E) & (size > digits + 2))
        if len(found):
            first = row[found] + at[found]
            number = np.zeros(len(found), "i4")
            for k in range(digits):
                number = number * 10 + (flat[first + 2 + k] - 48)
            end[found] = at[found]
            power[found] = np.where(flat[first + 1] == _MINUS, -number, number)
    return end, power


def _either(counts: np.ndarray, first: np.ndarray, rest: np.ndarray | None) -> np.ndarray:
    """Per row the first `counts` bytes of one, then those of another (None: zeros): (n, 24)."""
    mask = _FIRST[np.clip(counts, 0, _WIDTH)]
    other = _ZEROS if rest is None else rest.view("u8")
    return ((first.view("u8") & mask) | (other & ~mask)).view("u1")


def _moved(chars: np.ndarray, left: int) -> np.ndarray:
    """Every row moved by so many bytes, to the right if negative; '0' where nothing came."""
    out = np.full_like(chars, _ZERO)
    if left > 0:
        out[:, :-left] = chars[:, left:]
    else:
        out[:, -left:] = chars[:, :left]
    return out


def _bytes(items: np.ndarray) -> np.ndarray:
    return items.view("u1").reshape(len(items), -1)


def _step_inside(decimals: _Decimals, numbers: np.ndarray, width: _Float) -> None:
    """Gives more digits to decimals that lie exactly half-way to a neighbouring float.

    Such a text reads back as the number only because ties go to even. Arrow takes it for the
    shortest; Postgres does not rely on ties: it writes 1e23 as 9.999999999999999e+22. It takes an
    integer of more bits than the mantissa has, so smaller numbers need no look.
    """
    power = decimals.exponent - decimals.count + 1
    # 5 ** 28 has more bits than any odd number that lies half-way.
    suspect = (np.abs(numbers) >= 2.0**width.mantissa) & np.isfinite(numbers)
    rows = np.flatnonzero(suspect & (power > 0) & (power < 28))
    if not len(rows):
        return
    digits, power = decimals.numbers(rows), power[rows]
    odd = digits // (digits & (~digits + np.uint64(1)))
    fits = odd.astype("f8") * 5.0**power < 2.0 ** (width.mantissa + 3)
    odd = odd * np.where(fits, np.uint64(5) ** np.where(fits, power, 0).astype("u8"), 0)
    hidden = np.uint64(1 << (width.mantissa - 1))
    bits = numbers[rows].view(width.bits).astype("u8")
    mantissa = (bits & (hidden - np.uint64(1))) | hidden
    half_way = (odd == 2 * mantissa + 1) | (odd == 2 * mantissa - 1) | (odd == 4 * mantissa - 1)
    rows, power = rows[half_way & fits], power[half_way & fits]
    size = np.abs(numbers[rows]).astype("f8")
    wide = size >= 2.0**62
    inside = rows[~wide]
    found, exponents = _nearer(size[~wide].astype("i8"), power[~wide], width.mantissa)
    _put(decimals, inside, found.astype("u8"), exponents)
    for row, number in zip(rows[wide], size[wide], strict=True):
        digits_, exponent = _nearer_wide(int(number), width.mantissa)
        _put(decimals, np.array([row]), np.array([digits_], "u8"), np.array([exponent]))


def _nearer(numbers: np.ndarray, power: np.ndarray, mantissa: int) -> tuple[np.ndarray, np.ndarray]:
    """Fewest digits, and their power of ten, nearer to these integers than half-way to a neighbour.

    numbers: int64 below 2**62; power: where to begin, there are none with a higher one.
    """
    bits = np.frexp(numbers.astype("f8"))[1]
    gap = np.int64(1) << np.maximum(bits - mantissa, 0).astype("i8")
    # The neighbour below a power of two is at half the distance.
    below = np.where(numbers & (numbers - 1) == 0, gap // 2, gap)
    power, digits = power.copy(), np.zeros(len(numbers), "i8")
    todo = np.arange(len(numbers))
    while len(todo):
        unit = _POWERS[power[todo]].astype("i8")
        number = numbers[todo]
        low = number // unit
        down, up = number - low * unit, (low + 1) * unit - number
        takes_low, takes_high = 2 * down < below[todo], 2 * up < gap[todo]
        takes_low &= ~takes_high | (down < up) | ((down == up) & (low % 2 == 0))
        digits[todo] = np.where(takes_low, low, low + 1)
        todo = todo[~(takes_low | takes_high)]
        power[todo] -= 1
    return digits, power


def _nearer_wide(number: int, mantissa: int) -> tuple[int, int]:
    """The same for one integer of any size."""
    gap = 1 << (number.bit_length() - mantissa)
    below = gap // 2 if number & (number - 1) == 0 else gap
    for power in range(len(str(number)) - 1, -1, -1):
        low = number // 10**power
        down, up = number - low * 10**power, (low + 1) * 10**power - number
        near = [
            (distance, digits)
            for distance, digits, room in ((down, low, below), (up, low + 1, gap))
            if 2 * distance < room
        ]
        if near:
            return min(near)[1], power
    return number, 0


def _put(decimals: _Decimals, rows: np.ndarray, digits: np.ndarray, power: np.ndarray) -> None:
    """Sets these rows to digits * 10 ** power (uint64, int)."""
    if not len(rows):
        return
    count = np.maximum(np.searchsorted(_POWERS, digits, side="right"), 1).astype("i4")
    rest = digits * _POWERS[_DIGITS - count]
    out = np.full((len(rows), 1 + _WIDTH), _ZERO, "u1")
    for at in (16, 12, 8, 4, 0):
        above = rest // np.uint64(10000)
        slot(out, at, "u4")[...] = FOUR_DIGITS[rest - above * np.uint64(10000)]
        rest = above
    written = out[:, 1:]
    shown = _WIDTH - (written[:, ::-1] != _ZERO).argmax(axis=1)
    decimals.digits[rows] = written
    decimals.count[rows] = np.where(digits == 0, 1, shown)
    decimals.exponent[rows] = np.where(digits == 0, 0, power + count - 1)


def _round(decimals: _Decimals, numbers: np.ndarray, precision: int, width: _Float) -> None:
    """To `precision` significant digits, correctly rounded from the binary number.

    Rounding the shortest digits gives the same as rounding the number itself, unless they end
    exactly in the middle, or the number is so small that it has fewer bits: those few are rounded
    by the C library.
    """
    tiny = (np.abs(numbers) < np.finfo(width.dtype).tiny) & (numbers != 0)
    rows = np.flatnonzero((decimals.count > precision) | tiny)
    if not len(rows):
        return
    digits, count = decimals.numbers(rows), decimals.count[rows]
    drop = np.maximum(count - precision, 0)
    unit = _POWERS[drop]
    kept = digits // unit
    rest = digits - kept * unit
    kept = kept + ((2 * rest > unit) & (drop > 0))
    power = decimals.exponent[rows] - count + 1 + drop
    for i in np.flatnonzero(tiny[rows] | ((2 * rest == unit) & np.isfinite(numbers[rows]))):
        text, _, exponent = f"{abs(float(numbers[rows[i]])):.{precision - 1}e}".partition("e")
        kept[i] = int(text.replace(".", ""))
        power[i] = int(exponent) - precision + 1
    _put(decimals, rows, kept, power)


# --- writing -------------------------------------------------------------------------------------


def _write(decimals: _Decimals, numbers: np.ndarray, fixed: int) -> pa.Array:
    """As `%g` writes it: exponents from -4 to below `fixed` without `e`."""
    n = len(numbers)
    count, exponent, negative = decimals.count, decimals.exponent, decimals.negative
    with_e = (exponent < -4) | (exponent >= fixed)
    # Zeros in front of the digits, and how many characters stand before the dot.
    zeros = np.where(~with_e & (exponent < 0), -exponent, 0)
    before = np.where(with_e | (exponent < 0), 1, exponent + 1)
    source = decimals.digits
    if zeros.any():
        # At most four zeros, and the digits' own last five are zeros.
        source = _bytes(shifted(rows_of(_moved(source, -4)), 4 - zeros))
    total = np.maximum(zeros + count, before)
    out = np.empty((n, 1 + _WIDTH), "u1")
    out[:, 0] = _MINUS
    out[:, 1:] = _either(before, source, _moved(source, -1))
    out.reshape(-1)[np.arange(n) * (1 + _WIDTH) + 1 + before] = _DOT
    lengths = total + (total > before) + negative
    text = rows_of(out)
    text = shifted(text, 1 - negative) if negative.any() else rows_of(out[:, 1:].copy())
    special = ~np.isfinite(numbers)
    if special.any():
        with_e = with_e & ~special
        text, lengths = _names(text, lengths, numbers, special)
    if not with_e.any():
        return trimmed(text, lengths)
    index = exponent + 400
    sizes = _EXPONENT_LENGTH[index]
    if with_e.all() and (sizes == 4).all():
        suffix = np.ascontiguousarray(_bytes(_EXPONENT_TEXT)[index][:, :4])
        return trimmed(text, lengths, rows_of(suffix))
    suffix = trimmed(_EXPONENT_TEXT[index], np.where(with_e, sizes, 0))
    return concat(n, [trimmed(text, lengths), suffix])


def _names(
    text: np.ndarray, lengths: np.ndarray, numbers: np.ndarray, special: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """NaN and the infinities by name."""
    chars, lengths = _bytes(text).copy(), lengths.copy()
    for name, rows in (
        (b"NaN", np.isnan(numbers)),
        (b"Infinity", np.isposinf(numbers)),
        (b"-Infinity", np.isneginf(numbers)),
    ):
        chars[rows, : len(name)] = np.frombuffer(name, "u1")
        lengths[rows] = len(name)
    return rows_of(chars), lengths


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
    redo[two] |= padded(texts.take(pa.array(two)), 2).view("S2")[:, 0] == b"-0"
    if not redo.any():
        return texts
    some = texts.filter(pa.array(redo))
    offsets, data = binary_parts(some)
    # NaN and Infinity end with a letter.
    named = data[offsets[1:] - 1] >= ord("A")
    n = len(some)
    decimals = _parse(some)
    exponent, count = decimals.exponent, decimals.count
    digits = rows_of(decimals.digits)
    is_zero = decimals.digits[:, 0] == _ZERO
    whole = np.clip(exponent + 1, 0, count)
    behind = np.maximum(exponent + 1 - count, 0)
    in_front = np.where(exponent < 0, 1 - exponent, 0)
    zeros = b"0." + b"0" * max(int(behind.max()), int(in_front.max()))
    zeros = np.frombuffer(zeros, void(len(zeros))).repeat(n)
    written = concat(
        n,
        [
            choice([b"", b"-"], (decimals.negative & ~is_zero).view("i1")),
            trimmed(digits, whole),
            trimmed(shifted(zeros, np.full(n, 2)), behind),
            trimmed(zeros, in_front),
            choice([b"", b"."], ((exponent >= 0) & (count > whole)).view("i1")),
            trimmed(shifted(digits, whole), count - whole),
        ],
    )
    if named.any():
        written = pc.if_else(pa.array(named), concat(n, [b'"', some, b'"']), written)
    return _replaced(texts, redo, written)
