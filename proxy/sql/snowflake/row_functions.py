"""Functions in a MATCH_RECOGNIZE that look at other rows, taken apart.

Why it exists: PREV, FIRST, aggregates and windows mean other things in DEFINE and in MEASURES than
elsewhere. What a node calls, and what stands around the call, is the same question for both.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from proxy.sql.snowflake.registry import duck, unsupported

FINAL, RUNNING = "_final", "_running"
"""The functions that FINAL f(x) and RUNNING f(x) are read as; see `row_pattern_spelling`."""

OFFSETS = {"PREV": "lag", "LAG": "lag", "NEXT": "lead", "LEAD": "lead"}
ENDS = {"FIRST": False, "FIRST_VALUE": False, "LAST": True, "LAST_VALUE": True}
OWN_FUNCTIONS = frozenset({"MATCH_NUMBER", "MATCH_SEQUENCE_NUMBER", "CLASSIFIER"})
PLAIN_AGGREGATES = (
    *(exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Count, exp.Median, exp.CountIf),
    *(exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop),
)
"""Aggregates whose value over no rows is what the reference says of an empty match: NULL, or 0."""
_NAMED_AGGREGATES = frozenset(
    {
        *("OBJECT_AGG", "OBJECTAGG", "HLL", "HASH_AGG", "MINHASH"),
        *("BITMAP_CONSTRUCT_AGG", "BITMAP_OR_AGG"),
    }
)


def called(node: exp.Expr) -> str:
    """The name of the function that a node calls, '' for what is none."""
    if isinstance(node, exp.Anonymous):
        return node.this.upper() if isinstance(node.this, str) else ""
    return node.sql_name() if isinstance(node, exp.Func) else ""


def is_aggregate(node: exp.Expr) -> bool:
    """Whether a node is a call of an aggregate, the parser's or one of Snowflake's own names."""
    return isinstance(node, (exp.AggFunc, exp.WithinGroup)) or called(node) in _NAMED_AGGREGATES


def own_window(window: exp.Expr) -> bool:
    """Whether a window says more than its frame."""
    return any(window.args.get(key) for key in ("partition_by", "order", "alias"))


@dataclass(frozen=True, slots=True)
class Navigated:
    """A function that looks at other rows, taken apart: `call` with its OVER, FILTER and NULLS."""

    call: exp.Expr
    window: exp.Window | None
    ignore: exp.Expr | None


def navigated_function(node: exp.Expr) -> Navigated | None:
    """A node as such a function; None for all others."""
    window = node if isinstance(node, exp.Window) else None
    call = node.this if window is not None else node
    ignore = call if isinstance(call, (exp.IgnoreNulls, exp.RespectNulls)) else None
    if ignore is not None:
        call = ignore.this
    if isinstance(call, exp.Window) or not isinstance(call, exp.Expr):
        return None
    name = called(call)
    known = name in OFFSETS or name in ENDS or is_aggregate(call) or window is not None
    return Navigated(call, window, ignore) if known else None


def is_classifier(node: exp.Expr) -> bool:
    """CLASSIFIER may be written without brackets."""
    return (
        isinstance(node, exp.Column)
        and not node.table
        and node.name.upper() == "CLASSIFIER"
        and not node.this.args.get("quoted")
    )


def looks_around(node: exp.Expr) -> bool:
    """Whether a node is LAG, LEAD, PREV or NEXT."""
    navigated = navigated_function(node)
    return navigated is not None and called(navigated.call) in OFFSETS


def operands(call: exp.Expr) -> list[exp.Expr]:
    """The arguments of a call."""
    return list(call.iter_expressions())


def offset_call(call: exp.Expr) -> exp.Expr:
    """PREV and NEXT as LAG and LEAD; all others as they are."""
    if isinstance(call, exp.Anonymous) and called(call) in OFFSETS:
        return duck(OFFSETS[called(call)], *call.expressions)
    return call


def refuse_within(call: exp.Expr) -> None:
    """No function over rows has another one within."""
    for node in call.walk():
        if node is call or node.parent is None:
            continue
        if isinstance(node, exp.Window) or called(node) in (*OFFSETS, *ENDS):
            raise unsupported("a window function within another one in MATCH_RECOGNIZE", call)
        if is_aggregate(node) and not isinstance(call, exp.WithinGroup):
            raise unsupported("a window function within another one in MATCH_RECOGNIZE", call)
