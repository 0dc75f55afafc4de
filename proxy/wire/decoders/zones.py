"""Time zones in the text of a value: offsets, abbreviations, names of the IANA database."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from proxy.errors import SqlError

MAX_OFFSET = 16 * 3600 - 1
"""Seconds; Postgres and DuckDB agree on 15:59:59."""

_OFFSET = re.compile(r"([+-])([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2}))?)?", re.ASCII)
_JOINED = re.compile(r"([+-])([0-9]{3,})", re.ASCII)

# The abbreviations that Postgres knows without asking the zone database and that one meets in
# timestamps; seconds east. A name that is not here is looked up as a zone.
_HOURS: dict[str, float] = {
    "z": 0,
    "zulu": 0,
    "utc": 0,
    "ut": 0,
    "uct": 0,
    "gmt": 0,
    "wet": 0,
    "west": 1,
    "bst": 1,
    "cet": 1,
    "met": 1,
    "mez": 1,
    "cest": 2,
    "cetdst": 2,
    "mest": 2,
    "mesz": 2,
    "eet": 2,
    "eest": 3,
    "msk": 3,
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
    "akst": -9,
    "akdt": -8,
    "hst": -10,
    "jst": 9,
    "kst": 9,
    "nzst": 12,
    "nzdt": 13,
}
ABBREVIATIONS: dict[str, int] = {name: round(3600 * hours) for name, hours in _HOURS.items()}


def offset(text: str) -> int | None:
    """Seconds east that `+02`, `-0530`, `+05:30:15` or an abbreviation stands for, else None.

    Raises 22009 for an offset beyond 15:59:59.
    """
    if found := _OFFSET.fullmatch(text):
        sign, hours, minutes, seconds = found[1], *(int(part or 0) for part in found.groups()[1:])
    elif found := _JOINED.fullmatch(text):
        sign, hours, minutes, seconds = found[1], int(found[2][:-2]), int(found[2][-2:]), 0
    else:
        return ABBREVIATIONS.get(text.lower())
    if hours > 15 or minutes > 59 or seconds > 59:
        raise SqlError("22009", f'time zone displacement out of range: "{text}"')
    total = 3600 * hours + 60 * minutes + seconds
    return -total if sign == "-" else total


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """The zone of this name, in any case. Raises 22023."""
    if name.upper() in ("UTC", "GMT"):
        return UTC
    for spelling in (name, name.title(), name.upper()):
        try:
            return ZoneInfo(spelling)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    raise SqlError("22023", f'time zone "{name}" not recognized')


def local_offset(days: int, micros: int, where: tzinfo) -> int:
    """Seconds east of Greenwich at a local time: `days` since 1970-01-01, `micros` into the day.

    In the hour that spring skips, and in the one that autumn repeats, it is standard time, as in
    Postgres. Beyond year 9999 the calendar's 400-year cycle is used; before year 1 nothing
    changes.
    """
    if where is UTC:
        return 0
    if days > _LAST_DAY:
        days -= -((_LAST_DAY - days) // _CYCLE) * _CYCLE
    local = _EPOCH + timedelta(max(days, _FIRST_DAY), 0, micros)
    offsets = (where.utcoffset(local.replace(fold=fold)) for fold in (0, 1))
    return min(round((found or timedelta()).total_seconds()) for found in offsets)


_EPOCH = datetime(1970, 1, 1)
_CYCLE = 146097
_FIRST_DAY = (datetime(1, 1, 3) - _EPOCH).days
_LAST_DAY = (datetime(9999, 12, 29) - _EPOCH).days
