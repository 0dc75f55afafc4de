"""Names in the texts of definitions, as DuckDB is given them."""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

DATABASE = "hatidata"
"""DuckDB's name of the database that is kept: its file's."""

TEMPORARY = "temp"
"""DuckDB's name of the database in which each session has its temporary relations, in a schema `main`."""


def parts_at(tokens: list[Token], at: int) -> tuple[list[str], int]:
    """The parts of a name, folded, and where it ends."""
    parts: list[str] = []
    while at < len(tokens):
        parts.append(tokens[at].text.lower())
        at += 1
        if at >= len(tokens) or tokens[at].token_type != TokenType.DOT:
            break
        at += 1
    return parts, at


def name_at(tokens: list[Token], at: int) -> tuple[tuple[str, str, str] | None, int]:
    """Database, schema ('' where they are not said) and name, and where that ends."""
    parts, at = parts_at(tokens, at)
    if not parts or len(parts) > 3:
        return None, at
    if len(parts) == 2 and parts[0] == TEMPORARY:
        return (TEMPORARY, "", parts[1]), at
    database, schema = ["", "", *parts[:-1]][-2:]
    return (database, schema, parts[-1]), at
