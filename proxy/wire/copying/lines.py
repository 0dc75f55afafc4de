"""Rows of COPY's text and CSV formats, a chunk at a time.

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

from proxy.errors import SqlError
from proxy.wire.copying.fields import FieldCutter, Fields, Run
from proxy.wire.copying.marks import PAD, Marks, marks
from proxy.wire.copying.options import CopyOptions
from proxy.wire.decoders.values import utf8

_NEWLINE, _RETURN = ord("\n"), ord("\r")


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
        return self.line_at(row, int(self.row_ends[row]))

    def line_at(self, row: int, end: int) -> int:
        """The number of the line that position `end` is on, within this row."""
        return self.lines_before + row + 1 + int(np.searchsorted(self.hidden_lines, end))


class LineReader:
    """Feed it chunks that each begin where the one before was used up to.

    columns: names of the columns that are copied, in order.
    """

    def __init__(self, options: CopyOptions, columns: Sequence[str]) -> None:
        self.options = options
        self.columns = columns
        self.cutter = FieldCutter(options, columns)
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
        if reader.ended:
            self.stop, self.raw = 0, bytes(PAD)
        self.marks: Marks = marks(self.raw, self.options)
        self.faults: list[tuple[int, SqlError]] = []  # position, and what is wrong there

    def cut(self) -> Cut:
        if self.marks.marker is not None:
            self.stop = self.marks.marker
        if not self._learn_terminator():
            return self._rows(np.empty(0, "i8"), np.empty(0, "i8"))
        if self.marks.marker is not None:
            self._end_at(self.marks.marker)
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
                end = self.stop - self.marks.dangling
                ends = np.append(ends, end)
                found = np.append(found[: np.searchsorted(found, end)], end)
        whole = self.stop if self.final else int(ends[-1]) if len(ends) else 0
        self._check_encoding(max([whole, *(at for at, _ in self.faults)]))
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
        """Text's end-of-copy marker: there the data ends, if the marker is whole and as it must be."""
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
        if b"\\" not in self.raw or not len(ends):
            return ends
        starts = np.append(0, ends[:-1] + len(self.reader.terminator))
        data = self.data
        lone = (ends - starts == 2) & (data[starts] == ord("\\")) & (data[starts + 1] == ord("."))
        if not lone.any():
            return ends
        row = int(np.flatnonzero(lone)[0])
        self.stop = int(starts[row])
        self.faults = [known for known in self.faults if known[0] < self.stop]
        self.reader.ended = self.final = not self.faults
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
        at = first_invalid(self.raw, end)
        if at is not None:
            self.faults.append((at, encoding_error(self.raw[at : min(at + 4, self.size)])))

    # --- rows -------------------------------------------------------------------------------------

    def _rows(self, found: np.ndarray, ends: np.ndarray) -> Cut:
        """found: separators; ends: those that end a line. Both may go on beyond the first fault."""
        reader, width = self.reader, len(self.reader.columns)
        fault_at, error = min(self.faults, key=lambda known: known[0], default=(self.stop, None))
        ends = ends[: np.searchsorted(ends, fault_at, "right" if error is None else "left")]
        counts = np.diff(np.searchsorted(found, ends), prepend=-1)
        none = np.empty(0, "i8")
        cut = Cut(
            self._run(none, 0).rows(0, width), None, 0, reader.lines, ends, self._hidden_lines(ends)
        )
        begin = 0
        only_header = reader.in_header and self.final and not len(ends)
        # It may even be missing; its quotes matter only if it is read.
        if only_header and (
            error is None or (self._is_open_end(fault_at) and self.options.header != "match")
        ):
            found = ends = np.array([self.stop])
            counts, error = np.array([1]), None
            cut.row_ends = ends
        if reader.in_header and len(ends):
            reader.in_header = False
            count, begin = int(counts[0]), self._after(ends[0])
            cut.fault = self._header_fault(cut, self._run(found[:count], 0, forced=False))
            found, counts = found[count:], counts[1:]
            cut.lines_before, cut.row_ends, cut.used = cut.lines_before + 1, ends[1:], begin
        if cut.fault is None:
            self._fill(cut, found, counts, begin)
        if cut.fault is None and error is not None:
            row = len(cut.fields)
            begun = self._after(cut.row_ends[-1]) if row else begin
            text = self.raw[begun : self.stop] if self._is_open_end(fault_at) else None
            cut.fault = Fault(error, cut.line_at(row, fault_at), text)
        good = len(cut.fields)
        reader.lines = cut.line(good - 1) if good else self._lines_of_header(cut, begin)
        if reader.ended:
            cut.used = self.size
        return cut

    def _is_open_end(self, at: int) -> bool:
        """Whether this is where the data ends within quotes."""
        return self.marks.open and at == self.stop

    def _lines_of_header(self, cut: Cut, begin: int) -> int:
        return cut.lines_before + int(np.searchsorted(cut.hidden_lines, begin))

    def _fill(self, cut: Cut, found: np.ndarray, counts: np.ndarray, begin: int) -> None:
        """Gives the cut its rows, up to one that has too many or too few fields."""
        ends, width = cut.row_ends, len(self.reader.columns)
        wrong = np.flatnonzero(counts != width)
        good = int(wrong[0]) if len(wrong) else len(counts)
        count = partial = 0
        if len(wrong):
            count = int(counts[good])
            cut.fault = self._line_fault(cut, good, begin, self._miscounted(count))
            partial = count if count < width else 0
        run = self._run(found[: good * width + count], begin, good * width)
        invalid = _first_invalid_field(run) if run.suspect else None
        if invalid is not None:
            good, partial = min(invalid // width, good), 0
            cut.fault = self._line_fault(cut, good, begin, _field_error(run, invalid))
        cut.fields = run.rows(good, width)
        if partial and cut.fault is not None:
            cut.fault.partial = run.rows(1, partial, first=good * width)
        cut.row_ends = ends[:good]
        if good:
            cut.used = self._after(ends[good - 1])

    def _run(self, separators: np.ndarray, begin: int, whole: int = 0, forced: bool = True) -> Run:
        """The fields that end at these separators, the first one beginning at `begin`.

        whole: how many of them fill rows; those that follow are all of one row.
        """
        starts = np.empty(len(separators), "i8")
        if len(starts):
            starts[0] = begin
            starts[1:] = separators[:-1] + 1
            gap = len(self.reader.terminator) - 1
            width = len(self.reader.columns)
            if whole and gap > 0:
                starts[width : whole + 1 : width] += gap
        return self.reader.cutter.run(self.marks, self.data, separators, starts, forced)

    def _line_fault(self, cut: Cut, row: int, begin: int, error: SqlError) -> Fault:
        """A fault of a row that was read to its end."""
        end = int(cut.row_ends[row])
        start = self._after(cut.row_ends[row - 1]) if row else begin
        shown = self.stop if self.final and end == self.stop - self.marks.dangling else end
        return Fault(error, cut.line_at(row, end), self.raw[start:shown])

    def _miscounted(self, count: int) -> SqlError:
        columns = self.reader.columns
        if count > len(columns):
            return SqlError("22P04", "extra data after last expected column")
        return SqlError("22P04", f'missing data for column "{columns[count]}"')

    def _header_fault(self, cut: Cut, run: Run) -> Fault | None:
        """Where the header must match: what does not."""
        columns = self.reader.columns
        error = None
        if self.options.header != "match":
            return None
        if run.suspect and (invalid := _first_invalid_field(run)) is not None:
            error = _field_error(run, invalid)
        elif len(run.starts) != len(columns):
            error = SqlError(
                "22P04",
                f"wrong number of fields in header line: got {len(run.starts)}, "
                f"expected {len(columns)}",
            )
        else:
            names = run.rows(1, len(columns))
            for at, expected in enumerate(columns):
                got = names.value(0, at)
                if got == expected.encode():
                    continue
                shown = f'"{got.decode(errors="replace")}"' if got is not None else ""
                if got is None:
                    shown = f'null value ("{self.options.null.decode()}")'
                error = SqlError(
                    "22P04",
                    f"column name mismatch in header line field {at + 1}: "
                    f'got {shown}, expected "{expected}"',
                )
                break
        return self._line_fault(cut, 0, 0, error) if error is not None else None

    def _hidden_lines(self, ends: np.ndarray) -> np.ndarray:
        """Postgres counts newlines within quotes as lines; those of the first line only as `\\r`."""
        none = np.empty(0, "i8")
        if not self.options.csv or self.options.quote not in self.raw:
            return none
        newline = _NEWLINE if self.reader.terminator == b"\n" else _RETURN
        found = self._quoted(newline)
        if self.reader.lines == 0 and newline == _NEWLINE:
            end = ends[0] if len(ends) else self.stop
            first = self._quoted(_RETURN)
            first = first[: np.searchsorted(first, end)]
            found = np.concatenate([first, found[np.searchsorted(found, end) :]])
        return found

    def _quoted(self, byte: int) -> np.ndarray:
        found = np.flatnonzero(self.data[: self.stop] == byte)
        return found[~self.marks.free(found)]


def _marker_problem(after: bytes, terminator: bytes) -> str | None:
    """What is wrong with an end-of-copy marker that these two bytes follow (zeros at the end)."""
    mismatch = "end-of-copy marker does not match previous newline style"
    corrupt = "end-of-copy marker corrupt"
    if terminator == b"\r\n":
        if after[0] == _NEWLINE:
            return mismatch
        if after[0] != _RETURN:
            return corrupt
        after = after[1:]
    if after[0] not in (_NEWLINE, _RETURN):
        return corrupt
    if terminator and after[0] != terminator[-1]:
        return mismatch
    return None


def first_invalid(raw: bytes, end: int) -> int | None:
    """Where, before `end`, the first byte is that no Postgres text can hold: not UTF-8, or zero."""
    zero = raw.find(0, 0, end)
    if not raw.isascii():
        try:
            raw[:end].decode()
        except UnicodeDecodeError as error:
            return error.start if zero < 0 else min(zero, error.start)
    return zero if zero >= 0 else None


def encoding_error(raw: bytes) -> SqlError:
    """22021 for these bytes, which are not valid from the first or a later one on."""
    try:
        utf8(raw)
    except SqlError as error:
        return error
    raise AssertionError("the bytes are valid")


def _field_error(run: Run, at: int) -> SqlError:
    return encoding_error(run.data[run.starts[at] : run.ends[at]].tobytes())


def _first_invalid_field(run: Run) -> int | None:
    if not len(run.ends):
        return None
    begin, end = int(run.starts[0]), int(run.ends[-1])
    if first_invalid(run.data[begin:end].tobytes(), end - begin) is None:
        return None
    for at, (start, stop) in enumerate(zip(run.starts, run.ends, strict=True)):
        if first_invalid(run.data[start:stop].tobytes(), int(stop - start)) is not None:
            return at
    return None  # it stands where NULL is written
