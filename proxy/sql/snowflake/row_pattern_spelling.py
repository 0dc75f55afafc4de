"""MATCH_RECOGNIZE in tokens that sqlglot reads.

Why it exists: sqlglot takes the clause for one of the whole query, before WHERE, and knows neither
`FINAL f(x)` within an expression, nor SKIP TO without a direction, nor SUBSET. So the clause and its
table become a query of their own, in brackets, and the rest is put otherwise.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.sql.snowflake.row_functions import FINAL, RUNNING

_BEFORE = frozenset(
    {TokenType.FROM, TokenType.JOIN, TokenType.COMMA, TokenType.USING, TokenType.INTO}
)
_NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})
_WRAPPED = {"FINAL": FINAL, "RUNNING": RUNNING}


def respelled_patterns(tokens: list[Token]) -> list[Token]:
    """The tokens with each MATCH_RECOGNIZE in a query of its own."""
    at = len(tokens)
    while at > 0:  # from the last, so that one within another's table is found in it
        at -= 1
        if tokens[at].token_type == TokenType.MATCH_RECOGNIZE and at + 1 < len(tokens):
            tokens = _enclosed(tokens, at)
    return tokens


def _at(place: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, place.line, place.col, place.start, place.end)


def _close(tokens: list[Token], opening: int) -> int:
    depth = 0
    for at in range(opening, len(tokens)):
        kind = tokens[at].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0:
            return at
    return len(tokens) - 1


def _table_start(tokens: list[Token], clause: int) -> int:
    """Where the table that a clause stands behind begins."""
    depth = 0
    for at in range(clause - 1, -1, -1):
        kind = tokens[at].token_type
        depth += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
        if depth < 0 or (depth == 0 and kind in _BEFORE):
            return at + 1
    return 0


def _enclosed(tokens: list[Token], clause: int) -> list[Token]:
    close = _close(tokens, clause + 1)
    start = _table_start(tokens, clause)
    if start == clause:
        return tokens
    place, end = tokens[start], tokens[close]
    opened = [
        _at(place, TokenType.L_PAREN, "("),
        _at(place, TokenType.SELECT, "SELECT"),
        _at(place, TokenType.STAR, "*"),
        _at(place, TokenType.FROM, "FROM"),
    ]
    closed = [_at(end, TokenType.R_PAREN, ")")]
    after = tokens[close + 1].token_type if close + 1 < len(tokens) else None
    named = tokens[clause - 1]
    if after not in _NAMES and after != TokenType.ALIAS and named.token_type in _NAMES:
        closed += [
            _at(end, TokenType.ALIAS, "AS"),
            _at(named, named.token_type, named.text),
        ]
    body = _body(tokens[clause : close + 1])
    return [*tokens[:start], *opened, *tokens[start:clause], *body, *closed, *tokens[close + 1 :]]


def _word(tokens: list[Token], at: int) -> str:
    if not 0 <= at < len(tokens) or tokens[at].token_type == TokenType.IDENTIFIER:
        return ""
    return tokens[at].text.upper()


def _body(tokens: list[Token]) -> list[Token]:
    """MATCH_RECOGNIZE (...) itself."""
    made: list[Token] = []
    owed: dict[int, int] = {}  # brackets to be closed behind a token
    at = 0
    while at < len(tokens):
        word = _word(tokens, at)
        if word in _WRAPPED and _word(tokens, at + 2) == "(":
            name = _at(tokens[at], TokenType.VAR, _WRAPPED[word])
            made += [name, _at(tokens[at], TokenType.L_PAREN, "(")]
            close = _close(tokens, at + 2)
            owed[close] = owed.get(close, 0) + 1
        elif word == "TO" and _word(tokens, at - 1) == "SKIP":
            made.append(tokens[at])
            if _word(tokens, at + 2) != "ROW" and not (
                _word(tokens, at + 1) in ("FIRST", "LAST") and _names_symbol(tokens, at + 2)
            ):
                made.append(_at(tokens[at], TokenType.VAR, "LAST"))
        elif word == "PATTERN" and _word(tokens, at + 1) == "(":
            at = _pattern(tokens, at, made)
            continue
        else:
            made.append(tokens[at])
        made += [_at(tokens[at], TokenType.R_PAREN, ")")] * owed.pop(at, 0)
        at += 1
    return made


def _names_symbol(tokens: list[Token], at: int) -> bool:
    return tokens[at].token_type == TokenType.IDENTIFIER or (
        _word(tokens, at) not in ("PATTERN", "") and tokens[at].text.replace("_", "a").isalnum()
    )


def _pattern(tokens: list[Token], at: int, made: list[Token]) -> int:
    """PATTERN (...), with the SUBSET behind it within its brackets; where to go on."""
    close = _close(tokens, at + 1)
    if _word(tokens, close + 1) != "SUBSET":
        made += tokens[at : close + 1]
        return close + 1
    end = close + 1
    while end < len(tokens) - 1 and _word(tokens, end + 1) != "DEFINE":
        end += 1
    made += [*tokens[at:close], *tokens[close + 1 : end + 1]]
    made.append(_at(tokens[end], TokenType.R_PAREN, ")"))
    return end + 1
