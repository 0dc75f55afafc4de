"""Rows and fields of COPY's binary format, a chunk at a time.

Every row says how many fields it has and every field how long it is, so where a row begins is known
only when the one before it has been read. To find all of them at once, every place that could
begin a row - it holds the right number of fields - is followed to where its row would end, a field
at a time for all places together; the true rows are the chain that starts at the first one.

Following Postgres 15's ReceiveCopyBinaryHeader and NextCopyFrom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from proxy.errors import SqlError
from proxy.wire.copying.columns import Slices
from proxy.wire.copying.marks import PAD

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER = SIGNATURE + bytes(8)
TRAILER = b"\xff\xff"

_OIDS = 1 << 16


@dataclass(slots=True)
class BinaryCut:
    """columns: slices of `rows` values each. used: bytes that are done with.

    fault: what is wrong with the row after them; at_field: with the field behind those of `partial`.
    """

    rows: int
    columns: list[Slices]
    fault: SqlError | None
    partial: list[Slices]
    used: int
    at_field: bool = False


class BinaryReader:
    """Feed it chunks that each begin where the one before was used up to."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._in_header = True
        self._ended = False
        self.lines = 0  # rows read so far

    def cut(self, chunk: bytes, last: bool) -> BinaryCut:
        """chunk: followed by `PAD` zero bytes, which do not count. last: no more will come."""
        size, begin = len(chunk) - PAD, 0
        if self._in_header:
            try:
                begin = _header_end(chunk[:size], last)
            except SqlError as error:
                return self._nothing(chunk, error, 0)
            if begin < 0:
                return self._nothing(chunk, None, 0)
            self._in_header = False
        if self._ended:
            return self._nothing(chunk, _after_end() if size > begin else None, size)
        return self._rows(chunk, size, begin, last)

    def _nothing(self, chunk: bytes, fault: SqlError | None, used: int) -> BinaryCut:
        data, none = np.frombuffer(chunk, "u1"), np.empty(0, "i8")
        columns = [Slices(data, none, none, none.astype(bool)) for _ in range(self._columns)]
        return BinaryCut(0, columns, fault, [], used)

    def _rows(self, chunk: bytes, size: int, begin: int, last: bool) -> BinaryCut:
        data = np.frombuffer(chunk, "u1")
        starts, end = _chain(data, size, begin, self._columns)
        columns = columns_at(data, starts, self._columns)
        self.lines += len(starts)
        cut = BinaryCut(len(starts), columns, None, [], end)
        # What follows is the trailer, a row that is not all there yet, or one that is wrong.
        if size - end < 2:
            if last:
                cut.used = size  # Postgres takes a lone byte for the end of the data
            return cut
        count = int.from_bytes(chunk[end : end + 2], "big", signed=True)
        if count == -1:
            self._ended, cut.used = True, size
            cut.fault = _after_end() if size > end + 2 else None
        elif count != self._columns:
            cut.fault = SqlError("22P04", f"row field count is {count}, expected {self._columns}")
        else:
            self._follow(cut, chunk, size, end + 2, last)
        return cut

    def _follow(self, cut: BinaryCut, chunk: bytes, size: int, at: int, last: bool) -> None:
        """Looks at one unfinished row field by field, for what is wrong with it."""
        data = np.frombuffer(chunk, "u1")
        cut.at_field = True
        for _ in range(self._columns):
            if size - at < 4:
                cut.fault = _unexpected_end() if last else None
                return
            length = int.from_bytes(chunk[at : at + 4], "big", signed=True)
            if length < -1:
                cut.fault = SqlError("22P04", "invalid field size")
                return
            if length > size - at - 4:
                cut.fault = _unexpected_end() if last else None
                return
            start, at = np.array([at + 4]), at + 4 + max(length, 0)
            null = np.array([length < 0])
            cut.partial.append(Slices(data, start, np.array([max(length, 0)]), null))
        raise AssertionError("a whole row is part of the chain")


def _after_end() -> SqlError:
    return SqlError("22P04", "received copy data after EOF marker")


def _unexpected_end() -> SqlError:
    return SqlError("22P04", "unexpected EOF in COPY data")


def _header_end(chunk: bytes, last: bool) -> int:
    """Where the first row begins; -1 if the header is not all there. Raises 22P04."""
    fixed = len(SIGNATURE)
    if len(chunk) < fixed and not last and SIGNATURE.startswith(chunk):
        return -1
    if chunk[:fixed] != SIGNATURE:
        raise SqlError("22P04", "COPY file signature not recognized")
    if len(chunk) < fixed + 4:
        if last:
            raise SqlError("22P04", "invalid COPY file header (missing flags)")
        return -1
    flags = int.from_bytes(chunk[fixed : fixed + 4], "big")
    if flags & _OIDS:
        raise SqlError("22P04", "invalid COPY file header (WITH OIDS)")
    if flags >> 16:
        raise SqlError("22P04", "unrecognized critical flags in COPY file header")
    if len(chunk) < fixed + 8:
        if last:
            raise SqlError("22P04", "invalid COPY file header (missing length)")
        return -1
    extension = int.from_bytes(chunk[fixed + 4 : fixed + 8], "big", signed=True)
    if extension < 0:
        raise SqlError("22P04", "invalid COPY file header (missing length)")
    end = fixed + 8 + extension
    if len(chunk) < end:
        if last:
            raise SqlError("22P04", "invalid COPY file header (wrong length)")
        return -1
    return end


def _lengths(data: np.ndarray, at: np.ndarray) -> np.ndarray:
    every = np.ndarray((len(data) - 3,), ">i4", data, 0, (1,))
    return every[at].astype("i8")


def _chain(data: np.ndarray, size: int, begin: int, columns: int) -> tuple[np.ndarray, int]:
    """Where each whole row begins (at its number of fields), and where the last of them ends."""
    high, low = divmod(columns, 256)
    used = data[begin:size]
    starts = np.flatnonzero((used[:-1] == high) & (used[1:] == low)) + begin
    # Where the row of each of these places would end; `size + 1` if it is no row or not whole.
    lost = size + 1
    at = starts + 2
    for _ in range(columns):
        whole = at <= size - 4
        length = _lengths(data, np.where(whole, at, 0))
        whole &= length >= -1
        at = np.where(whole, at + 4 + np.maximum(length, 0), lost)
    ends = np.where(at <= size, at, lost)
    return _follow_chain(starts, ends, begin, lost)


def _follow_chain(
    starts: np.ndarray, ends: np.ndarray, begin: int, lost: int
) -> tuple[np.ndarray, int]:
    whole = ends < lost
    starts, ends = starts[whole], ends[whole]
    if not len(starts) or starts[0] != begin:
        return starts[:0], begin
    count = len(starts)
    # The place that follows each one; `count` where the chain ends.
    following = np.searchsorted(starts, ends)
    known = starts[np.minimum(following, count - 1)] == ends
    following = np.append(np.where(known, following, count), count)
    if (following[:count] == np.arange(1, count + 1)).all():
        return starts, int(ends[-1])
    # By doubling: after k rounds, `reached` are the first 2**k members of the chain.
    reached, step = np.zeros(count + 1, bool), following
    reached[0] = True
    while not reached[count]:
        reached[step[np.flatnonzero(reached)]] = True
        step = step[step]
    members = np.flatnonzero(reached[:count])
    return starts[members], int(ends[members[-1]])


def columns_at(data: np.ndarray, starts: np.ndarray, columns: int) -> list[Slices]:
    """The fields of the rows that begin at `starts`; data: followed by `PAD` bytes."""
    at = starts + 2
    found = []
    for _ in range(columns):
        length = _lengths(data, at)
        found.append(Slices(data, at + 4, np.maximum(length, 0), length < 0))
        at = at + 4 + np.maximum(length, 0)
    return found
