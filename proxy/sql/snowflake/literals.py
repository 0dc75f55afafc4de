"""Python values of the engine's as literals of Snowflake's SQL, where a text is made of values."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from proxy.errors import SqlError


def literal(value: Any) -> str:
    """The literal that gives `value` back. Raises 0A000 for values that have none here."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, Decimal)):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, datetime.datetime | datetime.date):
        return f"'{value}'"
    if isinstance(value, str) and "\\" not in value:
        return "'" + value.replace("'", "''") + "'"
    raise SqlError("0A000", f"a value of type {type(value).__name__} is not supported here")
