"""TO_ and TRY_TO_ functions of texts and numbers."""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.formats import date_text, is_model
from proxy.sql.snowflake.number_models import decimal, printed, read
from proxy.sql.snowflake.registry import (
    cast,
    data_type,
    duck,
    function,
    sf,
    text,
    unsupported,
)
from proxy.sql.snowflake.semistructured import unquoted
from proxy.sql.snowflake.types import cast_to, check_digits
from proxy.sql.snowflake.zoned import clock, has_offset, offset, once, pair_of

_D = exp.DType
_BINARY_FORMATS = {"HEX": "hex", "UTF-8": "decode", "UTF8": "decode", "BASE64": "to_base64"}


@function("TO_CHAR", "TO_VARCHAR")
def _to_varchar(arguments: list[exp.Expr]) -> exp.Expr:
    value = arguments[0]
    if len(arguments) == 1:
        return cast_to(value, data_type(_D.VARCHAR)) or value
    model = arguments[1]
    if isinstance(model, exp.Literal) and model.is_string:
        binary = _BINARY_FORMATS.get(model.this.upper())
        if binary is not None:
            return duck(binary, value)
    if isinstance(model, exp.Literal) and model.is_string:
        number_text = printed(value, model)
        if number_text is not None:
            return number_text
    if not isinstance(model, exp.Literal) or not model.is_string:
        raise unsupported("a format that is not a literal", model)
    if not is_model(model.this):
        raise unsupported(f"the format '{model.this}' in TO_CHAR", model)
    spelled = model.this
    if isinstance(value, exp.Literal):
        value = sf("to_timestamp_", value)
    elif (pair := pair_of(value)) is not None:
        return once(pair, lambda p: date_text(clock(p), spelled, offset(p)) or text(""))
    return date_text(value, spelled) or text("")


def _number(arguments: list[exp.Expr], *, safe: bool) -> exp.Expr:
    value, rest = unquoted(arguments[0]), arguments[1:]
    if rest and isinstance(rest[0], exp.Literal) and rest[0].is_string:
        value, rest = read(value, rest[0], safe=safe), rest[1:]
    elif rest and not isinstance(rest[0], exp.Literal):
        raise unsupported("a number format that is not a literal", rest[0])
    elif not safe:
        check_digits(value)
    precision, scale = 38, 0
    if rest:
        precision = int(rest[0].name)
        scale = int(rest[1].name) if len(rest) > 1 else 0
    return decimal(value, precision, scale, safe=safe)


@function("TO_NUMBER", "TO_DECIMAL", "TO_NUMERIC")
def _to_number(arguments: list[exp.Expr]) -> exp.Expr:
    return _number(arguments, safe=False)


@function("TRY_TO_NUMBER", "TRY_TO_DECIMAL", "TRY_TO_NUMERIC")
def _try_to_number(arguments: list[exp.Expr]) -> exp.Expr:
    return _number(arguments, safe=True)


@function("TO_DOUBLE")
def _to_double(arguments: list[exp.Expr]) -> exp.Expr:
    value = arguments[0]
    if len(arguments) > 1:
        value = read(value, _literal(arguments[1]), safe=False)
    else:
        check_digits(value)
    return cast(value, _D.DOUBLE)


@function("TRY_TO_DOUBLE")
def _try_to_double(arguments: list[exp.Expr]) -> exp.Expr:
    value = arguments[0]
    if len(arguments) > 1:
        value = read(value, _literal(arguments[1]), safe=True)
    return exp.TryCast(this=value, to=data_type(_D.DOUBLE))


def _literal(model: exp.Expr) -> exp.Expr:
    if not isinstance(model, exp.Literal) or not model.is_string:
        raise unsupported("a number format that is not a literal", model)
    return model


_WAITS = {"MILLISECONDS": 1, "SECONDS": 1000, "MINUTES": 60_000, "HOURS": 3_600_000}
_WAITS["DAYS"] = 24 * _WAITS["HOURS"]


@function("SYSTEM$WAIT")
def _wait(arguments: list[exp.Expr]) -> exp.Expr:
    """Waits in the engine, where it can be cancelled, and says for how long."""
    amount, *units = arguments
    unit = units[0].name.upper() if units else "SECONDS"
    said = exp.DPipe(this=text("waited "), expression=cast(amount, _D.VARCHAR))
    said = exp.DPipe(this=said, expression=text(f" {unit.lower()}"))
    factor = exp.Literal.number(_WAITS[unit])
    pause = cast(exp.Mul(this=exp.Paren(this=amount.copy()), expression=factor), _D.BIGINT)
    slept = exp.Is(this=duck("sleep_ms", pause), expression=exp.Null())
    return exp.Case(ifs=[exp.If(this=slept, true=exp.Paren(this=said))])


@function("SYSTEM$TYPEOF")
def _system_typeof(arguments: list[exp.Expr]) -> exp.Expr:
    value = arguments[0]
    if isinstance(value, exp.Literal) and value.is_string:
        return text(f"VARCHAR({len(value.this)})[LOB]")
    if isinstance(value, exp.Literal) and value.this.isdigit():
        kind = text(f"DECIMAL({len(value.this)},0)")
        return sf("number_typeof_", kind)
    if has_offset(value):
        return text("TIMESTAMP_TZ(9)[SB16]")
    for kind, calls in _DOCUMENT_CALLS.items():
        if isinstance(value, exp.Anonymous) and value.this in calls:
            return text(f"{kind}[LOB]")
    if isinstance(value, exp.Cast) and value.to.this == _D.JSON and is_empty_object(value):
        return text("OBJECT[LOB]")
    return sf("system_typeof_", value)


def is_empty_object(value: exp.Cast) -> bool:
    """Whether a cast is what `{}` becomes."""
    return isinstance(value.this, exp.Literal) and value.this.this == "{}"


# What a rule or macro is known to give, where DuckDB knows of JSON alone.
_DOCUMENT_CALLS: dict[str, frozenset[str]] = {
    "ARRAY": frozenset(
        {
            *("json_array", "_sf.array_made_", "_sf.array_made_compact_"),
            *("_sf.to_array", "_sf.split", "_sf.array_compact"),
        }
    ),
    "OBJECT": frozenset({"_sf.object_of_", "_sf.object_with_nulls_", "_sf.to_object"}),
    "VARIANT": frozenset({"_sf.parse_json", "_sf.try_parse_json", "_sf.to_variant"}),
    "GEOGRAPHY": frozenset({"_sf.to_geography", "_sf.point_"}),
}
