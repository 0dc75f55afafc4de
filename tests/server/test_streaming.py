"""Results stream: the server's memory does not grow with them, nor with a client that does not read."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

_ROWS = 5_000_000
_MIB = 1 << 20


def _peak(pid: int) -> int:
    """The most memory that the process has had resident, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _forget_peak(pid: int) -> int:
    """Starts the count anew; what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _peak(pid)


@pytest.fixture(scope="module")
def table(server: Any) -> str:
    with server.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS streamed")
        connection.execute(
            "CREATE TABLE streamed AS SELECT i AS id, i * 1.5::double AS x, 'row number ' || i AS name, "
            "timestamp '2020-01-01' + to_seconds(i) AS at, (i / 7)::decimal(18, 4) AS amount "
            f"FROM range({_ROWS}) t(i)"
        )
    return "streamed"


def _writable(pid: int) -> bool:
    return os.access(f"/proc/{pid}/clear_refs", os.W_OK)


@pytest.mark.skipif(shutil.which("psql") is None, reason="no psql on this machine")
def test_five_million_rows_through_psql_in_less_than_200_mib(server: Any, table: str) -> None:
    if not _writable(server.pid):
        pytest.skip("the kernel does not let this user reset the peak")
    before = _forget_peak(server.pid)
    psql = subprocess.Popen(
        ["psql", "-X", "-At", server.url, "-c", f"SELECT * FROM {table}"], stdout=subprocess.PIPE
    )
    assert psql.stdout is not None
    rows = sum(chunk.count(b"\n") for chunk in iter(lambda: psql.stdout.read(_MIB), b""))
    assert psql.wait() == 0
    assert rows == _ROWS
    assert _peak(server.pid) - before < 200 * _MIB


def test_a_client_that_does_not_read_stops_the_scan(server: Any, table: str) -> None:
    """Nothing is read until the server has been still for a while; then all of it arrives."""
    if not _writable(server.pid):
        pytest.skip("the kernel does not let this user reset the peak")
    before = _forget_peak(server.pid)
    with server.connect() as connection:
        pg = connection.pgconn
        pg.send_query(f"SELECT * FROM {table}".encode())
        pg.set_single_row_mode()
        busy = -1.0
        while (now := _cpu_seconds(server.pid)) != busy:  # until it waits for us
            busy = now
            time.sleep(0.5)  # the interval of the measurement, not a wait for luck
        with server.connect() as other:
            assert other.execute("SELECT 1").fetchone() == (1,)
        rows = 0
        while (result := pg.get_result()) is not None:
            rows += result.ntuples
        assert rows == _ROWS
    assert _peak(server.pid) - before < 200 * _MIB


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_vanished_client_stops_its_statement(start_server: Callable[..., Any]) -> None:
    server = start_server()
    connection = server.connect()
    connection.pgconn.send_query(
        b"SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i)"
    )
    connection.pgconn.flush()
    started = _cpu_seconds(server.pid)
    while _cpu_seconds(server.pid) - started < 0.3:  # it runs
        pass
    connection.close()
    while True:  # it stands still
        before = _cpu_seconds(server.pid)
        time.sleep(0.5)  # the interval of the measurement
        if _cpu_seconds(server.pid) - before < 0.1:
            break


def test_cancel_interrupts_either_engine_and_the_session_goes_on(server: Any) -> None:
    with server.connect() as connection:
        for slow in (
            "SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i)",
            "SELECT pg_sleep(600)",
        ):
            connection.pgconn.send_query(slow.encode())
            connection.pgconn.flush()
            while connection.pgconn.is_busy():
                connection.cancel_safe()  # again, until it meets the running statement
                connection.pgconn.consume_input()
            result = connection.pgconn.get_result()
            assert result is not None
            assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"57014"
            assert connection.pgconn.get_result() is None
            assert connection.execute("SELECT 1").fetchone() == (1,)
