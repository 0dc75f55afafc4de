"""Calls of macros among the arguments of macros, which DuckDB would bind over and over.

Why it exists: DuckDB puts an argument into a macro's body wherever that names the parameter, and binds each by
itself. A body that looks at its parameter's type names it twenty times; three such calls in each other take a
second, four a minute, and nothing stops them meanwhile. An argument that is costly becomes the value of a
lambda's variable, which is bound once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from proxy.sql.snowflake.overloads import over_values
from proxy.sql.snowflake.registry import WEIGHTS

_MOST = 100
"""Bindings that a call may cost, some 0.2 ms each, before its arguments are bound by themselves."""

_MOST_IN_CASTS = 200

_WITHOUT_LAMBDAS = (exp.ColumnDef, exp.Constraint, exp.Index, exp.Alter)
_BY_THEMSELVES = (exp.From, exp.Join, exp.CTE, exp.DDL)
"""What a query is part of that sees no columns of the query around it."""


def lightened(
    tree: exp.Expr, calls: Sequence[exp.Anonymous], *, in_casts: bool = False
) -> exp.Expr:
    """The tree, changed in place. calls: those in it of macros that have a weight.

    in_casts: only what a cast stands around, whose type the tree shows then, and only from where it takes long.
    """
    within = {id(call): call for call in calls if any(map(_is_costly, call.expressions))}
    for call in within.values():
        above = call.parent
        while above is not None and id(above) not in within:
            above = above.parent
        # A call may not be in the tree: another rule may have put something else in its place.
        if above is None and call.root() is tree and _may_have_lambdas(call):
            parent, key, index = call.parent, call.arg_key, call.index
            made, _ = _lightened(call, in_casts)
            if parent is None:
                tree = made
            elif made is not call:
                parent.set(key, made, index=index)
    return tree


def _is_costly(value: exp.Expr) -> bool:
    """Whether there is such a call in it."""
    if _is_plain(value):
        return False
    return any(call.this in WEIGHTS for call in value.find_all(exp.Anonymous))


def _is_plain(value: exp.Expr) -> bool:
    while isinstance(value, (exp.Cast, exp.Paren, exp.Neg)):
        value = value.this
    return isinstance(value, (exp.Column, exp.Literal, exp.Null, exp.Boolean, exp.Placeholder))


def _may_have_lambdas(call: exp.Expr) -> bool:
    """A definition of a column holds none; one over columns of the query around binds too late."""
    if call.find_ancestor(*_WITHOUT_LAMBDAS) is not None:
        return False
    query = call.find_ancestor(exp.Select)
    above = query.parent if query is not None else None
    while isinstance(above, (exp.SetOperation, exp.Subquery)):
        above = above.parent
    alone = above is None or isinstance(above, _BY_THEMSELVES)
    return alone or call.find(exp.Column) is None


def _lightened(node: exp.Expr, in_casts: bool) -> tuple[exp.Expr, int]:
    """What a node becomes, and how much of it is bound then."""
    if _is_plain(node) or isinstance(node, exp.DataType):
        return node, 1
    costs = []
    called = isinstance(node, exp.Anonymous)
    for key, index, child in _children(node):
        if isinstance(child, exp.Query):
            costs.append(2)  # bound by itself in any case, if it is not in a macro
            continue
        made, cost = _lightened(child, in_casts)
        if made is not child:
            node.set(key, made, index=index)
        costs.append(cost)
    weight = WEIGHTS.get(node.this, 1) if called else 1
    whole = weight * max(sum(costs), 1)
    held = [at for at, cost in enumerate(costs) if cost > 1]
    if weight == 1 or whole <= (_MOST_IN_CASTS if in_casts else _MOST) or not held:
        return node, whole
    if in_casts and not isinstance(node.parent, exp.Cast):
        return node, whole
    # A lambda sees no columns beside its own variable where those are another query's.
    held = [
        at
        for at, one in enumerate(node.expressions)
        if at in held or one.find(exp.Column) is not None
    ]
    return over_values(node, held), sum(costs) + weight


def _children(node: exp.Expr) -> list[tuple[str, int | None, exp.Expr]]:
    """With the names under which they are its, and their places in lists; of a call its arguments."""
    found: list[tuple[str, int | None, exp.Expr]] = []
    for key, value in node.args.items():
        if isinstance(value, list):
            found += ((key, at, one) for at, one in enumerate(value) if isinstance(one, exp.Expr))
        elif isinstance(value, exp.Expr) and not isinstance(node, exp.Anonymous):
            found.append((key, None, value))
    return found
