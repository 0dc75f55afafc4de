"""`(a, b) IN (SELECT ...)`, where values may be NULL.

Why it exists: a row is not among others once each of them differs from it in some value, whatever is NULL
beside. DuckDB compares rows as a whole: one NULL among them, and it is unknown of every row that is not
found whether it is there, so that NOT IN gives none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

ROWS = "_hd_rows"
ONCE = (exp.AggFunc, exp.Window, exp.Query)  # what cannot stand within the subqueries
_CONDITIONS = (exp.Where, exp.Having, exp.Qualify, exp.Join)


Meant = Callable[[exp.EQ], object]
"""Makes of an equality what it is in the statement's dialect, in place."""


def among_rows(node: exp.In, meant: Meant = bool) -> exp.Expr | None:
    """What is meant by it; None for what DuckDB does so as it stands."""
    if not isinstance(node.this, exp.Tuple):
        return None
    query, rows = node.args.get("query"), node.expressions
    if len(rows) == 1 and isinstance(rows[0], exp.Values):
        rows = rows[0].expressions
    if rows and _are_rows(node.this, *rows):
        either = [exp.and_(*_equal(node.this, row.expressions, meant)) for row in rows]
        return exp.Paren(this=exp.or_(*either, copy=False))
    if query is None or _is_condition(node):
        return None
    return found_among(node.this, query, meant)


def found_among(row: exp.Expr, query: exp.Expr, meant: Meant = bool) -> exp.Expr | None:
    """Whether a row is among those of a query; None where that cannot be asked so."""
    asked = query.this if isinstance(query, exp.Subquery) else query
    if not isinstance(row, exp.Tuple) or not isinstance(asked, exp.Query):
        return None
    if row.find(*ONCE) is not None:
        return None
    names = [f"{ROWS}_{number}" for number in range(len(row.expressions))]
    columns: list[exp.Expr] = [exp.column(name) for name in names]

    def one(*conditions: exp.Expr) -> exp.Exists:
        named = [exp.to_identifier(name) for name in names]
        alias = exp.TableAlias(this=exp.to_identifier(ROWS), columns=named)
        rows = exp.Subquery(this=asked.copy(), alias=alias)
        where = exp.Where(this=exp.and_(*conditions, copy=False))
        number = exp.Literal.number(1)
        return exp.Exists(
            this=exp.Select(expressions=[number], from_=exp.From(this=rows), where=where)
        )

    def perhaps(of: Sequence[exp.Expr]) -> exp.Exists:
        nulls = [exp.Is(this=each.copy(), expression=exp.Null()) for each in of]
        false = [
            exp.Is(this=exp.Paren(this=each), expression=exp.false())
            for each in _equal(row, columns, meant)
        ]
        missing = exp.Paren(this=exp.or_(*nulls, copy=False))
        return one(missing, *(exp.Not(this=each) for each in false))

    found = exp.If(this=one(*_equal(row, columns, meant)), true=exp.true())
    unknown = exp.or_(perhaps(columns), perhaps(row.expressions), copy=False)
    ifs = [found, exp.If(this=unknown, true=exp.Null())]
    return exp.Paren(this=exp.Case(ifs=ifs, default=exp.false()))


def _equal(row: exp.Expr, values: Sequence[exp.Expr], meant: Meant) -> list[exp.Expr]:
    """Rows are equal where all their values are; one that is NULL leaves it open."""
    pairs = zip(row.expressions, values, strict=True)
    made = [exp.EQ(this=left.copy(), expression=right.copy()) for left, right in pairs]
    for each in made:
        meant(each)
    return list(made)


def _are_rows(*values: exp.Expr) -> bool:
    return all(isinstance(value, exp.Tuple) for value in values) and (
        len({len(value.expressions) for value in values}) == 1
    )


def _is_condition(node: exp.Expr) -> bool:
    """Whether it decides alone, or beside others by AND and OR, which rows there are: NULL is false there."""
    around = node.parent
    while isinstance(around, exp.And | exp.Or | exp.Paren):
        around = around.parent
    return isinstance(around, _CONDITIONS)
