"""What DuckDB refuses in words of its own is refused with the state and the words of Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

JOINED = "FROM (SELECT 1 AS k) s WHERE {}.id = s.k RETURNING s.k"
MERGE = "MERGE INTO t USING (SELECT 1 AS k) s ON t.id = s.k WHEN MATCHED THEN UPDATE SET n = 2"
POSTGRES = "-c hatidata.dialect=postgres -c search_path=refused"


@pytest.fixture
def connection(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect() as admin:
        admin.execute("CREATE SCHEMA refused")
    try:
        with server.connect(options=POSTGRES) as connection:
            connection.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT)")
            connection.execute("INSERT INTO t VALUES (1, 1), (2, 1)")
            connection.execute("CREATE VIEW v AS SELECT * FROM t")
            connection.execute("CREATE TABLE a (id INT, s TEXT, tags TEXT[][])")
            connection.execute("INSERT INTO a VALUES (1, '(1,x,{{y}})', '{{y}}')")
            yield connection
    finally:
        with server.connect() as admin:
            admin.execute("DROP SCHEMA refused CASCADE")


@pytest.mark.parametrize(
    ("sql", "sqlstate", "said"),
    [
        ("CREATE UNIQUE INDEX u ON t (n)", "23505", "could not create unique index"),
        ("CREATE TABLE c (tid BIGINT REFERENCES t)", "0A000", 'columns "tid" and "id"'),
        ("SELECT * FROM pragma_table_info('t')", "42501", "pragma_table_info is not allowed"),
        (f"UPDATE v SET n = 2 {JOINED.format('v')}", "0A000", "UPDATE ... FROM joins with a view"),
        (f"UPDATE t SET n = DEFAULT {JOINED.format('t')}, t.n", "0A000", "joins beside DEFAULT"),
        (f"WITH w AS (UPDATE t SET n = 2 {JOINED.format('t')}) TABLE w", "0A000", "a part of WITH"),
        (f"EXPLAIN UPDATE t SET n = 2 {JOINED.format('t')}", "0A000", "EXPLAIN of UPDATE"),
        (f"{MERGE} RETURNING *", "0A000", "RETURNING * of MERGE"),
        (f"{MERGE} RETURNING s.k", "0A000", "RETURNING of what MERGE joins"),
        ("INSERT INTO t SELECT FROM t", "0A000", "a SELECT without columns here"),
        ("SELECT * FROM (SELECT FROM t) s", "0A000", "a SELECT without columns here"),
        ("SELECT id FROM t WHERE id IN (SELECT FROM t)", "0A000", "a SELECT without columns here"),
        ("SELECT (n::text::a).id FROM t", "0A000", "a cast of other than a column"),
        ("SELECT (s::a).id FROM a", "0A000", 'whose column "tags" is of type'),
        ("SET TIME ZONE '+05:30'", "0A000", "time zone +05:30 is not supported for a session"),
        ("CREATE SEQUENCE q OWNED BY t.id", "0A000", "OWNED BY a column that a sequence is not"),
        ("SELECT json_array(s NULL ON NULL) FROM a", "0A000", "json_array is not supported"),
        ("SELECT json_value(s, '$.a.size()') FROM a", "0A000", "the path $.a.size()"),
        ("SELECT json_value(s, '$' RETURNING date) FROM a", "0A000", "JSON_VALUE of this type"),
        ("SELECT rank(1, 2) WITHIN GROUP (ORDER BY id, n) FROM t", "0A000", "of several values"),
        ("CREATE TYPE ab AS (a INT)", "0A000", "CREATE TYPE ... AS (...) is not supported"),
        ('CREATE TYPE refused."ab" AS (a INT)', "0A000", "CREATE TYPE, in a schema, AS (...)"),
        ("SELECT map([s], [1])::text FROM a", "0A000", "the text of a MAP"),
    ],
)
def test_refusals(connection: psycopg.Connection, sql: str, sqlstate: str, said: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql.encode())
    assert caught.value.sqlstate == sqlstate
    assert said in (caught.value.diag.message_primary or "")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_a_checkpoint_in_a_transaction_that_has_written(
    connection: psycopg.Connection, server: Any
) -> None:
    with (
        server.connect(options=POSTGRES) as other,
        pytest.raises(psycopg.errors.ActiveSqlTransaction),
        other.transaction(),
    ):
        other.execute("INSERT INTO t VALUES (3, 3)")
        other.execute("CHECKPOINT")
    assert connection.execute("CHECKPOINT").statusmessage == "CHECKPOINT"
