"""Queries that read themselves: what their recursive term gives must fit what their anchor gave.

Why it exists: the anchor has the types of a recursive query's columns. DuckDB casts what the recursive
term gives to them, and would round `x * 0.5` to a whole number without a word. Snowflake wants one type
in both terms. So a value that has more digits than the anchor's, or a time beside a date, is refused
when it turns up. Whole numbers that the anchor spells out are of 64 bits, so that they can grow.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.sql.snowflake.registry import cast, sf


def fit(query: exp.CTE) -> None:
    """Wraps the values of the recursive term of a query of WITH RECURSIVE, in place."""
    union = query.this
    if not isinstance(union, exp.Union):
        return
    anchor, term = union.this, union.expression
    if not isinstance(anchor, exp.Select) or not isinstance(term, exp.Select):
        return
    name = query.alias.lower()
    source = _source(term, name)
    if source is None:
        return
    for projection in anchor.expressions:
        value = projection.unalias()
        if isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit():
            _put(value, lambda literal: cast(literal, exp.DType.BIGINT))
    columns = [column.name for column in query.args["alias"].columns]
    columns = columns or [one.alias_or_name for one in anchor.expressions]
    if len(columns) != len(term.expressions) or any(one.is_star for one in term.expressions):
        return
    for column, projection in zip(columns, term.expressions, strict=True):
        value = projection.unalias()
        if not column or _is_own(value, source, column):
            continue
        named = exp.column(exp.to_identifier(column, quoted=False), table=source)
        _put(value, lambda given, beside=named: sf("recursive_", given, beside))


def _put(value: exp.Expr, around: Callable[[exp.Expr], exp.Expr]) -> None:
    """Puts a call around a value; the value itself stays, since rules are yet to look at it."""
    parent, key, index = value.parent, value.arg_key, value.index
    assert parent is not None
    assert key is not None
    parent.set(key, around(value), index=index)


def _source(term: exp.Select, name: str) -> str | None:
    """What the query is called where its recursive term reads it; None where it does not."""
    clauses = [term.args.get("from_"), *(term.args.get("joins") or ())]
    for clause in clauses:
        table = clause.this if clause is not None else None
        if isinstance(table, exp.Table) and not table.db and table.name.lower() == name:
            return table.alias_or_name
    return None


def _is_own(value: exp.Expr, source: str, column: str) -> bool:
    """Whether a value is the query's own column, or has no digits to lose."""
    if isinstance(value, exp.Column):
        table = value.table.lower()
        return value.name.lower() == column.lower() and table in ("", source.lower())
    return isinstance(value, (exp.Literal, exp.Null)) and "." not in value.name
