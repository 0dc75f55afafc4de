"""The types that functions are declared with, and by which they are told apart."""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.snowflake.types import INTEGERS, TEXTS


def parsed(text: str) -> exp.Expr:
    """A statement of Snowflake's."""
    return SNOWFLAKE.parse(text, SNOWFLAKE.tokenize(text))


def type_of(text: str) -> exp.DataType:
    """The type that a parameter or result was declared with."""
    cast = parsed(f"SELECT CAST(NULL AS {text})").expressions[0]
    if not isinstance(cast, exp.Cast) or not isinstance(cast.to, exp.DataType):
        raise SqlError("42704", f'type "{text}" does not exist')
    return cast.to


_KINDS: dict[exp.DType, str] = {
    **dict.fromkeys((*INTEGERS, exp.DType.DECIMAL, exp.DType.TINYINT), "NUMBER"),
    **dict.fromkeys(TEXTS, "VARCHAR"),
    **dict.fromkeys((exp.DType.FLOAT, exp.DType.DOUBLE), "FLOAT"),
    **dict.fromkeys((exp.DType.BINARY, exp.DType.VARBINARY), "BINARY"),
    **dict.fromkeys(
        (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.DATETIME), "TIMESTAMP_NTZ"
    ),
    exp.DType.TIMESTAMPLTZ: "TIMESTAMP_LTZ",
    exp.DType.TIMESTAMPTZ: "TIMESTAMP_TZ",
}


def kind_of(text: str) -> str:
    """A declared type as Snowflake tells functions apart by it: without its sizes."""
    kind = type_of(text).this
    return _KINDS.get(kind, kind.value)
