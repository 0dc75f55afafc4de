"""What answers a request to Postgres: by which of its frames the answer ends, and whose it is."""

from __future__ import annotations

from typing import NamedTuple

from proxy.engines.prepared import PreparedText, RelayedStatement


class Reply(NamedTuple):
    """What answers one request, and what becomes of it.

    ends: the frame types that end it; none for an answer of our own, `local`, that only waits for
    its turn. forward: whether the client sees it. collect: takes the bodies of DataRow frames.
    text: the statement that a Parse or Close is about. describes: whose result a Describe tells. parses: whose
    text a client's Parse brings.
    """

    ends: frozenset[int]
    forward: bool = True
    local: bytes = b""
    collect: list[bytes] | None = None
    text: PreparedText | None = None
    describes: RelayedStatement | None = None
    parses: RelayedStatement | None = None

    def swallowed(self) -> Reply:
        return self._replace(forward=False)


QUERY = SYNC = Reply(frozenset(b"Z"))
PARSE, BIND, CLOSE = (Reply(frozenset(kind)) for kind in (b"1", b"2", b"3"))
DESCRIBE = Reply(frozenset(b"Tn"))
EXECUTE = Reply(frozenset(b"CIsGW"))
ERROR = Reply(frozenset(b"E"))
RUN = Reply(frozenset(b"Z"), local=b"run")
SWALLOWED_QUERY = QUERY.swallowed()
PROVOKED = ERROR.swallowed()
