"""Which changes of definitions are under way at the same time, and so may have met.

Why it exists: after a statement the mirror is told what the statement may have changed and keeps the
rest as it was, since to look at all of a relation costs a listing of all. That is right only where the
mirror showed the relation as the statement found it, and nobody else's change is shown that came after
it. Two sessions' statements commit in DuckDB in one order and come to be mirrored in any.

Promises: of two changes that name the same relation, either one was mirrored before the other began, or
both know (`Change.mixed`), and then everything of it is looked at. Any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from proxy.mirror.moments import Event
from proxy.sql.definitions.touched import Touched


class Change:
    """From before it is made until the mirror shows it, or until it is known not to come."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.names: set[str] = set()  # folded, in whatever schema
        self.everything = False
        self.mixed = False
        self.contested = False  # another names one of the same names
        self.events: list[Event] = []  # what the mirror is to be told of it, in order

    def add(self, names: Iterable[str] | None) -> None:
        """It is about to change these too. None: anything."""
        self._changes.add(self, names)

    def end(self) -> None:
        self._changes.end(self)


class Changes:
    """Those under way; one for a mirror."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[Change] = set()

    def begin(self) -> Change:
        change = Change(self)
        with self._lock:
            self._open.add(change)
        return change

    def merged(self, parts: Iterable[Change]) -> Change:
        """One in place of several, which end."""
        change = Change(self)
        with self._lock:
            for part in parts:
                self._open.discard(part)
                change.names |= part.names
                change.everything |= part.everything
                change.mixed |= part.mixed
                change.contested |= part.contested
                change.events += part.events
            self._open.add(change)
        return change

    def add(self, change: Change, names: Iterable[str] | None) -> None:
        with self._lock:
            if names is None:
                change.everything = True
            else:
                change.names.update(name.casefold() for name in names)
            for other in self._open:
                if other is change:
                    continue
                if not change.names.isdisjoint(other.names):
                    change.mixed = other.mixed = True
                    change.contested = other.contested = True
                elif _all(change, other) or _all(other, change):
                    change.mixed = other.mixed = True

    def end(self, change: Change) -> None:
        with self._lock:
            self._open.discard(change)


def _all(one: Change, other: Change) -> bool:
    return one.everything and (other.everything or bool(other.names))


@dataclass(frozen=True, slots=True)
class Reach:
    """What statements may concern. names: folded. all: more than they name. readers: views of what they
    name. queries: of the views that they make, folded."""

    names: frozenset[str] = frozenset()
    all: bool = False
    readers: bool = False
    queries: frozenset[str] = frozenset()

    def __or__(self, other: Reach) -> Reach:
        return Reach(
            self.names | other.names,
            self.all or other.all,
            self.readers or other.readers,
            self.queries | other.queries,
        )

    def meets(self, other: Reach) -> bool:
        """Whether one has to be mirrored before the other may happen."""
        if self.all or other.all or not self.names.isdisjoint(other.names):
            return True
        return self._is_read_by(other) or other._is_read_by(self)

    def _is_read_by(self, other: Reach) -> bool:
        """Whether a view that the other makes may read what this changes for its readers. A name that only
        looks so costs a wait."""
        return self.readers and any(name in query for query in other.queries for name in self.names)


def reach_of(touched: Iterable[Touched]) -> Reach:
    reach = Reach()
    for item in touched:
        names = frozenset(name.casefold() for name in (item.name, item.renamed) if name)
        everything = item.everything or item.name is None or item.index
        queries = frozenset([item.source.casefold()] if item.source is not None else ())
        reach |= Reach(names, everything, item.views, queries)
    return reach


EVERYWHERE = Reach(all=True)
