"""RESULT_SCAN: which earlier statement's result a query reads, from its tokens."""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.compound import ResultScan


def _refused(token: Token, what: str) -> SqlError:
    hint = "Count back from the statement before: LAST_QUERY_ID(-1), LAST_QUERY_ID(-2)."
    return SqlError("0A000", f"{what} is not supported", hint=hint, position=token.start + 1)


def result_scan(text: str, start: int, end: int, found: list[Token]) -> ResultScan | None:
    """The RESULT_SCAN in a statement, `text[start:end]`; None without one.

    Of several it is the first. Raises 0A000 for what is not `TABLE(RESULT_SCAN(LAST_QUERY_ID(-n)))`.
    """
    places = [i for i, token in enumerate(found) if token.text.upper() == "RESULT_SCAN"]
    places = [
        i
        for i in places
        if found[i].token_type not in (TokenType.STRING, TokenType.IDENTIFIER)
        and i + 1 < len(found)
        and found[i + 1].token_type == TokenType.L_PAREN
    ]
    if not places:
        return None
    at = places[0]
    words = [token.text.upper() for token in found[at - 2 : at + 10]]
    if words[:2] != ["TABLE", "("] or words[3:6] != ["(", "LAST_QUERY_ID", "("]:
        raise _refused(found[at], "RESULT_SCAN of anything but LAST_QUERY_ID(-n)")
    if words[6:9] == [")", ")", ")"]:
        back, last = -1, at + 6
    elif words[6] == "-" and words[7].isdigit() and words[8:11] == [")", ")", ")"]:
        back, last = -int(words[7]), at + 8
    else:
        raise _refused(found[at], "RESULT_SCAN of anything but LAST_QUERY_ID(-n)")
    return ResultScan(
        text[start:end], found[at - 2].start - start, found[last].end + 1 - start, back
    )
