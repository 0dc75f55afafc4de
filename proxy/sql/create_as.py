"""CREATE TABLE AS, where its rows are those of no query: WITH NO DATA, and EXECUTE.

DuckDB's grammar knows the first, sqlglot's writer does not; neither can make a table of a prepared
statement, which is the session's own.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.sql.classify import Slice
from proxy.sql.session_actions import CreateAsExecute, Execute
from proxy.sql.utility import PARSERS, Utility
from proxy.sql.words import Words


def without_rows(tree: exp.Create) -> bool:
    """Takes WITH [NO] DATA away; True where the table is to be empty, and its query then is."""
    properties = tree.args.get("properties")
    found = properties.find(exp.WithDataProperty) if properties is not None else None
    query = tree.expression
    if found is None or not isinstance(query, exp.Query):
        return False
    found.pop()
    if not properties.expressions:
        tree.set("properties", None)
    if not found.args.get("no"):
        return False
    inner = query if isinstance(query, exp.Subquery) else exp.Subquery(this=query)
    none = exp.Limit(expression=exp.Literal.number(0))
    all_of_it = exp.Select(expressions=[exp.Star()], from_=exp.From(this=inner), limit=none)
    tree.set("expression", all_of_it)
    return True


def executed_in(text: str, piece: Slice, tree: exp.Create) -> Utility | None:
    """`CREATE TABLE ... AS EXECUTE ...`; None for everything else. Raises 42601."""
    properties = tree.args.get("properties")
    if properties is None or properties.find(exp.ExecuteAsProperty) is None:
        return None
    tokens = piece.tokens
    at = next(
        index
        for index, token in enumerate(tokens)
        if token.text.upper() == "EXECUTE" and tokens[index - 1].token_type == TokenType.ALIAS
    )
    executed = PARSERS["EXECUTE"](Words(text, tokens[at:]))
    assert isinstance(executed.action, Execute)
    head = text[piece.start : tokens[at].start]
    kind = "CREATE TABLE AS"
    return Utility(kind, "SELECT", CreateAsExecute(head, executed.action))
