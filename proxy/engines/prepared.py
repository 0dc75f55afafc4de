"""Prepared statements over many backends: a client's name here, names of our own there.

A client's statement lives in its session. On the backends it is known by its *content*: equal texts
prepared under equal settings share one server-side statement, whichever client uses it, prepared on
a backend when first needed there and closed least recently used first.

- A client's Parse always reaches Postgres, as the unnamed statement, so its errors, and what a
  Describe behind it tells, are as fresh as Postgres's own.
- Once a client has been told what a statement returns, it is never given anything else: before it is
  prepared on another backend that backend is asked, and a difference is Postgres's own error for it
  (0A000 *cached plan must not change result type*).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable

from proxy.engines.lane import StatementEnd, TextEnd
from proxy.engines.profile import Profile
from proxy.errors import SqlError
from proxy.wire import messages as m

MOST_ON_A_BACKEND = 200
_MOST_KNOWN = 4096


class PreparedText(TextEnd):
    """A statement as the backends know it. body: its Parse message behind the name."""

    __slots__ = ()

    def __init__(self, name: bytes, body: bytes) -> None:
        self.name = name
        self.body = body
        self.retired = False  # prepared where what it returns was something else
        self.result: tuple[object, ...] | None = None


class PreparedTexts:
    """All of them, by profile and content."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, bytes], PreparedText] = OrderedDict()
        self._prefix = b"hd_" + secrets.token_hex(4).encode() + b"_"
        self._count = 0

    def __len__(self) -> int:
        return len(self._known)

    def get(self, profile: Profile, body: bytes) -> PreparedText:
        key = (profile.matter, body)
        found = self._known.get(key)
        if found is None or found.retired:
            found = self._known[key] = self.private(body)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return found

    def private(self, body: bytes) -> PreparedText:
        """One that nobody else will find."""
        self._count += 1
        return PreparedText(b"%s%d" % (self._prefix, self._count), body)


class RelayedStatement(StatementEnd):
    """A client's prepared statement that belongs to Postgres. body: its Parse behind the name."""

    __slots__ = ()

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.result: tuple[object, ...] | None = None  # what its client was told that it returns
        self.text: PreparedText | None = None
        self.text_profile: object = None

    @property
    def refused(self) -> bool:
        """Whether Postgres did not take its Parse: then there is no such statement."""
        return not self.body

    def was_refused(self) -> None:
        self.body = b""

    def told_parameters(self, body: bytes) -> None:
        """A ParameterDescription went to the client: these types are what it will send."""
        query = self.body[: self.body.index(0) + 1]
        if self.body != query + body:
            self.body, self.text = query + body, None

    def told_result(self, kind: int, body: bytes) -> None:
        """A RowDescription or NoData went to the client."""
        if self.result is None:
            self.result = result_of(kind, body)
            if self.text is not None and self.text.result not in (None, self.result):
                self.text.retired, self.text = True, None


def in_clients_words(body: bytes, client_name: Callable[[bytes], bytes | None]) -> bytes:
    """An ErrorResponse with the client's name of the prepared statement that its message quotes.

    body: of Postgres's own. client_name: by the name there; None where the client has no such.
    """
    fields = body.split(b"\0")
    for at, field in enumerate(fields):
        before, quote, rest = field.partition(b'"')
        name, end, after = rest.partition(b'"')
        if field[:1] == b"M" and quote and end and (told := client_name(name)) is not None:
            fields[at] = b"".join((before, quote, told, end, after))
    return m.frame(b"E", b"\0".join(fields))


def result_of(kind: int, body: bytes) -> tuple[object, ...]:
    """Names, types and modifiers of a RowDescription's columns; () for NoData."""
    if kind != b"T"[0]:
        return ()
    columns: list[object] = []
    at = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        end = body.index(0, at)
        columns.append((body[at:end], body[end + 7 : end + 11], body[end + 13 : end + 17]))
        at = end + 19
    return tuple(columns)


def changed_result() -> SqlError:
    return SqlError(
        "0A000", "cached plan must not change result type", routine="RevalidateCachedQuery"
    )
