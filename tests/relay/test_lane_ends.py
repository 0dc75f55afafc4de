"""What the compiled ends do with arrivals by themselves, and what they hand to Python untouched."""

from __future__ import annotations

import errno
import gc
import os
import socket
import weakref
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.engines import lane
from proxy.wire import messages as m

pytestmark = pytest.mark.skipif(lane.compiled is None, reason="it was not compiled")

_QUERY = m.frame(b"Q", b"SELECT 10\0")
_ANSWER = m.frame(b"D", b"\0\1\0\0\0\2" + b"10") + m.frame(b"C", b"SELECT 1\0") + m.READY["I"]


class _Client(lane.ClientEnd):
    def __init__(self) -> None:
        super().__init__()
        self.got: list[Any] = []

    def data_received(self, data: bytes) -> None:
        self.got.append(data)

    def at_end(self) -> None:
        self.got.append("end")

    def broken(self, number: int) -> None:
        self.got.append(number)


class _Backend(lane.BackendEnd):
    def __init__(self, profile: object) -> None:
        super().__init__()
        self.got: list[Any] = []
        self.profile, self.prepared, self.closing, self._buffer = profile, OrderedDict(), set(), b""

    def data_received(self, data: bytes) -> None:
        self.got.append(data)

    def broken(self, number: int) -> None:
        self.got.append(number)
        self.shut()

    def unfold(self) -> None:
        self.got.append("unfold")
        self.client.leave()


class _Pool:
    def __init__(self) -> None:
        self.idle: list[Any] = []
        self.lent: set[Any] = set()
        self.waiting: deque[Any] = deque()
        self.counters = lane.Counters()
        self.end = lane.PoolEnd(self, self.idle, self.lent, self.waiting, self.counters, 1, 10)
        self.given_back: list[Any] = []

    def give_back(self, backend: Any) -> None:
        self.given_back.append(backend)


class _Lane:
    """Clients and one backend, each with a socket whose other end is `far`'s."""

    def __init__(self, clients: int = 1) -> None:
        self.pool = _Pool()
        self.profile, self.far = object(), {}
        self.texts = lane.Texts()
        self.texts.learn(b"SELECT 00", ((7, 9),), "plan")
        self.statements: dict[str, Any] = {}
        self.unsent: list[bytes] = []
        self.backend = _Backend(self.profile)
        self.clients = [_Client() for _ in range(clients)]
        self.backend.pool = self.pool.end
        self.pool.idle.append(self.backend)
        self._near = []
        for end in (self.backend, *self.clients):
            near, self.far[end] = socket.socketpair()
            near.setblocking(False)
            self._near.append(near)
            end.open(os.dup(near.fileno()), self.unsent.append, lambda: 0)
        for client in self.clients:
            self.arm(client)

    def arm(self, client: Any) -> None:
        client.arm(self.profile, frozenset(), self.pool.end, self.texts, self.statements)

    def say(self, end: Any, data: bytes) -> None:
        self.far[end].sendall(data)
        end.readable()

    def heard(self, end: Any) -> bytes:
        self.far[end].setblocking(False)
        try:
            return self.far[end].recv(1 << 20)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        for end in (self.backend, *self.clients):
            end.shut()
        for each in (*self._near, *self.far.values()):
            each.close()


@pytest.fixture
def one() -> Iterator[_Lane]:
    made = _Lane()
    yield made
    made.close()


def test_an_exchange_passes_without_a_call(one: _Lane) -> None:
    (client,), backend, pool = one.clients, one.backend, one.pool
    for text in (b"SELECT 10", b"SELECT 97"):
        query = m.frame(b"Q", text + b"\0")
        one.say(client, query)
        assert one.heard(backend) == query
        assert (pool.idle, pool.lent, backend.client) == ([], {backend}, client)
        one.say(backend, _ANSWER)
        assert one.heard(client) == _ANSWER
        assert (pool.idle, pool.lent, backend.client) == ([backend], set(), None)
    assert not client.got
    assert not backend.got
    assert (pool.counters.lent, pool.counters.exchanges, client.take_passed()) == (2, 2, 2)


@pytest.mark.parametrize(
    "data",
    [
        *(_QUERY[:at] for at in range(1, len(_QUERY))),
        _QUERY + _QUERY,
        _QUERY + b"Q",
        m.frame(b"Q", b"SELECT 1\0"),
        m.frame(b"Q", b"SELECT 1x\0"),
        m.frame(b"Q", b"SELECT 10"),
        m.frame(b"Q", b"SELECT 10\0\0"),
        m.frame(b"B", b"\0s\0" + bytes(6)) + m.frame(b"S"),
        m.frame(b"S"),
        b"Q\0\0\0\0" + b"S",
        b"P\xff\xff\xff\xff" + bytes(20),
    ],
)
def test_what_is_not_sure_to_pass_is_handed_on_as_it_came(one: _Lane, data: bytes) -> None:
    (client,) = one.clients
    one.say(client, data)
    assert client.got == [data]
    assert one.heard(one.backend) == b""
    assert one.pool.idle == [one.backend]


@pytest.mark.parametrize(
    "answer",
    [
        *(_ANSWER[:at] for at in range(1, len(_ANSWER))),
        m.frame(b"E", b"SERROR\0\0") + m.READY["I"],
        m.frame(b"S", b"a\0b\0") + _ANSWER,
        m.frame(b"G", bytes(3)),
        _ANSWER[:-1] + b"T",
        _ANSWER + _ANSWER,
    ],
)
def test_an_answer_that_is_not_whole_and_plain_is_pythons(one: _Lane, answer: bytes) -> None:
    (client,) = one.clients
    one.say(client, _QUERY)
    one.say(one.backend, answer)
    assert one.backend.got == ["unfold", answer]
    assert one.heard(client) == b""
    assert one.pool.idle == []


@pytest.mark.parametrize("flag", ["stale", "_bulk_left", "profile", "_buffer"])
def test_a_backend_with_something_about_it_is_not_taken(one: _Lane, flag: str) -> None:
    (client,) = one.clients
    value: Any = {"profile": object(), "_buffer": b"N", "_bulk_left": 1}.get(flag, True)
    setattr(one.backend, flag, value)
    one.say(client, _QUERY)
    assert client.got == [_QUERY]
    assert one.pool.idle == [one.backend]


@pytest.mark.parametrize("flag", ["cancels", "untrusted", "expired"])
def test_a_backend_that_may_be_hit_is_given_back_by_python(one: _Lane, flag: str) -> None:
    (client,) = one.clients
    one.say(client, _QUERY)
    setattr(one.backend, flag, 1 if flag == "cancels" else True)
    one.say(one.backend, _ANSWER)
    assert one.heard(client) == _ANSWER
    assert one.pool.given_back == [one.backend]
    assert one.pool.idle == []


def test_who_comes_later_waits_for_its_turn() -> None:
    made = _Lane(3)
    try:
        first, second, third = made.clients
        made.pool.end.alarmed = True
        texts = {first: b"SELECT 11", second: b"SELECT 22", third: b"SELECT 33"}
        queries = {end: m.frame(b"Q", text + b"\0") for end, text in texts.items()}
        for end, query in queries.items():
            made.say(end, query)
        assert list(made.pool.waiting) == [second, third]
        for end in (first, second, third):
            assert made.heard(made.backend) == queries[end]
            made.say(made.backend, _ANSWER)
            assert made.heard(end) == _ANSWER
        assert made.pool.idle == [made.backend]
        assert (made.pool.counters.waits, made.pool.counters.lent) == (2, 3)
        assert [end.got for end in made.clients] == [[], [], []]
    finally:
        made.close()


def test_who_waits_can_be_called_back() -> None:
    made = _Lane(2)
    try:
        first, second = made.clients
        made.pool.end.alarmed = True
        made.say(first, _QUERY)
        made.say(second, _QUERY)
        assert second.leave() == (_QUERY, None, None)
        assert first.leave() == (b"Q", made.backend, None)
        assert first.leave() is None
        made.say(made.backend, _ANSWER)
        assert made.backend.got == [_ANSWER]
    finally:
        made.close()


def test_what_the_socket_does_not_take_is_the_transports(one: _Lane) -> None:
    (client,) = one.clients
    row = m.frame(b"D", b"\0\1" + (100_000).to_bytes(4, "big") + bytes(100_000))
    answer, times = row + m.READY["I"], 0
    while not one.unsent and times < 50:
        times += 1
        one.say(client, _QUERY)
        one.say(one.backend, answer)
    sent = b""
    while piece := one.heard(client):
        sent += piece
    assert sent + b"".join(one.unsent) == answer * times
    assert client.unsent


def test_ends_and_errors_are_told(one: _Lane) -> None:
    (client,) = one.clients
    one.far[client].close()
    client.readable()
    assert client.got == ["end"]
    client.shut()
    client.readable()
    assert client.got == ["end"]


def test_a_poller_tells_ends_and_errors_until_it_is_told_not_to(one: _Lane) -> None:
    (client,), backend = one.clients, one.backend
    poller = lane.compiled.Poller()
    client.watch(poller)
    backend.watch(poller)
    one.far[client].sendall(b"X")
    poller.turn()
    assert client.got == [b"X"]
    client.ignore()
    one.far[client].sendall(b"Y")
    poller.turn()
    assert client.got == [b"X"]
    client.watch(poller)
    poller.turn()
    assert client.got == [b"X", b"Y"]
    one.say(client, _QUERY)
    one.far[backend].close()  # what was sent there is not read any more: the connection is reset
    poller.turn()
    assert backend.got == [errno.ECONNRESET]
    client.shut()
    backend.shut()
    poller.turn()


def test_an_end_may_leave_while_others_are_told() -> None:
    made = _Lane(2)
    try:
        poller = lane.compiled.Poller()
        for client in made.clients:
            client.watch(poller)
            made.far[client].sendall(b"X")
            client.others = made.clients
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(_Client, "data_received", _shut_all)
            poller.turn()
        assert sorted(len(client.got) for client in made.clients) == [0, 1]
        poller.turn()
    finally:
        made.close()


def _shut_all(self: Any, data: bytes) -> None:
    self.got.append(data)
    for other in self.others:
        other.shut()


def test_what_is_in_a_circle_is_freed() -> None:
    made = _Lane()
    made.clients[0].itself = made
    made.say(made.clients[0], _QUERY)
    gone = weakref.ref(made.clients[0]), weakref.ref(made.backend)
    made.close()
    del made
    gc.collect()
    assert [each() for each in gone] == [None, None]


_ROWS = b"".join(m.frame(b"D", b"x" * size) for size in (0, 1, 7, 300)) + m.frame(
    b"C", b"SELECT 4\0"
)


@pytest.mark.parametrize("size", [*range(1, 24), len(_ROWS) - 9, len(_ROWS) - 1, len(_ROWS)])
@pytest.mark.parametrize("kind", [b"D", b"C"])
def test_frames_of_one_kind_end_where_python_says(size: int, kind: bytes) -> None:
    for data in (_ROWS[:size], memoryview(_ROWS)[:size]):
        asked = (data, 0, kind[0])
        assert lane.compiled.past_frames(*asked) == lane._past_frames(*asked)


def test_frames_end_before_another_kind_and_past_one_that_is_not_whole() -> None:
    rows = len(_ROWS) - 14
    assert lane.past_frames(_ROWS, 0, b"D"[0]) == rows
    assert lane.past_frames(_ROWS, rows, b"D"[0]) == rows
    assert lane.past_frames(_ROWS[: rows - 1], 0, b"D"[0]) == rows
