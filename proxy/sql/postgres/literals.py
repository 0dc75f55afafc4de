"""String literals as Postgres reads them, for the type that the statement gives them.

Why it exists: DuckDB casts texts by rules of its own. It reads past what follows a date, takes `1.5`
for an integer by rounding, and knows no `1-2` as an interval and no `off` as a truth value. Here a
literal goes through the decoder that reads a parameter of the same type, and is written for DuckDB in
the one form in which it cannot be misunderstood.

Promises: the value is the one that Postgres has, or its error is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import position_of
from proxy.wire.decoders.values import (
    DATE_INFINITY,
    TIMESTAMP_INFINITY,
    Array,
    Bits,
    Date,
    Interval,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    Uuid,
)
from proxy.wire.params import TEXT, decode
from proxy.wire.types import BY_NAME, BY_OID

NAMES = {
    exp.DType.DATE: "date",
    **dict.fromkeys((exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ), "timestamp"),
    exp.DType.TIME: "time",
    exp.DType.INTERVAL: "interval",
    exp.DType.UUID: "uuid",
    exp.DType.BOOLEAN: "bool",
    **dict.fromkeys((exp.DType.VARBINARY, exp.DType.BINARY), "bytea"),
    exp.DType.SMALLINT: "int2",
    exp.DType.INT: "int4",
    exp.DType.BIGINT: "int8",
    exp.DType.FLOAT: "float4",
    exp.DType.DOUBLE: "float8",
}
"""Of types whose literals are read without more than their text: what Postgres calls them."""

_DAY = 86_400_000_000  # microseconds
_NOW = frozenset(("now", "today", "tomorrow", "yesterday"))
_MOMENTS = frozenset(("date", "time", "timetz", "timestamp", "timestamptz"))
_TEXTS = frozenset(("text", "varchar", "bpchar", "name", "char", "unknown", "cstring"))
_MOST_DIGITS = 38


def is_read(kind: str) -> bool:
    """Whether literals of a type are read here; texts are what they are."""
    known = BY_NAME.get(kind)
    return known is not None and kind not in _TEXTS and BY_NAME[_element(kind)].duck is not None


def _element(kind: str) -> str:
    return kind.removeprefix("_")


def read_literal(text: str, kind: str, zone: str = "UTC") -> exp.Expr:
    """DuckDB's expression for the literal `text` of a type. zone: the session's TimeZone.

    kind: one that `is_read`. Raises what Postgres raises for it, without a position.
    """
    if kind in _MOMENTS and text.strip().lower() in _NOW:
        return _of_today(text.strip().lower(), kind)
    known = BY_NAME[kind]
    value = decode(text.encode(), TEXT, known.oid, time_zone=zone)
    return _array(value) if isinstance(value, Array) else _written(value, kind)


def literal_of(literal: exp.Literal, kind: str, zone: str = "UTC") -> exp.Expr:
    """As `read_literal`; an error has the literal's position."""
    try:
        return read_literal(literal.this, kind, zone)
    except SqlError as error:
        if error.position is None:
            error.position = position_of(literal)
        raise


def constant(value: Any, kind: str) -> exp.Expr:
    """DuckDB's expression for a decoded value of a type."""
    if isinstance(value, Array):
        return _array(value)
    if value is not None and _element(kind) in _TEXTS:
        return exp.Cast(this=exp.Literal.string(value), to=duck_type("text"))
    if value is None and kind in _TEXTS:
        # Seen while a statement is bound, a NULL makes a number of what || gives.
        same = [exp.Literal.string("x"), exp.Literal.string("x")]
        return exp.Cast(this=exp.Anonymous(this="nullif", expressions=same), to=duck_type("text"))
    return _written(value, kind)


def _of_today(word: str, kind: str) -> exp.Expr:
    """What such a word means is known when the statement runs."""
    if word == "now":
        return cast(exp.Anonymous(this="now"), kind)
    made: exp.Expr = exp.Anonymous(this="today")
    if word != "today":
        by = exp.Literal.number(1)
        made = (exp.Add if word == "tomorrow" else exp.Sub)(this=made, expression=by)
    return cast(exp.Paren(this=made), kind)


def cast(value: exp.Expr, kind: str) -> exp.Cast:
    """A cast to the DuckDB type of one of Postgres's, which no rule looks at again."""
    made = exp.Cast(this=value, to=duck_type(kind))
    made.meta["plain"] = True
    return made


def duck_type(kind: str) -> exp.DataType:
    """DuckDB's type of one of Postgres's, without the digits of a numeric."""
    made = _built(_element(kind)).copy()
    if kind.startswith("_"):
        return exp.DataType(this=exp.DType.ARRAY, expressions=[made], nested=True)
    return made


@lru_cache
def _built(kind: str) -> exp.DataType:
    if kind == "jsonb":  # to sqlglot's DuckDB another name of json
        return exp.DataType(this=exp.DType.JSONB)
    return exp.DataType.build(BY_NAME[kind].duck or "", dialect="duckdb")


def _text_cast(text: str, kind: str) -> exp.Expr:
    return cast(exp.Literal.string(text), kind)


def _written(value: Any, kind: str) -> exp.Expr:
    if value is None:
        return cast(exp.Null(), kind)
    return _WRITERS[kind](value)


def _array(value: Array) -> exp.Expr:
    element = BY_OID[value.element].name

    def items(one: tuple) -> exp.Expr:
        return exp.Array(
            expressions=[
                items(item) if isinstance(item, tuple) and type(item) is tuple else of(item)
                for item in one
            ]
        )

    def of(item: Any) -> exp.Expr:
        if element in _TEXTS and item is not None:
            return exp.Literal.string(item)
        return _written(item, element)

    if element == "numeric":
        return items(value.items)
    made = cast(items(value.items), "_" + element)
    for _ in range(len(value.dims) - 1):
        made.set("to", exp.DataType(this=exp.DType.ARRAY, expressions=[made.to], nested=True))
    return made


def _civil(days: int) -> str:
    """A day as DuckDB spells it; days: since 1970-01-01."""
    # Howard Hinnant's civil_from_days: years begin in March, eras have 400 years.
    shifted = days + 719_468
    era, of_era = divmod(shifted, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    day_of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    index = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * index + 2) // 5 + 1
    month = index + 3 if index < 10 else index - 9
    year = year_of_era + era * 400 + (month <= 2)
    era_name = "" if year > 0 else " (BC)"
    return f"{year if year > 0 else 1 - year:04}-{month:02}-{day:02}{era_name}"


def _clock(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}" + (f".{fraction:06}" if fraction else "")


def _infinite(value: int, end: int) -> str | None:
    return {end: "infinity", -end: "-infinity"}.get(value)


def _date(value: Date) -> exp.Expr:
    return _text_cast(_infinite(value.days, DATE_INFINITY) or _civil(value.days), "date")


def _moment(micros: int) -> str:
    if (word := _infinite(micros, TIMESTAMP_INFINITY)) is not None:
        return word
    days, clock = divmod(micros, _DAY)
    return f"{_civil(days)} {_clock(clock)}"


def _timestamp_tz(value: TimestampTz) -> exp.Expr:
    text = _moment(value.micros)
    return _text_cast(text if text.endswith("infinity") else text + "+00", "timestamptz")


def _time_tz(value: TimeTz) -> exp.Expr:
    sign = "-" if value.offset < 0 else "+"
    return _text_cast(_clock(value.micros) + sign + _clock(abs(value.offset) * 1_000_000), "timetz")


def _interval(value: Interval) -> exp.Expr:
    text = f"{value.months} months {value.days} days {value.micros} microseconds"
    return _text_cast(text, "interval")


def _uuid(value: Uuid) -> exp.Expr:
    digits = f"{value.bits:032x}"
    cuts = (0, 8, 12, 16, 20, 32)
    spelled = "-".join(digits[a:b] for a, b in pairwise(cuts))
    return _text_cast(spelled, "uuid")


def _bits(value: Bits) -> exp.Expr:
    number = int.from_bytes(value.data, "big") >> (-value.count % 8)
    return _text_cast(f"{number:0{value.count}b}" if value.count else "", "varbit")


def _numeric(value: Decimal) -> exp.Expr:
    if not value.is_finite():
        raise SqlError(
            "22003",
            f"the numeric value {value} is not supported on analytical tables",
            detail="DuckDB's DECIMAL has neither NaN nor infinity.",
        )
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    scale = max(-exponent, 0)
    width = max(len(digits) + max(exponent, 0), scale, 1)
    if width > _MOST_DIGITS:
        raise SqlError(
            "22003",
            "numeric field overflow",
            detail=f"A DECIMAL holds {_MOST_DIGITS} digits in all.",
        )
    sizes = [exp.DataTypeParam(this=exp.Literal.number(n)) for n in (width, scale)]
    to = exp.DataType(this=exp.DType.DECIMAL, expressions=sizes)
    # In brackets: nobody wrote these sizes (see `proxy.sql.lengths`).
    made = exp.Cast(this=exp.Paren(this=exp.Literal.string(f"{value:f}")), to=to)
    made.meta["plain"] = True
    return made


def _bytes(value: bytes) -> exp.Expr:
    return exp.Anonymous(this="unhex", expressions=[exp.Literal.string(value.hex())])


def _whole(kind: str) -> Callable[[int], exp.Expr]:
    return lambda value: cast(exp.Literal.string(str(value)), kind)


def _float(kind: str) -> Callable[[float], exp.Expr]:
    return lambda value: cast(exp.Literal.string(repr(value)), kind)


# name of the type -> how a value of it is written for DuckDB
_WRITERS: dict[str, Callable[[Any], exp.Expr]] = {
    "bool": lambda value: cast(exp.Boolean(this=value), "bool"),
    **{kind: _whole(kind) for kind in ("int2", "int4", "int8", "oid")},
    **{kind: _float(kind) for kind in ("float4", "float8")},
    "numeric": _numeric,
    "date": _date,
    "time": lambda value: _text_cast(_clock(Time(*value).micros), "time"),
    "timetz": _time_tz,
    "timestamp": lambda value: _text_cast(_moment(Timestamp(*value).micros), "timestamp"),
    "timestamptz": _timestamp_tz,
    "interval": _interval,
    "uuid": _uuid,
    "bytea": _bytes,
    "json": lambda value: _text_cast(value, "json"),
    "jsonb": lambda value: _text_cast(value, "jsonb"),
    **dict.fromkeys(("bit", "varbit"), _bits),
}
