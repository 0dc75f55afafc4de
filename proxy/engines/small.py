"""The compiled way of a small statement (`_small.cpp`), where it was built.

A prepared query that has answered once is known by its columns: from then on binding, running,
fetching and writing are three calls. Whatever is not surely small and ordinary comes back as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from proxy.engines.duckdb_api import TYPE_NAMES, address_of
from proxy.wire.rows import TextStyle
from proxy.wire.types import DuckType

try:
    from proxy.engines import _small as compiled
except ImportError:  # no compiler was there
    compiled = None

# The functions of DuckDB's C API that it calls, in the order of its `Api`.
_FUNCTIONS = (
    "bind_boolean",
    "bind_int16",
    "bind_int32",
    "bind_int64",
    "bind_double",
    "bind_varchar_length",
    "pending_prepared_streaming",
    "destroy_pending",
    "execute_pending",
    "destroy_result",
    "result_error",
    "column_count",
    "column_type",
    "column_logical_type",
    "destroy_logical_type",
    "decimal_width",
    "decimal_scale",
    "fetch_chunk",
    "destroy_data_chunk",
    "data_chunk_get_size",
    "data_chunk_get_vector",
    "vector_get_data",
    "vector_get_validity",
)
if compiled is not None:
    compiled.setup([address_of(name) for name in _FUNCTIONS])

_TEXT = {
    "BOOLEAN": "o",
    "TINYINT": "b",
    "SMALLINT": "h",
    "INTEGER": "i",
    "BIGINT": "q",
    "UTINYINT": "B",
    "USMALLINT": "H",
    "UINTEGER": "I",
    "UBIGINT": "Q",
    "FLOAT": "e",
    "DOUBLE": "d",
    "VARCHAR": "s",
    "DATE": "D",
    "TIMESTAMP": "t",
    "TIMESTAMP_TZ": "u",
}
_BINARY = {
    "BOOLEAN": "y",
    "SMALLINT": "W",
    "INTEGER": "L",
    "BIGINT": "X",
    "FLOAT": "L",
    "DOUBLE": "X",
    "VARCHAR": "s",
    "DATE": "E",
    "TIMESTAMP": "T",
    "TIMESTAMP_TZ": "T",
}
# Digits that a DECIMAL of each width has at most.
_DECIMALS = ((4, "1"), (9, "2"), (18, "3"), (38, "n"))

_expected = Struct("=4i").pack  # DuckDB's number of the type, width and scale, kind


def layout(types: Sequence[DuckType], formats: Sequence[int], style: TextStyle) -> bytes | None:
    """What `answer` is told of the columns; None if one of them has no short way."""
    if compiled is None:
        return None
    found = []
    for duck, code in zip(types, formats, strict=True):
        kind = (_BINARY if code else _TEXT).get(duck.id)
        if duck.id == "DECIMAL" and not code:
            kind = next(letter for digits, letter in _DECIMALS if duck.width <= digits)
        if kind is None or duck.alias or (not code and _is_styled(duck, style)):
            return None
        found.append(_expected(TYPE_NAMES.index(duck.id), duck.width, duck.scale, ord(kind)))
    return b"".join(found)


def _is_styled(duck: DuckType, style: TextStyle) -> bool:
    """Whether the session asks for another text than the one there is."""
    if duck.id in ("FLOAT", "DOUBLE"):
        return style.extra_float_digits <= 0
    return duck.id == "TIMESTAMP_TZ" and style.time_zone != "UTC"
