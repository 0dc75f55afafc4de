"""The text of rows, `(1,"a b",)`, as Postgres's record_out writes it.

Why it exists: a row that is sent is a jsonb, since no type on the wire says what its members are; a row
that is cast to text is read by those who know Postgres's form of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from proxy.wire.encoders.arrays import quoted
from proxy.wire.encoders.cells import Cells, Encoder, Piece, concat, null_mask
from proxy.wire.encoders.jsons import members_of


def record_text(members: Sequence[tuple[Encoder, bool]]) -> Encoder:
    """members: the encoder of each, and whether its text may need quotes."""

    def encode(array: pa.Array) -> Cells:
        pieces: list[Piece] = []
        for (member, quote), column in zip(members, members_of(array), strict=True):
            cells = member(column)
            texts, _ = cells.compact()
            if quote:
                texts = quoted(texts, record=True)
            if cells.nulls is not None:
                texts = pc.if_else(pa.array(cells.nulls), pa.scalar(b""), texts)
            pieces += [b"," if pieces else b"(", texts]
        texts = concat(len(array), [*pieces, b")"])
        return Cells(ragged=texts, nulls=null_mask(array))

    return encode
