"""to_char(number, model): numbers written as a model says, as Postgres writes them.

Why it exists: no function of DuckDB's knows such models. A model is read once; numbers come as texts, a
chunk of a column at a time, so that no digit is lost.

Promises: raises SqlError 0A000 for what is in no table here (EEEE, RN, TH, V, PR and their kin).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache

import pyarrow as pa

from proxy.errors import SqlError

_WORDS = ("FM", "MI", "S", "D", "G", "9", "0", ".", ",")
"""What means something in a model; anything else that is no letter stands for itself."""

_CONTEXT = Context(prec=400)


@dataclass(frozen=True, slots=True)
class Model:
    """items: words of `_WORDS`, and other texts behind a `"`. whole, behind: its places of digits.

    zero: the first place before the point that is never blank. kept: the last one behind it that FM keeps.
    """

    items: tuple[str, ...]
    whole: int
    behind: int
    zero: int
    kept: int
    filled: bool


def is_number_model(text: str) -> bool:
    """Whether a model is one of numbers, and not of moments."""
    try:
        items = _items(text)
    except ValueError:
        return False
    return "9" in items or "0" in items


def _items(text: str) -> list[str]:
    """Raises ValueError for a letter that means nothing in a model of numbers."""
    made, at = [], 0
    while at < len(text):
        if text[at] == '"':
            end = text.find('"', at + 1)
            end = len(text) if end < 0 else end
            made.append(text[at:end])
            at = end + 1
            continue
        word = next((one for one in _WORDS if text[at : at + len(one)].upper() == one), None)
        if word is None and text[at].isalpha():
            raise ValueError(text[at])
        made.append({"D": ".", "G": ","}.get(word, word) if word else f'"{text[at]}')
        at += len(word or text[at])
    return made


@lru_cache(maxsize=256)
def model_of(text: str) -> Model:
    """Raises SqlError 0A000 for a model that is not understood."""
    try:
        items = _items(text)
    except ValueError as error:
        raise _unable(f'to_char of a number with "{error}"') from None
    signs = [at for at, item in enumerate(items) if item in ("S", "MI")]
    digits = [at for at, item in enumerate(items) if item in ("9", "0")]
    point = items.index(".") if "." in items else len(items)
    before = [items[at] for at in digits if at < point]
    after = [items[at] for at in digits if at > point]
    inside = any(digits[0] < at < digits[-1] for at in signs) if digits else True
    if (
        not before
        or len(signs) > 1
        or inside
        or items.count(".") > 1
        or (point < len(items) and not after)
    ):
        raise _unable("to_char of a number with this model")
    zero = before.index("0") + 1 if "0" in before else len(before) + 1
    kept = max((n for n, item in enumerate(after, start=1) if item == "0"), default=0)
    return Model(tuple(items), len(before), len(after), zero, kept, "FM" not in items)


def _unable(what: str) -> SqlError:
    return SqlError("0A000", f"{what} is not supported on analytical tables")


def written(texts: pa.Array, models: pa.Array, precisions: pa.Array) -> pa.Array:
    """precisions: how many digits a float of the type is sure of, 0 for exact numbers."""
    rows = zip(texts.to_pylist(), models.to_pylist(), precisions.to_pylist(), strict=True)
    made = [
        None if text is None or model is None else _written(text, model_of(model), precision)
        for text, model, precision in rows
    ]
    return pa.array(made, pa.string())


def _written(text: str, model: Model, precision: int) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _unable("to_char of what is no number by a model of numbers") from None
    if not number.is_finite():
        raise _unable("to_char of what is no finite number")
    if precision and number.adjusted() + 1 + model.behind > precision:
        raise _unable("to_char of a float with more digits than it is sure of")
    rounding = ROUND_HALF_EVEN if precision else ROUND_HALF_UP
    exact = Decimal(float(text)) if precision else number
    rounded = exact.quantize(Decimal(1).scaleb(-model.behind), rounding, _CONTEXT)
    negative = rounded.is_signed() and (bool(rounded) or precision > 0)
    whole, _, behind = f"{abs(rounded):f}".partition(".")
    whole = whole if whole.strip("0") or not model.behind else ""
    if len(whole) > model.whole:
        whole, behind = "#" * model.whole, "#" * model.behind
    return _filled(model, whole, behind, negative)


def _filled(model: Model, whole: str, behind: str, negative: bool) -> str:
    last = len(behind) if model.filled else max(len(behind.rstrip("0")), model.kept)
    whole = whole or "0" * (last == 0)
    leading = model.whole - len(whole)
    first = min(leading + 1, model.zero)
    digit = next(at for at, item in enumerate(model.items) if item in ("9", "0"))
    trailing = "S" in model.items[digit:]
    sign = "-" if negative else "+" if "S" in model.items else " " * model.filled
    if "MI" in model.items or trailing:
        sign = ""
    made: list[str] = []
    place, fraction, started = 0, 0, False
    for item in model.items:
        if item in ("9", "0") and place < model.whole:
            place += 1
            if place < first:
                made.append(" " * model.filled)
                continue
            if not started:
                made.append(sign)
                started = True
            made.append(whole[place - leading - 1] if place > leading else "0")
        elif item in ("9", "0"):
            fraction += 1
            if fraction <= last:
                made.append(behind[fraction - 1])
        elif item == ".":
            if not started:
                made.append(sign)
                started = True
            made.append(".")
        elif item == ",":
            made.append("," if started else " " * model.filled)
        elif item == "MI":
            made.append("-" if negative else " " * model.filled)
        elif item == "S" and trailing:
            made.append("-" if negative else "+")
        elif item.startswith('"'):
            made.append(item[1:])
    return "".join(made)
