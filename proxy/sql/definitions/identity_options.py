"""What stands in the brackets of GENERATED AS IDENTITY, in the order and the words that sqlglot knows.

Why it exists: Postgres takes the options of a sequence there in any order, WITH and BY left out, NO
MINVALUE, CACHE, and the sequence's name as pg_dump writes it; sqlglot reads four of them in one order.

Promises: what is no list of such options stays as it is, for the grammar to complain of.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

_ORDER = ("START", "INCREMENT", "MINVALUE", "MAXVALUE", "CYCLE")
_SECOND = {"START": "WITH", "INCREMENT": "BY"}


def ordered(tokens: list[Token]) -> list[Token]:
    """The tokens of a definition, with the options of its identities in order."""
    made: list[Token] = []
    at = 0
    while at < len(tokens):
        made.append(tokens[at])
        at += 1
        if _word(tokens, at - 1) != "IDENTITY" or _word(tokens, at) != "(":
            continue
        found = _options(tokens, at + 1)
        if found is not None:
            options, at = found
            if options:
                made += [_like(tokens[at - 1], TokenType.L_PAREN, "("), *options]
                made.append(tokens[at - 1])
    return made


def _options(tokens: list[Token], at: int) -> tuple[list[Token], int] | None:
    """The options from a place on, in order, and where what follows the bracket begins."""
    found: dict[str, list[Token]] = {}
    while (word := _word(tokens, at)) != ")":
        start = at
        if word == "SEQUENCE" and _word(tokens, at + 1) == "NAME":
            at += 3
            while _word(tokens, at) == ".":
                at += 2
            continue
        if word == "NO":
            word, at = _word(tokens, at + 1), at + 2
            if word == "CYCLE":
                found[word] = tokens[start:at]
            elif word not in ("MINVALUE", "MAXVALUE"):
                return None
            continue
        if word == "CYCLE":
            found[word], at = [tokens[at]], at + 1
            continue
        if word not in ("START", "INCREMENT", "MINVALUE", "MAXVALUE", "CACHE"):
            return None
        at += 1
        opening = [tokens[start]]
        if (second := _SECOND.get(word)) is not None:
            at += _word(tokens, at) == second
            opening.append(_like(tokens[start], TokenType.VAR, second))
        value = at
        at += _word(tokens, at) == "-"
        if at >= len(tokens) or tokens[at].token_type != TokenType.NUMBER:
            return None
        at += 1
        if word != "CACHE":
            found[word] = [*opening, *tokens[value:at]]
    return [token for word in _ORDER for token in found.get(word, ())], at + 1


def numbering(tokens: list[Token], at: int) -> tuple[dict[str, int], int] | None:
    """The options in the brackets that begin at a place, as numbers, and where what follows begins.

    Of START, INCREMENT, MINVALUE and MAXVALUE, and CYCLE as 1, what is there. None for other options.
    """
    found = _options(tokens, at + 1)
    if found is None:
        return None
    options, after = found
    said: dict[str, int] = {}
    word, sign = "", 1
    for token in options:
        if token.token_type == TokenType.NUMBER:
            said[word], sign = sign * int(token.text), 1
        elif token.text == "-":
            sign = -1
        elif token.text.upper() in _ORDER:
            word = token.text.upper()
            if word == "CYCLE":
                said[word] = 1
    return said, after


_MOST = {"SMALLINT": 2**15 - 1, "INT2": 2**15 - 1, "INT": 2**31 - 1, "INTEGER": 2**31 - 1}
_MOST |= {"INT4": 2**31 - 1, "BIGINT": 2**63 - 1, "INT8": 2**63 - 1}


def of_sequence(tokens: list[Token]) -> list[Token]:
    """The tokens of a CREATE SEQUENCE without CACHE, which says how fast it is, and without the type
    that its numbers are of, which says how far it counts."""
    if [_word(tokens, 0), *(_word(tokens, at) for at in (1, 2))].count("SEQUENCE") != 1:
        return tokens
    made: list[Token] = []
    most: int | None = None
    at, bounded = 0, False
    while at < len(tokens):
        word, after = _word(tokens, at), _word(tokens, at + 1)
        if word == "CACHE" and at + 1 < len(tokens) and tokens[at + 1].text.isdigit():
            at += 2
        elif word == "AS" and after in _MOST:
            most, at = _MOST[after], at + 2
        elif word == "NO" and after in ("MINVALUE", "MAXVALUE"):
            at += 2
        else:
            bounded |= word == "MAXVALUE"
            made.append(tokens[at])
            at += 1
    if most is not None and not bounded:
        last = made[-1]
        made += [_like(last, TokenType.VAR, "MAXVALUE"), _like(last, TokenType.NUMBER, str(most))]
    return made


def _word(tokens: list[Token], at: int) -> str:
    if at >= len(tokens) or tokens[at].token_type in (TokenType.IDENTIFIER, TokenType.STRING):
        return ""
    return tokens[at].text.upper()


def _like(token: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, token.line, token.col, token.start, token.end)
