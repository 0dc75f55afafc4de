"""What a statement's own text adds to an error of the engine's: the place, and the exact class.

DuckDB complains about the SQL that it was given, in classes of its own. Where the client's text shows
more - which clause was negative, that a value was assigned and not cast - it is told here, at the end
of every statement's way.
"""

from __future__ import annotations

from sqlglot.tokens import TokenType

from proxy.engines.duck_errors import EngineError
from proxy.sql.positions import casts, clause_at, source_position
from proxy.sql.statement import Statement

_LIMITS = frozenset((TokenType.LIMIT, TokenType.OFFSET, TokenType.FETCH))
_ASSIGN = frozenset(("INSERT", "UPDATE", "MERGE"))


def located(error: EngineError, plan: Statement, sql: str, dialect: str) -> EngineError:
    """The error with the position of what it complains about in the client's text.

    sql: what DuckDB was given. On the loop's thread.
    """
    if error.sqlstate == "2201W":
        clause = clause_at(sql, error.offset, _LIMITS) if error.offset is not None else None
        if clause == TokenType.OFFSET:
            error.sqlstate, error.message = "2201X", "OFFSET must not be negative"
        else:
            error.message = "LIMIT must not be negative"
    elif error.sqlstate == "42846" and plan.kind in _ASSIGN and not casts(plan.text, dialect):
        error.sqlstate = "42804"
    if error.offset is not None and error.position is None:
        place = source_position(sql, error.offset, plan.text, dialect)
        error.position = place + plan.start if place is not None else None
    return error
