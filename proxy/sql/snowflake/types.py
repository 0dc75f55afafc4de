"""Types and casts.

Snowflake's integers are all NUMBER(38, 0); they are carried as BIGINT, so that Postgres clients see
integers, and a value that does not fit raises. Postgres's own spellings (int2, int4) mean what they
name, and `type[]` is a list, as Snowflake's structured ARRAY(type) is. VARIANT, OBJECT and ARRAY are carried as JSON. A
column may hold a VARIANT without the syntax saying so: casts of columns go through macros that
look at the type when DuckDB binds them.

TIMESTAMP_TZ is kept as its instant, as Postgres's timestamptz is: the offset that it was written with
is lost. Of one made on the spot (a cast, TO_TIMESTAMP_TZ) what would show the offset is refused; a
column's dates, hours and texts are those of the session's zone, as a TIMESTAMP_LTZ column's are.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.postgres_arrays import literal_array
from proxy.sql.postgres_values import MOMENTS, to_moment
from proxy.sql.snowflake.known import convert
from proxy.sql.snowflake.registry import cast, duck, node, number, sf, unsupported

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
    _D.JSONB: _D.JSON,
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
    what = kind.this
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
_TEXT_CALLS = frozenset({"json_extract_string", "_sf.to_varchar_", "strftime", "chr"})


def as_text(value: exp.Expr) -> exp.Expr:
    """A value where a text is wanted: what may be none yet is cast as Snowflake casts it."""
    inner = value
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if _is_text(inner) or isinstance(inner, (*_TEXT_NODES, exp.Null)):
        return value
    if isinstance(inner, exp.Anonymous) and inner.this in _TEXT_CALLS:
        return value
    return convert("to_varchar_", value)


def _to_text(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    if has_offset(value):
        raise unsupported("the text of a TIMESTAMP_TZ with its offset", value)
    name = value.this if isinstance(value, exp.Anonymous) else None
    if _is_text(value) or (_is_number(value) and "e" not in value.name.lower()):
        made: exp.Expr = cast(value, _D.VARCHAR)
    elif name == "json_extract":
        value.set("this", "json_extract_string")
        made = value
    elif name == "json_extract_string":
        made = value
    else:
        made = convert("to_varchar_", value)
    length = length_of(kind)
    return made if length is None else sf("checked_length_", made, number(length))


def _to_integer(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    if _is_number(value) or isinstance(value, _EXACT):
        return cast(value, kind.this)
    made = sf("to_int_", value)
    return made if kind.this == _D.BIGINT else cast(made, kind.this)


def _macro(name: str) -> Callable[[exp.Expr, exp.DataType], exp.Expr]:
    return lambda value, kind: convert(name, value)


def _to_timestamptz(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    made = cast(sf("to_timestamptz_", value), _D.TIMESTAMPTZ)
    made.meta["offset"] = kind.this == _D.TIMESTAMPTZ
    return made


def has_offset(value: exp.Expr) -> bool:
    """Whether a value is a TIMESTAMP_TZ made on the spot: its offset is lost, and must not show."""
    return bool(isinstance(value, exp.Cast) and value._meta and value._meta.get("offset"))


STRUCTURED: dict[exp.DType, Callable[[exp.Expr, exp.DataType], exp.Expr]] = {}
"""Casts to types with parts; see `structured`."""

_CASTS: dict[exp.DType, Callable[[exp.Expr, exp.DataType], exp.Expr]] = {
    **dict.fromkeys(TEXTS, _to_text),
    **dict.fromkeys(INTEGERS, _to_integer),
    _D.BOOLEAN: _macro("to_boolean"),
    _D.DATE: _macro("to_date_"),
    _D.TIME: _macro("to_time_"),
    _D.TIMESTAMP: _macro("to_timestamp_"),
    _D.TIMESTAMPNTZ: _macro("to_timestamp_"),
    _D.DATETIME: _macro("to_timestamp_"),
    _D.TIMESTAMPLTZ: _to_timestamptz,
    _D.TIMESTAMPTZ: _to_timestamptz,
    _D.BINARY: _macro("to_binary"),
    _D.VARBINARY: _macro("to_binary"),
    _D.VARIANT: _macro("to_variant"),
    _D.OBJECT: _macro("to_object"),
    _D.MAP: _macro("to_object"),
    _D.ARRAY: _macro("to_array"),
    _D.GEOGRAPHY: _macro("to_geography"),
}


_CALENDAR_TYPES = frozenset({_D.DATE, _D.TIME, _D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.DATETIME})


def cast_to(value: exp.Expr, kind: exp.DataType) -> exp.Expr | None:
    """Snowflake's cast of `value`; None where DuckDB's own is the same."""
    if isinstance(value, (exp.Null, exp.Parameter)):
        if kind.this in INTEGERS:
            return None
        made = carrier(kind)
        return exp.Cast(this=value, to=made) if made is not None else None
    if kind.expressions and kind.this in STRUCTURED:
        return STRUCTURED[kind.this](value, kind)
    if has_offset(value) and kind.this in _CALENDAR_TYPES:
        raise unsupported("a TIMESTAMP_TZ with its offset as a date or time", value)
    if kind.this in MOMENTS and (era := to_moment(value, kind)) is not None:
        value.set("this", era.this)
    how = _CASTS.get(kind.this)
    if how is not None and not (kind.this == _D.ARRAY and kind.expressions):
        return how(value, kind)
    if kind.this == _D.ARRAY and (listed := literal_array(value, kind)) is not None:
        return exp.Cast(this=listed, to=carrier(kind) or kind)
    made = carrier(kind)
    return exp.Cast(this=value, to=made) if made is not None else None


@node(exp.Cast)
def _cast(node: exp.Cast) -> exp.Expr | None:
    if node._meta and node._meta.get("plain"):
        return None
    kind = node.args["to"]
    if not isinstance(kind, exp.DataType):
        return None
    if node.args.get("format") is not None:
        raise unsupported("CAST with FORMAT", node)
    return cast_to(node.this, kind)


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
    name = _TRIED.get(kind.this)
    if name is not None:
        return sf(name, value)
    if kind.this in TEXTS:
        made = convert("to_varchar_", value)
        length = length_of(kind)
        return made if length is None else sf("text_if_fits_", made, number(length))
    made = cast_to(value, kind)
    return duck("TRY", made) if made is not None else None
