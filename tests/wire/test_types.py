"""The table of types says what Postgres's own catalog says, and knows every type of DuckDB."""

from __future__ import annotations

import duckdb
import psycopg
import pytest

from proxy.engines.duck.c import Connection
from proxy.errors import SqlError
from proxy.wire.types import (
    BY_OID,
    DuckType,
    duck_type_name,
    pg_type_named,
    wire_type,
)


def test_the_table_is_the_catalog_of_postgres(postgres: psycopg.Connection) -> None:
    rows = postgres.execute(
        "SELECT oid::int, typname, typlen, typarray::int, CASE WHEN typname LIKE '\\_%%' THEN typelem::int"
        " ELSE 0 END FROM pg_type WHERE oid = ANY(%s)",
        [list(BY_OID)],
    ).fetchall()
    ours = {(t.oid, t.name, t.size, t.array_oid, t.element_oid) for t in BY_OID.values()}
    assert ours == set(rows)


@pytest.mark.parametrize(
    "name",
    [
        *("int", "integer", "bigint", "smallint", "real", "double precision", "boolean", "decimal"),
        *("character varying", "character", "char", "timestamp with time zone", "bit varying"),
        *("time without time zone", "int[]", "numeric[]", "text", "jsonb", "uuid[]", "date"),
    ],
)
def test_sql_names_mean_what_they_mean_to_postgres(postgres: psycopg.Connection, name: str) -> None:
    row = postgres.execute("SELECT %s::regtype::oid::int", [name]).fetchone()
    found = pg_type_named(name)
    assert found is not None
    assert row == (found.oid,)


def test_a_name_that_nobody_knows_is_none() -> None:
    assert pg_type_named("widget") is None
    assert pg_type_named("widget[]") is None


@pytest.mark.parametrize(
    ("sql_type", "name"),
    [
        *(("BOOLEAN", "boolean"), ("TINYINT", "smallint"), ("SMALLINT", "smallint")),
        *(("INTEGER", "integer"), ("BIGINT", "bigint"), ("UTINYINT", "smallint")),
        *(("USMALLINT", "integer"), ("UINTEGER", "bigint"), ("UBIGINT", "numeric")),
        *(("HUGEINT", "numeric"), ("UHUGEINT", "numeric"), ("BIGNUM", "numeric")),
        *(("FLOAT", "real"), ("DOUBLE", "double precision"), ("DECIMAL(18,4)", "numeric(18,4)")),
        *(("DECIMAL(38,0)", "numeric(38,0)"), ("VARCHAR", "text"), ("BLOB", "bytea")),
        *(("DATE", "date"), ("TIME", "time without time zone"), ("TIMETZ", "time with time zone")),
        *(("TIME_NS", "time without time zone"), ("TIMESTAMP", "timestamp without time zone")),
        ("TIMESTAMP_S", "timestamp without time zone"),
        ("TIMESTAMP_MS", "timestamp without time zone"),
        ("TIMESTAMP_NS", "timestamp without time zone"),
        ("TIMESTAMPTZ", "timestamp with time zone"),
        *(("INTERVAL", "interval"), ("UUID", "uuid"), ("BIT", "bit varying"), ("JSON", "json")),
        *(("JSONB", "jsonb"), ("JSONB[]", "jsonb[]")),
        *(("ENUM('a')", "text"), ("VARIANT", "jsonb"), ("STRUCT(a INTEGER)", "jsonb")),
        *(("MAP(VARCHAR, INTEGER)", "jsonb"), ("UNION(a INTEGER)", "jsonb")),
        *(("INTEGER[]", "integer[]"), ("INTEGER[3]", "integer[]"), ("INTEGER[][]", "integer[]")),
        *(("DECIMAL(9,2)[]", "numeric(9,2)[]"), ("STRUCT(a INTEGER)[]", "jsonb[]")),
        *(("MAP(VARCHAR, INTEGER)[]", "jsonb[]"), ("JSON[]", "json[]"), ("UUID[][3]", "uuid[]")),
        ("GEOMETRY", "bytea"),
    ],
)
def test_a_duckdb_type_is_described_by_its_postgres_type(
    duck: Connection, postgres: psycopg.Connection, sql_type: str, name: str
) -> None:
    prepared = duck.prepare(f"SELECT NULL::{sql_type}")
    ((_, duck_type),) = prepared.columns
    prepared.close()
    wire = wire_type(duck_type)
    row = postgres.execute(
        "SELECT format_type(%s, %s), typlen FROM pg_type WHERE oid = %s",
        [wire.oid, wire.modifier, wire.oid],
    ).fetchone()
    assert row == (name, wire.size)


def test_every_type_that_duckdb_lists_has_a_wire_type(duck: Connection) -> None:
    names = duckdb.execute(
        "SELECT DISTINCT logical_type FROM duckdb_types()"
        " WHERE logical_type NOT IN ('INVALID', 'LIST', 'ARRAY', 'STRUCT', 'MAP', 'UNION', 'ENUM')"
    ).fetchall()
    assert len(names) > 25
    for (name,) in names:
        if name in ("NULL", "TYPE"):
            continue
        prepared = duck.prepare(f'SELECT NULL::"{name}"')
        assert wire_type(prepared.columns[0][1]).oid
        prepared.close()


def test_a_type_without_counterpart_is_refused_by_name() -> None:
    with pytest.raises(SqlError, match="AGGREGATE_STATE") as refused:
        wire_type(DuckType("AGGREGATE_STATE"))
    assert refused.value.sqlstate == "0A000"


def test_a_parameter_of_every_known_oid_is_cast_to_a_type_that_there_is(duck: Connection) -> None:
    for oid in BY_OID:
        name = duck_type_name(oid)
        if name is not None:
            duck.run(f"SELECT NULL::{name}")
    assert duck_type_name(23) == "INTEGER"
    assert duck_type_name(1007) == "INTEGER[]"
    assert duck_type_name(1_000_000) is None
