"""What is taken out of a document, and how two of them compare, in Python.

Why it exists: `_documents.cpp` does this where there was a compiler; here is what it must answer, and
the whole way where there was none. A part of a document is its text as it stands there: no number is
read, nothing is written anew.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from json.decoder import scanstring
from typing import NamedTuple

from proxy.errors import SqlError

_skip = json.JSONDecoder(parse_float=len, parse_int=len).raw_decode
_BLANKS = " \n\t\r"
_NULL, _STRING, _NUMBER, _BOOL, _ARRAY, _OBJECT = 0, 1, 2, 3, 16, 17
_KINDS = {"n": _NULL, '"': _STRING, "t": _BOOL, "f": _BOOL, "[": _ARRAY, "{": _OBJECT}
_MIDDLE = 0x40000000


class Part(NamedTuple):
    """key: what it means; of an element, ''. value: its text."""

    key: str
    value: str


def _blank(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at


def parts(text: str) -> Iterator[Part]:
    """The parts of an object or an array."""
    at = _blank(text, 0)
    opening, at = text[at], _blank(text, at + 1)
    while text[at] not in "]}":
        if text[at] == ",":
            at = _blank(text, at + 1)
        key = ""
        if opening == "{":
            key, at = scanstring(text, at + 1)
            at = _blank(text, _blank(text, at) + 1)
        _, end = _skip(text, at)
        yield Part(key, text[at:end])
        at = _blank(text, end)


def _kind(text: str) -> int:
    return _KINDS.get(text[0], _NUMBER)


def member(document: str, name: str) -> str | None:
    """The member of that name, of several the last."""
    document = document.strip(_BLANKS)
    if not document.startswith("{"):
        return None
    found = [part.value for part in parts(document) if part.key == name]
    return found[-1] if found else None


def element(document: str, index: int) -> str | None:
    """The element of that number from 0 on, or from the end."""
    document = document.strip(_BLANKS)
    if not document.startswith("["):
        return None
    values = [part.value for part in parts(document)]
    return values[index] if -len(values) <= index < len(values) else None


def at_path(document: str, path: Sequence[str | None]) -> str | None:
    """What a path of names and numbers leads to."""
    found: str | None = document.strip(_BLANKS)
    for name in path:
        if found is None or name is None:
            return None
        if not found.startswith("["):
            found = member(found, name)
            continue
        digits = name[1:] if name[:1] in ("-", "+") else name
        plain = digits.isascii() and digits.isdigit() and len(name) <= 11
        found = element(found, int(name)) if plain else None
    return found


def lax(document: str, steps: Sequence[str]) -> list[str]:
    """What a path of SQL/JSON's leads to, in lax mode: members of an array are those of its elements, and
    what is no array is one of one element. steps: '.name', '[0]', '[*]'."""
    found = [document.strip(_BLANKS)]
    for step in steps:
        if step.startswith("."):
            opened = (each for item in found for each in _unwrapped(item))
            members = (member(item, step[1:]) for item in opened)
            found = [item for item in members if item is not None]
        elif step == "[*]":
            found = [each for item in found for each in _unwrapped(item)]
        else:
            number = int(step[1:-1])
            found = [each for item in found for each in _unwrapped(item)[number : number + 1]]
    return found


def _unwrapped(item: str) -> list[str]:
    return [part.value for part in parts(item)] if item.startswith("[") else [item]


def as_text(found: str | None) -> str | None:
    """As `->>` gives it: a string's meaning, and nothing for null."""
    if found is None or found.startswith("n"):
        return None
    return scanstring(found, 1)[0] if found.startswith('"') else found


def elements(document: str) -> list[str]:
    """The elements of an array. Raises 22023 for what is none."""
    document = document.strip(_BLANKS)
    if not document.startswith("["):
        what = "an object" if document.startswith("{") else "a scalar"
        raise SqlError("22023", f"cannot extract elements from {what}")
    return [part.value for part in parts(document)]


# --- comparing -----------------------------------------------------------------------------------


def key(document: str) -> bytes:
    """Bytes that sort as Postgres sorts jsonb, and are equal where two of them are."""
    document = document.strip(_BLANKS)
    kind = _kind(document)
    if kind == _OBJECT:
        return _key(document)
    if kind != _ARRAY:
        return bytes((_ARRAY,)) + _count(1) + b"\0" + _key(document)
    within = _keys(document)
    return bytes((_ARRAY,)) + within[:4] + b"\1" + within[4:]


def _count(count: int) -> bytes:
    return count.to_bytes(4, "big")


def _key(value: str) -> bytes:
    kind = _kind(value)
    start = bytes((kind,))
    if kind == _NULL:
        return start
    if kind == _STRING:
        return start + scanstring(value, 1)[0].encode() + b"\0"
    if kind == _NUMBER:
        return start + _number(value)
    if kind == _BOOL:
        return start + (b"\1" if value == "true" else b"\0")
    return start + _keys(value)


def _keys(value: str) -> bytes:
    made = []
    count = 0
    for part in parts(value):
        count += 1
        if value.startswith("{"):
            made.append(bytes((_STRING,)) + part.key.encode() + b"\0")
        made.append(_key(part.value))
    return _count(count) + b"".join(made)


def _digits(value: str) -> tuple[bool, str, int]:
    """Whether a number is negative, its digits without zeros around them, where its point is.

    Its value is 0.digits times ten to that power.
    """
    plain, _, power = value.lstrip("-").lower().partition("e")
    whole, _, behind = plain.partition(".")
    whole = whole.lstrip("0")
    digits = (whole + behind).lstrip("0").rstrip("0")
    where = len(whole) if whole else len(behind.lstrip("0")) - len(behind)
    return value.startswith("-"), digits, where + int(power or 0)


def _number(value: str) -> bytes:
    negative, digits, where = _digits(value)
    if not digits:
        return b"\1"
    where += _MIDDLE
    if not negative:
        return b"\2" + _count(where) + digits.encode() + b"\0"
    opposite = "".join(str(9 - int(digit)) for digit in digits)
    return b"\0" + _count(where ^ 0xFFFFFFFF) + opposite.encode() + b"\xff"


def contains(document: str, wanted: str) -> bool:
    """`document @> wanted`"""
    document, wanted = document.strip(_BLANKS), wanted.strip(_BLANKS)
    if _kind(document) == _ARRAY and _kind(wanted) < _ARRAY:
        return any(_same(part.value, wanted) for part in parts(document))
    return _contains(document, wanted)


def _same(one: str, other: str) -> bool:
    kind = _kind(one)
    return kind == _kind(other) and kind < _ARRAY and _key(one) == _key(other)


def _contains(document: str, wanted: str) -> bool:
    kind = _kind(wanted)
    if _kind(document) != kind:
        return False
    if kind < _ARRAY:
        return _same(document, wanted)
    if kind == _OBJECT:
        own = dict(parts(document))
        return all(
            part.key in own and _contains(own[part.key], part.value) for part in parts(wanted)
        )
    values = [part.value for part in parts(document)]
    return all(any(_contains(one, part.value) for one in values) for part in parts(wanted))


# --- VARIANT --------------------------------------------------------------------------------------

_DIGITS = 38
"""Of the widest NUMBER."""


def _members(value: str) -> list[tuple[str, str]]:
    """An object's members in the order of their names' bytes; of several of a name, the last."""
    return sorted({part.key: part.value for part in parts(value)}.items(), key=_by_bytes)


def _by_bytes(member: tuple[str, str]) -> bytes:
    return member[0].encode()


def _bytes(text: str) -> bytes:
    return text.encode().replace(b"\0", b"\0\xff") + b"\0\0"


def variant_key(document: str) -> bytes:
    """Bytes that sort as VARIANTs sort, and are equal where two of them are.

    Numbers by their value, booleans, strings by code point, arrays, objects, JSON null.
    """
    value = document.strip(_BLANKS)
    kind = _kind(value)
    if kind == _NUMBER:
        return b"\1" + _number(value)
    if kind == _BOOL:
        return b"\2" + (b"\1" if value == "true" else b"\0")
    if kind == _STRING:
        return b"\3" + _bytes(scanstring(value, 1)[0])
    if kind == _ARRAY:
        return b"\4" + b"".join(variant_key(part.value) for part in parts(value)) + b"\0"
    if kind == _OBJECT:
        members = (b"\1" + _bytes(name) + variant_key(one) for name, one in _members(value))
        return b"\5" + b"".join(members) + b"\0"
    return b"\6"


def variant_plain(document: str) -> str:
    """The one text of all VARIANTs that are equal: keys sorted, numbers without needless digits."""
    value = document.strip(_BLANKS)
    kind = _kind(value)
    if kind == _NUMBER:
        return _plain_number(value)
    if kind == _STRING:
        return json.dumps(scanstring(value, 1)[0], ensure_ascii=False)
    if kind == _ARRAY:
        return "[" + ",".join(variant_plain(part.value) for part in parts(value)) + "]"
    if kind == _OBJECT:
        members = (
            f"{json.dumps(name, ensure_ascii=False)}:{variant_plain(one)}"
            for name, one in _members(value)
        )
        return "{" + ",".join(members) + "}"
    return value


def _plain_number(value: str) -> str:
    negative, digits, where = _digits(value)
    if not digits:
        return "0"
    sign, size = "-" if negative else "", len(digits)
    if where > _DIGITS or max(size, where) - min(where, 0) > _DIGITS:
        fraction = f".{digits[1:]}" if size > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{where - 1:+03d}"
    if where <= 0:
        return f"{sign}0.{'0' * -where}{digits}"
    if size <= where:
        return sign + digits + "0" * (where - size)
    return f"{sign}{digits[:where]}.{digits[where:]}"


def minified(document: str) -> str:
    """A document without blanks."""
    made, at, start = [], 0, 0
    while at < len(document):
        if document[at] == '"':
            at = scanstring(document, at + 1)[1]
        elif document[at] in _BLANKS:
            made.append(document[start:at])
            at = start = at + 1
        else:
            at += 1
    return "".join(made) + document[start:]


_STEP = re.compile(
    r"""\.(?:"((?:[^"\\]|\\.)*)"|([^.\["][^.\[]*))"""
    r"""|\[(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\]]*))\]""",
    re.DOTALL,
)


def at_steps(document: str, path: str) -> str | None:
    """Where a path of a VARIANT's leads: `$."a name".name['a name'][0]`. Raises ValueError for no path."""
    found: str | None = document.strip(_BLANKS)
    at = 1 if path.startswith("$") else 0
    while at < len(path) and found is not None:
        step = _STEP.match(path, at)
        if step is None:
            raise ValueError("a path into a VARIANT that is none")
        at = step.end()
        *names, index = step.groups()
        if index is not None:
            whole = index.isascii() and index.isdigit() and len(index) <= 18
            found = element(found, int(index)) if whole else None
        else:
            name = next(name for name in names if name is not None)
            found = member(found, re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL))
    return found


def text_at_steps(document: str, path: str) -> str | None:
    """... as a text: a string's meaning, a number without exponent, nothing for null."""
    found = at_steps(document, path)
    if found is not None and _kind(found) == _NUMBER and "e" in found.lower():
        return _plain_number(found)
    return as_text(found)


def at_place(document: str, place: int) -> str | None:
    """The element of that number from 0 on."""
    return element(document, place) if place >= 0 else None


def of_list(values: Sequence[str | None]) -> str:
    """An array of documents, which stand in it as they are written."""
    return (
        f"[{','.join('null' if one is None else minified(one.strip(_BLANKS)) for one in values)}]"
    )


def of_members(names: Sequence[str], values: Sequence[str | None]) -> str:
    """An object of documents, which stand in it as they are written; names in order.

    Raises ValueError for a name that stands twice.
    """
    for one, following in itertools.pairwise(names):
        if one == following:
            raise ValueError(f"Duplicate field key '{one}'")
    members = (
        f"{json.dumps(name, ensure_ascii=False)}:{'null' if one is None else minified(one.strip(_BLANKS))}"
        for name, one in zip(names, values, strict=True)
    )
    return "{" + ",".join(members) + "}"
