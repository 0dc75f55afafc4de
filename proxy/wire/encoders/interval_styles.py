"""interval as text in the styles that a session may ask for with IntervalStyle.

Why it exists: Rails sets `iso_8601` on every connection and reads nothing else. What is written is what
Postgres's EncodeInterval writes, for whole columns at once. `postgres` is in `times`, beside the clock
that it shares with the times of day. `sql_standard` is not here: it also changes how texts are read.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.wire.encoders.cells import Cells, Encoder, Piece, choice, concat, null_mask
from proxy.wire.encoders.times import MICROS, interval_parts, interval_text, shown_only


def styled(style: str) -> Encoder:
    """The encoder of a style that `TextStyle` allows."""
    return {"postgres": interval_text, "iso_8601": _iso, "postgres_verbose": _verbose}[style]


def _fields(months: np.ndarray, micros: np.ndarray) -> tuple[np.ndarray, ...]:
    """Years, months, hours, minutes, and microseconds of the minute; each with the sign of its whole."""
    years = _cut(months.astype("i8"), 12)
    hours = _cut(micros, 3600 * MICROS)
    minutes = _cut(micros, 60 * MICROS)
    return years, months - 12 * years, hours, minutes - 60 * hours, micros - 60 * MICROS * minutes


def _cut(number: np.ndarray, by: int) -> np.ndarray:
    """The quotient towards zero."""
    return np.sign(number) * (np.abs(number) // by)


def _digits(number: np.ndarray) -> pa.Array:
    return pa.array(number).cast(pa.string())


def _seconds(micros: np.ndarray) -> list[Piece]:
    """`6.05` of 0 to 60 seconds' microseconds, which are not below zero."""
    whole = micros // MICROS
    rest = micros - whole * MICROS
    fraction = pc.utf8_rtrim(pc.utf8_lpad(_digits(rest), width=6, padding="0"), characters="0")
    return [_digits(whole).view(pa.binary()), choice([b"", b"."], (rest != 0) * 1), fraction.view(pa.binary())]  # fmt: skip


def _iso(array: pa.Array) -> Cells:
    """`P1Y2M-3DT4H5M6.5S`."""
    nulls = null_mask(array)
    months, days, micros = interval_parts(array, nulls)
    years, months, hours, minutes, seconds = _fields(months, micros)
    empty = (years == 0) & (months == 0) & (days == 0) & (micros == 0)
    pieces: list[Piece] = [choice([b"P", b"PT0S"], empty * 1)]

    def field(number: np.ndarray, unit: bytes) -> None:
        shown = number != 0
        if shown.any():
            pieces.extend((shown_only(_digits(number), shown), choice([b"", unit], shown * 1)))

    for number, unit in ((years, b"Y"), (months, b"M"), (days, b"D")):
        field(number, unit)
    pieces.append(choice([b"", b"T"], (micros != 0) * 1))
    for number, unit in ((hours, b"H"), (minutes, b"M")):
        field(number, unit)
    shown = seconds != 0
    if shown.any():
        pieces.append(choice([b"", b"-"], (seconds < 0) * 1))
        pieces += [shown_only(piece, shown) for piece in _seconds(np.abs(seconds))]
        pieces.append(choice([b"", b"S"], shown * 1))
    return Cells(ragged=concat(len(array), pieces), nulls=nulls)


def _verbose(array: pa.Array) -> Cells:
    """`@ 1 year 2 mons -3 days 4 hours 5 mins 6.5 secs ago`: the first field's sign is told by `ago`."""
    nulls = null_mask(array)
    months, days, micros = interval_parts(array, nulls)
    years, months, hours, minutes, seconds = _fields(months, micros)
    n = len(array)
    begun, ago = np.zeros(n, bool), np.zeros(n, bool)
    pieces: list[Piece] = [b"@"]
    units = ((years, "year"), (months, "mon"), (days, "day"), (hours, "hour"), (minutes, "min"))
    for number, unit in (*units, (seconds, "sec")):
        shown = number != 0
        ago = np.where(begun, ago, number < 0)
        number = np.where(ago, -number.astype("i8"), number)
        begun = begun | shown
        if not shown.any():
            continue
        one = MICROS if unit == "sec" else 1
        if unit == "sec":
            signed = choice([b"", b" ", b" -"], shown * (1 + (number < 0)))
            pieces += [signed, *(shown_only(piece, shown) for piece in _seconds(np.abs(number)))]
            plural = np.abs(number) != one
        else:
            pieces += [choice([b"", b" "], shown * 1), shown_only(_digits(number), shown)]
            plural = number != one
        name = f" {unit}".encode()
        pieces.append(choice([b"", name, name + b"s"], shown * (1 + plural)))
    pieces += [choice([b" 0", b""], begun * 1), choice([b"", b" ago"], ago * 1)]
    return Cells(ragged=concat(n, pieces), nulls=nulls)
