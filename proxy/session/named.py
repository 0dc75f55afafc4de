"""SQL's own names for prepared statements and cursors: PREPARE, EXECUTE, DECLARE, FETCH, MOVE, CLOSE.

They live where the extended protocol's statements and portals live, under the same names: what is
prepared in SQL can be bound by the protocol, and a portal of the protocol can be fetched from. What
Postgres prepared or declared is Postgres's to execute and to fetch; `Session.resolve` sends it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.portal import DuckPortal
from proxy.engines.duck.scroll import ScrollRows
from proxy.errors import SqlError
from proxy.session.if_exists import existence_notice
from proxy.session.portal import Outcome, Portal, PreparedStatement
from proxy.session.transaction import Block
from proxy.sql import session_actions as act
from proxy.sql.compound import CompoundAction, WithWrites
from proxy.sql.statement import Route, Statement
from proxy.wire import messages as m
from proxy.wire.rows import RowEncoder
from proxy.wire.types import pg_type_named

if TYPE_CHECKING:
    from proxy.session.session import Session


NO_ROWS = -1
_OF_VALUES = ("21", "22")  # classes of errors that only a row can raise


@dataclass(slots=True)
class Rows:
    """Rows of another portal as a statement's answer.

    limit: at most so many, 0 for all that are left. tag: FETCH or MOVE with their count, or None for
    the tag of the portal's own statement. send: False for MOVE.
    """

    portal: Portal
    limit: int = 0
    tag: str | None = None
    send: bool = True


class Named:
    def __init__(self, session: Session) -> None:
        self._session = session

    # --- statements ---------------------------------------------------------------------------

    async def prepare(self, action: act.Prepare) -> None:
        extended = self._session.extended
        if action.name in extended.statements:
            raise SqlError("42P05", f'prepared statement "{action.name}" already exists')
        statement = PreparedStatement(action.name, self.one(action.statement_text))
        assert statement.plan is not None
        action_ = statement.plan.action
        if isinstance(action_, CompoundAction) and not isinstance(action_, WithWrites):
            raise SqlError(
                "0A000", f"PREPARE of {statement.plan.kind} of this form is not supported"
            )
        await self._session.preparation.prepare(
            statement, statement.plan, tuple(map(oid_named, action.types))
        )
        extended.statements[action.name] = statement

    async def execute(self, action: act.Execute) -> Rows:
        extended = self._session.extended
        statement = extended.statement(action.name)
        if statement.relayed is not None:
            raise SqlError(
                "0A000",
                f'"{action.name}" is a statement of Postgres\'s that the protocol prepared',
                hint="Run it by the protocol's Bind and Execute, or prepare it by PREPARE.",
            )
        self._check_arguments(statement, action)
        bound = await self._bound(statement, action)
        if statement.plan is not None and isinstance(statement.plan.action, WithWrites):
            return await self._session.compound.parts.run(statement.plan, bound)
        return Rows(bound)

    def _check_arguments(self, statement: PreparedStatement, action: act.Execute) -> None:
        wanted = len(statement.parameter_oids)
        if len(action.args) != wanted:
            raise SqlError(
                "42601",
                f'wrong number of parameters for prepared statement "{action.name}"',
                detail=f"Expected {wanted} parameters but got {len(action.args)}.",
            )

    async def _bound(self, statement: PreparedStatement, action: act.Execute) -> Portal:
        values = await self._evaluate(action.args)
        bound = Portal(statement)
        await self._session.executor.bind(bound, m.Bind("", action.name, (), values, ()))
        return bound

    async def create_as_execute(self, action: act.CreateAsExecute) -> Rows:
        """The statement is prepared once more, as the query of the table."""
        extended = self._session.extended
        found = extended.statement(action.execute.name)
        if found.plan is None or found.row_types is None or found.plan.kind != "SELECT":
            raise SqlError("42809", "prepared statement is not a SELECT")
        self._check_arguments(found, action.execute)
        plan = self.one(action.head + found.plan.text)
        made = PreparedStatement("", plan)
        await self._session.preparation.prepare(made, plan, found.parameter_oids)
        return Rows(await self._bound(made, action.execute))

    async def create_until_commit(self, action: act.CreateUntilCommit) -> Rows | Outcome:
        """CREATE TEMP TABLE ... ON COMMIT DROP, ON COMMIT DELETE ROWS"""
        session = self._session
        plan = self.one(action.statement)
        if await existence_notice(session, plan):
            return Outcome(plan.kind)
        session.transaction.open(Block.MESSAGE)
        made = PreparedStatement("", plan)
        await session.preparation.prepare(made, plan, ())
        session.transaction.at_commit(action.name, drops=action.drops)
        if action.drops:
            session.mirror.temporary.gone_at_end(action.name)
        return Rows(Portal(made))

    async def _evaluate(self, arguments: tuple[str, ...]) -> tuple[bytes | None, ...]:
        """The arguments' values, as the texts that Bind would carry."""
        if not arguments:
            return ()
        plan = self.one("SELECT " + ", ".join(f"({argument})" for argument in arguments))
        if plan.route is not Route.DUCKDB:
            raise SqlError("0A000", "an argument of EXECUTE may not read from the control plane")
        self._session.admit(plan)
        return await self._session.on_duck(self._read_one_row, plan.sql)

    def _read_one_row(self, sql: str) -> tuple[bytes | None, ...]:
        """Blocks."""
        duck = self._session.duck
        statement = duck.prepare(sql)
        running = duck.start(statement)
        running.owns(statement)
        try:
            types = [kind for _, kind in running.columns]
            encoder = RowEncoder(types, (0,) * len(types), self._session.style())
            row, _, _ = running.fetch(encoder, 1)
        finally:
            running.close()
        return _cells(bytes(row))

    # --- cursors ------------------------------------------------------------------------------

    async def declare(self, action: act.Declare, bound: Portal) -> None:
        """bound: the cursor's query, prepared and with its parameters."""
        session, extended = self._session, self._session.extended
        if session.transaction.block in (Block.NONE, Block.PIPELINE) and not action.hold:
            raise SqlError("25P01", "DECLARE CURSOR can only be used in transaction blocks")
        if action.name in extended.portals:
            raise SqlError("42P03", f'cursor "{action.name}" already exists')
        plan = bound.statement.plan
        if plan is None or plan.writes or bound.statement.row_types is None:
            raise SqlError("42601", "DECLARE CURSOR needs a query")
        bound.hold, bound.binary = action.hold, action.binary
        # It runs from here on: what the cursor sees is what is there now.
        try:
            await session.executor.start_now(bound)
            if action.scroll and isinstance(bound.running, DuckPortal):
                bound.scroll = await session.duck.call(ScrollRows, bound.running)
        except EngineError as error:
            if not error.sqlstate.startswith(_OF_VALUES):
                raise await session.located(
                    error, plan, bound.sql or bound.statement.sql
                ) from error
            # Postgres's cursor runs from the first FETCH on, and would meet it there.
            bound.failure = error
        if action.hold and session.transaction.block is Block.NONE:
            await session.executor.keep(bound)
        extended.portals[action.name] = bound

    async def fetch(self, action: act.Fetch) -> Rows:
        return self._move(action, "FETCH", send=True)

    async def move(self, action: act.Move) -> Rows:
        return self._move(action, "MOVE", send=False)

    def _move(self, action: act.Fetch | act.Move, tag: str, *, send: bool) -> Rows:
        cursor = self._session.extended.cursor(action.cursor)
        count = action.count
        if cursor.failure is not None:
            raise cursor.failure.with_traceback(None)
        if cursor.scroll is not None:
            rows = cursor.scroll.move(action.direction, count)
            passed = Portal(cursor.statement, running=rows, binary=cursor.binary)
            return Rows(passed, 0, tag, send)
        if action.direction not in ("forward", "relative") or (count is not None and count <= 0):
            if action.direction == "forward" and count == 0 and not cursor.rows:
                return Rows(cursor, NO_ROWS, tag, send)
            raise SqlError(
                "55000",
                "cursor can only scan forward",
                hint="Declare it with SCROLL option to enable backward scan.",
            )
        if action.direction == "relative" and count is not None and count > 1:
            raise SqlError("0A000", "FETCH RELATIVE is supported for the next row only")
        return Rows(cursor, count or 0, tag, send)

    async def close_cursor(self, action: act.CloseCursor) -> None:
        extended = self._session.extended
        names = list(extended.portals) if action.name is None else [action.name]
        for name in names:
            closing = extended.cursor(name)
            del extended.portals[name]
            await self._session.executor.close_portal(closing)

    def one(self, text: str) -> Statement:
        plans = self._session.plans.of_short(text)
        if len(plans) != 1:
            raise SqlError("42601", "exactly one statement is expected here")
        return plans[0]


def oid_named(name: str) -> int:
    found = pg_type_named(name.casefold())
    if found is None:
        raise SqlError("42704", f'type "{name}" does not exist')
    return found.oid


def _cells(row: bytes) -> tuple[bytes | None, ...]:
    """The values of one DataRow message."""
    cells: list[bytes | None] = []
    at = 7
    for _ in range(int.from_bytes(row[5:7], "big")):
        length = int.from_bytes(row[at : at + 4], "big", signed=True)
        at += 4
        cells.append(None if length < 0 else row[at : at + length])
        at += max(length, 0)
    return tuple(cells)
