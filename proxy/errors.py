"""Errors as values: the one exception that every layer raises for what a client did or met.

It lives above `proxy.wire` and `proxy.sql`, which must not know each other, so that a parser, an
engine and the protocol speak of failures in the same terms. Bytes are made of it in one place,
`proxy.wire.messages.error_response`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping


class SqlError(Exception):
    """A failure as a Postgres client sees it.

    sqlstate: five characters, from Postgres's appendix A (or `HDxxx`, the runtime's own class).
    position: 1-based character offset into the text that the client sent, where known.
    where: the context in which it arose, such as the line of a COPY.
    objects: what it is about, by the codes of the protocol's fields: `s` schema, `t` table, `c`
        column, `d` data type, `n` constraint.
    routine: the name that Postgres's own source would report, where drivers act on it.
    severity: `ERROR` ends the statement, `FATAL` ends the session.
    collided: the statement has met another transaction's, and may succeed once that has ended.
    """

    collided = False

    def __init__(
        self,
        sqlstate: str,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        position: int | None = None,
        where: str | None = None,
        objects: Mapping[str, str] | None = None,
        severity: str = "ERROR",
        routine: str | None = None,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position
        self.where = where
        self.objects = objects or {}
        self.severity = severity
        self.routine = routine

    def __str__(self) -> str:
        return f"{self.sqlstate}: {self.message}"

    def __reduce__(self) -> tuple[Callable[..., SqlError], tuple[object, ...]]:
        return _made_again, (type(self), self.args, self.__dict__)


def _made_again(
    kind: type[SqlError], args: tuple[object, ...], fields: dict[str, object]
) -> SqlError:
    """The error in another process: what raised it stays behind."""
    made = kind.__new__(kind, *args)
    made.__dict__.update(fields)
    return made
