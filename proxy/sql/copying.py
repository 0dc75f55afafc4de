"""COPY, read from tokens, in Postgres's new and old spellings.

The session moves the bytes and the engine the rows; here COPY becomes a `CopyStatement` that names
the table or holds the query, the direction and the options, all spelled one way. Files and
programs on the server are refused: a client has no business in its file system.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.control_plane import name_set
from proxy.sql.session_actions import CopyStatement
from proxy.sql.utility import Utility
from proxy.sql.words import Words

_FLAGS = frozenset({"header", "freeze"})
_COLUMN_LISTS = frozenset({"force_quote", "force_not_null", "force_null"})
_KNOWN = _COLUMN_LISTS | name_set(
    """
    format freeze delimiter null header quote escape encoding
    """
)


def read_copy(words: Words) -> Utility:
    """`COPY ...` as an action; files, programs, COPY INTO and WHERE are refused."""
    words.expect("COPY")
    if words.word == "INTO":
        words.rest()
        return Utility(
            "COPY",
            refused=SqlError("0A000", "COPY INTO is Snowflake's: not supported in this dialect"),
        )
    options: dict[str, str | tuple[str, ...]] = {}
    if words.accept("BINARY"):
        options["format"] = "binary"
    table: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()
    query: str | None = None
    if words.word == "(":
        query = ", ".join(words.list_in_brackets())
    else:
        table = words.dotted()
        if words.accept("("):
            columns = _names(words)
    direction = words.accept_any("FROM", "TO")
    if not direction or (query is not None and direction == "FROM"):
        raise words.fail()
    if words.is_string() or words.accept("PROGRAM"):
        words.rest()
        refused = SqlError(
            "42501",
            f"COPY {direction} a file or a program on the server is not allowed",
            hint="Use COPY FROM STDIN or TO STDOUT; psql's \\copy does.",
        )
        return Utility("COPY", refused=refused)
    if not words.accept_any("STDIN", "STDOUT"):
        raise words.fail()
    if words.accept("USING", "DELIMITERS") or words.accept("DELIMITERS"):
        options["delimiter"] = words.string()
    words.accept("WITH")
    if words.accept("("):
        _options(words, options)
    else:
        _old_options(words, options)
    refused = None
    if words.accept("WHERE"):
        words.rest()
        refused = SqlError("0A000", "COPY FROM with WHERE is not supported")
    words.end()
    action = CopyStatement(table, columns, query, direction, tuple(options.items()))
    return Utility("COPY", action=action, refused=refused)


def _names(words: Words) -> tuple[str, ...]:
    names = [words.name()]
    while words.accept(","):
        names.append(words.name())
    words.expect(")")
    return tuple(names)


def _columns(words: Words) -> str | tuple[str, ...]:
    """A list of columns, or `*`; a lone value is for the reader of the options to refuse."""
    if words.accept("*"):
        return ("*",)
    if words.word != "(":
        return words.name()
    words.expect("(")
    if words.accept("*"):
        words.expect(")")
        return ("*",)
    return _names(words)


def _options(words: Words, options: dict[str, str | tuple[str, ...]]) -> None:
    while True:
        at = words.token
        name = words.name()
        if name not in _KNOWN:
            raise SqlError(
                "42601",
                f'option "{name}" not recognized',
                position=at.start + 1 if at else None,
            )
        _once(name, options, at)
        if name in _COLUMN_LISTS:
            options[name] = _columns(words)
        elif words.word in (",", ")"):
            if name not in _FLAGS:
                raise SqlError(
                    "42601", f"{name} requires a parameter", position=at.start + 1 if at else None
                )
            options[name] = "true"
        elif words.is_string():
            options[name] = words.string()
        elif words.token is not None and words.token.token_type == TokenType.NUMBER:
            options[name] = words.step().text
        else:
            options[name] = words.name()
        if words.accept(")"):
            return
        words.expect(",")


def _old_options(words: Words, options: dict[str, str | tuple[str, ...]]) -> None:
    while words.token is not None and words.word != "WHERE":
        at = words.token
        value: str | tuple[str, ...]
        if fmt := words.accept_any("BINARY", "CSV"):
            name, value = "format", fmt.lower()
        elif flag := words.accept_any("HEADER", "FREEZE"):
            name, value = flag.lower(), "true"
        elif words.accept("FORCE", "QUOTE"):
            name, value = "force_quote", _old_columns(words)
        elif words.accept("FORCE", "NOT", "NULL"):
            name, value = "force_not_null", _old_columns(words)
        elif words.accept("FORCE", "NULL"):
            name, value = "force_null", _old_columns(words)
        elif word := words.accept_any("DELIMITER", "NULL", "QUOTE", "ESCAPE", "ENCODING"):
            words.accept("AS")
            name, value = word.lower(), words.string()
        else:
            raise words.fail()
        _once(name, options, at)
        options[name] = value


def _once(name: str, options: dict[str, str | tuple[str, ...]], at: Token | None) -> None:
    if name in options:
        raise SqlError(
            "42601",
            "conflicting or redundant options",
            position=at.start + 1 if at else None,
        )


def _old_columns(words: Words) -> tuple[str, ...]:
    if words.accept("*"):
        return ("*",)
    names = [words.name()]
    while words.accept(","):
        names.append(words.name())
    return tuple(names)
