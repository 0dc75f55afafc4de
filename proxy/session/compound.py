"""Statements that the session carries out in several steps on the engine.

Why it exists: what is one statement in Snowflake may be several for DuckDB (INSERT OVERWRITE, INSERT
ALL), or may become a statement only once something was read (PIVOT over ANY, RESULT_SCAN). The
planner says which steps (`proxy.sql.compound`); here they run, each through the session like any
statement of the client's. Functions and procedures are kept as DuckDB macros, so that they live,
are named and are rolled back as tables are (`proxy.functions.routines`); blocks are run by `proxy.scripting.blocks`.

What of this can be described without running it is `proxy.scripting.describing`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from proxy.changes.with_writes import WithParts
from proxy.definitions import creating_or_altering, sequences
from proxy.definitions.materialized import MaterializedViews
from proxy.engines.duck.portal import DuckPortal
from proxy.errors import SqlError
from proxy.functions.client_functions import ClientFunctions
from proxy.functions.routines import Routines
from proxy.scripting.blocks import Script
from proxy.scripting.scope import PARAMETER
from proxy.session import savepoints
from proxy.session.named import Rows
from proxy.session.parameter_types import written_columns
from proxy.session.portal import Outcome, Portal, PreparedStatement
from proxy.session.savepoints import Write
from proxy.session.transaction import Block
from proxy.sql import compound as act
from proxy.sql.changes.written_columns import rounding
from proxy.sql.definitions.materialized import MaterializedAction
from proxy.sql.functions.function_actions import FunctionAction
from proxy.sql.quoting import literal as text_literal
from proxy.sql.quoting import quoted
from proxy.sql.session_actions import CopyStatement
from proxy.sql.snowflake.literals import literal
from proxy.sql.snowflake.stage_actions import LISTED, StageAction
from proxy.sql.statement import Route, Statement
from proxy.staging.statements import Stages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.session.session import Session

Answer = Outcome | Rows

_REMEMBERED = 100
_SCANNED = "temp.main._hd_scanned"
_SCANNED_KEPT = 16
"""Results that were scanned lie in so many temporary tables, the oldest of which makes room."""
_COUNT_COLUMNS = {
    "INSERT": "number of rows inserted",
    "UPDATE": "number of rows updated",
    "DELETE": "number of rows deleted",
}


class _Result(NamedTuple):
    """A statement that can be asked for again: DuckDB's query, and when it was run."""

    sql: str
    moment: Any


class Compound:
    """One session's statements of several steps."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._results: deque[_Result | None] = deque(maxlen=_REMEMBERED)
        self._numbers: deque[int] = deque(maxlen=_REMEMBERED)  # of the statements, in the session
        self.routines = Routines(session)
        self.stages = Stages(self)
        self.materialized = MaterializedViews(session)
        self.functions = ClientFunctions(session)
        self.parts = WithParts(session)
        self._parameters = 0  # how many the next CALL has
        self.cancelled = False  # what runs for the client is to stop
        self.tables = 0  # made so far for results within scripts
        self._scanned = 0  # the number of the last table that a result was scanned into
        self.leftover: list[str] = []  # of them, those that an answer may still be read from

    async def run(
        self, plan: Statement, action: act.CompoundAction, bound: Portal | None = None
    ) -> Answer:
        """Carries out one of `proxy.sql.compound`'s actions. bound: with the values of its parameters."""
        self.cancelled = False
        if isinstance(action, act.WithWrites):
            return await self.parts.run(plan, bound)
        if isinstance(action, StageAction):
            return await self.stages.run(action)
        if isinstance(action, MaterializedAction):
            return await self.materialized.run(action)
        if isinstance(action, FunctionAction):
            return await self.functions.run(action)
        return await _STEPS[type(action)](self, action)

    def cancel(self) -> None:
        self.cancelled = True

    # --- one statement as an answer -----------------------------------------------------------

    def plan(self, text: str) -> Statement:
        """The one statement of a text of Snowflake's."""
        plans = self._session.plans.of_short(text, numbered=True)
        if len(plans) != 1:
            raise SqlError("42601", "exactly one statement is expected here")
        return plans[0]

    async def answer(self, plan: Statement) -> Answer:
        """What the client is to be sent for a statement that stands for another one."""
        session = self._session
        plan = session.resolve(plan)
        session.admit(plan)
        if plan.route is Route.SESSION:
            return await session.own.run(plan)
        copies = isinstance(plan.action, CopyStatement)
        if plan.route is not Route.DUCKDB or copies or plan.federated:
            raise SqlError("0A000", f"{plan.kind} from within another statement is not supported")
        statement = PreparedStatement("")
        statement.plan = plan
        await session.preparation.prepare(statement, plan, ())
        return Rows(Portal(statement))

    async def query(self, sql: str) -> Answer:
        """As `answer`, for a query of ours in DuckDB's SQL."""
        return await self.answer(Statement(Route.DUCKDB, "SELECT", sql, 0, sql=sql, tag="SELECT"))

    async def keep_parameters(
        self, values: Sequence[tuple[int, Any]], types: Sequence[str]
    ) -> None:
        """The values of $1..$n for a CALL, as variables of DuckDB's: (OID, value) and its types."""
        for number, (value, kind) in enumerate(zip(values, types, strict=True), start=1):
            set_ = f'SET VARIABLE "{PARAMETER}{number}" = CAST($1 AS {kind})'
            await self._session.on_duck(self._execute, set_, (value,))
        self._parameters = len(values)

    async def execute(self, sql: str) -> int:
        """Runs a statement in DuckDB's SQL to its end; how many rows it changed or gave."""
        return await self._session.on_duck_in_words(self._execute, sql)

    async def write(self, sql: str) -> int:
        """As `execute`, of what may be an INSERT into columns that keep few digits of a second."""
        session = self._session
        known = partial(written_columns, session.duck)
        return await self.execute(await session.on_duck(rounding, sql, known))

    def _execute(self, sql: str, values: Sequence[tuple[int, Any]] = ()) -> int:
        """Blocks."""
        duck = self._session.duck
        statement = duck.prepare(sql)
        running: DuckPortal = duck.start(statement, values)
        running.owns(statement)
        try:
            return running.run_out()
        finally:
            running.close()

    @asynccontextmanager
    async def one_transaction(self) -> AsyncIterator[None]:
        """All that is done within happens, or nothing."""
        transaction = self._session.transaction
        alone = transaction.block is Block.NONE
        if alone:
            transaction.open(Block.MESSAGE)
        try:
            yield
        except BaseException:
            if alone:
                await transaction.rollback()
            raise
        if alone:
            await transaction.commit()

    # --- the statements -----------------------------------------------------------------------

    async def _steps(self, action: act.Steps) -> Answer:
        counted = 0
        async with self.one_transaction():
            for index, sql in enumerate(action.statements):
                step = Statement(Route.DUCKDB, "INSERT", sql, 0, sql=sql, typed=True)
                rows = await self.write((await self._session.typed.of(step)).sql)
                counted += rows if index in action.counted else 0
            self._session.transaction.wrote_once("an INSERT into several tables")
        return Outcome(f"INSERT 0 {counted}")

    async def _pivot(self, action: act.PivotValues) -> Answer:
        return await self.answer(self.plan(await self.pivot_text(action)))

    async def pivot_text(self, action: act.PivotValues) -> str:
        """The statement with the values that its PIVOT is over."""
        rows = await self._session.on_duck_in_words(self._session.duck.run, action.values)
        values = [literal(value) for (value,) in rows]
        if "NULL" in values:
            raise SqlError("0A000", "PIVOT over values that are NULL is not supported")
        if not values:
            raise SqlError("22023", "PIVOT has no values")
        return action.before + ", ".join(values) + action.after

    async def _block(self, action: act.RunBlock) -> Answer:
        return await Script(self).run(action.block, "anonymous block")

    async def _chain(self, action: act.Chain) -> Answer:
        """Each statement's rows lie in a table until the last one has been read."""
        return await Script(self).chain(action)

    async def _immediate(self, action: act.ExecuteImmediate) -> Answer:
        text = action.literal
        if text is None:
            text = await self.text_of(self.plan(f"SELECT ({action.expression})::VARCHAR"))
        if text is None:
            raise SqlError("22004", "EXECUTE IMMEDIATE of NULL")
        return await self.answer(self.plan(await Script(self).bound_text(text, action.using)))

    async def text_of(self, plan: Statement) -> str | None:
        """The value of a query of one row and one text."""
        self._session.admit(plan)
        self._session.context.refresh(plan.needs)
        if plan.route is not Route.DUCKDB or plan.federated:
            raise SqlError("0A000", "an expression over the control plane is not supported here")
        plan = await self._session.typed.of(plan)
        rows = await self._session.on_duck_in_words(self._session.duck.run, plan.sql)
        return rows[0][0] if rows else None

    # --- RESULT_SCAN --------------------------------------------------------------------------

    def _remember(self, result: _Result | None) -> None:
        self._results.append(result)
        self._numbers.append(self._session.context.number)

    def _place(self, action: act.ResultScan) -> int:
        """Where the result is that a RESULT_SCAN asks for. Raises 02000, 0A000."""
        number = action.back
        if action.ident is None and number < 0:
            if -number > len(self._results):
                raise SqlError("02000", f"statement {number} is not known any more")
            return len(self._results) + number
        if action.ident is not None:
            found = self._session.context.number_of(action.ident)
            if found is None:
                raise SqlError("0A000", "RESULT_SCAN of another session's query is not supported")
            number = found
        places = [i for i, one in enumerate(self._numbers) if one == number]
        if not places:
            raise SqlError("02000", f"statement {number} is not known any more")
        return next((i for i in places if self._results[i] is not None), places[0])

    def lost(self) -> None:
        """A statement was run, or failed, whose result is not known here."""
        self._remember(None)

    def ran(self, plan: Statement, moment: Any, rows: int) -> None:
        """A statement was run: its result may be asked for by RESULT_SCAN.

        moment: before it was run, None for what gives the same at any time.
        """
        name = _COUNT_COLUMNS.get(plan.kind)
        if name is not None:
            self._remember(_Result(f'SELECT {rows} AS "{name}"', None))
        elif (
            plan.route is Route.DUCKDB
            and plan.tag == "SELECT"
            and not (plan.parameters or plan.needs or plan.ddl or plan.federated)
        ):
            self._remember(_Result(plan.sql, moment))
        else:
            self._remember(None)

    def answered(self, plan: Statement, answer: Answer) -> None:
        """The session itself has answered. What RESULT_SCAN may ask for is what it can give again."""
        if isinstance(answer, Rows):
            inner = answer.portal.statement.plan
            if inner is not None and isinstance(plan.action, (act.ResultScan, act.PivotValues)):
                duck = answer.portal.statement.duck
                if duck is None or inner.kind in _COUNT_COLUMNS:
                    self.lost()
                else:
                    self.ran(inner, duck.moment, 0)
                return
            again = inner is not None and isinstance(plan.action, _ANSWERED_AGAIN)
            self._remember(_Result(inner.sql, None) if again and inner else None)
            return
        if not answer.columns or not answer.rows:
            self._remember(None)
            return
        rows = ", ".join("(" + ", ".join(map(_text, row)) + ")" for row in answer.rows)
        names = ", ".join(map(quoted, answer.columns))
        self._remember(_Result(f"SELECT * FROM (VALUES {rows}) AS _t({names})", None))

    async def _scan(self, action: act.ResultScan) -> Answer:
        return await self.answer(self.plan(await self.scanned_text(action)))

    async def scanned_text(self, action: act.ResultScan) -> str:
        """The statement over a table that holds the result which it asks for."""
        place = self._place(action)
        result = self._results[place]
        refusal = "RESULT_SCAN of a statement that gives something else now is not supported"
        if result is None:
            raise SqlError("0A000", "RESULT_SCAN of this kind of statement is not supported")
        if result.moment is not None:
            try:
                savepoints.repeatable([Write(result.sql, (), 0)])
            except SqlError as error:
                raise SqlError("0A000", refusal) from error
            if not await self._session.on_duck(self._session.duck.unchanged, result.moment):
                raise SqlError("0A000", refusal)
        table = await self._session.on_duck(self._take_scanned, result)
        self._results[place] = _Result(f"SELECT * FROM {table}", None)
        return action.text[: action.start] + table + action.text[action.end :]

    def _take_scanned(self, result: _Result) -> str:
        """Blocks. Puts a result into a table, whose name it gives.

        That is no change to what other statements gave; but what was read from the table that made
        room for it cannot be asked for again.
        """
        duck = self._session.duck
        valid = [
            one is not None and one.moment is not None and duck.unchanged(one.moment)
            for one in self._results
        ]
        self._scanned = (self._scanned + 1) % _SCANNED_KEPT
        table = f"{_SCANNED}{self._scanned}_"
        duck.run_privately(f"CREATE OR REPLACE TEMP TABLE {table} AS {result.sql}")
        now = duck.now()
        for index, (one, held) in enumerate(zip(list(self._results), valid, strict=True)):
            if one is not None and one is not result and table in one.sql:
                self._results[index] = None
            elif one is not None and held:
                self._results[index] = one._replace(moment=now)
        return table

    async def _call(self, action: act.Call) -> Answer:
        if action.into:
            raise SqlError("0A000", "CALL ... INTO outside a block is not supported")
        caller = Script(self)
        caller.parameters, self._parameters = self._parameters, 0
        return await self.routines.call(action, caller)


# What these give lies in a variable or a table of the session's until the next script runs.
_ANSWERED_AGAIN = (act.RunBlock, act.Chain, act.Call, act.ExecuteImmediate, *LISTED)


_STEPS: dict[type, Callable[[Compound, Any], Awaitable[Answer]]] = {
    act.Steps: Compound._steps,
    act.PivotValues: Compound._pivot,
    act.RunBlock: Compound._block,
    act.Chain: Compound._chain,
    act.ExecuteImmediate: Compound._immediate,
    act.ResultScan: Compound._scan,
    act.Call: Compound._call,
    act.CreateFunction: lambda self, action: self.routines.create_function(action),
    act.CreateProcedure: lambda self, action: self.routines.create_procedure(action),
    act.DropFunction: lambda self, action: self.routines.drop_function(action),
    act.AlterFunction: lambda self, action: self.routines.alter_function(action),
    act.AlterProcedure: lambda self, action: self.routines.alter_procedure(action),
    act.AlterSequence: lambda self, action: sequences.alter(self._session, action),
    act.CreateOrAlter: lambda self, action: creating_or_altering.run(
        self._session, Script(self), action
    ),
    act.DropProcedure: lambda self, action: self.routines.drop_procedure(action),
}


def _text(value: str | None) -> str:
    return "NULL" if value is None else text_literal(value)
