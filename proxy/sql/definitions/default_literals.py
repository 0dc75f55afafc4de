"""The text of a DEFAULT as a value of its column's type.

Why it exists: DuckDB keeps `DEFAULT '{}'` as a text, and casts that by rules of its own whenever a row is
written: an array's braces, a bytea's `\\x00ff` and an interval's `P1D` are nothing to it, or another value.
Postgres reads the text once, when the column is defined; so it is here, by the decoders of parameters.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.postgres.literals import NAMES, is_read, read_literal
from proxy.sql.reading import position_of, write_duckdb
from proxy.wire.types import duck_scalar

_D = exp.DType
_NAMES = {**NAMES, _D.TIMESTAMPTZ: "timestamptz"}
_READ = frozenset(("bool", "bytea", "interval", "timestamptz"))
_WORDS = frozenset(("now", "today", "tomorrow", "yesterday"))
"""Texts that mean another moment whenever a statement runs."""
_ZONES = ("UTC", "Asia/Tokyo")


def typed(literal: exp.Literal, kind: exp.DataType, *, lists_only: bool = False) -> exp.Expr:
    """What stands for a string literal as the DEFAULT of a column of `kind`: itself, where DuckDB reads
    it as Postgres does or where it hangs on the session's zone.

    Raises SqlError, with the literal's position, for what is no value of the type.
    """
    levels = 0
    while kind.this == _D.ARRAY and kind.expressions:
        kind, levels = kind.expressions[0], levels + 1
    name = "text" if kind.this in exp.DataType.TEXT_TYPES else _NAMES.get(kind.this)
    if name is None or (lists_only and not levels):
        return literal
    try:
        return _made(literal.this, "_" * bool(levels) + name) or literal
    except SqlError as error:
        error.position = error.position or position_of(literal)
        raise


def of_column(text: str, kind: str) -> str | None:
    """DuckDB's SQL for a text as the DEFAULT of a column, None where DuckDB reads the text as Postgres.

    kind: DuckDB's name of the type. Raises SqlError for what is no value of it.
    """
    element = kind.partition("[")[0]
    known = duck_scalar(element.partition("(")[0])
    if known is None or (element == kind and known not in _READ):
        return None
    made = _made(text, known if element == kind else f"_{known}")
    return None if made is None else write_duckdb(made)


def _made(text: str, name: str) -> exp.Expr | None:
    if not is_read(name) or text.strip().lower() in _WORDS:
        return None
    if name == "timestamptz" and len({read_literal(text, name, zone).sql() for zone in _ZONES}) > 1:
        return None
    made = read_literal(text, name)
    return made.this if isinstance(made, exp.Cast) and isinstance(made.this, exp.Literal) else made
