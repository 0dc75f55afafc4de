"""Rules for operators, literals and names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp
from sqlglot.dialects import Snowflake

from proxy.errors import SqlError
from proxy.sql import unifying
from proxy.sql.changes.merging import raise_on_second_match
from proxy.sql.postgres.arrays import all_of, any_of, unnest_together
from proxy.sql.postgres.dialect import (
    byte_string,
    current_date,
    current_timestamp,
    fold,
    public_is_main,
    refuse_lock,
)
from proxy.sql.postgres.functions import unquote_bounds
from proxy.sql.postgres.values import holds_aggregate
from proxy.sql.reading import position_of
from proxy.sql.snowflake import comparing
from proxy.sql.snowflake.overloads import is_bound_late
from proxy.sql.snowflake.registry import (
    FUNCTIONS,
    NODES,
    NodeRule,
    cast,
    duck,
    function,
    node,
    sf,
    unsupported,
)
from proxy.sql.snowflake.semistructured import (
    in_place,
    is_marked,
    placed,
    variants_together,
)

NODES[exp.ByteString] = byte_string
NODES[exp.Lock] = refuse_lock
NODES.update(unifying.RULES)


def _alternatives(node: exp.Expr) -> list[exp.Expr | None]:
    """The values one of which is a CASE's, an IFF's or a COALESCE's."""
    if isinstance(node, exp.Case):
        return [*(branch.args.get("true") for branch in node.args["ifs"]), node.args.get("default")]
    if isinstance(node, exp.If):
        in_case = isinstance(node.parent, exp.Case)
        return [] if in_case else [node.args.get("true"), node.args.get("false")]
    return [node.this, *node.expressions]


def _with_variants(rule: NodeRule | None) -> NodeRule:
    def unify(node: exp.Expr) -> exp.Expr | None:
        variants_together(_alternatives(node))
        return rule(node) if rule is not None else None

    return unify


for _kind in (exp.Case, exp.If, exp.Coalesce):
    NODES[_kind] = _with_variants(NODES.get(_kind))


def _preceded(first: NodeRule, rule: NodeRule | None) -> NodeRule:
    def both(node: exp.Expr) -> exp.Expr | None:
        made = first(node)
        if made is not None:
            return made
        return rule(node) if rule is not None else None

    return both


def _merge(merge: exp.Merge) -> None:
    """Raises 0A000 for ALL BY NAME, of which the parser keeps that all columns are meant, and not by what."""
    for when in merge.args["whens"].expressions:
        then = when.args.get("then")
        starred = isinstance(then, exp.Insert) and isinstance(then.this, exp.Star)
        if starred or (isinstance(then, exp.Update) and then.find(exp.Star) in then.expressions):
            raise unsupported("ALL BY NAME in MERGE", merge, "Name the columns.")
    raise_on_second_match(merge)


for _kind, _first in comparing.FIRST.items():
    NODES[_kind] = _preceded(_first, NODES.get(_kind))
NODES[exp.Merge] = _merge
NODES[exp.Identifier] = fold
NODES[exp.Unnest] = unnest_together
NODES[exp.GenerateSeries] = NODES[exp.ExplodingGenerateSeries] = unquote_bounds
NODES[exp.CurrentDate] = current_date
NODES[exp.CurrentTimestamp] = current_timestamp


@node(exp.Localtime, exp.CurrentTime)
def _current_time(call: exp.Expr) -> exp.Expr:
    """The session's time of day."""
    here = cast(exp.Anonymous(this="now", expressions=[]), exp.DType.TIMESTAMP)
    return cast(here, exp.DType.TIME)


@node(exp.Cbrt)
def _cube_root(call: exp.Cbrt) -> exp.Expr:
    return sf("cube_root_", sf("number_", call.this))


@node(exp.Any)
def _any(node: exp.Any) -> None:
    """Postgres's `= ANY(array)`."""
    if isinstance(node.this, exp.Paren):
        node.this.set("this", _list(node.this.this))
    any_of(node)


@function("ALL")
def _all(arguments: list[exp.Expr]) -> exp.Expr:
    return all_of(list(map(_list, arguments)))


def _list(array: exp.Expr) -> exp.Expr:
    """`ARRAY[...]` as what it is in Postgres, where it would be a VARIANT."""
    if not isinstance(array, exp.Anonymous) or array.this not in ("json_array", "_sf.array_made_"):
        return array
    held = array.expressions
    if array.this == "_sf.array_made_":
        held = [one.expressions[0] for one in held[0].expressions]
    return exp.Array(expressions=held)


_UNKNOWN_FAMILIES = ("ST_", "H3_", "SYSTEM$", "AI_", "FL_", "VECTOR_", "DATASKETCHES_")
_ABSENT = frozenset(
    {
        *("ALL_USER_NAMES", "IS_DATABASE_ROLE_IN_SESSION", "IS_APPLICATION_ROLE_IN_SESSION"),
        *("IS_GRANTED_TO_INVOKER_ROLE", "IS_INSTANCE_ROLE_IN_SESSION", "INVOKER_SHARE"),
        *("POLICY_CONTEXT", "TO_QUERY", "GET_OBJECT_REFERENCES", "GET_QUERY_OPERATOR_STATS"),
        *("EXTRACT_SEMANTIC_CATEGORIES", "EXPLAIN_JSON", "GET_PRESIGNED_URL", "TO_FILE"),
        *("BUILD_SCOPED_FILE_URL", "BUILD_STAGE_FILE_URL", "GET_STAGE_LOCATION"),
        *("GET_ABSOLUTE_PATH", "GET_RELATIVE_PATH", "TRY_TO_FILE", "TO_DECFLOAT"),
        *("TRY_TO_DECFLOAT", "GENERATE_COLUMN_DESCRIPTION", "VALIDATE_PIPE_LOAD", "VALIDATE"),
        *("TO_GEOMETRY", "TRY_TO_GEOMETRY", "CURRENT_ORGANIZATION_USER", "SEMANTIC_VIEW"),
        *(
            "CLASSIFY_TEXT",
            "COMPLETE",
            "SENTIMENT",
            "SUMMARIZE",
            "EXTRACT_ANSWER",
            "EMBED_TEXT_768",
        ),
        *("EMBED_TEXT_1024", "ESTIMATE_REMAINING_DML_RECLUSTERING", "BITMAP_TO_ARRAY"),
        *("GET_CONDITION_QUERY_UUID", "CURRENT_IS_ROLE_ACTIVATED", "GET_PYTHON_PROFILER_OUTPUT"),
        *("ARRAY_CONSTRUCT_STRUCTURED", "ACCUMULATE", "TO_UUID", "TRY_TO_UUID"),
    }
)
"""Functions of Snowflake's that have no counterpart: of its cloud, its files, its newest types."""

for _name in [*_ABSENT, *(name for name in Snowflake.Parser.FUNCTIONS if name.startswith("AI_"))]:
    Snowflake.Parser.FUNCTIONS.pop(_name, None)  # they stay calls, and are refused as such


_HINTS = {
    "ST_": "Shapes other than points are few here; compute it before the data is loaded.",
    "SYSTEM$": "It is about Snowflake's cloud, of which there is none here.",
    "AI_": "No model is served here; ask one outside, and store its answer.",
    "VECTOR_": "VECTOR_L2_DISTANCE, VECTOR_L1_DISTANCE, VECTOR_INNER_PRODUCT and"
    " VECTOR_COSINE_SIMILARITY are there.",
}
_FILES = ("URL", "FILE", "PATH", "STAGE_LOCATION")


def _hint_for(name: str) -> str:
    for family, hint in _HINTS.items():
        if name.startswith(family):
            return hint
    if name.startswith("FL_") or name.endswith(_FILES):
        return "Files are those of stages: LIST them, COPY INTO tables from them."
    return "It hangs on what only Snowflake's cloud, or its newest types, have."


@node(exp.CurrentOrganizationUser)
def _organization_user(call: exp.Expr) -> None:
    raise unsupported("function CURRENT_ORGANIZATION_USER", call, "Ask CURRENT_USER().")


@node(exp.Anonymous)
def _anonymous(call: exp.Anonymous) -> exp.Expr | None:
    name = call.args["this"]
    if not isinstance(name, str):
        return None
    upper = name.upper()
    rule = FUNCTIONS.get(upper)
    if rule is None:
        if upper.startswith(_UNKNOWN_FAMILIES) or upper in _ABSENT:
            raise unsupported(f"function {upper}", call, _hint_for(upper))
        return None
    try:
        return placed(rule(call.expressions), call)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        # A rule takes its arguments apart by number and by name: these are not the function's.
        message = f"function {name.lower()} does not exist with these arguments"
        raise SqlError("42883", message, position=position_of(call)) from error


@node(exp.Column)
def _column(column: exp.Column) -> exp.Expr | None:
    sequence = column.args.get("table")
    if sequence is None:
        return None
    public_is_main(column)
    if is_marked(column):
        return in_place(column, column.parent, column.arg_key)
    name = column.this
    if isinstance(name, exp.Identifier) and name.this.lower() == "nextval":
        return None if _is_source(sequence, column) else next_value(column)
    return None


def next_value(column: exp.Column) -> exp.Expr:
    """What `s.nextval` is in DuckDB."""
    parts = [column.args.get(part) for part in ("catalog", "db", "table")]
    path = ".".join(part.sql() for part in parts if part is not None)
    return duck("nextval", exp.Literal.string(path))


def _is_source(name: exp.Identifier, column: exp.Column) -> bool:
    """Whether a table of the query's own, such as TABLE(GETNEXTVAL(...)), has the name."""
    query = column.parent_select
    if query is None:
        return False
    sources = [query.args.get("from_"), *(query.args.get("joins") or ())]
    held = [source.this for source in sources if source is not None]
    return any(one.alias_or_name.lower() == name.this.lower() for one in held)


_read_as_number = NODES[exp.Ceil]
_ZERO = exp.cast(exp.Literal.number(0), exp.DataType.build("DECIMAL(1, 0)"))


@node(exp.Ceil, exp.Floor)
def _to_digits(call: exp.Ceil | exp.Floor) -> exp.Expr | None:
    """CEIL and FLOOR of a NUMBER are exact. CEIL(x, 2): DuckDB has no second argument."""
    _read_as_number(call)
    digits = call.args.get("decimals")
    if digits is None and not isinstance(call.this, exp.Literal):
        # A whole number would be made a DOUBLE.
        exact = exp.Add(this=exp.Paren(this=call.this), expression=_ZERO.copy())
        return call.__class__(this=exact)
    size = digits.this if isinstance(digits, exp.Neg) else digits
    if not isinstance(size, exp.Literal) or not size.this.isdecimal() or len(size.this) > 2:
        return None
    count, kind = int(size.this), call.__class__
    power = exp.Literal.number("1" + "0" * count)
    if size is not digits:
        return sf("ceil_to_" if kind is exp.Ceil else "floor_to_", call.this, power)
    if count == 0:
        return kind(this=call.this)
    fraction = exp.Literal.number("0." + "1".zfill(count))
    raised = kind(this=exp.Mul(this=exp.Paren(this=call.this), expression=power))
    lowered = exp.Mul(this=raised, expression=fraction)
    return exp.Round(this=lowered, decimals=exp.Literal.number(count))


_read_as_rounded = NODES[exp.Round]


def is_constant_number(value: exp.Expr | None) -> bool:
    """Whether a number is written there, with or without a sign."""
    while isinstance(value, (exp.Neg, exp.Paren)) or (
        isinstance(value, exp.Cast) and value._meta and value._meta.get("plain")
    ):
        value = value.this
    return isinstance(value, (exp.Literal, exp.Null))


@node(exp.Round)
def _round(call: exp.Round) -> exp.Expr | None:
    """DuckDB rounds a DECIMAL to a constant number of digits only."""
    _read_as_rounded(call)
    digits = call.args.get("decimals")
    if digits is None or is_constant_number(digits):
        return None
    if isinstance(call.this, exp.Null):
        return cast(call.this, exp.DType.DECIMAL, 38, 0)
    if call.args.get("truncate") is not None:
        raise unsupported("a ROUND with a mode to digits that are not a literal", digits)
    return sf("round_", call.this, digits)


@node(exp.Chr)
def _chr(call: exp.Chr) -> None:
    """DuckDB's takes 32 bits."""
    call.set("expressions", [_in_32_bits(value) for value in call.expressions])


@function("FACTORIAL")
def _factorial(arguments: list[exp.Expr]) -> exp.Expr:
    return duck("factorial", *map(_in_32_bits, arguments))


def _in_32_bits(value: exp.Expr) -> exp.Expr:
    return value if is_constant_number(value) else cast(value, exp.DType.INT)


@node(exp.Dot)
def _path(path: exp.Dot) -> None:
    """A function's schema: `public.f(...)`."""
    if isinstance(path.expression, exp.Func):
        schema = path.this.expression if isinstance(path.this, exp.Dot) else path.this
        if isinstance(schema, exp.Identifier) and schema.this.lower() == "public":
            schema.set("this", "main")


_INT32 = 2_147_483_647
_INT64 = 9_223_372_036_854_775_807


def _whole(value: exp.Expr) -> int | None:
    if isinstance(value, exp.Literal) and not value.is_string and value.this.isdigit():
        return int(value.this)
    return None


def _number_in(value: exp.Expr) -> exp.Expr | None:
    """The number that a string literal spells, as a literal; arithmetic on strings takes it."""
    if isinstance(value, exp.Literal) and value.is_string:
        spelled = value.this.strip()
        if spelled.lstrip("+-").replace(".", "", 1).isdigit():
            sign = exp.Neg if spelled.startswith("-") else None
            literal = exp.Literal.number(spelled.lstrip("+-"))
            return sign(this=literal) if sign else literal
    return None


@node(exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.Div)
def _arithmetic(operation: exp.Binary) -> exp.Expr | None:
    """Strings are read as numbers; literals must not make DuckDB count in 32 bits."""
    kind, args = operation.__class__, operation.args
    left, right = args["this"], args["expression"]
    if isinstance(left, exp.Column) and isinstance(right, exp.Column):
        return _of_columns(operation)
    if left.__class__ is exp.Literal or right.__class__ is exp.Literal:
        _read_texts(operation)
        left, right = args["this"], args["expression"]
    if kind is exp.Div:
        return divided("div_", left, right)
    if kind is exp.Mul:
        if (scale := _product_scale(left, right)) is not None:
            return cast(operation, exp.DType.DECIMAL, 38, scale)
    elif kind is not exp.Mod:
        if right.__class__ is exp.Interval:
            return _calendar_step(operation)
        if _may_count_days(kind, left, right):
            return sf(_BETWEEN_COLUMNS[kind], left, right)
    first = _whole(left)
    if first is not None and first > _INT64:
        operation.set("this", cast(left, exp.DType.DECIMAL, 38, 0))
    elif first is not None and first <= _INT32 and isinstance(right, _WIDENED):
        operation.set("this", cast(left, exp.DType.BIGINT))
    return _remainder(operation) if kind is exp.Mod else None


_BETWEEN_COLUMNS = {exp.Add: "sum_", exp.Sub: "difference_", exp.Mul: "product_"}
_WIDENED = (exp.Literal, exp.Binary, exp.Paren, exp.Neg)
_DEFINED = (exp.ColumnDef, exp.ColumnConstraint, exp.Constraint, exp.Create)


def _of_columns(operation: exp.Binary) -> exp.Expr | None:
    """Columns that are counted with may be texts, or a DATE and a whole number of 64 bits, which takes
    32 in DuckDB."""
    kind, sides = operation.__class__, (operation.this, operation.expression)
    if kind is exp.Div:
        return divided("div_", *sides)
    told = not operation.find_ancestor(*_DEFINED)
    if kind is exp.Mod:
        if told and not _is_late(sides):
            operation.set("this", sf("number_", sides[0]))
            operation.set("expression", sf("number_", sides[1]))
        return _remainder(operation)
    if not told:
        return None
    # Within an aggregate no lambda may take a column of the query around it.
    if (kind is exp.Mul or operation.find_ancestor(exp.AggFunc)) and _is_late(sides):
        return None
    return sf(_BETWEEN_COLUMNS[kind], *sides)


def _scale(value: exp.Expr) -> int | None:
    """The digits behind the point of a NUMBER, where the syntax says how many."""
    while isinstance(value, (exp.Paren, exp.Neg)):
        value = value.this
    if isinstance(value, exp.Literal) and not value.is_string and "e" not in value.this.lower():
        return len(value.this.partition(".")[2])
    if isinstance(value, exp.Cast) and value.to.this == exp.DType.DECIMAL:
        sizes = [size.name for size in value.to.expressions]
        return int(sizes[1]) if len(sizes) > 1 and sizes[1].isdigit() else 0
    return None


def _product_scale(first: exp.Expr, second: exp.Expr) -> int | None:
    """The scale of a product, where it is less than the sum of its factors': at most 12, if both
    factors have as few."""
    left = _scale(first)
    right = _scale(second) if left is not None else None
    if left is None or right is None or left + right <= max(left, right, 12):
        return None
    return max(left, right, 12)


@node(exp.Neg)
def _negative(negative: exp.Neg) -> None:
    spelled = _number_in(negative.this)
    if spelled is not None:
        negative.set("this", exp.Paren(this=spelled))


def _read_texts(operation: exp.Binary) -> None:
    """A text beside the operator spells a number, and a column beside a number may hold texts."""
    args = operation.args
    for key, across in _SIDES:
        spelled = _number_in(args[key])
        if spelled is not None and not isinstance(args[across], exp.Interval):
            operation.set(key, spelled)
    for key, across in _SIDES:
        side, other = args[key], args[across]
        if (
            other.__class__ is exp.Literal
            and not other.is_string
            and isinstance(side, exp.Column)
            and not operation.find_ancestor(*_DEFINED)
        ):
            operation.set(key, sf("number_", side))


_SIDES = (("this", "expression"), ("expression", "this"))
_DAYS = frozenset({exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT})


def _is_late(columns: Iterable[exp.Expr]) -> bool:
    """Whether one of them is bound late, as an outer query's is."""
    return any(map(is_bound_late, columns))


def _may_count_days(kind: type, left: exp.Expr, right: exp.Expr) -> bool:
    """Whether a whole number of 64 bits may be added to a DATE, which takes 32 in DuckDB."""
    for days, other in ((left, right), (right, left)):
        whole = isinstance(days, exp.Cast) and days.to.this in _DAYS
        if whole and isinstance(other, exp.Column) and not holds_aggregate(days):
            return kind is exp.Add or days is right
        if _is_date(other) and isinstance(days, exp.Column) and not is_bound_late(days):
            return not holds_aggregate(other)
    return False


def _is_date(value: exp.Expr) -> bool:
    """Whether the syntax shows a DATE."""
    if isinstance(value, exp.Anonymous):
        return value.this == "_sf.to_date_"
    return isinstance(value, exp.Cast) and value.to.this == exp.DType.DATE


def _remainder(operation: exp.Mod) -> exp.Expr | None:
    """DuckDB's x % 0 is NULL."""
    by = operation.expression
    if isinstance(by, exp.Literal) and by.name.strip("0.") and "." not in by.name:
        return None
    if isinstance(by, exp.Null) or isinstance(operation.this, exp.Null):
        return None
    return sf("mod_", operation.this, by)


_CALENDAR = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY"})


def _calendar_step(operation: exp.Binary) -> exp.Expr | None:
    """A DATE and an interval of days or longer give a DATE."""
    interval = operation.expression
    unit = interval.args.get("unit")
    if (steps := interval.meta.get("steps")) is not None:
        return STEPPED[0](operation.this, steps, 1 if isinstance(operation, exp.Add) else -1)
    if unit is None or unit.name.upper().removesuffix("S") not in _CALENDAR:
        return None
    name = "plus_" if isinstance(operation, exp.Add) else "minus_"
    return sf(name, operation.this, interval)


STEPPED: list[Callable[[exp.Expr, list[tuple[str, str]], int], exp.Expr]] = []
"""Adds an interval of several parts; `intervals` puts it here."""


def divided(macro: str, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """A division by one of the macros; of a NULL that has no type, NULL of a number's."""
    if isinstance(left, exp.Null) or (isinstance(right, exp.Null) and macro != "div0null_"):
        return cast(exp.Null(), exp.DType.DECIMAL, 38, 6)
    if isinstance(right, exp.Null):
        return exp.Case(ifs=[exp.If(this=_not_null(left), true=exp.Literal.number(0))])
    return sf(macro, left, right)


def _not_null(value: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=value, expression=exp.Null()))


@function("DIV0")
def _div0(arguments: list[exp.Expr]) -> exp.Expr:
    return divided("div0_", *arguments)


@function("DIV0NULL")
def _div0null(arguments: list[exp.Expr]) -> exp.Expr:
    return divided("div0null_", *arguments)


@node(exp.CurrentUser, exp.SessionUser, exp.CurrentRole)
def _who(call: exp.Expr) -> None:
    name = call.sql_name()
    raise unsupported(f"{name} in a query on the engine", call, f"Ask SELECT {name} on its own.")


def _truth(value: exp.Expr) -> exp.Expr:
    """A number is true unless it is zero once rounded."""
    return sf("truthy_", cast(value, exp.DType.BOOLEAN) if isinstance(value, exp.Null) else value)


@function("BOOLAND")
def _booland(arguments: list[exp.Expr]) -> exp.Expr:
    left, right = map(_truth, arguments)
    return exp.Paren(this=exp.And(this=left, expression=right))


@function("BOOLOR")
def _boolor(arguments: list[exp.Expr]) -> exp.Expr:
    left, right = map(_truth, arguments)
    return exp.Paren(this=exp.Or(this=left, expression=right))


@function("BOOLXOR")
def _boolxor(arguments: list[exp.Expr]) -> exp.Expr:
    left, right = map(_truth, arguments)
    return exp.Paren(this=exp.NEQ(this=left, expression=right))


@function("BOOLNOT")
def _boolnot(arguments: list[exp.Expr]) -> exp.Expr:
    (value,) = map(_truth, arguments)
    return exp.Paren(this=exp.Not(this=value))
