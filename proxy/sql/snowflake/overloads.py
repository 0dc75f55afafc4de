"""Calls of macros of several forms over aggregates and window functions.

DuckDB chooses a macro's form by the types of its arguments before it has bound the aggregates among
them: it then finds every form fitting, or takes a wrong one. A lambda's variable has its type by
then, so such a call becomes one over a list of the aggregate alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlglot import exp

from proxy.sql.snowflake.registry import duck, number

_AGGREGATES = (exp.AggFunc, exp.Window, exp.Filter)
_AGGREGATE_CALLS = frozenset({"list", "arg_max", "arg_min", "approx_count_distinct"})
# Snowflake's aggregates that the parser does not know as such.
_UNKNOWN = frozenset({"OBJECT_AGG", "OBJECTAGG", "HLL", "APPROX_TOP_K", "HASH_AGG"})


def may_aggregate(kinds: Iterable[type], nodes: Iterable[exp.Expr]) -> bool:
    """Whether a statement may hold an aggregate; kinds: of its nodes, before rules changed them."""
    return any(issubclass(kind, _AGGREGATES) for kind in kinds) or any(
        node.__class__ is exp.Anonymous and str(node.this).upper() in _UNKNOWN for node in nodes
    )


def _holds(argument: exp.Expr) -> bool:
    for node in argument.dfs(prune=lambda node: isinstance(node, exp.Subquery)):
        if isinstance(node, _AGGREGATES):
            return True
        if node.__class__ is exp.Anonymous and node.this in _AGGREGATE_CALLS:
            return True
    return False


def are_over_aggregates(calls: Iterable[exp.Anonymous]) -> bool:
    """Whether an aggregate is among the arguments of one of these calls."""
    return any(
        argument.__class__ not in _PLAIN and _holds(argument)
        for call in calls
        for argument in call.args["expressions"]
    )


_PLAIN = frozenset({exp.Column, exp.Literal})


def bind_late(tree: exp.Expr, overloaded: Collection[str]) -> exp.Expr:
    """The tree, changed in place. overloaded: macros of several forms, as they are called."""
    calls = [
        node
        for node in tree.dfs()
        if node.__class__ is exp.Anonymous and node.this in overloaded and node.expressions
    ]
    for call in reversed(calls):
        held = [index for index, one in enumerate(call.expressions) if _holds(one)]
        if not held:
            continue
        parent, key, index = call.parent, call.arg_key, call.index
        made = _late(call, held)
        if parent is None:
            tree = made
        else:
            parent.set(key, made, index=index)
    return tree


def _late(call: exp.Anonymous, held: list[int]) -> exp.Expr:
    arguments = list(call.expressions)
    variable = exp.Identifier(this="_late")
    packed: exp.Expr
    if len(held) == 1:
        packed = arguments[held[0]]
        arguments[held[0]] = exp.Column(this=variable)
    else:
        fields = []
        for place in held:
            name = exp.Identifier(this=f"a{place}")
            fields.append(exp.PropertyEQ(this=name, expression=arguments[place]))
            arguments[place] = duck(
                "struct_extract", exp.Column(this=variable.copy()), exp.Literal.string(f"a{place}")
            )
        packed = duck("struct_pack", *fields)
    body = exp.Anonymous(this=call.this, expressions=arguments)
    function = exp.Lambda(this=body, expressions=[variable.copy()])
    listed = duck("list_transform", duck("list_value", packed), function)
    return duck("list_extract", listed, number(1))
