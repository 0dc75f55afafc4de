"""What escapes and quotes hide: which bytes of a chunk still separate, and what the fields then hold.

Both formats let a delimiter or a newline be data: text by a backslash before it, CSV by quotes
around it. A `Marks` knows this for one chunk that begins at the start of a line. First it says
which separators are real, then, once fields have been cut, it takes the escapes and quotes out of
all of them at once.

Following Postgres 15's CopyReadLineText, CopyReadAttributesText and CopyReadAttributesCSV.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from proxy.wire.copying.options import CopyOptions

PAD = 16
"""Zero bytes behind a chunk's data, so that looking ahead needs no bounds."""

_BACKSLASH, _DOT = ord("\\"), ord(".")


class Cleaned:
    """Fields after their escapes or quotes were taken out.

    data: uint8, padded. starts, ends: int64 (fields,). quoted: bool (fields,), or None if no field
    had quotes. suspect: the data may no longer be UTF-8, because an escape made bytes.
    """

    __slots__ = ("data", "ends", "quoted", "starts", "suspect")

    def __init__(
        self,
        data: np.ndarray,
        starts: np.ndarray,
        ends: np.ndarray,
        quoted: np.ndarray | None = None,
        suspect: bool = False,
    ) -> None:
        self.data, self.starts, self.ends = data, starts, ends
        self.quoted, self.suspect = quoted, suspect


class Marks(Protocol):
    """marker: where text's end-of-copy marker `\\.` stands, or None. open: the chunk ends inside
    quotes. dangling: the chunk ends in a backslash that escapes nothing."""

    marker: int | None
    open: bool
    dangling: bool

    def free(self, positions: np.ndarray) -> np.ndarray:
        """Whether the bytes at these ascending positions are outside quotes and not escaped."""
        ...

    def separators(self, delimiter: int, terminator: int) -> np.ndarray:
        """Ascending positions of the delimiters and terminators that are real."""
        ...

    def clean(self, end: int, starts: np.ndarray, ends: np.ndarray) -> Cleaned:
        """The fields within the first `end` bytes as their values; they lie in ascending order."""
        ...


def marks(raw: bytes, options: CopyOptions) -> Marks:
    """raw: the chunk, followed by `PAD` zero bytes."""
    return _Quotes(raw, options) if options.csv else _Backslashes(raw, options)


def _positions(data: np.ndarray, size: int, *wanted: int) -> np.ndarray:
    used = data[:size]
    found = used == wanted[0]
    for byte in wanted[1:]:
        found |= used == byte
    return np.flatnonzero(found)


def _dropped(data: np.ndarray, end: int, drop: np.ndarray, at: np.ndarray) -> tuple:
    """The first `end` bytes without those at `drop`, padded, and how many of them precede each `at`."""
    keep = np.ones(end, bool)
    keep[drop] = False
    before = np.empty(end + 1, "i4")
    before[0] = 0
    np.cumsum(~keep, out=before[1:])
    clean = np.zeros(end - int(before[-1]) + PAD, "u1")
    clean[:-PAD] = data[:end][keep]
    return clean, before[at]


# --- text ----------------------------------------------------------------------------------------

# What the character after a backslash stands for.
_MEANING = np.arange(256, dtype="u1")
for _letter, _control in zip(b"bfnrtv", b"\b\f\n\r\t\v", strict=True):
    _MEANING[_letter] = _control

_NO_DIGIT = 255
_OCTAL = np.full(256, _NO_DIGIT, "u1")
_OCTAL[48:56] = np.arange(8)
_HEX = np.full(256, _NO_DIGIT, "u1")
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _HEX[list(_digits)] = np.arange(16)


class _Backslashes:
    """Text: `\\x`, where x is a letter that stands for a control character, one to three octal
    digits, an x with one or two hexadecimal digits, or anything else, which stands for itself."""

    open = False

    def __init__(self, raw: bytes, options: CopyOptions) -> None:
        self._data = data = np.frombuffer(raw, "u1")
        self._size = size = len(raw) - PAD
        self.marker: int | None = None
        self.dangling = False
        self._escapes = np.empty(0, "i8")
        self._hidden: np.ndarray | None = None
        if b"\\" not in raw:
            return
        found = _positions(data, size, _BACKSLASH)
        # Of a run of backslashes every second one is escaped by the one before it.
        first = np.ones(len(found), bool)
        first[1:] = found[1:] != found[:-1] + 1
        number = np.arange(len(found))
        run = np.maximum.accumulate(np.where(first, number, 0))
        escapes = found[(number - run) % 2 == 0]
        dots = np.flatnonzero(data[escapes + 1] == _DOT)
        if len(dots):
            self.marker = int(escapes[dots[0]])
            escapes = escapes[: dots[0]]
        elif len(escapes) and escapes[-1] == size - 1:
            self.dangling = True
            escapes = escapes[:-1]
        self._escapes = escapes
        self._length, self._value = _meaning(data, escapes)
        hidden = np.zeros(len(raw), bool)
        for extra in (1, 2, 3):
            hidden[escapes[self._length > extra] + extra] = True
        self._hidden = hidden

    def free(self, positions: np.ndarray) -> np.ndarray:
        if self._hidden is None:
            return np.ones(len(positions), bool)
        return ~self._hidden[positions]

    def separators(self, delimiter: int, terminator: int) -> np.ndarray:
        found = _positions(self._data, self._size, delimiter, terminator)
        return found if self._hidden is None else found[self.free(found)]

    def clean(self, end: int, starts: np.ndarray, ends: np.ndarray) -> Cleaned:
        count = int(np.searchsorted(self._escapes, end))
        if count == 0:
            return Cleaned(self._data, starts, ends)
        escapes, length = self._escapes[:count], self._length[:count]
        value = self._value[:count]
        data = self._data[:end].copy()
        data[escapes + length - 1] = value
        drop = [escapes, escapes[length > 2] + 1, escapes[length > 3] + 2]
        clean, before = _dropped(data, end, np.concatenate(drop), np.concatenate([starts, ends]))
        suspect = bool(((value == 0) | ((length > 2) & (value >= 0x80))).any())
        n = len(starts)
        return Cleaned(clean, starts - before[:n], ends - before[n:], suspect=suspect)


def _meaning(data: np.ndarray, escapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many bytes each escape takes, its backslash included, and the byte that it stands for."""
    after = data[escapes + 1]
    value = _MEANING[after]
    length = np.full(len(escapes), 2, "i8")
    octal = np.flatnonzero(_OCTAL[after] != _NO_DIGIT)
    if len(octal):
        at = escapes[octal]
        one, two, three = (_OCTAL[data[at + k]].astype("i4") for k in (1, 2, 3))
        has_two = two != _NO_DIGIT
        has_three = has_two & (three != _NO_DIGIT)
        number = np.where(has_two, one * 8 + two, one)
        number = np.where(has_three, number * 8 + three, number)
        value[octal] = number & 0xFF
        length[octal] += has_two.astype("i8") + has_three
    hexadecimal = np.flatnonzero(after == ord("x"))
    if len(hexadecimal):
        at = escapes[hexadecimal]
        one, two = (_HEX[data[at + k]].astype("i4") for k in (2, 3))
        has_one = one != _NO_DIGIT
        has_two = has_one & (two != _NO_DIGIT)
        number = np.where(has_two, one * 16 + two, one)
        value[hexadecimal] = np.where(has_one, number, ord("x"))
        length[hexadecimal] += has_one.astype("i8") + has_two
    return length, value


# --- CSV -----------------------------------------------------------------------------------------


class _Quotes:
    """CSV: between two quotes everything is data. Within them an escape makes the next quote or
    escape data; where the quote is its own escape, that is a quote doubled."""

    marker = None
    dangling = False

    def __init__(self, raw: bytes, options: CopyOptions) -> None:
        self._data = data = np.frombuffer(raw, "u1")
        self._size = size = len(raw) - PAD
        self._quote, self._escape = options.quote[0], options.escape[0]
        self._toggles = self._escapes = np.empty(0, "i8")
        self._all_toggle = True
        if options.quote in raw:
            self._toggles = _positions(data, size, self._quote)
            if self._escape != self._quote and options.escape in raw:
                self._find_escapes()
        self.open = bool(len(self._toggles) % 2)

    def _find_escapes(self) -> None:
        """Which quotes open or close, and which escapes take effect.

        An escape counts only inside quotes, which depends on all that came before. Outside of
        quotes escapes are rare, so each is supposed to be inside, and that is verified.
        """
        events = _positions(self._data, self._size, self._quote, self._escape)
        is_escape = self._data[events] == self._escape
        joined = np.zeros(len(events), bool)  # directly behind the event before it
        joined[1:] = events[1:] == events[:-1] + 1
        behind_escape = np.zeros(len(events), bool)
        behind_escape[1:] = joined[1:] & is_escape[:-1]
        number = np.arange(len(events))
        run = np.maximum.accumulate(np.where(is_escape & ~behind_escape, number, 0))
        odd = is_escape & ((number - run) % 2 == 0)  # would escape what follows
        escaped = np.zeros(len(events), bool)
        escaped[1:] = odd[:-1] & joined[1:]
        toggles = ~is_escape & ~escaped
        inside = (np.cumsum(toggles) - toggles) % 2 == 1
        if (escaped & ~inside).any():
            toggles, escaped = _one_by_one(is_escape.tolist(), joined.tolist())
        self._toggles = events[toggles]
        self._escapes = events[np.flatnonzero(escaped) - 1]
        self._all_toggle = False

    def free(self, positions: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._toggles, positions) % 2 == 0

    def separators(self, delimiter: int, terminator: int) -> np.ndarray:
        if not len(self._toggles):
            return _positions(self._data, self._size, delimiter, terminator)
        if self._all_toggle:
            found = _positions(self._data, self._size, delimiter, terminator, self._quote)
            toggles = self._data[found] == self._quote
        else:
            used = self._data[: self._size]
            is_toggle = np.zeros(self._size, bool)
            is_toggle[self._toggles] = True
            found = np.flatnonzero((used == delimiter) | (used == terminator) | is_toggle)
            toggles = is_toggle[found]
        return found[~toggles & (np.cumsum(toggles) % 2 == 0)]

    def clean(self, end: int, starts: np.ndarray, ends: np.ndarray) -> Cleaned:
        count = int(np.searchsorted(self._toggles, end))
        if count == 0:
            return Cleaned(self._data, starts, ends)
        toggles, escapes = self._toggles[:count], self._escapes
        escapes = escapes[: np.searchsorted(escapes, end)]
        data, quote = self._data, self._quote
        if len(escapes) == 0:
            # Nearly always quotes are the first and the last byte of a field, and nowhere else.
            quoted = (data[starts] == quote) & (ends - starts > 1) & (data[ends - 1] == quote)
            if 2 * int(quoted.sum()) == count:
                return Cleaned(data, starts + quoted, ends - quoted, quoted)
        drop = toggles
        if self._escape == quote:
            # The second of two quotes inside is data: it would open where the first has just closed.
            data_quote = np.zeros(count, bool)
            data_quote[2::2] = toggles[2::2] == toggles[1:-1:2] + 1
            drop = toggles[~data_quote]
        drop = np.concatenate([drop, escapes])
        at = np.concatenate([starts, ends])
        clean, before = _dropped(data, end, drop, at)
        n = len(starts)
        seen = np.searchsorted(toggles, at)
        return Cleaned(clean, starts - before[:n], ends - before[n:], seen[:n] != seen[n:])


def _one_by_one(is_escape: list[bool], joined: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Toggles and escaped events by walking over quotes and escapes, where nothing faster is sure."""
    toggles, escaped = [False] * len(is_escape), [False] * len(is_escape)
    inside = pending = False  # pending: an escape inside quotes stands directly before
    for i, this_is_escape in enumerate(is_escape):
        pending = pending and joined[i]
        if inside and pending:
            escaped[i] = True
            pending = False
        elif this_is_escape:
            pending = inside
        else:
            toggles[i] = True
            inside = not inside
            pending = False
    return np.array(toggles), np.array(escaped)
