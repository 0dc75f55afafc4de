"""TABLE(procedure(...)): a procedure that returns a table, as a source of a query."""

from __future__ import annotations

import psycopg
import pytest


@pytest.fixture
def procedures(connection: psycopg.Connection, schema: str) -> psycopg.Connection:
    connection.execute(
        "CREATE PROCEDURE rows_from(n INT) RETURNS TABLE (x INT, y VARCHAR) LANGUAGE SQL AS $$"
        " DECLARE r RESULTSET DEFAULT (SELECT :n x, 'a' y UNION ALL SELECT :n + 1, 'b');"
        " BEGIN RETURN TABLE(r); END $$"
    )
    connection.execute(
        "CREATE PROCEDURE one(n INT) RETURNS INT LANGUAGE SQL AS $$ BEGIN RETURN n; END $$"
    )
    return connection


def test_a_procedure_s_rows_are_a_source(procedures: psycopg.Connection) -> None:
    queries = {
        "SELECT * FROM TABLE(rows_from(5)) ORDER BY x": [(5, "a"), (6, "b")],
        "SELECT t.x * 2 FROM TABLE(rows_from(n => 7)) t WHERE y = 'b'": [(16,)],
        "SELECT COUNT(*) FROM TABLE(rows_from(1)) a, TABLE(rows_from(2)) b WHERE a.x = b.x": [(1,)],
        "WITH c AS (SELECT * FROM TABLE(scratch.rows_from(3))) SELECT SUM(x) FROM c": [(7,)],
    }
    for query, rows in queries.items():
        assert procedures.execute(query).fetchall() == rows, query


def test_what_returns_no_table_is_none(procedures: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.WrongObjectType, match="does not return a table"):
        procedures.execute("SELECT * FROM TABLE(one(1))")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        procedures.execute("SELECT * FROM TABLE(nosuch(1))")


def test_procedures_are_altered(procedures: psycopg.Connection) -> None:
    for statement in (
        "ALTER PROCEDURE one(INT) RENAME TO same",
        "ALTER PROCEDURE same(INT) EXECUTE AS CALLER",
        "ALTER PROCEDURE same(INT) SET LOG_LEVEL = WARN, TAG a = 'x', b = 'y'",
        "ALTER PROCEDURE IF EXISTS nosuch(INT) UNSET COMMENT",
        "COMMENT ON PROCEDURE same(INT) IS 'said'",
    ):
        procedures.execute(statement)
    assert procedures.execute("CALL same(3)").fetchone() == (3,)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="SECRETS"):
        procedures.execute("ALTER PROCEDURE same(INT) SET SECRETS = ('a' = b)")


def test_an_argument_that_is_left_out_may_be_null(
    connection: psycopg.Connection, schema: str
) -> None:
    connection.execute(
        "CREATE FUNCTION said(a VARCHAR DEFAULT NULL) RETURNS VARCHAR"
        " AS $$ SELECT COALESCE(a, 'nothing') $$"
    )
    assert connection.execute("SELECT said(), said('x')").fetchone() == ("nothing", "x")


def test_a_function_s_table_may_be_of_another_schema(
    connection: psycopg.Connection, schema: str
) -> None:
    connection.execute(
        "CREATE FUNCTION scratch.two(n INT) RETURNS TABLE (x INT)"
        " AS $$ SELECT n UNION ALL SELECT n + 1 $$"
    )
    connection.execute("SET search_path = main")
    queries = {
        "SELECT x FROM TABLE(scratch.two(3)) ORDER BY x": [(3,), (4,)],
        "SELECT f.x FROM (SELECT 8 v) a, TABLE(hatidata.scratch.two(a.v)) f ORDER BY 1": [
            (8,),
            (9,),
        ],
    }
    for query, rows in queries.items():
        assert connection.execute(query).fetchall() == rows, query
