"""An error of DuckDB's that makes the whole database useless until it is opened anew: the server does so.

Made with a full disk, as far as the system can pretend one: no file grows past a size any more.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")

_SIZE = 32 << 20  # bytes: more than what Postgres writes to, less than the database below
_MADE = (
    "CREATE TABLE big AS SELECT i, md5(i::VARCHAR) AS text FROM generate_series(1, 1500000) s(i)"
)
_SECONDS = 60


@contextmanager
def _full(pid: int, size: int) -> Iterator[None]:
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def _connected_again(server: Any) -> psycopg.Connection:
    end = time.monotonic() + _SECONDS
    while True:
        try:
            return server.connect(options="-c hatidata.dialect=postgres")
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise


def test_the_server_starts_anew(start_server: Any) -> None:
    server = start_server()
    with server.connect(options="-c hatidata.dialect=postgres") as connection:
        idle = server.connect()
        connection.execute(_MADE)
        connection.execute("CREATE TABLE kept (n INT)")
        connection.execute("CHECKPOINT")
        connection.execute("INSERT INTO kept SELECT * FROM generate_series(1, 5000)")
        connection.execute("CREATE TABLE more AS SELECT * FROM big LIMIT 100000")
        with _full(server.pid, _SIZE), pytest.raises(psycopg.Error) as caught:
            connection.execute("CHECKPOINT")
        assert caught.value.sqlstate == "XX000"
    with pytest.raises(psycopg.OperationalError):
        while True:  # until the server has told it
            idle.execute("SELECT 1")
    assert idle.closed
    with _connected_again(server) as connection:
        counts = "SELECT (SELECT count(*) FROM big), (SELECT count(*) FROM kept), (SELECT count(*) FROM more)"
        assert connection.execute(counts).fetchone() == (1_500_000, 5000, 100_000)
        connection.execute("INSERT INTO kept VALUES (0)")
        connection.execute("CHECKPOINT")
        assert connection.execute("SELECT count(*) FROM hd_runtime.tasks").fetchone() == (0,)


def test_a_write_without_room_fails_alone(start_server: Any) -> None:
    server = start_server()
    with server.connect(options="-c hatidata.dialect=postgres") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        with _full(server.pid, 1), pytest.raises(errors.IoError):
            connection.execute("INSERT INTO kept VALUES (2)")
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
        connection.execute("INSERT INTO kept VALUES (3)")
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,), (3,)]
