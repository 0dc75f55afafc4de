"""Result rows: Arrow record batches to DataRow messages, a column at a time.

Why it exists: a Python object per value costs more than everything else that a server does for a
row. Here each column becomes `Cells` by array kernels, and the cells of all columns are joined per
row, length words between them, so that the joined array's value buffer *is* the wire payload. Only
a batch of a few rows goes value by value, because a kernel's price is paid per call.

What it promises: the bytes are those that Postgres 15 sends for the same values, in both formats.
A value that Postgres cannot represent raises SqlError before any of its batch has been returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pyarrow as pa

from proxy.errors import SqlError
from proxy.wire import compiled
from proxy.wire.encoders.cells import (
    MAX_BYTES,
    Cells,
    TooManyBytes,
    as_bytes,
    binary_of_fixed,
    binary_parts,
    join,
    side_by_side,
)
from proxy.wire.encoders.families import check_layout, encoder
from proxy.wire.encoders.few import FEW_ROWS, Few, few
from proxy.wire.encoders.style import TextStyle
from proxy.wire.types import DuckType

__all__ = ["MAX_BYTES", "RowEncoder", "TextStyle"]

TEXT, BINARY = 0, 1

# A batch above this is encoded in pieces, so that memory stays bounded and 32-bit offsets suffice.
_PIECE_BYTES = 256 * 2**20

# 'D', int32 length, int16 number of columns.
_HEADER = 7
_NOTHING = b"D\0\0\0\6\0\0"  # a row without columns


class RowEncoder:
    """Encodes the rows of one result.

    types: of the columns, in order. formats: 0 text or 1 binary for each of them.
    Raises SqlError 0A000 for a type that the wire has no form for, 22023 for an unknown setting.
    """

    __slots__ = ("_binary", "_checked", "_encoders", "_few", "_offers", "_style", "_types")

    def __init__(
        self, types: Sequence[DuckType], formats: Sequence[int], style: TextStyle | None = None
    ) -> None:
        self._style = style or TextStyle()
        self._types = tuple(types)
        self._binary = [form == BINARY for form in formats]
        self._encoders = [
            encoder(duck, binary=binary, style=self._style)
            for duck, binary in zip(self._types, self._binary, strict=True)
        ]
        self._offers = [
            compiled.offer(duck, binary=binary, style=self._style)
            for duck, binary in zip(self._types, self._binary, strict=True)
        ]
        self._few: list[Few] | None = None
        self._checked = False

    def encode(self, batch: pa.RecordBatch) -> pa.Buffer | memoryview | bytes:
        """All rows of the batch as consecutive DataRow messages.

        Raises SqlError where a value has no representation, and 54000 for a row of over 2 GiB.
        """
        if not self._types:
            return _NOTHING * batch.num_rows
        if not self._checked:
            for duck, column in zip(self._types, batch.columns, strict=True):
                check_layout(duck, column.type)
            self._checked = True
        if batch.num_rows <= FEW_ROWS:
            with suppress(TooManyBytes, pa.ArrowCapacityError):
                return self._encode_few(batch)
        parts: list[pa.Buffer | memoryview] = []
        self._encode(batch, parts)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _encode_few(self, batch: pa.RecordBatch) -> bytes:
        if self._few is None:
            each = zip(self._types, self._binary, self._encoders, strict=True)
            self._few = [
                few(duck, binary=binary, style=self._style, encoder=encoder)
                for duck, binary, encoder in each
            ]
        columns = [f(c) for f, c in zip(self._few, batch.columns, strict=True)]
        out: list[bytes] = []
        for i in range(batch.num_rows):
            row = [b"D", b"", len(columns).to_bytes(2, "big")]
            for column in columns:
                value = column[i]
                if value is None:
                    row.append(b"\xff\xff\xff\xff")
                else:
                    row += [len(value).to_bytes(4, "big"), value]
            length = sum(map(len, row)) + 3
            if length > MAX_BYTES:
                raise TooManyBytes
            row[1] = length.to_bytes(4, "big")
            out += row
        return b"".join(out)

    def _encode(self, batch: pa.RecordBatch, parts: list[pa.Buffer | memoryview]) -> None:
        n = batch.num_rows
        try:
            if n > 1 and batch.nbytes > _PIECE_BYTES:
                raise TooManyBytes
            if compiled.data_rows is not None:
                parts.append(self._compiled(batch))
                return
            cells = [e(c) for e, c in zip(self._encoders, batch.columns, strict=True)]
            parts.append(data_rows(n, cells))
        except (TooManyBytes, pa.ArrowCapacityError):
            if n <= 1:
                raise SqlError("54000", "row is too large for a message") from None
            self._encode(batch.slice(0, n // 2), parts)
            self._encode(batch.slice(n // 2), parts)

    def _compiled(self, batch: pa.RecordBatch) -> bytearray:
        n = batch.num_rows
        columns = [
            compiled.of_cells(encode(column)) if offer is None else offer(column)
            for encode, offer, column in zip(
                self._encoders, self._offers, batch.columns, strict=True
            )
        ]
        while isinstance(found := compiled.data_rows(n, columns, MAX_BYTES), int):
            # A value out of the ordinary: the column's encoder knows it, or why it cannot be.
            columns[found] = compiled.of_cells(self._encoders[found](batch.columns[found]))
        if found is None:
            raise TooManyBytes
        return found


def data_rows(n: int, columns: Sequence[Cells]) -> pa.Buffer | memoryview:
    """n DataRow messages of these cells."""
    if n == 0:
        return memoryview(b"")
    # Everything of fixed width between two ragged columns is one run, laid out as one matrix.
    runs: list[list[bytes | np.ndarray]] = [[]]
    ragged: list[pa.Array] = []
    constant = _HEADER - 1
    lengths = np.zeros(1, "i8")
    for cells in columns:
        constant += 4
        if cells.fixed is not None and cells.nulls is None:
            width = cells.fixed.dtype.itemsize
            constant += width
            runs[-1] += [width.to_bytes(4, "big"), cells.fixed]
            continue
        array, length = cells.compact()
        lengths = lengths + length.astype("i8")
        word = length if cells.nulls is None else np.where(cells.nulls, np.int32(-1), length)
        runs[-1].append(word.astype(">i4"))
        ragged.append(array)
        runs.append([])
    if not ragged:
        header = b"D" + constant.to_bytes(4, "big") + len(columns).to_bytes(2, "big")
        return as_bytes(side_by_side(n, [header, *runs[0]])).data
    count = len(columns).to_bytes(2, "big")
    total = lengths + constant
    if int(total.max()) > MAX_BYTES or int(total.sum()) + n > MAX_BYTES:
        raise TooManyBytes
    runs[0] = [b"D", total.astype(">i4"), count, *runs[0]]
    inputs: list[pa.Array] = []
    for i, run in enumerate(runs):
        if run:
            inputs.append(binary_of_fixed(side_by_side(n, run)))
        if i < len(ragged):
            inputs.append(ragged[i])
    joined = join(inputs)
    offsets, _ = binary_parts(joined)
    return joined.buffers()[2].slice(int(offsets[0]), int(offsets[-1]) - int(offsets[0]))
