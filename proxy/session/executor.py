"""Portals of DuckDB's: values bound to a prepared statement, its rows fetched and sent.

Why it exists: the extended protocol, EXECUTE, FETCH and a step of several messages at once all run a
portal on by some rows. What is small runs within the event loop, the rest in the engine's thread; the
portion after the one that the client reads is made ahead.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from proxy.changes.before_writes import ahead, as_it_runs, just_after, just_before
from proxy.changes.collisions import patiently
from proxy.definitions.defining import defines, has_rows, run_rest, tell_cascaded
from proxy.engines.duck import values as duck_values
from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.portal import DuckPortal, Piece
from proxy.engines.duck.statement import DuckStatement
from proxy.session import parameter_types
from proxy.session import portal as portals
from proxy.session.named import NO_ROWS
from proxy.session.portal import Portal, PreparedStatement
from proxy.session.preparing import acceptance, check_columns, without_returned
from proxy.session.transaction import Block
from proxy.sql.compound import CompoundAction
from proxy.sql.federated import AS_JSON, without_explain
from proxy.sql.parameters import cast_parameters
from proxy.sql.statement import Route, Statement
from proxy.wire import messages as m
from proxy.wire import params
from proxy.wire.rows import RowEncoder
from proxy.wire.types import DuckType

if TYPE_CHECKING:
    from proxy.session.session import Session

_SMALL = 4096  # bytes of parameters
_WORTH_FETCHING_AHEAD = 500  # rows of a portion
_QUICK = 0.02  # seconds for one
_MOST_VARIANTS = 16  # plans of one statement for other types of its values


class Executor:
    """One session's."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def bind(self, bound: Portal, message: m.Bind) -> None:
        """Gives the portal the values of a Bind."""
        bound.given = message
        if not self.bind_values(bound, message):
            await self._write_values(bound)

    def bind_values(self, bound: Portal, message: m.Bind) -> bool:
        """... where that is done at once; False: the statement has to be put in words for them."""
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
        rows = self.row_types(bound.statement)
        bound.formats = portals.result_formats(message.result_formats, len(rows)) if rows else ()
        typed = statement.plan is not None and statement.plan.route is not Route.SESSION
        others = typed and (bound.types != statement.parameter_types or _hidden(bound, statement))
        if statement.returned is not None or others:
            return False
        if statement is not bound.statement:
            bound.inner = Portal(statement, bound.values, bound.types)
        return True

    async def _write_values(self, bound: Portal) -> None:
        """Puts the statement in words for the types of the values, and those that it cannot be given."""
        statement, texts = bound.statement.inner or bound.statement, self._session.texts
        hidden = _hidden(bound, statement)
        plan = statement.plan
        if (whole := statement.returned) is not None:
            by_number = dict(enumerate(bound.values, start=1))
            written = parameter_types.constants(by_number)
            plan, kept = await without_returned(texts, whole, written)
            bound.values = [by_number[n] for n in kept]
            bound.types = tuple(bound.types[n - 1] for n in kept)
            hidden = ()
        assert plan is not None
        types = dict(enumerate(bound.types, start=1))
        bound.sql = await texts.of(plan.sql, cast_parameters, types, hidden) if types else plan.sql
        if statement is not bound.statement:
            bound.inner = Portal(statement, bound.values, bound.types, bound.sql)

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
            await defines(session, statement.plan)
            await ahead(session, statement.plan, Block.PIPELINE)
        try:
            if bound.running is None:
                await self._bring(bound)
                await self.reword(bound)
            if bound.running is None and self._at_once(bound):
                piece = session.duck.at_once(self._start_and_fetch, bound, formats, limit)
            elif bound.running is None:
                helped = statement.plan is None or has_rows(statement.plan)
                starting = partial(
                    session.on_duck, self._start_and_fetch, bound, formats, limit, helped=helped
                )
                piece = await patiently(session, statement.plan, starting)
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
                    session.extended.constants.keep(
                        bound.bind, b"".join((m.BIND_COMPLETE, data, end))
                    )
                if more and not (limit and sent >= limit):
                    encoder = self._encoder(bound, formats)
                    sent += await session.send_rest(running, encoder, max(limit - sent, 0), send)
        except EngineError as error:
            assert statement.plan is not None
            raise await session.located(
                error, statement.plan, bound.sql or statement.sql
            ) from error
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
                    tell_cascaded(session, statement.plan)
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

    async def reword(self, bound: Portal) -> None:
        """Puts the portal's statement in other words, where it has to know what it is about to meet."""
        plan, sql = bound.statement.plan, bound.sql or bound.statement.sql
        if plan is not None and plan.writes:
            made = await as_it_runs(self._session, plan, sql, bound.values)
            bound.sql = bound.sql if made is sql else made

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
            sql = bound.sql or bound.statement.sql
            just_before(self._session, plan, sql, bound.values)
        elif plan is not None and not limit and bound.statement.row_types and not plan.federated:
            return self._answer(bound, formats)
        self.start(bound)
        piece = self._fetch(bound, formats, limit)
        if plan is not None and plan.writes:
            just_after(self._session, plan)
        return piece

    def _answer(self, bound: Portal, formats: Sequence[int]) -> Piece | None:
        """Blocks. As `_start_and_fetch` for a query that may be small."""
        statement, session = bound.statement, self._session
        codes = portals.result_formats(formats, len(statement.row_types or ()))
        planned, accept = self._planned(bound), acceptance(statement)
        bound.running, piece = session.duck.answer(
            planned, bound.values, accept, codes, session.style()
        )
        return self._fetch(bound, formats, 0) if piece is None else piece

    def _fetch(self, bound: Portal, formats: Sequence[int], limit: int) -> Piece | None:
        """Blocks."""
        if bound.statement.row_types is None:
            return None
        assert bound.running is not None
        check_columns(bound.statement, bound.running.columns)
        return bound.running.fetch(self._encoder(bound, formats), limit)

    def _encoder(self, bound: Portal, formats: Sequence[int]) -> RowEncoder:
        """Blocks briefly."""
        assert bound.running is not None
        codes = portals.result_formats(formats, len(bound.running.columns))
        return bound.running.encoder(codes, self._session.style())

    def start(self, bound: Portal) -> None:
        """Blocks. Starts the portal's statement, up to its first rows or, without rows, to its end."""
        statement = bound.statement
        accept = acceptance(statement)
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
            if without_explain(plan.sql)[0] not in AS_JSON:
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

    async def close_portal(self, closing: Portal) -> None:
        if closing.running is not None:
            await self._session.end_duck(closing.running)

    def row_types(self, statement: PreparedStatement) -> list[tuple[str, DuckType]] | None:
        """The result columns, which for EXECUTE and FETCH are another statement's."""
        plan = statement.plan
        if plan is not None and isinstance(plan.action, CompoundAction):
            return statement.row_types
        if plan is not None and plan.route is Route.SESSION:
            return self._session.own.row_types(plan)
        return statement.row_types

    def lengths(self, statement: PreparedStatement) -> tuple[int, ...] | None:
        plan = statement.plan
        if plan is None or plan.route is not Route.SESSION:
            return statement.lengths
        if isinstance(plan.action, CompoundAction):
            return statement.lengths
        rows = self._session.own.rows_of(plan)
        return rows.lengths if rows is not None else None


def _hidden(bound: Portal, statement: PreparedStatement) -> tuple[int, ...]:
    """The numbers of the values that must not be seen while the statement is bound."""
    if not statement.hides_nulls:
        return ()
    return tuple(n for n, (_, value) in enumerate(bound.values, start=1) if value is None)
