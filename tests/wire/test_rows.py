"""Result rows have Postgres's own bytes: the same values are asked of both, in both formats.

DuckDB makes the values and exports them as Arrow; the embedded Postgres is the judge. Every batch
is encoded twice, whole (by column) and in slices of a few rows (value by value), and the two must
agree before either is compared.
"""

from __future__ import annotations

from random import Random

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from proxy.engines.duck.c import Connection
from proxy.errors import SqlError
from proxy.wire import rows
from proxy.wire.encoders import cells
from proxy.wire.encoders.few import FEW_ROWS
from proxy.wire.rows import RowEncoder, TextStyle
from proxy.wire.types import DuckType

from .judged import (
    FROM_TEXTS,
    as_postgres_reads,
    assert_same,
    batches,
    decode,
    encode,
    judge,
    listed,
)
from .values import KINDS, Kind, recent_moments, usual_moments

FORMATS = pytest.mark.parametrize("form", [0, 1], ids=["text", "binary"])


# --- every type ----------------------------------------------------------------------------------


@FORMATS
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.duck)
def test_values_have_the_bytes_of_postgres(
    duck: Connection, postgres: psycopg.Connection, kind: Kind, form: int
) -> None:
    texts = kind.generate()
    ours = encode(duck, f"SELECT {kind.value} FROM {listed(texts)}", form)
    if kind.duck == "BLOB":
        theirs = judge(postgres, f"SELECT decode(v, 'hex') {FROM_TEXTS}", form, texts)
    else:
        read = as_postgres_reads(duck, kind.value, texts) if kind.expression else texts
        theirs = judge(postgres, f"SELECT v::{kind.postgres} {FROM_TEXTS}", form, read)
    assert_same(texts, ours, theirs)


@FORMATS
@pytest.mark.parametrize(
    ("duck_type", "postgres_type"),
    [
        ("TIMESTAMP_S", "timestamp(0)"),
        ("TIMESTAMP_MS", "timestamp(3)"),
        ("TIMESTAMP_NS", "timestamp"),
    ],
)
def test_timestamps_of_other_units_are_timestamps(
    duck: Connection, postgres: psycopg.Connection, duck_type: str, postgres_type: str, form: int
) -> None:
    unit = {"TIMESTAMP_S": 1_000_000, "TIMESTAMP_MS": 1000, "TIMESTAMP_NS": 1}[duck_type]
    micros = [int(text or 0) // unit * unit for text in usual_moments(Random(duck_type))]
    if duck_type == "TIMESTAMP_NS":
        micros = [m for m in micros if abs(m) < 9_000_000_000_000_000]
    read = as_postgres_reads(duck, "make_timestamp(v::bigint)", [str(m) for m in micros])
    texts = [None, "infinity", "-infinity", *read]
    ours = encode(duck, f"SELECT v::{duck_type} FROM {listed(texts)}", form)
    assert_same(
        texts, ours, judge(postgres, f"SELECT v::{postgres_type} {FROM_TEXTS}", form, texts)
    )


@FORMATS
@pytest.mark.parametrize("infinity", ["infinity", "-infinity"])
@pytest.mark.parametrize(
    ("duck_type", "postgres_type"),
    [("DATE", "date"), ("TIMESTAMP", "timestamp"), ("TIMESTAMPTZ", "timestamptz")],
)
def test_infinite_dates_are_infinite(
    duck: Connection,
    postgres: psycopg.Connection,
    duck_type: str,
    postgres_type: str,
    infinity: str,
    form: int,
) -> None:
    texts = [infinity, "2024-02-29", None]
    ours = encode(duck, f"SELECT v::{duck_type} FROM {listed(texts)}", form)
    assert_same(
        texts, ours, judge(postgres, f"SELECT v::{postgres_type} {FROM_TEXTS}", form, texts)
    )


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time_zone",
    [
        *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
        *("America/Sao_Paulo", "Africa/Casablanca", "Europe/Dublin", "Pacific/Apia", "Etc/GMT+5"),
        *("Antarctica/Troll", "America/St_Johns"),
    ],
)
def test_timestamptz_is_local_time_of_the_session(
    duck: Connection, postgres: psycopg.Connection, time_zone: str
) -> None:
    micros = [*recent_moments(Random(time_zone)), None, "9223371331199000000"]
    texts = [
        text and text + "+00"
        for text in as_postgres_reads(duck, "make_timestamp(v::bigint)", micros)
    ]
    ours = encode(
        duck,
        f"SELECT make_timestamptz(v::bigint) FROM {listed(micros)}",
        style=TextStyle(time_zone=time_zone),
    )
    with postgres.transaction():
        postgres.execute(f"SET LOCAL TimeZone = '{time_zone}'")
        theirs = judge(postgres, f"SELECT v::timestamptz {FROM_TEXTS}", 0, texts)
    assert_same(texts, ours, theirs)


def test_local_mean_time_has_seconds_in_its_offset(duck: Connection) -> None:
    style = TextStyle(time_zone="europe/berlin")
    assert encode(duck, "SELECT timestamptz '1800-01-01 00:00:00+00'", style=style) == [
        (b"1800-01-01 00:53:28+00:53:28",)
    ]


@pytest.mark.parametrize("digits", [-15, -3, 0, 3])
@pytest.mark.parametrize(
    "kind", [k for k in KINDS if k.duck in ("FLOAT", "DOUBLE")], ids=lambda k: k.duck
)
def test_extra_float_digits_rounds_as_postgres_does(
    duck: Connection, postgres: psycopg.Connection, kind: Kind, digits: int
) -> None:
    texts = kind.generate()
    style = TextStyle(extra_float_digits=digits)
    ours = encode(duck, f"SELECT {kind.value} FROM {listed(texts)}", style=style)
    with postgres.transaction():
        postgres.execute(f"SET LOCAL extra_float_digits = {digits}")
        theirs = judge(postgres, f"SELECT v::{kind.postgres} {FROM_TEXTS}", 0, texts)
    assert_same(texts, ours, theirs)


def test_bytea_output_escape(duck: Connection, postgres: psycopg.Connection) -> None:
    kind = next(k for k in KINDS if k.duck == "BLOB")
    texts = kind.generate()
    style = TextStyle(bytea_output="escape")
    ours = encode(duck, f"SELECT {kind.value} FROM {listed(texts)}", style=style)
    with postgres.transaction():
        postgres.execute("SET LOCAL bytea_output = escape")
        theirs = judge(postgres, f"SELECT decode(v, 'hex') {FROM_TEXTS}", 0, texts)
    assert_same(texts, ours, theirs)


@pytest.mark.parametrize(
    "setting",
    [
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"extra_float_digits": 4},
        {"bytea_output": "base64"},
        {"interval_style": "sql_standard"},
    ],
    ids=str,
)
def test_an_unknown_setting_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(SqlError) as refused:
        RowEncoder([DuckType("TIMESTAMP_TZ")], [0], TextStyle(**setting))
    assert refused.value.sqlstate == "22023"


# --- shapes of batches ---------------------------------------------------------------------------


def test_a_row_without_columns_is_still_a_row(postgres: psycopg.Connection) -> None:
    batch = pa.RecordBatch.from_struct_array(pa.array([{}] * 3, pa.struct([])))
    payload = RowEncoder([], []).encode(batch)
    assert bytes(payload) == b"D\0\0\0\6\0\0" * 3


def test_no_rows_are_no_bytes() -> None:
    types = [DuckType("INTEGER"), DuckType("VARCHAR")]
    batch = pa.record_batch([pa.array([], pa.int32()), pa.array([], pa.string())], ["a", "b"])
    encoder = RowEncoder(types, [0, 1])
    whole: list[memoryview] = []
    encoder._encode(batch, whole)
    assert bytes(encoder.encode(batch)) == b"".join(whole) == b""


@FORMATS
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.duck)
def test_a_column_of_nulls_and_an_empty_one_are_encoded(
    duck: Connection, kind: Kind, form: int
) -> None:
    made = f"CASE WHEN i < 0 THEN {kind.value} END, CASE WHEN i < 0 THEN [{kind.value}] END"
    query = f"SELECT {made} FROM range(100) r(i), (SELECT NULL::varchar AS v)"
    assert encode(duck, query, form) == [(None, None)] * 100
    types, found = batches(duck, query)
    whole: list[memoryview] = []
    RowEncoder(types, [form] * 2)._encode(found[0].slice(0, 0), whole)
    assert b"".join(whole) == b""


@FORMATS
def test_a_slice_is_encoded_like_the_rows_it_shows(duck: Connection, form: int) -> None:
    query = """
        SELECT CASE WHEN i % 3 THEN i END, 'x' || i, [i, NULL], {'a': i}, MAP {'k': [i]},
               i % 2 = 0, i::decimal(38, 3), [[i]]::bigint[1][1], ('e' || (i % 2))::enum('e0', 'e1'),
               CASE WHEN i % 5 THEN [[i], [i]] END, to_days(i::integer), i::hugeint, uuid()
        FROM range(2000) r(i)
    """
    types, found = batches(duck, query)
    encoder = RowEncoder(types, [form] * len(types))
    joined = pa.concat_batches(found)
    every = decode(encoder.encode(joined))
    assert len(every) == 2000
    assert decode(encoder.encode(joined.slice(777, 500))) == every[777:1277]


@FORMATS
def test_formats_may_differ_by_column(duck: Connection, form: int) -> None:
    types, (batch,) = batches(duck, "SELECT i::integer, i::integer, 'x' FROM range(60) r(i)")
    sent = decode(RowEncoder(types, [form, 1 - form, form]).encode(batch))
    text, binary = b"7", b"\0\0\0\7"
    assert sent[7] == ((text, binary, b"x") if form == 0 else (binary, text, b"x"))


@FORMATS
def test_what_lies_under_a_null_is_not_looked_at(form: int) -> None:
    n = FEW_ROWS + 10
    valid = pa.py_buffer(np.packbits(np.zeros(n, "u1"), bitorder="little"))
    worst = pa.py_buffer(np.full(2 * n, 2**63 - 2, "i8"))
    for duck_type, kind in (
        (DuckType("TIMESTAMP"), pa.timestamp("us")),
        (DuckType("TIMESTAMP_NS"), pa.timestamp("ns")),
        (DuckType("DATE"), pa.date32()),
        (DuckType("INTERVAL"), pa.month_day_nano_interval()),
        (DuckType("DECIMAL", width=38, scale=2), pa.decimal128(38, 2)),
        (DuckType("TIME"), pa.time64("us")),
    ):
        array = pa.Array.from_buffers(kind, n, [valid, worst])
        payload = RowEncoder([duck_type], [form]).encode(pa.record_batch([array], ["x"]))
        assert decode(payload) == [(None,)] * n


def test_a_batch_beyond_32_bits_is_sent_in_pieces(
    duck: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT i, repeat('x', 100) || i, [i, i], {'a': repeat('y', 50)} FROM range(3000) r(i)"
    types, found = batches(duck, query)
    batch = pa.concat_batches(found)
    whole = bytes(RowEncoder(types, [0] * 4).encode(batch))
    monkeypatch.setattr(cells, "MAX_BYTES", 50_000)
    monkeypatch.setattr(rows, "MAX_BYTES", 50_000)
    assert bytes(RowEncoder(types, [0] * 4).encode(batch)) == whole
    monkeypatch.setattr(rows, "_PIECE_BYTES", 10_000)
    assert bytes(RowEncoder(types, [0] * 4).encode(batch)) == whole
    monkeypatch.setattr(cells, "MAX_BYTES", 100)
    monkeypatch.setattr(rows, "MAX_BYTES", 100)
    with pytest.raises(SqlError) as refused:
        RowEncoder(types, [0] * 4).encode(batch)
    assert refused.value.sqlstate == "54000"


def test_wide_offsets_and_views_are_read_too() -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        array = pa.array(["a", None, "é" * 40] * 30).cast(kind)
        payload = RowEncoder([DuckType("VARCHAR")], [0]).encode(pa.record_batch([array], ["v"]))
        assert (
            decode(payload) == [(b"a",), (None,), ("é" * 40).encode()] * 30
            or decode(payload) == [(b"a",), (None,), (("é" * 40).encode(),)] * 30
        )


# --- values that Postgres does not have ----------------------------------------------------------


@FORMATS
@pytest.mark.parametrize(
    ("value", "sqlstate"),
    [
        ("chr(0)", "22021"),
        ("['a', 'b' || chr(0)]", "22021"),
        ("{'a': chr(0)}", "22021"),
        ("date '4714-11-23 (BC)'", "22008"),
        ("date '5877642-06-25 (BC)'", "22008"),
        ("make_timestamp(-9223372022400000000)", "22008"),
        ("make_timestamptz(-9223372022400000000)", "22008"),
        ("'2024-01-01 12:00:00.123456789'::timestamp_ns", "22008"),
        ("'12:00:00.123456789'::time_ns", "22008"),
        ("interval '3562047 hours'", "22008"),
    ],
)
def test_a_value_without_representation_is_an_error(
    duck: Connection, value: str, sqlstate: str, form: int
) -> None:
    types, (batch,) = batches(duck, f"SELECT {value}")
    for rows_of_it in (batch, pa.concat_batches([batch] * (FEW_ROWS + 1))):
        with pytest.raises(SqlError) as refused:
            RowEncoder(types, [form]).encode(rows_of_it)
        assert refused.value.sqlstate == sqlstate


@FORMATS
def test_a_very_long_bignum_keeps_all_its_digits(
    duck: Connection, postgres: psycopg.Connection, form: int
) -> None:
    texts = ["9" * 20_000, "-" + "1234567890" * 1000, "1" + "0" * 999, "7", None]
    ours = encode(duck, f"SELECT v::bignum FROM {listed(texts)}", form)
    assert_same(texts, ours, judge(postgres, f"SELECT v::numeric {FROM_TEXTS}", form, texts))


def test_a_bignum_beyond_numeric_is_an_error() -> None:
    size = 54_500  # bytes of 131,247 digits; numeric ends at 131,072
    stored = (0x800000 | size).to_bytes(3, "big") + b"\xff" * size
    batch = pa.record_batch([pa.array([stored])], ["n"])
    with pytest.raises(SqlError) as refused:
        RowEncoder([DuckType("BIGNUM")], [0]).encode(batch)
    assert refused.value.sqlstate == "22003"


def test_a_layout_that_is_not_the_types_own_is_refused() -> None:
    encoder = RowEncoder([DuckType("BIGINT")], [0])
    with pytest.raises(SqlError) as refused:
        encoder.encode(pa.record_batch([pa.array([1, 2], pa.int32())], ["x"]))
    assert refused.value.sqlstate == "XX000"
