"""What a DELETE or an UPDATE sets off, asked of our server in Postgres's dialect and of a real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ..protocol.targets import Target

_TREE = """
DROP TABLE IF EXISTS kid
DROP TABLE IF EXISTS tree
CREATE TABLE tree (id int PRIMARY KEY, up int DEFAULT 4 REFERENCES tree {rule}, n text DEFAULT 'x')
CREATE INDEX tree_n ON tree (n)
CREATE TABLE kid (id int PRIMARY KEY, t int REFERENCES tree ON DELETE CASCADE)
INSERT INTO tree VALUES (1, NULL)
INSERT INTO tree VALUES (2, 1)
INSERT INTO tree VALUES (3, 2)
INSERT INTO tree VALUES (4, NULL)
INSERT INTO tree VALUES (5, 4)
INSERT INTO tree VALUES (6, 2)
INSERT INTO kid VALUES (10, 3), (11, 5)
"""
_LOOK = """
SELECT * FROM tree ORDER BY id
SELECT * FROM kid ORDER BY id
"""
_DELETES = """
DELETE FROM tree WHERE id = 3
LOOK
DELETE FROM tree WHERE id = 1 RETURNING *
LOOK
FRESH
DELETE FROM tree WHERE id IN (1, 2, 3, 6) RETURNING up
LOOK
DELETE FROM tree
LOOK
FRESH
BEGIN
DELETE FROM kid
DELETE FROM tree WHERE id = 6
DELETE FROM tree WHERE id = 3
DELETE FROM tree WHERE id = 2
DELETE FROM tree WHERE id = 1
INSERT INTO tree VALUES (7, 4)
LOOK
COMMIT
DELETE FROM tree WHERE id = 4
LOOK
FRESH
BEGIN
INSERT INTO tree VALUES (8, 3)
SAVEPOINT here
DELETE FROM tree WHERE id = 2
LOOK
ROLLBACK TO here
DELETE FROM tree WHERE id = 8
COMMIT
DELETE FROM tree WHERE up = 2 RETURNING id, up
LOOK
"""
_KEYS = """
DROP TABLE IF EXISTS kid
DROP TABLE IF EXISTS tree
DROP TABLE IF EXISTS line
DROP TABLE IF EXISTS item
DROP TABLE IF EXISTS shop
CREATE TABLE shop (id int PRIMARY KEY, code text UNIQUE, n int DEFAULT 0)
CREATE TABLE item (id int PRIMARY KEY, shop int DEFAULT 3 REFERENCES shop {rule}, code text REFERENCES shop (code) {rule}, n int)
CREATE INDEX item_n ON item (n)
CREATE TABLE line (id serial PRIMARY KEY, item int REFERENCES item)
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree {rule})
INSERT INTO shop VALUES (1, 'a'), (2, 'b'), (3, 'c')
INSERT INTO item VALUES (1, 1, 'a', 1), (2, 1, NULL, 2), (3, 2, 'a', 3)
INSERT INTO line (item) VALUES (1), (3)
INSERT INTO tree VALUES (1, NULL)
INSERT INTO tree VALUES (2, 1)
INSERT INTO tree VALUES (3, 2)
INSERT INTO tree VALUES (4, NULL)
"""
_SEEN = """
SELECT id, code, n FROM shop ORDER BY id
SELECT * FROM item ORDER BY id
SELECT * FROM line ORDER BY id
SELECT * FROM tree ORDER BY id
"""
_UPDATES = """
UPDATE shop SET n = 1
UPDATE shop SET id = 9 WHERE id = 1 RETURNING id, code
SEEN
UPDATE shop SET code = code || '!'
SEEN
UPDATE shop SET id = 2 WHERE id = 3
UPDATE shop SET (id, code) = (8, 'z') WHERE code LIKE 'b%'
SEEN
UPDATE item SET n = n + 1
UPDATE item SET id = id + 10 WHERE id = 2
UPDATE item SET id = id + 10 WHERE id = 3
UPDATE item SET shop = NULL, code = NULL
SEEN
UPDATE shop AS s SET id = o.n + 20 FROM item AS o WHERE o.id = 1 AND s.id = 3 RETURNING s.id
UPDATE tree SET up = 4 WHERE id = 2
UPDATE tree SET up = NULL WHERE id = 3
UPDATE tree SET id = 7 WHERE id = 4
UPDATE tree SET up = 99 WHERE id = 7
SEEN
KEYS
BEGIN
UPDATE line SET item = 2 WHERE item = 1
UPDATE item SET id = 20 WHERE id = 1
UPDATE shop SET id = 7 WHERE id = 1
SEEN
SAVEPOINT here
UPDATE shop SET id = 6 WHERE id = 7
UPDATE item SET n = 5
ROLLBACK TO here
SEEN
COMMIT
SEEN
DELETE FROM line
DELETE FROM item
DELETE FROM shop
"""
_RULES = ("ON DELETE CASCADE", "ON DELETE SET NULL", "ON DELETE SET DEFAULT", "")


@pytest.fixture(scope="module")
def both(server: Any, real_postgres: Target) -> Iterator[list[psycopg.Connection]]:
    there = {"host": real_postgres.host, "port": real_postgres.port, "user": real_postgres.user}
    with (
        server.connect(options="-c hatidata.dialect=postgres") as ours,
        psycopg.connect(dbname=real_postgres.database, autocommit=True, **there) as real,
    ):
        for one in (ours, real):
            one.execute("CREATE SCHEMA referring")
            one.execute("SET search_path = referring")
        yield [ours, real]
        for one in (ours, real):
            one.execute("DROP SCHEMA referring CASCADE")


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("rule", _RULES)
def test_deletes_in_a_table_that_refers_to_itself(
    both: list[psycopg.Connection], rule: str, prepared: bool
) -> None:
    tree = _TREE.format(rule=rule)
    said = _DELETES.replace("\nFRESH\n", tree).replace("\nLOOK\n", _LOOK)
    _compare(both, tree + said, prepared)


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize(
    "rule",
    [f"ON UPDATE {one}" for one in ("CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT")] + [""],
)
def test_updates_of_what_is_referred_to(
    both: list[psycopg.Connection], rule: str, prepared: bool
) -> None:
    keys = _KEYS.format(rule=rule)
    said = _UPDATES.replace("\nKEYS\n", keys).replace("\nSEEN\n", _SEEN).replace("SEEN\n", _SEEN)
    _compare(both, keys + said, prepared)


def _compare(both: list[psycopg.Connection], said: str, prepared: bool) -> None:
    try:
        for sql in filter(None, said.splitlines()):
            ours, real = (_outcome(one, sql, prepared) for one in both)
            assert ours == real, sql
    finally:
        for one in both:
            one.rollback()


def _outcome(connection: psycopg.Connection, sql: str, prepared: bool) -> object:
    try:
        found = connection.execute(sql.encode(), prepare=prepared)
        return found.statusmessage, found.fetchall() if found.description else None
    except psycopg.Error as error:
        return error.sqlstate
