"""Keys that foreign keys refer to, where so far a unique index stands for one.

Why it exists: a UNIQUE that ALTER TABLE adds is a unique index to DuckDB, and so is what CREATE UNIQUE INDEX
makes; its foreign keys refer to constraints alone, and Postgres's to either. So a table that is referred to by
such columns is made anew first, with a constraint of the index's name in its place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.definitions.altered_tables import Altering, made_anew
from proxy.definitions.rebuilding import Table
from proxy.definitions.table_parts import Reference, references
from proxy.engines.duck.names import DATABASE
from proxy.sql.definitions.touched import Touched

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_KINDS = frozenset({"CREATE TABLE", "ALTER TABLE"})


async def with_keys(session: Session, plan: Statement) -> Statement:
    """The plan of a definition, with what its foreign keys need before it; as it is where that is nothing."""
    if plan.kind not in _KINDS:
        return plan
    found = [one for sql in (plan.sql, *plan.then) for one in references(sql) if one.theirs]
    if not found:
        return plan
    made = await session.on_duck(_keyed, session.duck, plan, found)
    if not made:
        return plan
    first, *rest = (sql for one in made for sql in one.statements)
    beside = (
        Touched(schema, name, deep=True, event="") for one in made for schema, name in one.beside
    )
    return replace(
        plan, sql=first, then=(*rest, plan.sql, *plan.then), touched=(*plan.touched, *beside)
    )


def _keyed(duck: DuckSession, plan: Statement, found: list[Reference]) -> list[Altering]:
    """Blocks. What gives other tables than the plan's own the keys that they lack."""
    own = plan.touched[0].name if plan.touched else None
    tables: dict[tuple[str, str], Table] = {}
    for one in found:
        meant = duck.means(one.table)
        if meant is None or meant.kind != "r" or meant.database != DATABASE or meant.name == own:
            continue
        place = (meant.schema, meant.name)
        table = tables[place] if place in tables else Table(duck, meant)
        if table.constrain_unique(one.theirs):
            tables[place] = table
    made = []
    for place, table in tables.items():
        meant = duck.means((DATABASE, *place))
        assert meant is not None
        altering = made_anew(duck, meant, table)
        made.append(replace(altering, beside=(place, *altering.beside)))
    return made
