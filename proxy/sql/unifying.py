"""CASE, COALESCE, GREATEST, LEAST and UNION over decimals of different scales.

Why it exists: their result has one type. Where 38 digits do not hold both the widest whole part and
the longest fraction, DuckDB cuts the fraction: `coalesce(n, 0.5)` of a NUMBER(38, 0) is 1. Postgres
and Snowflake keep it. So beside a literal with a fraction the other values get as long a one; beside
a product or a sum all take the type of their sum, which keeps the longest fraction; and of values
whose types only the engine knows, it is told to raise where it would cut.
"""

from __future__ import annotations

from functools import reduce

from sqlglot import exp

from proxy.sql.listing import copied

_NUMERIC = (exp.Mul, exp.Sum, exp.Avg, exp.Div)
_SETTLED = frozenset(
    {exp.Literal, exp.Null, exp.Boolean, exp.Parameter, exp.Placeholder, exp.Neg},
)
_LARGEST = 12
"""Nodes of a value that is written twice; larger ones are left as they are."""


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, (exp.Paren, exp.Alias)):
        node = node.this
    return node


def _digits(node: exp.Expr) -> int:
    """Digits behind the point of a number literal, 0 of everything else."""
    if node.__class__ not in _AROUND_DIGITS:
        return 0
    node = _bare(node)
    if isinstance(node, exp.Neg):
        node = _bare(node.this)
    if not isinstance(node, exp.Literal) or node.is_string or "e" in node.this.lower():
        return 0
    return len(node.this.partition(".")[2].rstrip("0"))


_AROUND_DIGITS = frozenset({exp.Literal, exp.Neg, exp.Paren, exp.Alias})


def _lengthen(value: exp.Expr, digits: int) -> None:
    """`value + 0.00`"""
    parent, key, index = value.parent, value.arg_key, value.index
    zero = exp.Literal.number("0." + "0" * digits)
    made = exp.Paren(this=exp.Add(this=exp.Paren(this=value), expression=zero))
    if parent is not None and key is not None:
        parent.set(key, made, index=index)


_DOCUMENTS = frozenset({"json_member_", "json_path_", "json_member_text_", "json_path_text_"})
_DOCUMENTS |= frozenset({"json_extract", "_sf.get_", "_sf.get_path_", "_sf.parse_json"})


def _may_be_decimal(value: exp.Expr) -> bool:
    if isinstance(value, exp.Cast):
        return bool(value.to.this == exp.DType.DECIMAL)
    if isinstance(value, exp.Anonymous):
        return value.this not in _DOCUMENTS
    return not isinstance(value, (exp.JSONExtract, exp.JSONExtractScalar))


def _is_numeric(value: exp.Expr) -> bool:
    value = _bare(value)
    if isinstance(value, exp.Anonymous):
        return str(value.this).startswith(("_sf.div", "_sf.pg_div"))
    return isinstance(value, _NUMERIC)


def _small(value: exp.Expr) -> bool:
    return sum(1 for _ in value.walk()) <= _LARGEST and not value.find(exp.Query)


def _types(values: list[exp.Expr]) -> exp.Expr:
    kinds = [exp.Anonymous(this="typeof", expressions=[copied(value)]) for value in values]
    return exp.Anonymous(this="list_value", expressions=kinds)


def unify(values: list[exp.Expr], whole: exp.Expr | None) -> exp.Expr | None:
    """Give `values` one scale in place; what takes the place of `whole`, if anything has to.

    whole: the node whose result they are; None where nothing can be put around it.
    """
    longest = max(map(_digits, values), default=0)
    open_ = [value for value in values if _bare(value).__class__ not in _SETTLED]
    if longest:
        for value in open_:
            if _may_be_decimal(_bare(value)):
                _lengthen(value, longest)
        return None
    if len(open_) < 2 or whole is None or any(map(_is_other, values)):
        return None
    if not all(map(_small, open_)) or len(set(open_)) < 2:
        return None
    if any(map(_is_numeric, open_)):
        copies = [exp.Paren(this=copied(value)) for value in open_]
        total = reduce(lambda left, right: exp.Add(this=left, expression=right), copies)
        for value in open_:
            parent, key, index = value.parent, value.arg_key, value.index
            made = exp.Anonymous(this="cast_to_type", expressions=[value, copied(total)])
            if parent is not None and key is not None:
                parent.set(key, made, index=index)
        return None
    if not all(isinstance(_bare(value), exp.Column) for value in open_):
        return None
    cut = exp.Anonymous(this="_sf.cuts_", expressions=[_types(open_)])
    message = exp.Literal.string("these numbers have no common type of 38 digits; cast one of them")
    raised = exp.Anonymous(this="error", expressions=[message])
    return exp.Case(ifs=[exp.If(this=cut, true=raised)], default=whole)


def _is_other(value: exp.Expr) -> bool:
    """Whether a value is known to be no number."""
    value = _bare(value)
    if isinstance(value, exp.Literal):
        return bool(value.is_string)
    return isinstance(value, (exp.Boolean, exp.DPipe, exp.Concat, exp.Upper, exp.Lower))


def coalesce(node: exp.Coalesce | exp.Greatest | exp.Least) -> exp.Expr | None:
    """The values of a function that returns one of its arguments."""
    return unify([node.this, *node.expressions], node)


def case(node: exp.Case) -> exp.Expr | None:
    """The results of CASE."""
    results = [branch.args["true"] for branch in node.args["ifs"]]
    default = node.args.get("default")
    return unify(results + ([default] if default is not None else []), node)


def if_(node: exp.If) -> exp.Expr | None:
    """IFF; the branches of a CASE are its own business."""
    if isinstance(node.parent, exp.Case):
        return None
    return unify([value for key in ("true", "false") if (value := node.args.get(key))], node)


def nvl2(node: exp.Nvl2) -> exp.Expr | None:
    """The second and third argument."""
    return unify([value for key in ("true", "false") if (value := node.args.get(key))], node)


def decode(node: exp.DecodeCase) -> exp.Expr | None:
    """Every second argument after the first two, and the one that may be left over."""
    arguments = node.expressions
    results = arguments[2::2]
    return unify(results + arguments[-1:] if len(arguments) % 2 == 0 else results, node)


def set_operation(node: exp.SetOperation) -> None:
    """The columns of UNION and its kin, where one of them is a literal with a fraction."""
    sides = [node.this, node.expression]
    if not all(isinstance(side, exp.Select) for side in sides):
        return
    for pair in zip(*(side.expressions for side in sides), strict=False):
        if any(map(_digits, pair)) and not any(value.is_star for value in pair):
            unify([_aliased(v) for v in pair], None)


def _aliased(value: exp.Expr) -> exp.Expr:
    """The value under an alias, which it gets if it has none: the column's name must stay."""
    if isinstance(value, exp.Alias):
        return value.this
    if isinstance(value, exp.Column):
        parent, key, index = value.parent, value.arg_key, value.index
        made = exp.Alias(this=value, alias=exp.to_identifier(value.name, quoted=True))
        if parent is not None and key is not None:
            parent.set(key, made, index=index)
    return value


RULES = {
    exp.Case: case,
    exp.Coalesce: coalesce,
    exp.DecodeCase: decode,
    exp.Except: set_operation,
    exp.Greatest: coalesce,
    exp.If: if_,
    exp.Intersect: set_operation,
    exp.Least: coalesce,
    exp.Nvl2: nvl2,
    exp.Union: set_operation,
}
"""By node type, for the dialects that keep fractions."""
