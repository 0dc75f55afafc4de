"""Aliases of a SELECT that DuckDB does not know where Snowflake does, spelled out.

Why it exists: Snowflake lets the other expressions of a SELECT name an alias anywhere. DuckDB knows it in
most places, but not within aggregates, nor in what an alias in GROUP BY stands for, nor where the expression
may raise an error. A column of that name comes first, in both: so an alias is spelled out only once
DuckDB has said that there is no such column.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import DUCKDB, write_duckdb

_IN_GROUP_BY = "aliases cannot be used as part of an expression in the GROUP BY"


_SIDE_EFFECTS = "referenced - but the expression has side effects"
VOLATILE = frozenset(
    {"random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "nextval", "currval", "setseed"}
)
"""Functions of DuckDB's that give something else each time that they are written."""


def complained_of(sqlstate: str, message: str) -> str:
    """The name that an error of DuckDB's is about, if it may be such an alias; '' otherwise."""
    wordings = (_IN_GROUP_BY, _SIDE_EFFECTS)
    if sqlstate != "42703" and not any(wording in message for wording in wordings):
        return ""
    return message.partition('"')[2].partition('"')[0]


@lru_cache(maxsize=256)
def spelled_out(sql: str, name: str, volatile: frozenset[str]) -> str | None:
    """DuckDB's SQL with the expression of the alias `name` in its place; None where there is none.

    volatile: names, in lower case, of what may not be written twice. On the loop's thread. GROUP BY and ORDER BY keep the names that stand there alone.
    """
    try:
        tree = DUCKDB.parse(sql, DUCKDB.tokenize(sql))
    except SqlError:
        return None
    changed = False
    for select in list(tree.find_all(exp.Select)):
        meant = [
            one
            for one in select.expressions
            if isinstance(one, exp.Alias) and one.alias.lower() == name.lower()
        ]
        if len(meant) != 1 or _mentions(meant[0], volatile):
            continue
        for column in _uses(select, meant[0]):
            column.replace(exp.Paren(this=meant[0].this.copy()))
            changed = True
    try:
        return write_duckdb(tree) if changed else None
    except SqlError:
        return None


def _mentions(alias: exp.Alias, names: Collection[str]) -> bool:
    tokens = DUCKDB.tokenize(write_duckdb(alias.this.copy()))
    return any(token.text.casefold() in names for token in tokens)


def _stands_alone(column: exp.Column, select: exp.Select) -> bool:
    """Whether GROUP BY or ORDER BY of the SELECT has the name as an item."""
    item = column.parent if isinstance(column.parent, exp.Ordered) else column
    clause = item.parent
    return isinstance(clause, (exp.Group, exp.Order)) and clause.parent is select


def _above(node: exp.Expr | None) -> Iterator[exp.Expr]:
    while node is not None:
        yield node
        node = node.parent


def _uses(select: exp.Select, alias: exp.Alias) -> list[exp.Column]:
    """Where a SELECT names an alias within an expression: in what comes behind it."""
    name = alias.alias.lower()
    before = {id(one) for one in select.expressions[: alias.index or 0]}
    return [
        column
        for column in list(select.find_all(exp.Column))
        if column.name.lower() == name
        and not column.table
        and column.find_ancestor(exp.Select, exp.From, exp.Join, exp.Lateral) is select
        and not any(one is alias or id(one) in before for one in _above(column))
        and not _stands_alone(column, select)
    ]
