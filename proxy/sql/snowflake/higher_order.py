"""TRANSFORM, FILTER and REDUCE: lambdas over the elements of an ARRAY.

An element is a VARIANT unless the lambda declares its type, so where it stands among numbers or
texts it is cast as a path would be. REDUCE keeps its value in the type of where it starts.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import cast, duck, node, sf, unsupported
from proxy.sql.snowflake.semistructured import in_place


def _lambda(call: exp.Expr, function: exp.Expr | None) -> exp.Lambda:
    if not isinstance(function, exp.Lambda):
        raise unsupported("a higher-order function without a lambda", call)
    return function


def _with_variant(function: exp.Lambda, name: str) -> None:
    """The uses of an element that has no type, cast as their places want it."""
    uses = [found for found in function.this.find_all(exp.Identifier) if found.this == name]
    for use in uses:
        parent, key = use.parent, use.arg_key
        value = duck("variant_path_", use.copy(), exp.Literal.string("$"))
        made = in_place(value, parent, key)
        if made is not value or made.this != "variant_path_":
            use.replace(made)


def _over_elements(list_function: str, call: exp.Expr) -> exp.Expr:
    function = _lambda(call, call.expression)
    _with_variant(function, function.expressions[0].this)
    return sf("list_json_", duck(list_function, sf("items_", call.this), function))


@node(exp.ArrayFilter)
def _filter(call: exp.ArrayFilter) -> exp.Expr | None:
    return _over_elements("list_filter", call)


@node(exp.Transform)
def _transform(call: exp.Transform) -> exp.Expr | None:
    return _over_elements("list_transform", call)


@node(exp.Reduce)
def _reduce(call: exp.Reduce) -> exp.Expr | None:
    start = call.args["initial"]
    function = _lambda(call, call.args.get("merge"))
    if call.args.get("finish") is not None:
        raise unsupported("REDUCE with a function for its result", call)
    if isinstance(start, exp.Literal) and not start.is_string:
        start = cast(start, exp.DType.DOUBLE)
    elements = sf("elements_as_", call.this, start.copy())
    return duck("list_reduce", elements, function, start)
