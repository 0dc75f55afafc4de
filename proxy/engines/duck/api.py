"""DuckDB's C API as ctypes sees it: the functions by name, and its errors.

Why it is apart from `duck.c`: that one says what a connection or a result is; this one only which
C function takes what. Calls that can take long release the GIL, so that the loop and other sessions
go on. Those in `_BRIEF` never wait and keep it: giving it away costs more than they do, and getting
it back is a wait behind every other thread.
"""

from __future__ import annotations

import ctypes as c
import json
from typing import Any

import _duckdb

_lib = c.CDLL(_duckdb.__file__)
_brief_lib = c.PyDLL(_duckdb.__file__)
ptr = c.c_void_p
idx = c.c_uint64


class ResultStruct(c.Structure):
    """`duckdb_result`: five deprecated words and the handle; passed by value to some calls."""

    _fields_ = [
        ("column_count", idx),
        ("row_count", idx),
        ("rows_changed", idx),
        ("columns", ptr),
        ("error_message", ptr),
        ("internal_data", ptr),
    ]


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

_result = c.POINTER(ResultStruct)
out = c.POINTER(ptr)

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "library_version": (c.c_char_p, ()),
    "free": (None, (ptr,)),
    "create_config": (c.c_int, (out,)),
    "set_config": (c.c_int, (ptr, c.c_char_p, c.c_char_p)),
    "destroy_config": (None, (out,)),
    "open_ext": (c.c_int, (c.c_char_p, out, ptr, c.POINTER(ptr))),
    "close": (None, (out,)),
    "connect": (c.c_int, (ptr, out)),
    "disconnect": (None, (out,)),
    "interrupt": (None, (ptr,)),
    "create_task_state": (ptr, (ptr,)),
    "execute_tasks_state": (None, (ptr,)),
    "finish_execution": (None, (ptr,)),
    "destroy_task_state": (None, (ptr,)),
    "query": (c.c_int, (ptr, c.c_char_p, _result)),
    "extract_statements": (idx, (ptr, c.c_char_p, out)),
    "extract_statements_error": (c.c_char_p, (ptr,)),
    "destroy_extracted": (None, (out,)),
    "prepare": (c.c_int, (ptr, c.c_char_p, out)),
    "prepare_error": (c.c_char_p, (ptr,)),
    "destroy_prepare": (None, (out,)),
    "nparams": (idx, (ptr,)),
    "param_logical_type": (ptr, (ptr, idx)),
    "clear_bindings": (c.c_int, (ptr,)),
    "bind_value": (c.c_int, (ptr, idx, ptr)),
    "prepared_statement_type": (c.c_int, (ptr,)),
    "prepared_statement_column_count": (idx, (ptr,)),
    "prepared_statement_column_name": (ptr, (ptr, idx)),
    "prepared_statement_column_logical_type": (ptr, (ptr, idx)),
    "pending_prepared_streaming": (c.c_int, (ptr, out)),
    "pending_error": (c.c_char_p, (ptr,)),
    "destroy_pending": (None, (out,)),
    "execute_pending": (c.c_int, (ptr, _result)),
    "destroy_result": (None, (_result,)),
    "result_error": (c.c_char_p, (_result,)),
    "result_return_type": (c.c_int, (ResultStruct,)),
    "rows_changed": (idx, (_result,)),
    "column_count": (idx, (_result,)),
    "column_name": (c.c_char_p, (_result, idx)),
    "column_type": (c.c_int, (_result, idx)),
    "column_logical_type": (ptr, (_result, idx)),
    "fetch_chunk": (ptr, (ResultStruct,)),
    "destroy_data_chunk": (None, (out,)),
    "data_chunk_get_size": (idx, (ptr,)),
    "data_chunk_get_vector": (ptr, (ptr, idx)),
    "vector_get_data": (ptr, (ptr,)),
    "vector_get_column_type": (ptr, (ptr,)),
    "vector_get_validity": (ptr, (ptr,)),
    "result_get_arrow_options": (ptr, (_result,)),
    "destroy_arrow_options": (None, (out,)),
    "to_arrow_schema": (ptr, (ptr, out, c.POINTER(c.c_char_p), idx, ptr)),
    "data_chunk_to_arrow": (ptr, (ptr, ptr, ptr)),
    "connection_get_arrow_options": (None, (ptr, out)),
    "schema_from_arrow": (ptr, (ptr, ptr, out)),
    "data_chunk_from_arrow": (ptr, (ptr, ptr, ptr, out)),
    "vector_reference_vector": (None, (ptr, ptr)),
    "create_logical_type": (ptr, (c.c_int,)),
    "create_list_type": (ptr, (ptr,)),
    "create_scalar_function": (ptr, ()),
    "destroy_scalar_function": (None, (out,)),
    "scalar_function_set_name": (None, (ptr, c.c_char_p)),
    "scalar_function_add_parameter": (None, (ptr, ptr)),
    "scalar_function_set_return_type": (None, (ptr, ptr)),
    "scalar_function_set_function": (None, (ptr, ptr)),
    "scalar_function_set_volatile": (None, (ptr,)),
    "scalar_function_set_error": (None, (ptr, c.c_char_p)),
    "register_scalar_function": (c.c_int, (ptr, ptr)),
    "error_data_has_error": (c.c_bool, (ptr,)),
    "error_data_message": (c.c_char_p, (ptr,)),
    "destroy_error_data": (None, (out,)),
    "get_type_id": (c.c_int, (ptr,)),
    "logical_type_get_alias": (ptr, (ptr,)),
    "decimal_width": (c.c_uint8, (ptr,)),
    "decimal_scale": (c.c_uint8, (ptr,)),
    "enum_dictionary_size": (c.c_uint32, (ptr,)),
    "enum_dictionary_value": (ptr, (ptr, idx)),
    "list_type_child_type": (ptr, (ptr,)),
    "array_type_child_type": (ptr, (ptr,)),
    "map_type_key_type": (ptr, (ptr,)),
    "map_type_value_type": (ptr, (ptr,)),
    "struct_type_child_count": (idx, (ptr,)),
    "struct_type_child_name": (ptr, (ptr, idx)),
    "struct_type_child_type": (ptr, (ptr, idx)),
    "union_type_member_count": (idx, (ptr,)),
    "union_type_member_name": (ptr, (ptr, idx)),
    "union_type_member_type": (ptr, (ptr, idx)),
    "destroy_logical_type": (None, (out,)),
    "destroy_value": (None, (out,)),
    "connection_get_client_context": (None, (ptr, out)),
    "destroy_client_context": (None, (out,)),
    "client_context_get_catalog": (ptr, (ptr, c.c_char_p)),
    "destroy_catalog": (None, (out,)),
    "catalog_get_entry": (ptr, (ptr, ptr, c.c_int, c.c_char_p, c.c_char_p)),
    "catalog_entry_get_name": (c.c_char_p, (ptr,)),
    "catalog_entry_get_type": (c.c_int, (ptr,)),
    "destroy_catalog_entry": (None, (out,)),
}
_BRIEF = frozenset(
    (
        "free",
        "finish_execution",
        "prepare_error",
        "nparams",
        "param_logical_type",
        "clear_bindings",
        "bind_value",
        "prepared_statement_type",
        "prepared_statement_column_count",
        "prepared_statement_column_name",
        "prepared_statement_column_logical_type",
        "pending_error",
        "result_error",
        "result_return_type",
        "rows_changed",
        "column_count",
        "column_name",
        "column_type",
        "column_logical_type",
        "destroy_data_chunk",
        "data_chunk_get_size",
        "data_chunk_get_vector",
        "vector_get_data",
        "vector_get_validity",
        "result_get_arrow_options",
        "destroy_arrow_options",
        "to_arrow_schema",
        "error_data_has_error",
        "error_data_message",
        "destroy_error_data",
        "get_type_id",
        "logical_type_get_alias",
        "decimal_width",
        "decimal_scale",
        "enum_dictionary_size",
        "enum_dictionary_value",
        "destroy_logical_type",
        "destroy_value",
    )
)


class Api:
    """`api.prepare(...)` is `duckdb_prepare(...)`; a wheel without a symbol fails at import."""

    def __init__(self, signatures: dict[str, tuple[Any, tuple[Any, ...]]]) -> None:
        for name, (result_type, argument_types) in signatures.items():
            function = getattr(_brief_lib if name in _BRIEF else _lib, "duckdb_" + name)
            function.restype, function.argtypes = result_type, argument_types
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def address_of(name: str) -> int:
    """Where the C function is, for those that call it without us."""
    return c.cast(getattr(_lib, "duckdb_" + name), ptr).value or 0


api = Api(_SIGNATURES)
VERSION: str = api.library_version().decode()


class DuckFailure(Exception):
    """What DuckDB said: `kind` is its exception type (`Catalog`, `Binder`, `Conversion`...).

    fields: the rest of DuckDB's structured error - `error_subtype`, `name`, `candidates`, and
    `position`, a 0-based byte offset into the text that DuckDB was given.
    """

    def __init__(self, said: str) -> None:
        brace = said.find("{")
        try:
            self.fields: dict[str, str] = json.loads(said[brace:]) if brace >= 0 else {}
        except ValueError:
            self.fields = {}
        kind, _, rest = said.partition(" Error: ")
        self.kind = self.fields.get("exception_type", kind if rest else "")
        self.message = self.fields.get("exception_message", rest or said)
        super().__init__(self.message)


class DuckError(DuckFailure):
    """Something is wrong with what it was asked."""


class Interrupted(DuckFailure):
    """A cancel came. It says nothing of what was asked, so who takes an error for an answer must not see it."""


def failure(said: str) -> DuckFailure:
    """What DuckDB said, as an exception."""
    error = DuckError(said)
    return Interrupted(said) if error.kind in _INTERRUPTED else error


_INTERRUPTED = frozenset(("INTERRUPT", "Interrupt"))


def text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")


def owned_text(pointer: int | None) -> str | None:
    """The text behind a `char *` that the caller must free."""
    if not pointer:
        return None
    try:
        return text(c.string_at(pointer))
    finally:
        api.free(pointer)


def check_error_data(error: int | None) -> None:
    """Raises `DuckFailure` for a `duckdb_error_data` that holds an error, and destroys it."""
    if not error:
        return
    try:
        if api.error_data_has_error(error):
            raise failure(text(api.error_data_message(error)))
    finally:
        api.destroy_error_data(c.byref(ptr(error)))
