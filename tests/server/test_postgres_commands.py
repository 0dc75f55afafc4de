"""Commands of Postgres's grammar: they work, change nothing that matters here, or are refused by their name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.pq import DiagnosticField

_TAKEN = """
SET LOGGED / SET UNLOGGED / CLUSTER ON t_n / SET WITHOUT CLUSTER / SET (fillfactor = 70, autovacuum_enabled = off) /
RESET (fillfactor) / SET ACCESS METHOD heap / SET TABLESPACE pg_default / ALTER COLUMN n SET STATISTICS 100 /
ALTER n SET STATISTICS -1 / ALTER COLUMN s SET STORAGE EXTERNAL / ALTER COLUMN n SET (n_distinct = 5) /
ENABLE TRIGGER ALL / DISABLE TRIGGER USER / DISABLE ROW LEVEL SECURITY / NO FORCE ROW LEVEL SECURITY /
REPLICA IDENTITY FULL / SET LOGGED, SET (fillfactor = 50) / VALIDATE CONSTRAINT ck / ALTER COLUMN s TYPE text COLLATE "C"
"""
_DONE = """
DROP TRIGGER IF EXISTS nope ON t
DROP POLICY IF EXISTS nope ON t
DROP RULE IF EXISTS nope ON t
DROP DOMAIN IF EXISTS nope
DROP FUNCTION IF EXISTS nope(int)
DROP PROCEDURE IF EXISTS nope(int)
DROP INDEX CONCURRENTLY IF EXISTS nope
DROP SCHEMA IF EXISTS nope, nope2 CASCADE
ALTER INDEX t_n SET (fillfactor = 70)
ALTER VIEW v SET (security_barrier)
"""
_REFUSED = """
ALTER TABLE t ENABLE ROW LEVEL SECURITY | ALTER TABLE ... ENABLE ROW LEVEL SECURITY
ALTER TABLE t INHERIT other | ALTER TABLE ... INHERIT
ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1) | ALTER TABLE ... ATTACH PARTITION
ALTER TABLE t ADD CONSTRAINT e EXCLUDE USING gist (n WITH =) | ALTER TABLE ... ADD CONSTRAINT EXCLUDE
CREATE TABLE e (a int, EXCLUDE USING gist (a WITH =)) | EXCLUDE
CREATE TABLE e (a int UNIQUE NULLS NOT DISTINCT) | UNIQUE NULLS NOT DISTINCT
CREATE TABLE e (a int) PARTITION BY RANGE (a) | PARTITION BY
CREATE TYPE e AS (a int, b text) | CREATE TYPE ... AS (...)
CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq) | CREATE OPERATOR
UPDATE t SET (n, s) = (SELECT random(), 'y') | SET (...) = (SELECT ...) that calls a volatile function
UPDATE t SET n = 1 WHERE CURRENT OF c | WHERE CURRENT OF
SELECT n FROM t GROUP BY DISTINCT n | GROUP BY DISTINCT
"""


@pytest.fixture
def there(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect(options="-c hatidata.dialect=postgres") as one:
        one.execute("CREATE SCHEMA commands")
        one.execute("SET search_path = commands")
        one.execute(
            "CREATE TABLE t (id int PRIMARY KEY, n int, s text, CONSTRAINT ck CHECK (n < 9))"
        )
        one.execute("CREATE INDEX t_n ON t (n)")
        one.execute("CREATE VIEW v AS SELECT n FROM t")
        yield one
        one.execute("DROP SCHEMA commands CASCADE")


def _both(connection: psycopg.Connection, sql: str) -> list[str]:
    """What each protocol says: the command's tag, or SQLSTATE and message."""
    fields = (DiagnosticField.SQLSTATE, DiagnosticField.MESSAGE_PRIMARY)
    found = []
    for result in (
        connection.pgconn.exec_(sql.encode()),
        connection.pgconn.exec_params(sql.encode(), []),
    ):
        said = [result.error_field(one) for one in fields]
        text = " ".join(one.decode() for one in said if one)
        found.append(text or (result.command_status or b"").decode())
    return found


def test_what_changes_nothing_here_is_taken(there: psycopg.Connection) -> None:
    for action in _TAKEN.replace("\n", " ").split("/"):
        assert _both(there, f"ALTER TABLE t {action.strip()}") == ["ALTER TABLE"] * 2, action
    for sql in _DONE.strip().splitlines():
        kind = " ".join(sql.split()[:2])
        assert _both(there, sql) == [kind] * 2, sql
    kept = there.execute("SELECT relpersistence FROM pg_class WHERE oid = 't'::regclass").fetchone()
    assert kept == ("p",)


def test_what_is_not_there_is_said_so(there: psycopg.Connection) -> None:
    missing = 'trigger "nope" for table "t" does not exist'
    assert _both(there, "ALTER TABLE t DISABLE TRIGGER nope") == [f"42704 {missing}"] * 2
    assert _both(there, "ALTER TABLE u SET LOGGED") == ['42P01 relation "u" does not exist'] * 2


def test_what_is_not_supported_is_named(there: psycopg.Connection) -> None:
    for line in _REFUSED.strip().splitlines():
        sql, _, what = line.partition(" | ")
        refusal = f"0A000 {what} is not supported on analytical tables"
        assert _both(there, sql.strip()) == [refusal] * 2, sql
