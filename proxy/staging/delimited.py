"""Delimited files (CSV) as Snowflake reads them: bytes in, columns of text out, a block at a time.

Why not a CSV reader that there is: Snowflake's format has its own rules - a quote encloses only at a
field's beginning, a backslash escapes outside of quotes alone, records may have any number of fields,
`\\N` is NULL and an empty field may be - and an error is told with its record. Here the positions of
quotes, escapes and delimiters become arrays, and what a quote means is worked out for all of them at
once, so that the cost per field is that of a few array operations.

What the arrays say of quotes: a run of an odd number of them changes between outside and inside when
it stands at a field's beginning; elsewhere it ends what is enclosed, and outside it is text. So the
state after each run is the number of changes since the last run of the other kind, modulo two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.sql.snowflake.file_formats import FileFormat
from proxy.staging.blocks import whole_records

Array = np.ndarray[Any, Any]

_SPACE, _TAB, _RETURN, _NEWLINE = 32, 9, 13, 10
_ESCAPES = (("n", "\n"), ("t", "\t"), ("r", "\r"), ("b", "\b"), ("f", "\f"), ("0", "\0"))
_SENTINELS = "\x01\x02\x03\x04\x05\x06\x07\x0e\x0f"


class Records(NamedTuple):
    """Some records. counts: the fields of each; lines: the line of the file where each begins.

    errors: what is wrong with a record, NULL for nothing; columns: the n-th field of each, NULL for
    NULL and where a record has fewer.
    """

    counts: Array
    lines: Array
    errors: pa.Array
    columns: list[pa.Array]


class DelimitedReader:
    """The records of one file. width: how many columns are wanted."""

    def __init__(self, format_: FileFormat, width: int) -> None:
        self._format = format_
        self._width = width
        self._line = 1
        self._skip = format_["SKIP_HEADER"]
        self.header: list[str] | None = None
        self._wants_header = format_["PARSE_HEADER"]
        record = format_["RECORD_DELIMITER"]
        self._record = None if record is None else record.encode()
        field = format_["FIELD_DELIMITER"]
        self._field = None if field is None else field.encode()
        quote = format_["FIELD_OPTIONALLY_ENCLOSED_BY"]
        self._quote = None if quote is None else ord(quote)
        self._escape = _code(format_["ESCAPE"])
        self._bare_escape = _code(format_["ESCAPE_UNENCLOSED_FIELD"])
        if self._escape is not None:
            self._bare_escape = self._escape
        if self._escape == self._quote:
            self._escape = None

    def read(self, blocks: Iterator[bytes]) -> Iterator[Records]:
        """blocks: the file's bytes, in UTF-8 and without a byte order mark."""
        return whole_records(blocks, self._piece, "record")

    def _piece(self, data: bytes, last: bool) -> tuple[Records | None, bytes]:
        if self._skip:
            data = self._without_header(data)
        if last and not data:
            return None, b""
        records, taken = self._cut(data, last)
        return records, data[taken:]

    def _without_header(self, data: bytes) -> bytes:
        """Header lines are lines, whatever the delimiters are."""
        at = 0
        while self._skip:
            end = data.find(b"\n", at)
            if end < 0:
                break
            at, self._skip, self._line = end + 1, self._skip - 1, self._line + 1
        return data[at:] if not self._skip else b""

    # --- one block --------------------------------------------------------------------------------

    def _cut(self, data: bytes, last: bool) -> tuple[Records | None, int]:
        """The whole records in `data`, and how many bytes they are."""
        buffer = np.frombuffer(data, np.uint8)
        escaped = escaped_bytes(buffer, self._bare_escape)
        quotes = self._quotes(buffer, escaped)
        ends, end_width = self._found(buffer, data, self._record, quotes, escaped)
        if last and (not len(ends) or ends[-1] + end_width[-1] < len(data)):
            ends = np.append(ends, len(data))
            end_width = np.append(end_width, 0)
        if not len(ends):
            return None, 0
        taken = int(ends[-1] + end_width[-1])
        fields, field_width = self._found(buffer[:taken], data, self._field, quotes, escaped)
        starts, stops, first, counts = _fields(ends, end_width, fields, field_width)
        if self._record == b"\n":
            lasts = first + counts - 1
            stop = stops[lasts]
            windows = (stop > starts[lasts]) & (buffer[np.maximum(stop - 1, 0)] == _RETURN)
            stops[lasts] = stop - windows
        lines = self._lines(buffer[:taken], starts[first])
        if self._format["SKIP_BLANK_LINES"]:
            there = (counts > 1) | (stops[first] > starts[first])
            first, counts, lines = first[there], counts[there], lines[there]
        piece = _Piece(buffer, starts, stops, first, counts, quotes, escaped)
        if self._wants_header and len(first):
            self.header = self._names(piece)
            self._wants_header = False
            first, counts, lines = first[1:], counts[1:], lines[1:]
            piece = piece._replace(first=first, counts=counts)
        if not len(first):
            return None, taken
        errors = self._errors(piece)
        columns = [self._column(piece, n) for n in range(self._width)]
        return Records(counts, lines, errors, columns), taken

    def _lines(self, buffer: Array, at: Array) -> Array:
        newlines = np.flatnonzero(buffer == _NEWLINE)
        lines = self._line + np.searchsorted(newlines, at)
        self._line += len(newlines)
        return lines

    def _quotes(self, buffer: Array, escaped: Array | None) -> _Quotes | None:
        if self._quote is None:
            return None
        at = np.flatnonzero(buffer == self._quote)
        if self._escape is not None and escaped is not None and len(at):
            at = at[~escaped[at]]
        if not len(at):
            return _Quotes(at, at, at, at.astype(bool), at.astype(bool))
        new = np.append(True, np.diff(at) != 1)
        start = at[new]
        length = np.diff(np.append(np.flatnonzero(new), len(at)))
        odd = length % 2 == 1
        opens = odd & self._begins_field(buffer, start, escaped)
        resets = odd & ~opens
        changes = np.cumsum(opens)
        since = np.maximum.accumulate(np.where(resets, changes, 0))
        inside = (changes - since) % 2 == 1
        return _Quotes(start, start + length, at, inside, odd)

    def _begins_field(self, buffer: Array, at: Array, escaped: Array | None) -> Array:
        """Whether a delimiter, or the block's beginning, stands right before each place."""
        before = at - 1
        if self._format["TRIM_SPACE"]:
            blank = (buffer == _SPACE) | (buffer == _TAB)
            other = np.maximum.accumulate(np.where(blank, -1, np.arange(len(buffer))))
            before = np.where(at > 0, other[np.maximum(at - 1, 0)], -1)
        found = before < 0
        there = np.maximum(before, 0)
        for delimiter in (self._field, self._record):
            if delimiter is None:
                continue
            matches = np.ones(len(at), bool)
            for back, byte in enumerate(reversed(delimiter)):
                place = there - back
                matches &= (place >= 0) & (buffer[np.maximum(place, 0)] == byte)
            if escaped is not None:
                matches &= ~escaped[np.maximum(there - len(delimiter) + 1, 0)]
            found |= matches & (before >= 0)
        return found

    def _found(
        self,
        buffer: Array,
        data: bytes,
        delimiter: bytes | None,
        quotes: _Quotes | None,
        escaped: Array | None,
    ) -> tuple[Array, Array]:
        """Where a delimiter stands that delimits, and its width in each place."""
        if delimiter is None or not len(buffer):
            none = np.empty(0, np.int64)
            return none, none
        at = np.flatnonzero(buffer == delimiter[0])
        if len(delimiter) > 1:
            at = at[at <= len(buffer) - len(delimiter)]
            for offset, byte in enumerate(delimiter[1:], start=1):
                at = at[buffer[at + offset] == byte]
            if len(at) > 1 and (np.diff(at) < len(delimiter)).any():
                at = _apart(at, len(delimiter))
        inside = quotes.inside_at(at) if quotes is not None else np.zeros(len(at), bool)
        at = at[~inside]
        if escaped is not None:
            at = at[~escaped[at]]
        return at, np.full(len(at), len(delimiter))

    # --- fields -----------------------------------------------------------------------------------

    def _trimmed(self, piece: _Piece, starts: Array, stops: Array) -> tuple[Array, Array]:
        if not self._format["TRIM_SPACE"] or not len(starts):
            return starts, stops
        blank = (piece.buffer == _SPACE) | (piece.buffer == _TAB)
        places = np.arange(len(blank))
        before = np.maximum.accumulate(np.where(blank, -1, places))
        after = np.minimum.accumulate(np.where(blank, len(blank), places)[::-1])[::-1]
        after = np.append(after, len(blank))
        starts = np.minimum(after[starts], stops)
        stops = np.where(stops > starts, before[np.maximum(stops - 1, 0)] + 1, stops)
        return starts, np.maximum(stops, starts)

    def _enclosed(self, piece: _Piece, starts: Array, stops: Array) -> tuple[Array, Array]:
        """Which fields are enclosed, and which only begin so."""
        none = np.zeros(len(starts), bool)
        quotes = piece.quotes
        if quotes is None or not len(quotes.start):
            return none, none
        there = stops > starts
        opening = there & (piece.buffer[np.where(there, starts, 0)] == self._quote)
        if not opening.any():
            return none, none
        if self._escape is not None and piece.escaped is not None:
            opening &= ~piece.escaped[np.where(there, starts, 0)]
        run = np.searchsorted(quotes.start, starts)
        run_after = np.searchsorted(quotes.start, stops)
        odd_before = np.append(0, np.cumsum(quotes.odd))
        odd = odd_before[run_after] - odd_before[run]
        last = np.maximum(run_after - 1, 0)
        closed = quotes.end[last] == stops
        only = run_after - run == 1
        whole = opening & closed & ((odd == 2) | ((odd == 0) & only))
        return whole, opening & ~whole

    def _errors(self, piece: _Piece) -> pa.Array:
        if piece.quotes is None or not len(piece.quotes.start):
            return pa.nulls(len(piece.first), pa.string())
        starts, stops = self._trimmed(piece, piece.starts, piece.stops)
        _, wrong = self._enclosed(piece, starts, stops)
        before = np.append(0, np.cumsum(wrong))
        bad = before[piece.first + piece.counts] > before[piece.first]
        message = "Found characters after the closing quote of a field, or no closing quote"
        return pa.array(np.where(bad, message, None), pa.string(), from_pandas=True)

    def _names(self, piece: _Piece) -> list[str]:
        head = piece._replace(first=piece.first[:1], counts=piece.counts[:1])
        names = [self._column(head, n)[0].as_py() for n in range(int(piece.counts[0]))]
        return [name or "" for name in names]

    def _column(self, piece: _Piece, n: int) -> pa.Array:
        there = piece.counts > n
        index = np.where(there, piece.first + n, 0)
        starts, stops = piece.starts[index], piece.stops[index]
        stops = np.where(there, stops, starts)
        starts, stops = self._trimmed(piece, starts, stops)
        enclosed, _ = self._enclosed(piece, starts, stops)
        starts, stops = starts + enclosed, np.maximum(stops - enclosed, starts + enclosed)
        values = gathered(piece.buffer, starts, stops)
        null = ~there
        if self._format["EMPTY_FIELD_AS_NULL"]:
            null |= (stops == starts) & ~enclosed
        null |= self._is_null(values)
        if piece.escaped is not None:
            values = self._unescaped(piece, values, enclosed, starts, stops)
        if enclosed.any():
            values = self._undoubled(piece, values, enclosed, starts, stops)
        return pc.if_else(pa.array(null), pa.scalar(None, pa.string()), values)

    def _is_null(self, values: pa.Array) -> Array:
        strings = self._format["NULL_IF"]
        if not strings:
            return np.zeros(len(values), bool)
        found = pc.is_in(values, value_set=pa.array(strings, pa.string()))
        return found.to_numpy(zero_copy_only=False)

    def _undoubled(
        self, piece: _Piece, values: pa.Array, enclosed: Array, starts: Array, stops: Array
    ) -> pa.Array:
        assert piece.quotes is not None
        assert self._quote is not None
        each = piece.quotes.each
        inner = np.searchsorted(each, stops) > np.searchsorted(each, starts)
        quote = chr(self._quote)
        return _where(
            values, enclosed & inner, lambda some: pc.replace_substring(some, quote * 2, quote)
        )

    def _unescaped(
        self, piece: _Piece, values: pa.Array, enclosed: Array, starts: Array, stops: Array
    ) -> pa.Array:
        escape = self._bare_escape
        assert escape is not None
        places = np.flatnonzero(piece.buffer == escape)
        has = np.searchsorted(places, stops) > np.searchsorted(places, starts)
        if self._escape is None:
            has &= ~enclosed
        return _where(values, has, lambda some: _plain(some, chr(escape)))


class _Quotes(NamedTuple):
    """Runs of quotes: where each begins and ends, whether it leaves the text inside; each: of every one."""

    start: Array
    end: Array
    each: Array
    inside: Array
    odd: Array

    def inside_at(self, at: Array) -> Array:
        if not len(self.start):
            return np.zeros(len(at), bool)
        run = np.searchsorted(self.start, at) - 1
        return (run >= 0) & self.inside[np.maximum(run, 0)]


class _Piece(NamedTuple):
    """A block cut into fields. first, counts: of each record, its first field and how many."""

    buffer: Array
    starts: Array
    stops: Array
    first: Array
    counts: Array
    quotes: _Quotes | None
    escaped: Array | None


def _code(character: str | None) -> int | None:
    return None if character is None else ord(character)


def escaped_bytes(buffer: Array, escape: int | None) -> Array | None:
    """Whether an odd number of escapes stands right before each byte; None where there is none."""
    if escape is None:
        return None
    at = np.flatnonzero(buffer == escape)
    if not len(at):
        return None
    new = np.append(True, np.diff(at) != 1)
    run = np.cumsum(new) - 1
    number = np.arange(len(at)) - np.flatnonzero(new)[run]
    found = np.zeros(len(buffer) + 1, bool)
    found[at[number % 2 == 0] + 1] = True
    return found[:-1]


def _apart(at: Array, width: int) -> Array:
    """The places of a delimiter that do not overlap the one before."""
    kept, end = [], -1
    for place in at.tolist():
        if place >= end:
            kept.append(place)
            end = place + width
    return np.array(kept, np.int64)


def _fields(
    ends: Array, end_width: Array, fields: Array, field_width: Array
) -> tuple[Array, Array, Array, Array]:
    """Where each field begins and stops, and each record's first field and number of fields."""
    places = np.concatenate([ends, fields])
    widths = np.concatenate([end_width, field_width])
    closes = np.concatenate([np.ones(len(ends), bool), np.zeros(len(fields), bool)])
    order = np.argsort(places, kind="stable")
    stops = places[order]
    starts = np.append(0, (stops + widths[order])[:-1])
    lasts = np.flatnonzero(closes[order])
    first = np.append(0, lasts[:-1] + 1)
    return starts, stops, first, lasts - first + 1


def gathered(buffer: Array, starts: Array, stops: Array) -> pa.Array:
    """The texts between the places, in one array."""
    lengths = stops - starts
    offsets = np.append(0, np.cumsum(lengths))
    total = int(offsets[-1])
    # Each byte of the result comes from its distance to its own text's beginning.
    source = np.arange(total) + np.repeat(starts - offsets[:-1], lengths)
    data = buffer[source]
    made = pa.Array.from_buffers(
        pa.large_string(), len(starts), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    return made.cast(pa.string())


def _where(values: pa.Array, chosen: Array, change: Any) -> pa.Array:
    """The values, those chosen changed."""
    if not chosen.any():
        return values
    mask = pa.array(chosen)
    return pc.replace_with_mask(values, mask, change(values.filter(mask)))


def _plain(values: pa.Array, escape: str) -> pa.Array:
    """Escape sequences as what they stand for; any other escaped character is itself."""
    used = [c for c in _SENTINELS if not pc.any(pc.match_substring(values, c)).as_py()]
    if not used:
        raise SqlError("0A000", "escapes beside so many control characters are not supported")
    mark = used[0]
    values = pc.replace_substring(values, escape * 2, mark)
    for letter, meaning in _ESCAPES:
        values = pc.replace_substring(values, escape + letter, meaning)
    values = pc.replace_substring(values, escape, "")
    return pc.replace_substring(values, mark, escape)
