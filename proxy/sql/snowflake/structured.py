"""Structured types, OBJECT(name type, ...) and MAP(key type, value type), and MAP's functions.

Both are carried as JSON objects, whose values a cast converts one by one. An OBJECT must have the
keys that its type names and no others, as Snowflake demands it.
"""

from __future__ import annotations

from functools import partial

from sqlglot import exp

from proxy.sql.postgres.arrays import literal_array
from proxy.sql.snowflake.registry import (
    cast,
    data_type,
    duck,
    function,
    sf,
    text,
    unsupported,
)
from proxy.sql.snowflake.semistructured import FIELDS_KEY, keys_of, object_of, variant
from proxy.sql.snowflake.stars import is_star, unpacked
from proxy.sql.snowflake.types import STRUCTURED, carrier, cast_to

_D = exp.DType


def _object(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    names: list[exp.Expr] = []
    entries: list[exp.Expr] = []
    for field in kind.expressions:
        inner = field.args.get("kind") if isinstance(field, exp.ColumnDef) else None
        if not isinstance(inner, exp.DataType):
            raise unsupported("this form of structured OBJECT", kind)
        path = '$."' + field.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        element = duck("variant_path_", value.copy(), text(path))
        made = _converted(element, inner)
        names.append(text(field.name))
        entries.append(sf("entry_", text(field.name), made))
    checked = sf("with_keys_", value, duck("list_value", *names))
    fields = sf("object_with_nulls_", duck("list_value", *entries))
    present = exp.Not(this=exp.Is(this=checked, expression=exp.Null()))
    made = exp.Case(ifs=[exp.If(this=present, true=fields)])
    made.meta[FIELDS_KEY] = {
        field.name: partial(_converted, kind=field.args["kind"]) for field in kind.expressions
    }
    return made


def _converted(element: exp.Expr, kind: exp.DataType) -> exp.Expr:
    return cast_to(element, kind) or exp.Cast(this=element, to=kind.copy())


def _map(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    if len(kind.expressions) != 2 or not isinstance(kind.expressions[1], exp.DataType):
        raise unsupported("this form of MAP", kind)
    inner = kind.expressions[1]
    kept = carrier(inner) or (data_type(_D.DECIMAL, 38, 0) if inner.this == _D.DECIMAL else inner)
    null = exp.Cast(this=exp.Null(), to=kept.copy())
    null.meta["plain"] = True
    made = sf("map_as_", value, null)
    made.meta[FIELDS_KEY] = {None: partial(_converted, kind=inner)}
    return made


def _array(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    made = exp.Cast(this=literal_array(value, kind) or value, to=carrier(kind) or kind)
    inner = kind.expressions[0]
    if isinstance(inner, exp.DataType):
        made.meta[FIELDS_KEY] = {None: partial(_converted, kind=inner)}
    return made


STRUCTURED[_D.OBJECT] = _object
STRUCTURED[_D.MAP] = _map
STRUCTURED[_D.ARRAY] = _array


@function("MAP_CAT")
def _map_cat(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("map_cat_", *arguments)


@function("MAP_DELETE")
def _map_delete(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("object_delete_", arguments[0], keys_of(arguments))


@function("MAP_PICK")
def _map_pick(arguments: list[exp.Expr]) -> exp.Expr:
    return sf("object_pick_", arguments[0], keys_of(arguments))


@function("MAP_INSERT")
def _map_insert(arguments: list[exp.Expr]) -> exp.Expr:
    key = cast(arguments[1], _D.VARCHAR)
    return sf("object_insert", arguments[0], key, *arguments[2:])


def _of_row(star: exp.Expr, macro: str) -> exp.Expr:
    """OBJECT_CONSTRUCT(*): over the one relation of its query, or over the columns that are meant."""
    if isinstance(star, exp.Column) and not any(star.this.args.values()):
        return sf(macro, exp.Column(this=star.args["table"]))
    select = star.find_ancestor(exp.Select)
    source = select.args.get("from_") if select is not None else None
    relation = source.this if source is not None else None
    joined = select is not None and (select.args.get("joins") or select.args.get("laterals"))
    if relation is None or star.args.get("replace") or star.args.get("rename"):
        raise unsupported("OBJECT_CONSTRUCT(*) of this query", star)
    chosen = any(star.args.get(key) for key in star.args)
    if not isinstance(relation, (exp.Table, exp.Subquery)) or joined or chosen:
        return sf(macro, duck("struct_pack", unpacked(star)))
    if not relation.alias_or_name:
        relation.set("alias", exp.TableAlias(this=exp.Identifier(this="_row")))
    return sf(macro, exp.Column(this=exp.Identifier(this=relation.alias_or_name)))


def is_row(arguments: list[exp.Expr]) -> bool:
    """Whether a function's arguments are `*` or `t.*` alone."""
    return len(arguments) == 1 and is_star(arguments[0])


@function("OBJECT_CONSTRUCT")
def _construct(arguments: list[exp.Expr]) -> exp.Expr:
    if is_row(arguments):
        return _of_row(arguments[0], "object_of_row_")
    return object_of(list(zip(arguments[::2], arguments[1::2], strict=True)))


@function("OBJECT_CONSTRUCT_KEEP_NULL")
def _keep_null(arguments: list[exp.Expr]) -> exp.Expr:
    if is_row(arguments):
        return _of_row(arguments[0], "object_of_row_with_nulls_")
    entries = [
        sf("entry_", k, variant(v)) for k, v in zip(arguments[::2], arguments[1::2], strict=True)
    ]
    if not entries:
        return cast(text("{}"), _D.JSON)
    return sf("object_with_nulls_", duck("list_value", *entries))
