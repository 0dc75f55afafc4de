"""LIMIT and OFFSET of a query within a query, where they are no constants.

Why it exists: mappers write `LATERAL (SELECT ... LIMIT $1)` for the rows that go with each row. DuckDB joins
such a query with the one around it, so its LIMIT would be another one for each row there: it takes numbers
alone. Once it has said so, the rows are numbered in the query's order, and those with the numbers that
LIMIT and OFFSET leave are kept.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.reading import write_duckdb

REFUSALS = (
    "Non-constant limit not supported in correlated subquery",
    "Non-constant offset not supported in correlated subquery",
    "Correlated columns not supported in LIMIT/OFFSET",
)


def with_numbered_rows(tree: exp.Expr) -> str | None:
    """DuckDB's SQL with such limits of its inner queries written otherwise; None where none could be.

    tree: DuckDB's, changed in place.
    """
    found = [query for query in tree.find_all(exp.Select, exp.SetOperation) if _is_meant(query)]
    numbered = [_number(query) for query in reversed(found)]  # inner ones first
    return write_duckdb(tree) if any(numbered) else None


def _is_meant(query: exp.Query) -> bool:
    counts = _counts(query)
    return (
        query.parent_select is not None
        and not all(_is_constant(count) for count in counts)
        and all(_may_be_repeated(count) for count in counts)
    )


def _counts(query: exp.Query) -> list[exp.Expr]:
    """What LIMIT and OFFSET say, NULL for what is not there."""
    limit, offset = query.args.get("limit"), query.args.get("offset")
    said = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit and limit.expression
    return [said or exp.Null(), offset.expression if offset is not None else exp.Null()]


def _is_constant(count: exp.Expr) -> bool:
    inner = count.this if isinstance(count, exp.Cast) else count
    return isinstance(inner, (exp.Literal, exp.Null))


def _may_be_repeated(count: exp.Expr) -> bool:
    """Whether it is the same for each row: no function is called that might be volatile."""
    return all(isinstance(call, _STEADY) for call in count.find_all(exp.Func))


_STEADY = (exp.Cast, exp.Case, exp.If, exp.Coalesce, exp.Greatest, exp.Least)


def _number(query: exp.Query) -> bool:
    """Numbers the rows of a query, in place; False where its order cannot be told of them."""
    limit, offset = _counts(query)
    apart = not isinstance(query, exp.Select) or _hides_its_rows(query)
    order = _order(query, apart=apart)
    if order is None:
        return False
    keys = [exp.Order(expressions=[key.copy() for key in order])] if order else []
    numbers = exp.Window(this=exp.RowNumber(), order=keys[0].copy() if keys else None)
    counts = [exp.Cast(this=one.copy(), to=exp.DataType.build("bigint")) for one in (limit, offset)]
    kept = exp.Anonymous(this="_sf.main.within_limit_", expressions=[numbers, *counts])
    for key in ("limit", "offset"):
        query.set(key, None)
    if not apart:
        query.set("qualify", exp.Qualify(this=kept))
        return True
    query.set("order", None)
    around = exp.Select(expressions=[exp.Star()], qualify=exp.Qualify(this=kept))
    around.set("order", keys[0] if keys else None)
    query.replace(around)
    alias = exp.TableAlias(this=exp.to_identifier("numbered", quoted=True))
    around.set("from_", exp.From(this=exp.Subquery(this=query, alias=alias)))
    return True


def _hides_its_rows(select: exp.Select) -> bool:
    """Whether its rows are not yet those of its result where QUALIFY looks at them."""
    if any(select.args.get(key) for key in ("distinct", "qualify", "windows")):
        return True
    return any(part.find(exp.Window, exp.Unnest, exp.Explode) for part in select.expressions)


def _order(query: exp.Query, *, apart: bool) -> list[exp.Expr] | None:
    """The ORDER BY of a query without the short names that stand for its outputs.

    apart: as what reads its result sees it. None where that cannot be said.
    """
    order = query.args.get("order")
    found: list[exp.Expr] = []
    outputs = query.selects
    for item in order.expressions if order is not None else ():
        key = item.copy()
        place = _output(key.this, outputs)
        if place is None and (apart or isinstance(key.this, exp.Literal)):
            return None
        if place is not None:
            name = outputs[place].alias_or_name
            alone = [one.alias_or_name.lower() for one in outputs].count(name.lower()) == 1
            if apart and not (name and alone):
                return None
            own = exp.column(exp.to_identifier(name, quoted=True))
            key.set("this", own if apart else outputs[place].unalias().copy())
        found.append(key)
    return found


def _output(key: exp.Expr, outputs: list[exp.Expr]) -> int | None:
    """Which output of a query an item of its ORDER BY is; None for one that is none."""
    if any(one.is_star for one in outputs):
        return None
    if isinstance(key, exp.Literal) and key.name.isdigit():
        return int(key.name) - 1 if 0 < int(key.name) <= len(outputs) else None
    for place, one in enumerate(outputs):
        bare = isinstance(key, exp.Column) and not key.table
        if bare and one.alias_or_name.lower() == key.name.lower():
            return place
        if one.unalias() == key:
            return place
    return None
