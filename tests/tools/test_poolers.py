"""PgBouncer between clients and the server, as it stands before many a Postgres.

Its pools lend one of our sessions to a client for a transaction, or for as long as the client stays and
then clean it with DISCARD ALL. What a session keeps must not reach the next client.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer")

_CONFIGURATION = """
[databases]
transaction = {there} pool_mode=transaction
session = {there} pool_mode=session
postgres_sql = {there} pool_mode=transaction connect_query='SET hatidata.dialect = postgres'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
default_pool_size = 2
server_check_delay = 0
logfile = {log}
{user}
"""


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def port(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """PgBouncer's, before our server, with two sessions of it for each pool."""
    directory = tmp_path_factory.mktemp("pgbouncer")
    users, settings, port = directory / "users", directory / "pgbouncer.ini", _free_port()
    users.write_text('"tester" ""\n')
    there = f"host={server.host} port={server.port} dbname=hatidata"
    root = os.geteuid() == 0  # as whom it refuses to run
    if root:
        for path in (directory, *directory.parents):
            if path == Path("/tmp"):
                break
            path.chmod(0o755)
        shutil.chown(directory, "nobody")
    settings.write_text(
        _CONFIGURATION.format(
            there=there,
            port=port,
            users=users,
            log=directory / "log",
            user="user = nobody" if root else "",
        )
    )
    process = subprocess.Popen([str(PGBOUNCER), str(settings)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, (directory / "log").read_text()
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _connect(port: int, database: str, **options: Any) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=port,
        user="tester",
        dbname=database,
        autocommit=True,
        prepare_threshold=None,
        **options,
    )


@pytest.mark.parametrize("database", ["transaction", "session", "postgres_sql"])
def test_clients_share_a_few_sessions(port: int, database: str) -> None:
    with _connect(port, database) as one:
        one.execute("CREATE OR REPLACE SCHEMA pooled" if database != "postgres_sql" else
                    "CREATE SCHEMA pooled")  # fmt: skip
        one.execute("CREATE TABLE pooled.t (id int PRIMARY KEY, v text)")
        with one.cursor().copy("COPY pooled.t FROM STDIN") as copy:
            for number in range(100):
                copy.write_row((number, f"v{number}"))

    def work(number: int) -> int:
        found = 0
        with _connect(port, database) as one:
            for _ in range(5):
                with one.transaction():
                    one.execute("SET LOCAL search_path = pooled")
                    rows = one.execute("SELECT count(*) FROM t WHERE id < %s", (number,))
                    found += rows.fetchone()[0]
                    names = one.execute("SELECT 't'::regclass::text").fetchone()
                    assert names == ("t",)
        return found

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [5 * number for number in range(6)]
    with _connect(port, database) as one:
        with pytest.raises(psycopg.errors.UndefinedColumn), one.transaction():
            one.execute("SELECT nothing FROM pooled.t")
        with one.transaction(), one.cursor(name="c") as cursor:
            cursor.execute("SELECT id FROM pooled.t ORDER BY id")
            assert len(cursor.fetchmany(10)) + len(cursor.fetchall()) == 100
        one.execute("DROP SCHEMA pooled CASCADE")


def test_asyncpg_without_prepared_statements(port: int) -> None:
    async def run() -> list[int]:
        one = await asyncpg.connect(
            host="127.0.0.1",
            port=port,
            user="tester",
            database="transaction",
            statement_cache_size=0,
        )
        try:
            return [await one.fetchval("SELECT $1::int + 1", number) for number in range(3)]
        finally:
            await one.close()

    assert asyncio.run(run()) == [1, 2, 3]


def test_what_a_session_kept_is_gone_for_the_next_client(port: int) -> None:
    for _ in range(3):  # more often than there are sessions in the pool
        with _connect(port, "session") as one:
            assert one.execute("SHOW hatidata.dialect").fetchone() == ("snowflake",)
            assert one.execute("SHOW TimeZone").fetchone() == ("UTC",)
            assert one.info.parameter_status("standard_conforming_strings") == "off"
            with pytest.raises(psycopg.errors.UndefinedTable):
                one.execute("SELECT * FROM mine")
            with pytest.raises(psycopg.errors.InvalidSqlStatementName):
                one.execute("EXECUTE p")
            one.execute("SET hatidata.dialect = postgres")
            one.execute("SET TimeZone = 'Europe/Berlin'")
            one.execute("CREATE TEMP TABLE mine (a int)")
            one.execute("PREPARE p AS SELECT 1")


def test_a_pool_names_its_dialect(port: int) -> None:
    with _connect(port, "postgres_sql") as one:
        assert one.execute("SHOW hatidata.dialect").fetchone() == ("postgres",)
        assert one.info.parameter_status("standard_conforming_strings") == "on"
        assert one.execute(r"SELECT 'a\b'").fetchone() == (r"a\b",)
