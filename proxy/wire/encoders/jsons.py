"""Encoders of json and jsonb: JSON texts as they are; STRUCT, MAP, UNION and lists in them spelled out.

The JSON of a nested value is built from the inside out, a whole column at every step: texts of the
members, keys in front, joined per row. It is spaced as Postgres prints jsonb (`{"a": 1, "b": [1, 2]}`).

Decisions:

- Members keep the order of the STRUCT or MAP that holds them; Postgres would sort them by length.
- A member without a name, as `row(1, 2)` makes them, is called `f1`, `f2`..., as Postgres does.
- A UNION is an object of its one member: `{"k": 1}`.
- Numbers are written as Postgres's to_jsonb writes them: without an exponent, and NaN and the
  infinities, which JSON lacks, as strings.
- Everything that is no number, boolean or container is the string of its Postgres text.
- JSON within a container is put in as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.wire.encoders import floats, plain
from proxy.wire.encoders.arrays import join_lists, split, split_map
from proxy.wire.encoders.cells import (
    Cells,
    Encoder,
    Piece,
    choice,
    concat,
    null_mask,
    replaced_bytes,
    storage,
    values,
)
from proxy.wire.types import DATES, EXACT_NUMBERS, FLOATS, LISTS, TIMES, DuckType

# A column to the JSON texts of its values, `null` for NULL: binary, no NULLs.
ToJson = Callable[[pa.Array], pa.Array]
TextOf = Callable[[DuckType], Encoder]


@dataclass(frozen=True, slots=True)
class Form:
    """How a document is spaced and its scalars are written.

    comma, colon: between elements, and between a key and its value. exponents: whether floats keep
    theirs. iso: whether a moment has ISO 8601's T between its date and its time.
    """

    comma: bytes = b", "
    colon: bytes = b": "
    exponents: bool = False
    iso: bool = False


JSONB = Form()
TO_JSON = Form(b",", b":", exponents=True, iso=True)
"""As Postgres's to_json writes."""

_MOMENTS = frozenset(one for one in DATES if one.startswith("TIMESTAMP"))

# Their texts never need an escape.
_CLEAN = TIMES | DATES | {"UUID", "BIT"}

_SHORT_ESCAPES = {8: b"\\b", 9: b"\\t", 10: b"\\n", 12: b"\\f", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}
_ESCAPES = [_SHORT_ESCAPES.get(c, b"\\u%04x" % c if c < 32 else bytes([c])) for c in range(256)]


def json_text(duck: DuckType, text_of: TextOf, form: Form = JSONB) -> Encoder:
    """A document in the text format; `text_of` finds the text encoder of a scalar type."""
    write = _json(duck, text_of, form)

    def encode(array: pa.Array) -> Cells:
        nulls = union_nulls(array) if duck.id == "UNION" else null_mask(array)
        return Cells(ragged=write(array), nulls=nulls)

    return encode


def json_binary(duck: DuckType, text_of: TextOf) -> Encoder:
    """jsonb in the binary format: a version byte, then the text."""
    text = json_text(duck, text_of)

    def encode(array: pa.Array) -> Cells:
        cells = text(array)
        return Cells(ragged=concat(len(array), [b"\1", cells.ragged]), nulls=cells.nulls)

    return encode


def document_binary(array: pa.Array) -> Cells:
    """A column of jsonb's texts: a version byte before each."""
    cells = plain.text(array)
    texts, _ = cells.compact()
    return Cells(ragged=concat(len(array), [b"\1", texts]), nulls=cells.nulls)


def _json(duck: DuckType, text_of: TextOf, form: Form) -> ToJson:
    build = _CONTAINERS.get(duck.id)
    if build is not None:
        container = build(duck, text_of, form)
        # An engine may have turned what Arrow cannot carry into JSON already.
        return lambda array: _as_is(array) if _is_text(array) else container(array)
    if duck.id == "VARIANT" or duck.is_document:
        return _as_is
    if duck.id == "BOOLEAN":
        return _boolean
    if duck.id == "SQLNULL":
        return lambda array: choice([b"null"], np.zeros(len(array), "i1"))
    encoder = text_of(duck)
    if duck.id in EXACT_NUMBERS:
        return lambda array: _nulls_in(encoder(array))
    if duck.id in FLOATS:
        written = _float_as_it_is if form.exponents else _float
        return lambda array: written(encoder(array))
    if duck.id in _MOMENTS and form.iso:
        return lambda array: _string(_iso(encoder(array), duck.id), escape=False)
    if duck.id in _CLEAN:
        return lambda array: _string(encoder(array), escape=False)
    return lambda array: _string(encoder(array), escape=True)


def _nulls_in(cells: Cells) -> pa.Array:
    """Cells as a binary array with `null` for NULL."""
    texts, _ = cells.compact()
    if cells.nulls is None:
        return texts
    return pc.if_else(pa.array(cells.nulls), pa.scalar(b"null"), texts)


def _is_text(array: pa.Array) -> bool:
    kind = storage(array).type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _as_is(array: pa.Array) -> pa.Array:
    return _nulls_in(plain.text(array))


def _boolean(array: pa.Array) -> pa.Array:
    nulls = null_mask(array)
    index = plain.bools(array, nulls).astype("i1")
    if nulls is not None:
        index[nulls] = 2
    return choice([b"false", b"true", b"null"], index)


def _float(cells: Cells) -> pa.Array:
    texts, _ = cells.compact()
    return _nulls_in(Cells(ragged=floats.without_exponent(texts), nulls=cells.nulls))


def _float_as_it_is(cells: Cells) -> pa.Array:
    """With its exponent; what is no number in JSON is a string."""
    texts, _ = cells.compact()
    texts = texts.cast(pa.string())
    named = pc.match_substring_regex(texts, "[Nn]")
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    made = pc.if_else(named, quoted, texts).cast(pa.binary())
    return _nulls_in(Cells(ragged=made, nulls=cells.nulls))


def _iso(cells: Cells, kind: str) -> Cells:
    """A moment in ISO 8601's form, whose offset has its minutes; the era stays behind."""
    texts, _ = cells.compact()
    texts = pc.replace_substring_regex(texts.cast(pa.string()), "([0-9]) ([0-9])", r"\1T\2")
    if kind == "TIMESTAMP_TZ":
        texts = pc.replace_substring_regex(texts, "([+-][0-9]{2})( BC)?$", r"\1:00\2")
    return Cells(ragged=texts.cast(pa.binary()), nulls=cells.nulls)


def _string(cells: Cells, *, escape: bool) -> pa.Array:
    texts, _ = cells.compact()
    if escape:
        texts = replaced_bytes(texts, _ESCAPES)
    return _nulls_in(Cells(ragged=concat(len(texts), [b'"', texts, b'"']), nulls=cells.nulls))


def _key(name: str, form: Form) -> bytes:
    return b'"' + b"".join(_ESCAPES[c] for c in name.encode()) + b'"' + form.colon


# --- containers ----------------------------------------------------------------------------------


def _list(duck: DuckType, text_of: TextOf, form: Form) -> ToJson:
    element = _json(duck.children[0], text_of, form)

    def write(array: pa.Array) -> pa.Array:
        offsets, elements = split(array)
        inner = join_lists(offsets, element(elements), form.comma)
        texts = concat(len(array), [b"[", inner, b"]"])
        return _nulls_in(Cells(ragged=texts, nulls=null_mask(array)))

    return write


def _struct(duck: DuckType, text_of: TextOf, form: Form) -> ToJson:
    members = [_json(child, text_of, form) for child in duck.children]
    keys = [_key(name or f"f{i}", form) for i, name in enumerate(duck.names, start=1)]
    before = [(form.comma if i else b"{") + key for i, key in enumerate(keys)]

    def write(array: pa.Array) -> pa.Array:
        pieces: list[Piece] = []
        for mark, member, column in zip(before, members, members_of(array), strict=True):
            pieces += [mark, member(column)]
        texts = concat(len(array), [*(pieces or [b"{"]), b"}"])
        return _nulls_in(Cells(ragged=texts, nulls=null_mask(array)))

    return write


def members_of(array: pa.StructArray) -> list[pa.Array]:
    """The columns of a struct; where it is NULL, so are they, as far as they can be."""
    columns = [array.field(i) for i in range(array.type.num_fields)]
    # flatten() would hand the NULLs down to a union too, which has none, and ends the process.
    if array.null_count == 0 or any(pa.types.is_union(c.type) for c in columns):
        return columns
    return array.flatten()


def _map(duck: DuckType, text_of: TextOf, form: Form) -> ToJson:
    key_type, value_type = duck.children
    key, value = _map_key(key_type, text_of, form), _json(value_type, text_of, form)

    def write(array: pa.Array) -> pa.Array:
        offsets, keys, items = split_map(array)
        pairs = concat(len(keys), [key(keys), form.colon, value(items)])
        texts = concat(len(array), [b"{", join_lists(offsets, pairs, form.comma), b"}"])
        return _nulls_in(Cells(ragged=texts, nulls=null_mask(array)))

    return write


def _map_key(duck: DuckType, text_of: TextOf, form: Form) -> ToJson:
    """A key is a string: the text of a scalar, the JSON of anything else."""
    if duck.id in _CONTAINERS or duck.id == "VARIANT":
        inner = _json(duck, text_of, form)
        return lambda array: _string(Cells(ragged=inner(array)), escape=True)
    encoder = text_of(duck)
    return lambda array: _string(encoder(array), escape=True)


def _union(duck: DuckType, text_of: TextOf, form: Form) -> ToJson:
    members = [_json(child, text_of, form) for child in duck.children]
    keys = [b"{" + _key(name, form) for name in duck.names]

    def write(array: pa.Array) -> pa.Array:
        n = len(array)
        tags = _tags(array)
        texts = [
            concat(n, [key, member(array.field(i)), b"}"])
            for i, (key, member) in enumerate(zip(keys, members, strict=True))
        ]
        chosen = pa.concat_arrays(texts).take(pa.array(tags.astype("i8") * n + np.arange(n)))
        return _nulls_in(Cells(ragged=chosen, nulls=union_nulls(array)))

    return write


def union_nulls(array: pa.Array) -> np.ndarray | None:
    """Where a UNION is NULL. Arrow's unions cannot say so: DuckDB exports a NULL as a NULL of the
    first member, and so a first member that is NULL counts as a NULL union."""
    if _is_text(array):
        return null_mask(array)
    member = array.field(0)
    first = union_nulls(member) if pa.types.is_union(member.type) else null_mask(member)
    nulls = None if first is None else first & (_tags(array) == 0)
    return nulls if nulls is not None and nulls.any() else None


def _tags(array: pa.Array) -> np.ndarray:
    # Not `type_codes`, which forgets where a slice begins.
    return values(array, "i1")


_CONTAINERS: dict[str, Callable[[DuckType, TextOf, Form], ToJson]] = {
    **dict.fromkeys(LISTS, _list),
    "STRUCT": _struct,
    "MAP": _map,
    "UNION": _union,
}
