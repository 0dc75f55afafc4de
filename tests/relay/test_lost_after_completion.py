"""A connection that is lost between a statement's end and ReadyForQuery has not lost the statement.

Postgres commits before it says CommandComplete, so a client that has seen it is told nothing else;
a second answer to one statement would break its driver's count. The moment is too short to hit with
a real Postgres (`test_hammer` does, now and then), so a backend is given the bytes here.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from proxy.engines import replies
from proxy.engines.backend import Backend
from proxy.errors import SqlError
from proxy.wire import messages as m

_COMPLETE = m.frame(b"C", b"COPY 20\0")
_ERROR = m.error_response(SqlError("22012", "division by zero"))


class _Sink:
    """A transport whose peer takes everything."""

    def write(self, data: bytes) -> None:
        return None

    def set_write_buffer_limits(self, high: int) -> None:
        return None


async def _settled(answer: bytes, statements: int, *expected: replies.Reply) -> bool:
    """replies: of what was sent; by default, of a simple query."""
    backend = Backend()
    backend.connection_made(cast(Any, _Sink()))
    backend._startup = None
    backend.attach(lambda data: None, lambda name, value: None, lambda lost: None)
    backend.send(m.frame(b"Q", b"SELECT 1\0"), *(expected or (replies.QUERY,)))
    waiting = asyncio.ensure_future(backend.settle(statements))
    await asyncio.sleep(0)
    backend.data_received(answer)
    backend.connection_lost(None)
    return await waiting


def test_what_has_completed_stands() -> None:
    assert asyncio.run(_settled(_COMPLETE, 1))
    assert asyncio.run(_settled(_COMPLETE * 2, 2))


@pytest.mark.parametrize(
    ("answer", "statements"),
    [(b"", 1), (_COMPLETE, 2), (_COMPLETE[:-1], 1), (_ERROR, 1), (_COMPLETE + _ERROR, 1)],
    ids=["nothing came", "one of two", "in part", "an error", "an error at the end"],
)
def test_what_has_not_completed_is_lost(answer: bytes, statements: int) -> None:
    with pytest.raises(SqlError) as raised:
        asyncio.run(_settled(answer, statements))
    assert raised.value.sqlstate == "08006"


def test_without_a_simple_query_nothing_stands_before_its_sync() -> None:
    with pytest.raises(SqlError):
        asyncio.run(_settled(_COMPLETE, 0, replies.SYNC))


def test_what_was_sent_on_our_own_account_completes_nothing() -> None:
    with pytest.raises(SqlError):
        asyncio.run(_settled(_COMPLETE + m.READY["I"], 1, replies.SWALLOWED_QUERY, replies.QUERY))


def test_what_was_completed_before_says_nothing_of_the_next_statement() -> None:
    """A backend that is lent in the moment in which it is lost has not run what it is lent for."""

    async def lent_when_lost() -> tuple[bool, bool]:
        backend = Backend()
        backend.connection_made(cast(Any, _Sink()))
        backend._startup = None
        backend.attach(lambda data: None, lambda name, value: None, lambda lost: None)
        backend.run(m.frame(b"Q", b"SELECT 1\0"), lambda: None)
        notice = m.notice_response(SqlError("00000", "so"), "NOTICE")
        backend.data_received(notice + _COMPLETE)
        backend.data_received(m.READY["I"])
        before = backend.has_completed(1)
        backend.connection_lost(None)
        backend.run(m.frame(b"Q", b"SELECT 2\0"), lambda: None)
        return before, backend.has_completed(1)

    assert asyncio.run(lent_when_lost()) == (True, False)
