"""Queries that read no relation: what DuckDB cannot do of Postgres's dialect, Postgres itself does.

Why it exists: `SELECT to_char(1234.5, '9,999.9')`, `SELECT inet '10.0.0.1'` or `SELECT B'101'` have one
answer, and a Postgres stands by. Over analytical tables the same expression stays refused, by name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from proxy.errors import SqlError
from proxy.sql.route import Facts
from proxy.sql.statement import Dialect, Route, Statement

# A function, an operator or a type that is not there, what has no translation, and values that only
# Postgres's types hold (`numeric 'NaN'`) or its readers read (`date 'J2451187'`).
_MISSING = frozenset(("0A000", "42704", "42725", "42883", "22003", "22007", "22008"))


def is_portable(facts: Facts, kind: str, dialect: Dialect) -> bool:
    """Whether a statement means the same to a Postgres that has none of our tables."""
    return (
        dialect.name == "postgres"
        and dialect.transpile
        and kind in ("SELECT", "VALUES")
        and facts.refused is None
        and not (facts.analytical or facts.control or facts.writes)
    )


def handed_over(plan: Statement, error: SqlError) -> Statement:
    """The plan by which Postgres is asked instead. Raises the error if that would say no more."""
    if not plan.portable or error.sqlstate not in _MISSING:
        raise error
    return asked_of_postgres(plan)


def asked_of_postgres(plan: Statement, **more: Any) -> Statement:
    """A plan of DuckDB's as one of Postgres's, with what `more` says of it."""
    others = {"asks_catalog": False} | more
    return replace(
        plan,
        route=Route.POSTGRES,
        sql="",
        refused=None,
        needs=frozenset(),
        scalar=False,
        typed=False,
        portable=False,
        **others,
    )
