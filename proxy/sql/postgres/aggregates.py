"""Aggregates and windows of Postgres's, in the forms that DuckDB takes.

Why it exists: DuckDB computes what an aggregate is given of all rows before FILTER takes some of them, so
that `sum(a / b) FILTER (WHERE b <> 0)` would divide by zero; and it takes `RANGE '7 days' PRECEDING` for
an offset that is a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from proxy.sql.postgres.json import filtered_document
from proxy.sql.postgres.literals import literal_of
from proxy.sql.postgres.values import is_text

_NEVER_RAISES = (exp.Column, exp.Literal, exp.Star, exp.Distinct, exp.Order, exp.Placeholder)


def filtered(node: exp.Filter) -> exp.Expr | None:
    """The argument is computed of those rows alone that FILTER takes."""
    if (made := filtered_document(node)) is not None:
        return made
    aggregate, condition = node.this, node.expression
    value = aggregate.this if isinstance(aggregate, exp.AggFunc) else None
    if not isinstance(value, exp.Expr) or isinstance(value, _NEVER_RAISES):
        return None
    chosen = exp.If(this=condition.this.copy(), true=value)
    aggregate.set("this", exp.Case(ifs=[chosen]))
    return None


def frame(node: exp.WindowSpec) -> None:
    """An offset in quotes is an interval, if it is no number; that of rows and groups is one."""
    if str(node.args.get("kind")).upper() != "RANGE":
        return
    for side in ("start", "end"):
        offset = node.args.get(side)
        if is_text(offset) and not _is_number(offset.this):
            node.set(side, literal_of(offset, "interval"))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


RULES: dict[type, Callable[[Any], exp.Expr | None]] = {
    exp.Filter: filtered,
    exp.WindowSpec: frame,
}
