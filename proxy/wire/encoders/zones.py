"""Time zones for whole columns: from UTC instants to offsets, as Postgres's own `localtime` does it.

Why it exists: `zoneinfo` answers for one datetime at a time, and Arrow's kernel knows neither the
rules after the last transition that a file lists nor years beyond its range. So the file itself is
read once per zone (TZif, RFC 9636), its rule for the future is spelled out for 400 years, after
which the Gregorian calendar repeats, and a column becomes one `searchsorted`.
"""

from __future__ import annotations

import calendar
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from zoneinfo import TZPATH, available_timezones

import numpy as np

from proxy.errors import SqlError

_MICROS = 1_000_000
_DAY = 86_400
# The Gregorian calendar repeats after 400 years.
_CYCLE = 146_097 * _DAY


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone's history, cut into spans: from second `starts[i]` (UTC, since 1970) to the next one
    its clocks are `offsets[i]` seconds east of UTC. `starts[0]` is the beginning of time.

    repeats: after the last start the 400 years before it come again and again.
    """

    starts: np.ndarray
    offsets: np.ndarray
    repeats: bool

    def spans(self, micros: np.ndarray) -> np.ndarray | int:
        """The span of each of these instants (microseconds since 1970, UTC; shape (n,)).

        One int if it is the same for all.
        """
        if len(self.offsets) == 1 or len(micros) == 0:
            return 0
        low, high = int(micros.min()) // _MICROS, int(micros.max()) // _MICROS
        first, last = np.searchsorted(self.starts, [low, high], side="right") - 1
        end = int(self.starts[-1])
        if first == last and (high < end or not self.repeats):
            return int(first)
        seconds = micros // _MICROS
        if self.repeats and high >= end:
            seconds = np.where(seconds >= end, end - _CYCLE + (seconds - end) % _CYCLE, seconds)
        return np.searchsorted(self.starts, seconds, side="right") - 1


_UTC = Zone(np.array([np.iinfo("i8").min]), np.zeros(1, "i8"), False)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


@lru_cache(maxsize=256)
def zone(name: str) -> Zone:
    """The zone of this IANA name, in any case. Raises SqlError 22023 if there is none."""
    data = _read(name)
    if data is None:
        # Listing all zones takes milliseconds, so it waits until a name is not found as it is.
        known = zone_name(name)
        data = _read(known) if known else None
    if data is not None:
        return _parse(data)
    if name.casefold() == "utc":
        return _UTC
    raise SqlError("22023", f'invalid value for parameter "TimeZone": "{name}"')


def zone_name(name: str) -> str | None:
    """The zone's name as the database spells it, or None: `europe/berlin` -> `Europe/Berlin`."""
    return _names().get(name.casefold())


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones() | {"UTC"}}


def _read(name: str) -> bytes | None:
    """The TZif file of exactly this name, from the system or else from the package `tzdata`."""
    if not _PLAIN_NAME.fullmatch(name):
        return None
    for folder in TZPATH:
        path = Path(folder, name)
        if path.is_file():
            data = path.read_bytes()
            return data if data.startswith(b"TZif") else None
    folder, _, file = name.rpartition("/")
    package = ".".join(["tzdata", "zoneinfo", *filter(None, folder.split("/"))])
    try:
        return resources.files(package).joinpath(file).read_bytes()
    except (ImportError, OSError):
        return None


_HEADER = struct.Struct(">4sc15x6I")


def _parse(data: bytes) -> Zone:
    """The 64-bit part of a TZif file (the 32-bit part if it is an old one)."""
    at, size = 0, 4
    _, version, *counts = _HEADER.unpack_from(data)
    if version != b"\0":
        isutc, isstd, leap, times, types, chars = counts
        at = _HEADER.size + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
        size = 8
        _, _, *counts = _HEADER.unpack_from(data, at)
    isutc, isstd, leap, times, types, chars = counts
    at += _HEADER.size
    starts = np.frombuffer(data, f">i{size}", times, at).astype("i8")
    at += times * size
    kinds = np.frombuffer(data, "u1", times, at)
    at += times
    by_kind = np.array([struct.unpack_from(">i", data, at + 6 * i)[0] for i in range(types)], "i8")
    at += types * 6 + chars + leap * (size + 4) + isstd + isutc
    footer = data[at:].strip(b"\n").decode("ascii") if version != b"\0" else ""
    starts = np.concatenate([[np.iinfo("i8").min], starts])
    offsets = np.concatenate([by_kind[:1], by_kind[kinds]])
    rule = _rule(footer)
    if rule is None:
        return Zone(starts, offsets, False)
    last = int(starts[-1]) if times else 0
    first_year = 1970 + last // (366 * _DAY)
    later = [
        (second, offset)
        for year in range(first_year, first_year + 402)
        for second, offset in rule.transitions(year)
        if second > last
    ]
    return Zone(
        np.concatenate([starts, [s for s, _ in later]]),
        np.concatenate([offsets, [o for _, o in later]]),
        True,
    )


# --- the rule at the end of the file -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """When daylight saving begins or ends: month, week (5 is the last), weekday (0 is Sunday), or
    a day of the year; and the second of that day, in the local time before the change."""

    kind: str  # 'M' month.week.day, 'J' day 1..365 without leap days, 'D' day 0..365
    numbers: tuple[int, ...]
    second: int

    def second_of_year(self, year: int) -> int:
        if self.kind == "M":
            month, week, weekday = self.numbers
            first = (calendar.weekday(year, month, 1) + 1) % 7
            day = (weekday - first) % 7 + 7 * (week - 1)
            while day >= calendar.monthrange(year, month)[1]:
                day -= 7
            days = sum(calendar.monthrange(year, m)[1] for m in range(1, month)) + day
        else:
            (days,) = self.numbers
            if self.kind == "J":
                days = days - 1 + (calendar.isleap(year) and days >= 60)
        return days * _DAY + self.second


@dataclass(frozen=True, slots=True)
class _Rule:
    """Two changes every year. Offsets are seconds east of UTC."""

    standard: int
    daylight: int
    begins: _Change
    ends: _Change

    def transitions(self, year: int) -> list[tuple[int, int]]:
        january = (calendar.timegm((year, 1, 1, 0, 0, 0)) // _DAY) * _DAY
        return sorted(
            [
                (january + self.begins.second_of_year(year) - self.standard, self.daylight),
                (january + self.ends.second_of_year(year) - self.daylight, self.standard),
            ]
        )


_NAME = r"(?:<[^>]+>|[A-Za-z]{3,})"
_TIME = r"[+-]?\d{1,3}(?::\d{2}){0,2}"
_CHANGE = rf"(?:M\d+\.\d+\.\d+|J?\d+)(?:/{_TIME})?"
_FOOTER = re.compile(
    rf"{_NAME}(?P<std>{_TIME})(?:{_NAME}(?P<dst>{_TIME})?,(?P<begin>{_CHANGE}),(?P<end>{_CHANGE}))?"
)


def _rule(footer: str) -> _Rule | None:
    """A POSIX TZ string such as `CET-1CEST,M3.5.0,M10.5.0/3`; None if nothing changes."""
    found = _FOOTER.fullmatch(footer)
    if found is None or found["begin"] is None:
        return None
    # POSIX counts west of Greenwich.
    standard = -_seconds(found["std"])
    daylight = -_seconds(found["dst"]) if found["dst"] else standard + 3600
    return _Rule(standard, daylight, _change(found["begin"]), _change(found["end"]))


def _change(text: str) -> _Change:
    day, _, time = text.partition("/")
    second = _seconds(time) if time else 2 * 3600
    if day[0] == "M":
        return _Change("M", tuple(int(n) for n in day[1:].split(".")), second)
    if day[0] == "J":
        return _Change("J", (int(day[1:]),), second)
    return _Change("D", (int(day),), second)


def _seconds(text: str) -> int:
    sign = -1 if text[0] == "-" else 1
    parts = [int(p) for p in text.lstrip("+-").split(":")]
    return sign * sum(p * unit for p, unit in zip(parts, (3600, 60, 1), strict=False))
