"""`SELECT ... FROM TABLE(procedure(...))`: a procedure that returns a table, as a source.

Why it exists: to the planner such a call is that of a table function; which it is, only the catalog
knows. So when DuckDB knows no function of the name, and there is a procedure, the query becomes the
chain `CALL procedure(...) ->> SELECT ... FROM $1`, which keeps the rows of each call in a table.

Promises: only queries; a procedure that returns no table is refused by name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot.tokens import Token, TokenType

from proxy.engines.duck.errors import EngineError
from proxy.errors import SqlError
from proxy.sql.compound import Call, Chain
from proxy.sql.functions import routines
from proxy.sql.reading import SNOWFLAKE
from proxy.sql.snowflake.spelling import close_of
from proxy.sql.statement import Route, Statement
from proxy.sql.words import Words

if TYPE_CHECKING:
    from proxy.session.session import Session


async def called_first(session: Session, plan: Statement, error: EngineError) -> Statement | None:
    """The query with its procedures called first; None where it has none.

    error: DuckDB's refusal of the query. Raises SqlError 42809 for a procedure that returns no table.
    """
    if error.sqlstate != "42883" or plan.kind != "SELECT" or "TABLE" not in plan.text.upper():
        return None
    calls: list[str] = []
    places: list[tuple[int, int, int]] = []
    for start, end, text, call in _calls(plan.text):
        try:
            definition = await session.compound.routines.definition(call)
        except SqlError:
            continue
        if definition["returns"] != "TABLE":
            message = f'procedure "{call.name[-1]}" does not return a table'
            raise SqlError("42809", message, hint="CALL it.")
        calls.append(f"CALL {text}")
        places.append((start, end, 0))
    if not calls:
        return None
    back = [(start, end, len(calls) - at) for at, (start, end, _) in enumerate(places)]
    links = (*((call, ()) for call in calls), (plan.text, tuple(back)))
    return replace(plan, route=Route.SESSION, action=Chain(links), sql="", tag="CALL")


def _calls(text: str) -> list[tuple[int, int, str, Call]]:
    """Where `TABLE(name(...))` stands, the text in its brackets, and that as a CALL."""
    tokens = SNOWFLAKE.tokenize(text)
    found = []
    for at in range(len(tokens) - 3):
        if tokens[at].text.upper() != "TABLE" or tokens[at + 1].token_type != TokenType.L_PAREN:
            continue
        close = close_of(tokens, at + 1)
        inner = tokens[at + 2 : close]
        if (call := _call(text, inner)) is not None:
            said = text[inner[0].start : inner[-1].end + 1]
            found.append((tokens[at].start, tokens[close].end + 1, said, call))
    return found


def _call(text: str, tokens: list[Token]) -> Call | None:
    if not tokens:
        return None
    first = tokens[0]
    verb = Token(TokenType.VAR, "CALL", first.line, first.col, first.start, first.end)
    try:
        read = routines.call(Words(text, [verb, *tokens]))
    except SqlError:
        return None
    return read[1] if read is not None and isinstance(read[1], Call) else None
