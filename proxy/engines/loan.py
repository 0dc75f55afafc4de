"""A session's hold on a backend: borrowed when it needs one, given back when it does not.

`release` is called at each ReadyForQuery. Outside a transaction the backend then goes back to the
pool, if the statements since were known to leave nothing (`proxy.sql.traces`); otherwise it is asked
first (`leftovers`). What the client may keep - a lock, a LISTEN, a temporary table, a cursor, a
statement that SQL prepared - keeps the backend with it; settings move into the session; all else is
discarded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from proxy.engines import replies
from proxy.engines.backend import Backend, ClientName, unknown
from proxy.engines.leftovers import left_on
from proxy.engines.pool import Login, Pool, Pools
from proxy.engines.postgres import unreachable
from proxy.engines.profile import Profile, change
from proxy.errors import SqlError
from proxy.sql.traces import Trace
from proxy.wire import messages as m

log = structlog.get_logger()

FLUSH, SYNC = m.frame(b"H"), m.frame(b"S")


class Told(Exception):
    """Postgres's ErrorResponse has already reached the client; the session has only to act on it."""


class Loan:
    """The backend that a session has, and what may be on it that is the session's."""

    def __init__(
        self,
        pools: Pools,
        login: Callable[[], Awaitable[Login]],
        client: Callable[[bytes | memoryview], None],
        settings: Callable[[], dict[str, str]],
        on_parameter: Callable[[str, str], None],
        on_settings: Callable[[dict[str, str | None]], None],
        on_bereft: Callable[[SqlError], None],
    ) -> None:
        """settings: what a backend must be given to be in step with the session. on_settings: told
        what Postgres has been made to keep instead. on_bereft: the backend that kept something for
        the client is gone.
        """
        self._pools = pools
        self._login = login
        self._client = client
        self._settings = settings
        self._on_parameter = on_parameter
        self._on_settings = on_settings
        self._on_bereft = on_bereft
        self.pool: Pool | None = None
        self.known_profile: Profile | None = None  # None: the session's settings have changed
        self.client_name: ClientName = unknown  # of the client's statements, for errors
        self._backend: Backend | None = None
        self._waiting: asyncio.Future[Backend] | None = None
        self._releasing: asyncio.Task[None] | None = None
        self.in_transaction = False  # a BEGIN of ours is open there
        self._unsynced = False  # extended messages went out and no Sync after them
        self._statements = 0  # of the last simple query
        self._set_inside = False  # settings were applied within what may yet be rolled back
        self._outside: Profile | None = None  # the backend's before that
        self.trace = Trace.NOTHING  # of all that ran since the backend was borrowed
        self.pinned = False  # the backend keeps something for the client
        self._irreplaceable = False  # ... that cannot be made again on another
        self._names: set[str] = set()  # settings of the client's own making that set_config named
        self._kept_trace = Trace.NOTHING  # of what ran since the backend keeps something
        self._cancelling: asyncio.Task[None] | None = None  # the last request to cancel
        self._paused = self._closed = False

    @property
    def connected(self) -> bool:
        """A backend is with this session, and may know what others do not."""
        return self._backend is not None and self._backend.alive

    @property
    def idle(self) -> bool:
        """Nothing is with this session, and nothing under way."""
        return self._backend is None and self._releasing is None

    @property
    def backend(self) -> Backend | None:
        return self._backend

    @property
    def torn(self) -> bool:
        """The client has been given a part of a message whose rest is lost."""
        return self._backend is not None and self._backend.torn

    @property
    def backend_pid(self) -> int:
        return self._backend.pid if self._backend is not None else 0

    @property
    def waiting(self) -> bool:
        return self._waiting is not None

    @property
    def profile(self) -> Profile:
        if self.known_profile is None:
            self.known_profile = self._pools.profiles.get(self._settings())
        return self.known_profile

    def settings_changed(self) -> None:
        self.known_profile = None

    async def reach(self) -> Pool:
        """The pool of the client's role. Raises `SqlError` 28000, 08006."""
        if self.pool is None:
            self.pool = self._pools.of(await self._login())
        return self.pool

    def lend(self, backend: Backend) -> None:
        """The pool has a backend for this session."""
        waiting = self._waiting
        assert waiting is not None
        self.take(backend)
        if not waiting.done():
            waiting.set_result(backend)

    def refuse(self, error: SqlError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def take(self, backend: Backend) -> None:
        """The backend is this session's from here on."""
        self._backend = backend
        self.trace = Trace.NOTHING
        backend.client_name = self.client_name
        backend.attach(self._client, self._on_parameter, self._gone)
        if self._paused:
            backend.pause()

    def _gone(self, backend: Backend) -> None:
        """The backend is lost while it is ours."""
        if self.pool is not None:
            self.pool.lost(backend)
        if not self.pinned or backend.busy or self.in_transaction or self._releasing is not None:
            return
        if self._irreplaceable:
            self._on_bereft(backend.error)
        else:
            self._let_go()

    async def _ready(self) -> Backend:
        """The backend, in step with the session. Raises `SqlError` 08006, 53300 and the like."""
        if self._releasing is not None:
            await asyncio.wait([self._releasing])
        backend = self._backend
        if backend is not None and not backend.alive:
            inside, kept = self.in_transaction, self._irreplaceable
            self._let_go()
            if inside or kept:
                what = "inside a transaction" if inside else "that kept this session's locks"
                raise unreachable(f"the connection was lost {what}")
            backend = None
        if backend is None:
            backend = await self._borrow()
        if backend.profile is not self.profile:
            await self._bring_in_step(backend, self.profile)
        return backend

    async def _borrow(self) -> Backend:
        pool = await self.reach()
        if (backend := pool.take()) is not None:
            self.take(backend)
            return backend
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            pool.request(self)
            return await self._waiting
        finally:
            self._waiting = None
            pool.withdraw(self)

    # --- in step ---------------------------------------------------------------------------------

    async def _bring_in_step(self, backend: Backend, profile: Profile) -> None:
        sql = change(backend.profile, profile)
        if sql:
            if self._unsynced:
                # A Query would end the pipeline's transaction before its time.
                self._send_unnamed(backend, sql)
            else:
                backend.query(sql)
            if (self.in_transaction or self._unsynced) and not self._set_inside:
                self._set_inside, self._outside = True, backend.profile
            backend.profile = None
            if not profile.proven:
                await self.settle()  # a value that Postgres does not take: before anything runs
                profile.proven = True
        backend.profile = profile

    def bring_in_step_at_once(self, backend: Backend) -> None:
        """As `_ready` does, with settings that Postgres is known to take."""
        profile = self.profile
        if backend.profile is not profile and backend.alive:
            if sql := change(backend.profile, profile):
                backend.query(sql)
            backend.profile = profile

    def _send_unnamed(self, backend: Backend, sql: str) -> None:
        for statement in sql.split("; ", 1):
            name = m.cstring("hd_settings")
            backend.send(
                m.frame(b"P", name + m.cstring(statement) + bytes(2))
                + m.frame(b"B", name + name + bytes(6))
                + m.frame(b"E", name + bytes(4))
                + m.frame(b"C", b"P" + name)
                + m.frame(b"C", b"S" + name),
                *(replies.PARSE.swallowed(), replies.BIND.swallowed(), replies.EXECUTE.swallowed()),
                *(replies.CLOSE.swallowed(), replies.CLOSE.swallowed()),
            )

    async def settle(self, statements: int = 0) -> None:
        """Waits until Postgres has answered all that was sent. Raises `Told` after an error.

        statements: as `Backend.settle` takes it.
        """
        backend = self._backend
        if backend is None or self._releasing is not None:
            return  # what is under way then is not the client's
        if self._unsynced and backend.busy:
            backend.send(FLUSH)
        if not await backend.settle(statements):
            raise Told

    def _settings_rolled_back(self) -> None:
        if self._set_inside and self._backend is not None:
            self._backend.profile = self._outside
        self._set_inside = False

    def leaves(self, trace: Trace, names: tuple[str, ...] = ()) -> None:
        """What the statements about to be relayed may leave; names: settings they name."""
        if trace > self.trace:
            self.trace = trace
        self._names.update(names)

    # --- giving back -----------------------------------------------------------------------------

    def release(self) -> None:
        """At ReadyForQuery: gives the backend back if nothing of the client's is on it."""
        backend = self._backend
        if backend is None or self.in_transaction or self._unsynced or self._releasing is not None:
            return
        if not backend.alive:
            if not self.pinned:
                self._let_go()
            return
        if self._paused:
            backend.resume()
        if backend.busy or backend.status != "I" or (self._closed and backend.untrusted):
            self._close_backend()
        elif self.trace is not Trace.NOTHING:
            self._releasing = _start(self._ask_and_release(backend))
        elif not self.pinned:
            self._let_go()

    def release_plain(self) -> bool:
        """`release` after an exchange that passed by itself; False: nothing was done, it is due."""
        backend, pool = self._backend, self.pool
        if (
            backend is None
            or pool is None
            or self.in_transaction
            or self._unsynced
            or self._set_inside
            or self.pinned
            or self._paused
            or self._releasing is not None
            or self.trace is not Trace.NOTHING
            or backend.status != "I"
            or not pool.rest(backend)
        ):
            return False
        self._backend = None
        return True

    def _let_go(self) -> None:
        """Gives the backend back as it is."""
        backend = self._forgotten()
        if backend is not None and self.pool is not None:
            self.pool.counters.exchanges += 1
            self.pool.give_back(backend)

    def _close_backend(self) -> None:
        """Ends the backend instead of giving it back."""
        backend = self._forgotten()
        if backend is not None and self.pool is not None:
            self.pool.drop(backend)

    def _forgotten(self) -> Backend | None:
        """The backend, which is not this session's any more; with all that was known of it."""
        backend, self._backend = self._backend, None
        self.in_transaction = self._unsynced = self._set_inside = False
        self.pinned = self._irreplaceable = False
        self.trace = Trace.NOTHING
        return backend

    @property
    def asking(self) -> asyncio.Task[None] | None:
        """What finds out which settings the last statements left; they are not the session's yet."""
        return self._releasing

    async def _ask_and_release(self, backend: Backend) -> None:
        """Finds out what the client's statements have left, by asking the backend."""
        trace, self.trace = self.trace, Trace.NOTHING
        try:
            if self._cancelling is not None:  # it is not meant for what is asked here
                await asyncio.wait([self._cancelling])
            left = await left_on(backend, self._names)
            for name in backend.prepared.keys() - left.prepared:
                del backend.prepared[name]
            if not self._closed:
                self._adopt(backend, left.settings, left.own)
            self._kept_trace = max(trace, self._kept_trace)
            self._irreplaceable = left.kept and not self._closed
            self.pinned = (left.kept or left.mirrored) and not self._closed
            if self.pinned:
                return
            if self._closed or self._kept_trace is Trace.ANYTHING:
                await backend.ask("DISCARD ALL")
                backend.forget_prepared()
                backend.profile = self._pools.profiles.base
            self._kept_trace = Trace.NOTHING
            self._let_go()
        except SqlError as error:
            log.warning("a backend could not be cleaned", error=str(error))
            bereft = self._irreplaceable
            self._close_backend()
            if bereft and not self._closed:
                self._on_bereft(error)
        finally:
            self._releasing = None

    def _adopt(self, backend: Backend, found: dict[str, str], own: dict[str, str | None]) -> None:
        """Makes the settings that Postgres has now the session's."""
        if backend.profile is None:
            return
        had = backend.profile.settings
        known = {name.lower(): value for name, value in found.items()}
        changed: dict[str, str | None] = {
            name: value for name, value in found.items() if had.get(name) != value
        }
        changed |= {name: None for name in had if name.lower() not in known and "." not in name}
        changed |= {name: value for name, value in own.items() if had.get(name) != value}
        if changed:
            self._on_settings(changed)
            self.known_profile = None
            backend.profile = None

    # --- from outside ----------------------------------------------------------------------------

    def cancel(self) -> asyncio.Task[None] | None:
        """Stops what Postgres runs for this session, or its waiting for a backend.

        The task, if there is one, ends once Postgres has sent the signal.
        """
        if self._waiting is not None and self.pool is not None:
            if self.pool.withdraw(self):
                self.refuse(SqlError("57014", "canceling statement due to user request"))
            return None
        backend = self._backend
        if backend is None or self.pool is None or not backend.alive or not backend.busy:
            return None
        if self._releasing is not None:
            return None  # what it runs is ours, not the client's
        # From here on it is not lent to anybody else until the signal has been sent.
        backend.cancels += 1
        self._cancelling = _start(self._cancel(backend, self.pool))
        return self._cancelling

    async def _cancel(self, backend: Backend, pool: Pool) -> None:
        try:
            if not await self._pools.control.cancel(backend.pid, backend.key):
                backend.untrusted = True
        finally:
            backend.cancels -= 1
            if not backend.cancels and self._backend is not backend and backend in pool.lent:
                pool.cancelled(backend)

    def pause(self) -> None:
        self._paused = True
        if self._backend is not None:
            self._backend.pause()

    def resume(self) -> None:
        self._paused = False
        if self._backend is not None:
            self._backend.resume()

    def close(self) -> None:
        """The session ends. Whatever Postgres still does for it is stopped."""
        self._closed = True
        backend = self._backend
        if backend is None or self._releasing is not None:
            return
        if not backend.alive:
            self._let_go()
        elif self.pool is not None and (backend.busy or self._unsynced):
            # Its statement may end before the cancel lands: whoever is lent it then would be hit.
            backend.untrusted = True
            _start(self._stop(backend, self.pool))
        elif self.in_transaction or backend.status != "I":
            self._close_backend()
        elif self.pinned or self.trace is not Trace.NOTHING:
            if self._paused:
                backend.resume()
            self._releasing = _start(self._ask_and_release(backend))
        else:
            self._let_go()

    async def _stop(self, backend: Backend, pool: Pool) -> None:
        if backend.busy:
            await self._pools.control.cancel(backend.pid, backend.key)
        if self._backend is backend:
            self._close_backend()
        elif backend in pool.lent:
            pool.drop(backend)


_TASKS: set[asyncio.Task[None]] = set()  # which may outlive their sessions


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.get_running_loop().create_task(work)
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
    return task
