"""`IF EXISTS` and `IF NOT EXISTS`: what a statement takes for granted, read from its tokens.

Postgres tells the client when such a clause made a statement do nothing; DuckDB does not. The
session asks DuckDB whether the object is there before it runs the statement, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot.tokens import Token, TokenType

from proxy.sql.reading import READERS

_KINDS = frozenset(("TABLE", "VIEW", "SCHEMA", "SEQUENCE", "INDEX", "TYPE"))
_PASSED = frozenset(("OR", "REPLACE", "TEMP", "TEMPORARY", "TRANSIENT", "UNIQUE", "MATERIALIZED"))


@dataclass(frozen=True, slots=True)
class Existence:
    """kind: 'TABLE', 'VIEW', ...; names: the parts of the name, folded; creates: IF NOT EXISTS."""

    kind: str
    name: tuple[str, ...]
    creates: bool


def existence(text: str, dialect: str) -> Existence | None:
    """What the statement's IF [NOT] EXISTS is about, None where it has none."""
    tokens = READERS[dialect].tokenize(text)
    words = [token.text.upper() for token in tokens[:12]]
    if words[:4] == ["COMMENT", "IF", "EXISTS", "ON"]:
        kind = words[4] if len(words) > 5 else ""
        name = _name(tokens, 5)
        if kind == "COLUMN":
            kind, name = "TABLE", name[:-1]
        return Existence(kind, name, False) if kind in _KINDS and name else None
    if words[:1] == ["TRUNCATE"]:
        at = 2 if words[1:2] == ["TABLE"] else 1
        there = words[at : at + 2] == ["IF", "EXISTS"]
        return Existence("TABLE", _name(tokens, at + 2), False) if there else None
    if not words or words[0] not in ("CREATE", "DROP"):
        return None
    at = 1
    while at < len(words) and words[at] in _PASSED:
        at += 1
    creates = words[0] == "CREATE"
    clause = ["IF", "NOT", "EXISTS"] if creates else ["IF", "EXISTS"]
    if (
        at >= len(words)
        or words[at] not in _KINDS
        or words[at + 1 : at + 1 + len(clause)] != clause
    ):
        return None
    return Existence(words[at], _name(tokens, at + 1 + len(clause)), creates)


def _name(tokens: list[Token], at: int) -> tuple[str, ...]:
    parts: list[str] = []
    while at < len(tokens):
        token = tokens[at]
        quoted = token.token_type == TokenType.IDENTIFIER
        parts.append(token.text if quoted else token.text.lower())
        if at + 1 >= len(tokens) or tokens[at + 1].token_type != TokenType.DOT:
            break
        at += 2
    return tuple(parts)
