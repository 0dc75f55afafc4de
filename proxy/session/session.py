"""One client: its frames in, its answers out, in order, whichever engine gives them.

This is where a statement's way starts and ends. A frame becomes a message (`wire.messages`), its
text a plan (`sql.plan`, cached), the plan's route picks who answers: DuckDB in a worker thread,
Postgres through the relay, or the session itself (`statements.py`). Every
error ends here too, as bytes and as a change of the transaction's state, and never ends anything
but the statement it belongs to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from proxy.changes.before_writes import MAKES_OF_QUERY
from proxy.changes.inserted_keys import InsertedKeys
from proxy.changes.own_inserts import OwnInserts
from proxy.changes.references import References
from proxy.changes.row_locks import Locking
from proxy.changes.upserts import Upserts
from proxy.definitions.taken_over import TakenOver
from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.portal import DuckPortal
from proxy.engines.duck.statement import DuckStatement
from proxy.engines.loan import Told
from proxy.engines.pool import Login
from proxy.engines.relay import Relay
from proxy.errors import SqlError
from proxy.functions.function_calls import FunctionCalls
from proxy.link import ClientLink
from proxy.mirror.session_mirror import SessionMirror
from proxy.session.at_once import AtOnce
from proxy.session.complaints import in_other_words, located
from proxy.session.compound import Compound
from proxy.session.constraints import Constraints
from proxy.session.context import SessionContext
from proxy.session.copying import Copying
from proxy.session.described import Described
from proxy.session.exchange import Exchange, Step
from proxy.session.executor import Executor
from proxy.session.extended import ExtendedProtocol
from proxy.session.federation import Federation
from proxy.session.long_texts import SessionTexts
from proxy.session.plans import SessionPlans
from proxy.session.portal import Outcome
from proxy.session.preparing import Preparation
from proxy.session.services import Services
from proxy.session.settings import SessionSettings
from proxy.session.settings_in_step import SettingsInStep
from proxy.session.shortcut import Shortcut
from proxy.session.simple_query import SimpleQuery
from proxy.session.statements import SessionStatements
from proxy.session.transaction import Block, Transaction
from proxy.session.typed import Typed
from proxy.sql.plan import Dialect, Statement
from proxy.startup import Greeting, greet
from proxy.wire import messages as m
from proxy.wire.protocol import NoClient
from proxy.wire.rows import RowEncoder

log = structlog.get_logger()

T = TypeVar("T")


_STARTUP_SECONDS = 60.0  # as Postgres's authentication_timeout
_ANSWERED_BY_READY = (b"Q", b"S")  # an error in one of these skips nothing
_IDLE_TOO_LONG = SqlError(
    "25P03", "terminating connection due to idle-in-transaction timeout", severity="FATAL"
)
SHUTDOWN = SqlError(
    "57P01", "terminating connection due to administrator command", severity="FATAL"
)
RECOVERY = SqlError(
    "57P02",
    "terminating connection because the analytical engine failed",
    hint="In a moment you should be able to reconnect and repeat your command.",
    severity="FATAL",
)


class Session:
    """Lives as long as its connection. `run` is its one task; `cancel` may come from outside."""

    def __init__(self, services: Services, link: ClientLink) -> None:
        self.services = services
        self.link = link
        self.pid = 0
        self.since = time.monotonic()
        self.user = self.database = ""
        self.in_step = SettingsInStep(self)
        self.settings = SessionSettings(self.in_step.changed)
        self.style = self.in_step.style
        self.duck = services.duck.session()
        self.described = Described(self.duck, self._numbers_are_postgres)
        self.texts = SessionTexts(services.long_texts)
        self.plans = SessionPlans(self)
        self.typed, self.upserts = Typed(self), Upserts(self)
        self.constraints = Constraints(self)
        self.relay = Relay(
            services.pools,
            self._login,
            link.send,
            self.in_step.of_postgres,
            self.in_step.told_by_postgres,
            self.in_step.left_in_postgres,
            self._bereft,
        )
        self.transaction = Transaction(self.duck, self.relay, self.settings)
        self.mirror = SessionMirror(self, services.mirror)
        self.transaction.ended = self._block_ended
        self.transaction.mark = self.mirror.mark
        self.transaction.went_back = self.mirror.went_back
        self.preparation = Preparation(self)
        self.executor = Executor(self)
        self.references = References(self)
        self.locking = Locking(self)
        self.inserted_keys = InsertedKeys(self)
        self.own_inserts = OwnInserts(self)
        self.taken_over = TakenOver(self)
        self.extended = ExtendedProtocol(self)
        self.relay.client_name = self.extended.client_name
        self.simple = SimpleQuery(self)
        self.draws = False  # it may draw numbers from DuckDB's sequences
        self.own = SessionStatements(self)
        self.context = SessionContext(self)
        # The parts of the last definition of several, and how many rows each changed.
        self.rest: list[tuple[str, int]] = []
        self.copying = Copying(self)
        self.compound = Compound(self)
        self.calls = FunctionCalls(self)
        self.federation = Federation(self)
        self.shortcut = Shortcut(self)
        self.exchange = Exchange(self)
        self.at_once = AtOnce(self)
        self._steps = self._take_steps()
        self.dialect = Dialect()
        self._timed_out = False
        self._asked_to_stop = False  # since it last waited for the client, and has not been told
        self.body = b""  # of the frame being taken
        self._task: asyncio.Task[None] | None = None
        self.busy = self._closing = False
        self._stopping: SqlError | None = None  # why it is to end
        link.on_lost = self.abandon
        link.on_pause, link.on_resume = self.relay.pause, self.relay.resume

    # --- life ---------------------------------------------------------------------------------

    async def run(self) -> None:
        self._task = asyncio.current_task()
        try:
            async with asyncio.timeout(_STARTUP_SECONDS):
                greeting = await greet(self.link, self.services.cancel)
            if greeting is not None:
                self._start(greeting)
                await self._serve()
        except SqlError as error:
            self.link.write(m.error_response(error))
        except (ConnectionError, TimeoutError, NoClient, asyncio.CancelledError):
            pass
        finally:
            self._closing = True
            await self._close()

    async def _serve(self) -> None:
        protocol, timeouts = self.link.protocol, self.in_step.timeouts
        alone = True  # nothing that came before waits for a Sync
        while frame := protocol.next_frame() or await self._next_frame():
            kind, body = frame
            if kind == b"X":
                return
            if kind == b"B" and alone and (known := self.extended.constant(body)) is not None:
                self.link.write(known)
                self.ready_for_query()
                continue
            self.busy = True
            if timeouts:
                await self._take_in_time(kind, body)
                step = None
            else:
                step = self.exchange.take(body) if kind == b"B" and alone else None
                await self._take(kind, body, step)
            self.busy = False
            alone = kind in _ANSWERED_BY_READY or step is not None
            if not protocol.buffered:
                if self._stopping is not None:
                    raise self._stopping.with_traceback(None)
            elif alone:
                self.link.flush()
                await asyncio.sleep(0)  # others have their turn, whatever was sent at once

    async def _next_frame(self) -> tuple[bytes, bytes] | None:
        limit = self.in_step.timeouts.get("idle_in_transaction_session_timeout")
        if not limit or self.transaction.status == "I":
            frame = await self.link.next_frame()
        else:
            try:
                async with asyncio.timeout(limit):
                    frame = await self.link.next_frame()
            except TimeoutError:
                raise _IDLE_TOO_LONG from None
        self._asked_to_stop = False  # nothing was to be stopped
        return frame

    async def _take_in_time(self, kind: bytes, body: bytes) -> None:
        """`_take` under the session's statement_timeout."""
        limit = self.in_step.timeouts.get("statement_timeout")
        if not limit:
            await self._take(kind, body)
            return
        timer = asyncio.get_running_loop().call_later(limit, self._time_out)
        try:
            await self._take(kind, body)
        finally:
            timer.cancel()
            self._timed_out = self._asked_to_stop = False

    def _time_out(self) -> None:
        self._timed_out = self._asked_to_stop = True
        self.texts.cancel()
        self.copying.cancel()
        self.compound.cancel()
        self.federation.time_out()
        self.services.row_locks.cancel(self)
        self.duck.interrupt()
        if self.relay.waiting:
            self.relay.cancel()

    @property
    def unhurried(self) -> bool:
        """No timeout of the session's is running, and it is not asked to end."""
        return not self.in_step.timeouts and self._stopping is None

    def shortcut_ended(self) -> None:
        if self._stopping is not None and not self.link.protocol.buffered:
            self.link.write(m.error_response(self._stopping))
            self.abandon()

    def stop(self, error: SqlError = SHUTDOWN) -> None:
        """The server goes down: an idle session ends now, a busy one after what it does."""
        self._stopping = error
        self.shortcut.unfold()
        if not self.busy:
            self.link.write(m.error_response(error))
            self.abandon()

    def abandon(self) -> None:
        """Ends the session now, whatever it does; its statement is interrupted."""
        if self._task is not None and not self._closing:
            self._task.cancel()

    async def _close(self) -> None:
        self.services.unregister(self)
        self.shortcut.close()
        self.relay.close()
        self.link.close()
        self.extended.drop_all()
        self.federation.end()
        self.duck.drop_ahead()
        try:
            await self.duck.call(self.duck.close)
        finally:
            self.services.row_locks.release(self, False)
        await self.services.claims.release(self)
        await self.mirror.close()
        await self.duck.compute(self.compound.stages.close)

    def _start(self, greeting: Greeting) -> None:
        """Answers the startup packet. Raises FATAL errors."""
        self.link.write(m.AUTHENTICATION_OK)
        self.user, self.database = greeting.user, greeting.database
        self.dialect = replace(self.dialect, database=self.database)
        for name, value in self.services.server_parameters.items():
            self.settings.fix(name, value)
        self.settings.fix("session_authorization", self.user)
        self.settings.start("hatidata.dialect", self.services.dialect)
        for name, value in greeting.settings:
            try:
                self.settings.start(name, value)
            except SqlError as error:
                if error.sqlstate == "42704":  # not the session's: Postgres may know it
                    self.in_step.passthrough[name] = value
                    continue
                error.severity = "FATAL"
                raise
        self.pid, key = self.services.register(self)
        self.link.protocol.ready()
        self.link.shortcut = self.shortcut
        self.link.write(
            b"".join(
                (
                    self.in_step.first_report(),
                    m.backend_key_data(self.pid, key),
                    m.READY["I"],
                )
            )
        )

    async def _take(self, kind: bytes, body: bytes, step: Step | None = None) -> None:
        """One frame. Whatever goes wrong is answered; only FATAL errors and a lost client leave.

        step: what the frame begins, where more have been taken with it.
        """
        extended = step is None and kind not in _ANSWERED_BY_READY
        self.body = body
        if (asking := self.relay.asking) is not None:  # a search_path, perhaps: names hang on it
            await asyncio.wait([asking])
        try:
            if step is not None:
                await self.exchange.run(step)
                return
            message = m.decode(kind, body)
            await self._steps[type(message)](message)
        except Told:
            await self.failed(extended)
        except SqlError as error:
            if error.severity == "FATAL":
                raise
            await self._answer_error(error, extended)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("unexpected error", pid=self.pid)
            await self._answer_error(
                SqlError("XX000", f"internal error: {type(error).__name__}: {error}"), extended
            )

    async def _answer_error(self, error: SqlError, extended: bool) -> None:
        if self.relay.torn:
            raise ConnectionResetError("a message to the client was cut off")
        if self._timed_out and error.sqlstate == "57014":
            error = SqlError("57014", "canceling statement due to statement timeout")
        if isinstance(error, EngineError) and error.sqlstate[:2] == "23":
            await self.constraints.explain(error)
        try:
            await self.relay.settle()
        except (Told, SqlError) as other:
            if isinstance(other, SqlError):
                log.warning("relay", error=str(other))
        self.link.write(m.error_response(error))
        await self.failed(extended)

    async def failed(self, extended: bool) -> None:
        self._asked_to_stop = False
        self.compound.lost()
        await self.extended.stop_portals()
        await self.relay.abort_pipeline()
        await self.transaction.fail()
        if self.transaction.given_up:
            self.services.row_locks.release(self, False)
        self.mirror.failed()
        if self.transaction.block is Block.NONE:
            await self.extended.close_portals()
        if extended:
            self.link.protocol.skip_until_sync()
        else:
            self.link.protocol.ready()
            self.ready_for_query()

    def ready_for_query(self) -> None:
        """ReadyForQuery, and before it what changed of the settings that drivers follow."""
        if not self.in_step.reported:
            self.link.write(self.in_step.report())
        self.link.write(m.READY[self.transaction.status])
        self.relay.release()

    @property
    def reported(self) -> bool:
        """Whether ReadyForQuery is all that has to be said at a statement's end."""
        return self.in_step.reported

    def notice(self, warning: SqlError, severity: str = "WARNING") -> None:
        """Tells the client, unless client_min_messages keeps such news away."""
        least = self.settings.get("client_min_messages")
        if least != "error" and not (least == "warning" and severity == "NOTICE"):
            self.link.write(m.notice_response(warning, severity))

    async def cancel(self) -> None:
        """CancelRequest: stops whatever runs for this client now."""
        self._asked_to_stop = True
        self.texts.cancel()
        self.copying.cancel()
        self.compound.cancel()
        self.federation.cancel()
        self.services.row_locks.cancel(self)
        self.duck.interrupt()
        if self.shortcut.cancel():
            return
        if (sent := self.relay.cancel()) is not None:
            await asyncio.shield(sent)

    def heed(self) -> None:
        """Raises SqlError 57014 where it has been asked to stop, and nothing ran just then that could."""
        if self._asked_to_stop:
            raise SqlError("57014", "canceling statement due to user request")

    def _bereft(self, error: SqlError) -> None:
        """The backend that kept a lock, a LISTEN or the like for the client is gone with it."""
        self.link.write(
            m.error_response(
                SqlError(
                    "57P01",
                    "terminating connection: what Postgres kept for this session is lost",
                    detail=error.message,
                    severity="FATAL",
                )
            )
        )
        self.abandon()

    async def _login(self) -> Login:
        return await self.services.login(self.user)

    # --- statements -----------------------------------------------------------------------------

    def resolve(self, plan: Statement) -> Statement:
        return self.own.resolve(plan) if plan.action is not None or plan.kind == "EXPLAIN" else plan

    async def placed(self, plan: Statement) -> Statement:
        return self.resolve(plan) if plan.action is None else await self.own.placed(plan)

    async def on_duck(self, function: Callable[..., T], *arguments: Any, helped: bool = True) -> T:
        """Runs a blocking function of DuckDB's with the session's settings and transaction in force.

        helped: as `DuckSession.call` takes it.
        """
        if self.context.asks:
            await self.context.ask()
        self.heed()
        return await self.duck.call(self._in_step, function, *arguments, helped=helped)

    async def on_duck_in_words(self, function: Callable[..., T], sql: str, *arguments: Any) -> T:
        """As `on_duck`, of a function that binds `sql`: in other words where DuckDB asks for them."""
        while True:
            try:
                return await self.on_duck(function, sql, *arguments)
            except EngineError as error:
                again = in_other_words(sql, error) if self.dialect.name == "snowflake" else None
                if again is None:
                    raise
                sql = again

    @property
    def duck_in_step(self) -> bool:
        """Whether DuckDB's connection has the session's settings."""
        return self.in_step.duck_is and not self.context.stale

    def duck_at_once(self, statement: DuckStatement | str) -> bool:
        """Whether a scalar statement can run here and now: nothing has to come before it."""
        transaction = self.transaction
        return (
            self.duck_in_step
            and (transaction.block is Block.NONE or transaction.duck_open)
            and self.duck.runs_at_once(statement)
        )

    def _in_step(self, function: Callable[..., T], *arguments: Any) -> T:
        """Blocks."""
        if self.draws:
            self.duck.know_who_draws()
        self.in_step.bring_duck()
        if begin := self.transaction.duck_begin():
            self.duck.begin(begin, serial=self.transaction.is_serial)
        if self.federation.spent:
            self.federation.drop()
        if self.context.stale:
            self.context.apply(self.duck)
        return function(*arguments)

    def admit(self, plan: Statement) -> None:
        """Refuses what cannot run now: 25P02, or what the planner refused."""
        if not self.own.ends_transaction(plan):
            self.transaction.check()
        if plan.refused is not None:
            raise plan.refused.with_traceback(None)  # shared by all who meet it
        self.draws = self.draws or plan.writes or plan.numbers

    async def _block_ended(self, committed: bool, half: bool) -> None:
        self.services.row_locks.release(self, committed)
        await self.services.claims.release(self)
        await self.mirror.ended(committed, half)
        await self.compound.stages.ended(committed)
        await self.compound.parts.ended()

    def _numbers_are_postgres(self) -> bool:
        """Whether a numeric that is computed has no precision, as in Postgres."""
        return self.dialect.name == "postgres"

    def forget_constants(self) -> None:
        self.simple.constants.forget()
        self.extended.constants.forget()

    def wrote(self, plan: Statement, sql: str, values: Sequence[Any], rows: int) -> None:
        """A statement has run that may have changed something of DuckDB's."""
        if plan.writes and plan.federated:
            self.transaction.wrote_once("a statement that reads from Postgres too")
        elif plan.writes and (plan.locks is None or plan.kind != "SELECT"):
            gives_all = plan.kind == MAKES_OF_QUERY
            self.transaction.wrote(sql, values, rows, gives_all=gives_all)
            for part, changed in self.rest if plan.then else ():
                self.transaction.wrote(part, (), changed)
            if plan.deletes or plan.updates:
                self.references.wrote()
            if plan.touched:
                self.transaction.defined(plan.kind, plan.touched)

    async def located(self, error: EngineError, plan: Statement, sql: str) -> EngineError:
        """The error with what the client's own text adds to it."""
        return await located(self.texts, error, plan, sql, self.dialect.name)

    def tell(self, plan: Statement) -> None:
        """The notice that goes with a plan."""
        if plan.notice:
            self.notice(SqlError(plan.notice_code, plan.notice), "NOTICE")

    async def send_rest(
        self, running: DuckPortal, encoder: RowEncoder, limit: int = 0, send: bool = True
    ) -> int:
        """Sends what a portal still has to give, at most `limit` rows; returns how many."""
        sent = 0
        self.link.flush()  # the next piece may take its time
        async with aclosing(self.duck.rest(running, encoder, limit)) as pieces:
            async for data, rows in pieces:
                if send:
                    self.link.write(data)
                await self.link.drain()
                sent += rows
        return sent

    async def end_duck(self, running: DuckPortal) -> None:
        if not running.done:
            await self.duck.call(running.close)

    def send_outcome(self, outcome: Outcome, describe: bool) -> None:
        if outcome.columns:
            if describe:
                self.link.write(outcome.row_description())
            self.link.write(outcome.data_rows())
        self.link.write(m.command_complete(outcome.tag))

    async def _stray_copy(self, message: Any) -> None:
        """COPY frames outside a COPY: Postgres drops them, the protocol already did."""

    def _take_steps(self) -> dict[type, Callable[[Any], Awaitable[None]]]:
        extended = self.extended
        return {
            m.Query: self.simple.take,
            m.Parse: extended.parse,
            m.Bind: extended.bind,
            m.Describe: extended.describe,
            m.Execute: extended.execute,
            m.Close: extended.close,
            m.Flush: extended.flush,
            m.Sync: extended.sync,
            m.CopyData: self._stray_copy,
            m.CopyDone: self._stray_copy,
            m.CopyFail: self._stray_copy,
        }
