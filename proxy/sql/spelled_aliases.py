"""Aliases of a SELECT that DuckDB does not know where Snowflake does, spelled out.

Why it exists: Snowflake lets the other expressions of a SELECT name an alias anywhere. DuckDB knows it in
most places, but not within aggregates, nor in what an alias in GROUP BY stands for, nor where the
expression may raise an error or has a subquery. A column of that name comes first, in both: so an alias is spelled out
only once DuckDB has said that there is no such column.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.control_plane import name_set
from proxy.sql.federated import OPENINGS
from proxy.sql.reading import DUCKDB

_WORDINGS = (
    "aliases cannot be used as part of an expression in the GROUP BY",
    "referenced - but the expression has side effects",
    "referenced in a SELECT clause - but the expression has a subquery",
)
VOLATILE = name_set("random uuid uuidv4 uuidv7 gen_random_uuid nextval currval lastval setseed")
"""Functions of DuckDB's that give something else each time that they are written."""


def complained_of(sqlstate: str, message: str) -> str:
    """The name that an error of DuckDB's is about, if it may be such an alias; '' otherwise."""
    if sqlstate != "42703" and not any(wording in message for wording in _WORDINGS):
        return ""
    return message.partition('"')[2].partition('"')[0]


@lru_cache(maxsize=256)
def spelled_out(sql: str, name: str, volatile: frozenset[str]) -> str | None:
    """DuckDB's SQL with the expression of the alias `name` in its place; None where there is none.

    volatile: names, in lower case, of what may not be written twice. GROUP BY and ORDER BY keep the
    names that stand there alone. The rest of the text stays as it is. On the loop's thread.
    """
    begun = next((words for words in OPENINGS if sql.startswith(words)), "")
    text = sql[len(begun) :]
    try:
        tokens = DUCKDB.tokenize(text)
        tree = DUCKDB.parse(text, tokens)
    except SqlError:
        return None
    places = {token.start: index for index, token in enumerate(tokens)}
    edits: list[tuple[int, int, str]] = []
    for select in tree.find_all(exp.Select):
        meant = [
            one
            for one in select.expressions
            if isinstance(one, exp.Alias) and one.alias.lower() == name.lower()
        ]
        at = places.get(_start(meant[0].args["alias"])) if len(meant) == 1 else None
        held = _expression(tokens, at) if at is not None else []
        if not held or any(token.text.casefold() in volatile for token in held):
            continue
        spelled = f"({text[held[0].start : held[-1].end + 1]})"
        for column in _uses(select, meant[0]):
            use = places.get(_start(column.this))
            if use is None:
                return None
            edits.append((tokens[use].start, tokens[use].end + 1, spelled))
    for start, end, spelled in sorted(edits, reverse=True):
        text = text[:start] + spelled + text[end:]
    return begun + text if edits else None


def _start(identifier: exp.Expr) -> int:
    return (identifier._meta or {}).get("start", -1)


_OPENING = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE)
_CLOSING = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE)
_BOUNDARY = (TokenType.COMMA, TokenType.SELECT, TokenType.DISTINCT)


def _expression(tokens: list[Token], alias: int) -> list[Token]:
    """The tokens of the expression that the token at `alias` names; [] for DISTINCT ON's first."""
    end = alias - 1 if tokens[alias - 1].token_type == TokenType.ALIAS else alias
    depth = 0
    for at in range(end - 1, -1, -1):
        kind = tokens[at].token_type
        depth += (kind in _CLOSING) - (kind in _OPENING)
        if depth == 0 and kind in _BOUNDARY:
            return [] if tokens[at + 1].token_type == TokenType.ON else tokens[at + 1 : end]
    return []


def _uses(select: exp.Select, alias: exp.Alias) -> list[exp.Column]:
    """Where a SELECT names an alias within an expression: in what comes behind it."""
    name = alias.alias.lower()
    before = {id(one) for one in select.expressions[: alias.index or 0]}
    return [
        column
        for column in select.find_all(exp.Column)
        if column.name.lower() == name
        and not column.table
        and _query_of(column) is select
        and not any(one is alias or id(one) in before for one in _above(column))
        and not _stands_alone(column, select)
    ]


def _query_of(column: exp.Column) -> exp.Expr | None:
    """The SELECT that a column stands in, with the conditions of its joins, not with its sources."""
    below: exp.Expr = column
    for node in _above(column.parent):
        if isinstance(node, exp.Select):
            return node
        if isinstance(node, (exp.From, exp.Lateral)):
            return None
        if isinstance(node, exp.Join) and below.arg_key != "on":
            return None
        below = node
    return None


def _above(node: exp.Expr | None) -> Iterator[exp.Expr]:
    while node is not None:
        yield node
        node = node.parent


def _stands_alone(column: exp.Column, select: exp.Select) -> bool:
    """Whether GROUP BY or ORDER BY of the SELECT has the name as an item."""
    item = column.parent if isinstance(column.parent, exp.Ordered) else column
    clause = item.parent
    return isinstance(clause, (exp.Group, exp.Order)) and clause.parent is select
