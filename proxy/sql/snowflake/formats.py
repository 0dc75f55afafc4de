"""Snowflake's date and time format models as strftime's.

A model is read element by element, longest first; what is no element stands for itself, and so
does text in double quotes. Models of numbers ('9,999.00') have no counterpart and are refused by
their callers.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import unsupported

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
    "AM": "%p",
    "PM": "%p",
    "MI": "%M",
    "SS": "%S",
    "FF9": "%n",
    "FF6": "%f",
    "FF3": "%g",
    "FF0": "",
    "FF": "%n",
    "TZHTZM": "%z",
    "TZH:TZM": "%z",
    "TZH": "%z",
}
# Reading, any number of digits is taken by one element.
_READING: dict[str, str] = {"FF9": "%f", "FF6": "%f", "FF3": "%f", "FF": "%f"}
_BY_LENGTH = sorted(_ELEMENTS, key=len, reverse=True)


def strftime_model(model: exp.Expr, *, reading: bool) -> str | None:
    """The strftime model of a literal model, None where it holds no element of a date.

    reading: for parsing; else for writing. Raises 0A000 for a model that is not a literal, or that
    has an element without counterpart.
    """
    if not isinstance(model, exp.Literal) or not model.is_string:
        raise unsupported("a format that is not a literal", model)
    source = model.this
    parts: list[str] = []
    found = False
    at = 0
    while at < len(source):
        if source[at] == '"':
            end = source.find('"', at + 1)
            end = len(source) if end < 0 else end
            parts.append(source[at + 1 : end].replace("%", "%%"))
            at = end + 1
            continue
        rest = source[at : at + 7].upper()
        element = next((e for e in _BY_LENGTH if rest.startswith(e)), None)
        if element is None:
            parts.append("%%" if source[at] == "%" else source[at])
            at += 1
            continue
        if element == "FF" and rest[2:3].isdigit():
            raise unsupported(f"format element {rest[:3]}", model)
        if element.startswith("TZ") and not reading:
            raise unsupported("the offset of a zone in a format", model)
        found = True
        parts.append(_READING.get(element, _ELEMENTS[element]) if reading else _ELEMENTS[element])
        at += len(element)
    return "".join(parts) if found else None
