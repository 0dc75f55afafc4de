"""What COMMIT does to temporary tables that say so: ON COMMIT DROP, ON COMMIT DELETE ROWS.

Why it exists: DuckDB's temporary tables stay as they are. Which are meant is known by their names, so a table is
followed while it is renamed or dropped, and where a savepoint undoes that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from proxy.sql.definitions.touched import Touched
from proxy.sql.quoting import quoted

_OWN_SCHEMAS = frozenset({None, "temp", "pg_temp"})


@dataclass(slots=True)
class _Table:
    """made, gone: after how many of the block's writes; None: before the block, not at all."""

    name: str
    drops: bool
    made: int | None
    gone: int | None = None


class OnCommit:
    """One session's."""

    def __init__(self) -> None:
        self._tables: list[_Table] = []

    @property
    def empties(self) -> bool:
        """Whether there is a table that every transaction leaves empty."""
        return any(not one.drops for one in self._tables)

    def made(self, name: str, drops: bool, writes: int) -> None:
        """A table of this name is about to be made."""
        self._tables.append(_Table(name, drops, writes))

    def wrote(self, kind: str, touched: Iterable[Touched], writes: int) -> None:
        """A definition has run, the last of so many writes."""
        for item in touched if self._tables else ():
            if item.name is None or item.schema not in _OWN_SCHEMAS:
                continue
            there = [one for one in self._there() if one.name.lower() == item.name.lower()]
            if there and (kind == "DROP TABLE" or item.renamed is not None):
                there[0].gone = writes - 1
                if item.renamed is not None:
                    self._tables.append(_Table(item.renamed, there[0].drops, writes - 1))

    def statements(self) -> list[str]:
        """What COMMIT has to run before."""
        return [
            f"{'DROP TABLE IF EXISTS' if one.drops else 'DELETE FROM'} {quoted('temp', 'main', one.name)}"
            for one in self._there()
        ]

    def back_to(self, writes: int) -> None:
        """What came behind the first so many of the block's writes is undone."""
        self._tables = [one for one in self._tables if one.made is None or one.made < writes]
        for one in self._tables:
            if one.gone is not None and one.gone >= writes:
                one.gone = None

    def ended(self, committed: bool) -> None:
        """The block is over."""
        kept = [one for one in self._there() if not one.drops] if committed else self._tables
        self._tables = [one for one in kept if committed or one.made is None]
        for one in self._tables:
            one.made = one.gone = None

    def forget(self) -> None:
        """There are no temporary tables any more."""
        self._tables.clear()

    def _there(self) -> list[_Table]:
        return [one for one in self._tables if one.gone is None]
