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

from proxy.sql.definitions import Touched


class Change:
    """From before it is made until the mirror shows it, or until it is known not to come."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.names: set[str] = set()  # folded, in whatever schema
        self.everything = False
        self.mixed = False
        self.contested = False  # another names one of the same names

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
    name; view: they make one."""

    names: frozenset[str] = frozenset()
    all: bool = False
    readers: bool = False
    view: bool = False

    def __or__(self, other: Reach) -> Reach:
        return Reach(
            self.names | other.names,
            self.all or other.all,
            self.readers or other.readers,
            self.view or other.view,
        )

    def meets(self, other: Reach) -> bool:
        """Whether one has to be mirrored before the other may happen."""
        if self.all or other.all or not self.names.isdisjoint(other.names):
            return True
        return (self.readers and other.view) or (self.view and other.readers)


def reach_of(touched: Iterable[Touched]) -> Reach:
    reach = Reach()
    for item in touched:
        names = frozenset(name.casefold() for name in (item.name, item.renamed) if name)
        everything = item.everything or item.name is None or item.index
        reach |= Reach(names, everything, item.views, item.source is not None)
    return reach


EVERYWHERE = Reach(all=True)
