"""A result that is read in any direction: what a SCROLL cursor stands on.

DuckDB streams forward. A client that asks for SCROLL gets the rows taken into memory, as Postgres
materializes what its plan cannot run backwards, and positions as Postgres counts them: 0 before the
first row, n on the nth, one past the last behind it.
"""

from __future__ import annotations

import pyarrow as pa

from proxy.engines.duck.portal import DuckPortal, Piece
from proxy.wire.rows import RowEncoder, TextStyle
from proxy.wire.types import DuckType

_PIECE_ROWS = 1 << 16


class GivenRows:
    """Rows at hand, handed out as a running statement's are."""

    rows_changed = 0
    returns_rows = True

    def __init__(self, columns: list[tuple[str, DuckType]], batches: list[pa.RecordBatch]) -> None:
        self.columns = columns
        self.done = False
        self._batches = [
            batch.slice(start, _PIECE_ROWS)
            for batch in batches
            for start in range(0, batch.num_rows, _PIECE_ROWS)
        ]

    def encoder(self, formats: tuple[int, ...], style: TextStyle) -> RowEncoder:
        return RowEncoder([kind for _, kind in self.columns], formats, style)

    def fetch(self, encoder: RowEncoder, max_rows: int = 0) -> Piece:
        """Blocks. As `DuckPortal.fetch`."""
        if not self._batches:
            self.close()
            return b"", 0, False
        batch = self._batches.pop(0)
        if max_rows and batch.num_rows > max_rows:
            self._batches.insert(0, batch.slice(max_rows))
            batch = batch.slice(0, max_rows)
        more = bool(self._batches)
        if not more:
            self.close()
        return encoder.encode(batch), batch.num_rows, more

    def finish(self) -> None:
        self.close()

    def detach(self) -> None:
        """They need no connection."""

    def close(self) -> None:
        self.done = True
        self._batches = []


class ScrollRows:
    """All rows of a portal, and where a cursor stands among them."""

    def __init__(self, portal: DuckPortal) -> None:
        """Blocks. Takes the portal's rows; it is closed."""
        self.columns = portal.columns
        self._batches = portal.take()
        self._count = sum(batch.num_rows for batch in self._batches)
        self._at = 0

    def move(self, direction: str, count: int | None) -> GivenRows:
        """The rows that a FETCH passes, in its order. direction and count: as `Fetch` has them."""
        if direction in ("forward", "backward") and count == 0:
            first, last, self._at = self._at, self._at, self._at
        elif direction == "forward":
            first = self._at + 1
            last = self._at + count if count is not None else self._count + 1
            self._at = min(last, self._count + 1)
        elif direction == "backward":
            first = self._at - 1
            last = self._at - count if count is not None else 0
            self._at = max(last, 0)
        else:
            assert count is not None
            if direction == "relative":
                to = self._at + count
            else:
                to = count if count >= 0 else self._count + 1 + count
            first = last = self._at = min(max(to, 0), self._count + 1)
        return GivenRows(self.columns, self._rows(first, last))

    def _rows(self, first: int, last: int) -> list[pa.RecordBatch]:
        """Those from the firstth to the lastth, backwards where that comes before."""
        low, high = max(min(first, last), 1), min(max(first, last), self._count)
        if low > high:
            return []
        found, start = [], 1
        for batch in self._batches:
            end = start + batch.num_rows
            if start <= high and end > low:
                begin = max(low - start, 0)
                found.append(batch.slice(begin, min(high + 1, end) - start - begin))
            start = end
        if first <= last:
            return found
        return [
            batch.take(pa.array(range(batch.num_rows - 1, -1, -1))) for batch in reversed(found)
        ]
