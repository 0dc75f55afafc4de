"""COPY's data, both ways: CopyData's bytes to record batches, record batches to CopyData messages.

Why it exists: millions of rows come in through one statement and must cost what bytes cost, not
what Python objects cost. Pure: no I/O, no engine; `proxy.session.copying` moves the bytes, the engine
the batches. `proxy.wire.copying` has the formats.

Promises: what is read is what Postgres 15 reads from the same bytes, and what is written is what it
writes. Errors come in the order of the data: a `Piece` holds all rows before the first error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from proxy.errors import SqlError
from proxy.wire.copying.binary import BinaryReader
from proxy.wire.copying.columns import BadValue, ColumnReader
from proxy.wire.copying.lines import Fault, LineReader
from proxy.wire.copying.marks import PAD
from proxy.wire.copying.options import CopyOptions, copy_options
from proxy.wire.copying.reading import column_reader
from proxy.wire.copying.writing import CopyWriter
from proxy.wire.types import DuckType

__all__ = ["CopyOptions", "CopyReader", "CopyWriter", "Piece", "copy_options"]

# What is worth a round of kernels; the most that is waited for at once; and what a row may not
# exceed, nor what is read at once (offsets have 32 bits).
_CHUNK = 1 << 22
_LARGE_CHUNK = 1 << 28
_MOST_ROW_BYTES = 1 << 30
_MOST_BYTES = 2**31 - 1

_SHOWN_BYTES = 100  # of a value or line in an error's context, as in Postgres


@dataclass(slots=True)
class Piece:
    """rows: the good ones, in the carriers' types. error: what the row after them is refused for.

    line: the line of a row of the batch.
    """

    rows: pa.RecordBatch
    error: SqlError | None
    table: str
    line: Callable[[int], int]
    names: Sequence[str] = field(default_factory=tuple)

    def located_null(self, column: str) -> str | None:
        """Where the first NULL of a column is, in Postgres's words."""
        if column not in self.names:
            return None
        array = self.rows.column(self.names.index(column))
        if not array.null_count:
            return None
        row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        return f"COPY {self.table}, line {self.line(row)}"


class CopyReader:
    """The rows of one COPY FROM.

    table: its name, for errors. columns: name and type of each column that is copied, in order.
    Raises SqlError 0A000 for a column whose values cannot be read.
    """

    def __init__(
        self,
        table: str,
        columns: Sequence[tuple[str, DuckType]],
        options: CopyOptions,
        time_zone: str = "UTC",
    ) -> None:
        self._table = table
        self._names = [name for name, _ in columns]
        self._readers: list[ColumnReader] = [column_reader(duck, time_zone) for _, duck in columns]
        self._lines = None if options.binary else LineReader(options, self._names)
        self._binary = BinaryReader(len(columns)) if options.binary else None
        self._tail = b""
        self.schema = pa.schema(
            [pa.field(f"c{i}", reader.arrow) for i, reader in enumerate(self._readers)]
        )

    @property
    def carriers(self) -> list[DuckType]:
        """The DuckDB types in which the columns reach the engine."""
        return [reader.carrier for reader in self._readers]

    @property
    def wants(self) -> int:
        """How many bytes are worth feeding at once: more the longer no row has come to its end."""
        return max(_CHUNK, min(len(self._tail), _LARGE_CHUNK))

    def feed(self, data: Sequence[bytes], last: bool = False) -> Piece:
        """The rows that these bytes complete. Blocks: it computes. last: no more will come."""
        if len(self._tail) + sum(map(len, data)) > _MOST_BYTES - PAD:
            raise _too_large()
        chunk = b"".join([self._tail, *data, bytes(PAD)])
        piece, used = self._read_binary(chunk, last) if self._binary else self._read(chunk, last)
        self._tail = chunk[used:-PAD]
        if piece.error is None and len(self._tail) > _MOST_ROW_BYTES:
            piece.error = _too_large()
        return piece

    # --- text and CSV -----------------------------------------------------------------------------

    def _read(self, chunk: bytes, last: bool) -> tuple[Piece, int]:
        assert self._lines is not None
        cut = self._lines.cut(chunk, last)
        fields, fault = cut.fields, cut.fault
        columns: list[pa.Array] = []
        rows, error = len(fields), self._told(fault) if fault is not None else None
        for at, reader in enumerate(self._readers):
            try:
                columns.append(reader.read_texts(fields.head(rows).column(at)))
            except BadValue as bad:
                # An earlier row, or the same row's earlier column, is wrong first.
                rows = bad.row
                shown = fields.value(rows, at)
                error = self._at(bad.error, cut.line(rows), at, shown)
                columns.append(reader.read_texts(fields.head(rows).column(at)))
        if rows == len(fields) and fault is not None and fault.partial is not None:
            error = self._partial_error(fault) or error
        return self._piece(columns, rows, error, cut.line), cut.used

    def _partial_error(self, fault: Fault) -> SqlError | None:
        """What is wrong with the fields of a row that is short of some."""
        partial = fault.partial
        assert partial is not None
        for at in range(partial.starts.shape[1]):
            try:
                self._readers[at].read_texts(partial.column(at))
            except BadValue as bad:
                return self._at(bad.error, fault.line, at, partial.value(0, at))
        return None

    # --- binary -----------------------------------------------------------------------------------

    def _read_binary(self, chunk: bytes, last: bool) -> tuple[Piece, int]:
        assert self._binary is not None
        before = self._binary.lines
        cut = self._binary.cut(chunk, last)

        def line(row: int) -> int:
            return before + row + 1

        rows = cut.rows
        error = cut.fault
        if error is not None and cut.at_field:
            error = self._at(error, line(rows), len(cut.partial), None)
        elif error is not None:
            error = _placed(error, self._where(line(rows)))
        columns: list[pa.Array] = []
        for at, reader in enumerate(self._readers):
            try:
                columns.append(reader.read_binaries(cut.columns[at].head(rows)))
            except BadValue as bad:
                rows = bad.row
                error = self._at(bad.error, line(rows), at, None)
                columns.append(reader.read_binaries(cut.columns[at].head(rows)))
        if rows == cut.rows and cut.fault is not None:
            for at, field_ in enumerate(cut.partial):
                try:
                    self._readers[at].read_binaries(field_)
                except BadValue as bad:
                    error = self._at(bad.error, line(rows), at, None)
                    break
        return self._piece(columns, rows, error, line), cut.used

    # --- both -------------------------------------------------------------------------------------

    def _piece(
        self,
        columns: list[pa.Array],
        rows: int,
        error: SqlError | None,
        line: Callable[[int], int],
    ) -> Piece:
        columns = [column if len(column) == rows else column.slice(0, rows) for column in columns]
        batch = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        return Piece(batch, error, self._table, line, self._names)

    def _where(self, line: int) -> str:
        return f"COPY {self._table}, line {line}"

    def _told(self, fault: Fault) -> SqlError:
        where = self._where(fault.line)
        return _placed(
            fault.error, where if fault.text is None else f'{where}: "{_shown(fault.text)}"'
        )

    def _at(self, error: SqlError, line: int, column: int, value: bytes | None) -> SqlError:
        where = f"{self._where(line)}, column {self._names[column]}"
        return _placed(error, where if value is None else f'{where}: "{_shown(value)}"')


def _too_large() -> SqlError:
    return SqlError("54000", "row is too large", detail=f"A row may have {_MOST_ROW_BYTES} bytes.")


def _shown(raw: bytes) -> str:
    """At most 100 bytes, cut between characters."""
    if len(raw) <= _SHOWN_BYTES:
        return raw.decode(errors="replace")
    return raw[:_SHOWN_BYTES].decode(errors="ignore") + "..."


def _placed(error: SqlError, where: str) -> SqlError:
    """The error with the place in the data, which Postgres calls its context."""
    error.where = where
    return error
