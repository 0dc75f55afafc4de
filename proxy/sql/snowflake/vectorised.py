"""The functions that no SQL expression can be: over Arrow arrays, a chunk of a column at a time.

Each takes some columns and gives one of as many rows. The engine registers them for the process under
names that end in _; macros and rules call them by these names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from proxy.sql.snowflake import digests, documents, row_matching


class Vectorised(NamedTuple):
    """A function's name, the DuckDB types of its arguments and its result, and its body.

    The body may raise ValueError, whose text is the client's error. An array is of pa.string() for
    VARCHAR, pa.binary() for BLOB, and so must the result be; NULL is seen as NULL. A volatile function
    gives something else each time it is called.
    """

    name: str
    arguments: tuple[str, ...]
    result: str
    body: Callable[..., pa.Array]
    volatile: bool = False


_BYTES, _TEXT, _WHOLE, _REAL = "BLOB", "VARCHAR", "BIGINT", "DOUBLE"

VECTORISED: tuple[Vectorised, ...] = (
    Vectorised("sha224_", (_BYTES,), _BYTES, digests.sha224),
    Vectorised("sha384_", (_BYTES,), _BYTES, digests.sha384),
    Vectorised("sha512_", (_BYTES,), _BYTES, digests.sha512),
    Vectorised("parsed_json_", (_TEXT,), _TEXT, documents.parsed),
    Vectorised("try_parsed_json_", (_TEXT,), _TEXT, documents.tried),
    # program, which symbols each row of a partition may be
    Vectorised("match_rows_", (_TEXT, "BIGINT[]"), row_matching.RESULT, row_matching.matched),
)
