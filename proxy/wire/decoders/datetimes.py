"""date, time, timetz, timestamp, timestamptz.

Text is read in ISO 8601's order and its neighbours that Postgres writes itself: `2026-01-31`,
`20260131`, with a time, a zone and `BC`, or with the name of the month. Spellings that depend on DateStyle (`1/2/2026`) are
refused rather than guessed, and so are `now` and `today`: a value cannot know when its transaction
began.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from proxy.errors import SqlError
from proxy.wire.decoders import zones
from proxy.wire.decoders.values import (
    DATE_INFINITY,
    SPACES,
    TIMESTAMP_INFINITY,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    sized,
)

_EPOCH_DAYS = 10957  # 2000-01-01, from which Postgres counts
DAY = 86_400_000_000
_EPOCH_MICROS = _EPOCH_DAYS * DAY

_FIRST_DAY = -2440588  # 4713-11-24 BC: day 0 of the Julian calendar
_LAST_DAY = 2145042905  # 5874897-12-31
_FIRST_MICRO = _FIRST_DAY * DAY
# Postgres goes on to the end of 294276; DuckDB counts from 1970 and so stops 30 years before.
_LAST_MICRO = TIMESTAMP_INFINITY - 1

# --- text ----------------------------------------------------------------------------------------

_DATE = (
    r"(?P<year>[0-9]{3,7})(?P<between>[-/.])(?P<month>[0-9]{1,2})(?P=between)(?P<day>[0-9]{1,2})"
    r"|(?P<y8>[0-9]{4,5})(?P<m8>[0-9]{2})(?P<d8>[0-9]{2})"
)
_TIME = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2})"
    r"(?::(?P<second>[0-9]{1,2}))?(?P<fraction>\.[0-9]*)?"
    r"|(?P<h6>[0-9]{2})(?P<n6>[0-9]{2})(?:(?P<s6>[0-9]{2})(?P<f6>\.[0-9]*)?)?"
)
_NOON = r"(?:[ ]*(?P<noon>[ap]m)(?![a-z]))?"
# Offsets, abbreviations and names such as America/Port-au-Prince, Etc/GMT+8, EST5EDT, UTC+3.
_ZONE = (
    r"(?:[ ]*(?P<zone>[+-][ ]*[0-9][0-9:]*"
    r"|(?!(?:bc|ad|am|pm)(?![a-z]))[a-z][a-z0-9_]*(?:/[a-z0-9_+-]+)*(?:[+-][0-9:]+)?))?"
)

_FLAGS = re.ASCII | re.IGNORECASE
_MOMENT = re.compile(
    rf"(?:{_DATE})(?:[ ]+(?P<early>bc|ad)(?=[ ]))?"
    rf"(?:(?:[ ]*t[ ]*|[ ]+)(?:{_TIME}){_NOON})?"
    rf"(?:[ ]*(?P<middle>bc|ad)(?=[ ]))?{_ZONE}(?:[ ]*(?P<late>bc|ad))?",
    _FLAGS,
)
_OF_DAY = re.compile(rf"(?:(?:{_DATE})(?:[ ]*t[ ]*|[ ]+)|t)?(?:{_TIME}){_NOON}{_ZONE}", _FLAGS)

# A month by its name leaves no doubt which number is the day.
_NAMES = "january february march april may june july august september october november december"
_MONTHS = {name: number for number, name in enumerate(_NAMES.split(), start=1)}
_MONTHS |= {name[:3]: number for name, number in _MONTHS.items()} | {"sept": 9}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_WEEKDAY = r"(?:(?:mon|tue|tues|wed|wednes|thu|thurs?|fri|sat|satur|sun)(?:day)?,?[ ]+)?"
_NAMED = re.compile(
    rf"{_WEEKDAY}(?:(?P<m1>{_MONTH})[ -]*(?P<d1>[0-9]{{1,2}})(?:[ ]*,[ ]*|[ ]+|-)(?P<y1>[0-9]{{3,6}})"
    rf"|(?P<d2>[0-9]{{1,2}})[ .-]*(?P<m2>{_MONTH})[ ,.-]*(?P<y2>[0-9]{{3,6}})"
    rf"|(?P<y3>[0-9]{{3,6}})[ -]+(?P<m3>{_MONTH})[ -]+(?P<d3>[0-9]{{1,2}}))(?![0-9])(?P<rest>.*)",
    _FLAGS,
)

# As ctime() and date(1) write it: the time before the year.
_CLOCK_FIRST = re.compile(
    rf"{_WEEKDAY}(?P<month>{_MONTH})[ ]+(?P<day>[0-9]{{1,2}})[ ]+(?P<time>[0-9]{{1,2}}:[0-9:.]+)"
    r"(?P<zone>[ ]+[a-z][a-z0-9_/+-]*)?[ ]+(?P<year>[0-9]{4,6})(?P<rest>(?:[ ].*)?)",
    _FLAGS,
)

_INFINITIES = {"infinity": 1, "-infinity": -1}
_NEEDS_A_CLOCK = frozenset({"now", "today", "tomorrow", "yesterday"})
_BLANKS = str.maketrans(dict.fromkeys(SPACES, " "))


class _Moment(NamedTuple):
    """What a text says: days since 1970-01-01, micros into the day, the zone as written."""

    days: int
    micros: int
    zone: str | None


def date_text(text: str, _: str) -> Date:
    word = _word(text, "date")
    if word in _INFINITIES:
        return Date(_INFINITIES[word] * DATE_INFINITY)
    if word == "epoch":
        return Date(0)
    moment = _read(text, word, "date")
    if moment.zone:
        _fixed_or_named(moment.zone, text, "date")
    if not _FIRST_DAY <= moment.days <= _LAST_DAY:
        raise SqlError("22008", f'date out of range: "{text}"')
    return Date(moment.days)


def timestamp_text(text: str, _: str) -> Timestamp:
    """A zone in the text is read and, as in Postgres, ignored."""
    kind = "timestamp"
    word = _word(text, kind)
    if word in _INFINITIES:
        return Timestamp(_INFINITIES[word] * TIMESTAMP_INFINITY)
    if word == "epoch":
        return Timestamp(0)
    moment = _read(text, word, kind)
    if moment.zone:
        _fixed_or_named(moment.zone, text, kind)
    return Timestamp(_in_range(moment.days * DAY + moment.micros, text))


def timestamptz_text(text: str, time_zone: str) -> TimestampTz:
    """A text without a zone is local time of `time_zone`."""
    kind = "timestamp with time zone"
    word = _word(text, kind)
    if word in _INFINITIES:
        return TimestampTz(_INFINITIES[word] * TIMESTAMP_INFINITY)
    if word == "epoch":
        return TimestampTz(0)
    moment = _read(text, word, kind)
    where = _fixed_or_named(moment.zone, text, kind) if moment.zone else zones.zone(time_zone)
    east = where if isinstance(where, int) else zones.local_offset(*moment[:2], where)
    return TimestampTz(_in_range(moment.days * DAY + moment.micros - east * 1_000_000, text))


def time_text(text: str, _: str) -> Time:
    """A date and a zone in the text are read and ignored."""
    return Time(_time_of_day(text, "time")[0])


def timetz_text(text: str, time_zone: str) -> TimeTz:
    """A text without a zone has the offset that `time_zone` has now."""
    kind = "time with time zone"
    micros, name, day = _time_of_day(text, kind)
    if name is None:
        now = datetime.now(UTC).astimezone(zones.zone(time_zone)).utcoffset()
        return TimeTz(micros, round(now.total_seconds()) if now else 0)
    where = _fixed_or_named(name, text, kind)
    east = where if isinstance(where, int) else zones.local_offset(day or 0, micros, where)
    return TimeTz(micros, east)


def _word(text: str, kind: str) -> str:
    """`text` in lower case without the spaces around it; raises for words that mean a clock."""
    word = text.translate(_BLANKS).strip().lower()
    if word in _NEEDS_A_CLOCK:
        raise SqlError(
            "0A000",
            f'"{word}" is not supported as a parameter of type {kind}',
            hint="Use CURRENT_TIMESTAMP or CURRENT_DATE in the statement.",
        )
    return word


def _bad(text: str, kind: str) -> SqlError:
    return SqlError(
        "22007",
        f'invalid input syntax for type {kind}: "{text}"',
        hint="Dates are read as ISO 8601: 2026-01-31 12:00:00+00.",
    )


def _field_overflow(text: str) -> SqlError:
    return SqlError("22008", f'date/time field value out of range: "{text}"')


def _in_range(micros: int, text: str) -> int:
    if not _FIRST_MICRO <= micros <= _LAST_MICRO:
        raise SqlError("22008", f'timestamp out of range: "{text}"')
    return micros


def _read(text: str, word: str, kind: str) -> _Moment:
    found = _MOMENT.fullmatch(word) or _MOMENT.fullmatch(_with_number(word))
    if found is None:
        raise _bad(text, kind)
    eras = [era for era in (found["early"], found["middle"], found["late"]) if era]
    if len(eras) > 1:
        raise _bad(text, kind)
    days = _day(found, text, era=eras[0] if eras else None)
    return _Moment(days, _micros(found, text) if found["hour"] or found["h6"] else 0, found["zone"])


def _with_number(word: str) -> str:
    """The text with the number of a month that it names."""
    if (found := _CLOCK_FIRST.fullmatch(word)) is not None:
        day = f"{int(found['year']):04}-{_MONTHS[found['month']]}-{found['day']}"
        return f"{day} {found['time']}{found['zone'] or ''}{found['rest']}"
    found = _NAMED.fullmatch(word)
    if found is None:
        return word
    year, month, day = next(
        (found[f"y{n}"], found[f"m{n}"], found[f"d{n}"]) for n in "123" if found[f"y{n}"]
    )
    return f"{int(year):04}-{_MONTHS[month]}-{day}{found['rest']}"


def _time_of_day(text: str, kind: str) -> tuple[int, str | None, int | None]:
    """Micros into the day, the zone as written, the day if there is one."""
    word = _word(text, kind)
    if word == "allballs":
        return 0, "utc", None
    found = _OF_DAY.fullmatch(word)
    if found is None:
        raise _bad(text, kind)
    day = _day(found, text, era=None) if found["year"] or found["y8"] else None
    if found["zone"]:
        where = _fixed_or_named(found["zone"], text, kind)
        if day is None and not isinstance(where, int):
            raise _bad(text, kind)  # summer or winter?
    micros = _micros(found, text)
    if micros > DAY:
        raise _field_overflow(text)
    return micros, found["zone"], day


def _day(found: re.Match[str], text: str, *, era: str | None) -> int:
    """Days since 1970-01-01 of the date in `found`."""
    parts = ("year", "month", "day") if found["year"] else ("y8", "m8", "d8")
    year, month, day = (int(found[part]) for part in parts)
    if year == 0 or not 1 <= month <= 12 or day < 1:
        raise _field_overflow(text)
    if era == "bc":
        year = 1 - year
    if day > _days_in_month(year, month):
        raise _field_overflow(text)
    return days_from_civil(year, month, day)


def _days_in_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar; year 0 is 1 BC."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _micros(found: re.Match[str], text: str) -> int:
    """Micros into the day of the time in `found`: 24:00:00 and a 60th second are allowed, `mm:ss.f` too."""
    names = ("hour", "minute", "second") if found["hour"] else ("h6", "n6", "s6")
    hour, minute, second = (int(found[name] or 0) for name in names)
    fraction = found["fraction"] or found["f6"] or ""
    if found["fraction"] and not found["second"]:
        hour, minute, second = 0, hour, minute
    if noon := found["noon"]:
        if hour > 12:
            raise _field_overflow(text)
        hour = hour % 12 + 12 * (noon == "pm")
    micros = round(float("0" + fraction) * 1_000_000) if len(fraction) > 1 else 0
    if minute > 59 or second > 60:
        raise _field_overflow(text)
    total = (3600 * hour + 60 * minute + second) * 1_000_000 + micros
    if hour > 24 or (hour == 24 and total > DAY):
        raise _field_overflow(text)
    return total


def _fixed_or_named(name: str, text: str, kind: str) -> int | tzinfo:
    """Seconds east, or the zone whose clock knows. Raises 22009, 22023 or 22007."""
    try:
        east = zones.offset(name)
    except ValueError:
        raise SqlError("22009", f'time zone displacement out of range: "{text}"') from None
    if east is not None:
        return east
    try:
        if name[0] in "+-":
            raise _bad(text, kind)
        return zones.zone(name)
    except SqlError as error:
        raise error if "/" in name else _bad(text, kind) from error


# --- binary --------------------------------------------------------------------------------------

_INT32, _INT64, _TIMETZ = struct.Struct(">i"), struct.Struct(">q"), struct.Struct(">qi")


def date_binary(raw: bytes) -> Date:
    """int32 days since 2000-01-01; the ends of the range are infinities."""
    (days,) = _INT32.unpack(sized(raw, 4))
    if days == 2**31 - 1:
        return Date(DATE_INFINITY)
    if days == -(2**31):
        return Date(-DATE_INFINITY)
    if not _FIRST_DAY <= days + _EPOCH_DAYS <= _LAST_DAY:
        raise SqlError("22008", "date out of range")
    return Date(days + _EPOCH_DAYS)


def timestamp_binary(raw: bytes) -> Timestamp:
    return Timestamp(_moment(raw))


def timestamptz_binary(raw: bytes) -> TimestampTz:
    return TimestampTz(_moment(raw))


def _moment(raw: bytes) -> int:
    """int64 micros since 2000-01-01; the ends of the range are infinities."""
    (micros,) = _INT64.unpack(sized(raw, 8))
    if micros == 2**63 - 1:
        return TIMESTAMP_INFINITY
    if micros == -(2**63):
        return -TIMESTAMP_INFINITY
    micros += _EPOCH_MICROS
    if not _FIRST_MICRO <= micros <= _LAST_MICRO:
        raise SqlError("22008", "timestamp out of range")
    return micros


def time_binary(raw: bytes) -> Time:
    (micros,) = _INT64.unpack(sized(raw, 8))
    return Time(_of_day(micros))


def timetz_binary(raw: bytes) -> TimeTz:
    """int64 micros, int32 seconds *west* of Greenwich."""
    micros, west = _TIMETZ.unpack(sized(raw, 12))
    _of_day(micros)
    if not -zones.MAX_OFFSET <= west <= zones.MAX_OFFSET:
        raise SqlError("22009", "time zone displacement out of range")
    return TimeTz(micros, -west)


def _of_day(micros: int) -> int:
    if not 0 <= micros <= DAY:
        raise SqlError("22008", "time out of range")
    return micros
