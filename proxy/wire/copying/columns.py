"""How a column of written values is read: in bulk where they are written as usual, exactly where not.

Every type has two ways. A *kernel* reads the whole column with a few array operations and says which
values it did not understand; the *exact* decoder - the same one that reads Bind's parameters -
reads those, each distinct text once, and is the judge of what is an error. So the common
spellings cost nanoseconds, every spelling of Postgres's is read, and nothing is read differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.wire.decoders.values import LeftOver, Value
from proxy.wire.types import DuckType


class BadValue(Exception):
    """A value that its type does not have. row: where it stands in its column."""

    def __init__(self, row: int, error: SqlError) -> None:
        super().__init__(str(error))
        self.row, self.error = row, error


class Slices:
    """A column of raw values as slices of one buffer: what the binary format holds.

    data: uint8, followed by at least `PAD` bytes of anything. starts, lengths: int64 (n,).
    nulls: bool (n,).
    """

    __slots__ = ("data", "lengths", "nulls", "starts")

    def __init__(
        self, data: np.ndarray, starts: np.ndarray, lengths: np.ndarray, nulls: np.ndarray
    ) -> None:
        self.data, self.starts, self.lengths, self.nulls = data, starts, lengths, nulls

    def __len__(self) -> int:
        return len(self.starts)

    def head(self, rows: int) -> Slices:
        return Slices(self.data, self.starts[:rows], self.lengths[:rows], self.nulls[:rows])

    def value(self, row: int) -> bytes:
        start = int(self.starts[row])
        return self.data[start : start + int(self.lengths[row])].tobytes()

    def at(self, offset: int, dtype: str) -> np.ndarray:
        """The item of this type that lies `offset` bytes into each value: (n,)."""
        width = np.dtype(dtype).itemsize
        every = np.ndarray((len(self.data) - width + 1,), dtype, self.data, 0, (1,))
        return every[self.starts + offset]

    def sized(self, size: int) -> np.ndarray:
        """Which values are neither NULL nor of exactly this many bytes."""
        return ~self.nulls & (self.lengths != size)

    def gathered(self) -> pa.Array:
        """A binary array of the values; NULLs have no bytes."""
        n = len(self)
        if n == 0:
            return pa.array([], pa.binary())
        # Values and what lies between them are neighbours: one array has them all.
        ends = self.starts + np.where(self.nulls, 0, self.lengths)
        offsets = np.empty(2 * n, "i4")
        offsets[0::2], offsets[1::2] = self.starts, ends
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        every = pa.Array.from_buffers(pa.binary(), 2 * n - 1, buffers)
        taken = every.take(pa.array(np.arange(0, 2 * n, 2, dtype="i4")))
        return pa.Array.from_buffers(pa.binary(), n, [bitmap(self.nulls), *taken.buffers()[1:]])


Unusual = np.ndarray | None
"""bool (n,): which values a kernel did not understand (never a NULL); None if it did all of them."""


def no_kernel(texts: pa.Array) -> tuple[None, np.ndarray]:
    """For types whose texts are all left to the exact decoder."""
    return None, texts.is_valid().to_numpy(zero_copy_only=False)


def no_binary_kernel(slices: Slices) -> tuple[None, np.ndarray]:
    return None, ~slices.nulls


@dataclass(frozen=True, slots=True)
class ColumnReader:
    """Reads one column.

    carrier: the DuckDB type that the values have when they reach the engine, which casts them to
        the column's own. storage: the Arrow type that kernels make and `pack` makes of exactly
        decoded values; arrow: what the engine is given, an extension type over it or the same.
    text: the exact decoder of a text; binary: of a binary value.
    """

    carrier: DuckType
    storage: pa.DataType
    text: Callable[[str], Value]
    binary: Callable[[bytes], Value]
    pack: Callable[[Sequence[Any]], pa.Array]
    text_kernel: Callable[[pa.Array], tuple[pa.Array | None, Unusual]] = no_kernel
    binary_kernel: Callable[[Slices], tuple[pa.Array | None, Unusual]] = no_binary_kernel
    extension: pa.BaseExtensionType | None = None

    @property
    def arrow(self) -> pa.DataType:
        return self.extension or self.storage

    def read_texts(self, texts: pa.Array) -> pa.Array:
        """A string array to an array of type `arrow`. Raises BadValue for the first wrong value."""
        array, unusual = self.text_kernel(texts)
        if unusual is not None and unusual.any():
            rows = np.flatnonzero(unusual)
            found = texts.take(pa.array(rows)).dictionary_encode()
            indices = found.indices.to_numpy()
            values = []
            for number, text in enumerate(found.dictionary.to_pylist()):
                try:
                    values.append(self.text(text))
                except SqlError as error:
                    raise BadValue(int(rows[np.argmax(indices == number)]), error) from error
            exact = self.pack(values).take(found.indices)
            array = _merged(array, rows, exact, len(texts))
        return self._wrapped(array, len(texts))

    def read_binaries(self, slices: Slices) -> pa.Array:
        """The same for values in the binary format."""
        array, unusual = self.binary_kernel(slices)
        if unusual is not None and unusual.any():
            rows = np.flatnonzero(unusual)
            values = []
            for row in rows.tolist():
                try:
                    values.append(self.binary(slices.value(row)))
                except LeftOver:
                    error = SqlError("22P03", "incorrect binary data format")
                    raise BadValue(row, error) from None
                except SqlError as error:
                    raise BadValue(row, error) from error
            array = _merged(array, rows, self.pack(values), len(slices))
        return self._wrapped(array, len(slices))

    def _wrapped(self, array: pa.Array | None, count: int) -> pa.Array:
        if array is None:
            array = pa.nulls(count, self.storage)
        if self.extension is not None:
            return pa.ExtensionArray.from_storage(self.extension, array)
        return array


def _merged(array: pa.Array | None, rows: np.ndarray, exact: pa.Array, count: int) -> pa.Array:
    """`array` with the values of `exact` at `rows`."""
    if array is None:
        array = pa.nulls(count, exact.type)
    elif len(rows) == count:
        return exact
    pick = np.arange(count)
    pick[rows] = count + np.arange(len(rows))
    return pa.concat_arrays([array, exact]).take(pa.array(pick))


# --- for kernels ----------------------------------------------------------------------------------


def bitmap(nulls: np.ndarray | None) -> pa.Buffer | None:
    """Arrow's validity bitmap of a mask of NULLs."""
    if nulls is None or not nulls.any():
        return None
    return pa.py_buffer(np.packbits(~nulls, bitorder="little"))


def fixed(kind: pa.DataType, items: np.ndarray, nulls: np.ndarray | None) -> pa.Array:
    """An array of a fixed-width type over the items' own bytes."""
    items = np.ascontiguousarray(items)
    return pa.Array.from_buffers(kind, len(items), [bitmap(nulls), pa.py_buffer(items)])


def strings(array: pa.Array, nulls: np.ndarray | None) -> pa.Array:
    """A binary array as strings with these NULLs."""
    buffers = [bitmap(nulls), *array.buffers()[1:]]
    return pa.Array.from_buffers(pa.string(), len(array), buffers, offset=array.offset)


def usual(texts: pa.Array, pattern: str) -> np.ndarray:
    """Which texts match a pattern (RE2); a NULL does not."""
    return pc.match_substring_regex(texts, pattern).fill_null(False).to_numpy(zero_copy_only=False)


def only(texts: pa.Array, wanted: np.ndarray) -> pa.Array:
    """The texts that are wanted, NULL in place of the others."""
    return pc.if_else(pa.array(wanted), texts, pa.scalar(None, texts.type))


def cast_usual(texts: pa.Array, kind: pa.DataType, pattern: str) -> tuple[pa.Array | None, Unusual]:
    """Arrow's own cast, of all texts at once or else of those that match the pattern."""
    try:
        return texts.cast(kind), None
    except pa.ArrowInvalid:
        wanted = usual(texts, pattern)
        unusual = ~wanted & texts.is_valid().to_numpy(zero_copy_only=False)
    try:
        return only(texts, wanted).cast(kind), unusual
    except pa.ArrowInvalid:
        return no_kernel(texts)
