"""CREATE and ALTER as Snowflake's users write them: what is kept, what is done, what is refused.

docs.snowflake.com/en/sql-reference/sql/create-table, create-view, create-sequence, create-clone,
alter-table, comment, truncate-table.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.demo.server import ServerProcess

from .conftest import Ask


def rows(ask: Ask, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in ask(sql)]


# --- identities -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelled", "values"),
    [
        ("AUTOINCREMENT", [1, 2, 3]),
        ("IDENTITY", [1, 2, 3]),
        ("IDENTITY(100, 10)", [100, 110, 120]),
        ("AUTOINCREMENT START 5 INCREMENT 5 ORDER", [5, 10, 15]),
        ("IDENTITY START 1 INCREMENT 2 NOORDER", [1, 3, 5]),
        ("IDENTITY(-1, -1)", [-1, -2, -3]),
    ],
)
def test_an_identity_counts(ask: Ask, spelled: str, values: list[int]) -> None:
    ask(f"CREATE TABLE t (id INT {spelled}, v VARCHAR)")
    ask("INSERT INTO t (v) VALUES ('a'), ('b')")
    ask("INSERT INTO t VALUES (DEFAULT, 'c')")
    assert rows(ask, "SELECT id FROM t ORDER BY v") == [(value,) for value in values]


def test_an_identity_counts_from_any_schema(ask: Ask) -> None:
    ask("CREATE TABLE t (id INT IDENTITY, v INT)")
    ask("USE SCHEMA public")
    ask("INSERT INTO work.t (v) VALUES (1)")
    ask("INSERT INTO hatidata.work.t VALUES (DEFAULT, 2)")
    assert rows(ask, "SELECT id FROM work.t ORDER BY v") == [(1,), (2,)]


def test_a_table_takes_its_identity_along(ask: Ask) -> None:
    ask("CREATE TABLE t (id INT IDENTITY, v INT)")
    ask("ALTER TABLE t RENAME TO old")
    ask("CREATE TABLE t (id INT IDENTITY, v INT)")
    for table in ("t", "old", "old"):
        ask(f"INSERT INTO {table} (v) VALUES (0)")
    assert rows(ask, "SELECT MAX(id) FROM t UNION ALL SELECT MAX(id) FROM old") == [(1,), (2,)]
    ask("CREATE OR REPLACE TABLE t (id INT IDENTITY(7, 1), v INT)")
    ask("INSERT INTO t (v) VALUES (0)")
    assert rows(ask, "SELECT id FROM t") == [(7,)]
    ask("DROP TABLE t")
    ask("DROP TABLE old")
    assert rows(ask, "SELECT * FROM duckdb_sequences() WHERE schema_name = 'work'") == []


def test_a_definition_of_several_parts_is_all_there_or_nothing(
    ask: Ask, snow: psycopg.Connection
) -> None:
    with snow.transaction(force_rollback=True):
        ask("CREATE TABLE t (id INT IDENTITY) COMMENT = 'x'")
        ask("INSERT INTO t VALUES (DEFAULT)")
    assert ask("SHOW TABLES IN SCHEMA work") == []
    assert rows(ask, "SELECT * FROM duckdb_sequences() WHERE schema_name = 'work'") == []
    with pytest.raises(psycopg.Error):
        ask("ALTER TABLE t ADD COLUMN a INT, a INT")


def test_savepoints_repeat_all_parts(ask: Ask, snow: psycopg.Connection) -> None:
    with snow.transaction():
        ask("CREATE TABLE t (i INT) COMMENT = 'kept'")
        ask("SAVEPOINT s")
        ask("CREATE TABLE u (i INT)")
        ask("ROLLBACK TO s")
    assert [row["comment"] for row in ask("SHOW TABLES IN SCHEMA work")] == ["kept"]


# --- sequences ------------------------------------------------------------------------------------


def test_sequences_count_down_and_know_their_start(ask: Ask) -> None:
    ask("CREATE SEQUENCE down START = 3 INCREMENT = -2")
    ask("CREATE SEQUENCE plain")
    assert [ask("SELECT down.NEXTVAL AS n")[0]["n"] for _ in range(3)] == [3, 1, -1]
    known = rows(
        ask,
        "SELECT sequence_name, start_value, next_value FROM INFORMATION_SCHEMA.SEQUENCES"
        " WHERE sequence_schema = 'work' ORDER BY 1",
    )
    assert known == [("down", "3", "-3"), ("plain", "1", "1")]


def test_sequences_and_defaults_of_them(ask: Ask) -> None:
    ask("CREATE OR REPLACE SEQUENCE s START WITH 10 INCREMENT BY 5 ORDER")
    ask("CREATE TABLE t (id INT DEFAULT s.NEXTVAL, v INT)")
    ask("INSERT INTO t (v) VALUES (1), (2)")
    assert rows(ask, "SELECT id FROM t ORDER BY v") == [(10,), (15,)]
    assert ask("SELECT s.NEXTVAL") == [{"nextval": 20}]
    assert rows(ask, "SELECT work.s.NEXTVAL AS a FROM t ORDER BY a") == [(25,), (30,)]


# --- CLONE and LIKE -------------------------------------------------------------------------------


@pytest.fixture
def source(ask: Ask) -> None:
    ask("CREATE TABLE source (id INT IDENTITY(1, 1), k VARCHAR(3) UNIQUE COMMENT 'the key',"
        " n INT NOT NULL DEFAULT 5) COMMENT = 'commented'")  # fmt: skip
    ask("INSERT INTO source (k) VALUES ('a'), ('b')")


@pytest.mark.parametrize(("how", "there"), [("CLONE source", 2), ("LIKE source", 0)])
def test_a_copy_has_all_of_the_definition(ask: Ask, source: None, how: str, there: int) -> None:
    ask(f"CREATE TABLE copy {how}")
    assert rows(ask, "SELECT COUNT(*) FROM copy") == [(there,)]
    told = {row["name"]: row for row in ask("DESC TABLE copy")}
    assert (told["k"]["type"], told["k"]["unique key"]) == ("VARCHAR(3)", "Y")
    assert (told["k"]["comment"], told["n"]["null?"], told["n"]["default"]) == ("the key", "N", "5")
    ask("INSERT INTO copy (k) VALUES ('c')")
    assert rows(ask, "SELECT id, n FROM copy WHERE k = 'c'") == [(there + 1, 5)]
    assert rows(ask, "SELECT MAX(id) FROM source") == [(2,)]
    with pytest.raises(psycopg.errors.StringDataRightTruncation):
        ask("INSERT INTO copy (k) VALUES ('long')")
    assert [row["comment"] for row in ask("SHOW TABLES LIKE 'copy'")] == ["commented"]


def test_a_copy_is_made_of_what_is_there_when_it_is_made(ask: Ask, source: None) -> None:
    for n in range(2):
        ask("CREATE OR REPLACE TABLE copy CLONE source", prepare=True)
        assert len(ask("DESC TABLE copy")) == 3 + n
        ask(f"ALTER TABLE source ADD COLUMN more{n} INT")


def test_copies_across_schemas_and_of_nothing(ask: Ask, source: None) -> None:
    ask("CREATE SCHEMA IF NOT EXISTS other")
    ask("CREATE TABLE hatidata.other.copy CLONE hatidata.work.source")
    assert rows(ask, "SELECT COUNT(*) FROM other.copy") == [(2,)]
    ask("DROP SCHEMA other CASCADE")
    with pytest.raises(psycopg.errors.UndefinedTable):
        ask("CREATE TABLE copy CLONE nothing")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        ask("CREATE OR REPLACE TABLE source CLONE source")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        ask("CREATE TABLE copy CLONE source AT (OFFSET => -60)")


# --- comments -------------------------------------------------------------------------------------


def test_comments_are_kept(ask: Ask) -> None:
    ask("CREATE TABLE t (a INT COMMENT 'first', b INT) COMMENT = 'a table'")
    ask("CREATE VIEW v (x COMMENT 'shown') COMMENT = 'a view' AS SELECT a FROM t")
    assert [row["comment"] for row in ask("SHOW OBJECTS IN SCHEMA work")] == ["a table", "a view"]
    assert [row["comment"] for row in ask("DESC VIEW v")] == ["shown"]
    ask("ALTER TABLE t SET COMMENT = 'another'")
    ask("ALTER TABLE t ALTER COLUMN b COMMENT 'second'")
    ask("COMMENT ON VIEW v IS 'other'")
    assert [row["comment"] for row in ask("SHOW OBJECTS IN SCHEMA work")] == ["another", "other"]
    assert [row["comment"] for row in ask("DESC TABLE t")] == ["first", "second"]
    ask("ALTER TABLE t UNSET COMMENT")
    assert [row["comment"] for row in ask("SHOW TABLES IN SCHEMA work")] == [""]


def test_a_table_that_is_there_keeps_its_comment(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT) COMMENT = 'mine'")
    ask("CREATE TABLE IF NOT EXISTS t (i INT) COMMENT = 'not mine'")
    ask("CREATE TABLE IF NOT EXISTS t (i INT) COMMENT = 'not mine'", prepare=True)
    assert [row["comment"] for row in ask("SHOW TABLES IN SCHEMA work")] == ["mine"]


def test_comment_and_truncate_if_exists(ask: Ask, snow: psycopg.Connection) -> None:
    told: list[str] = []
    snow.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    ask("CREATE TABLE t AS SELECT 1 AS i")
    ask("COMMENT IF EXISTS ON TABLE t IS 'x'")
    ask("COMMENT IF EXISTS ON TABLE nothing IS 'x'")
    ask("TRUNCATE TABLE IF EXISTS t")
    ask("TRUNCATE TABLE IF EXISTS nothing")
    assert [(row["comment"], row["rows"]) for row in ask("SHOW TABLES IN work")] == [("x", 0)]
    assert told == ['table "nothing" does not exist, skipping'] * 2


def test_if_exists_of_what_is_not_there_can_be_prepared(ask: Ask) -> None:
    for _ in range(2):
        ask("COMMENT IF EXISTS ON COLUMN nothing.a IS 'x'", prepare=True)
        ask("TRUNCATE IF EXISTS nothing", prepare=True)


# --- ALTER ----------------------------------------------------------------------------------------


def test_alter_of_several_actions(ask: Ask) -> None:
    ask("CREATE TABLE t AS SELECT 1 AS a")
    ask("ALTER TABLE t ADD COLUMN b VARCHAR, c INT NOT NULL DEFAULT 7 COMMENT 'seven'")
    assert rows(ask, "SELECT * FROM t") == [(1, None, 7)]
    assert [row["null?"] for row in ask("DESC TABLE t")] == ["Y", "Y", "N"]
    ask("ALTER TABLE t DROP COLUMN b, c")
    assert rows(ask, "SELECT * FROM t") == [(1,)]
    ask("ALTER TABLE t ALTER COLUMN a SET NOT NULL")
    ask("ALTER TABLE t MODIFY COLUMN a DROP NOT NULL")
    ask("ALTER TABLE t RENAME COLUMN a TO z")
    assert [row["name"] for row in ask("DESC TABLE t")] == ["z"]


def test_tables_are_swapped_at_once(ask: Ask, snow: psycopg.Connection) -> None:
    ask("CREATE TABLE t AS SELECT 'old' AS v")
    ask("CREATE TABLE staged AS SELECT 'new' AS v")
    with snow.transaction(force_rollback=True):
        ask("ALTER TABLE t SWAP WITH staged")
        assert rows(ask, "SELECT * FROM t") == [("new",)]
    assert rows(ask, "SELECT * FROM t") == [("old",)]
    ask("ALTER TABLE t SWAP WITH staged")
    assert rows(ask, "SELECT t.v AS a, s.v AS b FROM t, staged s") == [("new", "old")]
    with pytest.raises(psycopg.errors.UndefinedTable):
        ask("ALTER TABLE t SWAP WITH nothing")
    assert rows(ask, "SELECT * FROM t") == [("new",)]


@pytest.mark.parametrize(
    "change",
    [
        "CLUSTER BY (i)",
        "DROP CLUSTERING KEY",
        "SET DATA_RETENTION_TIME_IN_DAYS = 3",
        "SET CHANGE_TRACKING = TRUE",
        "UNSET DATA_RETENTION_TIME_IN_DAYS",
    ],
)
def test_what_has_no_meaning_here_asks_for_the_table_alone(ask: Ask, change: str) -> None:
    ask("CREATE TABLE t (i INT)")
    ask(f"ALTER TABLE t {change}")
    with pytest.raises(psycopg.errors.UndefinedTable):
        ask(f"ALTER TABLE nothing {change}")


# --- CREATE ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRANSIENT TABLE t (i INT) DATA_RETENTION_TIME_IN_DAYS = 0",
        "CREATE OR REPLACE TRANSIENT TABLE t (i INT) CLUSTER BY (i) COPY GRANTS",
        "CREATE TEMPORARY TABLE t (i INT)",
        "CREATE LOCAL TEMP TABLE t (i INT)",
        "CREATE GLOBAL TEMPORARY TABLE t (i INT)",
        "CREATE VOLATILE TABLE t (i INT)",
        "CREATE TABLE t (i INT PRIMARY KEY RELY, j INT UNIQUE NOT ENFORCED)",
        "CREATE TABLE t (i INT, PRIMARY KEY (i) NOT ENFORCED)",
        "CREATE TABLE IF NOT EXISTS t (i NUMBER(38, 0) NOT NULL)",
    ],
)
def test_tables_are_made(ask: Ask, sql: str) -> None:
    ask(sql)
    ask("INSERT INTO t (i) VALUES (1)")
    assert rows(ask, "SELECT i FROM t") == [(1,)]
    ask("DROP TABLE t")


def test_a_table_of_typed_columns_from_a_query(ask: Ask) -> None:
    ask("CREATE TABLE t (a NUMBER(10, 2), b VARCHAR(3)) AS SELECT 1.239, 'x'")
    assert [row["type"] for row in ask("DESC TABLE t")] == ["NUMBER(10,2)", "VARCHAR(3)"]
    assert [str(value) for [value, _] in rows(ask, "SELECT * FROM t")] == ["1.24"]


def test_views(ask: Ask) -> None:
    ask("CREATE OR REPLACE SECURE VIEW v (a, b) COPY GRANTS AS SELECT 1, 2")
    assert ask("SELECT * FROM v") == [{"a": 1, "b": 2}]
    ask("ALTER VIEW v RENAME TO w")
    assert ask("SELECT a FROM w") == [{"a": 1}]


def test_a_materialized_view_is_a_view_and_says_so(ask: Ask, snow: psycopg.Connection) -> None:
    told: list[str] = []
    snow.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    ask("CREATE MATERIALIZED VIEW v AS SELECT 1 AS a")
    assert len(told) == 1
    assert ask("SELECT a FROM v") == [{"a": 1}]
    ask("DROP MATERIALIZED VIEW v")


def test_the_database_that_there_is(ask: Ask) -> None:
    ask("CREATE DATABASE IF NOT EXISTS hatidata")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="schema"):
        ask("CREATE DATABASE IF NOT EXISTS other")


@pytest.mark.parametrize(
    "sql",
    [
        "UNDROP TABLE t",
        "CREATE DATABASE d",
        "CREATE OR REPLACE DATABASE hatidata",
        "DROP DATABASE hatidata",
        "CREATE STREAM s ON TABLE t",
        "CREATE TASK t SCHEDULE = '1 minute' AS SELECT 1",
        "CREATE PIPE p AS COPY INTO t FROM @s",
        "CREATE EXTERNAL TABLE e (i INT)",
        "CREATE SCHEMA s CLONE work",
        "ALTER TABLE t SWAP WITH other.t",
    ],
)
def test_what_there_is_not_is_refused_by_name(snow: psycopg.Connection, sql: str) -> None:
    snow.execute("CREATE TABLE t (i INT)")
    with pytest.raises(psycopg.errors.FeatureNotSupported) as raised:
        snow.execute(sql)
    assert raised.value.diag.message_primary


def test_definitions_outlive_the_server() -> None:
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        with _served(directory) as connection:
            connection.execute("CREATE TABLE p (x INT PRIMARY KEY)")
            connection.execute(
                "CREATE TABLE t (id INT IDENTITY(10, 10), x INT REFERENCES p (x)) COMMENT = 'kept'"
            )
            connection.execute("INSERT INTO t (x) VALUES (1)")
        with _served(directory) as connection:
            connection.execute("INSERT INTO t (x) VALUES (2)")
            assert connection.execute("SELECT id FROM t ORDER BY x").fetchall() == [(10,), (20,)]
            [listed] = connection.execute("SHOW TABLES LIKE 't'").fetchall()
            assert listed[5] == "kept"
            assert len(connection.execute("SHOW IMPORTED KEYS").fetchall()) == 1
            described = connection.execute("DESC TABLE t").fetchall()
            assert described[0][4] == "IDENTITY START 10 INCREMENT 10 ORDER"


@contextmanager
def _served(directory: str) -> Iterator[psycopg.Connection]:
    with ServerProcess(Path(directory)) as up, up.connect("tester") as connection:
        connection.autocommit = True
        yield connection


def test_a_default_that_cannot_be_put_is_in_the_way_of_its_own_table_alone(
    snow: psycopg.Connection,
) -> None:
    snow.execute("SET hatidata.dialect = 'duckdb'")
    snow.execute("CREATE TABLE odd (a VARCHAR DEFAULT strftime(now(), '%Y'))")
    snow.execute("SET hatidata.dialect = 'snowflake'")
    snow.execute("CREATE TABLE even (a INT)")
    (ddl,) = snow.execute("SELECT GET_DDL('TABLE', 'even')").fetchone() or ("",)
    assert ddl == "create or replace TABLE even (\n\ta NUMBER(38,0)\n);"
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="GET_DDL of the DEFAULT strftime"):
        snow.execute("SELECT GET_DDL('TABLE', 'odd')")


def test_a_table_goes_where_its_new_name_says(ask: Ask, snow: psycopg.Connection) -> None:
    ask("DROP SCHEMA IF EXISTS other CASCADE")
    ask("CREATE SCHEMA other")
    ask("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(5) DEFAULT 'x') COMMENT = 'kept'")
    ask("INSERT INTO t (a) VALUES (1)")
    ask("ALTER TABLE t RENAME TO other.u")
    assert ask("SELECT * FROM other.u") == [{"a": 1, "b": "x"}]
    listed = "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables"
    there = ask(f"{listed} WHERE table_schema IN ('work', 'other')")
    assert [row["name"] for row in there] == ["other.u"]
    ask("ALTER TABLE other.u RENAME TO other.v")
    ask("ALTER TABLE other.v RENAME TO hatidata.work.w")
    [row] = ask("SHOW TABLES IN SCHEMA work")
    assert (row["name"], row["rows"], row["comment"]) == ("w", 1, "kept")
    ask("CREATE VIEW seen AS SELECT 1 AS a")
    for sql, sqlstate in (
        ("ALTER TABLE w RENAME TO nowhere.w", "3F000"),
        ("ALTER TABLE w RENAME TO nowhere.work.w", "3D000"),
    ):
        with pytest.raises(psycopg.Error) as caught:
            snow.execute(sql.encode())
        assert caught.value.sqlstate == sqlstate, sql
    ask("ALTER VIEW seen RENAME TO other.seen")
    ask("ALTER VIEW other.seen RENAME TO work.looked_at")
    assert ask("SELECT a FROM looked_at") == [{"a": 1}]
    ask("DROP SCHEMA other CASCADE")


def test_two_points_are_the_schema_public(snow: psycopg.Connection) -> None:
    snow.execute("CREATE OR REPLACE TABLE hatidata..two_points (a int)")
    snow.execute("INSERT INTO hatidata..two_points VALUES (3), (4)")
    asked = "SELECT max(t.a), '..' FROM hatidata . . two_points t JOIN public.two_points USING (a)"
    assert snow.execute(asked).fetchone() == (4, "..")
    snow.execute("DROP TABLE hatidata..two_points")


def test_columns_are_calculated_however_it_is_said(snow: psycopg.Connection) -> None:
    snow.execute(
        "CREATE TABLE c (a int, b int AS (a * 2), c int AS (a - 1) VIRTUAL,"
        " d varchar GENERATED ALWAYS AS (upper('n' || a)), e int GENERATED ALWAYS AS (a % 3) VIRTUAL,"
        " virtual int)"
    )
    snow.execute("INSERT INTO c (a, virtual) VALUES (5, 6)")
    assert snow.execute("SELECT * FROM c").fetchone() == (5, 10, 4, "N5", 2, 6)


def test_a_merge_takes_a_query_without_a_name(snow: psycopg.Connection) -> None:
    snow.execute("CREATE TABLE m (k int, v varchar)")
    snow.execute("INSERT INTO m VALUES (1, 'one'), (2, 'two')")
    snow.execute(
        "MERGE INTO m USING (SELECT 2 id) ON k = id WHEN MATCHED THEN UPDATE SET v = 'zwei'"
    )
    assert snow.execute("SELECT v FROM m ORDER BY k").fetchall() == [("one",), ("zwei",)]
    with pytest.raises(psycopg.errors.CardinalityViolation):
        snow.execute(
            "MERGE INTO m USING (SELECT 1 id UNION ALL SELECT 1) ON k = id WHEN MATCHED THEN DELETE"
        )
