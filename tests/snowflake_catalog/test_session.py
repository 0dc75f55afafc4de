"""Who, where and with what: context functions, USE, variables, IDENTIFIER, session parameters.

Functions: docs.snowflake.com/en/sql-reference/functions-context. Variables:
docs.snowflake.com/en/sql-reference/session-variables. IDENTIFIER:
docs.snowflake.com/en/sql-reference/identifier-literal.
"""

from __future__ import annotations

import asyncio
import datetime
from decimal import Decimal
from typing import Any

import asyncpg
import psycopg
import pytest

from .conftest import DATABASE, Ask


def value(ask: Ask, sql: str, parameters: Any = None, **options: Any) -> Any:
    [row] = ask(sql, parameters, **options)
    return next(iter(row.values()))


# --- who and where --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("CURRENT_DATABASE()", DATABASE),
        ("CURRENT_SCHEMA()", "work"),
        ("CURRENT_USER()", "tester"),
        ("CURRENT_USER", "tester"),
        ("CURRENT_ROLE()", "tester"),
        ("INVOKER_ROLE()", "tester"),
        ("CURRENT_AVAILABLE_ROLES()", '["tester"]'),
        ("IS_ROLE_IN_SESSION('TESTER')", True),
        ("IS_ROLE_IN_SESSION('OTHER')", False),
        ("CURRENT_TRANSACTION()", None),
        ("CURRENT_IP_ADDRESS()", "127.0.0.1"),
        ("CURRENT_SECONDARY_ROLES()", '{"roles":"","value":"ALL"}'),
        ("session_user", "tester"),
        ("current_catalog", DATABASE),
    ],
)
def test_context_functions(ask: Ask, call: str, answer: Any) -> None:
    assert value(ask, f"SELECT {call}") == answer
    assert value(ask, f"SELECT {call}", prepare=True) == answer
    ask("CREATE TABLE t AS SELECT 1 AS i")
    assert value(ask, f"SELECT {call} FROM t") == answer


@pytest.mark.parametrize(
    "call",
    [
        *("CURRENT_WAREHOUSE()", "CURRENT_ACCOUNT()", "CURRENT_ACCOUNT_NAME()"),
        *("CURRENT_REGION()", "CURRENT_VERSION()", "CURRENT_SESSION()", "CURRENT_CLIENT()"),
        *("CURRENT_SCHEMAS()", "CURRENT_ORGANIZATION_NAME()", "LAST_QUERY_ID()"),
        *("CURRENT_DATE", "CURRENT_DATE()", "CURRENT_TIME", "CURRENT_TIMESTAMP(3)", "LOCALTIME"),
        *("LOCALTIMESTAMP", "SYSDATE()", "GETDATE()"),
    ],
)
def test_what_is_always_known(ask: Ask, call: str) -> None:
    assert value(ask, f"SELECT {call}") is not None


def test_the_statement_itself(ask: Ask) -> None:
    sql = "SELECT CURRENT_STATEMENT() -- asked"
    assert value(ask, sql) == sql


def test_sessions_have_numbers_of_their_own(ask: Ask, connection: psycopg.Connection) -> None:
    other = connection.execute("SELECT CURRENT_SESSION()").fetchone()
    assert (value(ask, "SELECT CURRENT_SESSION()"),) != other


def test_transactions_have_numbers(ask: Ask, snow: psycopg.Connection) -> None:
    with snow.transaction():
        inside = value(ask, "SELECT CURRENT_TRANSACTION()")
        assert inside is not None
    assert value(ask, "SELECT CURRENT_TRANSACTION()") is None
    assert value(ask, "SELECT LAST_TRANSACTION()") == inside


def test_queries_have_ids(ask: Ask) -> None:
    first, second = (value(ask, "SELECT LAST_QUERY_ID()") for _ in range(2))
    assert first != second
    assert value(ask, "SELECT LAST_QUERY_ID(-2)") == second
    assert value(ask, "SELECT LAST_QUERY_ID(1)") == value(ask, "SELECT LAST_QUERY_ID(1)")


# --- USE and names --------------------------------------------------------------------------------


def test_use_changes_where_one_is(ask: Ask) -> None:
    ask("CREATE TABLE t AS SELECT 1 AS i")
    ask("USE SCHEMA public")
    assert value(ask, "SELECT CURRENT_SCHEMA()") == "public"
    for name in ("work.t", "hatidata.work.t", "HATIDATA.WORK.T", '"hatidata"."work"."t"'):
        assert value(ask, f"SELECT * FROM {name}") == 1
    assert value(ask, "SELECT hatidata.work.t.i FROM hatidata.work.t") == 1
    ask("USE hatidata.work")
    assert value(ask, "SELECT CURRENT_SCHEMA()") == "work"
    ask("USE DATABASE hatidata")
    assert value(ask, "SELECT CURRENT_SCHEMA()") == "public"
    ask("USE SCHEMA hatidata.work")
    assert value(ask, "SELECT i FROM t") == 1


def test_three_part_names_in_definitions_and_changes(ask: Ask) -> None:
    ask("CREATE TABLE hatidata.work.t (i INT)")
    ask("INSERT INTO hatidata.work.t VALUES (1)")
    ask("UPDATE hatidata.work.t SET i = 2")
    ask("CREATE VIEW hatidata.work.v AS SELECT * FROM hatidata.work.t")
    assert value(ask, "SELECT i FROM hatidata.work.v") == 2
    ask("DROP VIEW hatidata.work.v")
    ask("ALTER TABLE hatidata.work.t RENAME TO u")
    ask("DELETE FROM hatidata.work.u")
    ask("DROP TABLE hatidata.work.u")


def test_warehouses_are_names(ask: Ask) -> None:
    ask("USE WAREHOUSE big")
    assert value(ask, "SELECT CURRENT_WAREHOUSE()") == "big"
    assert [row["name"] for row in ask("SHOW WAREHOUSES")] == ["big"]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("USE SCHEMA nowhere", "3F000"),
        ("USE DATABASE other", "3D000"),
        ("USE other.work", "3D000"),
        ("USE ROLE sysadmin", "0A000"),
        ("USE SECONDARY ROLES NONE", "0A000"),
    ],
)
def test_use_of_what_is_not_there(snow: psycopg.Connection, sql: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        snow.execute(sql)
    assert raised.value.sqlstate == sqlstate


def test_ones_own_role_may_be_used(ask: Ask) -> None:
    ask("USE ROLE tester")
    ask("USE SECONDARY ROLES ALL")


# --- variables ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("5", 5),
        ("-5.25", Decimal("-5.25")),
        ("'it''s'", "it's"),
        ("true", True),
        ("NULL", None),
        ("1.5::FLOAT", 1.5),
        ("'2024-02-29'::DATE", datetime.date(2024, 2, 29)),
        ("'2024-02-29 10:00:00.5'::TIMESTAMP", datetime.datetime(2024, 2, 29, 10, 0, 0, 500_000)),
        ("TO_BINARY('00ff', 'HEX')", b"\x00\xff"),
        ("40 + 2", 42),
        ("'a' || 'b'", "ab"),
        ("(SELECT MAX(column1) FROM VALUES (1), (3))", 3),
    ],
)
def test_a_variable_keeps_its_value_and_type(ask: Ask, written: str, read: Any) -> None:
    ask(f"SET x = {written}")
    assert value(ask, "SELECT $x") == read
    assert value(ask, "SELECT $X", prepare=True) == read


def test_variables_are_used_where_a_value_may_stand(ask: Ask) -> None:
    ask("CREATE TABLE t AS SELECT column1 AS i FROM VALUES (1), (2), (3)")
    ask("SET (low, most) = (2, 1)")
    assert value(ask, "SELECT i FROM t WHERE i >= $low ORDER BY i LIMIT $most") == 2
    ask("UPDATE t SET i = $low * 10 WHERE i = $most")
    assert value(ask, "SELECT COUNT(*) FROM t WHERE i = 20") == 1
    ask("SET most = $most + $low")
    assert value(ask, "SELECT $most") == 3
    ask("SET (a, b) = (SELECT 1, 'two')")
    assert ask("SELECT $a AS a, $b AS b") == [{"a": 1, "b": "two"}]


def test_names_are_variables_and_numbers_are_parameters(ask: Ask, snow: psycopg.Connection) -> None:
    ask("SET x = 10")
    assert value(ask, "SELECT $x + %s", [5]) == 15
    raw = psycopg.RawCursor(snow)
    assert raw.execute("SELECT $2::int - $1::int + $x", [1, 2]).fetchone() == (11,)


def test_a_prepared_statement_sees_the_variable_as_it_is(ask: Ask) -> None:
    for number in range(8):
        ask(f"SET x = {number}")
        assert value(ask, "SELECT $x * %s", [2], prepare=True) == number * 2


def test_a_client_is_never_given_another_type_than_it_was_told(server: Any) -> None:
    async def run() -> list[Any]:
        connection = await asyncpg.connect(server.url)
        try:
            await connection.execute("SET x = 'text'")
            prepared = await connection.prepare("SELECT $x")
            seen = [await prepared.fetchval()]
            await connection.execute("SET x = 5")
            with pytest.raises(asyncpg.InvalidCachedStatementError):
                await prepared.fetchval()
            await connection.execute("SET x = 'again'")
            return [*seen, await prepared.fetchval()]
        finally:
            await connection.close()

    assert asyncio.run(run()) == ["text", "again"]


def test_a_message_sees_what_it_has_set(snow: psycopg.Connection) -> None:
    cursor = snow.execute("SET x = 1; SET x = $x + 1; SELECT $x")
    while cursor.nextset():
        pass
    assert cursor.fetchone() == (2,)


def test_variables_are_listed_read_by_name_and_removed(ask: Ask) -> None:
    ask("SET x = 'one'")
    ask("SET (y, z) = (2, 3.5)")
    listed = {row["name"]: (row["value"], row["type"]) for row in ask("SHOW VARIABLES")}
    assert listed == {"X": ("one", "text"), "Y": ("2", "fixed"), "Z": ("3.5", "fixed")}
    assert [row["name"] for row in ask("SHOW VARIABLES LIKE 'x'")] == ["X"]
    assert value(ask, "SELECT GETVARIABLE('X')") == "one"
    assert value(ask, "SELECT GETVARIABLE('NONE')") is None
    ask("UNSET x")
    ask("UNSET (y, z)")
    assert ask("SHOW VARIABLES") == []
    with pytest.raises(psycopg.errors.UndefinedObject, match=r"\$X"):
        ask("SELECT $x")


def test_variables_are_the_sessions_own(ask: Ask, connection: psycopg.Connection) -> None:
    ask("SET mine = 1")
    with pytest.raises(psycopg.errors.UndefinedObject):
        connection.execute("SELECT $mine")


def test_variables_outlive_a_rollback(ask: Ask, snow: psycopg.Connection) -> None:
    with snow.transaction(force_rollback=True):
        ask("SET x = 1")
    assert value(ask, "SELECT $x") == 1


def test_what_cannot_be_a_variable(ask: Ask) -> None:
    with pytest.raises(psycopg.errors.StringDataRightTruncation):
        ask(f"SET x = '{'a' * 257}'")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        ask("SET x = PARSE_JSON('{}')")
    with pytest.raises(psycopg.errors.CardinalityViolation):
        ask("SET (x, y) = (SELECT 1, 2 WHERE FALSE)")


def test_settings_are_not_variables(ask: Ask) -> None:
    ask("SET application_name = 'app'")
    assert value(ask, "SHOW application_name") == "app"
    assert value(ask, "SELECT CURRENT_CLIENT()") == "app"
    with pytest.raises(psycopg.errors.UndefinedObject):
        ask("SELECT $application_name")


def test_identifier_names_tables_columns_and_functions(ask: Ask) -> None:
    ask("CREATE TABLE IDENTIFIER('hatidata.work.t') (i INT)")
    ask("SET name = 'work.t'")
    ask("INSERT INTO IDENTIFIER($name) VALUES (7)")
    assert value(ask, "SELECT IDENTIFIER('i') FROM IDENTIFIER($name)") == 7
    assert value(ask, "SELECT x.i FROM IDENTIFIER('T') AS x") == 7
    assert value(ask, "SELECT * FROM TABLE($name)") == 7
    assert value(ask, "SELECT * FROM TABLE('t')") == 7
    assert value(ask, "SELECT IDENTIFIER('abs')(-1)") == 1
    ask("SET name = 'work.u'")
    ask("CREATE TABLE u AS SELECT 8 AS i")
    assert value(ask, "SELECT * FROM IDENTIFIER($name)", prepare=True) == 8
    ask("SET name = 'work.t'")
    assert value(ask, "SELECT * FROM IDENTIFIER($name)", prepare=True) == 7
    ask("DROP TABLE IDENTIFIER($name)")


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SELECT * FROM IDENTIFIER('a b')", "42602"),
        ("SELECT * FROM IDENTIFIER('t; DROP TABLE t')", "42602"),
        ("SELECT * FROM IDENTIFIER('nothing')", "42P01"),
        ("SELECT * FROM IDENTIFIER($unset)", "42704"),
        ("SELECT * FROM IDENTIFIER('_sf.main.schemas_')", "42501"),
        ("SELECT * FROM IDENTIFIER('hd_runtime.task')", "0A000"),
    ],
)
def test_identifier_names_nothing_else(snow: psycopg.Connection, sql: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        snow.execute(sql)
    assert raised.value.sqlstate == sqlstate


# --- parameters -----------------------------------------------------------------------------------


def test_the_time_zone_is_the_settings(ask: Ask) -> None:
    ask("ALTER SESSION SET TIMEZONE = 'America/New_York'")
    assert value(ask, "SHOW timezone") == "America/New_York"
    [row] = ask("SHOW PARAMETERS LIKE 'timezone'")
    assert (row["value"], row["level"]) == ("America/New_York", "SESSION")
    ask("ALTER SESSION UNSET TIMEZONE")
    assert value(ask, "SHOW timezone") == "UTC"


def test_what_changes_no_answer_is_remembered(ask: Ask) -> None:
    ask("ALTER SESSION SET QUERY_TAG = 'nightly', USE_CACHED_RESULT = FALSE")
    found = {row["key"]: row["value"] for row in ask("SHOW PARAMETERS IN SESSION")}
    assert (found["QUERY_TAG"], found["USE_CACHED_RESULT"]) == ("nightly", "false")
    ask("ALTER SESSION UNSET QUERY_TAG, USE_CACHED_RESULT")
    assert {row["value"] for row in ask("SHOW PARAMETERS LIKE 'QUERY_TAG'")} == {""}


@pytest.mark.parametrize(
    ("setting", "sqlstate"),
    [
        ("QUOTED_IDENTIFIERS_IGNORE_CASE = TRUE", "0A000"),
        ("ROWS_PER_RESULTSET = 10", "0A000"),
        ("AUTOCOMMIT = FALSE", "0A000"),
        ("AUTOCOMMIT = 'perhaps'", "22023"),
        ("NO_SUCH_PARAMETER = 1", "42704"),
        ("TIMEZONE = 'Nowhere/Land'", "22023"),
    ],
)
def test_what_is_not_carried_out_is_refused_by_name(
    snow: psycopg.Connection, setting: str, sqlstate: str
) -> None:
    with pytest.raises(psycopg.Error) as raised:
        snow.execute(f"ALTER SESSION SET {setting}")
    assert raised.value.sqlstate == sqlstate
    assert setting.partition(" ")[0].lower() in str(raised.value).lower()


def test_all_of_an_alter_session_is_taken_or_nothing(ask: Ask) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        ask("ALTER SESSION SET QUERY_TAG = 'x', AUTOCOMMIT = FALSE")
    assert {row["value"] for row in ask("SHOW PARAMETERS LIKE 'QUERY_TAG'")} == {""}
