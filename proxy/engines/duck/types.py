"""DuckDB's logical types as values: `DuckType`, read from the handles that the C API gives."""

from __future__ import annotations

import ctypes as c
from typing import Any

from proxy.engines.duck.api import TYPE_NAMES, api, owned_text, ptr
from proxy.wire.types import DuckType


def type_of(handle: int | None) -> DuckType:
    """Reads a `duckdb_logical_type` into a value and destroys the handle."""
    if not handle:
        return DuckType("INVALID")
    try:
        name = (
            TYPE_NAMES[number]
            if (number := api.get_type_id(handle)) < len(TYPE_NAMES)
            else "INVALID"
        )
        alias = owned_text(api.logical_type_get_alias(handle)) or None
        if name == "DECIMAL":
            return DuckType(name, alias, api.decimal_width(handle), api.decimal_scale(handle))
        if name in CHILDREN:
            children, names = CHILDREN[name](handle)
            return DuckType(name, alias, children=children, names=names)
        return DuckType(name, alias)
    finally:
        api.destroy_logical_type(c.byref(ptr(handle)))


_Family = tuple[tuple[DuckType, ...], tuple[str, ...]]


def _members(kind: str, count: Any, handle: int) -> _Family:
    take_name, take_type = getattr(api, f"{kind}_name"), getattr(api, f"{kind}_type")
    indexes = range(count(handle))
    return (
        tuple(type_of(take_type(handle, i)) for i in indexes),
        tuple(owned_text(take_name(handle, i)) or "" for i in indexes),
    )


CHILDREN: dict[str, Any] = {
    "ENUM": lambda h: (
        (),
        tuple(
            owned_text(api.enum_dictionary_value(h, i)) or ""
            for i in range(api.enum_dictionary_size(h))
        ),
    ),
    "LIST": lambda h: ((type_of(api.list_type_child_type(h)),), ()),
    "ARRAY": lambda h: ((type_of(api.array_type_child_type(h)),), ()),
    "MAP": lambda h: (
        (type_of(api.map_type_key_type(h)), type_of(api.map_type_value_type(h))),
        (),
    ),
    "STRUCT": lambda h: _members("struct_type_child", api.struct_type_child_count, h),
    "UNION": lambda h: _members("union_type_member", api.union_type_member_count, h),
}


Shape = tuple[int, str | None, int, int]


def shape(handle: int) -> Shape | None:
    """Tells one type without children from another; None for one with children."""
    number = api.get_type_id(handle)
    if TYPE_NAMES[number : number + 1] == ["DECIMAL"]:
        return number, None, api.decimal_width(handle), api.decimal_scale(handle)
    if number >= len(TYPE_NAMES) or TYPE_NAMES[number] in CHILDREN:
        return None
    return number, owned_text(api.logical_type_get_alias(handle)), 0, 0
