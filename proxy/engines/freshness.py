"""Whether a plan that was made earlier would still be made today.

Why it exists: DuckDB plans with the statistics of the moment and keeps a prepared plan until the
catalog changes. `... WHERE i = 5`, prepared while no row had a 5, finds, updates and deletes no such
row for ever after. Macros, variables and the search path go stale in the same way. So a plan is run
again only where nothing can have changed since it was made, and is otherwise made anew. (What reads
a table and has parameters DuckDB plans anew itself, with their values, each time it is run.)

What it promises: `Watch.holds` says yes only if nothing that the plan may rest on has changed
between the planning and the moment of asking, which is to be after the plan's snapshot was taken.
Changes are counted before they can be seen by others and marked as over once they can.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from proxy.engines.crossings import Definition, SessionCrossings, definition, refused
from proxy.engines.definition_texts import LISTINGS, changed_listings
from proxy.engines.known_tables import SessionTables
from proxy.engines.row_changes import IndexMade, RowStep, alone

T = TypeVar("T")

_NEVER = -1


class Changes:
    """Counts changes of one kind, from before they are made until after: one object per database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = (0, 0)  # changes begun, changes under way: read as one

    def begin(self) -> None:
        with self._lock:
            begun, under_way = self._now
            self._now = (begun + 1, under_way + 1)

    def end(self) -> None:
        with self._lock:
            begun, under_way = self._now
            self._now = (begun, under_way - 1)

    def number(self) -> int:
        """Names the database as it is; `_NEVER` while it is changing."""
        begun, under_way = self._now
        return _NEVER if under_way else begun

    def still(self, number: int) -> bool:
        """Whether nothing has begun to change since `number` was given."""
        return number == self._now[0]


class _Moment(NamedTuple):
    """number: of the database's changes, `_NEVER` where that says nothing; own: of the session's."""

    number: int
    own: int


class _Eye:
    """One session's look on changes of one kind: those of all, and its own not yet committed ones."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._own = 0
        self._published = 0
        self._since = _NEVER  # the number before the session's transaction began
        self._wrote = False  # ... and whether it has changed anything
        self._open = False  # a change of its own is under way for all to see

    def moment(self, in_block: bool) -> _Moment:
        number = self._changes.number()
        if in_block and (self._wrote or number != self._since):
            number = _NEVER  # planned on a snapshot that is not everybody's
        return _Moment(number, self._own)

    def holds(self, then: _Moment, same_block: bool) -> bool:
        if then.own != self._own:
            return False
        return same_block or (then.number != _NEVER and self._changes.still(then.number))

    @property
    def changes_of_others(self) -> int | None:
        """How many there were, without the session's own; None while there are some."""
        number = self._changes.number()
        return None if number == _NEVER else number - self._published

    @property
    def is_current(self) -> bool:
        """Whether nothing has begun to change since the session's transaction began."""
        return self._changes.still(self._since)

    @property
    def wrote(self) -> bool:
        """Whether the session's transaction has changed anything."""
        return self._wrote

    def begin(self) -> None:
        self._since, self._wrote = self._changes.number(), False

    def change(self, in_block: bool) -> None:
        self._own += 1
        if in_block:
            self._wrote = True
        else:
            self._publish()

    def commit(self) -> None:
        if self._wrote:
            self._own += 1
            self._wrote = False
            self._publish()

    def rollback(self) -> None:
        if self._wrote:
            self._own += 1
            self._wrote = False

    def _publish(self) -> None:
        if not self._open:
            self._open = True
            self._published += 1
            self._changes.begin()

    def over(self) -> None:
        if self._open:
            self._open = False
            self._changes.end()


class Stamp(NamedTuple):
    """When a plan was made."""

    rows: _Moment
    definitions: _Moment
    settings: int
    block: int


class Listing:
    """What all there is of one kind was when it was last listed; one of each kind per database."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.last: tuple[int, Any] | None = None  # the number of the changes, and what there was


class Watch:
    """What one session knows of changes. Used by the thread that works for its connection alone.

    rows: what INSERT, UPDATE and the like change; definitions: everything else. listings: of all that
    there is, by kind (`LISTINGS`).
    """

    def __init__(
        self,
        rows: Changes,
        definitions: Changes,
        tables: SessionTables,
        crossings: SessionCrossings[Definition],
        row_changes: SessionCrossings[RowStep],
        listings: Mapping[str, Listing],
    ) -> None:
        self._rows, self._definitions = _Eye(rows), _Eye(definitions)
        self._listings = listings
        self._lists = {kind: _Eye(one.changes) for kind, one in listings.items()}
        self._all = (self._rows, self._definitions, *self._lists.values())
        self._changing = LISTINGS  # by the definition that is about to be made
        self.tables = tables
        self._crossings = crossings
        self.row_changes = row_changes
        self._settings = 0
        self._blocks = 0
        self._block = 0  # 0: no transaction is open

    def stamp(self) -> Stamp:
        """To be taken before planning."""
        inside = self._block != 0
        return Stamp(
            self._rows.moment(inside),
            self._definitions.moment(inside),
            self._settings,
            self._block,
        )

    def holds(self, stamp: Stamp, rows: bool) -> bool:
        """To be asked once the snapshot is taken. rows: whether the plan may rest on the data."""
        same_block = stamp.block == self._block != 0
        if not self.same_settings(stamp) or not self._definitions.holds(
            stamp.definitions, same_block
        ):
            return False
        return not rows or self._rows.holds(stamp.rows, same_block)

    @property
    def has_own_definitions(self) -> bool:
        """Whether the open transaction has defined anything."""
        return self._block != 0 and self._definitions.wrote

    @property
    def wrote(self) -> bool:
        """Whether the open transaction has changed any rows or definitions."""
        return self._block != 0 and self._rows.wrote

    @property
    def changes_of_others(self) -> int | None:
        """Another number once another session has committed a change; None while any is at it.

        Outside of transactions.
        """
        return self._rows.changes_of_others

    @property
    def is_current(self) -> bool:
        """Whether nothing has begun to change since the open transaction began."""
        return self._rows.is_current

    @property
    def in_block(self) -> bool:
        return self._block != 0

    def listed(self, kind: str, read: Callable[[], T]) -> T:
        """What `read` gives, or gave when there was the same of this kind; not to be changed."""
        number, listing = self._lists[kind].moment(self._block != 0).number, self._listings[kind]
        last = listing.last
        if last is not None and last[0] == number:
            return last[1]  # type: ignore[no-any-return]
        found = read()
        if number != _NEVER:
            listing.last = number, found
        return found

    def same_settings(self, stamp: Stamp) -> bool:
        """What a plan that looks at nothing in the database rests on: a cast may need the time zone."""
        return stamp.settings == self._settings

    # --- what the session is about to do ------------------------------------------------------

    def begin(self) -> None:
        self._blocks += 1
        self._block = self._blocks
        self.tables.begin()
        self._crossings.begin()
        self.row_changes.begin()
        for eye in self._all:
            eye.begin()

    def define(self, sql: str, run: Callable[[str], list[tuple[Any, ...]]]) -> bool:
        """A statement of this text is about to change a definition: before `change`. run: asks DuckDB.

        Returns whether it is to be passed over, since IF NOT EXISTS asks for a table that is there.
        Raises SqlError 40001 where it must not be made now.
        """
        try:
            if (step := definition(sql)) is not None:
                self._crossings.take(step, refused)
            if step is not None and (step.indexes or step.has_key):
                self.row_changes.take(IndexMade(*step[1:3]), alone, beside_kept=True)
            if self.tables.define(sql, run):
                return True
        except BaseException:
            self.over()
            raise
        self._changing = changed_listings(sql)
        return False

    def failed(self) -> None:
        """What was about to be defined, or committed, was not; `over` follows."""
        self.tables.failed()

    def change(self, definitions: bool) -> None:
        """A statement that changes something. Without a transaction, `over` must follow."""
        self._rows.change(self._block != 0)
        if definitions:
            self._definitions.change(self._block != 0)
            for kind in self._changing:
                self._lists[kind].change(self._block != 0)
            self._changing = LISTINGS

    def change_in_block(self) -> None:
        """Rows are about to change bit by bit, all of them in one transaction."""
        assert self._block, "there is no transaction"
        self.change(definitions=False)

    def set(self) -> None:
        """A setting of this connection alone."""
        self._settings += 1

    def commit(self) -> None:
        """`over` must follow."""
        self._block = 0
        self.tables.commit()
        self._crossings.commit()
        self.row_changes.commit()
        for eye in self._all:
            eye.commit()

    def rollback(self) -> None:
        self._block = 0
        self.tables.rollback()
        self._crossings.rollback()
        self.row_changes.rollback()
        for eye in self._all:
            eye.rollback()

    def over(self) -> None:
        """What was changed for all to see is there, or has failed."""
        self.tables.over()
        self._crossings.over()
        self.row_changes.over()
        for eye in self._all:
            eye.over()
