"""CREATE INDEX as Postgres's clients write it: what of it DuckDB's one kind of index has.

An index changes no answer unless it is unique, so what only tunes one (a method, an operator class,
INCLUDE, WHERE, CONCURRENTLY, storage parameters) is left out. A unique index over some of the rows is
a rule of its own, which DuckDB does not have: refused. An index without a name gets Postgres's.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import position_of

_METHODS = frozenset({"btree", "hash", "gist", "spgist", "gin", "brin"})
_TUNING = ("include", "with_storage", "tablespace")


def plain_index(create: exp.Create) -> None:
    """Leaves out of CREATE INDEX what only tunes it, in place. Raises SqlError 0A000, 42704."""
    index = create.this
    if not isinstance(index, exp.Index):
        return
    create.set("concurrently", None)
    parameters = index.args.get("params")
    keys: list[exp.Expr] = []
    if parameters is not None:
        if parameters.args.get("where") is not None and create.args.get("unique"):
            message = "a unique index over some of the rows is not supported on analytical tables"
            raise SqlError("0A000", message, position=position_of(index))
        parameters.set("where", None)
        for name in _TUNING:
            parameters.set(name, None)
        using = parameters.args.get("using")
        if using is not None and using.name.lower() not in _METHODS:
            message = f'access method "{using.name}" does not exist'
            raise SqlError("42704", message, position=position_of(using))
        parameters.set("using", None)
        for key in parameters.args.get("columns") or ():
            keys.append(_plain_key(key))
        parameters.set("columns", keys)
    if index.this is None:
        words = [one.name if isinstance(one, exp.Column) else "expr" for one in keys]
        name = "_".join([index.args["table"].name, *words, "idx"])
        index.set("this", exp.Identifier(this=name, quoted=True))


def _plain_key(key: exp.Expr) -> exp.Expr:
    while isinstance(key, (exp.Ordered, exp.Opclass, exp.Collate)):
        key = key.this
    return key
