"""GEOGRAPHY: shapes on a sphere, carried as GeoJSON (longitude first), read from WKT, WKB and GeoJSON.

Edges are great circles and the sphere's radius is Snowflake's, 6,371,010 metres. Whether shapes meet is
answered for a polygon and a point; of two extended shapes, and on their very edges, it is not certain
and refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pyarrow as pa

from proxy.sql.snowflake.geography_shapes import (
    Position,
    Shape,
    lines,
    parts,
    polygons,
    positions,
    rings,
)
from proxy.sql.snowflake.geography_texts import (
    as_wkb,
    as_wkt,
    checked,
    read_shape,
    refused,
    written,
)

RADIUS = 6_371_010.0

_DIMENSIONS = {"Point": 0, "MultiPoint": 0, "LineString": 1, "MultiLineString": 1}


# --- on the sphere --------------------------------------------------------------------------------


def _distance(a: Position, b: Position) -> float:
    (x1, y1), (x2, y2) = ((math.radians(v) for v in p) for p in (a, b))
    h = math.sin((y2 - y1) / 2) ** 2
    h += math.cos(y1) * math.cos(y2) * math.sin((x2 - x1) / 2) ** 2
    return 2 * RADIUS * math.asin(min(1.0, math.sqrt(h)))


def _along(several: list[list[Position]]) -> float:
    return math.fsum(_distance(a, b) for line in several for a, b in pairwise(line))


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
        _ring_area(outer) - math.fsum(map(_ring_area, holes)) for outer, *holes in polygons(shape)
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
            raise refused("whether a point on the edge of a GEOGRAPHY is in it")
        turns.append(math.atan2(_dot(place, _cross(u, v)), _dot(u, v)))
    return abs(math.fsum(turns)) > math.pi


def _contains(area: Shape, point: Shape) -> bool:
    if not polygons(area) or point["type"] != "Point" or _DIMENSIONS.get(area["type"]) is not None:
        raise refused("this relation of two GEOGRAPHY values")
    place = _vector(point["coordinates"])
    return any(
        _inside(outer, place) and not any(_inside(hole, place) for hole in holes)
        for outer, *holes in polygons(area)
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
    places = [*positions(a), *positions(b)]
    joined = [place for n, place in enumerate(places) if n == 0 or place != places[n - 1]]
    return {"coordinates": joined, "type": "LineString"}


def _polygon(line: Shape) -> Shape:
    if line["type"] != "LineString":
        raise ValueError("the GEOGRAPHY is not a LineString")
    return checked({"coordinates": [line["coordinates"]], "type": "Polygon"})


def _collected(a: Shape, b: Shape) -> Shape:
    several = [*parts(a), *parts(b)]
    kinds = {part["type"] for part in several}
    if len(kinds) == 1 and not (kind := kinds.pop()).startswith("Multi"):
        return {"coordinates": [part["coordinates"] for part in several], "type": f"Multi{kind}"}
    return {"geometries": several, "type": "GeometryCollection"}


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
    return max(_DIMENSIONS.get(part["type"], 2) for part in parts(shape))


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
        return written(made) if given == _SHAPE and made is not None else made

    def function(*columns: pa.Array) -> pa.Array:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return pa.array(map(answer, rows), _ARROW[_TEXT if given == _SHAPE else given])

    return function


_TABLE: tuple[tuple[str, tuple[str, ...], str, Callable[..., Any]], ...] = (
    ("read", (_TEXT,), _SHAPE, read_shape),
    ("wkt", (_SHAPE,), _TEXT, as_wkt),
    ("wkb", (_SHAPE,), _BYTES, as_wkb),
    ("npoints", (_SHAPE,), _WHOLE, lambda g: sum(1 for _ in positions(g))),
    ("dimension", (_SHAPE,), _WHOLE, _dimension),
    ("xmin", (_SHAPE,), _REAL, lambda g: min(p[0] for p in positions(g))),
    ("xmax", (_SHAPE,), _REAL, lambda g: max(p[0] for p in positions(g))),
    ("ymin", (_SHAPE,), _REAL, lambda g: min(p[1] for p in positions(g))),
    ("ymax", (_SHAPE,), _REAL, lambda g: max(p[1] for p in positions(g))),
    ("pointn", (_SHAPE, _WHOLE), _SHAPE, _nth),
    ("makeline", (_SHAPE, _SHAPE), _SHAPE, _line),
    ("makepolygon", (_SHAPE,), _SHAPE, _polygon),
    ("collect", (_SHAPE, _SHAPE), _SHAPE, _collected),
    ("length", (_SHAPE,), _REAL, lambda g: _along(lines(g))),
    ("perimeter", (_SHAPE,), _REAL, lambda g: _along(rings(g))),
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
    ("try_read", (_TEXT,), _TEXT, _over((_TEXT,), _SHAPE, read_shape, tried=True)),
)
"""Names, types of arguments and result, bodies; `vectorised` registers them as geo_..._."""
