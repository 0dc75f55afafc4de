"""SET of UPDATE, MERGE and ON CONFLICT DO UPDATE, in the forms that DuckDB does not take.

Why it exists: `SET column = DEFAULT` is read as a column of that name; DuckDB assigns neither a row that
a query gives (`SET (a, b) = (SELECT ...)`) nor an element of an array (`SET a[1] = 2`).
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.changes.written_columns import is_default
from proxy.sql.postgres.row_comparisons import row_of
from proxy.sql.postgres.values import call, refused
from proxy.sql.reading import position_of
from proxy.sql.spelled_aliases import VOLATILE

_ROW = "_hd_set"
_CHOOSING = ("limit", "offset", "fetch")


def update(node: exp.Update | exp.OnConflict) -> None:
    """The assignments, as DuckDB takes them."""
    made = [each for one in node.expressions for each in _plain(one)]
    node.set("expressions", made)
    name_defaults(made)


def name_defaults(assignments: list[exp.Expr]) -> None:
    """DEFAULT is a word, and no column of that name."""
    for one in assignments:
        value = one.expression if isinstance(one, exp.EQ) else None
        for item in value.expressions if isinstance(value, exp.Tuple) else [value]:
            if isinstance(item, exp.Column) and is_default(item):
                item.replace(exp.Var(this="DEFAULT"))


def _plain(one: exp.Expr) -> Iterator[exp.Expr]:
    to = one.this if isinstance(one, exp.EQ) else None
    if isinstance(to, (exp.Tuple, exp.Paren)):
        names = to.expressions if isinstance(to, exp.Tuple) else [to.this]
        yield from _several(one, names)
    elif isinstance(to, exp.Bracket):
        yield _element(to, one.expression)
    elif to is not None and not isinstance(to, exp.Column):  # a subscript that is a text
        raise refused("SET of a member", one, "Set the whole value: jsonb_set(j, '{a}', v).")
    else:
        yield one


def _several(one: exp.EQ, names: list[exp.Expr]) -> Iterator[exp.Expr]:
    """SET (a, b) = (1, 2) or (SELECT ...): each column has its own assignment."""
    value = one.expression
    query = value.this if isinstance(value, exp.Subquery) else None
    if isinstance(query, exp.Query):
        yield from _from_query(query, names)
        return
    items = row_of(value)
    if items is None and len(names) == 1:
        items = [value]
    if items is None:
        raise refused("SET (...) = of such a row", one, "Write out the row's values.")
    _same_number(names, items, one)
    for name, item in zip(names, items, strict=True):
        yield exp.EQ(this=name, expression=item)


def _same_number(names: list[exp.Expr], values: list[exp.Expr], at: exp.Expr) -> None:
    if len(names) != len(values):
        message = "number of columns does not match number of values"
        raise SqlError("42601", message, position=position_of(at))


def _from_query(query: exp.Query, names: list[exp.Expr]) -> Iterator[exp.Expr]:
    """Each column asks for the row again, and must be given the same one."""
    select = query if isinstance(query, exp.Select) else None
    if select is not None and not select.is_star:
        _same_number(names, select.expressions, query)
    for called in query.find_all(exp.Func):
        spelled = [called.name] if isinstance(called, exp.Anonymous) else called.sql_names()
        if any(one.casefold() in VOLATILE for one in spelled):
            hint = "Call it in a query of FROM."
            raise refused("SET (...) = (SELECT ...) that calls a volatile function", query, hint)
    if any(query.args.get(key) for key in _CHOOSING) or query.args.get("distinct"):
        order = query.args.get("order") or exp.Order(expressions=[])
        for place in range(1, len(names) + 1):
            by = exp.Ordered(this=exp.Literal.number(place), nulls_first=False)
            order.append("expressions", by)
        query.set("order", order)
    columns = [exp.to_identifier(f"{_ROW}_{number}") for number in range(len(names))]
    for name, column in zip(names, columns, strict=True):
        alias = exp.TableAlias(this=exp.to_identifier(_ROW), columns=[c.copy() for c in columns])
        rows = exp.From(this=exp.Subquery(this=query.copy(), alias=alias))
        value = exp.column(column.copy(), exp.to_identifier(_ROW))
        asked = exp.Subquery(this=exp.Select(expressions=[value], from_=rows))
        yield exp.EQ(this=name, expression=asked)


def _element(to: exp.Bracket, value: exp.Expr) -> exp.Expr:
    """SET a[n] = value: the array with that element, between NULLs where it had none there."""
    array, places = to.this, to.expressions
    plain = isinstance(array, exp.Column) and len(places) == 1
    if not plain or isinstance(places[0], exp.Slice):
        raise refused("SET of a part of such a value", to, "Assign the whole value.")
    name = exp.Column(this=array.this.copy())
    return exp.EQ(this=name, expression=call("pg_with_element_", array, places[0], value))


RULES = {exp.Update: update, exp.OnConflict: update}
