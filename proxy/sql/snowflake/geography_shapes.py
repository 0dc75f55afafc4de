"""What shapes on the sphere are made of: their parts, rings, lines and positions, as GeoJSON has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Shape = dict[str, Any]


Position = list[float]


DEPTHS = {
    "Point": 0,
    "LineString": 1,
    "MultiPoint": 1,
    "Polygon": 2,
    "MultiLineString": 2,
    "MultiPolygon": 3,
}


def parts(shape: Shape) -> list[Shape]:
    """The shapes of a collection, however deep; a shape itself."""
    if shape["type"] == "GeometryCollection":
        return [inner for part in shape["geometries"] for inner in parts(part)]
    return [shape]


def positions(shape: Shape) -> Iterator[Position]:
    """All of them, in order."""

    def walk(value: Any, depth: int) -> Iterator[Position]:
        if depth == 0:
            yield value
        else:
            for one in value:
                yield from walk(one, depth - 1)

    for part in parts(shape):
        yield from walk(part["coordinates"], DEPTHS[part["type"]])


def polygons(shape: Shape) -> list[list[list[Position]]]:
    """The rings of each polygon in a shape."""
    found = []
    for part in parts(shape):
        if part["type"] == "Polygon":
            found.append(part["coordinates"])
        elif part["type"] == "MultiPolygon":
            found.extend(part["coordinates"])
    return found


def rings(shape: Shape) -> list[list[Position]]:
    """Those of all polygons in a shape."""
    return [ring for polygon in polygons(shape) for ring in polygon]


def lines(shape: Shape) -> list[list[Position]]:
    """The positions of each line in a shape."""
    found = []
    for part in parts(shape):
        if part["type"] == "LineString":
            found.append(part["coordinates"])
        elif part["type"] == "MultiLineString":
            found.extend(part["coordinates"])
    return found
