"""Scalar queries that are executed again and again are answered at once, and as ever.

Within a transaction block each message goes its own way, and so the block's answers are what those
outside must be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Running
from tests.protocol import client as wire

INTEGER = "SELECT $1::int + 1"
TEXT = "SELECT $1::text || '!', length($1::text)"
MIXED = "SELECT $1::bigint * 2, $2::text, $1::bigint IS NULL"


@pytest.fixture
def client(server: Running) -> Iterator[wire.Wire]:
    with contextlib.closing(wire.Wire.connect(server.host, server.port)) as client:
        client.send(wire.startup({"user": "tester", "database": "hatidata"}))
        client.read_until(wire.ReadyForQuery)
        yield client


def _ask(client: wire.Wire, data: bytes) -> list[Any]:
    client.send(data)
    return client.read_until(wire.ReadyForQuery)


def _exchange(values: list[bytes | None], described: bool, **formats: Any) -> bytes:
    describe = wire.describe(b"P", "") if described else b""
    return wire.bind("", "s", values, **formats) + describe + wire.execute("") + wire.sync()


def _within_a_block(client: wire.Wire, data: bytes) -> list[Any]:
    _ask(client, wire.query("BEGIN"))
    answer = _ask(client, data)
    _ask(client, wire.query("ROLLBACK"))
    return answer[:-1]


@pytest.mark.parametrize("described", [False, True], ids=["", "described"])
@pytest.mark.parametrize(
    ("sql", "many"),
    [
        (INTEGER, [[b"1"], [b"41"], [b"0"], [b"-7"], [b" 8 "], [b"999999999"], [b"2147483646"]]),
        (
            INTEGER,
            [[b"1"], [b"2147483647"], [b"2"], [b"4294967296"], [b"3"], [b"x"], [None], [b""]],
        ),
        (TEXT, [[b"a"], [b"\xc3\xa9"], [b""], [None], [b"\xff"], [b"b" * 5000], [b"'"]]),
        (MIXED, [[b"1", b"a"], [b"2", None], [None, b"b"], [b"9" * 18, b"c"], [b"9" * 19, b"d"]]),
        ("SELECT 10 / $1::int", [[b"3"], [b"0"], [b"4"]]),
    ],
)
def test_the_answer_is_that_of_the_long_way(
    client: wire.Wire, sql: str, many: list[list[bytes | None]], described: bool
) -> None:
    _ask(client, wire.parse("s", sql) + wire.sync())
    expected = [_within_a_block(client, _exchange(values, described)) for values in many]
    for _ in range(3):
        for values, answer in zip(many, expected, strict=True):
            assert _ask(client, _exchange(values, described))[:-1] == answer


def test_binary_values_are_read_and_written(client: wire.Wire) -> None:
    _ask(client, wire.parse("s", INTEGER) + wire.sync())
    for number in (1, 2, 41, -1, 2**62, 5):
        value = number.to_bytes(8, "big", signed=True)
        data = _exchange([value], False, formats=[1], result_formats=[1])
        _, row, _, _ = _ask(client, data)
        assert row.values == ((number + 1).to_bytes(8, "big", signed=True),)
    data = _exchange([b"\0\1"], False, formats=[1], result_formats=[1])
    assert _ask(client, data)[:-1] == _within_a_block(client, data)


def test_settings_and_names_are_followed(client: wire.Wire) -> None:
    _ask(client, wire.query("SET hatidata.dialect = 'postgres'"))
    sql = "SELECT '2024-07-01 12:00+00'::timestamptz::text || $1::text"
    _ask(client, wire.parse("s", sql) + wire.sync())
    for zone, hour in (("UTC", b"12"), ("Europe/Oslo", b"14"), ("UTC", b"12")):
        _ask(client, wire.query(f"SET TimeZone = '{zone}'"))
        for end in (b"a", b"b", b"c", b"a"):
            _, row, *_ = _ask(client, _exchange([end], False))
            assert row.values[0][11:13] == hour
            assert row.values[0].endswith(end)
    _ask(client, wire.close(b"S", "s") + wire.sync())
    error, *_ = _ask(client, _exchange([b"a"], False))
    assert isinstance(error, wire.ErrorResponse)
    _ask(client, wire.parse("s", INTEGER) + wire.sync())
    for value in (b"1", b"2", b"3"):
        _, row, *_ = _ask(client, _exchange([value], False))
        assert row.values == (b"%d" % (int(value) + 1),)


def test_a_cut_exchange_waits_for_its_rest(client: wire.Wire) -> None:
    _ask(client, wire.parse("s", INTEGER) + wire.sync())
    for value in (b"1", b"2", b"3"):
        data = _exchange([value], False)
        expected = _ask(client, data)
        for at in (3, 9, len(data) - 12, len(data) - 1):
            client.send(data[:at])
            assert _ask(client, data[at:]) == expected
        assert _ask(client, data + data) == expected
        assert client.read_until(wire.ReadyForQuery) == expected
