"""Arrays as Postgres's clients write them: `= ANY(array)`, `unnest` of several side by side.

Why it exists: drivers pass lists as arrays, and DuckDB reads both constructs otherwise: of an array
that is NULL `= ANY` is false there and `<> ALL` true, and UNNEST in FROM takes one list.
"""

from __future__ import annotations

from sqlglot import exp

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


def any_of(node: exp.Any) -> None:
    """`x = ANY(array)` is NULL of an array that is NULL."""
    brackets = node.this
    if isinstance(node.parent, _COMPARISONS) and isinstance(brackets, exp.Paren):
        brackets.set("this", _null_in_array(brackets.this))


def all_of(arguments: list[exp.Expr]) -> exp.Expr:
    """As ANY; the parser takes ALL of an array for a function."""
    return exp.Anonymous(this="ALL", expressions=list(map(_null_in_array, arguments)))


def _null_in_array(array: exp.Expr) -> exp.Expr:
    """The array, `[NULL]` if there is none: compared with that, everything is NULL."""
    if isinstance(array, exp.Query | exp.Array):
        return array
    nothing = exp.Array(expressions=[exp.Null()])
    return exp.Coalesce(this=array, expressions=[nothing])


def unnest_together(unnest: exp.Unnest) -> exp.Expr | None:
    """Several arrays side by side, which DuckDB's UNNEST takes in a select list only."""
    if len(unnest.expressions) < 2 or unnest.args.get("offset"):
        return None
    alias = unnest.args.get("alias")
    named = alias.columns if alias is not None else []
    columns = [
        exp.Alias(
            this=exp.Anonymous(this="unnest", expressions=[array]),
            alias=named[index] if index < len(named) else exp.Identifier(this="unnest"),
        )
        for index, array in enumerate(unnest.expressions)
    ]
    name = alias.this if alias is not None and alias.this else exp.Identifier(this="unnest")
    return exp.Subquery(
        this=exp.Select(expressions=columns),
        alias=exp.TableAlias(this=name),
        joins=unnest.args.get("joins"),
    )
