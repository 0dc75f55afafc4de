"""The functions that no SQL expression can be: over Arrow arrays, a chunk of a column at a time.

Each takes one column and gives one of as many rows. The engine registers them for the process under
names that end in _; macros and rules call them by these names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from proxy.sql.snowflake import digests, documents


class Vectorised(NamedTuple):
    """A function's name, the DuckDB types of its argument and result, and its body.

    The body may raise ValueError, whose text is the client's error. `array` is of pa.string() for
    VARCHAR and pa.binary() for BLOB, and so must the result be; NULL is seen as NULL.
    """

    name: str
    argument: str
    result: str
    body: Callable[[pa.Array], pa.Array]


VECTORISED: tuple[Vectorised, ...] = (
    Vectorised("sha224_", "BLOB", "BLOB", digests.sha224),
    Vectorised("sha384_", "BLOB", "BLOB", digests.sha384),
    Vectorised("sha512_", "BLOB", "BLOB", digests.sha512),
    Vectorised("ordered_json_", "VARCHAR", "VARCHAR", documents.ordered),
)
