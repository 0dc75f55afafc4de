"""Columns of encoded values, and the few array operations that all encoders are made of.

Why it exists: a result must not become Python objects on its way out, so every encoder works on
whole columns. What an encoder returns is always `Cells`; what is hard about variable widths
(joining pieces per row, trimming padded text) is done here once.

Two tricks carry most of the weight:

- *Reading past the end of a cell.* A view of the bytes whose items are `width` bytes long and
  start at every byte turns "copy from these offsets" into one fancy index.
- *Writing past the end of a cell.* Cells that are padded to one width are written in ascending
  order at their true offsets; what a cell writes too much, the next one overwrites. numpy assigns
  in the order of the index (documented for repeated indices: the last value stays).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Arrow's binary type counts bytes in 32 bits.
MAX_BYTES = 2**31 - 1


class TooManyBytes(Exception):
    """A column's encoded bytes do not fit in 32-bit offsets: encode fewer rows at a time."""


class Cells:
    """The encoded values of one column, n of them.

    Exactly one of `fixed` and `ragged` is set:
    fixed: array of shape (n,) whose items' own bytes are the cells; all have the same width.
    ragged: Arrow binary array of length n; what it says of validity is ignored.
    nulls: bool array of shape (n,), True where the value is NULL, or None if none is. What the
        cell of a NULL holds is undefined.
    """

    __slots__ = ("fixed", "nulls", "ragged")

    def __init__(
        self,
        *,
        fixed: np.ndarray | None = None,
        ragged: pa.Array | None = None,
        nulls: np.ndarray | None = None,
    ) -> None:
        self.fixed = fixed
        self.ragged = ragged
        self.nulls = nulls

    def __len__(self) -> int:
        return len(self.ragged) if self.fixed is None else len(self.fixed)

    def compact(self) -> tuple[pa.Array, np.ndarray]:
        """The cells as a binary array without validity, NULL being zero bytes, and their lengths.

        Lengths are int32, shape (n,); a NULL's is 0.
        """
        nulls = self.nulls
        if self.fixed is not None:
            width = self.fixed.dtype.itemsize
            if nulls is None:
                array = binary_of_fixed(self.fixed)
                return array, np.full(len(self.fixed), width, "i4")
            lengths = np.where(nulls, np.int32(0), np.int32(width))
            return binary_from(offsets_of(lengths), self.fixed[~nulls].view("u1")), lengths
        array = self.ragged
        offsets, data = binary_parts(array)
        lengths = offsets[1:] - offsets[:-1]
        if nulls is not None and (nulls & (lengths != 0)).any():
            array = pc.if_else(pa.array(nulls), _empty(), binary_from(offsets, data))
            offsets, data = binary_parts(array)
            lengths = offsets[1:] - offsets[:-1]
        return binary_from(offsets, data), lengths


Encoder = Callable[[pa.Array], Cells]
"""One column of Arrow values (as DuckDB exports them) to its cells."""


@cache
def _empty() -> pa.Scalar:
    """Not made before it is needed: that imports pandas, where it is installed."""
    return pa.scalar(b"", pa.binary())


# --- reading Arrow -------------------------------------------------------------------------------


def storage(array: pa.Array) -> pa.Array:
    """The array itself, or what an extension array is stored as."""
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def null_mask(array: pa.Array) -> np.ndarray | None:
    """bool (n,), True where NULL; None if no value is."""
    if array.null_count == 0:
        return None
    bitmap = array.buffers()[0]
    if bitmap is None:
        return array.is_null().to_numpy(zero_copy_only=False)
    start, stop = array.offset, array.offset + len(array)
    bits = np.unpackbits(np.frombuffer(bitmap, "u1"), count=stop, bitorder="little")
    return bits[start:] == 0


def values(array: pa.Array, dtype: str, extra: int = 0) -> np.ndarray:
    """The values buffer of a fixed-width array as numpy, without a copy; NULLs hold anything.

    extra: how many more items than values there are (1 for a buffer of offsets).
    """
    if len(array) == 0:
        return np.empty(0, dtype)
    found = np.frombuffer(array.buffers()[1], dtype)
    return found[array.offset : array.offset + len(array) + extra]


def zero_nulls(numbers: np.ndarray, nulls: np.ndarray | None) -> np.ndarray:
    """The same numbers with 0 where NULL, so that checks need not look at what lies there."""
    return numbers if nulls is None else np.where(nulls, numbers.dtype.type(0), numbers)


def binary_parts(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (int32, n + 1) and bytes (uint8) of a string or binary array.

    The offsets index the bytes and need not begin at 0. Wider layouts are cast down, which raises
    `TooManyBytes` where they do not fit.
    """
    kind = array.type
    if not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
        array = narrow(array)
    n = len(array)
    if n == 0:
        return np.zeros(1, "i4"), np.empty(0, "u1")
    _, offsets, data = array.buffers()
    found = np.frombuffer(offsets, "i4")[array.offset : array.offset + n + 1]
    return found, np.empty(0, "u1") if data is None else np.frombuffer(data, "u1")


def narrow(array: pa.Array) -> pa.Array:
    """A string or binary array of any layout as one with 32-bit offsets; NULLs may be lost."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return array
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        array = array.cast(pa.large_binary())
    n = len(array)
    if n == 0:
        return pa.array([], pa.binary())
    offsets = values(array, "i8", extra=1)
    first, size = int(offsets[0]), int(offsets[-1] - offsets[0])
    check_bytes(size)
    data = array.buffers()[2]
    used = pa.py_buffer(b"") if data is None else data.slice(first, size)
    starts = pa.py_buffer((offsets - first).astype("i4"))
    return pa.Array.from_buffers(pa.binary(), n, [None, starts, used])


# --- building cells ------------------------------------------------------------------------------


def binary_from(offsets: np.ndarray, data: np.ndarray) -> pa.Array:
    """A binary array over these offsets (int32, n + 1) and bytes, without a copy."""
    return pa.Array.from_buffers(
        pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)], 0
    )


def binary_of_fixed(fixed: np.ndarray) -> pa.Array:
    """A binary array whose values are the items' own bytes."""
    n, width = len(fixed), fixed.dtype.itemsize
    check_bytes(n * width)
    offsets = np.arange(0, (n + 1) * width, width, dtype="i4") if width else np.zeros(n + 1, "i4")
    return binary_from(offsets, as_bytes(fixed))


def as_bytes(fixed: np.ndarray) -> np.ndarray:
    """The items' bytes, one after the other: uint8, shape (n * width,)."""
    return np.ascontiguousarray(fixed).view("u1").reshape(-1)


def check_bytes(total: int) -> None:
    if total > MAX_BYTES:
        raise TooManyBytes


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Offsets (int32, n + 1) of consecutive cells of these lengths."""
    offsets = np.empty(len(lengths) + 1, "i8")
    offsets[0] = 0
    np.cumsum(lengths, out=offsets[1:])
    check_bytes(int(offsets[-1]))
    return offsets.astype("i4")


def void(width: int) -> str:
    """numpy's name for an opaque item of `width` bytes."""
    return f"V{width}"


def slot(matrix: np.ndarray, at: int, dtype: str) -> np.ndarray:
    """The items that start at byte `at` of every row of a uint8 matrix: shape (n,), writable."""
    n, width = matrix.shape
    return np.ndarray((n,), dtype, matrix, at, (width,)) if n else np.empty(0, dtype)


def rows_of(matrix: np.ndarray) -> np.ndarray:
    """A contiguous uint8 matrix (n, width) as n opaque items."""
    n, width = matrix.shape
    return matrix.view(void(width)).reshape(n)


def trimmed(padded: np.ndarray, lengths: np.ndarray, suffix: np.ndarray | None = None) -> pa.Array:
    """Left-aligned cells of one width cut to their lengths, each followed by its suffix.

    padded: shape (n,), any dtype; suffix: shape (n,), any dtype, taken whole.
    """
    n, width = len(padded), padded.dtype.itemsize
    extra = 0 if suffix is None else suffix.dtype.itemsize
    offsets = offsets_of(lengths + extra if extra else lengths)
    total = int(offsets[-1])
    out = np.empty(total + width, "u1")
    if n:
        every = np.ndarray((total + 1,), void(width), out, 0, (1,))
        every[offsets[:-1]] = padded.view(void(width))
        if suffix is not None and extra:
            ends = np.ndarray((total + width - extra + 1,), void(extra), out, 0, (1,))
            ends[offsets[1:] - extra] = suffix.view(void(extra))
    return binary_from(offsets, out[:total])


def shifted(padded: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Cells of one width moved left so that byte `starts[i]` comes first; what follows is garbage."""
    n, width = len(padded), padded.dtype.itemsize
    source = np.empty((n + 1) * width, "u1")
    source[: n * width] = as_bytes(padded)
    every = np.ndarray((n * width + 1,), void(width), source, 0, (1,))
    return every[np.arange(0, n * width, width) + starts]


def padded(array: pa.Array, width: int, skip: np.ndarray | int = 0) -> np.ndarray:
    """`width` bytes of every value from byte `skip` on: uint8 (n, width).

    What follows a shorter value is garbage.
    """
    offsets, data = binary_parts(array)
    n, first, last = len(offsets) - 1, int(offsets[0]), int(offsets[-1])
    source = np.empty(last - first + width + 1, "u1")
    source[: last - first] = data[first:last]
    every = np.ndarray((last - first + 2,), void(width), source, 0, (1,))
    return every[offsets[:-1] - first + skip].view("u1").reshape(n, width)


def choice(texts: Sequence[bytes], index: np.ndarray) -> pa.Array:
    """One of a few texts per row: index is an integer array of shape (n,)."""
    width = max(len(text) for text in texts)
    items = np.frombuffer(b"".join(text.ljust(width) for text in texts), void(width))
    return trimmed(items[index], np.array([len(text) for text in texts], "i4")[index])


def replaced_bytes(texts: pa.Array, replacements: Sequence[bytes]) -> pa.Array:
    """Every byte replaced by `replacements[byte]`, which is one byte or longer."""
    offsets, data = binary_parts(texts)
    used = data[offsets[0] : offsets[-1]]
    sizes = np.array([len(text) for text in replacements], "u1")
    lengths = sizes[used]
    if (lengths == 1).all() and all(b[0] == i for i, b in enumerate(replacements) if len(b) == 1):
        return texts
    ends = offsets_of(lengths)
    width = int(sizes.max())
    items = np.frombuffer(b"".join(text.ljust(width) for text in replacements), void(width))
    _, written = binary_parts(trimmed(items[used], lengths))
    return binary_from(ends[offsets - offsets[0]], written)


Piece = bytes | np.ndarray | pa.Array
"""A part of every row: the same bytes, fixed-width items (n,), or a binary array."""


def concat(n: int, pieces: Sequence[Piece]) -> pa.Array:
    """The pieces of every row side by side: a binary array of length n without NULLs.

    Neighbouring fixed-width pieces are laid out together first, so a kernel sees as few inputs as
    there can be.
    """
    inputs: list[pa.Array | pa.Scalar] = []
    run: list[bytes | np.ndarray] = []

    def flush() -> None:
        if run:
            inputs.append(binary_of_fixed(side_by_side(n, run)))
            run.clear()

    for piece in pieces:
        if isinstance(piece, pa.Array):
            flush()
            inputs.append(piece)
        else:
            run.append(piece)
    flush()
    if not inputs:
        return binary_of_fixed(np.empty(n, void(0)))
    return inputs[0] if len(inputs) == 1 else join(inputs)


def side_by_side(n: int, run: Sequence[bytes | np.ndarray]) -> np.ndarray:
    """Fixed-width pieces as one item per row: shape (n,), an opaque dtype."""
    widths = [len(p) if isinstance(p, bytes) else p.dtype.itemsize for p in run]
    width = sum(widths)
    if len(run) == 1 and not isinstance(run[0], bytes):
        return np.ascontiguousarray(run[0])
    matrix = np.empty((n, width), "u1")
    at = 0
    for piece, w in zip(run, widths, strict=True):
        if w and n:
            if isinstance(piece, bytes):
                slot(matrix, at, void(w))[...] = np.frombuffer(piece, void(w))[0]
            else:
                slot(matrix, at, piece.dtype.str)[...] = piece
        at += w
    return np.ndarray((n,), void(width), matrix)


def join(inputs: Sequence[pa.Array | pa.Scalar]) -> pa.Array:
    """Binary arrays (without NULLs) concatenated row by row."""
    try:
        return pc.call_function("binary_join_element_wise", [*inputs, _empty()], _JOIN)
    except pa.ArrowCapacityError as error:
        raise TooManyBytes from error


_JOIN = pc.JoinOptions()


# --- digits --------------------------------------------------------------------------------------

_DIGITS = np.arange(48, 58, dtype="u1")
# The texts '0000' ... '9999', each as one 4-byte item; likewise of two digits.
FOUR_DIGITS = np.ascontiguousarray(
    np.stack([_DIGITS[np.arange(10000) // 10**k % 10] for k in (3, 2, 1, 0)], axis=1)
).view("u4")[:, 0]
TWO_DIGITS = np.ascontiguousarray(
    np.stack([_DIGITS[np.arange(100) // 10**k % 10] for k in (1, 0)], axis=1)
).view("u2")[:, 0]
