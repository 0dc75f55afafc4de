"""`(x::t).*` and `(x::t).a`, where t is a table and x a text: the members of a row that is read.

Why it exists: DuckDB knows no type of a table's rows. What the members are and of which types shows once the
columns of the table are known, so the rules put a call in its place (`taken`), and what is known puts the
members in the place of the call (`put_members`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from proxy.errors import SqlError
from proxy.sql.postgres import floats
from proxy.sql.postgres.values import call, cast, duck, refused, unwrapped
from proxy.sql.reading import position_of
from proxy.wire.types import LISTS, DuckType, spelled

_MEMBER, _MEMBERS = "pg_member_", "pg_members_"
_TEXTS = (exp.Column, exp.Literal, exp.Parameter, exp.Placeholder, exp.Null)
_NO_MEMBERS = frozenset(("LIST", "ARRAY", "STRUCT", "MAP", "UNION", "VARIANT"))
Columns = Sequence[tuple[str, DuckType]]


def taken(node: exp.Dot) -> exp.Expr | None:
    """A call in place of a member, or of all, of what is cast to a type; None for any other name with dots."""
    value = unwrapped(node.this)
    kind = value.to if isinstance(value, exp.Cast) else None
    if not isinstance(node.this, exp.Paren) or kind is None or kind.this != exp.DType.USERDEFINED:
        return None
    named = kind.args["kind"]
    path = named.parts if isinstance(named, exp.Dot) else [named]
    if not isinstance(unwrapped(value.this), _TEXTS):
        raise refused("a cast of other than a column or a parameter to a row type", value)
    words = [exp.Literal.string(part.name) for part in path]
    member = node.expression
    if isinstance(member, exp.Star):
        if not isinstance(node.parent, exp.Select) or node.arg_key != "expressions":
            raise refused("(row).* outside a select list", value)
        return call(_MEMBERS, value.this, *words)
    return call(_MEMBER, value.this, exp.Literal.string(member.name), *words)


def put_members(tree: exp.Expr, columns_of: Callable[[tuple[str, ...]], Columns | None]) -> bool:
    """Puts the members in place of the calls of a tree of DuckDB's; whether there was one.

    Raises SqlError 42704 for a type that is no table's, 42703, 0A000.
    """
    changed = False
    for node in list(tree.find_all(exp.Anonymous)):
        name = node.name.lower()
        if name not in (_MEMBER, _MEMBERS) or not isinstance(node.parent, exp.Dot):
            continue
        value, *words = node.expressions
        named = [word.name for word in words]
        member = named.pop(0) if name == _MEMBER else ""
        columns = columns_of(tuple(named))
        if columns is None:
            raise SqlError("42704", f'type "{".".join(named)}" does not exist')
        chosen = [n for n, (column, _) in enumerate(columns) if not member or column == member]
        if not chosen:
            message = f'column "{member}" not found in data type {".".join(named)}'
            raise SqlError("42703", message, position=position_of(value))
        members = [_read(value, n, columns) for n in range(len(columns))]
        if member:
            node.parent.replace(_one(members, chosen[0]))
        else:
            _spread(node.parent, members, [name for name, _ in columns])
        changed = True
    return changed


def _one(members: list[exp.Expr], number: int) -> exp.Expr:
    """One member; all are read, since each that is no value of its type raises."""
    names = [exp.to_identifier(f"m{n}") for n in range(len(members))]
    pairs = zip(names, members, strict=True)
    row = exp.Struct(expressions=[exp.PropertyEQ(this=n, expression=m) for n, m in pairs])
    found = duck("struct_extract", row, exp.Literal.string(f"m{number}"))
    return exp.Cast(this=found, to=members[number].args["to"].copy())


def _spread(node: exp.Expr, values: list[exp.Expr], names: list[str]) -> None:
    select = node.find_ancestor(exp.Select)
    assert select is not None
    outputs = []
    for one in select.expressions:
        if one.unalias() is node:
            outputs += [exp.alias_(v, n, quoted=True) for v, n in zip(values, names, strict=True)]
        else:
            outputs.append(one)
    select.set("expressions", outputs)


def _read(value: exp.Expr, number: int, columns: Columns) -> exp.Expr:
    """A member of a row's text, as a value of its column's type."""
    name, kind = columns[number]
    members = duck("record_members_", _text(value.copy()), exp.Literal.number(len(columns)))
    member = _text(duck("list_extract", members, exp.Literal.number(number + 1)))
    if kind.id in LISTS and kind.children[0].id not in _NO_MEMBERS:
        each = exp.to_identifier("e")
        made = exp.Lambda(this=_as(kind.children[0], exp.column(each)), expressions=[each])
        return _cast(duck("list_transform", duck("array_elements_", member), made), kind)
    if kind.id in _NO_MEMBERS:
        raise refused(f'a cast to a row whose column "{name}" is of type {kind}', value)
    return _as(kind, member)


def _as(kind: DuckType, text: exp.Expr) -> exp.Expr:
    """A text as a value of a type."""
    if kind.id == "VARCHAR" and kind.alias is None:
        return _text(text)
    made = _cast(_text(text), kind)
    floats.cast(made)
    cast(made)
    return made


def _text(value: exp.Expr) -> exp.Cast:
    return exp.Cast(this=value, to=exp.DataType(this=exp.DType.TEXT))


def _cast(value: exp.Expr, kind: DuckType) -> exp.Cast:
    return exp.Cast(this=value, to=exp.DataType.build(spelled(kind), dialect="duckdb"))
