"""hatidata_context and hatidata_rag_context: what the agents' SDK asks a table for, as queries.

`hatidata_context('t', 'some words', n)` gives the n rows of a table in which most of the words occur, in
any column; rows without any are left out. `hatidata_rag_context('t', 'column', [...], n)` gives the n
rows whose embedding is most like a vector, by the cosine of the angle between them. Both stand in FROM
and are replaced there by a query over the table, before it is routed: names, rights and
transactions are the table's.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.listing import Listing
from proxy.sql.reading import DUCKDB, position_of

_WORDS, _VECTOR = "hatidata_context", "hatidata_rag_context"
_ARGUMENTS = {_WORDS: (2, 3), _VECTOR: (3, 4)}
_NAMES = frozenset(map(str.upper, _ARGUMENTS))
_ROWS = 10


def put_context_queries(nodes: Listing) -> bool:
    """Puts queries in the places of both functions; whether there was one. Raises SqlError."""
    found = False
    if _NAMES.isdisjoint(nodes.called()):
        return found
    for call in nodes.of(exp.Anonymous):
        node, name = call.parent, call.args["this"]
        if node.__class__ is not exp.Table or node.this is not call or not isinstance(name, str):
            continue
        if name.lower() in _ARGUMENTS and not node.args.get("db"):
            node.replace(_query(node, call, name.lower()))
            found = True
    return found


def _query(place: exp.Table, call: exp.Anonymous, name: str) -> exp.Expr:
    given = call.expressions
    least, most = _ARGUMENTS[name]
    if not least <= len(given) <= most:
        message = f"function {name} takes {least} or {most} arguments, not {len(given)}"
        raise SqlError("42883", message, position=position_of(call))
    rows = given[most - 1] if len(given) == most else exp.Literal.number(_ROWS)
    query = exp.select("*").from_(_table(given[0], name))
    if name == _WORDS:
        every = exp.Columns(this=exp.Star(), unpack=True)
        said = exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string(" "), every])
        score = exp.Anonymous(this="_sf.common_words_", expressions=[said, given[1]])
        query = query.where(exp.GT(this=score.copy(), expression=exp.Literal.number(0)))
    else:
        column = exp.Column(this=exp.Identifier(this=_text(given[1], name), quoted=True))
        score = exp.Anonymous(this="_sf.likeness_", expressions=[column, given[2]])
    order = exp.Ordered(this=score, desc=True, nulls_first=False)
    query = query.order_by(order).limit(rows)
    alias = place.args.get("alias") or exp.TableAlias(this=exp.Identifier(this=name))
    return exp.Subquery(this=query, alias=alias)


def _text(given: exp.Expr, name: str) -> str:
    if not isinstance(given, exp.Literal) or not given.is_string:
        message = f"{name} with names that are not string constants is not supported"
        raise SqlError("0A000", message, position=position_of(given))
    return given.this


def _table(given: exp.Expr, name: str) -> exp.Table:
    parts = [
        exp.Identifier(
            this=token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower(),
            quoted=True,
        )
        for token in DUCKDB.tokenize(_text(given, name))
        if token.token_type != TokenType.DOT
    ]
    if not 1 <= len(parts) <= 3:
        raise SqlError("42602", f"{name}: no table's name", position=position_of(given))
    places = dict(zip(("this", "db", "catalog"), reversed(parts), strict=False))
    return exp.Table(**places)
