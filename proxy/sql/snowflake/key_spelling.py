"""What Snowflake lets be said of a key, left out: none of it changes an answer.

Why it exists: keys say [NOT] ENFORCED, [NOT] DEFERRABLE, INITIALLY ..., ENABLE, VALIDATE, RELY, MATCH FULL in
any order, of which sqlglot reads some in some places. Keys are enforced here by the session's own setting
(`hatidata.enforce_keys`), at once, and foreign keys are recorded alone. It also reads `id INT FOREIGN
KEY REFERENCES t`, which sqlglot knows without its first two words.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.snowflake.alter_spelling import word_at

_PROPERTIES: dict[str, tuple[str, ...]] = {
    "ENFORCED": (),
    "DEFERRABLE": (),
    "INITIALLY": ("DEFERRED", "IMMEDIATE"),
    "ENABLE": (),
    "DISABLE": (),
    "VALIDATE": (),
    "NOVALIDATE": (),
    "RELY": (),
    "NORELY": (),
    "MATCH": ("FULL", "SIMPLE", "PARTIAL"),
}
"""The first word of a property -> what may follow it, where something has to."""

_NEGATED = frozenset({"ENFORCED", "DEFERRABLE"})
_KEYS = frozenset({"PRIMARY KEY", "FOREIGN KEY", "UNIQUE", "REFERENCES"})
_SIGNS = (*_PROPERTIES, "REFERENCES")


def without_properties(tokens: list[Token], said: str) -> list[Token]:
    """The tokens of a CREATE or ALTER TABLE without what is said of its keys.

    said: the statement's text in upper case. Raises SqlError 0A000 for a CHECK that is not to be enforced.
    """
    if not any(word in said for word in _SIGNS):
        return tokens
    kept: list[Token] = []
    at = depth = 0
    items = tokens[0].token_type == TokenType.CREATE  # in brackets, the depth at which they stand
    of_key = of_check = False
    while at < len(tokens):
        token, word = tokens[at], word_at(tokens, at)
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0 and token.token_type == TokenType.ALIAS:
            return kept + tokens[at:]  # a query
        if depth == items and token.token_type == TokenType.COMMA:
            of_key = of_check = False
        of_check = of_check or word == "CHECK"
        of_key = of_key or of_check or word in _KEYS
        length = _property(tokens, at) if of_key and depth == items else 0
        if length and of_check and token.token_type == TokenType.NOT:
            hint = "Leave the CHECK out."
            message = "CHECK ... NOT ENFORCED is not supported"
            raise SqlError("0A000", message, hint=hint, position=token.start + 1)
        if word == "FOREIGN KEY" and word_at(tokens, at + 1) == "REFERENCES":
            length = 1
        if not length:
            kept.append(token)
        at += length or 1
    return kept


def _property(tokens: list[Token], at: int) -> int:
    """How many tokens of a property begin here; 0 for none."""
    negated = tokens[at].token_type == TokenType.NOT
    word = word_at(tokens, at + negated)
    following = _PROPERTIES.get(word)
    if following is None or (negated and word not in _NEGATED):
        return 0
    if not following:
        return 1 + negated
    return 2 if word_at(tokens, at + 1) in following else 0
