"""A file's records into a temporary table of DuckDB's, as text, a block at a time.

The table `raw` has of each record its number (`n`, from 1), its line (`line`, NULL for Parquet), how
many fields it has (`fields`), what is wrong with it (`e`), and the fields that are wanted (`c1`...),
which of a JSON or Parquet file is one, the document. Casts, checks and the rest are SQL over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

import numpy as np
import pyarrow as pa

from proxy.engines.duck.appender import Appender
from proxy.engines.duck.session import DuckSession
from proxy.errors import SqlError
from proxy.sql.snowflake.file_formats import FileFormat
from proxy.staging.columnar import ParquetFiles
from proxy.staging.delimited import DelimitedReader
from proxy.staging.documents import DocumentReader
from proxy.staging.packing import blocks
from proxy.wire.types import DuckType

Check = Callable[[], None]
"""Raises where the client wants no more of it."""

_FIXED = (("f", "INTEGER"), ("n", "BIGINT"), ("line", "BIGINT"), ("fields", "INTEGER"))
_ARROW = {"INTEGER": pa.int32(), "BIGINT": pa.int64(), "VARCHAR": pa.string()}


def columns(width: int) -> list[tuple[str, str]]:
    """Names and types of the table for so many fields."""
    texts = [("e", "VARCHAR"), *((f"c{number}", "VARCHAR") for number in range(1, width + 1))]
    return [*_FIXED, *texts]


def make(duck: DuckSession, table: str, width: int) -> None:
    """Blocks. Makes an empty table."""
    cells = ", ".join(f"{name} {kind}" for name, kind in columns(width))
    duck.run_privately(f"CREATE TEMP TABLE {table} ({cells})")


class Filling:
    """Files into one such table. To be closed."""

    def __init__(self, duck: DuckSession, table: str, width: int, parquet: ParquetFiles) -> None:
        """Blocks."""
        self._width = width
        self._parquet = parquet
        shape = columns(width)
        self._schema = pa.schema([(name, _ARROW[kind]) for name, kind in shape])
        kinds = [DuckType(kind) for _, kind in shape]
        insert = f"INSERT INTO {table} SELECT * FROM copied"
        self._appender: Appender = duck.filler(insert, self._schema, kinds)
        self.wrong: tuple[int, str] | None = None  # record and message of the first wrong one
        self.header: list[str] | None = None

    def add(
        self, file: IO[bytes], name: str, number: int, format_: FileFormat, check: Check
    ) -> int:
        """Blocks. The records of a file, the `number`-th one; how many they are."""
        rows = 0
        for batch in self._batches(file, name, format_):
            check()
            count = len(batch[-1])
            first = pa.array(np.full(count, number, np.int32))
            places = pa.array(np.arange(rows + 1, rows + count + 1))
            made = pa.RecordBatch.from_arrays([first, places, *batch], schema=self._schema)
            self._appender.append(made)
            rows += count
        return rows

    def _batches(self, file: IO[bytes], name: str, format_: FileFormat) -> Iterator[list[pa.Array]]:
        if format_.type == "PARQUET":
            for texts in self._parquet.documents(file, name, format_["BINARY_AS_TEXT"]):
                yield self._documents(texts, pa.nulls(len(texts), pa.int64()))
        elif format_.type == "JSON":
            reader = DocumentReader(format_["STRIP_OUTER_ARRAY"])
            for found in reader.read(blocks(file, name, format_)):
                yield self._documents(found.texts, pa.array(found.lines, pa.int64()))
        else:
            records = DelimitedReader(format_, self._width)
            rows = 0
            for record in records.read(blocks(file, name, format_)):
                if self.wrong is None and record.errors.null_count < len(record.errors):
                    at = int(np.flatnonzero(record.errors.is_valid().to_numpy(False))[0])
                    self.wrong = (rows + at + 1, record.errors[at].as_py())
                rows += len(record.counts)
                yield [
                    pa.array(record.lines, pa.int64()),
                    pa.array(record.counts, pa.int32()),
                    record.errors,
                    *record.columns,
                ]
            self.header = records.header or self.header

    def _documents(self, texts: pa.Array, lines: pa.Array) -> list[pa.Array]:
        rest = [pa.nulls(len(texts), pa.string())] * (self._width - 1)
        ones = pa.array(np.ones(len(texts), np.int32))
        return [lines, ones, pa.nulls(len(texts), pa.string()), texts, *rest]

    def refuse_wrong(self, name: str) -> None:
        """Raises 22P04 where a record was wrong."""
        if self.wrong is not None:
            row, message = self.wrong
            raise SqlError("22P04", message, detail=f'File "{name}", row {row}')

    def close(self) -> None:
        """Blocks briefly."""
        self._appender.close()


def widest(file: IO[bytes], name: str, format_: FileFormat) -> int:
    """Blocks. The most fields that a record of a CSV file, or its header, has."""
    reader = DelimitedReader(format_, 1)
    most = 1
    for records in reader.read(blocks(file, name, format_)):
        most = max(most, int(records.counts.max()))
    return max(most, len(reader.header or ()))
