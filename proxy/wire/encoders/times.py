"""Encoders of time, timetz and interval, and the clock that timestamps share with them."""

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
    Piece,
    choice,
    concat,
    null_mask,
    rows_of,
    side_by_side,
    slot,
    storage,
    trimmed,
    values,
    zero_nulls,
)

MICROS = 1_000_000
DAY = 86_400 * MICROS

# The longest offset that DuckDB's TIMETZ holds, seconds.
_MAX_OFFSET = 16 * 3600 - 1

# How many of the three digits of 0 .. 999 remain when zeros on the right are cut off.
_SHOWN = np.array([len(f"{i:03d}".rstrip("0")) for i in range(1000)], "i4")


@lru_cache(maxsize=1)
def _seconds_of_day() -> np.ndarray:
    """`00:00:00` ... `24:00:00`, one item of eight bytes per second of a day."""
    second = np.arange(86_401, dtype="i4")
    out = np.full((len(second), 8), ord(":"), "u1")
    slot(out, 0, "u2")[...] = TWO_DIGITS[second // 3600]
    slot(out, 3, "u2")[...] = TWO_DIGITS[second // 60 % 60]
    slot(out, 6, "u2")[...] = TWO_DIGITS[second % 60]
    return out.view("u8")[:, 0]


def clock(micros: np.ndarray, before: bytes = b"") -> tuple[np.ndarray, np.ndarray | None]:
    """`HH:MM:SS.ffffff` of microseconds since midnight (int64, 0 to 24 h), `before` in front.

    Items of one width, and the lengths to cut them to: zeros at the end of a fraction are not
    written. Lengths are None, and items without a fraction, if there is no fraction anywhere.
    """
    n = len(micros)
    second = micros // MICROS
    fraction = (micros - second * MICROS).astype("i4")
    text = _seconds_of_day()[second]
    if not fraction.any():
        return side_by_side(n, [before, text]), None
    at = len(before)
    out = np.empty((n, at + 15), "u1")
    if at:
        slot(out, 0, f"S{at}")[...] = before
    slot(out, at, "u8")[...] = text
    slot(out, at + 8, "u1")[...] = ord(".")
    hundreds = fraction // 100
    slot(out, at + 9, "u4")[...] = FOUR_DIGITS[hundreds]
    slot(out, at + 13, "u2")[...] = TWO_DIGITS[fraction - hundreds * 100]
    milli = fraction // 1000
    shown = fraction - milli * 1000
    shown = np.where(shown != 0, 12 + _SHOWN[shown], np.where(milli != 0, 9 + _SHOWN[milli], 8))
    return rows_of(out), shown + at


# --- time ----------------------------------------------------------------------------------------


def time_text(array: pa.Array) -> Cells:
    nulls = null_mask(array)
    return _clock_cells(_time(array, nulls), nulls)


def time_binary(array: pa.Array) -> Cells:
    nulls = null_mask(array)
    return Cells(fixed=_time(array, nulls).astype(">i8"), nulls=nulls)


def _time(array: pa.Array, nulls: np.ndarray | None) -> np.ndarray:
    ticks = zero_nulls(values(array, "i8"), nulls)
    return whole_micros(ticks, "time") if array.type.unit == "ns" else ticks


def whole_micros(nanos: np.ndarray, what: str) -> np.ndarray:
    """Nanoseconds as microseconds. Raises 22008 where that would drop digits."""
    micros = nanos // 1000
    if (micros * 1000 != nanos).any():
        raise SqlError(
            "22008",
            f"{what} has nanoseconds, which Postgres's {what} cannot hold",
            hint=f"Cast the value to {what.upper()}, which keeps microseconds.",
        )
    return micros


def _clock_cells(micros: np.ndarray, nulls: np.ndarray | None) -> Cells:
    text, lengths = clock(micros)
    if lengths is None:
        return Cells(fixed=text, nulls=nulls)
    return Cells(ragged=trimmed(text, lengths), nulls=nulls)


# --- timetz --------------------------------------------------------------------------------------


def timetz_text(array: pa.Array) -> Cells:
    nulls = null_mask(array)
    micros, east = _timetz(array, nulls)
    text, lengths = clock(micros)
    zones, inverse = np.unique(east, return_inverse=True)
    suffixes, sizes = offset_suffixes(zones)
    suffix = trimmed(suffixes[inverse], sizes[inverse])
    time = text if lengths is None else trimmed(text, lengths)
    return Cells(ragged=concat(len(array), [time, suffix]), nulls=nulls)


def timetz_binary(array: pa.Array) -> Cells:
    """int64 microseconds since midnight, int32 seconds west of Greenwich."""
    nulls = null_mask(array)
    micros, east = _timetz(array, nulls)
    fixed = side_by_side(len(array), [micros.astype(">i8"), (-east).astype(">i4")])
    return Cells(fixed=fixed, nulls=nulls)


def _timetz(array: pa.Array, nulls: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds since midnight, seconds east. DuckDB: 40 bits of micros, then 24 of offset,
    which counts down from the longest one so that its values sort."""
    bits = zero_nulls(values(storage(array), "u8"), nulls)
    east = _MAX_OFFSET - (bits & np.uint64(0xFFFFFF)).astype("i8")
    return (bits >> np.uint64(24)).astype("i8"), east


def offset_suffixes(east: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`+02`, `+05:30`, `-00:19:32` for seconds east of Greenwich: items of nine bytes, lengths."""
    size = np.abs(east)
    out = np.full((len(east), 9), ord(":"), "u1")
    out[:, 0] = np.where(east < 0, ord("-"), ord("+"))
    minutes, seconds = size // 60 % 60, size % 60
    for at, part in ((1, size // 3600), (4, minutes), (7, seconds)):
        slot(out, at, "u2")[...] = TWO_DIGITS[part]
    return rows_of(out), np.where(seconds != 0, 9, np.where(minutes != 0, 6, 3))


# --- interval ------------------------------------------------------------------------------------

_INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")])


def interval_binary(array: pa.Array) -> Cells:
    """int64 microseconds, int32 days, int32 months."""
    nulls = null_mask(array)
    months, days, micros = interval_parts(array, nulls)
    pieces = [micros.astype(">i8"), days.astype(">i4"), months.astype(">i4")]
    return Cells(fixed=side_by_side(len(array), pieces), nulls=nulls)


def interval_text(array: pa.Array) -> Cells:
    """IntervalStyle postgres: `1 year 2 mons -3 days +04:05:06.5`."""
    nulls = null_mask(array)
    months, days, micros = interval_parts(array, nulls)
    n = len(array)
    years = np.sign(months) * (np.abs(months) // 12)
    pieces: list[Piece] = []
    # Whether anything is written yet, and whether the last number written was below zero.
    begun, negative = np.zeros(n, bool), np.zeros(n, bool)
    for number, unit in ((years, "year"), (months - 12 * years, "mon"), (days, "day")):
        shown = number != 0
        if not shown.any():
            continue
        pieces += [
            choice([b"", b" ", b"+", b" +"], shown * (begun + 2 * (negative & (number > 0)))),
            shown_only(pa.array(number).cast(pa.string()), shown),
            choice([b"", f" {unit}".encode(), f" {unit}s".encode()], shown * (1 + (number != 1))),
        ]
        begun, negative = begun | shown, np.where(shown, number < 0, negative)
    shown = ~begun | (micros != 0)
    if shown.any():
        sign = np.where(micros < 0, 2, np.where(negative, 1, 0))
        pieces.append(
            choice([b"", b"+", b"-", b" ", b" +", b" -"], shown * (sign + 3 * begun)),
        )
        pieces += [shown_only(part, shown) for part in _hours(np.abs(micros))]
    return Cells(ragged=concat(n, pieces), nulls=nulls)


def interval_parts(
    array: pa.Array, nulls: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Months (int32), days (int32), microseconds (int64).

    DuckDB's export multiplies microseconds by 1000 without looking at the overflow. What it wraps
    to is (but for times beyond 73,000 years) no multiple of 1000 any more, and is refused.
    """
    parts = values(array, _INTERVAL)
    nanos = zero_nulls(np.ascontiguousarray(parts["nanos"]), nulls)
    micros = nanos // 1000
    if (micros * 1000 != nanos).any():
        raise SqlError("22008", "interval out of range")
    months, days = (np.ascontiguousarray(parts[name]) for name in ("months", "days"))
    return zero_nulls(months, nulls), zero_nulls(days, nulls), micros


def shown_only(text: pa.Array, shown: np.ndarray) -> pa.Array:
    text = text.view(pa.binary())
    return text if shown.all() else pc.if_else(pa.array(shown), text, pa.scalar(b""))


def _hours(micros: np.ndarray) -> list[pa.Array]:
    """Hours (two digits or more), and minutes to microseconds, as two binary arrays."""
    hour = micros // (3600 * MICROS)
    text, lengths = clock(micros - hour * (3600 * MICROS))
    n, width = len(micros), text.dtype.itemsize
    # The clock says 00 where the hours belong.
    rest = np.ascontiguousarray(text.view("u1").reshape(n, width)[:, 2:])
    if lengths is None:
        lengths = np.full(n, 8, "i4")
    return [
        pc.utf8_lpad(pa.array(hour).cast(pa.string()), width=2, padding="0"),
        trimmed(rows_of(rest), lengths - 2),
    ]
