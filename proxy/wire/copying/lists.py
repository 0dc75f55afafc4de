"""Readers of lists: `{1,2,NULL}` and the binary array, into LISTs of any element that can be read.

A row of plain elements - no quotes, no escapes, no spaces, one dimension - is cut up in bulk and its
elements are a column like any other. Whatever else an array literal may be is the exact decoder's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.wire.copying.columns import (
    BadValue,
    ColumnReader,
    Unusual,
    bitmap,
    no_kernel,
    strings,
)
from proxy.wire.decoders import arrays
from proxy.wire.decoders.values import Array
from proxy.wire.encoders.cells import binary_from, binary_parts, null_mask, offsets_of
from proxy.wire.types import DuckType, wire_type

_PLAIN, _OPEN, _COMMA = np.ones(256, bool), ord("{"), ord(",")
_PLAIN[list(b'"\\ \t\n\v\f\r{}')] = False


def array(duck: DuckType, reader: Callable[[DuckType], ColumnReader]) -> ColumnReader:
    """reader: makes the reader of an element.

    Raises SqlError 0A000 for elements that cannot be read.
    """
    element, depth = duck, 0
    while element.id in ("LIST", "ARRAY"):
        element, depth = element.children[0], depth + 1
    inner = reader(element)
    storage, carrier = inner.arrow, inner.carrier
    for _ in range(depth):
        storage, carrier = pa.list_(storage), DuckType("LIST", children=(carrier,))
    oid = wire_type(element).oid

    def fitted(value: Array) -> Array:
        if value.dims and len(value.dims) != depth:
            raise SqlError(
                "22023",
                f"array has {len(value.dims)} dimensions, but the column has {depth}",
                detail=f"The column's type is {duck}.",
            )
        return value

    return ColumnReader(
        carrier,
        storage,
        lambda text: fitted(arrays.array_text(oid, lambda item, _: inner.text(item), text, "")),
        lambda raw: fitted(arrays.array_binary(oid, inner.binary, raw)),
        partial(_pack, inner=inner, depth=depth),
        partial(_plain_rows, inner=inner) if depth == 1 else no_kernel,
    )


def _pack(found: Sequence[Array | None], inner: ColumnReader, depth: int) -> pa.Array:
    """Decoded arrays as nested lists of the element's Arrow type."""
    nulls = np.array([value is None for value in found], bool)
    level: list[Any] = [value.items if value is not None else () for value in found]
    offsets: list[np.ndarray] = []
    for _ in range(depth):
        offsets.append(offsets_of(np.array([len(items) for items in level], "i8")))
        level = [item for items in level for item in items]
    made = inner.pack(level)
    if inner.extension is not None:
        made = pa.ExtensionArray.from_storage(inner.extension, made)
    for number, bounds in reversed(list(enumerate(offsets))):
        made = _list(bounds, made, nulls if number == 0 else None)
    return made


def _list(offsets: np.ndarray, items: pa.Array, nulls: np.ndarray | None) -> pa.Array:
    kind = pa.list_(items.type)
    buffers = [bitmap(nulls), pa.py_buffer(np.ascontiguousarray(offsets))]
    return pa.Array.from_buffers(kind, len(offsets) - 1, buffers, children=[items])


def _plain_rows(texts: pa.Array, inner: ColumnReader) -> tuple[pa.Array | None, Unusual]:
    """`{1,2,NULL}` in all values; if one is anything else, all are left to the exact decoder."""
    offsets, data = binary_parts(texts)
    used = data[offsets[0] : offsets[-1]]
    bounds = offsets - offsets[0]
    nulls = null_mask(texts)
    filled = np.flatnonzero(np.diff(bounds) > 0)
    first, last = bounds[filled], bounds[filled + 1] - 1
    # Of what is not plain there are the two braces of each value, and nothing else.
    braced = (used[first] == _OPEN) & (used[last] == ord("}")) & (last > first)
    missing = np.diff(bounds) == 0
    missing_value = missing.any() if nulls is None else (missing & ~nulls).any()
    if not braced.all() or missing_value or int((~_PLAIN[used]).sum()) != 2 * len(filled):
        return no_kernel(texts)
    inside = used.copy()
    inside[last] = _COMMA
    opens, closes = np.zeros(len(used) + 1, bool), np.zeros(len(used), bool)
    opens[first], closes[last] = True, True
    ends = np.flatnonzero(inside == _COMMA)
    # An element begins behind the comma before it, or behind the brace that follows a value's end.
    starts = np.append(0, ends[:-1] + 1)
    starts += opens[starts]
    empty = starts == ends
    if (empty & ~(opens[starts - 1] & closes[ends])).any():
        return no_kernel(texts)
    kept = ~empty
    counts = np.zeros(len(texts), "i8")
    counts[filled] = np.bincount(np.searchsorted(last, ends[kept]), minlength=len(filled))
    items = _slices(inside, starts[kept], ends[kept])
    words = pc.equal(pc.ascii_upper(items), "NULL").to_numpy(zero_copy_only=False)
    if words.any():
        items = strings(pc.if_else(pa.array(words), "", items), words)
    try:
        made = inner.read_texts(items)
    except BadValue:
        return no_kernel(texts)
    return _list(offsets_of(counts), made, nulls), None


def _slices(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> pa.Array:
    """A string array of these ascending slices."""
    n = len(starts)
    if n == 0:
        return pa.array([], pa.string())
    bounds = np.empty(2 * n, "i4")
    bounds[0::2], bounds[1::2] = starts, ends
    every = strings(binary_from(bounds, data), None)
    return every.take(pa.array(np.arange(0, 2 * n, 2, dtype="i4")))
