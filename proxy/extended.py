"""The extended protocol: statements that are parsed once and run often, portals that are read in pieces.

The session gives it each message of that protocol in turn. What belongs to DuckDB is prepared,
bound and fetched here; what belongs to Postgres is handed on as it came, and its answers come by
themselves; the session's own statements are run by the session. Describe never executes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxy import parameter_types
from proxy import portal as portals
from proxy.complaints import put_otherwise
from proxy.defining import copied, run_rest
from proxy.describing import columns_of
from proxy.engines import backend as be
from proxy.engines import duck_values
from proxy.engines.duck import Accept, Columns, DuckPortal, DuckStatement, Piece
from proxy.engines.duck_errors import EngineError
from proxy.engines.prepared import RelayedStatement
from proxy.engines.relay import Told
from proxy.errors import SqlError
from proxy.exchange import EXECUTE_AND_SYNC
from proxy.named import NO_ROWS, Rows
from proxy.portal import Outcome, Portal, PreparedStatement
from proxy.sql.compound import CompoundAction
from proxy.sql.federated import AS_JSON, without_explain
from proxy.sql.parameters import (
    cast_parameters,
    null_parameters,
    parameter_places,
    renumber_parameters,
    returned,
    sample_parameters,
    samples,
    with_returned,
)
from proxy.sql.portable import handed_over
from proxy.sql.session_actions import CopyStatement
from proxy.sql.statement import Dialect, Route, Statement
from proxy.sql.traces import Trace
from proxy.transaction import Block
from proxy.wire import messages as m
from proxy.wire import params
from proxy.wire.rows import RowEncoder
from proxy.wire.types import DuckType, wire_type

if TYPE_CHECKING:
    from proxy.session import Session

_TEXTS = parameter_types.TEXT_OIDS
_CONSTANTS = (sample_parameters, null_parameters)  # ways to write some in parameters' places
_TEXT = 25  # what a parameter is that nobody has typed
_SMALL = 4096  # bytes of parameters
_ANSWERS, _ANSWER_SIZE = 16, 1024  # answers kept, and bytes of one with its Bind
_KEPT, _KEPT_LENGTH = 16, 4096  # statements that are known again when they are parsed again
_WORTH_FETCHING_AHEAD = 500  # rows of a portion
_QUICK = 0.02  # seconds for one
_NOTHING = "SET VARIABLE hatidata_nothing = NULL"  # has no rows and does nothing
_MOST_VARIANTS = 16  # plans of one statement for other types of its values


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
        self._constants: dict[bytes, bytes] = {}  # Bind -> the answer to it and to Execute
        # The longest unused first; with the columns that it had.
        self._parsed: dict[_Parsed, tuple[PreparedStatement, Columns]] = {}

    async def parse(self, message: m.Parse) -> None:
        name = message.statement
        if name and name in self.statements:
            raise SqlError("42P05", f'prepared statement "{name}" already exists')
        if not name:
            await self.forget_statement("")
        plans = self._session.plan(message.sql)
        if len(plans) > 1:
            raise SqlError("42601", "cannot insert multiple commands into a prepared statement")
        key = (message.sql, message.parameter_oids, self._session.dialect)
        if (statement := self._known(key)) is not None:
            self._session.admit(plans[0])
            statement = replace(statement, name=name)
        else:
            resolved = self._session.resolve(plans[0]) if plans else None
            statement = PreparedStatement(name, resolved)
            if statement.plan is not None:
                await self._parse_planned(statement, statement.plan, message)
            if statement.plan is not None and not statement.changes_by_itself:
                self._keep(key, statement)
        if statement.relayed is None:
            await self._session.relay.settle()
            self._session.link.write(m.PARSE_COMPLETE)
        self.statements[name] = statement
        self._constants.clear()

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
                await self.prepare(statement, plan, message.parameter_oids)
                return
            except SqlError as error:
                statement.plan = plan = handed_over(plan, error)
        session.admit(plan)
        await session.mirror.before_question(plan.asks_catalog)
        body = session.body
        if plan.relayed is not None:
            body = parse_body(body, plan.relayed)
        statement.relayed = RelayedStatement(body[body.index(0) + 1 :])
        await session.relay.parse(statement.relayed, session.transaction.postgres_begin())

    async def prepare(
        self, statement: PreparedStatement, plan: Statement, oids: tuple[int, ...]
    ) -> None:
        """Readies a statement that is not Postgres's; oids as Parse gives them, 0 where not said."""
        self._session.admit(plan)
        statement.plan = statement.asked = plan
        statement.oids = oids
        if await self._session.without_its_object(plan):
            plan = replace(plan, sql=_NOTHING)
        plan = statement.plan = await copied(self._session, plan)
        if isinstance(plan.action, CopyStatement):
            return  # as in Postgres, nothing is known of it until it runs
        if plan.route is not Route.SESSION:
            await self._prepare_bound(statement, plan, oids)
        elif isinstance(plan.action, CompoundAction):
            statement.row_types = await columns_of(self._session.compound, plan.action)
            statement.parameter_numbers = tuple(range(1, plan.parameters + 1))
            given = (*oids, *(0,) * plan.parameters)
            statement.parameter_oids = tuple(oid or _TEXT for oid in given[: plan.parameters])
            statement.read_oids = statement.parameter_oids
        elif (inner := self._session.own.inner(plan)) is not None:
            statement.inner = PreparedStatement("", inner)
            await self.prepare(statement.inner, inner, oids)
            statement.parameter_oids = statement.inner.parameter_oids
            statement.read_oids = statement.inner.read_oids

    async def _prepare_bound(
        self, statement: PreparedStatement, plan: Statement, oids: tuple[int, ...]
    ) -> None:
        """... over both engines: with Postgres's relations in place, those behind views too."""
        federation = self._session.federation
        try:
            while True:
                await federation.show(plan)
                try:
                    await self._prepare_duck(statement, plan, oids)
                    break
                except EngineError as error:
                    again = await put_otherwise(self._session, plan, error)
                    plan = again or federation.widened(plan, error)
        finally:
            if plan.federated:
                await federation.close()
        if plan.federated:
            statement.close_plans()  # made for relations without rows
            statement.duck = None

    async def _prepare_duck(
        self, statement: PreparedStatement, plan: Statement, oids: tuple[int, ...]
    ) -> None:
        """Types the parameters and binds the statement, without running it.

        Every place of a parameter is cast to one type, also where DuckDB would infer it: it would
        infer place by place, and run a plan in which the places disagree.
        """
        plan, numbers = parameter_types.numbered(plan, oids)
        said = [oids[n - 1] if n <= len(oids) else 0 for n in numbers]
        found = await parameter_types.infer(
            self._session, plan, parameter_types.read_as_cast(plan, said)
        )
        types = {n: parameter_types.planned_as(oid) for n, oid in enumerate(found, start=1)}
        plan = await self._session.typed.of(plan, dict(enumerate(found, start=1)))
        bound = found  # of the parameters that DuckDB is to have
        statement.returned = plan if returned(plan.sql) else None
        if statement.returned is not None:
            plan, kept = _without_returned(plan, samples(types))
            types = {k: types[n] for k, n in enumerate(kept, start=1)}
            bound = [found[n - 1] for n in kept]
        sql = cast_parameters(plan.sql, types) if types else plan.sql
        statement.plan, statement.sql, statement.parameter_numbers = plan, sql, numbers
        statement.duck = await self._duck_statement(plan, sql)
        read_as = dict(enumerate(oids, start=1)) | dict(zip(numbers, found, strict=True))
        told = {n: said if said in _TEXTS else read_as[n] for n, said in enumerate(oids, start=1)}
        statement.read_oids = tuple(read_as[n] for n in sorted(read_as))
        statement.parameter_oids = tuple(told.get(n, read_as[n]) for n in sorted(read_as))
        statement.parameter_types = tuple(types.values())
        statement.row_types = portals.row_types_of(plan, statement.duck)
        if statement.row_types is not None and types:
            await self._settle_row_types(statement, plan, bound)
        if statement.returned is not None and not parameter_types.NUMERIC_OIDS.isdisjoint(found):
            rows = statement.row_types or []
            without = parameter_types.without_digits
            statement.row_types = [(name, without(kind)) for name, kind in rows] or None
        await self._settle_lengths(statement)

    async def _settle_lengths(self, statement: PreparedStatement) -> None:
        """Which of the result columns are varchar(n) or numeric(p,s)."""
        described, rows = self._session.described, statement.row_types
        if rows is not None and described.concerns(rows):
            scalar = statement.plan is not None and statement.plan.scalar
            if not scalar and not described.is_current(rows):
                await self._session.on_duck(described.look, rows)
            statement.lengths = described.lengths(statement.sql, rows, scalar)

    async def _settle_row_types(
        self, statement: PreparedStatement, plan: Statement, oids: Sequence[int]
    ) -> None:
        """Result types where they hang on the parameters' values."""
        rows = statement.row_types
        assert rows is not None
        if any(kind.id == "INVALID" for _, kind in rows):
            rows = await self._columns_with(plan, oids)
            with suppress(EngineError):
                nulls = await self._columns_with(plan, oids, ways=_CONSTANTS[1:])
                statement.hides_nulls = nulls != rows
        numeric = not parameter_types.NUMERIC_OIDS.isdisjoint(oids)
        if numeric and any(parameter_types.without_digits(kind) != kind for _, kind in rows):
            # The digits of a numeric value are not known before Bind, nor are those of the result.
            fixed = set(enumerate(rows))
            for digits in parameter_types.OTHER_DIGITS:
                others: list[tuple[str, DuckType]] = []
                with suppress(EngineError):  # so many do not fit
                    others = await self._columns_with(plan, oids, digits)
                fixed &= set(enumerate(others))
            rows = [
                (name, kind if (n, (name, kind)) in fixed else parameter_types.without_digits(kind))
                for n, (name, kind) in enumerate(rows)
            ]
        statement.row_types = rows

    async def _columns_with(
        self,
        plan: Statement,
        oids: Sequence[int],
        digits: str = parameter_types.ANY_DIGITS,
        ways: Sequence[Callable[[str, Mapping[int, str]], str]] = _CONSTANTS,
    ) -> list[tuple[str, DuckType]]:
        """The result columns with constants for values, numeric ones of these digits.

        ways: the first that binds counts. Raises EngineError when none does.
        """
        types = {n: parameter_types.planned_as(oid, digits) for n, oid in enumerate(oids, start=1)}
        *first, last = [written(plan.sql, types) for written in ways]
        duck = self._session.duck
        for sql in first:
            with suppress(EngineError):
                return await self._session.on_duck(parameter_types.columns_of, duck, sql)
        try:
            return await self._session.on_duck(parameter_types.columns_of, duck, last)
        except EngineError as error:
            raise self._session.located(error, plan, last) from error

    async def _duck_statement(self, plan: Statement, sql: str) -> DuckStatement:
        try:
            return await self._session.on_duck(self._session.duck.prepare, sql, plan.scalar)
        except EngineError as error:
            raise self._session.located(error, plan, sql) from error

    # --- constants: a scalar statement has one answer to the same values ------------------------

    def constant(self, bind: bytes) -> bytes | None:
        """The answer to a Bind, Execute and Sync that came together, if it has been given before.

        Outside a block alone: there, nothing is left of the portal.
        """
        if (known := self._constants.get(bind)) is None:
            return None
        if self._session.transaction.block is not Block.NONE:
            return None
        if not self._session.link.protocol.rest_is(EXECUTE_AND_SYNC):
            return None
        self._session.link.protocol.take_rest()
        self._session.compound.lost()
        return known

    def kept_answer(self, bind: bytes) -> bytes | None:
        """What `constant` gives, for a caller that has seen to all else."""
        return self._constants.get(bind)

    def _keep_constant(self, bound: Portal, answer: bytes) -> None:
        if len(bound.bind) + len(answer) <= _ANSWER_SIZE:
            if len(self._constants) >= _ANSWERS:
                self._constants.clear()
            self._constants[bound.bind] = answer

    def forget_constants(self) -> None:
        """A setting has changed, or what a statement's name means."""
        self._constants.clear()

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
            await self._plan_anew(statement, statement.plan)
            self._check_told(statement)
            self._session.admit(statement.plan)
        bound = Portal(statement)
        if statement.relayed is not None:
            await self._bind_relayed(statement, statement.relayed, message)
        else:
            self.bind_values(bound, message)
            bound.bind = b"" if message.portal else self._session.body
            if statement.duck is not None and statement.duck.outdated:
                await self._renew(statement)
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
            raise SqlError(
                "0A000", "cached plan must not change result type", routine="RevalidateCachedQuery"
            )

    async def _plan_anew(self, statement: PreparedStatement, plan: Statement) -> None:
        """Prepares again what was planned with variables that have changed since."""
        now = self._session.planned_now(plan) if plan.varies else statement.asked
        if now is None or (now == statement.asked and plan.copies is None):
            return
        statement.close_plans()
        statement.variants.clear()
        statement.row_types = None
        await self.prepare(statement, now, statement.oids)

    async def _bind_relayed(
        self, statement: PreparedStatement, relayed: RelayedStatement, message: m.Bind
    ) -> None:
        relay, body = self._session.relay, self._session.body
        portal = body.index(0)
        rest = body[body.index(0, portal + 1) + 1 :]
        if statement.plan is not None and (sets := statement.plan.sets):
            relay.leaves(Trace.NOTHING, tuple(_setting_names(sets, message.parameters)))
        await self._session.mirror.before_question(_asks_catalog(statement.plan))
        begin = self._session.transaction.postgres_begin()
        await relay.bind(relayed, body[:portal], rest, begin)

    async def _renew(self, statement: PreparedStatement) -> None:
        """Plans a statement anew whose tables may be others now. Raises what Postgres raises at Bind."""
        assert statement.duck is not None
        assert statement.plan is not None
        try:
            await self._session.on_duck(statement.duck.renew, self._acceptance(statement))
        except EngineError as error:
            located = self._session.located(error, statement.plan, statement.sql)
            plan = self._session.federation.widened(statement.plan, located)
            # A view in it has come to read from Postgres.
            types = statement.row_types
            asked = replace(statement.asked or plan, federated=plan.federated)
            await self._prepare_bound(statement, asked, statement.oids)
            now, statement.row_types = statement.row_types, types
            self._acceptance(statement)(now or [])
            return
        told = statement.lengths
        await self._settle_lengths(statement)
        if told != statement.lengths:
            raise _changed_result()

    def _acceptance(self, statement: PreparedStatement) -> Accept:
        """What refuses columns that the client was not told of."""

        def accept(columns: list[tuple[str, DuckType]]) -> None:
            if statement.row_types is not None:
                self._check_columns(statement, columns)

        return accept

    def bind_values(self, bound: Portal, message: m.Bind) -> None:
        oids = bound.statement.parameter_oids
        if len(message.parameters) != len(oids):
            raise m.protocol_violation(
                f"bind message supplies {len(message.parameters)} parameters, but prepared "
                f'statement "{message.statement}" requires {len(oids)}'
            )
        formats = portals.result_formats(message.parameter_formats, len(oids))
        zone = self._session.style().time_zone
        bound.size = sum([len(raw) for raw in message.parameters if raw is not None])
        read_oids = bound.statement.read_oids
        if read_oids != oids:  # what is sent as a text is so in either format
            formats = [
                code if told == oid else 0
                for code, told, oid in zip(formats, oids, read_oids, strict=True)
            ]
        values = [
            (oid, params.decode(raw, code, oid, time_zone=zone, number=number))
            for number, (raw, code, oid) in enumerate(
                zip(message.parameters, formats, read_oids, strict=True), start=1
            )
        ]
        statement = bound.statement.inner or bound.statement
        bound.values = [values[n - 1] for n in statement.parameter_numbers]
        bound.types = tuple(duck_values.type_name(value, oid) for oid, value in bound.values)
        if (whole := statement.returned) is not None:
            by_number = dict(enumerate(bound.values, start=1))
            plan, kept = _without_returned(whole, parameter_types.constants(by_number))
            bound.values = [by_number[n] for n in kept]
            bound.types = tuple(bound.types[n - 1] for n in kept)
            types = dict(enumerate(bound.types, start=1))
            bound.sql = cast_parameters(plan.sql, types) if types else plan.sql
        nulls = [n for n, (_, value) in enumerate(bound.values, start=1) if value is None]
        hidden = nulls if statement.hides_nulls else ()
        typed = statement.plan is not None and statement.plan.route is not Route.SESSION
        if typed and not bound.sql and (bound.types != statement.parameter_types or hidden):
            assert statement.plan is not None
            types = dict(enumerate(bound.types, start=1))
            bound.sql = cast_parameters(statement.plan.sql, types, hidden)
        if statement is not bound.statement:
            bound.inner = Portal(statement, bound.values, bound.types, bound.sql)
        rows = self._row_types(bound.statement)
        bound.formats = portals.result_formats(message.result_formats, len(rows)) if rows else ()

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
        rows = self._row_types(statement)
        if rows is not None:
            self._session.transaction.check()
        if message.kind == "S":
            statement.told = rows
            self._session.link.write(m.parameter_description(statement.parameter_oids))
        if rows is None:
            self._session.link.write(m.NO_DATA)
        else:
            shown = portals.result_formats(formats or (), len(rows))
            columns = portals.columns_of(rows, shown, self._lengths(statement))
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
        await self._forward(b"E", be.EXECUTE, _asks_catalog(plan))
        if plan is not None and plan.kind == "COPY":
            await session.relay.settle()
            if session.relay.copying:
                await session.relay_copy()

    async def _execute_own(self, bound: Portal, plan: Statement, limit: int) -> None:
        if bound.answer is None:
            if plan.parameters:
                await self._session.compound.keep_parameters(bound.values, bound.types)
            bound.answer = await self._session.own.run(plan, bound.inner)
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
            self._check_columns(bound.statement, rows.portal.statement.row_types or [])
        ask = min(limit, bound.left) if limit and rows.limit > 0 else limit or bound.left
        if rows.limit and not bound.left:
            ask = NO_ROWS  # the FETCH has had its rows
        sent = await self.run(rows.portal, ask, bound.formats, rows.send)
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
        idle = bound.idle = not bound.running and await session.existence_notice(plan)
        session.tell(plan)
        sent = await self.run(bound, limit, bound.formats)
        if limit and sent >= limit and bound.statement.row_types is not None:
            session.link.write(m.PORTAL_SUSPENDED)
            session.compound.lost()
        else:
            self.ran(bound, plan, sent)
            tag = portals.IDLE_TAGS.get(plan.kind, plan.tag) if idle else plan.tag
            session.link.write(portals.complete(tag, sent))

    def ran(self, bound: Portal, plan: Statement, rows: int) -> None:
        """The portal has given all of its rows: RESULT_SCAN may ask for them."""
        if isinstance(bound.running, DuckPortal):
            self._session.compound.ran(plan, bound.running.statement.moment, rows)
        else:
            self._session.compound.lost()

    async def run(
        self, bound: Portal, limit: int, formats: Sequence[int] = (), send: bool = True
    ) -> int:
        """Runs a portal on, and sends its next rows: at most `limit`, all with 0, none with -1.

        Returns how many; for a statement without rows, how many it changed. The last row reached,
        the portal gives no more.
        """
        session, statement = self._session, bound.statement
        if bound.failure is not None:
            raise bound.failure.with_traceback(None)
        if bound.finished or limit == NO_ROWS:
            return 0
        sent, begun = 0, time.monotonic()
        follow = None
        if bound.running is None and statement.plan is not None:
            session.context.refresh(statement.plan.needs)
            follow = await session.compound.stages.ahead(statement.plan, Block.PIPELINE)
        try:
            if bound.running is None:
                await self._bring(bound)
            if bound.running is None and self._at_once(bound):
                piece = session.duck.at_once(self._start_and_fetch, bound, formats, limit)
            elif bound.running is None:
                piece = await session.on_duck(self._start_and_fetch, bound, formats, limit)
            else:
                piece = await session.duck.call(self._fetch, bound, formats, limit)
            running = bound.running
            assert running is not None
            if statement.row_types is None:
                sent = running.rows_changed
            if piece is not None:
                data, sent, more = piece
                if send:
                    session.link.write(data)
                if bound.bind and not more and statement.plan is not None and statement.plan.scalar:
                    end = portals.complete(statement.plan.tag, sent)
                    self._keep_constant(bound, b"".join((m.BIND_COMPLETE, data, end)))
                if more and not (limit and sent >= limit):
                    encoder = self._encoder(bound, formats)
                    sent += await session.send_rest(running, encoder, max(limit - sent, 0), send)
        except EngineError as error:
            assert statement.plan is not None
            raise session.located(error, statement.plan, bound.sql or statement.sql) from error
        if follow is not None:
            await follow()
        bound.rows += sent
        if limit >= _WORTH_FETCHING_AHEAD and time.monotonic() - begun < _QUICK:
            self._fetch_ahead(bound, running, formats, limit)
        if not running.done and statement.plan is not None and statement.plan.writes:
            session.transaction.wrote_once("a statement whose RETURNING was read in part")
        if statement.row_types is None or running.done:
            bound.finished = True
            if statement.plan is not None:
                sql = bound.sql or statement.sql
                session.wrote(statement.plan, sql, bound.values, bound.rows)
                if statement.plan.federated:
                    await session.federation.close()
                if statement.plan.touched:
                    await session.mirror.changed(statement.plan.touched)
        return sent

    def _fetch_ahead(
        self, bound: Portal, running: DuckPortal | Any, formats: Sequence[int], limit: int
    ) -> None:
        """A client that reads in portions will ask for the next: it is made while this one is read.

        Only of queries, and of those that are quick, as every other statement has to wait for it.
        """
        plan = bound.statement.plan
        reads = plan is not None and not plan.writes and not plan.federated
        if reads and isinstance(running, DuckPortal) and running.is_streaming:
            self._session.duck.fetch_ahead(running, self._encoder(bound, formats), limit)

    async def _bring(self, bound: Portal) -> None:
        """Brings what the portal's statement reads of Postgres, if it does."""
        plan = bound.statement.plan
        if plan is not None and plan.federated:
            sql = bound.sql or bound.statement.sql
            await self._session.federation.open(plan, sql, bound.values)

    def _at_once(self, bound: Portal) -> bool:
        """Whether the portal's statement costs less than the way to another thread."""
        plan, duck = bound.statement.plan, bound.statement.duck
        return (
            plan is not None
            and plan.scalar
            and duck is not None
            and not bound.sql
            and bound.size <= _SMALL
            and not self._session.link.protocol.more_than_sync
            and self._session.duck_at_once(duck)
        )

    def _start_and_fetch(self, bound: Portal, formats: Sequence[int], limit: int) -> Piece | None:
        """Blocks. Starts the portal and gives its first rows, None for a statement without rows."""
        if (plan := bound.statement.plan) is not None and plan.writes:
            self._session.constraints.look(self._session.duck)
        elif plan is not None and not limit and bound.statement.row_types and not plan.federated:
            return self._answer(bound, formats)
        self.start(bound)
        return self._fetch(bound, formats, limit)

    def _answer(self, bound: Portal, formats: Sequence[int]) -> Piece | None:
        """Blocks. As `_start_and_fetch` for a query that may be small."""
        statement, session = bound.statement, self._session
        codes = portals.result_formats(formats, len(statement.row_types or ()))
        planned, accept = self._planned(bound), self._acceptance(statement)
        bound.running, piece = session.duck.answer(
            planned, bound.values, accept, codes, session.style()
        )
        return self._fetch(bound, formats, 0) if piece is None else piece

    def _fetch(self, bound: Portal, formats: Sequence[int], limit: int) -> Piece | None:
        """Blocks."""
        if bound.statement.row_types is None:
            return None
        assert bound.running is not None
        self._check_columns(bound.statement, bound.running.columns)
        return bound.running.fetch(self._encoder(bound, formats), limit)

    def _encoder(self, bound: Portal, formats: Sequence[int]) -> RowEncoder:
        """Blocks briefly."""
        assert bound.running is not None
        codes = portals.result_formats(formats, len(bound.running.columns))
        return bound.running.encoder(codes, self._session.style())

    @staticmethod
    def _check_columns(statement: PreparedStatement, columns: list[tuple[str, DuckType]]) -> None:
        """Raises 0A000 when the result is not the one that the client was told of."""
        if columns is statement.row_types or any(kind.id == "INVALID" for _, kind in columns):
            return
        told = [wire_type(kind).oid for _, kind in statement.row_types or ()]
        if told != [wire_type(kind).oid for _, kind in columns]:
            raise _changed_result()

    def start(self, bound: Portal) -> None:
        """Blocks. Starts the portal's statement, up to its first rows or, without rows, to its end."""
        statement = bound.statement
        accept = self._acceptance(statement)
        federated = statement.plan is not None and bool(statement.plan.federated)
        try:
            planned = self._planned(bound)
            bound.running = self._session.duck.start(planned, bound.values, accept)
        finally:
            self._session.federation.spent |= federated
        if federated:
            bound.running.owns(planned)
        if statement.row_types is None:
            bound.running.finish()
            if statement.plan is not None and not bound.idle:
                self._session.rest = run_rest(self._session.duck, statement.plan)

    async def start_now(self, bound: Portal) -> None:
        """Starts a portal whose rows nobody has asked for yet."""
        await self._bring(bound)
        await self._session.on_duck(self.start, bound)

    async def plan_texts(self, bound: Portal) -> list[str]:
        """What EXPLAIN gives: the texts of its plans, and what would be asked of Postgres."""
        session, plan = self._session, bound.statement.plan
        await self.start_now(bound)
        assert bound.running is not None
        texts = await session.duck.call(bound.running.column_texts, 1)
        if plan is not None and plan.federated:
            await session.federation.close()
            if AS_JSON not in without_explain(plan.sql)[0]:
                texts.append(f"Postgres: {session.federation.asked}")
        return texts

    async def keep(self, bound: Portal) -> None:
        """A cursor WITH HOLD outlives its transaction: its rows are taken into memory."""
        if bound.running is not None:
            await self._session.duck.call(bound.running.detach)
        bound.kept = True

    def _planned(self, bound: Portal) -> DuckStatement:
        """Blocks. The statement planned for the types of the portal's values."""
        statement = bound.statement
        if statement.plan is not None and statement.plan.federated:
            return self._session.duck.prepare(bound.sql or statement.sql)
        if not bound.sql:
            assert statement.duck is not None
            return statement.duck
        if (found := statement.variants.get(bound.sql)) is None:
            if len(statement.variants) >= _MOST_VARIANTS:
                statement.variants.pop(next(iter(statement.variants))).close()
            found = statement.variants[bound.sql] = self._session.duck.prepare(bound.sql)
        return found

    def _row_types(self, statement: PreparedStatement) -> list[tuple[str, DuckType]] | None:
        """The result columns, which for EXECUTE and FETCH are another statement's."""
        plan = statement.plan
        if plan is not None and isinstance(plan.action, CompoundAction):
            return statement.row_types
        if plan is not None and plan.route is Route.SESSION:
            return self._session.own.row_types(plan)
        return statement.row_types

    def _lengths(self, statement: PreparedStatement) -> tuple[int, ...] | None:
        plan = statement.plan
        if plan is None or plan.route is not Route.SESSION:
            return statement.lengths
        rows = self._session.own.rows_of(plan)
        return rows.lengths if rows is not None else None

    def cursor(self, name: str) -> Portal:
        if (found := self.portals.get(name)) is None:
            raise SqlError("34000", f'cursor "{name}" does not exist')
        return found

    async def close(self, message: m.Close) -> None:
        kept: dict[str, Any] = self.statements if message.kind == "S" else self.portals
        found = kept.pop(message.name, None)
        self._constants.clear()
        statement = found.statement if isinstance(found, Portal) else found
        relay = self._session.relay
        if statement is not None and statement.relayed is not None:
            # On the backends a statement is everybody's; a portal is gone with its transaction.
            if message.kind == "P" and relay.connected:
                await self._forward(b"C", be.CLOSE, False)
            else:
                relay.answer(m.CLOSE_COMPLETE)
            return
        await self._session.relay.settle()
        if isinstance(found, Portal):
            await self.close_portal(found)
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

    async def _forward(self, kind: bytes, reply: be.Reply, catalog: bool) -> None:
        """Hands the client's message on as it came."""
        await self._session.mirror.before_question(catalog)
        begin = self._session.transaction.postgres_begin()
        await self._session.relay.forward(m.frame(kind, self._session.body), reply, begin)

    async def forget_statement(self, name: str) -> None:
        """Drops a prepared statement; a Postgres backend that knows it keeps it, unused."""
        # A portal made of it goes on; its plans are freed with the last that uses them.
        self.statements.pop(name, None)
        self._constants.clear()

    async def forget_statements(self) -> None:
        """DEALLOCATE ALL: all that have a name."""
        for name in [name for name in self.statements if name]:
            await self.forget_statement(name)

    async def forget_unnamed(self) -> None:
        """A simple Query ends the unnamed statement and the unnamed portal."""
        await self.forget_statement("")
        if (unnamed := self.portals.pop("", None)) is not None:
            await self.close_portal(unnamed)

    async def close_portals(self, *, committed: bool = False, kept: bool = False) -> None:
        """Portals end with their transaction; cursors WITH HOLD outlive one that is committed.

        kept: those too that outlived an earlier one.
        """
        open_portals, self.portals = self.portals, {}
        for name, open_portal in open_portals.items():
            if open_portal.hold and committed and not open_portal.kept:
                await self.keep(open_portal)
            if open_portal.kept and not kept:
                self.portals[name] = open_portal
            else:
                await self.close_portal(open_portal)

    async def stop_portals(self) -> None:
        """An error: no portal runs on, but their names stand until the transaction ends."""
        for open_portal in self.portals.values():
            if not open_portal.kept:
                await self.close_portal(open_portal)
                open_portal.finished = True

    def drop_all(self) -> None:
        """The session ends: frees all plans, so that the connection can close."""
        for statement in (*self.statements.values(), *(kept for kept, _ in self._parsed.values())):
            statement.close_plans()
        for open_portal in self.portals.values():
            open_portal.statement.close_plans()

    async def close_portal(self, closing: Portal) -> None:
        if closing.running is not None and not closing.running.done:
            await self._session.duck.call(closing.running.close)


def _asks_catalog(plan: Statement | None) -> bool:
    return plan is None or plan.asks_catalog


def _without_returned(
    plan: Statement, texts: Mapping[int, str]
) -> tuple[Statement, tuple[int, ...]]:
    """The plan with texts for the parameters behind RETURNING, and the numbers that are left."""
    sql = with_returned(plan.sql, texts)
    kept = tuple(sorted({n for n, _ in parameter_places(sql)}))
    return replace(plan, sql=renumber_parameters(sql, kept)), kept


def _setting_names(sets: Sequence[str | int], parameters: Sequence[bytes | None]) -> Iterator[str]:
    """The settings that a statement's set_config calls name, its parameters known."""
    for name in sets:
        if isinstance(name, str):
            yield name
        elif name <= len(parameters) and (value := parameters[name - 1]) is not None:
            yield value.decode("utf-8", "replace")


def _changed_result() -> SqlError:
    message = "cached plan must not change result type"
    return SqlError("0A000", message, routine="RevalidateCachedQuery")
