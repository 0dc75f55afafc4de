"""The extended protocol: statements that are parsed once and run often, portals that are read in pieces.

The session gives it each message of that protocol in turn. What belongs to DuckDB is prepared,
run by `preparing` and `executor`; what belongs to Postgres is handed on as it came, and its answers
come by themselves; the session's own statements are run by the session. Describe never executes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxy.engines import replies
from proxy.engines.duck.statement import Columns
from proxy.engines.loan import Told
from proxy.engines.prepared import RelayedStatement
from proxy.errors import SqlError
from proxy.session import portal as portals
from proxy.session.exchange import EXECUTE_AND_SYNC
from proxy.session.if_exists import existence_notice
from proxy.session.kept_answers import KeptAnswers
from proxy.session.named import NO_ROWS, Rows
from proxy.session.portal import Outcome, Portal, PreparedStatement
from proxy.session.preparing import changed_result, check_columns
from proxy.session.relaying import handed_over, relay_copy
from proxy.session.transaction import Block
from proxy.sql.compound import Call, CompoundAction
from proxy.sql.session_actions import CopyStatement
from proxy.sql.statement import Dialect, Route, Statement
from proxy.sql.traces import Trace
from proxy.wire import messages as m
from proxy.wire.types import wire_type

if TYPE_CHECKING:
    from proxy.session.session import Session

_KEPT, _KEPT_LENGTH = 16, 4096  # statements that are known again when they are parsed again

# What a Parse says: text, OIDs, and the dialect in force.
_Parsed = tuple[str, tuple[int, ...], Dialect]


def parse_body(body: bytes, sql: str) -> bytes:
    """The body of a Parse message with another text."""
    name, _, rest = body.partition(b"\0")
    types = rest.partition(b"\0")[2]
    return name + b"\0" + m.cstring(sql) + types


class ExtendedProtocol:
    """One session's prepared statements and portals, by name."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.statements: dict[str, PreparedStatement] = {}
        self.portals: dict[str, Portal] = {}
        self.constants: KeptAnswers[bytes] = KeptAnswers()  # to Bind, Execute and Sync
        self._bound = ""  # the statement of the last Bind
        # The longest unused first; with the columns that it had.
        self._parsed: dict[_Parsed, tuple[PreparedStatement, Columns]] = {}

    async def parse(self, message: m.Parse) -> None:
        name = message.statement
        self._drop_refused(name)
        if name and name in self.statements:
            raise SqlError("42P05", f'prepared statement "{name}" already exists')
        if not name:
            await self.forget_statement("")
        plans = await self._session.plans.of(message.sql)
        if len(plans) > 1:
            raise SqlError("42601", "cannot insert multiple commands into a prepared statement")
        key = (message.sql, message.parameter_oids, self._session.dialect)
        if (statement := self._known(key)) is not None:
            self._session.admit(plans[0])
            statement = replace(statement, name=name)
        else:
            resolved = await self._session.placed(plans[0]) if plans else None
            statement = PreparedStatement(name, resolved)
            if statement.plan is not None:
                await self._parse_planned(statement, statement.plan, message)
            if statement.plan is not None and not statement.changes_by_itself:
                self._keep(key, statement)
        if statement.relayed is None:
            await self._session.relay.settle()
            self._session.link.write(m.PARSE_COMPLETE)
        self.statements[name] = statement
        self.constants.forget()

    def _known(self, key: _Parsed) -> PreparedStatement | None:
        """What became of the same Parse before, if nothing has changed since that it rests on.

        Drivers that do not prepare send the same texts again and again.
        """
        if (found := self._parsed.pop(key, None)) is None or not self._session.duck_in_step:
            return None
        statement, columns = found
        if statement.duck is None or not statement.duck.still_has(columns):
            return None
        self._parsed[key] = found
        return statement

    def _keep(self, key: _Parsed, statement: PreparedStatement) -> None:
        plan, duck = statement.plan, statement.duck
        if (
            duck is not None
            and plan is not None
            and not plan.varies
            and len(plan.sql) <= _KEPT_LENGTH
        ):
            self._parsed[key] = statement, duck.columns
            if len(self._parsed) > _KEPT:
                del self._parsed[next(iter(self._parsed))]

    async def _parse_planned(
        self, statement: PreparedStatement, plan: Statement, message: m.Parse
    ) -> None:
        session = self._session
        if plan.route is not Route.POSTGRES:
            try:
                await self._session.preparation.prepare(statement, plan, message.parameter_oids)
                return
            except SqlError as error:
                if await session.calls.concern(plan):
                    raise
                statement.plan = plan = await handed_over(session, plan, error)
        if plan.calls:
            await session.calls.check(plan)
        session.admit(plan)
        await session.mirror.before_question(plan.asks_catalog, plan.asks_positions)
        body = session.body
        if plan.relayed is not None:
            body = parse_body(body, plan.relayed)
        statement.relayed = RelayedStatement(body[body.index(0) + 1 :])
        await session.relay.parse(statement.relayed, session.transaction.postgres_begin())

    def client_name(self, name: bytes, unnamed: RelayedStatement | None) -> bytes | None:
        """What the client calls a statement that has `name` on the backend; of '' it is `unnamed`."""
        found = [
            called
            for called, statement in self.statements.items()
            if (relayed := statement.relayed) is not None
            and (relayed is unnamed or (relayed.text is not None and relayed.text.name == name))
        ]
        if not found:
            return None
        return (self._bound if self._bound in found else found[0]).encode()

    def constant(self, bind: bytes) -> bytes | None:
        """The answer to a Bind, Execute and Sync that came together, if it has been given before.

        Outside a block alone: there, nothing is left of the portal.
        """
        if (known := self.constants.find(bind)) is None:
            return None
        if self._session.transaction.block is not Block.NONE:
            return None
        if not self._session.link.protocol.rest_is(EXECUTE_AND_SYNC):
            return None
        self._session.link.protocol.take_rest()
        self._session.compound.lost()
        return known

    def _drop_refused(self, name: str) -> None:
        """A statement whose Parse Postgres has refused by now is none."""
        found = self.statements.get(name)
        if found is not None and found.relayed is not None and found.relayed.refused:
            del self.statements[name]

    def statement(self, name: str) -> PreparedStatement:
        self._drop_refused(name)
        if (statement := self.statements.get(name)) is None:
            what = f'prepared statement "{name}"' if name else "unnamed prepared statement"
            raise SqlError("26000", f"{what} does not exist")
        return statement

    def _portal(self, name: str) -> Portal:
        if (found := self.portals.get(name)) is None:
            raise SqlError("34000", f'portal "{name}" does not exist')
        return found

    async def bind(self, message: m.Bind) -> None:
        self._bound = message.statement
        statement = self.statement(message.statement)
        if message.portal and message.portal in self.portals:
            raise SqlError("42P03", f'cursor "{message.portal}" already exists')
        if (replaced := self.portals.pop(message.portal, None)) is not None:
            await self._session.executor.close_portal(replaced)
        if statement.plan is not None:
            await self._session.preparation.anew(statement, statement.plan)
            self._check_told(statement)
            self._session.admit(statement.plan)
        bound = Portal(statement)
        if statement.relayed is not None:
            await self._bind_relayed(statement, statement.relayed, message)
        else:
            await self._session.executor.bind(bound, message)
            bound.bind = b"" if message.portal else self._session.body
            if statement.duck is not None and statement.duck.outdated:
                await self._session.preparation.renew(statement)
            await self._session.relay.settle()
            self._session.link.write(m.BIND_COMPLETE)
        self.portals[message.portal] = bound

    @staticmethod
    def _check_told(statement: PreparedStatement) -> None:
        """Raises 0A000 when a variable has other columns than the client was told of."""
        told, now = statement.told, statement.row_types
        if told is None or now is None or told is now:
            return
        if [wire_type(kind).oid for _, kind in told] != [wire_type(kind).oid for _, kind in now]:
            raise changed_result()

    async def _bind_relayed(
        self, statement: PreparedStatement, relayed: RelayedStatement, message: m.Bind
    ) -> None:
        relay, body = self._session.relay, self._session.body
        portal = body.index(0)
        rest = body[body.index(0, portal + 1) + 1 :]
        if statement.plan is not None and (sets := statement.plan.sets):
            relay.leaves(Trace.NOTHING, tuple(_setting_names(sets, message.parameters)))
        positions = statement.plan is not None and statement.plan.asks_positions
        await self._session.mirror.before_question(_asks_catalog(statement.plan), positions)
        begin = self._session.transaction.postgres_begin()
        await relay.bind(relayed, body[:portal], rest, begin)

    async def describe(self, message: m.Describe) -> None:
        if message.kind == "S":
            statement, formats = self.statement(message.name), None
        else:
            bound = self._portal(message.name)
            statement, formats = bound.statement, bound.formats
        if statement.relayed is not None:
            relay, begin = self._session.relay, self._session.transaction.postgres_begin()
            if message.kind == "S":
                await relay.describe_statement(statement.relayed, begin)
            else:
                frame = m.frame(b"D", self._session.body)
                await relay.describe_portal(frame, statement.relayed, begin)
            return
        await self._session.relay.settle()
        rows = self._session.executor.row_types(statement)
        if rows is not None:
            self._session.transaction.check()
        if message.kind == "S":
            statement.told = rows
            self._session.link.write(m.parameter_description(statement.parameter_oids))
        if rows is None:
            self._session.link.write(m.NO_DATA)
        else:
            shown = portals.result_formats(formats or (), len(rows))
            columns = portals.columns_of(rows, shown, self._session.executor.lengths(statement))
            self._session.link.write(m.row_description(columns))

    @staticmethod
    def description(statement: PreparedStatement, formats: tuple[int, ...]) -> bytes:
        """RowDescription of a query of DuckDB's; made once for each time that its columns are."""
        rows, lengths, known = statement.row_types, statement.lengths, statement.description
        if known is None or known[0] is not rows or known[1:3] != (lengths, formats):
            message = m.row_description(portals.columns_of(rows or (), formats, lengths))
            known = statement.description = rows, lengths, formats, message
        return known[3]

    async def execute(self, message: m.Execute) -> None:
        session = self._session
        bound = self._portal(message.portal)
        plan = bound.statement.plan
        limit = max(message.max_rows, 0)
        if plan is not None:
            session.admit(plan)
            if not bound.running and bound.answer is None:
                session.context.started(plan)
        if bound.statement.relayed is not None:
            session.compound.lost()
            await self._execute_relayed(plan)
            return
        await session.relay.settle()
        if plan is None:
            session.link.write(m.EMPTY_QUERY)
        elif plan.route is Route.SESSION:
            await self._execute_own(bound, plan, limit)
        elif isinstance(plan.action, CopyStatement):
            await self._execute_copy(message.portal, bound, plan)
        else:
            await self._execute_duck(message.portal, bound, plan, limit)

    async def _execute_relayed(self, plan: Statement | None) -> None:
        session = self._session
        if plan is not None:
            session.relay.leaves(session.own.trace(plan))
        await self._forward(b"E", replies.EXECUTE, _asks_catalog(plan))
        if plan is not None and plan.kind == "COPY":
            await session.relay.settle()
            if session.relay.copying:
                await relay_copy(session)

    async def _execute_own(self, bound: Portal, plan: Statement, limit: int) -> None:
        if bound.answer is None:
            if isinstance(plan.action, Call) and plan.parameters:
                await self._session.compound.keep_parameters(bound.values, bound.types)
            bound.answer = await self._session.own.run(plan, bound.inner or bound)
            self._session.compound.answered(plan, bound.answer)
            if isinstance(bound.answer, Rows):
                bound.left = max(bound.answer.limit, 0)
        if isinstance(bound.answer, Outcome):
            if not bound.finished:
                self._session.send_outcome(bound.answer, describe=False)
            bound.finished = True
            return
        rows = bound.answer
        if isinstance(plan.action, CompoundAction):
            check_columns(bound.statement, rows.portal.statement.row_types or [])
        ask = min(limit, bound.left) if limit and rows.limit > 0 else limit or bound.left
        if rows.limit and not bound.left:
            ask = NO_ROWS  # the FETCH has had its rows
        sent = await self._session.executor.run(rows.portal, ask, bound.formats, rows.send)
        bound.left -= sent
        if limit and sent >= limit and rows.send:
            self._session.link.write(m.PORTAL_SUSPENDED)
            return
        inner = rows.portal.statement.plan
        assert inner is not None
        self._session.link.write(portals.complete(rows.tag or inner.tag, sent))

    async def _execute_copy(self, name: str, bound: Portal, plan: Statement) -> None:
        if bound.finished:
            raise SqlError("55000", f'portal "{name}" cannot be run')
        bound.finished = True
        self._session.transaction.open(Block.PIPELINE)
        await self._session.copying.run(plan)

    async def _execute_duck(self, name: str, bound: Portal, plan: Statement, limit: int) -> None:
        session = self._session
        if bound.finished and bound.statement.row_types is None:
            raise SqlError("55000", f'portal "{name}" cannot be run')
        several = plan.then or plan.copies or plan.federated
        if several or not session.link.protocol.next_is(b"S"):
            session.transaction.open(Block.PIPELINE)
        idle = bound.idle = not bound.running and await existence_notice(session, plan)
        session.tell(plan)
        sent = await session.executor.run(bound, limit, bound.formats)
        if limit and sent >= limit and bound.statement.row_types is not None:
            session.link.write(m.PORTAL_SUSPENDED)
            session.compound.lost()
        else:
            session.executor.ran(bound, plan, sent)
            tag = portals.IDLE_TAGS.get(plan.kind, plan.tag) if idle else plan.tag
            session.link.write(portals.complete(tag, sent))

    def cursor(self, name: str) -> Portal:
        if (found := self.portals.get(name)) is None:
            raise SqlError("34000", f'cursor "{name}" does not exist')
        return found

    async def close(self, message: m.Close) -> None:
        kept: dict[str, Any] = self.statements if message.kind == "S" else self.portals
        found = kept.pop(message.name, None)
        self.constants.forget()
        statement = found.statement if isinstance(found, Portal) else found
        relay = self._session.relay
        if statement is not None and statement.relayed is not None:
            # On the backends a statement is everybody's; a portal is gone with its transaction.
            if message.kind == "P" and relay.connected:
                await self._forward(b"C", replies.CLOSE, False)
            else:
                relay.answer(m.CLOSE_COMPLETE)
            return
        await self._session.relay.settle()
        if isinstance(found, Portal):
            await self._session.executor.close_portal(found)
        self._session.link.write(m.CLOSE_COMPLETE)

    async def flush(self, message: m.Flush) -> None:
        await self._session.relay.settle()
        self._session.link.flush()

    async def sync(self, message: m.Sync) -> None:
        self._session.link.protocol.ready()
        try:
            await self._session.relay.sync()
            if self._session.transaction.block is Block.PIPELINE:
                await self.close_portals(committed=True)
                await self._session.transaction.commit()
        except Told:
            await self._session.transaction.fail()
        except SqlError as error:
            self._session.link.write(m.error_response(error))
            await self._session.transaction.fail()
        if self._session.transaction.block is Block.NONE:
            await self.close_portals()
        self._session.ready_for_query()

    async def _forward(self, kind: bytes, reply: replies.Reply, catalog: bool) -> None:
        """Hands the client's message on as it came."""
        await self._session.mirror.before_question(catalog)
        begin = self._session.transaction.postgres_begin()
        await self._session.relay.forward(m.frame(kind, self._session.body), reply, begin)

    async def forget_statement(self, name: str) -> None:
        """Drops a prepared statement; a Postgres backend that knows it keeps it, unused."""
        # A portal made of it goes on; its plans are freed with the last that uses them.
        self.statements.pop(name, None)
        self.constants.forget()

    async def forget_statements(self) -> None:
        """DEALLOCATE ALL: all that have a name."""
        for name in [name for name in self.statements if name]:
            await self.forget_statement(name)

    async def forget_unnamed(self) -> None:
        """A simple Query ends the unnamed statement and the unnamed portal."""
        await self.forget_statement("")
        if (unnamed := self.portals.pop("", None)) is not None:
            await self._session.executor.close_portal(unnamed)

    async def close_portals(self, *, committed: bool = False, kept: bool = False) -> None:
        """Portals end with their transaction; cursors WITH HOLD outlive one that is committed.

        kept: those too that outlived an earlier one.
        """
        open_portals, self.portals = self.portals, {}
        for name, open_portal in open_portals.items():
            if open_portal.hold and committed and not open_portal.kept:
                await self._session.executor.keep(open_portal)
            if open_portal.kept and not kept:
                self.portals[name] = open_portal
            else:
                await self._session.executor.close_portal(open_portal)

    async def stop_portals(self) -> None:
        """An error: no portal runs on, but their names stand until the transaction ends."""
        for open_portal in self.portals.values():
            if not open_portal.kept:
                await self._session.executor.close_portal(open_portal)
                open_portal.finished = True

    def drop_all(self) -> None:
        """The session ends: frees all plans, so that the connection can close."""
        for statement in (*self.statements.values(), *(kept for kept, _ in self._parsed.values())):
            statement.close_plans()
        for open_portal in self.portals.values():
            open_portal.statement.close_plans()


def _asks_catalog(plan: Statement | None) -> bool:
    return plan is None or plan.asks_catalog


def _setting_names(sets: Sequence[str | int], parameters: Sequence[bytes | None]) -> Iterator[str]:
    """The settings that a statement's set_config calls name, its parameters known."""
    for name in sets:
        if isinstance(name, str):
            yield name
        elif name <= len(parameters) and (value := parameters[name - 1]) is not None:
            yield value.decode("utf-8", "replace")
