"""Whether a statement compares what may be VARIANTs, as far as its text tells.

Why it exists: to follow the types of a statement costs as much as to plan it, so only what may have use
for it is followed (`proxy.session.typed`): what compares, sorts, groups or calls anything, and then only where a
relation that it names has a VARIANT, or its own text makes one.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.listing import Listing, with_derived
from proxy.sql.snowflake.type_signs import UNIONS, calls_unknown

_COMPARING = with_derived(
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ),
    *(exp.Between, exp.In, exp.Ordered, exp.Group, exp.Distinct, exp.SetOperation, exp.Join),
    *(exp.Window, exp.Case, exp.If, exp.Func, exp.Where, exp.Qualify, exp.Having, exp.Merge),
    *(exp.Neg, exp.DPipe, exp.Mul),
)
_QUERIES = with_derived(exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge)
_MADE = frozenset(
    {exp.JSONExtract, exp.GetExtract, exp.Bracket, exp.Array, exp.Struct, exp.Explode}
)
_MAKERS = ("ARRAY_", "OBJECT_", "PARSE_", "TRY_PARSE_", "TO_VARIANT", "TO_ARRAY", "TO_OBJECT")
_SEMI = (exp.DType.VARIANT, exp.DType.OBJECT, exp.DType.ARRAY)


def may_compare(tree: exp.Expr, nodes: Listing) -> bool:
    """Whether a statement compares what may be VARIANTs, as far as its text tells."""
    kinds = nodes.kinds
    if tree.__class__ not in _QUERIES and not (
        tree.__class__ is exp.Create and isinstance(tree.args.get("expression"), exp.Query)
    ):
        return False
    if _COMPARING.isdisjoint(kinds):
        return False
    if exp.Table in kinds or not UNIONS.isdisjoint(kinds) or makes_variants(nodes):
        return True
    return exp.Anonymous in kinds and calls_unknown(nodes)


def makes_variants(nodes: Listing) -> bool:
    """Whether a statement's text shows VARIANTs, whatever its tables have."""
    kinds = nodes.kinds
    if not _MADE.isdisjoint(kinds):
        return True
    if exp.Anonymous in kinds and any(name.startswith(_MAKERS) for name in nodes.called()):
        return True
    return exp.DataType in kinds and any(
        one.args["this"] in _SEMI for one in nodes.of(exp.DataType)
    )


_NEW = frozenset({exp.Create, exp.Schema})


def relations_of(nodes: Listing) -> tuple[tuple[str, ...], ...]:
    """The names of the relations that a statement reads, as far as they are names."""
    found = {}
    for table in nodes.of(exp.Table):
        args = table.args
        name = args["this"]
        if name.__class__ is exp.Identifier and table.parent.__class__ not in _NEW:
            around = [part.this for key in ("catalog", "db") if (part := args.get(key)) is not None]
            found[(*around, name.args["this"])] = None
    return tuple(found)
