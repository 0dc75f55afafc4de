"""TRANSFORM, FILTER and REDUCE: lambdas over the elements of an ARRAY.

An element is a VARIANT unless the lambda declares its type, so where it stands among numbers or
texts it is cast as a path would be. REDUCE keeps its value in the type of where it starts, which is
the elements' type, too, unless a lambda looks into them: then all of them are VARIANTs between calls.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.snowflake.registry import cast, duck, node, sf, unsupported
from proxy.sql.snowflake.semistructured import in_place


def _lambda(call: exp.Expr, function: exp.Expr | None) -> exp.Lambda:
    if not isinstance(function, exp.Lambda):
        raise unsupported("a higher-order function without a lambda", call)
    return function


def _uses(function: exp.Lambda, name: str) -> list[exp.Identifier]:
    return [found for found in function.this.find_all(exp.Identifier) if found.this == name]


def _with_variant(function: exp.Lambda, name: str) -> None:
    """The uses of an element that has no type, cast as their places want it."""
    for use in _uses(function, name):
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
    result, element = (one.this for one in function.expressions)
    if not any(_looked_into(use) for use in _uses(function, element)):
        return duck("list_reduce", sf("elements_as_", call.this, start.copy()), function, start)
    for use in (*_uses(function, result), *_uses(function, element)):
        if not _looked_into(use):
            use.replace(sf("typed_as_", use.copy(), start.copy()))
    function.set("this", duck("to_json", function.this.copy()))
    made = duck("list_reduce", sf("items_", call.this), function, duck("to_json", start))
    return sf("typed_as_", made, start.copy())


_LOOKING_IN = frozenset({"variant_path_", "_sf.get_", "_sf.get_path_", "_sf.get_ignore_case_"})


def _looked_into(use: exp.Identifier) -> bool:
    """Whether it is where a path begins."""
    parent = use.parent
    while isinstance(parent, exp.Anonymous) and parent.this not in _LOOKING_IN:
        parent = parent.parent
    return isinstance(parent, exp.Anonymous)
