"""Readers of date, time, timetz, timestamp, timestamptz and interval.

The kernels know ISO 8601 as Postgres writes it, between the years 1 and 9999; every other spelling,
and the infinities, are the exact decoders'. A timestamptz without a zone is local time of the
session's zone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from proxy.errors import SqlError
from proxy.wire.copying.columns import (
    ColumnReader,
    Slices,
    Unusual,
    cast_usual,
    fixed,
    only,
    strings,
)
from proxy.wire.decoders import datetimes, intervals
from proxy.wire.decoders.values import (
    DATE_INFINITY,
    TIMESTAMP_INFINITY,
    Date,
    Interval,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
)
from proxy.wire.encoders.cells import binary_from, binary_parts, concat, null_mask, values
from proxy.wire.encoders.zones import zone
from proxy.wire.types import DuckType

_DAY = 86_400_000_000
_EPOCH_DAYS = 10_957  # 2000-01-01, from which Postgres counts
_EPOCH = _EPOCH_DAYS * _DAY
_YEAR_1 = -719_162  # 0001-01-01 in days since 1970
_FIRST_DAY = -2_440_588  # day 0 of the Julian calendar

_MICROS = pa.timestamp("us")
_UTC = pa.timestamp("us", "UTC")


def _characters(texts: pa.Array, *at: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The lengths of the texts, and their bytes at these places (from the end where negative).

    Beyond a text's ends it is any byte.
    """
    offsets, data = binary_parts(texts)
    lengths = np.diff(offsets)
    last = max(len(data) - 1, 0)
    if not len(data):
        return lengths, [np.zeros(len(lengths), "u1") for _ in at]
    from_here = [offsets[:-1] + k if k >= 0 else offsets[1:] + k for k in at]
    return lengths, [data[np.clip(where, 0, last)] for where in from_here]


def _valid(texts: pa.Array) -> np.ndarray:
    return texts.is_valid().to_numpy(zero_copy_only=False)


def _raw(texts: pa.Array) -> pa.Array:
    """The same bytes without validity, as the joining of columns needs them."""
    return binary_from(*binary_parts(texts))


# --- date -----------------------------------------------------------------------------------------

_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


def date(duck: DuckType, time_zone: str) -> ColumnReader:
    def kernel(texts: pa.Array) -> tuple[pa.Array | None, Unusual]:
        array, unusual = cast_usual(texts, pa.date32(), f"^{_DATE}$")
        if array is None:
            return None, unusual
        nulls = null_mask(array)
        early = values(array, "i4") < _YEAR_1
        if nulls is not None:
            early &= ~nulls
        if early.any():
            unusual = early if unusual is None else unusual | early
        return array, unusual

    def binary_kernel(slices: Slices) -> tuple[pa.Array, Unusual]:
        days = slices.at(0, ">i4").astype("i8") + _EPOCH_DAYS
        unusual = slices.sized(4)
        unusual |= ~slices.nulls & ((days < _FIRST_DAY) | (days >= DATE_INFINITY))
        return fixed(pa.date32(), days.astype("i4"), slices.nulls), unusual

    def pack(found: Sequence[Date | None]) -> pa.Array:
        days = pa.array([None if value is None else value.days for value in found], pa.int32())
        return days.view(pa.date32())

    return ColumnReader(
        duck,
        pa.date32(),
        lambda text: datetimes.date_text(text, ""),
        datetimes.date_binary,
        pack,
        kernel,
        binary_kernel,
    )


# --- timestamp ------------------------------------------------------------------------------------

_STAMP = rf"{_DATE}[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?"
_OFFSET = r"([+-](0[0-9]|1[0-5])(:[0-5][0-9])?|Z)"

# DuckDB type -> Arrow unit, ticks a second.
_UNITS: dict[str, tuple[str, int]] = {
    "TIMESTAMP": ("us", 1_000_000),
    "TIMESTAMP_S": ("s", 1),
    "TIMESTAMP_MS": ("ms", 1_000),
    "TIMESTAMP_NS": ("ns", 1_000_000_000),
    "TIMESTAMP_TZ": ("us", 1_000_000),
}


def _ticks(duck: DuckType, micros: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Micros since 1970 in the column's unit, rounded as timestamp(p) is; and which do not fit."""
    per_second = _UNITS[duck.id][1]
    if per_second == 1_000_000:
        return micros, None
    if per_second > 1_000_000:
        most = TIMESTAMP_INFINITY // 1000
        return np.where(np.abs(micros) < most, micros * 1000, 0), np.abs(micros) >= most
    # Halves go away from 2000-01-01, from which Postgres counts.
    by = 1_000_000 // per_second
    since = micros - _EPOCH
    rounded = np.sign(since) * ((np.abs(since) + by // 2) // by)
    return rounded + _EPOCH // by, None


def timestamp(duck: DuckType, time_zone: str) -> ColumnReader:
    zoned = duck.id == "TIMESTAMP_TZ"
    arrow = pa.timestamp(_UNITS[duck.id][0], "UTC" if zoned else None)
    from_text = datetimes.timestamptz_text if zoned else datetimes.timestamp_text
    from_binary = datetimes.timestamptz_binary if zoned else datetimes.timestamp_binary
    read = _zoned(time_zone) if zoned else _unzoned

    def kernel(texts: pa.Array) -> tuple[pa.Array | None, Unusual]:
        micros, unusual = read(texts)
        if micros is None:
            return None, unusual
        nulls = ~_valid(texts)
        early = ~nulls & (micros < (_YEAR_1 + 1) * _DAY)
        if early.any():
            unusual = early if unusual is None else unusual | early
        return finished(micros, nulls, unusual)

    def finished(
        micros: np.ndarray, nulls: np.ndarray, unusual: Unusual
    ) -> tuple[pa.Array, Unusual]:
        found, beyond = _ticks(duck, micros)
        if beyond is not None:
            beyond = beyond & ~nulls
            unusual = beyond if unusual is None else unusual | beyond
        return fixed(arrow, found, nulls), unusual

    def binary_kernel(slices: Slices) -> tuple[pa.Array, Unusual]:
        since = slices.at(0, ">i8").astype("i8")
        inside = (since >= _FIRST_DAY * _DAY - _EPOCH) & (since < TIMESTAMP_INFINITY - _EPOCH)
        unusual = slices.sized(8) | (~slices.nulls & ~inside)
        return finished(np.where(inside, since, 0) + _EPOCH, slices.nulls, unusual)

    def fitted(value: Timestamp | TimestampTz) -> int:
        if abs(value.micros) == TIMESTAMP_INFINITY:
            return value.micros
        found, beyond = _ticks(duck, np.array([value.micros]))
        if beyond is not None and beyond[0]:
            raise SqlError("22008", f"timestamp out of range for type {duck.id}")
        return int(found[0])

    return ColumnReader(
        duck,
        arrow,
        lambda text: fitted(from_text(text, time_zone)),
        lambda raw: fitted(from_binary(raw)),
        lambda found: pa.array(found, pa.int64()).view(arrow),
        kernel,
        binary_kernel,
    )


def _unzoned(texts: pa.Array) -> tuple[np.ndarray | None, Unusual]:
    """Micros of `2024-02-29` and `2024-02-29 12:30:15.5`."""
    lengths, (between, first, second) = _characters(texts, 10, 13, 16)
    # Arrow reads shorter times than Postgres does.
    colon = ord(":")
    whole = (lengths >= 19) & (first == colon) & (second == colon)
    whole &= (between == ord(" ")) | (between == ord("T"))
    unusual = _valid(texts) & ~(whole | (lengths == 10))
    some = bool(unusual.any())
    array, more = cast_usual(only(texts, ~unusual) if some else texts, _MICROS, f"^{_STAMP}$")
    if array is None:
        return None, _valid(texts)
    if more is not None:
        unusual |= more
        some = True
    return values(array, "i8"), unusual if some else None


def _zoned(time_zone: str) -> Callable[[pa.Array], tuple[np.ndarray | None, Unusual]]:
    """Micros of the same with `+02`, `+05:30` or `Z` behind them, or local time of the zone."""

    def read(texts: pa.Array) -> tuple[np.ndarray | None, Unusual]:
        zoned = _with_zone(texts)
        valid = _valid(texts)
        if bool((zoned | ~valid).all()):
            array, unusual = cast_usual(texts, _UTC, f"^{_STAMP}{_OFFSET}$")
            return (None, valid) if array is None else (values(array, "i8"), unusual)
        local, unusual = _unzoned(only(texts, ~zoned))
        if local is None:
            return None, valid
        instants, unsure = _to_utc(local, time_zone)
        unusual = (
            unsure & valid & ~zoned if unusual is None else unusual | (unsure & valid & ~zoned)
        )
        if zoned.any():
            array, more = cast_usual(only(texts, zoned), _UTC, f"^{_STAMP}{_OFFSET}$")
            if array is None:
                return None, valid
            instants = np.where(zoned, values(array, "i8"), instants)
            unusual = unusual if more is None else unusual | more
        return instants, unusual

    return read


def _with_zone(texts: pa.Array) -> np.ndarray:
    """Which texts are a date, a time and an offset below 16 hours."""
    lengths, found = _characters(texts, 10, 13, 16, -6, -5, -4, -3, -2, -1)
    between, first, second, *end = found
    colon = ord(":")
    whole = (lengths >= 20) & (first == colon) & (second == colon)
    whole &= (between == ord(" ")) | (between == ord("T"))
    hours = (lengths >= 22) & _is_offset(*end[3:])
    minutes = (lengths >= 25) & _is_offset(*end[:3]) & (end[3] == colon)
    return whole & ((end[5] == ord("Z")) | hours | minutes)


def _is_offset(sign: np.ndarray, tens: np.ndarray, ones: np.ndarray) -> np.ndarray:
    """Whether these characters are `+00` to `+15` or the same with a minus."""
    below_ten = (tens == ord("0")) & (ones <= ord("9"))
    above = (tens == ord("1")) & (ones <= ord("5"))
    return ((sign == ord("+")) | (sign == ord("-"))) & (ones >= ord("0")) & (below_ten | above)


def _to_utc(local: np.ndarray, time_zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Instants of local times, and which are so near a change of the clocks that it is unsure."""
    try:
        place = zone(time_zone)
    except SqlError:
        return local, np.ones(len(local), bool)
    before, after = place.spans(local - 2 * _DAY), place.spans(local + 2 * _DAY)
    offsets = place.offsets[np.asarray(before)] * 1_000_000
    unsure = np.broadcast_to(np.asarray(before) != np.asarray(after), local.shape)
    return local - offsets, unsure


# --- time -----------------------------------------------------------------------------------------


def time(duck: DuckType, time_zone: str) -> ColumnReader:
    nanos = duck.id == "TIME_NS"
    arrow = pa.time64("ns" if nanos else "us")
    factor = 1000 if nanos else 1

    def kernel(texts: pa.Array) -> tuple[pa.Array | None, Unusual]:
        # Arrow reads a time only behind a date.
        dated = strings(concat(len(texts), [b"1970-01-01 ", _raw(texts)]), ~_valid(texts))
        micros, unusual = _unzoned(dated)
        if micros is None:
            return None, unusual
        return fixed(arrow, micros * factor, ~_valid(texts)), unusual

    def binary_kernel(slices: Slices) -> tuple[pa.Array, Unusual]:
        micros = slices.at(0, ">i8").astype("i8")
        inside = (micros >= 0) & (micros <= _DAY)
        unusual = slices.sized(8) | (~slices.nulls & ~inside)
        return fixed(arrow, np.where(inside, micros, 0) * factor, slices.nulls), unusual

    def pack(found: Sequence[Time | None]) -> pa.Array:
        micros = [None if value is None else value.micros * factor for value in found]
        return pa.array(micros, pa.int64()).view(arrow)

    return ColumnReader(
        duck,
        arrow,
        lambda text: datetimes.time_text(text, time_zone),
        datetimes.time_binary,
        pack,
        kernel,
        binary_kernel,
    )


# DuckDB keeps the offset beside the time as what is left to 15:59:59, so that bits sort.
_MOST_EAST = 16 * 3600 - 1


def time_tz(duck: DuckType, time_zone: str) -> ColumnReader:
    storage = pa.binary(8)

    def binary_kernel(slices: Slices) -> tuple[pa.Array, Unusual]:
        micros, west = slices.at(0, ">i8").astype("i8"), slices.at(8, ">i4").astype("i8")
        inside = (micros >= 0) & (micros <= _DAY) & (np.abs(west) <= _MOST_EAST)
        bits = np.where(inside, micros << 24 | (_MOST_EAST + west), 0).astype("<u8")
        unusual = slices.sized(12) | (~slices.nulls & ~inside)
        return fixed(storage, bits, slices.nulls), unusual

    def pack(found: Sequence[TimeTz | None]) -> pa.Array:
        raw = [
            None
            if value is None
            else (value.micros << 24 | _MOST_EAST - value.offset).to_bytes(8, "little")
            for value in found
        ]
        return pa.array(raw, storage)

    return ColumnReader(
        duck,
        storage,
        lambda text: datetimes.timetz_text(text, time_zone),
        datetimes.timetz_binary,
        pack,
        binary_kernel=binary_kernel,
        extension=pa.opaque(storage, "time_tz", "DuckDB"),
    )


# --- interval -------------------------------------------------------------------------------------


def interval(duck: DuckType, time_zone: str) -> ColumnReader:
    """The engine is given a text: Arrow's interval counts nanoseconds, too few for Postgres's."""

    def binary_kernel(slices: Slices) -> tuple[pa.Array, Unusual]:
        micros, days, months = slices.at(0, ">i8"), slices.at(8, ">i4"), slices.at(12, ">i4")
        unusual = slices.sized(16)
        return _interval_texts(months, days, micros, slices.nulls), unusual

    def pack(found: Sequence[Interval | None]) -> pa.Array:
        nulls = np.array([value is None for value in found], bool)
        parts = np.array([value or (0, 0, 0) for value in found], "i8").reshape(-1, 3)
        return _interval_texts(parts[:, 0], parts[:, 1], parts[:, 2], nulls)

    return ColumnReader(
        DuckType("VARCHAR"),
        pa.string(),
        lambda text: intervals.interval_text(text, ""),
        intervals.interval_binary,
        pack,
        binary_kernel=binary_kernel,
    )


def _interval_texts(
    months: np.ndarray, days: np.ndarray, micros: np.ndarray, nulls: np.ndarray
) -> pa.Array:
    """`3 months -2 days 1 seconds 500000 microseconds`, which DuckDB reads exactly."""
    micros = micros.astype("i8")
    # Towards zero, so that neither part goes beyond what both have together.
    seconds = np.where(micros < 0, -(-(micros + 1) // 1_000_000), micros // 1_000_000)
    rest = micros - seconds * 1_000_000
    parts = (months, days, seconds, rest)
    written = [_raw(pa.array(part.astype("i8")).cast(pa.string())) for part in parts]
    pieces = [written[0], b" months ", written[1], b" days ", written[2], b" seconds "]
    return strings(concat(len(months), [*pieces, written[3], b" microseconds"]), nulls)


READERS: dict[str, Callable[[DuckType, str], ColumnReader]] = {
    "DATE": date,
    **dict.fromkeys(_UNITS, timestamp),
    "TIME": time,
    "TIME_NS": time,
    "TIME_TZ": time_tz,
    "INTERVAL": interval,
}
