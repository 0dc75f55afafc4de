"""DESCRIBE: columns as in docs.snowflake.com/en/sql-reference/sql/desc-table and its neighbours."""

from __future__ import annotations

import psycopg
import pytest

from .conftest import Ask, columns

DESCRIBED = [
    *("name", "type", "kind", "null?", "default", "primary key", "unique key", "check"),
    *("expression", "comment", "policy name", "privacy domain"),
]


@pytest.mark.parametrize("form", ["DESCRIBE TABLE t", "DESC TABLE t", "DESC t", "DESCRIBE VIEW v"])
def test_the_columns_are_the_documented_ones(ask: Ask, snow: psycopg.Connection, form: str) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("CREATE VIEW v AS SELECT * FROM t")
    assert columns(snow, form) == DESCRIBED


TYPES = {
    "INT": "NUMBER(38,0)",
    "NUMBER(10,2)": "NUMBER(10,2)",
    "FLOAT": "FLOAT",
    "VARCHAR": "VARCHAR(16777216)",
    "VARCHAR(20)": "VARCHAR(20)",
    "STRING": "VARCHAR(16777216)",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME(9)",
    "TIMESTAMP_NTZ": "TIMESTAMP_NTZ(9)",
    "TIMESTAMP_LTZ": "TIMESTAMP_LTZ(9)",
    "BINARY": "BINARY(8388608)",
    "VARIANT": "VARIANT",
    "VECTOR(FLOAT, 3)": "VECTOR(FLOAT, 3)",
}


@pytest.mark.parametrize(("declared", "shown"), TYPES.items())
def test_types_are_snowflakes(ask: Ask, declared: str, shown: str) -> None:
    ask(f"CREATE TABLE t (c {declared})")
    assert [row["type"] for row in ask("DESC TABLE t")] == [shown]


def test_what_is_told_of_a_column(ask: Ask) -> None:
    ask("CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE, n INT NOT NULL DEFAULT 7 COMMENT 'seven',"
        " a INT AUTOINCREMENT START 10 INCREMENT 5)")  # fmt: skip
    rows = {row["name"]: row for row in ask("DESCRIBE TABLE t")}
    assert list(rows) == ["id", "u", "n", "a"]
    assert (rows["id"]["primary key"], rows["id"]["null?"]) == ("Y", "N")
    assert (rows["u"]["unique key"], rows["u"]["null?"]) == ("Y", "Y")
    assert (rows["n"]["default"], rows["n"]["comment"]) == ("7", "seven")
    assert rows["a"]["default"] == "IDENTITY START 10 INCREMENT 5 ORDER"


def test_names_are_found_as_in_a_query(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("CREATE TEMPORARY TABLE tt (j INT)")
    for name in ("t", "T", "work.t", "hatidata.work.t", '"t"'):
        assert [row["name"] for row in ask(f"DESC TABLE {name}")] == ["i"]
    assert [row["name"] for row in ask("DESC TABLE tt")] == ["j"]
    ask("DROP TABLE tt")


def test_schemas_and_databases(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("CREATE VIEW v AS SELECT 1 AS a")
    described = [(row["name"], row["kind"]) for row in ask("DESCRIBE SCHEMA work")]
    assert described == [("t", "TABLE"), ("v", "VIEW")]
    [schema] = ask("SHOW SCHEMAS LIKE 'work'")
    told = {"name": "work", "kind": "SCHEMA", "created_on": schema["created_on"]}
    assert told in ask("DESC DATABASE hatidata")


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("DESC TABLE nothing", "42P01"),
        ("DESC TABLE other.work.t", "3D000"),
        ("DESC SCHEMA nowhere", "3F000"),
        ("DESC STAGE s", "42704"),
        ("DESC RESULT 'x'", "0A000"),
    ],
)
def test_what_is_not_there_is_an_error(snow: psycopg.Connection, sql: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        snow.execute(sql)
    assert raised.value.sqlstate == sqlstate


def test_duckdbs_describe_is_duckdbs(snow: psycopg.Connection) -> None:
    snow.execute("CREATE TABLE t (i INT)")
    snow.execute("SET hatidata.dialect = 'duckdb'")
    assert columns(snow, "DESCRIBE t")[0] == "column_name"
    snow.execute("SET hatidata.dialect = 'snowflake'")


def test_the_first_of_the_search_path_is_described(ask: Ask) -> None:
    """Tables of one name, in whatever order they were made."""
    for schema, column in (("public", "p"), ("work", "w"), ("another", "a")):
        ask(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        ask(f"CREATE TABLE {schema}.described ({column} INT)")
    for path, first in (
        ("work", "w"),
        ("public", "p"),
        ("another, work", "a"),
        ("public, another", "p"),
    ):
        ask(f"SET search_path = {path}")
        assert [row["name"] for row in ask("DESC TABLE described")] == [first], path
        assert [row["column_name"] for row in ask("SHOW COLUMNS IN described")] == [first], path
    ask("DROP TABLE public.described")
    ask("DROP SCHEMA another CASCADE")
