"""Texts that are compared with numbers: as numbers, and as all of the number that they spell.

Why it exists: DuckDB reads the text beside a whole number as a whole number, rounding it: to it
`'12.4' = 12`. Snowflake compares 12.4 with 12. What a column holds is known when DuckDB binds, so a
column beside a number is in a macro of several forms, and a text that spells a fraction is in one
that looks at the type of what stands beside it. (Where DuckDB refuses a comparison of a text with
another type, `proxy.sql.texts_as_values` says it otherwise.)
"""

from __future__ import annotations

from sqlglot import exp

from proxy.sql.rows_among import among_rows, found_among
from proxy.sql.snowflake.overloads import is_bound_late
from proxy.sql.snowflake.registry import NodeRule, node, sf

_NO_COMPARISON = (exp.Update, exp.OnConflict, exp.SetItem, exp.Pivot, exp.Property)
"""Whose `a = 1` assigns, or names."""
_UNTYPED = (
    *(exp.ColumnDef, exp.ColumnConstraint, exp.Constraint, exp.Create, exp.Lambda),
    *(exp.Index, exp.MatchRecognize),
)
"""Where DuckDB chooses no form of a macro: nothing has a type there yet."""


def _is_number(value: exp.Expr) -> bool:
    while value.__class__ in (exp.Neg, exp.Paren):
        value = value.this
    return value.__class__ is exp.Literal and not value.is_string


def _fraction(value: exp.Expr) -> str | None:
    """The number with a fraction that a text spells."""
    if value.__class__ is not exp.Literal or not value.is_string or "." not in value.this:
        return None
    spelled = value.this.strip()
    whole, point, digits = spelled.lstrip("+-").partition(".")
    fits = len(spelled) - len(whole) - len(digits) - len(point) <= 1
    return spelled if fits and point and (whole + digits).isdecimal() else None


def _is_dated(value: exp.Expr) -> bool:
    """Whether a text spells a date as DuckDB does not read one: `02/28/2024`, `28-FEB-2024`."""
    if value.__class__ is not exp.Literal or not value.is_string or len(value.this) > 40:
        return False
    spelled = value.this.strip()
    for separator in "/-":
        if separator not in spelled:
            continue
        day, first, rest = spelled.partition(separator)
        month, second, year = rest.partition(separator)
        if first and second and day.isdecimal() and len(day) <= 2 and year[:4].isdecimal():
            return month.isdecimal() if separator == "/" else month.isalpha() and len(month) > 2
    return False


def _is_told(value: exp.Expr) -> bool:
    """Whether what a text is hangs on what it is compared with."""
    return _fraction(value) is not None or _is_dated(value)


_TEXTS = frozenset(
    {
        *(exp.SplitPart, exp.Trim, exp.Upper, exp.Lower, exp.Replace, exp.RegexpReplace),
        *(exp.Substring, exp.Concat, exp.DPipe, exp.Strtok, exp.GroupConcat),
    }
)
_TEXT_CALLS = frozenset(
    {
        *("_sf.left_", "_sf.right_", "_sf.substr_", "_sf.lpad_", "_sf.rpad_", "_sf.to_varchar_"),
        *("_sf.regexp_substr_", "_sf.date_text_", "json_extract_string"),
    }
)


def _is_text(value: exp.Expr) -> bool:
    """Whether the syntax shows a text."""
    kind = value.__class__
    if kind is exp.Anonymous:
        return value.this in _TEXT_CALLS
    return kind in _TEXTS or (kind is exp.Cast and value.to.this == exp.DType.VARCHAR)


def _counted(value: exp.Expr) -> exp.Expr:
    """A text or a column, as a number if it holds texts."""
    if _is_text(value):
        return exp.Anonymous(this="_sf.counted_text_", expressions=[value])
    if value.__class__ is not exp.Column or is_bound_late(value) or value.find_ancestor(*_UNTYPED):
        return value
    return exp.Anonymous(this="_sf.counted_", expressions=[value])


def _beside(value: exp.Expr, other: exp.Expr) -> exp.Expr:
    """A text that spells a fraction or a date, as what it is compared with."""
    if not _is_told(value) or (other.__class__ is exp.Literal and other.is_string):
        return value
    if (spelled := _fraction(value)) is not None and _is_number(other):
        literal = exp.Literal.number(spelled.lstrip("+-"))
        return exp.Neg(this=literal) if spelled.startswith("-") else literal
    if value.find_ancestor(*_UNTYPED):
        return value
    return sf("as_its_kind_", value.copy(), other.copy())


@node(exp.EQ)
def _equality(node: exp.Binary) -> None:
    left, right = node.args["this"], node.args["expression"]
    if left.__class__ is not exp.Literal and right.__class__ not in _INTERESTING:
        return
    if isinstance(node.parent, _NO_COMPARISON):
        return
    if _is_number(right):
        node.set("this", _counted(left))
    elif _is_number(left):
        node.set("expression", _counted(right))
    _ordering(node)


@node(exp.NEQ)
def _unequal(node: exp.NEQ) -> exp.Expr | None:
    right = node.args["expression"]
    if isinstance(right, exp.All):  # sqlglot's reading of NOT IN
        found = found_among(node.this, right.this, _equality)
        return None if found is None else exp.Not(this=found)
    _equality(node)
    return None


_INTERESTING = frozenset({exp.Literal, exp.Neg, exp.Paren})


@node(exp.LT, exp.LTE, exp.GT, exp.GTE)
def _ordering(node: exp.Binary) -> None:
    left, right = node.args["this"], node.args["expression"]
    if right.__class__ is exp.Literal and _is_told(right):
        node.set("expression", _beside(right, left))
    elif left.__class__ is exp.Literal and _is_told(left):
        node.set("this", _beside(left, right))


def _against(this: exp.Expr, values: list[exp.Expr]) -> tuple[exp.Expr, list[exp.Expr]]:
    """A value and those that it is compared with one by one."""
    if all(map(_is_number, values)):
        return (_beside(this, values[0]) if _is_told(this) else _counted(this)), values
    if _is_number(this):
        values = [_counted(value) for value in values]
    if not any(map(_is_told, values)):
        return this, values
    return this, [_beside(value, this) for value in values]


@node(exp.In)
def _among(node: exp.In) -> exp.Expr | None:
    if isinstance(node.this, exp.Tuple):
        return among_rows(node, _equality)
    _among_values(node)
    return None


def _among_values(node: exp.In) -> None:
    if node.expressions and not isinstance(node.parent, _NO_COMPARISON):
        before, given = node.args["this"], node.args["expressions"]
        this, values = _against(before, given)
        if this is not before:
            node.set("this", this)
        if values is not given:
            node.set("expressions", values)


@node(exp.Between)
def _between(node: exp.Between) -> None:
    this = node.args["this"]
    for key in ("low", "high"):
        if _is_told(bound := node.args[key]):
            node.set(key, _beside(bound, this))
    if _is_told(this):
        node.set("this", _beside(this, node.args["low"]))


def _searched(node: exp.Case) -> None:
    """`CASE x WHEN 1 THEN ...`"""
    branches = node.args["ifs"]
    this, values = _against(node.this, [branch.this for branch in branches])
    node.set("this", this)
    for branch, value in zip(branches, values, strict=True):
        branch.set("this", value)


def _decoded(node: exp.DecodeCase) -> None:
    """`DECODE(x, 1, 'one', ...)`"""
    values = node.expressions
    ends = len(values) - (len(values) % 2 == 0)
    this, searched = _against(values[0], values[1:ends:2])
    node.set("expressions", [this, *values[1:]])
    for place, value in zip(range(1, ends, 2), searched, strict=True):
        values[place] = value
    node.set("expressions", [this, *values[1:]])


def _case(node: exp.Expr) -> None:
    if node.args.get("this") is not None:
        _searched(node)


def _nulled(node: exp.Nullif) -> exp.Expr | None:
    """`NULLIF(x, 1)`, which gives x as it is."""
    left, right = node.this, node.expression
    if not _is_number(right):
        if _is_number(left):
            node.set("expression", _counted(right))
        _ordering(node)
        return None
    kept = left.copy()
    counted = _counted(left)
    if counted is left:
        return None
    same = exp.Paren(this=exp.EQ(this=counted, expression=right))
    return exp.Case(ifs=[exp.If(this=exp.Not(this=same), true=kept)])


FIRST: dict[type[exp.Expr], NodeRule] = {
    exp.Case: _case,
    exp.DecodeCase: _decoded,
    exp.Nullif: _nulled,
    **dict.fromkeys((exp.NullSafeEQ, exp.NullSafeNEQ, exp.EqualNull), _equality),
}
"""Rules that go before the one that a node type has."""
