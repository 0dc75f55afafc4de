"""Rows and fields of COPY's text and CSV formats, a chunk at a time.

Why it exists: the data arrives in any cuts, a row may be wrong in a dozen ways, and what is wrong
first must be told first, while everything before it counts. So a chunk becomes a `Cut`: the fields
of all whole rows before the first fault, that fault, and how many bytes were used. The next chunk
begins with the bytes that were not.

Following Postgres 15's CopyReadLineText and NextCopyFrom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from proxy.errors import SqlError
from proxy.wire.copying.marks import PAD, Cleaned, Marks, marks
from proxy.wire.copying.options import CopyOptions
from proxy.wire.decoders.values import utf8

_NEWLINE, _RETURN = ord("\n"), ord("\r")


class Fields:
    """Texts of `rows` x `columns` fields as slices of one buffer.

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


@dataclass(slots=True)
class Fault:
    """What is wrong with the row after the last good one.

    line: its number. text: the line as it came, None where Postgres has not read it to its end.
    partial: the fields that are there where some are missing (1 row), to be read before it counts.
    """

    error: SqlError
    line: int
    text: bytes | None = None
    partial: Fields | None = None


@dataclass(slots=True)
class Cut:
    """fields: of the good rows. used: bytes of the chunk that are done with.

    lines_before: lines read before the first of these rows. row_ends: where each row ends.
    hidden_lines: ascending positions of newlines within quotes, which count as lines.
    """

    fields: Fields
    fault: Fault | None
    used: int
    lines_before: int
    row_ends: np.ndarray
    hidden_lines: np.ndarray

    def line(self, row: int) -> int:
        """The number of the line on which a row of `fields` ends, as Postgres counts."""
        return self._line(row, int(self.row_ends[row]))

    def _line(self, row: int, end: int) -> int:
        return self.lines_before + row + 1 + int(np.searchsorted(self.hidden_lines, end))


class LineReader:
    """Feed it chunks that each begin where the one before was used up to.

    columns: names of the columns that are copied, in order.
    """

    def __init__(self, options: CopyOptions, columns: Sequence[str]) -> None:
        self.options = options
        self.columns = columns
        self.terminator = b""  # b'\n', b'\r\n' or b'\r' once the first line has ended
        self.in_header = bool(options.header)
        self.lines = 0  # read so far
        self.ended = False  # the end-of-copy marker was met: what follows is ignored

    def cut(self, chunk: bytes, last: bool) -> Cut:
        """chunk: followed by `PAD` zero bytes, which do not count. last: no more will come."""
        return _Chunk(self, chunk, last).cut()


class _Chunk:
    """One chunk on its way to a `Cut`.

    stop: where the bytes end that are looked at. final: there the data ends as well.
    """

    def __init__(self, reader: LineReader, raw: bytes, last: bool) -> None:
        self.reader, self.options, self.raw, self.last = reader, reader.options, raw, last
        self.data = np.frombuffer(raw, "u1")
        self.size = self.stop = len(raw) - PAD
        self.final = last
        self.marks: Marks = marks(raw, self.options)
        self.faults: list[tuple[int, SqlError]] = []  # position, and what is wrong there

    def cut(self) -> Cut:
        if self.marks.marker is not None:
            self.stop = self.marks.marker
        if not self._learn_terminator():
            return self._rows(np.empty(0, "i8"), np.empty(0, "i8"))
        if self.marks.marker is not None:
            self._end_at(self.marks.marker)
        elif self.final and self.marks.dangling:
            self.stop -= 1
        first = (self.reader.terminator or b"\n")[0]
        found = self.marks.separators(self.options.delimiter[0], first)
        found = found[: np.searchsorted(found, self.stop)]
        ends = self._check_terminators(found[self.data[found] == first])
        if self.options.csv:
            ends = self._end_at_lone_marker(ends)
        begun = self._after(ends[-1]) if len(ends) else 0
        if self.final and not self.faults and begun < self.stop:
            # The last line needs no terminator, but its quotes must be closed.
            if self.marks.open:
                self.faults.append((self.stop, SqlError("22P04", "unterminated CSV quoted field")))
            else:
                ends = np.append(ends, self.stop)
                found = np.append(found, self.stop)
        self._check_encoding(int(ends[-1]) if len(ends) else 0)
        return self._rows(found, ends)

    # --- lines ------------------------------------------------------------------------------------

    def _after(self, end: int) -> int:
        """Where the line begins that follows the one that ends here."""
        return min(int(end) + len(self.reader.terminator or b"\n"), self.size)

    def _learn_terminator(self) -> bool:
        """What ends lines is what ends the first one. False where that is still to come."""
        reader, marked = self.reader, self.marks.marker is not None
        if reader.terminator:
            return True
        found = self._free(_NEWLINE, _RETURN)
        if not len(found):
            return self.final or marked
        at = int(found[0])
        if self.data[at] == _NEWLINE:
            reader.terminator = b"\n"
        elif at + 1 == self.size and not self.final:
            return False
        else:
            reader.terminator = b"\r\n" if self.data[at + 1] == _NEWLINE else b"\r"
        return True

    def _free(self, *wanted: int) -> np.ndarray:
        """Positions of these bytes where they are not escaped and not in quotes."""
        if not any(bytes([byte]) in self.raw for byte in wanted):
            return np.empty(0, "i8")
        found = np.flatnonzero(np.isin(self.data[: self.stop], np.array(wanted, "u1")))
        return found[self.marks.free(found)]

    def _end_at(self, marker: int) -> None:
        """Text's end-of-copy marker: the data ends there, if the marker is whole and as it must be."""
        terminator = self.reader.terminator
        after = self.raw[marker + 2 : min(marker + 4, self.size)]
        needed = 2 if terminator == b"\r\n" else 1
        if len(after) < needed and not self.last:
            self.final = False
        elif problem := _marker_problem(after.ljust(2, b"\0"), terminator):
            self.faults.append((marker, SqlError("22P04", problem)))
        else:
            self.final = self.reader.ended = True

    def _end_at_lone_marker(self, ends: np.ndarray) -> np.ndarray:
        """CSV: `\\.` ends the data only where it is all of a line. The ends of the lines before it."""
        if b"\\." not in self.raw or not len(ends):
            return ends
        starts = np.append(0, ends[:-1] + len(self.reader.terminator))
        data = self.data
        lone = (ends - starts == 2) & (data[starts] == ord("\\")) & (data[starts + 1] == ord("."))
        if not lone.any():
            return ends
        row = int(np.flatnonzero(lone)[0])
        self.stop = int(starts[row])
        self.faults = [known for known in self.faults if known[0] < self.stop]
        if not self.faults:
            self.reader.ended = self.final = True
        return ends[:row]

    def _check_terminators(self, ends: np.ndarray) -> np.ndarray:
        """Notes the first `\\r` and `\\n` that are not how these lines end. The true ends."""
        terminator = self.reader.terminator
        if terminator == b"\r\n":
            if len(ends) and ends[-1] + 1 == self.size and not self.last:
                ends = ends[:-1]  # what follows is not known yet
            whole = self.data[ends + 1] == _NEWLINE
            lone_returns, ends = ends[~whole], ends[whole]
            newlines = self._free(_NEWLINE)
            self._note_literal("newline", newlines[~np.isin(newlines - 1, ends)])
            self._note_literal("carriage return", lone_returns)
        elif terminator == b"\n":
            self._note_literal("carriage return", self._free(_RETURN))
        elif terminator == b"\r":
            self._note_literal("newline", self._free(_NEWLINE))
        return ends

    def _note_literal(self, what: str, found: np.ndarray) -> None:
        if not len(found):
            return
        csv = self.options.csv
        use = "quoted CSV field" if csv else '"\\r"' if what == "carriage return" else '"\\n"'
        error = SqlError(
            "22P04",
            f"{'unquoted' if csv else 'literal'} {what} found in data",
            hint=f"Use {use} to represent {what}.",
        )
        self.faults.append((int(found[0]), error))

    def _check_encoding(self, end: int) -> None:
        """Notes the first byte among whole lines that is not UTF-8, or is zero."""
        at = first_invalid(memoryview(self.raw)[:end])
        if at is not None:
            self.faults.append((at, _encoding_error(self.raw[at : at + 4])))

    # --- rows -------------------------------------------------------------------------------------

    def _rows(self, found: np.ndarray, ends: np.ndarray) -> Cut:
        """found: separators, ends: those that end a line. Both beyond the first fault too."""
        reader, width = self.reader, len(self.reader.columns)
        fault_at, error = min(self.faults, key=lambda known: known[0], default=(None, None))
        if fault_at is not None:
            ends = ends[: np.searchsorted(ends, fault_at)]
        last = np.searchsorted(found, ends)
        counts = np.diff(last, prepend=-1)
        hidden = self._hidden_lines(int(ends[-1]) if len(ends) else self.stop, ends)
        cut = Cut(_no_fields(self.data, width), None, 0, reader.lines, ends, hidden)
        begin = 0
        if reader.in_header and len(ends):
            reader.in_header = False
            count = int(counts[0])
            cut.fault = self._header(found[:count], cut, int(ends[0]))
            begin, cut.used = self._after(ends[0]), self._after(ends[0])
            found, counts, ends = found[count:], counts[1:], ends[1:]
            cut.lines_before, cut.row_ends = cut.lines_before + 1, ends
        if cut.fault is None:
            self._fill(cut, found, counts, begin, width)
        if cut.fault is None and error is not None and fault_at is not None:
            begun = self._after(ends[-1]) if len(ends) else begin
            line = cut._line(len(cut.fields), fault_at)
            whole = fault_at == self.stop and self.marks.open
            cut.fault = Fault(error, line, self.raw[begun : self.stop] if whole else None)
        if reader.ended:
            cut.used = self.size
        good = len(cut.fields)
        if good:
            reader.lines = cut.line(good - 1)
        elif not reader.in_header:
            reader.lines = max(reader.lines, cut.lines_before)
        return cut

    def _fill(
        self, cut: Cut, found: np.ndarray, counts: np.ndarray, begin: int, width: int
    ) -> None:
        """Gives the cut its rows, up to one that has too many or too few fields."""
        ends = cut.row_ends
        wrong = np.flatnonzero(counts != width)
        good = int(wrong[0]) if len(wrong) else len(counts)
        partial = 0
        if len(wrong):
            line = cut._line(good, int(ends[good]))
            starts = self._after(ends[good - 1]) if good else begin
            text = self.raw[starts : int(ends[good])]
            partial = int(counts[good]) if counts[good] < width else 0
            cut.fault = Fault(self._miscounted(int(counts[good])), line, text)
        fields = self._fields(found[: good * width + partial], begin, width)
        if isinstance(fields, _Invalid):
            good, partial = fields.row, 0
            start = self._after(ends[good - 1]) if good else begin
            line = cut._line(good, int(ends[good]))
            cut.fault = Fault(fields.error, line, self.raw[start : int(ends[good])])
            fields = self._fields(found[: good * width], begin, width)
            assert isinstance(fields, Cleaned)
        cut.fields = _rectangle(fields, 0, good, width)
        if partial and cut.fault is not None:
            cut.fault.partial = _rectangle(fields, good * width, 1, partial)
        if good:
            cut.used = self._after(ends[good - 1])
