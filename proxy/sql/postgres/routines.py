"""Functions of Postgres's that DuckDB lacks, or has under the same name with another meaning.

Regular expressions with groups, arrays, format(), OVERLAPS: each becomes an expression over macros, or
is refused where its arguments are not plain enough to know what Postgres would give.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.postgres.regexes import for_re2
from proxy.sql.postgres.values import call, duck, is_text, refused
from proxy.sql.reading import position_of
from proxy.wire.enumerations import LONGEST

Function = Callable[[list[exp.Expr]], exp.Expr]

ROW_NAME = "row_name"
"""Key of `node.meta`: the name of the one column of a call that gives rows; '' for the alias."""


def rows(made: exp.Expr, name: str = "") -> exp.Expr:
    """A row for each element of a list."""
    unnested = duck("unnest", made)
    unnested.meta[ROW_NAME] = name
    return unnested


# --- regular expressions --------------------------------------------------------------------------


def _groups(pattern: exp.Expr, what: str) -> int:
    """How many groups a literal pattern captures. Raises 0A000 where one may be without a match."""
    if not is_text(pattern):
        raise refused(f"{what} with a pattern that is no literal", pattern)
    text, found, at = pattern.this, 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == "[":
            end = text.find("]", at + 2)
            at = len(text) if end < 0 else end
        elif text[at] == "(" and text[at + 1 : at + 2] != "?":
            found += 1
        elif text[at] == ")" and text[at + 1 : at + 2] in ("?", "*", "{"):
            raise refused(f"{what} with a group that may not take part", pattern)
        at += 1
    if found and "|" in text:
        raise refused(f"{what} with groups and alternatives", pattern)
    return found


def _flags(arguments: list[exp.Expr], at: int, what: str, allowed: str) -> str:
    if len(arguments) <= at:
        return ""
    flags = arguments[at]
    if not is_text(flags) or set(flags.this) - set(allowed):
        raise refused(f"{what} with these flags", flags)
    return str(flags.this)


def _matched(arguments: list[exp.Expr], what: str) -> tuple[exp.Expr, exp.Expr]:
    """Whether it matches, and the groups of the first match as a list."""
    text, pattern = arguments[0], for_re2(arguments[1])
    letters = _flags(arguments, 2, what, "gi").replace("g", "") + "s"
    options = exp.Literal.string(letters)
    count = _groups(pattern, what)
    numbers = range(1, count + 1) if count else range(1)
    parts = [
        duck(
            "regexp_extract",
            text.copy(),
            pattern.copy(),
            exp.Literal.number(n),
            options.copy(),
        )
        for n in numbers
    ]
    whether = duck("regexp_matches", text, pattern, options)
    return whether, duck("list_value", *parts)


def _regexp_match(arguments: list[exp.Expr]) -> exp.Expr:
    if "g" in _flags(arguments, 2, "regexp_match", "gi"):
        raise refused("regexp_match with the flag g", arguments[2])
    whether, groups = _matched(arguments, "regexp_match")
    return exp.Case(ifs=[exp.If(this=whether, true=groups)])


def _regexp_matches(arguments: list[exp.Expr]) -> exp.Expr:
    what = "regexp_matches"
    if "g" in _flags(arguments, 2, what, "gi"):
        if _groups(arguments[1], what):
            raise refused("regexp_matches with groups and the flag g", arguments[1])
        letters = exp.Literal.string(arguments[2].this.replace("g", "") + "s")
        text, pattern = arguments[0], for_re2(arguments[1])
        all_ = duck("regexp_extract_all", text, pattern, exp.Literal.number(0), letters)
        return rows(call("pg_each_alone_", all_))
    whether, groups = _matched(arguments, what)
    return rows(exp.Case(ifs=[exp.If(this=whether, true=duck("list_value", groups))]))


def _split(arguments: list[exp.Expr]) -> exp.Expr:
    pattern = arguments[1]
    if not is_text(pattern) or pattern.this.endswith(("*", "?")) or pattern.this == "":
        raise refused("splitting by a pattern that may be empty", pattern)
    letters = _flags(arguments, 2, "regexp_split", "i") + "s"
    return duck("string_split_regex", arguments[0], for_re2(pattern), exp.Literal.string(letters))


def substring_of_pattern(text: exp.Expr, pattern: exp.Expr) -> exp.Expr:
    """substring(text from 'pattern'): the first group, or all that matches."""
    return matching_part(text, pattern, min(_groups(pattern, "substring"), 1))


def matching_part(text: exp.Expr, pattern: exp.Expr, group: int = 0) -> exp.Expr:
    """What matches a pattern first, or a group of it; NULL where nothing does."""
    options, pattern = exp.Literal.string("s"), for_re2(pattern)
    found = duck("regexp_extract", text, pattern, exp.Literal.number(group), options)
    whether = duck("regexp_matches", text.copy(), pattern.copy(), options.copy())
    return exp.Case(ifs=[exp.If(this=whether, true=found)])


# --- texts ----------------------------------------------------------------------------------------


def _format(arguments: list[exp.Expr]) -> exp.Expr:
    """format('... %s ... %I ... %L ... %2$s', ...) with a literal model."""
    model, *values = arguments
    if not is_text(model):
        raise refused("format with a model that is no literal", model)
    parts: list[exp.Expr] = []
    text, plain, at, following = model.this, "", 0, 0
    while at < len(text):
        if text[at] != "%":
            plain, at = plain + text[at], at + 1
            continue
        at += 1
        if text[at : at + 1] == "%":
            plain, at = plain + "%", at + 1
            continue
        digits = ""
        while text[at : at + 1].isdigit():
            digits, at = digits + text[at], at + 1
        if digits and text[at : at + 1] == "$":
            following, at = int(digits) - 1, at + 1
        elif digits:
            raise refused("format with a width", model)
        macro = _FORMATS.get(text[at : at + 1])
        if macro is None or following >= len(values):
            raise refused("format with this model", model)
        if plain:
            parts.append(exp.Literal.string(plain))
        parts.append(call(macro, values[following].copy()))
        plain, at, following = "", at + 1, following + 1
    if plain or not parts:
        parts.append(exp.Literal.string(plain))
    return duck("concat", *parts)


_FORMATS = {"s": "pg_printed_", "I": "pg_quote_ident_", "L": "pg_quote_nullable_"}


# --- arrays and others ----------------------------------------------------------------------------


def _dimension(macro: str) -> Function:
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        array, dimension = arguments
        if not (isinstance(dimension, exp.Literal) and dimension.name == "1"):
            raise refused("a dimension other than the first", dimension)
        return call(macro, array)

    return rule


def _counted(nulls: bool) -> Function:
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        number = duck("len", duck("list_filter", _nullness(arguments, nulls), _IS_TRUE.copy()))
        made = exp.Cast(this=number, to=exp.DataType(this=exp.DType.INT))
        made.meta["plain"] = True
        return made

    return rule


def _enum_range(arguments: list[exp.Expr]) -> exp.Expr:
    """The labels of an enumerated type. A longer value tells it from other types."""
    known = "enum_range" if len(arguments) == 1 else "enum_range_boundary"
    typed = next((one for one in arguments if isinstance(one, exp.Cast)), None)
    if typed is not None:  # of two untyped NULLs DuckDB does not find the type
        arguments = [
            exp.Cast(this=one, to=typed.to.copy()) if isinstance(one, exp.Null) else one
            for one in arguments
        ]
    size = duck("strlen", exp.column("e"))
    is_label = exp.LTE(this=size, expression=exp.Literal.number(LONGEST))
    labels = exp.Lambda(this=is_label, expressions=[exp.to_identifier("e")])
    return duck("list_filter", duck(known, *arguments), labels)


_LAST = exp.Neg(this=exp.Literal.number(1))
_IS_TRUE = exp.Lambda(this=exp.to_identifier("e"), expressions=[exp.to_identifier("e")])


def _nullness(arguments: list[exp.Expr], nulls: bool) -> exp.Expr:
    tests: list[exp.Expr] = [exp.Is(this=a, expression=exp.Null()) for a in arguments]
    return duck("list_value", *(tests if nulls else [exp.Not(this=test) for test in tests]))


def _as(name: str) -> Function:
    return lambda arguments: duck(name, *arguments)


def _macro(name: str) -> Function:
    return lambda arguments: call(name, *arguments)


FUNCTIONS: dict[str, Function] = {
    "regexp_match": _regexp_match,
    "regexp_matches": _regexp_matches,
    "regexp_split_to_array": _split,
    "regexp_split_to_table": lambda arguments: rows(_split(arguments)),
    "string_to_table": lambda arguments: rows(call("pg_string_to_array_", *arguments)),
    "format": _format,
    "cardinality": _macro("pg_cardinality_"),
    "array_upper": _dimension("pg_array_upper_"),
    "array_lower": _dimension("pg_array_lower_"),
    "array_replace": _macro("pg_array_replace_"),
    "array_positions": _macro("pg_array_positions_"),
    "trim_array": _macro("pg_trim_array_"),
    "every": _as("bool_and"),
    "num_nulls": _counted(True),
    "num_nonnulls": _counted(False),
    "pg_typeof": _macro("pg_typeof_"),
    "enum_range": _enum_range,
    "uuid_extract_version": _macro("pg_uuid_version_"),
    "enum_last": lambda arguments: duck("list_extract", _enum_range(arguments), _LAST.copy()),
    "quote_ident": _macro("pg_quote_ident_"),
    "quote_literal": _macro("pg_quote_literal_"),
    "quote_nullable": _macro("pg_quote_nullable_"),
    "transaction_timestamp": lambda arguments: duck("now"),
}


def width_bucket(node: exp.WidthBucket) -> exp.Expr:
    """Of bounds and a number; thresholds in an array are refused."""
    if node.args.get("threshold") is not None:
        raise refused("width_bucket with an array", node)
    parts = [node.this, *(node.args[key] for key in ("min_value", "max_value", "num_buckets"))]
    made = exp.Cast(this=call("pg_width_bucket_", *parts), to=exp.DataType(this=exp.DType.INT))
    made.meta["plain"] = True
    return made


def overlaps(node: exp.Overlaps) -> exp.Expr:
    """(a, b) OVERLAPS (c, d), of four moments."""
    sides = (node.this, node.expression)
    if not all(isinstance(side, exp.Tuple) and len(side.expressions) == 2 for side in sides):
        raise refused("OVERLAPS of anything but two pairs", node)
    return call("pg_overlaps_", *(part for side in sides for part in _from_and_to(side)))


def _from_and_to(side: exp.Expr) -> list[exp.Expr]:
    """A pair of two moments, of which the second may be how long after the first it is."""
    start, end = side.expressions
    if not isinstance(end, exp.Cast) or end.to.this != exp.DType.INTERVAL:
        return [start, end]
    return [start, exp.Paren(this=exp.Add(this=start.copy(), expression=end))]


def array_length(node: exp.ArraySize) -> exp.Expr:
    """Of an empty array it is NULL."""
    if node.expression is None:
        return call("pg_cardinality_", node.this)
    return _dimension("pg_array_upper_")([node.this, node.expression])


def sorted_when_distinct(node: exp.Expr) -> None:
    """DISTINCT within an aggregate sorts in Postgres."""
    distinct = node.this
    if isinstance(distinct, exp.Distinct) and len(distinct.expressions) == 1:
        by = exp.Ordered(this=distinct.expressions[0].copy(), nulls_first=False)
        node.set("this", exp.Order(this=distinct, expressions=[by]))


def no_changes_in_with(node: exp.CTE) -> None:
    """Before a statement it has been taken apart (`proxy.sql.changes.with_writes`)."""
    if not isinstance(node.this, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        return
    defined = node.find_ancestor(exp.Create)
    if defined is not None and defined.kind == "VIEW":
        raise SqlError("0A000", "views must not contain data-modifying statements in WITH")
    around = node.parent.parent if node.parent is not None else None
    if around is None or around.parent is None or around.parent is defined:
        what = "CREATE TABLE AS" if defined is not None else "COPY"
        raise refused(
            f"{what} of WITH that changes data", node, "Insert what it gives into a table."
        )
    message = "WITH clause containing a data-modifying statement must be at the top level"
    raise SqlError("0A000", message, position=position_of(node))


RULES: dict[type, Callable[[exp.Expr], exp.Expr | None]] = {
    exp.WidthBucket: width_bucket,
    exp.Overlaps: overlaps,
    exp.ArraySize: array_length,
    exp.GroupConcat: sorted_when_distinct,
    exp.ArrayAgg: sorted_when_distinct,
    exp.CTE: no_changes_in_with,
}
