"""Postgres's jsonb as a type of DuckDB's: JSONB, whose texts are always written as Postgres writes them.

Why it exists: DuckDB has one JSON, whose text is kept as it was written. A jsonb is another type to
clients (OID 3802) and another value: `{"b":1,"a":1.50}` is `{"a": 1.50, "b": 1}`. DuckDB lets an
alias of VARCHAR be a type of its own, with casts of ours. So what is a jsonb DuckDB itself follows,
through tables, views, subqueries, UNION and coalesce; equal documents are equal texts, wherever
they are compared, grouped or hashed; and every function of DuckDB's over JSON takes one.

Promise: every value of the type went through the cast, so nobody who reads one writes it anew. The
compiled way (`_jsonb.cpp`) and the one here give the same texts.
"""

from __future__ import annotations

import ctypes as c

from proxy.engines.duck.api import Api, DuckError, address_of, api, ptr
from proxy.engines.duck.c import Connection
from proxy.engines.duck.functions import as_told, logical_type, register_at, string_place, text_at
from proxy.engines.jsonb_in_rows import with_documents
from proxy.wire.decoders.documents import jsonb_text

try:
    from proxy.engines import _jsonb as compiled
except ImportError:  # no compiler was there
    compiled = None

NAME = "JSONB"

_cast = c.CFUNCTYPE(c.c_bool, ptr, c.c_uint64, ptr, ptr)
_slow = c.CFUNCTYPE(c.c_bool, ptr, c.c_uint64, ptr, c.c_uint64, ptr)
_scalar = c.CFUNCTYPE(None, ptr, ptr, ptr)

_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "register_logical_type": (c.c_int, (ptr, ptr, ptr)),
    "create_cast_function": (ptr, ()),
    "cast_function_set_source_type": (None, (ptr, ptr)),
    "cast_function_set_target_type": (None, (ptr, ptr)),
    "cast_function_set_implicit_cast_cost": (None, (ptr, c.c_int64)),
    "cast_function_set_function": (None, (ptr, ptr)),
    "cast_function_set_error": (None, (ptr, c.c_char_p)),
    "cast_function_set_row_error": (None, (ptr, c.c_char_p, c.c_uint64, ptr)),
    "cast_function_get_cast_mode": (c.c_int, (ptr,)),
    "register_cast_function": (c.c_int, (ptr, ptr)),
    "destroy_cast_function": (None, (c.POINTER(ptr),)),
    "vector_assign_string_element_len": (None, (ptr, c.c_uint64, c.c_char_p, c.c_uint64)),
    "vector_ensure_validity_writable": (None, (ptr,)),
    "list_vector_get_child": (ptr, (ptr,)),
    "validity_row_is_valid": (c.c_bool, (ptr, c.c_uint64)),
    "validity_set_row_invalid": (None, (ptr, c.c_uint64)),
}
_api = Api(_SIGNATURES)
_TRY = 1  # `duckdb_cast_mode`


@_slow
def _one(info: int, row: int, text: int, size: int, output: int) -> bool:
    """One value that is out of the ordinary, or wrong."""
    try:
        made = jsonb_text(c.string_at(text, size).decode(), "").encode()
        _api.vector_assign_string_element_len(output, row, made, len(made))
    except Exception as error:
        told = as_told(error).encode()
        if _api.cast_function_get_cast_mode(info) == _TRY:
            _api.cast_function_set_row_error(info, told, row, output)
            return True
        _api.cast_function_set_error(info, told)
        return False
    return True


def put_null(output: int, row: int) -> None:
    """Makes a row of a vector NULL."""
    _api.vector_ensure_validity_writable(output)
    _api.validity_set_row_invalid(api.vector_get_validity(output), row)


@_cast
def _column(info: int, count: int, given: int, output: int) -> bool:
    """The cast to jsonb where no compiler was there."""
    data, valid = api.vector_get_data(given), api.vector_get_validity(given)
    for row in range(count):
        if valid and not _api.validity_row_is_valid(valid, row):
            put_null(output, row)
            continue
        if not _one(info, row, *string_place(data, row), output):
            return False
    return True


@_cast
def _as_it_is(info: int, count: int, given: int, output: int) -> bool:
    """From jsonb: its text is one already."""
    api.vector_reference_vector(output, given)
    return True


@_scalar
def _to_json(info: int, chunk: int, output: int) -> None:
    api.vector_reference_vector(output, api.data_chunk_get_vector(chunk, 0))


@_scalar
def _list_to_json(info: int, chunk: int, output: int) -> None:
    try:
        lists = api.data_chunk_get_vector(chunk, 0)
        rows, valid = api.data_chunk_get_size(chunk), api.vector_get_validity(lists)
        entries, child = api.vector_get_data(lists), _api.list_vector_get_child(lists)
        texts, there = api.vector_get_data(child), api.vector_get_validity(child)
        for row in range(rows):
            if valid and not _api.validity_row_is_valid(valid, row):
                put_null(output, row)
                continue
            start, length = (c.c_uint64 * 2).from_address(entries + 16 * row)
            made = b"[%s]" % b",".join(
                c.string_at(*string_place(texts, i))
                if not there or _api.validity_row_is_valid(there, i)
                else b"null"
                for i in range(start, start + length)
            )
            _api.vector_assign_string_element_len(output, row, made, len(made))
    except Exception as error:
        api.scalar_function_set_error(info, str(error).encode())


@_scalar
def _row_to_json(info: int, chunk: int, output: int) -> None:
    try:
        kinds, made = (api.data_chunk_get_vector(chunk, i) for i in (0, 1))
        names, texts = api.vector_get_data(kinds), api.vector_get_data(made)
        valid = api.vector_get_validity(made)
        for row in range(api.data_chunk_get_size(chunk)):
            if valid and not _api.validity_row_is_valid(valid, row):
                put_null(output, row)
                continue
            kind, text = text_at(names, row), text_at(texts, row)
            raw = with_documents(kind, text).encode()
            _api.vector_assign_string_element_len(output, row, raw, len(raw))
    except Exception as error:
        api.scalar_function_set_error(info, str(error).encode())


def _address(function: object) -> int:
    return c.cast(function, ptr).value or 0


_NEEDED = (
    "vector_get_data",
    "vector_get_validity",
    "vector_ensure_validity_writable",
    "vector_assign_string_element_len",
)
if compiled is None:
    _to_jsonb = _address(_column)
else:
    _to_jsonb = compiled.setup([*map(address_of, _NEEDED), _address(_one)])

# From, to, by what, and how dear it is where nobody wrote it: None is never. A text that is compared
# with a jsonb becomes one by DuckDB's own rules for literals.
_CASTS: tuple[tuple[str, str, int, int | None], ...] = (
    ("VARCHAR", NAME, _to_jsonb, None),
    ("JSON", NAME, _to_jsonb, 200),
    (NAME, "JSON", _address(_as_it_is), 1),
    (NAME, "VARCHAR", _address(_as_it_is), 50),
)


def register(connection: Connection) -> None:
    """Makes the type and its casts known to a database, once. Raises `DuckError`."""
    kind = logical_type(NAME)
    failed = _api.register_logical_type(connection.handle, kind, None)
    api.destroy_logical_type(c.byref(kind))
    for source, target, function, cost in _CASTS:
        failed = failed or _register_cast(connection, source, target, function, cost)
    if failed:
        raise DuckError("Catalog Error: type JSONB cannot be registered")
    _register_to_json(connection)


def _register_cast(
    connection: Connection, source: str, target: str, function: int, cost: int | None
) -> int:
    made = ptr(_api.create_cast_function())
    types = [logical_type(name) for name in (source, target)]
    try:
        _api.cast_function_set_source_type(made, types[0])
        _api.cast_function_set_target_type(made, types[1])
        if cost is not None:
            _api.cast_function_set_implicit_cast_cost(made, cost)
        _api.cast_function_set_function(made, function)
        return int(_api.register_cast_function(connection.handle, made))
    finally:
        _api.destroy_cast_function(c.byref(made))
        for kind in types:
            api.destroy_logical_type(c.byref(kind))


def _register_to_json(connection: Connection) -> None:
    """to_json of a jsonb is that document; DuckDB's own would take it for a text.

    `row_to_json_(typeof(x), to_json(x))` mends what holds one.
    """
    for name, arguments, function in (
        ("to_json", (NAME,), _to_json),
        ("to_json", (f"{NAME}[]",), _list_to_json),
        ("row_to_json_", ("VARCHAR", "JSON"), _row_to_json),
    ):
        register_at(connection, name, arguments, "JSON", c.cast(function, ptr))
