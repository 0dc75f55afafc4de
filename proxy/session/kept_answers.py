"""The answers of scalar queries, kept by what asked for them.

Why it exists: a query of no relation has one answer to the same text, or the same values, until a
setting changes: a health check or a driver's ping costs no more than finding it. Few and small are
kept, per session.
"""

from __future__ import annotations

from typing import Generic, TypeVar

_MOST, _SIZE = 16, 1024  # answers, and bytes of one with its key

K = TypeVar("K", str, bytes)


class KeptAnswers(Generic[K]):
    """Keys are the text of a query, or the body of a Bind; answers whole messages."""

    def __init__(self) -> None:
        self._answers: dict[K, bytes] = {}
        self.find = self._answers.get

    def keep(self, key: K, answer: bytes) -> None:
        if len(key) + len(answer) <= _SIZE:
            if len(self._answers) >= _MOST:
                self._answers.clear()
            self._answers[key] = answer

    def forget(self) -> None:
        """A setting has changed, or what a statement's name means."""
        self._answers.clear()
