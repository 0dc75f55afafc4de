"""From text to a column's type, as loading does it: SQL for the value and for what is wrong with it.

Each conversion is an expression of Snowflake's that gives NULL where the text is none of the type, so
that one query tells the good records from the wrong ones and another inserts the good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proxy.errors import SqlError
from proxy.sql.quoting import literal
from proxy.sql.snowflake.file_formats import FileFormat
from proxy.wire.types import SPELLED, DuckType

_WHOLE = frozenset(
    {
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    }
)
_FAST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Column:
    """Of the table that is loaded. length: of varchar(n), 0 for none."""

    name: str
    duck: DuckType
    nullable: bool = True
    length: int = 0


def snowflake_value(text: str, column: Column, format_: FileFormat) -> str:
    """An expression in Snowflake's SQL for the value of a text, NULL where it is none.

    Raises 0A000 for types that no text is loaded into.
    """
    kind = column.duck
    if kind.is_document:
        return f"TRY_PARSE_JSON({text})"
    if kind.id in _WHOLE:
        return _number(text, 38, 0)
    if kind.id == "DECIMAL":
        return _number(text, kind.width, kind.scale)
    if kind.id in ("DOUBLE", "FLOAT"):
        return f"TRY_TO_DOUBLE({text})"
    if kind.id == "BOOLEAN":
        return f"TRY_TO_BOOLEAN({text})"
    if kind.id == "DATE":
        return _moment("DATE", text, format_.options.get("DATE_FORMAT"))
    if kind.id == "TIME":
        return _moment("TIME", text, format_.options.get("TIME_FORMAT"))
    if kind.id == "TIMESTAMP_TZ":
        return _moment("TIMESTAMP_TZ", text, format_.options.get("TIMESTAMP_FORMAT"))
    if kind.id.startswith("TIMESTAMP"):
        return _moment("TIMESTAMP_NTZ", text, format_.options.get("TIMESTAMP_FORMAT"))
    if kind.id == "BLOB":
        return f"TRY_TO_BINARY({text}, '{format_.options.get('BINARY_FORMAT', 'HEX')}')"
    if kind.id in ("VARCHAR", "UUID"):
        return text
    raise SqlError("0A000", f'loading column "{column.name}" of type {kind} is not supported')


def _number(text: str, width: int, scale: int) -> str:
    whole = f"TRY_CAST({text} AS NUMBER({width}, {scale}))"
    if width <= _FAST_DIGITS or scale > _FAST_DIGITS:
        return whole
    # Numbers of so many digits are read many times faster, and few have more.
    return f"COALESCE(TRY_CAST({text} AS NUMBER({_FAST_DIGITS}, {scale})), {whole})"


def _moment(what: str, text: str, model: Any) -> str:
    if model is None or str(model).upper() == "AUTO":
        return f"TRY_TO_{what}({text})"
    return f"TRY_TO_{what}({text}, {literal(str(model))})"


def engine_value(value: str, text: str, column: Column, truncate: bool) -> str:
    """DuckDB's expression for the value to insert. value: what `snowflake_value` came to be."""
    if column.duck.id == "VARCHAR" and column.duck.alias is None:
        return f"left({value}, {column.length})" if truncate and column.length else value
    if column.duck.is_document:
        return value
    made = f"TRY_CAST({value} AS {SPELLED.get(column.duck.id) or column.duck})"
    if column.duck.id in _WHOLE or column.duck.id in ("DECIMAL", "DOUBLE", "FLOAT"):
        # DuckDB reads 1_000 as a number.
        return f"CASE WHEN NOT contains({text}, '_') THEN {made} END"
    return made


def complaint(value: str, text: str, column: Column, truncate: bool) -> str:
    """DuckDB's expression for what is wrong, NULL for nothing. value: of `engine_value`."""
    cases: list[str] = []
    kind = column.duck
    if kind.id != "VARCHAR" or kind.is_document:
        cases.append(f"WHEN {text} IS NOT NULL AND {value} IS NULL THEN {_message(text, kind)}")
    elif column.length and not truncate:
        said = f"'User character length limit ({column.length}) exceeded by string '''"
        cases.append(f"WHEN length({text}) > {column.length} THEN {said} || {text} || ''''")
    if not column.nullable:
        cases.append(f"WHEN {value} IS NULL THEN 'NULL result in a non-nullable column'")
    if not cases:
        return ""
    return " ".join(cases)


def _message(text: str, kind: DuckType) -> str:
    if kind.id in _WHOLE or kind.id in ("DECIMAL", "DOUBLE", "FLOAT"):
        out = f"CASE WHEN isfinite(TRY_CAST({text} AS DOUBLE)) AND NOT contains({text}, '_') THEN"
        return (
            f"'Numeric value ''' || {text} || ''' is ' || "
            f"{out} 'out of range' ELSE 'not recognized' END"
        )
    named = {"BOOLEAN": "Boolean value", "DATE": "Date", "TIME": "Time", "BLOB": "Binary value"}
    if kind.is_document:
        return f"'Error parsing JSON: ' || left({text}, 100)"
    what = named.get(kind.id) or ("Timestamp" if kind.id.startswith("TIMESTAMP") else "Value")
    return f"'{what} ''' || {text} || ''' is not recognized'"
