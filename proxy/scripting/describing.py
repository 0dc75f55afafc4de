"""The columns of what a block or a CALL will give, found without running it.

Why it exists: a client of the extended protocol asks for the columns before it asks for the rows, and
nothing may run until then. A block is walked through once: every declaration and assignment is bound
by DuckDB and not run, and its variable holds a NULL of the type found, so that what follows can be
bound in turn. Where all RETURNs agree on one type, that is the answer; where the types hang on what
runs (EXECUTE IMMEDIATE of a text that is made, a table that the block creates), it is refused.

What PIVOT over ANY and RESULT_SCAN read first changes nothing, and is read: should it give other
columns when the statement runs, that is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.engines.duck.errors import EngineError
from proxy.errors import SqlError
from proxy.scripting.blocks import Script
from proxy.scripting.scope import Name
from proxy.session import parameter_types
from proxy.session import portal as portals
from proxy.sql import compound as act
from proxy.sql.scripting import script as s
from proxy.sql.snowflake.stage_actions import StageAction
from proxy.sql.statement import Route, Statement
from proxy.wire.types import DuckType

if TYPE_CHECKING:
    from proxy.session.compound import Compound

Columns = list[tuple[str, DuckType]]


def _unknown() -> SqlError:
    return SqlError(
        "0A000",
        "describing a statement whose columns show only when it runs is not supported",
        hint="Send it as a simple query, without parameters.",
    )


async def columns_of(compound: Compound, action: act.CompoundAction) -> Columns | None:
    """The result columns, None for an action that answers with a tag alone. Raises 0A000."""
    if isinstance(action, act.WITHOUT_ROWS):
        return None
    if isinstance(action, StageAction):
        return await compound.stages.columns_of(action)
    if isinstance(action, act.PivotValues):
        return await of_statement(compound, compound.plan(await compound.pivot_text(action)))
    if isinstance(action, act.ResultScan):
        return await of_statement(compound, compound.plan(await compound.scanned_text(action)))
    try:
        if isinstance(action, act.RunBlock):
            return await Description(compound).columns(action.block)
        if isinstance(action, act.Call):
            return await _of_call(compound, action)
        if isinstance(action, act.ExecuteImmediate) and action.literal and not action.using:
            return await of_statement(compound, compound.plan(action.literal))
    except EngineError as error:
        raise _unknown() from error
    raise _unknown()


async def of_statement(compound: Compound, plan: Statement) -> Columns | None:
    """The columns of what one plan gives, None for a tag alone. Raises 0A000."""
    if isinstance(plan.action, act.CompoundAction):
        return await columns_of(compound, plan.action)
    if plan.route is not Route.DUCKDB or plan.refused is not None:
        raise _unknown()
    session = compound._session
    statement = await session.on_duck_in_words(session.duck.prepare, plan.sql)
    statement.close()
    return portals.row_types_of(plan, statement)


async def _of_call(compound: Compound, action: act.Call) -> Columns:
    definition = await compound.routines.definition(action)
    if definition["returns"] == "TABLE":
        declared = [(c["name"], c["type"]) for c in definition["columns"]]
        if not declared:
            raise _unknown()
    else:
        declared = [(action.name[-1], definition["returns"])]
    description = Description(compound)
    return [(name, (await description.bind_type(kind))[1]) for name, kind in declared]


class Description(Script):
    """A run of a block in which nothing runs."""

    def __init__(self, compound: Compound) -> None:
        super().__init__(compound)
        self.scope._prefix = "hd_described"
        self._returned: list[Columns] = []

    async def columns(self, block: s.Block) -> Columns:
        self._returns = ""
        self.scope.enter()
        for name, kind in (
            ("sqlrowcount", "BIGINT"),
            ("sqlfound", "BOOLEAN"),
            ("sqlnotfound", "BOOLEAN"),
        ):
            await self._typed(self.scope.declare(name, Name("value")), kind)
        await self._walk_block(block)
        if not self._returned:
            return [("anonymous block", DuckType("VARCHAR"))]
        if any(found != self._returned[0] for found in self._returned):
            raise _unknown()
        return self._returned[0]

    async def _bound(self, sql: str) -> Columns:
        return await self._session.on_duck(parameter_types.columns_of, self._session.duck, sql)

    async def bind_type(self, kind: str) -> tuple[str, DuckType]:
        """DuckDB's type for one that was written in Snowflake's SQL."""
        return (await self._bound(await self._query(f"SELECT CAST(NULL AS {kind})")))[0]

    async def _typed(self, name: Name, kind: str) -> None:
        if kind.startswith(("STRUCT", "MAP", "UNION", "ENUM", "INVALID")):
            raise _unknown()
        name.engine_type = kind
        # DuckDB forgets the type of a NULL text that something is appended to.
        value = "''" if kind == "VARCHAR" else "NULL"
        await self._privately(f'SET VARIABLE "{name.variable}" = CAST({value} AS {kind})')

    async def assign(self, name: Name, sql: str) -> None:
        found = str((await self._bound(sql))[0][1])
        if not name.engine_type or name.type:
            await self._typed(name, found)

    async def _table(self, sql: str) -> tuple[str, list[tuple[str, str]]]:
        return "", [(name, str(kind)) for name, kind in await self._bound(sql)]

    async def _result_of(self, text: str) -> str:
        plan = self._planned(text)
        if plan.route is Route.DUCKDB and plan.tag == "SELECT" and not plan.ddl:
            return plan.sql
        if isinstance(plan.action, act.Call) and self.scope.find(plan.action.name[-1]) is not None:
            raise _unknown()  # a procedure of the block's own
        columns = await of_statement(self._compound, plan)
        if columns is None:
            raise _unknown()
        nulls = (f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns)
        return "SELECT " + ", ".join(nulls)

    async def _run(self, text: str) -> None:
        raise _unknown()

    async def _rows_apart(self, owner: Name, query: s.Fragment) -> None:
        owner.table, owner.columns = await self._table(await self._result(query))

    async def _rows_of(
        self, fragment: s.Fragment, using: tuple[str, ...] = ()
    ) -> tuple[str, list[tuple[str, str]]]:
        return await self._table(await self._result(fragment, using))

    async def _immediate_text(self, statement: s.Immediate) -> tuple[str, tuple[str, ...]]:
        raise _unknown()

    # --- the walk -----------------------------------------------------------------------------

    async def _walk_block(self, block: s.Block) -> None:
        self.scope.enter()
        for declaration in block.declarations:
            await self._declare(declaration)
        await self._walk(block.body)
        for handler in block.handlers:
            self.scope.enter()
            for name, kind in (
                ("sqlcode", "BIGINT"),
                ("sqlerrm", "VARCHAR"),
                ("sqlstate", "VARCHAR"),
            ):
                await self._typed(self.scope.declare(name, Name("value")), kind)
            await self._walk(handler.body)
            self.scope.leave()
        self.scope.leave()

    async def _walk(self, statements: tuple[s.Statement, ...]) -> None:
        for statement in statements:
            if isinstance(statement, s.Block):
                await self._walk_block(statement)
            elif isinstance(statement, s.Let):
                await self._declare(statement.declaration)
            elif isinstance(statement, s.Assign):
                await self._walk_assign(statement)
            elif isinstance(statement, s.If | s.Case):
                for _, body in statement.branches:
                    await self._walk(body)
            elif isinstance(statement, s.Loop):
                await self._walk_body(statement.body)
            elif isinstance(statement, s.Count):
                self.scope.enter()
                await self._typed(self.scope.declare(statement.name, Name("value")), "BIGINT")
                await self._walk(statement.body)
                self.scope.leave()
            elif isinstance(statement, s.For):
                await self._walk_for(statement)
            elif isinstance(statement, s.Return):
                await self._walk_return(statement)

    async def _walk_body(self, body: tuple[s.Statement, ...]) -> None:
        self.scope.enter()
        await self._walk(body)
        self.scope.leave()

    async def _walk_assign(self, statement: s.Assign) -> None:
        name = self.scope.get(statement.name, "value", "resultset")
        if name.kind == "resultset":
            name.table, name.columns = await self._table(await self._result(statement.value))

    async def _walk_for(self, statement: s.For) -> None:
        over = self.scope.get(statement.over, "cursor", "resultset")
        if over.table is None:
            if over.query is not None and any(t.text == "?" for t in over.query.tokens):
                raise _unknown()
            await self._open(over, ())
        self.scope.enter()
        row = self.scope.declare(statement.name, Name("row", columns=over.columns))
        quoted = (name.replace('"', '""') for name, _ in over.columns)
        members = ", ".join(
            f'"{name}" {kind}' for name, (_, kind) in zip(quoted, over.columns, strict=True)
        )
        await self._privately(f'SET VARIABLE "{row.variable}" = CAST(NULL AS STRUCT({members}))')
        await self._walk(statement.body)
        self.scope.leave()
        if over.kind == "cursor":
            over.table = None

    async def _walk_return(self, statement: s.Return) -> None:
        if statement.table is not None:
            tokens = statement.table.tokens
            found = self.scope.find(tokens[0].text.lower()) if len(tokens) == 1 else None
            if found is not None and found.kind == "resultset" and found.table is None:
                raise _unknown()
            columns = found.columns if found is not None else None
            if columns is None:
                self._returned.append(await self._bound(await self._result(statement.table)))
                return
            nulls = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns)
            self._returned.append(await self._bound(f"SELECT {nulls}"))
            return
        kind = DuckType("VARCHAR")
        if statement.value is not None:
            ((_, kind),) = await self._bound(await self._expression(statement.value))
        self._returned.append([("anonymous block", kind)])
