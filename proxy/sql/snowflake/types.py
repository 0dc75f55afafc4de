"""Types and casts.

Snowflake's integers are all NUMBER(38, 0); they are carried as BIGINT, so that Postgres clients see
integers, and a value that does not fit raises. Postgres's own spellings (int2, int4) mean what they
name, and `type[]` is a list, as Snowflake's structured ARRAY(type) is. VARIANT, OBJECT and ARRAY are carried as JSON. A
column may hold a VARIANT without the syntax saying so: casts of columns go through macros that
look at the type when DuckDB binds them.

A TIMESTAMP_TZ column keeps instants, as Postgres's timestamptz does: its dates, hours and texts are
those of the session's zone, as a TIMESTAMP_LTZ column's are. One made in a statement keeps the offset
that it was written with (`zoned`). Timestamps have microseconds; one that is cast from a literal with
more digits keeps them as long as nothing is calculated with it.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.postgres.values import MOMENTS, holds_aggregate, to_moment
from proxy.sql.reading import position_of
from proxy.sql.snowflake.formats import date_text
from proxy.sql.snowflake.in_force import changed
from proxy.sql.snowflake.in_force import value as value_of
from proxy.sql.snowflake.registry import (
    cast,
    duck,
    function,
    node,
    number,
    sf,
    text,
    unsupported,
)
from proxy.sql.snowflake.semistructured import TO_VARIANT, XML_CALLS, placed, scalar_text
from proxy.sql.snowflake.semistructured import as_text as text_of_variant
from proxy.sql.snowflake.zoned import (
    clock,
    has_offset,
    moved,
    of_pair,
    offset,
    once,
    pair_of,
    zoned,
)

_D = exp.DType

INTEGERS = frozenset({_D.BIGINT, _D.INT, _D.SMALLINT})
TEXTS = frozenset({_D.VARCHAR, _D.TEXT, _D.CHAR, _D.NCHAR, _D.NVARCHAR, _D.BPCHAR})
_JSON = frozenset({_D.VARIANT, _D.OBJECT, _D.ARRAY, _D.MAP, _D.STRUCT, _D.NESTED})
_MAX_TEXT = 16_777_216

_CARRIERS: dict[exp.DType, exp.DType] = {
    **dict.fromkeys(TEXTS, _D.VARCHAR),
    **dict.fromkeys(_JSON, _D.JSON),
    _D.TIMESTAMPNTZ: _D.TIMESTAMP,
    _D.DATETIME: _D.TIMESTAMP,
    _D.TIMESTAMPLTZ: _D.TIMESTAMPTZ,
    _D.TIMESTAMPTZ: _D.TIMESTAMPTZ,
    _D.BINARY: _D.VARBINARY,
    _D.FLOAT: _D.DOUBLE,
    _D.GEOGRAPHY: _D.JSON,
}
_REFUSED: dict[exp.DType, str] = {
    _D.GEOMETRY: "type GEOMETRY",
    _D.FILE: "type FILE",
    _D.DECFLOAT: "type DECFLOAT",
}


def _size(parameter: exp.Expr) -> int:
    if not parameter.name.isdigit():
        raise SqlError("42601", f'"{parameter.name}" is not a size of a type')
    return int(parameter.name)


def length_of(kind: exp.DataType) -> int | None:
    """n of VARCHAR(n), None where it does not limit; CHAR alone is CHAR(1)."""
    if kind.expressions:
        length = _size(kind.expressions[0])
        return length if length < _MAX_TEXT else None
    return 1 if kind.this in (_D.CHAR, _D.NCHAR) else None


def carrier(kind: exp.DataType) -> exp.DataType | None:
    """The DuckDB type that carries a Snowflake type; None if it is that type itself."""
    what = mapped(kind).this
    refused = _REFUSED.get(what)
    if refused is not None:
        raise unsupported(refused, kind)
    if what == _D.VECTOR:
        if len(kind.expressions) != 2:
            raise unsupported("type VECTOR without element type and dimension", kind)
        element, dimension = kind.expressions
        inner = _D.INT if element.this in INTEGERS else _D.FLOAT
        size = exp.DataTypeParam(this=number(_size(dimension)))
        return exp.DataType(
            this=_D.ARRAY, nested=True, expressions=[exp.DataType(this=inner)], values=[size.this]
        )
    if what == _D.ARRAY and kind.expressions:
        element = kind.expressions[0]
        inner = carrier(element) if isinstance(element, exp.DataType) else None
        return exp.DataType(this=_D.ARRAY, nested=True, expressions=[inner or element])
    other = _CARRIERS.get(what)
    return exp.DataType(this=other) if other is not None else None


@node(exp.DataType)
def _data_type(kind: exp.DataType) -> exp.Expr | None:
    if isinstance(kind.parent, (exp.Cast, exp.DataType, exp.ColumnDef, exp.AlterColumn)):
        # Casts and columns look at the declared type themselves.
        return None
    return carrier(kind)


def _is_text(value: exp.Expr) -> bool:
    return isinstance(value, exp.Literal) and value.is_string


def _is_number(value: exp.Expr) -> bool:
    return isinstance(value, exp.Literal) and not value.is_string


_EXACT = (exp.Add, exp.Sub, exp.Mul, exp.Count, exp.Boolean)


_TEXT_NODES = (exp.DPipe, exp.Concat, exp.Upper, exp.Lower, exp.Trim, exp.Substring, exp.RawString)
_TEXT_CALLS = frozenset({"variant_text_", "_sf.to_varchar_", "strftime", "chr"})


def as_text(value: exp.Expr) -> exp.Expr:
    """A value where a text is wanted: what may be none yet is cast as Snowflake casts it."""
    inner = value
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if _is_text(inner) or isinstance(inner, (*_TEXT_NODES, exp.Null)):
        return value
    if isinstance(inner, exp.Anonymous) and inner.this in _TEXT_CALLS:
        return value
    return default_text(value)


def _to_text(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    name = value.this if isinstance(value, exp.Anonymous) else None
    if _is_text(value) or (_is_number(value) and "e" not in value.name.lower()):
        made: exp.Expr = cast(value, _D.VARCHAR)
    elif isinstance(value, exp.Anonymous) and (name == "variant_path_" or name in XML_CALLS):
        made = text_of_variant(value)
    elif name == "variant_text_":
        made = value
    else:
        made = default_text(value)
    length = length_of(kind)
    return made if length is None else sf("checked_length_", made, number(length))


_OUTPUT_FORMATS = (
    "date_output_format",
    "time_output_format",
    "timestamp_ntz_output_format",
    "timestamp_ltz_output_format",
    "timestamp_output_format",
    "timestamp_tz_output_format",
)


def _model(name: str) -> str:
    return value_of(name) or value_of("timestamp_output_format")


def default_text(value: exp.Expr) -> exp.Expr:
    """A value's text in the formats that the session has set."""
    pair = pair_of(value)
    if pair is not None:
        model = _model("timestamp_tz_output_format")
        return once(pair, lambda p: date_text(clock(p), model, offset(p)) or text(""))
    if is_finer(value):
        return date_text(value, _model("timestamp_ntz_output_format")) or value
    if changed("binary_output_format"):
        value = sf("base64_text_", value)
    if not changed(*_OUTPUT_FORMATS):
        return sf("to_varchar_", value)
    texts = [
        date_text(sf(f"as_{kind}_", value.copy()), model) or text("")
        for kind, model in (
            ("date", value_of("date_output_format")),
            ("time", value_of("time_output_format")),
            ("ntz", _model("timestamp_ntz_output_format")),
            ("ltz", _model("timestamp_ltz_output_format")),
        )
    ]
    return sf("text_by_type_", value, *texts)


def _to_integer(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    if _is_number(value) or isinstance(value, _EXACT):
        return cast(value, kind.this)
    made = sf("to_int_", value)
    return made if kind.this == _D.BIGINT else cast(made, kind.this)


def _macro(name: str) -> Callable[[exp.Expr, exp.DataType], exp.Expr]:
    return lambda value, kind: sf(name, value)


def _to_timestamptz(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    if kind.this == _D.TIMESTAMPTZ:
        return value if has_offset(value) else zoned(value)
    moment = value if has_offset(value) else sf("to_timestamptz_", value)
    return cast(moment, _D.TIMESTAMPTZ)


_MAPPED = {"TIMESTAMP_LTZ": _D.TIMESTAMPLTZ, "TIMESTAMP_TZ": _D.TIMESTAMPTZ}


def mapped(kind: exp.DataType) -> exp.DataType:
    """TIMESTAMP is what TIMESTAMP_TYPE_MAPPING says."""
    if kind.this == _D.TIMESTAMP and changed("timestamp_type_mapping"):
        return exp.DataType(this=_MAPPED[value_of("timestamp_type_mapping")])
    return kind


def _has_nanoseconds(literal: str) -> bool:
    """Whether a text has digits of a second that a TIMESTAMP would lose."""
    _, _, rest = literal.rpartition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return ":" in literal and bool(digits[6:9].strip("0"))


def is_finer(value: exp.Expr) -> bool:
    """Whether a value is known to be a timestamp of nanoseconds."""
    while isinstance(value, exp.Paren):
        value = value.this
    return isinstance(value, exp.Cast) and value.to.this == _D.TIMESTAMP_NS


def _to_timestamp(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    if is_finer(value):
        return value
    if _is_text(value) and _has_nanoseconds(value.this):
        return cast(sf("without_offset_", value), _D.TIMESTAMP_NS)
    return sf("to_timestamp_", value)


def _to_binary(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    if changed("binary_input_format"):
        return sf("to_binary", value, text(value_of("binary_input_format")))
    return sf("to_binary", value)


def _to_variant(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    """A timestamp with its offset is its text; what it is else, the macro sees."""
    if has_offset(value):
        return sf("zoned_variant_", value, default_text(value))
    if isinstance(value, exp.Null):
        return cast(value, _D.JSON)
    return sf("to_variant", value)


TO_VARIANT.append(lambda value: _to_variant(value, exp.DataType(this=_D.VARIANT)))


@function("TO_VARIANT")
def _variant_of(arguments: list[exp.Expr]) -> exp.Expr:
    (value,) = arguments
    return _to_variant(value, exp.DataType(this=_D.VARIANT))


@function("TO_BINARY")
def _binary_of(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("to_binary", *arguments) if len(arguments) > 1 else _to_binary(arguments[0], _BINARY)


@function("TRY_TO_BINARY")
def _try_binary_of(arguments: list[exp.Expr]) -> exp.Expr:
    value, *format_ = arguments
    return sf(
        "try_to_binary", scalar_text(value), *(format_ or [text(value_of("binary_input_format"))])
    )


_BINARY = exp.DataType(this=_D.VARBINARY)


STRUCTURED: dict[exp.DType, Callable[[exp.Expr, exp.DataType], exp.Expr]] = {}
"""Casts to types with parts; see `structured`."""


def _to_jsonb(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    """Not Snowflake's, but Postgres's drivers write it: a document as Postgres keeps it."""
    return cast(value if _is_text(value) else sf("document_", value), _D.JSONB)


_CASTS: dict[exp.DType, Callable[[exp.Expr, exp.DataType], exp.Expr]] = {
    _D.JSONB: _to_jsonb,
    **dict.fromkeys(TEXTS, _to_text),
    **dict.fromkeys(INTEGERS, _to_integer),
    _D.BOOLEAN: _macro("to_boolean"),
    _D.DATE: _macro("to_date_"),
    _D.TIME: _macro("to_time_"),
    _D.TIMESTAMP: _to_timestamp,
    _D.TIMESTAMPNTZ: _to_timestamp,
    _D.DATETIME: _to_timestamp,
    _D.TIMESTAMPLTZ: _to_timestamptz,
    _D.TIMESTAMPTZ: _to_timestamptz,
    _D.BINARY: _to_binary,
    _D.VARBINARY: _to_binary,
    _D.VARIANT: _to_variant,
    _D.OBJECT: _macro("to_object"),
    _D.MAP: _macro("to_object"),
    _D.ARRAY: _macro("to_array"),
    _D.GEOGRAPHY: _macro("to_geography"),
}


_CALENDAR_TYPES = frozenset({_D.DATE, _D.TIME, _D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.DATETIME})


_CUT_TO = {0: "second", 3: "millisecond"}
_TIMED = frozenset(
    {_D.TIME, _D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.TIMESTAMPLTZ, _D.TIMESTAMPTZ, _D.DATETIME}
)


def cast_to(value: exp.Expr, kind: exp.DataType) -> exp.Expr | None:
    """Snowflake's cast of `value`; None where DuckDB's own is the same.

    Raises 0A000 for a TIME or TIMESTAMP of a number of digits to which none is cut here.
    """
    digits = precision_of(kind)
    if digits is None:
        return _cast_to(value, kind)
    if digits not in _CUT_TO:
        raise unsupported(f"a cast to a time with {digits} digits", kind)
    made = _cast_to(value, exp.DataType(this=kind.this)) or exp.Cast(this=value, to=kind)
    return moved(made, lambda at: sf("date_trunc_", text(_CUT_TO[digits]), at))


def precision_of(kind: exp.DataType) -> int | None:
    """How many digits of a second's fraction a TIME or TIMESTAMP keeps, where it is fewer than six."""
    if not kind.expressions or kind.this not in _TIMED:
        return None
    size = kind.expressions[0].name
    return int(size) if size.isdigit() and int(size) < 6 else None


def _cast_to(value: exp.Expr, kind: exp.DataType) -> exp.Expr | None:
    if isinstance(value, (exp.Null, exp.Parameter)):
        if kind.this in INTEGERS:
            return None
        if kind.this == _D.VARIANT and isinstance(value, exp.Parameter):
            return sf("to_variant", value)
        made = carrier(kind)
        return exp.Cast(this=value, to=made) if made is not None else None
    if kind.expressions and kind.this in STRUCTURED:
        return STRUCTURED[kind.this](value, kind)
    kind = mapped(kind)
    what = kind.this
    if what in _INPUT_FORMATS:
        if (pair := pair_of(value)) is not None and what in _CALENDAR_TYPES:
            value = clock(pair)
        if (model := _input_model(what, value)) is not None:
            return model
        if what in MOMENTS and (era := to_moment(value, kind)) is not None:
            value.set("this", era.this)
    elif _is_text(value) and what in _NUMBERS:
        check_digits(value)
    how = _CASTS.get(what)
    if how is not None:
        return how(value, kind)
    made = carrier(kind)
    return exp.Cast(this=value, to=made) if made is not None else None


_NUMBERS = frozenset({*INTEGERS, _D.DECIMAL, _D.DOUBLE, _D.FLOAT})


def check_digits(value: exp.Expr) -> None:
    """Raises 22P02 for a literal text that is a number to DuckDB alone: `1_000`, `0x1F`."""
    if _is_text(value) and not _NOT_DIGITS.isdisjoint(value.this):
        message = f"Numeric value '{value.this}' is not recognized"
        raise SqlError("22P02", message, position=position_of(value))


_NOT_DIGITS = frozenset("_xX")


_INPUT_FORMATS: dict[exp.DType, str] = {
    _D.DATE: "date_input_format",
    _D.TIME: "time_input_format",
    _D.TIMESTAMP: "timestamp_input_format",
    _D.TIMESTAMPNTZ: "timestamp_input_format",
    _D.DATETIME: "timestamp_input_format",
    _D.TIMESTAMPLTZ: "timestamp_input_format",
    _D.TIMESTAMPTZ: "timestamp_input_format",
}
_FORMATS = frozenset(_INPUT_FORMATS.values())
READ_BY_MODEL: list[Callable[[exp.DType, exp.Expr, str], exp.Expr]] = []
"""Reads a text by a model; `datetime` puts it here."""


def _input_model(kind: exp.DType, value: exp.Expr) -> exp.Expr | None:
    """A text literal as the session's input format has it, None where it is AUTO."""
    if not changed(*_FORMATS):
        return None
    name = _INPUT_FORMATS[kind]
    if value_of(name).upper() == "AUTO":
        return None
    if not _is_text(value):
        if isinstance(value, (exp.Cast, exp.Anonymous)):
            return None
        raise unsupported(f"{name.upper()} for what is not a literal", value)
    return READ_BY_MODEL[0](kind, value, value_of(name))


@node(exp.Cast)
def _cast(node: exp.Cast) -> exp.Expr | None:
    if node._meta and node._meta.get("plain"):
        return None
    kind = node.args["to"]
    if not isinstance(kind, exp.DataType):
        return None
    if node.args.get("format") is not None:
        raise unsupported("CAST with FORMAT", node)
    made = cast_to(node.this, kind)
    return placed(made, node) if made is not None else None


_TRIED: dict[exp.DType, str] = {
    **dict.fromkeys(INTEGERS, "try_to_int_"),
    _D.BOOLEAN: "try_to_boolean",
    _D.BINARY: "try_to_binary",
    _D.VARBINARY: "try_to_binary",
}


@node(exp.TryCast)
def _try_cast(node: exp.TryCast) -> exp.Expr | None:
    kind = node.args["to"]
    if not isinstance(kind, exp.DataType):
        return None
    return try_cast_to(node.this, kind)


def try_cast_to(value: exp.Expr, kind: exp.DataType) -> exp.Expr | None:
    """TRY_CAST: NULL where the cast would raise; None where DuckDB's own is the same."""
    if holds_aggregate(value):
        # DuckDB's TRY takes no aggregate: a lambda's variable stands for it.
        variable = exp.Identifier(this="_tried")
        column = exp.Column(this=variable)
        tried = try_cast_to(column, kind) or exp.TryCast(this=column, to=kind)
        function = exp.Lambda(this=tried, expressions=[variable.copy()])
        listed = duck("list_transform", duck("list_value", value), function)
        return duck("list_extract", listed, number(1))
    name = _TRIED.get(kind.this)
    if name is not None:
        return sf(name, value)
    if isinstance(value, exp.Parameter):
        value = cast(value, _D.VARCHAR)  # it may be no value of that type
    if kind.this in TEXTS:
        made = default_text(value)
        length = length_of(kind)
        return made if length is None else sf("text_if_fits_", made, number(length))
    try:
        made = cast_to(value, kind)
    except SqlError as error:
        if not error.sqlstate.startswith("22"):
            raise
        return cast(exp.Null(), (carrier(kind) or kind).this)  # a literal that is no such value
    if made is not None and (pair := pair_of(made)) is not None:
        return of_pair(duck("TRY", pair))
    return duck("TRY", made) if made is not None else None
