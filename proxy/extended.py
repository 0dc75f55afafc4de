"""The extended protocol: statements that are parsed once and run often, portals that are read in pieces.

The session gives it each message of that protocol in turn. What belongs to DuckDB is prepared,
bound and fetched here; what belongs to Postgres is handed on as it came, and its answers come by
themselves; the session's own statements are run by the session. Describe never executes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy import portal as portals
from proxy.engines import postgres as pg
from proxy.engines.duck import DuckStatement
from proxy.engines.duck_errors import EngineError
from proxy.engines.relay import RelayedStatement, Told
from proxy.errors import SqlError
from proxy.portal import Outcome, Portal, PreparedStatement
from proxy.sql.parameters import cast_parameters
from proxy.sql.statement import Route, Statement
from proxy.transaction import Block
from proxy.wire import messages as m
from proxy.wire import params
from proxy.wire.rows import RowEncoder
from proxy.wire.types import BY_NAME, duck_type_name, wire_type

if TYPE_CHECKING:
    from proxy.session import Session

_TEXT_OID = BY_NAME["text"].oid
_NUMERIC_OIDS = frozenset((BY_NAME["numeric"].oid, BY_NAME["numeric"].array_oid))


class ExtendedProtocol:
    """One session's prepared statements and portals, by name."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.statements: dict[str, PreparedStatement] = {}
        self.portals: dict[str, Portal] = {}

    async def parse(self, message: m.Parse) -> None:
        name = message.statement
        if name and name in self.statements:
            raise SqlError("42P05", f'prepared statement "{name}" already exists')
        if not name:
            await self.forget_statement("")
        plans = self._session.plan(message.sql)
        if len(plans) > 1:
            raise SqlError("42601", "cannot insert multiple commands into a prepared statement")
        statement = PreparedStatement(name, plans[0] if plans else None)
        if plans:
            await self._prepare(statement, plans[0], message)
        if statement.relayed is None:
            await self._session.relay.settle()
            self._session.link.write(m.PARSE_COMPLETE)
        self.statements[name] = statement

    async def _prepare(
        self, statement: PreparedStatement, plan: Statement, message: m.Parse
    ) -> None:
        self._session.admit(plan)
        if plan.route is Route.POSTGRES:
            await self._session.apply_to_postgres()
            statement.relayed = RelayedStatement(
                message.statement, m.frame(b"P", self._session.body)
            )
            await self._session.relay.parse(
                statement.relayed, self._session.transaction.postgres_begin()
            )
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
            await self._session.duck.call(prepared.close)
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
            self._session.apply_to_duck()
            if begin := self._session.transaction.duck_begin():
                self._session.duck.run(begin)
            return self._session.duck.prepare(sql)

        try:
            return await self._session.duck.call(prepare)
        except EngineError as error:
            raise self._session.located(error, plan, sql) from error

    def statement(self, name: str) -> PreparedStatement:
        if (statement := self.statements.get(name)) is None:
            what = f'prepared statement "{name}"' if name else "unnamed prepared statement"
            raise SqlError("26000", f"{what} does not exist")
        return statement

    def _portal(self, name: str) -> Portal:
        if (found := self.portals.get(name)) is None:
            raise SqlError("34000", f'portal "{name}" does not exist')
        return found

    async def bind(self, message: m.Bind) -> None:
        statement = self.statement(message.statement)
        if message.portal and message.portal in self.portals:
            raise SqlError("42P03", f'cursor "{message.portal}" already exists')
        if (replaced := self.portals.pop(message.portal, None)) is not None:
            await self.close_portal(replaced)
        if statement.plan is not None:
            self._session.admit(statement.plan)
        bound = Portal(statement)
        if statement.relayed is not None:
            await self._forward(b"B", pg.BIND, statement.relayed)
        else:
            self._bind_values(bound, message)
            await self._session.relay.settle()
            self._session.link.write(m.BIND_COMPLETE)
        self.portals[message.portal] = bound

    def _bind_values(self, bound: Portal, message: m.Bind) -> None:
        oids = bound.statement.parameter_oids
        if len(message.parameters) != len(oids):
            raise m.protocol_violation(
                f"bind message supplies {len(message.parameters)} parameters, but prepared "
                f'statement "{message.statement}" requires {len(oids)}'
            )
        formats = portals.result_formats(message.parameter_formats, len(oids))
        zone = self._session.settings.get("TimeZone")
        bound.values = [
            (oid, params.decode(raw, code, oid, time_zone=zone, number=number))
            for number, (raw, code, oid) in enumerate(
                zip(message.parameters, formats, oids, strict=True), start=1
            )
        ]
        rows = bound.statement.row_types
        bound.formats = portals.result_formats(message.result_formats, len(rows)) if rows else ()

    async def describe(self, message: m.Describe) -> None:
        if message.kind == "S":
            statement, formats = self.statement(message.name), None
        else:
            bound = self._portal(message.name)
            statement, formats = bound.statement, bound.formats
        if statement.relayed is not None:
            await self._forward(b"D", pg.DESCRIBE, statement.relayed)
            return
        await self._session.relay.settle()
        if message.kind == "S":
            self._session.link.write(m.parameter_description(statement.parameter_oids))
        rows = statement.row_types
        if statement.plan is not None and statement.plan.route is Route.SESSION:
            columns = self._session.own.columns(statement.plan)
            self._session.link.write(
                Outcome("", columns).row_description() if columns else m.NO_DATA
            )
        elif rows is None:
            self._session.link.write(m.NO_DATA)
        else:
            shown = formats if formats is not None else (0,) * len(rows)
            self._session.link.write(m.row_description(portals.columns_of(rows, shown)))

    async def execute(self, message: m.Execute) -> None:
        bound = self._portal(message.portal)
        plan = bound.statement.plan
        if plan is not None:
            self._session.admit(plan)
        if bound.statement.relayed is not None:
            await self._forward(b"E", pg.EXECUTE, None)
            return
        await self._session.relay.settle()
        if plan is None:
            self._session.link.write(m.EMPTY_QUERY)
        elif plan.route is Route.SESSION:
            await self._execute_own(bound, plan)
        else:
            await self._execute_duck(bound, plan, max(message.max_rows, 0))

    async def _execute_own(self, bound: Portal, plan: Statement) -> None:
        if bound.outcome is None:
            bound.outcome = await self._session.own.run(plan)
            self._session.send_outcome(bound.outcome, describe=False)

    async def _execute_duck(self, bound: Portal, plan: Statement, limit: int) -> None:
        if not self._session.link.protocol.next_is(b"S"):
            self._session.transaction.open(Block.PIPELINE)
        if bound.finished:
            self._session.link.write(portals.complete(plan.tag, 0))
            return
        sent = 0
        while True:
            left = limit - sent if limit else 0
            data, rows, more = await self._session.duck.call(self._continue_duck, bound, plan, left)
            self._session.link.write(data)
            sent += rows
            if not more or (limit and sent >= limit):
                break
            await self._session.link.drain()
        running = bound.running
        assert running is not None
        if limit and sent >= limit:
            bound.rows += sent
            self._session.link.write(m.PORTAL_SUSPENDED)
            return
        bound.finished = True
        if bound.statement.row_types is None:
            sent = running.rows_changed
        if plan.writes and bound.statement.duck is not None:
            self._session.transaction.wrote(bound.statement.duck.sql, bound.values, bound.rows + sent)
        self._session.link.write(portals.complete(plan.tag, sent))
        await self._session.end_duck(running)

    def _continue_duck(self, bound: Portal, plan: Statement, limit: int) -> tuple[Any, int, bool]:
        """Blocks. Starts the portal's statement when it has not started, and fetches the next rows."""
        statement = bound.statement
        assert statement.duck is not None
        if bound.running is None:
            self._session.apply_to_duck()
            if begin := self._session.transaction.duck_begin():
                self._session.duck.run(begin)
            bound.running = self._session.duck.start(statement.duck, bound.values)
            if statement.row_types is None:
                bound.running.finish()
                return b"", 0, False
            types = [kind for _, kind in statement.row_types]
            bound.encoder = RowEncoder(types, bound.formats, self._session.style())
        return bound.running.fetch(bound.encoder, limit)

    async def close(self, message: m.Close) -> None:
        kept: dict[str, Any] = self.statements if message.kind == "S" else self.portals
        found = kept.pop(message.name, None)
        statement = found.statement if isinstance(found, Portal) else found
        if (
            statement is not None
            and statement.relayed is not None
            and self._session.relay.connected
        ):
            await self._forward(b"C", pg.CLOSE, None)
            return
        await self._session.relay.settle()
        if isinstance(found, Portal):
            await self.close_portal(found)
        elif found is not None and found.duck is not None:
            await self._session.duck.call(found.duck.close)
        self._session.link.write(m.CLOSE_COMPLETE)

    async def flush(self, message: m.Flush) -> None:
        await self._session.relay.settle()

    async def sync(self, message: m.Sync) -> None:
        self._session.link.protocol.ready()
        try:
            await self._session.relay.sync()
            if self._session.transaction.block is Block.PIPELINE:
                await self.close_portals()
                await self._session.transaction.commit()
        except Told:
            await self._session.transaction.fail()
        except SqlError as error:
            self._session.link.write(m.error_response(error))
            await self._session.transaction.fail()
        if self._session.transaction.block is Block.NONE:
            await self.close_portals()
        self._session.ready_for_query()

    async def _forward(
        self, kind: bytes, reply: pg.Reply, statement: RelayedStatement | None
    ) -> None:
        """Hands the client's message on as it came."""
        await self._session.apply_to_postgres()
        begin = self._session.transaction.postgres_begin()
        await self._session.relay.forward(
            m.frame(kind, self._session.body), reply, statement, begin
        )

    async def forget_statement(self, name: str) -> None:
        """Drops a prepared statement; a Postgres backend that knows it keeps it, unused."""
        found = self.statements.pop(name, None)
        if found is not None and found.duck is not None:
            await self._session.duck.call(found.duck.close)

    async def forget_statements(self) -> None:
        """DEALLOCATE ALL: all that have a name."""
        for name in [name for name in self.statements if name]:
            await self.forget_statement(name)

    async def forget_unnamed(self) -> None:
        """A simple Query ends the unnamed statement and the unnamed portal."""
        await self.forget_statement("")
        if (unnamed := self.portals.pop("", None)) is not None:
            await self.close_portal(unnamed)

    async def close_portals(self) -> None:
        """Portals end with their transaction."""
        open_portals, self.portals = list(self.portals.values()), {}
        for open_portal in open_portals:
            await self.close_portal(open_portal)

    async def close_portal(self, closing: Portal) -> None:
        if closing.running is not None and not closing.running.done:
            await self._session.duck.call(closing.running.close)
