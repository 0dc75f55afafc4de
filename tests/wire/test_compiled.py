"""The compiled way to rows gives the kernels' bytes, whatever it is given."""

from __future__ import annotations

import pyarrow as pa
import pytest

from proxy.engines.duck.c import Connection
from proxy.wire import compiled
from proxy.wire.rows import MAX_BYTES, RowEncoder, TextStyle
from proxy.wire.types import DuckType

from .judged import batches, listed
from .values import KINDS, Kind

pytestmark = pytest.mark.skipif(compiled.data_rows is None, reason="it was not compiled")

ORDINARY = [kind for kind in KINDS if kind.duck.partition("(")[0] in compiled.KINDS]


def _by_kernels(
    monkeypatch: pytest.MonkeyPatch, types: list[DuckType], batch: pa.RecordBatch, form: int = 0
) -> bytes:
    with monkeypatch.context() as without:
        without.setattr(compiled, "data_rows", None)
        return bytes(RowEncoder(types, [form] * len(types)).encode(batch))


def _messages(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        end = at + 1 + int.from_bytes(data[at + 1 : at + 5], "big")
        found.append(data[at:end])
        at = end
    return found


@pytest.mark.parametrize("kind", ORDINARY, ids=lambda kind: kind.duck)
def test_each_value_that_is_written_is_written_as_the_kernels_do(
    duck: Connection, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    types, found = batches(duck, f"SELECT {kind.value} FROM {listed(kind.generate())}")
    batch = pa.concat_batches(found)
    offer = compiled.offer(types[0], binary=False, style=TextStyle())
    assert offer is not None
    assert compiled.data_rows is not None
    written = 0
    for i, expected in enumerate(_messages(_by_kernels(monkeypatch, types, batch))):
        ours = compiled.data_rows(1, [offer(batch.column(0).slice(i, 1))], MAX_BYTES)
        if ours != 0:
            assert ours == expected
            written += 1
    assert written > batch.num_rows // 10


@pytest.mark.parametrize("form", [0, 1], ids=["text", "binary"])
def test_columns_of_all_kinds_stand_side_by_side(
    duck: Connection, monkeypatch: pytest.MonkeyPatch, form: int
) -> None:
    """One of them has a value out of the ordinary, and all have NULLs."""
    types, found = batches(
        duck,
        """
        SELECT i, CASE WHEN i % 7 = 3 THEN NULL ELSE COLUMNS(* EXCLUDE i) END
        FROM (SELECT i, i::TINYINT AS tiny, -i::BIGINT * 1e15::BIGINT AS big, i / 7 AS d,
                     (i / 3)::FLOAT AS f, CASE i WHEN 60 THEN 1e23 ELSE i END AS odd,
                     repeat('é', i::INT) AS s, [i, NULL] AS l, i % 2 = 0 AS b, NULL AS n,
                     (i::DECIMAL(20, 3) / 7)::DECIMAL(38, 20) AS dec,
                     date '1999-12-30' + i::INT AS day,
                     timestamp '1969-12-31 23:59:59.5' + to_microseconds(i * 250000) AS ts
              FROM range(100) r(i))
        """,
    )
    batch = pa.concat_batches(found)
    expected = _by_kernels(monkeypatch, types, batch, form)
    assert bytes(RowEncoder(types, [form] * len(types)).encode(batch)) == expected
    part = batch.slice(11, 73)
    expected = _by_kernels(monkeypatch, types, part, form)
    assert bytes(RowEncoder(types, [form] * len(types)).encode(part)) == expected


def test_the_session_may_ask_for_other_texts() -> None:
    double, moment = DuckType("DOUBLE"), DuckType("TIMESTAMP_TZ")
    rounded, oslo = TextStyle(extra_float_digits=0), TextStyle(time_zone="Europe/Oslo")
    assert compiled.offer(double, binary=False, style=rounded) is None
    assert compiled.offer(moment, binary=False, style=oslo) is None
    assert compiled.offer(moment, binary=False, style=TextStyle()) is not None


@pytest.mark.parametrize(
    "column",
    [
        (b"i", b"\0" * 7, 0, None, None, 0),
        (b"i", b"\0" * 8, 1, None, None, 0),
        (b"i", b"\0" * 8, -1, None, None, 0),
        (b"i", b"\0" * 8, 0, b"\0", None, 0),
        (b"r", b"\0\0\0\0\1\0\0\0\2\0\0\0", 0, None, b"x", 0),
        (b"n", b"\0" * 32, 0, None, None, 39),
        (b"f", b"\0" * 5, 0, None, None, 3),
        (b"?", b"\0" * 64, 0, None, None, 0),
    ],
)
def test_buffers_that_are_too_short_are_refused(column: compiled.Column) -> None:
    assert compiled.data_rows is not None
    with pytest.raises(ValueError, match="column"):
        compiled.data_rows(2, [column], MAX_BYTES)
