"""The pipe operator: `SELECT ... ->> SELECT ... FROM $1`, as one query.

Why it exists: sqlglot's grammar has no such operator. Each query of a chain may read from those before
it, `$1` being the one right before; here its tokens are put in brackets where it is read, so that the
chain is one query like any other. A chain that holds more than queries is several statements, one
of which reads the results of others: `links` tells them apart.
"""

from __future__ import annotations

from itertools import pairwise

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.control_plane import name_set
from proxy.sql.reading import at_or_near

_QUERIES = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.L_PAREN})
_OTHERS = name_set(
    """
    SHOW DESCRIBE DESC LIST LS CALL INSERT UPDATE DELETE MERGE CREATE ALTER DROP TRUNCATE BEGIN COMMIT
    ROLLBACK COPY USE SET EXECUTE EXPLAIN GRANT REVOKE UNDROP
    """
)
_BEFORE_A_SOURCE = frozenset({TokenType.FROM, TokenType.JOIN, TokenType.COMMA})


def _cut(tokens: list[Token]) -> list[list[Token]]:
    """The statements of a chain; one where there is no pipe."""
    pipes = [at for at in range(len(tokens) - 1) if _is_pipe(tokens, at)]
    return [tokens[start + 1 : end] for start, end in pairwise([-1, *pipes, len(tokens)])]


def links(
    text: str, tokens: list[Token]
) -> tuple[tuple[str, tuple[tuple[int, int, int], ...]], ...]:
    """The statements of a chain that holds more than queries, () for all others.

    Each is its text and where it reads from those before it: (start, end, how many back). Raises 42601
    for a `$n` that no statement before is.
    """
    pieces = _cut(tokens)
    if len(pieces) == 1 or all(piece and piece[0].token_type in _QUERIES for piece in pieces):
        return ()
    found = []
    for before, piece in enumerate(pieces):
        if not piece:
            raise at_or_near(text, tokens[-1])
        start = piece[0].start
        places = []
        for at in range(len(piece)):
            back = _reads(piece, at, piece[:at], before)
            if back:
                places.append((piece[at].start - start, piece[at + 1].end + 1 - start, back))
        found.append((text[start : piece[-1].end + 1], tuple(places)))
    return tuple(found)


def chained(tokens: list[Token]) -> list[Token]:
    """The tokens of a chain of queries as those of its last one; the same list where there is none.

    `->>` between a document and a key is no pipe. Raises 42601 for a `$n` that no query before is.
    """
    pieces = _cut(tokens)
    if len(pieces) == 1:
        return tokens
    made: list[list[Token]] = []
    for piece in pieces:
        made.append(_read(piece, made))
    return made[-1]


def _is_pipe(tokens: list[Token], at: int) -> bool:
    if tokens[at].token_type != TokenType.DARROW:
        return False
    after = tokens[at + 1]
    if after.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
        return False
    return after.token_type in (TokenType.SELECT, TokenType.WITH) or after.text.upper() in _OTHERS


def _reads(piece: list[Token], at: int, made: list[Token], before: int) -> int:
    """How many statements back the `$n` at `at` means, 0 for anything else. before: how many are."""
    token = piece[at]
    if token.token_type != TokenType.PARAMETER or at + 1 == len(piece) or not at:
        return 0
    follows = piece[at - 1].token_type in _BEFORE_A_SOURCE
    if not (follows and piece[at + 1].token_type == TokenType.NUMBER and _in_from(made)):
        return 0
    back = int(piece[at + 1].text)
    if not 1 <= back <= before:
        message = f"there is no statement ${back} before this one"
        raise SqlError("42601", message, position=token.start + 1)
    return back


def _read(piece: list[Token], before: list[list[Token]]) -> list[Token]:
    """A query with those in brackets that it reads from."""
    made: list[Token] = []
    at = 0
    while at < len(piece):
        token = piece[at]
        back = _reads(piece, at, made, len(before))
        if back:
            made.append(_bracket(token, TokenType.L_PAREN, "("))
            made.extend(before[-back])
            made.append(_bracket(token, TokenType.R_PAREN, ")"))
            at += 2
        else:
            made.append(token)
            at += 1
    return made


_CLAUSES = frozenset(
    {
        *(TokenType.FROM, TokenType.SELECT, TokenType.WHERE, TokenType.GROUP_BY),
        *(TokenType.ORDER_BY, TokenType.HAVING, TokenType.QUALIFY, TokenType.ON),
        *(TokenType.USING, TokenType.LIMIT),
    }
)


def _in_from(made: list[Token]) -> bool:
    """Whether what comes next is in a FROM, where a comma is between tables."""
    depth = 0
    for token in reversed(made):
        depth += (token.token_type == TokenType.R_PAREN) - (token.token_type == TokenType.L_PAREN)
        if depth < 0:
            return False
        if depth == 0 and token.token_type in _CLAUSES:
            return token.token_type == TokenType.FROM
        if depth == 0 and token.token_type == TokenType.JOIN:
            return True
    return False


def _bracket(place: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, place.line, place.col, place.start, place.end)
