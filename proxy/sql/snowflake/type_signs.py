"""What of a statement's text hangs on the types of columns, and which types those would be.

Why it exists: to follow the types of a statement costs as much as to plan it. So a plan says what in it
may have use for them, as names of columns and counts, and a session compares that with the columns of
the relations that the statement names (`proxy.session.typed`): most have nothing to follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlglot import exp

from proxy.sql.listing import Listing
from proxy.sql.snowflake.registry import FUNCTIONS
from proxy.wire.types import DuckType

Pair = tuple[str | None, str | None]
"""Names of two columns that are compared; None for what is no plain column."""

_SCALE = 12  # digits behind the point of a product, at most
_WIDE = 30  # digits of a NUMBER from which on others' fractions may not fit beside it

_NUMBERS = frozenset(
    {
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT"),
        *("UINTEGER", "UBIGINT", "UHUGEINT", "DECIMAL", "FLOAT", "DOUBLE"),
    }
)


class Signs(NamedTuple):
    """pairs: columns compared for equality. aliases: names that columns get. united: it has UNION or its kin.

    chosen: it has CASE, COALESCE or their kin. called: it calls what may be a client's function. products, quotients: how many of each it has.
    writes: into a table.
    """

    pairs: frozenset[Pair] = frozenset()
    aliases: tuple[str, ...] = ()
    united: bool = False
    chosen: bool = False
    called: bool = False
    products: int = 0
    quotients: int = 0
    writes: bool = False


NO_SIGNS = Signs()


@dataclass(frozen=True, slots=True)
class Columns:
    """What of a relation's columns decides: names, and digits.

    kinds: 'text', 'number', 'date' (or a time) or '' by name. decisive: it has VARIANTs or BINARYs. rounded: it has times that are,
    once written. scale, width: the most digits behind the point, and in all, of a DECIMAL; 0 without one.
    """

    kinds: Mapping[str, str]
    decisive: bool
    rounded: bool
    scale: int
    width: int


def columns_of(columns: Iterable[tuple[str, DuckType]], *, rounded: bool = False) -> Columns:
    """A relation's columns, of which each is its name and type. rounded: some keep fewer digits of a
    second than are given.
    """
    kinds = {}
    decisive, scale, width = False, 0, 0
    for name, kind in columns:
        decisive = decisive or kind.is_document or kind.id == "BLOB"
        kinds[name.lower()] = "number" if kind.id in _NUMBERS else _KINDS.get(kind.id, "")
        if kind.id == "DECIMAL":
            scale, width = max(scale, kind.scale), max(width, kind.width)
    return Columns(kinds, decisive, rounded, scale, width)


_KINDS = {"VARCHAR": "text", **dict.fromkeys(("DATE", "TIME", "TIMESTAMP"), "date")}


def decide(signs: Signs, relations: Iterable[Columns]) -> bool:
    """Whether the types of a statement over these relations may change what it means."""
    known = list(relations)
    if signs.united or signs.called or any(one.decisive for one in known):
        return True
    if signs.writes and any(one.rounded for one in known):
        return True
    if signs.chosen and any(one.width >= _WIDE for one in known):
        return True
    if signs.products:
        scale = max((one.scale for one in known), default=0)
        quotients = min(signs.quotients, signs.products + 1)
        of_quotient = max(scale, min(scale + 6, _SCALE))
        if of_quotient * quotients + scale * (signs.products + 1 - quotients) > _SCALE:
            return True
    aliases = frozenset(map(str.lower, signs.aliases))
    return any(_crosses(pair, known, aliases) for pair in signs.pairs)


_BESIDE_TEXT = frozenset({"number", "date"})
_EITHER = _BESIDE_TEXT | {"text"}


def _crosses(pair: Pair, known: list[Columns], aliases: frozenset[str]) -> bool:
    """Whether one may be a text, and the other a number, a date or a time."""
    left, right = (_kinds(name, known, aliases) for name in pair)
    return any(
        "text" in one and not _BESIDE_TEXT.isdisjoint(other)
        for one, other in ((left, right), (right, left))
    )


def _kinds(name: str | None, known: list[Columns], aliases: frozenset[str]) -> frozenset[str]:
    """What columns of a name may be; either, where it is another's than the relations'."""
    if name is None or (lower := name.lower()) in aliases:
        return _EITHER
    return (
        frozenset([kind for one in known if (kind := one.kinds.get(lower)) is not None]) or _EITHER
    )


_CHOICES = frozenset(
    {
        *(exp.Case, exp.Coalesce, exp.If, exp.Greatest, exp.Least, exp.Nvl2, exp.DecodeCase),
    }
)
UNIONS = frozenset({exp.Union, exp.Intersect, exp.Except})
_INNER = frozenset({exp.Subquery, exp.CTE})


def signs_of(nodes: Listing) -> Signs:
    """Of a statement in Snowflake's SQL, by its nodes before rules changed them."""
    kinds = nodes.kinds
    pairs: set[Pair] = set()
    for kind, found in nodes.by_kind():
        if (compared := _COMPARED.get(kind)) is not None:
            for node in found:
                compared(node, pairs)
    return Signs(
        frozenset(pairs),
        tuple(_aliases(nodes)) if pairs and not _INNER.isdisjoint(kinds) else (),
        not UNIONS.isdisjoint(kinds),
        not _CHOICES.isdisjoint(kinds),
        exp.Anonymous in kinds and calls_unknown(nodes),
        len(nodes.of(exp.Mul)),
        len(nodes.of(exp.Div)) + len(nodes.of(exp.Avg)),
    )


def _equal(node: exp.Expr, pairs: set[Pair]) -> None:
    """Nearly all are two plain columns, or a column and a literal."""
    args = node.args
    left, right = args["this"], args["expression"]
    if left.__class__ is not exp.Literal and right.__class__ is not exp.Literal:
        pairs.add((_name(left), _name(right)))


def _in(node: exp.Expr, pairs: set[Pair]) -> None:
    query = node.args.get("query")
    if query is None:
        _with_each(node.this, node.expressions, pairs)
    elif isinstance(query, exp.Subquery) and isinstance(query.this, exp.Select):
        _with_each(node.this, [one.unalias() for one in query.this.expressions], pairs)
    else:
        pairs.add((_name(node.this), None))


def _between(node: exp.Expr, pairs: set[Pair]) -> None:
    _with_each(node.this, (node.args["low"], node.args["high"]), pairs)


def _case(node: exp.Expr, pairs: set[Pair]) -> None:
    if node.args.get("this") is not None:
        _with_each(node.this, [one.this for one in node.args["ifs"]], pairs)


def _decoded(node: exp.Expr, pairs: set[Pair]) -> None:
    _with_each(node.expressions[0], node.expressions[1:], pairs)


def _join(node: exp.Expr, pairs: set[Pair]) -> None:
    args = node.args
    if "using" in args:
        pairs.update((column.name, column.name) for column in args["using"] or ())
    if args.get("method") == "NATURAL":
        pairs.add((None, None))


_COMPARED: dict[type, Callable[[exp.Expr, set[Pair]], None]] = {
    **dict.fromkeys(
        (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.EqualNull, exp.Nullif), _equal
    ),
    exp.In: _in,
    exp.Between: _between,
    exp.Case: _case,
    exp.DecodeCase: _decoded,
    exp.Join: _join,
}
"""What columns a node compares, by its type."""


def calls_unknown(nodes: Listing) -> bool:
    """Whether a statement calls what is no function of Snowflake's."""
    return not nodes.called() <= FUNCTIONS.keys()


def _aliases(nodes: Listing) -> list[str]:
    """The names that columns get anywhere: what a name means is not followed here."""
    named = [alias.args["alias"] for alias in nodes.of(exp.Alias)]
    for table in nodes.of(exp.TableAlias):
        if columns := table.args.get("columns"):
            named += columns
    return [one.args["this"] for one in named if one.__class__ is exp.Identifier]


def _with_each(one: exp.Expr, others: Iterable[exp.Expr], pairs: set[Pair]) -> None:
    name = _name(one)
    for other in others:
        if other.__class__ is not exp.Literal:
            pairs.add((name, _name(other)))


def _name(node: exp.Expr) -> str | None:
    """A plain column's name."""
    while node.__class__ is exp.Paren:
        node = node.args["this"]
    name = node.args["this"] if node.__class__ is exp.Column else None
    return name.args["this"] if name.__class__ is exp.Identifier else None
