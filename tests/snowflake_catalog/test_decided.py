"""Statements about Snowflake's cloud: taken with a notice, done otherwise, or refused."""

from __future__ import annotations

import psycopg
import pytest

from .conftest import Ask
from .test_definitions import rows


def notices(snow: psycopg.Connection, text: str) -> list[str]:
    heard: list[str] = []
    snow.add_notice_handler(lambda diagnostic: heard.append(diagnostic.message_primary or ""))
    snow.execute(text)
    return heard


@pytest.mark.parametrize(
    "text",
    [
        "CREATE WAREHOUSE IF NOT EXISTS w WITH WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60",
        "ALTER WAREHOUSE w SUSPEND",
        "DROP WAREHOUSE IF EXISTS w",
        "CREATE OR REPLACE TAG cost_center ALLOWED_VALUES 'a', 'b' COMMENT = 'c'",
        "CREATE MASKING POLICY p AS (v VARCHAR) RETURNS VARCHAR -> '***'",
        "CREATE RESOURCE MONITOR m WITH CREDIT_QUOTA = 100",
        "GRANT USAGE ON WAREHOUSE w TO ROLE public",
    ],
)
def test_what_changes_no_answer_is_taken_with_a_notice(snow: psycopg.Connection, text: str) -> None:
    assert len(notices(snow, text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TASK t SCHEDULE = '1 MINUTE' AS SELECT 1",
        "CREATE STREAM s ON TABLE t",
        "CREATE PIPE p AS COPY INTO t FROM @s",
        "CREATE ALERT a IF (EXISTS (SELECT 1)) THEN SELECT 1",
        "ALTER TABLE t MODIFY COLUMN a SET MASKING POLICY p",
        "CREATE TABLE t (a VARCHAR WITH MASKING POLICY p)",
    ],
)
def test_what_would_change_answers_is_refused(snow: psycopg.Connection, text: str) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        snow.execute(text)


def test_a_table_may_be_named_like_a_cloud_object(ask: Ask) -> None:
    ask("CREATE TABLE stage (a INT)")
    ask("GRANT SELECT ON stage TO public")


def test_a_dynamic_table_is_a_view(snow: psycopg.Connection, ask: Ask) -> None:
    ask("CREATE TABLE base AS SELECT 1 a")
    heard = notices(
        snow,
        "CREATE OR REPLACE DYNAMIC TABLE d TARGET_LAG = '1 minute' WAREHOUSE = w"
        " REFRESH_MODE = FULL INITIALIZE = ON_CREATE AS SELECT a + 1 AS b FROM base",
    )
    assert len(heard) == 1
    ask("INSERT INTO base VALUES (5)")
    ask("ALTER DYNAMIC TABLE d REFRESH")
    assert rows(ask, "SELECT b FROM d ORDER BY b") == [(2,), (6,)]
    ask("DROP DYNAMIC TABLE d")


def test_a_recursive_view_reads_itself(ask: Ask) -> None:
    ask("CREATE RECURSIVE VIEW r (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 4")
    assert rows(ask, "SELECT SUM(n) FROM r")[0][0] == 10


def test_tags_and_properties_of_schemas_are_left_out(ask: Ask) -> None:
    ask("CREATE TABLE t (a VARCHAR(3) WITH TAG (k = 'v') COMMENT 'c', b INT) WITH TAG (k = 'v')")
    ask("INSERT INTO t VALUES ('abc', 1)")
    ask(
        "CREATE TRANSIENT SCHEMA IF NOT EXISTS managed WITH MANAGED ACCESS"
        " DATA_RETENTION_TIME_IN_DAYS = 1 COMMENT = 'c'"
    )
    ask("DROP SCHEMA managed")


def test_keys_are_enforced_unless_the_session_says_otherwise(
    snow: psycopg.Connection, ask: Ask
) -> None:
    ask("CREATE TABLE t (a INT PRIMARY KEY)")
    ask("INSERT INTO t VALUES (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask("INSERT INTO t VALUES (1)")
    ask("SET hatidata.enforce_keys = off")
    ask("CREATE TABLE loose (a INT PRIMARY KEY, b INT UNIQUE, c INT, CONSTRAINT u UNIQUE (b, c))")
    ask("INSERT INTO loose VALUES (1, 1, 1), (1, 1, 1)")
    with pytest.raises(psycopg.errors.NotNullViolation):
        ask("INSERT INTO loose VALUES (NULL, 2, 2)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask("INSERT INTO t VALUES (1)")
    ask("RESET hatidata.enforce_keys")


def test_keys_that_are_not_enforced_are_shown(snow: psycopg.Connection, ask: Ask) -> None:
    ask("SET hatidata.enforce_keys = off")
    ask("CREATE TABLE loose (a INT, b INT UNIQUE, c INT, CONSTRAINT pk PRIMARY KEY (a, c))")
    ask("RESET hatidata.enforce_keys")
    keys = ask("SHOW PRIMARY KEYS IN TABLE loose")
    assert [(k["column_name"], k["constraint_name"]) for k in keys] == [("a", "pk"), ("c", "pk")]
    of_postgres = (
        "SELECT contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'loose'::regclass AND contype IN ('p', 'u', 'c')"
    )
    assert sorted(rows(ask, of_postgres)) == [("p", "PRIMARY KEY (a, c)"), ("u", "UNIQUE (b)")]
