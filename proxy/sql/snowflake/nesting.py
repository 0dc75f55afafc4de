"""Calls of macros among the arguments of macros, which DuckDB would bind over and over.

Why it exists: DuckDB puts an argument into a macro's body wherever that names the parameter, and binds each by
itself. A body that looks at its parameter's type names it twenty times; three such calls in each other take a
second, four a minute, and nothing stops them meanwhile. An argument that is costly becomes the value of a
lambda's variable, which is bound once.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from sqlglot import exp

from proxy.sql.snowflake.overloads import over_values
from proxy.sql.snowflake.registry import WEIGHTS

_MOST = 100
"""Bindings that a call may cost, some 0.2 ms each, before its arguments are bound by themselves."""

_WITHOUT_LAMBDAS = (exp.ColumnDef, exp.Constraint, exp.Index, exp.Alter)
_BY_THEMSELVES = (exp.From, exp.Join, exp.CTE, exp.DDL)
"""What a query is part of that sees no columns of the query around it."""


def lightened(tree: exp.Expr, calls: Sequence[exp.Anonymous]) -> exp.Expr:
    """The tree, changed in place. calls: those in it of macros that have a weight."""
    ours = set(map(id, calls))
    outer = {id(above): above for call in calls if (above := _call_around(call, ours)) is not None}
    for call in outer.values():
        inner = _call_around(call, ours) is not None
        if not inner and call.root() is tree and _may_have_lambdas(call):
            tree, _ = _lightened(tree, call)
    return tree


def _call_around(node: exp.Expr, ours: Container[int]) -> exp.Expr | None:
    """The innermost of the calls of whose arguments a node is part."""
    above = node.parent
    while above is not None and above.__class__ is not exp.Select:
        if id(above) in ours:
            return above
        above = above.parent
    return None


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


def _lightened(tree: exp.Expr, node: exp.Expr) -> tuple[exp.Expr, int]:
    """... what is below a node, and how much of it is bound then."""
    if _is_plain(node):
        return tree, 1
    costs = []
    called = isinstance(node, exp.Anonymous)
    for child in list(node.expressions if called else node.iter_expressions()):
        if isinstance(child, exp.Query):
            costs.append(2)  # bound by itself in any case, if it is not in a macro
            continue
        tree, cost = _lightened(tree, child)
        costs.append(cost)
    weight = WEIGHTS.get(node.this, 1) if called else 1
    whole = weight * max(sum(costs), 1)
    held = [at for at, cost in enumerate(costs) if cost > 1]
    if weight == 1 or whole <= _MOST or not held:
        return tree, whole
    # A lambda sees no columns beside its own variable where those are another query's.
    held = [
        at
        for at, one in enumerate(node.expressions)
        if at in held or one.find(exp.Column) is not None
    ]
    made = over_values(tree, node, held)
    return made, sum(costs) + weight
