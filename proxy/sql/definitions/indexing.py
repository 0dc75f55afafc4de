"""CREATE INDEX as Postgres's clients write it: what of it DuckDB's one kind of index has.

An index changes no answer unless it is unique, so what only tunes one (a method, an operator class,
INCLUDE, WHERE, CONCURRENTLY, storage parameters) is left out; what of that the catalog shows is kept as the
index's comment (`what_tunes`). A unique index over some of the rows is
one over expressions that are NULL for the others, since NULLs are never equal; `partial_index` reads it
back. An index without a name gets Postgres's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.definitions.identities import folded
from proxy.sql.quoting import literal, quoted
from proxy.sql.reading import DUCKDB, POSTGRES, position_of

_METHODS = frozenset({"btree", "hash", "gist", "spgist", "gin", "brin"})
_TUNING = ("include", "with_storage", "tablespace")


def plain_index(create: exp.Create) -> None:
    """Leaves out of CREATE INDEX what only tunes it, in place. Raises SqlError 42704."""
    index = create.this
    if not isinstance(index, exp.Index):
        return
    create.set("concurrently", None)
    unique = create.args.get("unique")
    parameters = index.args.get("params")
    keys: list[exp.Expr] = []
    if parameters is not None:
        where = parameters.args.get("where")
        parameters.set("where", None)
        for name in _TUNING:
            parameters.set(name, None)
        using = parameters.args.get("using")
        if using is not None and using.name.lower() not in _METHODS:
            message = f'access method "{using.name}" does not exist'
            raise SqlError("42704", message, position=position_of(using))
        parameters.set("using", None)
        for key in parameters.args.get("columns") or ():
            keys.append(_key(key))
        in_place = [_where(where.this, key) for key in keys] if where and unique else keys
        parameters.set("columns", in_place)


def what_tunes(create: exp.Create) -> str | None:
    """DuckDB's statement, for after CREATE INDEX, that keeps what `plain_index` is to leave out of it: the order
    and operator classes of its keys, its method, INCLUDE, and WHERE of one that is not unique.
    """
    index = create.this
    parameters = index.args.get("params") if isinstance(index, exp.Index) else None
    if parameters is None or not isinstance(index.this, exp.Identifier):
        return None
    told: dict[str, Any] = {}
    if any(orders := [_order_of(key) for key in parameters.args.get("columns") or ()]):
        told["orders"] = orders
    using = parameters.args.get("using")
    if using is not None and using.name.lower() != "btree":
        told["using"] = using.name.lower()
    if include := parameters.args.get("include"):
        told["include"] = [folded(one) for one in include]
    where = parameters.args.get("where")
    if where is not None and not create.args.get("unique"):
        told["where"] = where.this.sql(POSTGRES.dialect)
    if not told:
        return None
    places = [folded(part) for part in index.args["table"].parts[:-1]]
    path = quoted(*("main" if part == "public" else part for part in places), folded(index.this))
    return f"COMMENT ON INDEX {path} IS {literal(_TOLD + json.dumps(told))}"


def told_of(comment: str | None) -> dict[str, Any]:
    """What an index's comment in DuckDB keeps of it, as `what_tunes` put it there."""
    return json.loads(comment.removeprefix(_TOLD)) if (comment or "").startswith(_TOLD) else {}


def with_renamed_column(
    comment: str | None, old: str, new: str, renamed: Callable[[str], str]
) -> str | None:
    """That comment after a column got another name. renamed: an expression with it."""
    if not (told := told_of(comment)):
        return comment
    if "include" in told:
        told["include"] = [new if one.lower() == old.lower() else one for one in told["include"]]
    if "where" in told:
        told["where"] = renamed(told["where"])
    return _TOLD + json.dumps(told)


_TOLD = "hatidata: index "


def _order_of(key: exp.Expr) -> str:
    """What stands behind a key that is not the default: `text_pattern_ops DESC NULLS LAST`."""
    descending = first = False
    words = []
    if isinstance(key, exp.Ordered):
        descending, first = bool(key.args.get("desc")), bool(key.args.get("nulls_first"))
        key = key.this
    if isinstance(key, exp.Opclass):
        words.append(key.expression.sql(POSTGRES.dialect))
    if descending:
        words.append("DESC")
    if first != descending:
        words.append("NULLS FIRST" if first else "NULLS LAST")
    return " ".join(words)


def keys_without_name(create: exp.Create) -> list[exp.Expr]:
    """The keys of an index that its author gave no name, which is made of them; [] for another."""
    index = create.this
    if not isinstance(index, exp.Index) or index.this is not None:
        return []
    parameters = index.args.get("params")
    keys = parameters.args.get("columns") if parameters is not None else None
    return [_key(one) for one in keys or ()]


def _key(key: exp.Expr) -> exp.Expr:
    while isinstance(key, (exp.Ordered, exp.Opclass, exp.Collate)):
        key = key.this
    return key


def texts_as_they_are(create: exp.Create) -> None:
    """`lower((name)::text)` is `lower(name)`, which the catalog shows so, in place."""
    parameters = create.this.args.get("params") if isinstance(create.this, exp.Index) else None
    for cast in list(parameters.find_all(exp.Cast)) if parameters is not None else ():
        column = cast.this.unnest()
        to_text = cast.to.this in exp.DataType.TEXT_TYPES and not cast.to.expressions
        if to_text and isinstance(column, exp.Column) and isinstance(cast.parent, _OF_TEXTS):
            cast.replace(column)


_OF_TEXTS = (exp.Lower, exp.Upper, exp.Trim)


def _where(condition: exp.Expr, key: exp.Expr) -> exp.Expr:
    """The key of the rows that the condition holds for, and NULL of the others."""
    branch = exp.If(this=condition.copy(), true=key.copy())
    return exp.Paren(this=exp.Case(ifs=[branch]))


def partial_index(expressions: list[str]) -> tuple[list[str], str] | None:
    """The keys and the condition of an index over some of the rows, as DuckDB writes its expressions;
    None for another.
    """
    parts = [_key_where(one) if "(" in one else None for one in expressions]
    found = [part for part in parts if part is not None]
    conditions = {condition for _, condition in found}
    if len(found) != len(expressions) or len(conditions) != 1:
        return None
    return [key for key, _ in found], conditions.pop()


def _key_where(expression: str) -> tuple[str, str] | None:
    """The key and the condition of `(CASE WHEN (condition) THEN (key) ELSE NULL END)`."""
    tokens = DUCKDB.own_tokens(expression)
    kinds = [token.token_type for token in tokens]
    if kinds[:4] != [TokenType.L_PAREN, TokenType.CASE, TokenType.WHEN, TokenType.L_PAREN]:
        return None
    then = _past(kinds, 3)
    if kinds[then : then + 2] != [TokenType.THEN, TokenType.L_PAREN]:
        return None
    others = _past(kinds, then + 1)
    if kinds[others] is not TokenType.ELSE or kinds[-2:] != [TokenType.END, TokenType.R_PAREN]:
        return None
    if TokenType.NULL not in (kinds[others + 1], kinds[others + 3]):  # NULL or CAST(NULL AS ...)
        return None
    condition = expression[tokens[4].start : tokens[then - 1].start]
    return expression[tokens[then + 2].start : tokens[others - 1].start], condition


def _past(kinds: list[TokenType], at: int) -> int:
    """Where what follows the parentheses begins that open at `at`."""
    depth = 0
    for place in range(at, len(kinds)):
        depth += (kinds[place] is TokenType.L_PAREN) - (kinds[place] is TokenType.R_PAREN)
        if not depth:
            return place + 1
    return len(kinds)
