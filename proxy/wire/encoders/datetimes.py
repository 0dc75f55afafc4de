"""Encoders of date, timestamp and timestamptz.

Text is DateStyle ISO: `2024-02-29 12:30:00.5+02`, `0044-03-15 BC`, `infinity`. Binary counts from
2000-01-01. Postgres holds microseconds from 4714-11-24 BC on: DuckDB's earlier dates, and
nanoseconds that are not whole microseconds, raise 22008 rather than lose anything.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.wire.encoders.cells import (
    FOUR_DIGITS,
    TWO_DIGITS,
    Cells,
    Encoder,
    Piece,
    binary_of_fixed,
    concat,
    null_mask,
    rows_of,
    shifted,
    side_by_side,
    slot,
    trimmed,
    values,
    zero_nulls,
)
from proxy.wire.encoders.times import DAY, MICROS, clock, offset_suffixes, whole_micros
from proxy.wire.encoders.zones import zone

# 2000-01-01, from which Postgres counts, in days since 1970.
_EPOCH = 10_957
# Days since 1970 of 4714-11-24 BC (Julian day 0), and of the days after Postgres's last date,
# 5874897-12-31, and after its last timestamp, at the end of the year 294276.
_FIRST_DAY = -2_440_588
_DATE_END = 2_147_483_494 - 2_440_588
_TIMESTAMP_END = 109_203_528 - 2_440_588
# 0001-01-01 and 9999-12-31: between them a date is ten characters.
_YEAR_1, _YEAR_9999 = -719_162, 2_932_896

_INFINITE_DATE = 2**31 - 1
_INFINITE_TIMESTAMP = 2**63 - 1

# Arrow's unit -> how many make a second.
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


# --- date ----------------------------------------------------------------------------------------


def date_text(array: pa.Array) -> Cells:
    nulls = null_mask(array)
    days, infinite = _days(array, nulls)
    return _cells(_written(days), infinite, nulls)


def date_binary(array: pa.Array) -> Cells:
    nulls = null_mask(array)
    days, infinite = _days(array, nulls)
    since = (days - np.int32(_EPOCH)).astype(">i4")
    return Cells(fixed=_infinite_ends(since, infinite, "i4"), nulls=nulls)


def _days(array: pa.Array, nulls: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Days since 1970 (int32), 0 where infinite; and -1, 0, 1 for which infinity (or None)."""
    days = zero_nulls(values(array, "i4"), nulls)
    days, infinite, low, high = _finite(days, _INFINITE_DATE)
    if low < _FIRST_DAY or high >= _DATE_END:
        raise SqlError("22008", "date out of range")
    return days, infinite


# --- timestamp and timestamptz -------------------------------------------------------------------


def timestamp_text(unit: str) -> Encoder:
    """unit: of the Arrow type, `s`, `ms`, `us` or `ns`."""

    def encode(array: pa.Array) -> Cells:
        nulls = null_mask(array)
        micros, infinite = _micros(array, nulls, unit)
        days, time, lengths = _day_and_clock(micros)
        return _cells(_written(days, time, lengths), infinite, nulls)

    return encode


@lru_cache(maxsize=64)
def timestamptz_text(time_zone: str) -> Encoder:
    """Instants in the local time of this zone, with the offset that is in force at each of them."""
    place = zone(time_zone)
    texts, sizes = offset_suffixes(place.offsets)

    def encode(array: pa.Array) -> Cells:
        nulls = null_mask(array)
        micros, infinite = _micros(array, nulls, "us")
        span = place.spans(micros)
        days, time, lengths = _day_and_clock(micros + place.offsets[span] * MICROS)
        suffix = _suffix(texts, sizes, span)
        return _cells(_written(days, time, lengths, suffix), infinite, nulls)

    return encode


def _suffix(texts: np.ndarray, sizes: np.ndarray, span: np.ndarray | int) -> Piece:
    if isinstance(span, int):
        return texts[span].tobytes()[: sizes[span]]
    widths = sizes[span]
    width = int(widths[0])
    if (widths == width).all():
        matrix = texts.view("u1").reshape(len(texts), -1)
        return rows_of(np.ascontiguousarray(matrix[:, :width]))[span]
    return trimmed(texts[span], widths)


def timestamp_binary(unit: str) -> Encoder:
    """Microseconds since 2000-01-01; of timestamptz too, which both sides keep in UTC."""

    def encode(array: pa.Array) -> Cells:
        nulls = null_mask(array)
        micros, infinite = _micros(array, nulls, unit)
        since = (micros - _EPOCH * DAY).astype(">i8")
        return Cells(fixed=_infinite_ends(since, infinite, "i8"), nulls=nulls)

    return encode


def _micros(
    array: pa.Array, nulls: np.ndarray | None, unit: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Microseconds since 1970 (int64), 0 where infinite; and -1, 0, 1 for which infinity."""
    ticks = zero_nulls(values(array, "i8"), nulls)
    ticks, infinite, low, high = _finite(ticks, _INFINITE_TIMESTAMP)
    per_day = 86_400 * _PER_SECOND[unit]
    if low < _FIRST_DAY * per_day or high >= _TIMESTAMP_END * per_day:
        raise SqlError("22008", "timestamp out of range")
    if unit == "us":
        return ticks, infinite
    if unit == "ns":
        return whole_micros(ticks, "timestamp"), infinite
    return ticks * (MICROS // _PER_SECOND[unit]), infinite


def _day_and_clock(micros: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    days = micros // DAY
    time, lengths = clock(micros - days * DAY, before=b" ")
    return days.astype("i4"), time, lengths


# --- infinity ------------------------------------------------------------------------------------


def _finite(numbers: np.ndarray, infinity: int) -> tuple[np.ndarray, np.ndarray | None, int, int]:
    """Numbers with 0 where infinite; -1, 0, 1 for which infinity (or None); lowest and highest."""
    if len(numbers) == 0:
        return numbers, None, 0, 0
    low, high = int(numbers.min()), int(numbers.max())
    if low != -infinity and high != infinity:
        return numbers, None, low, high
    infinite = (numbers == infinity).view("i1") - (numbers == -infinity).view("i1")
    numbers = np.where(infinite != 0, numbers.dtype.type(0), numbers)
    return numbers, infinite, int(numbers.min()), int(numbers.max())


def _infinite_ends(since: np.ndarray, infinite: np.ndarray | None, dtype: str) -> np.ndarray:
    """Postgres's own infinities: the ends of the integer's range."""
    if infinite is not None:
        ends = np.iinfo(dtype)
        since[infinite > 0] = ends.max
        since[infinite < 0] = ends.min
    return since


def _cells(
    written: np.ndarray | pa.Array, infinite: np.ndarray | None, nulls: np.ndarray | None
) -> Cells:
    if infinite is not None:
        if not isinstance(written, pa.Array):
            written = binary_of_fixed(written)
        for sign, text in ((1, b"infinity"), (-1, b"-infinity")):
            written = pc.if_else(pa.array(infinite == sign), pa.scalar(text), written)
    if isinstance(written, pa.Array):
        return Cells(ragged=written, nulls=nulls)
    return Cells(fixed=written, nulls=nulls)


# --- calendar ------------------------------------------------------------------------------------


def _written(
    days: np.ndarray,
    time: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
    suffix: Piece = b"",
) -> np.ndarray | pa.Array:
    """Date, time of day, zone and ` BC` side by side.

    days: since 1970, int32 (n,). time: items of one width, cut to `lengths` if given.
    """
    n = len(days)
    low, high = (int(days.min()), int(days.max())) if n else (0, 0)
    if low < _YEAR_1 or high > _YEAR_9999:
        return _any_year(days, time, lengths, suffix)
    if high - low < n:
        date = _ten_characters(*_civil(np.arange(low, high + 1, dtype="i4")))[days - low]
    else:
        date = _ten_characters(*_civil(days))
    if time is None:
        return date
    if lengths is None:
        if isinstance(suffix, pa.Array):
            return concat(n, [date, time, suffix])
        return side_by_side(n, [date, time, suffix])
    items = side_by_side(n, [date, time])
    if isinstance(suffix, pa.Array):
        return concat(n, [trimmed(items, lengths + 10), suffix])
    if isinstance(suffix, bytes):
        suffix = side_by_side(n, [b"", suffix])
    return trimmed(items, lengths + 10, suffix)


def _any_year(
    days: np.ndarray, time: np.ndarray | None, lengths: np.ndarray | None, suffix: Piece
) -> pa.Array:
    n = len(days)
    year, month, day = _civil(days)
    after = np.empty((n, 6), "u1")
    after[:, 0::3] = ord("-")
    slot(after, 1, "u2")[...] = TWO_DIGITS[month]
    slot(after, 4, "u2")[...] = TWO_DIGITS[day]
    christ = side_by_side(n, [b"", b" BC"])
    pieces: list[Piece] = [_year_text(np.where(year > 0, year, 1 - year)), rows_of(after)]
    if time is not None:
        pieces.append(time if lengths is None else trimmed(time, lengths))
    pieces += [suffix, trimmed(christ, np.where(year > 0, 0, 3))]
    return concat(n, pieces)


def _civil(days: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Proleptic Gregorian year (0 is 1 BC), month and day of days since 1970.

    Years begin in March here, so that the leap day is the last one of a year.
    """
    z = days.astype("i8") + 719_468
    era = z // 146_097
    doe = (z - era * 146_097).astype("i4")
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    day = doy - (153 * mp + 2) // 5 + 1
    month = np.where(mp < 10, mp + 3, mp - 9)
    return yoe + era * 400 + (month <= 2), month, day


def _ten_characters(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    out = np.empty((len(year), 10), "u1")
    slot(out, 0, "u4")[...] = FOUR_DIGITS[year]
    slot(out, 4, "u1")[...] = ord("-")
    slot(out, 5, "u2")[...] = TWO_DIGITS[month]
    slot(out, 7, "u1")[...] = ord("-")
    slot(out, 8, "u2")[...] = TWO_DIGITS[day]
    return rows_of(out)


def _year_text(year: np.ndarray) -> pa.Array:
    """At least four digits."""
    out = np.empty((len(year), 8), "u1")
    high = year // 10_000
    slot(out, 0, "u4")[...] = FOUR_DIGITS[high]
    slot(out, 4, "u4")[...] = FOUR_DIGITS[year - high * 10_000]
    width = 4 + (high >= 1).astype("i4") + (high >= 10) + (high >= 100)
    return trimmed(shifted(rows_of(out), 8 - width), width)
