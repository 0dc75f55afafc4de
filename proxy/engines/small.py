"""The compiled way of a small statement (`_small.cpp`), where it was built.

A prepared query that has answered once is known by its columns: from then on binding, running,
fetching and writing are three calls. Whatever is not surely small and ordinary comes back as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from proxy.engines.duck.api import TYPE_NAMES, address_of
from proxy.wire.compiled import KINDS, is_styled
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

# Those of Arrow's columns, and what DuckDB's vectors have otherwise.
_TEXT = {**KINDS, "BOOLEAN": b"o", "VARCHAR": b"s"}
_BINARY = {
    "BOOLEAN": b"y",
    "SMALLINT": b"W",
    "INTEGER": b"L",
    "BIGINT": b"X",
    "FLOAT": b"L",
    "DOUBLE": b"X",
    "VARCHAR": b"s",
    "DATE": b"E",
    "TIMESTAMP": b"T",
    "TIMESTAMP_TZ": b"T",
}
# Digits that a DECIMAL of each width has at most.
_DECIMALS = ((4, b"1"), (9, b"2"), (18, b"3"), (38, b"n"))

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
        if kind is None or duck.alias or (not code and is_styled(duck, style)):
            return None
        found.append(_expected(TYPE_NAMES.index(duck.id), duck.width, duck.scale, ord(kind)))
    return b"".join(found)
