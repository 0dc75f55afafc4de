"""Decoded parameters as values of DuckDB: their types, their NULLs, and that plans are kept."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from proxy.engines.duck import c as duckdb_c
from proxy.engines.duck import jsonb as duck_jsonb
from proxy.engines.duck import values as duck_values
from proxy.errors import SqlError
from proxy.sql.parameters import cast_parameters
from proxy.wire.decoders.values import (
    DATE_INFINITY,
    TIMESTAMP_INFINITY,
    Array,
    Bits,
    Date,
    Interval,
    Time,
    Timestamp,
    TimestampTz,
    TimeTz,
    Uuid,
    Value,
)
from proxy.wire.types import BY_NAME


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb_c.Connection]:
    database = duckdb_c.Database(":memory:")
    connection = database.connect()
    duck_jsonb.register(connection)
    connection.run("SET TimeZone = 'UTC'")
    yield connection
    connection.close()
    database.close()


def rows(prepared: duckdb_c.Prepared) -> list[tuple[Any, ...]]:
    result = prepared.execute()
    try:
        return [tuple(row.values()) for batch in result for row in batch.to_pylist()]
    finally:
        result.close()


def run(connection: duckdb_c.Connection, sql: str, name: str, value: Value) -> tuple[Any, ...]:
    prepared = connection.prepare(sql)
    try:
        prepared.bind([(BY_NAME[name].oid, value)])
        return rows(prepared)[0]
    finally:
        prepared.close()


TYPE_AND_TEXT = "SELECT typeof(v), CAST(v AS VARCHAR) FROM (SELECT $1 AS v)"

SCALARS: list[tuple[str, Value, str, str]] = [
    ("bool", True, "BOOLEAN", "true"),
    ("int2", -(2**15), "SMALLINT", "-32768"),
    ("int4", 2**31 - 1, "INTEGER", "2147483647"),
    ("int8", -(2**63), "BIGINT", "-9223372036854775808"),
    ("oid", 2**32 - 1, "UINTEGER", "4294967295"),
    ("float4", 0.10000000149011612, "FLOAT", "0.1"),
    ("float8", float("-inf"), "DOUBLE", "-inf"),
    ("float8", float("nan"), "DOUBLE", "nan"),
    ("numeric", Decimal("1.50"), "DECIMAL(3,2)", "1.50"),
    ("numeric", Decimal("0"), "DECIMAL(1,0)", "0"),
    ("numeric", Decimal("0.00"), "DECIMAL(2,2)", ".00"),
    ("numeric", Decimal("-0.001"), "DECIMAL(3,3)", "-.001"),
    ("numeric", Decimal("9" * 38), "DECIMAL(38,0)", "9" * 38),
    ("numeric", Decimal("-" + "9" * 20 + "." + "9" * 18), "DECIMAL(38,18)", None),
    ("numeric", Decimal("1e-38"), "DECIMAL(38,38)", "." + "0" * 37 + "1"),
    ("text", "", "VARCHAR", ""),
    ("text", "héé 日本", "VARCHAR", "héé 日本"),
    ("varchar", "a", "VARCHAR", "a"),
    ("unknown", "a", "VARCHAR", "a"),
    ("json", '{"a": 1}', "JSON", '{"a": 1}'),
    ("jsonb", '{"a": 1}', "JSONB", '{"a": 1}'),
    ("bytea", b"\0a\xff", "BLOB", "\\x00a\\xFF"),
    ("bytea", b"", "BLOB", ""),
    ("uuid", Uuid(0), "UUID", "00000000-0000-0000-0000-000000000000"),
    ("uuid", Uuid(2**128 - 1), "UUID", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ("uuid", Uuid(1 << 127), "UUID", "80000000-0000-0000-0000-000000000000"),
    ("date", Date(0), "DATE", "1970-01-01"),
    ("date", Date(-2440588), "DATE", "4714-11-24 (BC)"),
    ("date", Date(DATE_INFINITY), "DATE", "infinity"),
    ("date", Date(-DATE_INFINITY), "DATE", "-infinity"),
    ("time", Time(86_400_000_000), "TIME", "24:00:00"),
    ("timetz", TimeTz(1, 5 * 3600 + 1800), "TIME WITH TIME ZONE", "00:00:00.000001+05:30"),
    ("timetz", TimeTz(0, -57599), "TIME WITH TIME ZONE", "00:00:00-15:59:59"),
    ("timestamp", Timestamp(-1), "TIMESTAMP", "1969-12-31 23:59:59.999999"),
    ("timestamp", Timestamp(TIMESTAMP_INFINITY), "TIMESTAMP", "infinity"),
    ("timestamptz", TimestampTz(-TIMESTAMP_INFINITY), "TIMESTAMP WITH TIME ZONE", "-infinity"),
    ("timestamptz", TimestampTz(1), "TIMESTAMP WITH TIME ZONE", "1970-01-01 00:00:00.000001+00"),
    ("interval", Interval(14, -3, 4_000_000), "INTERVAL", "1 year 2 months -3 days 00:00:04"),
    ("bit", Bits(1, b"\x80"), "BIT", "1"),
    ("varbit", Bits(8, b"\xa5"), "BIT", "10100101"),
    ("varbit", Bits(11, b"\xa5\x60"), "BIT", "10100101011"),
]


@pytest.mark.parametrize(("name", "value", "kind", "text"), SCALARS)
def test_a_value_has_the_duckdb_type_of_its_oid(
    connection: duckdb_c.Connection, name: str, value: Value, kind: str, text: str | None
) -> None:
    expected = str(value) if text is None else text
    assert run(connection, TYPE_AND_TEXT, name, value) == (kind, expected)


SCALAR_NAMES = sorted({name for name, *_ in SCALARS})


@pytest.mark.parametrize("name", SCALAR_NAMES)
def test_a_null_has_the_type_of_its_oid(connection: duckdb_c.Connection, name: str) -> None:
    expected = next(kind for other, _, kind, _ in SCALARS if other == name)
    if name == "numeric":
        expected = "DECIMAL(1,0)"
    assert run(connection, TYPE_AND_TEXT, name, None) == (expected, None)


@pytest.mark.parametrize("name", [name for name in SCALAR_NAMES if BY_NAME[name].array_oid])
def test_an_array_is_a_list_of_the_elements_type(
    connection: duckdb_c.Connection, name: str
) -> None:
    value, kind = next((v, k) for other, v, k, _ in SCALARS if other == name)
    element = BY_NAME[name]
    sql = "SELECT typeof(v), len(v), v[1] IS NULL, v[2] IS NULL FROM (SELECT $1 AS v)"
    array = Array(element.oid, (2,), (value, None))
    assert run(connection, sql, "_" + name, array) == (f"{kind}[]", 2, False, True)


LISTS: list[tuple[str, Array | None, str, str | None]] = [
    ("_int4", Array(23, (), ()), "INTEGER[]", "[]"),
    ("_int4", None, "INTEGER[]", None),
    ("_int4", Array(23, (1,), (None,)), "INTEGER[]", "[NULL]"),
    ("_int4", Array(23, (2, 2), ((1, 2), (None, 4))), "INTEGER[][]", "[[1, 2], [NULL, 4]]"),
    ("_text", Array(25, (1, 1, 1), ((("a",),),)), "VARCHAR[][][]", "[[[a]]]"),
    ("_interval", Array(1186, (1,), (Interval(1, 0, 0),)), "INTERVAL[]", "[1 month]"),
    (
        "_numeric",
        Array(1700, (3,), (Decimal("1.5"), None, Decimal("200.25"))),
        "DECIMAL(5,2)[]",
        "[1.50, NULL, 200.25]",
    ),
    ("_numeric", Array(1700, (1,), (None,)), "DECIMAL(1,0)[]", "[NULL]"),
    ("_numeric", Array(1700, (), ()), "DECIMAL(1,0)[]", "[]"),
    ("_numeric", None, "DECIMAL(1,0)[]", None),
]


@pytest.mark.parametrize(("name", "value", "kind", "text"), LISTS)
def test_arrays_become_lists(
    connection: duckdb_c.Connection, name: str, value: Array | None, kind: str, text: str | None
) -> None:
    assert run(connection, TYPE_AND_TEXT, name, value) == (kind, text)


@pytest.mark.parametrize(("name", "value", "kind", "_"), SCALARS + LISTS)
def test_the_type_can_be_named_before_the_value_is_made(
    connection: duckdb_c.Connection, name: str, value: Value, kind: str, _: str | None
) -> None:
    spelled = duck_values.type_name(value, BY_NAME[name].oid)
    assert run(connection, f"SELECT typeof(CAST($1 AS {spelled}))", name, value) == (kind,)


@pytest.mark.parametrize(("name", "value", "_kind", "_text"), SCALARS + LISTS)
def test_a_plan_made_for_the_values_type_is_kept(
    connection: duckdb_c.Connection, name: str, value: Value, _kind: str, _text: str | None
) -> None:
    assert not is_planned_again(connection, name, value, name, value)


@pytest.mark.parametrize("name", SCALAR_NAMES)
def test_a_null_keeps_the_plan_too(connection: duckdb_c.Connection, name: str) -> None:
    assert not is_planned_again(connection, name, None, name, None)


def test_a_value_of_another_type_is_planned_again(connection: duckdb_c.Connection) -> None:
    """So that the tests above can fail: this is what DuckDB does with a BIGINT for an INTEGER."""
    assert is_planned_again(connection, "int4", 1, "int8", 1)
    assert is_planned_again(connection, "numeric", Decimal("1.5"), "numeric", Decimal("1.25"))


def is_planned_again(
    connection: duckdb_c.Connection, planned: str, like: Value, bound: str, value: Value
) -> bool:
    """Whether a plan for `planned` is made anew for a value of `bound`: it then sees a new setting."""
    kind = duck_values.type_name(like, BY_NAME[planned].oid)
    connection.run("SET threads = 1")
    prepared = connection.prepare(f"SELECT CAST($1 AS {kind}) IS NULL, current_setting('threads')")
    connection.run("SET threads = 2")
    try:
        prepared.bind([(BY_NAME[bound].oid, value)])
        return rows(prepared)[0][1] == 2
    finally:
        prepared.close()


def test_a_parameter_cast_in_every_place_never_meets_an_unfinished_plan() -> None:
    """Without the casts this statement ends in an internal error that invalidates the database."""
    database = duckdb_c.Database(":memory:")
    connection = database.connect()
    sql = cast_parameters("SELECT typeof($1), hash($1) IS NULL, $1::INTEGER", {1: "INTEGER"})
    assert run(connection, sql, "int4", 1) == ("INTEGER", False, 1)
    sql = "SELECT typeof($1), $1 = 1.5::DECIMAL(2,1)"
    value = Decimal("1.5")
    sql = cast_parameters(sql, {1: duck_values.type_name(value, BY_NAME["numeric"].oid)})
    assert run(connection, sql, "numeric", value) == ("DECIMAL(2,1)", True)
    assert connection.run("SELECT 1") == [(1,)]
    connection.close()
    database.close()


def test_a_statement_takes_many_values_and_new_ones(connection: duckdb_c.Connection) -> None:
    sql = "SELECT CAST($1 AS INTEGER) + CAST($2 AS INTEGER), CAST($3 AS VARCHAR)"
    prepared = connection.prepare(sql)
    int4, text = BY_NAME["int4"].oid, BY_NAME["text"].oid
    for i in range(100):
        prepared.bind([(int4, i), (int4, 1), (text, str(i))])
        assert rows(prepared) == [(i + 1, str(i))]
    prepared.bind([(int4, None), (int4, 1), (text, None)])
    assert rows(prepared) == [(None, None)]
    prepared.close()


def test_text_may_hold_what_ends_a_c_string_elsewhere(connection: duckdb_c.Connection) -> None:
    value = "a" * 100_000 + "é"
    assert run(connection, "SELECT length($1), $1", "text", value) == (100_001, value)
    raw = bytes(range(256)) * 400
    assert run(connection, "SELECT octet_length(v), v FROM (SELECT $1 AS v)", "bytea", raw) == (
        len(raw),
        raw,
    )


@pytest.mark.parametrize(
    ("name", "value", "sqlstate"),
    [
        ("varbit", Bits(0, b""), "0A000"),
        ("_varbit", Array(1562, (2,), (Bits(1, b"\x80"), Bits(0, b""))), "0A000"),
        ("money", 1, "0A000"),
        ("inet", "::1", "0A000"),
        ("_money", Array(790, (1,), (1,)), "0A000"),
        ("record", None, "0A000"),
        (
            "_numeric",
            Array(1700, (2,), (Decimal("1" + "0" * 37), Decimal("0.01"))),
            "22003",
        ),
    ],
)
def test_what_duckdb_cannot_hold_is_refused(name: str, value: Value, sqlstate: str) -> None:
    with pytest.raises(SqlError) as raised:
        duck_values.make(value, BY_NAME[name].oid)
    assert raised.value.sqlstate == sqlstate


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(SqlError, match="99999"):
        duck_values.make(1, 99999)


def test_a_parameter_whose_type_nobody_named_is_text(connection: duckdb_c.Connection) -> None:
    prepared = connection.prepare(TYPE_AND_TEXT)
    prepared.bind([(0, "a")])
    assert rows(prepared) == [("VARCHAR", "a")]
    prepared.close()
