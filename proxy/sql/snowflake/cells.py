"""The H3_ functions: Uber's hexagonal grid, by its own library, over columns.

A cell is the text of its number in hexadecimal here; the macros turn numbers to texts and back, since
Snowflake's functions take both and give what they were given. Lists are JSON texts. Coordinates are
degrees; a polygon is GeoJSON, longitude first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import h3
import pyarrow as pa


def _over(kind: pa.DataType, of: Callable[..., Any], *, tried: bool = False) -> Callable[..., Any]:
    """A function over columns: NULL where an argument is; tried: or where there is no answer."""

    def answer(row: tuple[Any, ...]) -> Any:
        if None in row:
            return None
        try:
            return of(*row)
        except (h3.H3BaseException, ValueError, KeyError, TypeError) as error:
            if tried:
                return None
            raise ValueError(str(error) or type(error).__name__) from error

    def function(*columns: pa.Array) -> pa.Array:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return pa.array(map(answer, rows), kind)

    return function


def _cell(text: str) -> str:
    if not h3.is_valid_cell(text):
        raise ValueError(f"{text} is not a valid H3 cell")
    return text


def _listed(cells: Iterable[str]) -> str:
    return json.dumps(list(cells))


def _parent(cell: str, resolution: int) -> str:
    return h3.cell_to_parent(_cell(cell), resolution)


def _point(cell: str) -> str:
    latitude, longitude = h3.cell_to_latlng(_cell(cell))
    return json.dumps({"coordinates": [longitude, latitude], "type": "Point"})


def _boundary(cell: str) -> str:
    corners = [[longitude, latitude] for latitude, longitude in h3.cell_to_boundary(_cell(cell))]
    return json.dumps({"coordinates": [[*corners, corners[0]]], "type": "Polygon"})


def _point_to_cell(place: str, resolution: int) -> str:
    geography = json.loads(place)
    if geography["type"] != "Point":
        raise ValueError("the GEOGRAPHY is not a point")
    longitude, latitude = geography["coordinates"]
    return h3.latlng_to_cell(latitude, longitude, resolution)


_AREAS = ("Polygon", "MultiPolygon")


def _polygon_to_cells(place: str, resolution: int) -> str:
    """The cells whose centres lie inside."""
    geography = json.loads(place)
    if geography["type"] not in _AREAS:
        raise ValueError("the GEOGRAPHY is not a polygon")
    return _listed(sorted(h3.geo_to_cells(geography, resolution)))


def _coverage(place: str, resolution: int) -> str:
    """The cells that together cover a shape."""
    geography = json.loads(place)
    if geography["type"] == "Point":
        return _listed([_point_to_cell(place, resolution)])
    if geography["type"] not in _AREAS:
        raise ValueError("H3_COVERAGE of a GEOGRAPHY that is no point or polygon is not supported")
    shape = h3.geo_to_h3shape(geography)
    return _listed(sorted(h3.h3shape_to_cells_experimental(shape, resolution, "overlap")))


def _cells_in(listed: str) -> list[str]:
    """Cells of a JSON array of texts or numbers."""
    return [
        _cell(cell if isinstance(cell, str) else h3.int_to_str(int(cell)))
        for cell in json.loads(listed)
    ]


def _is_pentagon(cell: str) -> int:
    return int(h3.is_pentagon(_cell(cell)))


_TEXT, _WHOLE, _REAL = "VARCHAR", "BIGINT", "DOUBLE"
_TEXTS, _WHOLES = pa.string(), pa.int64()

FUNCTIONS: tuple[tuple[str, tuple[str, ...], str, Callable[..., Any]], ...] = (
    (
        "latlng_to_cell",
        (_REAL, _REAL, _WHOLE),
        _TEXT,
        _over(_TEXTS, lambda y, x, size: h3.latlng_to_cell(y, x, size)),
    ),
    ("point_to_cell", (_TEXT, _WHOLE), _TEXT, _over(_TEXTS, _point_to_cell)),
    ("cell_to_parent", (_TEXT, _WHOLE), _TEXT, _over(_TEXTS, _parent)),
    (
        "cell_to_children",
        (_TEXT, _WHOLE),
        _TEXT,
        _over(_TEXTS, lambda cell, size: _listed(h3.cell_to_children(_cell(cell), size))),
    ),
    ("cell_to_point", (_TEXT,), _TEXT, _over(_TEXTS, _point)),
    ("cell_to_boundary", (_TEXT,), _TEXT, _over(_TEXTS, _boundary)),
    (
        "get_resolution",
        (_TEXT,),
        _WHOLE,
        _over(_WHOLES, lambda cell: h3.get_resolution(_cell(cell))),
    ),
    (
        "grid_distance",
        (_TEXT, _TEXT),
        _WHOLE,
        _over(_WHOLES, lambda a, b: h3.grid_distance(_cell(a), _cell(b))),
    ),
    (
        "try_grid_distance",
        (_TEXT, _TEXT),
        _WHOLE,
        _over(_WHOLES, lambda a, b: h3.grid_distance(_cell(a), _cell(b)), tried=True),
    ),
    (
        "grid_disk",
        (_TEXT, _WHOLE),
        _TEXT,
        _over(_TEXTS, lambda cell, k: _listed(h3.grid_disk(_cell(cell), k))),
    ),
    (
        "grid_path",
        (_TEXT, _TEXT),
        _TEXT,
        _over(_TEXTS, lambda a, b: _listed(h3.grid_path_cells(_cell(a), _cell(b)))),
    ),
    (
        "try_grid_path",
        (_TEXT, _TEXT),
        _TEXT,
        _over(_TEXTS, lambda a, b: _listed(h3.grid_path_cells(_cell(a), _cell(b))), tried=True),
    ),
    ("polygon_to_cells", (_TEXT, _WHOLE), _TEXT, _over(_TEXTS, _polygon_to_cells)),
    (
        "try_polygon_to_cells",
        (_TEXT, _WHOLE),
        _TEXT,
        _over(_TEXTS, _polygon_to_cells, tried=True),
    ),
    ("coverage", (_TEXT, _WHOLE), _TEXT, _over(_TEXTS, _coverage)),
    ("try_coverage", (_TEXT, _WHOLE), _TEXT, _over(_TEXTS, _coverage, tried=True)),
    (
        "compact_cells",
        (_TEXT,),
        _TEXT,
        _over(_TEXTS, lambda cells: _listed(h3.compact_cells(_cells_in(cells)))),
    ),
    (
        "uncompact_cells",
        (_TEXT, _WHOLE),
        _TEXT,
        _over(_TEXTS, lambda cells, size: _listed(h3.uncompact_cells(_cells_in(cells), size))),
    ),
    ("is_valid_cell", (_TEXT,), _WHOLE, _over(_WHOLES, lambda cell: int(h3.is_valid_cell(cell)))),
    ("is_pentagon", (_TEXT,), _WHOLE, _over(_WHOLES, _is_pentagon)),
)
"""Names, types of arguments and result, bodies; `vectorised` registers them as h3_..._."""
