"""What transactions are at, or have committed meanwhile, that DuckDB lets meet though it must not.

Why it exists: DuckDB refuses most statements that meet in their transactions, but

- not CREATE INDEX and RENAME TO or ADD PRIMARY KEY. Both are committed, that the index is the table's is
  forgotten, and once the table is dropped no list of indexes can be read, no checkpoint be written, and the
  file not be opened. So of two transactions one of which makes an index on a table that the other alters, the
  one that says so later, or whose snapshot is older than the other's commit, gets 40001 before anything is done;
- not changes of one row that are made in two ways, nor an index that is made while rows of its table are kept
  for older snapshots (`row_changes`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from sqlglot.tokens import Token, TokenType

from proxy.engines.definition_names import TEMPORARY, name_at
from proxy.errors import SqlError
from proxy.sql.reading import DUCKDB

_MANY = 100


class Step(Protocol):
    """What a transaction does to a table. schema: '' where its statement says none. Hashable."""

    @property
    def schema(self) -> str: ...

    @property
    def name(self) -> str: ...


S = TypeVar("S", bound=Step)


class Crossings(Generic[S]):
    """Of all sessions; one for an engine and a kind of steps. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._open: dict[S, int] = {}  # how many sessions are at it
        self._over: dict[S, int] = {}  # when it last was committed
        self._since: dict[SessionCrossings[S], int] = {}  # when their transactions began
        self._looking: dict[SessionCrossings[S], int] = {}  # ... and what else they run, if they do

    def begin(self, session: SessionCrossings[S]) -> None:
        with self._lock:
            self._since[session] = self._number

    def looks(self, session: SessionCrossings[S]) -> None:
        """Before it has a snapshot. Without the lock: what is committed meanwhile, it sees."""
        self._looking[session] = self._number

    def has_looked(self, session: SessionCrossings[S]) -> None:
        self._looking.pop(session, None)

    def take(
        self,
        session: SessionCrossings[S],
        step: S,
        settle: Callable[[S, set[S]], S],
        beside_kept: bool = False,
    ) -> S:
        """settle: what becomes of the step beside those of others on that table; it may raise.

        beside_kept: also beside what was committed since any session's snapshot, and not this one's alone.
        """
        with self._lock:
            others = dict(self._open)
            for mine in session.own:
                others[mine] -= 1
            beside = {other for other, count in others.items() if count and _meet(step, other)}
            since = self._eldest(session) if beside_kept else self._since.get(session)
            if since is not None:
                late = ((other, at) for other, at in self._over.items() if at > since)
                beside.update(other for other, _ in late if _meet(step, other))
            step = settle(step, beside)
            if step not in session.own:
                self._open[step] = self._open.get(step, 0) + 1
                session.own.append(step)
            return step

    def end(self, session: SessionCrossings[S], committed: bool) -> None:
        with self._lock:
            self._since.pop(session, None)
            self._number += 1
            for step in session.own:
                self._open[step] -= 1
                if not self._open[step]:
                    del self._open[step]
                if committed:
                    self._over[step] = self._number
            session.own.clear()
            if len(self._over) > _MANY:
                eldest = self._eldest()
                self._over = {step: at for step, at in self._over.items() if at > eldest}

    def _eldest(self, but: SessionCrossings[S] | None = None) -> int:
        """When the oldest snapshot was taken. but: whose statement does not count, only its transaction."""
        looking = (at for session, at in list(self._looking.items()) if session is not but)
        return min([*self._since.values(), *looking], default=self._number)


def met(step: Step, detail: str) -> SqlError:
    """What a step gets that may not be taken beside others'."""
    return SqlError(
        "40001",
        f'could not serialize access to "{step.name}" due to a concurrent change',
        detail=detail,
        hint="The transaction might succeed if retried.",
    )


def _meet(one: Step, other: Step) -> bool:
    if one.name != other.name:
        return False
    return one.schema == other.schema or not (one.schema and other.schema)


class SessionCrossings(Generic[S]):
    """One session's part. By the thread that works for it; told as `freshness.Watch` is."""

    def __init__(self, crossings: Crossings[S]) -> None:
        self._crossings = crossings
        self._in_block = False
        self.own: list[S] = []

    def begin(self) -> None:
        self._in_block = True
        self._crossings.begin(self)

    def looks(self) -> None:
        """Something is about to be run; `has_looked` must follow, once no snapshot of that is left."""
        if not self._in_block:
            self._crossings.looks(self)

    def has_looked(self) -> None:
        self._crossings.has_looked(self)

    def take(self, step: S, settle: Callable[[S, set[S]], S], *, beside_kept: bool = False) -> S:
        """It is about to be taken: as `Crossings.take`. Without a transaction, `over` must follow."""
        return self._crossings.take(self, step, settle, beside_kept)

    def commit(self) -> None:
        """`over` must follow."""
        self._in_block = False

    def rollback(self) -> None:
        self._in_block = False
        self._crossings.end(self, committed=False)

    def over(self) -> None:
        if not self._in_block:
            self._crossings.end(self, committed=True)


class Definition(NamedTuple):
    """CREATE INDEX, or else ALTER TABLE. has_key: ... ADD PRIMARY KEY, which makes an index too."""

    indexes: bool
    schema: str
    name: str
    has_key: bool = False


def refused(step: Definition, beside: set[Definition]) -> Definition:
    """The step, where it may be taken. Raises SqlError 40001."""
    if any(step.indexes != other.indexes for other in beside):
        raise met(step, "One transaction makes an index on the table that another one alters.")
    return step


_WORDS = 12  # before the table's name, at most


def definition(sql: str) -> Definition | None:
    """The step of a definition's text."""
    if sql[:1].upper() not in ("C", "A"):
        return None
    tokens = DUCKDB.own_tokens(sql)
    words = [token.text.upper() for token in tokens[:_WORDS]]
    if words[:2] == ["ALTER", "TABLE"]:
        step = _step(False, tokens, 4 if words[2:4] == ["IF", "EXISTS"] else 2)
        has_key = any(token.token_type == TokenType.PRIMARY_KEY for token in tokens)
        return step and step._replace(has_key=has_key)
    if words[:2] == ["CREATE", "INDEX"] or words[:3] == ["CREATE", "UNIQUE", "INDEX"]:
        for at, token in enumerate(tokens[:_WORDS]):
            if token.token_type == TokenType.ON:
                return _step(True, tokens, at + 1)
    return None


def _step(indexes: bool, tokens: list[Token], at: int) -> Definition | None:
    name, _ = name_at(tokens, at)
    return None if name is None or name[0] == TEMPORARY else Definition(indexes, name[1], name[2])
