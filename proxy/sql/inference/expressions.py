"""The types of expressions, and what they decide about the parameters inside them.

One method for a kind of node, found in the table at the end. Each gives the type of the node, after
telling the parameters that it understands what they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlglot import exp

from proxy.sql.inference.names import Output, Scope
from proxy.sql.inference.signatures import (
    INTEGERS,
    UNKNOWN,
    EnumType,
    Type,
    array_of,
    calculated,
    common,
    compared,
    element_of,
    signature,
)

_D = exp.DType

_CAST_TYPES: dict[exp.DType, str] = {
    **dict.fromkeys((_D.TINYINT, _D.UTINYINT, _D.SMALLINT), "int2"),
    **dict.fromkeys((_D.USMALLINT, _D.INT), "int4"),
    **dict.fromkeys((_D.UINT, _D.BIGINT), "int8"),
    **dict.fromkeys((_D.UBIGINT, _D.INT128, _D.UINT128, _D.DECIMAL), "numeric"),
    **dict.fromkeys((_D.TEXT, _D.VARCHAR, _D.CHAR), "text"),
    **dict.fromkeys((_D.TIMESTAMP, _D.TIMESTAMPNTZ), "timestamp"),
    **dict.fromkeys((_D.TIMESTAMP_S, _D.TIMESTAMP_MS, _D.TIMESTAMP_NS), "timestamp"),
    _D.BOOLEAN: "bool",
    _D.FLOAT: "float4",
    _D.DOUBLE: "float8",
    _D.VARBINARY: "bytea",
    _D.DATE: "date",
    _D.TIME: "time",
    _D.TIMETZ: "timetz",
    _D.TIMESTAMPTZ: "timestamptz",
    _D.INTERVAL: "interval",
    _D.UUID: "uuid",
    _D.JSON: "json",
    _D.JSONB: "jsonb",
    _D.BIT: "varbit",
}

# The dialects' macros that stand for operators, and the result where its sides are integers: `=`
# is one of their type.
_MACROS: dict[str, tuple[str, Type]] = {
    "pg_div_": ("/", "="),
    "pg_div_of_aggregates_": ("/", "="),
    "pg_mod_": ("%", "="),
    "pg_pipe_": ("||", "="),
    "div_": ("/", None),
    "mod_": ("%", "="),
}

_OF_ONE_TYPE = frozenset({"pg_array_cat_"})
"""Macros whose arguments and result are of one type."""
_WITH_AN_ELEMENT = "pg_with_element_"
"""The macro of an array, a place in it and what is put there."""
_OF_AN_ELEMENT = frozenset({"pg_array_remove_"})
"""Macros of an array and of what may be one of its elements."""


def bare(node: exp.Expr | None) -> exp.Expr | None:
    """Without brackets and aliases."""
    while isinstance(node, exp.Paren | exp.Alias):
        node = node.this
    return node


class Expressions(ABC):
    """decided: the types, by number, that parameters got so far. _visits: methods by type of node."""

    _visits: Mapping[type, Callable[..., Type]]

    def __init__(self, wanted: frozenset[int], given: Mapping[int, Type], integer: str) -> None:
        self.decided: dict[int, str] = {}
        self._wanted = wanted
        self._given = given
        self._integer = integer

    @abstractmethod
    def query(self, node: exp.Expr, scope: Scope) -> list[Output] | None:
        """The columns of a query inside an expression, None if they cannot be counted."""

    def coerce(self, node: exp.Expr | None, kind: Type) -> None:
        """`node` must be of this type: if it is a parameter without one, now it has one."""
        if kind is None or kind == UNKNOWN:
            return
        node = bare(node)
        if isinstance(node, exp.Placeholder):
            n = _number(node)
            if n in self._wanted:
                self.decided.setdefault(n, kind)

    def settle(self, outputs: Iterable[Output] | None) -> list[Output]:
        """The end of a query: what has no type yet is text."""
        settled = list(outputs or ())
        for output in settled:
            if output.kind == UNKNOWN:
                self.coerce(output.node, "text")
                output.kind = "text"
        return settled

    def condition(self, node: exp.Expr | None, scope: Scope) -> None:
        if node is not None:
            self.kind_of(node, scope)
            self.coerce(node, "bool")

    def kind_of(self, node: exp.Expr | None, scope: Scope) -> Type:
        """The type of an expression; whatever decides a parameter inside it, has."""
        if node is None:
            return None
        visit = self._visits.get(node.__class__)
        if visit is not None:
            return visit(self, node, scope)
        if isinstance(node, exp.Query | exp.Values):
            columns = self.settle(self.query(node, scope))
            return columns[0].kind if columns else None
        if isinstance(node, exp.Func):
            return self._call(node.key, _arguments(node), scope)
        self.visit_children(node, scope)
        return None

    def visit_children(self, node: exp.Expr, scope: Scope, but: exp.Expr | None = None) -> None:
        for child in node.iter_expressions():
            if child is not but:
                self.kind_of(child, scope)

    def siblings(self, nodes: Sequence[exp.Expr], scope: Scope) -> Type:
        """Makes expressions one type."""
        kind = common([self.kind_of(node, scope) for node in nodes])
        self._coerce_all(nodes, kind)
        return kind

    def _coerce_all(self, nodes: Iterable[exp.Expr], kind: Type) -> None:
        for node in nodes:
            self.coerce(node, kind)

    def _now(self, node: exp.Expr | None, kind: Type) -> Type:
        """The type of what was visited before: a parameter may have got one since."""
        return self._placeholder(node) if isinstance(node, exp.Placeholder) else kind

    # --- leaves -------------------------------------------------------------------------------

    def _placeholder(self, node: exp.Placeholder, scope: Scope | None = None) -> Type:
        n = _number(node)
        return self._given[n] if n in self._given else self.decided.get(n, UNKNOWN)

    def _column(self, node: exp.Column, scope: Scope) -> Type:
        if isinstance(node.this, exp.Star):
            return None
        return scope.column(node.name.lower(), node.table.lower())

    def _literal(self, node: exp.Literal, scope: Scope) -> Type:
        if node.is_string:
            return UNKNOWN
        if not node.this.isdecimal():
            return "numeric"
        number = int(node.this)
        if number < 1 << 31:
            return self._integer
        return "int8" if number < 1 << 63 else "numeric"

    def _untyped(self, node: exp.Expr, scope: Scope) -> Type:
        return UNKNOWN

    def _boolean(self, node: exp.Expr, scope: Scope) -> Type:
        return "bool"

    # --- what changes no type, and casts ------------------------------------------------------

    def _inside(self, node: exp.Expr, scope: Scope) -> Type:
        kind = self.kind_of(node.this, scope)
        self.visit_children(node, scope, but=node.this)
        return kind

    def _cast(self, node: exp.Cast, scope: Scope) -> Type:
        kind = _cast_type(node.args.get("to"))
        value, element = bare(node.this), element_of(kind)
        if isinstance(value, exp.Array) and element is not None:
            for item in value.expressions:
                self.kind_of(item, scope)
                self.coerce(item, element)
        else:
            self.kind_of(value, scope)
            # What is tried may be no value of that type.
            self.coerce(value, "text" if isinstance(node, exp.TryCast) else kind)
        return kind

    # --- conditions ---------------------------------------------------------------------------

    def _connector(self, node: exp.Expr, scope: Scope) -> Type:
        waiting = [node]
        while waiting:  # long chains are deep trees
            one = waiting.pop()
            if isinstance(one, exp.And | exp.Or | exp.Xor):
                waiting += (one.expression, one.this)
            else:
                self.condition(one, scope)
        return "bool"

    def _not(self, node: exp.Not, scope: Scope) -> Type:
        self.condition(node.this, scope)
        return "bool"

    def _is(self, node: exp.Is, scope: Scope) -> Type:
        self.kind_of(node.this, scope)
        if isinstance(node.expression, exp.Boolean):
            self.coerce(node.this, "bool")
        return "bool"

    def _comparison(self, node: exp.Binary, scope: Scope) -> Type:
        left, right = bare(node.this), bare(node.expression)
        operand = _quantified(right)
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            for one, other in zip(left.expressions, right.expressions, strict=False):
                self._compare(one, self.kind_of(one, scope), other, scope)
        elif operand is None:
            self._compare(left, self.kind_of(left, scope), right, scope)
        elif isinstance(operand, exp.Query):
            self._compare_with_query([left], operand, scope)
        else:
            self._compare_with_array(left, operand, scope)
        return "bool"

    def _compare(self, left: exp.Expr, kind: Type, right: exp.Expr, scope: Scope) -> None:
        """Compares what has been visited with what has not."""
        other = self.kind_of(right, scope)
        kinds = compared(self._now(left, kind), other)
        self.coerce(left, kinds[0])
        self.coerce(right, kinds[1])

    def _compare_with_query(self, left: Sequence[exp.Expr], query: exp.Expr, scope: Scope) -> None:
        columns = self.settle(self.query(query, scope))
        for one, column in zip(left, columns, strict=False):
            self.kind_of(one, scope)
            self.coerce(one, column.kind)

    def _compare_with_array(self, left: exp.Expr, array: exp.Expr, scope: Scope) -> None:
        one, many = self.kind_of(left, scope), self.kind_of(array, scope)
        if isinstance(one, EnumType) or isinstance(many, EnumType):
            one, element = compared(one, element_of(many) or many)
            many = array_of(element)
        if many == UNKNOWN:
            one, element = compared(one, UNKNOWN)
            many = array_of(element) if element != UNKNOWN else None
        elif one == UNKNOWN:
            one = element_of(many)
        self.coerce(left, one)
        self.coerce(array, many)

    def _between(self, node: exp.Between, scope: Scope) -> Type:
        value = bare(node.this)
        kind = self.kind_of(value, scope)
        for bound in ("low", "high"):
            self._compare(value, kind, node.args[bound], scope)
        return "bool"

    def _in(self, node: exp.In, scope: Scope) -> Type:
        left = bare(node.this)
        several = left.expressions if isinstance(left, exp.Tuple) else [left]
        if (query := node.args.get("query")) is not None:
            self._compare_with_query(several, query, scope)
        elif not node.expressions:
            self.visit_children(node, scope)
        elif left is several[0]:
            self._in_list(left, node.expressions, scope)
        else:
            kinds = [self.kind_of(one, scope) for one in several]
            for row in map(bare, node.expressions):
                for one, kind, other in zip(several, kinds, row.expressions, strict=False):
                    self._compare(one, kind, other, scope)
        return "bool"

    def _in_list(self, left: exp.Expr, items: list[exp.Expr], scope: Scope) -> None:
        """Constants are made one type with each other first; what has columns is compared alone."""
        kind = self.kind_of(left, scope)
        plain = [item for item in items if item.find(exp.Column) is None]
        if len(plain) > 1:
            kinds = [self.kind_of(item, scope) for item in plain]
            shared = common([self._now(left, kind), *kinds])
            self._coerce_all((*plain, left), "text" if shared == "json" else shared)
            if shared is not None:
                items = [item for item in items if item.find(exp.Column) is not None]
        for item in items:
            self._compare(left, kind, item, scope)

    def _pattern(self, node: exp.Binary, scope: Scope) -> Type:
        for side in (node.this, node.expression):
            self.kind_of(side, scope)
            self.coerce(side, "text")
        return "bool"

    def _exists(self, node: exp.Exists, scope: Scope) -> Type:
        self.settle(self.query(node.this, scope))
        return "bool"

    # --- arithmetic ---------------------------------------------------------------------------

    def _arithmetic(self, node: exp.Binary, scope: Scope) -> Type:
        return self._calculate(_OPERATORS[node.__class__], node.this, node.expression, scope)

    def _calculate(self, operator: str, left: exp.Expr, right: exp.Expr, scope: Scope) -> Type:
        kinds = self.kind_of(left, scope), self.kind_of(right, scope)
        one, other, result = calculated(operator, *kinds)
        self.coerce(left, one)
        self.coerce(right, other)
        return result

    def _division(self, node: exp.Div, scope: Scope) -> Type:
        """DuckDB's own `/` of integers is a double."""
        kind = self._calculate("/", node.this, node.expression, scope)
        return "float8" if kind in INTEGERS else kind

    # --- alternatives -------------------------------------------------------------------------

    def _coalesce(self, node: exp.Func, scope: Scope) -> Type:
        return self.siblings([node.this, *node.expressions], scope)

    def _shifted(self, node: exp.Lag | exp.Lead, scope: Scope) -> Type:
        """A row's value before or behind, or else the default: both are of one type."""
        if (offset := node.args.get("offset")) is not None:
            self.kind_of(offset, scope)
            self.coerce(offset, "int4")
        default = node.args.get("default")
        return self.siblings([node.this, *([] if default is None else [default])], scope)

    def _nullif(self, node: exp.Nullif, scope: Scope) -> Type:
        kind = self.kind_of(node.this, scope)
        self._compare(node.this, kind, node.expression, scope)
        return self._now(bare(node.this), kind)

    def _distinct(self, node: exp.Distinct, scope: Scope) -> Type:
        """DISTINCT before the argument of an aggregate."""
        kinds = [self.kind_of(one, scope) for one in node.expressions]
        return kinds[0] if len(kinds) == 1 else None

    def _case(self, node: exp.Case, scope: Scope) -> Type:
        operand = bare(node.this)
        compared_kind = self.kind_of(operand, scope)
        results, kinds = [], []
        for one in node.args["ifs"]:
            if operand is not None:
                self._compare(operand, compared_kind, one.this, scope)
            else:
                self.condition(one.this, scope)
            results.append(one.args["true"])
            kinds.append(self.kind_of(one.args["true"], scope))
        if (default := node.args.get("default")) is not None:
            results.append(default)
            kinds.append(self.kind_of(default, scope))
        kind = common(kinds)
        self._coerce_all(results, kind)
        return kind

    def _if(self, node: exp.If, scope: Scope) -> Type:
        self.condition(node.this, scope)
        branches = [node.args.get("true"), node.args.get("false")]
        return self.siblings([branch for branch in branches if branch is not None], scope)

    # --- arrays -------------------------------------------------------------------------------

    def _array(self, node: exp.Array, scope: Scope) -> Type:
        return array_of(self.siblings(node.expressions, scope))

    def _bracket(self, node: exp.Bracket, scope: Scope) -> Type:
        element = element_of(self.kind_of(node.this, scope))
        for index in node.expressions:
            self.kind_of(index, scope)
            if element is not None:
                self.coerce(index, "int4")
        sliced = any(isinstance(index, exp.Slice) for index in node.expressions)
        return array_of(element) if sliced else element

    def _unnest(self, node: exp.Expr, scope: Scope) -> Type:
        return element_of(self._inside(node, scope))

    def _array_contains(self, node: exp.Binary, scope: Scope) -> Type:
        self._compare_with_array(node.expression, node.this, scope)
        return "bool"

    def _with_element(self, node: exp.Func, scope: Scope) -> Type:
        kind = self._element(node.this, node.expression, scope)
        return "int4" if isinstance(node, exp.ArrayPosition) else kind

    def _element(self, array: exp.Expr, element: exp.Expr, scope: Scope) -> Type:
        """What is added to an array, looked for in it or taken out of it is of its elements' type."""
        many, one = self.kind_of(array, scope), self.kind_of(element, scope)
        if many == UNKNOWN and one != UNKNOWN:
            many = array_of(one)
            self.coerce(array, many)
        self.coerce(element, element_of(many))
        return many

    def _within(self, node: exp.Binary, scope: Scope) -> Type:
        """`@>`, `<@` and `&&`: two arrays, or two documents."""
        left, right = self.kind_of(node.this, scope), self.kind_of(node.expression, scope)
        one, other = compared(left, right)
        self.coerce(node.this, one)
        self.coerce(node.expression, other)
        return "bool"

    def _series(self, node: exp.GenerateSeries, scope: Scope) -> Type:
        kind = self.siblings([node.args["start"], node.args["end"]], scope)
        step = node.args.get("step")
        self.kind_of(step, scope)
        self.coerce(step, "interval" if kind in ("date", "timestamp", "timestamptz") else kind)
        return array_of(kind)

    # --- functions ----------------------------------------------------------------------------

    def _dot(self, node: exp.Dot, scope: Scope) -> Type:
        """A function of a schema, where it is no member of a struct."""
        if isinstance(node.expression, exp.Anonymous):
            return self._anonymous(node.expression, scope)
        self.visit_children(node, scope)
        return None

    def _anonymous(self, node: exp.Anonymous, scope: Scope) -> Type:
        name = node.name.lower()
        if name in _OF_ONE_TYPE:
            return self.siblings(node.expressions, scope)
        if name in _OF_AN_ELEMENT:
            return self._element(*node.expressions, scope)
        if name == _WITH_AN_ELEMENT:
            array, place, value = node.expressions
            self.kind_of(place, scope)
            self.coerce(place, "int4")
            return self._element(array, value, scope)
        if name in _MACROS and len(node.expressions) == 2:
            operator, whole = _MACROS[name]
            kind = self._calculate(operator, *node.expressions, scope)
            return kind if whole == "=" or kind not in INTEGERS else whole
        return self._call(name, node.expressions, scope)

    def _call(self, name: str, arguments: Sequence[exp.Expr | None], scope: Scope) -> Type:
        kinds = [self.kind_of(argument, scope) for argument in arguments]
        found = signature(name, sum(argument is not None for argument in arguments))
        if found is None:
            return None
        for index, wanted in zip(range(len(kinds)), found.expected(), strict=False):
            if kinds[index] == UNKNOWN and wanted is not None:
                self.coerce(arguments[index], wanted)
                kinds[index] = wanted
        return found.result_for(kinds)

    def _filter(self, node: exp.Filter, scope: Scope) -> Type:
        kind = self.kind_of(node.this, scope)
        self.condition(node.expression.this, scope)
        return kind

    def _interval(self, node: exp.Interval, scope: Scope) -> Type:
        self.visit_children(node, scope)
        return "interval"

    def _at_time_zone(self, node: exp.AtTimeZone, scope: Scope) -> Type:
        kind, zone = self.kind_of(node.this, scope), node.args["zone"]
        self.kind_of(zone, scope)
        self.coerce(zone, "text")
        return _IN_ZONE.get(kind or "")


_IN_ZONE = {"timestamp": "timestamptz", "timestamptz": "timestamp", "date": "timestamp"}


def _number(node: exp.Placeholder) -> int:
    return int(node.this) if isinstance(node.this, str) and node.this.isdecimal() else 0


def _quantified(node: exp.Expr | None) -> exp.Expr | None:
    """What stands in ANY(...) or ALL(...), without the guard against NULL."""
    if isinstance(node, exp.Any | exp.All):
        operand = bare(node.this)
    elif isinstance(node, exp.Anonymous) and node.name.lower() in ("any", "all", "some"):
        operand = bare(node.expressions[0]) if len(node.expressions) == 1 else None
    else:
        return None
    return bare(operand.this) if isinstance(operand, exp.Coalesce) else operand


def _arguments(node: exp.Func) -> list[exp.Expr | None]:
    """Of a function that the parser knows, in its order; None where an optional one is left out."""
    found: list[exp.Expr | None] = []
    for key in node.arg_types:
        value = node.args.get(key)
        if isinstance(value, list):
            found.extend(value)
        else:
            found.append(value if isinstance(value, exp.Expr) else None)
    return found


def _cast_type(to: exp.Expr | None) -> Type:
    if not isinstance(to, exp.DataType):
        return None
    if to.this in (_D.ARRAY, _D.LIST):
        return array_of(_cast_type(to.expressions[0])) if to.expressions else None
    return _CAST_TYPES.get(to.this)


_OPERATORS: dict[type, str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.IntDiv: "/",
    exp.Mod: "%",
    exp.Pow: "^",
    exp.BitwiseAnd: "&",
    exp.BitwiseOr: "|",
    exp.BitwiseXor: "#",
    exp.BitwiseLeftShift: "<<",
    exp.BitwiseRightShift: ">>",
    exp.DPipe: "||",
}

_VISITS: dict[type, Callable[..., Type]] = {
    kind: visit
    for visit, kinds in (
        (Expressions._placeholder, (exp.Placeholder,)),
        (Expressions._column, (exp.Column,)),
        (Expressions._literal, (exp.Literal,)),
        (Expressions._untyped, (exp.Null, exp.RawString, exp.National)),
        (Expressions._boolean, (exp.Boolean,)),
        (Expressions._inside, (exp.Paren, exp.Alias, exp.Neg, exp.BitwiseNot, exp.Collate)),
        (Expressions._inside, (exp.Window, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)),
        (Expressions._inside, (exp.Ordered, exp.Order)),
        (Expressions._cast, (exp.Cast, exp.TryCast)),
        (Expressions._connector, (exp.And, exp.Or, exp.Xor)),
        (Expressions._not, (exp.Not,)),
        (Expressions._is, (exp.Is,)),
        (Expressions._comparison, (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)),
        (Expressions._comparison, (exp.NullSafeEQ, exp.NullSafeNEQ)),
        (Expressions._pattern, (exp.Like, exp.ILike, exp.SimilarTo, exp.Glob)),
        (Expressions._arithmetic, tuple(_OPERATORS)),
        (Expressions._division, (exp.Div,)),
        (Expressions._between, (exp.Between,)),
        (Expressions._in, (exp.In,)),
        (Expressions._coalesce, (exp.Coalesce, exp.Greatest, exp.Least)),
        (Expressions._shifted, (exp.Lag, exp.Lead)),
        (Expressions._nullif, (exp.Nullif,)),
        (Expressions._case, (exp.Case,)),
        (Expressions._distinct, (exp.Distinct,)),
        (Expressions._if, (exp.If,)),
        (Expressions._exists, (exp.Exists,)),
        (Expressions._array, (exp.Array,)),
        (Expressions._bracket, (exp.Bracket,)),
        (Expressions._unnest, (exp.Explode,)),
        (Expressions._array_contains, (exp.ArrayContains,)),
        (Expressions._with_element, (exp.ArrayAppend, exp.ArrayPrepend, exp.ArrayPosition)),
        (Expressions._within, (exp.ArrayContainsAll, exp.ArrayContainedBy, exp.ArrayOverlaps)),
        (Expressions._series, (exp.GenerateSeries,)),
        (Expressions._dot, (exp.Dot,)),
        (Expressions._anonymous, (exp.Anonymous,)),
        (Expressions._filter, (exp.Filter,)),
        (Expressions._interval, (exp.Interval,)),
        (Expressions._at_time_zone, (exp.AtTimeZone,)),
    )
    for kind in kinds
}

Expressions._visits = _VISITS
