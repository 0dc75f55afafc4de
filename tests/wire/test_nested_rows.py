"""Lists are Postgres arrays and containers are its jsonb, to the byte and in both formats."""

from __future__ import annotations

import json
from random import Random

import psycopg
import pyarrow as pa
import pytest

from proxy.engines.duck.c import Connection
from proxy.errors import SqlError
from proxy.wire.rows import RowEncoder
from proxy.wire.types import DuckType

from .judged import (
    FROM_TEXTS,
    assert_same,
    decode,
    encode,
    judge,
    listed,
    literal,
)
from .values import KINDS, Kind, nested

FORMATS = pytest.mark.parametrize("form", [0, 1], ids=["text", "binary"])


# --- arrays --------------------------------------------------------------------------------------

_ARRAY_KINDS = [k for k in KINDS if k.duck not in ("BLOB", "DATE", "TIMESTAMP", "BIGNUM")]


@FORMATS
@pytest.mark.parametrize("kind", _ARRAY_KINDS, ids=lambda kind: kind.duck)
def test_lists_are_arrays(
    duck: Connection, postgres: psycopg.Connection, kind: Kind, form: int
) -> None:
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
            "['000000000000000000000000000000ff', NULL]::uuid[2]",
            "ARRAY['000000000000000000000000000000ff'::uuid, NULL]",
        ),
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


@pytest.mark.parametrize("seed", range(40))
def test_any_container_says_what_duckdb_itself_says_of_it(duck: Connection, seed: int) -> None:
    random = Random(seed)
    kind, make = nested(random, 3)
    rows = ", ".join(f"({i}, {{'w': {make()}}}::STRUCT(w {kind}))" for i in range(60))
    query = f"SELECT x, to_json(x)::varchar FROM (VALUES {rows}) AS t(i, x) ORDER BY i"
    for ours, theirs in encode(duck, query):
        assert json.loads(ours or b"") == json.loads(theirs or b"")
