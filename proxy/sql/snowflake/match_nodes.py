"""The nodes that MATCH_RECOGNIZE's query is put together of (`match_recognize`)."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import position_of


def with_children(node: exp.Expr, made: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """The node with what `made` makes of each of its children."""
    for key, value in list(node.args.items()):
        if isinstance(value, exp.Expr):
            node.set(key, made(value))
        elif isinstance(value, list):
            node.set(key, [made(one) if isinstance(one, exp.Expr) else one for one in value])
    return node


def wrong(message: str, at: exp.Expr) -> SqlError:
    """What is raised for what the clause cannot hold."""
    return SqlError("42601", f"{message} in MATCH_RECOGNIZE", position=position_of(at))


WHOLE = ("UNBOUNDED", "PRECEDING", "UNBOUNDED", "FOLLOWING")
SO_FAR = ("UNBOUNDED", "PRECEDING", "CURRENT ROW", None)


def frame(edges: tuple[str, str, str, str | None]) -> exp.WindowSpec:
    """The rows of a partition between two edges."""
    start, start_side, end, end_side = edges
    return exp.WindowSpec(
        kind="ROWS", start=start, start_side=start_side, end=end, end_side=end_side
    )
