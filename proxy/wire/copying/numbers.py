"""Readers of numbers: integers of every width, floats, DECIMAL, and the whole numbers beyond int8."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.wire.copying.columns import (
    ColumnReader,
    Slices,
    Unusual,
    cast_usual,
    fixed,
    no_binary_kernel,
    no_kernel,
    only,
    strings,
    usual,
)
from proxy.wire.decoders import numbers
from proxy.wire.encoders.cells import binary_parts, null_mask, values
from proxy.wire.encoders.numerics import Groups, text_of_groups
from proxy.wire.types import DuckType

# --- integers -------------------------------------------------------------------------------------

# DuckDB type -> (Postgres's name of the type it is sent as, bits of that, numpy type of DuckDB's)
_INTEGERS: dict[str, tuple[str, int, str]] = {
    "TINYINT": ("smallint", 16, "i1"),
    "SMALLINT": ("smallint", 16, "i2"),
    "INTEGER": ("integer", 32, "i4"),
    "BIGINT": ("bigint", 64, "i8"),
    "UTINYINT": ("smallint", 16, "u1"),
    "USMALLINT": ("integer", 32, "u2"),
    "UINTEGER": ("bigint", 64, "u4"),
}
_NINE = ord("9")


def integer(duck: DuckType) -> ColumnReader:
    kind, bits, dtype = _INTEGERS[duck.id]
    arrow = pa.from_numpy_dtype(np.dtype(dtype))
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    wire = f">i{bits // 8}"
    from_text, from_binary = numbers.integer_text(kind, bits), numbers.integer_binary(_CODES[bits])

    def checked(value: int, shown: object) -> int:
        if not least <= value <= most:
            raise SqlError("22003", f'value "{shown}" is out of range for type {duck.id.lower()}')
        return value

    def kernel(texts: pa.Array) -> tuple[pa.Array | None, Unusual]:
        # Arrow also reads hexadecimal: whatever is no digit goes by the pattern.
        if _largest_byte(texts) > _NINE:
            wanted = usual(texts, "^-?[0-9]{1,18}$")
            unusual = ~wanted & texts.is_valid().to_numpy(zero_copy_only=False)
            found, more = _cast(only(texts, wanted))
            return found, unusual if more is None else unusual | more
        return _cast(texts)

    def _cast(texts: pa.Array) -> tuple[pa.Array | None, Unusual]:
        try:
            return texts.cast(arrow), None
        except pa.ArrowInvalid:
            pass
        wide, unusual = cast_usual(texts, pa.int64(), "^-?[0-9]{1,18}$")
        if wide is None:
            return no_kernel(texts)
        nulls = null_mask(wide)
        return narrowed(values(wide, "i8"), nulls, unusual)

    def narrowed(
        wide: np.ndarray, nulls: np.ndarray | None, unusual: Unusual
    ) -> tuple[pa.Array, Unusual]:
        beyond = (wide < least) | (wide > most)
        if nulls is not None:
            beyond &= ~nulls
        if beyond.any():
            unusual = beyond if unusual is None else beyond | unusual
        return fixed(arrow, wide.astype(dtype), nulls), unusual

    def binary_kernel(slices: Slices) -> tuple[pa.Array, Unusual]:
        found = slices.at(0, wire).astype("i8")
        return narrowed(found, slices.nulls, slices.sized(bits // 8))

    return ColumnReader(
        duck,
        arrow,
        lambda text: checked(from_text(text, ""), text),
        lambda raw: checked(from_binary(raw), from_binary(raw)),
        lambda found: pa.array(found, arrow),
        kernel,
        binary_kernel,
    )


_CODES = {16: "h", 32: "i", 64: "q"}


def _largest_byte(texts: pa.Array) -> int:
    offsets, data = binary_parts(texts)
    return int(data[offsets[0] : offsets[-1]].max(initial=0))


# --- floats ---------------------------------------------------------------------------------------

_FLOAT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_FLOATS: dict[str, tuple[pa.DataType, str, str]] = {
    "FLOAT": (pa.float32(), "f4", ">f4"),
    "DOUBLE": (pa.float64(), "f8", ">f8"),
}


def floating(duck: DuckType) -> ColumnReader:
    arrow, dtype, wire = _FLOATS[duck.id]
    double = duck.id == "DOUBLE"
    from_text = numbers.float8_text if double else numbers.float4_text
    from_binary = numbers.float8_binary if double else numbers.float4_binary
    size = 8 if double else 4

    def kernel(texts: pa.Array) -> tuple[pa.Array | None, Unusual]:
        array, unusual = cast_usual(texts, arrow, _FLOAT)
        if array is None:
            return no_kernel(texts)
        found = values(array, dtype)
        # An overflow reads as infinity, an underflow as zero; both are errors in Postgres.
        doubtful = ~np.isfinite(found) | (found == 0)
        nulls = null_mask(array)
        if nulls is not None:
            doubtful &= ~nulls
        if doubtful.any():
            rows = np.flatnonzero(doubtful)
            plain_zero = usual(texts.take(pa.array(rows)), r"^[+-]?0+\.?0*$")
            doubtful[rows[plain_zero]] = False
            unusual = doubtful if unusual is None else unusual | doubtful
        return array, unusual

    def binary_kernel(slices: Slices) -> tuple[pa.Array, Unusual]:
        found = slices.at(0, wire).astype(dtype)
        return fixed(arrow, found, slices.nulls), slices.sized(size)

    return ColumnReader(
        duck,
        arrow,
        lambda text: from_text(text, ""),
        from_binary,
        lambda found: pa.array(found, arrow),
        kernel,
        binary_kernel,
    )


# --- DECIMAL --------------------------------------------------------------------------------------

# Wide enough for any number that a field of a gigabyte could be rounded from without loss.
_EXACT = decimal.Context(
    prec=200_000,
    rounding=decimal.ROUND_HALF_UP,
    Emin=decimal.MIN_EMIN,
    Emax=decimal.MAX_EMAX,
    traps=[decimal.InvalidOperation],
)
_MAX_WIDTH = 38


def exact_decimal(duck: DuckType) -> ColumnReader:
    width, scale = duck.width, duck.scale
    arrow = pa.decimal128(width, scale)
    # Digits after the point that are read and rounded in bulk, and before it.
    after = max(scale, 10)
    before = _MAX_WIDTH - after
    pattern = rf"^[+-]?([0-9]{{1,{before}}}(\.[0-9]{{0,{after}}})?|\.[0-9]{{1,{after}}})$"
    wide = pa.decimal128(_MAX_WIDTH, after)
    limit = Decimal(10) ** (width - scale)
    rounder = pc.RoundOptions(ndigits=scale, round_mode="half_towards_infinity")

    def kernel(texts: pa.Array) -> tuple[pa.Array | None, Unusual]:
        try:
            return texts.cast(arrow), None
        except pa.ArrowInvalid:
            pass
        if before < 1:
            return no_kernel(texts)
        try:
            found = only(texts, usual(texts, pattern)).cast(wide)
        except pa.ArrowInvalid:
            return no_kernel(texts)
        found = pc.round(found, options=rounder)
        if width - scale < before:
            fits = pc.less(pc.abs(found), pa.scalar(limit, wide))
            found = pc.if_else(fits, found, pa.scalar(None, wide))
        unusual = texts.is_valid().to_numpy(zero_copy_only=False) & (
            found.is_null().to_numpy(zero_copy_only=False)
        )
        return found.cast(arrow), unusual

    def from_text(text: str) -> Decimal:
        try:
            return _fitted(numbers.numeric_text(text, ""), width, scale)
        except SqlError as error:
            # More digits than DuckDB holds may still round to fewer.
            if error.sqlstate != "22003":
                raise
            try:
                value = _EXACT.create_decimal(text.strip())
            except decimal.InvalidOperation:
                raise error from None
            if not value.is_finite():
                raise
            return _fitted(value, width, scale)

    return ColumnReader(
        duck,
        arrow,
        from_text,
        lambda raw: _fitted(numbers.numeric_binary(raw), width, scale),
        lambda found: pa.array(found, arrow),
        kernel,
        lambda slices: _decimals(slices, duck, arrow),
    )


def _fitted(value: Decimal, width: int, scale: int) -> Decimal:
    """Rounded to the column's scale, halves away from zero. Raises 22003 if it is too wide then."""
    try:
        rounded = _EXACT.quantize(value, Decimal(1).scaleb(-scale))
    except decimal.InvalidOperation:
        rounded = None
    if rounded is None or abs(rounded) >= Decimal(10) ** (width - scale):
        digits = width - scale
        raise SqlError(
            "22003",
            "numeric field overflow",
            detail=f"A field with precision {width}, scale {scale} must round to an absolute value "
            f"less than {f'10^{digits}' if digits else '1'}.",
        )
    return rounded


# Digits of base 10,000 that a numeric of 38 digits may have before the point.
_BEFORE = 10


def _numeric_groups(slices: Slices, scale: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """numeric_recv's format as base-10000 digits: int64 (`_BEFORE` + ceil(scale / 4), n).

    Then signs, and which values are left to the exact decoder (their digits are 0): what has more
    digits, is no number, or is not well formed.
    """
    n, points = len(slices), -(-scale // 4)
    count, weight = slices.at(0, ">u2").astype("i8"), slices.at(2, ">i2").astype("i8")
    sign, dscale = slices.at(4, ">u2"), slices.at(6, ">u2").astype("i8")
    behind = count - 1 - weight  # groups after the point
    good = (slices.lengths == 8 + 2 * count) & ((sign == 0) | (sign == 0x4000)) & (dscale <= 0x3FFF)
    good &= (count == 0) | ((weight < _BEFORE) & (weight >= -points) & (behind <= points))
    # Digits behind the number's own scale would be dropped: they are left to the exact decoder.
    good &= (count == 0) | (4 * behind <= dscale + 3)
    good &= ~slices.nulls
    groups = np.zeros((_BEFORE + points, n), "i8")
    rows = np.flatnonzero(good)
    count, weight, starts = count[rows], weight[rows], slices.starts[rows] + 8
    every = np.ndarray((len(slices.data) - 1,), ">i2", slices.data, 0, (1,))
    wrong = np.zeros(len(rows), bool)
    last = np.zeros(len(rows), "i8")
    for i in range(int(count.max(initial=0))):
        some = np.flatnonzero(count > i)
        digits = every[starts[some] + 2 * i].astype("i8")
        wrong[some] |= (digits < 0) | (digits > 9999)
        groups[_BEFORE - 1 - weight[some] + i, rows[some]] = digits
        last[some] = digits
    extra = np.clip(4 * behind[rows] - dscale[rows], 0, 3)
    wrong |= last % 10**extra != 0
    if points:
        # The last group has more digits than the scale where 4 does not divide it.
        wrong |= groups[-1, rows] % 10 ** (4 * points - scale) != 0
    good[rows[wrong]] = False
    groups[:, rows[wrong]] = 0
    return groups, good & (sign == 0x4000), ~good & ~slices.nulls


def _decimals(
    slices: Slices, duck: DuckType, arrow: pa.DataType
) -> tuple[pa.Array | None, np.ndarray]:
    if duck.width > 18:
        texts, unusual = numeric_texts(slices, duck.scale)
        try:
            return texts.cast(arrow), unusual
        except pa.ArrowInvalid:
            return no_binary_kernel(slices)
    groups, negative, unusual = _numeric_groups(slices, duck.scale)
    powers = 10.0 ** (4 * np.arange(_BEFORE - 1, _BEFORE - 1 - len(groups), -1))
    unusual |= powers @ groups >= 10.0 ** (duck.width - duck.scale) * (1 - 1e-12)
    unscaled = np.zeros(len(slices), "i8")
    for group in groups[:_BEFORE]:
        unscaled = unscaled * 10_000 + group
    unscaled *= 10**duck.scale
    left = duck.scale
    for group in groups[_BEFORE:]:
        left -= 4
        unscaled += group * 10**left if left >= 0 else group // 10**-left
    unscaled = np.where(negative, -unscaled, unscaled)
    wide = np.stack([unscaled, unscaled >> 63], axis=1)
    return fixed(arrow, wide.view("V16").reshape(-1), slices.nulls), unusual


def numeric_texts(slices: Slices, scale: int) -> tuple[pa.Array, np.ndarray]:
    """numeric_recv's format as decimal texts with exactly `scale` digits after the point.

    Unusual: what has more digits than that, or is no number, or is not well formed.
    """
    groups, negative, unusual = _numeric_groups(slices, scale)
    negative &= (groups != 0).any(axis=0)
    before, after = list(groups[:_BEFORE].astype("u4")), list(groups[_BEFORE:].astype("u4"))
    while len(before) > 1 and not before[0].any():
        before = before[1:]
    return strings(text_of_groups(Groups(negative, before, after, scale)), slices.nulls), unusual


# --- whole numbers beyond int8 --------------------------------------------------------------------

# DuckDB type -> the least and the largest value, None for no bounds.
_WHOLE: dict[str, tuple[int, int] | None] = {
    "UBIGINT": (0, 2**64 - 1),
    "HUGEINT": (-(2**127), 2**127 - 1),
    "UHUGEINT": (0, 2**128 - 1),
    "BIGNUM": None,
}
# Texts of so many digits are surely within the bounds.
_PLAIN_WHOLE = {
    "UBIGINT": "^[0-9]{1,19}$",
    "HUGEINT": "^-?[0-9]{1,38}$",
    "UHUGEINT": "^[0-9]{1,38}$",
    "BIGNUM": "^-?[0-9]{1,1000}$",
}


def whole(duck: DuckType) -> ColumnReader:
    """Sent as numeric; the engine is given decimal digits."""
    bounds = _WHOLE[duck.id]

    def checked(value: Decimal, shown: str) -> str:
        if value != value.to_integral_value(context=_EXACT):
            raise SqlError(
                "22003",
                f'value "{shown}" has digits after the point',
                detail=f"A column of type {duck.id} holds whole numbers.",
            )
        number = int(value)
        if bounds is not None and not bounds[0] <= number <= bounds[1]:
            raise SqlError("22003", f'value "{shown}" is out of range for type {duck.id}')
        return format(Decimal(number), "f")

    def from_text(text: str) -> str:
        stripped = text.strip(" \t\n\v\f\r")
        digits = stripped[1:] if stripped[:1] in ("+", "-") else stripped
        if digits.isascii() and digits.isdigit():
            return checked(_EXACT.create_decimal(stripped), text)
        return checked(numbers.numeric_text(text, ""), text)

    def kernel(texts: pa.Array) -> tuple[pa.Array, Unusual]:
        wanted = usual(texts, _PLAIN_WHOLE[duck.id])
        return texts, ~wanted & texts.is_valid().to_numpy(zero_copy_only=False)

    def from_binary(raw: bytes) -> str:
        value = numbers.numeric_binary(raw)
        return checked(value, str(value))

    def binary_kernel(slices: Slices) -> tuple[pa.Array | None, Unusual]:
        texts, unusual = numeric_texts(slices, 0)
        array, odd = kernel(texts)
        return array, unusual | odd if odd is not None else unusual

    return ColumnReader(
        DuckType("VARCHAR"),
        pa.string(),
        from_text,
        from_binary,
        lambda found: pa.array(found, pa.string()),
        kernel,
        binary_kernel,
    )


Build = Callable[[DuckType], ColumnReader]
READERS: dict[str, Build] = {
    **dict.fromkeys(_INTEGERS, integer),
    **dict.fromkeys(_FLOATS, floating),
    **dict.fromkeys(_WHOLE, whole),
    "DECIMAL": exact_decimal,
}
