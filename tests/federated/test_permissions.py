"""What a client may not read in Postgres it does not read through DuckDB either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors


@pytest.fixture
def alice(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect(user="alice") as connection:
        connection.execute("SELECT count(*) FROM hd_runtime.tasks")  # makes the role
        yield connection


@pytest.fixture
def bob(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect(user="bob") as connection:
        connection.execute("SELECT count(*) FROM hd_runtime.tasks")
        yield connection


READ = "SELECT s.word FROM hd_runtime.secret s, agent_memories m WHERE m.memory_key = 'style'"


def test_a_relation_that_is_granted_to_one_role_alone(
    memories: Any,
    alice: Any,
    bob: Any,
    admin: Any,
    relation: Callable[..., str],
) -> None:
    relation("secret", "AS SELECT 'sesame' AS word, 7 AS number", grant="")
    admin.execute("GRANT SELECT ON hd_runtime.secret TO alice")
    for prepare in (False, True):
        assert alice.execute(READ, prepare=prepare).fetchall() == [("sesame",)]
        with pytest.raises(errors.InsufficientPrivilege, match="secret"):
            bob.execute(READ, prepare=prepare)
    assert alice.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(errors.InsufficientPrivilege):
        bob.execute("SELECT count(*) FROM hd_runtime.secret, agent_memories WHERE false")


def test_columns_that_are_granted_alone(
    memories: Any, alice: Any, admin: Any, relation: Callable[..., str]
) -> None:
    relation("secret", "AS SELECT 'sesame' AS word, 7 AS number", grant="")
    admin.execute("GRANT SELECT (number) ON hd_runtime.secret TO alice")
    found = alice.execute("SELECT s.number FROM hd_runtime.secret s, agent_memories LIMIT 1")
    assert found.fetchall() == [(7,)]
    with pytest.raises(errors.InsufficientPrivilege):
        alice.execute(READ)


def test_row_level_policies(
    memories: Any, alice: Any, bob: Any, admin: Any, relation: Callable[..., str]
) -> None:
    relation("secret", "AS SELECT r AS word, r AS owner FROM unnest(ARRAY['alice', 'bob']) r")
    admin.execute("ALTER TABLE hd_runtime.secret ENABLE ROW LEVEL SECURITY")
    admin.execute("CREATE POLICY own ON hd_runtime.secret USING (owner = current_user)")
    assert alice.execute(READ).fetchall() == [("alice",)]
    assert bob.execute(READ).fetchall() == [("bob",)]


def test_a_view_over_both_reads_as_the_one_who_reads_it(
    memories: Any, alice: Any, bob: Any, admin: Any, relation: Callable[..., str]
) -> None:
    relation("secret", "AS SELECT 'sesame' AS word, 7 AS number", grant="")
    admin.execute("GRANT SELECT ON hd_runtime.secret TO alice")
    alice.execute(f"CREATE VIEW fed_view AS {READ}")
    alice.execute("CREATE VIEW fed_view_over_it AS SELECT upper(word) AS word FROM fed_view")
    try:
        for prepare in (False, True):
            assert alice.execute("SELECT * FROM fed_view", prepare=prepare).fetchall() == [
                ("sesame",)
            ]
            found = alice.execute("SELECT word FROM fed_view_over_it", prepare=prepare)
            assert found.fetchall() == [("SESAME",)]
            for view in ("fed_view", "fed_view_over_it"):
                with pytest.raises(errors.InsufficientPrivilege, match="secret"):
                    bob.execute(f"SELECT * FROM {view}", prepare=prepare)
    finally:
        memories.execute("DROP VIEW fed_view_over_it")
        memories.execute("DROP VIEW fed_view")


def test_a_view_reads_what_is_there_now(memories: Any, admin: Any, relation: Any) -> None:
    relation("counted", "AS SELECT 1 AS n")
    memories.execute("CREATE VIEW fed_view AS SELECT n FROM hd_runtime.counted, agent_memories")
    try:
        count = "SELECT count(*) FROM fed_view"
        assert memories.execute(count).fetchone() == (2,)
        assert memories.execute("SELECT n FROM fed_view LIMIT 1").fetchone() == (1,)
        admin.execute("INSERT INTO hd_runtime.counted VALUES (2), (3)")
        for prepare in (False, True, True):
            assert memories.execute(count, prepare=prepare).fetchone() == (6,)
        joined = "SELECT count(*) FROM fed_view v JOIN hd_runtime.counted c ON c.n = v.n"
        assert memories.execute(joined).fetchone() == (6,)
    finally:
        memories.execute("DROP VIEW fed_view")


def test_what_one_session_reads_no_other_can_name(
    memories: Any, alice: Any, bob: Any, admin: Any, relation: Callable[..., str]
) -> None:
    relation(
        "secret", "AS SELECT 'sesame' || n AS word FROM generate_series(1, 200000) n", grant=""
    )
    admin.execute("GRANT SELECT ON hd_runtime.secret TO alice")
    alice.execute("BEGIN")
    with alice.cursor(name="open") as rows:
        rows.execute("SELECT word FROM hd_runtime.secret, agent_memories")
        assert len(rows.fetchmany(5)) == 5  # its rows are in DuckDB now
        for name in (
            'temp.main."postgres:hd_runtime.secret"',
            'temp."postgres:hd_runtime.secret"',
            '"postgres:hd_runtime.secret"',
        ):
            with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedTable)):
                bob.execute(f"SELECT * FROM {name}")
        shown = bob.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()
        assert shown == []
        shown = bob.execute("SELECT * FROM duckdb_views() WHERE temporary AND NOT internal")
        assert shown.fetchall() == []
    alice.execute("ROLLBACK")


@pytest.mark.parametrize("dialect", ["snowflake", "postgres", "duckdb"])
def test_the_function_behind_it_is_nobodys(connection: Any, dialect: str) -> None:
    connection.execute(f"SET hatidata.dialect = '{dialect}'")
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM hatidata_postgres('0')")
    connection.execute("RESET hatidata.dialect")
