"""DuckDB's C API, as the `duckdb` wheel exports it, bound with ctypes: the only file that names it.

Why not the Python DB-API: it executes to learn result types, pays 0.1-0.9 ms a statement and hands
out Python objects. Why not ADBC: it cannot tell the types of parameters and takes no functions of
ours. The C API has all of it - prepare without executing, types of columns and of parameters,
streaming chunks into Arrow, interrupt - and releases the GIL around every call.

Promises: every handle is closed once, in any order of use; a call that fails raises `DuckError`
with DuckDB's own structured error (`SET errors_as_json`); nothing here knows SQLSTATEs, sessions or
the wire. A connection is used by one thread at a time; `interrupt` alone may come from another.
"""

from __future__ import annotations

import ctypes as c
import json
from collections.abc import Iterator, Sequence
from typing import Any

import _duckdb
import pyarrow as pa

from proxy.engines import duck_values
from proxy.wire.decoders.values import Value
from proxy.wire.types import DuckType

_lib = c.CDLL(_duckdb.__file__)
_ptr = c.c_void_p
_idx = c.c_uint64


class _Result(c.Structure):
    """`duckdb_result`: five deprecated words and the handle; passed by value to some calls."""

    _fields_ = [
        ("column_count", _idx),
        ("row_count", _idx),
        ("rows_changed", _idx),
        ("columns", _ptr),
        ("error_message", _ptr),
        ("internal_data", _ptr),
    ]


_result = c.POINTER(_Result)
_out = c.POINTER(_ptr)

# name (without the `duckdb_` prefix) -> (result type, argument types)
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "library_version": (c.c_char_p, ()),
    "free": (None, (_ptr,)),
    "create_config": (c.c_int, (_out,)),
    "set_config": (c.c_int, (_ptr, c.c_char_p, c.c_char_p)),
    "destroy_config": (None, (_out,)),
    "open_ext": (c.c_int, (c.c_char_p, _out, _ptr, c.POINTER(_ptr))),
    "close": (None, (_out,)),
    "connect": (c.c_int, (_ptr, _out)),
    "disconnect": (None, (_out,)),
    "interrupt": (None, (_ptr,)),
    "query": (c.c_int, (_ptr, c.c_char_p, _result)),
    "prepare": (c.c_int, (_ptr, c.c_char_p, _out)),
    "prepare_error": (c.c_char_p, (_ptr,)),
    "destroy_prepare": (None, (_out,)),
    "nparams": (_idx, (_ptr,)),
    "param_logical_type": (_ptr, (_ptr, _idx)),
    "clear_bindings": (c.c_int, (_ptr,)),
    "bind_value": (c.c_int, (_ptr, _idx, _ptr)),
    "prepared_statement_type": (c.c_int, (_ptr,)),
    "prepared_statement_column_count": (_idx, (_ptr,)),
    "prepared_statement_column_name": (_ptr, (_ptr, _idx)),
    "prepared_statement_column_logical_type": (_ptr, (_ptr, _idx)),
    "pending_prepared_streaming": (c.c_int, (_ptr, _out)),
    "pending_error": (c.c_char_p, (_ptr,)),
    "destroy_pending": (None, (_out,)),
    "execute_pending": (c.c_int, (_ptr, _result)),
    "destroy_result": (None, (_result,)),
    "result_error": (c.c_char_p, (_result,)),
    "result_return_type": (c.c_int, (_Result,)),
    "rows_changed": (_idx, (_result,)),
    "column_count": (_idx, (_result,)),
    "column_name": (c.c_char_p, (_result, _idx)),
    "column_logical_type": (_ptr, (_result, _idx)),
    "fetch_chunk": (_ptr, (_Result,)),
    "destroy_data_chunk": (None, (_out,)),
    "result_get_arrow_options": (_ptr, (_result,)),
    "destroy_arrow_options": (None, (_out,)),
    "to_arrow_schema": (_ptr, (_ptr, _out, c.POINTER(c.c_char_p), _idx, _ptr)),
    "data_chunk_to_arrow": (_ptr, (_ptr, _ptr, _ptr)),
    "error_data_has_error": (c.c_bool, (_ptr,)),
    "error_data_message": (c.c_char_p, (_ptr,)),
    "destroy_error_data": (None, (_out,)),
    "get_type_id": (c.c_int, (_ptr,)),
    "logical_type_get_alias": (_ptr, (_ptr,)),
    "decimal_width": (c.c_uint8, (_ptr,)),
    "decimal_scale": (c.c_uint8, (_ptr,)),
    "enum_dictionary_size": (c.c_uint32, (_ptr,)),
    "enum_dictionary_value": (_ptr, (_ptr, _idx)),
    "list_type_child_type": (_ptr, (_ptr,)),
    "array_type_child_type": (_ptr, (_ptr,)),
    "map_type_key_type": (_ptr, (_ptr,)),
    "map_type_value_type": (_ptr, (_ptr,)),
    "struct_type_child_count": (_idx, (_ptr,)),
    "struct_type_child_name": (_ptr, (_ptr, _idx)),
    "struct_type_child_type": (_ptr, (_ptr, _idx)),
    "union_type_member_count": (_idx, (_ptr,)),
    "union_type_member_name": (_ptr, (_ptr, _idx)),
    "union_type_member_type": (_ptr, (_ptr, _idx)),
    "destroy_logical_type": (None, (_out,)),
    "destroy_value": (None, (_out,)),
}


class Api:
    """`api.prepare(...)` is `duckdb_prepare(...)`; a wheel without a symbol fails at import."""

    def __init__(self, signatures: dict[str, tuple[Any, tuple[Any, ...]]]) -> None:
        for name, (result_type, argument_types) in signatures.items():
            function = getattr(_lib, "duckdb_" + name)
            function.restype, function.argtypes = result_type, argument_types
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


_api = Api(_SIGNATURES)
VERSION: str = _api.library_version().decode()

# `duckdb_type` -> the name that `DuckType` uses.
TYPE_NAMES = [
    "INVALID",
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
    "TIMESTAMP",
    "DATE",
    "TIME",
    "INTERVAL",
    "HUGEINT",
    "VARCHAR",
    "BLOB",
    "DECIMAL",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    "ENUM",
    "LIST",
    "STRUCT",
    "MAP",
    "UUID",
    "UNION",
    "BIT",
    "TIME_TZ",
    "TIMESTAMP_TZ",
    "UHUGEINT",
    "ARRAY",
    "ANY",
    "BIGNUM",
    "SQLNULL",
    "VARCHAR",
    "BIGINT",
    "TIME_NS",
    "GEOMETRY",
    "VARIANT",
]

# `duckdb_statement_type`, as far as anyone asks.
STATEMENT_EXPLAIN = 5

RETURNS_ROWS, RETURNS_COUNT, RETURNS_NOTHING = 3, 1, 2  # `duckdb_result_type`


class DuckError(Exception):
    """What DuckDB said: `kind` is its exception type (`Catalog`, `Binder`, `Conversion`...).

    fields: the rest of DuckDB's structured error - `error_subtype`, `name`, `candidates`, and
    `position`, a 0-based byte offset into the text that DuckDB was given.
    """

    def __init__(self, text: str) -> None:
        brace = text.find("{")
        try:
            self.fields: dict[str, str] = json.loads(text[brace:]) if brace >= 0 else {}
        except ValueError:
            self.fields = {}
        kind, _, rest = text.partition(" Error: ")
        self.kind = self.fields.get("exception_type", kind if rest else "")
        self.message = self.fields.get("exception_message", rest or text)
        super().__init__(self.message)


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")


def _owned_text(pointer: int | None) -> str | None:
    """The text behind a `char *` that the caller must free."""
    if not pointer:
        return None
    try:
        return _text(c.string_at(pointer))
    finally:
        _api.free(pointer)


def check_error_data(error: int | None) -> None:
    """Raises `DuckError` for a `duckdb_error_data` that holds an error, and destroys it."""
    if not error:
        return
    try:
        if _api.error_data_has_error(error):
            raise DuckError(_text(_api.error_data_message(error)))
    finally:
        _api.destroy_error_data(c.byref(_ptr(error)))


def _take_type(handle: int | None) -> DuckType:
    """Reads a `duckdb_logical_type` into a value and destroys the handle."""
    if not handle:
        return DuckType("INVALID")
    try:
        name = (
            TYPE_NAMES[number]
            if (number := _api.get_type_id(handle)) < len(TYPE_NAMES)
            else "INVALID"
        )
        alias = _owned_text(_api.logical_type_get_alias(handle)) or None
        if name == "DECIMAL":
            return DuckType(name, alias, _api.decimal_width(handle), _api.decimal_scale(handle))
        if name in _CHILDREN:
            children, names = _CHILDREN[name](handle)
            return DuckType(name, alias, children=children, names=names)
        return DuckType(name, alias)
    finally:
        _api.destroy_logical_type(c.byref(_ptr(handle)))


_Family = tuple[tuple[DuckType, ...], tuple[str, ...]]


def _members(kind: str, count: Any, handle: int) -> _Family:
    take_name, take_type = getattr(_api, f"{kind}_name"), getattr(_api, f"{kind}_type")
    indexes = range(count(handle))
    return (
        tuple(_take_type(take_type(handle, i)) for i in indexes),
        tuple(_owned_text(take_name(handle, i)) or "" for i in indexes),
    )


_CHILDREN: dict[str, Any] = {
    "ENUM": lambda h: (
        (),
        tuple(
            _owned_text(_api.enum_dictionary_value(h, i)) or ""
            for i in range(_api.enum_dictionary_size(h))
        ),
    ),
    "LIST": lambda h: ((_take_type(_api.list_type_child_type(h)),), ()),
    "ARRAY": lambda h: ((_take_type(_api.array_type_child_type(h)),), ()),
    "MAP": lambda h: (
        (_take_type(_api.map_type_key_type(h)), _take_type(_api.map_type_value_type(h))),
        (),
    ),
    "STRUCT": lambda h: _members("struct_type_child", _api.struct_type_child_count, h),
    "UNION": lambda h: _members("union_type_member", _api.union_type_member_count, h),
}


class Database:
    """One open database file (or `:memory:`): one per process."""

    def __init__(self, path: str, settings: dict[str, str] | None = None) -> None:
        """Raises `DuckError` when the file is locked, damaged, or a setting is unknown."""
        self._handle = _ptr()
        config = _ptr()
        _api.create_config(c.byref(config))
        try:
            for name, value in (settings or {}).items():
                if _api.set_config(config, name.encode(), value.encode()):
                    raise DuckError(f"Settings Error: unknown setting {name} = {value}")
            error = _ptr()
            if _api.open_ext(path.encode(), c.byref(self._handle), config, c.byref(error)):
                raise DuckError(_owned_text(error.value) or "cannot open " + path)
        finally:
            _api.destroy_config(c.byref(config))

    def connect(self) -> Connection:
        handle = _ptr()
        if _api.connect(self._handle, c.byref(handle)):
            raise DuckError("Connection Error: DuckDB refused a connection")
        return Connection(handle)

    def close(self) -> None:
        """Writes the checkpoint; every connection must be closed before."""
        _api.close(c.byref(self._handle))


class Connection:
    """One session's connection: its transaction, its settings, one running statement."""

    def __init__(self, handle: c.c_void_p) -> None:
        self._handle = handle

    @property
    def handle(self) -> c.c_void_p:
        """`duckdb_connection`, for what else of this package is bound to the C API."""
        return self._handle

    def prepare(self, sql: str) -> Prepared:
        """One statement, bound but not run. Raises `DuckError`; several statements are an error."""
        handle = _ptr()
        if _api.prepare(self._handle, sql.encode(), c.byref(handle)):
            message = _text(_api.prepare_error(handle))
            _api.destroy_prepare(c.byref(handle))
            raise DuckError(message)
        return Prepared(handle)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs our own small statement and gives its rows as Python values; not for results of clients."""
        prepared = self.prepare(sql)
        try:
            result = prepared.execute()
            try:
                return [tuple(row.values()) for batch in result for row in batch.to_pylist()]
            finally:
                result.close()
        finally:
            prepared.close()

    def run_script(self, script: str) -> None:
        """Runs statements of our own, as many as there are; never a client's text."""
        result = _Result()
        failed = _api.query(self._handle, script.encode(), c.byref(result))
        message = _text(_api.result_error(c.byref(result))) if failed else ""
        _api.destroy_result(c.byref(result))
        if failed:
            raise DuckError(message)

    def interrupt(self) -> None:
        """Stops what this connection runs, from any thread; it then raises kind `INTERRUPT`."""
        if self._handle:
            _api.interrupt(self._handle)

    def close(self) -> None:
        if self._handle:
            _api.disconnect(c.byref(self._handle))


class Prepared:
    """A prepared statement: types are known, nothing has run."""

    def __init__(self, handle: c.c_void_p) -> None:
        self._handle = handle

    @property
    def columns(self) -> list[tuple[str, DuckType]]:
        """Name and type of each result column, without executing."""
        handle = self._handle
        return [
            (
                _owned_text(_api.prepared_statement_column_name(handle, i)) or "",
                _take_type(_api.prepared_statement_column_logical_type(handle, i)),
            )
            for i in range(_api.prepared_statement_column_count(handle))
        ]

    @property
    def statement_type(self) -> int:
        return _api.prepared_statement_type(self._handle)

    @property
    def parameters(self) -> list[DuckType]:
        """The type that DuckDB's binder inferred for each of $1..$n; `INVALID` where it could not."""
        handle = self._handle
        return [
            _take_type(_api.param_logical_type(handle, i + 1)) for i in range(_api.nparams(handle))
        ]

    def bind(self, values: Sequence[tuple[int, Value]]) -> None:
        """(OID of the type, value) for each of $1..$n, as `duck_values.make` takes them."""
        for index, (oid, value) in enumerate(values, start=1):
            made = _ptr(duck_values.make(value, oid))
            failed = _api.bind_value(self._handle, index, made)
            _api.destroy_value(c.byref(made))
            if failed:
                raise DuckError(_text(_api.prepare_error(self._handle)))

    def execute(self) -> Result:
        """Starts it; rows stream as they are fetched. Raises `DuckError`. Blocks: call in a thread."""
        pending, result = _ptr(), _Result()
        try:
            if _api.pending_prepared_streaming(self._handle, c.byref(pending)):
                raise DuckError(_text(_api.pending_error(pending)))
            if _api.execute_pending(pending, c.byref(result)):
                message = _text(_api.result_error(c.byref(result)))
                _api.destroy_result(c.byref(result))
                raise DuckError(message)
        finally:
            _api.destroy_pending(c.byref(pending))
        return Result(result)

    def close(self) -> None:
        if self._handle:
            _api.destroy_prepare(c.byref(self._handle))

    __del__ = close


class Result:
    """An iterator of Arrow record batches of at most 2,048 rows each, DuckDB's own chunks."""

    def __init__(self, result: _Result) -> None:
        self._result: _Result | None = result
        self._options = _ptr(_api.result_get_arrow_options(c.byref(result)))
        self._schema: pa.Schema | None = None
        self.returns = _api.result_return_type(result)

    @property
    def rows_changed(self) -> int:
        assert self._result is not None
        return _api.rows_changed(c.byref(self._result))

    @property
    def columns(self) -> list[tuple[str, DuckType]]:
        """Name and type of each column, also where preparing could not tell."""
        assert self._result is not None
        result = c.byref(self._result)
        return [
            (_text(_api.column_name(result, i)), _take_type(_api.column_logical_type(result, i)))
            for i in range(_api.column_count(result))
        ]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema; needs `SET arrow_lossless_conversion`, or hugeint and uuid lose their type."""
        if self._schema is None:
            assert self._result is not None
            result = c.byref(self._result)
            count = _api.column_count(result)
            types = (_ptr * count)(*(_api.column_logical_type(result, i) for i in range(count)))
            names = (c.c_char_p * count)(*(_api.column_name(result, i) for i in range(count)))
            room = c.create_string_buffer(_ARROW_SCHEMA_SIZE)
            try:
                check_error_data(
                    _api.to_arrow_schema(self._options, types, names, count, c.addressof(room))
                )
            finally:
                for handle in types:
                    _api.destroy_logical_type(c.byref(_ptr(handle)))
            self._schema = pa.Schema._import_from_c(c.addressof(room))
        return self._schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        if self._result is None:
            raise StopIteration
        chunk = _ptr(_api.fetch_chunk(self._result))
        if not chunk:
            if message := _api.result_error(c.byref(self._result)):
                raise DuckError(_text(message))
            raise StopIteration
        schema = self.schema
        room = c.create_string_buffer(_ARROW_ARRAY_SIZE)
        try:
            check_error_data(_api.data_chunk_to_arrow(self._options, chunk, c.addressof(room)))
        finally:
            _api.destroy_data_chunk(c.byref(chunk))
        return pa.RecordBatch._import_from_c(c.addressof(room), schema)

    def close(self) -> None:
        """Ends the stream; a statement still producing rows is dropped."""
        if self._result is not None:
            _api.destroy_result(c.byref(self._result))
            self._result = None
            _api.destroy_arrow_options(c.byref(self._options))


# sizeof(struct ArrowSchema) and sizeof(struct ArrowArray) of the Arrow C data interface.
_ARROW_SCHEMA_SIZE = 72
_ARROW_ARRAY_SIZE = 80
