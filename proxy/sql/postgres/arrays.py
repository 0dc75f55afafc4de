"""Arrays as Postgres's clients write them: `= ANY(array)`, `unnest` of several side by side.

Why it exists: drivers pass lists as arrays, and DuckDB reads both constructs otherwise: of an array
that is NULL `= ANY` is false there and `<> ALL` true, and UNNEST in FROM takes one list.
"""

from __future__ import annotations

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.reading import position_of

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


def any_of(node: exp.Any) -> None:
    """`x = ANY(array)` is NULL of an array that is NULL."""
    brackets = node.this
    if isinstance(node.parent, _COMPARISONS) and isinstance(brackets, exp.Paren):
        array = brackets.this
        if isinstance(array, exp.Literal) and array.is_string and isinstance(node.parent, exp.EQ):
            _among(node.parent, read_array(array, None))
        else:
            brackets.set("this", _null_in_array(array))


def _among(equality: exp.EQ, array: exp.Array) -> None:
    """`x = ANY('{1,2}')`: the elements are of the type of x, as quoted ones of IN are."""
    if array.expressions:
        equality.replace(exp.In(this=equality.this, expressions=array.expressions))
    else:
        equality.replace(exp.Boolean(this=False))


# --- literals ---------------------------------------------------------------------------------

_Items = list["str | _Items | None"]


def literal_array(value: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    """`'{1,2}'` as what is cast to an array; DuckDB writes lists in other brackets."""
    while isinstance(value, exp.Paren):
        value = value.this
    element = to
    while element.this == exp.DType.ARRAY and element.expressions:
        element = element.expressions[0]
    if not isinstance(value, exp.Literal) or not value.is_string:
        _deepen(to, element, _dimensions(value))
        return None
    made = read_array(value, element)
    _deepen(to, element, _depth(made))
    if element.this == exp.DType.DECIMAL and not element.expressions:
        _hold_digits(made, element)
    return made


def _deepen(to: exp.DataType, element: exp.DataType, dimensions: int) -> None:
    """Gives a type as many dimensions as its values have: Postgres's does not say how many there are."""
    if not dimensions:
        return
    within = element
    for _ in range(dimensions - 1):
        within = exp.DataType(this=exp.DType.ARRAY, expressions=[within], nested=True)
    to.set("expressions", [within])


def _dimensions(value: exp.Expr) -> int:
    """How many dimensions an array has that is written out, or cast to it; 0 where that is not known."""
    while isinstance(value, exp.Paren):
        value = value.this
    if isinstance(value, exp.Array):
        return _depth(value)
    if not isinstance(value, exp.Cast):
        return 0
    kind, found = value.to, 0
    while isinstance(kind, exp.DataType) and kind.this == exp.DType.ARRAY and kind.expressions:
        kind, found = kind.expressions[0], found + 1
    return found if found > 1 else 0


def _depth(array: exp.Array) -> int:
    inner = [_depth(item) for item in array.expressions if isinstance(item, exp.Array)]
    return 1 + max(inner, default=0)


def _hold_digits(array: exp.Array, element: exp.DataType) -> None:
    """NUMERIC without any is given the digits of the values: DuckDB's own has three behind the point."""
    texts = [node.this for node in array.find_all(exp.Literal)]
    parts = [text.strip().lstrip("+-").partition(".") for text in texts]
    scale = max((len(fraction) for _, _, fraction in parts), default=0)
    width = max((len(whole) for whole, _, _ in parts), default=1) + scale
    if not all((whole + fraction).isdigit() for whole, _, fraction in parts) or width > 38:
        raise SqlError("0A000", "these values in an array of numeric are not supported")
    for kind in (element, *array.find_all(exp.DataType)):
        sizes = (exp.Literal.number(size) for size in (max(width, 1), scale))
        kind.set("expressions", [exp.DataTypeParam(this=size) for size in sizes])


def read_array(value: exp.Literal, element: exp.DataType | None) -> exp.Expr:
    """Raises 22P02 for what is no array literal, 0A000 for one with bounds of its own."""
    text = value.this.strip()
    if text.startswith("["):
        raise SqlError("0A000", "array literals with bounds are not supported")
    items, end = _items(text, 0) if text.startswith("{") else ([], -1)
    if end != len(text):
        raise SqlError(
            "22P02", f'malformed array literal: "{value.this}"', position=position_of(value)
        )
    return _array(items, element)


def _array(items: _Items, element: exp.DataType | None) -> exp.Array:
    made: list[exp.Expr] = []
    for item in items:
        if isinstance(item, list):
            made.append(_array(item, element))
            continue
        one = exp.Null() if item is None else exp.Literal.string(item)
        made.append(one if element is None else exp.Cast(this=one, to=element.copy()))
    return exp.Array(expressions=made)


_ENDS = ",{}"


def _items(text: str, at: int) -> tuple[_Items, int]:
    """The elements between the braces that open at `at`, and where they close; -1 if they do not."""
    items: _Items = []
    at = _blank(text, at + 1)
    if text[at : at + 1] == "}":
        return items, at + 1
    while at < len(text):
        if text[at] == "{":
            inner, at = _items(text, at)
            items.append(inner)
        elif text[at] == '"':
            word, at = _quoted_item(text, at + 1)
            items.append(word)
        else:
            word, at = _plain_item(text, at)
            items.append(None if word.upper() == "NULL" else word)
            if not word:
                return items, -1
        if at < 0:
            return items, -1
        at = _blank(text, at)
        mark = text[at : at + 1]
        if mark == "}":
            return items, at + 1
        if mark != ",":
            return items, -1
        at = _blank(text, at + 1)
    return items, -1


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _quoted_item(text: str, at: int) -> tuple[str, int]:
    made: list[str] = []
    while at < len(text):
        if text[at] == '"':
            return "".join(made), at + 1
        at += text[at] == "\\"
        made.append(text[at : at + 1])
        at += 1
    return "", -1


def _plain_item(text: str, at: int) -> tuple[str, int]:
    made: list[str] = []
    while at < len(text) and text[at] not in _ENDS:
        at += text[at] == "\\"
        made.append(text[at : at + 1])
        at += 1
    return "".join(made).rstrip(), at


def element_added(left: exp.Expr, right: exp.Expr) -> exp.Expr | None:
    """`ARRAY[...] || 1`, where DuckDB's `||` takes two lists; None where these are two."""
    for array, other, function in (
        (left, right, "list_append"),
        (right, left, "list_prepend"),
    ):
        if isinstance(array, exp.Array) and isinstance(other, exp.Literal) and not other.is_string:
            order = [array, other] if function == "list_append" else [other, array]
            return exp.Anonymous(this=function, expressions=order)
    return None


# --- comparisons ------------------------------------------------------------------------------


def all_of(arguments: list[exp.Expr]) -> exp.Expr:
    """As ANY; the parser takes ALL of an array for a function."""
    return exp.Anonymous(this="ALL", expressions=list(map(_null_in_array, arguments)))


def _null_in_array(array: exp.Expr) -> exp.Expr:
    """The array, `[NULL]` if there is none: compared with that, everything is NULL."""
    if isinstance(array, exp.Query | exp.Array):
        return array
    nothing = exp.Array(expressions=[exp.Null()])
    return exp.Coalesce(this=array, expressions=[nothing])


def unnest_together(unnest: exp.Unnest) -> exp.Expr | None:
    """Several arrays side by side, which DuckDB's UNNEST takes in a select list only."""
    if len(unnest.expressions) < 2 or unnest.args.get("offset"):
        return None
    alias = unnest.args.get("alias")
    named = alias.columns if alias is not None else []
    columns = [
        exp.Alias(
            this=exp.Anonymous(this="unnest", expressions=[array]),
            alias=named[index] if index < len(named) else exp.Identifier(this="unnest"),
        )
        for index, array in enumerate(unnest.expressions)
    ]
    name = alias.this if alias is not None and alias.this else exp.Identifier(this="unnest")
    return exp.Subquery(
        this=exp.Select(expressions=columns),
        alias=exp.TableAlias(this=name),
        joins=unnest.args.get("joins"),
    )
