"""Aggregates and window functions."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from proxy.sql.listing import copied
from proxy.sql.snowflake.registry import cast, duck, function, node, number, sf, text, unsupported
from proxy.sql.snowflake.semistructured import is_variant, variant

_WRAPPERS = (exp.Window, exp.Filter)


def _wrapped(aggregate: exp.Expr) -> exp.Expr:
    """The aggregate with its FILTER and OVER."""
    outer = aggregate
    while isinstance(outer.parent, _WRAPPERS) and outer.arg_key == "this":
        outer = outer.parent
    return outer


def _numbers(value: exp.Expr) -> exp.Expr:
    """Texts and VARIANTs are read as FLOAT where they are added up."""
    if isinstance(value, exp.Distinct):
        value.set("expressions", [_numbers(one) for one in value.expressions])
        return value
    return sf("number_", value) if isinstance(value, exp.Column) else value


@node(
    *(exp.Sum, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop),
)
def _sum(call: exp.Expr) -> None:
    call.set("this", _numbers(call.this))


@node(exp.BitwiseAndAgg, exp.BitwiseOrAgg, exp.BitwiseXorAgg)
def _bits(call: exp.Expr) -> None:
    """Numbers are rounded to whole ones, and texts are read as numbers, before their bits are taken."""
    value = call.this
    if isinstance(value, exp.Distinct):
        value.set("expressions", [sf("whole_", one) for one in value.expressions])
    else:
        call.set("this", sf("whole_", value))


def _sum_by_count(average: exp.Avg, by: str = "div_") -> exp.Expr:
    """AVG is SUM / COUNT with the scale of a division, or as `by` divides them."""
    outer = _wrapped(average)
    value = _numbers(average.this)
    average.set("this", value)
    if outer is average:
        total: exp.Expr = exp.Sum(this=value)
        count: exp.Expr = exp.Count(this=copied(value))
    else:
        total, count = copied(outer), outer
        total.find(exp.Avg).replace(exp.Sum(this=copied(value)))
        count.find(exp.Avg).replace(exp.Count(this=value))
    return sf(by, total, duck("nullif", count, number(0)))


@node(exp.Avg)
def _avg(average: exp.Avg) -> exp.Expr | None:
    return _sum_by_count(average) if _wrapped(average) is average else None


@node(exp.Filter)
def _filter(filter_: exp.Filter) -> exp.Expr | None:
    if isinstance(filter_.this, exp.Avg) and not isinstance(filter_.parent, exp.Window):
        return _sum_by_count(filter_.this)
    return _around(filter_)


def _grows(window: exp.Window) -> bool:
    """Whether a window is ordered and its frame ends at the current row's peers, as it does unsaid.

    AVG has six more digits there, as the aggregate has, and three in all other windows.
    """
    spec = window.args.get("spec")
    if spec is None:
        return window.args.get("order") is not None
    said = spec.args
    start = said.get("start") == "UNBOUNDED" and said.get("end") in (None, "CURRENT ROW")
    return str(said.get("kind")).upper() == "RANGE" and start


@node(exp.Window)
def _window(window: exp.Window) -> exp.Expr | None:
    inner = window.this
    while isinstance(inner, exp.Filter):
        inner = inner.this
    if isinstance(inner, exp.Avg):
        return _sum_by_count(inner, "div_" if _grows(window) else "window_average_")
    if isinstance(inner, exp.NthValue) and inner.args.get("from_first") is False:
        return _from_last(window, inner)
    if isinstance(inner, exp.GroupConcat):
        return duck("coalesce", window, text(""))
    if isinstance(inner, exp.Anonymous) and inner.this in (_TRUE_EVENT, "_sf.changes_"):
        window.set("spec", _up_to_here())
    if isinstance(inner, exp.Anonymous) and inner.this == _TRUE_EVENT:
        if inner.find(exp.Window) is not None:
            hint = "Compute LAG and LEAD in a subquery."
            raise unsupported("a window within CONDITIONAL_TRUE_EVENT", window, hint)
        true = sf("truthy_", inner.expressions[0])
        never = exp.Boolean(this=False)
        window.set("this", counted_if(exp.Coalesce(this=true, expressions=[never])))
        return None
    if isinstance(inner, exp.Anonymous) and inner.this == _RATIO:
        (value,) = inner.expressions
        total = window.copy()
        total.set("this", exp.Sum(this=value.copy()))
        return sf("div_", value, duck("nullif", total, number(0)))
    if isinstance(inner, exp.Anonymous) and inner.this in _FILLS:
        _fill(window, inner)
        return None
    return _around(window)


def _fill(window: exp.Window, call: exp.Anonymous) -> None:
    """The nearest value that there is, on one side of a row in the window's order."""
    if window.args.get("spec") is not None or window.args.get("order") is None:
        raise unsupported(f"{call.this.upper()} without ORDER BY or with a frame", window)
    kind, backwards = _FILLS[call.this]
    (value,) = call.expressions
    window.set("this", exp.IgnoreNulls(this=kind(this=value)))
    window.set("spec", _from_here() if backwards else _up_to_here())


def _from_here() -> exp.WindowSpec:
    return exp.WindowSpec(kind="ROWS", start="CURRENT ROW", end="UNBOUNDED", end_side="FOLLOWING")


_FILLS: dict[object, tuple[type[exp.Expr], bool]] = {
    "interpolate_ffill": (exp.LastValue, False),
    "interpolate_bfill": (exp.FirstValue, True),
}


def _from_last(window: exp.Window, call: exp.NthValue) -> exp.Expr | None:
    """The n-th from the last, over a whole partition, is the n-th in the opposite order."""
    order, spec = window.args.get("order"), window.args.get("spec")
    whole = spec is not None and spec.args.get("start") == spec.args.get("end") == "UNBOUNDED"
    if order is None or not whole:
        raise unsupported("NTH_VALUE FROM LAST of a part of the partition", window)
    call.set("from_first", None)
    for ordered in order.expressions:
        ordered.set("desc", not ordered.args.get("desc"))
        ordered.set("nulls_first", not ordered.args.get("nulls_first"))
    return None


def _up_to_here() -> exp.WindowSpec:
    return exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")


_RATIO = "ratio_to_report"
_TRUE_EVENT = "conditional_true_event"


@node(exp.Max, exp.Min)
def _extreme(aggregate: exp.Max | exp.Min) -> exp.Expr | None:
    """VARIANTs are ordered by value, not by their text."""
    value = aggregate.this
    if not is_variant(value):
        return None
    name = "arg_max" if isinstance(aggregate, exp.Max) else "arg_min"
    return duck(name, value, sf("sort_key_", value.copy()))


@node(exp.GroupConcat)
def _listagg(call: exp.GroupConcat) -> exp.Expr | None:
    """LISTAGG of no rows is the empty string."""
    outer = _wrapped(call)
    if outer is not call:
        return None
    return duck("coalesce", call, text(""))


@node(exp.ArrayAgg)
def _array_agg(call: exp.ArrayAgg) -> exp.Expr | None:
    """ARRAY_AGG skips NULL and gives an ARRAY, [] of no rows."""
    if isinstance(call.parent, exp.WithinGroup):
        return None
    return _as_array(call.this, None)


@node(exp.WithinGroup)
def _within_group(group: exp.WithinGroup) -> exp.Expr | None:
    call = group.this
    if isinstance(call, exp.PercentileCont):
        ordered = group.expression.expressions[0]
        ordered.set("this", sf("finer_", ordered.this))
        if ordered.args.get("desc") and isinstance(call.this, exp.Literal):
            # DuckDB leaves the direction out, of windows and of 0.
            ordered.set("desc", False)
            call.set("this", exp.Literal.number(str(1 - Decimal(call.this.name))))
        return None
    if isinstance(call, exp.PercentileDisc):
        return _from_the_end(group, group.expression.expressions[0])
    return _as_array(call.this, group.expression) if isinstance(call, exp.ArrayAgg) else None


def _from_the_end(group: exp.WithinGroup, ordered: exp.Ordered) -> exp.Expr | None:
    """PERCENTILE_DISC in descending order: DuckDB leaves the direction out, of windows and of 0."""
    if not ordered.args.get("desc"):
        return None
    fraction = group.this.this
    if isinstance(fraction, exp.Literal) and not Decimal(fraction.name):
        return exp.Max(this=ordered.this)
    if isinstance(group.parent, exp.Window):
        hint = "Compute it in a subquery with GROUP BY."
        raise unsupported("PERCENTILE_DISC OVER in descending order", group, hint)
    return None


def _as_array(value: exp.Expr, order: exp.Expr | None) -> exp.Expr:
    return sf("array_of_", _values(value, order))


def _values(value: exp.Expr, order: exp.Expr | None = None) -> exp.Expr:
    """The list of the values that are not NULL."""
    tested = value.expressions[0] if isinstance(value, exp.Distinct) else value
    tested = tested.copy()
    inner = exp.Order(this=value, expressions=order.expressions) if order is not None else value
    return exp.Filter(
        this=duck("list", inner),
        expression=exp.Where(this=exp.Not(this=exp.Is(this=tested, expression=exp.Null()))),
    )


@node(exp.ArrayUniqueAgg)
def _array_unique_agg(call: exp.ArrayUniqueAgg) -> exp.Expr:
    return sf("array_of_", _values(exp.Distinct(expressions=[call.this])))


@node(exp.ArrayUnionAgg)
def _array_union_agg(call: exp.ArrayUnionAgg) -> exp.Expr:
    return sf("union_of_", _values(sf("elements_", call.this)))


_OF_LISTS = frozenset(
    {
        *("_sf.array_of_", "_sf.object_agg_", "_sf.union_of_", "_sf.top_k_", "_sf.bitmap_of_"),
        *(
            "_sf.distinct_of_",
            "_sf.all_of_",
            "_sf.changes_",
            "_sf.minhash_of_",
            "_sf.least_hashes_",
        ),
        *("_sf.similarity_", "_sf.defined_"),
    }
)


def _around(wrapper: exp.Filter | exp.Window) -> exp.Expr | None:
    """FILTER and OVER belong to the aggregate inside of what is made of its list."""
    made = wrapper.this
    if not isinstance(made, exp.Anonymous) or made.this not in _OF_LISTS:
        return None
    collected, *others = made.expressions
    if isinstance(wrapper, exp.Filter) and isinstance(collected, exp.Filter):
        inner = collected.expression
        both = exp.And(
            this=exp.Paren(this=inner.this), expression=exp.Paren(this=wrapper.expression.this)
        )
        inner.set("this", both)
        return made
    wrapper.set("this", collected)
    return sf(made.this.removeprefix("_sf."), wrapper, *others)


@function("OBJECT_AGG", "OBJECTAGG")
def _object_agg(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("object_agg_", duck("list", sf("entry_", arguments[0], variant(arguments[1]))))


@function("RATIO_TO_REPORT")
def _ratio_to_report(arguments: list[exp.Expr]) -> exp.Expr:
    return duck(_RATIO, *arguments)


def _filling(name: str) -> None:
    @function(name.upper())
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        (_,) = arguments
        return duck(name, *arguments)


for _name in ("interpolate_ffill", "interpolate_bfill"):
    _filling(_name)


@node(exp.ArgMax, exp.ArgMin)
def _arg_extreme(call: exp.ArgMax | exp.ArgMin) -> exp.Expr | None:
    count = call.args.get("count")
    name = "arg_max" if isinstance(call, exp.ArgMax) else "arg_min"
    if count is None:
        return None
    return duck("to_json", duck(name, call.this, call.expression, cast(count, exp.DType.BIGINT)))


@node(exp.RegrSlope)
def _regr_slope(call: exp.RegrSlope) -> exp.Expr:
    """DuckDB's slope of points one above the other is NaN."""
    return sf("defined_", duck("regr_slope", call.this, call.expression))


@node(exp.CountIf)
def _count_if(call: exp.CountIf) -> exp.Expr:
    """DuckDB's COUNT_IF of no rows is NULL."""
    return counted_if(call.this)


def counted_if(condition: exp.Expr) -> exp.Count:
    """How many rows fulfil a condition."""
    return exp.Count(this=exp.Case(ifs=[exp.If(this=condition, true=number(1))]))


@function("CONDITIONAL_TRUE_EVENT")
def _true_event(arguments: list[exp.Expr]) -> exp.Expr:
    return duck(_TRUE_EVENT, *arguments)


@function("CONDITIONAL_CHANGE_EVENT")
def _change_event(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("changes_", duck("list", *arguments))


@node(exp.ApproxQuantile)
def _approx_percentile(call: exp.ApproxQuantile) -> None:
    """The estimate is a FLOAT, between two whole numbers too."""
    call.set("this", cast(call.this, exp.DType.DOUBLE))


@node(exp.Median)
def _median(call: exp.Median) -> None:
    call.set("this", sf("finer_", _numbers(call.this)))


@function("HLL", "APPROXIMATE_COUNT_DISTINCT")
def _hll(arguments: list[exp.Expr]) -> exp.Expr:
    if len(arguments) != 1 or isinstance(arguments[0], exp.Star):
        raise unsupported("an estimate of distinct rows", arguments[0])
    return duck("approx_count_distinct", *arguments)


def _distinct(value: exp.Expr) -> exp.Expr:
    return _values(exp.Distinct(expressions=[value]))


@function("HLL_ACCUMULATE")
def _hll_accumulate(arguments: list[exp.Expr]) -> exp.Expr:
    """The state is the set of the values' hashes: no estimate is needed of what is known."""
    return _distinct(duck("hash", sf("hash_key_", arguments[0])))


@function("HLL_COMBINE")
def _hll_combine(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("distinct_of_", _values(arguments[0]))


@function("MINHASH")
def _minhash(arguments: list[exp.Expr]) -> exp.Expr:
    count, *values = arguments
    keys = duck("list_value", *(sf("hash_key_", value) for value in values))
    return sf("minhash_of_", duck("list", duck("hash", keys)), count)


@function("MINHASH_COMBINE")
def _minhash_combine(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("least_hashes_", _values(arguments[0]))


@function("APPROXIMATE_SIMILARITY", "APPROXIMATE_JACCARD_INDEX")
def _similarity(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("similarity_", _values(arguments[0]))


@function("APPROX_PERCENTILE_ACCUMULATE")
def _percentile_accumulate(arguments: list[exp.Expr]) -> exp.Expr:
    return _values(cast(arguments[0], exp.DType.DOUBLE))


@function("APPROX_PERCENTILE_COMBINE", "APPROX_TOP_K_COMBINE")
def _combine(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("all_of_", _values(arguments[0]))


@function("APPROX_TOP_K_ACCUMULATE")
def _top_k_accumulate(arguments: list[exp.Expr]) -> exp.Expr:
    return _values(arguments[0])


@function("APPROX_TOP_K")
def _top_k(arguments: list[exp.Expr]) -> exp.Expr:
    count = arguments[1] if len(arguments) > 1 else number(1)
    return sf("top_k_", _values(arguments[0]), count)


@function("BITMAP_CONSTRUCT_AGG")
def _bitmap_construct(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("bitmap_of_", _distinct(arguments[0]))


@function("BITMAP_OR_AGG")
def _bitmap_or(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("bitmap_of_", sf("distinct_of_", _values(sf("bitmap_positions_", arguments[0]))))


_COMPARED = (exp.EQ, exp.NEQ, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Count, exp.Distinct)


def _is_only_compared(call: exp.Expr) -> bool:
    """Whether a hash is compared on the spot with another, or counted: its value never shows."""
    parent = call.parent
    while isinstance(parent, (exp.Paren, exp.Subquery)) or (
        isinstance(parent, exp.Select) and isinstance(parent.parent, exp.Subquery)
    ):
        parent = parent.parent
    if not isinstance(parent, _COMPARED):
        return False
    if isinstance(parent, (exp.EQ, exp.NEQ)):
        return not any(isinstance(side, exp.Literal) for side in (parent.this, parent.expression))
    return True


def _hashed(arguments: list[exp.Expr]) -> exp.Expr:
    call = arguments[0].parent
    if call is None or isinstance(arguments[0], exp.Star) or not _is_only_compared(call):
        hint = "It may be compared with another HASH; else use MD5 or SHA2."
        raise unsupported("the value of HASH, which is Snowflake's own,", arguments[0], hint)
    return duck("hash", duck("list_value", *(sf("hash_key_", one) for one in arguments)))


@function("HASH")
def _hash(arguments: list[exp.Expr]) -> exp.Expr:
    return _hashed(arguments)


@function("HASH_AGG")
def _hash_agg(arguments: list[exp.Expr]) -> exp.Expr:
    distinct = isinstance(arguments[0], exp.Distinct)
    values = arguments[0].expressions if distinct else arguments
    call = arguments[0].parent
    if distinct:
        for value in values:
            value.parent = call
    hashed = cast(_hashed(values), exp.DType.INT128)
    return exp.Sum(this=exp.Distinct(expressions=[hashed]) if distinct else hashed)
