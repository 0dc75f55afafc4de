"""What ends a statement over both engines before its time, and how much memory it takes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.federated.both_engines import superuser


def _waiting(admin: Any, text: str) -> list[Any]:
    """The pids of Postgres's backends that are running a statement with this text in it."""
    return admin.execute(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s "
        "AND pid <> pg_backend_pid()",
        [f"%{text}%"],
    ).fetchall()


@pytest.fixture
def slow(relation: Callable[..., str]) -> str:
    return relation(
        "slow", "AS SELECT n, pg_sleep(600)::text AS s FROM generate_series(1, 9) n", "VIEW"
    )


SLOW = "SELECT s FROM hd_runtime.slow, agent_memories"


@pytest.mark.parametrize("prepare", [False, True])
def test_a_cancel_reaches_postgres(memories: Any, admin: Any, slow: str, prepare: bool) -> None:
    failed: list[psycopg.Error] = []

    def run() -> None:
        try:
            memories.execute(SLOW, prepare=prepare)
        except psycopg.Error as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not _waiting(admin, '"slow"'):
        assert thread.is_alive()
    memories.cancel_safe()
    thread.join()
    assert [error.sqlstate for error in failed] == ["57014"]
    assert not _waiting(admin, '"slow"')
    for n in range(5):  # nothing of the cancel is left for what comes next
        text = f"SELECT count(*) + {n} FROM hd_runtime.tasks, agent_memories WHERE false"
        assert memories.execute(text).fetchone() == (n,)


def test_a_cancel_reaches_duckdb(memories: Any, relation: Callable[..., str]) -> None:
    relation("few", "AS SELECT n FROM generate_series(1, 1000) n")
    failed: list[psycopg.Error] = []
    text = (
        "SELECT count(*) FROM hd_runtime.few a, hd_runtime.few b, hd_runtime.few c, "
        "hd_runtime.few d, agent_memories WHERE a.n + b.n + c.n + d.n = 7 + length(memory_key)"
    )

    def run() -> None:
        try:
            memories.execute(text)
        except psycopg.Error as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():  # it would run for hours
        memories.cancel_safe()
        thread.join(0.05)
    assert [error.sqlstate for error in failed] == ["57014"]
    assert memories.execute("SELECT count(*) FROM hd_runtime.few, agent_memories").fetchone() == (
        2000,
    )


@pytest.mark.parametrize("prepare", [False, True])
def test_statement_timeout(memories: Any, admin: Any, slow: str, prepare: bool) -> None:
    memories.execute("SET statement_timeout = '300ms'")
    with pytest.raises(errors.QueryCanceled, match="statement timeout"):
        memories.execute(SLOW, prepare=prepare)
    assert not _waiting(admin, '"slow"')
    memories.execute("SET statement_timeout = 0")
    assert memories.execute("SELECT 1").fetchone() == (1,)
    assert memories.execute(
        "SELECT count(*) FROM hd_runtime.tasks, agent_memories WHERE false"
    ).fetchone() == (0,)


def test_an_error_in_the_middle_of_the_rows(memories: Any, relation: Callable[..., str]) -> None:
    relation("late", "AS SELECT n, 1 / (400000 - n) AS q FROM generate_series(1, 500000) n", "VIEW")
    with pytest.raises(errors.DivisionByZero):
        memories.execute("SELECT max(q) FROM hd_runtime.late, agent_memories")
    assert memories.execute(
        "SELECT count(*) FROM hd_runtime.late, agent_memories WHERE n < 10"
    ).fetchone() == (18,)


def test_a_value_that_duckdb_cannot_hold(memories: Any, relation: Callable[..., str]) -> None:
    relation(
        "wide",
        "AS SELECT n, (n::text || repeat('0', 40))::numeric AS d FROM generate_series(1, 400000) n",
    )
    with pytest.raises(errors.NumericValueOutOfRange):
        memories.execute("SELECT max(d) FROM hd_runtime.wide, agent_memories")
    relation("fine", "AS SELECT 0.1234567890123456789::numeric AS d")
    with pytest.raises(psycopg.Error, match="more than 18 digits"):
        memories.execute("SELECT max(d) FROM hd_runtime.fine, agent_memories")
    assert memories.execute("SELECT count(*) FROM agent_memories").fetchone() == (2,)


def test_memory_does_not_grow_with_the_relation(start_server: Callable[..., Any]) -> None:
    server = start_server("--memory-limit", "64MB")
    with superuser(server) as admin, server.connect() as connection:
        admin.execute(
            "CREATE TABLE hd_runtime.big AS SELECT n, repeat(md5(n::text), 30) AS pad "
            "FROM generate_series(1, 200000) n"
        )  # 200 MB
        admin.execute("GRANT SELECT ON hd_runtime.big TO hd_agent")
        connection.execute("CREATE TABLE one AS SELECT 1 AS n")
        text = "SELECT count(*), max(length(pad)) FROM hd_runtime.big b, one WHERE b.n > {}"
        assert connection.execute(text.format(199_000)).fetchone() == (1000, 960)
        before = _most_memory(server.pid)
        assert connection.execute(text.format(0)).fetchone() == (200_000, 960)
        assert _most_memory(server.pid) - before < 150 * 1024


def _most_memory(pid: int) -> int:
    """KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
