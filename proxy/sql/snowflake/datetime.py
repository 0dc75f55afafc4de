"""Dates and times.

A unit may be written bare or as a string, in any of Snowflake's spellings. Adding a day to a DATE
gives a DATE and an hour a TIMESTAMP; differences count the boundaries crossed, of weeks too.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake import weeks
from proxy.sql.snowflake.formats import reading
from proxy.sql.snowflake.in_force import value as value_of
from proxy.sql.snowflake.registry import (
    cast,
    data_type,
    duck,
    function,
    node,
    number,
    sf,
    text,
    unsupported,
)
from proxy.sql.snowflake.semistructured import scalar_text, whole
from proxy.sql.snowflake.types import (
    READ_BY_MODEL,
    cast_to,
    is_finer,
    mapped,
    try_cast_to,
)
from proxy.sql.snowflake.zoned import clock, moved, of_pair, offset, once, pair_of, zoned

_D = exp.DType


def _spellings(table: dict[str, str]) -> dict[str, str]:
    return {spelling: unit for unit, all_ in table.items() for spelling in all_.split()}


UNITS = _spellings(
    {
        "year": "YEAR Y YY YYY YYYY YR YEARS YRS",
        "quarter": "QUARTER Q QTR QTRS QUARTERS",
        "month": "MONTH MM MON MONS MONTHS",
        "week": "WEEK WEEKS W WK WEEKOFYEAR WOY WY",
        "weekiso": "WEEK_ISO WEEKISO WEEKOFYEARISO WEEKOFYEAR_ISO",
        "day": "DAY D DD DAYS DAYOFMONTH",
        "dayofweek": "DAYOFWEEK WEEKDAY DOW DW",
        "dayofweekiso": "DAYOFWEEKISO WEEKDAY_ISO DOW_ISO DW_ISO DAYOFWEEK_ISO",
        "dayofyear": "DAYOFYEAR YEARDAY DOY DY",
        "yearofweek": "YEAROFWEEK",
        "yearofweekiso": "YEAROFWEEKISO",
        "hour": "HOUR H HH HR HOURS HRS",
        "minute": "MINUTE M MI MIN MINUTES MINS",
        "second": "SECOND S SEC SECONDS SECS",
        "millisecond": "MILLISECOND MS MSEC MILLISECONDS",
        "microsecond": "MICROSECOND US USEC MICROSECONDS",
        "nanosecond": "NANOSECOND NS NSEC NANOSEC NSECOND NANOSECONDS NANOSECS NSECONDS",
        "epoch_second": "EPOCH_SECOND EPOCH EPOCH_SECONDS",
        "epoch_millisecond": "EPOCH_MILLISECOND EPOCH_MILLISECONDS",
        "epoch_microsecond": "EPOCH_MICROSECOND EPOCH_MICROSECONDS",
        "epoch_nanosecond": "EPOCH_NANOSECOND EPOCH_NANOSECONDS",
        "timezone_hour": "TIMEZONE_HOUR TZH",
        "timezone_minute": "TIMEZONE_MINUTE TZM",
    }
)


def unit_of(part: exp.Expr) -> str:
    """The unit that a part names; 42601 would be Snowflake's answer to any other."""
    name = part.name.upper()
    if isinstance(part, exp.Column) and part.args.get("table") is not None:
        name = ""
    unit = UNITS.get(name)
    if unit is None:
        raise unsupported(f'the date or time part "{part.name}"', part)
    return unit


def moment(value: exp.Expr) -> exp.Expr:
    """A value where a date or time is wanted: a literal is a timestamp, a parameter too.

    Of a TIMESTAMP_TZ what its clock shows. Raises 0A000 for one with nanoseconds.
    """
    if (pair := pair_of(value)) is not None:
        return clock(pair)
    if is_finer(value):
        raise unsupported("a calendar function of a timestamp with nanoseconds", value)
    if isinstance(value, exp.Literal):
        return sf("to_timestamp_", value)
    if isinstance(value, (exp.Parameter, exp.Null)):
        return cast(value, _D.TIMESTAMP)
    if isinstance(value, exp.Anonymous) and value.this in ("variant_path_", "_sf.get_"):
        return sf("to_timestamp_", value)
    if isinstance(value, _TEXTS):
        return sf("to_timestamp_", value)
    return sf("moment_", value) if isinstance(value, exp.Column) else value


_TEXTS = (exp.DPipe, exp.Concat, exp.Substring, exp.Trim, exp.Lower, exp.Upper, exp.SplitPart)
"""What is always a text, and read as one."""


INTERVALS: dict[str, tuple[str, int]] = {
    "year": ("to_years", 1),
    "quarter": ("to_months", 3),
    "month": ("to_months", 1),
    "week": ("to_days", 7),
    "weekiso": ("to_days", 7),
    "day": ("to_days", 1),
    "dayofyear": ("to_days", 1),
    "dayofweek": ("to_days", 1),
    "hour": ("to_hours", 1),
    "minute": ("to_minutes", 1),
    "second": ("to_seconds", 1),
    "millisecond": ("to_milliseconds", 1),
    "microsecond": ("to_microseconds", 1),
}
_CALENDAR = frozenset({"to_years", "to_months", "to_days"})


def _steps(count: exp.Expr, factor: int, kind: exp.DType) -> exp.Expr:
    if isinstance(count, exp.Literal) and not count.is_string and count.this.isdigit():
        return number(int(count.this) * factor)
    whole = cast(count, kind)
    return exp.Mul(this=whole, expression=number(factor)) if factor != 1 else whole


@function("DATEADD", "TIMEADD", "TIMESTAMPADD", "DATE_ADD")
def dateadd(arguments: list[exp.Expr]) -> exp.Expr:
    """A moment and so many of a unit."""
    part, count, value = arguments
    unit = unit_of(part)
    if unit == "nanosecond":
        step = duck("to_microseconds", sf("microseconds_of_", count))
    elif unit not in INTERVALS:
        raise unsupported(f"DATEADD of {unit}", part)
    else:
        interval, factor = INTERVALS[unit]
        kind = _D.INT if interval in _CALENDAR else _D.BIGINT
        step = duck(interval, _steps(count, factor, kind))
        if interval in _CALENDAR:
            return moved(value, lambda at: sf("plus_", moment(at), step))
    return moved(value, lambda at: exp.Paren(this=exp.Add(this=moment(at), expression=step)))


@function("ADD_MONTHS")
def _add_months(arguments: list[exp.Expr]) -> exp.Expr:
    months = cast(arguments[1], _D.INT)
    return moved(arguments[0], lambda at: sf("add_months_", moment(at), months))


@function("DATEDIFF", "TIMEDIFF", "TIMESTAMPDIFF", "DATE_DIFF")
def _datediff(arguments: list[exp.Expr]) -> exp.Expr:
    part, start, end = arguments
    unit = unit_of(part)
    if unit == "nanosecond" and (is_finer(start) or is_finer(end)):
        since, until = (part_of("epoch_nanosecond", at) for at in (start, end))
        return cast(exp.Paren(this=exp.Sub(this=until, expression=since)), _D.BIGINT)
    start, end = _clock(start, end) or moment(start), _clock(end, start) or moment(end)
    if unit in ("week", "weekiso"):
        start, end = (weeks.first_day(at, iso=unit == "weekiso") for at in (start, end))
        unit = "week"
    elif unit == "nanosecond":
        micros = duck("date_diff", text("microsecond"), start, end)
        return exp.Paren(this=exp.Mul(this=micros, expression=number(1000)))
    elif unit not in INTERVALS:
        raise unsupported(f"DATEDIFF of {unit}", part)
    unit = "day" if unit.startswith("dayof") else unit
    return duck("date_diff", text(unit), start, end)


def _clock(value: exp.Expr, other: exp.Expr) -> exp.Expr | None:
    """A literal time of day beside a column, which may be a TIME."""
    if not isinstance(value, exp.Literal) or not isinstance(other, exp.Column):
        return None
    if not value.is_string or ":" not in value.this or not _DATED.isdisjoint(value.this):
        return None
    return sf("clock_beside_", cast(value, _D.VARCHAR), other.copy())


_DATED = frozenset("-/ ")


def _unit_given(part: exp.Expr) -> exp.Expr:
    """DuckDB's name of a unit that is known only when the statement runs; it raises for others."""
    spelled: dict[str, list[exp.Expr]] = {}
    for spelling, unit in UNITS.items():
        if unit in INTERVALS and not unit.startswith("dayof"):
            spelled.setdefault(unit.removesuffix("iso"), []).append(text(spelling))
    given = cast(part, _D.VARCHAR)
    ifs = [
        exp.If(this=exp.In(this=exp.Upper(this=given.copy()), expressions=all_), true=text(unit))
        for unit, all_ in spelled.items()
    ]
    unknown = exp.DPipe(this=text("this date or time part is not supported: "), expression=given)
    return exp.Case(ifs=ifs, default=duck("error", unknown))


def _truncated(part: exp.Expr, value: exp.Expr) -> exp.Expr:
    if isinstance(part, (exp.Parameter, exp.Placeholder)):
        return moved(value, lambda at: sf("date_trunc_", _unit_given(part), moment(at)))
    unit = unit_of(part)
    if unit == "nanosecond":
        return value if pair_of(value) is not None else moment(value)
    if unit == "week" and weeks.shift():
        return moved(value, lambda at: weeks.truncated(moment(at)))
    unit = {"weekiso": "week"}.get(unit, unit)
    if unit not in INTERVALS or unit.startswith("dayof"):
        raise unsupported(f"DATE_TRUNC to {unit}", part)
    return moved(value, lambda at: sf("date_trunc_", text(unit), moment(at)))


@function("DATE_TRUNC")
def _date_trunc(arguments: list[exp.Expr]) -> exp.Expr:
    return _truncated(*arguments)


@function("TRUNC", "TRUNCATE")
def _trunc(arguments: list[exp.Expr]) -> exp.Expr:
    if len(arguments) == 2:
        second = arguments[1]
        bare = isinstance(second, exp.Column) and second.args.get("table") is None
        if isinstance(second, exp.Literal) and second.is_string:
            return _truncated(second, arguments[0])
        if bare and second.name.upper() in UNITS:
            return _truncated(second, arguments[0])
        if not isinstance(second, (exp.Literal, exp.Null)) and (
            not isinstance(second, exp.Neg) or not isinstance(second.this, exp.Literal)
        ):
            return sf("trunc_", sf("number_", arguments[0]), second)
        return duck("trunc", arguments[0], cast(second, _D.INT))
    return duck("trunc", *arguments)


_PARTS: dict[str, str] = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "week": "week",
    "weekiso": "week",
    "day": "day",
    "dayofweek": "dow",
    "dayofweekiso": "isodow",
    "dayofyear": "doy",
    "yearofweek": "isoyear",
    "yearofweekiso": "isoyear",
    "hour": "hour",
    "minute": "minute",
    "second": "second",
}
_PART_MACROS = frozenset(
    {
        *("epoch_second", "epoch_millisecond", "epoch_microsecond", "epoch_nanosecond"),
        *("nanosecond", "microsecond", "millisecond"),
    }
)


def part_of(unit: str, value: exp.Expr) -> exp.Expr:
    """The number that a part of a date or time is."""
    pair = pair_of(value)
    if unit.startswith("timezone_"):
        minutes = offset(pair) if pair is not None else sf("offset_of_", moment(value))
        return sf(f"{unit}_", minutes)
    if unit in _PART_MACROS:
        whole = value if unit.startswith("epoch_") and pair is not None else None
        if unit in ("nanosecond", "epoch_nanosecond") and is_finer(value):
            return sf(f"finer_{unit}_", value)
        return sf(f"{unit}_", whole or moment(value))
    if unit in weeks.PARTS and (made := weeks.part(unit, moment(value))) is not None:
        return made
    return duck("date_part", text(_PARTS[unit]), moment(value))


# DuckDB has these of a TIMESTAMPTZ alone, and the type of the value is not known here.
_OF_A_ZONE = ("timezone_hour", "timezone_minute")


def _part_named_later(part: exp.Parameter, value: exp.Expr) -> exp.Expr:
    """The part that a parameter names."""
    spelled: dict[str, list[exp.Expr]] = {}
    for name, unit in UNITS.items():
        if unit not in _OF_A_ZONE:
            spelled.setdefault(unit, []).append(text(name))
    named = exp.Upper(this=exp.cast(part, _D.TEXT))
    chosen = exp.Case()
    for unit, names in spelled.items():
        made = cast(part_of(unit, value.copy()), _D.BIGINT)
        chosen = chosen.when(exp.In(this=named.copy(), expressions=names), made, copy=False)
    complaint = exp.DPipe(this=text("invalid input syntax for type date part: "), expression=named)
    return chosen.else_(duck("error", complaint), copy=False)


@node(exp.Extract)
def _extract(extract: exp.Extract) -> exp.Expr:
    if isinstance(extract.this, exp.Parameter):
        return _part_named_later(extract.this, extract.expression)
    return part_of(unit_of(extract.this), extract.expression)


def _part_function(name: str, unit: str) -> None:
    @function(name)
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        return part_of(unit, arguments[0])


for _name, _unit in {
    "YEAR": "year",
    "QUARTER": "quarter",
    "MONTH": "month",
    "DAY": "day",
    "DAYOFMONTH": "day",
    "WEEK": "week",
    "WEEKOFYEAR": "week",
    "WEEKISO": "weekiso",
    "WEEK_ISO": "weekiso",
    "DAYOFWEEK_ISO": "dayofweekiso",
    "YEAROFWEEK": "yearofweek",
    "YEAROFWEEKISO": "yearofweekiso",
    "DAYOFWEEK": "dayofweek",
    "DAYOFWEEKISO": "dayofweekiso",
    "DAYOFYEAR": "dayofyear",
    "HOUR": "hour",
    "MINUTE": "minute",
    "SECOND": "second",
}.items():
    _part_function(_name, _unit)


@function("LAST_DAY")
def _last_day(arguments: list[exp.Expr]) -> exp.Expr:
    unit = unit_of(arguments[1]) if len(arguments) > 1 else "month"
    if unit not in ("year", "quarter", "month", "week", "weekiso"):
        raise unsupported(f"LAST_DAY of {unit}", arguments[1])
    if unit == "week" and weeks.shift():
        return weeks.last_day(moment(arguments[0]))
    return sf(f"last_day_of_{unit.removesuffix('iso')}_", moment(arguments[0]))


@function("NEXT_DAY")
def _next_day(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("next_day_", moment(arguments[0]), scalar_text(arguments[1]))


@function("PREVIOUS_DAY")
def _previous_day(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("previous_day_", moment(arguments[0]), scalar_text(arguments[1]))


def _is_auto(model: exp.Expr) -> bool:
    return isinstance(model, exp.Literal) and model.is_string and model.this.upper() == "AUTO"


def _is_scale(argument: exp.Expr) -> bool:
    return isinstance(argument, exp.Literal) and not argument.is_string


def _read(kind: exp.DType, value: exp.Expr, model: exp.Expr, *, safe: bool) -> exp.Expr:
    """A text by a model, as a date, a time or a timestamp of a kind."""
    shape = reading(model)
    if shape is None:
        raise unsupported("this date or time format", model)
    parse = "try_strptime" if safe else "strptime"
    said: exp.Expr = cast(scalar_text(value), _D.VARCHAR)
    if shape.zoned:
        said = sf("plain_offset_", said)
    written = said if shape.dated else exp.DPipe(this=text("1970 "), expression=said.copy())
    spelled = shape.model if shape.dated else f"%Y {shape.model}"
    parsed: exp.Expr = duck(parse, written, text(spelled))
    pair: exp.Expr | None = None
    if shape.zoned:
        pair = sf("pair_of_moment_", parsed, sf("offset_in_", said.copy()))
        if shape.short_year:
            pair = once(pair, lambda p: sf("pair_", _in_century(clock(p)), offset(p)))
        if kind in (_D.TIMESTAMPTZ, _D.TIMESTAMPLTZ):
            moment_ = of_pair(pair)
            return moment_ if kind == _D.TIMESTAMPTZ else cast(moment_, _D.TIMESTAMPTZ)
        return cast(clock(pair), kind)
    made = sf("microseconds_", parsed)
    made = _in_century(made) if shape.short_year else made
    if kind == _D.TIMESTAMPTZ:
        return zoned(made)
    return cast(made, _D.TIMESTAMPTZ if kind == _D.TIMESTAMPLTZ else kind)


def _in_century(at: exp.Expr) -> exp.Expr:
    return sf("in_century_", at, number(int(value_of("two_digit_century_start"))))


READ_BY_MODEL.append(lambda kind, value, model: _read(kind, value, text(model), safe=False))


def _conversion(kind: exp.DType, *, safe: bool) -> object:
    """TO_DATE and its kin: of one argument a cast, with a model strptime, with a scale an epoch."""

    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        value = arguments[0]
        target = mapped(data_type(kind))
        if len(arguments) == 1 or _is_auto(arguments[1]):
            made = try_cast_to(value, target) if safe else cast_to(value, target)
            return made or exp.Cast(this=value, to=target)
        if _is_scale(arguments[1]):
            scaled = cast(value, _D.DECIMAL, 38, 0)
            power = number(10 ** int(arguments[1].this))
            made = sf("seconds_since_epoch_", exp.Div(this=scaled, expression=power))
            if target.this in (_D.TIMESTAMPTZ, _D.TIMESTAMPLTZ):
                made = duck("timezone", text("UTC"), made)
                return zoned(made) if target.this == _D.TIMESTAMPTZ else made
            return cast(made, kind) if kind == _D.DATE else made
        return _read(_KEPT.get(target.this, target.this), value, arguments[1], safe=safe)

    return rule


_KEPT = {_D.TIMESTAMPNTZ: _D.TIMESTAMP}

for _name, _kind in {
    "DATE": _D.DATE,
    "TIME": _D.TIME,
    "TIMESTAMP": _D.TIMESTAMP,
    "TIMESTAMP_NTZ": _D.TIMESTAMPNTZ,
    "TIMESTAMP_LTZ": _D.TIMESTAMPLTZ,
    "TIMESTAMP_TZ": _D.TIMESTAMPTZ,
}.items():
    function(f"TO_{_name}")(_conversion(_kind, safe=False))
    function(f"TRY_TO_{_name}")(_conversion(_kind, safe=True))
function("DATE")(_conversion(_D.DATE, safe=False))
function("TIME")(_conversion(_D.TIME, safe=False))
function("TO_DATETIME")(_conversion(_D.TIMESTAMP, safe=False))


def _from_parts(arguments: list[exp.Expr]) -> exp.Expr:
    """TIMESTAMP_NTZ of six or seven parts, or of a DATE and a TIME."""
    if len(arguments) == 2:
        day, time = (moment(argument) for argument in arguments)
        return exp.Paren(this=exp.Add(this=day, expression=time))
    nanoseconds = arguments[6] if len(arguments) > 6 else number(0)
    return sf("from_parts_", *arguments[:6], nanoseconds)


for _prefix, _suffix in (("TIMESTAMP_", "_FROM_PARTS"), ("TIMESTAMP", "FROMPARTS")):
    function(f"{_prefix.rstrip('_')}{_suffix}", f"{_prefix}NTZ{_suffix}")(_from_parts)

    @function(f"{_prefix}LTZ{_suffix}")
    def _ltz_from_parts(arguments: list[exp.Expr]) -> exp.Expr:
        return cast(_from_parts(arguments), _D.TIMESTAMPTZ)

    @function(f"{_prefix}TZ{_suffix}")
    def _tz_from_parts(arguments: list[exp.Expr]) -> exp.Expr:
        """In the zone that is named, or the session's."""
        made = _from_parts(arguments[:7])
        if len(arguments) > 7:
            there = duck("timezone", arguments[7], made)
            return of_pair(sf("pair_in_", there, arguments[7].copy()))
        return zoned(made)


@function("CONVERT_TIMEZONE")
def _convert_timezone(arguments: list[exp.Expr]) -> exp.Expr:
    """Of three arguments a TIMESTAMP_NTZ into one; of two any timestamp into a TIMESTAMP_TZ."""
    if len(arguments) == 3:
        source, target, value = arguments
        there = duck("timezone", source, moment(value))
        return sf("in_zone_", target, there)
    target, value = arguments
    pair = pair_of(value)
    at = value if pair is not None else cast(sf("to_timestamptz_", value), _D.TIMESTAMPTZ)
    return of_pair(sf("pair_in_", at, target))


@node(exp.DateFromParts)
def _date_from_parts(call: exp.DateFromParts) -> None:
    for key in ("year", "month", "day"):
        if call.args.get(key) is not None:
            call.set(key, whole(call.args[key]))


@function("TIME_FROM_PARTS", "TIMEFROMPARTS")
def _time_from_parts(arguments: list[exp.Expr]) -> exp.Expr:
    """Parts beyond their range carry over, past midnight too."""
    hour, minute, second, *rest = arguments
    return sf("time_of_parts_", hour, minute, second, rest[0] if rest else number(0))


@function("DAYNAME")
def _dayname(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("date_text_", moment(arguments[0]), text("%a"))


@function("MONTHNAME")
def _monthname(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("date_text_", moment(arguments[0]), text("%b"))


@function("MONTHS_BETWEEN")
def _months_between(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("months_between_", *map(moment, arguments))


@node(exp.TimeSlice)
def _time_slice(call: exp.TimeSlice) -> exp.Expr:
    """A slice of a DATE is a DATE."""
    of_weeks = unit_of(call.args["unit"]) == "week" and weeks.shift()
    kind = call.args.get("kind")
    if kind is not None and not isinstance(kind, exp.Literal):
        raise unsupported("TIME_SLICE to what is not a literal START or END", kind)

    def slice_(at: exp.Expr) -> exp.Expr:
        if of_weeks:
            at = moment(at)
            at_end = call.args.get("kind") is not None and call.args["kind"].name.upper() == "END"
            return duck("cast_to_type", weeks.slice_of(at, call.expression, at_end), at.copy())
        call.set("this", moment(at))
        return duck("cast_to_type", call, call.this.copy())

    return moved(call.this, slice_)
