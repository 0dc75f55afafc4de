"""From separators to the values of fields: escapes and quotes taken out, NULLs told from texts.

Fields lie one after the other in one buffer, row by row; columns are taken out of it by a single
kernel each, when all that can be wrong with rows is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from proxy.wire.copying.marks import Marks
from proxy.wire.copying.options import CopyOptions


class Fields:
    """Texts of rows x columns fields as slices of one buffer.

    data: uint8, padded. starts, ends: int64 (rows, columns), ascending. nulls: bool of that shape.
    """

    __slots__ = ("_every", "data", "ends", "nulls", "starts")

    def __init__(
        self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, nulls: np.ndarray
    ) -> None:
        self.data, self.starts, self.ends, self.nulls = data, starts, ends, nulls
        self._every: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def head(self, rows: int) -> Fields:
        return Fields(self.data, self.starts[:rows], self.ends[:rows], self.nulls[:rows])

    def column(self, at: int) -> pa.Array:
        """A string array of one column's values."""
        n, width = self.starts.shape
        if n == 0:
            return pa.array([], pa.string())
        if self._every is None:
            # Fields and what lies between them are neighbours: one array has them all.
            offsets = np.empty(2 * n * width, "i4")
            offsets[0::2] = self.starts.reshape(-1)
            offsets[1::2] = self.ends.reshape(-1)
            buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
            self._every = pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)
        indices = np.arange(2 * at, 2 * n * width, 2 * width, dtype="i4")
        taken = self._every.take(pa.array(indices))
        nulls = self.nulls[:, at]
        if not nulls.any():
            return taken
        valid = pa.py_buffer(np.packbits(~nulls, bitorder="little"))
        return pa.Array.from_buffers(pa.string(), n, [valid, *taken.buffers()[1:]])

    def value(self, row: int, column: int) -> bytes | None:
        if self.nulls[row, column]:
            return None
        return self.data[self.starts[row, column] : self.ends[row, column]].tobytes()


class Run:
    """Fields in a row, not yet known to fill rows. All arrays have the shape (fields,).

    suspect: escapes made bytes, so that the values may not be UTF-8.
    """

    __slots__ = ("data", "ends", "nulls", "starts", "suspect")

    def __init__(
        self,
        data: np.ndarray,
        starts: np.ndarray,
        ends: np.ndarray,
        nulls: np.ndarray,
        suspect: bool,
    ) -> None:
        self.data, self.starts, self.ends = data, starts, ends
        self.nulls, self.suspect = nulls, suspect

    def rows(self, count: int, width: int, first: int = 0) -> Fields:
        """`count` rows of `width` fields, from field `first` on."""
        part = slice(first, first + count * width)
        arrays = (self.starts, self.ends, self.nulls)
        return Fields(self.data, *(array[part].reshape(count, width) for array in arrays))


class FieldCutter:
    """columns: names of the columns that are copied, in order."""

    def __init__(self, options: CopyOptions, columns: Sequence[str]) -> None:
        self._options = options
        self._force_null = _chosen(columns, options.force_null)
        self._force_not_null = _chosen(columns, options.force_not_null)
        self._width = len(columns)

    def run(
        self,
        marks: Marks,
        data: np.ndarray,
        ends: np.ndarray,
        starts: np.ndarray,
        forced: bool = True,
    ) -> Run:
        """The values of the fields between these positions of the chunk `data`, from a row's start.

        forced: FORCE_NULL and FORCE_NOT_NULL count, as they do but in the header.
        """
        nulls = _equal(data, starts, ends, self._options.null)
        end = int(ends[-1]) if len(ends) else 0
        clean = marks.clean(end, starts, ends)
        if clean.quoted is not None:
            nulls &= ~clean.quoted
        written = ~nulls
        if forced and self._force_not_null is not None:
            nulls &= ~self._of_columns(self._force_not_null, len(nulls))
        if forced and self._force_null is not None:
            equal = _equal(clean.data, clean.starts, clean.ends, self._options.null)
            nulls |= equal & written & self._of_columns(self._force_null, len(nulls))
        # A NULL holds no bytes, so that whoever looks at a column's bytes sees values alone.
        ends = np.where(nulls, clean.starts, clean.ends) if nulls.any() else clean.ends
        return Run(clean.data, clean.starts, ends, nulls, clean.suspect)

    def _of_columns(self, chosen: np.ndarray, fields: int) -> np.ndarray:
        return chosen[np.arange(fields) % self._width]


def _chosen(columns: Sequence[str], names: Sequence[str]) -> np.ndarray | None:
    return np.array([name in names for name in columns]) if names else None


def _equal(data: np.ndarray, starts: np.ndarray, ends: np.ndarray, text: bytes) -> np.ndarray:
    """Which slices hold exactly this text."""
    size = len(text)
    equal = ends - starts == size
    if size and equal.any():
        some = np.flatnonzero(equal)
        for at, byte in enumerate(text):
            some = some[data[starts[some] + at] == byte]
        equal = np.zeros(len(starts), bool)
        equal[some] = True
    return equal
