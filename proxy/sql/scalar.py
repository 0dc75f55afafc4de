"""Which queries do no more than combine a few values: `SELECT 1`, `SELECT $1::int + 1`.

Why it is asked: such a query reads no table and calls no function, so that it costs less than the
way to another thread and back, it cannot wait for anything, and its plan goes stale with the
settings alone. Without parameters it has one answer, which need not be asked for twice: what pools
send to see whether a connection is alive is such a query.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.listing import Listing

# Whatever is not here (FROM, WHERE, LIMIT, a subquery, a column, a function) is not among them.
_NODES = frozenset(
    {
        exp.Select,
        exp.Alias,
        exp.Identifier,
        exp.Literal,
        exp.Null,
        exp.Boolean,
        exp.Parameter,
        exp.Placeholder,
        exp.Paren,
        exp.Cast,
        exp.DataType,
        exp.DataTypeParam,
        exp.Neg,
        exp.Add,
        exp.Sub,
        exp.Mul,
        exp.DPipe,
        exp.EQ,
        exp.NEQ,
        exp.GT,
        exp.GTE,
        exp.LT,
        exp.LTE,
        exp.And,
        exp.Or,
        exp.Not,
    }
)
_MOST_NODES = 100


def is_scalar(nodes: Listing) -> bool:
    """nodes: all of a statement's tree."""
    if nodes.columns or not nodes.kinds <= _NODES or len(nodes) + len(nodes.names) > _MOST_NODES:
        return False
    return all(kind.this is not exp.DType.USERDEFINED for kind in nodes.of(exp.DataType))
