"""What tests of statements over both engines do on the control plane's side."""

from __future__ import annotations

from typing import Any

import psycopg


def superuser(server: Any) -> psycopg.Connection:
    """A connection to the embedded Postgres that may do anything."""
    return psycopg.connect(
        host=str(server.process.data_directory / "postgres"),
        user="postgres",
        dbname="hatidata",
        autocommit=True,
    )


def new_task(connection: psycopg.Connection, agent_type: str) -> Any:
    """A task in the default project, and its id."""
    row = connection.execute(
        "SELECT task_id FROM create_task(default_project(), %s, 'code')", [agent_type]
    ).fetchone()
    assert row is not None
    return row[0]
