"""What the texts of one session mean: plans, out of the cache that all share, or made now.

Why it exists: a plan hangs on the text and on what of the session it may use: its dialect, its
variables, the listing before it. A long text is planned beside the loop (`proxy.session.long_texts`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.session.complaints import better_placed
from proxy.session.long_texts import is_long
from proxy.session.shortcut import passes
from proxy.session.statements import is_postgres_setting
from proxy.sql.plan import Dialect, Route, Statement, planned
from proxy.sql.reading import SyntaxFailure

if TYPE_CHECKING:
    from proxy.session.session import Session


class SessionPlans:
    """One session's. Raises `SyntaxFailure` for what is not SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of_short(self, sql: str, numbered: bool = False) -> tuple[Statement, ...]:
        """The plans of a short text, or of one that only this session may have."""
        dialect = self._dialect_of(sql, numbered)
        cache = self._session.services.plans
        hits = cache.hits
        try:
            plans = cache.plan(sql, dialect)
        except SyntaxFailure as failure:
            raise better_placed(
                failure, sql, self._session.dialect.name, self._session.duck
            ) from None
        return self._own(sql, dialect, plans, again=cache.hits > hits)

    async def of(self, sql: str, numbered: bool = False) -> tuple[Statement, ...]:
        """The plans of a text that came from the client, of any length."""
        if not is_long(sql):
            return self.of_short(sql, numbered)
        dialect = self._dialect_of(sql, numbered)
        cache = self._session.services.plans
        plans = cache.find(sql, dialect)
        if again := plans is not None:
            return self._own(sql, dialect, plans, again)
        try:
            plans = await self._session.texts.aside(planned, sql, dialect)
        except SyntaxFailure as failure:
            raise better_placed(
                failure, sql, self._session.dialect.name, self._session.duck
            ) from None
        cache.keep(sql, dialect, plans)
        return self._own(sql, dialect, plans, again)

    def _dialect_of(self, sql: str, numbered: bool) -> Dialect:
        base = replace(self._session.dialect, numbered=True) if numbered else self._session.dialect
        return self._session.context.dialect(base, sql)

    def _own(
        self, sql: str, dialect: Dialect, plans: tuple[Statement, ...], again: bool
    ) -> tuple[Statement, ...]:
        """What they are to this session. again: they were known."""
        if len(plans) == 1 and dialect is self._session.dialect and passes(plans[0]):
            self._session.shortcut.known().learn(sql.encode(), plans[0], dialect, again)
            return plans
        if any(map(is_postgres_setting, plans)):
            plans = tuple(
                replace(plan, route=Route.POSTGRES) if is_postgres_setting(plan) else plan
                for plan in plans
            )
        return plans

    async def now(self, plan: Statement) -> Statement:
        """The plan of the same text as the session's variables have it now."""
        if not plan.varies:
            return plan
        return replace((await self.of(plan.text))[0], start=plan.start)
