"""Numbers as Postgres's to_char writes them: '9,999.00', 'FM990.0', 'S999', 'L9G999D99', '9.99EEEE', 'RN'.

Why it exists: DuckDB has no such pictures. A picture is taken apart once; a number is then written mark by
mark, as Postgres does it: blanks in front of the first digit unless FM is said, the sign right before it
unless S, MI, PL, SG or PR gives it a place, # where there are more digits than marks. The marks of a
locale are those of C, as the server's is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

import pyarrow as pa

from proxy.errors import SqlError

_MARKS = (
    *(",", ".", "0", "9", "B", "C", "D", "EEEE", "FM", "G", "L", "MI"),
    *("PL", "PR", "RN", "SG", "SP", "S", "TH", "V"),
)
_SPELLED = tuple({spelled: None for mark in _MARKS for spelled in (mark, mark.lower())})
_SIGNS = frozenset(("S", "MI", "PL", "SG", "PR"))
_NOT_SCIENTIFIC = _SIGNS | {"FM", "RN", "V"}
_EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
_FLOAT_DIGITS = {"DOUBLE": 15, "FLOAT": 6}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's marks, and what they say together.

    nodes: (mark, text): of a mark its spelling, and for '' a text to copy. pre, post: digits before and behind the
    point. zero_start, zero_end: between which digits are written even where they are zeros. sign: where S
    stands, 'before' or 'behind'.
    """

    nodes: tuple[tuple[str, str], ...] = ()
    pre: int = 0
    post: int = 0
    multi: int = 0
    zero_start: int | None = None
    zero_end: int = 0
    sign: str = ""
    said: frozenset[str] = field(default_factory=frozenset)

    def has(self, *marks: str) -> bool:
        return any(mark in self.said for mark in marks)


def is_picture(text: str) -> bool:
    """Whether a model of to_char is one of numbers: `YYYY-MM-DD 00:00` is none."""
    nodes = list(_nodes(text))
    copied = "".join(said for mark, said in nodes if not mark)
    letters = sum(map(str.isalpha, copied)) > sum(map(str.isalpha, _in_quotes(text)))
    return not letters and any(mark in ("9", "0", "RN") for mark, _ in nodes)


def _in_quotes(text: str) -> str:
    return "".join(text.split('"')[1::2])


def _nodes(text: str) -> Iterable[tuple[str, str]]:
    at = 0
    while at < len(text):
        if text[at] == '"':
            end = text.find('"', at + 1)
            end = len(text) if end < 0 else end
            yield "", text[at + 1 : end]
            at = end + 1
            continue
        spelled = next((mark for mark in _SPELLED if text.startswith(mark, at)), None)
        if spelled is None:
            yield "", text[at]
            at += 1
        else:
            yield spelled.upper(), spelled
            at += len(spelled)


def _wrong(message: str) -> SqlError:
    return SqlError("42601", message)


@lru_cache(maxsize=512)
def picture(text: str) -> Picture:
    """Takes a picture apart. Raises SqlError 42601 as Postgres does, 0A000 for what is not done here."""
    if "\\" in text:
        raise SqlError("0A000", "to_char with a backslash in its format is not supported")
    nodes = tuple(_nodes(text))
    said: set[str] = set()
    pre = post = multi = zero_end = signs_at = 0
    zero_start: int | None = None
    sign = ""
    for mark, _ in nodes:
        if mark == "9":
            if "PR" in said:
                raise _wrong('"9" must be ahead of "PR"')
            if "V" in said:
                multi += 1
            elif "." in said:
                post += 1
            else:
                pre += 1
        elif mark == "0":
            if "PR" in said:
                raise _wrong('"0" must be ahead of "PR"')
            if zero_start is None and "." not in said:
                zero_start = pre
            post, pre = (post + 1, pre) if "." in said else (post, pre + 1)
            zero_end = pre + post
        elif mark in (".", "D"):
            if "." in said:
                raise _wrong("multiple decimal points")
            if "V" in said:
                raise _wrong('cannot use "V" and decimal point together')
            said.add(".")
        elif mark == "S":
            if "S" in said:
                raise _wrong('cannot use "S" twice')
            if said & _SIGNS:
                raise _wrong('cannot use "S" and "PL"/"MI"/"SG"/"PR" together')
            sign, signs_at = ("behind", 0) if "." in said else ("before", pre)
        elif mark in ("MI", "PL", "SG") and "S" in said:
            raise _wrong(f'cannot use "S" and "{mark}" together')
        elif mark == "PR" and said & (_SIGNS - {"PR"}):
            raise _wrong('cannot use "PR" and "S"/"PL"/"MI"/"SG" together')
        elif mark == "V" and "." in said:
            raise _wrong('cannot use "V" and decimal point together')
        elif mark == "EEEE" and said & _NOT_SCIENTIFIC:
            raise _wrong('"EEEE" is incompatible with other formats')
        if mark and "EEEE" in said:
            raise _wrong('"EEEE" must be the last pattern used')
        if mark:
            said.add(mark)
    if "SG" in said:
        said |= {"MI", "PL"}
    pre += multi
    if sign == "before" and signs_at == pre:
        sign = "behind"
    return Picture(nodes, pre, post, multi, zero_start, zero_end, sign, frozenset(said))


def shown(values: pa.Array, kinds: pa.Array, models: pa.Array) -> pa.Array:
    """to_char of numbers that come as texts. kinds: DuckDB's names of their types."""
    columns = (values.to_pylist(), kinds.to_pylist(), models.to_pylist())
    made = [
        None if value is None or model is None else write(value, kind, picture(model))
        for value, kind, model in zip(*columns, strict=True)
    ]
    return pa.array(made, pa.string())


def write(value: str, kind: str, of: Picture) -> str:
    """One number. Raises SqlError 0A000 for NaN and infinity."""
    digits = _FLOAT_DIGITS.get(kind)
    number = Decimal(value)
    if not number.is_finite():
        raise SqlError("0A000", f"to_char of {value} is not supported")
    if of.has("RN"):
        return _Writing(of, "+", _roman(int(number.to_integral_value(_half(kind)))), 0).made()
    if of.has("EEEE"):
        return _scientific(number, of.post, kind)
    number = _EXACT.scaleb(number, of.multi)
    post = of.post
    if digits is not None:
        ahead = len(f"{abs(float(number)):.0f}")
        post = 0 if ahead >= digits else min(post, digits - ahead)
        written = f"{float(number):.{post}f}"
    else:
        rounded = number.quantize(Decimal(1).scaleb(-post), context=_EXACT)
        written = f"{rounded:f}"
        if rounded.is_zero():
            written = written.removeprefix("-")
    sign = "-" if written.startswith("-") else "+"
    written = written.removeprefix("-")
    ahead = written.find(".") if "." in written else len(written)
    if ahead > of.pre:
        filled = "#" * of.pre + "." + "#" * post
        return _Writing(replace(of, post=post), sign, filled, 0).made()
    return _Writing(replace(of, post=post), sign, written, of.pre - ahead).made()


def _half(kind: str) -> str:
    return ROUND_HALF_EVEN if kind in _FLOAT_DIGITS else ROUND_HALF_UP


def _scientific(number: Decimal, post: int, kind: str) -> str:
    if kind in _FLOAT_DIGITS:
        written = f"{float(number):.{post}e}"
    elif number.is_zero():
        written = f"{0:.{post}e}"
    else:
        exponent = number.adjusted()
        rounded = _EXACT.scaleb(number, -exponent).quantize(
            Decimal(1).scaleb(-post), context=_EXACT
        )
        written = f"{rounded:f}e{exponent:+03d}"
    return written if written.startswith("-") else f" {written}"


_ROMAN = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L")),
    *((40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)


def _roman(number: int) -> str:
    if not 0 < number < 4000:
        return "#" * 15
    made = ""
    for worth, letters in _ROMAN:
        while number >= worth:
            made, number = made + letters, number - worth
    return made


_END = "\0"
"""What Postgres writes where the number has no digit left: what follows is not shown."""


class _Writing:
    """A number on its way into a picture: `number` are its digits, `blanks` those that it has too few."""

    def __init__(self, of: Picture, sign: str, number: str, blanks: int) -> None:
        self._of, self._sign, self._number, self._blanks = of, sign, number, blanks
        self._short = of.has("FM")
        self._bracket = of.has("PR") and not (sign == "+" and self._short)
        self._out: list[str] = []
        self._place = self._digit = 0  # of marks, and in the number
        self._began = False  # whether the last digit's mark wrote one
        if of.has("MI", "PL"):
            self._signed = of.has("MI")
        else:
            self._signed = sign == "+" and self._short and not of.has("S")
        self._last = self._last_relevant()
        self._count = of.post + of.pre - 1 + (not self._signed and not blanks)

    def _last_relevant(self) -> int | None:
        """The last digit behind the point that FM leaves."""
        point = self._number.find(".")
        if not (self._short and self._of.has(".")) or point < 0:
            return None
        last = max(point, len(self._number.rstrip("0")) - 1)
        if self._of.zero_end > self._blanks:
            last = max(last, min(len(self._number) - 1, self._of.zero_end - self._blanks))
        return last

    def made(self) -> str:
        for mark, text in self._of.nodes:
            if not mark:
                self._out.append(text)
            elif (write := _WRITTEN.get(mark)) is not None:
                write(self, text)
        return "".join(self._out).partition(_END)[0]

    # --- marks --------------------------------------------------------------------------------

    def separator(self, _: str) -> None:
        if self._began or not self._short:
            self._out.append("," if self._began else " ")

    def currency(self, _: str) -> None:
        self._out.append(" ")

    def minus(self, _: str) -> None:
        if self._sign == "-" or not self._short:
            self._out.append("-" if self._sign == "-" else " ")

    def plus(self, _: str) -> None:
        if self._sign == "+" or not self._short:
            self._out.append("+" if self._sign == "+" else " ")

    def either(self, _: str) -> None:
        self._out.append(self._sign)

    def roman(self, text: str) -> None:
        written = self._number if text.isupper() else self._number.lower()
        self._out.append(written if self._short else written.rjust(15))

    def ordinal(self, text: str) -> None:
        number = self._number
        if self._of.has("RN", ".") or number.startswith("#") or self._sign == "-":
            return
        if not number[-1:].isdigit():
            raise SqlError("22P02", f'"{number}" is not a number')
        teen = len(number) > 1 and number[-2] == "1"
        ending = "th" if teen else {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th")
        self._out.append(ending.upper() if text.isupper() else ending)

    def digit(self, mark: str) -> None:
        of = self._of
        if of.has("RN"):
            return
        self._began = False
        zeros = of.zero_start is not None
        started = zeros and of.zero_start == self._place
        only_point = self._last is not None and self._number[self._last] == "."
        if (
            not self._signed
            and (self._place >= self._blanks or started)
            and (not self._lone_zero() or only_point)
        ):
            self._write_sign()
        if self._place < self._blanks and (not zeros or (of.zero_start or 0) > self._place):
            if not self._short:
                self._out.append(" ")
        elif zeros and self._place < self._blanks:
            self._out.append("0")
            self._began = True
        else:
            self._write_digit(mark, only_point)
        end = self._count + bool(self._blanks) + of.has(".")
        if self._last is not None and self._last == self._digit:
            end = self._place
        if self._place + 1 == end:
            if self._signed and self._bracket:
                self._out.append(" " if self._sign == "+" else ">")
            elif of.has("S") and of.sign == "behind":
                self._out.append(self._sign)
        self._place += 1

    def _lone_zero(self) -> bool:
        """Whether what is next is the zero before a point, in whose place a blank stands."""
        of = self._of
        zeros = of.zero_start is not None
        return not zeros and not self._digit and self._number.startswith("0") and of.post != 0

    def _write_sign(self) -> None:
        if self._of.has("S"):
            if self._of.sign != "before":
                return
            self._out.append(self._sign)
        elif self._bracket:
            self._out.append(" " if self._sign == "+" else "<")
        elif self._sign == "-":
            self._out.append("-")
        elif not self._short:
            self._out.append(" ")
        self._signed = True

    def _write_digit(self, mark: str, only_point: bool) -> None:
        left = self._number[self._digit : self._digit + 1]
        if left == ".":
            self._out.append(".")
        elif self._last is not None and self._digit > self._last and mark != "0":
            pass
        elif self._lone_zero():
            if not self._short:
                self._out.append(" ")
            elif only_point:
                self._out.append("0")
        else:
            self._out.append(left or _END)
            self._began = True
        self._digit += bool(left)


_WRITTEN: dict[str, Callable[[_Writing, str], None]] = {
    **dict.fromkeys(("9", "0", ".", "D"), _Writing.digit),
    **dict.fromkeys((",", "G"), _Writing.separator),
    "L": _Writing.currency,
    "MI": _Writing.minus,
    "PL": _Writing.plus,
    "SG": _Writing.either,
    "RN": _Writing.roman,
    "TH": _Writing.ordinal,
}
