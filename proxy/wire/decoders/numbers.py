"""Numbers: integers of every width, oid, floats, numeric."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal

from proxy.errors import SqlError
from proxy.wire.decoders.values import (
    SPACES,
    LeftOver,
    bad_syntax,
    insufficient,
    sized,
)

MAX_NUMERIC_DIGITS = 38
"""Digits of DuckDB's widest DECIMAL."""

# --- integers ------------------------------------------------------------------------------------

_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)([ \t\n\v\f\r]*)", re.ASCII)


def integer_text(kind: str, bits: int) -> Callable[[str, str], int]:
    """Decoder of a signed integer type; `kind` is its long name."""
    least, most = -(1 << bits - 1), (1 << bits - 1) - 1

    def decode(text: str, _: str) -> int:
        return _integer(kind, text, least, most)

    return decode


def _integer(kind: str, text: str, least: int, most: int) -> int:
    found = _INTEGER.match(text)
    if found is None:
        raise bad_syntax(kind, text)
    # Digits are counted before they are read: Python refuses to read thousands of them. Like
    # Postgres, a number that has grown too large is too large whatever follows it.
    digits = found[1].lstrip("+-").lstrip("0")
    if len(digits) > 19 or not least <= (value := int(found[1])) <= most:
        raise SqlError("22003", f'value "{text}" is out of range for type {kind}')
    if found.end() != len(text):
        raise bad_syntax(kind, text)
    return value


def integer_binary(code: str) -> Callable[[bytes], int]:
    """Decoder of a big-endian integer, by its `struct` code."""
    layout = struct.Struct(">" + code)

    def decode(raw: bytes) -> int:
        return layout.unpack(sized(raw, layout.size))[0]

    return decode


def oid_text(text: str, _: str) -> int:
    """oid reads like C's strtoul: -1 is 4294967295."""
    return _integer("oid", text, -(2**31), 2**32 - 1) % 2**32


# --- floats --------------------------------------------------------------------------------------

_FLOAT = re.compile(
    r"""[ \t\n\v\f\r]*
    (?P<number>(?P<sign>[+-]?)(?:
        (?P<hex>0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?)
      | (?P<decimal>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)
      | (?P<nan>nan(?:\([0-9a-z_]*\))?)
      | (?P<inf>inf(?:inity)?)))
    (?P<rest>.*)""",
    re.ASCII | re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def float8_text(text: str, _: str) -> float:
    """As C's strtod; neither an overflow nor an underflow to zero is a value."""
    return _float("double precision", text, lambda number: number)


def float4_text(text: str, _: str) -> float:
    """The nearest float of 32 bits, held in a double."""
    return _float("real", text, _to_real)


def _float(kind: str, text: str, narrow: Callable[[float], float]) -> float:
    found = _FLOAT.match(text)
    if found is None:
        raise bad_syntax(kind, text)
    negative = found["sign"] == "-"
    if found["nan"]:
        value = math.nan
    elif found["inf"]:
        value = -math.inf if negative else math.inf
    else:
        value = narrow(_double(found, exact=narrow is not _to_real))
        if math.isinf(value) or (value == 0 and _is_not_zero(found)):
            shown = found["number"] if narrow is not _to_real else text
            raise SqlError("22003", f'"{shown}" is out of range for type {kind}')
    if found["rest"].strip(SPACES):
        raise bad_syntax(kind, text)
    return value


def _double(found: re.Match[str], *, exact: bool) -> float:
    """The number as a double: the nearest one if `exact`, else one that rounds on correctly.

    Rounding a decimal to 53 bits and then to 24 can go wrong at halves. Rounding it *to odd*
    first cannot: if it lies between two doubles, the one whose last bit is 1 is taken.
    """
    number = found["number"]
    try:
        value = float.fromhex(number) if found["hex"] else float(number)
    except OverflowError:
        return math.inf
    if exact or math.isinf(value) or found["hex"]:
        return value
    true = Decimal(number)
    if true != value:
        if abs(Decimal(value)) > abs(true):
            value = math.nextafter(value, 0.0)
        (bits,) = struct.unpack("<q", struct.pack("<d", value))
        (value,) = struct.unpack("<d", struct.pack("<q", bits | 1))
    return value


def _is_not_zero(found: re.Match[str]) -> bool:
    mantissa = re.split("[ep]" if found["decimal"] else "p", found["number"].lower())[0]
    return any(digit not in "+-0.x" for digit in mantissa)


def _to_real(number: float) -> float:
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.inf


_FLOAT4, _FLOAT8 = struct.Struct(">f"), struct.Struct(">d")


def float4_binary(raw: bytes) -> float:
    return _FLOAT4.unpack(sized(raw, 4))[0]


def float8_binary(raw: bytes) -> float:
    return _FLOAT8.unpack(sized(raw, 8))[0]


# --- numeric -------------------------------------------------------------------------------------

_NUMERIC = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE
)
_NOT_NUMBERS = re.compile(r"nan|[+-]?inf(?:inity)?", re.IGNORECASE)


def numeric_text(text: str, _: str) -> Decimal:
    """A number with its digits after the point as written: `1.50` has two.

    Raises 22003 for NaN, the infinities and numbers of more than 38 digits.
    """
    number = text.strip(SPACES)
    if _NUMERIC.fullmatch(number) is None:
        if _NOT_NUMBERS.fullmatch(number):
            raise _not_a_decimal(number)
        raise bad_syntax("numeric", text)
    mantissa, _, exponent = number.lower().partition("e")
    # Thousands of zeros are not worth making only to be refused.
    if len(exponent.lstrip("+-0")) > 6:
        if mantissa.strip("+-0.") or len(exponent.lstrip("+-0")) > 9:
            raise SqlError("22003", "value overflows numeric format")
        exponent = "0"
    return _decimal(Decimal(f"{mantissa}e{exponent or 0}"))


def _decimal(value: Decimal) -> Decimal:
    """`value` without an exponent that counts zeros before the point. Raises 22003."""
    sign, digits, exponent = value.as_tuple()
    if not value:
        sign, digits, exponent = 0, (0,), min(exponent, 0)
    size = max(len(digits) + max(exponent, 0) if value else 1, -exponent)
    if size > MAX_NUMERIC_DIGITS:
        raise _too_wide(size)
    if exponent > 0:
        digits, exponent = digits + (0,) * exponent, 0
    return Decimal((sign, digits, exponent))


def _too_wide(digits: int) -> SqlError:
    return SqlError(
        "22003",
        "numeric field overflow",
        detail=f"The number has {digits} digits; a DECIMAL holds {MAX_NUMERIC_DIGITS}.",
        hint="Round the number, or pass it as double precision.",
    )


def _not_a_decimal(name: str) -> SqlError:
    return SqlError(
        "22003",
        f'numeric value "{name}" is out of range',
        detail="DuckDB's DECIMAL has neither NaN nor infinity.",
        hint="Pass it as double precision.",
    )


_HEADER = struct.Struct(">HhHH")
_POSITIVE, _NEGATIVE = 0x0000, 0x4000
_SPECIAL = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}
_SCALE_MASK = 0x3FFF


def numeric_binary(raw: bytes) -> Decimal:
    """Digits of base 10,000 with a weight, as Postgres's numeric_recv. Errors as `numeric_text`."""
    if len(raw) < 8:
        raise insufficient()
    count, weight, sign, scale = _HEADER.unpack_from(raw)
    if sign not in _SPECIAL and sign not in (_POSITIVE, _NEGATIVE):
        raise SqlError("22P03", 'invalid sign in external "numeric" value')
    if scale & _SCALE_MASK != scale:
        raise SqlError("22P03", 'invalid scale in external "numeric" value')
    if len(raw) < 8 + 2 * count:
        raise insufficient()
    groups = struct.unpack_from(f">{count}h", raw, 8)
    if any(not 0 <= group < 10000 for group in groups):
        raise SqlError("22P03", 'invalid digit in external "numeric" value')
    if len(raw) > 8 + 2 * count:
        raise LeftOver
    if sign in _SPECIAL:
        raise _not_a_decimal(_SPECIAL[sign])
    # Everything that is left out here is too large for a DECIMAL, or is cut off anyway: digits
    # behind the scale are dropped, as numeric_recv does.
    zeros = next((i for i, group in enumerate(groups) if group), count)
    weight, groups = weight - zeros, groups[zeros:]
    if groups and weight >= MAX_NUMERIC_DIGITS // 4 + 1:
        raise _too_wide(4 * weight + len(str(groups[0])))
    groups = groups[: max(0, weight + 1 + (scale + 3) // 4)]
    whole = int("".join(f"{group:04d}" for group in groups) or "0")
    shift = 4 * (weight + 1 - len(groups)) + scale
    whole = whole * 10**shift if shift >= 0 and groups else whole // 10 ** max(-shift, 0)
    return _decimal(Decimal((int(sign == _NEGATIVE), tuple(map(int, str(whole))), -scale)))
