"""SQL functions, sequences and defaults of Snowflake's, and what GET_DDL and DESCRIBE say of them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest


def value(snow: psycopg.Connection, query: str) -> Any:
    row = snow.execute(query).fetchone()
    assert row is not None
    return row[0]


BODIES = [
    ("(s varchar) returns varchar", "upper(s)", "'a'", "A"),
    ("(s varchar) returns varchar", "left(s, 2) || '!'", "'abc'", "ab!"),
    (
        "(s varchar) returns varchar",
        "substr(s, 2) || reverse(s) || lpad(s, 4, '*')",
        "'abc'",
        "bccba*abc",
    ),
    ("(d date) returns varchar", "to_char(d, 'YYYY') || d", "'2024-02-03'", "20242024-02-03"),
    (
        "(d timestamp) returns varchar",
        "date_trunc('month', d)::date",
        "'2024-02-03 10:00:00'",
        "2024-02-01",
    ),
    ("(d date, n int) returns varchar", "dateadd(day, n, d)", "'2024-01-31', 1", "2024-02-01"),
    ("(v variant) returns varchar", "v:a::string", 'parse_json(\'{"a":"q"}\')', "q"),
    ("(s string) returns int", "regexp_count(s, 'a') + length(trim(s))", "' aab '", 5),
    (
        "(s varchar) returns int",
        "select count(*) from (values ('a'),('b')) v(x) where x <> s",
        "'b'",
        1,
    ),
    ("(s varchar default 'z', t varchar default 'y') returns varchar", "s || t", "t => 'q'", "zq"),
    ("(x int, y int) returns int strict", "nvl(x, 5) + nvl(y, 6)", "null, 1", None),
    ("(x int) returns int returns null on null input immutable memoizable", "x + 1", "1", 2),
    ("(x int) returns int called on null input", "nvl(x, 5)", "null", 5),
]


@pytest.mark.parametrize(("head", "body", "arguments", "expected"), BODIES)
def test_a_function_takes_what_it_declares(
    snow: psycopg.Connection, head: str, body: str, arguments: str, expected: Any
) -> None:
    snow.execute(f"CREATE FUNCTION fn {head} AS $$ {body} $$")
    assert value(snow, f"SELECT fn({arguments})") == expected


def test_functions_of_one_name_are_told_apart_by_their_types(snow: psycopg.Connection) -> None:
    snow.execute("CREATE FUNCTION add5(n number) RETURNS number AS 'n + 5'")
    snow.execute("CREATE FUNCTION add5(s string) RETURNS string AS $$ s || '5' $$")
    snow.execute("CREATE FUNCTION add5(a number, b number) RETURNS number AS 'a + b + 5'")
    asked = "SELECT add5(1), add5('1'), add5(1, 2)"
    assert snow.execute(asked).fetchone() == (6, "15", 8)
    with pytest.raises(psycopg.errors.DuplicateFunction):
        snow.execute("CREATE FUNCTION add5(x int) RETURNS int AS 'x'")
    snow.execute("CREATE OR REPLACE FUNCTION add5(x int) RETURNS int AS 'x + 50'")
    assert snow.execute(asked).fetchone() == (51, "15", 8)
    snow.execute("DROP FUNCTION add5(varchar)")
    assert snow.execute("SELECT add5(1), add5(1, 2)").fetchone() == (51, 8)
    snow.execute("ALTER FUNCTION add5(number) RENAME TO add50")
    assert snow.execute("SELECT add50(1), add5(1, 2)").fetchone() == (51, 8)
    with pytest.raises(psycopg.errors.UndefinedFunction):
        snow.execute("DROP FUNCTION add5(number)")


def test_functions_and_procedures_are_listed_with_their_types(snow: psycopg.Connection) -> None:
    snow.execute("CREATE SECURE FUNCTION fn(a int, b varchar DEFAULT 'q') RETURNS float AS '1'")
    snow.execute("ALTER FUNCTION fn(int, varchar) SET COMMENT = 'said'")
    snow.execute(
        "CREATE PROCEDURE pr(a date) RETURNS varchar LANGUAGE SQL AS 'begin return a; end'"
    )
    with snow.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        (shown,) = cursor.execute("SHOW FUNCTIONS LIKE 'fn'").fetchall()
        (listed,) = cursor.execute("SHOW PROCEDURES IN SCHEMA work").fetchall()
    assert shown["arguments"] == "fn(NUMBER, DEFAULT VARCHAR) RETURN FLOAT"
    assert (shown["description"], shown["is_secure"]) == ("said", "Y")
    assert (shown["min_num_arguments"], shown["max_num_arguments"]) == (1, 2)
    assert listed["arguments"] == "pr(DATE) RETURN VARCHAR"
    asked = (
        "SELECT argument_signature, data_type FROM INFORMATION_SCHEMA.{0}S WHERE {0}_name = '{1}'"
    )
    assert snow.execute(asked.format("FUNCTION", "fn")).fetchone() == (
        "(a NUMBER, b VARCHAR)",
        "FLOAT",
    )
    assert snow.execute(asked.format("PROCEDURE", "pr")).fetchone() == ("(a DATE)", "VARCHAR")
    described = dict(snow.execute("DESCRIBE FUNCTION fn(int, varchar)").fetchall())
    assert (described["signature"], described["returns"]) == ("(a NUMBER, b VARCHAR)", "FLOAT")
    with pytest.raises(psycopg.Error, match="does not exist"):
        snow.execute("DESCRIBE FUNCTION fn(date)")


def test_get_ddl_makes_the_same_again(snow: psycopg.Connection) -> None:
    snow.execute(
        "CREATE TABLE t (id int NOT NULL, v varchar(10) DEFAULT 'x' COMMENT 'said', n number(10,2),"
        " at timestamp_ltz DEFAULT current_timestamp(), PRIMARY KEY (id)) COMMENT = 'all'"
    )
    text = value(snow, "SELECT GET_DDL('TABLE', 't')")
    assert text == (
        "create or replace TABLE t (\n"
        "\tid NUMBER(38,0) NOT NULL,\n"
        "\tv VARCHAR(10) DEFAULT 'x' COMMENT 'said',\n"
        "\tn NUMBER(10,2),\n"
        "\tat TIMESTAMP_LTZ(9) DEFAULT CURRENT_TIMESTAMP(),\n"
        "\tprimary key (id)\n"
        ")COMMENT='all'\n;"
    )
    snow.execute(text)
    assert value(snow, "SELECT GET_DDL('table', 'work.t')") == text
    assert "hatidata.work.t" in value(snow, "SELECT GET_DDL('table', 't', true)")
    snow.execute("CREATE SEQUENCE s START 5 INCREMENT 2")
    assert value(snow, "SELECT GET_DDL('sequence', 's')") == (
        "create or replace sequence s start with 5 increment by 2 order;"
    )
    snow.execute("CREATE FUNCTION fn(a int) RETURNS int COMMENT = 'it''s' AS 'a + 1'")
    text = value(snow, "SELECT GET_DDL('function', 'fn(number)')")
    snow.execute("DROP FUNCTION fn(int)")
    snow.execute(text)
    assert value(snow, "SELECT GET_DDL('function', 'fn(int)')") == text
    schema = value(snow, "SELECT GET_DDL('schema', 'work')")
    assert [part in schema for part in ("TABLE t", "sequence s", 'FUNCTION "fn"')] == [True] * 3
    snow.execute("CREATE VIEW vw AS SELECT id, v FROM t WHERE id > 1")
    assert value(snow, "SELECT GET_DDL('view', 'vw')") == (
        "create or replace view vw(\n\tid,\n\tv\n) as SELECT id, v FROM t WHERE id > 1;"
    )
    with pytest.raises(psycopg.Error, match="does not exist"):
        snow.execute("SELECT GET_DDL('table', 'nowhere')")


def test_get_ddl_keeps_the_columns_names_of_a_view(snow: psycopg.Connection) -> None:
    snow.execute("CREATE TABLE t (i int)")
    snow.execute('CREATE VIEW named (a, "B c") AS SELECT i, i + 1 FROM t')
    text = value(snow, "SELECT GET_DDL('view', 'named')")
    assert text == 'create or replace view named(\n\ta,\n\t"B c"\n) as SELECT i, i + 1 FROM t;'
    snow.execute("DROP VIEW named")
    snow.execute(text)
    assert value(snow, "SELECT GET_DDL('view', 'work.named', true)").startswith(
        "create or replace view work.named("
    )
    snow.execute(
        "CREATE RECURSIVE VIEW counted (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 3"
    )
    assert value(snow, "SELECT GET_DDL('view', 'counted')").endswith(
        ") as SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 3;"
    )
    assert value(snow, "SELECT GET_DDL('view', 't')") is None


def test_a_sequence_is_altered_and_read_as_a_table(snow: psycopg.Connection) -> None:
    snow.execute("CREATE SEQUENCE s START 5 INCREMENT 2")
    assert value(snow, "SELECT s.nextval") == 5
    snow.execute("ALTER SEQUENCE s SET INCREMENT BY 10, COMMENT = 'tens'")
    assert snow.execute("SELECT s.nextval, s.nextval").fetchone() == (15, 25)
    snow.execute("ALTER SEQUENCE IF EXISTS s RENAME TO t")
    snow.execute("ALTER SEQUENCE t UNSET COMMENT")
    assert value(snow, "SELECT nextval FROM TABLE(GETNEXTVAL(t))") == 35
    asked = "SELECT x.nextval, v.a FROM (VALUES (1), (2)) v(a), TABLE(GETNEXTVAL(t)) x"
    assert sorted(row[0] for row in snow.execute(asked)) == [45, 55]
    snow.execute("CREATE TABLE numbered (n int DEFAULT t.nextval)")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        snow.execute("ALTER SEQUENCE t SET INCREMENT 1")
    assert value(snow, "SELECT t.nextval") == 65


DEFAULTS = [
    ("timestamp", "to_timestamp('2024-01-01 00:00:00')", "2024-01-01 00:00:00.000"),
    ("date", "to_date('2024-01-02')", "2024-01-02"),
    ("time", "to_time('10:00:00')", "10:00:00"),
    ("timestamp_ntz", "convert_timezone('UTC', '2024-01-01 00:00:00 +0100'::timestamp_tz)", None),
    ("timestamp_tz", "to_timestamp_tz('2024-01-01 00:00:00 +0100')", None),
    ("timestamp", "current_timestamp::timestamp_ntz", None),
    ("timestamp", "sysdate()", None),
    ("varchar", "to_char('2024-01-02'::date, 'YYYY')", "2024"),
    ("varchar", "left('abc', 2)", "ab"),
    ("varchar(5)", "upper('a') || lower('B')", "Ab"),
    ("date", "dateadd(day, 1, '2024-01-01'::date)", "2024-01-02"),
    ("array", "array_construct(1, 2)", "[1,2]"),
    ("object", "object_construct('a', 1)", '{"a":1}'),
    ("boolean", "'yes'::boolean", "true"),
]


@pytest.mark.parametrize(("kind", "default", "expected"), DEFAULTS)
def test_a_default_may_call_functions(
    snow: psycopg.Connection, kind: str, default: str, expected: str | None
) -> None:
    snow.execute(f"CREATE TABLE t (a int, d {kind} DEFAULT {default})")
    snow.execute("INSERT INTO t (a) VALUES (1)")
    got = value(snow, "SELECT to_varchar(d) FROM t")
    assert got is not None
    assert expected in (None, got)
    snow.execute(f"ALTER TABLE t ADD COLUMN e {kind} DEFAULT {default}")


def test_a_check_may_call_functions(snow: psycopg.Connection) -> None:
    snow.execute("CREATE TABLE t (s varchar, CHECK (substr(s, 1, 1) = 'b' AND length(s) > 1))")
    snow.execute("INSERT INTO t VALUES ('bc')")
    with pytest.raises(psycopg.errors.CheckViolation):
        snow.execute("INSERT INTO t VALUES ('cc')")


def test_stages_and_file_formats_are_in_the_information_schema(snow: psycopg.Connection) -> None:
    snow.execute("CREATE FILE FORMAT ff TYPE = csv FIELD_DELIMITER = '|' COMMENT = 'pipes'")
    snow.execute("CREATE STAGE st FILE_FORMAT = ff COMMENT = 'files'")
    asked = "SELECT stage_schema, stage_name, stage_type, comment FROM INFORMATION_SCHEMA.STAGES"
    assert snow.execute(asked).fetchall() == [("work", "st", "Internal Named", "files")]
    asked = (
        "SELECT file_format_name, file_format_type, field_delimiter, comment"
        " FROM information_schema.file_formats WHERE created <= current_timestamp()"
    )
    assert snow.execute(asked).fetchall() == [("ff", "CSV", "|", "pipes")]


def test_a_function_may_have_the_name_of_one_of_the_engines(snow: psycopg.Connection) -> None:
    snow.execute("CREATE FUNCTION multiply(a number, b number) RETURNS number AS 'a * b * 10'")
    assert snow.execute("SELECT multiply(3, 4), 3 * 4").fetchone() == (120, 12)
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        snow.execute("CREATE FUNCTION printf(a number) RETURNS number AS 'a'")


def test_calls_in_calls_are_bound_once(snow: psycopg.Connection) -> None:
    """DuckDB puts arguments into macros wherever these name them: it would bind these for days."""
    said = "t"
    for _ in range(6):
        said = f"to_varchar(to_date({said}, 'YYYY-MM-DD'), 'YYYY-MM-DD')"
    snow.execute("CREATE TABLE days (t VARCHAR)")
    snow.execute("INSERT INTO days VALUES ('2024-02-29'), ('2024-03-01'), ('2024-02-29')")
    grouped = f"SELECT {said}, count(*) FROM days GROUP BY {said} ORDER BY 1"
    assert snow.execute(grouped).fetchall() == [("2024-02-29", 2), ("2024-03-01", 1)]
    body = f"upper({said}) || reverse({said}) || lpad({said}, 12, '*')"
    snow.execute(f"CREATE FUNCTION thrice(t VARCHAR) RETURNS VARCHAR AS $$ {body} $$")
    assert value(snow, "SELECT thrice('2024-02-29')") == "2024-02-2992-20-4202**2024-02-29"
