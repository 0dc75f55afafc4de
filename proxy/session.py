"""One client: its frames in, its answers out, in order, whichever engine gives them.

This is where a statement's way starts and ends. A frame becomes a message (`wire.messages`), its
text a plan (`sql.plan`, cached), the plan's route picks who answers: DuckDB in a worker thread,
Postgres through the relay, or the session itself (`session_actions.py` beside this file). Every
error ends here too, as bytes and as a change of the transaction's state, and never ends anything
but the statement it belongs to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog

from proxy import portal as portals
from proxy.at_once import AtOnce
from proxy.complaints import better_placed, in_other_words, located, put_otherwise
from proxy.compound import Compound
from proxy.constraints import Constraints
from proxy.copying import Copying
from proxy.defining import copied, run_rest
from proxy.described import Described
from proxy.engines.duck import DuckEngine, DuckPortal, DuckStatement
from proxy.engines.duck_errors import EngineError
from proxy.engines.pool import Login, Pools
from proxy.engines.relay import Relay, Told
from proxy.errors import SqlError
from proxy.exchange import Exchange, Step
from proxy.extended import ExtendedProtocol
from proxy.federation import Federation
from proxy.link import ClientLink
from proxy.mirroring import Mirror, SessionMirror, in_postgres
from proxy.named import Rows
from proxy.parameter_types import no_parameter
from proxy.portal import Outcome
from proxy.session_context import SessionContext
from proxy.session_settings import (
    Scope,
    SessionSettings,
    Setting,
    in_milliseconds,
    is_custom,
    known,
)
from proxy.session_statements import SessionStatements, is_postgres_setting
from proxy.shortcut import KnownTexts, Shortcut, passes
from proxy.sql.existence import Existence, existence
from proxy.sql.plan import Dialect, PlanCache, Route, Statement
from proxy.sql.portable import handed_over
from proxy.sql.reading import SyntaxFailure
from proxy.sql.session_actions import CopyStatement
from proxy.staging.service import StageService
from proxy.startup import Greeting, greet
from proxy.transaction import Block, Transaction
from proxy.typed import Typed
from proxy.wire import messages as m
from proxy.wire.protocol import NoClient
from proxy.wire.rows import RowEncoder, TextStyle

log = structlog.get_logger()

T = TypeVar("T")


def relayed_text(sql: str, plans: tuple[Statement, ...]) -> str:
    """A message as Postgres is given it, each statement in its place."""
    for plan in reversed(plans):
        if plan.relayed is not None:
            end = plan.start + len(plan.text)
            sql = sql[: plan.start] + plan.relayed + sql[end:]
    return sql


_STARTUP_SECONDS = 60.0  # as Postgres's authentication_timeout
_ANSWERED_BY_READY = (b"Q", b"S")  # an error in one of these skips nothing
_CONSTANTS, _CONSTANT_SIZE = 16, 1024  # answers kept, and bytes of one with its text
_ESCAPES = "standard_conforming_strings"
_TIMEOUTS = ("statement_timeout", "idle_in_transaction_session_timeout")
_NEEDS_ITS_OBJECT = ("COMMENT", "TRUNCATE TABLE")  # DuckDB's have no IF EXISTS
_IDLE_TOO_LONG = SqlError(
    "25P03", "terminating connection due to idle-in-transaction timeout", severity="FATAL"
)
_SHUTDOWN = SqlError(
    "57P01", "terminating connection due to administrator command", severity="FATAL"
)


@dataclass(frozen=True, slots=True)
class Services:
    """What the server lends to each of its sessions."""

    duck: DuckEngine
    pools: Pools
    plans: PlanCache
    login: Callable[[str], Awaitable[Login]]
    server_parameters: dict[str, str]  # what Postgres itself reports at start-up
    register: Callable[[Session], tuple[int, bytes]]  # gives pid and cancel key
    unregister: Callable[[Session], None]
    cancel: Callable[[int, bytes], Awaitable[None]]  # what a CancelRequest asks for
    known_texts: dict[Dialect, KnownTexts]
    sessions: Callable[[], Collection[Session]]  # all that are there now
    mirror: Mirror | None
    shared_role: str  # what all clients are in Postgres; '' where each is itself
    stages: StageService
    dialect: str  # that sessions begin with


class Session:
    """Lives as long as its connection. `run` is its one task; `cancel` may come from outside."""

    def __init__(self, services: Services, link: ClientLink) -> None:
        self.services = services
        self.link = link
        self.pid = 0
        self.since = time.monotonic()
        self.user = self.database = ""
        self.settings = SessionSettings(self._setting_changed)
        self.duck = services.duck.session()
        self.described = Described(self.duck)
        self.typed = Typed(self)
        self.constraints = Constraints(self)
        self.relay = Relay(
            services.pools,
            self._login,
            link.send,
            self._postgres_settings,
            self._parameter_from_postgres,
            self._settings_from_postgres,
            self._bereft,
        )
        self.transaction = Transaction(self.duck, self.relay, self.settings)
        self.mirror = SessionMirror(self, services.mirror)
        self.transaction.ended = self._block_ended
        self.transaction.went_back = self.mirror.went_back
        self.extended = ExtendedProtocol(self)
        self.own = SessionStatements(self)
        self.context = SessionContext(self)
        self.rest: list[str] = []  # the parts of the last definition of several
        self.copying = Copying(self)
        self.compound = Compound(self)
        self.federation = Federation(self)
        self.shortcut = Shortcut(self)
        self.exchange = Exchange(self)
        self.at_once = AtOnce(self)
        self._steps = self._take_steps()
        self.passthrough: dict[str, str] = {}  # settings that only Postgres knows
        self._duck_stale: dict[str, str] = {}  # settings to set before the next statement there
        self.dialect = Dialect()
        self._timeouts: dict[str, float] = {}  # in seconds, those that are not off
        self._timed_out = False
        self._style: TextStyle | None = None
        self._constants: dict[str, bytes] = {}  # answers of scalar queries without parameters
        self._to_report: set[str] = set()  # settings that changed since ReadyForQuery
        self._reported: dict[str, str] = {}  # what the client was last told of them
        self.body = b""  # of the frame being taken
        self._task: asyncio.Task[None] | None = None
        self.busy = self._stopping = self._closing = False
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
        protocol, timeouts = self.link.protocol, self._timeouts
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
                if self._stopping:
                    raise _SHUTDOWN
            elif alone:
                self.link.flush()
                await asyncio.sleep(0)  # others have their turn, whatever was sent at once

    async def _next_frame(self) -> tuple[bytes, bytes] | None:
        limit = self._timeouts.get("idle_in_transaction_session_timeout")
        if not limit or self.transaction.status == "I":
            return await self.link.next_frame()
        try:
            async with asyncio.timeout(limit):
                return await self.link.next_frame()
        except TimeoutError:
            raise _IDLE_TOO_LONG from None

    async def _take_in_time(self, kind: bytes, body: bytes) -> None:
        """`_take` under the session's statement_timeout."""
        limit = self._timeouts.get("statement_timeout")
        if not limit:
            await self._take(kind, body)
            return
        timer = asyncio.get_running_loop().call_later(limit, self._time_out)
        try:
            await self._take(kind, body)
        finally:
            timer.cancel()
            self._timed_out = False

    def _time_out(self) -> None:
        self._timed_out = True
        self.copying.cancel()
        self.compound.cancel()
        self.federation.time_out()
        self.duck.interrupt()
        if self.relay.waiting:
            self.relay.cancel()

    @property
    def unhurried(self) -> bool:
        """No timeout of the session's is running, and it is not asked to end."""
        return not self._timeouts and not self._stopping

    def shortcut_ended(self) -> None:
        if self._stopping and not self.link.protocol.buffered:
            self.link.write(m.error_response(_SHUTDOWN))
            self.abandon()

    def stop(self) -> None:
        """The server goes down: an idle session ends now, a busy one after what it does."""
        self._stopping = True
        self.shortcut.unfold()
        if not self.busy:
            self.link.write(m.error_response(_SHUTDOWN))
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
        await self.duck.call(self.duck.close)
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
                    self.passthrough[name] = value
                    continue
                error.severity = "FATAL"
                raise
        self.pid, key = self.services.register(self)
        self._reported = dict(self.settings.reported())
        self.link.protocol.ready()
        self.link.shortcut = self.shortcut
        self.link.write(
            b"".join(
                (
                    *(m.parameter_status(*pair) for pair in self._reported.items()),
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
            await self._failed(extended)
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
        await self._failed(extended)

    async def _failed(self, extended: bool) -> None:
        self.compound.lost()
        await self.extended.stop_portals()
        await self.relay.abort_pipeline()
        await self.transaction.fail()
        if self.transaction.block is Block.NONE:
            await self.extended.close_portals()
        if extended:
            self.link.protocol.skip_until_sync()
        else:
            self.link.protocol.ready()
            self.ready_for_query()

    def ready_for_query(self) -> None:
        """ReadyForQuery, and before it what changed of the settings that drivers follow."""
        while self._to_report:
            name = self._to_report.pop()
            if (value := self.settings.get(name)) != self._reported.get(name):
                self._reported[name] = value
                self.link.write(m.parameter_status(name, value))
        self.link.write(m.READY[self.transaction.status])
        self.relay.release()

    @property
    def reported(self) -> bool:
        """Whether ReadyForQuery is all that has to be said at a statement's end."""
        return not self._to_report

    def notice(self, warning: SqlError, severity: str = "WARNING") -> None:
        """Tells the client, unless client_min_messages keeps such news away."""
        least = self.settings.get("client_min_messages")
        if least != "error" and not (least == "warning" and severity == "NOTICE"):
            self.link.write(m.notice_response(warning, severity))

    async def cancel(self) -> None:
        """CancelRequest: stops whatever runs for this client now."""
        self.copying.cancel()
        self.compound.cancel()
        self.federation.cancel()
        self.duck.interrupt()
        if self.shortcut.cancel():
            return
        if (sent := self.relay.cancel()) is not None:
            await asyncio.shield(sent)

    # --- settings -----------------------------------------------------------------------------

    def _setting_changed(self, setting: Setting, value: str) -> None:
        self._style = None
        self._forget_constants()
        if Scope.PLAN in setting.scope:
            get = self.settings.get
            if setting.name == "hatidata.dialect":
                # Snowflake's strings have backslash escapes unless the client says otherwise.
                self.settings.follow(_ESCAPES, "off" if value == "snowflake" else "on")
                self._to_report.add(_ESCAPES)
            self.dialect = Dialect(
                name=get("hatidata.dialect"),
                transpile=get("hatidata.transpile") == "on",
                keys=get("hatidata.enforce_keys") == "on",
                backslashes=get(_ESCAPES) == "off",
                parameters=self.context.planned,
                database=self.database,
            )
        if setting.name in _TIMEOUTS:
            self._timeouts[setting.name] = in_milliseconds(value) / 1000
        if Scope.DUCKDB in setting.scope:
            self._duck_stale[setting.name] = value
        if Scope.POSTGRES in setting.scope:
            self.relay.settings_changed()
        if setting.reported:
            self._to_report.add(setting.name)

    def _parameter_from_postgres(self, name: str, value: str) -> None:
        """A function on the Postgres side changed a setting (`set_config`): keep in step."""
        self._reported[name] = value  # the relay has passed it on
        self._style = None
        self._forget_constants()
        if self.settings.adopt(name, value) & Scope.DUCKDB:
            self._duck_stale[name] = value

    def _postgres_settings(self) -> dict[str, str]:
        """What a backend must have to be in step with the session."""
        settings = self.settings.in_scope(Scope.POSTGRES)
        return {name: in_postgres(name, value) for name, value in settings} | self.passthrough

    def _settings_from_postgres(self, changed: dict[str, str | None]) -> None:
        """A statement on the Postgres side has set these (None: reset them): they stay set."""
        for name, value in changed.items():
            if not known(name):
                if value is None:
                    self.passthrough.pop(name, None)
                else:
                    self.passthrough[name] = value
            elif value is None:
                self.settings.set(name, None)
            elif is_custom(name):
                self.settings.set(name, value)
            else:
                self._style = None
                if self.settings.adopt(name, value) & Scope.DUCKDB:
                    self._duck_stale[name] = value

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

    def apply_to_duck(self) -> None:
        """Blocks. Brings DuckDB's connection in step with the session's settings."""
        while self._duck_stale:
            name, value = next(iter(self._duck_stale.items()))
            self.duck.apply(name, value)
            del self._duck_stale[name]

    def style(self) -> TextStyle:
        """How values become text, as the settings have it now."""
        if self._style is None:
            get = self.settings.get
            self._style = TextStyle(
                time_zone=get("TimeZone"),
                extra_float_digits=int(get("extra_float_digits")),
                bytea_output=get("bytea_output"),
            )
        return self._style

    # --- simple query -------------------------------------------------------------------------

    async def _query(self, message: m.Query) -> None:
        try:
            await self.relay.settle()
        except Told:  # an error among the extended messages before it: this one is skipped too
            await self._failed(extended=True)
            return
        await self.extended.forget_unnamed()
        await self.query(message.sql)
        self.ready_for_query()

    async def query(self, sql: str) -> None:
        """Runs the statements of one text, each with its own answer, in one implicit block."""
        plans = self.plan(sql)
        if self.dialect.name == "snowflake" and any(plan.parameters for plan in plans):
            plans = self.plan(sql, numbered=True)  # what has no parameters has columns
        if not plans:
            self.link.write(m.EMPTY_QUERY)
            return
        if all(plan.route is Route.POSTGRES and plan.refused is None for plan in plans):
            self.transaction.check()
            self.compound.lost()
            await self._relay_query(relayed_text(sql, plans), plans)
            return
        for plan in plans:
            if len(plans) > 1 or plan.then or plan.copies:
                self.transaction.open(Block.MESSAGE)
            await self._simple(plan)
        if self.transaction.block in (Block.MESSAGE, Block.PIPELINE):
            await self.extended.close_portals(committed=True)
            await self.transaction.commit()

    def plan(self, sql: str, numbered: bool = False) -> tuple[Statement, ...]:
        base = replace(self.dialect, numbered=True) if numbered else self.dialect
        dialect = self.context.dialect(base, sql)
        cache = self.services.plans
        hits = cache.hits
        try:
            plans = cache.plan(sql, dialect)
        except SyntaxFailure as failure:
            raise better_placed(failure, sql, self.dialect.name, self.duck) from None
        if len(plans) == 1 and dialect is self.dialect and passes(plans[0]):
            again = cache.hits > hits
            self.shortcut.known().learn(sql.encode(), plans[0], dialect, again)
            return plans
        if any(map(is_postgres_setting, plans)):
            plans = tuple(
                replace(plan, route=Route.POSTGRES) if is_postgres_setting(plan) else plan
                for plan in plans
            )
        return plans

    def planned_now(self, plan: Statement) -> Statement:
        """The plan of the same text as the session's variables have it now."""
        return replace(self.plan(plan.text)[0], start=plan.start) if plan.varies else plan

    async def _simple(self, plan: Statement) -> None:
        plan = self.resolve(self.planned_now(plan))
        self.admit(plan)
        self.context.started(plan)
        if plan.route is Route.SESSION:
            answer = await self.own.run(plan)
            self.compound.answered(plan, answer)
            if isinstance(answer, Rows):
                await self._send_rows_of(answer)
            else:
                self.send_outcome(answer, describe=True)
        elif isinstance(plan.action, CopyStatement):
            await self.copying.run(plan)
        elif plan.route is Route.POSTGRES:
            await self._simple_postgres(plan)
        else:
            await self._simple_duck(plan)

    async def _simple_postgres(self, plan: Statement) -> None:
        self.compound.lost()
        # Leading blanks keep the positions in Postgres's errors true to the client's text.
        sql = " " * plan.start + (plan.relayed or plan.text)
        await self._relay_query(sql, (plan,))

    def resolve(self, plan: Statement) -> Statement:
        return self.own.resolve(plan) if plan.action is not None or plan.kind == "EXPLAIN" else plan

    async def _send_rows_of(self, rows: Rows) -> None:
        """EXECUTE, FETCH or MOVE as a simple query."""
        inner = rows.portal.statement
        codes = (int(rows.portal.binary),) * len(inner.row_types or ())
        if inner.row_types is not None and rows.send:
            columns = portals.columns_of(inner.row_types, codes, inner.lengths)
            self.link.write(m.row_description(columns))
        count = await self.extended.run(rows.portal, rows.limit, codes, rows.send)
        assert inner.plan is not None
        self.link.write(portals.complete(rows.tag or inner.plan.tag, count))

    async def _idle(self, plan: Statement) -> Existence | None:
        """The IF [NOT] EXISTS that leaves a statement nothing to do."""
        judged = plan.ddl or plan.kind in _NEEDS_ITS_OBJECT
        about = existence(plan.text, self.dialect.name) if judged else None
        if about is None:
            return None
        there = await self.on_duck(self.duck.has, about.kind, about.name)
        return about if there == about.creates else None

    async def without_its_object(self, plan: Statement) -> bool:
        """Whether it is about nothing there is, and DuckDB could not even prepare it."""
        return plan.kind in _NEEDS_ITS_OBJECT and await self._idle(plan) is not None

    async def existence_notice(self, plan: Statement) -> bool:
        """Says so when IF [NOT] EXISTS leaves a statement nothing to do; True when it did."""
        about = await self._idle(plan)
        if about is None:
            return False
        name = about.name[-1]
        if about.creates:
            what = f'schema "{name}"' if about.kind == "SCHEMA" else f'relation "{name}"'
            code = "42P06" if about.kind == "SCHEMA" else "42P07"
            self.notice(SqlError(code, f"{what} already exists, skipping"), "NOTICE")
        else:
            what = f'{about.kind.lower()} "{name}" does not exist, skipping'
            self.notice(SqlError("00000", what), "NOTICE")
        return True

    async def on_duck(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs a blocking function of DuckDB's with the session's settings and transaction in force."""
        return await self.duck.call(self._in_step, function, *arguments)

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
        return not self._duck_stale and not self.context.stale

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
        self.apply_to_duck()
        if begin := self.transaction.duck_begin():
            self.duck.begin(begin)
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

    async def _relay_query(self, sql: str, plans: Sequence[Statement]) -> None:
        await self.mirror.before_question(any(plan.asks_catalog for plan in plans))
        trace = max(map(self.own.trace, plans))
        names = tuple(name for plan in plans for name in plan.sets if isinstance(name, str))
        begin = self.transaction.postgres_begin()
        await self.relay.query(sql, begin, trace, names, len(plans))
        if self.relay.copying:
            await self.relay_copy()

    async def relay_copy(self) -> None:
        """Hands the client's COPY data on until its end."""
        self.link.protocol.copy_in()
        try:
            while self.relay.copying:
                frame = await self.link.next_frame()
                if frame is None:
                    raise ConnectionResetError("the client has gone")
                kind, body = frame
                if kind == b"d":
                    self.relay.copy_data(m.frame(kind, body))
                else:
                    if kind not in (b"c", b"f"):
                        kind, body = b"f", m.cstring("unexpected message during COPY")
                    await self.relay.copy_end(m.frame(kind, body))
        finally:
            self.link.protocol.ready()

    async def _block_ended(self, committed: bool, half: bool) -> None:
        await self.mirror.ended(committed, half)
        await self.compound.stages.ended(committed)

    async def _simple_duck(self, plan: Statement) -> None:
        if plan.parameters:
            raise no_parameter(plan, plan.parameters)
        if plan.portable:
            try:
                await self._simple_typed(plan)
            except SqlError as error:
                await self._simple_postgres(handed_over(plan, error))
        else:
            await self._simple_typed(plan)

    async def _simple_typed(self, plan: Statement) -> None:
        plan = await self.typed.of(plan)
        if plan.scalar and (known := self._constants.get(plan.sql)) is not None:
            self.link.write(known)
            self.compound.ran(plan, None, 1)
            return
        if not plan.federated:
            try:
                await self._run_duck(plan)
                return
            except EngineError as error:
                plan = self.federation.widened(plan, error)  # a view of Postgres's relations
        try:
            await self._run_duck(await self.federation.open(plan, plan.sql))
        finally:
            await self.federation.close()

    async def _run_duck(self, plan: Statement) -> None:
        nothing_to_do = await self.existence_notice(plan)
        self.context.refresh(plan.needs)
        self.tell(plan)
        if nothing_to_do and plan.kind in _NEEDS_ITS_OBJECT:
            self.link.write(portals.complete(plan.tag, 0))
            return
        plan = replace(plan, then=()) if nothing_to_do else await copied(self, plan)
        follow = await self.compound.stages.ahead(plan, Block.MESSAGE)
        try:
            if plan.scalar and self.duck_at_once(plan.sql):
                running, encoder, piece = self.duck.at_once(self._start_duck, plan)
            else:
                running, encoder, piece = await self.on_duck(self._start_duck, plan)
        except EngineError as error:
            if (again := await put_otherwise(self, plan, error)) is not None:
                await self._simple_duck(again)
                return
            if error.sqlstate == "42P02":  # there is none but $0
                raise no_parameter(plan, 0) from error
            raise self.located(error, plan, plan.sql) from error
        try:
            if encoder is None:
                if follow is not None:
                    await follow()
                if plan.touched:
                    await self.mirror.changed(plan.touched)
                tag = portals.IDLE_TAGS.get(plan.kind, plan.tag) if nothing_to_do else plan.tag
                self.link.write(portals.complete(tag, running.rows_changed))
                self.wrote(plan, plan.sql, (), running.rows_changed)
                self.compound.ran(plan, running.statement.moment, running.rows_changed)
                return
            columns = tuple(running.columns)
            lengths = None if plan.scalar else self.described.lengths(plan.sql, columns)
            description = portals.row_description(columns, (0,) * len(columns), lengths)
            if plan.scalar and not piece[2]:
                answer = b"".join((description, piece[0], portals.complete(plan.tag, piece[1])))
                self._keep_constant(plan.sql, answer)
                self.link.write(answer)
                self.compound.ran(plan, None, piece[1])
                return
            self.link.write(description)
            sent = await self._send_rows(running, encoder, piece)
            if plan.touched:
                await self.mirror.changed(plan.touched)
            self.link.write(portals.complete(plan.tag, sent))
            self.wrote(plan, plan.sql, (), sent)
            self.compound.ran(plan, running.statement.moment, sent)
        finally:
            await self.end_duck(running)

    def _forget_constants(self) -> None:
        self._constants.clear()
        self.extended.forget_constants()

    def wrote(self, plan: Statement, sql: str, values: Sequence[Any], rows: int) -> None:
        """A statement has run that may have changed something of DuckDB's."""
        if plan.writes and plan.federated:
            self.transaction.wrote_once("a statement that reads from Postgres too")
        elif plan.writes:
            self.transaction.wrote(sql, values, rows)
            for part in self.rest if plan.then else ():
                self.transaction.wrote(part, (), 0)

    def _keep_constant(self, sql: str, answer: bytes) -> None:
        if len(sql) + len(answer) <= _CONSTANT_SIZE:
            if len(self._constants) >= _CONSTANTS:
                self._constants.clear()
            self._constants[sql] = answer

    def located(self, error: EngineError, plan: Statement, sql: str) -> EngineError:
        """The error with what the client's own text adds to it."""
        return located(error, plan, sql, self.dialect.name)

    def _start_duck(self, plan: Statement) -> tuple[DuckPortal, RowEncoder | None, Any]:
        """Blocks. Prepares and starts, up to the first rows: run-time errors come before any row."""
        if plan.writes:
            self.constraints.look(self.duck)
        if plan.federated:
            running = self.duck.start_once(plan.sql, look=self.described.look)
            self.federation.spent = True
        else:
            look = None if plan.scalar else self.described.look
            running = self.duck.start_text(plan.sql, plan.scalar, look)
        try:
            if portals.row_types_of(plan, running.statement) is None:
                running.finish()
                self.rest = run_rest(self.duck, plan)
                return running, None, None
            encoder = running.encoder((0,) * len(running.columns), self.style())
            return running, encoder, running.fetch(encoder)
        except BaseException:
            running.close()
            raise

    def tell(self, plan: Statement) -> None:
        """The notice that goes with a plan."""
        if plan.notice:
            self.notice(SqlError("00000", plan.notice), "NOTICE")

    async def _send_rows(self, running: DuckPortal, encoder: RowEncoder, piece: Any) -> int:
        """Sends a result to its end; piece: its first."""
        data, sent, more = piece
        self.link.write(data)
        return sent + await self.send_rest(running, encoder) if more else sent

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
            m.Query: self._query,
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
