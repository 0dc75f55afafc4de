"""The same COPY on two servers, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """What a client is told. where: the place in the data."""

    sqlstate: str | None
    message: str | None = None
    where: str | None = None


@dataclass
class Side:
    connection: psycopg.Connection
    url: str

    def load(self, sql: str, data: bytes | Iterable[bytes]) -> int | Failure:
        """COPY FROM STDIN; how many rows it says it loaded, or why it did not."""
        cursor = self.connection.cursor()
        try:
            with cursor.copy(sql) as copy:
                for piece in [data] if isinstance(data, bytes) else data:
                    copy.write(piece)
        except psycopg.Error as error:
            found = error.diag
            where = (found.context or "").rpartition("\n")[2]  # before it: of the value, as json's
            return Failure(error.sqlstate, found.message_primary, where or None)
        return cursor.rowcount

    def unload(self, sql: str) -> bytes | Failure:
        """All that COPY TO STDOUT sends."""
        try:
            with self.connection.cursor().copy(sql) as copy:
                return b"".join(map(bytes, copy))
        except psycopg.Error as error:
            return Failure(error.sqlstate, error.diag.message_primary)

    def messages(self, sql: str) -> list[bytes]:
        """The same, message by message."""
        with self.connection.cursor().copy(sql) as copy:
            return [bytes(piece) for piece in copy]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


@dataclass
class Both:
    ours: Side
    theirs: Side
    _tables: list[str] = field(default_factory=list)

    def execute(self, sql: str) -> None:
        for side in (self.ours, self.theirs):
            side.connection.execute(sql)

    def table(self, name: str, columns: str) -> str:
        self._tables.append(name)
        self.execute(f"DROP TABLE IF EXISTS {name}")
        # DuckDB's BIT has any length.
        self.ours.connection.execute(f"CREATE TABLE {name} ({columns.replace('varbit', 'bit')})")
        self.theirs.connection.execute(f"CREATE TABLE {name} ({columns})")
        return name

    def drop(self) -> None:
        for name in self._tables:
            self.execute(f"DROP TABLE IF EXISTS {name}")

    def same(self, act: Callable[[Side], T]) -> T:
        """What both answer, which must be the same."""
        mine, right = act(self.ours), act(self.theirs)
        assert mine == right
        return mine
