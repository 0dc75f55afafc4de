"""RESULT_SCAN: which earlier statement's result a query reads, from its tokens."""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.compound import ResultScan
from proxy.sql.statement import Variable


def _refused(token: Token, what: str) -> SqlError:
    hint = "Count back from the statement before: LAST_QUERY_ID(-1), LAST_QUERY_ID(-2)."
    return SqlError("0A000", f"{what} is not supported", hint=hint, position=token.start + 1)


def result_scan(
    text: str, start: int, end: int, found: list[Token], variables: tuple[Variable, ...] = ()
) -> ResultScan | None:
    """The RESULT_SCAN in a statement, `text[start:end]`; None without one.

    Of several it is the first. variables: the session's, one of which may hold a query's id. Raises
    0A000 for what is not TABLE(RESULT_SCAN(...)) of a number, an id or LAST_QUERY_ID(n).
    """
    at = next((i for i in range(len(found) - 1) if _is_scan(found, i)), None)
    if at is None:
        return None
    if [token.text.upper() for token in found[max(at - 2, 0) : at]] != ["TABLE", "("]:
        raise _refused(found[at], "RESULT_SCAN outside TABLE(...)")
    close = _closing(found, at + 1)
    asked = found[at + 2 : close]
    if [token.text.upper() for token in asked[:2]] == ["LAST_QUERY_ID", "("]:
        asked = asked[2:-1]
    ident = _ident(asked, variables)
    back = 0 if ident is not None else _number(asked)
    if back is None or close + 1 >= len(found):
        raise _refused(found[at], "RESULT_SCAN of anything but LAST_QUERY_ID(-n) and an id")
    first, last = found[at - 2].start - start, found[close + 1].end + 1 - start
    return ResultScan(text[start:end], first, last, back, ident)


def _is_scan(found: list[Token], at: int) -> bool:
    quoted = found[at].token_type in (TokenType.STRING, TokenType.IDENTIFIER)
    named = found[at].text.upper() == "RESULT_SCAN" and not quoted
    return named and found[at + 1].token_type == TokenType.L_PAREN


def _closing(found: list[Token], at: int) -> int:
    """Where the bracket closes that opens at `at`."""
    depth = 0
    for index in range(at, len(found)):
        kind = found[index].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if not depth:
            return index
    return len(found)


def _ident(asked: list[Token], variables: tuple[Variable, ...]) -> str | None:
    """The query id that a string or a session variable is."""
    if len(asked) == 1 and asked[0].token_type == TokenType.STRING:
        return asked[0].text
    if len(asked) == 2 and asked[0].token_type == TokenType.PARAMETER:
        name = asked[1].text.lower()
        return next((value for one, _, value in variables if one == name), None)
    return None


def _number(asked: list[Token]) -> int | None:
    """-n counts back from the statement before, n from the session's first."""
    signs = [token.text for token in asked]
    if not signs:
        return -1
    sign, digits = signs[:-1], signs[-1]
    if sign not in ([], ["-"]) or not digits.isdigit() or not int(digits):
        return None
    return -int(digits) if sign else int(digits)
