"""Names that are longer than Postgres's are cut, as Postgres cuts them.

Why it exists: a generator of schemas may spell a name of 70 bytes, and ask the catalog for the 63 that
Postgres keeps of it; and two names that differ only behind are one.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlglot.tokens import Token, TokenType

from proxy.sql.quoting import quoted

LONGEST = 63  # bytes
_NAMES = frozenset({TokenType.IDENTIFIER, TokenType.VAR})
_WIDEST = 4  # bytes that a character takes


class Cut(NamedTuple):
    """A message with its long names cut, and what is to be said of that."""

    text: str
    notice: str


def long_names(text: str, tokens: list[Token]) -> Cut | None:
    """The message with shorter names; None where all are short enough."""
    if len(text) < LONGEST // _WIDEST:
        return None
    found = [
        token
        for token in tokens
        if token.end - token.start >= LONGEST // _WIDEST
        and token.token_type in _NAMES
        and len(token.text.encode()) > LONGEST
    ]
    if not found:
        return None
    parts, at, notice = list[str](), 0, ""
    for token in found:
        kept = token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()
        short = kept.encode()[:LONGEST].decode(errors="ignore")
        notice = notice or f'identifier "{kept}" will be truncated to "{short}"'
        parts += (text[at : token.start], quoted(short))
        at = token.end + 1
    return Cut("".join([*parts, text[at:]]), notice)
