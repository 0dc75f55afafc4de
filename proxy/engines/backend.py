"""One connection to Postgres, and its bytes passed on as they come.

Answers are not decoded: frames are cut at their headers and handed to the client in the slices in
which they arrived. What the relay must know - which reply ends which request, what failed, what is
ours to swallow - it reads from the frames' types alone. Requests are pipelined: `send` records what
must come back for each message, `settle` waits until all of it has. A whole exchange that the client
sees unchanged goes the short way, `run`: one check for its end, one write, no task woken.

A backend also remembers what it has been made to know: the settings it was given (`profile`) and
the statements prepared on it (`prepared`), by which the next client finds it in order.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from proxy.engines import lane, replies
from proxy.engines.lane import BackendEnd, PoolEnd
from proxy.engines.postgres import StartingConnection, _texts, read_error
from proxy.engines.prepared import PreparedText, RelayedStatement, in_clients_words
from proxy.engines.replies import Reply
from proxy.errors import SqlError
from proxy.wire import messages as m

if TYPE_CHECKING:
    from proxy.engines.profile import Profile

_length = struct.Struct("!I").unpack_from
_head = struct.Struct("!BI").unpack_from

# Frames that may be handed on piecemeal: nothing is learned from them, and they may be large.
_BULK = frozenset(b"Dd")
# Frames that answer no request: they reach the client whatever is being waited for.
_UNASKED = frozenset(b"NA")
_ROW = b"D"[0]
_PARAMETER_STATUS, _ERROR, _READY, _COPY_IN = b"SEZG"
_PARSED, _CLOSED, _PARAMETERS = b"13t"
_COMPLETED = frozenset(b"CI")
_READY_HEAD = b"Z\0\0\0\5"
_LAST = 6  # bytes of ReadyForQuery
# What an exchange may hold that is the client's alone: nothing is learned from these.
_PLAIN = frozenset(b"12nTDCIsN")


ClientName = Callable[[bytes, RelayedStatement | None], bytes | None]
"""The client's name of a statement by its name on the backend, or for what is unnamed there."""

_PROTOCOL_VIOLATION = "08P01"


class Backend(BackendEnd, StartingConnection):
    """A connection that is ready; what is to be forwarded goes to the `client` given to `attach`."""

    def __init__(self) -> None:
        BackendEnd.__init__(self)
        StartingConnection.__init__(self)
        self.pool: PoolEnd | None = None
        self.status = "I"
        self.failed = False  # an ErrorResponse came since the last `settle`
        self.copying = False  # Postgres asked for COPY data and has not been given its end
        self.profile: Profile | None = None  # the settings it has; None: not known any more
        self.prepared: OrderedDict[bytes, PreparedText] = OrderedDict()
        self.sending: set[bytes] = set()  # ... whose Parse is on its way
        self.closing: set[bytes] = set()  # ... whose Close is
        self.recent: PreparedText | None = None  # the one used last
        self.unnamed: RelayedStatement | None = None  # whose text the unnamed statement is
        self.cancels = 0  # requests to cancel that may still be on their way to it
        self.untrusted = False  # a cancel may come at any time: not to be used again
        self.heard = 0  # counts arrivals
        self.completed = 0  # statements of the client's last simple query, by their CommandComplete
        self.born = self.idle_since = 0.0
        self.expired = False  # older than its lifetime
        self.stale = False  # long idle: to be asked for a sign of life before it is used
        self.on_lost: Callable[[Backend], None] = _nobody_cares
        self.client_name: ClientName = unknown  # of whoever it answers
        self._expected: deque[Reply] = deque()
        self._buffer = b""
        self._bulk_left = 0
        self._bulk_forward = False
        self._waiter: asyncio.Future[None] | None = None
        self._client: Callable[[bytes | memoryview], None] = _nobody
        self._on_parameter: Callable[[str, str], None] = _nothing
        self._done: Callable[[], None] | None = None  # of the exchange that `run` began
        self._on_own_error: Callable[[SqlError], None] | None = None
        self._lost: SqlError | None = None

    # --- asyncio.Protocol ---------------------------------------------------------------------

    def take_over(self) -> None:
        """It is ready: from here on it reads its socket itself, where that is compiled."""
        assert self._transport is not None
        lane.take_over(self, self._transport)

    def at_end(self) -> None:
        """Postgres has closed the connection."""
        assert self._transport is not None
        lane.let_go(self)
        self._transport.close()

    def broken(self, number: int) -> None:
        """Nothing can be read any more; number: errno."""
        assert self._transport is not None
        self.connection_lost(OSError(number, os.strerror(number)))
        self._transport.abort()

    def unfold(self) -> None:
        """An exchange that passes without Python is Python's from here on."""
        if self.client is not None:
            self.client.unfold()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        lane.let_go(self)
        self._lose(
            SqlError(
                "08006",
                "the connection to the control-plane Postgres was lost",
                detail=str(exc) if exc else None,
            )
        )

    def _lose(self, error: SqlError) -> None:
        self.unfold()
        if self._lost is None:
            self._lost = error
        self._wake()
        on_lost, self.on_lost = self.on_lost, _nobody_cares
        on_lost(self)
        if (done := self._done) is not None:
            self._done = None
            done()

    def data_received(self, data: bytes) -> None:
        self.heard += 1
        if (
            self._done is not None
            and self._expected[0] is replies.RUN
            and not self._buffer
            and not self._bulk_left
        ):
            end = len(data) - _LAST
            if data[end:-1] == _READY_HEAD:
                at = 0
                while at < end:
                    kind, length = _head(data, at)
                    if kind not in _PLAIN:
                        break
                    at = lane.past_frames(data, at + 1 + length, kind)
                if at == end:
                    self.status = "I" if data[-1] == 73 else chr(data[-1])
                    self._expected.clear()
                    done, self._done = self._done, None
                    self._client(data)
                    done()
                    return
        if self._startup is not None:
            super().data_received(data)
            return
        begun = 0
        if self._bulk_left:
            begun = min(self._bulk_left, len(data))
            self._bulk_left -= begun
            if begun == len(data):
                if self._bulk_forward:
                    self._client(data)
                return
            if not self._bulk_forward:
                data, begun = data[begun:], 0
        elif self._buffer:
            data = self._buffer + data
        self._buffer = self._relay(data, begun)

    # --- relaying -----------------------------------------------------------------------------

    def attach(
        self,
        client: Callable[[bytes | memoryview], None],
        on_parameter: Callable[[str, str], None],
        on_lost: Callable[[Backend], None],
    ) -> None:
        """client: takes slices of frames. on_parameter: told of each forwarded ParameterStatus."""
        self._client, self._on_parameter, self.on_lost = client, on_parameter, on_lost
        self.failed = False
        self.unsent = True

    def detach(self, on_lost: Callable[[Backend], None]) -> None:
        """Nobody's for now; what still comes is dropped."""
        self._client, self._on_parameter, self.on_lost = _nobody, _nothing, on_lost

    def send(self, data: bytes, *replies: Reply) -> None:
        """Writes messages and records the reply that each will have."""
        if self._lost is not None:
            raise self._lost
        assert self._transport is not None
        self._expected.extend(replies)
        self._transport.write(data)

    def query(self, text: str, reply: Reply = replies.SWALLOWED_QUERY) -> None:
        """Writes a simple Query; Postgres forgets the unnamed statement with it."""
        self.send(m.frame(b"Q", m.cstring(text)), reply)
        self.unnamed = None

    def run(self, data: bytes, done: Callable[[], None]) -> None:
        """Sends a whole exchange whose answer the client sees as it is, ReadyForQuery included.

        Nothing is raised: when the connection is lost, or has been, `done` is called.

        done: called once the answer has been handed on, or when the connection is lost before.
        """
        assert self._transport is not None
        if self._lost is not None:
            self.completed = 0  # of what was asked before
            done()
            return
        self.expect(done)
        self._transport.write(data)

    def expect(self, done: Callable[[], None]) -> None:
        """An exchange, as `run` takes it, has been sent."""
        self._expected.append(replies.RUN)
        self.completed = 0
        self._done = done

    def answer(self, data: bytes) -> None:
        """An answer of our own, in its turn among Postgres's."""
        if self._expected:
            self._expected.append(Reply(frozenset(), local=data))
        else:
            self._client(data)

    async def settle(self, statements: int = 0) -> bool:
        """Waits for every recorded reply, or for Postgres to ask for COPY data; True: no error came.

        statements: of a simple query, where that is what was sent. Once all have completed, nothing
        of it can fail any more: Postgres commits before it says so.

        Raises `SqlError` 08006 and the like when the backend is gone.
        """
        while self._expected and not self.copying and self._lost is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._lost is not None and not self.has_completed(statements):
            raise self._lost
        failed, self.failed = self.failed, False
        return not failed

    def has_completed(self, statements: int) -> bool:
        """Whether the client has been told the end of every statement of a simple query."""
        return 0 < statements <= self.completed and not self.failed

    async def ask(self, sql: str) -> list[tuple[str | None, ...]]:
        """The rows of a query of our own, as texts. Raises `SqlError` when it fails."""
        rows: list[bytes] = []
        errors: list[SqlError] = []
        reported, self._on_own_error = self._on_own_error, errors.append
        try:
            self.query(sql, replies.SWALLOWED_QUERY._replace(collect=rows))
            await self.settle()
        finally:
            self._on_own_error = reported
        if errors:
            raise errors[0]
        return [_cells(row) for row in rows]

    @property
    def alive(self) -> bool:
        return self._lost is None

    @property
    def error(self) -> SqlError:
        """Why it is not alive any more."""
        assert self._lost is not None
        return self._lost

    @property
    def torn(self) -> bool:
        """The client has been given a part of a frame whose rest will not come."""
        return bool(self._bulk_left) and self._bulk_forward

    @property
    def sound(self) -> bool:
        """It answers nobody just now, and whoever comes next may have it."""
        return not (self.busy or self.cancels or self.untrusted or self.expired or self._lost)

    @property
    def busy(self) -> bool:
        return bool(self._expected) or self.client is not None

    def pause(self) -> None:
        if self._transport is not None and self._lost is None:
            lane.pause_reading(self, self._transport)

    def resume(self) -> None:
        if self._transport is not None and self._lost is None:
            lane.resume_reading(self, self._transport)

    def close(self) -> None:
        """Says goodbye, unless Postgres is not listening just now."""
        self.unfold()
        lane.let_go(self)
        if self._transport is not None and not self._transport.is_closing():
            if self._startup is None and not self._expected:
                self._transport.write(m.frame(b"X"))
                self._transport.close()
            else:
                self._transport.abort()
        self._lost = self._lost or SqlError("08006", "the connection is closed")

    def give_up(self, error: SqlError) -> None:
        """Postgres does not answer: whoever waits for it gets the error now."""
        self._lose(error)
        lane.let_go(self)
        if self._transport is not None:
            self._transport.abort()

    def knows(self, text: PreparedText) -> bool:
        """Whether the statement is prepared here, or will be once what was sent has been read."""
        name = text.name
        return (name in self.prepared and name not in self.closing) or name in self.sending

    def used(self, text: PreparedText) -> None:
        """It is the one to close last."""
        if self.recent is not text and text.name in self.prepared:
            self.prepared.move_to_end(text.name)
            self.recent = text

    def forget_prepared(self) -> None:
        self.prepared.clear()
        self.unnamed = None

    def _relay(self, data: bytes, begun: int) -> bytes:
        """Passes whole frames on in as few slices as possible; returns what is not whole yet.

        begun: bytes of the end of a frame whose beginning the client has.
        """
        view, size = memoryview(data), len(data)
        at, kept = begun, 0  # data[kept:at] has been read and is still to be passed on
        while size - at >= 5:
            kind = data[at]
            end = at + 1 + _length(data, at + 1)[0]
            if kind in _BULK:
                current = self._expected[0] if self._expected else None
                if current is not None and current.collect is not None:
                    if end > size:
                        break
                    current.collect.append(data[at + 5 : end])
                forward = current is None or current.forward
                if forward:
                    end = lane.past_frames(data, end, kind)
                if end > size:
                    self._bulk_left, self._bulk_forward = end - size, forward
                    end = size
            elif end > size:
                break
            else:
                forward = self._note(kind, data[at + 5 : end])
            if not forward:
                if kept < at:
                    self._client(view[kept:at])
                kept = end
            at = end
            if self._expected and not self._expected[0].ends:
                if kept < at:
                    self._client(view[kept:at])
                kept = at
                self._give_own_answers()
        if kept < at:
            self._client(view[kept:at])
        if not self._expected or self.copying:
            self._wake()
            if self._done is not None and not self._expected:
                done, self._done = self._done, None
                done()
        return data[at:]

    def _note(self, kind: int, body: bytes) -> bool:
        """Learns from one frame; True when the client is to see it."""
        if kind in _UNASKED:
            return self._client is not _nobody
        current = self._expected[0] if self._expected else None
        forward = current is None or current.forward
        if kind == _PARAMETER_STATUS:
            if forward:
                self._on_parameter(*_texts(body, 2))
            return forward
        if kind == _ERROR:
            return self._note_error(body, current)
        if kind == _READY:
            self.status = chr(body[0])
            forward = current is replies.RUN
            self._drop_until_ready()
            current = self._expected[0] if self._expected else None
        if current is None:
            return forward
        if kind == _COPY_IN:
            self.copying = True
        elif kind in _COMPLETED and forward:
            self.completed += 1
        elif kind == _PARAMETERS and current.describes is not None:
            current.describes.told_parameters(body)
        if kind in current.ends:
            if current.text is not None:
                self._note_prepared(kind, current.text)
            if current.describes is not None:
                current.describes.told_result(kind, body)
            self._expected.popleft()
        return forward

    def _note_error(self, body: bytes, current: Reply | None) -> bool:
        self.copying = False
        unnamed, self.unnamed = self.unnamed, None
        error = read_error(body)
        if error.severity == "FATAL":
            # It ends this connection, not the client's session: `settle` says so in its own words.
            error.severity = "ERROR"
            self._lost = self._lost or error
            return False
        if current is None:
            return True
        if current.forward and error.routine == "RevalidateCachedQuery":
            for text in self.prepared.values():
                text.retired = True  # whose result has changed is not said: all are prepared anew
        provoked = current == replies.PROVOKED
        self._drop_until_ready()
        if not current.forward and self._on_own_error is not None:
            self._on_own_error(error)
            return False
        self.failed = self.failed or not provoked
        if error.sqlstate == _PROTOCOL_VIOLATION and not provoked:
            told = in_clients_words(body, lambda name: self.client_name(name, unnamed))
            self._expected.appendleft(Reply(frozenset(), local=told))
            return False
        return not provoked

    def _note_prepared(self, kind: int, text: PreparedText) -> None:
        if kind == _PARSED:
            self.sending.discard(text.name)
            self.prepared[text.name] = self.recent = text
        elif kind == _CLOSED:
            self.closing.discard(text.name)
            self.prepared.pop(text.name, None)

    def _drop_until_ready(self) -> None:
        """After an error Postgres answers nothing more before its ReadyForQuery."""
        while self._expected and _READY not in self._expected[0].ends:
            reply = self._expected.popleft()
            if reply.parses is not None:
                reply.parses.was_refused()
            text = reply.text
            if text is not None:
                self.sending.discard(text.name)
                self.closing.discard(text.name)

    def _give_own_answers(self) -> None:
        while self._expected and not self._expected[0].ends:
            self._client(self._expected.popleft().local)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def unknown(name: bytes, unnamed: RelayedStatement | None) -> bytes | None:
    """The client's name of a statement where nobody knows it."""
    return None


def _nobody(data: bytes | memoryview) -> None:
    return None


def _nothing(name: str, value: str) -> None:
    return None


def _nobody_cares(backend: Backend) -> None:
    return None


def _cells(row: bytes) -> tuple[str | None, ...]:
    """The values of one DataRow's body, in text format."""
    cells: list[str | None] = []
    at = 2
    for _ in range(int.from_bytes(row[:2], "big")):
        length = int.from_bytes(row[at : at + 4], "big", signed=True)
        at += 4
        cells.append(None if length < 0 else row[at : at + length].decode())
        at += max(length, 0)
    return tuple(cells)
