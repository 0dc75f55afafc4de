"""Simple queries: one text of any number of statements, each with its own answer.

Why it exists: a simple query names nothing and binds nothing; its statements are planned from one
text, run in one implicit transaction, and what belongs to Postgres alone goes there as it came. A
query of no relation is answered within the event loop, and once known without any engine.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from proxy.changes.before_writes import ahead, as_it_runs, just_after, just_before
from proxy.changes.collisions import patiently
from proxy.definitions.defining import copied, defines, has_rows, run_rest, tell_cascaded
from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.portal import DuckPortal
from proxy.engines.loan import Told
from proxy.errors import SqlError
from proxy.functions.procedure_tables import called_first
from proxy.session import portal as portals
from proxy.session.complaints import put_otherwise
from proxy.session.if_exists import existence_notice, needs_its_object
from proxy.session.kept_answers import KeptAnswers
from proxy.session.named import Rows
from proxy.session.parameter_types import no_parameter
from proxy.session.relaying import handed_over, relay_query, relayed_text
from proxy.session.transaction import Block
from proxy.sql.session_actions import CopyStatement
from proxy.sql.statement import MakesView, Route, Statement
from proxy.wire import messages as m
from proxy.wire.rows import RowEncoder

if TYPE_CHECKING:
    from proxy.session.session import Session


class SimpleQuery:
    """One session's. Raises `SqlError` for the statement that fails; those behind it do not run."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.constants: KeptAnswers[str] = KeptAnswers()  # to scalar queries

    async def take(self, message: m.Query) -> None:
        session = self._session
        try:
            await session.relay.settle()
        except Told:  # an error among the extended messages before it: this one is skipped too
            await session.failed(extended=True)
            return
        await session.extended.forget_unnamed()
        await self._run(message.sql)
        session.ready_for_query()

    async def _run(self, sql: str) -> None:
        """Runs the statements of one text, each with its own answer, in one implicit block."""
        session = self._session
        plans = await session.plans.of(sql)
        if session.dialect.name == "snowflake" and any(plan.parameters for plan in plans):
            plans = await session.plans.of(sql, numbered=True)  # what has no parameters has columns
        if not plans:
            session.link.write(m.EMPTY_QUERY)
            return
        if all(plan.route is Route.POSTGRES and plan.refused is None for plan in plans):
            session.transaction.check()
            session.compound.lost()
            await relay_query(session, relayed_text(sql, plans), plans)
            return
        for plan in plans:
            if len(plans) > 1 or plan.then or plan.copies:
                session.transaction.open(Block.MESSAGE)
            await self._one(plan)
        if session.transaction.block in (Block.MESSAGE, Block.PIPELINE):
            await session.extended.close_portals(committed=True)
            await session.transaction.commit()

    async def _one(self, plan: Statement) -> None:
        session = self._session
        plan = await session.placed(await session.plans.now(plan))
        session.admit(plan)
        plan = await session.compound.parts.as_one(plan)
        session.context.started(plan)
        if plan.route is Route.SESSION:
            answer = await session.own.run(plan)
            session.compound.answered(plan, answer)
            if isinstance(answer, Rows):
                await self._send_rows_of(answer)
            else:
                session.send_outcome(answer, describe=True)
        elif isinstance(plan.action, CopyStatement):
            await session.copying.run(plan)
        elif plan.route is Route.POSTGRES:
            await self._in_postgres(plan)
        else:
            await self._in_duck(plan)

    async def _in_postgres(self, plan: Statement) -> None:
        self._session.compound.lost()
        # Leading blanks keep the positions in Postgres's errors true to the client's text.
        sql = " " * plan.start + (plan.relayed or plan.text)
        await relay_query(self._session, sql, (plan,))

    async def _send_rows_of(self, rows: Rows) -> None:
        """EXECUTE, FETCH or MOVE as a simple query."""
        session = self._session
        inner = rows.portal.statement
        codes = (int(rows.portal.binary),) * len(inner.row_types or ())
        if inner.row_types is not None and rows.send:
            columns = portals.columns_of(inner.row_types, codes, inner.lengths)
            session.link.write(m.row_description(columns))
        count = await session.executor.run(rows.portal, rows.limit, codes, rows.send)
        assert inner.plan is not None
        session.link.write(portals.complete(rows.tag or inner.plan.tag, count))

    async def _in_duck(self, plan: Statement) -> None:
        if plan.parameters:
            raise no_parameter(plan, plan.parameters)
        await ahead(self._session, plan, Block.MESSAGE)
        if plan.portable or plan.reads_alone:
            try:
                await self._in_duck_typed(plan)
            except SqlError as error:
                if await self._session.calls.concern(plan):
                    raise
                await self._in_postgres(await handed_over(self._session, plan, error))
        else:
            await self._in_duck_typed(plan)

    async def _in_duck_typed(self, plan: Statement) -> None:
        session, asked = self._session, plan
        if not plan.federated:
            plan = await session.typed.of(plan)
        if plan.scalar and (known := self.constants.find(plan.sql)) is not None:
            session.link.write(known)
            session.compound.ran(plan, None, 1)
            return
        if not plan.federated:
            try:
                await self._run_duck(plan)
                return
            except EngineError as error:
                asked = session.federation.widened(asked, error)  # a view of Postgres's relations
        # What stands in for Postgres's relations goes with the block, should the statement fail.
        session.transaction.open(Block.PIPELINE)
        try:
            shown = await session.federation.show(asked)
            plan = await session.typed.of(asked)
            await self._run_duck(await session.federation.open(plan, plan.sql, shown=shown))
        finally:
            await session.federation.close()

    async def _run_duck(self, plan: Statement) -> None:
        session = self._session
        nothing_to_do = await existence_notice(session, plan)
        session.context.refresh(plan.needs)
        session.tell(plan)
        if nothing_to_do and needs_its_object(plan):
            session.link.write(portals.complete(plan.tag, 0))
            return
        plan = replace(plan, then=()) if nothing_to_do else await copied(session, plan)
        follow = await session.compound.stages.ahead(plan, Block.MESSAGE)
        await defines(session, plan)
        if (made := await as_it_runs(session, plan, plan.sql)) is not plan.sql:
            plan = replace(plan, sql=made)
        try:
            if plan.scalar and session.duck_at_once(plan.sql):
                running, encoder, piece = session.duck.at_once(self._start_duck, plan)
            else:
                starting = partial(session.on_duck, self._start_duck, plan, helped=has_rows(plan))
                running, encoder, piece = await patiently(session, plan, starting)
        except EngineError as error:
            # What else a definition is made of is read from the catalog anew, in its own words.
            reworded = plan.copies is None or isinstance(plan.copies, MakesView)
            if reworded and (again := await put_otherwise(session, plan, error)):
                await self._in_duck(again)
                return
            if (again := await called_first(session, plan, error)) is not None:
                await self._one(again)
                return
            if error.sqlstate == "42P02":  # there is none but $0
                raise no_parameter(plan, 0) from error
            raise await session.located(error, plan, plan.sql) from error
        try:
            if encoder is None:
                if follow is not None:
                    await follow()
                if plan.touched:
                    await session.mirror.changed(plan.touched)
                    tell_cascaded(session, plan)
                tag = portals.IDLE_TAGS.get(plan.kind, plan.tag) if nothing_to_do else plan.tag
                session.link.write(portals.complete(tag, running.rows_changed))
                session.wrote(plan, plan.sql, (), running.rows_changed)
                session.compound.ran(plan, running.statement.moment, running.rows_changed)
                return
            columns = tuple(running.columns)
            lengths = session.described.lengths(plan.sql, columns, plan.scalar)
            description = portals.row_description(columns, (0,) * len(columns), lengths)
            if plan.scalar and not piece[2]:
                answer = b"".join((description, piece[0], portals.complete(plan.tag, piece[1])))
                self.constants.keep(plan.sql, answer)
                session.link.write(answer)
                session.compound.ran(plan, None, piece[1])
                return
            session.link.write(description)
            sent = await self._send_rows(running, encoder, piece)
            if plan.touched:
                await session.mirror.changed(plan.touched)
            session.link.write(portals.complete(plan.tag, sent))
            session.wrote(plan, plan.sql, (), sent)
            session.compound.ran(plan, running.statement.moment, sent)
        finally:
            await session.end_duck(running)

    def _start_duck(self, plan: Statement) -> tuple[DuckPortal, RowEncoder | None, Any]:
        """Blocks. Prepares and starts, up to the first rows: run-time errors come before any row."""
        session = self._session
        if plan.writes:
            just_before(session, plan, plan.sql)
        if plan.federated:
            running = session.duck.start_once(plan.sql, look=session.described.look)
            session.federation.spent = True
        else:
            look = None if plan.scalar else session.described.look
            running = session.duck.start_text(plan.sql, plan.scalar, look)
        try:
            if portals.row_types_of(plan, running.statement) is None:
                running.finish()
                session.rest = run_rest(session.duck, plan)
                just_after(session, plan)
                return running, None, None
            encoder = running.encoder((0,) * len(running.columns), session.style())
            piece = running.fetch(encoder)
            just_after(session, plan)
            return running, encoder, piece
        except BaseException:
            running.close()
            raise

    async def _send_rows(self, running: DuckPortal, encoder: RowEncoder, piece: Any) -> int:
        """Sends a result to its end; piece: its first."""
        data, sent, more = piece
        self._session.link.write(data)
        return sent + await self._session.send_rest(running, encoder) if more else sent
