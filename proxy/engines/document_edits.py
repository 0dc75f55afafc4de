"""What changes a jsonb: `||`, `-`, `#-`, jsonb_set and its kin, on texts.

Why it exists: DuckDB has none of these. A document is cut into the texts of its parts and put together
anew, so that nothing in it is read but what the change is about. Texts are jsonb's, as the cast writes
them, and so is what is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from proxy.engines.documents import parts
from proxy.errors import SqlError

Path = Sequence[str | None]


def _kind(document: str) -> str:
    return document[0] if document[0] in "[{" else ""


def _members(document: str) -> dict[str, str]:
    return dict(parts(document))


def _elements(document: str) -> list[str]:
    return [part.value for part in parts(document)]


def _object(members: dict[str, str]) -> str:
    ordered = sorted((len(raw), raw, key) for key in members for raw in [key.encode()])
    inner = (f"{_quoted(key)}: {members[key]}" for _, _, key in ordered)
    return "{" + ", ".join(inner) + "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _array(elements: Sequence[str]) -> str:
    return "[" + ", ".join(elements) + "]"


def joined(one: str, other: str) -> str:
    """`one || other`: objects become one object, all else is put into one array."""
    if _kind(one) == _kind(other) == "{":
        return _object(_members(one) | _members(other))
    several = [_elements(side) if _kind(side) == "[" else [side] for side in (one, other)]
    return _array(several[0] + several[1])


def _wrong(message: str, hint: str | None = None, sqlstate: str = "22023") -> SqlError:
    return SqlError(sqlstate, message, hint=hint)


def without_names(document: str, names: Path) -> str:
    """Without the members of these names, or the strings among the elements."""
    if not _kind(document):
        raise _wrong("cannot delete from scalar")
    if _kind(document) == "{":
        return _object({key: it for key, it in _members(document).items() if key not in names})
    gone = {_quoted(name) for name in names if name is not None}
    return _array([element for element in _elements(document) if element not in gone])


def without_name(document: str, name: str) -> str:
    return without_names(document, (name,))


def without_element(document: str, index: int) -> str:
    if not _kind(document):
        raise _wrong("cannot delete from scalar")
    if _kind(document) == "{":
        raise _wrong("cannot delete from object using integer index")
    elements = _elements(document)
    if -len(elements) <= index < len(elements):
        del elements[index]
    return _array(elements)


# --- along a path --------------------------------------------------------------------------------

_FIRST = -1 << 31  # before all elements

_At = Callable[[str, str], str]
"""What becomes of an object or array whose part is named by the path's last step."""


def _named(path: Path, level: int) -> str:
    name = path[level]
    if name is None:
        raise _wrong(f"path element at position {level + 1} is null", sqlstate="22004")
    return name


def _index(path: Path, level: int, count: int) -> int:
    """Which element is meant; `count` is behind the last one, `_FIRST` before the first."""
    name = _named(path, level)
    digits = name.strip().removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise _wrong(
            f'path element at position {level + 1} is not an integer: "{name}"', sqlstate="22P02"
        )
    index = int(name)
    if index < 0:
        return _FIRST if -index > count else count + index
    return min(index, count)


def _along(document: str, path: Path, level: int, change: Callable[[str, int], str]) -> str:
    """`change(part, level)` where the path's last step is reached, and the document around it."""
    if not _kind(document):
        return document
    if level == len(path) - 1:
        return change(document, level)
    if _kind(document) == "{":
        members, name = _members(document), _named(path, level)
        if name in members:
            members[name] = _along(members[name], path, level + 1, change)
        return _object(members)
    elements = _elements(document)
    index = _index(path, level, len(elements))
    if 0 <= index < len(elements):
        elements[index] = _along(elements[index], path, level + 1, change)
    return _array(elements)


def without_path(document: str, path: Path) -> str:
    """`document #- path`"""
    if not _kind(document):
        raise _wrong("cannot delete path in scalar")

    def change(part: str, level: int) -> str:
        if _kind(part) == "{":
            members = _members(part)
            members.pop(_named(path, level), None)
            return _object(members)
        elements = _elements(part)
        index = _index(path, level, len(elements))
        if 0 <= index < len(elements):
            del elements[index]
        return _array(elements)

    return _along(document, path, 0, change) if path else document


def with_value(document: str, path: Path, value: str, create: bool = True) -> str:
    """jsonb_set: the value where the path leads; a part that is missing is made where `create`."""
    if not _kind(document):
        raise _wrong("cannot set path in scalar")

    def change(part: str, level: int) -> str:
        if _kind(part) == "{":
            members, name = _members(part), _named(path, level)
            return _object(members | {name: value}) if create or name in members else part
        elements = _elements(part)
        index = _index(path, level, len(elements))
        if 0 <= index < len(elements):
            elements[index] = value
        elif create:
            elements.insert(0 if index == _FIRST else index, value)
        return _array(elements)

    return _along(document, path, 0, change) if path else document


def with_more(document: str, path: Path, value: str, after: bool = False) -> str:
    """jsonb_insert: the value beside the element that the path leads to, or as a new member."""
    if not _kind(document):
        raise _wrong("cannot set path in scalar")

    def change(part: str, level: int) -> str:
        if _kind(part) == "{":
            members, name = _members(part), _named(path, level)
            if name in members:
                raise _wrong(
                    "cannot replace existing key",
                    "Try using the function jsonb_set to replace key value.",
                )
            return _object(members | {name: value})
        elements = _elements(part)
        index = _index(path, level, len(elements))
        if 0 <= index < len(elements):
            index += after
        elements.insert(0 if index == _FIRST else index, value)
        return _array(elements)

    return _along(document, path, 0, change) if path else document


# --- the whole document --------------------------------------------------------------------------


def without_nulls(document: str) -> str:
    """jsonb_strip_nulls: without members that are null."""
    if _kind(document) == "{":
        kept = {key: it for key, it in _members(document).items() if it != "null"}
        return _object({key: without_nulls(it) for key, it in kept.items()})
    if _kind(document) == "[":
        return _array([without_nulls(element) for element in _elements(document)])
    return document


def pretty(document: str) -> str:
    """jsonb_pretty: each part on a line of its own."""
    return _pretty(document, "\n")


def _pretty(document: str, line: str) -> str:
    kind = _kind(document)
    if not kind:
        return document
    inner = line + "    "
    if kind == "{":
        told = [f"{_quoted(key)}: {_pretty(it, inner)}" for key, it in parts(document)]
    else:
        told = [_pretty(it, inner) for it in _elements(document)]
    lines = (inner + ("," + inner).join(told)) if told else ""
    return kind + lines + line + ("}" if kind == "{" else "]")
