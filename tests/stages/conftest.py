"""One server with a directory that PUT and GET may touch; each test in a schema of its own."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.demo.server import ServerProcess

_numbers = itertools.count()


@pytest.fixture(scope="package")
def allowed() -> Iterator[Path]:
    """The directory of files outside the server's own."""
    with tempfile.TemporaryDirectory(prefix="hdfiles") as directory:
        yield Path(directory).resolve()


@pytest.fixture(scope="package")
def stage_server(allowed: Path) -> Iterator[ServerProcess]:
    with (
        tempfile.TemporaryDirectory(prefix="hd") as directory,
        ServerProcess(Path(directory), "--allow-directory", str(allowed)) as up,
    ):
        yield up


@pytest.fixture
def connect(stage_server: ServerProcess) -> Iterator[Callable[[], psycopg.Connection]]:
    """Opens connections that all work in one new schema."""
    schema = f"staged_{next(_numbers)}"
    opened: list[psycopg.Connection] = []

    def connect() -> psycopg.Connection:
        connection = stage_server.connect("ana")
        opened.append(connection)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        connection.execute(f"SET search_path = {schema}")
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def db(connect: Callable[[], psycopg.Connection]) -> psycopg.Connection:
    return connect()


@pytest.fixture
def rows(db: psycopg.Connection) -> Callable[[str], list[tuple]]:
    """Runs a statement; its rows, or [] where it has none."""

    def rows(sql: str) -> list[tuple]:
        cursor = db.execute(sql)
        return cursor.fetchall() if cursor.description else []

    return rows


@pytest.fixture
def send(db: psycopg.Connection) -> Callable[[str, bytes], None]:
    """Stores bytes as a file of a stage: `send('@s/a.csv', b'...')`."""

    def send(location: str, data: bytes) -> None:
        with db.cursor().copy(f"COPY {location} FROM STDIN") as copy:
            copy.write(data)

    return send


def fetched(db: psycopg.Connection, location: str) -> bytes:
    """A file's bytes."""
    with db.cursor().copy(f"COPY {location} TO STDOUT") as copy:
        return b"".join(map(bytes, copy))
