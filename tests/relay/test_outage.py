"""Postgres refused, full, hung, restarted; clients queueing, cancelling: what each one is told."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.relay.pooled import (
    OBJECTS,
    OPTIONS,
    Pooled,
    control_of,
    pooled,
    stopped,
    wait_until,
)

_AWAY = {"08006", "57P01", "57P02", "57P03", "53300"}


def _state(error: Any) -> str:
    return error.value.sqlstate or ""


def test_a_full_pool_lets_wait_and_then_refuses() -> None:
    options = ("--pool-size", "1", "--pool-queue", "1", "--pool-wait", "1.5")
    with (
        pooled(*options) as pool,
        pool.connect() as holder,
        pool.connect() as waiter,
        pool.connect() as third,
    ):
        holder.execute("BEGIN")
        holder.execute("SELECT count(*) FROM hd_runtime.tasks")
        refused: list[psycopg.Error] = []

        def wait() -> None:
            try:
                waiter.execute("SELECT count(*) FROM hd_runtime.tasks")
            except psycopg.Error as error:
                refused.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        third.execute("SELECT 1")
        wait_until(lambda: third.execute("SHOW hatidata.pools").fetchone()[2] == "1", "one waits")
        with pytest.raises(errors.TooManyConnections, match="wait for a backend"):
            third.execute("SELECT count(*) FROM hd_runtime.tasks")
        assert third.execute("SELECT 1 + 1").fetchone() == (2,)
        waiting.join()
        assert isinstance(refused[0], errors.TooManyConnections)
        holder.execute("COMMIT")
        assert waiter.execute("SELECT count(*) FROM hd_runtime.tasks").fetchone() == (0,)


def test_a_client_that_waits_can_be_cancelled(pool: Pooled) -> None:
    holders = [pool.connect() for _ in range(2)]
    for holder in holders:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM hd_runtime.notes")
    with pool.connect() as waiter, pool.connect() as observer:
        caught: list[psycopg.Error] = []

        def wait() -> None:
            try:
                waiter.execute("SELECT 1 FROM hd_runtime.notes")
            except psycopg.Error as error:
                caught.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_until(
            lambda: "1" in [row[2] for row in observer.execute("SHOW hatidata.pools")], "it waits"
        )
        waiter.cancel_safe()
        waiting.join()
        assert isinstance(caught[0], errors.QueryCanceled)
        for holder in holders:
            holder.close()
        assert waiter.execute("SELECT count(*) FROM hd_runtime.notes").fetchone() == (100,)


def _innocent(pool: Pooled, stop: threading.Event, wrong: list[BaseException]) -> threading.Thread:
    """Runs statements on the backends that others' cancels are meant for."""

    def run() -> None:
        try:
            with pool.connect() as connection:
                while not stop.is_set():
                    connection.execute("SELECT count(*) FROM hd_runtime.notes, pg_sleep(0.001)")
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_cancel_stops_its_own_statement_only(pool: Pooled) -> None:
    """Each round's cancel races with its statement's end, while others run on the same backends."""
    stop = threading.Event()
    wrong: list[BaseException] = []
    others = [_innocent(pool, stop, wrong) for _ in range(4)]
    cancelled = 0
    with pool.connect() as victim:
        for round_ in range(60):
            victim.pgconn.send_query(f"SELECT pg_sleep({0.0005 * (round_ % 8)})".encode())
            victim.pgconn.flush()
            victim.cancel_safe()
            while (result := victim.pgconn.get_result()) is not None:
                cancelled += result.error_field(67) == b"57014"
        assert victim.execute("SELECT count(*) FROM hd_runtime.notes").fetchone() == (100,)
    stop.set()
    for other in others:
        other.join()
    assert wrong == []


def test_a_client_that_vanishes_takes_nobody_with_it(pool: Pooled) -> None:
    """What stops its statement races with the statement's end, as a cancel does."""
    stop = threading.Event()
    wrong: list[BaseException] = []
    others = [_innocent(pool, stop, wrong) for _ in range(2)]
    for round_ in range(150):
        vanishing = pool.connect()
        count = "SELECT count(*) FROM generate_series(1, {}) JOIN hd_runtime.notes ON true"
        vanishing.execute(count.format(100).encode())
        vanishing.pgconn.send_query(count.format(20 * (1 + round_ % 20)).encode())
        vanishing.pgconn.flush()
        with socket.socket(fileno=os.dup(vanishing.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)  # without a goodbye
        vanishing.close()
    stop.set()
    for other in others:
        other.join()
    assert wrong == []


def test_a_cancel_does_not_cost_a_lock(pool: Pooled) -> None:
    """Nor does it hit what the server itself asks the backend after the statement."""
    with pool.connect() as holder, pool.connect() as other:
        holder.execute("SELECT pg_advisory_lock(21)")
        for round_ in range(30):
            sleep = f"SELECT pg_sleep({0.0005 * (round_ % 5)}), pg_try_advisory_lock(22)"
            holder.pgconn.send_query(sleep.encode())
            holder.pgconn.flush()
            holder.cancel_safe()
            while holder.pgconn.get_result() is not None:
                pass
            assert other.execute("SELECT pg_try_advisory_lock(21)").fetchone() == (False,)
        holder.execute("SELECT pg_advisory_unlock_all()")


def test_analytical_statements_go_on_while_postgres_is_away() -> None:
    with pooled(*OPTIONS) as pool:
        pool.as_admin(OBJECTS)
        control = control_of(pool)
        with pool.connect() as idle, pool.connect() as inside, pool.connect() as listening:
            idle.execute("CREATE TABLE kept (n int)")
            idle.execute("SELECT count(*) FROM hd_runtime.notes")
            listening.execute("LISTEN work")
            inside.execute("BEGIN")
            inside.execute("INSERT INTO hd_runtime.notes VALUES (1000, 'lost')")
            control("stop", "-m", "fast")
            idle.execute("INSERT INTO kept VALUES (1)")
            with pytest.raises(psycopg.Error) as caught:
                idle.execute("SELECT count(*) FROM hd_runtime.notes")
            assert _state(caught) in _AWAY
            with pytest.raises(psycopg.Error) as caught:
                inside.execute("SELECT count(*) FROM hd_runtime.notes")
            assert _state(caught) in _AWAY
            inside.execute("ROLLBACK")
            assert inside.execute("SELECT n FROM kept").fetchone() == (1,)
            with pytest.raises(psycopg.OperationalError):  # whom LISTEN would have told of work
                listening.execute("SELECT 1")
            with pool.connect() as late:
                assert late.execute("SELECT n FROM kept").fetchone() == (1,)
            control("start")
            for connection in (idle, inside):
                count = connection.execute("SELECT count(*) FROM hd_runtime.notes").fetchone()
                assert count == (100,)


def test_a_hung_postgres_is_08006_after_the_timeout() -> None:
    with pooled("--pool-size", "2", "--connect-timeout", "2") as pool:
        pool.as_admin(OBJECTS)
        with pool.connect() as known, pool.connect() as long, pool.connect(user="new") as new:
            known.execute("SELECT count(*) FROM hd_runtime.notes")
            new.execute("SELECT 1 FROM hd_runtime.tasks")
            # What takes longer than the timeout is not taken for hung.
            long.execute("SELECT pg_sleep(3)")
            frozen = [pid for pid, _ in pool.backends()]
            with stopped(pool.postmaster):
                for pid in frozen:
                    os.kill(pid, signal.SIGSTOP)
                with pytest.raises(psycopg.Error) as caught:
                    known.execute("SELECT count(*) FROM hd_runtime.notes")
                assert _state(caught) == "08006"
                assert known.execute("SELECT 40 + 2").fetchone() == (42,)
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)
            count = known.execute("SELECT count(*) FROM hd_runtime.notes").fetchone()
            assert count == (100,)


def test_a_backend_that_is_terminated_is_replaced(pool: Pooled) -> None:
    with pool.connect() as connection:
        connection.execute("SELECT 1 FROM hd_runtime.notes")
        for _ in range(3):
            # Waits until each has ended.
            pool.as_admin(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE usename = 'tester'"
            )
            try:
                found = connection.execute("SELECT count(*) FROM hd_runtime.notes").fetchone()
            except errors.AdminShutdown:  # asked before the end of the last backend was noticed
                found = connection.execute("SELECT count(*) FROM hd_runtime.notes").fetchone()
            assert found == (100,)


def test_a_full_postgres_makes_idle_roles_give_way() -> None:
    with pooled("--connect-timeout", "3") as pool:
        control = control_of(pool)
        pool.as_admin("ALTER SYSTEM SET max_connections = 12")
        pool.as_admin("ALTER SYSTEM SET superuser_reserved_connections = 3")
        control("restart", "-m", "fast")
        connections = [pool.connect(user=f"agent{n}") for n in range(20)]
        for connection in connections * 2:
            row = connection.execute("SELECT current_user FROM hd_runtime.tasks RIGHT JOIN "
                                     "(SELECT 1) AS x ON true").fetchone()  # fmt: skip
            assert row == (connection.info.user,)
        holding: list[Any] = []
        with pytest.raises(psycopg.Error) as caught:
            for connection in connections:
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM hd_runtime.tasks")
                holding.append(connection)
        assert _state(caught) == "53300"
        assert connections[-1].execute("SELECT 1 + 1").fetchone() == (2,)
        for connection in holding:
            connection.execute("COMMIT")
        last = connections[-1].execute("SELECT count(*) FROM hd_runtime.tasks").fetchone()
        assert last == (0,)
        for connection in connections:
            connection.close()


def test_backends_that_are_idle_or_old_are_closed() -> None:
    with pooled("--pool-idle", "0.5") as pool, pool.connect() as connection:
        connection.execute("SELECT 1 FROM hd_runtime.tasks")
        assert len(pool.backends()) == 1
        wait_until(lambda: pool.backends() == [], "the idle backend is closed")
    options = ("--server-lifetime", "0.5", "--pool-size", "1")
    with pooled(*options) as pool, pool.connect() as connection:
        pids = set()

        def other() -> bool:
            pids.add(connection.execute("SELECT pg_backend_pid()").fetchone()[0])
            return len(pids) > 2

        wait_until(other, "backends are replaced")
