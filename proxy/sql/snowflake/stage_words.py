"""The words that statements about stages share: locations, names in strings, options.

Snowflake's grammar of options (`NAME = value`, in any order, with or without commas) and of file formats
is read here; what an option may be is for `file_formats` and `proxy.staging` to say.
"""

from __future__ import annotations

from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.snowflake import stage_actions as act
from proxy.sql.words import Words


def location_of(text: str) -> act.Location:
    """A location from its text: `@stage`, `@~/path`, `@schema.%table/path`. Raises 22023."""
    name, _, path = text.removeprefix("@").partition("/")
    if not text.startswith("@") or not name:
        raise SqlError("0A000", f'the location "{text}" is not supported', hint=INTERNAL)
    while path.startswith("/"):
        path = path[1:]
    if name == "~":
        return act.Location("user", (), path)
    tokens = SNOWFLAKE.tokenize(name)
    words = Words(name, tokens)
    try:
        parts, kind = [], "named"
        while True:
            if words.accept("%"):
                kind = "table"
            parts.append(words.name())
            if kind == "table" or not words.accept("."):
                break
        words.end()
    except SqlError:
        raise SqlError("22023", f'"{text}" is not the name of a stage') from None
    return act.Location(kind, tuple(parts), path)


INTERNAL = "Stages here are directories of the server's: @name, @~ and @%table."


def location(words: Words) -> act.Location:
    """`@...`, or the same in a string."""
    if words.is_string():
        return location_of(words.string())
    return location_of(location_text(words))


def location_text(words: Words) -> str:
    """`@...` up to the next blank, bracket or comma."""
    first = last = words.token
    words.expect("@")
    while (token := words.token) is not None and last is not None:
        if token.start != last.end + 1 or token.text in ("(", ")", ",", ";"):
            break
        last = words.step()
    assert first is not None
    assert last is not None
    return words.text[first.start : last.end + 1]


def value(words: Words) -> act.Value:
    """A string, number or name, the last with dots; `%` may follow."""
    if words.is_string():
        return words.string()
    token = words.token
    if token is None:
        raise words.fail()
    if token.token_type == TokenType.NUMBER:
        number = words.step().text
        return number + ("%" if words.accept("%") else "")
    if token.text.isidentifier():
        name = ".".join(words.dotted()) if words.word_at(1) == "." else words.step().text
        return name + ("%" if words.accept("%") else "")
    raise words.fail()


def values(words: Words) -> tuple[str, ...]:
    """Several in brackets."""
    words.expect("(")
    found: list[str] = []
    while not words.accept(")"):
        found.append(str(value(words)))
        words.accept(",")
    return tuple(found)


def options(words: Words, closing: str = "") -> dict[str, act.Value]:
    """`NAME = value` up to the end, or to a closing bracket."""
    found: dict[str, act.Value] = {}
    while words.token is not None and not (closing and words.word == closing):
        at = words.token
        name = words.step().text.upper()
        words.expect("=")
        if name in found:
            raise SqlError("42601", f"{name} is given twice", position=at.start + 1)
        found[name] = values(words) if words.word == "(" else value(words)
        words.accept(",")
    if closing:
        words.expect(closing)
    return found


def file_format(words: Words) -> act.Format:
    """What follows FILE_FORMAT =."""
    if words.is_string():
        return act.Format(name=name_in(words.string()))
    if words.word != "(":
        return act.Format(name=words.dotted())
    words.expect("(")
    if words.accept("FORMAT_NAME"):
        words.expect("=")
        name = name_in(words.string()) if words.is_string() else words.dotted()
        words.expect(")")
        return act.Format(name=name)
    return act.Format(options=options(words, ")"))


def name_in(text: str) -> act.Name:
    """A name that stands in a string."""
    words = Words(text, SNOWFLAKE.tokenize(text))
    name = words.dotted()
    words.end()
    return name
