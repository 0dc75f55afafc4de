"""Snowflake's date and time format models as strftime's.

A model is read element by element, longest first; what is no element stands for itself, and so
does text in double quotes. Models of numbers ('9,999.00') have no counterpart and are refused by
their callers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from proxy.sql.snowflake.registry import number, sf, text, unsupported

_ELEMENTS: dict[str, str] = {
    "YYYY": "%Y",
    "YY": "%y",
    "MMMM": "%B",
    "MON": "%b",
    "MM": "%m",
    "DD": "%d",
    "DY": "%a",
    "HH24": "%H",
    "HH12": "%I",
    "HH": "%H",
    "AM": "%p",
    "PM": "%p",
    "MI": "%M",
    "SS": "%S",
    **{f"FF{digits}": "%n" for digits in range(10)},
    "FF": "%n",
    # Postgres's fractions, as Superset writes the ends of a time filter in every dialect; they are
    # none of Snowflake's elements, and no text that anybody has behind his seconds.
    "SS.US": "%S.%n",
    "SS.MS": "%S.%n",
    "TZHTZM": "%z",
    "TZH:TZM": "%z",
    "TZH": "%z",
}
_BY_LENGTH = sorted(_ELEMENTS, key=len, reverse=True)
# What strftime writes by itself; the other fractions are cut out of nine digits.
_FRACTIONS = {"FF0": "", "FF3": "%g", "FF6": "%f"}
_WITH_FRACTIONS = {"SS.US": "%S.%f", "SS.MS": "%S.%g"}
# HH is as HH24, unless the model has AM or PM.
_MERIDIANS = frozenset({"AM", "PM"})
_YEARS = frozenset({"YYYY", "YY"})
_ZONES = {"TZHTZM": "", "TZH:TZM": ":", "TZH": "h"}


def _elements(source: str) -> tuple[tuple[str, str], ...]:
    """(element or '', text): what a model is made of, in order."""
    return _known_elements(source) if len(source) <= _COMMON_LENGTH else tuple(_cut(source))


_COMMON_LENGTH = 64
"""Of models; those that are no longer come again and again."""


@lru_cache(maxsize=1024)
def _known_elements(source: str) -> tuple[tuple[str, str], ...]:
    return tuple(_cut(source))


def _cut(source: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(source):
        if source[at] == '"':
            end = source.find('"', at + 1)
            end = len(source) if end < 0 else end
            yield "", source[at + 1 : end]
            at = end + 1
            continue
        rest = source[at : at + 7].upper()
        element = next((e for e in _BY_LENGTH if rest.startswith(e)), "")
        size = len(element) or 1
        yield element, source[at : at + size]
        at += size


def _read_elements(source: str) -> list[tuple[str, str]]:
    """`_elements`, HH made HH12 or HH24."""
    elements = list(_elements(source))
    hour = "HH24" if _MERIDIANS.isdisjoint(element for element, _ in elements) else "HH12"
    return [
        (hour, written) if element == "HH" else (element, written) for element, written in elements
    ]


def is_model(source: str) -> bool:
    """Whether a text holds an element of a date or time."""
    return any(element for element, _ in _elements(source))


def _literal(model: exp.Expr) -> str:
    if not isinstance(model, exp.Literal) or not model.is_string:
        raise unsupported("a format that is not a literal", model)
    return model.this


def date_text(value: exp.Expr, source: str, offset: exp.Expr | None = None) -> exp.Expr | None:
    """The text of a date or time by a model; None where the model has no element of one.

    offset: in minutes, of a TIMESTAMP_TZ whose clock `value` is; else its type says what its zone is.
    """
    parts: list[exp.Expr] = []
    chunk, found = "", False

    def close() -> None:
        nonlocal chunk
        if chunk:
            parts.append(sf("date_text_", value.copy(), text(chunk)))
        chunk = ""

    for element, written in _read_elements(source):
        found = found or bool(element)
        if element in _FRACTIONS:
            chunk += _FRACTIONS[element]
        elif element in _WITH_FRACTIONS:
            chunk += _WITH_FRACTIONS[element]
        elif element.startswith("FF"):
            close()
            parts.append(sf("fraction_text_", value.copy(), number(int(element[2:] or 9))))
        elif element in _ZONES:
            close()
            minutes = offset.copy() if offset is not None else sf("offset_of_", value.copy())
            parts.append(sf("offset_text_", minutes, text(_ZONES[element])))
        else:
            chunk += _ELEMENTS[element] if element else written.replace("%", "%%")
    close()
    if not found:
        return None
    if not parts:  # FF0 alone
        return sf("date_text_", value, text(""))
    made = parts[0]
    for part in parts[1:]:
        made = exp.DPipe(this=made, expression=part)
    return exp.Paren(this=made) if len(parts) > 1 else made


@dataclass(frozen=True, slots=True)
class Reading:
    """A model for strptime. zoned: it has an offset. short_year: its year has two digits.

    dated: it has a year; what has none is of 1970.
    """

    model: str
    zoned: bool
    short_year: bool
    dated: bool


def reading(model: exp.Expr) -> Reading | None:
    """A literal model for parsing, None where it holds no element of a date.

    Raises 0A000 for a model that is not a literal, or whose offset is not at its end.
    """
    elements = _read_elements(_literal(model))
    names = [element for element, _ in elements if element]
    if not names:
        return None
    zoned = any(name in _ZONES for name in names)
    if zoned and elements[-1][0] not in _ZONES:
        raise unsupported("an offset that is not at the end of a format", model)
    spelled = "".join(
        _ELEMENTS[element] if element else written.replace("%", "%%")
        for element, written in elements
    )
    return Reading(spelled, zoned, "YY" in names, not _YEARS.isdisjoint(names))
