"""The protocol's state machine without a socket: what bytes mean, in every state, however cut."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import SqlError
from proxy.wire import messages as m
from proxy.wire.protocol import FrontendProtocol, NoClient, State

QUERY = m.frame(b"Q", b"select 1\0")
SYNC = m.frame(b"S")
PARSE = m.frame(b"P", b"s\0select $1\0" + struct.pack("!hI", 1, 23))


def started(data: bytes = b"") -> FrontendProtocol:
    protocol = FrontendProtocol()
    protocol.ready()
    protocol.receive(data)
    return protocol


def kinds(protocol: FrontendProtocol) -> list[bytes]:
    found = []
    while (frame := protocol.next_frame()) is not None:
        found.append(frame[0])
    return found


@given(st.lists(st.integers(1, 40), max_size=40))
def test_frames_are_the_same_however_the_bytes_arrive(cuts: list[int]) -> None:
    data = QUERY + PARSE + SYNC + QUERY
    protocol, found, at = started(), [], 0
    for cut in [*cuts, len(data)]:
        protocol.receive(data[at : at + cut])
        at += cut
        found += kinds(protocol)
    assert found == [b"Q", b"P", b"S", b"Q"]
    assert protocol.buffered == 0


def test_after_an_error_everything_up_to_sync_is_dropped() -> None:
    protocol = started(PARSE + QUERY + m.frame(b"H") + SYNC + QUERY)
    assert protocol.next_frame() == (b"P", PARSE[5:])
    protocol.skip_until_sync()
    assert protocol.next_frame() == (b"S", b"")
    protocol.ready()
    assert kinds(protocol) == [b"Q"]


def test_terminate_is_heard_while_skipping() -> None:
    protocol = started(PARSE + m.frame(b"X"))
    protocol.skip_until_sync()
    assert kinds(protocol) == [b"X"]


def test_copy_in_ignores_flush_and_sync_and_hands_out_the_rest() -> None:
    protocol = started()
    protocol.copy_in()
    protocol.receive(m.frame(b"d", b"1\n") + m.frame(b"H") + SYNC + m.frame(b"c"))
    assert kinds(protocol) == [b"d", b"c"]


def test_copy_frames_outside_a_copy_are_dropped() -> None:
    data = m.frame(b"d", b"late") + m.frame(b"c") + m.frame(b"f", b"x\0") + QUERY
    assert kinds(started(data)) == [b"Q"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x00\x04",
        b"z\x00\x00\x00\x04",
        b"Q\x00\x00\x00\x03",
        b"Q\xff\xff\xff\xff",
        b"Q\x7f\xff\xff\xff",
    ],
)
def test_senseless_frames_end_the_session(data: bytes) -> None:
    protocol = started(data)
    with pytest.raises(SqlError) as caught:
        protocol.next_frame()
    assert (caught.value.sqlstate, caught.value.severity) == ("08P01", "FATAL")
    assert protocol.state is State.CLOSED


@pytest.mark.parametrize("length", [0, 7, 10_001, -1])
def test_startup_packet_of_senseless_length_is_no_client(length: int) -> None:
    protocol = FrontendProtocol()
    protocol.receive(struct.pack("!i", length) + bytes(8))
    with pytest.raises(NoClient):
        protocol.startup_packet()


def test_startup_parameters_are_read() -> None:
    packet = m.startup((("user", "ann"), ("database", "db"), ("options", "-c a=b")))
    protocol = FrontendProtocol()
    protocol.receive(packet[:5])
    assert protocol.startup_packet() is None
    protocol.receive(packet[5:])
    body = protocol.startup_packet()
    assert body is not None
    assert m.decode_startup(body) == m.Startup(
        3, 0, {"user": "ann", "database": "db", "options": "-c a=b"}
    )


def test_bind_is_read_with_nulls_and_formats() -> None:
    body = (
        b"p\0s\0"
        + struct.pack("!hhh", 2, 0, 1)
        + struct.pack("!hi1si", 2, 1, b"7", -1)
        + struct.pack("!hh", 1, 1)
    )
    assert m.decode(b"B", body) == m.Bind("p", "s", (0, 1), (b"7", None), (1,))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"Q", b"no terminator"),
        (b"Q", b"select 1\0trailing"),
        (b"P", b"s\0select 1\0\x00"),
        (b"B", b"p\0s\0" + struct.pack("!hh", 0, 1) + struct.pack("!i", 5) + b"abc"),
        (b"B", b"p\0s\0" + struct.pack("!h", 0) + struct.pack("!hi", 1, -2) + bytes(2)),
        (b"B", b"p\0s\0" + struct.pack("!hhhh", 3, 0, 0, 0) + struct.pack("!h", 0) + bytes(2)),
        (b"D", b"Xname\0"),
        (b"E", b"p\0\x00"),
        (b"S", b"x"),
    ],
)
def test_malformed_messages_are_protocol_violations(kind: bytes, body: bytes) -> None:
    with pytest.raises(SqlError) as caught:
        m.decode(kind, body)
    assert caught.value.sqlstate == "08P01"


def test_text_that_is_not_utf8_is_22021() -> None:
    with pytest.raises(SqlError) as caught:
        m.decode(b"Q", b"select '\xff'\0")
    assert caught.value.sqlstate == "22021"
    assert "0xff" in caught.value.message


@given(st.binary(max_size=200), st.sampled_from(sorted(m.KINDS - {b"F"})))
def test_any_body_is_a_message_or_an_sql_error(body: bytes, kind: bytes) -> None:
    assert _sqlstate(lambda: m.decode(kind, body)) in (None, "08P01", "22021", "22023", "0A000")


@given(st.binary(max_size=300))
def test_any_startup_body_is_a_request_or_an_sql_error(body: bytes) -> None:
    assert _sqlstate(lambda: m.decode_startup(bytes(4) + body)) in (None, "08P01", "22021")


def _sqlstate(decode: Callable[[], object]) -> str | None:
    """The error that decoding ends in, None if it does not."""
    try:
        decode()
    except SqlError as error:
        return error.sqlstate
    return None
