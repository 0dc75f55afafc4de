"""Prepared statements of DuckDB's: what their parameters and their columns are, found without running them.

Why it exists: a client is told the types of a statement's parameters and columns before it gives any
value, and reads what follows by them. What neither the client nor the text says is inferred; what
hangs on the values is settled so that it is true of any; what has changed since the client was told
is planned anew, or refused with Postgres's words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.changes.view_writes import still_so
from proxy.definitions.defining import copied
from proxy.engines.duck.errors import EngineError
from proxy.engines.duck.statement import Accept, DuckStatement
from proxy.errors import SqlError
from proxy.scripting.describing import columns_of
from proxy.session import parameter_types
from proxy.session import portal as portals
from proxy.session.complaints import put_otherwise
from proxy.session.if_exists import without_its_object
from proxy.session.long_texts import SessionTexts
from proxy.session.portal import PreparedStatement
from proxy.sql.compound import CompoundAction, WithWrites
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
from proxy.sql.session_actions import CopyStatement
from proxy.sql.statement import Route, Statement
from proxy.wire.types import DuckType, wire_type

if TYPE_CHECKING:
    from proxy.session.session import Session

_TEXTS = parameter_types.TEXT_OIDS
_CONSTANTS = (sample_parameters, null_parameters)  # ways to write some in parameters' places
_TEXT = 25  # what a parameter is that nobody has typed
_NOTHING = "SET VARIABLE hatidata_nothing = NULL"  # has no rows and does nothing


class Preparation:
    """One session's. Raises `SqlError` for what cannot be prepared."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def prepare(
        self, statement: PreparedStatement, plan: Statement, oids: tuple[int, ...]
    ) -> None:
        """Readies a statement that is not Postgres's; oids as Parse gives them, 0 where not said."""
        self._session.admit(plan)
        plan = await self._session.compound.parts.as_one(plan)
        statement.plan = statement.asked = plan
        statement.oids = oids
        if await without_its_object(self._session, plan):
            plan = replace(plan, sql=_NOTHING)
        plan = statement.plan = await copied(self._session, plan)
        if isinstance(plan.action, CopyStatement):
            return  # as in Postgres, nothing is known of it until it runs
        if plan.route is not Route.SESSION:
            await self._prepare_bound(statement, plan, oids)
        elif isinstance(plan.action, WithWrites):
            await self._session.compound.parts.prepare(statement, plan.action, oids)
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
        if plan.calls:
            plan = await self._session.calls.of(plan, dict(enumerate(oids, start=1)))
        plan, numbers = await parameter_types.numbered(self._session, plan, oids)
        said = [oids[n - 1] if n <= len(oids) else 0 for n in numbers]
        said = await parameter_types.read_as_cast(self._session, plan, said)
        found = await parameter_types.infer(self._session, plan, said)
        types = {n: parameter_types.planned_as(oid) for n, oid in enumerate(found, start=1)}
        plan = await self._session.typed.of(plan, dict(enumerate(found, start=1)))
        statement.as_of = self._session.upserts.as_of if plan.upserts else None
        bound = found  # of the parameters that DuckDB is to have
        texts = self._session.texts
        statement.returned = plan if types and await texts.of(plan.sql, returned) else None
        if statement.returned is not None:
            plan, kept = await without_returned(texts, plan, samples(types))
            types = {k: types[n] for k, n in enumerate(kept, start=1)}
            bound = [found[n - 1] for n in kept]
        sql = await texts.of(plan.sql, cast_parameters, types) if types else plan.sql
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
            rows = await self.columns_with(plan, oids)
            with suppress(EngineError):
                nulls = await self.columns_with(plan, oids, ways=_CONSTANTS[1:])
                statement.hides_nulls = nulls != rows
        numeric = not parameter_types.NUMERIC_OIDS.isdisjoint(oids)
        if numeric and any(parameter_types.without_digits(kind) != kind for _, kind in rows):
            # The digits of a numeric value are not known before Bind, nor are those of the result.
            fixed = set(enumerate(rows))
            for digits in parameter_types.OTHER_DIGITS:
                others: list[tuple[str, DuckType]] = []
                with suppress(EngineError):  # so many do not fit
                    others = await self.columns_with(plan, oids, digits)
                fixed &= set(enumerate(others))
            rows = [
                (name, kind if (n, (name, kind)) in fixed else parameter_types.without_digits(kind))
                for n, (name, kind) in enumerate(rows)
            ]
        statement.row_types = portals.shown(plan, rows)

    async def columns_with(
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
        texts = self._session.texts
        *first, last = [await texts.of(plan.sql, written, types) for written in ways]
        duck = self._session.duck
        for sql in first:
            with suppress(EngineError):
                return await self._session.on_duck(parameter_types.columns_of, duck, sql)
        try:
            return await self._session.on_duck(parameter_types.columns_of, duck, last)
        except EngineError as error:
            raise await self._session.located(error, plan, last) from error

    async def _duck_statement(self, plan: Statement, sql: str) -> DuckStatement:
        try:
            return await self._session.on_duck(self._session.duck.prepare, sql, plan.scalar)
        except EngineError as error:
            raise await self._session.located(error, plan, sql) from error

    async def anew(self, statement: PreparedStatement, plan: Statement) -> None:
        """Prepares again what was planned with variables, or for indexes, that have changed since."""
        now = await self._session.plans.now(plan) if plan.varies else statement.asked
        same = now == statement.asked and plan.copies is None
        if same and plan.through:
            same = await self._session.on_duck(still_so, self._session.duck, plan)
        if now is None or (
            same and (not plan.upserts or self._session.upserts.holds(statement.as_of))
        ):
            return
        statement.close_plans()
        statement.variants.clear()
        statement.row_types = None
        await self.prepare(statement, now, statement.oids)

    async def renew(self, statement: PreparedStatement) -> None:
        """Plans a statement anew whose tables may be others now. Raises what Postgres raises at Bind."""
        assert statement.duck is not None
        assert statement.plan is not None
        try:
            await self._session.on_duck(statement.duck.renew, acceptance(statement))
        except EngineError as error:
            located = await self._session.located(error, statement.plan, statement.sql)
            plan = self._session.federation.widened(statement.plan, located)
            # A view in it has come to read from Postgres.
            types = statement.row_types
            asked = replace(statement.asked or plan, federated=plan.federated)
            await self._prepare_bound(statement, asked, statement.oids)
            now, statement.row_types = statement.row_types, types
            acceptance(statement)(now or [])
            return
        told = statement.lengths
        await self._settle_lengths(statement)
        if told != statement.lengths:
            raise changed_result()


def acceptance(statement: PreparedStatement) -> Accept:
    """What refuses columns that the client was not told of."""

    def accept(columns: list[tuple[str, DuckType]]) -> None:
        if statement.row_types is not None:
            check_columns(statement, columns)

    return accept


def check_columns(statement: PreparedStatement, columns: list[tuple[str, DuckType]]) -> None:
    """Raises 0A000 when the result is not the one that the client was told of."""
    if columns is statement.row_types or any(kind.id == "INVALID" for _, kind in columns):
        return
    told = [wire_type(kind).oid for _, kind in statement.row_types or ()]
    if told != [wire_type(kind).oid for _, kind in columns]:
        raise changed_result()


async def without_returned(
    texts: SessionTexts, plan: Statement, written: Mapping[int, str]
) -> tuple[Statement, tuple[int, ...]]:
    """The plan with what is `written` for the parameters behind RETURNING, and the numbers that are left."""
    sql = await texts.of(plan.sql, with_returned, written)
    kept = tuple(sorted({n for n, _ in await texts.of(sql, parameter_places)}))
    return replace(plan, sql=await texts.of(sql, renumber_parameters, kept)), kept


def changed_result() -> SqlError:
    message = "cached plan must not change result type"
    return SqlError("0A000", message, routine="RevalidateCachedQuery")
