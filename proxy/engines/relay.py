"""One session's way to the control plane: a backend when it needs one, given back when it does not.

The session says what is to be relayed and when it needs to know how it went; this class owns the
rest: borrowing a backend of the client's role, bringing it in step with the client's settings,
opening a transaction there when the client's has one, and the prepared statements' names.

`release` is called at each ReadyForQuery. Outside a transaction the backend then goes back to the
pool, if the statements since were known to leave nothing (`proxy.sql.traces`); otherwise it is asked
first. What the client may keep - a lock, a LISTEN, a temporary table, a cursor, a statement that SQL
prepared - keeps the backend with it; settings move into the session; all else is discarded.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import structlog

from proxy.engines import backend as be
from proxy.engines.backend import Backend, ClientName, Reply, unknown
from proxy.engines.copy_answer import CopyAnswer
from proxy.engines.pool import Login, Pool, Pools
from proxy.engines.postgres import read_error, unreachable
from proxy.engines.prepared import (
    MOST_ON_A_BACKEND,
    PreparedText,
    RelayedStatement,
    changed_result,
)
from proxy.engines.profile import Profile, change
from proxy.errors import SqlError
from proxy.sql.quoting import escaped_literal
from proxy.sql.traces import Trace
from proxy.wire import messages as m

log = structlog.get_logger()


class Told(Exception):
    """Postgres's ErrorResponse has already reached the client; the session has only to act on it."""


class Relay:
    """Statements go out in order and may be pipelined; `settle` is where errors come to light."""

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

    # --- borrowing ----------------------------------------------------------------------------

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

    async def _bring_in_step(self, backend: Backend, profile: Profile) -> None:
        sql = change(backend.profile, profile)
        if sql:
            if self._unsynced:
                # A Query would end the pipeline's transaction before its time.
                self._send_unnamed(backend, sql)
            else:
                backend.send(_query(sql), be.SWALLOWED_QUERY)
                backend.unnamed = None
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
                backend.send(_query(sql), be.SWALLOWED_QUERY)
                backend.unnamed = None
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
                *(be.PARSE.swallowed(), be.BIND.swallowed(), be.EXECUTE.swallowed()),
                *(be.CLOSE.swallowed(), be.CLOSE.swallowed()),
            )

    async def begin(self, begin: str | None) -> Backend:
        """Readies a backend; `begin` is the BEGIN statement to open there first, if not yet open."""
        backend = await self._ready()
        if begin is not None and not self.in_transaction:
            backend.send(_query(begin), be.SWALLOWED_QUERY)
            backend.unnamed = None
            self.in_transaction = True
        return backend

    # --- statements ---------------------------------------------------------------------------

    def leaves(self, trace: Trace, names: tuple[str, ...] = ()) -> None:
        """What the statements about to be relayed may leave; names: settings they name."""
        if trace > self.trace:
            self.trace = trace
        self._names.update(names)

    async def query(
        self,
        text: str,
        begin: str | None,
        trace: Trace,
        names: tuple[str, ...] = (),
        statements: int = 1,
    ) -> None:
        """Relays one simple Query and all that comes back but its ReadyForQuery."""
        backend = await self.begin(begin)
        self.leaves(trace, names)
        backend.completed, self._statements = 0, statements
        backend.send(_query(text), be.QUERY)
        backend.unnamed = None
        await self.settle(statements)

    async def parse(self, statement: RelayedStatement, begin: str | None) -> None:
        """A client's Parse, under whatever name: on the backend it is the unnamed statement."""
        backend = await self.begin(begin)
        self._send(backend, _parse(b"", statement.body), be.PARSE)
        backend.unnamed = statement

    async def bind(
        self, statement: RelayedStatement, portal: bytes, rest: bytes, begin: str | None
    ) -> None:
        """rest: the Bind message behind its two names."""
        name, backend = await self._name(statement, begin)
        self._send(backend, m.frame(b"B", portal + b"\0" + name + b"\0" + rest), be.BIND)

    async def describe_statement(self, statement: RelayedStatement, begin: str | None) -> None:
        name, backend = await self._name(statement, begin)
        reply = be.DESCRIBE._replace(describes=statement)
        self._send(backend, m.frame(b"D", b"S" + name + b"\0"), reply)

    async def describe_portal(
        self, frame: bytes, statement: RelayedStatement, begin: str | None
    ) -> None:
        reply = be.DESCRIBE
        if statement.result is None:
            reply = reply._replace(describes=statement)
        await self.forward(frame, reply, begin)

    async def forward(self, frame: bytes, reply: Reply, begin: str | None) -> None:
        """Sends one extended message as it came."""
        backend = await self.begin(begin)
        self._send(backend, frame, reply)

    def answer(self, data: bytes) -> None:
        """An answer of the session's own, after those of Postgres that are still to come."""
        if self._backend is not None and self._backend.alive and self._releasing is None:
            self._backend.answer(data)
        else:
            self._client(data)

    async def _name(self, statement: RelayedStatement, begin: str | None) -> tuple[bytes, Backend]:
        """The statement's name on the backend; it is prepared there where it is not."""
        backend = await self.begin(begin)
        if backend.unnamed is statement:
            return b"", backend
        text = self.text(statement)
        if statement.result is not None and text.result not in (None, statement.result):
            raise changed_result()
        if not backend.knows(text):
            await self._prepare(backend, statement, text)
        else:
            backend.used(text)
        return text.name, backend

    def text(self, statement: RelayedStatement) -> PreparedText:
        """The statement as backends know it under the session's settings."""
        profile, text = self.profile, statement.text
        if text is None or text.retired or statement.text_profile is not profile.matter:
            if self.trace is Trace.NOTHING:
                text = self._pools.texts.get(profile, statement.body)
                statement.text_profile = profile.matter
            else:  # under settings that may not be the session's
                text, statement.text_profile = self._pools.texts.private(statement.body), None
            statement.text = text
        return text

    async def _prepare(
        self, backend: Backend, statement: RelayedStatement, text: PreparedText
    ) -> None:
        excess = len(backend.prepared) - len(backend.closing) - MOST_ON_A_BACKEND + 1
        if excess > 0:
            old = [each for each in backend.prepared.values() if each.name not in backend.closing]
            for each in old[:excess]:
                backend.closing.add(each.name)
                close = be.CLOSE._replace(forward=False, text=each)
                self._send(backend, m.frame(b"C", b"S" + each.name + b"\0"), close)
        backend.sending.add(text.name)
        reply = be.PARSE._replace(forward=False, text=text)
        self._send(backend, _parse(text.name, text.body), reply)
        if statement.result is None:
            return
        # The client knows what it returns. Here that may have changed meanwhile: ask first.
        found = RelayedStatement(text.body)
        describe = be.DESCRIBE._replace(forward=False, describes=found)
        self._send(backend, m.frame(b"D", b"S" + text.name + b"\0"), describe)
        await self.settle()
        text.result = found.result
        if found.result != statement.result:
            raise changed_result()

    def _send(self, backend: Backend, frame: bytes, reply: Reply) -> None:
        self._unsynced = True
        backend.send(frame, reply)

    async def settle(self, statements: int = 0) -> None:
        """Waits until Postgres has answered all that was sent. Raises `Told` after an error.

        statements: as `Backend.settle` takes it.
        """
        backend = self._backend
        if backend is None or self._releasing is not None:
            return  # what is under way then is not the client's
        if self._unsynced and backend.busy:
            backend.send(_FLUSH)
        if not await backend.settle(statements):
            raise Told

    async def sync(self) -> None:
        """Ends the extended messages sent so far; without a BEGIN of ours that commits them."""
        backend = self._backend
        if backend is None or not self._unsynced:
            return
        self._unsynced = False
        if not backend.alive:
            raise backend.error
        backend.send(_SYNC, be.SYNC)
        if not await backend.settle():
            self._settings_rolled_back()
            raise Told
        self._set_inside = False

    @property
    def copying(self) -> bool:
        """Postgres waits for COPY data."""
        return self._backend is not None and self._backend.copying

    def copy_data(self, frame: bytes) -> None:
        assert self._backend is not None
        self._backend.send(frame)

    async def copy_end(self, frame: bytes) -> None:
        """CopyDone or CopyFail; what follows is the rest of the statement's reply."""
        assert self._backend is not None
        self._backend.copying = False
        self._backend.send(frame)
        await self.settle(0 if self._unsynced else self._statements)

    async def execute(self, text: str) -> None:
        """Runs a statement of the session's own, whose answer the client does not see."""
        backend = await self._ready()
        await self._recover(backend)
        backend.send(_query(text), be.SWALLOWED_QUERY)
        backend.unnamed = None
        await self.settle()

    async def copy_out(
        self, sql: str, begin: str | None, take: Callable[[bytes | memoryview], None]
    ) -> None:
        """Runs a COPY ... TO STDOUT of the session's own; `take` gets the answer's frames.

        Raises SqlError where Postgres refuses it. Between two Syncs of the client it is a part of
        what they enclose.
        """
        backend = await self.begin(begin)
        await self.settle()
        failure: list[bytes] = []
        client = CopyAnswer(take, self._client, failure.append)
        backend.attach(client, self._on_parameter, self._gone)
        try:
            if self._unsynced:
                name = m.cstring(_COPY)
                for kind, body, reply in (
                    (b"P", name + m.cstring(sql) + bytes(2), be.PARSE),
                    (b"B", name + name + bytes(6), be.BIND),
                    (b"E", name + bytes(4), be.EXECUTE),
                    (b"C", b"P" + name, be.CLOSE),
                    (b"C", b"S" + name, be.CLOSE),
                ):
                    self._send(backend, m.frame(kind, body), reply)
            else:
                backend.send(_query(sql), be.QUERY)
                backend.unnamed = None
            await self.settle()
        except (Told, SqlError) as error:
            if not failure:
                raise
            raise read_error(failure[0]) from error
        finally:
            backend.attach(self._client, self._on_parameter, self._gone)

    def hold_back(self, held: bool) -> None:
        """Whether Postgres is to wait with what it has still to send."""
        (self.pause if held else self.resume)()

    @property
    def asking(self) -> asyncio.Task[None] | None:
        """What finds out which settings the last statements left; they are not the session's yet."""
        return self._releasing

    async def discard(self, statement: str) -> None:
        """DISCARD or DEALLOCATE ALL, where a backend keeps something for the client."""
        if self._releasing is not None:
            await asyncio.wait([self._releasing])
        if self._backend is None:
            return
        await self.execute(statement)
        self._backend.forget_prepared()
        if statement == "DISCARD ALL":
            self._backend.profile = self._pools.profiles.base
        self.leaves(Trace.KNOWN)

    async def call(self, text: str, parameters: Sequence[str], begin: str | None) -> None:
        """Runs one statement of the session's own with its parameters, in the client's transaction.

        Parameters are bound, so that nobody reads them in pg_stat_activity.
        """
        backend = await self.begin(begin)
        inside = self._unsynced and not self.in_transaction  # a part of what Sync will end
        if not inside:
            await self._recover(backend)
        name = m.cstring("hatidata: own")
        values = [value.encode() for value in parameters]
        bound = b"".join(len(value).to_bytes(4, "big") + value for value in values)
        frames = (
            m.frame(b"P", name + m.cstring(text) + bytes(2)),
            m.frame(
                b"B", name + name + bytes(2) + len(values).to_bytes(2, "big") + bound + bytes(2)
            ),
            m.frame(b"E", name + bytes(4)),
            m.frame(b"C", b"P" + name) + m.frame(b"C", b"S" + name),
            b"" if inside else _SYNC,
        )
        replies = (be.PARSE, be.BIND, be.EXECUTE, be.CLOSE, be.CLOSE, be.SYNC)[: 5 if inside else 6]
        backend.send(b"".join(frames), *(reply.swallowed() for reply in replies))
        backend.unnamed = None
        await self.settle()

    async def end(self, statement: str) -> None:
        """COMMIT or ROLLBACK of the transaction opened by `begin`, if it is open."""
        backend = self._backend
        if statement == "ROLLBACK":
            self._settings_rolled_back()
        if backend is None or not self.in_transaction:
            if backend is not None and self._unsynced and statement == "ROLLBACK":
                await self._recover(backend)
            return
        self.in_transaction = self._set_inside = False
        if not backend.alive:
            if statement == "COMMIT":
                raise unreachable("the connection was lost before the transaction was committed")
            return
        await self._recover(backend)
        backend.send(_query(statement), be.SWALLOWED_QUERY)
        backend.unnamed = None
        try:
            await self.settle()
        except SqlError as error:
            if statement == "COMMIT":
                error = SqlError(
                    error.sqlstate,
                    error.message,
                    detail="The connection was lost during COMMIT: whether the control plane's part "
                    "of the transaction was committed is not known. Nothing else was committed.",
                )
            raise error from None

    async def abort_pipeline(self) -> None:
        """Rolls back what Postgres holds open until Sync, because another engine's statement failed."""
        backend = self._backend
        if backend is None or not self._unsynced or not backend.alive or self.in_transaction:
            return
        self._unsynced = False
        self._settings_rolled_back()
        # A portal that does not exist: an error on purpose, so that the Sync behind it rolls back.
        backend.send(_NO_SUCH_PORTAL + _SYNC, be.ERROR.swallowed(), be.SYNC)
        try:
            await backend.settle()
        except SqlError as error:
            log.debug("abort", error=str(error))

    async def _recover(self, backend: Backend) -> None:
        """After an error among extended messages Postgres waits for Sync; give it one."""
        if self._unsynced and backend.alive:
            self._unsynced = False
            backend.send(_SYNC, be.SYNC)
            await backend.settle()

    def _settings_rolled_back(self) -> None:
        if self._set_inside and self._backend is not None:
            self._backend.profile = self._outside
        self._set_inside = False

    # --- giving back --------------------------------------------------------------------------

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
        backend, self._backend = self._backend, None
        self.in_transaction = self._unsynced = self._set_inside = self.pinned = (
            self._irreplaceable
        ) = False
        self.trace = Trace.NOTHING
        if backend is not None and self.pool is not None:
            self.pool.counters.exchanges += 1
            self.pool.give_back(backend)

    async def _ask_and_release(self, backend: Backend) -> None:
        """Finds out what the client's statements have left, by asking the backend."""
        trace, self.trace = self.trace, Trace.NOTHING
        try:
            if self._cancelling is not None:  # it is not meant for what is asked here
                await asyncio.wait([self._cancelling])
            names = escaped_literal(json.dumps(sorted(self._names)))
            ((answer,),) = await backend.ask(_LEFT.replace("'{}'", names))
            assert answer is not None
            left: dict[str, Any] = json.loads(answer)
            for name in set(backend.prepared) - {each.encode() for each in left["prepared"] or ()}:
                del backend.prepared[name]
            if not self._closed:
                self._adopt(backend, left["settings"] or {}, left["own"] or {})
            self._kept_trace = max(trace, self._kept_trace)
            self._irreplaceable = left["kept"] and not self._closed
            self.pinned = (left["kept"] or left["mirrored"]) and not self._closed
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

    def _close_backend(self) -> None:
        """Ends the backend instead of giving it back."""
        backend, self._backend = self._backend, None
        self.in_transaction = self._unsynced = self._set_inside = self.pinned = (
            self._irreplaceable
        ) = False
        self.trace = Trace.NOTHING
        if backend is not None and self.pool is not None:
            self.pool.drop(backend)

    # --- from outside -------------------------------------------------------------------------

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


_FLUSH, _SYNC = m.frame(b"H"), m.frame(b"S")
_NO_SUCH_PORTAL = m.frame(b"E", m.cstring("hatidata: no such portal") + bytes(4))

# What a session can leave on its backend, all in one answer. '{}' stands for the names of settings
# that no catalog lists: those of a client's own making.
_LEFT = """
SELECT pg_catalog.json_build_object(
    'kept',
    EXISTS (SELECT FROM pg_catalog.pg_locks AS l
            WHERE l.locktype = 'advisory' AND l.pid = pg_catalog.pg_backend_pid())
    OR EXISTS (SELECT FROM pg_catalog.pg_listening_channels())
    OR EXISTS (SELECT FROM pg_catalog.pg_cursors AS c WHERE c.is_holdable)
    OR EXISTS (SELECT FROM pg_catalog.pg_prepared_statements AS p WHERE p.from_sql)
    OR (pg_catalog.pg_my_temp_schema() <> 0 AND EXISTS (
        SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = pg_catalog.pg_my_temp_schema()
        AND c.relowner <> 'hatidata_users'::pg_catalog.regrole
        UNION ALL
        SELECT FROM pg_catalog.pg_proc AS f WHERE f.pronamespace = pg_catalog.pg_my_temp_schema()
        UNION ALL
        SELECT FROM pg_catalog.pg_type AS t WHERE t.typnamespace = pg_catalog.pg_my_temp_schema()
        AND t.typowner <> 'hatidata_users'::pg_catalog.regrole)),
    'mirrored', pg_catalog.pg_my_temp_schema() <> 0 AND EXISTS (
        SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = pg_catalog.pg_my_temp_schema()
        AND c.relowner = 'hatidata_users'::pg_catalog.regrole),
    'prepared', (SELECT pg_catalog.json_agg(p.name) FROM pg_catalog.pg_prepared_statements AS p),
    'settings', (SELECT pg_catalog.json_object_agg(s.name, s.setting)
                 FROM pg_catalog.pg_settings AS s WHERE s.source = 'session'),
    'own', (SELECT pg_catalog.json_object_agg(n.name, pg_catalog.current_setting(n.name, true))
            FROM pg_catalog.json_array_elements_text('{}') AS n (name))
)
"""


def _parse(name: bytes, body: bytes) -> bytes:
    return m.frame(b"P", name + b"\0" + body)


_COPY = "hatidata: copy"


def _query(text: str) -> bytes:
    return m.frame(b"Q", m.cstring(text))
