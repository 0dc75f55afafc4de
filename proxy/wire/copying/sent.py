"""Rows as Postgres sends them in the answer to COPY ... TO STDOUT (FORMAT binary).

Why not the reader of COPY FROM: a client may cut its bytes where it likes, Postgres sends each row
in a message of its own, and so says where each begins.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from proxy.errors import SqlError
from proxy.wire.copying.binary import HEADER, columns_at
from proxy.wire.copying.columns import BadValue, ColumnReader
from proxy.wire.copying.marks import PAD
from proxy.wire.copying.reading import column_reader
from proxy.wire.types import DuckType

_HEAD = 5  # of a message: its type and its length
_TRAILER = 2  # bytes; a row has more
_length = struct.Struct("!I").unpack_from


class SentRows:
    """The rows of one answer.

    columns: name, for errors, and type of each. Raises SqlError 0A000 for one that cannot be read.
    """

    def __init__(self, columns: Sequence[tuple[str, DuckType]], time_zone: str) -> None:
        self._names = [name for name, _ in columns]
        self._readers: list[ColumnReader] = [column_reader(duck, time_zone) for _, duck in columns]
        self._begun = False
        self.schema = pa.schema(
            [pa.field(f"c{n}", reader.arrow) for n, reader in enumerate(self._readers)]
        )

    @property
    def carriers(self) -> list[DuckType]:
        """The DuckDB types in which the columns reach the engine."""
        return [reader.carrier for reader in self._readers]

    def feed(self, messages: bytes) -> tuple[pa.RecordBatch | None, bytes]:
        """The rows of CopyData messages, and what follows the last whole one. Blocks: it computes.

        None where there is no row.

        Raises SqlError for a value that the column's type does not have.
        """
        starts: list[int] = []
        at, last = 0, len(messages) - _HEAD
        while at <= last:
            end = at + 1 + _length(messages, at + 1)[0]
            if end > last + _HEAD:
                break
            start = at + _HEAD
            if not self._begun:
                self._begun = True
                start += len(HEADER)  # stands in the first message, whatever else does
            if end - start > _TRAILER:
                starts.append(start)
            at = end
        if not starts:
            return None, messages[at:]
        data = np.frombuffer(messages + bytes(PAD), "u1")
        return self._rows(data, np.array(starts, "i8")), messages[at:]

    def _rows(self, data: np.ndarray, starts: np.ndarray) -> pa.RecordBatch:
        columns = []
        found = columns_at(data, starts, len(self._readers))
        for name, reader, values in zip(self._names, self._readers, found, strict=True):
            try:
                columns.append(reader.read_binaries(values))
            except BadValue as bad:
                raise SqlError(
                    bad.error.sqlstate, bad.error.message, detail=f'In column "{name}".'
                ) from bad
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def only_text(messages: bytes) -> str:
    """The one text of an answer of one row."""
    row = messages[_HEAD + len(HEADER) :]
    return row[6 : 6 + _length(row, 2)[0]].decode()
