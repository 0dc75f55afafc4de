"""Documents inside DuckDB: what is taken out of one, and how two jsonb compare.

Why it exists: DuckDB's own functions over JSON read numbers as floats, so that `1.50` comes out as
`1.5` and what has more than 17 digits as another number; and a jsonb, whose values are texts there, is
compared as a text. Each function is there for json and for jsonb, and gives what it was given.

- `json_member_(doc, name)`, `json_member_(doc, number)`, `json_path_(doc, names)`: `->` and `#>`.
- `json_member_text_`, `json_path_text_`: `->>` and `#>>`.
- `json_elements_`, `json_element_texts_`: lists of what an array has.
- `jsonb_key_(doc)`: bytes that sort as Postgres sorts jsonb, and are equal where two of them are.
- `variant_path_(doc, path or number)`, `variant_text_(doc, path)`: what a path of a VARIANT's leads to.
- `to_json(doc)`, `variant_list_(docs)`, `variant_object_(names, docs)`: a document, an array and an object of
  documents as they are written, without blanks; DuckDB's own `to_json` rounds their numbers.
- `variant_key_(doc)`: bytes that sort as VARIANTs do, and are equal where two of them are;
  `variant_plain_(doc)`: the one document of all that are equal.
- `a @> b` and `a <@ b` of jsonb.
- `a || b`, `a - name`, `a - number`, `a - names`, `jsonb_delete_path_`, `jsonb_set_`, `jsonb_insert_`,
  `jsonb_strip_nulls_`, `jsonb_pretty_`: a jsonb that is changed, in Python (`document_edits`).
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Callable
from typing import Any

from proxy.engines import document_edits as edits
from proxy.engines import documents
from proxy.engines.duck.api import Api, address_of, api, ptr
from proxy.engines.duck.c import Connection
from proxy.engines.duck.functions import register_at, scalar, text_at
from proxy.engines.duck.jsonb import NAME, put_null

try:
    from proxy.engines import _documents as compiled
except ImportError:  # no compiler was there
    compiled = None

_api = Api(
    {
        "vector_assign_string_element_len": (None, (ptr, c.c_uint64, c.c_char_p, c.c_uint64)),
        "vector_ensure_validity_writable": (None, (ptr,)),
        "list_vector_get_child": (ptr, (ptr,)),
        "list_vector_reserve": (c.c_int, (ptr, c.c_uint64)),
        "list_vector_set_size": (c.c_int, (ptr, c.c_uint64)),
        "validity_row_is_valid": (c.c_bool, (ptr, c.c_uint64)),
        "validity_set_row_invalid": (None, (ptr, c.c_uint64)),
    }
)

_Read = Callable[[int], Any]


def _column(vector: int, read: Callable[[int, int], Any]) -> _Read:
    """A value of a vector by its row, None where it is NULL."""
    data, valid = api.vector_get_data(vector), api.vector_get_validity(vector)

    def at(row: int) -> Any:
        if valid and not _api.validity_row_is_valid(valid, row):
            return None
        return read(data, row)

    return at


def _texts(vector: int) -> _Read:
    return _column(vector, text_at)


def _numbers(vector: int) -> _Read:
    return _column(vector, lambda data, row: c.c_int64.from_address(data + 8 * row).value)


def _truths(vector: int) -> _Read:
    return _column(vector, lambda data, row: c.c_bool.from_address(data + row).value)


def _lists(vector: int) -> _Read:
    inner = _texts(_api.list_vector_get_child(vector))

    def read(data: int, row: int) -> list[str | None]:
        start, length = (c.c_uint64 * 2).from_address(data + 16 * row)
        return [inner(i) for i in range(start, start + length)]

    return _column(vector, read)


def _called(reads: tuple[Callable[[int], _Read], ...], body: Callable[..., Any]) -> Any:
    """A function of DuckDB's that gives what `body` makes of a row's values; NULL of a NULL."""

    @scalar
    def call(chunk: int, output: int) -> None:
        columns = [read(api.data_chunk_get_vector(chunk, i)) for i, read in enumerate(reads)]
        for row in range(api.data_chunk_get_size(chunk)):
            given = [column(row) for column in columns]
            made = None if None in given else body(*given)
            _put(output, row, made)

    return call


def _put(output: int, row: int, made: object) -> None:
    if made is None:
        put_null(output, row)
    elif isinstance(made, bool):
        c.c_bool.from_address(api.vector_get_data(output) + row).value = made
    else:
        raw = made if isinstance(made, bytes) else str(made).encode()
        _api.vector_assign_string_element_len(output, row, raw, len(raw))


def _listed(shown: Callable[[str], str | None]) -> Any:
    """The elements of documents, as lists."""

    @scalar
    def call(chunk: int, output: int) -> None:
        given = _texts(api.data_chunk_get_vector(chunk, 0))
        entries, found = api.vector_get_data(output), []
        for row in range(api.data_chunk_get_size(chunk)):
            document = given(row)
            several = [] if document is None else documents.elements(document)
            entry = (c.c_uint64 * 2).from_address(entries + 16 * row)
            entry[0], entry[1] = len(found), len(several)
            found += map(shown, several)
            if document is None:
                _put(output, row, None)
        _api.list_vector_reserve(output, len(found))
        _api.list_vector_set_size(output, len(found))
        child = _api.list_vector_get_child(output)
        for row, one in enumerate(found):
            _put(child, row, one)

    return call


# In the order in which the compiled ones are given.
_FUNCTIONS = (
    _called((_texts, _texts), documents.member),
    _called((_texts, _texts), lambda *given: documents.as_text(documents.member(*given))),
    _called((_texts, _numbers), documents.element),
    _called((_texts, _numbers), lambda *given: documents.as_text(documents.element(*given))),
    _called((_texts, _lists), documents.at_path),
    _called((_texts, _lists), lambda *given: documents.as_text(documents.at_path(*given))),
    _called((_texts,), documents.key),
    _called((_texts, _texts), documents.contains),
    _called((_texts, _texts), lambda part, whole: documents.contains(whole, part)),
    _listed(lambda element: element),
    _listed(documents.as_text),
    _called((_texts,), documents.variant_key),
    _called((_texts,), documents.variant_plain),
    _called((_texts, _texts), documents.at_steps),
    _called((_texts, _texts), documents.text_at_steps),
    _called((_texts, _numbers), documents.at_place),
    _called((_texts,), lambda document: documents.minified(document.strip())),
    _called((_lists,), documents.of_list),
    _called((_lists, _lists), documents.of_members),
)
_NEEDED = (
    "data_chunk_get_vector",
    "data_chunk_get_size",
    "vector_get_data",
    "vector_get_validity",
    "vector_ensure_validity_writable",
    "vector_assign_string_element_len",
    "list_vector_get_child",
    "list_vector_reserve",
    "list_vector_set_size",
    "scalar_function_set_error",
)
in_python = [c.cast(one, ptr).value or 0 for one in _FUNCTIONS]
addresses = in_python
if compiled is not None:
    addresses = compiled.setup([*map(address_of, _NEEDED)])

_MEMBER, _MEMBER_TEXT, _ELEMENT, _ELEMENT_TEXT, _PATH, _PATH_TEXT = range(6)
_KEY, _WITHIN, _PART, _ELEMENTS, _TEXTS, _VARIANT_KEY, _VARIANT_PLAIN = range(6, 13)
_STEPS, _STEPS_TEXT, _PLACE, _SAME, _OF_LIST, _OF_MEMBERS = range(13, 19)


_READS = {
    "VARCHAR": _texts,
    "BIGINT": _numbers,
    "VARCHAR[]": _lists,
    "BOOLEAN": _truths,
    NAME: _texts,
}
_EDITS: tuple[tuple[str, tuple[str, ...], str, Callable[..., str]], ...] = (
    ("||", (NAME, NAME), NAME, edits.joined),
    ("-", (NAME, "VARCHAR"), NAME, edits.without_name),
    ("-", (NAME, "BIGINT"), NAME, edits.without_element),
    ("-", (NAME, "VARCHAR[]"), NAME, edits.without_names),
    ("jsonb_delete_path_", (NAME, "VARCHAR[]"), NAME, edits.without_path),
    ("jsonb_set_", (NAME, "VARCHAR[]", NAME), NAME, edits.with_value),
    ("jsonb_set_", (NAME, "VARCHAR[]", NAME, "BOOLEAN"), NAME, edits.with_value),
    ("jsonb_insert_", (NAME, "VARCHAR[]", NAME), NAME, edits.with_more),
    ("jsonb_insert_", (NAME, "VARCHAR[]", NAME, "BOOLEAN"), NAME, edits.with_more),
    ("jsonb_strip_nulls_", (NAME,), NAME, edits.without_nulls),
    ("jsonb_pretty_", (NAME,), "VARCHAR", edits.pretty),
)
_edits = [_called(tuple(_READS[kind] for kind in edit[1]), edit[3]) for edit in _EDITS]


def register(connection: Connection) -> None:
    """Makes the functions known to a database that has the type, once. Raises `DuckError`."""
    text, number, steps = "VARCHAR", "BIGINT", "VARCHAR[]"
    for kind in ("JSON", NAME):
        register_at(connection, "json_member_", (kind, text), kind, addresses[_MEMBER])
        register_at(connection, "json_member_text_", (kind, text), text, addresses[_MEMBER_TEXT])
        register_at(connection, "json_member_", (kind, number), kind, addresses[_ELEMENT])
        register_at(connection, "json_member_text_", (kind, number), text, addresses[_ELEMENT_TEXT])
        register_at(connection, "json_path_", (kind, steps), kind, addresses[_PATH])
        register_at(connection, "json_path_text_", (kind, steps), text, addresses[_PATH_TEXT])
        register_at(connection, "json_elements_", (kind,), f"{kind}[]", addresses[_ELEMENTS])
        register_at(connection, "json_element_texts_", (kind,), steps, addresses[_TEXTS])
    register_at(connection, "jsonb_key_", (NAME,), "BLOB", addresses[_KEY])
    register_at(connection, "variant_key_", ("JSON",), "BLOB", addresses[_VARIANT_KEY])
    register_at(connection, "variant_plain_", ("JSON",), "JSON", addresses[_VARIANT_PLAIN])
    register_at(connection, "variant_path_", ("JSON", text), "JSON", addresses[_STEPS])
    register_at(connection, "variant_text_", ("JSON", text), text, addresses[_STEPS_TEXT])
    register_at(connection, "variant_path_", ("JSON", number), "JSON", addresses[_PLACE])
    register_at(connection, "to_json", ("JSON",), "JSON", addresses[_SAME])
    register_at(connection, "variant_list_", ("JSON[]",), "JSON", addresses[_OF_LIST])
    register_at(connection, "variant_object_", (steps, "JSON[]"), "JSON", addresses[_OF_MEMBERS])
    register_at(connection, "@>", (NAME, NAME), "BOOLEAN", addresses[_WITHIN])
    register_at(connection, "<@", (NAME, NAME), "BOOLEAN", addresses[_PART])
    for (name, arguments, result, _), function in zip(_EDITS, _edits, strict=True):
        register_at(connection, name, arguments, result, c.cast(function, ptr))
