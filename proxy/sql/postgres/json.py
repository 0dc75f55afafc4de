"""json and jsonb of Postgres's: operators, functions, and those that give rows.

Why it exists: ORMs keep documents in jsonb columns and ask them with `@>`, `?`, `#>>` and
`jsonb_...()`, none of which DuckDB has under these names. What is taken out
of a document and what changes one are functions of the engine's (`proxy.engines.duck.documents`); what
Postgres gives as jsonb is cast to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.dialects import Postgres
from sqlglot.tokens import TokenType

from proxy.errors import SqlError
from proxy.sql.postgres.arrays import literal_array
from proxy.sql.postgres.routines import rows
from proxy.sql.postgres.values import call, duck, is_text, refused, unwrapped
from proxy.sql.reading import position_of

Function = Callable[[list[exp.Expr]], exp.Expr]


def _build_object(arguments: list[exp.Expr]) -> exp.Expr:
    if len(arguments) % 2:
        raise refused("an object of a key without a value", arguments[-1])
    made = []
    for key, value in zip(arguments[::2], arguments[1::2], strict=True):
        if isinstance(key, exp.Null):
            raise refused("an object with a key that is NULL", key)
        made += [call("pg_json_name_", key), " : ", call("pg_json_member_", value), ", "]
    return _document("{", made[:-1], "}")


def _build_array(arguments: list[exp.Expr]) -> exp.Expr:
    made = []
    for value in arguments:
        made += [call("pg_json_member_", value), ", "]
    return _document("[", made[:-1], "]")


def _document(start: str, parts: list[exp.Expr | str], end: str) -> exp.Expr:
    """A JSON of texts that stand one behind another."""
    joined: exp.Expr = exp.Literal.string(start)
    for part in (*parts, end):
        right = exp.Literal.string(part) if isinstance(part, str) else part
        joined = exp.DPipe(this=joined, expression=right, safe=True)
    made = exp.Cast(this=exp.Paren(this=joined), to=exp.DataType(this=exp.DType.JSON))
    made.meta["plain"] = True
    return made


def as_jsonb(made: exp.Expr) -> exp.Expr:
    """What DuckDB gives as JSON, as jsonb."""
    to = exp.DataType(this=exp.DType.JSONB)
    cast = exp.Cast(this=made, to=to)
    cast.meta["plain"] = True
    return cast


def _macro(name: str) -> Function:
    return lambda arguments: call(name, *arguments)


def _rows(macro: str, column: str) -> Function:
    """A function that gives a row for each element of the list that a macro makes."""
    return lambda arguments: rows(call(macro, *arguments), column)


def _of_jsonb(rule: Function) -> Function:
    return lambda arguments: as_jsonb(rule(arguments))


def _texts(items: list[exp.Expr]) -> exp.Expr:
    """A path: a list of texts."""
    return _as_texts(exp.Array(expressions=items))


def _steps(names: list[exp.Expr]) -> exp.Expr:
    """The path of jsonb_extract_path, whose names may come in an array."""
    one = names[0] if len(names) == 1 else None
    return _path(one.this) if isinstance(one, exp.Variadic) else _texts(names)


def _as_texts(items: exp.Expr) -> exp.Expr:
    text = exp.DataType(this=exp.DType.TEXT)
    to = exp.DataType(this=exp.DType.ARRAY, nested=True, expressions=[text])
    cast = exp.Cast(this=items, to=to)
    cast.meta["plain"] = True
    return cast


def _of_path(name: str) -> Function:
    """A function of a document, a path and more; the path may be written as an array's literal."""

    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        if len(arguments) > 1:
            arguments = [arguments[0], _path(arguments[1]), *arguments[2:]]
        return duck(name, *arguments)

    return rule


def _path(path: exp.Expr) -> exp.Expr:
    text = exp.DataType(this=exp.DType.TEXT)
    to = exp.DataType(this=exp.DType.ARRAY, nested=True, expressions=[text])
    written = path.this if isinstance(path, exp.Cast) else path
    made = literal_array(written, to)
    return _as_texts(made if made is not None else path)


def _names_and_values(arrays: list[exp.Expr]) -> list[exp.Expr]:
    """What json_object takes: an array of names and values, one of pairs of them, or two arrays."""
    made = [_path(array) for array in arrays]
    for one in made:
        array = one.this if isinstance(one, exp.Cast) else one
        items = array.expressions if isinstance(array, exp.Array) else []
        if not any(isinstance(item, exp.Array) for item in items):
            continue
        if len(made) > 1 or any(isinstance(x, exp.Array) for i in items for x in i.expressions):
            raise SqlError("2202E", "wrong number of array subscripts")
        if any(len(item.expressions) != 2 for item in items):
            raise SqlError("2202E", "array must have two columns")
        return [_texts([part for item in items for part in item.expressions])]
    return made


_INSTEAD = "Use ->, ->>, #>> and the functions of jsonb."


def _refusal(name: str) -> Function:
    def rule(arguments: list[exp.Expr]) -> exp.Expr:
        at = arguments[0] if arguments else exp.Null()
        raise refused(f"function {name}", at, _INSTEAD)

    return rule


def _standard(what: str) -> Callable[[exp.Expr], exp.Expr | None]:
    """What is SQL/JSON of the standard: DuckDB has it not, or otherwise under the same name."""

    def rule(node: exp.Expr) -> exp.Expr | None:
        raise refused(what, node, _INSTEAD)

    return rule


FUNCTIONS: dict[str, Function] = {
    "typeof": _macro("pg_json_typeof_"),
    "array_length": _macro("pg_json_array_length_"),
    "array_elements": lambda given: rows(duck("json_elements_", *given), "value"),
    "array_elements_text": lambda given: rows(duck("json_element_texts_", *given), "value"),
    "object_keys": _rows("pg_json_keys_", ""),
    "object": lambda arguments: call("pg_json_object_", *_names_and_values(arguments)),
    "build_object": _build_object,
    "build_array": _build_array,
    "extract_path": lambda given: duck("json_path_", given[0], _steps(given[1:])),
    "extract_path_text": lambda given: duck("json_path_text_", given[0], _steps(given[1:])),
    **{
        name: _refusal(f"jsonb_{name}")
        for name in (
            *("strip_nulls", "populate_record", "to_record"),
            *("to_recordset", "path_query", "path_query_first", "path_query_array"),
            *("path_exists", "path_match", "populate_recordset", "set_lax"),
        )
    },
}
FUNCTIONS = {
    f"{prefix}_{name}": rule for name, rule in FUNCTIONS.items() for prefix in ("json", "jsonb")
}
FUNCTIONS |= {
    name: _of_jsonb(FUNCTIONS[name])
    for name in ("jsonb_build_object", "jsonb_build_array", "jsonb_object")
}
FUNCTIONS |= {
    "jsonb_set": _of_path("jsonb_set_"),
    "jsonb_insert": _of_path("jsonb_insert_"),
    "jsonb_strip_nulls": lambda arguments: duck("jsonb_strip_nulls_", *arguments),
    "jsonb_pretty": lambda arguments: duck("jsonb_pretty_", *arguments),
    **{
        name: _refusal(name)
        for name in (
            *("json_array", "json_arrayagg", "json_scalar"),
            *("json_serialize", "json"),
        )
    },
}

_EACH = {
    **{f"{p}_each": f"pg_{p}_each_" for p in ("json", "jsonb")},
    **{f"{p}_each_text": "pg_json_each_text_" for p in ("json", "jsonb")},
}


def by_place(node: exp.Anonymous) -> exp.Expr | None:
    """jsonb_agg, and jsonb_each in FROM, a table of keys and values: what hangs on where it stands."""
    if str(node.this).lower() == "jsonb_agg" and len(node.expressions) == 1:
        return aggregate_list(node, as_jsonb)
    macro = _EACH.get(str(node.this).lower())
    if macro is None:
        return None
    if not isinstance(node.parent, (exp.Table, exp.Lateral)):
        raise refused(f"{node.this} outside FROM", node)
    given = node.expressions
    if str(node.this).lower().startswith("jsonb") and given and is_text(given[0]):
        given = [as_jsonb(given[0])]
    return call(macro, *given)


def contained(node: exp.Binary) -> exp.Expr:
    """`a <@ b`, of documents or of arrays."""
    return exp.ArrayContainsAll(this=node.expression, expression=node.this)


def has_key(node: exp.Binary) -> exp.Expr:
    """`a ? 'k'`"""
    return call("pg_has_key_", node.this, node.expression)


def has_any_key(node: exp.Binary) -> exp.Expr:
    """`a ?| array['k', 'l']`"""
    return call("pg_has_any_key_", node.this, node.expression)


def has_all_keys(node: exp.Binary) -> exp.Expr:
    """`a ?& array['k', 'l']`"""
    return call("pg_has_all_keys_", node.this, node.expression)


def _keys(path: exp.Expr) -> list[exp.Expr]:
    """What stands behind an arrow: a name or a number; several of json_extract_path."""
    if not isinstance(path, exp.JSONPath):
        return [path]
    made: list[exp.Expr] = []
    for part in path.expressions[1:]:
        if isinstance(part, exp.JSONPathSubscript):
            number = int(part.this)
            key = exp.Literal.number(abs(number))
            made.append(exp.Neg(this=key) if number < 0 else key)
        else:
            made.append(exp.Literal.string(str(part.this)))
    return made


def _taken(node: exp.Expr, text: str) -> exp.Expr:
    keys = _keys(node.expression)
    if len(keys) == 1:
        return duck(f"json_member_{text}", node.this, keys[0])
    return duck(f"json_path_{text}", node.this, _texts([_as_name(key) for key in keys]))


def _as_name(key: exp.Expr) -> exp.Expr:
    """A step of a path is a text, also where it is a number."""
    inner = key.this if isinstance(key, exp.Neg) else key
    if not isinstance(inner, exp.Literal):
        return key
    return exp.Literal.string(("-" if inner is not key else "") + inner.this)


def member(node: exp.JSONExtract) -> exp.Expr:
    """`a -> 'b'`"""
    return _taken(node, "")


def text_of_member(node: exp.JSONExtractScalar) -> exp.Expr:
    """`a ->> 'b'`"""
    return _taken(node, "text_")


def at_path(node: exp.Binary) -> exp.Expr:
    """`a #> '{b,c}'`"""
    return duck("json_path_", node.this, _path(node.expression))


def text_at_path(node: exp.Binary) -> exp.Expr:
    """`a #>> '{b,c}'`"""
    return duck("json_path_text_", node.this, _path(node.expression))


def delete_path(node: exp.Binary) -> exp.Expr:
    """`a #- '{b,c}'`"""
    return duck("jsonb_delete_path_", node.this, _path(node.expression))


def subscript(node: exp.Bracket) -> exp.Expr | None:
    """`doc['a'][0]`: a subscript that is a text is a jsonb's, and so is one of what the tree shows to be
    one; that a column is one shows only with its type (`proxy.sql.postgres.typing`).

    An array's first element is number 1 for both; the writer would add what the reader took off.
    """
    node.set("offset", 1)
    if len(node.expressions) != 1:
        return None
    (key,) = node.expressions
    if is_text(key) or _is_document(node.this):
        return duck("json_path_", node.this, path_of_subscript(key))
    if isinstance(key, exp.Slice) or (isinstance(key, exp.Literal) and not key.is_string):
        return None
    # Below 1 there is nothing; DuckDB counts from the end there.
    place = [exp.Greatest(this=key, expressions=[exp.Literal.number(0)], ignore_nulls=True)]
    node.set("expressions", place)
    return None


_OF_DOCUMENTS = frozenset(("json_path_", "json_member_", "jsonb_set_", "jsonb_insert_"))


def _is_document(value: exp.Expr) -> bool:
    inner = unwrapped(value)
    if isinstance(inner, exp.Cast):
        return isinstance(inner.to, exp.DataType) and inner.to.this == exp.DType.JSONB
    return isinstance(inner, exp.Anonymous) and inner.this in _OF_DOCUMENTS


def path_of_subscript(key: exp.Expr) -> exp.Expr:
    """The path of one step that a subscript of a jsonb stands for. Raises 42804 for a slice."""
    if isinstance(key, exp.Slice):
        message = "jsonb subscript does not support slices"
        raise SqlError("42804", message, position=position_of(key))
    step = _as_name(key)
    if step is key and not is_text(key):
        step = exp.Cast(this=key, to=exp.DataType(this=exp.DType.TEXT))
        step.meta["plain"] = True
    return _texts([step])


def _filtered(node: exp.Expr, list_: exp.Expr, around: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """An expression around an aggregate takes the aggregate's FILTER into it."""
    parent = node.parent
    if isinstance(parent, exp.Window):
        raise refused("json_agg as a window function", node)
    if isinstance(parent, exp.Filter):
        parent.set("this", list_)
        made = around(exp.Filter(this=list_, expression=parent.expression))
        parent.meta["around"] = made
        return list_
    return around(list_)


def filtered_document(node: exp.Filter) -> exp.Expr | None:
    """What stands in the place of a document's aggregate with FILTER; None for another's."""
    return node.meta.get("around") if node._meta else None


def aggregate_list(
    node: exp.Expr, around: Callable[[exp.Expr], exp.Expr] = lambda made: made
) -> exp.Expr:
    """json_agg(x ORDER BY y); around: what becomes of the document."""
    argument = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
    ordered = argument if isinstance(argument, exp.Order) else None
    value = ordered.this if ordered is not None else argument
    if isinstance(value, exp.Distinct) and ordered is None:
        (inner,) = value.expressions
        by = exp.Ordered(this=inner.copy(), nulls_first=False)
        argument = exp.Order(this=value, expressions=[by])
    return _filtered(node, duck("list", argument), lambda made: around(call("pg_json_list_", made)))


def aggregate_object(node: exp.Expr) -> exp.Expr:
    """json_object_agg(k, v ORDER BY y)"""
    key, value = node.expressions or (node.this, node.expression)
    ordered = value if isinstance(value, exp.Order) else None
    entry: exp.Expr = exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.to_identifier("k"), expression=_text_of(key)),
            exp.PropertyEQ(
                this=exp.to_identifier("v"),
                expression=ordered.this if ordered else value,
            ),
        ]
    )
    if ordered is not None:
        entry = exp.Order(this=entry, expressions=ordered.expressions)

    def around(made: exp.Expr) -> exp.Expr:
        document = call("pg_json_pairs_", made)
        return as_jsonb(document) if isinstance(node, exp.JSONBObjectAgg) else document

    return _filtered(node, duck("list", entry), around)


def _text_of(key: exp.Expr) -> exp.Expr:
    return exp.Cast(this=key, to=exp.DataType(this=exp.DType.TEXT))


def _key_and_value(node: exp.JSONKeyValue) -> None:
    if not isinstance(node.parent, exp.JSONObject):
        raise refused("SQL/JSON's key and value", node, _INSTEAD)


def standard_object(node: exp.JSONObject) -> exp.Expr:
    """`JSON_OBJECT(k: v)` is json_build_object(k, v)."""
    if any(node.args.get(key) for key in node.args if key != "expressions"):
        raise refused("JSON_OBJECT with these options", node, _INSTEAD)
    pairs = [part for one in node.expressions for part in (one.this, one.expression)]
    return FUNCTIONS["json_build_object"](pairs)


def _read_object(parser: Any) -> exp.Expr:
    """json_object(text[]), or the standard's JSON_OBJECT(k: v)."""
    start = parser._index
    given = parser._parse_csv(parser._parse_assignment)
    if not given:
        return exp.JSONObject(expressions=[])
    if parser._curr is not None and parser._curr.token_type == TokenType.R_PAREN:
        return exp.Anonymous(this="json_object", expressions=given)
    parser._retreat(start)
    made: exp.Expr = parser._parse_json_object()
    return made


Postgres.Parser.FUNCTION_PARSERS["JSON_OBJECT"] = _read_object


RULES: dict[type, Callable[[exp.Expr], exp.Expr | None]] = {
    exp.ArrayContainedBy: contained,
    exp.JSONBContainsTopKey: has_key,
    exp.JSONBContainsAnyTopKeys: has_any_key,
    exp.JSONBContainsAllTopKeys: has_all_keys,
    exp.JSONBExtract: at_path,
    exp.Bracket: subscript,
    exp.JSONExtract: member,
    exp.JSONExtractScalar: text_of_member,
    exp.JSONBExtractScalar: text_at_path,
    exp.JSONBDeleteAtPath: delete_path,
    exp.JSONArrayAgg: aggregate_list,
    exp.JSONKeyValue: _key_and_value,
    exp.JSONObject: standard_object,
    exp.JSONTable: _standard("JSON_TABLE"),
    exp.JSONObjectAgg: aggregate_object,
    exp.JSONBObjectAgg: aggregate_object,
}
