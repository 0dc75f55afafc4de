"""The functions that no SQL expression can be: over Arrow arrays, a chunk of a column at a time.

Each takes some columns and gives one of as many rows. The engine registers them for the process under
names that end in _; macros and rules call them by these names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from proxy.sql import number_pictures
from proxy.sql.postgres import spans, standard_json
from proxy.sql.snowflake import (
    cells,
    ciphers,
    compression,
    digests,
    documents,
    geography,
    markup,
    row_matching,
)


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
    # value, DuckDB's name of its type, Postgres's picture
    Vectorised("number_picture_", (_TEXT, _TEXT, _TEXT), _TEXT, number_pictures.shown),
    # text, kind of document
    Vectorised("json_is_", (_TEXT, _TEXT), _WHOLE, standard_json.are_json),
    # months, days, microseconds, strftime's model
    Vectorised("interval_picture_", (_WHOLE, _WHOLE, _WHOLE, _TEXT), _TEXT, spans.show),
    Vectorised("try_parsed_json_", (_TEXT,), _TEXT, documents.tried),
    # program, which symbols each row of a partition may be
    Vectorised("match_rows_", (_TEXT, "BIGINT[]"), row_matching.RESULT, row_matching.matched),
    Vectorised("parsed_json_twice_", (_TEXT,), _TEXT, documents.parsed_twice),
    Vectorised("try_parsed_json_twice_", (_TEXT,), _TEXT, documents.tried_twice),
    # value, passphrase, additional data, method
    Vectorised("sealed_", (_BYTES, _TEXT, _BYTES, _TEXT), _BYTES, ciphers.sealed, volatile=True),
    Vectorised("opened_", (_BYTES, _TEXT, _BYTES, _TEXT), _BYTES, ciphers.opened),
    Vectorised("try_opened_", (_BYTES, _TEXT, _BYTES, _TEXT), _BYTES, ciphers.try_opened),
    # value, key, initialization vector, additional data, method (and tag)
    Vectorised(
        "sealed_raw_",
        (_BYTES, _BYTES, _BYTES, _BYTES, _TEXT),
        _TEXT,
        ciphers.sealed_raw,
        volatile=True,
    ),
    Vectorised(
        "opened_raw_",
        (_BYTES, _BYTES, _BYTES, _BYTES, _TEXT, _BYTES),
        _BYTES,
        ciphers.opened_raw,
    ),
    Vectorised(
        "try_opened_raw_",
        (_BYTES, _BYTES, _BYTES, _BYTES, _TEXT, _BYTES),
        _BYTES,
        ciphers.try_opened_raw,
    ),
    Vectorised("packed_", (_BYTES, _TEXT), _BYTES, compression.packed),
    Vectorised("unpacked_", (_BYTES, _TEXT), _BYTES, compression.unpacked),
    # text; whether numbers and truth values stay texts
    Vectorised("parsed_xml_", (_TEXT, _WHOLE), _TEXT, markup.parsed),
    Vectorised("try_parsed_xml_", (_TEXT, _WHOLE), _TEXT, markup.tried),
    Vectorised("xml_fault_", (_TEXT,), _TEXT, markup.fault),
    Vectorised("xml_of_", (_TEXT,), _TEXT, markup.written),
    Vectorised("compact_xml_of_", (_TEXT,), _TEXT, markup.compact),
    Vectorised("pretty_xml_of_", (_TEXT,), _TEXT, markup.pretty),
    *(
        Vectorised(f"{family}_{name}_", arguments, result, body)
        for family, functions in (("h3", cells.FUNCTIONS), ("geo", geography.FUNCTIONS))
        for name, arguments, result, body in functions
    ),
)
