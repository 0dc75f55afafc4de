"""A server with analytical tables, and its control plane's superuser beside it.

What tests add to `hd_runtime` is dropped after each; the relations that are there are the runtime's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.federated.both_engines import superuser


@pytest.fixture
def admin(server: Any) -> Iterator[psycopg.Connection]:
    with superuser(server) as connection:
        yield connection


@pytest.fixture
def relation(admin: psycopg.Connection) -> Iterator[Callable[..., str]]:
    """Makes `hd_runtime.<name>`, which clients may read: `relation("b", "AS SELECT 1 AS n")`."""
    made: list[str] = []

    def make(name: str, what: str, kind: str = "TABLE", grant: str = "SELECT") -> str:
        admin.execute(f"CREATE {kind} hd_runtime.{name} {what}")
        made.append(f"{kind} hd_runtime.{name}")
        if grant:
            admin.execute(f"GRANT {grant} ON hd_runtime.{name} TO hd_agent")
        return f"hd_runtime.{name}"

    yield make
    for what in reversed(made):
        admin.execute(f"DROP {what} CASCADE")


@pytest.fixture
def memories(connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A connection, and an analytical table: agent_memories (project_id, memory_key, value)."""
    connection.execute(
        "CREATE OR REPLACE TABLE agent_memories (project_id uuid, memory_key text, value json)"
    )
    connection.execute(
        "INSERT INTO agent_memories VALUES "
        "('00000000-0000-0000-0000-000000000001', 'style', '{\"tone\": \"plain\"}'),"
        "('00000000-0000-0000-0000-00000000abcd', 'other', '[]')"
    )
    yield connection
    connection.rollback()
    connection.execute("DROP TABLE agent_memories CASCADE")
