"""XML, carried as the JSON object that Snowflake shows of it: `@` is an element's name, `$` its
content, and `@name` each attribute.

The content is a text, a number or a truth value; an object where one element alone stands in it, and
an array where there are several, or text between them. A document that declares entities is not
read: what they expand to has no bound.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa
import pyarrow.compute as pc

_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,36})(?:\.[0-9]{1,37})?")
_SCIENTIFIC = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}")
_TRUTHS = {"true": True, "false": False}


class _Number(float):
    """A number that is written as the document has it."""

    written: str

    def __new__(cls, written: str) -> _Number:
        made = super().__new__(cls, written)
        made.written = written
        return made

    def __repr__(self) -> str:
        return self.written


class _Element:
    """An element while it is read."""

    __slots__ = ("attributes", "children", "name", "texts")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Any] = []
        self.texts: list[str] = []  # since the last child

    def flush(self, convert: Callable[[str], Any]) -> None:
        """What text was read becomes a child; blanks between elements do not."""
        text = "".join(self.texts)
        self.texts = []
        if text.strip():
            self.children.append(convert(text))

    def document(self, convert: Callable[[str], Any]) -> dict[str, Any]:
        whole = "".join(self.texts)
        self.flush(convert)
        content: Any = self.children
        if not content:
            content = whole
        elif len(content) == 1:
            content = content[0]
        made = {"$": content, "@": self.name}
        made.update((f"@{name}", convert(value)) for name, value in self.attributes.items())
        return made


def _native(text: str) -> Any:
    """Numbers and truth values that are written again as they stand; all else is text."""
    stripped = text.strip()
    if stripped in _TRUTHS:
        return _TRUTHS[stripped]
    if _PLAIN.fullmatch(stripped):
        whole, _, fraction = stripped.partition(".")
        if len(whole.lstrip("-")) + len(fraction) <= 38:
            fraction = fraction.rstrip("0")
            return _Number(f"{whole}.{fraction}" if fraction else whole)
    if _SCIENTIFIC.fullmatch(stripped):
        return _Number(stripped)
    return text


def _read(text: str, convert: Callable[[str], Any]) -> dict[str, Any]:
    """A document's element. Raises ValueError for what is not one well-formed document."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    open_: list[_Element] = []
    made: list[dict[str, Any]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if open_:
            open_[-1].flush(convert)
        open_.append(_Element(name, attributes))

    def end(name: str) -> None:
        document = open_.pop().document(convert)
        (open_[-1].children if open_ else made).append(document)

    def words(data: str) -> None:
        open_[-1].texts.append(data)

    def entity(*declared: object) -> None:
        raise ValueError("entity declarations are not supported")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = words
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        raise ValueError(f"{what}, line {error.lineno}, column {error.offset}") from error
    return made[0]


def _json(value: Any) -> str:
    """Keys sorted, numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, _Number):
        return value.written
    return json.dumps(value, ensure_ascii=False)


def _each(texts: pa.Array, of: Callable[[str], str | None]) -> pa.Array:
    """`of` each text; NULL of NULL."""
    made = (None if text is None else of(text) for text in texts.to_pylist())
    return pa.array(made, pa.string())


def _parsed(texts: pa.Array, as_texts: pa.Array, *, strict: bool) -> pa.Array:
    keep = pc.fill_null(as_texts, 0).to_pylist()
    flags = iter(keep)

    def one(text: str | None) -> str | None:
        plain = next(flags)
        if text is None or not text.strip():
            return None
        try:
            return _json(_read(text, str if plain else _native))
        except ValueError as error:
            if strict:
                raise ValueError(f"Error parsing XML: {error}") from error
            return None

    return pa.array(map(one, texts.to_pylist()), pa.string())


def parsed(texts: pa.Array, as_texts: pa.Array) -> pa.Array:
    """PARSE_XML: JSON texts. as_texts: 1 where numbers and truth values shall stay texts."""
    return _parsed(texts, as_texts, strict=True)


def tried(texts: pa.Array, as_texts: pa.Array) -> pa.Array:
    """As `parsed`; NULL of what is not XML."""
    return _parsed(texts, as_texts, strict=False)


def fault(texts: pa.Array) -> pa.Array:
    """CHECK_XML: what is wrong with each text, NULL where nothing is."""

    def one(text: str) -> str | None:
        try:
            if text.strip():
                _read(text, str)
        except ValueError as error:
            return str(error)
        return None

    return _each(texts, one)


# --- the text of a value -----------------------------------------------------------------------------


def _is_element(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("@"), str) and "$" in value


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _tag(value: dict[str, Any]) -> str:
    attributes = (
        f" {key[1:]}={quoteattr(_word(of))}"
        for key, of in value.items()
        if key.startswith("@") and len(key) > 1
    )
    return value["@"] + "".join(attributes)


def _content(value: dict[str, Any]) -> list[Any]:
    content = value["$"]
    if isinstance(content, list):
        return content
    return [] if content == "" else [content]


def _compact(value: Any) -> str:
    if not _is_element(value):
        return escape(_word(value))
    inner = "".join(map(_compact, _content(value)))
    return f"<{_tag(value)}>{inner}</{value['@']}>"


def _lines(value: Any, depth: int) -> Iterator[str]:
    margin = "  " * depth
    if not _is_element(value):
        yield margin + escape(_word(value))
        return
    content = _content(value)
    if not any(map(_is_element, content)):
        yield margin + _compact(value)
        return
    yield f"{margin}<{_tag(value)}>"
    for child in content:
        yield from _lines(child, depth + 1)
    yield f"{margin}</{value['@']}>"


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, _Number):
        if "e" in value.written.lower():
            return "DOUBLE"
        return "DECIMAL" if "." in value.written else "INTEGER"
    return {dict: "OBJECT", list: "ARRAY", str: "VARCHAR"}.get(type(value), "NULL_VALUE")


def _typed(value: Any, name: str) -> str:
    """A value that was no XML, in a tag that says what it is."""
    if isinstance(value, dict):
        inner = "".join(_typed(of, key) for key, of in sorted(value.items()))
    elif isinstance(value, list):
        inner = "".join(_typed(of, "e") for of in value)
    else:
        inner = escape(_word(value))
    return f'<{name} type="{_type(value)}">{inner}</{name}>'


def _load(text: str) -> Any:
    return json.loads(text, parse_int=_Number, parse_float=_Number)


def written(texts: pa.Array) -> pa.Array:
    """TO_XML of JSON texts."""

    def one(text: str) -> str:
        value = _load(text)
        return _compact(value) if _is_element(value) else _typed(value, "SnowflakeData")

    return _each(texts, one)


def pretty(texts: pa.Array) -> pa.Array:
    """XML as a result shows it, an element a line; what is no XML stays JSON."""

    def one(text: str) -> str:
        value = _load(text)
        return "\n".join(_lines(value, 0)) if _is_element(value) else text

    return _each(texts, one)
