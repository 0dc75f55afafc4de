"""The compiled way to DataRow messages (`_rows.cpp`), where it was built: see `rows.py`.

A column is offered to it either as the engine delivered it, where the values of its type are mostly
ordinary ones, or as the cells that its encoder has made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from proxy.wire.encoders.cells import Cells, binary_parts, null_mask
from proxy.wire.encoders.style import TextStyle
from proxy.wire.types import DuckType

try:
    from proxy.wire._rows import data_rows
except ImportError:  # no compiler was there: the kernels do it all
    data_rows = None

Column = tuple[bytes, Any, int, "np.ndarray | None", Any, int]
"""(kind, values, first item, nulls, bytes, extra), as `_rows.data_rows` takes it."""

Offer = Callable[[pa.Array], Column]

# Text formats of whole types. Of TIMESTAMP_TZ only where the session's time zone is UTC.
KINDS = {
    "TINYINT": b"b",
    "SMALLINT": b"h",
    "INTEGER": b"i",
    "BIGINT": b"q",
    "UTINYINT": b"B",
    "USMALLINT": b"H",
    "UINTEGER": b"I",
    "UBIGINT": b"Q",
    "FLOAT": b"e",
    "DOUBLE": b"d",
    "DECIMAL": b"n",
    "DATE": b"D",
    "TIMESTAMP": b"t",
    "TIMESTAMP_TZ": b"u",
}


def is_styled(duck: DuckType, style: TextStyle) -> bool:
    """Whether the session asks for another text of a type in `KINDS` than the one that is written."""
    if duck.id in ("FLOAT", "DOUBLE"):
        return style.extra_float_digits <= 0
    return duck.id == "TIMESTAMP_TZ" and style.time_zone != "UTC"


def offer(duck: DuckType, *, binary: bool, style: TextStyle) -> Offer | None:
    """What hands over a column of this type as it is; None where its encoder must go first."""
    kind = None if binary else KINDS.get(duck.id)
    if kind is None or data_rows is None or is_styled(duck, style):
        return None
    extra = duck.scale if duck.id == "DECIMAL" else 0

    def given(array: pa.Array) -> Column:
        return kind, array.buffers()[1] or b"", array.offset, null_mask(array), None, extra

    return given


def of_cells(cells: Cells) -> Column:
    """A column that its encoder has written."""
    if cells.fixed is not None:
        fixed = np.ascontiguousarray(cells.fixed)
        return b"f", fixed.view("u1"), 0, cells.nulls, None, fixed.dtype.itemsize
    offsets, data = binary_parts(cells.ragged)
    return b"r", offsets, 0, cells.nulls, data, 0
