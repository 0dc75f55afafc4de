"""What DuckDB keeps of a definition as text alone, read back: whose sequence a default calls, which
key a check stands for.

DuckDB's catalog tells a default as an expression and Snowflake's foreign keys, which are not enforced,
as checks (`proxy.sql.snowflake.definitions`). The mirror shows both as what they are. Reads tokens of
DuckDB's own writing; what is not of these forms is None.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from sqlglot.tokens import Token, TokenType

from proxy.sql.definitions.default_texts import SAID
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB
from proxy.sql.snowflake.definitions import FOREIGN_KEY

CONSTRAINT = "hatidata: constraint"
"""The comment of a unique index that stands for a UNIQUE constraint of its name."""


def plain_name(written: str) -> str:
    """An identifier without what quotes it."""
    (token,) = DUCKDB.own_tokens(written)
    return token.text


def called_sequence(default: str) -> tuple[str, ...] | None:
    """The parts of the name of the sequence whose next value a default is."""
    tokens = DUCKDB.own_tokens(default)
    if len(tokens) != 4 or tokens[0].text != "nextval" or tokens[2].token_type != TokenType.STRING:
        return None
    name = DUCKDB.own_tokens(tokens[2].text)
    parts = [token for token in name if token.token_type != TokenType.DOT]
    if not parts or len(name) != 2 * len(parts) - 1:
        return None
    return tuple(
        part.text if part.token_type == TokenType.IDENTIFIER else part.text.lower()
        for part in parts
    )


def next_value(name: tuple[str, ...]) -> str:
    """The call that gives a sequence's next value, as Postgres knows the sequence."""
    where = ["public" if part == "main" else part for part in name[-2:-1]]
    return f"nextval({literal(quoted(*where, name[-1]))})"


def constant(default: str) -> str | None:
    """The default of a list, a BLOB or a document as the literal that Postgres has for it, `'{a,NULL}'`,
    where it is one of constants."""
    tokens = DUCKDB.own_tokens(default)
    texts = [token for token in tokens if token.token_type == TokenType.STRING]
    if len(texts) == 1 and tuple(t.text for t in tokens if t is not texts[0]) in _DOCUMENTS:
        return literal(texts[0].text)
    if len(tokens) == 4 and tokens[0].text == "unhex" and tokens[2].token_type == TokenType.STRING:
        return literal(f"\\x{tokens[2].text}")
    try:
        text, end = _item(tokens, 0)
    except (IndexError, ValueError):
        return None
    return literal(text) if end == len(tokens) and text.startswith("{") else None


_DOCUMENTS = frozenset(
    {
        ("CAST", "(", "AS", "JSONB", ")"),
        ("CAST", "(", "AS", "JSON", ")"),
        ("CAST", "(", "_SF", ".", "pg_json_read_", "(", ")", "AS", "JSON", ")"),
    }
)
"""How DuckDB writes a cast of a text to json or jsonb, but for the text."""


def in_postgres(default: str) -> str:
    """A default or a generated column's expression with names that Postgres has: of types, which DuckDB
    quotes, and of functions. What of ours only gives the text that Postgres has for a value is left out."""
    tokens = DUCKDB.own_tokens(default)
    if [one.text for one in tokens[:4]] == _SAID:
        return tokens[-2].text
    edits: list[tuple[int, int, str]] = []
    around = [one.text for one in (*tokens[:2], *tokens[3:])]
    if around == _AS_TEXT and tokens[2].token_type == TokenType.STRING:
        return literal(tokens[2].text)  # of the column's type
    for at, token in enumerate(tokens):
        words = [one.text for one in tokens[at : at + 4]]
        if token.token_type == TokenType.ALIAS and len(words) > 1 and words[1] in _TYPES:
            edits.append((tokens[at + 1].start, tokens[at + 1].end + 1, _TYPES[words[1]]))
        elif words[:2] == ["main", "."] or (
            len(words) == 4 and words[:2] == ["_SF", "."] and words[2] in _SAME and words[3] == "("
        ):
            ends = tokens[at + (1 if words[0] == "main" else 2)].end + 1
            edits.append((token.start, ends, ""))
        elif words[:3] == ["uuid", "(", ")"]:
            edits.append((token.start, token.end + 1, "gen_random_uuid"))
    for start, end, text in reversed(edits):
        default = default[:start] + text + default[end:]
    return default


_SAID = ["_SF", ".", SAID, "("]
_AS_TEXT = ["CAST", "(", "AS", "VARCHAR", ")"]
_TYPES = {
    "VARCHAR": "text",
    "JSON": "json",
    "JSONB": "jsonb",
    "DATE": "date",
    "TIME WITH TIME ZONE": "timetz",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}
_SAME = frozenset(("pg_text_", "pg_joined_", "pg_json_read_"))
"""Macros of one argument that Postgres needs not: the value's text, or a text that is JSON."""
_CONSTANTS = frozenset((TokenType.TRUE, TokenType.FALSE, TokenType.NULL))
_BARE = frozenset((TokenType.NUMBER, *_CONSTANTS))


def _item(tokens: list[Token], at: int) -> tuple[str, int]:
    """A constant as it stands within an array's text, and where the next token is.

    Raises ValueError for what is no constant, IndexError at the end of the tokens.
    """
    token = tokens[at]
    if token.token_type == TokenType.DASH:
        if tokens[at + 1].token_type != TokenType.NUMBER:
            raise ValueError
        return f"-{tokens[at + 1].text}", at + 2
    if token.token_type in _BARE:
        return token.text, at + 1
    if token.token_type == TokenType.STRING:
        inner = token.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{inner}"', at + 1
    words = [one.text for one in tokens[at : at + 4]]
    if words[:2] == ["CAST", "("]:
        text, at = _item(tokens, at + 2)
        if tokens[at].text != "AS" or tokens[at + 1].text == "BLOB":
            raise ValueError
        depth = 1
        while depth:
            depth += {"(": 1, ")": -1}.get(tokens[at].text, 0)
            at += 1
        return text, at
    if words != ["main", ".", "list_value", "("]:
        raise ValueError
    at, items = at + 4, list[str]()
    while tokens[at].text != ")":
        if items:
            if tokens[at].token_type != TokenType.COMMA:
                raise ValueError
            at += 1
        text, at = _item(tokens, at)
        items.append(text)
    return f"{{{','.join(items)}}}", at + 1


def is_own(
    sequence: str, table: str, column: str, defaults_of: Callable[[str], Iterable[str]]
) -> bool:
    """Whether a sequence that a column's default calls was made for it (`proxy.sql.definitions.identities`).

    DuckDB does not tell whose a sequence is, so its name does; the table may have been renamed since,
    unless there is one of the name that it was made for, and counts by it. defaults_of: the defaults of
    the columns of a table in the same schema, none where there is no such table.
    """
    if sequence.endswith("_identity"):
        return True
    stem, ending = sequence.rstrip("0123456789"), f"_{column}_seq"
    first = stem.removesuffix(ending)
    if not stem.endswith(ending) or first == table:
        return stem.endswith(ending)
    called = (called_sequence(default) for default in defaults_of(first))
    return all(one is None or one[-1] != sequence for one in called)


def foreign_key(expression: str) -> dict[str, Any] | None:
    """The foreign key that a check keeps: name, columns, schema ('' for the table's own), table, references.

    references: [] where the primary key is meant.
    """
    kept = held_key(expression)
    return kept if kept is not None and "key" not in kept else None


def held_key(expression: str) -> dict[str, Any] | None:
    """As `foreign_key`, or a key that is written down alone: key (its kind), name and columns."""
    for token in DUCKDB.own_tokens(expression):
        if token.token_type == TokenType.STRING and token.text.startswith("{"):
            try:
                kept = json.loads(token.text)
            except ValueError:
                return None
            if isinstance(kept, dict) and FOREIGN_KEY in kept:
                return {"name": kept.pop(FOREIGN_KEY), **kept}
            if isinstance(kept, dict) and "key" in kept:
                return kept
    return None
