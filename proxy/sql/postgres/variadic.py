"""VARIADIC: the last arguments of a function in an array, in Postgres's dialect.

Why it exists: DuckDB has no such word, and sqlglot's writer drops it, so that the array itself would be
the argument. What is written as an array stands for its elements; of any other only those functions are
done that DuckDB has in a form that takes a list.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.postgres.values import refused, unwrapped

_HINT = "Write its elements as the arguments."
_OF_LISTS = frozenset(
    f"{prefix}_extract_path{suffix}" for prefix in ("json", "jsonb") for suffix in ("", "_text")
)
"""Functions whose rules take the array as it is."""


def variadic(node: exp.Variadic) -> None:
    """Puts the elements of a written array in its place. Raises 0A000 for another array."""
    parent, key = node.parent, node.arg_key
    several = parent.args.get(key) if parent is not None and key is not None else None
    if isinstance(parent, exp.Concat | exp.ConcatWs):
        return  # `proxy.sql.postgres.values.concat`
    if isinstance(parent, exp.Anonymous) and str(parent.this).lower() in _OF_LISTS:
        return
    items = _elements(node.this)
    if parent is None or key is None or not isinstance(several, list) or items is None:
        raise refused("VARIADIC of an array that is not written out", node, _HINT)
    parent.set(key, [*several[:-1], *items])


def _elements(array: exp.Expr) -> list[exp.Expr] | None:
    """The elements of an array that is written out, each of the type that the array is cast to."""
    inner = unwrapped(array)
    if isinstance(inner, exp.Cast):
        items = _elements(inner.this)
        of = inner.to.expressions[0] if inner.to.this == exp.DType.ARRAY else None
        return None if items is None or of is None else [exp.cast(item, of) for item in items]
    return list(inner.expressions) if isinstance(inner, exp.Array) else None
