"""Time zones in the text of a value: offsets, abbreviations, names of the IANA database."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from proxy.errors import SqlError

MAX_OFFSET = 16 * 3600 - 1
"""Seconds; Postgres and DuckDB agree on 15:59:59."""

_OFFSET = re.compile(r"([+-]) *([0-9]{1,2})(?::([0-9]{0,2})(?::([0-9]{1,2}))?)?", re.ASCII)
_JOINED = re.compile(r"([+-]) *([0-9]{3,})", re.ASCII)
# POSIX counts hours *west*: `UTC+3`, `<-03>+03` and, where it names no zone, `+3` are -03.
_POSIX = re.compile(
    r"(?=[a-z<+-])(?:[a-z]{3,}|<[^<>]*>)?([+-]?)([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2}))?)?",
    re.ASCII | re.IGNORECASE,
)

# The abbreviations of Postgres's default set whose meaning never changed: hours east -> names. An
# abbreviation that meant different offsets over the years (MSK) is refused: write the offset.
_BY_HOURS: dict[float, str] = {
    -10: "hst taht",
    -9.5: "mart",
    -9: "akst gamt",
    -8: "akdt pst",
    -7: "mst pdt",
    -6: "cst mdt galt",
    -5: "act cot cdt est pet",
    -4: "bot edt amt ast",
    -3.5: "nft nst",
    -3: "bra brt clst gft pmst pyst uyt wgt adt",
    -2.5: "ndt",
    -2: "brst fnt pmdt uyst wgst",
    -1: "egt fnst azot",
    0: "egst azost gmt uct ut utc z zulu wet",
    1: "wat bst cet met mez wetdst",
    2: "sast ist bdst cest cetdst eet mest mesz metdst",
    3: "eat idt eest eetdst fet",
    3.5: "irt",
    4: "msd mut ret sct",
    4.5: "aft",
    5: "pkt tjt uzt must mvt tft",
    5.75: "npt",
    6: "almt bdt btt kgst pkst uzst xjt yekst",
    6.5: "mmt",
    7: "almst ict wast cxt",
    8: "bnt bort cct hkt myt pht awst wadt",
    8.75: "acwst",
    9: "jayt jst kst ulast awsst wdt pwt",
    9.5: "acst cast",
    10: "ddut kdt aest ligt chut mpt pgt trut yapt",
    10.5: "acsst acdt cadt lhst sadt",
    11: "aesst aedt pont vut",
    12: "nzt fjt gilt mht nzst tvt wakt wft",
    12.75: "chast",
    13: "fjst nzdt tot",
    13.75: "chadt",
}
ABBREVIATIONS: dict[str, int] = {
    name: round(3600 * hours) for hours, names in _BY_HOURS.items() for name in names.split()
}


def offset(text: str) -> int | None:
    """Seconds east that `+02`, `-0530`, `+05:30:15` or an abbreviation stands for, else None.

    Raises ValueError for an offset beyond 15:59:59.
    """
    if found := _OFFSET.fullmatch(text):
        sign, hours, minutes, seconds = found[1], *(int(part or 0) for part in found.groups()[1:])
    elif found := _JOINED.fullmatch(text):
        sign, hours, minutes, seconds = found[1], int(found[2][:-2]), int(found[2][-2:]), 0
    else:
        return ABBREVIATIONS.get(text.lower())
    if hours > 15 or minutes > 59 or seconds > 59:
        raise ValueError(text)
    total = 3600 * hours + 60 * minutes + seconds
    return -total if sign == "-" else total


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """The zone of this name, in any case. Raises 22023."""
    if name.upper() in ("UTC", "GMT"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if spelling := _spellings().get(name.lower()):
            return ZoneInfo(spelling)
    if (east := posix_offset(name)) is not None:
        return timezone(timedelta(seconds=east))
    raise SqlError("22023", f'time zone "{name}" not recognized')


def posix_offset(name: str) -> int | None:
    """Seconds east of a zone that POSIX writes without a rule for summer, else None."""
    found = _POSIX.fullmatch(name)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    west = 3600 * hours + 60 * minutes + seconds
    return None if west >= _DAY_OF_SECONDS else west if found[1] == "-" else -west


def name_of_hours(east: int) -> str | None:
    """The IANA zone that is always so many seconds east; there are such of whole hours."""
    hours, rest = divmod(east, 3600)
    if rest or not -12 <= hours <= 14:
        return None
    return f"Etc/GMT{-hours:+d}" if hours else "UTC"


_DAY_OF_SECONDS = 86_400


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    """The names of all zones by their lower case."""
    return {name.lower(): name for name in available_timezones()}


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
