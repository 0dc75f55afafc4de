"""SHOW: what is listed, in which columns, and what narrows it.

The columns and their order are those of docs.snowflake.com/en/sql-reference/sql/show-tables,
show-views, show-schemas, show-databases, show-columns, show-objects, show-sequences,
show-primary-keys, show-unique-keys, show-imported-keys, show-functions, show-procedures,
show-parameters, show-variables, show-warehouses, show-roles and show-users, section "Output".
"""

from __future__ import annotations

import subprocess
from typing import Any

import psycopg
import pytest

from .conftest import DATABASE, Ask, columns

TERSE = ["created_on", "name", "kind", "database_name", "schema_name"]
KEY = "created_on database_name schema_name table_name column_name key_sequence constraint_name"
FOREIGN = """
    created_on pk_database_name pk_schema_name pk_table_name pk_column_name fk_database_name
    fk_schema_name fk_table_name fk_column_name key_sequence update_rule delete_rule fk_name pk_name
    deferrability rely comment
"""
LISTINGS = {
    "TABLES": """
        created_on name database_name schema_name kind comment cluster_by rows bytes owner
        retention_time automatic_clustering change_tracking search_optimization
        search_optimization_progress search_optimization_bytes is_external enable_schema_evolution
        owner_role_type is_event budget is_hybrid is_iceberg is_dynamic is_immutable
    """,
    "VIEWS": """
        created_on name reserved database_name schema_name owner comment text is_secure
        is_materialized owner_role_type change_tracking
    """,
    "SCHEMAS": """
        created_on name is_default is_current database_name owner comment options retention_time
        owner_role_type
    """,
    "DATABASES": """
        created_on name is_default is_current origin owner comment options retention_time kind
        budget owner_role_type object_visibility
    """,
    "COLUMNS": """
        table_name schema_name column_name data_type null? default kind expression comment
        database_name autoincrement schema_evolution_record
    """,
    "OBJECTS": """
        created_on name database_name schema_name kind comment cluster_by rows bytes owner
        retention_time owner_role_type is_hybrid is_dynamic is_iceberg
    """,
    "SEQUENCES": """
        name database_name schema_name next_value interval created_on owner comment
        owner_role_type ordered
    """,
    "PRIMARY KEYS": f"{KEY} rely comment",
    "UNIQUE KEYS": f"{KEY} rely comment",
    "IMPORTED KEYS": FOREIGN,
    "EXPORTED KEYS": FOREIGN,
    "FUNCTIONS": """
        created_on name schema_name is_builtin is_aggregate is_ansi min_num_arguments
        max_num_arguments arguments description catalog_name is_table_function
        valid_for_clustering is_secure secrets external_access_integrations is_external_function
        language is_memoizable is_data_metric
    """,
    "PROCEDURES": """
        created_on name schema_name is_builtin is_aggregate is_ansi min_num_arguments
        max_num_arguments arguments description catalog_name is_table_function
        valid_for_clustering is_secure
    """,
    "PARAMETERS": "key value default level description type",
    "VARIABLES": "session_id created_on updated_on name value type comment",
    "ROLES": """
        created_on name is_default is_current is_inherited assigned_to_users granted_to_roles
        granted_roles owner comment
    """,
}


@pytest.mark.parametrize("what", LISTINGS)
def test_the_columns_are_the_documented_ones(snow: psycopg.Connection, what: str) -> None:
    assert columns(snow, f"SHOW {what}") == LISTINGS[what].split()


@pytest.mark.parametrize("what", ["TABLES", "VIEWS", "SCHEMAS", "DATABASES", "OBJECTS"])
def test_terse_has_five_columns(snow: psycopg.Connection, what: str) -> None:
    assert columns(snow, f"SHOW TERSE {what}") == TERSE


def test_warehouses_and_users_begin_as_documented(snow: psycopg.Connection) -> None:
    assert columns(snow, "SHOW WAREHOUSES")[:4] == ["name", "state", "type", "size"]
    assert columns(snow, "SHOW USERS")[:3] == ["name", "created_on", "login_name"]


def test_a_table_is_listed_with_its_place_and_its_rows(ask: Ask) -> None:
    ask("CREATE TABLE orders (id INT) COMMENT = 'what was ordered'")
    ask("INSERT INTO orders VALUES (1), (2), (3)")
    ask("DELETE FROM orders WHERE id = 1")
    [row] = ask("SHOW TABLES IN SCHEMA work")
    assert (row["name"], row["database_name"], row["schema_name"]) == ("orders", DATABASE, "work")
    assert (row["kind"], row["comment"], row["rows"]) == ("TABLE", "what was ordered", 2)
    assert (row["bytes"], row["owner"]) == (24, "tester")


def test_rows_count_what_the_transaction_sees(ask: Ask, snow: psycopg.Connection) -> None:
    ask("CREATE TABLE t (i INT)")
    with snow.transaction(force_rollback=True):
        ask("INSERT INTO t VALUES (1)")
        assert [row["rows"] for row in ask("SHOW TABLES LIKE 't' IN work")] == [1]
    assert [row["rows"] for row in ask("SHOW TABLES LIKE 't' IN work")] == [0]


def test_a_table_that_is_not_committed_is_its_authors_alone(
    ask: Ask, snow: psycopg.Connection, connection: psycopg.Connection
) -> None:
    with snow.transaction(force_rollback=True):
        ask("CREATE TABLE mine (i INT)")
        assert len(ask("SHOW TABLES LIKE 'mine'")) == 1
        assert connection.execute("SHOW TABLES LIKE 'mine'").fetchall() == []
    assert ask("SHOW TABLES LIKE 'mine'") == []


@pytest.fixture
def things(ask: Ask) -> None:
    for name in ("alpha", "beta", "betamax", "gamma"):
        ask(f"CREATE TABLE {name} (i INT)")
    ask('CREATE TABLE "Beta2" (i INT)')
    ask("CREATE VIEW beta_view AS SELECT * FROM beta")


@pytest.mark.parametrize(
    ("clause", "names"),
    [
        ("LIKE 'BETA%'", ["Beta2", "beta", "betamax"]),
        ("LIKE 'bet_'", ["beta"]),
        ("STARTS WITH 'beta'", ["beta", "betamax"]),
        ("STARTS WITH 'BETA'", []),
        ("STARTS WITH 'B'", ["Beta2"]),
        ("LIMIT 2", ["Beta2", "alpha"]),
        ("LIMIT 2 FROM 'beta'", ["betamax", "gamma"]),
        ("LIKE '%a%' STARTS WITH 'bet' LIMIT 1", ["beta"]),
    ],
)
def test_what_narrows_a_listing(ask: Ask, things: None, clause: str, names: list[str]) -> None:
    # IN stands between LIKE and STARTS WITH.
    like, starts, rest = clause.partition("STARTS WITH")
    if not starts:
        like, limit, rest = clause.partition("LIMIT")
        starts = limit
    listed = ask(f"SHOW TABLES {like} IN SCHEMA work {starts} {rest}")
    assert [row["name"] for row in listed] == names


def test_in_names_a_schema_a_database_or_the_account(ask: Ask, things: None) -> None:
    def names(scope: str) -> set[str]:
        return {row["name"] for row in ask(f"SHOW VIEWS {scope}")}

    for scope in ("IN work", "IN SCHEMA hatidata.work", "IN SCHEMA", "IN hatidata.work"):
        assert names(scope) == {"beta_view"}
    for scope in ("IN ACCOUNT", "IN DATABASE", "IN DATABASE hatidata", ""):
        assert "beta_view" in names(scope)
    assert names("IN SCHEMA public") == set()


def test_objects_are_tables_and_views(ask: Ask, things: None) -> None:
    kinds = {row["name"]: row["kind"] for row in ask("SHOW OBJECTS IN SCHEMA work")}
    assert (kinds["beta"], kinds["beta_view"], len(kinds)) == ("TABLE", "VIEW", 6)


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SHOW TABLES IN SCHEMA nowhere", "3F000"),
        ("SHOW TABLES IN DATABASE other", "3D000"),
        ("SHOW COLUMNS IN TABLE nothing", "42P01"),
        ("SHOW TERSE COLUMNS", "42601"),
        ("SHOW TABLES HISTORY", "0A000"),
        ("SHOW SHARES", "0A000"),
        ("SHOW GRANTS ON TABLE nothing", "42P01"),
        ("SHOW GRANTS ON WAREHOUSE w", "0A000"),
        ("SHOW TABLES LIKE", "42601"),
    ],
)
def test_what_is_not_there_is_an_error(snow: psycopg.Connection, sql: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        snow.execute(sql)
    assert raised.value.sqlstate == sqlstate


def test_columns_have_snowflakes_types(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT NOT NULL, n NUMBER(10,2) DEFAULT 1.5, s VARCHAR(20) COMMENT 'c',"
        " d DATE, id INT IDENTITY(5, 2))")  # fmt: skip
    found = {row["column_name"]: row for row in ask("SHOW COLUMNS IN TABLE t")}
    assert list(found) == ["i", "n", "s", "d", "id"]
    assert found["i"]["data_type"] == ('{"type":"FIXED","precision":38,"scale":0,"nullable":false}')
    assert found["i"]["null?"] == "NOT_NULL"
    assert found["s"]["data_type"] == (
        '{"type":"TEXT","length":20,"byteLength":80,"nullable":true,"fixed":false}'
    )
    assert (found["n"]["default"], found["s"]["comment"]) == ("1.5", "c")
    assert found["id"]["autoincrement"] == "IDENTITY START 5 INCREMENT 2 ORDER"


def test_keys_of_all_kinds(ask: Ask) -> None:
    ask("CREATE TABLE customers (id INT PRIMARY KEY, email VARCHAR UNIQUE)")
    ask("CREATE TABLE orders (a INT, b INT, c INT REFERENCES customers (id), PRIMARY KEY (a, b),"
        " CONSTRAINT twice FOREIGN KEY (a) REFERENCES work.customers NOT ENFORCED)")  # fmt: skip
    primary = ask("SHOW PRIMARY KEYS IN TABLE orders")
    assert [(k["column_name"], k["key_sequence"]) for k in primary] == [("a", 1), ("b", 2)]
    assert [k["column_name"] for k in ask("SHOW UNIQUE KEYS IN customers")] == ["email"]
    imported = {k["fk_name"]: k for k in ask("SHOW IMPORTED KEYS IN TABLE orders")}
    assert {k["fk_column_name"] for k in imported.values()} == {"a", "c"}
    assert imported["twice"]["pk_column_name"] == "id"
    assert imported["twice"]["pk_table_name"] == "customers"
    exported = ask("SHOW EXPORTED KEYS IN TABLE customers")
    assert {k["fk_name"] for k in exported} == set(imported)


def test_sequences_and_what_comes_next(ask: Ask) -> None:
    ask("CREATE SEQUENCE s START = 5 INCREMENT = 2 NOORDER COMMENT = 'odd'")
    ask("CREATE TABLE t (id INT IDENTITY)")  # whose sequence is nobody's business
    ask("SELECT s.NEXTVAL")
    [row] = ask("SHOW SEQUENCES IN SCHEMA work")
    assert (row["name"], row["next_value"], row["interval"], row["comment"]) == ("s", 7, 2, "odd")


def test_one_sequence_is_described(ask: Ask, snow: psycopg.Connection) -> None:
    ask("CREATE OR REPLACE SEQUENCE public.counted START 3")
    ask("CREATE SEQUENCE counted START 7")
    for name, start in (("counted", 7), ("public.counted", 3), ("hatidata.work.counted", 7)):
        assert [row["next_value"] for row in ask(f"DESC SEQUENCE {name}")] == [start]
    for name, sqlstate in (("nowhere", "42P01"), ("work.nowhere", "42P01"), ("x.work.y", "3D000")):
        with pytest.raises(psycopg.Error) as caught:
            snow.execute(f"DESC SEQUENCE {name}")
        assert caught.value.sqlstate == sqlstate
    ask("DROP SEQUENCE public.counted")


def test_what_postgress_dialect_has_made(ask: Ask, connection: psycopg.Connection) -> None:
    """References have the names and rules that they have there, identities are no sequences."""
    connection.execute("SET hatidata.dialect = 'postgres'")
    connection.execute("CREATE TABLE work.a (id int PRIMARY KEY)")
    connection.execute(
        "CREATE TABLE work.b (id int GENERATED BY DEFAULT AS IDENTITY (START 5 INCREMENT 2), "
        "a int REFERENCES work.a ON DELETE CASCADE, CONSTRAINT own FOREIGN KEY (id) REFERENCES work.a)"
    )
    rules = {
        row["fk_name"]: (row["update_rule"], row["delete_rule"])
        for row in ask("SHOW IMPORTED KEYS IN TABLE b")
    }
    assert rules == {"b_a_fkey": ("NO ACTION", "CASCADE"), "own": ("NO ACTION", "NO ACTION")}
    named = "SELECT constraint_name FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS"
    told = ask(f"{named} WHERE constraint_schema = 'work'")
    assert {row["constraint_name"] for row in told} == set(rules)
    assert ask("SHOW SEQUENCES IN SCHEMA work") == []
    [identity] = ask("SHOW COLUMNS LIKE 'id' IN TABLE b")
    assert (identity["default"], identity["autoincrement"]) == (
        "",
        "IDENTITY START 5 INCREMENT 2 ORDER",
    )


def test_schemas_and_the_current_one(ask: Ask) -> None:
    found = {row["name"]: row for row in ask("SHOW SCHEMAS")}
    assert {"work", "public", "information_schema"} <= set(found)
    assert found["work"]["is_current"] == "Y"
    assert found["public"]["is_current"] == "N"
    assert [row["name"] for row in ask("SHOW SCHEMAS LIKE 'WORK'")] == ["work"]


def test_the_database_has_the_name_that_was_asked_for(ask: Ask) -> None:
    assert [row["name"] for row in ask("SHOW DATABASES")] == [DATABASE]


def test_roles_are_postgres_roles(ask: Ask) -> None:
    current = [row["name"] for row in ask("SHOW ROLES") if row["is_current"] == "Y"]
    assert current == ["tester"]
    assert [row["name"] for row in ask("SHOW USERS LIKE 'TESTER'")] == ["tester"]
    assert [row["name"] for row in ask("SHOW ROLES LIKE 'TESTER'", prepare=True)] == ["tester"]


@pytest.mark.parametrize("name", ["search_path", "server_version", "TimeZone", "client_encoding"])
def test_settings_are_shown_as_postgres_shows_them(ask: Ask, name: str) -> None:
    [row] = ask(f"SHOW {name}")
    assert list(row) == [name]


def test_show_all_is_postgres(ask: Ask) -> None:
    assert "search_path" in {row["name"] for row in ask("SHOW ALL")}


@pytest.mark.parametrize("dialect", ["postgres", "duckdb"])
def test_other_dialects_do_not_list(snow: psycopg.Connection, dialect: str) -> None:
    snow.execute(f"SET hatidata.dialect = '{dialect}'")
    with pytest.raises(psycopg.Error):
        snow.execute("SHOW TABLES")
    assert snow.execute("SHOW search_path").fetchone() == ("work",)
    snow.execute("SET hatidata.dialect = 'snowflake'")


def test_the_engines_own_functions_are_reached(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    sql = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'work'"
    assert ask(sql) == [{"table_name": "t"}]


def test_describing_a_listing_runs_nothing(snow: psycopg.Connection) -> None:
    prepared = snow.pgconn.prepare(b"listed", b"SHOW TERSE TABLES")
    assert prepared.status == psycopg.pq.ExecStatus.COMMAND_OK
    described = snow.pgconn.describe_prepared(b"listed")
    assert [described.fname(n) for n in range(described.nfields)] == [
        name.encode() for name in TERSE
    ]


def test_a_listing_is_a_result_to_query(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("CREATE TABLE u (i INT)")
    ask("SHOW TABLES IN SCHEMA work")
    scanned = 'SELECT "name" FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) WHERE "name" = \'u\''
    assert ask(scanned) == [{"name": "u"}]
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        ask("SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))")


def test_psql_shows_a_listing(server: Any, ask: Ask) -> None:
    ask("CREATE TABLE seen (i INT)")
    told = subprocess.run(
        ["psql", "-XAt", server.url, "-c", "SHOW TERSE TABLES LIKE 'SEEN' IN SCHEMA work"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.strip().split("|")[1:3] == ["seen", "TABLE"]
