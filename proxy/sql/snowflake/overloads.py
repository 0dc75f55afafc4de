"""Calls of macros of several forms over what DuckDB binds late.

DuckDB chooses a macro's form by the types of its arguments before it has bound some of them:
aggregates and window functions, aliases of the same SELECT, columns of the query around a subquery
and of the tables before a table function. It then finds every form fitting, or takes a wrong one. A
lambda's variable has its type by then, so such a call becomes one over a list of that value alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlglot import exp

from proxy.sql.listing import Listing, listed, with_derived
from proxy.sql.snowflake.registry import duck, number

# SEQ4() and its kin are written as window functions.
_AGGREGATES = (exp.AggFunc, exp.Window, exp.Filter, exp.Seq1, exp.Seq2, exp.Seq4, exp.Seq8)
_AGGREGATE_CALLS = frozenset({"list", "arg_max", "arg_min", "approx_count_distinct"})
# Snowflake's aggregates that the parser does not know as such.
_UNKNOWN = frozenset({"OBJECT_AGG", "OBJECTAGG", "HLL", "APPROX_TOP_K", "HASH_AGG"})


_AGGREGATING = with_derived(*_AGGREGATES)


def _may_aggregate(nodes: Listing) -> bool:
    """Whether a statement may hold an aggregate; nodes: its own, before rules changed them."""
    return not _AGGREGATING.isdisjoint(nodes.kinds) or any(
        str(call.this).upper() in _UNKNOWN for call in nodes.of(exp.Anonymous)
    )


_SOURCES = frozenset({exp.Table, exp.Lateral, exp.Subquery, exp.TableFromRows, exp.Unnest})
_BOUNDS = _SOURCES | {exp.Select, exp.Create, exp.Merge, exp.Pivot}


def _holds(argument: exp.Expr) -> bool:
    """Whether there is such a value in an argument, but for those in subqueries."""
    nodes = listed(argument)
    if exp.Subquery in nodes.kinds:
        return any(map(_is_late, argument.dfs(prune=lambda node: isinstance(node, exp.Subquery))))
    return (
        not _AGGREGATING.isdisjoint(nodes.kinds)
        or any(call.this in _AGGREGATE_CALLS for call in nodes.of(exp.Anonymous))
        or any(map(is_bound_late, nodes.columns))
        or any(map(is_bound_late, nodes.of(exp.Column)))
    )


def _is_late(node: exp.Expr) -> bool:
    kind = node.__class__
    if kind is exp.Anonymous:
        return node.this in _AGGREGATE_CALLS
    return is_bound_late(node) if kind is exp.Column else kind in _AGGREGATING


def is_bound_late(column: exp.Expr) -> bool:
    """Whether a column is another query's, an alias of its own query's, or a table function's."""
    query = column.parent
    while query is not None and query.__class__ not in _BOUNDS:
        query = query.parent
    if query.__class__ is not exp.Select or query is None:
        return query.__class__ in _SOURCES
    table = column.args.get("table")
    if table is None:
        if query.args.get("from_") is None and query.parent_select is not None:
            return True
        return _is_alias(column.name.lower(), query)
    if query.parent is None or column.args.get("db") is not None or query.parent_select is None:
        return False
    return not _is_source(table.name.lower(), query)


def _is_source(name: str, query: exp.Select) -> bool:
    args = query.args
    sources = [one.this for one in (args.get("from_"), *(args.get("joins") or ())) if one]
    sources += args.get("laterals") or ()
    return any(source.alias_or_name.lower() == name for source in sources)


def _is_alias(name: str, query: exp.Select) -> bool:
    for projection in query.args["expressions"]:
        if projection.__class__ is exp.Alias and _alias_of(projection) == name:
            value = projection.args["this"]
            if not isinstance(value, exp.Column) or value.name.lower() != name:
                return True
    return False


def _alias_of(projection: exp.Alias) -> str:
    alias = projection.args["alias"]
    name = alias.args["this"] if alias.__class__ is exp.Identifier else projection.alias
    return name.lower()


def bind_too_late(calls: Iterable[exp.Anonymous], nodes: Listing) -> bool:
    """Whether such a value is among the arguments of one of these calls.

    nodes: the statement's own, before rules changed them.
    """
    inner = []
    for call in calls:
        for one in call.args["expressions"]:
            while one.__class__ is exp.Cast:
                one = one.args["this"]
            kind = one.__class__
            if kind is exp.Column:
                if is_bound_late(one):
                    return True
            elif kind is not exp.Literal:
                inner.append(one)
    if not any(map(_holds, inner)):
        return False
    return _may_aggregate(nodes) or any(map(_holds_column, inner))


def _holds_column(argument: exp.Expr) -> bool:
    return any(map(is_bound_late, argument.find_all(exp.Column)))


LATE = "_late"
"""The variable of the lambdas that are put here."""


def bind_late(tree: exp.Expr, overloaded: Collection[str], *, every: bool = False) -> exp.Expr:
    """The tree, changed in place. overloaded: macros of several forms, as they are called.

    every: calls over all columns, not only over those that are seen to be bound late.
    """
    calls = [
        call
        for call in listed(tree).of(exp.Anonymous)
        if call.this in overloaded and call.expressions
    ]
    for call in reversed(calls):
        held = [
            index
            for index, one in enumerate(call.expressions)
            if (every and one.find(exp.Column) is not None) or _holds(one)
        ]
        if not held:
            continue
        if len(held) < len(call.expressions) and _holds_column(call):
            # A lambda over another query's columns sees no columns of its own query.
            held = [
                index
                for index, one in enumerate(call.expressions)
                if index in held or one.find(exp.Column) is not None
            ]
        parent, key, index = call.parent, call.arg_key, call.index
        made = over_values(call, held)
        if parent is None:
            tree = made
        else:
            parent.set(key, made, index=index)
    return tree


def over_values(call: exp.Anonymous, held: list[int]) -> exp.Expr:
    """The call, with these of its arguments bound by themselves: it sees their values."""
    arguments = list(call.expressions)
    variable = exp.Identifier(this=LATE)
    packed: exp.Expr
    if len(held) == 1:
        packed = arguments[held[0]]
        arguments[held[0]] = exp.Column(this=variable)
    else:
        # A ROW: DuckDB forgets the names of struct_pack's arguments where it binds them twice.
        packed = duck("row", *(arguments[place] for place in held))
        for at, place in enumerate(held, start=1):
            field = duck("struct_extract", exp.Column(this=variable.copy()), number(at))
            arguments[place] = field
    body = exp.Anonymous(this=call.this, expressions=arguments)
    function = exp.Lambda(this=body, expressions=[variable.copy()])
    listed = duck("list_transform", duck("list_value", packed), function)
    return duck("list_extract", listed, number(1))
