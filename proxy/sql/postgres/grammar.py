"""What sqlglot's reading of Postgres lets pass, and Postgres's grammar does not.

Why it exists: sqlglot skips empty places in lists (`select 1,,2`, `create table t (a int,)`) and
takes INTO for optional. A client that sends such a text has made a mistake, and must be told where,
as Postgres tells it: at the token that cannot stand there.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.sql.control_plane import name_set
from proxy.sql.reading import SyntaxFailure

_T = TokenType

_NEVER_FIRST = frozenset({_T.COMMA, _T.R_PAREN, _T.R_BRACKET, _T.SEMICOLON})
_LIST_STARTS = frozenset({_T.L_PAREN, _T.L_BRACKET})
_RESERVED = name_set(
    """
    AND AS ELSE END EXCEPT FETCH FOR FROM GROUP HAVING INTERSECT INTO LIMIT OFFSET ON OR ORDER
    RETURNING THEN UNION USING WHEN WHERE WINDOW
    """
)
"""Reserved in Postgres, and of no use at the beginning of a list's element."""
_LITERALS = frozenset({_T.IDENTIFIER, _T.STRING, _T.HEREDOC_STRING, _T.RAW_STRING, _T.BYTE_STRING})


def _word(token: Token) -> str:
    """The first word of a keyword's token (`group by` is one), '' of what is none."""
    return "" if token.token_type in _LITERALS else token.text.upper().partition(" ")[0]


def _unexpected(text: str, token: Token | None) -> SyntaxFailure:
    if token is None:
        return SyntaxFailure("syntax error at end of input", len(text))
    word = text[token.start : token.end + 1]
    if token.token_type not in _LITERALS:
        word = word.split(maxsplit=1)[0]
    return SyntaxFailure(f'syntax error at or near "{word}"', token.start)


def empty_place(text: str, tokens: list[Token]) -> SyntaxFailure | None:
    """The complaint about the first comma that has nothing before or after it."""
    for index, token in enumerate(tokens):
        if token.token_type != _T.COMMA:
            continue
        before = tokens[index - 1] if index else None
        if (
            before is None
            or before.token_type in _LIST_STARTS
            or _word(before) in ("SELECT", "VALUES")
        ):
            return _unexpected(text, token)
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if after is None or after.token_type in _NEVER_FIRST or _word(after) in _RESERVED:
            return _unexpected(text, after)
    return None


def without_into(text: str, tokens: list[Token], tree: exp.Expr) -> SyntaxFailure | None:
    """The complaint about `insert t ...`, at the top or in WITH."""
    inserts = sum(1 for node in tree.find_all(exp.Insert) if node.find_ancestor(exp.When) is None)
    places = [
        index
        for index, token in enumerate(tokens)
        if token.token_type == _T.INSERT and (index == 0 or tokens[index - 1].text in ("(", ")"))
    ]
    if len(places) != inserts:
        return None  # a column of that name is among them
    for index in places:
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if after is None or _word(after) != "INTO":
            return _unexpected(text, after)
    return None


def check(text: str, tokens: list[Token], tree: exp.Expr) -> None:
    """Raises SyntaxFailure (42601) for what only sqlglot can read."""
    failure = empty_place(text, tokens) or without_into(text, tokens, tree)
    if failure is not None:
        raise failure
