"""What a block starts and calls besides plain statements: jobs, and procedures of its own.

Why it exists: ASYNC says that a statement may run beside the block, in an order that nobody knows
before it is awaited. Here it runs at once, which is one of these orders; its rows and its error are
known to the block from AWAIT on. A procedure that a block declares runs in the block's own scope, as
far as that was declared before it, and keeps what it changes there.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.errors import SqlError
from proxy.scripting.engine import Evaluation
from proxy.scripting.errors import left_procedure, may_be_caught
from proxy.scripting.scope import Name
from proxy.sql import compound as act
from proxy.sql.quoting import quoted
from proxy.sql.scripting import script as s

if TYPE_CHECKING:
    from proxy.session.compound import Answer, Compound

MAX_DEPTH = 16
"""Procedures within procedures."""


@dataclass(slots=True)
class _Job:
    """What ASYNC started. owner: the RESULTSET of its rows; table, columns: as a `Name` has them."""

    owner: Name | None
    error: SqlError | None = None
    table: str | None = None
    columns: list[tuple[str, str]] | None = None


class Returned(Exception):
    """RETURN. table: of the rows returned; None where a value was."""

    def __init__(self, table: str | None) -> None:
        self.table = table


class Calls(Evaluation):
    """Jobs and nested procedures of one run of a block."""

    def __init__(self, compound: Compound, prefix: str) -> None:
        super().__init__(compound, prefix)
        self._jobs: list[_Job] = []
        self._nested = 0
        self._returns = ""

    async def _block(self, block: s.Block) -> None:
        raise NotImplementedError

    async def _drop(self, tables: list[str]) -> None:
        for table in list(tables):
            with suppress(SqlError):
                await self._privately(f"DROP TABLE IF EXISTS {table}")
        tables.clear()

    async def _keep(self, sql: str) -> None:
        raise NotImplementedError

    # --- jobs ---------------------------------------------------------------------------------

    async def _started(self, job: _Job, work: Awaitable[None]) -> None:
        try:
            await work
        except SqlError as error:
            if not may_be_caught(error):
                raise
            job.error = error
        self._jobs.append(job)

    async def _apart(self, statement: s.Apart) -> None:
        call = statement.statement.tokens[0].text.upper() == "CALL"
        text = self.scope.bound(statement.statement, bare=call)
        await self._started(_Job(None), self._run(text))

    async def _rows_apart(self, owner: Name, query: s.Fragment) -> None:
        """The rows of a RESULTSET, which has none before they are awaited."""
        owner.table = None
        job = _Job(owner)

        async def fetched() -> None:
            job.table, job.columns = await self._rows_of(query)

        await self._started(job, fetched())

    async def _await(self, statement: s.Await) -> None:
        owner = self.scope.get(statement.name, "resultset") if statement.name else None
        awaited = [job for job in self._jobs if owner is None or job.owner is owner]
        self._jobs = [job for job in self._jobs if job not in awaited]
        if statement.cancel:
            return
        for job in awaited:
            if job.owner is not None and job.columns is not None:
                job.owner.table, job.owner.columns = job.table, job.columns
        for job in awaited:
            if job.error is not None:
                raise job.error

    # --- statements whose rows others read ----------------------------------------------------

    async def chain(self, action: act.Chain) -> Answer:
        """The answer of the last statement, once those before it have run."""
        await self._drop(self._compound.leftover)
        self.scope.enter()
        tables: list[str] = []
        try:
            for text, places in action.links[:-1]:
                table, _ = await self._table(await self._result_of(_read(text, places, tables)))
                tables.append(table)
            text, places = action.links[-1]
            return await self._compound.answer(self._planned(_read(text, places, tables)))
        finally:
            self._compound.leftover.extend(tables)

    # --- procedures of the block's own --------------------------------------------------------

    async def _answered_own(self, action: act.Call, own: Name) -> Answer:
        procedure = own.procedure
        assert procedure is not None
        if len(action.arguments) != len(procedure.parameters):
            given = len(action.arguments)
            raise SqlError("42883", f'procedure "{own.variable}" has not {given} arguments')
        if any(label for label, _ in action.arguments):
            raise SqlError("42601", "a procedure within a block takes its arguments by position")
        if self._nested == MAX_DEPTH:
            raise SqlError("54001", "procedures call each other too deep")
        values = [
            await self._query(f"SELECT CAST(({value}) AS {kind})")
            for (_, value), (_, kind) in zip(action.arguments, procedure.parameters, strict=True)
        ]
        returns, self._returns = self._returns, procedure.returns
        self._nested += 1
        try:
            with self.scope.within(own, self._nested):
                for (name, kind), sql in zip(procedure.parameters, values, strict=True):
                    await self.assign(self.scope.declare(name, Name("value", type=kind)), sql)
                table = await self._run_to_end(procedure.block)
        except SqlError as error:
            left_procedure(error)
            raise
        finally:
            self._nested -= 1
            self._returns = returns
        if table is None:
            return await self._compound.query(f"SELECT {self.returned} AS {quoted(procedure.name)}")
        if procedure.columns:
            columns = [{"name": name, "type": kind} for name, kind in procedure.columns]
            return await self._compound.routines.as_declared(table, columns)
        return await self._compound.query(f"SELECT * FROM {table}")

    async def _run_to_end(self, block: s.Block) -> str | None:
        """Runs a block that may RETURN; the table of the rows that it returned, if it did."""
        try:
            await self._block(block)
        except Returned as returned:
            return returned.table
        await self._keep("SELECT CAST(NULL AS VARCHAR)")
        return None


def _read(text: str, places: tuple[tuple[int, int, int], ...], tables: list[str]) -> str:
    """A statement of a chain with the tables in it that it reads."""
    for start, end, back in reversed(places):
        text = text[:start] + tables[-back] + text[end:]
    return text
