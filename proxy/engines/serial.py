"""SERIALIZABLE transactions: of two that overlap and have both written, the later one is not committed.

Why it exists: each of DuckDB's transactions reads a snapshot, and fails only where it changes what another one
has changed. Two that each read what the other one writes could be committed although neither order
of them would have given that.

Promises: what is committed of such transactions is what they would have left one after the other. Which rows, and
even which tables, each has read is not looked at: more fail (40001) than in Postgres.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from proxy.errors import SqlError


class SerialCommits:
    """Of all sessions; one for an engine. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0

    def number(self) -> int:
        """How many there were: to be asked before a transaction has its snapshot."""
        return self._number

    @contextmanager
    def commit(self, since: int | None) -> Iterator[None]:
        """Around a commit. since: the number when the transaction began; None for one that need not be serial.

        Raises SqlError 40001.
        """
        if since is None:
            yield
            return
        with self._lock:
            self.check(since)
            yield
            self._number += 1

    def check(self, since: int) -> None:
        """Raises SqlError 40001 where `commit` would."""
        if self._number != since:
            raise SqlError(
                "40001",
                "could not serialize access due to read/write dependencies among transactions",
                detail="Another SERIALIZABLE transaction that has written was committed since this one began.",
                hint="The transaction might succeed if retried.",
            )
