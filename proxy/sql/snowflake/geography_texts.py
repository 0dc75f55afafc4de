"""Shapes on the sphere as texts and bytes: WKT, EWKT, WKB and GeoJSON, read and written.

Why it exists: a GEOGRAPHY is kept as GeoJSON, and comes in whichever of these forms it has. What is
wrong in one is refused with Snowflake's words.
"""

from __future__ import annotations

import json
import math
import re
import struct
from typing import Any

from proxy.sql.snowflake.geography_shapes import (
    DEPTHS,
    Position,
    Shape,
    positions,
    rings,
)

_KINDS = {kind.upper(): kind for kind in (*DEPTHS, "GeometryCollection")}


_NUMBERED = {
    1: "Point",
    2: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
}


def refused(what: str) -> ValueError:
    """What is raised for what may be written and is not read."""
    return ValueError(f"{what} is not supported")


_TOKEN = re.compile(r"\s*([A-Za-z]+|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[(),;=])")


class _Words:
    """A cursor over WKT."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s", "", text):
            raise ValueError(f"Error parsing Geo input: {text}")
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise ValueError("Error parsing Geo input: incomplete WKT")
        self.at += 1
        return token

    def accept(self, token: str) -> bool:
        found = self.peek() == token
        self.at += found
        return found


def _position(words: _Words) -> Position:
    try:
        made = [float(words.take()), float(words.take())]
    except ValueError as error:
        raise ValueError("Error parsing Geo input: not a pair of numbers") from error
    if words.peek() not in (",", ")"):
        raise refused("a GEOGRAPHY of more than two dimensions")
    return made


def _list(words: _Words, depth: int, bare: bool = False) -> list[Any]:
    words.take("(")
    made: list[Any] = []
    while True:
        if depth > 1:
            made.append(_list(words, depth - 1))
        elif bare and words.peek() == "(":
            words.take("(")
            made.append(_position(words))
            words.take(")")
        else:
            made.append(_position(words))
        if not words.accept(","):
            words.take(")")
            return made


def _wkt(words: _Words) -> Shape:
    kind = _KINDS.get(words.take().upper())
    if kind is None:
        raise ValueError("Error parsing Geo input: unknown type of shape")
    if words.peek().upper() in ("Z", "M", "ZM"):
        raise refused("a GEOGRAPHY of more than two dimensions")
    if words.peek().upper() == "EMPTY":
        raise refused("an empty GEOGRAPHY")
    if kind == "GeometryCollection":
        words.take("(")
        parts = [_wkt(words)]
        while words.accept(","):
            parts.append(_wkt(words))
        words.take(")")
        return {"geometries": parts, "type": kind}
    if kind == "Point":
        words.take("(")
        place = _position(words)
        words.take(")")
        return {"coordinates": place, "type": kind}
    return {"coordinates": _list(words, DEPTHS[kind], kind == "MultiPoint"), "type": kind}


def _wkb(data: bytes) -> Shape:
    at = 0

    def read(form: str) -> Any:
        nonlocal at
        size = struct.calcsize(form)
        (value,) = struct.unpack_from(order + form, data, at)
        at += size
        return value

    def coordinates(depth: int) -> Any:
        if depth == 0:
            return [read("d"), read("d")]
        return [coordinates(depth - 1) for _ in range(read("I"))]

    order = "<"

    def shape() -> Shape:
        nonlocal at, order
        order = "<" if data[at] == 1 else ">"
        at += 1
        number = read("I")
        if number & 0x20000000:
            read("I")  # SRID
            number &= ~0x20000000
        kind = _NUMBERED.get(number)
        if kind is None:
            raise refused("this kind of WKB")
        if kind.startswith("Multi"):
            parts = [shape()["coordinates"] for _ in range(read("I"))]
            return {"coordinates": parts, "type": kind}
        return {"coordinates": coordinates(DEPTHS[kind]), "type": kind}

    try:
        return shape()
    except (struct.error, IndexError) as error:
        raise ValueError("Error parsing Geo input: incomplete WKB") from error


def _depth(value: Any) -> int:
    depth = -1
    while isinstance(value, list) and value:
        depth, value = depth + 1, value[0]
    return depth


def checked(shape: Shape) -> Shape:
    """Raises ValueError for what is no GEOGRAPHY."""
    kind = shape.get("type")
    if kind == "Feature":
        return checked(shape.get("geometry") or {})
    if kind == "GeometryCollection":
        return {"geometries": [checked(part) for part in shape["geometries"]], "type": kind}
    if kind not in DEPTHS or _depth(shape.get("coordinates")) != DEPTHS[kind]:
        raise ValueError("Error parsing Geo input: not a GeoJSON geometry")
    for x, y in positions(shape):
        if not (-90 <= y <= 90) or not math.isfinite(x):
            raise ValueError(f"Error parsing Geo input: invalid latitude or longitude: {x} {y}")
    for ring in rings(shape):
        if len(ring) < 4 or ring[0] != ring[-1]:
            raise ValueError("Error parsing Geo input: a polygon's ring is not closed")
    return {"coordinates": _floats(shape["coordinates"]), "type": kind}


def _floats(value: Any) -> Any:
    return [_floats(one) for one in value] if isinstance(value, list) else float(value)


def read_shape(text: str) -> Shape:
    """The shape that a text of any form, or the hexadecimal digits of WKB, is. Raises ValueError."""
    stripped = text.strip()
    if stripped[:1] == "{":
        return checked(json.loads(stripped))
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", stripped):
        return checked(_wkb(bytes.fromhex(stripped)))
    words = _Words(stripped)
    if words.peek().upper() == "SRID":
        words.take()
        words.take("=")
        if words.take() != "4326":
            raise ValueError("Error parsing Geo input: the SRID of a GEOGRAPHY is 4326")
        words.take(";")
    made = _wkt(words)
    if words.peek():
        raise ValueError("Error parsing Geo input: text after the shape")
    return checked(made)


def written(shape: Shape) -> str:
    """As GeoJSON."""
    return json.dumps(shape, separators=(",", ":"))


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(value)


def _words(value: Any, depth: int) -> str:
    if depth == 0:
        return " ".join(map(_number, value))
    return "(" + ",".join(_words(one, depth - 1) for one in value) + ")"


def as_wkt(shape: Shape) -> str:
    """As WKT."""
    kind = shape["type"]
    if kind == "GeometryCollection":
        return f"GEOMETRYCOLLECTION({','.join(map(as_wkt, shape['geometries']))})"
    value, depth = shape["coordinates"], DEPTHS[kind]
    if kind == "MultiPoint":
        return "MULTIPOINT(" + ",".join(f"({_words(one, 0)})" for one in value) + ")"
    words = _words(value, depth)
    return f"{kind.upper()}({words})" if depth == 0 else f"{kind.upper()}{words}"


def as_wkb(shape: Shape) -> bytes:
    """As WKB, little-endian."""
    kind = shape["type"]
    numbers = {name: number for number, name in _NUMBERED.items()}
    if kind not in numbers:
        raise refused("WKB of a collection")
    head = struct.pack("<BI", 1, numbers[kind])

    def packed(value: Any, depth: int) -> bytes:
        if depth == 0:
            return struct.pack("<dd", *value)
        return struct.pack("<I", len(value)) + b"".join(packed(one, depth - 1) for one in value)

    value = shape["coordinates"]
    if kind.startswith("Multi"):
        inner = kind.removeprefix("Multi")
        parts = (as_wkb({"type": inner, "coordinates": one}) for one in value)
        return head + struct.pack("<I", len(value)) + b"".join(parts)
    return head + packed(value, DEPTHS[kind])
