"""GEOGRAPHY: shapes on a sphere, carried as GeoJSON (longitude first), read from WKT, WKB and GeoJSON.

Edges are great circles and the sphere's radius is Snowflake's, 6,371,010 metres. Whether shapes meet is
answered for a polygon and a point; of two extended shapes, and on their very edges, it is not certain
and refused.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pyarrow as pa

RADIUS = 6_371_010.0
Shape = dict[str, Any]
Position = list[float]

_DEPTHS = {
    "Point": 0,
    "LineString": 1,
    "MultiPoint": 1,
    "Polygon": 2,
    "MultiLineString": 2,
    "MultiPolygon": 3,
}
_KINDS = {kind.upper(): kind for kind in (*_DEPTHS, "GeometryCollection")}
_DIMENSIONS = {"Point": 0, "MultiPoint": 0, "LineString": 1, "MultiLineString": 1}
_NUMBERED = {
    1: "Point",
    2: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
}


def _refused(what: str) -> ValueError:
    return ValueError(f"{what} is not supported")


# --- reading and writing -------------------------------------------------------------------------

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
        raise _refused("a GEOGRAPHY of more than two dimensions")
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
        raise _refused("a GEOGRAPHY of more than two dimensions")
    if words.peek().upper() == "EMPTY":
        raise _refused("an empty GEOGRAPHY")
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
    return {"coordinates": _list(words, _DEPTHS[kind], kind == "MultiPoint"), "type": kind}


def _wkb(data: bytes) -> Shape:
    at = 0

    def read(form: str) -> Any:
        nonlocal at
        size = struct.calcsize(form)
        (value,) = struct.unpack_from(order + form, data, at)
        at += size
        return value

    def positions(depth: int) -> Any:
        if depth == 0:
            return [read("d"), read("d")]
        return [positions(depth - 1) for _ in range(read("I"))]

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
            raise _refused("this kind of WKB")
        if kind.startswith("Multi"):
            parts = [shape()["coordinates"] for _ in range(read("I"))]
            return {"coordinates": parts, "type": kind}
        return {"coordinates": positions(_DEPTHS[kind]), "type": kind}

    try:
        return shape()
    except (struct.error, IndexError) as error:
        raise ValueError("Error parsing Geo input: incomplete WKB") from error


def _depth(value: Any) -> int:
    depth = -1
    while isinstance(value, list) and value:
        depth, value = depth + 1, value[0]
    return depth


def _checked(shape: Shape) -> Shape:
    """Raises ValueError for what is no GEOGRAPHY."""
    kind = shape.get("type")
    if kind == "Feature":
        return _checked(shape.get("geometry") or {})
    if kind == "GeometryCollection":
        return {"geometries": [_checked(part) for part in shape["geometries"]], "type": kind}
    if kind not in _DEPTHS or _depth(shape.get("coordinates")) != _DEPTHS[kind]:
        raise ValueError("Error parsing Geo input: not a GeoJSON geometry")
    for x, y in _positions(shape):
        if not (-90 <= y <= 90) or not math.isfinite(x):
            raise ValueError(f"Error parsing Geo input: invalid latitude or longitude: {x} {y}")
    for ring in _rings(shape):
        if len(ring) < 4 or ring[0] != ring[-1]:
            raise ValueError("Error parsing Geo input: a polygon's ring is not closed")
    return {"coordinates": _floats(shape["coordinates"]), "type": kind}


def _floats(value: Any) -> Any:
    return [_floats(one) for one in value] if isinstance(value, list) else float(value)


def _read(text: str) -> Shape:
    stripped = text.strip()
    if stripped[:1] == "{":
        return _checked(json.loads(stripped))
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", stripped):
        return _checked(_wkb(bytes.fromhex(stripped)))
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
    return _checked(made)


def _written(shape: Shape) -> str:
    return json.dumps(shape, separators=(",", ":"))


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(value)


def _words(value: Any, depth: int) -> str:
    if depth == 0:
        return " ".join(map(_number, value))
    return "(" + ",".join(_words(one, depth - 1) for one in value) + ")"


def _as_wkt(shape: Shape) -> str:
    kind = shape["type"]
    if kind == "GeometryCollection":
        return f"GEOMETRYCOLLECTION({','.join(map(_as_wkt, shape['geometries']))})"
    value, depth = shape["coordinates"], _DEPTHS[kind]
    if kind == "MultiPoint":
        return "MULTIPOINT(" + ",".join(f"({_words(one, 0)})" for one in value) + ")"
    words = _words(value, depth)
    return f"{kind.upper()}({words})" if depth == 0 else f"{kind.upper()}{words}"


def _as_wkb(shape: Shape) -> bytes:
    kind = shape["type"]
    numbers = {name: number for number, name in _NUMBERED.items()}
    if kind not in numbers:
        raise _refused("WKB of a collection")
    head = struct.pack("<BI", 1, numbers[kind])

    def packed(value: Any, depth: int) -> bytes:
        if depth == 0:
            return struct.pack("<dd", *value)
        return struct.pack("<I", len(value)) + b"".join(packed(one, depth - 1) for one in value)

    value = shape["coordinates"]
    if kind.startswith("Multi"):
        inner = kind.removeprefix("Multi")
        parts = (_as_wkb({"type": inner, "coordinates": one}) for one in value)
        return head + struct.pack("<I", len(value)) + b"".join(parts)
    return head + packed(value, _DEPTHS[kind])


# --- what shapes are made of ----------------------------------------------------------------------


def _parts(shape: Shape) -> list[Shape]:
    if shape["type"] == "GeometryCollection":
        return [inner for part in shape["geometries"] for inner in _parts(part)]
    return [shape]


def _positions(shape: Shape) -> Iterator[Position]:
    def walk(value: Any, depth: int) -> Iterator[Position]:
        if depth == 0:
            yield value
        else:
            for one in value:
                yield from walk(one, depth - 1)

    for part in _parts(shape):
        yield from walk(part["coordinates"], _DEPTHS[part["type"]])


def _polygons(shape: Shape) -> list[list[list[Position]]]:
    found = []
    for part in _parts(shape):
        if part["type"] == "Polygon":
            found.append(part["coordinates"])
        elif part["type"] == "MultiPolygon":
            found.extend(part["coordinates"])
    return found


def _rings(shape: Shape) -> list[list[Position]]:
    return [ring for polygon in _polygons(shape) for ring in polygon]


def _lines(shape: Shape) -> list[list[Position]]:
    found = []
    for part in _parts(shape):
        if part["type"] == "LineString":
            found.append(part["coordinates"])
        elif part["type"] == "MultiLineString":
            found.extend(part["coordinates"])
    return found


def _distance(a: Position, b: Position) -> float:
    (x1, y1), (x2, y2) = ((math.radians(v) for v in p) for p in (a, b))
    h = math.sin((y2 - y1) / 2) ** 2
    h += math.cos(y1) * math.cos(y2) * math.sin((x2 - x1) / 2) ** 2
    return 2 * RADIUS * math.asin(min(1.0, math.sqrt(h)))


def _along(lines: list[list[Position]]) -> float:
    return math.fsum(_distance(a, b) for line in lines for a, b in pairwise(line))


Vector = tuple[float, float, float]


def _vector(place: Position) -> Vector:
    x, y = map(math.radians, place)
    return math.cos(y) * math.cos(x), math.cos(y) * math.sin(x), math.sin(y)


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _dot(a: Vector, b: Vector) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def _ring_area(ring: list[Position]) -> float:
    """The smaller of the two areas that a ring divides the sphere into, in steradians."""
    vectors = [_vector(place) for place in ring[:-1]]
    first = vectors[0]
    signed = []
    for b, c in pairwise(vectors[1:]):
        triple = _dot(first, _cross(b, c))
        below = 1 + _dot(first, b) + _dot(b, c) + _dot(c, first)
        signed.append(2 * math.atan2(triple, below))
    area = abs(math.fsum(signed))
    return min(area, 4 * math.pi - area)


def _area(shape: Shape) -> float:
    total = [
        _ring_area(outer) - math.fsum(map(_ring_area, holes)) for outer, *holes in _polygons(shape)
    ]
    return math.fsum(total) * RADIUS**2


_EDGE = 1e-9  # radians, some six millimetres


def _inside(ring: list[Position], place: Vector) -> bool:
    """Whether a point lies within a ring: the angles under which it sees the edges add up to a turn.

    Raises ValueError on the edge itself.
    """
    turns = []
    for a, b in pairwise(ring):
        u, v = _cross(place, _vector(a)), _cross(place, _vector(b))
        edge = _cross(_vector(a), _vector(b))
        length = math.sqrt(_dot(edge, edge))
        if length and abs(_dot(edge, place)) / length < _EDGE and _dot(u, v) <= 0:
            raise _refused("whether a point on the edge of a GEOGRAPHY is in it")
        turns.append(math.atan2(_dot(place, _cross(u, v)), _dot(u, v)))
    return abs(math.fsum(turns)) > math.pi


def _contains(area: Shape, point: Shape) -> bool:
    if not _polygons(area) or point["type"] != "Point" or _DIMENSIONS.get(area["type"]) is not None:
        raise _refused("this relation of two GEOGRAPHY values")
    place = _vector(point["coordinates"])
    return any(
        _inside(outer, place) and not any(_inside(hole, place) for hole in holes)
        for outer, *holes in _polygons(area)
    )


def _meet(a: Shape, b: Shape) -> bool:
    if a["type"] == b["type"] == "Point":
        return a["coordinates"] == b["coordinates"]
    return _contains(b, a) if a["type"] == "Point" else _contains(a, b)


def _point(shape: Shape) -> Position:
    if shape["type"] != "Point":
        raise ValueError("the GEOGRAPHY is not a point")
    return shape["coordinates"]


def _nth(shape: Shape, index: int) -> Shape:
    if shape["type"] != "LineString":
        raise ValueError("the GEOGRAPHY is not a LineString")
    places = shape["coordinates"]
    if index == 0 or abs(index) > len(places):
        raise ValueError(f"there is no point {index} in the LineString")
    return {"coordinates": places[index - 1 if index > 0 else index], "type": "Point"}


def _line(a: Shape, b: Shape) -> Shape:
    if {a["type"], b["type"]} - {"Point", "MultiPoint", "LineString"}:
        raise ValueError("ST_MAKELINE takes points and lines")
    places = [*_positions(a), *_positions(b)]
    joined = [place for n, place in enumerate(places) if n == 0 or place != places[n - 1]]
    return {"coordinates": joined, "type": "LineString"}


def _polygon(line: Shape) -> Shape:
    if line["type"] != "LineString":
        raise ValueError("the GEOGRAPHY is not a LineString")
    return _checked({"coordinates": [line["coordinates"]], "type": "Polygon"})


def _collected(a: Shape, b: Shape) -> Shape:
    parts = [*_parts(a), *_parts(b)]
    kinds = {part["type"] for part in parts}
    if len(kinds) == 1 and not (kind := kinds.pop()).startswith("Multi"):
        return {"coordinates": [part["coordinates"] for part in parts], "type": f"Multi{kind}"}
    return {"geometries": parts, "type": "GeometryCollection"}


def _azimuth(a: Shape, b: Shape) -> float | None:
    (x1, y1), (x2, y2) = ((math.radians(v) for v in _point(p)) for p in (a, b))
    if (x1, y1) == (x2, y2):
        return None
    east = math.sin(x2 - x1) * math.cos(y2)
    north = math.cos(y1) * math.sin(y2) - math.sin(y1) * math.cos(y2) * math.cos(x2 - x1)
    return math.atan2(east, north) % (2 * math.pi)


_BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"


def _geohash(shape: Shape, length: int) -> str:
    """Each character halves longitude and latitude in turn, five times."""
    place = _point(shape)
    bounds = [[-180.0, 180.0], [-90.0, 90.0]]
    made, axis = [], 0
    for _ in range(length):
        bits = 0
        for _ in range(5):
            low, high = bounds[axis]
            middle = (low + high) / 2
            upper = place[axis] >= middle
            bounds[axis] = [middle, high] if upper else [low, middle]
            bits, axis = bits * 2 + upper, 1 - axis
        made.append(_BASE32[bits])
    return "".join(made)


def _geohash_bounds(text: str) -> list[list[float]]:
    bounds = [[-180.0, 180.0], [-90.0, 90.0]]
    axis = 0
    for letter in text.lower():
        if letter not in _BASE32:
            raise ValueError(f"'{text}' is not a geohash")
        for bit in f"{_BASE32.index(letter):05b}":
            low, high = bounds[axis]
            middle = (low + high) / 2
            bounds[axis] = [middle, high] if bit == "1" else [low, middle]
            axis = 1 - axis
    return bounds


def _geohash_point(text: str) -> Shape:
    return {"coordinates": [sum(b) / 2 for b in _geohash_bounds(text)], "type": "Point"}


def _geohash_box(text: str) -> Shape:
    (west, east), (south, north) = _geohash_bounds(text)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"coordinates": [ring], "type": "Polygon"}


def _dimension(shape: Shape) -> int:
    return max(_DIMENSIONS.get(part["type"], 2) for part in _parts(shape))


# --- over columns -----------------------------------------------------------------------------------

_ARROW = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BLOB": pa.binary()}
_SHAPE, _TEXT, _WHOLE, _REAL, _BYTES = "SHAPE", "VARCHAR", "BIGINT", "DOUBLE", "BLOB"


def _over(
    taken: tuple[str, ...], given: str, of: Callable[..., Any], *, tried: bool = False
) -> Callable[..., pa.Array]:
    readers = [json.loads if kind == _SHAPE else (lambda value: value) for kind in taken]

    def answer(row: tuple[Any, ...]) -> Any:
        if None in row:
            return None
        try:
            made = of(*(read(value) for read, value in zip(readers, row, strict=True)))
        except (ValueError, KeyError, TypeError):
            if tried:
                return None
            raise
        return _written(made) if given == _SHAPE and made is not None else made

    def function(*columns: pa.Array) -> pa.Array:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return pa.array(map(answer, rows), _ARROW[_TEXT if given == _SHAPE else given])

    return function


_TABLE: tuple[tuple[str, tuple[str, ...], str, Callable[..., Any]], ...] = (
    ("read", (_TEXT,), _SHAPE, _read),
    ("wkt", (_SHAPE,), _TEXT, _as_wkt),
    ("wkb", (_SHAPE,), _BYTES, _as_wkb),
    ("npoints", (_SHAPE,), _WHOLE, lambda g: sum(1 for _ in _positions(g))),
    ("dimension", (_SHAPE,), _WHOLE, _dimension),
    ("xmin", (_SHAPE,), _REAL, lambda g: min(p[0] for p in _positions(g))),
    ("xmax", (_SHAPE,), _REAL, lambda g: max(p[0] for p in _positions(g))),
    ("ymin", (_SHAPE,), _REAL, lambda g: min(p[1] for p in _positions(g))),
    ("ymax", (_SHAPE,), _REAL, lambda g: max(p[1] for p in _positions(g))),
    ("pointn", (_SHAPE, _WHOLE), _SHAPE, _nth),
    ("makeline", (_SHAPE, _SHAPE), _SHAPE, _line),
    ("makepolygon", (_SHAPE,), _SHAPE, _polygon),
    ("collect", (_SHAPE, _SHAPE), _SHAPE, _collected),
    ("length", (_SHAPE,), _REAL, lambda g: _along(_lines(g))),
    ("perimeter", (_SHAPE,), _REAL, lambda g: _along(_rings(g))),
    ("area", (_SHAPE,), _REAL, _area),
    ("distance", (_SHAPE, _SHAPE), _REAL, lambda a, b: _distance(_point(a), _point(b))),
    ("azimuth", (_SHAPE, _SHAPE), _REAL, _azimuth),
    ("geohash", (_SHAPE, _WHOLE), _TEXT, _geohash),
    ("geohash_point", (_TEXT,), _SHAPE, _geohash_point),
    ("geohash_box", (_TEXT,), _SHAPE, _geohash_box),
    ("contains", (_SHAPE, _SHAPE), _WHOLE, lambda a, b: int(_contains(a, b))),
    ("meet", (_SHAPE, _SHAPE), _WHOLE, lambda a, b: int(_meet(a, b))),
)


def _types(taken: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_TEXT if kind == _SHAPE else kind for kind in taken)


FUNCTIONS: tuple[tuple[str, tuple[str, ...], str, Callable[..., pa.Array]], ...] = (
    *(
        (name, _types(taken), _TEXT if given == _SHAPE else given, _over(taken, given, of))
        for name, taken, given, of in _TABLE
    ),
    ("try_read", (_TEXT,), _TEXT, _over((_TEXT,), _SHAPE, _read, tried=True)),
)
"""Names, types of arguments and result, bodies; `vectorised` registers them as geo_..._."""
