"""A server of one's own, as a child process, for as long as a `with` block lasts.

The demonstration shall show what a user gets, so it does not import the server: it starts the
same command in another process and talks to it over TCP. `ServerProcess` promises that whatever
happens in the block (an error, Ctrl-C), neither the server nor its embedded Postgres is left
running, and that a server which does not come up says why.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Self

import psycopg

import proxy

__all__ = ["ServerError", "ServerProcess"]

START_SECONDS = 120.0
"""How long a new data directory may take until connections are accepted."""

STOP_SECONDS = 30.0
"""How long SIGTERM may take: the server lets running statements end for up to 10 seconds."""


class ServerError(Exception):
    """The server did not come up, or did not go down as it should; the text holds its stderr."""


class ServerProcess:
    """`hatidata serve` on a free port of 127.0.0.1, keeping everything it writes in `directory`.

    Entering the block returns once the server accepts connections; `url` is then its connection
    URL. Leaving it stops the server; `exit_code` then holds how that ended (0 is right). Raises
    `ServerError` when the server is not ready within `START_SECONDS` or ends before it is.
    """

    url: str
    exit_code: int | None = None

    def __init__(self, directory: Path, *options: str) -> None:
        self.data_directory = directory / "data"
        self._directory = directory
        self._log = directory / "server.log"
        self._command = [sys.executable, "-m", "proxy.cli", "serve"]
        self._command += ["--host", "127.0.0.1", "--port", "0"]
        self._command += ["--data-dir", str(self.data_directory), *options]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env=_environment(self._directory),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # Ctrl-C in a terminal reaches the whole process group; the server shall get its
                # one signal from `_stop`, after its clients are gone.
                start_new_session=True,
            )
        try:
            self.url = self._await_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def connect(self, user: str) -> psycopg.Connection:
        """A client's connection, in autocommit mode. Raises `psycopg.OperationalError`.

        The caller's `PGUSER` and `PGSSLMODE` are for the caller's own servers, too.
        """
        return psycopg.connect(
            self.url, user=user, application_name=user, sslmode="prefer", autocommit=True
        )

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def log(self) -> str:
        """What the server has written to its standard error so far."""
        return self._log.read_text(encoding="utf-8", errors="replace").strip()

    def wait(self) -> int:
        """Waits for a server that was told to stop, or killed; its exit code."""
        return self._process.wait(STOP_SECONDS)

    def _await_ready(self) -> str:
        assert self._process.stdout is not None
        urls: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=_watch, args=(self._process.stdout, urls), daemon=True).start()
        try:
            url = urls.get(timeout=START_SECONDS)
        except Empty:
            raise ServerError(
                f"The server was not ready after {START_SECONDS:.0f} s.\n{self.log()}"
            ) from None
        if url is None:
            code = self._process.wait()
            raise ServerError(
                f"The server ended with code {code} before it was ready.\n{self.log()}"
            )
        return url

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self.exit_code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.exit_code = self._process.wait()
        finally:
            _stop_orphaned_postgres(self.data_directory)


def _environment(directory: Path) -> dict[str, str]:
    """The caller's environment without settings meant for the caller's own server.

    `HATIDATA_POSTGRES`, say, would point the demonstration at a database that is in use. Temporary
    files (the embedded Postgres's library leaves a lock file) go where they will be removed.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("HATIDATA_")
    }
    source = str(Path(proxy.__file__).parents[1])
    others = environment.get("PYTHONPATH")
    environment["TMPDIR"] = str(directory)
    environment["PYTHONPATH"] = os.pathsep.join([source, others] if others else [source])
    return environment


def _watch(output: IO[str], urls: SimpleQueue[str | None]) -> None:
    """Report the URL of the `ready` line, then None at the end; read on so no pipe fills up."""
    for line in output:
        word, _, rest = line.partition(" ")
        if word == "ready":
            urls.put(rest.split()[0])
    urls.put(None)


def _stop_orphaned_postgres(data_directory: Path) -> None:
    """Stop a Postgres that a server which was killed could not stop itself.

    A Postgres that ended in good order has taken its `postmaster.pid` away.
    """
    for pid_file in data_directory.rglob("postmaster.pid"):
        try:
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
        except (FileNotFoundError, ProcessLookupError):
            continue
        deadline = time.monotonic() + STOP_SECONDS
        while pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
