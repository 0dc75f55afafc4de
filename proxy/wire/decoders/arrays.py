"""Arrays of every element type, in text (`{{1,NULL},{"a b",2}}`) and binary.

An array whose lower bounds are not 1 is refused: a LIST always begins at 1, so it would be another
value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from proxy.errors import SqlError
from proxy.wire.decoders.values import SPACES, Array, LeftOver, Value, insufficient
from proxy.wire.types import BY_OID

_MAX_DIMENSIONS = 6

# --- text ----------------------------------------------------------------------------------------


class _Malformed(Exception):
    """`args[0]` is the detail."""


def array_text(
    element: int, decode: Callable[[str, str], Value], text: str, time_zone: str
) -> Array:
    """An array literal; `decode` reads its elements.

    Raises 22P02 for a malformed literal, 0A000 for lower bounds, and whatever `decode` raises.
    """
    try:
        bounds, start = _bounds(text)
        items, dims = _items(text, start, lambda item: decode(item, time_zone))
        if bounds and [upper - lower + 1 for lower, upper in bounds] != list(dims):
            raise _Malformed("Specified array dimensions do not match array contents.")
    except _Malformed as error:
        raise SqlError(
            "22P02", f'malformed array literal: "{text}"', detail=error.args[0]
        ) from None
    _check_bounds([lower for lower, _ in bounds])
    return Array(element, dims, items)


def _bounds(text: str) -> tuple[list[tuple[int, int]], int]:
    """The `[1:2][1:3]=` before the array, as (lower, upper), and where the `{` is."""
    at = _skip(text, 0)
    bounds: list[tuple[int, int]] = []
    while text.startswith("[", at):
        end = text.find("]", at)
        lower, colon, upper = text[at + 1 : end].partition(":")
        if end < 0 or not _is_integer(lower) or (colon and not _is_integer(upper)):
            raise _Malformed('"[" must introduce explicitly-specified array dimensions.')
        ends = (int(lower), int(upper)) if colon else (1, int(lower))
        if ends[1] < ends[0]:
            raise SqlError("2202E", "upper bound cannot be less than lower bound")
        bounds.append(ends)
        at = _skip(text, end + 1)
    if bounds:
        if not text.startswith("=", at):
            raise _Malformed('Missing "=" after array dimensions.')
        at = _skip(text, at + 1)
    if not text.startswith("{", at):
        raise _Malformed(
            "Array contents must start with {."
            if bounds
            else 'Array value must start with "{" or dimension information.'
        )
    _check_depth(len(bounds))
    return bounds, at


def _is_integer(text: str) -> bool:
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isascii() and digits.isdigit() and len(digits) < 11


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACES:
        at += 1
    return at


def _items(text: str, at: int, decode: Callable[[str], Value]) -> tuple[tuple, tuple[int, ...]]:
    """The nested tuples of the braces that open at `at`, and their dimensions."""
    body = text[at + 1 : -1]
    if text[-1] == "}" and body and _SPECIAL.isdisjoint(body):
        flat = [item.strip(SPACES) for item in body.split(",")]
        if all(flat):
            row = tuple(None if item.upper() == "NULL" else decode(item) for item in flat)
            return row, (len(row),)
    open_lists: list[list[Any]] = []
    depth_of_leaves = 0
    expecting_item = True  # an item or a `{` may come; otherwise a comma or a `}`
    while True:
        at = _skip(text, at)
        if at >= len(text):
            raise _Malformed("Unexpected end of input.")
        character = text[at]
        if character == "{":
            if not expecting_item:
                raise _Malformed('Unexpected "{" character.')
            if depth_of_leaves and len(open_lists) >= depth_of_leaves:
                raise _Malformed(_RAGGED)
            open_lists.append([])
            _check_depth(len(open_lists))
            at += 1
        elif character == "}":
            done = open_lists.pop()
            if expecting_item and (done or open_lists):
                raise _Malformed('Unexpected "}" character.')
            at += 1
            if not open_lists:
                break
            open_lists[-1].append(done)
            expecting_item = False
        elif character == ",":
            if expecting_item:
                raise _Malformed('Unexpected "," character.')
            expecting_item = True
            at += 1
        else:
            if not expecting_item:
                raise _Malformed("Incorrectly quoted array element.")
            if depth_of_leaves not in (0, len(open_lists)):
                raise _Malformed(_RAGGED)
            depth_of_leaves = len(open_lists)
            item, at = _item(text, at)
            open_lists[-1].append(None if item is None else _Leaf(decode(item)))
            expecting_item = False
    if _skip(text, at) != len(text):
        raise _Malformed("Junk after closing right brace.")
    dims = _dimensions(done)
    return (_tuples(done), dims) if prod(dims) else ((), ())


# What makes an array more than a row of plain elements.
_SPECIAL = frozenset('{}"\\')

_RAGGED = "Multidimensional arrays must have sub-arrays with matching dimensions."


class _Leaf(tuple):
    """A decoded element, told from a list of them."""

    def __new__(cls, value: Value) -> _Leaf:
        return super().__new__(cls, (value,))


def _dimensions(items: list[Any]) -> tuple[int, ...]:
    """Raises _Malformed for what is no rectangle."""
    lists = [item for item in items if isinstance(item, list)]
    if not lists:
        return (len(items),)
    inner = _dimensions(lists[0])
    if len(lists) != len(items) or any(_dimensions(item) != inner for item in lists[1:]):
        raise _Malformed(_RAGGED)
    return (len(items), *inner)


def _tuples(items: list[Any]) -> tuple:
    return tuple(
        _tuples(item) if isinstance(item, list) else None if item is None else item[0]
        for item in items
    )


def _item(text: str, at: int) -> tuple[str | None, int]:
    """The element at `at`, None for NULL, and where it ends."""
    if text[at] == '"':
        return _quoted(text, at + 1)
    out: list[str] = []
    written = 0  # how much of `out` is kept although spaces follow
    any_escape = False
    while at < len(text) and (character := text[at]) not in "{},":
        if character == '"':
            raise _Malformed("Incorrectly quoted array element.")
        if escaped := character == "\\":
            any_escape = True
            at += 1
            if at == len(text):
                raise _Malformed("Unexpected end of input.")
            character = text[at]
        out.append(character)
        at += 1
        if escaped or character not in SPACES:
            written = len(out)
    item = "".join(out[:written])
    return (None if not any_escape and item.upper() == "NULL" else item), at


def _quoted(text: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    while True:
        # Up to the next quote or backslash at once.
        end = min((i for i in (text.find('"', at), text.find("\\", at)) if i >= 0), default=-1)
        if end < 0 or (text[end] == "\\" and end + 1 == len(text)):
            raise _Malformed("Unexpected end of input.")
        out.append(text[at:end])
        if text[end] == '"':
            return "".join(out), end + 1
        out.append(text[end + 1])
        at = end + 2


# --- binary --------------------------------------------------------------------------------------

_HEADER, _DIMENSION, _LENGTH = struct.Struct(">iiI"), struct.Struct(">ii"), struct.Struct(">i")


def array_binary(element: int, decode: Callable[[bytes], Value], raw: bytes) -> Array:
    """Dimensions, a flag, the elements' OID, (length, lower bound) of each, then the elements."""
    count, flags, given, at = *_unpack(_HEADER, raw, 0), _HEADER.size
    if count < 0:
        raise SqlError("22P03", f"invalid number of dimensions: {count}")
    _check_depth(count)
    if flags not in (0, 1):
        raise SqlError("22P03", "invalid array flags")
    if given != element:
        raise SqlError(
            "42804",
            f"binary data has array element type {given} ({_type_name(given)}) "
            f"instead of expected {element} ({_type_name(element)})",
        )
    shape = [_unpack(_DIMENSION, raw, at + 8 * i) for i in range(count)]
    dims = tuple(length for length, _ in shape)
    at += 8 * count
    if any(length < 0 for length in dims) or prod(dims) > _MOST_ITEMS:
        raise SqlError("54000", f"array size exceeds the maximum allowed ({_MOST_ITEMS})")
    values: list[Value] = []
    for number in range(1, (prod(dims) if dims else 0) + 1):
        (length,) = _unpack(_LENGTH, raw, at)
        at += 4
        if length < -1 or length > len(raw) - at:
            raise SqlError("22P03", "insufficient data left in message")
        if length < 0:
            values.append(None)
            continue
        try:
            values.append(decode(raw[at : at + length]))
        except LeftOver:
            raise SqlError("22P03", f"improper binary format in array element {number}") from None
        at += length
    if at != len(raw):
        raise LeftOver
    if not values:
        return Array(element, (), ())
    _check_bounds([lower for _, lower in shape])
    return Array(element, dims, _nested(values, dims))


_MOST_ITEMS = 134217727


def _unpack(layout: struct.Struct, raw: bytes, at: int) -> tuple[int, ...]:
    if len(raw) < at + layout.size:
        raise insufficient()
    return layout.unpack_from(raw, at)


def _nested(values: Sequence[Any], dims: Sequence[int]) -> tuple:
    """Values in row-major order as nested tuples."""
    for size in reversed(dims[1:]):
        values = [tuple(values[i : i + size]) for i in range(0, len(values), size)]
    return tuple(values)


# --- both ----------------------------------------------------------------------------------------


def _check_depth(count: int) -> None:
    if count > _MAX_DIMENSIONS:
        raise SqlError(
            "54000",
            f"number of array dimensions ({count}) exceeds the maximum allowed ({_MAX_DIMENSIONS})",
        )


def _check_bounds(lowers: Sequence[int]) -> None:
    if any(lower != 1 for lower in lowers):
        raise SqlError(
            "0A000",
            "arrays with a lower bound other than 1 are not supported",
            detail="DuckDB's lists are indexed from 1.",
        )


# Postgres's long names where they differ from pg_type's.
_LONG_NAMES = {
    "bool": "boolean",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bpchar": "character",
    "varchar": "character varying",
    "varbit": "bit varying",
    "char": '"char"',
    "time": "time without time zone",
    "timetz": "time with time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}


def _type_name(oid: int) -> str:
    known = BY_OID.get(oid)
    return _LONG_NAMES.get(known.name, known.name) if known else "???"
