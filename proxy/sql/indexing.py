"""CREATE INDEX: what DuckDB's indexes can be, of what Postgres's say.

DuckDB has one kind, over whole columns and expressions. An index that is not unique is only a way to
rows: where it is to be over fewer rows, in another order, with columns beside its keys or in other
pages, the whole index serves as well, and it is made. What would change which rows there may be, or
which operators there are, is refused.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import position_of

_SERVED = frozenset({"btree", "hash", "brin"})
_REFUSED = frozenset({"gin", "gist", "spgist", "bloom", "rum", "hnsw", "ivfflat"})


def create_index(create: exp.Create) -> None:
    """The index as DuckDB makes it; one that has no name gets the one that Postgres would give.

    Raises SqlError 0A000, 42704.
    """
    index = create.this
    if not isinstance(index, exp.Index):
        return
    create.set("concurrently", None)
    parameters = index.args.get("params")
    keys = list(parameters.args.get("columns") or ()) if parameters is not None else []
    if parameters is not None:
        method = parameters.args.get("using")
        if method is not None:
            _check_method(method)
        if create.args.get("unique") and parameters.args.get("where") is not None:
            raise SqlError(
                "0A000",
                "a unique index over a part of the rows is not supported",
                position=position_of(parameters.args["where"]),
            )
        parameters.set("columns", [_key(key) for key in keys])
        for name in ("using", "include", "with_storage", "tablespace", "where"):
            parameters.set(name, None)
    if index.this is None:
        columns = [key.this if isinstance(key, exp.Ordered) else key for key in keys]
        words = [column.name if isinstance(column, exp.Column) else "expr" for column in columns]
        name = "_".join([index.args["table"].name, *words, "idx"])
        index.set("this", exp.Identifier(this=name, quoted=True))


def _check_method(method: exp.Expr) -> None:
    name = method.name.lower()
    if name in _SERVED:
        return
    if name in _REFUSED:
        raise SqlError(
            "0A000",
            f'index access method "{name}" is not supported',
            position=position_of(method),
            hint="Leave USING out: columns are indexed for equality and order.",
        )
    raise SqlError("42704", f'access method "{method.name}" does not exist')


def _key(key: exp.Expr) -> exp.Expr:
    """A column or an expression without what is said of its order and its operators."""
    inner = key.this if isinstance(key, exp.Ordered) else key
    if isinstance(inner, exp.Opclass):
        inner = inner.this
    return inner if isinstance(inner, (exp.Column, exp.Identifier)) else exp.paren(inner)
