"""Functions of ours inside DuckDB: Arrow arrays in, an Arrow array out.

Why the C API: `create_function` of the DB-API serves only connections of the DB-API. A chunk of at
most 2,048 rows arrives in whatever thread runs the statement; DuckDB's vectors become Arrow arrays
without a copy, and the answer's buffers become DuckDB's vector, so nothing is done value by value.

Promise: an error in a function is the statement's error, and nothing of it goes further.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from proxy.engines.duck.api import Api, DuckError, api, check_error_data, ptr
from proxy.engines.duck.c import TYPE_NAMES, Connection
from proxy.engines.duck.types import type_of
from proxy.errors import SqlError

Body = Callable[..., pa.Array]
"""Takes an array for each argument, of one length, and gives one of that length."""

AnyBody = Callable[..., pa.Array]
"""Takes the type of its first argument, a `DuckType`, and an array for each argument."""

MARK = "\x1f"
"""What stands before and between the SQLSTATE, the message and the detail of an error of ours."""


def as_told(error: Exception) -> str:
    """An error as DuckDB is told it, so that `engines.duck.errors` finds its parts again."""
    if not isinstance(error, SqlError):
        return str(error)
    return MARK + MARK.join((error.sqlstate, error.message, error.detail or "")) + MARK


_api = Api({"logical_type_set_alias": (None, (ptr, c.c_char_p))})
_CALL = c.CFUNCTYPE(None, ptr, ptr, ptr)
_ARROW = {
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
}
_ARRAY_SIZE, _SCHEMA_SIZE = 80, 72  # of ArrowArray and ArrowSchema, in bytes


def _arrow(kind: str) -> pa.DataType:
    return pa.list_(_arrow(kind[:-2])) if kind.endswith("[]") else _ARROW[kind]


_ALIASES = frozenset(("JSON", "JSONB"))  # of VARCHAR, to DuckDB


def logical_type(kind: str) -> ptr:
    """A `duckdb_logical_type`, which the caller destroys; kind: DuckDB's name, `[]` behind it for lists."""
    if kind.endswith("[]"):
        element = logical_type(kind[:-2])
        try:
            return ptr(api.create_list_type(element))
        finally:
            api.destroy_logical_type(c.byref(element))
    made = ptr(api.create_logical_type(TYPE_NAMES.index("VARCHAR" if kind in _ALIASES else kind)))
    if kind in _ALIASES:
        _api.logical_type_set_alias(made, kind.encode())
    return made


def register_at(
    connection: Connection,
    name: str,
    arguments: Sequence[str],
    result: str,
    address: ptr | int,
    *,
    volatile: bool = False,
) -> None:
    """Makes the function at `address`, a `duckdb_scalar_function_t`, known as `name(arguments)`.

    volatile: whether it gives something else each time. Raises `DuckError` for a name that is taken.
    """
    function = ptr(api.create_scalar_function())
    kinds = [logical_type(kind) for kind in (*arguments, result)]
    try:
        api.scalar_function_set_name(function, name.encode())
        for kind in kinds[:-1]:
            api.scalar_function_add_parameter(function, kind)
        api.scalar_function_set_return_type(function, kinds[-1])
        if volatile:
            api.scalar_function_set_volatile(function)
        api.scalar_function_set_function(
            function, ptr(address) if isinstance(address, int) else address
        )
        if api.register_scalar_function(connection.handle, function):
            raise DuckError(f"Catalog Error: cannot register function {name}")
    finally:
        api.destroy_scalar_function(c.byref(function))
        for kind in kinds:
            api.destroy_logical_type(c.byref(kind))


_INLINE = 12  # bytes of a `duckdb_string_t` that hold a short string themselves


def string_place(strings: int, row: int) -> tuple[int, int]:
    """Where a string of a vector lies, and its size in bytes."""
    at = strings + 16 * row
    size = c.c_uint32.from_address(at).value
    return (at + 4 if size <= _INLINE else c.c_uint64.from_address(at + 8).value), size


def text_at(strings: int, row: int) -> str:
    """A string of a vector."""
    return c.string_at(*string_place(strings, row)).decode()


_Body = Callable[[int, int], None]
"""Takes a `duckdb_data_chunk` of arguments and the `duckdb_vector` of what it gives."""


def scalar(body: _Body) -> Any:
    """`body` as DuckDB calls it: what it raises is the statement's error. To be kept alive."""

    def call(info: int, chunk: int, output: int) -> None:
        try:
            body(chunk, output)
        except Exception as error:
            api.scalar_function_set_error(info, as_told(error).encode())

    return _CALL(call)


class Functions:
    """Functions of one database. Keeps what DuckDB calls back alive: let it outlive the database."""

    def __init__(self, connection: Connection) -> None:
        """connection: is used by functions for as long as they are called; close it last."""
        self._connection = connection
        self._options = ptr()
        api.connection_get_arrow_options(connection.handle, c.byref(self._options))
        self._alive: list[object] = []

    def register(
        self, name: str, arguments: tuple[str, ...], result: str, body: Body, volatile: bool
    ) -> None:
        """`name(arguments)` as `body` computes it; the types are VARCHAR, BLOB, BIGINT, DOUBLE
        and lists of them, as in BIGINT[].

        volatile: whether it gives something else each time. Raises `DuckError` for a name that is
        taken.
        """
        call = _CALL(self._caller(arguments, result, body))
        address = c.cast(call, ptr)
        register_at(self._connection, name, arguments, result, address, volatile=volatile)
        self._alive.append(call)

    def register_of_any(
        self, name: str, others: tuple[str, ...], result: str, body: AnyBody
    ) -> None:
        """`name(x, others...)` of an x of whatever type, as `body` computes it.

        Raises `DuckError` for a name that is taken.
        """
        call = _CALL(self._caller_of_any(1 + len(others), result, body))
        register_at(self._connection, name, ("ANY", *others), result, c.cast(call, ptr))
        self._alive.append(call)

    def _caller_of_any(
        self, count: int, result: str, body: AnyBody
    ) -> Callable[[int, int, int], None]:
        converted = self._converted(pa.schema([pa.field("0", _arrow(result))]))
        names = (c.c_char_p * count)(*(str(n).encode() for n in range(count)))
        lossless: list[ptr] = []

        def call(info: int, chunk: int, output: int) -> None:
            types = (ptr * count)()
            try:
                for n in range(count):
                    vector = api.data_chunk_get_vector(chunk, n)
                    types[n] = api.vector_get_column_type(vector)
                duck = type_of(api.vector_get_column_type(api.data_chunk_get_vector(chunk, 0)))
                if not lossless:  # the setting that it needs is made after functions are registered
                    options = ptr()
                    api.connection_get_arrow_options(self._connection.handle, c.byref(options))
                    lossless.append(options)
                shape = c.create_string_buffer(_SCHEMA_SIZE)
                check_error_data(
                    api.to_arrow_schema(lossless[0], types, names, count, c.addressof(shape))
                )
                room = c.create_string_buffer(_ARRAY_SIZE)
                check_error_data(api.data_chunk_to_arrow(lossless[0], chunk, c.addressof(room)))
                rows = pa.RecordBatch._import_from_c(c.addressof(room), c.addressof(shape))
                self._answer(body(duck, *rows.columns), converted, output)
            except Exception as error:
                api.scalar_function_set_error(info, as_told(error).encode())
            finally:
                for n in range(count):
                    if types[n]:
                        api.destroy_logical_type(c.byref(ptr(types[n])))

        return call

    def _caller(
        self, arguments: tuple[str, ...], result: str, body: Body
    ) -> Callable[[int, int, int], None]:
        shape = pa.struct([pa.field(str(n), _arrow(kind)) for n, kind in enumerate(arguments)])
        converted = self._converted(pa.schema([pa.field("0", _arrow(result))]))

        def call(info: int, chunk: int, output: int) -> None:
            try:
                room = c.create_string_buffer(_ARRAY_SIZE)
                check_error_data(api.data_chunk_to_arrow(self._options, chunk, c.addressof(room)))
                rows = pa.Array._import_from_c(c.addressof(room), shape)
                made = body(*(rows.field(n) for n in range(len(arguments))))
                self._answer(made, converted, output)
            except Exception as error:
                api.scalar_function_set_error(info, as_told(error).encode())

        return call

    def _converted(self, schema: pa.Schema) -> ptr:
        room = c.create_string_buffer(_SCHEMA_SIZE)
        schema._export_to_c(c.addressof(room))
        made = ptr()
        check_error_data(
            api.schema_from_arrow(self._connection.handle, c.addressof(room), c.byref(made))
        )
        self._alive.append(room)
        return made

    def _answer(self, made: pa.Array, converted: ptr, output: int) -> None:
        room = c.create_string_buffer(_ARRAY_SIZE)
        batch = pa.StructArray.from_arrays([made], names=["0"])
        batch._export_to_c(c.addressof(room))
        chunk = ptr()
        check_error_data(
            api.data_chunk_from_arrow(
                self._connection.handle, c.addressof(room), converted, c.byref(chunk)
            )
        )
        try:
            api.vector_reference_vector(output, api.data_chunk_get_vector(chunk, 0))
        finally:
            api.destroy_data_chunk(c.byref(chunk))
