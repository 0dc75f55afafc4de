"""Rows into DuckDB by the chunk: an appender over a statement of ours, fed with Arrow batches.

Why not INSERT with parameters: that is a statement for every few rows. Why not an Arrow scan: it
leaves a view in the catalog. The appender gathers chunks and then runs one statement over them, in the
connection's transaction, with all that INSERT means: defaults, casts, constraints.

Promises: what `append` did not raise for has been inserted; what it raised for has not been. Blocks;
interrupted like any statement.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from proxy.engines.duck.api import Api, check_error_data
from proxy.engines.duck.c import TYPE_NAMES, Connection
from proxy.wire.types import DuckType

_ptr = c.c_void_p
_out = c.POINTER(_ptr)

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "appender_create_query": (
        c.c_int,
        (_ptr, c.c_char_p, c.c_uint64, _out, c.c_char_p, c.POINTER(c.c_char_p), _out),
    ),
    "appender_error_data": (_ptr, (_ptr,)),
    "appender_flush": (c.c_int, (_ptr,)),
    "appender_clear": (c.c_int, (_ptr,)),
    "appender_destroy": (c.c_int, (_out,)),
    "append_data_chunk": (c.c_int, (_ptr, _ptr)),
    "schema_from_arrow": (_ptr, (_ptr, _ptr, _out)),
    "destroy_arrow_converted_schema": (None, (_out,)),
    "data_chunk_from_arrow": (_ptr, (_ptr, _ptr, _ptr, _out)),
    "destroy_data_chunk": (None, (_out,)),
    "create_logical_type": (_ptr, (c.c_int,)),
    "create_list_type": (_ptr, (_ptr,)),
    "create_decimal_type": (_ptr, (c.c_uint8, c.c_uint8)),
    "destroy_logical_type": (None, (_out,)),
}
_api = Api(_SIGNATURES)

# sizeof(struct ArrowSchema) and sizeof(struct ArrowArray) of the Arrow C data interface.
_ARROW_SCHEMA_SIZE = 72
_ARROW_ARRAY_SIZE = 80

_CHUNK_ROWS = 2048  # DuckDB's own vectors

ROWS = "copied"
"""The name under which the statement finds the appended rows."""


def logical_type(duck: DuckType) -> int:
    """A `duckdb_logical_type`, which the caller destroys."""
    if duck.id == "DECIMAL":
        return _api.create_decimal_type(duck.width, duck.scale)
    if duck.id == "LIST":
        element = _ptr(logical_type(duck.children[0]))
        try:
            return _api.create_list_type(element)
        finally:
            _api.destroy_logical_type(c.byref(element))
    return _api.create_logical_type(TYPE_NAMES.index(duck.id))


class Appender:
    """Runs `sql` over the rows of each batch; there they are the relation `copied`.

    schema: of the batches; types: the DuckDB type of each of its columns. Raises `DuckError`.
    """

    def __init__(
        self, connection: Connection, sql: str, schema: pa.Schema, types: Sequence[DuckType]
    ) -> None:
        self._connection = connection.handle
        self._handle, self._converted = _ptr(), _ptr()
        count = len(types)
        handles = (_ptr * count)(*map(logical_type, types))
        names = (c.c_char_p * count)(*(name.encode() for name in schema.names))
        try:
            failed = _api.appender_create_query(
                self._connection, sql.encode(), count, handles, ROWS.encode(), names,
                c.byref(self._handle),
            )  # fmt: skip
        finally:
            for handle in handles:
                _api.destroy_logical_type(c.byref(_ptr(handle)))
        if failed:
            self._fail()
        room = c.create_string_buffer(_ARROW_SCHEMA_SIZE)
        schema._export_to_c(c.addressof(room))
        try:
            check_error_data(
                _api.schema_from_arrow(
                    self._connection, c.addressof(room), c.byref(self._converted)
                )
            )
        finally:
            pa.Schema._import_from_c(c.addressof(room))  # releases it

    def append(self, batch: pa.RecordBatch) -> None:
        """Raises `DuckError`; then none of the batch is in the table, and the transaction is lost."""
        for start in range(0, batch.num_rows, _CHUNK_ROWS):
            self._append_chunk(batch.slice(start, _CHUNK_ROWS))
        if _api.appender_flush(self._handle):
            self._fail()

    def _append_chunk(self, batch: pa.RecordBatch) -> None:
        room, chunk = c.create_string_buffer(_ARROW_ARRAY_SIZE), _ptr()
        batch._export_to_c(c.addressof(room))
        check_error_data(
            _api.data_chunk_from_arrow(
                self._connection, c.addressof(room), self._converted, c.byref(chunk)
            )
        )
        try:
            if _api.append_data_chunk(self._handle, chunk):
                self._fail()
        finally:
            _api.destroy_data_chunk(c.byref(chunk))

    def _fail(self) -> None:
        check_error_data(_api.appender_error_data(self._handle))
        raise AssertionError("the appender failed without an error")

    def close(self) -> None:
        """Drops what was not inserted."""
        if self._handle:
            _api.appender_clear(self._handle)
            _api.appender_destroy(c.byref(self._handle))
        if self._converted:
            _api.destroy_arrow_converted_schema(c.byref(self._converted))
