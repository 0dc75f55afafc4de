"""Parts of a statement in another form, once their types are known: averages, series, joined stars.

Why it exists: what `proxy.sql.postgres.typing` finds of another type or order in Postgres than in DuckDB
has to be written otherwise. Here is how, without any knowledge of how it was found.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.sql.inference.names import Scope
from proxy.sql.postgres.literals import cast
from proxy.sql.postgres.values import bytes_of, call, duck, is_text


def make_narrow(table: exp.Table) -> None:
    """generate_series() of integers in FROM gives integers: DuckDB's are wider."""
    alias = table.args.get("alias")
    name = "range" if table.this.args.get("is_end_exclusive") else "generate_series"
    columns = alias.columns if alias is not None else ()
    inner = table.copy()
    for key in ("alias", "joins", "laterals"):
        inner.set(key, None)
    value = cast(exp.column(name, quoted=True), "int4")
    named = exp.alias_(value, columns[0].name if columns else name, quoted=True)
    query = exp.Select(expressions=[named], from_=exp.From(this=inner))
    whole = exp.Subquery(this=query, alias=alias or exp.TableAlias(this=exp.to_identifier(name)))
    for key in ("joins", "laterals"):
        if table.args.get(key):
            whole.set(key, table.args[key])
    table.replace(whole)


def make_exact(average: exp.Avg) -> None:
    """avg of whole or numeric values is their sum divided by their count: DuckDB's is a float."""
    parts = [lambda value: exp.Sum(this=value), lambda value: exp.Count(this=value)]
    _replace_aggregate(average, "pg_average_", parts)


def add_intervals(total: exp.Sum) -> None:
    """sum of intervals is that of their months, of their days and of their microseconds."""

    def of(part: str) -> Callable[[exp.Expr], exp.Expr]:
        return lambda value: exp.Sum(this=call(f"pg_{part}_of_", value))

    _replace_aggregate(total, "pg_interval_of_", [of("months"), of("days"), of("micros")])


def join_bytes(joined: exp.GroupConcat) -> None:
    """string_agg of bytea: DuckDB's is of texts, so of the digits of the bytes."""
    inner = joined.this.this if isinstance(joined.this, exp.Order) else joined.this
    if isinstance(inner, exp.Distinct):
        values = [inner.expressions[0], *(one.this for one in joined.find_all(exp.Ordered))]
    else:
        values = [inner]
    for value in values:
        value.replace(duck("hex", value.copy()))
    mark = joined.args.get("separator")
    if is_text(mark):
        joined.set("separator", exp.Literal.string(bytes_of(mark).hex()))
    elif mark is not None:
        joined.set("separator", duck("hex", mark))
    outermost: exp.Expr = joined
    while isinstance(outermost.parent, exp.Filter | exp.Window) and outermost.arg_key == "this":
        outermost = outermost.parent
    outermost.replace(duck("unhex", outermost.copy()))


def _replace_aggregate(
    node: exp.AggFunc, macro: str, parts: list[Callable[[exp.Expr], exp.Expr]]
) -> None:
    """A macro over several aggregates in the place of one, each with its FILTER and its OVER."""
    outermost: exp.Expr = node
    while isinstance(outermost.parent, exp.Filter | exp.Window):
        if outermost.arg_key != "this":
            break
        outermost = outermost.parent
    parent, key, index = outermost.parent, outermost.arg_key, outermost.index
    made = []
    for part in parts:
        whole = outermost.copy()
        place = whole if isinstance(whole, type(node)) else whole.find(type(node))
        assert place is not None
        one = part(place.this)
        if place is whole:
            whole = one
        else:
            place.replace(one)
        made.append(whole)
    if parent is not None and key is not None:
        parent.set(key, call(macro, *made), index=index)


def interpolate(percentile: exp.PercentileCont) -> None:
    """percentile_cont of numerics is a float: DuckDB's has as many digits as they have."""
    percentile.set("this", cast(percentile.this, "float8"))
    for ordered in percentile.find_all(exp.Ordered):
        ordered.set("this", cast(ordered.this, "float8"))


def unite_with_default(shifted: exp.Lag | exp.Lead) -> None:
    """lag(x, n, y) is of the type of both: DuckDB would cast y to that of x."""
    other = shifted.args["default"].copy()
    shifted.set("this", exp.Case(ifs=[exp.If(this=exp.true(), true=shifted.this)], default=other))


def spell_out(star: exp.Star, scope: Scope) -> bool:
    """`*` over JOIN ... USING begins with the columns that are one; DuckDB leaves them in place."""
    select = star.parent
    joins = select.args.get("joins") or () if isinstance(select, exp.Select) else ()
    sources = scope.sources
    known = len(sources) == len(joins) + 1 and len({one.name for one in sources}) == len(sources)
    if not known or any(one.columns is None or not one.name for one in sources):
        return False
    found = [(column.name, sources[0].name) for column in sources[0].columns or ()]
    for join, source in zip(joins, sources[1:], strict=True):
        if join.kind in ("SEMI", "ANTI") or join.args.get("method") == "ASOF":
            return False
        right = [column.name for column in source.columns or ()]
        names = [column.name.lower() for column in join.args.get("using") or ()]
        if join.args.get("method") == "NATURAL":
            names = [name for name, _ in found if name in right]
        found = [(name, "") for name in names] + [one for one in found if one[0] not in names]
        found += [(name, source.name) for name in right if name not in names]
    columns = [exp.column(name, table or None, quoted=True) for name, table in found]
    at = next(i for i, one in enumerate(select.expressions) if one is star)
    expressions = [*select.expressions[:at], *columns, *select.expressions[at + 1 :]]
    select.set("expressions", expressions)
    return True
