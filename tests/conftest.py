"""One real server for the whole run: a child process, as a user starts it, on a free port.

Tests that break servers start their own with `start_server`.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from proxy.data_directory import DATABASE
from proxy.demo.server import ServerProcess
from proxy.engines.duck.engine import DuckEngine

CASES_BY_AREA = "cases by area"
"""A property of a test: what became of the documented Snowflake cases, a line for each area."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Of reports, and not of the session: the tests may have run in other processes."""
    for report in terminalreporter.getreports(""):
        for lines in (lines for name, lines in report.user_properties if name == CASES_BY_AREA):
            terminalreporter.section("documented Snowflake cases, through the server")
            for line in lines:
                terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of tools take longest: begun first, the processes end at about the same time."""
    items.sort(key=lambda item: "tools" not in item.path.parts)


@dataclass(frozen=True)
class Running:
    """A server that accepts connections. url: as it printed it, with a user."""

    process: ServerProcess

    @property
    def url(self) -> str:
        parts = urlsplit(self.process.url)
        return f"postgresql://tester@{parts.netloc}{parts.path}"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def pid(self) -> int:
        return self.process.pid

    def connect(self, **options: object) -> psycopg.Connection:
        return psycopg.connect(self.url, **{"autocommit": True, **options})


def waits(future: Future[Any]) -> bool:
    """Whether a statement that was sent in another thread is not answered for now."""
    return not wait([future], 0.2).done


_FILES = Path(__file__).parent / "data" / "files"  # what the documented cases PUT into stages


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with (
        tempfile.TemporaryDirectory(prefix="hd") as directory,
        ServerProcess(Path(directory), "--allow-directory", str(_FILES)) as up,
    ):
        yield Running(up)


@pytest.fixture(scope="session")
def macros(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the file of macros is kept that the first server has made: others find it in theirs."""
    return tmp_path_factory.mktemp("macros")


@pytest.fixture
def start_server(macros: Path) -> Iterator[Callable[..., Running]]:
    """Starts a server of the test's own, on a data directory of its own unless options name one."""
    with ExitStack() as servers:
        # Not under tmp_path: run as root, the embedded Postgres is another user, and pytest closes
        # its directories to others whenever a second run begins.
        root = Path(servers.enter_context(tempfile.TemporaryDirectory(prefix="hd")))
        names = (str(number) for number in itertools.count())

        def start(*options: str) -> Running:
            directory = root / next(names)
            shutil.copytree(macros, directory / "data")
            running = Running(servers.enter_context(ServerProcess(directory, *options)))
            for kept in (directory / "data").glob("macros.*.duckdb"):
                shutil.copy2(kept, macros)
            return running

        yield start


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckEngine]:
    """An engine in this process, over a file of its own."""
    made = DuckEngine(tmp_path / f"{DATABASE}.duckdb")
    yield made
    made.close()


@pytest.fixture
def connection(server: Running) -> Iterator[psycopg.Connection]:
    with server.connect() as connection:
        yield connection


@pytest.fixture
def schema(connection: psycopg.Connection) -> Iterator[str]:
    """An empty schema, first in the connection's search_path, dropped afterwards."""
    connection.execute("DROP SCHEMA IF EXISTS scratch CASCADE")
    connection.execute("CREATE SCHEMA scratch")
    connection.execute("SET search_path = scratch")
    yield "scratch"
    connection.rollback()
    connection.execute("RESET search_path")
    connection.execute("DROP SCHEMA scratch CASCADE")
