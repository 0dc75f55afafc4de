"""A running statement's rows: fetched from DuckDB and encoded, a bounded piece at a time.

Why it exists: whoever reads a result, all at once, in portions, or to keep it, takes it in the same
pieces, made in the engine's thread. A few rows are written without Arrow; a piece may be made before
it is asked for; nothing here holds more of a result than one piece, unless it is told to keep it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck.vectors import FewRows
from proxy.wire.encoders.few import FEW_ROWS
from proxy.wire.rows import RowEncoder, TextStyle

if TYPE_CHECKING:
    from proxy.engines.duck.statement import DuckStatement

Piece = tuple[Any, int, bool]  # DataRow bytes, rows in them, whether more may follow

# One piece of a result: enough rows to make the kernels worth their call, few enough to bound memory.
# The first is smaller, so that the client has something to do while the next is made.
_FIRST_ROWS = 1 << 11
_PIECE_ROWS = 1 << 14
_PIECE_BYTES = 1 << 20
_PIECE_SECONDS = 0.02  # a slow statement's rows are not held back longer for the sake of more


class Encoders(NamedTuple):
    """For results of one schema: of any number of rows, and of a few.

    layout: what `small` is told of the columns, if it can write them.
    """

    schema: pa.Schema
    all: RowEncoder
    few: FewRows | None
    layout: bytes | None


class _Early(NamedTuple):
    """A piece that was fetched before it was asked for; with an error, its rows are not encoded."""

    encoder: RowEncoder
    limit: int
    batch: pa.RecordBatch | None
    data: Any
    rows: int
    more: bool
    error: Exception | None


class DuckPortal:
    """A running statement's rows, handed out as encoded DataRow messages, a piece at a time.

    Without a result it has given all of them. changed: how many rows it has changed then.
    """

    def __init__(
        self, result: duckdb_c.Result | None, statement: DuckStatement, changed: int = 0
    ) -> None:
        self.statement = statement
        self._rest: pa.RecordBatch | None = None
        self._taken: list[pa.RecordBatch] | None = None  # once detached: the rows still to come
        self._ahead: list[duckdb_c.Chunk] = []  # looked at, and to be given yet
        self._early: _Early | None = None  # the next piece, if it was fetched ahead
        self._encoders: Encoders | None = None
        self._owned: DuckStatement | None = None
        self.piece_rows = _FIRST_ROWS  # the most that the next piece will have
        self.columns = statement.columns
        self.done = result is None
        self.returns_rows = not statement.changes
        self.rows_changed = changed
        if result is None:
            return
        self._result = result
        if statement.unsure:
            self.columns = result.columns
        self.returns_rows = result.returns == duckdb_c.RETURNS_ROWS
        if result.returns == duckdb_c.RETURNS_COUNT:
            self.rows_changed = result.rows_changed

    @property
    def is_streaming(self) -> bool:
        """Whether it is neither at its end nor in memory."""
        return not self.done and self._taken is None

    def encoder(self, formats: tuple[int, ...], style: TextStyle) -> RowEncoder:
        """Blocks briefly. What `fetch` takes, for these formats (0 text, 1 binary) of the columns."""
        if self.statement.unsure or self.done or self._taken is not None:
            return RowEncoder([kind for _, kind in self.columns], formats, style)
        self._encoders = self.statement.encoders(self._result, formats, style)
        return self._encoders.all

    def fetch(self, encoder: RowEncoder, max_rows: int = 0) -> Piece:
        """Blocks. The next piece.

        At most `max_rows` rows (0: no limit). A portal that has given its last row closes itself.
        """
        if self._early is not None:
            early, self._early = self._early, None
            if early.encoder is encoder and early.limit == max_rows:
                if early.error is not None:
                    raise early.error
                if not early.more:
                    self.close()
                return early.data, early.rows, early.more
            self._give_back(early)
        few = self._encoders.few if self._encoders and self._encoders.all is encoder else None
        if few is not None and (piece := self._only_piece(few, max_rows)) is not None:
            return piece
        batch, more = self.fetch_batch(max_rows)
        if batch is None:
            return b"", 0, more
        return encoder.encode(batch), batch.num_rows, more

    def fetch_batch(self, max_rows: int = 0) -> tuple[pa.RecordBatch | None, bool]:
        """Blocks. `fetch` before its rows are encoded; None where there are no more."""
        if self._early is not None:
            early, self._early = self._early, None
            self._give_back(early)
        batch, more = self._next_piece(max_rows)
        if not more:
            self.close()
        whole = batch is not None and max_rows and batch.num_rows >= max_rows
        # After the whole of what was asked for comes another request.
        self.piece_rows = _FIRST_ROWS if whole else min(4 * self.piece_rows, _PIECE_ROWS)
        return batch, more

    def fetch_ahead(self, encoder: RowEncoder, limit: int) -> None:
        """Blocks. Readies what the next `fetch` will give, if it asks for the same."""
        self.piece_rows = _PIECE_ROWS
        try:
            batch, more = self._next_piece(limit)
        except Exception as error:
            self._early = _Early(encoder, limit, None, b"", 0, False, error)
            return
        try:
            data = encoder.encode(batch) if batch is not None else b""
        except Exception as error:
            self._early = _Early(encoder, limit, batch, b"", 0, more, error)
            return
        rows = batch.num_rows if batch is not None else 0
        self._early = _Early(encoder, limit, batch, data, rows, more, None)

    def _give_back(self, early: _Early) -> None:
        """Its rows are the next ones again."""
        if early.batch is not None:
            rest = [self._rest] if self._rest is not None else []
            self._rest = pa.concat_batches([early.batch, *rest])
        elif early.error is not None:
            raise early.error

    def _only_piece(self, few: FewRows, max_rows: int) -> Piece | None:
        """All of a result of a few rows, if that is what is to come."""
        if self._rest is not None or self._taken is not None or self._ahead:
            return None
        first = self._result.next_chunk()
        if first is None:
            self.close()
            return b"", 0, False
        self._ahead = [first]
        if first.rows > FEW_ROWS or (max_rows and first.rows >= max_rows):
            return None
        second = self._result.next_chunk()
        if second is not None:
            self._ahead.append(second)
            return None
        data = few.encode(first)
        if data is None:
            return None
        rows = first.rows
        first.close()
        self.close()
        return data, rows, False

    def _next_piece(self, max_rows: int) -> tuple[pa.RecordBatch | None, bool]:
        """Chunks until there are enough rows or bytes, or until it takes too long to wait for more."""
        limit = min(max_rows or self.piece_rows, self.piece_rows)
        batches: list[pa.RecordBatch] = []
        rows = size = 0
        more = True
        if self._rest is not None:
            batches, rows, size = [self._rest], self._rest.num_rows, self._rest.nbytes
            self._rest = None
        patience = time.monotonic() + _PIECE_SECONDS
        while rows < limit and size < _PIECE_BYTES:
            batch = self._next_batch()
            if batch is None:
                more = False
                break
            if batch.num_rows:
                batches.append(batch)
                rows += batch.num_rows
                size += batch.nbytes
                if time.monotonic() > patience:
                    break
        if not batches:
            return None, False
        whole = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
        fit = min(limit, rows)
        if size > 2 * _PIECE_BYTES:
            fit = max(1, min(fit, rows * _PIECE_BYTES // size))
        if fit < rows:
            self._rest, whole, more = whole.slice(fit), whole.slice(0, fit), True
        return whole, more

    def _next_batch(self) -> pa.RecordBatch | None:
        if self._ahead:
            return self._result.batch(self._ahead.pop(0))
        if self._taken is None:
            return next(self._result, None)
        return self._taken.pop(0) if self._taken else None

    def detach(self) -> None:
        """Blocks. Takes the rows still to come into memory and frees the connection."""
        if not self.done and self._taken is None:
            self._taken = [*map(self._result.batch, self._ahead), *self._result]
            self._ahead = []
            self._end()

    def take(self) -> list[pa.RecordBatch]:
        """Blocks. All rows still to come, and the portal's end."""
        self.detach()
        taken = self._taken or []
        self.close()
        return taken

    def finish(self) -> None:
        """Blocks. Runs a statement without rows to its end; `CREATE TABLE AS` counts its rows too."""
        if self.done:
            return
        for batch in self._result:
            if batch.schema.names == ["Count"]:
                self.rows_changed = batch.column(0)[0].as_py()
        self.close()

    def column_texts(self, index: int) -> list[str]:
        """Blocks. All of one text column, for results that are few and ours."""
        texts = [text for batch in self._result for text in batch.column(index).to_pylist()]
        self.close()
        return texts

    def run_out(self) -> int:
        """Blocks. Runs it to its end without its rows; how many rows it changed or gave."""
        rows = (
            sum(batch.num_rows for batch in iter(self._next_batch, None))
            if self.returns_rows
            else 0
        )
        self.finish()
        return rows if self.returns_rows else self.rows_changed

    def owns(self, statement: DuckStatement) -> None:
        """The statement is this portal's alone, and is closed with it."""
        self._owned = statement

    def close(self) -> None:
        """Blocks briefly. Ends the stream; what it has not produced is not produced."""
        if not self.done:
            self.done = True
            self._rest, self._taken, self._ahead, self._early = None, [], [], None
            self._end()
            if self._owned is not None:
                self._owned.close()

    def _end(self) -> None:
        self._result.close()
        self.statement.ended()
