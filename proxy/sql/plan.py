"""Text in, plan out: what becomes of each statement of a message, kept by its text.

A plan says which engine runs a statement, what that engine is given, and what the session does
itself. It depends on the text and on the few settings in `Dialect`, on nothing else: no catalog is
read and nothing is executed, so a plan can be kept and shared by all sessions.

The whole message is split and parsed first, as Postgres does: a syntax error anywhere is raised
before anything runs (42601, with the position in the message). What cannot be done faithfully is
not raised but kept in `Statement.refused`, to be met when its turn comes.
"""

from __future__ import annotations

from collections import OrderedDict

from proxy.sql.planning import plan_message
from proxy.sql.snowflake.in_force import planned_under
from proxy.sql.statement import Dialect, Route, Statement
from proxy.sql.uncollected import uncollected


class PlanCache:
    """Plans by text and dialect, least recently used out first.

    capacity bounds the number of entries, max_bytes the characters of their texts; a text longer
    than `MAX_TEXT` is planned and not kept. Belongs to one thread.
    """

    MAX_TEXT = 64 * 1024

    def __init__(self, capacity: int = 4096, max_bytes: int = 16 * 1024 * 1024) -> None:
        self._plans: OrderedDict[tuple[str, Dialect], tuple[Statement, ...]] = OrderedDict()
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._bytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._plans)

    def plan(self, text: str, dialect: Dialect) -> tuple[Statement, ...]:
        """The statements of a message; raises SqlError 42601 for what is not SQL."""
        found = self.find(text, dialect)
        if found is None:
            found = planned(text, dialect)
            self.keep(text, dialect, found)
        return found

    def find(self, text: str, dialect: Dialect) -> tuple[Statement, ...] | None:
        """The statements of a message that is known; counts."""
        key = (text, dialect)
        found = self._plans.get(key)
        if found is not None:
            self.hits += 1
            self._plans.move_to_end(key)
            return found
        self.misses += 1
        return None

    def keep(self, text: str, dialect: Dialect, made: tuple[Statement, ...]) -> None:
        """A message's statements, made by `planned`."""
        if len(text) > self.MAX_TEXT or not self._capacity:
            return
        key = (text, dialect)
        self._plans[key] = made
        self._bytes += len(key[0])
        while len(self._plans) > self._capacity or self._bytes > self._max_bytes:
            (text, _), _ = self._plans.popitem(last=False)
            self._bytes -= len(text)


def planned(text: str, dialect: Dialect) -> tuple[Statement, ...]:
    """The statements of a message; raises SqlError 42601 for what is not SQL."""
    with uncollected():
        if dialect.parameters:
            with planned_under(dialect.parameters):
                made = plan_message(text, dialect)
        else:
            made = plan_message(text, dialect)
    for statement in made:
        if statement.refused is not None:
            # A kept error must not keep the frames and trees that it was raised among.
            statement.refused.__cause__ = statement.refused.__context__ = None
            statement.refused.__traceback__ = None
    return made


__all__ = ["Dialect", "PlanCache", "Route", "Statement", "plan_message", "planned"]
