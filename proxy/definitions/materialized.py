"""Materialized views of Postgres's: a table of the rows, and beside it a view of the query.

Why it exists: DuckDB has none (`proxy.sql.definitions.materialized`). Each statement here is a few of the client's own
dialect, run by the session one after the other in one transaction, so that they are translated, checked and
mirrored as any.

Promises: raises SqlError as Postgres does where a name means something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from proxy.definitions.dependents import Look, described, is_materialized, refusal
from proxy.definitions.table_parts import indexes_of
from proxy.engines.duck.names import Meant
from proxy.errors import SqlError
from proxy.session.if_exists import existence_notice
from proxy.session.portal import Outcome, Portal, PreparedStatement
from proxy.sql.changes.written_columns import path_of, target_of
from proxy.sql.definitions import materialized as act
from proxy.sql.definitions.materialized import query_name
from proxy.sql.quoting import quoted
from proxy.sql.reading import DUCKDB
from proxy.sql.session_actions import CopyStatement

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession
    from proxy.session.session import Session
    from proxy.sql.statement import Statement

_KINDS = {"r": "TABLE", "v": "VIEW", "S": "SEQUENCE"}


def check_table(duck: DuckSession, meant: Meant) -> None:
    """Blocks. Raises SqlError 42809 where a statement about tables is about a materialized view."""
    if is_materialized(duck, meant):
        message = f'"{meant.name}" is not a table'
        hint = "Use DROP MATERIALIZED VIEW to remove a materialized view."
        raise SqlError("42809", message, hint=hint)


async def check_target(session: Session, plan: Statement) -> None:
    """Raises SqlError 42809 where a statement would write rows to a materialized view."""
    mirror = session.services.mirror
    if mirror is None or not mirror.materialized or session.compound.materialized.refreshing:
        return
    text = plan.text.casefold()
    if not plan.writes or plan.ddl or not any(name in text for name in mirror.materialized):
        return
    copies = isinstance(plan.action, CopyStatement)
    path = plan.action.table if copies else _written_to(plan)
    if not path:
        return
    meant, materialized = await session.on_duck(_found, session.duck, path)
    if meant is not None and materialized:
        what = "copy to" if copies else "change"
        raise SqlError("42809", f'cannot {what} materialized view "{meant.name}"')


def _found(duck: DuckSession, name: act.Name) -> tuple[Meant | None, bool]:
    """Blocks. What a name means, and whether that is a materialized view."""
    meant = duck.means(name)
    return meant, meant is not None and is_materialized(duck, meant)


def _written_to(plan: Statement) -> act.Name:
    """The relation that an INSERT, UPDATE, DELETE or MERGE names; () for all else."""
    if plan.kind not in _WRITING or not plan.sql:
        return ()
    try:
        tree = DUCKDB.parse(plan.sql, DUCKDB.tokenize(plan.sql))
    except SqlError:
        return ()
    target = tree.this if isinstance(tree, exp.Delete) else target_of(tree)
    return path_of(target) if isinstance(target, exp.Table) else ()


_WRITING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})


class MaterializedViews:
    """A session's statements about materialized views. refreshing: it is writing to one itself."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.refreshing = False

    async def run(self, action: act.MaterializedAction) -> Outcome:
        """Carries one out. Raises SqlError."""
        session = self._session
        async with session.compound.one_transaction():
            if isinstance(action, act.CreateMaterialized):
                return await self._create(action)
            if isinstance(action, act.RefreshMaterialized):
                return await self._refresh(action)
            if isinstance(action, act.DropMaterialized):
                return await self._drop(action)
            if isinstance(action, act.AlterMaterialized):
                return await self._alter(action)
            meant = await self._meant(action.name)
            await self._run(f"COMMENT ON TABLE {_written(meant)} IS {action.said}")
            return Outcome("COMMENT")

    async def _run(self, text: str) -> int:
        """Runs a statement of the session's dialect; how many rows it changed."""
        session = self._session
        plan = session.resolve(session.own.named.one(text))
        session.admit(plan)
        if await existence_notice(session, plan):
            return 0
        statement = PreparedStatement("", plan)
        await session.preparation.prepare(statement, plan, ())
        return await session.executor.run(Portal(statement), 0)

    async def _create(self, action: act.CreateMaterialized) -> Outcome:
        session, name = self._session, action.name
        # Without a schema's name, it is only in the way where it would be made.
        place = name
        if len(name) == 1:
            place = (await session.on_duck(session.duck.current_schema), *name)
        if await session.on_duck(session.duck.means, place) is not None:
            if not action.if_not_exists:
                raise SqlError("42P07", f'relation "{name[-1]}" already exists')
            said = f'relation "{name[-1]}" already exists, skipping'
            session.notice(SqlError("42P07", said), "NOTICE")
            return Outcome("CREATE MATERIALIZED VIEW")
        query = quoted(*place[:-1], query_name(place[-1]))
        await self._run(f"CREATE VIEW {query} {action.columns} AS {action.query}")
        rows = await self._run(f"CREATE TABLE {quoted(*place)} AS SELECT * FROM {query}")
        return Outcome(f"SELECT {rows}")

    async def _refresh(self, action: act.RefreshMaterialized) -> Outcome:
        session = self._session
        meant = await self._meant(action.name)
        if action.concurrently:
            await session.on_duck(self._check_unique, meant)
        target = _written(meant)
        self.refreshing = True
        try:
            await self._run(f"DELETE FROM {target}")
            await self._run(f"INSERT INTO {target} SELECT * FROM {_query(meant)}")
        finally:
            self.refreshing = False
        return Outcome("REFRESH MATERIALIZED VIEW")

    def _check_unique(self, meant: Meant) -> None:
        """Blocks."""
        if any(index.unique for index in indexes_of(self._session.duck, meant)):
            return
        name = f"{'public' if meant.schema == 'main' else meant.schema}.{meant.name}"
        raise SqlError(
            "55000",
            f'cannot refresh materialized view "{name}" concurrently',
            hint="Create a unique index with no WHERE clause on one or more columns of the "
            "materialized view.",
        )

    async def _drop(self, action: act.DropMaterialized) -> Outcome:
        for name in action.names:
            meant = await self._meant(name, if_exists=action.if_exists)
            if meant is None:
                said = f'materialized view "{name[-1]}" does not exist, skipping'
                self._session.notice(SqlError("00000", said), "NOTICE")
                continue
            if not action.cascades:
                await self._session.on_duck(self._check_free, meant)
            await self._run(f"DROP VIEW {_query(meant)}")
            await self._run(f"DROP TABLE {_written(meant)}{' CASCADE' if action.cascades else ''}")
        return Outcome("DROP MATERIALIZED VIEW")

    def _check_free(self, meant: Meant) -> None:
        """Blocks. Raises SqlError 2BP01 where views read it."""
        duck = self._session.duck
        views = Look(duck).over(meant)
        if views:
            lines = [f"{described(duck, one.view)} depends on {one.on}" for one in views]
            raise refusal(described(duck, meant), lines)

    async def _alter(self, action: act.AlterMaterialized) -> Outcome:
        meant = await self._meant(action.name, if_exists=action.if_exists)
        if meant is None:
            said = f'relation "{action.name[-1]}" does not exist, skipping'
            self._session.notice(SqlError("00000", said), "NOTICE")
            return Outcome("ALTER MATERIALIZED VIEW")
        words = [word.upper() for word in action.change.split()[:2]]
        if words != ["RENAME", "TO"]:
            raise SqlError(
                "0A000", f"ALTER MATERIALIZED VIEW ... {' '.join(words)} is not supported"
            )
        await self._run(f"ALTER TABLE {_written(meant)} {action.change}")
        return Outcome("ALTER MATERIALIZED VIEW")

    async def _meant(self, name: act.Name, *, if_exists: bool = False) -> Meant | None:
        """The materialized view of a name. Raises SqlError 42P01, 42809; None if it may be missing."""
        session = self._session
        meant, materialized = await session.on_duck(_found, session.duck, name)
        if meant is None:
            if if_exists:
                return None
            raise SqlError("42P01", f'materialized view "{name[-1]}" does not exist')
        if materialized:
            return meant
        message = f'"{meant.name}" is not a materialized view'
        hint = f"Use DROP {_KINDS[meant.kind]} to remove a {_KINDS[meant.kind].lower()}."
        raise SqlError("42809", message, hint=hint)


def _written(meant: Meant) -> str:
    return quoted(*meant[1:3])


def _query(meant: Meant) -> str:
    return quoted(meant.schema, query_name(meant.name))
