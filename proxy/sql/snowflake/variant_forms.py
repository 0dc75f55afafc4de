"""What is written in a VARIANT's place, and what becomes of queries that compare some.

Why it exists: `variants` finds what compares VARIANTs in a tree of DuckDB's SQL; these are the forms that
it puts there: keys, plain documents, texts, and queries around queries. All change the tree in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sqlglot import exp

from proxy.sql.inference.expressions import bare
from proxy.sql.postgres.documents import distinct_on
from proxy.sql.postgres.values import holds_aggregate
from proxy.sql.snowflake.registry import cast, duck, sf, text

Way = Callable[[exp.Expr], exp.Expr]


def as_variant(value: exp.Expr) -> exp.Expr:
    return sf("variant_of_", value)


def key_of(value: exp.Expr) -> exp.Expr:
    return duck("variant_key_", value)


def key_of_other(value: exp.Expr) -> exp.Expr:
    return key_of(as_variant(value))


def key_beside(value: exp.Expr) -> exp.Expr:
    """The key of a VARIANT beside a number or a truth value."""
    return sf("key_beside_", value)


def order_beside(value: exp.Expr) -> exp.Expr:
    """... that it is less or greater than."""
    return sf("order_beside_", value)


def plain(value: exp.Expr) -> exp.Expr:
    return duck("variant_plain_", value)


def text_of(value: exp.Expr) -> exp.Expr:
    return duck("variant_text_", value, text("$"))


def plain_text_of(value: exp.Expr) -> exp.Expr:
    return text_of(plain(value))


def number_of(value: exp.Expr) -> exp.Expr:
    return cast(text_of(value), exp.DType.DOUBLE)


def digits_of(value: exp.Expr) -> exp.Expr:
    return sf("variant_digits_", value)


def truth_of(value: exp.Expr) -> exp.Expr:
    return sf("variant_truth_", value)


def cast_as(other: exp.Expr, value: exp.Expr) -> exp.Expr:
    return sf("typed_as_", value, other.copy())


def unchanged(value: exp.Expr) -> exp.Expr:
    return value


def value_of(projection: exp.Expr) -> exp.Expr:
    return projection.this if isinstance(projection, exp.Alias) else projection


_LISTS = frozenset({"list", "first", "arg_max", "arg_min", "string_agg", "bool_and", "bool_or"})


def aggregates(value: exp.Expr) -> bool:
    """Whether GROUP BY ALL leaves a projection out."""
    return holds_aggregate(value) or any(
        call.name.lower() in _LISTS for call in value.find_all(exp.Anonymous)
    )


def parts_of_group(group: exp.Group) -> list[exp.Expr]:
    """What is grouped by, that of ROLLUP, CUBE and GROUPING SETS too."""
    found: list[exp.Expr] = []
    waiting = [*group.expressions]
    for key in ("grouping_sets", "cube", "rollup"):
        waiting += group.args.get(key) or ()
    while waiting:
        one = waiting.pop()
        if isinstance(one, exp.Rollup | exp.Cube | exp.GroupingSets | exp.Tuple):
            waiting += one.expressions
        elif isinstance(one, exp.Paren):
            waiting.append(one.this)
        else:
            found.append(one)
    return found


def outside_queries(node: exp.Expr) -> Collection[exp.Expr]:
    """The nodes that a query groups: not those within other queries."""
    found = []
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, exp.Query):
            found.append(one)
            waiting += one.iter_expressions()
    return found


def chosen(node: exp.Expr) -> exp.Expr:
    """GREATEST and LEAST: the last or first of pairs of a key and its document."""
    pairs = []
    for value in (node.this, *node.expressions):
        made = as_variant(value.copy())
        fields = [
            exp.PropertyEQ(this=exp.to_identifier("k"), expression=key_of(made.copy())),
            exp.PropertyEQ(this=exp.to_identifier("v"), expression=made),
        ]
        present = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
        pairs.append(exp.Case(ifs=[exp.If(this=present, true=duck("struct_pack", *fields))]))
    name = "list_max" if isinstance(node, exp.Greatest) else "list_min"
    return duck("struct_extract", duck(name, duck("list_value", *pairs)), text("v"))


def change_outputs(query: exp.Expr, ways: Sequence[Way | None], names: Sequence[str] = ()) -> None:
    """Puts a query around another one, in its place, that makes its columns otherwise."""
    inner = query.this if isinstance(query, exp.Subquery) else query
    parent, key, index = inner.parent, inner.arg_key, inner.index
    columns = [exp.to_identifier(f"c{number}") for number in range(len(ways))]
    projections: list[exp.Expr] = []
    for number, way in enumerate(ways):
        column = exp.Column(this=columns[number].copy())
        made = way(column) if way is not None else column
        name = names[number] if names else f"c{number}"
        projections.append(exp.Alias(this=made, alias=exp.to_identifier(name, quoted=True)))
    alias = exp.TableAlias(this=exp.to_identifier("_compared"), columns=columns)
    made = exp.Select(expressions=projections)
    if parent is not None and key is not None:
        parent.set(key, made, index=index)
    made.set("from_", exp.From(this=exp.Subquery(this=inner, alias=alias)))


def make_distinct(select: exp.Select, names: Sequence[str], variants: Sequence[bool]) -> None:
    if any(projection.is_star for projection in select.expressions):
        values: list[exp.Expr] = [exp.column(name, quoted=True) for name in names]
    else:
        values = [value_of(projection).copy() for projection in select.expressions]
    on = distinct_on(values, variants, key_of)
    select.set("distinct", exp.Distinct(on=exp.Tuple(expressions=on)))


def unite(union: exp.SetOperation, names: Sequence[str], variants: Sequence[bool]) -> None:
    """The branches of plain documents, which are equal as texts; sorted by a query around them."""
    if union.args.get("distinct"):
        ways = [plain if variant else None for variant in variants]
        for branch in (union.this, union.expression):
            change_outputs(branch, ways, names)
    order = union.args.get("order")
    if order is None:
        return
    for one in order.expressions:
        value = bare(one.this)
        number = int(value.this) - 1 if isinstance(value, exp.Literal) else -1
        name = names[number] if 0 <= number < len(names) else one.this.name.lower()
        if name in names:
            column = exp.column(name, quoted=True)
            one.set("this", key_of(column) if variants[names.index(name)] else column)
    around = {key: union.args.get(key) for key in ("with_", "order", "limit", "offset")}
    parent, key, index = union.parent, union.arg_key, union.index
    for one in around:
        union.set(one, None)
    made = exp.Select(
        expressions=[exp.Star()], **{k: v for k, v in around.items() if v is not None}
    )
    if parent is not None and key is not None:
        parent.set(key, made, index=index)
    else:
        union.meta["made"] = made
    alias = exp.TableAlias(this=exp.to_identifier("_united"))
    made.set("from_", exp.From(this=exp.Subquery(this=union, alias=alias)))
