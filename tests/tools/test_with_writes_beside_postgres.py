"""WITH of statements that change data: what they answer, and leave, is what a real Postgres answers and leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ..protocol.targets import Target

_TABLES = """
CREATE TABLE a (id int PRIMARY KEY, v varchar(20), j jsonb);
CREATE TABLE archive (id int, v text, j jsonb, at timestamptz DEFAULT '2020-01-01');
CREATE TABLE t (id serial PRIMARY KEY, k text UNIQUE, n numeric(10,2) DEFAULT 0, tags text[]);
CREATE TABLE parents (id serial PRIMARY KEY, name text);
CREATE TABLE children (id serial PRIMARY KEY, pid int REFERENCES parents, name text);
CREATE TABLE acc (id int PRIMARY KEY, bal int, k text UNIQUE);
CREATE VIEW over_t AS SELECT k, n FROM t;
INSERT INTO a SELECT i, 'v' || i, '{"n": 1}' FROM generate_series(1, 10) AS g (i);
INSERT INTO t (k, n, tags) VALUES ('old', 1, '{x,y}'), ('other', 2, NULL);
INSERT INTO acc VALUES (1, 100, 'a'), (2, 50, 'b'), (3, 0, 'c')
"""
_STATEMENTS = """
WITH moved AS (DELETE FROM a WHERE id <= 3 RETURNING *) INSERT INTO archive SELECT * FROM moved
WITH moved AS (DELETE FROM a WHERE id = 4 RETURNING id, v) INSERT INTO archive (id, v) SELECT * FROM moved RETURNING *
WITH ins AS (INSERT INTO t (k) VALUES ('old') ON CONFLICT DO NOTHING RETURNING id, n) \
SELECT id, n FROM ins UNION ALL SELECT id, n FROM t WHERE k = 'old'
WITH ins AS (INSERT INTO t (k) VALUES ('new') ON CONFLICT DO NOTHING RETURNING id) \
SELECT id FROM ins UNION ALL SELECT id FROM t WHERE k = 'new'
WITH ins AS (INSERT INTO t (k, n) VALUES ('old', 9) ON CONFLICT (k) DO UPDATE SET n = excluded.n RETURNING *) \
SELECT ins.n AS now, t.n AS before FROM ins JOIN t USING (id)
WITH upd AS (UPDATE t SET n = n + 1 WHERE k = 'x' RETURNING *) \
INSERT INTO t (k, n) SELECT 'x', 5 WHERE NOT EXISTS (SELECT 1 FROM upd)
WITH upd AS (UPDATE t SET n = n + 1 WHERE k = 'x' RETURNING *) \
INSERT INTO t (k, n) SELECT 'x', 5 WHERE NOT EXISTS (SELECT 1 FROM upd)
WITH upd AS (UPDATE t SET n = n * 2) SELECT k, n FROM t ORDER BY k
WITH upd AS (UPDATE t SET n = n * 2 RETURNING k, n, tags) SELECT * FROM upd ORDER BY k
WITH upd AS (UPDATE t SET n = 0 RETURNING k) SELECT over_t.k, over_t.n FROM over_t JOIN upd USING (k) ORDER BY 1
WITH upd (a, b) AS (UPDATE t SET n = 7 RETURNING k, n) SELECT b, a FROM upd ORDER BY a
WITH p AS (INSERT INTO parents (name) VALUES ('p') RETURNING id) INSERT INTO children (pid, name) \
SELECT id, c FROM p, (VALUES ('c'), ('d')) v (c) RETURNING pid, name
WITH p AS (INSERT INTO parents (name) VALUES ('q') RETURNING id), \
c AS (INSERT INTO children (pid, name) SELECT id, 'e' FROM p RETURNING id, pid) SELECT p.id, c.* FROM p, c
WITH c AS (DELETE FROM children WHERE pid = 1) DELETE FROM parents WHERE id = 1
WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3), \
i AS (INSERT INTO archive (id) SELECT n FROM r RETURNING id) SELECT i.id, r.n FROM i JOIN r ON r.n = i.id ORDER BY 1
WITH s AS (SELECT random() AS r), i AS (INSERT INTO archive (v) SELECT r::text FROM s RETURNING v) \
SELECT (SELECT r FROM s) = (SELECT v::float FROM i)
WITH s AS NOT MATERIALIZED (SELECT max(id) AS m FROM a), i AS MATERIALIZED (INSERT INTO a SELECT m + 1 FROM s RETURNING id) \
SELECT i.id, s.m, (SELECT max(id) FROM a) FROM i, s
WITH x AS (WITH y AS (SELECT 77 AS q) INSERT INTO archive (id) SELECT q FROM y RETURNING id) SELECT * FROM x
WITH z AS (SELECT 5 AS w), x AS (WITH y AS (SELECT w AS q FROM z) INSERT INTO archive (id) SELECT q FROM y RETURNING id) \
SELECT x.id FROM x
WITH del AS (DELETE FROM a RETURNING *) INSERT INTO a SELECT id, v || '!', j FROM del RETURNING id, v, j
WITH d AS (UPDATE acc SET bal = bal - 30 WHERE id = 1 RETURNING *), \
c AS (UPDATE acc SET bal = bal + 30 WHERE id = 2 RETURNING *) SELECT * FROM d UNION ALL SELECT * FROM c
WITH d AS (UPDATE acc SET bal = bal - 1, k = 'k' WHERE id = 1), c AS (DELETE FROM acc WHERE id = 3 RETURNING id) \
INSERT INTO acc SELECT 4, sum(bal), 'd' FROM acc RETURNING *
WITH i AS (INSERT INTO acc VALUES (9, 9, 'i') RETURNING id) UPDATE acc SET bal = 0 RETURNING id, bal
WITH i AS (INSERT INTO acc VALUES (10, 9, 'j') RETURNING id) UPDATE acc SET bal = 1 FROM i WHERE acc.id = i.id RETURNING bal
WITH n AS (SELECT id FROM a ORDER BY id LIMIT 1 FOR UPDATE) UPDATE a SET v = 'got' FROM n WHERE a.id = n.id RETURNING a.*
UPDATE a SET v = 'sub' WHERE id = (SELECT id FROM a ORDER BY id DESC LIMIT 1 FOR UPDATE) RETURNING id, v
WITH n AS (SELECT 1 AS a), i AS (INSERT INTO archive (id) VALUES (1)) VALUES (1), (2)
WITH i AS (INSERT INTO archive (id) SELECT 5 RETURNING id) SELECT count(*) FROM archive WHERE id = 5
WITH i AS (INSERT INTO archive (id) VALUES (1) RETURNING id), u AS (UPDATE t SET n = 3 RETURNING id) SELECT 1 AS one
WITH u AS (UPDATE t SET n = 100) SELECT * FROM u
WITH u AS (UPDATE t SET n = n / 0 RETURNING *) SELECT 1
WITH u AS (UPDATE t SET n = 5 RETURNING *) SELECT 1 / 0 FROM u
WITH u AS (UPDATE t SET n = 5 RETURNING *), i AS (INSERT INTO a VALUES (6)) SELECT * FROM u
WITH u AS (UPDATE t SET n = 1 RETURNING nope) SELECT * FROM u
WITH u AS (UPDATE t SET n = 1 RETURNING *) SELECT nope FROM u
WITH u AS (UPDATE t SET n = 1 RETURNING *) SELECT * FROM u WHERE (
WITH u AS (UPDATE nowhere SET n = 1 RETURNING *) SELECT * FROM u
WITH u AS (UPDATE t SET n = 1 RETURNING k) INSERT INTO archive (v) SELECT * FROM later
SELECT * FROM (WITH u AS (UPDATE t SET n = 1 RETURNING *) SELECT * FROM u) AS s
WITH w AS (WITH u AS (DELETE FROM t RETURNING *) SELECT * FROM u) SELECT * FROM w
WITH w AS (WITH u AS (DELETE FROM t RETURNING *) INSERT INTO archive (v) SELECT k FROM u) SELECT 1
INSERT INTO archive (v) WITH u AS (DELETE FROM t RETURNING *) SELECT k FROM u
CREATE VIEW changing AS WITH u AS (UPDATE t SET n = 1 RETURNING *) SELECT * FROM u
DECLARE c CURSOR WITH HOLD FOR WITH u AS (UPDATE t SET n = 1 RETURNING *) SELECT * FROM u
WITH u AS (UPDATE t SET n = 1 RETURNING *) SELECT * FROM a FOR UPDATE
SELECT 1 FROM a WHERE id IN (SELECT id FROM a UNION SELECT 1 FOR UPDATE)
""".replace("\\\n", "").strip().splitlines()  # fmt: skip
_LEFT = ("a", "archive", "t", "parents", "children", "acc")


@pytest.fixture(scope="module")
def both(server: Any, real_postgres: Target) -> Iterator[list[psycopg.Connection]]:
    """A session of ours in Postgres's dialect, and one of a real server's."""
    there = real_postgres
    options = {"host": there.host, "port": there.port, "user": there.user, "dbname": there.database}
    with (
        server.connect(options="-c hatidata.dialect=postgres") as ours,
        psycopg.connect(**options, autocommit=True) as real,
    ):
        for one in (ours, real):
            one.execute("SET TimeZone = 'UTC'")
            one.execute("CREATE SCHEMA parts")
            one.execute("SET search_path = parts")
            for statement in _TABLES.split(";"):
                one.execute(statement.encode())
        yield [ours, real]
        for one in (ours, real):
            one.execute("DROP SCHEMA parts CASCADE")


def _answer(connection: psycopg.Connection, sql: str) -> Any:
    try:
        cursor = connection.execute(sql.encode())
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary
    rows = sorted(cursor.fetchall(), key=str) if cursor.description else None
    return cursor.statusmessage, rows, [one.name for one in cursor.description or ()]


def test_each_answers_and_leaves_the_same(both: list[psycopg.Connection]) -> None:
    for sql in _STATEMENTS:
        ours, real = (_answer(one, sql) for one in both)
        assert ours == real, sql
        for table in _LEFT:
            rows = [_answer(one, f"SELECT * FROM {table} ORDER BY 1, 2") for one in both]
            if "random()" not in sql and table != "archive":
                assert rows[0] == rows[1], (sql, table)


def test_parameters_are_of_the_types_that_postgres_infers(both: list[psycopg.Connection]) -> None:
    sql = b"""
    WITH s AS (SELECT $1::int + 1 AS m), u AS (UPDATE t SET n = n + $2 WHERE k = $3 RETURNING k, n),
    i AS (INSERT INTO archive (id, v, at) SELECT m, $4, $5 FROM s RETURNING id, v)
    SELECT u.*, i.*, $6::date + 1 AS d FROM u, i WHERE i.id > $1
    """
    told = []
    for one in both:
        one.pgconn.prepare(b"parts", sql)
        said = one.pgconn.describe_prepared(b"parts")
        parameters = [said.param_type(n) for n in range(said.nparams)]
        told.append((parameters, [(said.fname(n), said.ftype(n)) for n in range(said.nfields)]))
        values = [b"41", b"1.50", b"x", b"v", b"2024-01-01", b"2024-02-28"]
        rows = []
        for _ in range(3):
            result = one.pgconn.exec_prepared(b"parts", values)
            rows.append([result.get_value(0, n) for n in range(result.nfields)])
        told[-1] += (rows,)
    ours, real = told
    assert ours[0] == real[0]
    assert [name for name, _ in ours[1]] == [name for name, _ in real[1]]
    assert ours[2] == real[2]
