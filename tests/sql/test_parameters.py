"""The types of parameters, written into DuckDB's SQL."""

from __future__ import annotations

import pytest

from proxy.engines import duckdb_c
from proxy.errors import SqlError
from proxy.sql.parameters import cast_parameters, null_parameters, parameter_count

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


def test_the_type_of_a_result_is_known_where_only_a_constant_can_tell(
    connection: duckdb_c.Connection,
) -> None:
    sql = "SELECT strftime(d, $1), $2 FROM t"
    types = {1: "VARCHAR", 2: "BIGINT"}
    cast = connection.prepare(cast_parameters(sql, types))
    nulls = connection.prepare(null_parameters(sql, types))
    assert [kind.id for _, kind in cast.columns] == ["INVALID"]
    assert [kind.id for _, kind in nulls.columns] == ["VARCHAR", "BIGINT"]
    cast.close()
    nulls.close()
