"""The running server: what it starts, in which order, whom it lets in, and how it goes down.

Order matters: the data directory is locked and the port bound before anything is started, so that a
second server changes nothing; connections are accepted only once both engines answer. Going down
runs the other way round, and lets running statements end first.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import runtime_sql
from catalog import mirror as catalog_mirror
from catalog import roles
from proxy import data_directory
from proxy.config import Settings
from proxy.engines import stand_ins
from proxy.engines.duck.engine import DuckEngine
from proxy.engines.embedded import EmbeddedPostgres, own_database
from proxy.engines.pool import Limits, Login, Pools
from proxy.engines.postgres import ControlPlane, unreachable
from proxy.errors import SqlError
from proxy.housekeeping import Housekeeping
from proxy.link import ClientLink
from proxy.mirror.mirroring import Mirror
from proxy.session.long_texts import LongTexts
from proxy.session.services import Services
from proxy.session.session import RECOVERY, SHUTDOWN, Session
from proxy.sql.control_plane import declare_runtime
from proxy.sql.plan import PlanCache
from proxy.sql.snowflake import macro_scripts
from proxy.sql.snowflake.vectorised import VECTORISED
from proxy.sql.traces import declare_builtin_functions
from proxy.staging.service import StageService
from proxy.tls import ServerTls

log = structlog.get_logger()

_STRANGERS = 100  # connections beyond the limit that may still say who they are, or cancel
_GRACE = 10.0  # seconds that running statements get when the server stops


_BUILTIN_FUNCTIONS = """
SELECT DISTINCT proname::text FROM pg_catalog.pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND oid < 16384
"""


class StartError(Exception):
    """The server cannot start; the text is for the person who started it."""


@contextmanager
def _aside(opened: Callable[[], DuckEngine]) -> Iterator[Future[DuckEngine]]:
    """Opens DuckDB while something else is done, and closes it again if that fails."""
    with ThreadPoolExecutor(1, "opening") as thread:
        opening = thread.submit(opened)
        try:
            yield opening
        except BaseException:
            with suppress(StartError):
                opening.result().close()
            raise


class Server:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cleanup = ExitStack()
        self._sessions: dict[int, tuple[Session, bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._live: set[Session] = set()
        self._pids = itertools.count(1)
        self._logins: dict[str, Login] = {}
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None  # while it serves
        self.failed = False
        """Whether it went down because DuckDB has to be opened anew."""

    # --- start --------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Starts both engines; blocks. Raises `StartError`; whatever was started is stopped again."""
        with ExitStack() as undo:
            self._directory = self._settings.data_dir.resolve()
            undo.callback(_lock(self._directory).close)
            self._tls = _tls(self._settings)
            self._socket = undo.enter_context(_bind(self._settings.host, self._settings.port))
            with _aside(partial(self._open_duck, macro_scripts())) as opening:
                secret, builtin = self._prepare_postgres(undo)
            self._duck = opening.result()
            undo.callback(self._duck.close)
            settings = self._settings
            self._pools = Pools(
                _control_plane(self._conninfo, settings.connect_timeout),
                Limits(
                    size=settings.pool_size,
                    idle=settings.pool_idle,
                    lifetime=settings.server_lifetime,
                    queue=settings.pool_queue,
                    wait=settings.pool_wait,
                ),
            )
            runtime = (*_runtime_functions(), runtime_sql.RELATIONS)
            declare_runtime(*runtime)
            self._long_texts = LongTexts(
                ((declare_builtin_functions, (builtin,)), (declare_runtime, runtime))
            )
            try:
                allowed = self._settings.allow_directory
                self._stages = StageService(self._directory / "stages", self._duck, allowed)
            except OSError as error:
                raise StartError(f"the stages cannot be opened: {error}") from error
            undo.callback(self._stages.close)
            self._mirror = Mirror(self._duck, self._conninfo, secret)
            undo.callback(self._mirror.close)
            try:
                self._mirror.reconcile()
            except (psycopg.Error, SqlError) as error:
                raise StartError(f"the catalog cannot be mirrored: {error}") from error
            self._services = Services(
                self._duck,
                self._pools,
                PlanCache(),
                self._long_texts,
                self._login,
                self._server_parameters,
                self._register,
                self._unregister,
                self._cancel,
                {},
                lambda: self._live,
                self._mirror,
                "" if self._shared is None else self._shared[0],
                self._stages,
                self._settings.dialect,
            )
            self._cleanup = undo.pop_all()

    def _prepare_postgres(self, undo: ExitStack) -> tuple[str, frozenset[str]]:
        """Blocks. What proves to the mirror who speaks, and the functions that Postgres has."""
        conninfo = self._start_postgres(undo)
        try:
            runtime_sql.migrate(conninfo)
            self._shared = None if self._embedded else roles.shared_login(conninfo)
            secret = catalog_mirror.install(conninfo, own_server=self._embedded)
            with psycopg.connect(conninfo) as connection:
                info = connection.info
                self._server_parameters = {
                    name: value
                    for name in ("server_version", "in_hot_standby")
                    if (value := info.parameter_status(name)) is not None
                }
                self._server_parameters["server_version_num"] = str(info.server_version)
                found = connection.execute(_BUILTIN_FUNCTIONS).fetchall()
                builtin = frozenset(name for (name,) in found)
                declare_builtin_functions(builtin)
        except (psycopg.Error, runtime_sql.MigrationError) as error:
            raise StartError(f"the control-plane Postgres cannot be prepared: {error}") from error
        self._conninfo = conninfo
        return secret, builtin

    def _open_duck(self, macros: list[str]) -> DuckEngine:
        """Blocks; on any thread. Raises `StartError`."""
        try:
            return DuckEngine(
                self._directory / f"{data_directory.DATABASE}.duckdb",
                extensions=self._settings.extensions,
                macros=macros,
                functions=VECTORISED,
                table_functions=[stand_ins.register],
                memory_limit=self._settings.memory_limit,
                failed=self._fail,
            )
        except SqlError as error:
            raise StartError(f"DuckDB cannot open the data directory: {error.message}") from error

    def _start_postgres(self, undo: ExitStack) -> str:
        self._embedded = self._settings.postgres is None
        if self._settings.postgres is not None:
            return self._settings.postgres
        try:
            postgres = EmbeddedPostgres(self._directory / "postgres")
        except (RuntimeError, OSError) as error:
            raise StartError(str(error)) from error
        undo.callback(postgres.stop)
        return own_database(postgres.conninfo)

    async def serve(self, ready: Callable[[str], None]) -> None:
        """Accepts clients until SIGTERM or SIGINT, or until an engine has `failed`.

        ready: told the connection URL.
        """
        loop = self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_tls)
        listener = await loop.create_server(
            lambda: ClientLink(self._accept, self._tls), sock=self._socket, backlog=1024
        )
        housekeeping = self._start_housekeeping(loop)
        ready(self._url())
        await self._stopping.wait()
        log.info("stopping", connections=len(self._tasks))
        listener.close()
        if housekeeping is not None:
            housekeeping.cancel()
        await self._drain()
        self._long_texts.close()
        self._pools.close()
        await self._mirror.stop()

    def _stop(self) -> None:
        self._loop, self.failed = None, False
        self._stopping.set()

    def _fail(self) -> None:
        """On any thread. DuckDB says that it has to be opened anew: as Postgres after a crash, all of it is."""
        loop = self._loop
        if not self.failed and loop is not None:
            self.failed = True
            log.critical("the analytical engine failed; the server starts anew")
            loop.call_soon_threadsafe(self._stopping.set)

    def _start_housekeeping(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
        interval = self._settings.housekeeping_interval
        return loop.create_task(Housekeeping(self._conninfo, interval).run()) if interval else None

    def _reload_tls(self) -> None:
        """A certificate that cannot be read changes nothing."""
        if self._tls is not None:
            try:
                self._tls.reload()
            except (OSError, ssl.SSLError) as error:
                log.error("the TLS certificate was not reloaded", error=str(error))

    def close(self) -> None:
        """Stops both engines; blocks."""
        self._cleanup.close()

    @property
    def port(self) -> int:
        """That it listens on."""
        return int(self._socket.getsockname()[1])

    def _url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"postgresql://{f'[{host}]' if ':' in host else host}:{port}/{self._pools.control.database}"

    # --- connections --------------------------------------------------------------------------

    def _accept(self, link: ClientLink) -> None:
        if len(self._tasks) >= self._settings.max_connections + _STRANGERS:
            link.close()
            return
        session = Session(self._services, link)
        task = asyncio.get_running_loop().create_task(session.run())
        self._tasks.add(task)
        self._live.add(session)
        task.add_done_callback(lambda task: self._ended(task, session))

    def _ended(self, task: asyncio.Task[None], session: Session) -> None:
        self._tasks.discard(task)
        self._live.discard(session)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("session ended by an error", exc_info=error)

    def _register(self, session: Session) -> tuple[int, bytes]:
        if len(self._sessions) >= self._settings.max_connections:
            raise SqlError("53300", "sorry, too many clients already", severity="FATAL")
        while (pid := next(self._pids) & 0x7FFF_FFFF) in self._sessions:
            pass
        key = secrets.token_bytes(4)
        self._sessions[pid] = (session, key)
        return pid, key

    def _unregister(self, session: Session) -> None:
        self._sessions.pop(session.pid, None)

    async def _cancel(self, pid: int, key: bytes) -> None:
        session, right = self._sessions.get(pid, (None, b""))
        if session is not None and secrets.compare_digest(key, right):
            await session.cancel()

    async def _login(self, user: str) -> Login:
        """The Postgres role that this client acts as. Raises `SqlError` 28000, 08006."""
        if self._shared is not None:
            return Login(*self._shared)
        if (login := self._logins.get(user)) is None:
            try:
                timeout = self._settings.connect_timeout
                conninfo = make_conninfo(self._conninfo, connect_timeout=max(2, round(timeout)))
                async with asyncio.timeout(timeout):
                    made = await asyncio.to_thread(roles.login_for, conninfo, user)
            except roles.RoleRefused as error:
                raise SqlError("28000", str(error)) from error
            except psycopg.OperationalError as error:
                full = error.sqlstate == "53300" or "too many clients" in str(error)
                if full:
                    raise SqlError(
                        "53300",
                        "the control-plane Postgres has too many clients",
                        detail=str(error),
                    ) from error
                raise unreachable(str(error)) from error
            except TimeoutError as error:
                raise unreachable(f"no answer within {timeout:g} s") from error
            login = self._logins[user] = Login(*made)
        return login

    async def _drain(self) -> None:
        """Lets running statements end, then ends every session."""
        for session in list(self._live):
            session.stop(RECOVERY if self.failed else SHUTDOWN)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE)
        for session in list(self._live):
            session.abandon()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE)


def _lock(directory: Path) -> IO[str]:
    """Holds the data directory for this process."""
    try:
        return data_directory.hold(directory)
    except data_directory.DirectoryInUse as error:
        raise StartError(str(error)) from None
    except OSError as error:
        raise StartError(f"cannot use the data directory {directory}: {error.strerror}") from error


def _bind(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(0)  # so that a second server on the same port fails here, not later
    except OSError as error:
        bound.close()
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    bound.setblocking(False)
    return bound


def _tls(settings: Settings) -> ServerTls | None:
    if settings.tls_cert is None:
        if settings.tls_key is not None:
            raise StartError("tls_key is given without tls_cert")
        return None
    try:
        return ServerTls(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"cannot use the TLS certificate {settings.tls_cert}: {error}") from error


def _control_plane(conninfo: str, timeout: float) -> ControlPlane:
    given = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    return ControlPlane(
        host=given.get("host", "/var/run/postgresql"),
        port=int(given.get("port", 5432)),
        database=given.get("dbname", "postgres"),
        sslmode=given.get("sslmode", "prefer"),
        timeout=timeout,
    )


def _runtime_functions() -> tuple[set[str], set[str]]:
    """Names of the runtime's functions, and of those among them with side effects."""
    return (
        set(runtime_sql.FUNCTIONS),
        {name for name, has_effects in runtime_sql.FUNCTIONS.items() if has_effects},
    )
