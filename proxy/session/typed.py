"""Statements as the types of what they name make them: in Snowflake's dialect, what is written.

Why it exists: a plan knows a statement's text alone and is shared by all sessions; what a literal in
it means, and of what type a sum is, follows from the columns that this session's names stand for. Here
they are asked for, and the plan's SQL is made over (`proxy.sql.postgres.typing`), once for as long as
nothing is defined anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sqlglot import exp

from proxy.engines.duck.session import DuckSession
from proxy.engines.freshness import Stamp
from proxy.errors import SqlError
from proxy.session.long_texts import is_long
from proxy.session.parameter_types import (
    ask_columns,
    digits_kept,
    relation_columns,
    written_columns,
)
from proxy.sql import inference
from proxy.sql.changes.written_columns import path_of, target_of
from proxy.sql.inference import Columns, Relation
from proxy.sql.of_texts import meant
from proxy.sql.positions import source_position
from proxy.sql.postgres.typing import Typing
from proxy.sql.snowflake import type_signs
from proxy.sql.snowflake.assigning import Assigning
from proxy.sql.snowflake.in_force import planned_under
from proxy.sql.statement import Statement
from proxy.sql.uncollected import uncollected

if TYPE_CHECKING:
    from proxy.session.session import Session

_KEPT = 256
_KEPT_LENGTH = 8192  # characters: a longer statement is hardly the same twice

_Key = tuple[str, tuple[tuple[int, int], ...], str, tuple[tuple[str, str], ...], bool]


class Typed:
    """One session's statements, by their text and the types of their parameters.

    None over both engines is kept: what Postgres's columns are is asked each time.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: OrderedDict[_Key, tuple[Stamp, str]] = OrderedDict()
        self._columns: dict[Relation, type_signs.Columns] = {}
        self._decided: dict[str, bool] = {}
        self._looked_at: Stamp | None = None

    async def of(self, plan: Statement, oids: Mapping[int, int] | None = None) -> Statement:
        """The plan with the SQL that it means now. oids: of its parameters.

        Raises SqlError for a literal that is none of its type, with its place in the message.
        """
        if plan.calls:
            plan = await self._session.calls.of(plan, oids)
        plan = await self._by_types(plan, oids)
        return await self._session.upserts.of(plan) if plan.upserts else plan

    async def _by_types(self, plan: Statement, oids: Mapping[int, int] | None) -> Statement:
        if not plan.typed or not plan.sql:
            return plan
        session = self._session
        keeps = not plan.federated
        if keeps and plan.typed_over and not await self._decides(plan):
            return plan
        zone = session.settings.get("TimeZone")
        parameters = session.dialect.parameters
        key = plan.sql, tuple(sorted((oids or {}).items())), zone, parameters, plan.overriding
        found = self._kept.get(key) if keeps else None
        if found is not None and session.duck_in_step and session.duck.same_definitions(found[0]):
            return replace(plan, sql=found[1])
        if is_long(plan.sql):
            return await self._of_long(plan, oids or {}, zone)
        with uncollected():
            tree = inference.read(plan.sql)
        if tree is None:
            return plan
        try:
            stamp, sql = await self._made(plan, tree, oids or {}, zone)
        except SqlError as error:
            raise await self.placed(error, plan) from None
        if keeps and len(plan.sql) <= _KEPT_LENGTH:
            self._kept[key] = stamp, sql
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return replace(plan, sql=sql)

    async def _of_long(self, plan: Statement, oids: Mapping[int, int], zone: str) -> Statement:
        session = self._session
        given = (plan.sql, self._kind, oids, zone, session.dialect.parameters, plan.overriding)
        try:
            sql = await session.texts.aside(meant, *given, ask=partial(ask_columns, session))
        except SqlError as error:
            raise await self.placed(error, plan) from None
        return plan if sql is None else replace(plan, sql=sql)

    @property
    def _kind(self) -> type[Typing]:
        return Typing if self._session.dialect.name == "postgres" else Assigning

    async def _decides(self, plan: Statement) -> bool:
        """Whether the columns of the plan's relations may change what it means."""
        session, stamp = self._session, self._looked_at
        if stamp is None or not (session.duck_in_step and session.duck.same_definitions(stamp)):
            self._columns.clear()
            self._decided.clear()
        elif (decided := self._decided.get(plan.sql)) is not None:
            return decided
        known = self._columns
        new = tuple(relation for relation in plan.typed_over if relation not in known)
        found = {one: known[one] for one in plan.typed_over if one in known}
        if new:
            looked, stamp = await session.on_duck(_looked_up, session.duck, new)
            if not known:
                self._looked_at = stamp
            found |= looked
            known.update(looked)
        decided = type_signs.decide(plan.typed_by or type_signs.NO_SIGNS, found.values())
        if len(known) > _KEPT or len(self._decided) > _KEPT:
            known.clear()
            self._decided.clear()
        elif len(plan.sql) <= _KEPT_LENGTH:
            self._decided[plan.sql] = decided
        return decided

    async def _made(
        self, plan: Statement, tree: exp.Expr, oids: Mapping[int, int], zone: str
    ) -> tuple[Stamp, str]:
        session = self._session
        typing, stamp = await session.on_duck(_looked, self._kind, session.duck, tree, oids)
        if typing is None:
            return stamp, plan.sql
        typing.given = plan.overriding
        with planned_under(session.dialect.parameters), uncollected():
            return stamp, typing.apply(zone) or plan.sql

    async def placed(self, error: SqlError, plan: Statement) -> SqlError:
        """The error with its place in the message instead of that in DuckDB's SQL."""
        if error.position is not None:
            offset = len(plan.sql[: error.position - 1].encode())
            given = (offset, plan.text, self._session.dialect.name)
            place = await self._session.texts.of(plan.sql, source_position, *given)
            error.position = place + plan.start if place is not None else None
        return error


def _looked_up(
    duck: DuckSession, relations: tuple[Relation, ...]
) -> tuple[dict[Relation, type_signs.Columns], Stamp]:
    """Blocks. What the columns of the relations decide, and when that was."""
    stamp = duck.definitions()
    found = {}
    for relation in relations:
        columns = relation_columns(duck, relation) or ()
        rounded = bool(digits_kept(duck, relation, columns))
        found[relation] = type_signs.columns_of(columns, rounded=rounded)
    return found, stamp


def _looked(
    kind: type[Typing], duck: DuckSession, tree: exp.Expr, oids: Mapping[int, int]
) -> tuple[Typing | None, Stamp]:
    """Blocks. The types of a statement, None where they cannot be followed; and when that was."""
    stamp = duck.definitions()
    writes = target_of(tree) is not None
    found: dict[Relation, Columns | None] = {}

    def columns_of(relation: Relation) -> Columns | None:
        if relation not in found:
            found[relation] = (written_columns if writes else relation_columns)(duck, relation)
        return found[relation]

    typing = kind(tree, oids, columns_of)
    looked = typing.look()
    if (target := target_of(tree)) is not None:
        columns_of(path_of(target))  # nothing is asked any more once the statement is made over
    return (typing if looked else None), stamp
