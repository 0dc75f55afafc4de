"""A row as JSON whose jsonb members are documents: DuckDB's own to_json makes strings of them.

DuckDB knows JSON alone as a document. What it wrote is walked beside the row's type, and where the
type says JSONB, the string that stands there is replaced by its own text.
"""

from __future__ import annotations

from functools import lru_cache
from json import JSONDecoder
from json.decoder import scanstring

Shape = tuple[str, tuple["Shape", ...]] | None
"""(what, types of the parts); None where no jsonb is inside."""

_skip = JSONDecoder(parse_float=len, parse_int=len).raw_decode


def with_documents(kind: str, text: str) -> str:
    """kind: DuckDB's name of the type, as typeof() gives it. text: to_json of a value of it."""
    made, _ = _walk(text, 0, _shape(kind))
    return made


def _walk(text: str, at: int, shape: Shape) -> tuple[str, int]:
    """What stands at this place, made over, and where it ends."""
    if shape is None or text.startswith("null", at):
        _, end = _skip(text, at)
        return text[at:end], end
    what, parts = shape
    if what == "JSONB":
        return scanstring(text, at + 1)
    pieces, opening = [text[at]], text[at]
    at += 1
    index = 0
    while text[at] not in "]}":
        if text[at] == ",":
            pieces.append(",")
            at += 1
        if opening == "{":
            _, end = scanstring(text, at + 1)
            pieces.append(text[at : end + 1])  # and the colon
            at = end + 1
        part, at = _walk(text, at, parts[index if what == "STRUCT" else 0])
        pieces.append(part)
        index += 1
    pieces.append(text[at])
    return "".join(pieces), at + 1


@lru_cache(maxsize=256)
def _shape(kind: str) -> Shape:
    shape, _ = _read(kind, 0)
    return shape


def _read(kind: str, at: int) -> tuple[Shape, int]:
    end = at
    while end < len(kind) and (kind[end].isalnum() or kind[end] in "_ "):
        end += 1
    word = kind[at:end]
    shape: Shape = ("JSONB", ()) if word == "JSONB" else None
    if kind[end : end + 1] == "(":
        parts: list[Shape] = []
        at = end + 1
        while word in ("STRUCT", "MAP"):
            if word == "STRUCT":
                at = _behind_name(kind, at)
            part, at = _read(kind, at)
            parts.append(part)
            if kind[at] == ")":
                break
            at += 2
        end = (at if parts else kind.index(")", at)) + 1
        if any(parts):
            shape = (word, tuple(parts[1:] if word == "MAP" else parts))
    elif kind[end : end + 1] == '"':  # "NULL"
        end = kind.index('"', end + 1) + 1
    while kind[end : end + 1] == "[":
        end = kind.index("]", end) + 1
        shape = ("LIST", (shape,)) if shape is not None else None
    return shape, end


def _behind_name(kind: str, at: int) -> int:
    if kind[at] != '"':
        return kind.index(" ", at) + 1
    at += 1
    while kind[at] != '"' or kind[at + 1 : at + 2] == '"':
        at += 2 if kind[at] == '"' else 1
    return at + 2
