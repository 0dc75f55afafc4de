"""JSON files: where one document ends and the next begins, a block at a time.

Documents may stand one to a line, spread over lines, or one behind the other; with STRIP_OUTER_ARRAY
the elements of an array are the documents. Only brackets outside of strings count, found with array
operations; whether a document is JSON is for whoever parses its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from proxy.staging.blocks import whole_records
from proxy.staging.delimited import escaped_bytes, gathered

Array = np.ndarray[Any, Any]

_QUOTE, _BACKSLASH, _COMMA, _OPEN_ARRAY = ord('"'), ord("\\"), ord(","), ord("[")
_BLANKS = (9, 10, 13, 32)


class Documents(NamedTuple):
    """The texts of some documents, and the line of the file where each begins."""

    texts: pa.Array
    lines: Array


class DocumentReader:
    """The documents of one file."""

    def __init__(self, strip_outer_array: bool) -> None:
        self._strip = strip_outer_array
        self._within = False  # the outer array that the block before has opened
        self._line = 1

    def read(self, blocks: Iterator[bytes]) -> Iterator[Documents]:
        """blocks: the file's bytes, in UTF-8 and without a byte order mark."""
        return whole_records(blocks, self._piece, "document")

    def _piece(self, data: bytes, last: bool) -> tuple[Documents | None, bytes]:
        found, taken = self._cut(data, last)
        return found if len(found.lines) else None, data[taken:]

    def _cut(self, data: bytes, last: bool) -> tuple[Documents, int]:
        """The whole documents in `data`, and how many bytes they are."""
        buffer = np.frombuffer(data, np.uint8)
        inside, depth, level = self._structure(buffer)
        blank = np.isin(buffer, _BLANKS)
        between = (depth == 0) & blank & ~inside
        if self._strip:
            in_array = self._in_array(buffer, depth, level)
            between |= in_array & (depth <= 1) & ~inside & (blank | (buffer == _COMMA))
            # The array's own brackets: between its elements, too.
            opening = in_array & (buffer == _OPEN_ARRAY) & (level == 1) & (depth == 1)
            before = np.append(1 if self._within else 0, depth[:-1]) if len(depth) else depth
            between |= opening & (before == 0)
            between |= in_array & (depth == 0) & (before == 1) & ~inside
        part = ~between
        starts_new = part & np.append(True, ~part[:-1])[: len(part)]
        if len(part) > 1:
            # A document may follow another without a blank between them.
            closed = self._closed(buffer, depth, level, inside)
            starts_new[1:] |= part[1:] & closed[:-1]
        starts = np.flatnonzero(starts_new)
        ends = np.append(starts[1:], len(buffer))
        places = np.flatnonzero(part)
        stops = places[np.searchsorted(places, ends) - 1] + 1 if len(starts) else starts
        taken = len(buffer)
        if not last and len(starts) and stops[-1] == len(buffer):
            taken = int(starts[-1])  # it may go on
            starts, stops = starts[:-1], stops[:-1]
        if self._strip and taken:
            self._within = bool(depth[taken - 1] >= 1 and in_array[taken - 1])
        newlines = np.flatnonzero(buffer[:taken] == 10)
        lines = self._line + np.searchsorted(newlines, starts)
        self._line += len(newlines)
        return Documents(gathered(buffer, starts, stops), lines), taken

    def _structure(self, buffer: Array) -> tuple[Array, Array, Array]:
        """Of each byte: whether it is in a string, the depth after it, and while it is read."""
        quote = buffer == _QUOTE
        escaped = escaped_bytes(buffer, _BACKSLASH)
        if escaped is not None:
            quote &= ~escaped
        count = np.cumsum(quote)
        inside = (count % 2 == 1) | quote
        opens = ((buffer == _OPEN_ARRAY) | (buffer == ord("{"))) & ~inside
        closes = ((buffer == ord("]")) | (buffer == ord("}"))) & ~inside
        steps = opens.astype(np.int32) - closes.astype(np.int32)
        depth = np.cumsum(steps) + (1 if self._within else 0)
        return inside, depth, np.maximum(depth, depth - steps)

    def _in_array(self, buffer: Array, depth: Array, level: Array) -> Array:
        """Whether each byte belongs to an outer array, its brackets included."""
        outer = level >= 1
        before = np.append(1 if self._within else 0, depth[:-1]) if len(depth) else depth
        begins = (before == 0) & (depth == 1)
        places = np.flatnonzero(begins)
        kinds = np.append(self._within, buffer[places] == _OPEN_ARRAY)
        return outer & kinds[np.searchsorted(places, np.arange(len(buffer)), side="right")]

    def _closed(self, buffer: Array, depth: Array, level: Array, inside: Array) -> Array:
        """Whether a document ends with each byte."""
        ends = (depth == 0) & (level == 1) & ~inside
        if self._strip:
            in_array = self._in_array(buffer, depth, level)
            ends |= in_array & (depth == 1) & (level == 2) & ~inside
        return ends
