"""nextval, currval, lastval and setval are DuckDB's, however a sequence is named.

A sequence's numbers are DuckDB's alone: the one in the mirror never counts, so Postgres must not be
asked for its next value. `nextval('s'::regclass)`, which casts as only Postgres can, is therefore
`nextval('s')`; a name that starts with `public` is one of `main`'s, also where the name is the
answer of `pg_get_serial_sequence`. What DuckDB cannot do with a sequence is refused by its name.

DuckDB has no setval. A query that calls it is two here: what it is called with, which is read first
and done (`proxy.definitions.sequences`), and the query with the values in place of the calls.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.definitions.identities import folded
from proxy.sql.listing import Listing
from proxy.sql.quoting import quoted
from proxy.sql.reading import DUCKDB, position_of

NUMBERS = frozenset({"nextval", "currval", "lastval"})
"""The functions that give numbers of sequences (`proxy.engines.duck.sequences`)."""

SETS = "setval"
_NAMED = frozenset(map(str.upper, (*NUMBERS, SETS)))


def refusal(name: str, node: exp.Expr) -> SqlError | None:
    """Why a function of sequences cannot be called; None for all others. name: in lower case."""
    if name != SETS:
        return None
    hint = "Call it in the select list of a query of its own."
    return SqlError("0A000", f"{name} is not supported", hint=hint, position=position_of(node))


def name_for_duckdb(nodes: Listing) -> bool:
    """Puts the names of sequences as DuckDB has them, in place; whether any was changed.

    pg_catalog's functions are the same ones: pg_dump writes `pg_catalog.setval`.
    """
    changed = False
    if _NAMED.isdisjoint(nodes.called()):
        return changed
    for node in nodes.of(exp.Anonymous):
        this = node.args["this"]
        if not isinstance(this, str):
            continue
        place = node.parent
        if (
            isinstance(place, exp.Dot)
            and (this.lower() == SETS or this.lower() in NUMBERS)
            and isinstance(place.this, exp.Identifier)
            and folded(place.this) == "pg_catalog"
        ):
            place.replace(node)
            changed = True
        if not node.expressions:
            continue
        if this.lower() != SETS and (this.lower() not in NUMBERS or len(node.expressions) != 1):
            continue
        given, *others = node.expressions
        plain = given
        while isinstance(plain, (exp.Cast, exp.Paren)):
            plain = plain.this
        if isinstance(plain, exp.Literal) and plain.is_string:
            plain = exp.Literal.string(_in_duckdb(plain.this))
        elif isinstance(plain, exp.Anonymous):
            prefix, other = (exp.Literal.string(text) for text in (r'^"?public"?\.', "main."))
            plain = exp.Anonymous(this="regexp_replace", expressions=[plain, prefix, other])
        if plain != given:
            node.set("expressions", [plain, *others])
            changed = True
    return changed


def calls_to_set(tree: exp.Expr, nodes: Listing) -> list[exp.Anonymous]:
    """The calls of setval in a query that can be taken apart; [] where there is none or it cannot."""
    if exp.Anonymous not in nodes.kinds or SETS.upper() not in nodes.called():
        return []
    calls = [one for one in nodes.of(exp.Anonymous) if _is_set(one)]
    if not isinstance(tree, exp.Select):
        return []
    if any(tree.args.get(key) for key in ("distinct", "order", "limit", "offset", "with_")):
        return []
    plain = all(
        len(call.expressions) in (2, 3)
        and call.find_ancestor(exp.Select) is tree
        and _stands_in_list(call, tree)
        for call in calls
    )
    return calls if plain else []


def _is_set(node: exp.Anonymous) -> bool:
    return isinstance(node.this, str) and node.this.lower() == SETS


def _stands_in_list(node: exp.Expr, tree: exp.Select) -> bool:
    while node.parent is not None and node.parent is not tree:
        node = node.parent
    return node.arg_key == "expressions"


def taken_apart(tree: exp.Select, calls: list[exp.Anonymous]) -> exp.Select:
    """The query of what setval is called with: name, number and whether that was called, for each call.

    In `tree` the number stands in the call's place, NULL where one of them is.
    """
    asked: list[exp.Expr] = []
    for call in calls:
        name, number, *called = call.expressions
        asked += [_as(name, _D.TEXT), _as(number, _D.BIGINT)]
        asked.append(_as(called[0], _D.BOOLEAN) if called else exp.true())
    query = tree.copy()
    query.set("expressions", asked)
    for index, one in enumerate(asked):
        name = exp.to_identifier(f"c{index}", quoted=True)
        query.expressions[index].replace(exp.Alias(this=one.copy(), alias=name))
    for call in calls:
        name, number, *called = call.expressions
        missing: exp.Expr = exp.Is(this=exp.Paren(this=_as(name, _D.TEXT)), expression=exp.Null())
        for one in called:
            other = exp.Is(this=exp.Paren(this=_as(one, _D.BOOLEAN)), expression=exp.Null())
            missing = exp.Or(this=missing, expression=other)
        absent = exp.Cast(this=exp.Null(), to=exp.DataType(this=_D.BIGINT))
        given = exp.Case(ifs=[exp.If(this=missing, true=absent)], default=_as(number, _D.BIGINT))
        call.replace(given)
    return query


_D = exp.DType


def _as(value: exp.Expr, kind: exp.DType) -> exp.Expr:
    return exp.Cast(this=value.copy(), to=exp.DataType(this=kind))


def _in_duckdb(name: str) -> str:
    tokens = DUCKDB.tokenize(name)
    parts = [
        token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()
        for token in tokens
        if token.token_type != TokenType.DOT
    ]
    if len(parts) < 2 or parts[-2] != "public":
        return name
    return quoted("main", parts[-1])
