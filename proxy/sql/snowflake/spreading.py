"""The spread operator: `x IN (** [1, 2], 4)`, `GREATEST(** [1, 5])`, in tokens that sqlglot can read.

Why it exists: sqlglot reads two stars. The elements of an array that is written out take its place; of
one that is only named, within IN, they are what FLATTEN gives.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_BEFORE = frozenset({TokenType.L_PAREN, TokenType.COMMA})
_AFTER = frozenset({TokenType.R_PAREN, TokenType.COMMA})
_ELEMENTS: tuple[tuple[TokenType, str], ...] = (
    (TokenType.SELECT, "SELECT"),
    (TokenType.VAR, "value"),
    (TokenType.FROM, "FROM"),
    (TokenType.TABLE, "TABLE"),
    (TokenType.L_PAREN, "("),
    (TokenType.VAR, "FLATTEN"),
    (TokenType.L_PAREN, "("),
    (TokenType.VAR, "INPUT"),
    (TokenType.FARROW, "=>"),
)


def spread(tokens: list[Token]) -> list[Token]:
    """The tokens of a statement without the operator. Raises 0A000 where that cannot be said."""
    made: list[Token] = []
    at = 0
    while at < len(tokens):
        if not _is_spread(tokens, at):
            made.append(tokens[at])
            at += 1
            continue
        start = at + 2
        end = _end(tokens, start)
        operand = tokens[start:end]
        if _is_array(operand):
            made += operand[1:-1]
        elif tokens[at - 2].token_type == TokenType.IN and tokens[end].token_type in _CLOSING:
            place = tokens[at]
            made += [_at(place, kind, text) for kind, text in _ELEMENTS]
            made += [*operand, *(_at(place, TokenType.R_PAREN, ")") for _ in range(2))]
        else:
            message = "the spread operator (**) over what is not written out is not supported here"
            hint = "Within IN it may stand alone: x IN (** a)."
            raise SqlError("0A000", message, hint=hint, position=tokens[at].start + 1)
        at = end
    return made


def _is_spread(tokens: list[Token], at: int) -> bool:
    if tokens[at].token_type != TokenType.STAR or not 1 < at < len(tokens) - 3:
        return False
    twice = tokens[at + 1].token_type == TokenType.STAR
    close = twice and tokens[at + 1].start == tokens[at].end + 1
    return close and tokens[at - 1].token_type in _BEFORE


def _end(tokens: list[Token], at: int) -> int:
    """Where the argument ends that begins at `at`."""
    depth = 0
    for index in range(at, len(tokens)):
        kind = tokens[index].token_type
        if depth == 0 and kind in _AFTER:
            return index
        depth += (kind in _OPENING) - (kind in _CLOSING)
    return len(tokens) - 1


def _is_array(operand: list[Token]) -> bool:
    """Whether it is `[...]`, with something in it, and nothing else."""
    if len(operand) < 3 or operand[0].token_type != TokenType.L_BRACKET:
        return False
    depth = 0
    for index, token in enumerate(operand):
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth == 0:
            return index == len(operand) - 1
    return False


def _at(place: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, place.line, place.col, place.start, place.end)
