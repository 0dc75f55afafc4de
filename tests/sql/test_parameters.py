"""The types of parameters, written into DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.engines.duck import c as duckdb_c
from proxy.errors import SqlError
from proxy.sql.parameters import (
    cast_parameters,
    null_parameters,
    parameter_count,
    parameter_places,
    renumber_parameters,
    sample_parameters,
)
from proxy.sql.reading import DUCKDB, POSTGRES, Reader

_INT = "INTEGER"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT $1", "SELECT CAST($1 AS INTEGER)"),
        ("SELECT $1 + $1", "SELECT CAST($1 AS INTEGER) + CAST($1 AS INTEGER)"),
        ("SELECT a->>$1", "SELECT a->>CAST($1 AS INTEGER)"),
        ("SELECT {'a': $1}", "SELECT {'a': CAST($1 AS INTEGER)}"),
        ("SELECT $1[1]", "SELECT CAST($1 AS INTEGER)[1]"),
        ("SELECT $01", "SELECT CAST($1 AS INTEGER)"),
        ("SELECT é, $1", "SELECT é, CAST($1 AS INTEGER)"),
        (
            "SELECT $1\n-- and $1\n, $1",
            "SELECT CAST($1 AS INTEGER)\n-- and $1\n, CAST($1 AS INTEGER)",
        ),
    ],
)
def test_every_place_of_a_parameter_is_cast(sql: str, expected: str) -> None:
    assert cast_parameters(sql, {1: _INT}) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '$1'",
        "SELECT 'it''s $1'",
        "SELECT '\\', '$1'",
        'SELECT "$1" FROM t',
        'SELECT "a""$1" FROM t',
        "SELECT $$ $1 $$",
        "SELECT $a$ $1 $$ $1 $a$",
        "SELECT E'\\'$1'",
        "SELECT 1 -- $1",
        "SELECT 1 /* $1 /* $1 */ $1 */",
        "SELECT x$1 FROM t",
        "SELECT $name",
        "SELECT $1a",
        "SELECT $1e5",
        "SELECT $1_0",
        "SELECT $ 1",
        "SELECT $2",
    ],
)
def test_what_is_no_parameter_is_left_alone(sql: str) -> None:
    assert cast_parameters(sql, {1: _INT, 5: _INT}) == sql
    assert null_parameters(sql, {1: _INT, 5: _INT}) == sql


def test_a_parameter_that_is_cast_already_is_cast_twice() -> None:
    assert cast_parameters("SELECT $1::BIGINT", {1: _INT}) == "SELECT CAST($1 AS INTEGER)::BIGINT"


def test_each_parameter_gets_its_own_type() -> None:
    assert cast_parameters("SELECT $2, $10, $1", {1: "DATE", 2: "TEXT", 10: "INTEGER[]"}) == (
        "SELECT CAST($2 AS TEXT), CAST($10 AS INTEGER[]), CAST($1 AS DATE)"
    )


def test_nothing_to_cast_is_the_same_text() -> None:
    sql = "SELECT  $1 ,\t$2 -- end"
    assert cast_parameters(sql, {}) == sql


def test_an_unterminated_string_is_a_syntax_error() -> None:
    with pytest.raises(SqlError) as raised:
        cast_parameters("SELECT '$1", {1: _INT})
    assert raised.value.sqlstate == "42601"


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("SELECT 1", 0),
        ("SELECT $1, $1", 1),
        ("SELECT $3", 3),
        ("SELECT $2, $11, '$12', $$ $13 $$ -- $14", 11),
        ("", 0),
    ],
)
def test_parameters_are_counted_by_the_highest(sql: str, count: int) -> None:
    assert parameter_count(sql) == count


@pytest.fixture(scope="module")
def connection() -> duckdb_c.Connection:
    database = duckdb_c.Database(":memory:")
    connection = database.connect()
    connection.run("CREATE TABLE t AS SELECT 1 AS i, DATE '2026-01-31' AS d, 'a' AS s")
    yield connection
    connection.close()
    database.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT i FROM t WHERE i = $1",
        "SELECT i FROM t WHERE i IN ($1, $2)",
        "SELECT i FROM t ORDER BY i LIMIT $1 OFFSET $2",
        "INSERT INTO t(i) VALUES ($1)",
        "UPDATE t SET i = $1 WHERE i BETWEEN $2 AND $1",
        "SELECT sum(i) OVER (ROWS $1 PRECEDING) FROM t",
        "SELECT * FROM range($1)",
        "SELECT d + INTERVAL ($1) DAY FROM t",
        "SELECT CASE WHEN $1 > $2 THEN $1 END, [$1, $2], {'a': $1}",
    ],
)
def test_duckdb_takes_a_cast_wherever_it_takes_a_parameter(
    connection: duckdb_c.Connection, sql: str
) -> None:
    count = parameter_count(sql)
    prepared = connection.prepare(cast_parameters(sql, dict.fromkeys(range(1, count + 1), _INT)))
    assert [kind.id for kind in prepared.parameters] in ([_INT] * count, ["INVALID"] * count)
    prepared.close()


def columns(connection: duckdb_c.Connection, sql: str) -> list[str]:
    prepared = connection.prepare(sql)
    try:
        return [str(kind) for _, kind in prepared.columns]
    finally:
        prepared.close()


@pytest.mark.parametrize("constants", [sample_parameters, null_parameters])
def test_the_type_of_a_result_is_known_where_only_a_constant_can_tell(
    connection: duckdb_c.Connection, constants: Callable[[str, dict[int, str]], str]
) -> None:
    sql = "SELECT strftime(d, $1), $2 FROM t"
    types = {1: "VARCHAR", 2: "BIGINT"}
    assert columns(connection, cast_parameters(sql, types))[0] == "INVALID"
    assert columns(connection, constants(sql, types)) == ["VARCHAR", "BIGINT"]


def test_a_sample_of_text_is_taken_for_formats_and_parts(connection: duckdb_c.Connection) -> None:
    sql = "SELECT date_trunc($1, d), date_part($1, d), strptime(s, $1), CAST($1 AS INTEGER) FROM t"
    found = columns(connection, sample_parameters(sql, {1: "VARCHAR"}))
    assert found == ["TIMESTAMP", "BIGINT", "TIMESTAMP", "INTEGER"]


def test_a_constant_null_may_have_another_type_than_a_value(
    connection: duckdb_c.Connection,
) -> None:
    sql, types = "SELECT $1 || 'x'", {1: "VARCHAR"}
    assert columns(connection, sample_parameters(sql, types)) == ["VARCHAR"]
    assert columns(connection, null_parameters(sql, types)) == ["INTEGER"]


@pytest.mark.parametrize(
    "kind",
    [
        *("BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "UINTEGER", "FLOAT", "DOUBLE", "VARCHAR"),
        *("BLOB", "UUID", "BIT", "DATE", "TIME", "TIMETZ", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL"),
        *("JSON", "DECIMAL(18,1)", "DECIMAL(38,38)", "INTEGER[]", "DECIMAL(38,0)[]", "VARCHAR[]"),
    ],
)
def test_there_is_a_sample_of_every_type(connection: duckdb_c.Connection, kind: str) -> None:
    rows = connection.run(sample_parameters("SELECT $1 IS NOT NULL", {1: kind}))
    assert rows == [(True,)]


def test_a_hidden_value_is_cast_in_a_query_of_its_own() -> None:
    types = {1: "VARCHAR", 2: "INTEGER"}
    assert cast_parameters("SELECT $1, $2", types, [1]) == (
        "SELECT (SELECT CAST($1 AS VARCHAR)), CAST($2 AS INTEGER)"
    )


def test_gaps_between_numbers_are_closed() -> None:
    assert renumber_parameters("SELECT $7, '$7', $2, $7", (2, 7)) == "SELECT $2, '$7', $1, $2"


def test_places_are_offsets_in_the_text() -> None:
    assert parameter_places("SELECT é, $2, '$1', $0") == [(2, 10), (0, 20)]


@pytest.mark.parametrize("reader", [DUCKDB, POSTGRES])
def test_parameters_with_nothing_between_them_are_no_quotes(reader: Reader) -> None:
    def words(text: str) -> list[str]:
        return [token.text for token in reader.own_tokens(text)]

    assert words("n=$1,m=$2+$3") == ["n", "=", "$", "1", ",", "m", "=", "$", "2", "+", "$", "3"]
    assert words("$a$b$a$, $1") == ["b", ",", "$", "1"]
    with pytest.raises(SqlError) as unterminated:
        words("$1,$2, 'a")
    assert unterminated.value.sqlstate == "42601"
