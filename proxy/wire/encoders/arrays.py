"""Encoders of LIST and ARRAY as Postgres arrays, in both formats.

A Postgres array is one rectangle of any dimension; DuckDB's lists nest freely. So the levels are
peeled off first, checked to be rectangular row by row (2202E if not), and what remains is one flat
column of elements with its own encoder.

Text follows array_out: `{1,NULL,"a b"}`. Binary is the header of array_send and the elements with
their length words, whose bytes already lie in the right order: no element is moved on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.wire.encoders.cells import (
    Cells,
    Encoder,
    Piece,
    binary_from,
    binary_parts,
    check_bytes,
    choice,
    concat,
    null_mask,
    offsets_of,
    padded,
    replaced_bytes,
    side_by_side,
    trimmed,
    values,
)

_BRACE, _END = b"{", b"}"


@dataclass(frozen=True, slots=True)
class Rectangles:
    """A column of nested lists taken apart.

    offsets: one array per level, int32: the lists of level k, in order, have as elements
        `offsets[k][i]` to `offsets[k][i + 1]` of level k + 1, the last level's of `elements`.
    sizes: int32 (n, levels): the dimensions of each row's array.
    """

    nulls: np.ndarray | None
    offsets: list[np.ndarray]
    sizes: np.ndarray
    elements: pa.Array

    @property
    def bounds(self) -> np.ndarray:
        """Offsets of each row's elements in `elements`: int32 (n + 1,)."""
        bounds = self.offsets[0]
        for deeper in self.offsets[1:]:
            bounds = deeper[bounds]
        return bounds


def split(array: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Offsets from 0 (int32, n + 1) and elements of a column of lists.

    What a NULL spans is left in: dropping it would copy the elements, which Arrow cannot do for
    every type. DuckDB gives a NULL LIST no elements, and a NULL ARRAY elements that are NULL.
    """
    if pa.types.is_fixed_size_list(array.type):
        n, size = len(array), array.type.list_size
        elements = array.values.slice(array.offset * size, n * size)
        return offsets_of(np.full(n, size, "i4")), elements
    if not pa.types.is_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    offsets = _offsets(array)
    return offsets - offsets[0], array.values.slice(offsets[0], offsets[-1] - offsets[0])


def split_map(array: pa.MapArray) -> tuple[np.ndarray, pa.Array, pa.Array]:
    """Offsets from 0 (int32, n + 1), keys and items of a column of maps."""
    offsets = _offsets(array)
    first, count = offsets[0], offsets[-1] - offsets[0]
    return offsets - first, array.keys.slice(first, count), array.items.slice(first, count)


def _offsets(array: pa.ListArray | pa.MapArray) -> np.ndarray:
    if len(array) == 0:
        return np.zeros(1, "i4")
    return values(array, "i4", extra=1)


def peel(array: pa.Array, levels: int) -> Rectangles:
    """Raises SqlError 2202E where a row's lists are no rectangle, or a list within is NULL."""
    nulls = null_mask(array)
    first, inner = split(array)
    offsets = [first]
    n = len(array)
    sizes = np.zeros((n, levels), "i4")
    sizes[:, 0] = np.diff(first)
    # Of each row: offsets of its lists of the current level.
    bounds = first
    for level in range(1, levels):
        counts = np.diff(bounds)
        counted = True if nulls is None else np.repeat(~nulls, counts)
        missing = null_mask(inner)
        if missing is not None and (missing & counted).any():
            raise _not_rectangular("a NULL stands where a list belongs")
        next_offsets, inner = split(inner)
        lengths = np.diff(next_offsets)
        some = np.flatnonzero(counts)
        sizes[some, level] = lengths[bounds[some]]
        if ((lengths != np.repeat(sizes[:, level], counts)) & counted).any():
            raise _not_rectangular("lists within one value differ in length")
        offsets.append(next_offsets)
        bounds = next_offsets[bounds]
    return Rectangles(nulls, offsets, sizes, inner)


def _not_rectangular(detail: str) -> SqlError:
    return SqlError(
        "2202E",
        "multidimensional arrays must have sub-arrays with matching dimensions",
        detail=f"In a nested list, {detail}.",
        hint="Cast the value to JSON to send it as it is.",
    )


# --- text ----------------------------------------------------------------------------------------


def array_text(element: Encoder, levels: int, quote: bool) -> Encoder:
    """quote: whether an element's text may need quotes."""

    def encode(array: pa.Array) -> Cells:
        parts = peel(array, levels)
        cells = element(parts.elements)
        texts, _ = cells.compact()
        if quote:
            texts = quoted(texts)
        if cells.nulls is not None:
            texts = pc.if_else(pa.array(cells.nulls), pa.scalar(b"NULL"), texts)
        for offsets in reversed(parts.offsets):
            count = len(offsets) - 1
            texts = concat(count, [_BRACE, join_lists(offsets, texts, b","), _END])
        if levels > 1:
            empty = np.diff(parts.bounds) == 0
            if empty.any():
                texts = pc.if_else(pa.array(empty), pa.scalar(b"{}"), texts)
        return Cells(ragged=texts, nulls=parts.nulls)

    return encode


def join_lists(offsets: np.ndarray, texts: pa.Array, separator: bytes) -> pa.Array:
    """The texts of each list in one, the separator between them: binary, one per list."""
    bounds, _ = binary_parts(texts)
    check_bytes(int(bounds[-1]) - int(bounds[0]) + len(separator) * len(texts))
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts)
    return pc.binary_join(lists, pa.scalar(separator))


def _table(marks: bytes) -> np.ndarray:
    found = np.zeros(256, bool)
    found[list(marks)] = True
    return found


# What array_out and record_out put in quotes: their own punctuation and white space; and what they
# escape there, an array's with a backslash, a row's by itself.
_WHITE = b" \t\n\r\v\f"
_PUNCTUATION = _table(b'{}",\\' + _WHITE), _table(b'()",\\' + _WHITE)
_EVERY = [bytes([c]) for c in range(256)]
_ESCAPES = (
    [b"\\" + one if one in b'"\\' else one for one in _EVERY],
    [one + one if one in b'"\\' else one for one in _EVERY],
)


def quoted(texts: pa.Array, *, record: bool = False) -> pa.Array:
    """Array elements, or a row's members, in quotes where Postgres puts them."""
    offsets, data = binary_parts(texts)
    lengths = np.diff(offsets)
    special = np.zeros(len(data) + 1, "i4")
    np.cumsum(_PUNCTUATION[record][data], out=special[1:])
    needs = (special[offsets[1:]] != special[offsets[:-1]]) | (lengths == 0)
    four = np.flatnonzero(lengths == 4)
    if len(four) and not record:
        words = padded(texts.take(pa.array(four)), 4).view("u4")[:, 0] | np.uint32(0x20202020)
        needs[four] |= words == np.frombuffer(b"null", "u4")[0]
    if not needs.any():
        return texts
    mark = choice([b"", b'"'], needs.view("i1"))
    return concat(len(texts), [mark, replaced_bytes(texts, _ESCAPES[record]), mark])


# --- binary --------------------------------------------------------------------------------------


def array_binary(element: Encoder, levels: int, element_oid: int) -> Encoder:
    """int32 dimensions, int32 whether NULLs occur, int32 OID, per dimension int32 size and int32
    lower bound; then the elements, each behind its length or -1."""

    def encode(array: pa.Array) -> Cells:
        parts = peel(array, levels)
        n = len(array)
        bounds = parts.bounds
        cells = element(parts.elements)
        nulls = cells.nulls
        texts, lengths = cells.compact()
        word = lengths.astype(">i4")
        has_null = np.zeros(n, ">i4")
        if nulls is not None:
            word[nulls] = -1
            before = np.zeros(len(nulls) + 1, "i4")
            np.cumsum(nulls, out=before[1:])
            has_null[...] = before[bounds[1:]] != before[bounds[:-1]]
        starts, data = binary_parts(concat(len(texts), [word, texts]))
        payload = binary_from(np.ascontiguousarray(starts[bounds]), data)
        filled = bounds[1:] != bounds[:-1]
        header: list[bytes | np.ndarray] = [
            (filled * levels).astype(">i4"),
            has_null,
            element_oid.to_bytes(4, "big"),
        ]
        for level in range(levels):
            header += [parts.sizes[:, level].astype(">i4"), b"\0\0\0\1"]
        pieces: list[Piece] = [side_by_side(n, header)]
        if not filled.all():
            pieces = [trimmed(pieces[0], np.where(filled, 12 + 8 * levels, 12))]
        return Cells(ragged=concat(n, [*pieces, payload]), nulls=parts.nulls)

    return encode
