"""WITH of statements that change data, run step by step in one transaction.

Why it exists: DuckDB's WITH names queries alone. `proxy.sql.with_writes` takes the statement apart; here each
part runs as a statement of its own, and what others read of it goes into a temporary table, which spills to
disk. The main statement comes last, and its answer is the client's.

In Postgres all parts see what there was before any of them. So what a step reads of a relation that an
earlier one has changed is taken aside before the first runs; and what cannot be told so, changing rows of a
table that another part changes, is refused.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from proxy.altered_tables import referring_tables
from proxy.before_writes import ahead, just_before
from proxy.dependents import views_over
from proxy.engines.definition_names import TEMPORARY
from proxy.engines.duck_errors import EngineError
from proxy.engines.duck_names import Meant
from proxy.engines.duck_portal import DuckPortal
from proxy.errors import SqlError
from proxy.named import Rows
from proxy.parameter_types import no_parameter
from proxy.portal import Portal, PreparedStatement
from proxy.sql.compound import Path, Step, WithWrites
from proxy.sql.parameters import parameter_places
from proxy.sql.quoting import literal, quoted
from proxy.sql.with_writes import stand_in, with_others
from proxy.transaction import Block
from proxy.wire import messages as m
from proxy.wire.types import DuckType

if TYPE_CHECKING:
    from proxy.session import Session
    from proxy.sql.statement import Statement

_IN_MEMORY = 16 << 20  # bytes of rows; more of them wait in a file
_NO_VALUES = m.Bind("", "", (), (), ())
_TEXT = 25


class WithParts:
    """One session's."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tables: dict[str, None] = {}  # that are there

    async def prepare(
        self, statement: PreparedStatement, action: WithWrites, oids: tuple[int, ...]
    ) -> None:
        """Finds the parameters and columns of the statement; the tables of its steps are there, empty."""
        plan = statement.plan
        assert plan is not None
        said = dict(enumerate(oids, start=1))
        count = max(plan.parameters, len(oids))
        others = await self._session.on_duck(self._taken_aside, action)
        await self._take_aside(others, empty=True)
        prepared = None
        for step, aside in zip(action.steps, others, strict=True):
            prepared = await self._prepared(step, aside, said, count)
            for number in prepared.parameter_numbers:
                said[number] = said.get(number) or prepared.parameter_oids[number - 1]
            if step.number:
                await self._make(step, prepared)
        assert prepared is not None
        statement.row_types, statement.lengths = prepared.row_types, prepared.lengths
        statement.parameter_numbers = tuple(range(1, count + 1))
        statement.parameter_oids = tuple(said.get(n) or _TEXT for n in statement.parameter_numbers)
        statement.read_oids = statement.parameter_oids

    async def run(self, plan: Statement, bound: Portal | None) -> Rows:
        """Runs all steps but the main statement, which is the answer. bound: with the values of a Bind.

        The transaction that it opens ends as that of any statement of several parts does.
        """
        session, action = self._session, plan.action
        assert isinstance(action, WithWrites)
        if bound is None and plan.parameters:
            raise no_parameter(plan, plan.parameters)
        session.transaction.open(Block.PIPELINE)
        values = bound.given if bound is not None and bound.given is not None else _NO_VALUES
        values = values._replace(result_formats=())
        oids = dict(enumerate(bound.statement.parameter_oids if bound else (), start=1))
        others = await session.on_duck(self._taken_aside, action)
        await self._take_aside(others)
        answer = None
        for step, aside in zip(action.steps, others, strict=True):
            statement = await self._prepared(step, aside, oids, len(oids))
            answer = Portal(statement)
            await session.executor.bind(answer, values)
            if step is action.steps[-1]:
                break
            await self._run(step, answer)
            session.transaction.wrote_once("WITH that changes data")
        assert answer is not None
        return Rows(answer)

    async def ended(self) -> None:
        """The transaction is over: the rows of its steps are read by nobody any more."""
        if self._tables:
            tables, self._tables = list(self._tables), {}
            await self._session.duck.call(self._drop, tables)

    def _drop(self, tables: Sequence[str]) -> None:
        """Blocks."""
        for table in tables:
            self._session.duck.run_privately(f"DROP TABLE IF EXISTS temp.main.{table}")

    # --- one step -----------------------------------------------------------------------------

    async def _prepared(
        self, step: Step, others: dict[Path, str], oids: dict[int, int], count: int
    ) -> PreparedStatement:
        """oids: of those of the parameters, `count` in all, of which something is known."""
        session = self._session
        plan = with_others(step, others) if others else step.plan
        own = {n for n, _ in await session.texts.of(plan.sql, parameter_places)}
        given = tuple(oids.get(n, 0) or (0 if n in own else _TEXT) for n in range(1, count + 1))
        statement = PreparedStatement("", plan)
        await session.preparation.prepare(statement, session.resolve(plan), given)
        return statement

    async def _run(self, step: Step, bound: Portal) -> None:
        """Runs a step to its end; its rows go into its table, if anybody reads them."""
        session, statement = self._session, bound.statement
        plan = statement.plan
        assert plan is not None
        if not step.number:
            await session.executor.run(bound, 0, send=False)
            return
        await self._make(step, statement)
        if not step.into:
            table = stand_in(step.number)
            bound.sql = f"INSERT INTO temp.main.{table} {bound.sql or statement.sql}"
            statement.row_types = None
            await session.executor.run(bound, 0, send=False)
            return
        session.context.refresh(plan.needs)
        await ahead(session, plan, Block.PIPELINE)
        try:
            rows = await session.on_duck(self._rows_into_table, bound, step.number)
        except EngineError as error:
            raise await session.located(error, plan, bound.sql or statement.sql) from error
        session.wrote(plan, bound.sql or statement.sql, bound.values, rows)

    async def _make(self, step: Step, statement: PreparedStatement) -> None:
        cells = ", ".join(
            f"{quoted(name)} {_declared(kind)}"
            for name, kind in _told_apart(statement.row_types or [])
        )
        await self._table(stand_in(step.number), f"({cells})")

    async def _table(self, name: str, definition: str) -> None:
        self._tables[name] = None
        session = self._session
        make = f"CREATE OR REPLACE TEMP TABLE {name} {definition}"
        await session.on_duck(session.duck.run_privately, make)

    def _rows_into_table(self, bound: Portal, number: int) -> int:
        """Blocks. Runs a statement that changes data, and puts its rows aside; how many there were.

        One result at a time streams on a connection: they wait until it has ended.
        """
        session = self._session
        plan = bound.statement.plan
        assert plan is not None
        just_before(session, plan, bound.sql or bound.statement.sql, bound.values)
        session.executor.start(bound)
        running = bound.running
        assert isinstance(running, DuckPortal)
        kinds = [replace(kind, alias=None) for _, kind in running.columns]
        count, writer = 0, None
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as waiting:
            more = True
            while more:
                batch, more = running.fetch_batch()
                if batch is None:
                    continue
                batch = _without_dictionaries(batch)
                writer = writer or pa.ipc.new_stream(waiting, batch.schema)
                writer.write_batch(batch)
                count += batch.num_rows
            if writer is None:
                return 0
            writer.close()
            waiting.seek(0)
            with pa.ipc.open_stream(waiting) as reader:
                types = [_carrier(kind) for kind in kinds]
                into = f"INSERT INTO temp.main.{stand_in(number)} SELECT * FROM copied"
                filler = session.duck.filler(into, reader.schema, types)
                try:
                    for batch in reader:
                        filler.append(batch)
                finally:
                    filler.close()
        return count

    # --- one snapshot -------------------------------------------------------------------------

    def _taken_aside(self, action: WithWrites) -> list[dict[Path, str]]:
        """Blocks. For each step the relations that it is to read from another table, by their names.

        Raises SqlError 0A000 for a step that would change what another one has changed.
        """
        duck = self._session.duck
        names: dict[Meant, str] = {}
        changed: set[Meant] = set()
        found: list[dict[Path, str]] = []
        for step in action.steps:
            aside: dict[Path, str] = {}
            for path in step.reads if changed else ():
                meant = duck.means(path)
                if meant in changed or (
                    meant is not None and meant.kind == "v" and meant.database == TEMPORARY
                ):
                    aside[path] = names.setdefault(meant, f"_hd_old{len(names)}")
            found.append(aside)
            into = duck.means(step.into) if step.into else None
            if into is None:
                continue
            if into in changed and (step.upserts or step.plan.kind != "INSERT"):
                raise _changes_twice(step, into)
            changed.add(into)
            changed.update(one.view for one in views_over(duck, into))
            if step.plan.deletes:
                for other in referring_tables(duck, into):
                    changed.add(other)
                    changed.update(one.view for one in views_over(duck, other))
        return found

    async def _take_aside(self, others: Sequence[dict[Path, str]], *, empty: bool = False) -> None:
        tables = {table: path for aside in others for path, table in aside.items()}
        for table, path in tables.items():
            rows = f"SELECT * FROM {quoted(*path)}{' LIMIT 0' if empty else ''}"
            await self._table(table, f"AS {rows}")


def _changes_twice(step: Step, into: Meant) -> SqlError:
    what = f'{step.plan.kind} of "{into.name}", which another part of WITH changes,'
    hint = "Write the statements one after another in a transaction."
    return SqlError("0A000", f"{what} is not supported on analytical tables", hint=hint)


def _told_apart(columns: Sequence[tuple[str, DuckType]]) -> list[tuple[str, DuckType]]:
    """Columns of one name get others, by which nobody can call them."""
    seen: set[str] = set()
    found = []
    for name, kind in columns:
        folded = name.lower()
        found.append((f"{name} {len(found)}" if folded in seen else name, kind))
        seen.add(folded)
    return found


def _declared(kind: DuckType) -> str:
    """A type as a table's definition says it."""
    if kind.id == "ENUM":
        return kind.alias or f"ENUM({', '.join(map(literal, kind.names))})"
    if kind.id in ("LIST", "ARRAY"):
        return f"{_declared(kind.children[0])}[]"
    return str(kind)


_NESTED = frozenset({"STRUCT", "MAP", "UNION", "ARRAY", "VARIANT"})


def _carrier(kind: DuckType) -> DuckType:
    """The type in which a column reaches its table. Raises SqlError 0A000."""
    if kind.id == "ENUM":
        return DuckType("VARCHAR")
    if kind.id in _NESTED or (kind.id == "LIST" and _carrier(kind.children[0]) != kind.children[0]):
        raise SqlError("0A000", f"RETURNING of type {kind.id} in WITH is not supported")
    return kind


def _without_dictionaries(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Values of enums as texts."""
    if not any(pa.types.is_dictionary(column.type) for column in batch.columns):
        return batch
    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)
