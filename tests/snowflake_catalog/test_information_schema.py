"""Snowflake's INFORMATION_SCHEMA, and where Postgres's is meant.

Columns: docs.snowflake.com/en/sql-reference/info-schema/tables, columns, views, schemata, databases,
table_constraints, referential_constraints, sequences, functions. The rule that tells the two
apart is in `proxy.sql.snowflake.information_schema`.
"""

from __future__ import annotations

import psycopg
import pytest

from .conftest import DATABASE, Ask, columns

COLUMNS = {
    "TABLES": """
        table_catalog table_schema table_name table_owner table_type is_transient clustering_key
        row_count bytes retention_time self_referencing_column_name reference_generation
        user_defined_type_catalog user_defined_type_schema user_defined_type_name
        is_insertable_into is_typed commit_action created last_altered last_ddl last_ddl_by
        auto_clustering_on comment is_temporary is_iceberg is_dynamic is_immutable is_hybrid
    """,
    "VIEWS": """
        table_catalog table_schema table_name table_owner view_definition check_option is_updatable
        insertable_into is_secure created last_altered last_ddl last_ddl_by comment
    """,
    "SCHEMATA": """
        catalog_name schema_name schema_owner is_transient is_managed_access retention_time
        default_character_set_catalog default_character_set_schema default_character_set_name
        sql_path created last_altered comment object_visibility
    """,
    "DATABASES": """
        database_name database_owner is_transient comment created last_altered retention_time type
        object_visibility
    """,
    "TABLE_CONSTRAINTS": """
        constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name
        constraint_type is_deferrable initially_deferred enforced comment created last_altered rely
    """,
    "REFERENTIAL_CONSTRAINTS": """
        constraint_catalog constraint_schema constraint_name unique_constraint_catalog
        unique_constraint_schema unique_constraint_name match_option update_rule delete_rule comment
        created last_altered
    """,
    "SEQUENCES": """
        sequence_catalog sequence_schema sequence_name sequence_owner data_type numeric_precision
        numeric_precision_radix numeric_scale start_value minimum_value maximum_value next_value
        increment cycle_option created last_altered ordered comment
    """,
}


@pytest.mark.parametrize("view", COLUMNS)
def test_the_columns_are_the_documented_ones(snow: psycopg.Connection, view: str) -> None:
    assert columns(snow, f"SELECT * FROM INFORMATION_SCHEMA.{view}") == COLUMNS[view].split()


@pytest.mark.parametrize("view", ["COLUMNS", "KEY_COLUMN_USAGE", "FUNCTIONS"])
def test_the_others_are_there(snow: psycopg.Connection, view: str) -> None:
    assert columns(snow, f"SELECT * FROM hatidata.information_schema.{view}")


def test_tables_with_their_rows(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT) COMMENT = 'numbers'")
    ask("INSERT INTO t VALUES (1), (2)")
    ask("CREATE VIEW v AS SELECT * FROM t")
    rows = ask(
        "SELECT table_catalog, table_name, table_type, row_count, comment, bytes"
        " FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA() ORDER BY table_name"
    )
    assert [tuple(row.values()) for row in rows] == [
        (DATABASE, "t", "BASE TABLE", 2, "numbers", 16),
        (DATABASE, "v", "VIEW", None, None, None),
    ]


def test_columns_in_snowflakes_words(ask: Ask) -> None:
    ask("CREATE TABLE t (n NUMBER(10,2) NOT NULL, s VARCHAR(20), f FLOAT, ts TIMESTAMP_NTZ)")
    rows = ask(
        "SELECT column_name, data_type, is_nullable, numeric_precision, numeric_scale,"
        " character_maximum_length, comment FROM hatidata.INFORMATION_SCHEMA.COLUMNS c"
        " WHERE c.table_name = 't' AND c.table_schema = 'work' ORDER BY ordinal_position"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("n", "NUMBER", "NO", 10, 2, None, None),
        ("s", "TEXT", "YES", None, None, 20, None),
        ("f", "FLOAT", "YES", None, None, None, None),
        ("ts", "TIMESTAMP_NTZ", "YES", None, None, None, None),
    ]


def test_constraints_and_what_they_refer_to(ask: Ask) -> None:
    ask("CREATE TABLE p (x INT PRIMARY KEY)")
    ask("CREATE TABLE c (y INT REFERENCES p (x))")
    kinds = ask(
        "SELECT table_name, constraint_type, enforced FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS"
        " WHERE table_schema = 'work' ORDER BY 1"
    )
    assert [tuple(row.values()) for row in kinds] == [
        ("c", "FOREIGN KEY", "NO"),
        ("p", "PRIMARY KEY", "YES"),
    ]
    [row] = ask(
        "SELECT r.unique_constraint_name, k.table_name"
        " FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS r"
        " JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE k"
        " ON k.constraint_name = r.unique_constraint_name AND k.table_schema = 'work'"
        " WHERE r.constraint_schema = 'work'"
    )
    assert row["table_name"] == "p"


def test_it_joins_with_tables(ask: Ask) -> None:
    ask("CREATE TABLE wanted AS SELECT 'wanted' AS name")
    found = ask(
        "SELECT w.name FROM wanted w JOIN information_schema.tables t ON t.table_name = w.name"
    )
    assert found == [{"name": "wanted"}]


def test_qualified_columns_are_found(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    sql = (
        "SELECT tables.table_name, information_schema.tables.row_count"
        " FROM information_schema.tables WHERE tables.table_schema = 'work'"
    )
    assert ask(sql) == [{"table_name": "t", "row_count": 0}]


@pytest.mark.parametrize(
    "sql",
    [
        "select table_name from information_schema.tables where table_schema = 'pg_catalog'",
        'select column_name from "hatidata".INFORMATION_SCHEMA.columns limit 0',
        "select c.relname from pg_catalog.pg_class c"
        " join INFORMATION_SCHEMA.TABLES t on t.table_name = c.relname limit 1",
        "select count(*) from information_schema.role_table_grants",
        "select has_table_privilege('pg_class', 'select') from INFORMATION_SCHEMA.TABLES limit 1",
    ],
)
def test_what_postgres_tools_ask_goes_to_postgres(sql: str) -> None:
    from proxy.sql.plan import Dialect, Route, plan_message

    [statement] = plan_message(sql, Dialect(database="hatidata"))
    assert (statement.route, statement.sql) == (Route.POSTGRES, "")


def test_other_dialects_ask_postgres(snow: psycopg.Connection) -> None:
    snow.execute("SET hatidata.dialect = 'postgres'")
    names = columns(snow, "SELECT * FROM INFORMATION_SCHEMA.TABLES LIMIT 0")
    assert "row_count" not in names
    snow.execute("SET hatidata.dialect = 'snowflake'")


@pytest.mark.parametrize("database", ["snowflake", "work", "nowhere"])
def test_another_databases_views_are_not_ours(snow: psycopg.Connection, database: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        snow.execute(f"SELECT table_name FROM {database}.information_schema.tables")
    assert caught.value.sqlstate == "3D000"
