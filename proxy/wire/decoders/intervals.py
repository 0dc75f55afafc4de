"""interval: Postgres's own form, the verbose one, SQL's years-months, ISO 8601's designators.

The arithmetic of fractions follows Postgres 15's DecodeInterval step by step: a fraction of a year
becomes months, of a month or week days and then time, of a day time.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from proxy.errors import SqlError
from proxy.wire.decoders.values import Interval, sized

_SECOND = 1_000_000
_DAY = 86400 * _SECOND

# --- counting ------------------------------------------------------------------------------------


class _Overflow(Exception):
    pass


class _Malformed(Exception):
    pass


class _Count:
    """Years, months, days and micros while they are added up; each has Postgres's own width."""

    __slots__ = ("days", "micros", "months", "years")

    def __init__(self) -> None:
        self.years = self.months = self.days = self.micros = 0

    def add_micros(self, whole: int, fraction: float, scale: int) -> None:
        self.micros = _int64(self.micros + _int64(whole * scale))
        self.add_fraction_of_micros(fraction, scale)

    def add_fraction_of_micros(self, fraction: float, scale: int) -> None:
        scaled = fraction * scale
        micros = int(scaled)
        rest = scaled - micros
        self.micros = _int64(self.micros + micros + (rest > 0.5) - (rest < -0.5))

    def add_days(self, whole: int, fraction: float, scale: int) -> None:
        self.days = _int32(self.days + _int32(_int32(whole) * scale))
        if scale == 1:
            self.add_fraction_of_micros(fraction, _DAY)
        else:
            self._add_fraction_of_days(fraction, scale)

    def _add_fraction_of_days(self, fraction: float, scale: int) -> None:
        scaled = fraction * scale
        days = int(scaled)
        self.days = _int32(self.days + days)
        self.add_fraction_of_micros(scaled - days, _DAY)

    def add_months(self, whole: int, fraction: float, _: int) -> None:
        self.months = _int32(self.months + _int32(whole))
        self._add_fraction_of_days(fraction, 30)

    def add_years(self, whole: int, fraction: float, scale: int) -> None:
        self.years = _int32(self.years + _int32(_int32(whole) * scale))
        self.months = _int32(self.months + _int32(round(fraction * scale * 12)))

    def value(self, *, negate: bool) -> Interval:
        sign = -1 if negate else 1
        months = sign * (self.years * 12 + self.months)
        if not -(2**31) <= months < 2**31:
            raise SqlError("22008", "interval out of range")
        return Interval(months, _int32(sign * self.days), _int64(sign * self.micros))


def _int32(value: int) -> int:
    if not -(2**31) <= value < 2**31:
        raise _Overflow
    return value


def _int64(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise _Overflow
    return value


# unit -> (how it is added, scale)
_UNITS = {
    "microsecond": (_Count.add_micros, 1),
    "millisecond": (_Count.add_micros, 1000),
    "second": (_Count.add_micros, _SECOND),
    "minute": (_Count.add_micros, 60 * _SECOND),
    "hour": (_Count.add_micros, 3600 * _SECOND),
    "day": (_Count.add_days, 1),
    "week": (_Count.add_days, 7),
    "month": (_Count.add_months, 1),
    "year": (_Count.add_years, 1),
    "decade": (_Count.add_years, 10),
    "century": (_Count.add_years, 100),
    "millennium": (_Count.add_years, 1000),
}

_SPELLINGS: dict[str, str] = {
    spelling: unit
    for unit, spellings in {
        "microsecond": "microsecond microseconds us usec usecs usecond useconds",
        "millisecond": "millisecond milliseconds ms msec msecs msecond mseconds",
        "second": "second seconds s sec secs",
        "minute": "minute minutes m min mins",
        "hour": "hour hours h hr hrs",
        "day": "day days d",
        "week": "week weeks w",
        "month": "month months mon mons",
        "year": "year years y yr yrs",
        "decade": "decade decades dec decs",
        "century": "century centuries c cent",
        "millennium": "millennium millennia mil mils",
    }.items()
    for spelling in spellings.split()
}

# --- text ----------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""
    (?P<time>[+-]?[0-9]+:[0-9]*(?::[0-9]*)?(?:\.[0-9]*)?)
  | (?P<ym>[+-]?[0-9]+-[0-9]+)
  | (?P<number>[+-]?[0-9]+(?:\.[0-9]*)?|\.[0-9]+)
  | (?P<word>[a-z]+)
  | (?P<skip>[ @,\t\n\v\f\r]+)
    """,
    re.ASCII | re.VERBOSE,
)
_SIGN_AND_SPACE = re.compile(r"([+-])[ \t\n\v\f\r]+(?=[0-9])")


def interval_text(text: str, _: str) -> Interval:
    """Raises 22007 for what is no interval, 22015 for one out of range."""
    try:
        if text.startswith("P"):
            return _iso(text)
        return _words(_SIGN_AND_SPACE.sub(r"\1", text.lower()))
    except _Overflow:
        raise SqlError("22015", f'interval field value out of range: "{text}"') from None
    except _Malformed:
        raise SqlError("22007", f'invalid input syntax for type interval: "{text}"') from None


def _words(text: str) -> Interval:
    """Read from the right, so that a unit is known before its number."""
    tokens = list(_tokens(text))
    ago = bool(tokens) and tokens[-1] == ("word", "ago")
    if ago:
        tokens.pop()
    count, seen = _Count(), set[str]()
    unit: str | None = None  # named, or implied by what stands to the right
    named = False
    for kind, token in reversed(tokens):
        if kind == "word":
            if named or token not in _SPELLINGS:
                raise _Malformed
            unit, named = _SPELLINGS[token], True
            continue
        if kind == "time":
            if named:
                raise _Malformed
            _mark(seen, "hour", "minute", "second", "millisecond", "microsecond")
            count.micros = _time(token)
            unit = "day"
            continue
        if kind == "ym":
            if named:
                unit, named = None, False
            years, months = token.lstrip("+-").split("-")
            if _whole(months) > 11:
                raise _Overflow
            total = _whole(years) * 12 + _whole(months)
            _mark(seen, "month")
            count.add_months(-total if token[0] == "-" else total, 0.0, 1)
            unit = "month"
            continue
        whole, fraction = _number(token)
        unit = unit or "second"
        _mark(seen, unit)
        if unit == "second" and fraction:
            _mark(seen, "millisecond", "microsecond")
        add, scale = _UNITS[unit]
        add(count, whole, fraction, scale)
        # A number left of hours without a unit counts days: `1 2 hours`.
        unit = "day" if unit == "hour" else unit
        named = False
    if not seen or named:
        raise _Malformed
    return count.value(negate=ago)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _Malformed
        at = found.end()
        if found.lastgroup != "skip":
            yield str(found.lastgroup), found[0]


def _mark(seen: set[str], *units: str) -> None:
    """No field is given twice."""
    if not seen.isdisjoint(units):
        raise _Malformed
    seen.update(units)


def _number(token: str) -> tuple[int, float]:
    """The whole part and the fraction, both with the sign."""
    whole, _, fraction = token.partition(".")
    part = float(f"0.{fraction}") if fraction else 0.0
    size = _whole(whole.lstrip("+-"))
    return (-size, -part) if token[0] == "-" else (size, part)


def _whole(digits: str) -> int:
    """The digits as a number; Python refuses to read thousands of them, and none are 0."""
    digits = digits.lstrip("0")
    if len(digits) > 19:
        raise _Overflow
    return int(digits or 0)


def _time(token: str) -> int:
    """Micros of `h:mm`, `h:mm:ss.ffffff`, or `mm:ss.ffffff`."""
    clock, dot, fraction = token.lstrip("+-").partition(".")
    parts = [_whole(part) for part in clock.split(":")]
    if len(parts) == 2:
        parts = [0, *parts] if dot else [*parts, 0]
    hours, minutes, seconds = parts
    micros = round(float(f"0.{fraction or 0}") * _SECOND)
    if minutes > 59 or seconds > 60:
        raise _Overflow
    total = _int64((3600 * hours + 60 * minutes + seconds) * _SECOND + micros)
    return -total if token[0] == "-" else total


_ISO_FIELD = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([A-Z])", re.ASCII)
_ISO_DATE = {"Y": "year", "M": "month", "W": "week", "D": "day"}
_ISO_TIME = {"H": "hour", "M": "minute", "S": "second"}


def _iso(text: str) -> Interval:
    """`P1Y2M3DT4H5M6.7S`; any field may have a fraction."""
    count, units = _Count(), _ISO_DATE
    at, fields = 1, 0
    while at < len(text):
        if text[at] == "T":
            if units is _ISO_TIME:
                raise _Malformed
            units, at = _ISO_TIME, at + 1
            continue
        found = _ISO_FIELD.match(text, at)
        if found is None or found[2] not in units:
            raise _Malformed
        number = float(found[1])
        if abs(number) > 1e15:
            raise _Overflow
        whole = int(number)
        add, scale = _UNITS[units[found[2]]]
        add(count, whole, number - whole, scale)
        at, fields = found.end(), fields + 1
    if not fields or text.endswith("T"):
        raise _Malformed
    return count.value(negate=False)


# --- binary --------------------------------------------------------------------------------------

_LAYOUT = struct.Struct(">qii")


def interval_binary(raw: bytes) -> Interval:
    """int64 micros, int32 days, int32 months."""
    micros, days, months = _LAYOUT.unpack(sized(raw, 16))
    return Interval(months, days, micros)
