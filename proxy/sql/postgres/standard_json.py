"""SQL/JSON of the standard: JSON_VALUE, JSON_QUERY, JSON_EXISTS and IS JSON; what jsonb has of the same paths.

Why it exists: DuckDB has functions of these names that answer otherwise. Here a path is a constant of
members and subscripts, in lax mode; `json_items_` (`proxy.engines.duck.any`) gives what it leads to, and how
many that are decides what the function gives.

Promises: paths with filters, methods or variables, and types whose texts DuckDB reads otherwise than
Postgres, are refused. Over no relation Postgres is asked (`proxy.sql.portable`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from sqlglot import exp
from sqlglot.dialects import Postgres
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.postgres.routines import rows
from proxy.sql.postgres.values import call, duck, is_text, refused
from proxy.wire.decoders.documents import json_text

Function = Callable[[list[exp.Expr]], exp.Expr]

_D = exp.DType
_JSONB = exp.DataType(this=_D.JSONB)

_QUERY, _VALUE, _EXISTS = "json_query", "json_value", "json_exists"
_WRAPPERS = ("CONDITIONAL", "UNCONDITIONAL")
_EMPTY = {"ARRAY": "[]", "OBJECT": "{}"}


# --- reading ------------------------------------------------------------------------------------


def _read(name: str) -> Callable[[Any], exp.Expr]:
    """The call with its clauses as JSONKeyValues behind the document and the path."""

    def read(parser: Any) -> exp.Expr:
        given = [parser._parse_assignment()]
        parser._match(TokenType.COMMA)
        given.append(parser._parse_assignment())
        words = parser._match_text_seq
        said: dict[str, exp.Expr] = {}
        if words("PASSING"):
            given += parser._parse_csv(lambda: parser._parse_alias(parser._parse_assignment()))
        if words("RETURNING"):
            said["returning"] = parser._parse_types()
        if words("WITHOUT"):
            words("ARRAY")
            words("WRAPPER")
        elif words("WITH"):
            kind = next((one for one in _WRAPPERS if words(one)), "UNCONDITIONAL")
            words("ARRAY")
            words("WRAPPER")
            said["wrapper"] = exp.Var(this=kind)
        for quotes in ("KEEP", "OMIT"):
            if words(quotes, "QUOTES"):
                words("ON", "SCALAR", "STRING")
                said["quotes"] = exp.Var(this=quotes)
        while (behaviour := _behaviour(parser)) is not None:
            on = next(one for one in ("EMPTY", "ERROR", "") if not one or words("ON", one))
            if not on:
                parser.raise_error("Expecting ON EMPTY or ON ERROR")
            said[on.lower()] = behaviour
        made = exp.Anonymous(this=name, expressions=given)
        made.meta["said"] = said
        return made

    return read


def _behaviour(parser: Any) -> exp.Expr | None:
    words = parser._match_text_seq
    for word in ("ERROR", "UNKNOWN"):
        if words(word):
            return exp.Var(this=word)
    if words("EMPTY"):
        kind = "OBJECT" if words("OBJECT") else "ARRAY"
        words("ARRAY")
        return exp.Literal.string(_EMPTY[kind])
    if parser._match(TokenType.NULL):
        return exp.Null()
    if parser._match(TokenType.TRUE):
        return exp.true()
    if parser._match(TokenType.FALSE):
        return exp.false()
    if parser._match(TokenType.DEFAULT):
        value: exp.Expr = parser._parse_bitwise()
        constant = value.this if isinstance(value, exp.Neg) else value
        return value if isinstance(constant, exp.Literal | exp.Boolean) else exp.Var(this="DEFAULT")
    return None


for _name in (_QUERY, _VALUE, _EXISTS):
    Postgres.Parser.FUNCTION_PARSERS[_name.upper()] = _read(_name)


def _read_array(parser: Any) -> exp.Expr:
    """JSON_ARRAY, which is refused whatever its clauses say."""
    given = parser._parse_csv(parser._parse_assignment)
    if parser._match_texts(("NULL", "ABSENT")):
        parser._match_text_seq("ON", "NULL")
    if parser._match_text_seq("RETURNING"):
        parser._parse_types()
    return exp.Anonymous(this="json_array", expressions=given)


Postgres.Parser.FUNCTION_PARSERS["JSON_ARRAY"] = _read_array


# --- paths --------------------------------------------------------------------------------------

_START = re.compile(r"\s*(?:lax\s)?\s*\$(?![\w\"$])", re.ASCII)
_STEP = re.compile(
    r"\s*(?:\.\s*(?P<name>[^\W\d]\w*)(?!\s*[\w(])|\.\s*\"(?P<quoted>[^\"\\]*)\""
    r"|\[\s*(?P<number>[0-9]{1,9})\s*\]|(?P<all>\[\s*\*\s*\]))"
)


def _steps(path: exp.Expr) -> list[exp.Expr]:
    """`$.a."b"[0][*]` as '.a', '.b', '[0]', '[*]'. Raises 0A000 for other paths."""
    while isinstance(path, exp.Cast | exp.Paren):
        path = path.this
    found = _START.match(path.this) if is_text(path) else None
    if found is None:
        raise refused("a path of this form", path, _INSTEAD)
    text, at, made = path.this.rstrip(), found.end(), []
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise refused(f"the path {path.this}", path, _INSTEAD)
        name = step["quoted"] if step["name"] is None else step["name"]
        number = "*" if step["all"] else step["number"]
        made.append(f".{name}" if number is None else f"[{number}]")
        at = step.end()
    return [exp.Literal.string(one) for one in made]


_INSTEAD = "Members and subscripts are, in a path that is a constant."


# --- meaning ------------------------------------------------------------------------------------


def _plain(value: exp.Expr, kind: exp.DType | exp.DataType) -> exp.Cast:
    to = kind if isinstance(kind, exp.DataType) else exp.DataType(this=kind)
    made = exp.Cast(this=value, to=to)
    made.meta["plain"] = True
    return made


def _items(node: exp.Anonymous) -> exp.Expr:
    document, path, *passed = node.expressions
    if passed:
        raise refused(f"{node.this} with PASSING", node)
    return _found(str(node.this), document, path)


def _found(name: str, document: exp.Expr, path: exp.Expr) -> exp.Expr:
    """What a path leads to, as texts."""
    if document.find(exp.Column) is None:
        raise refused(f"{name} of a constant", document)
    text = exp.DataType(this=_D.TEXT)
    array = exp.DataType(this=_D.ARRAY, nested=True, expressions=[text])
    steps = _plain(exp.Array(expressions=_steps(path)), array)
    return duck("json_items_", _plain(call("pg_json_context_", document), _D.TEXT), steps)


def _count(items: exp.Expr) -> exp.Expr:
    return duck("len", items.copy())


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value)


_NO_ITEM = "no SQL/JSON item found for specified path"
_NOT_SCALAR = "JSON path expression in JSON_VALUE must return single scalar item"
_SEVERAL = "JSON path expression in JSON_QUERY must return single item when no wrapper is requested"


def _otherwise(node: exp.Anonymous, on: str, message: str, to: exp.DataType) -> exp.Expr:
    """What ON EMPTY or ON ERROR says is given."""
    behaviour = node.meta["said"].get(on)
    if behaviour is None:
        return _plain(exp.Null(), to.copy())
    if isinstance(behaviour, exp.Var) and behaviour.this != "ERROR":
        raise refused(f"DEFAULT of an expression ON {on.upper()}", node)
    if isinstance(behaviour, exp.Var):
        return duck("error", exp.Literal.string(message))
    return _plain(behaviour, to.copy())


def _value(node: exp.Anonymous) -> exp.Expr:
    """JSON_VALUE: the one scalar that is found, as a text or as another type."""
    said = node.meta["said"]
    to = said.get("returning") or exp.DataType(this=_D.TEXT)
    shape = _SHAPES.get(to.this) if isinstance(to, exp.DataType) else None
    decimal = shape is not None and to.this == _D.DECIMAL
    if shape is None or bool(to.expressions) != decimal or {"wrapper", "quotes"} & said.keys():
        raise refused("JSON_VALUE of this type", node, "Cast what it gives as text.")
    whole = exp.DataType(this=_D.TEXT) if to.this in _TEXTS else to
    items = _items(node)
    text = call("pg_json_scalar_", items)
    empty = _otherwise(node, "empty", _NO_ITEM, whole)
    failed = _otherwise(node, "error", _NOT_SCALAR, whole)
    ifs = [
        exp.If(this=exp.Is(this=items.copy(), expression=exp.Null()), true=exp.Null()),
        exp.If(this=exp.EQ(this=_count(items), expression=_number(0)), true=empty),
        exp.If(this=exp.Not(this=call("pg_json_is_scalar_", items.copy())), true=failed),
    ]
    value: exp.Expr = text
    if shape:
        if isinstance(said.get("error"), exp.Var):
            raise refused("JSON_VALUE of this type with ERROR ON ERROR", node)
        missing = exp.Is(this=text.copy(), expression=exp.Null())
        fits = duck("regexp_full_match", text.copy(), exp.Literal.string(shape))
        truth = whole.this == _D.BOOLEAN
        read = call("pg_truth_", text) if truth else duck("trim", text)
        value = exp.TryCast(this=read, to=whole.copy())
        value.meta["plain"] = True
        ifs.append(exp.If(this=missing, true=exp.Null()))
        ifs.append(exp.If(this=exp.Not(this=fits), true=failed.copy()))
        beyond: exp.Expr = exp.Is(this=value.copy(), expression=exp.Null())
        if whole.this == _D.DOUBLE:
            beyond = call("pg_is_beyond_", value.copy(), text.copy())
        ifs.append(exp.If(this=beyond, true=failed.copy()))
    return _plain(exp.Case(ifs=ifs, default=value), whole.copy())


_TEXTS = (_D.TEXT, _D.VARCHAR)
_WHOLE = r"\s*[+-]?[0-9]+\s*"
_DIGITS = r"\s*[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?\s*"
_SHAPES = {
    **dict.fromkeys(_TEXTS, ""),
    **dict.fromkeys((_D.SMALLINT, _D.INT, _D.BIGINT), _WHOLE),
    _D.DECIMAL: _DIGITS,
    _D.DOUBLE: rf"{_DIGITS}|(?i)\s*[+-]?(nan|inf|infinity)\s*",
    _D.BOOLEAN: r"(?i)\s*(t|tr|tru|true|f|fa|fal|fals|false|ye?s?|no?|on|off?|0|1)\s*",
}
"""What the text of a value looks like that such a type has; '' for any."""


def _query(node: exp.Anonymous) -> exp.Expr:
    """JSON_QUERY: the one document that is found, or all in an array."""
    said = node.meta["said"]
    to = said.get("returning") or exp.DataType(this=_D.JSONB)
    if to.this not in (_D.JSON, _D.JSONB) or "quotes" in said:
        raise refused("JSON_QUERY of this form", node, "Cast what it gives.")
    items, wrapper = _items(node), said.get("wrapper")
    empty = _otherwise(node, "empty", _NO_ITEM, to)
    failed = _otherwise(node, "error", _SEVERAL, to)
    ifs = [
        exp.If(this=exp.Is(this=items.copy(), expression=exp.Null()), true=exp.Null()),
        exp.If(this=exp.EQ(this=_count(items), expression=_number(0)), true=empty),
    ]
    several: exp.Expr = failed
    if wrapper is not None:
        several = _array(items.copy(), to)
    if wrapper is not None and wrapper.this == "UNCONDITIONAL":
        return _plain(exp.Case(ifs=ifs, default=several), to.copy())
    more = exp.GT(this=_count(items), expression=_number(1))
    ifs.append(exp.If(this=more, true=several))
    return _plain(exp.Case(ifs=ifs, default=_first(items.copy(), to)), to.copy())


def _exists(node: exp.Anonymous) -> exp.Expr:
    """JSON_EXISTS: whether something is found. In lax mode nothing of such a path fails."""
    return _exists_at(_items(node))


FUNCTIONS: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    _VALUE: _value,
    _QUERY: _query,
    _EXISTS: _exists,
}


# --- jsonpath -----------------------------------------------------------------------------------


def path_exists(node: exp.JSONBPathExists) -> exp.Expr:
    """`doc @? '$.a'`"""
    return _exists_at(_found("the operator @?", node.this, node.expression))


def _exists_at(items: exp.Expr) -> exp.Expr:
    return exp.Paren(this=exp.GT(this=_count(items), expression=_number(0)))


def _first(items: exp.Expr, to: exp.DataType = _JSONB) -> exp.Expr:
    return _plain(exp.Bracket(this=items, expressions=[_number(1)], offset=1), to.copy())


def _array(items: exp.Expr, to: exp.DataType = _JSONB) -> exp.Expr:
    joined = duck("array_to_string", items, exp.Literal.string(", "))
    whole = exp.DPipe(this=exp.Literal.string("["), expression=joined)
    listed = exp.DPipe(this=whole, expression=exp.Literal.string("]"))
    return _plain(exp.Paren(this=listed), to.copy())


def _each(items: exp.Expr) -> exp.Expr:
    array = exp.DataType(this=_D.ARRAY, nested=True, expressions=[_JSONB.copy()])
    return rows(_plain(items, array))


def _of_path(name: str, made: Callable[[exp.Expr], exp.Expr]) -> Function:
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        if len(arguments) != 2:
            raise refused(f"{name} with variables", arguments[0] if arguments else exp.Null())
        return made(_found(name, *arguments))

    return rule


PATH_FUNCTIONS: dict[str, Function] = {
    name: _of_path(name, made)
    for name, made in (
        ("jsonb_path_exists", _exists_at),
        ("jsonb_path_query", _each),
        ("jsonb_path_query_first", _first),
        ("jsonb_path_query_array", _array),
    )
}


def standard(node: exp.Anonymous) -> exp.Expr | None:
    """A call of one of these functions; None for another one."""
    return FUNCTIONS[node.this](node) if node._meta and "said" in node._meta else None


def is_json(test: exp.Is) -> exp.Expr | None:
    """`x IS JSON OBJECT`; None for another test."""
    kind = test.expression
    if not isinstance(kind, exp.JSON):
        return None
    if kind.args.get("with_") or test.this.find(exp.Column) is None:
        raise refused("IS JSON of a constant, or with UNIQUE KEYS,", test)
    wanted = str(kind.this or "value").lower()
    return call("pg_is_json_", test.this, exp.Literal.string(wanted))


def are_json(texts: pa.Array, kinds: pa.Array) -> pa.Array:
    """Whether texts are JSON, 1 or 0. kinds: object, array, scalar, or value for any."""
    pairs = zip(texts.to_pylist(), kinds.to_pylist(), strict=True)
    found = [None if text is None else int(_is_of_kind(text, kind)) for text, kind in pairs]
    return pa.array(found, pa.int64())


def _is_of_kind(text: str, kind: str) -> bool:
    try:
        json_text(text, "")
    except SqlError:
        return False
    own = {"{": "object", "[": "array"}.get(text.lstrip()[0], "scalar")
    return kind in ("value", own)
