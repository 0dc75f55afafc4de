"""Legal frames in illegal orders: every session is answered or hung up on, none hangs, none harms another."""

from __future__ import annotations

import random
import socket
import struct
from typing import Any

import pytest

_STATEMENTS = [
    *(b"select 1", b"select $1::int", b"begin", b"commit", b"rollback", b"", b";;"),
    *(b"select * from hd_runtime.tasks", b"select version()", b"select * from pg_nothing"),
    *(b"savepoint a", b"rollback to a", b"release a", b"select 1/0", b"select 'a"),
    *(b"declare c cursor for select 1", b"fetch 5 from c", b"move c", b"close c"),
    *(b"prepare p as select 1", b"execute p", b"deallocate all", b"discard all"),
    *(b"select 1; select version(); select 2", b"begin; select version(); select 1/0"),
    *(b"set timezone='UTC'", b"show all", b"listen x", b"explain select 1"),
    *(b"create temp table fuzz(a int)", b"insert into fuzz values(1)", b"copy fuzz from stdin"),
]
_LAST = b"select 4242424242"


def _frame(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _message(chance: random.Random, garbage: float) -> bytes:
    kind = bytes([chance.choice(b"QPBDECHSdcf")])
    if chance.random() < garbage:
        return _frame(kind, chance.randbytes(chance.randrange(30)))
    name = chance.choice([b"\0", b"s1\0", b"s2\0"])
    portal = chance.choice([b"\0", b"p1\0", b"c\0"])
    statement = chance.choice(_STATEMENTS) + b"\0"
    bodies = {
        b"Q": statement,
        b"P": name + statement + b"\0\0",
        b"B": portal
        + name
        + b"\0\0"
        + chance.choice([b"\0\0", b"\0\1\0\0\0\0017"])
        + chance.choice([b"\0\0", b"\0\1\0\1"]),
        b"D": chance.choice([b"S" + name, b"P" + portal]),
        b"C": chance.choice([b"S" + name, b"P" + portal]),
        b"E": portal + struct.pack("!i", chance.choice([0, 1, 2, -1])),
        b"d": b"1\n",
        b"f": b"why\0",
    }
    return _frame(kind, bodies.get(kind, b""))


@pytest.mark.parametrize("garbage", [0.0, 0.1])
def test_no_order_of_messages_hangs_a_session(server: Any, garbage: float) -> None:
    chance = random.Random(f"orders {garbage}")
    with server.connect() as bystander:
        for _ in range(400):
            sent = [_message(chance, garbage) for _ in range(chance.randrange(1, 25))]
            _exchange(server, sent)
            assert bystander.execute("SELECT 1").fetchone() == (1,)
    assert "unexpected error" not in server.process.log()


def _exchange(server: Any, sent: list[bytes]) -> None:
    startup = struct.pack("!i", 196608) + b"user\0fuzz\0database\0hatidata\0\0"
    with socket.create_connection((server.host, server.port)) as wire:
        wire.settimeout(30)
        wire.sendall(struct.pack("!i", len(startup) + 4) + startup)
        try:
            for message in sent:
                wire.sendall(message)
            # Out of a COPY, out of an error; an open transaction may have failed.
            wire.sendall(_frame(b"f", b"\0") + _frame(b"S") + _frame(b"Q", b"rollback\0"))
            wire.sendall(_frame(b"Q", _LAST + b"\0"))
            answer = b""
            while b"4242424242\x43" not in answer and (data := wire.recv(1 << 16)):
                answer = answer[-100:] + data
        except TimeoutError:
            pytest.fail(f"the session hangs after {sent}")
        except ConnectionError:
            pass  # hung up on, as FATAL errors are
