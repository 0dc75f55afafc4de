"""TO_ and TRY_TO_ functions of texts and numbers."""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.formats import strftime_model
from proxy.sql.snowflake.registry import (
    cast,
    data_type,
    duck,
    function,
    number,
    sf,
    text,
    unsupported,
)
from proxy.sql.snowflake.types import cast_to, has_offset

_D = exp.DType
_BINARY_FORMATS = {"HEX": "hex", "UTF-8": "decode", "UTF8": "decode", "BASE64": "to_base64"}


@function("TO_CHAR", "TO_VARCHAR")
def _to_varchar(arguments: list[exp.Expr]) -> exp.Expr:
    value = arguments[0]
    if len(arguments) == 1:
        return cast_to(value, data_type(_D.VARCHAR)) or value
    if has_offset(value):
        raise unsupported("the text of a TIMESTAMP_TZ with its offset", value)
    model = arguments[1]
    if isinstance(model, exp.Literal) and model.is_string:
        binary = _BINARY_FORMATS.get(model.this.upper())
        if binary is not None:
            return duck(binary, value)
    spelled = strftime_model(model, reading=False)
    if spelled is None:
        raise unsupported("a number format in TO_CHAR", model)
    if isinstance(value, exp.Literal):
        value = sf("to_timestamp_", value)
    return duck("strftime", value, text(spelled))


_MARKS = frozenset("90,.$")


def _by_model(value: exp.Expr, model: exp.Expr, *, safe: bool) -> exp.Expr:
    """The digits of a text that follows a model of 9, 0, comma, point and $, or of X alone."""
    written = model.this.upper()
    if written and set(written) == {"X"}:
        digits = sf("hexadecimal_", value, number(len(written)))
    elif set(written) <= _MARKS and written.count(".") <= 1:
        whole, point, fraction = written.partition(".")
        currency = "\\$?" if "$" in written else ""
        grouped = "[0-9,]*" if "," in written else "[0-9]*"
        after = f"(\\.[0-9]{{0,{len(fraction)}}})?" if point else ""
        pattern = f"\\s*[+-]?{currency}{grouped}{after}\\s*"
        most = sum(mark in "90" for mark in whole)
        digits = sf("digits_", value, text(pattern), number(most))
    else:
        raise unsupported("this number format", model)
    return digits if safe else sf("must_be_number_", digits, value.copy())


def _number(arguments: list[exp.Expr], *, safe: bool) -> exp.Expr:
    value, rest = arguments[0], arguments[1:]
    if rest and isinstance(rest[0], exp.Literal) and rest[0].is_string:
        value, rest = _by_model(value, rest[0], safe=safe), rest[1:]
    elif rest and not isinstance(rest[0], exp.Literal):
        raise unsupported("a number format that is not a literal", rest[0])
    precision, scale = 38, 0
    if rest:
        precision = int(rest[0].name)
        scale = int(rest[1].name) if len(rest) > 1 else 0
    if safe:
        return exp.TryCast(this=value, to=data_type(_D.DECIMAL, precision, scale))
    return cast(value, _D.DECIMAL, precision, scale)


@function("TO_NUMBER", "TO_DECIMAL", "TO_NUMERIC")
def _to_number(arguments: list[exp.Expr]) -> exp.Expr:
    return _number(arguments, safe=False)


@function("TRY_TO_NUMBER", "TRY_TO_DECIMAL", "TRY_TO_NUMERIC")
def _try_to_number(arguments: list[exp.Expr]) -> exp.Expr:
    return _number(arguments, safe=True)


@function("TO_DOUBLE")
def _to_double(arguments: list[exp.Expr]) -> exp.Expr:
    if len(arguments) > 1:
        raise unsupported("a number format in TO_DOUBLE", arguments[1])
    return cast(arguments[0], _D.DOUBLE)


@function("TRY_TO_DOUBLE")
def _try_to_double(arguments: list[exp.Expr]) -> exp.Expr:
    if len(arguments) > 1:
        raise unsupported("a number format in TRY_TO_DOUBLE", arguments[1])
    return exp.TryCast(this=arguments[0], to=data_type(_D.DOUBLE))
