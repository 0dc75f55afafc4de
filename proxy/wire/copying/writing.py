"""Result rows as CopyData messages, one row in each, made a column at a time.

Text and CSV are the values' own text with escapes and quotes where CopyAttributeOutText and
CopyAttributeOutCSV of Postgres 15 put them; the binary format is the values' binary form. Both come
from the encoders that also write DataRow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from proxy.errors import SqlError
from proxy.wire.copying.binary import HEADER, TRAILER
from proxy.wire.copying.options import CopyOptions
from proxy.wire.encoders.cells import (
    MAX_BYTES,
    Cells,
    TooManyBytes,
    binary_from,
    binary_of_fixed,
    binary_parts,
    check_bytes,
    concat,
    join,
    replaced_bytes,
    side_by_side,
)
from proxy.wire.encoders.families import check_layout, encoder
from proxy.wire.encoders.style import TextStyle
from proxy.wire.types import DATES, EXACT_NUMBERS, FLOATS, TIMES, DuckType

# A batch above this is encoded in pieces, so that memory stays bounded and 32-bit offsets suffice.
_PIECE_BYTES = 256 * 2**20

# What the texts of these types are made of; where no option is among it, none needs a second look.
_PLAIN = EXACT_NUMBERS | FLOATS | TIMES | DATES | {"BOOLEAN", "UUID", "BIT"}
_PLAIN_BYTES = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-.: ")


class CopyWriter:
    """The messages of one COPY TO.

    columns: name and type of each, in order. Raises SqlError 0A000 for a type without a text.
    """

    def __init__(
        self,
        columns: Sequence[tuple[str, DuckType]],
        options: CopyOptions,
        style: TextStyle | None = None,
    ) -> None:
        self._options = options
        self._names = [name for name, _ in columns]
        self._types = [duck for _, duck in columns]
        style = style or TextStyle()
        self._encoders = [encoder(duck, binary=options.binary, style=style) for duck in self._types]
        self._texts = _Texts(options, len(columns))
        self._headed = self._checked = False

    @property
    def binary(self) -> bool:
        return self._options.binary

    def head(self) -> bytes:
        """What comes before any row: the header line, if one was asked for."""
        if not self._options.header:
            return b""
        names = [pa.array([name.encode()], pa.binary()) for name in self._names]
        marked = [self._texts.marked(name) for name in names]
        return bytes(self._texts.rows(1, [(array, None) for array in marked]))

    def encode(self, batch: pa.RecordBatch) -> pa.Buffer | memoryview | bytes:
        """All rows of the batch, each as a CopyData message.

        Raises SqlError where a value has no representation, and 54000 for a row of over 2 GiB.
        """
        if not self._checked:
            for duck, column in zip(self._types, batch.columns, strict=True):
                check_layout(duck, column.type)
            self._checked = True
        if batch.num_rows == 0:
            return b""
        parts: list[pa.Buffer | memoryview | bytes] = []
        self._encode(batch, parts)
        if self._options.binary and not self._headed:
            # Postgres sends the header in the same message as the first row, and drivers expect it.
            self._headed = True
            first = memoryview(parts[0])
            length = int.from_bytes(first[1:5], "big") + len(HEADER)
            parts[:1] = [b"d" + length.to_bytes(4, "big") + HEADER, first[5:]]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def tail(self) -> bytes:
        """What comes after the last row."""
        if not self._options.binary:
            return b""
        body = TRAILER if self._headed else HEADER + TRAILER
        return b"d" + (len(body) + 4).to_bytes(4, "big") + body

    def _encode(self, batch: pa.RecordBatch, parts: list[pa.Buffer | memoryview | bytes]) -> None:
        n = batch.num_rows
        try:
            if n > 1 and batch.nbytes > _PIECE_BYTES:
                raise TooManyBytes
            cells = [e(c) for e, c in zip(self._encoders, batch.columns, strict=True)]
            if self._options.binary:
                parts.append(_binary_rows(n, cells))
            else:
                marked = [self._column(at, column) for at, column in enumerate(cells)]
                parts.append(self._texts.rows(n, marked))
        except (TooManyBytes, pa.ArrowCapacityError):
            if n <= 1:
                raise SqlError("54000", "row is too large for a message") from None
            self._encode(batch.slice(0, n // 2), parts)
            self._encode(batch.slice(n // 2), parts)

    def _column(self, at: int, cells: Cells) -> tuple[pa.Array, np.ndarray | None]:
        texts, _ = cells.compact()
        forced = self._options.force_quote is None or self._names[at] in self._options.force_quote
        if forced or not (self._types[at].id in _PLAIN and self._texts.harmless):
            texts = self._texts.marked(texts, cells.nulls, forced)
        return texts, cells.nulls


class _Texts:
    """Escapes and quotes of one COPY, and its lines."""

    def __init__(self, options: CopyOptions, columns: int) -> None:
        self._options = options
        self._alone = columns == 1
        delimiter, quote, escape = options.delimiter[0], options.quote[0], options.escape[0]
        marking = {delimiter, quote} if options.csv else {delimiter}
        confusable = options.csv and options.null != b"" and set(options.null) <= _PLAIN_BYTES
        self.harmless = not (marking & _PLAIN_BYTES) and not confusable
        self._special = np.zeros(256, bool)
        if options.csv:
            self._special[[delimiter, quote, ord("\n"), ord("\r")]] = True
            self._replacements = [
                bytes([escape, c]) if c in (quote, escape) else bytes([c]) for c in range(256)
            ]
            return
        self._replacements = [bytes([c]) for c in range(256)]
        for control, letter in zip(b"\b\f\n\r\t\v", b"bfnrtv", strict=True):
            self._replacements[control] = bytes([ord("\\"), letter])
        for escaped in {ord("\\"), delimiter} - set(b"\b\f\n\r\t\v"):
            self._replacements[escaped] = bytes([ord("\\"), escaped])

    def marked(
        self, texts: pa.Array, nulls: np.ndarray | None = None, forced: bool = False
    ) -> pa.Array:
        """Binary texts with escapes, or in quotes where they need them; NULLs stay as they are."""
        if not self._options.csv:
            return replaced_bytes(texts, self._replacements)
        n = len(texts)
        offsets, data = binary_parts(texts)
        if forced:
            needs = np.ones(n, bool)
        else:
            special = np.zeros(len(data) + 1, "i4")
            np.cumsum(self._special[data], out=special[1:])
            needs = special[offsets[1:]] != special[offsets[:-1]]
            needs |= _is(texts, self._options.null)
            if self._alone:
                needs |= _is(texts, b"\\.")
        if nulls is not None:
            needs &= ~nulls
        if not needs.any():
            return texts
        quoted = self._quoted(texts if needs.all() else texts.filter(pa.array(needs)))
        if needs.all():
            return quoted
        pick = np.arange(n)
        pick[needs] = n + np.arange(len(quoted))
        return pa.concat_arrays([texts, quoted]).take(pa.array(pick))

    def _quoted(self, texts: pa.Array) -> pa.Array:
        quote = self._options.quote
        return concat(len(texts), [quote, replaced_bytes(texts, self._replacements), quote])

    def rows(
        self, n: int, columns: Sequence[tuple[pa.Array, np.ndarray | None]]
    ) -> pa.Buffer | bytes:
        """n messages of a line each; a column is its texts and its NULLs."""
        null = self._options.null
        inputs: list[pa.Array] = []
        total = np.full(n, 4 + len(columns), "i8")
        for texts, nulls in columns:
            if nulls is not None and null:
                texts = pc.if_else(pa.array(nulls), pa.scalar(null), texts)
            offsets, data = binary_parts(texts)
            total += np.diff(offsets)
            inputs.append(binary_from(offsets, data))
        check_bytes(int(total.sum()) + n)
        line = pc.binary_join_element_wise(*inputs, pa.scalar(self._options.delimiter))
        return _messages(total, [line, pa.scalar(b"\n")])


def _is(texts: pa.Array, text: bytes) -> np.ndarray:
    return pc.equal(texts, pa.scalar(text)).to_numpy(zero_copy_only=False)


def _messages(total: np.ndarray, inputs: list[pa.Array | pa.Scalar]) -> pa.Buffer:
    """CopyData messages: total is what each one's length word says."""
    if int(total.max()) > MAX_BYTES or int(total.sum()) + len(total) > MAX_BYTES:
        raise TooManyBytes
    head = binary_of_fixed(side_by_side(len(total), [b"d", total.astype(">i4")]))
    joined = join([head, *inputs])
    offsets, _ = binary_parts(joined)
    return joined.buffers()[2].slice(int(offsets[0]), int(offsets[-1]) - int(offsets[0]))


def _binary_rows(n: int, columns: Sequence[Cells]) -> pa.Buffer:
    """n messages of a row each: the number of fields, each behind its length, -1 for NULL."""
    pieces: list[bytes | np.ndarray | pa.Array] = [len(columns).to_bytes(2, "big")]
    total = np.full(n, 6 + 4 * len(columns), "i8")
    for cells in columns:
        if cells.fixed is not None and cells.nulls is None:
            width = cells.fixed.dtype.itemsize
            total += width
            pieces += [width.to_bytes(4, "big"), cells.fixed]
            continue
        array, lengths = cells.compact()
        total += lengths
        word = lengths if cells.nulls is None else np.where(cells.nulls, np.int32(-1), lengths)
        pieces += [word.astype(">i4"), array]
    return _messages(total, [concat(n, pieces)])
