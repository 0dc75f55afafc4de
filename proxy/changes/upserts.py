"""Which indexes decide over a conflict that an INSERT speaks of, as Postgres infers them.

Why it exists: DuckDB knows only those over columns and over all rows. Where others decide, or stand beside
ON CONFLICT DO NOTHING, the statement is made over (`proxy.sql.changes.upserting`); what has been found is kept for
as long as nothing is defined. A statement that was made over, or was not, for the indexes of before does
not run: it would take rows that are in conflict for free ones, or the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.definitions.table_parts import indexes_of
from proxy.engines.duck.names import Meant
from proxy.engines.freshness import Stamp
from proxy.errors import SqlError
from proxy.session.parameter_types import columns_of
from proxy.sql.changes.upserting import Asked, Upserting, asked, forms, implies, upserted
from proxy.sql.definitions.indexing import partial_index
from proxy.sql.quoting import literal, quoted

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_KEPT = 256
_COLUMNS = """
SELECT column_name, data_type, CASE WHEN column_default <> 'NULL' THEN column_default END
FROM duckdb_columns()
WHERE database_name = $1 AND schema_name = $2 AND table_name = $3 ORDER BY column_index
"""
_NO_ARBITER = "there is no unique or exclusion constraint matching the ON CONFLICT specification"

_Indexes = tuple[tuple[str, ...], ...]
"""The expressions of the unique indexes of a table that compute, each's."""


class Upserts:
    """One session's. as_of: when what is kept was found."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.as_of: Stamp | None = None
        self._kept: dict[str, Statement] = {}
        self._indexes: dict[tuple[str, ...], _Indexes] = {}

    async def of(self, plan: Statement) -> Statement:
        """The plan with the SQL that looks for conflicts. Raises SqlError 42P10 where nothing can decide."""
        session = self._session
        if not (session.duck_in_step and self.holds(self.as_of)):
            self._renew()
        elif (found := self._kept.get(plan.sql)) is not None:
            return replace(plan, sql=found.sql, computed=found.computed)
        said = await session.texts.of(plan.sql, asked)
        if said is None:
            return plan
        how, indexes = await session.on_duck(self._look, session.duck, plan.upserts, said)
        sql = plan.sql if how is None else await session.texts.of(plan.sql, upserted, how)
        made = replace(plan, sql=sql, computed=indexes)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[plan.sql] = made
        return made

    def holds(self, stamp: Stamp | None) -> bool:
        """Whether nothing was defined since."""
        return stamp is not None and self._session.duck.same_definitions(stamp)

    def check(self, duck: DuckSession, plan: Statement) -> None:
        """Blocks. Raises SqlError 40001 where a table has other indexes than the plan was made for."""
        if not self.holds(self.as_of):
            self._renew()
        found = self._indexes.get(plan.upserts)
        if found is None:
            meant = duck.means(plan.upserts)
            found = self._indexes[plan.upserts] = _computing(duck, meant)
        if found != plan.computed:
            raise SqlError(
                "40001",
                f'could not look for conflicts: the indexes of table "{plan.upserts[-1]}" have changed',
                hint="Retry the transaction.",
            )

    def _renew(self) -> None:
        self.as_of = self._session.duck.definitions()
        self._kept.clear()
        self._indexes.clear()

    def _look(
        self, duck: DuckSession, name: tuple[str, ...], said: Asked
    ) -> tuple[Upserting | None, _Indexes]:
        """Blocks. How conflicts are decided, None: as DuckDB does."""
        if not self.holds(self.as_of):
            self._renew()
        meant = duck.means(name)
        indexes = self._indexes[name] = _computing(duck, meant)
        if meant is None or meant.kind != "r":
            return None, indexes
        arbiters = _arbiters(duck, meant, said, indexes)
        if arbiters is None:
            return None, indexes
        if not arbiters:
            return Upserting(()), indexes
        columns = duck.listed(_COLUMNS, *meant[:3])
        if "GENERATED" in duck.told(meant.schema, meant.name, meant.database).peculiar:
            message = "ON CONFLICT of such an index of a table that has a generated column"
            raise SqlError("0A000", f"{message} is not supported")
        width = said.width
        if width is None:
            width = len(columns_of(duck, said.query)) if said.query else 0
        return Upserting(arbiters, tuple(columns), width), indexes


def _computing(duck: DuckSession, meant: Meant | None) -> _Indexes:
    if meant is None or meant.kind != "r":
        return ()
    found = [one for one in indexes_of(duck, meant) if one.unique and one.computes]
    return tuple(tuple(one.expressions) for one in found)


def _keys(duck: DuckSession, meant: Meant) -> list[tuple[str, ...]]:
    """The columns, as SQL, of each of the other keys of a table."""
    told = duck.told(meant.schema, meant.name, meant.database).constraints
    keys = [tuple(map(quoted, row[2])) for row in told if row[0] in ("PRIMARY KEY", "UNIQUE")]
    found = [one for one in indexes_of(duck, meant) if one.unique and not one.computes]
    return [*keys, *(tuple(one.expressions) for one in found)]


def _arbiters(
    duck: DuckSession, meant: Meant, said: Asked, indexes: _Indexes
) -> tuple[tuple[str, ...], ...] | None:
    """What decides, each by what it computes; () a key of columns that are named, None what DuckDB takes.

    As Postgres's `infer_arbiter_indexes`. Raises SqlError 42P10.
    """
    if not said.keys:
        return (*_keys(duck, meant), *indexes) if indexes else None
    looked = said.updates and not said.simple  # DuckDB would change a row twice
    if said.plain and not indexes and not looked:
        return None
    wanted, (where,) = set(_forms(duck, said.keys)), _forms(duck, [said.where or "true"])
    for key in _keys(duck, meant):
        if wanted == set(_forms(duck, key)):
            return (key,) if looked else None if said.plain else ()
    found = []
    for index in indexes:
        keys, condition = partial_index(list(index)) or (index, "")
        if wanted != set(_forms(duck, keys)):
            continue
        if not condition:
            return (index,)
        if said.where and implies(where, *_forms(duck, [condition])):
            found.append(index)
    if not found:
        raise SqlError("42P10", _NO_ARBITER)
    if said.updates and len(found) > 1:
        raise SqlError("0A000", "ON CONFLICT DO UPDATE by several indexes is not supported")
    return tuple(found)


def _forms(duck: DuckSession, expressions: Sequence[str]) -> list[str]:
    """The expressions in one spelling: DuckDB's own, as it lists them of an index."""
    query = literal(f"SELECT {', '.join(expressions)}")
    ((listed,),) = duck.run(f"SELECT json_deserialize_sql(json_serialize_sql({query}))")
    return forms(listed)
