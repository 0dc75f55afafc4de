"""NUMBERs of columns: the scale of what is multiplied, chosen between and united.

Why it exists: Snowflake's products keep at most 12 digits behind the point, or as many as a factor has;
where a NUMBER(38, 0) becomes one with a NUMBER(38, 10), in a CASE, a COALESCE or a UNION, the result has
the longer fraction, and what then has more than 38 digits raises. DuckDB adds the scales of factors, and
cuts a fraction where 38 digits do not hold all. How many digits a value has follows from those of the
columns (`proxy.session.typed`); where it does not, DuckDB is asked within the statement, by the type of a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce

from sqlglot import exp

from proxy.sql.inference.expressions import bare
from proxy.sql.inference.names import Decimal, Output, Scope
from proxy.sql.inference.signatures import INTEGERS, UNKNOWN, Type
from proxy.sql.postgres.documents import put_around
from proxy.sql.snowflake.registry import cast, duck
from proxy.sql.snowflake.variant_forms import change_outputs
from proxy.sql.snowflake.variants import Variants

_WIDTH = 38
_LONGEST = 12  # digits behind the point of a quotient or a product, unless a side has more
_WHOLE = {"int2": 5, "int4": 10, "int8": 19}
_NUMERIC = "numeric"

Leaf = tuple[exp.Expr, list[Output]]
"""A query whose rows a set operation puts together, and its columns."""


def _of_kind(kind: Type) -> Decimal | None:
    """A type's digits: those of an integer too."""
    if isinstance(kind, Decimal):
        return kind
    return Decimal(_WHOLE[kind], 0) if kind in _WHOLE else None


def _limited(whole: int, scale: int) -> Decimal:
    return Decimal(min(whole, _WIDTH - scale), scale)


def _widest(kinds: Sequence[Decimal]) -> Decimal:
    """The type that holds all of them, cut to 38 digits at the whole part."""
    return _limited(max(one.whole for one in kinds), max(one.scale for one in kinds))


def _cuts(kinds: Sequence[Decimal]) -> bool:
    """Whether DuckDB's common type of them has a shorter fraction than one of them."""
    return max(one.whole for one in kinds) + max(one.scale for one in kinds) > _WIDTH


class Digits(Variants):
    """Notes the digits of numbers while a statement is visited; `keep_digits` changes it."""

    def begin(self) -> None:
        super().begin()
        self._products: dict[int, tuple[exp.Expr, int]] = {}
        self._outputs_of: dict[int, list[Output]] = {}
        self._checked: list[exp.Case] = []
        self._leaves: dict[int, list[Leaf]] = {}
        self._set_operations: list[exp.SetOperation] = []

    # --- what is noted ------------------------------------------------------------------------

    def kind_of(self, node: exp.Expr | None, scope: Scope) -> Type:
        kind = super().kind_of(node, scope)
        if kind is None and isinstance(node, exp.Dot | exp.Anonymous):
            kind = self._of_call(node)
        if kind != _NUMERIC or node is None:
            return kind
        found = self._digits(node, kind)
        self._kinds[id(node)] = found
        return found

    def _digits(self, node: exp.Expr, kind: Type) -> Type:
        """numeric, with its digits where they follow from the parts."""
        find = _FOUND.get(node.__class__)
        found = find(self, node) if find is not None else None
        if found is None and isinstance(node, exp.Column | exp.Query) and isinstance(kind, Decimal):
            return kind
        return found if found is not None else _plain(kind)

    def _of(self, node: exp.Expr | None) -> Decimal | None:
        inner = bare(node)
        return _of_kind(self._known(inner)) if inner is not None else None

    def _inner(self, node: exp.Expr) -> Decimal | None:
        inner = node.this
        return self._of(inner.expressions[0] if isinstance(inner, exp.Distinct) else inner)

    def _of_literal(self, node: exp.Literal) -> Decimal | None:
        whole, _, fraction = node.this.partition(".")
        if "e" in node.this.lower() or len(whole) + len(fraction) > _WIDTH:
            return None
        return Decimal(len(whole.lstrip("0")), len(fraction))

    def _of_cast(self, node: exp.Cast) -> Decimal | None:
        if node.to.this != exp.DType.DECIMAL:
            return None
        sizes = [size.name for size in node.to.expressions]
        if not sizes:
            return Decimal(15, 3)
        if not all(size.isdecimal() for size in sizes):
            return None
        scale = int(sizes[1]) if len(sizes) > 1 else 0
        return Decimal(int(sizes[0]) - scale, scale)

    def _of_total(self, node: exp.Sum) -> Decimal | None:
        inner = self._inner(node)
        return Decimal(_WIDTH - inner.scale, inner.scale) if inner is not None else None

    def _of_sum(self, node: exp.Binary) -> Decimal | None:
        return self._total(node.this, node.expression)

    def _total(self, left: exp.Expr, right: exp.Expr) -> Decimal | None:
        one, other = self._of(left), self._of(right)
        if one is None or other is None:
            return None
        return _limited(max(one.whole, other.whole) + 1, max(one.scale, other.scale))

    def _of_product(self, node: exp.Binary) -> Decimal | None:
        return self._multiplied(node, node.this, node.expression)

    def _multiplied(self, node: exp.Expr, left: exp.Expr, right: exp.Expr) -> Decimal | None:
        one, other = self._of(left), self._of(right)
        if one is None or other is None:
            return None
        most = max(one.scale, other.scale, _LONGEST)
        scale = one.scale + other.scale
        if scale <= most:
            return _limited(one.whole + other.whole, scale)
        self._products[id(node)] = node, most
        return Decimal(_WIDTH - most, most)

    def _divided(self, left: exp.Expr) -> Decimal | None:
        one = self._of(left)
        if one is None:
            return None
        scale = max(one.scale, min(one.scale + 6, _LONGEST))
        return Decimal(_WIDTH - scale, scale)

    def _of_call(self, node: exp.Dot | exp.Anonymous) -> Decimal | None:
        call = node.expression if isinstance(node, exp.Dot) else node
        if not isinstance(call, exp.Anonymous) or not call.expressions:
            return None
        name, values = call.name.lower(), call.expressions
        if name in ("div_", "div0_", "div0null_"):
            return self._divided(values[0])
        if name == "product_":
            return self._multiplied(node, *values)
        if name in ("sum_", "difference_"):
            return self._total(*values)
        return self._of(values[0]) if name in _SAME else None

    def _of_rounded(self, node: exp.Round) -> Decimal | None:
        value, digits = self._of(node.this), bare(node.args.get("decimals"))
        if value is None:
            return None
        if digits is None:
            return _limited(value.whole + 1, 0)
        if not isinstance(digits, exp.Literal) or not digits.this.isdecimal():
            return None
        return _limited(value.whole + 1, min(value.scale, int(digits.this)))

    def _of_choice(self, node: exp.Expr) -> Decimal | None:
        kinds = []
        for value in _alternatives(node):
            if isinstance(bare(value), exp.Null):
                continue
            kind = self._of(value)
            if kind is None:
                return None
            kinds.append(kind)
        if not kinds or _cuts(kinds):
            return None
        return _widest(kinds)

    def _case(self, node: exp.Case, scope: Scope) -> Type:
        kind = super()._case(node, scope)
        if not _checks(node):
            return kind
        self._checked.append(node)
        kinds = [digits for one in _chosen(node) if (digits := self._of(one)) is not None]
        return (
            _widest(kinds)
            if len(kinds) == len(_chosen(node)) > 0
            else self._known(node.args["default"])
        )

    def _united(
        self, node: exp.SetOperation, left: list[Output] | None, scope: Scope
    ) -> list[Output] | None:
        outputs = super()._united(node, left, scope)
        leaves: list[Leaf] | None = []
        for side in (node.this, node.expression):
            inner = _unwrapped(side)
            if isinstance(inner, exp.SetOperation):
                found = self._leaves.get(id(inner))
            else:
                columns = self._outputs_of.get(id(inner))
                found = [(inner, columns)] if columns is not None else None
            leaves = leaves + found if leaves is not None and found is not None else None
        if leaves is None or outputs is None or node.args.get("by_name"):
            return outputs
        self._leaves[id(node)] = leaves
        self._set_operations.append(node)
        for index, output in enumerate(outputs):
            if output.kind == _NUMERIC:
                kinds = [_of_kind(columns[index].kind) for _, columns in leaves]
                known = [kind for kind in kinds if kind is not None]
                output.kind = _widest(known) if len(known) == len(kinds) else _plain(output.kind)
        return outputs

    def query(self, node: exp.Expr, scope: Scope) -> list[Output] | None:
        outputs = super().query(node, scope)
        if outputs is not None:
            self._outputs_of[id(node)] = [Output(one.name, one.kind) for one in outputs]
        return outputs

    # --- what is changed ----------------------------------------------------------------------

    def keep_digits(self) -> bool:
        """Whether anything was to be changed."""
        changed = False
        for node, scale in self._products.values():
            put_around(node, lambda value, scale=scale: cast(value, exp.DType.DECIMAL, 38, scale))
            changed = True
        for case in self._checked:
            changed = self._choose_wider(case) or changed
        whole = {id(node) for node in self._set_operations}
        for node in self._set_operations:
            place = node.parent
            while isinstance(place, exp.Subquery | exp.Paren) and id(place.parent) in whole:
                place = place.parent
            if id(place) not in whole:
                changed = self._unite_digits(node) or changed
        return changed

    def _choose_wider(self, case: exp.Case) -> bool:
        """A choice between columns that DuckDB would cut, between them with the longest fraction."""
        chosen, values = case.args["default"], _chosen(case)
        kinds = [kind for value in values if (kind := self._of(value)) is not None]
        if len(kinds) < len(values) or not kinds or not _cuts(kinds):
            return False
        scale = max(kind.scale for kind in kinds)
        for value in values:
            put_around(value, lambda one: cast(one, exp.DType.DECIMAL, _WIDTH, scale))
        case.replace(chosen)
        return True

    def _unite_digits(self, node: exp.SetOperation) -> bool:
        leaves = self._leaves[id(node)]
        width = min(len(columns) for _, columns in leaves)
        ways: list[Callable[[exp.Expr], exp.Expr] | None] = [None] * width
        for index in range(width):
            kinds = [columns[index].kind for _, columns in leaves]
            kinds = [kind for kind in kinds if kind != UNKNOWN]
            if _NUMERIC not in kinds or not all(
                kind is None or kind == _NUMERIC or kind in INTEGERS for kind in kinds
            ):
                continue
            known = [digits for kind in kinds if (digits := _of_kind(kind)) is not None]
            if len(known) < len(kinds):
                if not _reads_itself(node):
                    ways[index] = _as_sum(leaves, index)
            elif _cuts(known):
                ways[index] = _as_wide(max(one.scale for one in known))
        if not any(ways):
            return False
        for query, columns in leaves:
            _give(query, ways, [column.name for column in columns])
        return True


Digits._visits = {**Variants._visits, exp.Case: Digits._case}


def _plain(kind: Type) -> Type:
    return str.__str__(kind) if isinstance(kind, Decimal) else kind


_SAME = frozenset(
    {
        *("number_", "any_number_", "counted_", "zeroifnull", "nullifzero", "first", "last"),
        *("arg_max", "arg_min", "try", "abs", "mod_"),
    }
)
"""Functions of a number that have as many digits."""


def _alternatives(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Case):
        values = [*(one.args["true"] for one in node.args["ifs"]), node.args.get("default")]
    elif isinstance(node, exp.If):
        values = [node.args.get("true"), node.args.get("false")]
        if isinstance(node.parent, exp.Case):
            return []
    elif isinstance(node, exp.Nullif):
        values = [node.this]
    else:
        values = [node.this, *node.expressions]
    return [value for value in values if value is not None]


def _checks(case: exp.Case) -> bool:
    """Whether it is what `proxy.sql.unifying` puts around a choice between columns."""
    ifs = case.args["ifs"]
    condition = ifs[0].this if len(ifs) == 1 and case.this is None else None
    return (
        isinstance(condition, exp.Dot)
        and isinstance(condition.expression, exp.Anonymous)
        and condition.expression.name.lower() == "cuts_"
    )


def _chosen(case: exp.Case) -> list[exp.Expr]:
    """The columns and literals that such a choice is between."""
    parts = case.args["default"].find_all(exp.Case, exp.Coalesce, exp.Greatest, exp.Least, exp.If)
    values = [value for part in parts for value in _alternatives(part)]
    return [value for value in values if isinstance(bare(value), exp.Column | exp.Literal)]


def _unwrapped(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Subquery | exp.Paren):
        node = node.this
    return node


def _reads_itself(node: exp.Expr) -> bool:
    place = node.find_ancestor(exp.With)
    return place is not None and bool(place.args.get("recursive"))


def _as_wide(scale: int) -> Callable[[exp.Expr], exp.Expr]:
    return lambda value: cast(value, exp.DType.DECIMAL, _WIDTH, scale)


def _as_sum(leaves: Sequence[Leaf], index: int) -> Callable[[exp.Expr], exp.Expr]:
    """As the type of the sum of the leaves' columns, which keeps the longest fraction."""
    sources = []
    for number, (query, columns) in enumerate(leaves):
        names = [exp.to_identifier(f"c{place}") for place in range(len(columns))]
        alias = exp.TableAlias(this=exp.to_identifier(f"_leaf{number}"), columns=names)
        sources.append(exp.Subquery(this=query.copy(), alias=alias))
    values: list[exp.Expr] = [
        exp.column(f"c{index}", table=f"_leaf{number}") for number in range(len(leaves))
    ]
    total = reduce(lambda one, other: exp.Add(this=one, expression=other), values)
    select = exp.Select(
        expressions=[total],
        from_=exp.From(this=sources[0]),
        joins=[exp.Join(this=source) for source in sources[1:]],
        where=exp.Where(this=exp.Boolean(this=False)),
    )
    asked = exp.Subquery(this=select)
    return lambda value: duck("cast_to_type", value, asked.copy())


def _give(
    query: exp.Expr, ways: Sequence[Callable[[exp.Expr], exp.Expr] | None], names: Sequence[str]
) -> None:
    """Makes the columns of a query otherwise; where they are written there, there."""
    if not isinstance(query, exp.Select) or any(one.is_star for one in query.expressions):
        change_outputs(query, ways, names)
        return
    for way, projection in zip(ways, list(query.expressions), strict=False):
        if way is None:
            continue
        if isinstance(projection, exp.Alias):
            projection.set("this", way(projection.this))
        else:
            name = projection.output_name or "?column?"
            put_around(projection, partial(_named, way, name))


def _named(way: Callable[[exp.Expr], exp.Expr], name: str, value: exp.Expr) -> exp.Expr:
    return exp.Alias(this=way(value), alias=exp.to_identifier(name, quoted=True))


_FOUND: dict[type, Callable[..., Decimal | None]] = {
    exp.Literal: Digits._of_literal,
    exp.Cast: Digits._of_cast,
    exp.TryCast: Digits._of_cast,
    exp.Sum: Digits._of_total,
    exp.Mul: Digits._of_product,
    exp.Round: Digits._of_rounded,
    **dict.fromkeys((exp.Add, exp.Sub), Digits._of_sum),
    **dict.fromkeys((exp.Dot, exp.Anonymous), Digits._of_call),
    **dict.fromkeys(
        (exp.Case, exp.Coalesce, exp.If, exp.Greatest, exp.Least, exp.Nullif), Digits._of_choice
    ),
    **dict.fromkeys(
        (
            *(exp.Paren, exp.Alias, exp.Neg, exp.Abs, exp.Max, exp.Min, exp.AnyValue, exp.First),
            *(exp.Last, exp.FirstValue, exp.LastValue, exp.Lag, exp.Lead, exp.NthValue),
            *(exp.Window, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls),
            *(exp.Ordered, exp.Order, exp.Distinct, exp.Mode, exp.ArgMax, exp.ArgMin),
        ),
        Digits._inner,
    ),
}
