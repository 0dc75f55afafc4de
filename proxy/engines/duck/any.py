"""Values of any type as Postgres writes them, inside DuckDB: x::text and to_json(x).

Why it exists: DuckDB's own casts to text and to JSON write floats, intervals, arrays and moments in
another way than Postgres does, and a DECIMAL in a document becomes a float there. The encoders of the
wire know how Postgres writes each type; here they serve as functions, a chunk of rows at a time.

- `text_of_(x, style)`: the text of a value. style: the session's zone, an IANA name, and after a space its
  IntervalStyle, if it has set one.
- `json_of_(x, style)`: the document that to_json makes of it.
- `json_items_(document, steps)`: what a path of SQL/JSON's leads to, as texts.
- `record_members_(text, count)`, `array_elements_(text)`: what is in the text of a row, or of an array, as texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import pyarrow as pa

from proxy.engines.documents import lax
from proxy.engines.duck.functions import Functions
from proxy.errors import SqlError
from proxy.wire.decoders.arrays import array_text
from proxy.wire.decoders.records import members
from proxy.wire.encoders import jsons
from proxy.wire.encoders.cells import Encoder
from proxy.wire.encoders.families import check_layout, encoder, printed
from proxy.wire.encoders.style import TextStyle
from proxy.wire.types import BY_NAME, DuckType


def register(functions: Functions) -> None:
    """Makes the functions known to a database, once. Raises `DuckError`."""
    functions.register_of_any("text_of_", ("VARCHAR",), "VARCHAR", _of(_text_encoder))
    functions.register_of_any("json_of_", ("VARCHAR",), "VARCHAR", _of(_json_encoder))
    texts = "VARCHAR[]"
    functions.register("record_members_", ("VARCHAR", "BIGINT"), texts, _members, volatile=False)
    functions.register("json_items_", ("VARCHAR", texts), texts, _items, volatile=False)
    functions.register("array_elements_", ("VARCHAR",), texts, _elements, volatile=False)


def _members(texts: pa.Array, counts: pa.Array) -> pa.Array:
    pairs = zip(texts.to_pylist(), counts.to_pylist(), strict=True)
    return _texts(None if text is None else members(text, count) for text, count in pairs)


def _elements(texts: pa.Array) -> pa.Array:
    return _texts(None if text is None else _elements_of(text) for text in texts.to_pylist())


def _items(documents: pa.Array, paths: pa.Array) -> pa.Array:
    pairs = zip(documents.to_pylist(), paths.to_pylist(), strict=True)
    return _texts(None if document is None else lax(document, path) for document, path in pairs)


def _texts(found: Iterable[list[str | None] | None]) -> pa.Array:
    return pa.array(found, pa.list_(pa.string()))


def _elements_of(text: str) -> list[str | None]:
    read = array_text(BY_NAME["text"].oid, lambda item, zone: item, text, "")
    if len(read.dims) > 1:
        raise SqlError("0A000", "a cast of the text of an array of arrays is not supported")
    return list(read.items)


@lru_cache(maxsize=256)
def _text_encoder(duck: DuckType, style: str) -> Encoder:
    return printed(duck, _style(style))


@lru_cache(maxsize=256)
def _json_encoder(duck: DuckType, told: str) -> Encoder:
    style = _style(told)

    def text_of(kind: DuckType) -> Encoder:
        return encoder(kind, binary=False, style=style)

    return jsons.json_text(duck, text_of, jsons.TO_JSON)


def _style(told: str) -> TextStyle:
    zone, _, intervals = told.partition(" ")
    return TextStyle(time_zone=zone, interval_style=intervals or "postgres")


def _of(
    build: Callable[[DuckType, str], Encoder],
) -> Callable[[DuckType, pa.Array, pa.Array], pa.Array]:
    def made(duck: DuckType, values: pa.Array, styles: pa.Array) -> pa.Array:
        if not len(values):
            return pa.array([], pa.string())
        check_layout(duck, values.type)
        cells = build(duck, styles[0].as_py())(values)
        texts, _ = cells.compact()
        texts = texts.cast(pa.string())
        if cells.nulls is None:
            return texts
        return pa.compute.if_else(pa.array(cells.nulls), pa.scalar(None, pa.string()), texts)

    return made
