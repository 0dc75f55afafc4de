"""Enumerated types: the catalog has those that DuckDB has, so that tools make them once."""

from __future__ import annotations

import enum
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from proxy.demo.server import ServerProcess

LABELS = """
    SELECT n.nspname, t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
    FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
    JOIN pg_enum AS e ON e.enumtypid = t.oid GROUP BY 1, 2 ORDER BY 2
"""
POSTGRES = "SET hatidata.dialect = 'postgres'"


@pytest.fixture
def author(server: Any, schema: str) -> Any:
    with server.connect() as connection:
        connection.execute(POSTGRES)
        connection.execute("SET search_path = scratch")
        yield connection


def test_they_are_there_and_go(author: psycopg.Connection, connection: psycopg.Connection) -> None:
    author.execute("CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'Happy')")
    author.execute("CREATE TYPE scratch.empty_handed AS ENUM ('x')")
    mood = ("scratch", "mood", ["sad", "it's ok", "Happy"])
    assert connection.execute(LABELS).fetchall() == [("scratch", "empty_handed", ["x"]), mood]
    author.execute("CREATE TABLE people (name TEXT, state mood)")
    author.execute("INSERT INTO people VALUES ('a', 'Happy')")
    author.execute("DROP TYPE empty_handed")
    assert connection.execute(LABELS).fetchall() == [mood]
    assert author.execute("SELECT to_regtype('mood')::text").fetchone() == ("mood",)


def test_they_are_seen_as_their_block_has_them(
    author: psycopg.Connection, connection: psycopg.Connection
) -> None:
    author.execute("BEGIN")
    author.execute("CREATE TYPE mood AS ENUM ('sad')")
    assert len(author.execute(LABELS).fetchall()) == 1
    assert connection.execute(LABELS).fetchall() == []
    author.execute("ROLLBACK")
    assert author.execute(LABELS).fetchall() == []
    author.execute("CREATE TYPE mood AS ENUM ('other')")
    assert connection.execute(LABELS).fetchall() == [("scratch", "mood", ["other"])]
    connection.execute("DROP SCHEMA scratch CASCADE")
    assert connection.execute(LABELS).fetchall() == []
    connection.execute("CREATE SCHEMA scratch")


def test_columns_are_of_them(author: psycopg.Connection, connection: psycopg.Connection) -> None:
    author.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    author.execute("CREATE TABLE people (name TEXT, state mood DEFAULT 'ok', past mood[])")
    author.execute("CREATE VIEW glad AS SELECT state FROM people WHERE state > 'sad'")
    declared = [
        ("glad", "state", "USER-DEFINED", "mood", None),
        ("people", "name", "text", "text", None),
        ("people", "past", "ARRAY", "_mood", None),
        ("people", "state", "USER-DEFINED", "mood", "'ok'::mood"),
    ]
    assert connection.execute(_DECLARED).fetchall() == declared
    author.execute("ALTER TYPE mood ADD VALUE 'between' BEFORE 'ok'")
    assert connection.execute(LABELS).fetchall() == [("scratch", "mood", ["sad", "between", "ok"])]
    author.execute("ALTER TYPE mood RENAME VALUE 'ok' TO 'fair'")
    author.execute("ALTER TYPE mood RENAME TO humour")
    renamed = [
        tuple(part and part.replace("mood", "humour").replace("ok", "fair") for part in row)
        for row in declared
    ]
    assert connection.execute(_DECLARED).fetchall() == renamed
    assert "'sad'::" in str(connection.execute("SELECT pg_get_viewdef('scratch.glad')").fetchone())
    author.execute("DROP TYPE humour CASCADE")
    assert connection.execute(_DECLARED).fetchall() == [declared[1]]
    assert connection.execute(LABELS).fetchall() == []


def test_a_default_may_be_a_new_value(
    author: psycopg.Connection, connection: psycopg.Connection
) -> None:
    """Which Postgres takes only in another transaction than the one that adds it."""
    author.execute("CREATE TYPE mood AS ENUM ('sad')")
    author.execute("CREATE TABLE people (state mood)")
    author.execute("ALTER TYPE mood ADD VALUE 'ok'")
    author.execute("ALTER TABLE people ALTER COLUMN state SET DEFAULT 'ok'")
    assert [row[-1] for row in connection.execute(_DECLARED)] == ["'ok'::mood"]
    author.execute("BEGIN")
    author.execute("ALTER TYPE mood ADD VALUE 'fair'")
    author.execute("ALTER TABLE people ALTER COLUMN state SET DEFAULT 'fair'")
    author.execute(LABELS)
    author.execute("COMMIT")
    assert [row[-1] for row in connection.execute(_DECLARED)] == ["'fair'::mood"]


def test_a_server_that_begins_anew_knows_them() -> None:
    """After its end, and after a crash."""
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        for turn in range(3):
            with ServerProcess(Path(directory)) as process:
                with psycopg.connect(process.url, user="ana", autocommit=True) as connection:
                    connection.execute(POSTGRES)
                    if not turn:
                        connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
                        connection.execute("CREATE TABLE t (id INT PRIMARY KEY, m mood, l mood[])")
                        connection.execute("INSERT INTO t VALUES (0, 'ok', '{sad}')")
                        connection.execute("CREATE TABLE plain (id INT PRIMARY KEY, m mood)")
                        connection.execute("INSERT INTO plain VALUES (0, 'ok')")
                        connection.execute("CREATE VIEW v AS SELECT m FROM t WHERE m > 'sad'")
                    declared = connection.execute(
                        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
                        "WHERE attrelid = 't'::regclass AND attnum > 1 ORDER BY attnum"
                    ).fetchall()
                    assert declared == [("mood",), ("mood[]",)]
                    connection.execute(
                        f"ALTER TYPE mood ADD VALUE 'new {turn}' AFTER 'sad'".encode()
                    )
                    connection.execute("INSERT INTO t VALUES (%s, %s)", [turn + 1, f"new {turn}"])
                    connection.execute(
                        "INSERT INTO plain SELECT id, m FROM t WHERE id > %s", [turn]
                    )
                    plain = connection.execute("SELECT id FROM plain WHERE m < 'ok' ORDER BY m")
                    assert plain.fetchall() == [(n + 1,) for n in reversed(range(turn + 1))]
                    found = connection.execute("SELECT m::text FROM v ORDER BY v.m").fetchall()
                    assert found == [*((f"new {n}",) for n in reversed(range(turn + 1))), ("ok",)]
                if turn == 1:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()


def test_sqlalchemy_reflects_them(author: psycopg.Connection, server: Any) -> None:
    author.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    author.execute("CREATE TABLE people (name TEXT, state mood, past mood[])")
    engine = sa.create_engine("postgresql+psycopg://", creator=server.connect)
    columns = {
        one["name"]: one["type"] for one in sa.inspect(engine).get_columns("people", "scratch")
    }
    engine.dispose()
    assert isinstance(columns["state"], sa.Enum)
    assert columns["state"].enums == ["sad", "ok"]
    assert isinstance(columns["past"].item_type, sa.Enum)


_DECLARED = """
    SELECT table_name, column_name, data_type, udt_name, column_default FROM information_schema.columns
    WHERE table_schema = 'scratch' ORDER BY 1, 2
"""


def test_sqlalchemy_makes_them_once() -> None:
    """As programs do each time that they start, here also after the server has begun anew."""

    class State(enum.Enum):
        OPEN = 1
        DONE = 2

    metadata = sa.MetaData()
    jobs = sa.Table(
        "jobs",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("state", sa.Enum(State)),
    )
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        for turn in range(2):
            with ServerProcess(Path(directory)) as process:
                url = process.url.replace("postgresql://", "postgresql+psycopg://ana@", 1)
                engine = sa.create_engine(f"{url}?options=-c%20hatidata.dialect%3Dpostgres")
                for _ in range(2):
                    metadata.create_all(engine)
                with engine.begin() as connection:
                    connection.execute(jobs.insert(), {"id": turn, "state": State.DONE})
                    found = connection.execute(sa.select(jobs.c.state)).scalars().all()
                assert found == [State.DONE] * (turn + 1)
                if turn:
                    metadata.drop_all(engine)
                    with engine.connect() as connection:
                        assert connection.execute(sa.text(LABELS)).fetchall() == []
                engine.dispose()
