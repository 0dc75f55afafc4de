"""When things were made and altered, whose they are, and what they take: CREATED, LAST_ALTERED, BYTES, owners.

docs.snowflake.com/en/sql-reference/info-schema/tables: CREATED, LAST_ALTERED, LAST_DDL, BYTES, TABLE_OWNER.
"""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.demo.server import ServerProcess

from .conftest import Ask

Moment = datetime.datetime


def times(ask: Ask, table: str, schema: str = "work") -> tuple[Moment, Moment] | None:
    found = ask(
        "SELECT created, last_altered, last_ddl FROM INFORMATION_SCHEMA.TABLES "
        f"WHERE table_schema = '{schema}' AND table_name = '{table}'"
    )
    if not found:
        return None
    assert found[0]["last_altered"] == found[0]["last_ddl"]
    return found[0]["created"], found[0]["last_altered"]


def now(ask: Ask) -> Moment:
    return ask("SELECT CURRENT_TIMESTAMP() AS now")[0]["now"]


def test_a_table_was_made_when_it_was_made(ask: Ask) -> None:
    before = now(ask)
    ask("CREATE TABLE t (i INT)")
    after = now(ask)
    created, altered = times(ask, "t") or (None, None)
    assert before <= created == altered <= after
    [shown] = ask("SHOW TABLES LIKE 't' IN SCHEMA work")
    assert (shown["created_on"], shown["owner"], shown["owner_role_type"]) == (
        created,
        "tester",
        "ROLE",
    )
    [terse] = ask("SHOW TERSE TABLES LIKE 't' IN SCHEMA work")
    assert terse["created_on"] == created


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ADD COLUMN j INT",
        "ALTER TABLE t ALTER COLUMN i SET NOT NULL",
        "COMMENT ON TABLE t IS 'numbers'",
        "ALTER TABLE t RENAME COLUMN i TO j",
        "ALTER TABLE t ADD PRIMARY KEY (i)",
    ],
)
def test_to_alter_is_not_to_make(ask: Ask, statement: str) -> None:
    ask("CREATE TABLE t (i INT)")
    created, _ = times(ask, "t") or (None, None)
    ask(statement)
    again, altered = times(ask, "t") or (None, None)
    assert again == created < altered


def test_rows_are_no_definition(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("INSERT INTO t VALUES (1)")
    assert len(set(times(ask, "t") or ())) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE OR REPLACE TABLE t (i INT)",
        "CREATE OR REPLACE TABLE t AS SELECT 1 AS i",
        "CREATE OR REPLACE TABLE t CLONE other",
        "CREATE OR REPLACE TABLE t LIKE other",
    ],
)
def test_what_is_replaced_is_new(ask: Ask, statement: str) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("CREATE TABLE other (i INT)")
    first = times(ask, "t") or ()
    others = times(ask, "other")
    ask(statement)
    second = times(ask, "t") or ()
    assert second[0] > first[0]
    assert len(set(second)) == 1
    assert times(ask, "other") == others


def test_what_is_there_already_is_not_made(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("CREATE VIEW v AS SELECT 1 AS a")
    first = times(ask, "t"), times(ask, "v")
    ask("CREATE TABLE IF NOT EXISTS t (i INT)")
    ask("CREATE VIEW IF NOT EXISTS v AS SELECT 1 AS a")
    assert (times(ask, "t"), times(ask, "v")) == first
    ask("DROP TABLE t")
    ask("CREATE TABLE IF NOT EXISTS t (i INT)")
    assert (times(ask, "t") or ())[0] > (first[0] or ())[0]


def test_a_new_name_keeps_what_was(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("CREATE VIEW v AS SELECT i FROM t")
    tables, views = times(ask, "t") or (), times(ask, "v") or ()
    ask("ALTER TABLE t RENAME TO u")
    ask("ALTER VIEW v RENAME TO w")
    assert times(ask, "t") is times(ask, "v") is None
    assert (times(ask, "u") or ())[0] == tables[0] < (times(ask, "u") or ())[1]
    assert (times(ask, "w") or ())[0] == views[0] < (times(ask, "w") or ())[1]


def test_tables_that_are_swapped_take_their_times_along(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("CREATE TABLE u (i INT)")
    first, second = times(ask, "t") or (), times(ask, "u") or ()
    ask("ALTER TABLE t SWAP WITH u")
    assert (times(ask, "t") or ())[0] == second[0]
    assert (times(ask, "u") or ())[0] == first[0]


def test_another_schema_keeps_what_was(ask: Ask) -> None:
    ask("CREATE SCHEMA beside")
    try:
        ask("CREATE TABLE t (i INT)")
        created, _ = times(ask, "t") or (None, None)
        ask("ALTER TABLE t RENAME TO beside.u")
        assert times(ask, "t") is None
        assert (times(ask, "u", "beside") or ())[0] == created
    finally:
        ask("DROP SCHEMA beside CASCADE")


def test_a_name_means_the_table_that_it_means(ask: Ask) -> None:
    ask("CREATE SCHEMA beside")
    try:
        ask("CREATE TABLE beside.t (i INT)")
        theirs = times(ask, "t", "beside")
        ask("CREATE TABLE t (i INT)")
        ask("CREATE OR REPLACE TABLE t (i INT)")
        ask("ALTER TABLE t ADD COLUMN j INT")
        ask("CREATE TEMPORARY TABLE u (i INT)")
        ask("CREATE TABLE work.u (i INT)")
        lasting = times(ask, "u")
        ask("ALTER TABLE u ADD COLUMN j INT")
        ask("DROP TABLE u")
        assert times(ask, "t", "beside") == theirs
        assert times(ask, "u") == lasting
    finally:
        ask("DROP SCHEMA beside CASCADE")


def test_an_open_transaction_sees_its_own_and_rolls_it_back(
    snow: psycopg.Connection, ask: Ask
) -> None:
    ask("CREATE TABLE t (i INT)")
    first = times(ask, "t") or ()
    ask("BEGIN")
    ask("CREATE OR REPLACE TABLE t (i INT)")
    ask("CREATE TABLE u (i INT)")
    assert (times(ask, "t") or ())[0] > first[0]
    assert times(ask, "u") is not None
    ask("ROLLBACK")
    assert times(ask, "t") == first
    assert times(ask, "u") is None


@pytest.mark.parametrize("asked", ["", "before", "between", "after"])
def test_back_to_a_savepoint(ask: Ask, asked: str) -> None:
    ask("CREATE TABLE t (i INT)")
    first = times(ask, "t") or ()
    ask("BEGIN")
    ask("ALTER TABLE t ADD COLUMN j INT")
    inside = times(ask, "t") if asked == "before" else None
    ask("SAVEPOINT a")
    inside = times(ask, "t") if asked == "between" else inside
    ask("CREATE OR REPLACE TABLE t (i INT)")
    if asked == "after":
        assert (times(ask, "t") or ())[0] > first[0]
    ask("ROLLBACK TO SAVEPOINT a")
    ask("CREATE TABLE u (i INT)")
    ask("COMMIT")
    created, altered = times(ask, "t") or (None, None)
    assert created == first[0] < altered < (times(ask, "u") or ())[0]
    assert inside in (None, (created, altered))


def test_a_build_of_many_steps_in_one_transaction(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("BEGIN")
    ask("CREATE TABLE t__tmp AS SELECT 1 AS i")
    ask("ALTER TABLE t RENAME TO t__backup")
    ask("ALTER TABLE t__tmp RENAME TO t")
    ask("DROP TABLE t__backup")
    ask("COMMIT")
    created, altered = times(ask, "t") or (None, None)
    assert created < altered <= now(ask)
    assert times(ask, "t__tmp") is times(ask, "t__backup") is None


def test_schemas_sequences_and_the_database(ask: Ask) -> None:
    before = now(ask)
    ask("CREATE SEQUENCE numbers")
    [sequence] = ask("SHOW SEQUENCES IN SCHEMA work")
    assert sequence["created_on"] >= before
    assert sequence["owner"] == "tester"
    [told] = ask(
        "SELECT sequence_owner, created, last_altered FROM INFORMATION_SCHEMA.SEQUENCES "
        "WHERE sequence_schema = 'work'"
    )
    assert tuple(told.values()) == ("tester", *[sequence["created_on"]] * 2)
    [schema] = ask("SHOW SCHEMAS LIKE 'work'")
    assert schema["created_on"] <= before
    assert schema["owner"] == "tester"
    [told] = ask(
        "SELECT schema_owner, created FROM INFORMATION_SCHEMA.SCHEMATA WHERE schema_name = 'work'"
    )
    assert tuple(told.values()) == ("tester", schema["created_on"])
    [database] = ask("SHOW DATABASES")
    assert database["created_on"] <= schema["created_on"]
    assert (database["owner"], database["owner_role_type"]) == ("tester", "ROLE")
    [told] = ask("SELECT database_owner, created FROM INFORMATION_SCHEMA.DATABASES")
    assert tuple(told.values()) == ("tester", database["created_on"])


def test_functions_and_procedures(ask: Ask) -> None:
    ask("CREATE FUNCTION f(a INT) RETURNS INT AS 'a + 1'")
    ask("CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS 'BEGIN RETURN 1; END'")
    question = (
        "SELECT created, last_altered, function_owner FROM INFORMATION_SCHEMA.FUNCTIONS "
        "WHERE function_name = 'f' AND function_schema = 'work'"
    )
    [first] = ask(question)
    assert first["created"] == first["last_altered"]
    assert first["function_owner"] == "tester"
    [shown] = ask("SHOW FUNCTIONS LIKE 'f' IN SCHEMA work")
    assert shown["created_on"] == first["created"]
    ask("ALTER FUNCTION f(INT) SET COMMENT = 'one more'")
    [second] = ask(question)
    assert first["created"] == second["created"] < second["last_altered"]
    ask("CREATE OR REPLACE FUNCTION f(a INT) RETURNS INT AS 'a + 2'")
    [third] = ask(question)
    assert third["created"] > second["created"]
    [procedure] = ask("SHOW PROCEDURES LIKE 'p' IN SCHEMA work")
    assert procedure["created_on"] > first["created"]


def test_an_owner_who_was_given_it(ask: Ask) -> None:
    ask("CREATE ROLE keeper")
    try:
        ask("CREATE TABLE t (i INT)")
        ask("GRANT ALL ON SCHEMA work TO ROLE keeper")
        ask("GRANT OWNERSHIP ON TABLE t TO ROLE keeper")
        [shown] = ask("SHOW TABLES LIKE 't' IN SCHEMA work")
        assert shown["owner"] == "keeper"
    finally:
        ask("DROP TABLE t")
        ask("DROP ROLE keeper")


def test_bytes_are_what_storage_holds(ask: Ask) -> None:
    def bytes_of(table: str) -> Any:
        [row] = ask(
            f"SELECT bytes FROM INFORMATION_SCHEMA.TABLES WHERE table_name = '{table}'"
            " AND table_schema = 'work'"
        )
        return row["bytes"]

    ask("CREATE TABLE t (i BIGINT, name TEXT)")
    ask("CREATE VIEW v AS SELECT * FROM t")
    assert (bytes_of("t"), bytes_of("v")) == (0, None)
    ask(
        "INSERT INTO t SELECT SEQ4(), RANDSTR(200, RANDOM()) FROM TABLE(GENERATOR(ROWCOUNT => 5000))"
    )
    assert bytes_of("t") > 8 * 5000
    ask("CHECKPOINT")
    stored = bytes_of("t")
    assert stored > 200 * 5000 / 2
    assert stored % 4096 == 0
    [shown] = ask("SHOW TABLES LIKE 't' IN SCHEMA work")
    assert shown["bytes"] == stored


def test_a_prepared_question_asks_each_time(snow: psycopg.Connection, ask: Ask) -> None:
    question = "SELECT created FROM INFORMATION_SCHEMA.TABLES WHERE table_name = %s AND bytes = 0"
    ask("CREATE TABLE t (i INT)")
    first = snow.execute(question, ["t"], prepare=True).fetchone()
    ask("CREATE OR REPLACE TABLE t (i INT)")
    second = snow.execute(question, ["t"], prepare=True).fetchone()
    assert first is not None
    assert second is not None
    assert first < second


def test_the_first_question_of_a_connection_may_be_described_before_it_is_asked(
    server: Any, ask: Ask
) -> None:
    ask("CREATE TABLE asked_first (i INT)")
    question = "SELECT created IS NOT NULL, table_owner FROM INFORMATION_SCHEMA.TABLES WHERE table_name = %s"
    rights = (
        "SELECT DISTINCT grantee FROM INFORMATION_SCHEMA.TABLE_PRIVILEGES WHERE table_name = %s"
    )
    with server.connect() as fresh, fresh.pipeline():
        told, granted = (
            fresh.execute(question, ["asked_first"]),
            fresh.execute(rights, ["asked_first"]),
        )
        assert told.fetchall() == [(True, "tester")]
        assert granted.fetchall() == [("tester",)]


def test_times_outlive_the_server() -> None:
    def told(url: str) -> list[Any]:
        with psycopg.connect(url, autocommit=True) as connection:
            shown = connection.execute("SHOW OBJECTS IN SCHEMA public").fetchall()
        return [(row[1], row[0]) for row in shown]

    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        with ServerProcess(Path(directory)) as server, psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE t (i INT)")
            connection.execute("CREATE VIEW v AS SELECT * FROM t")
            connection.commit()
            before = told(server.url)
        assert [name for name, _ in before] == ["t", "v"]
        assert all(moment is not None for _, moment in before)
        with ServerProcess(Path(directory)) as server:
            assert told(server.url) == before


def test_what_is_said_of_a_schema(ask: Ask) -> None:
    def said() -> str:
        [row] = ask("SHOW SCHEMAS LIKE 'work'")
        [told] = ask(
            "SELECT comment FROM hatidata.information_schema.schemata WHERE schema_name = 'work'"
        )
        assert (told["comment"] or "") == row["comment"]
        return row["comment"]

    ask("CREATE OR REPLACE SCHEMA work COMMENT = 'it''s here' DATA_RETENTION_TIME_IN_DAYS = 1")
    assert said() == "it's here"
    ask("ALTER SCHEMA work SET COMMENT = 'there'")
    assert said() == "there"
    ask("BEGIN")
    ask("COMMENT ON SCHEMA work IS 'nowhere'")
    assert said() == "nowhere"
    ask("ROLLBACK")
    assert said() == "there"
    ask("ALTER SCHEMA work UNSET COMMENT")
    assert said() == ""
    ask("COMMENT ON SCHEMA work IS 'again'")
    ask("CREATE OR REPLACE SCHEMA work")
    assert said() == ""


def test_what_is_said_of_the_database(ask: Ask) -> None:
    for statement in (
        "ALTER DATABASE hatidata SET COMMENT = 'all of it'",
        "COMMENT ON DATABASE hatidata IS 'all of it'",
    ):
        ask(statement)
        [row] = ask("SHOW DATABASES")
        assert row["comment"] == "all of it"
        ask("ALTER DATABASE hatidata UNSET COMMENT")
        assert ask("SELECT comment FROM INFORMATION_SCHEMA.DATABASES") == [{"comment": None}]


def test_a_views_text_is_its_authors(ask: Ask) -> None:
    ask("CREATE TABLE t (i INT)")
    ask("CREATE VIEW v AS SELECT i /* all */ FROM t WHERE IFF(i > 1, TRUE, FALSE)")
    [shown] = ask("SHOW VIEWS LIKE 'v' IN SCHEMA work")
    assert "SELECT i /* all */ FROM t WHERE IFF(i > 1, TRUE, FALSE)" in shown["text"]
    [told] = ask("SELECT view_definition FROM INFORMATION_SCHEMA.VIEWS WHERE table_schema = 'work'")
    [ddl] = ask("SELECT GET_DDL('VIEW', 'v') AS ddl")
    assert told["view_definition"] == shown["text"] == ddl["ddl"]
