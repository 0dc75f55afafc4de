"""What both sides send of the same values: DataRow messages taken apart, ours and Postgres's."""

from __future__ import annotations

import struct

import psycopg
import pyarrow as pa

from proxy.engines.duck.c import Connection
from proxy.wire.rows import RowEncoder, TextStyle
from proxy.wire.types import DuckType

from .values import Text

Row = tuple[bytes | None, ...]


def decode(payload: pa.Buffer | memoryview | bytes) -> list[Row]:
    """DataRow messages taken apart, every length checked."""
    data, at, found = bytes(payload), 0, []
    while at < len(data):
        kind, length, columns = struct.unpack_from("!cih", data, at)
        assert kind == b"D"
        end, at, row = at + 1 + length, at + 7, []
        for _ in range(columns):
            (size,) = struct.unpack_from("!i", data, at)
            at += 4
            row.append(None if size == -1 else data[at : at + size])
            at += max(size, 0)
        assert at == end
        found.append(tuple(row))
    return found


def batches(duck: Connection, sql: str) -> tuple[list[DuckType], list[pa.RecordBatch]]:
    prepared = duck.prepare(sql)
    result = prepared.execute()
    try:
        return [kind for _, kind in prepared.columns], list(result)
    finally:
        result.close()
        prepared.close()


def encode(duck: Connection, sql: str, form: int = 0, style: TextStyle | None = None) -> list[Row]:
    """What our side sends; the way of columns and the way of values must agree."""
    types, found = batches(duck, sql)
    encoder = RowEncoder(types, [form] * len(types), style)
    sent: list[Row] = []
    for batch in found:
        whole: list[pa.Buffer | memoryview] = []
        encoder._encode(batch, whole)
        sent += (these := [row for part in whole for row in decode(part)])
        for start in range(0, min(batch.num_rows, 700), 7):
            few = batch.slice(start, 7)
            assert decode(encoder.encode(few)) == these[start : start + few.num_rows]
    return sent


def judge(postgres: psycopg.Connection, sql: str, form: int = 0, *values: object) -> list[Row]:
    cursor = postgres.cursor(binary=bool(form))
    cursor.execute(sql, values or None)
    result = cursor.pgresult
    assert result is not None
    return [
        tuple(result.get_value(row, column) for column in range(result.nfields))
        for row in range(result.ntuples)
    ]


def literal(text: Text) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def listed(texts: list[Text]) -> str:
    return f"(SELECT unnest([{', '.join(map(literal, texts))}]::varchar[]) AS v)"


def as_postgres_reads(duck: Connection, expression: str, texts: list[Text]) -> list[Text]:
    """DuckDB's own text of the values; where it writes `(BC)`, what Postgres reads."""
    _, found = batches(duck, f"SELECT ({expression})::varchar FROM {listed(texts)}")
    written = [text for batch in found for text in batch.column(0).to_pylist()]
    return [
        text.replace(" (BC)", "") + " BC" if text is not None and "(BC)" in text else text
        for text in written
    ]


FROM_TEXTS = "FROM unnest(%s::text[]) WITH ORDINALITY AS t(v, o) ORDER BY o"


def assert_same(texts: list[Text], ours: list[Row], theirs: list[Row]) -> None:
    assert len(ours) == len(theirs) == len(texts)
    different = [
        (text, mine[0], right[0])
        for text, mine, right in zip(texts, ours, theirs, strict=True)
        if mine != right
    ]
    assert different == []
