"""Where in the client's text an engine's complaint belongs.

DuckDB points into the SQL that it was given; the client wrote something else. Tokens are what the
two texts share: the token complained about is found again in the client's text, by its spelling and
its place among the tokens that are spelled alike. Where the two texts do not agree on those, there
is no position rather than a wrong one.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.reading import DUCKDB, READERS


def source_position(sql: str, byte_offset: int, text: str, dialect: str) -> int | None:
    """1-based character position in `text` of what stands at `byte_offset` (UTF-8) in `sql`."""
    offset = len(sql.encode()[:byte_offset].decode(errors="ignore"))
    try:
        written = DUCKDB.tokenize(sql)
        source = READERS[dialect].tokenize(text)
    except SqlError:
        return None
    found = next((token for token in written if token.start <= offset <= token.end), None)
    if found is None:
        return None
    alike = [token.start for token in written if _spelling(token) == _spelling(found)]
    there = [token.start for token in source if _spelling(token) == _spelling(found)]
    if len(there) == len(alike):
        return there[alike.index(found.start)] + 1
    return there[0] + 1 if len(there) == 1 else None


def clause_at(sql: str, byte_offset: int, clauses: frozenset[TokenType]) -> TokenType | None:
    """Which of these keywords stands last before `byte_offset` (UTF-8) in DuckDB's SQL."""
    offset = len(sql.encode()[:byte_offset].decode(errors="ignore"))
    try:
        written = DUCKDB.tokenize(sql)
    except SqlError:
        return None
    before = [t.token_type for t in written if t.start <= offset and t.token_type in clauses]
    return before[-1] if before else None


def casts(text: str, dialect: str) -> bool:
    """Whether a statement spells out a cast."""
    try:
        tokens = READERS[dialect].tokenize(text)
    except SqlError:
        return True
    words = ("CAST", "TRY_CAST", "CONVERT")
    return any(t.token_type == TokenType.DCOLON or t.text.upper() in words for t in tokens)


def _spelling(token: Token) -> str:
    return token.text.casefold()
