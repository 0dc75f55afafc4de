"""CREATE INDEX and ALTER TABLE of one table at the same time: the later of the two is refused.

Why it exists: DuckDB refuses most statements that meet in their transactions, but not CREATE INDEX and
RENAME TO or ADD PRIMARY KEY. Both are committed, that the index is the table's is forgotten, and once
the table is dropped no list of indexes can be read, no checkpoint be written, and the file not be opened.

Promises: of two transactions one of which makes an index on a table that the other alters, the one that
says so later, or whose snapshot is older than the other's commit, gets 40001 before anything is done.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from sqlglot.tokens import Token, TokenType

from proxy.engines.known_tables import name_at
from proxy.errors import SqlError
from proxy.sql.reading import DUCKDB


class _Step(NamedTuple):
    """A definition of one of the two kinds. schema: '' where the statement says none."""

    indexes: bool
    schema: str
    name: str

    def crosses(self, other: _Step) -> bool:
        same = self.name == other.name and self.indexes != other.indexes
        return same and (self.schema == other.schema or not (self.schema and other.schema))


class Crossings:
    """Of all sessions; one for an engine. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._open: dict[_Step, int] = {}  # how many sessions are at it
        self._over: dict[_Step, int] = {}  # when it last was committed

    def number(self) -> int:
        return self._number

    def begin(self, step: _Step, own: list[_Step], since: int | None) -> None:
        """since: the number when the session's transaction began; None outside one. Raises 40001."""
        with self._lock:
            others = dict(self._open)
            for mine in own:
                others[mine] -= 1
            meets = any(count and step.crosses(other) for other, count in others.items())
            late = since is not None and any(
                number > since and step.crosses(other) for other, number in self._over.items()
            )
            if meets or late:
                raise SqlError(
                    "40001",
                    f'could not serialize access to "{step.name}" due to a concurrent change',
                    detail="One transaction makes an index on the table that another one alters.",
                    hint="The transaction might succeed if retried.",
                )
            self._open[step] = self._open.get(step, 0) + 1
            own.append(step)

    def end(self, own: list[_Step], committed: bool) -> None:
        with self._lock:
            self._number += 1
            for step in own:
                self._open[step] -= 1
                if not self._open[step]:
                    del self._open[step]
                if committed:
                    self._over[step] = self._number
        own.clear()


class SessionCrossings:
    """One session's part. By the thread that works for it; told as `freshness.Watch` is."""

    def __init__(self, crossings: Crossings) -> None:
        self._crossings = crossings
        self._since: int | None = None
        self._own: list[_Step] = []

    def begin(self) -> None:
        self._since = self._crossings.number()

    def define(self, sql: str) -> None:
        """A definition is about to be made by this text. Raises SqlError 40001."""
        step = _read(sql)
        if step is not None:
            self._crossings.begin(step, self._own, self._since)

    def commit(self) -> None:
        self._since = None

    def rollback(self) -> None:
        self._since = None
        self._crossings.end(self._own, committed=False)

    def over(self) -> None:
        if self._since is None and self._own:
            self._crossings.end(self._own, committed=True)


_WORDS = 12  # before the table's name, at most


def _read(sql: str) -> _Step | None:
    if sql[:1].upper() not in ("C", "A"):
        return None
    tokens = DUCKDB.own_tokens(sql)
    words = [token.text.upper() for token in tokens[:_WORDS]]
    if words[:2] == ["ALTER", "TABLE"]:
        return _step(False, tokens, 4 if words[2:4] == ["IF", "EXISTS"] else 2)
    if words[:2] == ["CREATE", "INDEX"] or words[:3] == ["CREATE", "UNIQUE", "INDEX"]:
        for at, token in enumerate(tokens[:_WORDS]):
            if token.token_type == TokenType.ON:
                return _step(True, tokens, at + 1)
    return None


def _step(indexes: bool, tokens: list[Token], at: int) -> _Step | None:
    name, _ = name_at(tokens, at)
    return None if name is None or name[0] == "temp" else _Step(indexes, name[1], name[2])
