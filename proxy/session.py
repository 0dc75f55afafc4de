"""One client: its frames in, its answers out, in order, whichever engine gives them.

This is where a statement's way starts and ends. A frame becomes a message (`wire.messages`), its
text a plan (`sql.plan`, cached), the plan's route picks who answers: DuckDB in a worker thread,
Postgres through the relay, or the session itself (`session_actions.py` beside this file). Every
error ends here too, as bytes and as a change of the transaction's state, and never ends anything
but the statement it belongs to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from proxy import portal as portals
from proxy.engines import postgres as pg
from proxy.engines.duck import DuckEngine, DuckPortal, DuckStatement
from proxy.engines.duck_errors import EngineError
from proxy.engines.relay import Login, Relay, RelayedStatement, Told
from proxy.errors import SqlError
from proxy.link import ClientLink
from proxy.portal import Outcome, Portal, PreparedStatement
from proxy.session_settings import Scope, SessionSettings, Setting
from proxy.session_statements import SessionStatements, is_postgres_setting
from proxy.sql.parameters import cast_parameters
from proxy.sql.plan import Dialect, PlanCache, Route, Statement
from proxy.sql.positions import source_position
from proxy.startup import Greeting, greet
from proxy.transaction import Block, Transaction
from proxy.wire import messages as m
from proxy.wire import params
from proxy.wire.rows import RowEncoder, TextStyle
from proxy.wire.types import BY_NAME, duck_type_name, wire_type

log = structlog.get_logger()

_TEXT_OID = BY_NAME["text"].oid
_NUMERIC_OIDS = frozenset((BY_NAME["numeric"].oid, BY_NAME["numeric"].array_oid))
_SHUTDOWN = SqlError(
    "57P01", "terminating connection due to administrator command", severity="FATAL"
)


@dataclass(frozen=True, slots=True)
class Services:
    """What the server lends to each of its sessions."""

    duck: DuckEngine
    control: pg.ControlPlane
    plans: PlanCache
    login: Callable[[str], Awaitable[Login]]
    server_parameters: dict[str, str]  # what Postgres itself reports at start-up
    register: Callable[[Session], tuple[int, bytes]]  # gives pid and cancel key
    unregister: Callable[[Session], None]
    cancel: Callable[[int, bytes], Awaitable[None]]  # what a CancelRequest asks for


class Session:
    """Lives as long as its connection. `run` is its one task; `cancel` may come from outside."""

    def __init__(self, services: Services, link: ClientLink) -> None:
        self.services = services
        self.link = link
        self.pid = 0
        self.user = self.database = ""
        self.settings = SessionSettings(self._setting_changed)
        self.duck = services.duck.session()
        self.relay = Relay(
            services.control,
            self._login,
            link.write,
            self._postgres_settings,
            self._parameter_from_postgres,
        )
        self.transaction = Transaction(self.duck, self.relay, self.settings)
        self.statements: dict[str, PreparedStatement] = {}
        self.portals: dict[str, Portal] = {}
        self.own = SessionStatements(self)
        self.passthrough: dict[str, str] = {}  # settings that only Postgres knows
        self._duck_stale: dict[str, str] = {}  # settings to set before the next statement there
        self._postgres_stale: dict[str, str] = {}
        self._dialect = Dialect()
        self._started = False
        self._body = b""  # of the frame being taken
        self._task: asyncio.Task[None] | None = None
        self._busy = self._stopping = self._closing = False
        link.on_lost = self.abandon
        link.on_pause, link.on_resume = self.relay.pause, self.relay.resume

    # --- life ---------------------------------------------------------------------------------

    async def run(self) -> None:
        self._task = asyncio.current_task()
        try:
            greeting = await greet(self.link, self.services.cancel)
            if greeting is not None:
                self._start(greeting)
                await self._serve()
        except SqlError as error:
            self.link.write(m.error_response(error))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._closing = True
            await self._close()

    async def _serve(self) -> None:
        while (frame := await self.link.next_frame()) is not None and frame[0] != b"X":
            self._busy = True
            await self._take(*frame)
            self._busy = False
            if self._stopping and not self.link.protocol.buffered:
                raise _SHUTDOWN

    def stop(self) -> None:
        """The server goes down: an idle session ends now, a busy one after what it does."""
        self._stopping = True
        if not self._busy:
            self.link.write(m.error_response(_SHUTDOWN))
            self.abandon()

    def abandon(self) -> None:
        """Ends the session now, whatever it does; its statement is interrupted."""
        if self._task is not None and not self._closing:
            self._task.cancel()

    async def _close(self) -> None:
        self.services.unregister(self)
        self.relay.close()
        self.link.close()
        await self.duck.call(self.duck.close)

    def _start(self, greeting: Greeting) -> None:
        """Answers the startup packet. Raises FATAL errors."""
        self.user, self.database = greeting.user, greeting.database
        for name, value in self.services.server_parameters.items():
            self.settings.fix(name, value)
        self.settings.fix("session_authorization", self.user)
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
        self._started = True
        self.link.protocol.ready()
        self.link.write(
            b"".join(
                (
                    m.AUTHENTICATION_OK,
                    *(m.parameter_status(*pair) for pair in self.settings.reported()),
                    m.backend_key_data(self.pid, key),
                    m.READY["I"],
                )
            )
        )

    async def _take(self, kind: bytes, body: bytes) -> None:
        """One frame. Whatever goes wrong is answered; only FATAL errors and a lost client leave."""
        extended = kind != b"Q"
        self._body = body
        try:
            message = m.decode(kind, body)
            await self._STEPS[type(message)](self, message)
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
        try:
            await self.relay.settle()
        except (Told, SqlError) as other:
            if isinstance(other, SqlError):
                log.warning("relay", error=str(other))
        self.link.write(m.error_response(error))
        await self._failed(extended)

    async def _failed(self, extended: bool) -> None:
        await self.close_portals()
        await self.relay.abort_pipeline()
        await self.transaction.fail()
        if extended:
            self.link.protocol.skip_until_sync()
        else:
            self.link.protocol.ready()
            self._ready_for_query()

    def _ready_for_query(self) -> None:
        self.link.write(m.READY[self.transaction.status])

    def notice(self, warning: SqlError, severity: str = "WARNING") -> None:
        self.link.write(m.notice_response(warning, severity))

    async def cancel(self) -> None:
        """CancelRequest: stops whatever runs for this client now."""
        self.duck.interrupt()
        await self.relay.cancel()

    # --- settings -----------------------------------------------------------------------------

    def _setting_changed(self, setting: Setting, value: str) -> None:
        if Scope.PLAN in setting.scope:
            self._dialect = Dialect(
                name=self.settings.get("hatidata.dialect"),
                transpile=self.settings.get("hatidata.transpile") == "on",
            )
        if Scope.DUCKDB in setting.scope:
            self._duck_stale[setting.name] = value
        if Scope.POSTGRES in setting.scope and self.relay.connected:
            self._postgres_stale[setting.name] = value
        if setting.reported and self._started:
            self.link.write(m.parameter_status(setting.name, value))

    def _parameter_from_postgres(self, name: str, value: str) -> None:
        """A function on the Postgres side changed a setting (`set_config`): keep in step."""
        if self.settings.adopt(name, value) & Scope.DUCKDB:
            self._duck_stale[name] = value

    def _postgres_settings(self) -> dict[str, str]:
        """What a new backend starts with."""
        self._postgres_stale.clear()
        return dict(self.settings.in_scope(Scope.POSTGRES)) | self.passthrough

    async def _login(self) -> Login:
        return await self.services.login(self.user)

    def _apply_to_duck(self) -> None:
        """Blocks. Brings DuckDB's connection in step with the session's settings."""
        while self._duck_stale:
            name, value = next(iter(self._duck_stale.items()))
            self.duck.apply(name, value)
            del self._duck_stale[name]

    async def _apply_to_postgres(self) -> None:
        while self._postgres_stale:
            name, value = self._postgres_stale.popitem()
            await self.relay.apply(name, value)

    def _style(self) -> TextStyle:
        get = self.settings.get
        return TextStyle(
            time_zone=get("TimeZone"),
            extra_float_digits=int(get("extra_float_digits")),
            bytea_output=get("bytea_output"),
        )

    # --- simple query -------------------------------------------------------------------------

    async def _query(self, message: m.Query) -> None:
        await self.forget_statement("")
        if (unnamed := self.portals.pop("", None)) is not None:
            await self._close_portal(unnamed)
        await self.query(message.sql)
        self._ready_for_query()

    async def query(self, sql: str) -> None:
        """Runs the statements of one text, each with its own answer, in one implicit block."""
        plans = self.plan(sql)
        if not plans:
            self.link.write(m.EMPTY_QUERY)
            return
        if all(plan.route is Route.POSTGRES and plan.refused is None for plan in plans):
            self.transaction.check()
            await self._relay_query(sql)
            return
        if len(plans) > 1:
            self.transaction.open(Block.MESSAGE)
        for plan in plans:
            await self._simple(plan, sql)
        if self.transaction.block is Block.MESSAGE:
            await self.transaction.commit()

    def plan(self, sql: str) -> tuple[Statement, ...]:
        plans = self.services.plans.plan(sql, self._dialect)
        if any(map(is_postgres_setting, plans)):
            plans = tuple(
                replace(plan, route=Route.POSTGRES) if is_postgres_setting(plan) else plan
                for plan in plans
            )
        return plans

    async def _simple(self, plan: Statement, sql: str) -> None:
        self._admit(plan)
        if plan.route is Route.SESSION:
            self._send_outcome(await self.own.run(plan), describe=True)
        elif plan.route is Route.POSTGRES:
            # Leading blanks keep the positions in Postgres's errors true to the client's text.
            await self._relay_query(" " * plan.start + plan.text)
        else:
            await self._simple_duck(plan)

    def _admit(self, plan: Statement) -> None:
        """Refuses what cannot run now: 25P02, or what the planner refused."""
        if not self.own.ends_transaction(plan):
            self.transaction.check()
        if plan.refused is not None:
            raise plan.refused

    async def _relay_query(self, sql: str) -> None:
        await self._apply_to_postgres()
        await self.relay.query(sql, self.transaction.postgres_begin())
        if self.relay.copying:
            await self._relay_copy()

    async def _relay_copy(self) -> None:
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

    async def _simple_duck(self, plan: Statement) -> None:
        try:
            running, encoder, piece = await self.duck.call(self._start_duck, plan)
        except EngineError as error:
            raise self._located(error, plan, plan.sql) from error
        try:
            if encoder is None:
                self.link.write(portals.complete(plan.tag, running.rows_changed))
                return
            description = m.row_description(
                portals.columns_of(running.columns, (0,) * len(running.columns))
            )
            self.link.write(description)
            sent = await self._send_rows(running, encoder, piece)
            self.link.write(portals.complete(plan.tag, sent))
        finally:
            await self._end_duck(running)

    def _located(self, error: EngineError, plan: Statement, sql: str) -> EngineError:
        """The error with the position of what it complains about in the client's text."""
        if error.offset is not None and error.position is None:
            place = source_position(sql, error.offset, plan.text, self._dialect.name)
            error.position = place + plan.start if place is not None else None
        return error

    def _start_duck(self, plan: Statement) -> tuple[DuckPortal, RowEncoder | None, Any]:
        """Blocks. Prepares and starts, up to the first rows: run-time errors come before any row."""
        self._apply_to_duck()
        if begin := self.transaction.duck_begin():
            self.duck.run(begin)
        statement = self.duck.prepare(plan.sql)
        row_types = portals.row_types_of(plan, statement)
        running = self.duck.start(statement)
        running.owns(statement)
        try:
            if row_types is None:
                running.finish()
                return running, None, None
            types = [kind for _, kind in row_types]
            encoder = RowEncoder(types, (0,) * len(types), self._style())
            return running, encoder, running.fetch(encoder)
        except BaseException:
            running.close()
            raise

    async def _send_rows(self, running: DuckPortal, encoder: RowEncoder, piece: Any) -> int:
        """Sends a result to its end; the next piece is made while this one is being sent."""
        sent = 0
        while True:
            data, rows, more = piece
            self.link.write(data)
            sent += rows
            if not more:
                return sent
            await self.link.drain()
            piece = await self.duck.call(running.fetch, encoder)

    async def _end_duck(self, running: DuckPortal) -> None:
        if not running.done:
            await self.duck.call(running.close)

    def _send_outcome(self, outcome: Outcome, describe: bool) -> None:
        if outcome.columns:
            if describe:
                self.link.write(outcome.row_description())
            self.link.write(outcome.data_rows())
        self.link.write(m.command_complete(outcome.tag))

    # --- extended protocol --------------------------------------------------------------------

    async def _parse(self, message: m.Parse) -> None:
        name = message.statement
        if name and name in self.statements:
            raise SqlError("42P05", f'prepared statement "{name}" already exists')
        if not name:
            await self.forget_statement("")
        plans = self.plan(message.sql)
        if len(plans) > 1:
            raise SqlError("42601", "cannot insert multiple commands into a prepared statement")
        statement = PreparedStatement(name, plans[0] if plans else None)
        if plans:
            await self._prepare(statement, plans[0], message)
        if statement.relayed is None:
            await self.relay.settle()
            self.link.write(m.PARSE_COMPLETE)
        self.statements[name] = statement

    async def _prepare(
        self, statement: PreparedStatement, plan: Statement, message: m.Parse
    ) -> None:
        self._admit(plan)
        if plan.route is Route.POSTGRES:
            await self._apply_to_postgres()
            statement.relayed = RelayedStatement(message.statement, m.frame(b"P", self._body))
            await self.relay.parse(statement.relayed, self.transaction.postgres_begin())
        elif plan.route is not Route.SESSION:
            await self._prepare_duck(statement, plan, message.parameter_oids)

    async def _prepare_duck(
        self, statement: PreparedStatement, plan: Statement, oids: tuple[int, ...]
    ) -> None:
        """Binds the statement without running it; what neither client nor DuckDB can type is text."""
        given = {n: oid for n, oid in enumerate(oids, start=1) if oid}
        casts = {
            n: duck
            for n, oid in given.items()
            # A cast to numeric would need digits that only the value has; it brings its own type.
            if oid not in _NUMERIC_OIDS and (duck := duck_type_name(oid)) is not None
        }
        prepared = await self._duck_statement(plan, casts)
        unknown = {
            n: "VARCHAR"
            for n, kind in enumerate(prepared.parameters, start=1)
            if kind.id in ("INVALID", "SQLNULL", "ANY") and n not in given
        }
        if unknown:
            await self.duck.call(prepared.close)
            prepared = await self._duck_statement(plan, casts | unknown)
        statement.duck = prepared
        statement.row_types = portals.row_types_of(plan, prepared)
        statement.parameter_oids = tuple(
            given.get(n) or (_TEXT_OID if n in unknown else wire_type(kind).oid)
            for n, kind in enumerate(prepared.parameters, start=1)
        )

    async def _duck_statement(self, plan: Statement, casts: dict[int, str]) -> DuckStatement:
        sql = cast_parameters(plan.sql, casts) if casts else plan.sql

        def prepare() -> DuckStatement:
            self._apply_to_duck()
            if begin := self.transaction.duck_begin():
                self.duck.run(begin)
            return self.duck.prepare(sql)

        try:
            return await self.duck.call(prepare)
        except EngineError as error:
            raise self._located(error, plan, sql) from error

    def _statement(self, name: str) -> PreparedStatement:
        if (statement := self.statements.get(name)) is None:
            what = f'prepared statement "{name}"' if name else "unnamed prepared statement"
            raise SqlError("26000", f"{what} does not exist")
        return statement

    def _portal(self, name: str) -> Portal:
        if (found := self.portals.get(name)) is None:
            raise SqlError("34000", f'portal "{name}" does not exist')
        return found

    async def _bind(self, message: m.Bind) -> None:
        statement = self._statement(message.statement)
        if message.portal and message.portal in self.portals:
            raise SqlError("42P03", f'cursor "{message.portal}" already exists')
        if (replaced := self.portals.pop(message.portal, None)) is not None:
            await self._close_portal(replaced)
        if statement.plan is not None:
            self._admit(statement.plan)
        bound = Portal(statement)
        if statement.relayed is not None:
            await self._forward(b"B", pg.BIND, statement.relayed)
        else:
            self._bind_values(bound, message)
            await self.relay.settle()
            self.link.write(m.BIND_COMPLETE)
        self.portals[message.portal] = bound

    def _bind_values(self, bound: Portal, message: m.Bind) -> None:
        oids = bound.statement.parameter_oids
        if len(message.parameters) != len(oids):
            raise m.protocol_violation(
                f"bind message supplies {len(message.parameters)} parameters, but prepared "
                f'statement "{message.statement}" requires {len(oids)}'
            )
        formats = portals.result_formats(message.parameter_formats, len(oids))
        zone = self.settings.get("TimeZone")
        bound.values = [
            (oid, params.decode(raw, code, oid, time_zone=zone, number=number))
            for number, (raw, code, oid) in enumerate(
                zip(message.parameters, formats, oids, strict=True), start=1
            )
        ]
        rows = bound.statement.row_types
        bound.formats = portals.result_formats(message.result_formats, len(rows)) if rows else ()

    async def _describe(self, message: m.Describe) -> None:
        if message.kind == "S":
            statement, formats = self._statement(message.name), None
        else:
            bound = self._portal(message.name)
            statement, formats = bound.statement, bound.formats
        if statement.relayed is not None:
            await self._forward(b"D", pg.DESCRIBE, statement.relayed)
            return
        await self.relay.settle()
        if message.kind == "S":
            self.link.write(m.parameter_description(statement.parameter_oids))
        rows = statement.row_types
        if statement.plan is not None and statement.plan.route is Route.SESSION:
            columns = self.own.columns(statement.plan)
            self.link.write(Outcome("", columns).row_description() if columns else m.NO_DATA)
        elif rows is None:
            self.link.write(m.NO_DATA)
        else:
            shown = formats if formats is not None else (0,) * len(rows)
            self.link.write(m.row_description(portals.columns_of(rows, shown)))

    async def _execute(self, message: m.Execute) -> None:
        bound = self._portal(message.portal)
        plan = bound.statement.plan
        if plan is not None:
            self._admit(plan)
        if bound.statement.relayed is not None:
            await self._forward(b"E", pg.EXECUTE, None)
            return
        await self.relay.settle()
        if plan is None:
            self.link.write(m.EMPTY_QUERY)
        elif plan.route is Route.SESSION:
            await self._execute_own(bound, plan)
        else:
            await self._execute_duck(bound, plan, max(message.max_rows, 0))

    async def _execute_own(self, bound: Portal, plan: Statement) -> None:
        if bound.outcome is None:
            bound.outcome = await self.own.run(plan)
            self._send_outcome(bound.outcome, describe=False)

    async def _execute_duck(self, bound: Portal, plan: Statement, limit: int) -> None:
        if not self.link.protocol.next_is(b"S"):
            self.transaction.open(Block.PIPELINE)
        if bound.finished:
            self.link.write(portals.complete(plan.tag, 0))
            return
        sent = 0
        while True:
            left = limit - sent if limit else 0
            data, rows, more = await self.duck.call(self._continue_duck, bound, plan, left)
            self.link.write(data)
            sent += rows
            if not more or (limit and sent >= limit):
                break
            await self.link.drain()
        running = bound.running
        assert running is not None
        if limit and sent >= limit:
            self.link.write(m.PORTAL_SUSPENDED)
            return
        bound.finished = True
        if bound.statement.row_types is None:
            sent = running.rows_changed
        self.link.write(portals.complete(plan.tag, sent))
        await self._end_duck(running)

    def _continue_duck(self, bound: Portal, plan: Statement, limit: int) -> tuple[Any, int, bool]:
        """Blocks. Starts the portal's statement when it has not started, and fetches the next rows."""
        statement = bound.statement
        assert statement.duck is not None
        if bound.running is None:
            self._apply_to_duck()
            if begin := self.transaction.duck_begin():
                self.duck.run(begin)
            bound.running = self.duck.start(statement.duck, bound.values)
            if statement.row_types is None:
                bound.running.finish()
                return b"", 0, False
            types = [kind for _, kind in statement.row_types]
            bound.encoder = RowEncoder(types, bound.formats, self._style())
        return bound.running.fetch(bound.encoder, limit)

    async def _close_message(self, message: m.Close) -> None:
        kept: dict[str, Any] = self.statements if message.kind == "S" else self.portals
        found = kept.pop(message.name, None)
        statement = found.statement if isinstance(found, Portal) else found
        if statement is not None and statement.relayed is not None and self.relay.connected:
            await self._forward(b"C", pg.CLOSE, None)
            return
        await self.relay.settle()
        if isinstance(found, Portal):
            await self._close_portal(found)
        elif found is not None and found.duck is not None:
            await self.duck.call(found.duck.close)
        self.link.write(m.CLOSE_COMPLETE)

    async def _flush(self, message: m.Flush) -> None:
        await self.relay.settle()

    async def _sync(self, message: m.Sync) -> None:
        self.link.protocol.ready()
        try:
            await self.relay.sync()
            if self.transaction.block is Block.PIPELINE:
                await self.close_portals()
                await self.transaction.commit()
        except Told:
            await self.transaction.fail()
        except SqlError as error:
            self.link.write(m.error_response(error))
            await self.transaction.fail()
        if self.transaction.block is Block.NONE:
            await self.close_portals()
        self._ready_for_query()

    async def _forward(
        self, kind: bytes, reply: pg.Reply, statement: RelayedStatement | None
    ) -> None:
        """Hands the client's message on as it came."""
        await self._apply_to_postgres()
        begin = self.transaction.postgres_begin()
        await self.relay.forward(m.frame(kind, self._body), reply, statement, begin)

    async def forget_statement(self, name: str) -> None:
        """Drops a prepared statement; a Postgres backend that knows it keeps it, unused."""
        found = self.statements.pop(name, None)
        if found is not None and found.duck is not None:
            await self.duck.call(found.duck.close)

    async def close_portals(self) -> None:
        """Portals end with their transaction."""
        open_portals, self.portals = list(self.portals.values()), {}
        for open_portal in open_portals:
            await self._close_portal(open_portal)

    async def _close_portal(self, closing: Portal) -> None:
        if closing.running is not None and not closing.running.done:
            await self.duck.call(closing.running.close)

    async def _stray_copy(self, message: Any) -> None:
        """COPY frames outside a COPY: Postgres drops them, the protocol already did."""

    _STEPS: dict[type, Callable[[Session, Any], Awaitable[None]]] = {
        m.Query: _query,
        m.Parse: _parse,
        m.Bind: _bind,
        m.Describe: _describe,
        m.Execute: _execute,
        m.Close: _close_message,
        m.Flush: _flush,
        m.Sync: _sync,
        m.CopyData: _stray_copy,
        m.CopyDone: _stray_copy,
        m.CopyFail: _stray_copy,
    }
