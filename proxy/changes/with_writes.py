"""WITH of statements that change data, run step by step in one transaction.

Why it exists: DuckDB's WITH names queries alone. `proxy.sql.changes.with_writes` takes the statement apart; here each
part runs as a statement of its own, and what others read of it goes into a temporary table, which spills to
disk. The main statement comes last, and its answer is the client's.

In Postgres all parts see what there was before any of them. So what a step reads of a relation that an
earlier one has changed is taken aside before the first runs; and what cannot be told so, changing rows of a
table that another part changes as well, is refused where it cannot be found first which rows each means.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from proxy.changes.before_writes import ahead, just_after, just_before
from proxy.changes.joined_returning import steps_of
from proxy.definitions.altered_tables import referring_tables
from proxy.definitions.dependents import views_over
from proxy.engines.definition_names import TEMPORARY
from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.names import DATABASE, Meant
from proxy.engines.duck.portal import DuckPortal
from proxy.engines.freshness import Stamp
from proxy.errors import SqlError
from proxy.session.named import Rows
from proxy.session.parameter_types import no_parameter, relation_columns
from proxy.session.portal import Portal, PreparedStatement
from proxy.session.transaction import Block
from proxy.sql.changes.changed_rows import ROW, only_those, rows_of
from proxy.sql.changes.with_writes import stand_in, with_others
from proxy.sql.compound import Path, Step, WithWrites
from proxy.sql.lengths import OWN, check_of
from proxy.sql.parameters import parameter_places
from proxy.sql.quoting import quoted
from proxy.wire import messages as m
from proxy.wire.types import DuckType, spelled

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_KEPT = 64
_IN_MEMORY = 16 << 20  # bytes of rows; more of them wait in a file
_NO_VALUES = m.Bind("", "", (), (), ())
_TEXT = 25
_OWN_FUNCTIONS = (
    "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
    "WHERE NOT internal AND database_name = $1"
)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A step, and the tables that it is to read in place of relations, by their names.

    rows: the table of the numbers of the rows that it changes, '' for any. others: such tables of steps before
    it, which may have none of them.
    """

    step: Step
    aside: dict[Path, str]
    rows: str = ""
    others: tuple[str, ...] = ()


class WithParts:
    """One session's."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tables: dict[str, None] = {}  # that are there
        self._joined: OrderedDict[str, tuple[Stamp, tuple[Step, ...]]] = OrderedDict()

    async def as_one(self, plan: Statement) -> Statement:
        """The plan, as a statement of DuckDB's where what it returns has turned out to be its table's."""
        action = plan.action
        if isinstance(action, WithWrites) and action.joined is not None and not action.surely:
            steps = await self._session.on_duck(self._steps_of, self._session.duck, action.joined)
            return steps[0].plan if len(steps) == 1 else plan
        return plan

    async def prepare(
        self, statement: PreparedStatement, action: WithWrites, oids: tuple[int, ...]
    ) -> None:
        """Finds the parameters and columns of the statement; the tables of its steps are there, empty."""
        plan = statement.plan
        assert plan is not None
        said = dict(enumerate(oids, start=1))
        count = max(plan.parameters, len(oids))
        turns = await self._session.on_duck(self._arranged, action)
        await self._take_aside(turns, empty=True)
        prepared = None
        for turn in turns:
            step = turn.step
            prepared = await self._prepared(turn, said, count)
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
        turns = await session.on_duck(self._arranged, action)
        await self._take_aside(turns)
        answer = None
        for turn in turns:
            answer = Portal(await self._prepared(turn, oids, len(oids)))
            await session.executor.bind(answer, values)
            for other in turn.others:
                await session.on_duck(self._check_apart, turn, other)
            session.transaction.wrote_once("WITH that changes data")
            if turn is not turns[-1]:
                await self._run(turn.step, answer)
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

    async def _prepared(self, turn: _Turn, oids: dict[int, int], count: int) -> PreparedStatement:
        """oids: of those of the parameters, `count` in all, of which something is known."""
        session, plan = self._session, turn.step.plan
        if turn.aside:
            plan = with_others(plan, turn.aside)
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
        await session.executor.reword(bound)
        try:
            rows = await session.on_duck(self._rows_into_table, bound, step.number)
        except EngineError as error:
            raise await session.located(error, plan, bound.sql or statement.sql) from error
        session.wrote(plan, bound.sql or statement.sql, bound.values, rows)

    async def _make(self, step: Step, statement: PreparedStatement) -> None:
        named = _with_names(statement.row_types or [])
        lengths = statement.lengths or (OWN,) * len(named)
        cells = ", ".join(
            f"{quoted(name)} {spelled(kind)} {check_of(name, length)}"
            for (name, kind), length in zip(named, lengths, strict=True)
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
            just_after(session, plan)
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

    def _arranged(self, action: WithWrites) -> list[_Turn]:
        """Blocks. The steps in their order. Raises SqlError 0A000 for one that may change what another changed.

        Which rows of a table several change, steps before them find.
        """
        duck = self._session.duck
        names: dict[Meant, str] = {}
        changed: set[Meant] = set()
        writers: dict[Meant, list[int]] = {}
        found: list[_Turn] = []
        shared: dict[Meant, Step] = {}
        steps = action.steps if action.joined is None else self._steps_of(duck, action.joined)
        own = self._own_functions() if any(step.calls for step in steps) else frozenset()
        for step in steps:
            if changed and (called := step.calls & own):
                raise _calls_after(min(called))
            aside: dict[Path, str] = {}
            for path in step.reads if changed else ():
                meant = duck.means(path)
                hidden = meant is not None and (meant.database, meant.kind) == (TEMPORARY, "v")
                if meant is not None and (meant in changed or hidden):
                    aside[path] = names.setdefault(meant, f"_hd_old{len(names)}")
            into = duck.means(step.into) if step.into else None
            if into is not None:
                if into in changed and (step.upserts or step.plan.kind != "INSERT"):
                    first = [found[n].step for n in writers.get(into, ())]
                    if not first or not self._may_be_told_apart(into, [*first, step]):
                        raise _changes_twice(step, into)
                    shared[into] = step
                writers.setdefault(into, []).append(len(found))
                changed.update(self._changed_by(step, into))
            found.append(_Turn(step, aside))
        if len(shared) > 1 or (shared and any(step.plan.locks for step in steps)):
            raise _changes_twice(*next((step, into) for into, step in shared.items()))
        for into, step in shared.items():
            told = _told_apart(found, writers[into])
            if told is None:
                raise _changes_twice(step, into)
            found = told
        return found

    def _steps_of(self, duck: DuckSession, joined: Statement) -> tuple[Step, ...]:
        """Blocks. As the function of that name; kept for as long as nothing is defined anew."""
        found = self._joined.get(joined.sql)
        if found is None or not duck.same_definitions(found[0]):
            found = self._joined[joined.sql] = duck.definitions(), steps_of(duck, joined)
            if len(self._joined) > _KEPT:
                self._joined.popitem(last=False)
        return found[1]

    def _own_functions(self) -> frozenset[str]:
        """Blocks. Names of clients' functions: what these read, they read when they are called."""
        return frozenset(name for (name,) in self._session.duck.listed(_OWN_FUNCTIONS, DATABASE))

    def _changed_by(self, step: Step, into: Meant) -> set[Meant]:
        """Blocks. The table, those that references may change with it, and the views over them."""
        duck = self._session.duck
        changes = step.upserts or step.plan.kind != "INSERT"
        tables = [into, *(referring_tables(duck, into) if changes else ())]
        return {*tables, *(one.view for table in tables for one in views_over(duck, table))}

    def _may_be_told_apart(self, into: Meant, steps: Sequence[Step]) -> bool:
        """Blocks. Whether it can be asked which rows of the table each of the steps changes."""
        duck = self._session.duck
        columns = relation_columns(duck, into[:3]) or []
        if any(step.upserts for step in steps) or any(name.lower() == ROW for name, _ in columns):
            return False
        return all(step.plan.kind in ("INSERT", "UPDATE", "DELETE") for step in steps)

    def _check_apart(self, turn: _Turn, other: str) -> None:
        """Blocks. Raises SqlError 0A000 where a row is changed by both."""
        both = f"SELECT 1 FROM {turn.rows} JOIN {other} USING ({ROW}) LIMIT 1"
        if self._session.duck.run(both):
            message = "changing a row in two parts of one WITH is not supported"
            raise SqlError(
                "0A000", message, hint="In Postgres only one of the changes takes place."
            )

    async def _take_aside(self, turns: Sequence[_Turn], *, empty: bool = False) -> None:
        tables = {table: path for turn in turns for path, table in turn.aside.items()}
        for table, path in tables.items():
            rows = f"SELECT * FROM {quoted(*path)}{' LIMIT 0' if empty else ''}"
            await self._table(table, f"AS {rows}")


def _calls_after(function: str) -> SqlError:
    message = f"calling {function}() beside a part of WITH that changes data is not supported"
    return SqlError("0A000", message, hint="Call it in a statement of its own.")


def _changes_twice(step: Step, into: Meant) -> SqlError:
    what = f'{step.plan.kind} of "{into.name}", which another part of WITH changes,'
    hint = "Write the statements one after another in a transaction."
    return SqlError("0A000", f"{what} is not supported on analytical tables", hint=hint)


def _told_apart(turns: list[_Turn], places: list[int]) -> list[_Turn] | None:
    """The turns, those at these places after steps that find which rows of one table each changes.

    What hangs on the rows that were inserted may mean any that were there before. None where it hangs on
    what another change gives.
    """
    first, number = places[0], max(turn.step.number for turn in turns) + len(turns)
    later = {(stand_in(turn.step.number),) for turn in turns[first:] if turn.step.number}
    asked: list[_Turn] = []
    made = list(turns)
    for place in places:
        step, aside = turns[place].step, turns[place].aside
        if step.plan.kind == "INSERT":
            continue
        reads = step.reads
        query = rows_of(step.plan)
        if not later.isdisjoint(reads):
            before = [turns[n].step.plan.kind for n in places if n < place]
            if any(kind != "INSERT" for kind in before):
                return None
            query, reads = rows_of(step.plan, every=True), ()
        if query is None:
            return None
        number += 1
        rows = stand_in(number)
        asked.append(_Turn(Step(query, number, (), reads), aside))
        others = tuple(made[n].rows for n in places if n < place and made[n].rows)
        made[place] = _Turn(replace(step, plan=only_those(step.plan, rows)), aside, rows, others)
    return [*made[:first], *asked, *made[first:]]


def _with_names(columns: Sequence[tuple[str, DuckType]]) -> list[tuple[str, DuckType]]:
    """Columns of one name get others, by which nobody can call them."""
    seen: set[str] = set()
    found = []
    for name, kind in columns:
        folded = name.lower()
        found.append((f"{name} {len(found)}" if folded in seen else name, kind))
        seen.add(folded)
    return found


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
