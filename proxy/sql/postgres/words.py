"""Words of Postgres's definitions that say how something is kept, and that sqlglot cannot read.

Why it exists: they change nothing of what an analytical table holds or a view gives, so they are left out
before the definition is read. A word that is not among them stays, to be refused by whoever reads it.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.sql.control_plane import name_set
from proxy.sql.postgres.collations import BY_BYTES

_KEPT_AS = {
    "STORAGE": name_set("PLAIN EXTERNAL EXTENDED MAIN DEFAULT"),
    "COMPRESSION": name_set("PGLZ LZ4 DEFAULT"),
    "NO": frozenset({"INHERIT"}),
}
_OF_VIEWS = name_set("SECURITY_BARRIER SECURITY_INVOKER")


def without_upkeep(tokens: list[Token]) -> list[Token]:
    """The tokens of a CREATE, ALTER or DROP without such words."""
    words = [_word(token) for token in tokens]
    if words[:3] == ["DROP", "INDEX", "CONCURRENTLY"]:
        return [*tokens[:2], *tokens[3:]]
    left_out = set(_options_of_view(words))
    if words[0] == "CREATE" and "INDEX" in words[1:3]:
        for at in range(3, len(tokens) - 1):
            if words[at : at + 2] == ["NULLS", "DISTINCT"]:  # as they are without a word
                left_out |= {at, at + 1}
    for at in range(2, len(tokens) - 1):
        collates = words[0] == "ALTER" and words[at] == "COLLATE"
        if (collates and tokens[at + 1].text in BY_BYTES) or (
            words[at + 1] in _KEPT_AS.get(words[at], ()) and _ends_a_type(tokens[at - 1])
        ):
            left_out |= {at, at + 1}
    return [token for at, token in enumerate(tokens) if at not in left_out] if left_out else tokens


def _word(token: Token) -> str:
    quoted = token.token_type in (TokenType.IDENTIFIER, TokenType.STRING)
    return "" if quoted else token.text.upper()


def _ends_a_type(token: Token) -> bool:
    """Whether a column's constraint may follow: it is not the first word of a column."""
    return token.token_type not in (TokenType.COMMA, TokenType.L_PAREN)


def _options_of_view(words: list[str]) -> range:
    """The places of WITH (security_barrier) before a view's AS."""
    if words[0] != "CREATE" or "VIEW" not in words[1:5] or "WITH" not in words:
        return range(0)
    start = words.index("WITH")
    if words[start + 1 : start + 2] != ["("] or ")" not in words[start:]:
        return range(0)
    end = words.index(")", start)
    said = set(words[start + 2 : end]) - {",", "=", "TRUE", "FALSE", "ON", "OFF"}
    if words[end + 1 : end + 2] != ["AS"] or not said <= _OF_VIEWS:
        return range(0)
    return range(start, end + 1)
