"""INSERT ... ON CONFLICT, asked of our server in Postgres's dialect and of a real one: the same outcome."""

from __future__ import annotations

from typing import Any

import psycopg

from ..protocol.targets import Target

_TABLES = """
CREATE TABLE upserted (id serial primary key, name text not null, n int default 7, live bool default true, at timestamp, code varchar(5))
CREATE UNIQUE INDEX upserted_name ON upserted (lower(name))
CREATE UNIQUE INDEX upserted_code ON upserted (code) WHERE live
CREATE TABLE parted (a int, b text, c int)
CREATE UNIQUE INDEX parted_some ON parted ((a % 4), b) WHERE c IS NOT NULL AND a > 2
INSERT INTO upserted (name, n) VALUES ('A', 1), ('B', 2)
INSERT INTO parted VALUES (3, 'x', 1)
"""
_SAID = """
NAMES ('a',5,'x') ON CONFLICT (lower(name)) DO NOTHING
NAMES ('a',5,'x'), ('c',6,'c'), ('C',7,'d') ON CONFLICT (lower(name)) DO NOTHING RETURNING id, name, n
NAMES ('a',5,'x'), ('d',6,'y') ON CONFLICT (lower(name)) DO UPDATE SET n = excluded.n + upserted.n, code = excluded.code RETURNING name, n, code, upserted.live
NAMES ('a',5,'x'), ('A',6,'y') ON CONFLICT (lower(name)) DO UPDATE SET n = excluded.n
NAMES ('e',5,'1'), ('E',6,'2') ON CONFLICT (lower(name)) DO UPDATE SET n = excluded.n
NAMES ('a',5,'x'), ('A',6,'y') ON CONFLICT (lower(name)) DO UPDATE SET n = excluded.n WHERE excluded.n = 6 RETURNING name, n
NAMES ('a',6,'x'), ('A',5,'y') ON CONFLICT (lower(name)) DO UPDATE SET n = excluded.n WHERE excluded.n = 6 RETURNING name, n
NAMES ('a',6,'x') ON CONFLICT (lower(name)) DO UPDATE SET n = n + 1
NAMES ('a',66,'x') ON CONFLICT (lower(name)) DO UPDATE SET n = excluded.n WHERE upserted.n > 1000
NAMES ('z',66,'x') ON CONFLICT (code) DO NOTHING
NAMES ('z',66,'x') ON CONFLICT (code) WHERE live DO NOTHING
NAMES ('z',66,'x') ON CONFLICT (code) WHERE live = true DO NOTHING
NAMES ('z',66,'x') ON CONFLICT (code) WHERE live AND n > 3 DO NOTHING
NAMES ('z',66,'x') ON CONFLICT (code) WHERE live OR n > 3 DO NOTHING
NAMES ('z',66,'x') ON CONFLICT (code) WHERE NOT live DO NOTHING
NAMES ('z',66,'x') ON CONFLICT (id) WHERE n > 3 DO NOTHING
NAMES ('zz',66,'x') ON CONFLICT (code) WHERE live DO UPDATE SET name = excluded.name, n = DEFAULT RETURNING name, n, code
NAMES ('q','1','x'), ('z','3','kk') ON CONFLICT DO NOTHING RETURNING name, n, code
NAMES ('q',1,NULL), ('r',1,NULL) ON CONFLICT (code) WHERE live DO NOTHING RETURNING name
NAMES ('a',1,'toolong') ON CONFLICT (lower(name)) DO UPDATE SET code = excluded.code
INSERT INTO upserted (name, live, code) VALUES ('l1',false,'x'), ('l2',false,'x') ON CONFLICT DO NOTHING RETURNING name
INSERT INTO upserted AS q (name, live) VALUES ('L1',DEFAULT) ON CONFLICT (lower(name)) DO UPDATE SET (n, at) = (excluded.n + q.n, '2024-01-01 10:00') RETURNING q.name, q.n, live, at
INSERT INTO upserted (name) SELECT name FROM upserted ON CONFLICT (lower(name)) DO NOTHING
INSERT INTO upserted (name) SELECT name FROM upserted ON CONFLICT (lower(name)) DO UPDATE SET n = upserted.n + 1
INSERT INTO upserted (name, n) SELECT name FROM upserted ON CONFLICT (lower(name)) DO NOTHING
INSERT INTO upserted (name) SELECT name, 1 FROM upserted ON CONFLICT (lower(name)) DO NOTHING
INSERT INTO upserted (name, missing) VALUES ('q', 1) ON CONFLICT (lower(name)) DO NOTHING
INSERT INTO upserted SELECT 100, 'hundred' ON CONFLICT (lower(name)) DO NOTHING RETURNING *
INSERT INTO upserted (name) VALUES (NULL) ON CONFLICT (lower(name)) DO NOTHING
INSERT INTO upserted (name) VALUES ('k') ON CONFLICT (upper(name)) DO NOTHING
INSERT INTO upserted (id, name) VALUES (1, 'v'), (1, 'w') ON CONFLICT (id) DO UPDATE SET n = excluded.n
SELECT name, n, live, at, code FROM upserted ORDER BY name
INSERT INTO parted VALUES (7,'x',1) ON CONFLICT ((a % 4), b) WHERE c IS NOT NULL AND a > 2 DO UPDATE SET c = excluded.c + 10, a = excluded.a RETURNING *
INSERT INTO parted VALUES (7,'x',1) ON CONFLICT (b, (a % 4)) WHERE a > 2 AND c = 5 DO NOTHING RETURNING *
INSERT INTO parted VALUES (7,'x',1) ON CONFLICT (b) WHERE a > 2 AND c = 5 DO NOTHING
INSERT INTO parted VALUES (7,NULL,1), (7,NULL,1) ON CONFLICT (b, (a % 4)) WHERE a > 2 AND c = 5 DO NOTHING RETURNING *
"""


def test_what_becomes_of_the_rows(server: Any, real_postgres: Target) -> None:
    there = {"host": real_postgres.host, "port": real_postgres.port, "user": real_postgres.user}
    with (
        server.connect(options="-c hatidata.dialect=postgres") as ours,
        psycopg.connect(dbname=real_postgres.database, autocommit=True, **there) as real,
    ):
        try:
            for sql in _TABLES.strip().splitlines():
                ours.execute(sql.encode())
                real.execute(sql.encode())
            for sql in _SAID.strip().splitlines():
                asked = sql.replace("NAMES", "INSERT INTO upserted (name, n, code) VALUES")
                assert _outcome(ours, asked) == _outcome(real, asked), asked
        finally:
            for one in (ours, real):
                one.execute("DROP TABLE IF EXISTS upserted, parted")


def _outcome(connection: psycopg.Connection, sql: str) -> object:
    try:
        found = connection.execute(sql.encode())
        return found.statusmessage, found.fetchall() if found.description else None
    except psycopg.Error as error:
        return error.sqlstate
