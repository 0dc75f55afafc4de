"""What is declared of each table, remembered: its constraints and comments.

Why it exists: DuckDB tells them by functions that list all tables, whatever is asked: 0.08 s each with
5,000 tables. Definitions that look at one table would cost that, whoever has many tables. So what was
listed is remembered, and what a statement makes of it is read from the statement.

Promises: `SessionTables.of` gives what DuckDB would list in the session's transaction, or None where
that is not sure. Every statement that defines anything passes here as DuckDB's text, before it runs; for
as long as it may not be committed, and where its text is not understood, nothing is known of the
tables that it names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from proxy.engines.declarations import (
    GONE,
    Declared,
    Grammar,
    Key,
    Known,
    Made,
    referenced,
    referring,
)
from proxy.engines.definition_names import DATABASE, TEMPORARY
from proxy.engines.definition_texts import Change, has_keys, is_there, read
from proxy.errors import SqlError
from proxy.sql.quoting import quoted

Announced = list[tuple[int, tuple[str, ...] | None]]
"""Changes: their numbers, and the names of tables, or None for any."""


class KnownTables:
    """What is committed; one for an engine. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._known: dict[Key, Known] = {}
        self._changed: dict[str, int] = {}  # by name, in whatever schema: when it last was
        self._all_changed = 0
        self._missing: set[str] | None = (
            None  # names of which it is not known whether they are tables
        )
        self._under_way: dict[str, int] = {}
        self._all_under_way = 0

    def number(self) -> int:
        with self._lock:
            return self._number

    def begin(
        self, names: tuple[str, ...] | None, since: int | None
    ) -> tuple[int, dict[Key, Known]]:
        """Something is about to change `names`, or anything: which change it is, and what was known.

        since: as for `get`; None outside a transaction.
        """
        with self._lock:
            since = self._number if since is None else since
            mine = set(names or ())
            settled = {name for name in mine if self._is_settled(name, since)}
            before = {key: known for key, known in self._known.items() if key[1] in settled}
            self._number += 1
            if names is None:
                self._all_under_way += 1
                self._known.clear()
            for name in names or ():
                self._under_way[name] = self._under_way.get(name, 0) + 1
            for key in [key for key in self._known if key[1] in mine]:
                del self._known[key]
            return self._number, before

    def end(self, announced: Announced, known: Mapping[Key, Known | None]) -> None:
        """What was announced is there for all, or will not be; known: what that left."""
        with self._lock:
            if any(names is None for _, names in announced):
                known = {}
            alone = {
                name: number
                for number, names in reversed(announced)
                for name in names or ()
                if self._changed.get(name, 0) < number
            }
            self._number += 1
            for _, names in announced:
                if names is None:
                    self._all_under_way -= 1
                    self._all_changed = self._number
                    self._missing = None
                for name in names or ():
                    self._changed[name] = self._number
                    self._leave(name)
            if self._all_under_way:
                self._missing = None
                return
            told: set[str] = set()
            for key, found in known.items():
                begun = alone.get(key[1], 0)
                if (
                    found is not None
                    and begun > self._all_changed
                    and key[1] not in self._under_way
                ):
                    told.add(key[1])
                    if found is not GONE:
                        self._known[key] = found
            if self._missing is not None:
                changed = {name for _, names in announced for name in names or ()}
                told -= {key[1] for key, found in known.items() if found is None}
                self._missing |= changed - told

    def undo(self, announced: Announced, before: Mapping[Key, Known]) -> None:
        """What was announced does not come. before: what was known of it when it was announced."""
        with self._lock:
            first: dict[str, int] = {}
            for number, names in announced:
                if names is None:
                    self._all_under_way -= 1
                    self._missing = None
                for name in names or ():
                    first.setdefault(name, number)
                    self._leave(name)
            if self._all_under_way:
                self._missing = None
                return
            as_before: set[str] = set()
            for key, found in before.items():
                since = first.get(key[1], 0)
                if max(self._changed.get(key[1], 0), self._all_changed) < since and (
                    key[1] not in self._under_way
                ):
                    self._known[key] = found
                    as_before.add(key[1])
            if self._missing is not None:
                self._missing |= first.keys() - as_before

    def _leave(self, name: str) -> None:
        """A change of the name is not under way any more."""
        self._under_way[name] -= 1
        if not self._under_way[name]:
            del self._under_way[name]

    def _is_settled(self, name: str, since: int) -> bool:
        if self._all_under_way or self._all_changed > since:
            return False
        return name not in self._under_way and self._changed.get(name, 0) <= since

    def get(self, key: Key, since: int) -> Known | None:
        """since: the number when the transaction began that asks."""
        with self._lock:
            return self._known.get(key) if self._is_settled(key[1], since) else None

    def put(self, found: Mapping[Key, Declared], since: int, everything: bool = False) -> None:
        """As listed in a transaction that began then. everything: there are no other tables."""
        with self._lock:
            for key, declared in found.items():
                if self._is_settled(key[1], since):
                    self._known[key] = declared
            if everything and not self._all_under_way and self._all_changed <= since:
                late = {name for name, number in self._changed.items() if number > since}
                self._missing = late

    def all(self, since: int) -> tuple[dict[Key, Known], set[str]] | None:
        """All tables that are known, and names of which it is not; None where any may be missing."""
        with self._lock:
            if self._missing is None or self._all_under_way or self._all_changed > since:
                return None
            late = {name for name, number in self._changed.items() if number > since}
            missing = self._missing | late | self._under_way.keys()
            return {k: v for k, v in self._known.items() if k[1] not in missing}, missing


class SessionTables:
    """One session's part: what it asks, and what it changes. By the thread that works for it."""

    def __init__(self, tables: KnownTables, grammar: Grammar) -> None:
        self._tables, self._grammar = tables, grammar
        self._since: int | None = None  # outside a transaction
        self._announced: Announced = []
        self._own: dict[Key, Known | None] = {}  # of the names in there, as the session sees them
        self._before: dict[Key, Known] = {}  # ... and as they were before any of it
        self._temporary: set[str] = set()
        self._declaring: set[str] = set()  # of them, what may have constraints
        self.schema = "main"  # in which it makes tables

    def of(self, schema: str, name: str) -> Declared | None:
        """What DuckDB would list of a table of the database that is kept; None where that is not sure."""
        key = (schema.lower(), name.lower())
        if any(names is None for _, names in self._announced):
            return None
        own = any(key[1] in (names or ()) for _, names in self._announced)
        since = self._tables.number() if self._since is None else self._since
        known = self._own.get(key) if own else self._tables.get(key, since)
        if isinstance(known, Made):
            known = self._grammar.declared(known)
            if own:
                self._own[key] = known
            elif known is not None:
                self._tables.put({key: known}, since)
        return known

    def referring(
        self, schema: str, name: str, is_there: Callable[[str], bool]
    ) -> list[str] | None:
        """As the function of that name; None where a table is not known.

        is_there: whether there is a table of a name in the schema.
        """
        since = self._tables.number() if self._since is None else self._since
        found = self._tables.all(since)
        if found is None or any(names is None for _, names in self._announced):
            return None
        known, missing = found
        declared = {}
        for key, told in {**known, **self._own}.items():
            one = self.of(*key) if isinstance(told, Made) else told
            if one is not None:
                declared[key] = one
        if any((schema.lower(), other) not in declared and is_there(other) for other in missing):
            return None
        return referring(declared, schema, name)

    def own_names(self) -> list[tuple[str, ...]]:
        """Names of the tables that are announced to change, as far as they are known."""
        named = {key[1] for key in self._own}
        others = {name for _, names in self._announced for name in names or ()} - named
        return [*self._own, *((name,) for name in sorted(others | self._declaring))]

    def listed(self, found: Mapping[Key, Declared]) -> None:
        """What DuckDB told of all tables, in the transaction that is open."""
        if self._since is not None:
            mine = {name for _, names in self._announced for name in names or ()}
            theirs = {key: told for key, told in found.items() if key[1] not in mine}
            self._tables.put(theirs, self._since, everything=not mine)

    # --- as `proxy.engines.freshness.Watch` is told ---------------------------------------------

    def begin(self) -> None:
        self._since = self._tables.number()

    def define(self, sql: str, run: Callable[[str], list[tuple[Any, ...]]]) -> bool:
        """A definition is about to be made by this text. run: asks the engine.

        Returns whether there is a table already where IF NOT EXISTS asks for none.
        """
        change = read(sql)
        if change.unless or change.replaces:
            place = self._new(change)
            if change.unless and is_there(place, run):
                return True
            if change.replaces and has_keys(place, self.of, run):
                self._take_away(place, run)
        self._define(change, sql, run)
        return False

    def _take_away(
        self, place: tuple[str, str, str], run: Callable[[str], list[tuple[Any, ...]]]
    ) -> None:
        """What a table that is to be replaced refers to forgets it: DuckDB would look for it there."""
        if self._since is None:
            raise SqlError(
                "0A000",
                f'replacing "{place[2]}", which has foreign keys, is not supported here',
                hint="Drop the table first.",
            )
        run(f"DROP TABLE {quoted(*place)}")

    def _new(self, change: Change) -> tuple[str, str, str]:
        """Where the table is made that a text creates."""
        assert change.names is not None
        ((schema, name),) = change.names
        if change.temporary:
            return TEMPORARY, "main", name
        return DATABASE, schema or self.schema, name

    def _define(
        self, change: Change, sql: str, run: Callable[[str], list[tuple[Any, ...]]]
    ) -> None:
        names = None if change.names is None else tuple(name for _, name in change.names)
        if change.temporary or not self._temporary.isdisjoint(names or ()):
            self._temporary.update(names or ())  # it may be one of them that gets another name
        if change.temporary:
            self._declaring.update(names or () if change.creates else ())
            return
        if names == ():
            return
        number, before = self._tables.begin(names, self._since)
        said = {name for _, earlier in self._announced for name in earlier or ()}
        self._before.update({key: known for key, known in before.items() if key[1] not in said})
        self._announced.append((number, names))
        if change.drops:
            return self._drop(change, before)
        if change.names is None or change.does is None:
            return self._forget(names)
        if change.renames:
            return self._rename(change, before)
        for schema, name in change.names:
            known = {k: v for k, v in {**before, **self._own}.items() if k[1] == name}
            place = self._place(schema, name, known, change.creates)
            if place is None:
                self._forget((name,))
                continue
            found = known.get(place)
            if isinstance(found, Made) and not change.creates:
                found = self._grammar.declared(found)
            self._own.update(known)
            made = change.does(found)
            if isinstance(made, Made):
                made = replace(made, others=referenced(sql, run))
            elif made is not None and change.adds:
                made = self._grammar.with_constraint(made, change.adds, place, run)
            self._own[place] = made

    def _drop(self, change: Change, before: Mapping[Key, Known]) -> None:
        assert change.names is not None
        ((schema, name),) = change.names
        known = {k: v for k, v in {**before, **self._own}.items() if k[1] == name}
        place = self._place(schema, name, known, creates=False)
        if place is None or known.get(place) is None:
            return self._forget((name,))
        self._own.update(known)
        self._own[place] = GONE

    def _rename(self, change: Change, before: Mapping[Key, Known]) -> None:
        assert change.names is not None
        assert change.does is not None
        (schema, old), (_, new) = change.names
        known = {k: v for k, v in {**before, **self._own}.items() if k[1] == old}
        place = self._place(schema, old, known, creates=False)
        self._forget((old, new))
        if place is None:
            return
        found = known.get(place)
        if isinstance(found, Made):
            found = self._grammar.declared(found)
        self._own[place[0], new] = change.does(found)

    def _place(self, schema: str, name: str, known: Mapping[Key, Any], creates: bool) -> Key | None:
        """Which table a name means, where that is sure."""
        if schema and (creates or schema != "main" or name not in self._temporary):
            return schema, name
        if schema or (name in self._temporary and not creates):
            return None  # temporary tables are in a schema `main`, too
        own = self.schema.lower(), name
        return own if creates or self.schema == "main" or known.get(own) is not None else None

    def _forget(self, names: Iterable[str] | None) -> None:
        gone = None if names is None else set(names)
        for key in list(self._own):
            if gone is None or key[1] in gone:
                self._own[key] = None

    def failed(self) -> None:
        """What was announced last, or all that was where there is no transaction, does not come."""
        if self._since is None:
            self._undo()
        elif self._announced:
            self._forget(self._announced[-1][1])

    def commit(self) -> None:
        self._since = None

    def rollback(self) -> None:
        self._since = None
        self._undo()

    def _undo(self) -> None:
        if self._announced:
            self._tables.undo(self._announced, self._before)
            self._announced, self._own, self._before = [], {}, {}

    def over(self) -> None:
        """What was changed outside of a transaction, or committed, is there for all."""
        if self._since is None and self._announced:
            self._tables.end(self._announced, self._own)
            self._announced, self._own, self._before = [], {}, {}
