"""Exchanges that pass without Python are answered as those that Python passes on, byte for byte.

Two servers are asked the same: one as it was built, one whose compiled way is missing. Every
conversation begins with the statement that it is about, so that it is known by the time it counts.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors

from proxy.demo.server import ServerProcess
from proxy.engines import lane
from tests.protocol import client as raw
from tests.protocol.client import Closed, ErrorResponse, ReadyForQuery, Wire
from tests.relay.pooled import OBJECTS, OPTIONS, Pooled, wait_until

pytestmark = pytest.mark.skipif(lane.compiled is None, reason="it was not compiled")

_WITHOUT = (
    "import sys; sys.modules['proxy.engines._lane'] = None; from proxy.cli import main; main()"
)
_MORE = """
CREATE TABLE hd_runtime.noisy (n int);
CREATE FUNCTION hd_runtime.speak() RETURNS trigger LANGUAGE plpgsql
AS $$BEGIN RAISE NOTICE 'row %', NEW.n; RETURN NEW; END$$;
CREATE TRIGGER speak BEFORE INSERT ON hd_runtime.noisy FOR EACH ROW EXECUTE FUNCTION hd_runtime.speak();
GRANT SELECT, INSERT ON hd_runtime.noisy TO hd_agent;
CREATE TABLE hd_runtime.changing (n int);
INSERT INTO hd_runtime.changing VALUES (1);
GRANT SELECT ON hd_runtime.changing TO hd_agent;
CREATE TABLE hd_runtime.held ();
GRANT SELECT ON hd_runtime.held TO hd_agent;
"""


class _WithoutCompiler(ServerProcess):
    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory, *options)
        self._command[1:3] = ["-c", _WITHOUT]


@contextlib.contextmanager
def _running(kind: type[ServerProcess], *options: str) -> Iterator[Pooled]:
    with (
        tempfile.TemporaryDirectory(prefix="hd") as directory,
        kind(Path(directory), *options) as up,
    ):
        pool = Pooled(up)
        pool.as_admin(OBJECTS + _MORE)
        yield pool


@pytest.fixture(scope="module")
def pool() -> Iterator[Pooled]:
    with _running(ServerProcess, *OPTIONS) as running:
        yield running


class Both(NamedTuple):
    compiled: Pooled
    python: Pooled


@pytest.fixture(scope="module")
def both(pool: Pooled) -> Iterator[Both]:
    with _running(_WithoutCompiler, *OPTIONS) as other:
        yield Both(pool, other)


@contextlib.contextmanager
def _wire(pool: Pooled) -> Iterator[Wire]:
    parts = urlsplit(pool.url)
    wire = Wire.connect(parts.hostname or "", parts.port or 0, timeout=30)
    try:
        wire.send(raw.startup({"user": "tester", "database": "hatidata"}))
        wire.read_until(ReadyForQuery)
        yield wire
    finally:
        wire.sock.close()


def _ask(wire: Wire, data: bytes, times: int = 1) -> list[raw.Message]:
    """The messages up to as many ReadyForQuery."""
    wire.send(data)
    return [message for _ in range(times) for message in wire.read_until(ReadyForQuery)]


def _note(n: int) -> bytes:
    return raw.query(f"SELECT id, note FROM hd_runtime.notes WHERE id = {n}")


def _bound(n: int, name: str = "s") -> bytes:
    return raw.bind("", name, [b"%d" % n]) + raw.describe(b"P", "") + raw.execute("") + raw.sync()


_PREPARE = (
    raw.parse("s", "SELECT id, note FROM hd_runtime.notes WHERE id = $1", [23])
    + raw.describe(b"S", "s")
    + raw.sync()
)


def _warm(wire: Wire) -> None:
    """Both kinds of exchange have passed."""
    _ask(wire, _PREPARE)
    for _ in range(3):
        _ask(wire, _note(1))
        _ask(wire, _bound(1))


def _until_read(wire: Wire) -> None:
    """The server has taken what was sent: its socket holds nothing."""
    local, remote = (sock[1] for sock in (wire.sock.getsockname(), wire.sock.getpeername()))

    def is_read() -> bool:
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, ours, theirs, _, queues, *_ = line.split()
            ends = int(ours.split(":")[1], 16), int(theirs.split(":")[1], 16)
            if ends == (remote, local):
                return int(queues.split(":")[1], 16) == 0
        return False

    wait_until(is_read, "the server reads what was sent")


def _sockets_open_twice(pid: int) -> int:
    links = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(os.readlink(each))
    return sum(
        links.count(link) > 1 for link in {link for link in links if link.startswith("socket")}
    )


def test_who_has_relayed_reads_its_own_socket_and_closes_it(both: Both) -> None:
    with _wire(both.compiled) as one, _wire(both.python) as other:
        before = _sockets_open_twice(both.compiled.process.pid)
        for wire in (one, other):
            _warm(wire)
        assert _sockets_open_twice(both.compiled.process.pid) > before
        assert _sockets_open_twice(both.python.process.pid) == 0
        pid = both.compiled.process.pid
        count = _sockets_open_twice(pid)
    wait_until(lambda: _sockets_open_twice(pid) < count, "the descriptor is closed")


@pytest.mark.parametrize("message", [_note(12), _bound(12)], ids=["simple", "prepared"])
def test_a_message_may_be_split_anywhere(both: Both, message: bytes) -> None:
    answers = []
    for pool in both:
        with _wire(pool) as wire:
            _warm(wire)
            found = []
            for at in range(1, len(message)):
                wire.send(message[:at])
                _until_read(wire)
                found.append(_ask(wire, message[at:]))
                found.append(_ask(wire, _note(at % 100 + 1)))  # and it is whole again
            answers.append(found)
    assert answers[0] == answers[1]
    assert all(each == answers[0][0] for each in answers[0][::2])
    assert [each[1].values[0] for each in answers[0][1::2]] == [
        b"%d" % (at % 100 + 1) for at in range(1, len(message))
    ]


_PIPELINES = {
    "queries": (_note(3) + _note(4) + _note(5), 3),
    "prepared": (_bound(3) + _bound(4) + _bound(5), 3),
    "mixed": (_note(3) + _bound(4) + _note(5) + _bound(6), 4),
    "one Sync": (_bound(3)[:-5] + _bound(4)[:-5] + _bound(5), 1),
    "with the other engine": (_note(3) + raw.query("SELECT 1 AS a") + _note(4), 3),
    "with an error": (_note(3) + raw.query("SELECT no FROM hd_runtime.notes") + _note(4), 3),
    "in a block": (raw.query("BEGIN") + _note(4) + raw.query("COMMIT") + _note(5), 4),
    "an unknown statement": (_note(3) + _bound(1, "unheard of") + _bound(5), 3),
    "limited rows": (
        raw.bind("", "s", [b"7"]) + raw.execute("", 1) + raw.execute("", 1) + raw.sync(),
        1,
    ),
    "unprepared": (
        raw.parse("", "SELECT note FROM hd_runtime.notes WHERE id = $1", [23])
        + raw.bind("", "", [b"8"])
        + raw.describe(b"P", "")
        + raw.execute("")
        + raw.sync(),
        1,
    ),
    "no such value": (
        raw.bind("", "s", [b"x"]) + raw.describe(b"P", "") + raw.execute("") + raw.sync(),
        1,
    ),
}


@pytest.mark.parametrize("name", _PIPELINES)
def test_several_at_once_are_answered_in_order(both: Both, name: str) -> None:
    data, times = _PIPELINES[name]
    answers = []
    for pool in both:
        with _wire(pool) as wire:
            _warm(wire)
            found = [_ask(wire, data, times) for _ in range(3)]
            wire.send(data + data[:7])  # ... and a part of the next
            found.append([m for _ in range(times) for m in wire.read_until(ReadyForQuery)])
            _until_read(wire)
            found.append(_ask(wire, data[7:], times))
            found.append(_ask(wire, _note(9)))
            answers.append(found)
    assert answers[0] == answers[1]
    assert answers[0][-1][1].values == (b"9", b"note 9")


def test_after_an_error_what_comes_before_sync_is_skipped(both: Both) -> None:
    for pool in both:
        with _wire(pool) as wire:
            _warm(wire)
            wire.send(raw.parse("bad", "SELEC 1") + raw.flush())
            wire.read_until(ErrorResponse)
            found = _ask(wire, _bound(4))
            assert found == [ReadyForQuery("I")]
            assert _ask(wire, _bound(4))[-3].values == (b"4", b"note 4")


def test_errors_that_hang_on_a_value(both: Both) -> None:
    answers = []
    for pool in both:
        with _wire(pool) as wire:
            sql = "SELECT 10 / (id - 5) FROM hd_runtime.notes WHERE id = {}"
            found = [_ask(wire, raw.query(sql.format(n))) for n in (1, 2, 3, 5, 4, 5, 6)]
            assert [isinstance(each[-2], ErrorResponse) for each in found] == [
                n == 5 for n in (1, 2, 3, 5, 4, 5, 6)
            ]
            answers.append(found)
    assert answers[0] == answers[1]


def test_notices_come_in_their_place(both: Both) -> None:
    answers = []
    for pool in both:
        with _wire(pool) as wire:
            sql = "INSERT INTO hd_runtime.noisy VALUES ({})"
            found = [_ask(wire, raw.query(sql.format(n))) for n in range(6)]
            assert [each[0].fields["M"] for each in found] == [f"row {n}" for n in range(6)]
            answers.append(found)
    assert answers[0] == answers[1]


def test_a_changed_parameter_is_told_amid_an_answer(both: Both) -> None:
    for pool in both:
        with _wire(pool) as wire:
            _warm(wire)
            try:
                pool.as_admin("ALTER SYSTEM SET scram_iterations = 5000")
                pool.as_admin("SELECT pg_reload_conf()")
                told = []

                def changed(wire: Wire = wire, told: list[raw.Message] = told) -> bool:
                    told += _ask(wire, _note(2))
                    return raw.ParameterStatus("scram_iterations", "5000") in told

                wait_until(changed, "the new value is told")
                assert told.count(raw.ParameterStatus("scram_iterations", "5000")) == 1
                assert _ask(wire, _note(3))[1].values == (b"3", b"note 3")
            finally:
                pool.as_admin("ALTER SYSTEM RESET scram_iterations")
                pool.as_admin("SELECT pg_reload_conf()")


@pytest.mark.parametrize("size", [1, 100, 7_000, 70_000, 300_000, 5_000_000])
def test_answers_of_every_size_are_whole(both: Both, size: int) -> None:
    answers = []
    for pool in both:
        with _wire(pool) as wire:
            sql = f"SELECT repeat('x', {size}), id FROM hd_runtime.notes WHERE id < 4 ORDER BY id"
            for _ in range(3):
                found = _ask(wire, raw.query(sql))
            assert [len(row.values[0]) for row in found[1:4]] == [size] * 3
            answers.append(found)
    assert answers[0] == answers[1]


def test_a_client_that_does_not_read_is_waited_for(pool: Pooled) -> None:
    sql = "SELECT repeat('x', 1000), n FROM hd_runtime.notes, generate_series(1, 1000) AS n"
    with _wire(pool) as wire, _wire(pool) as other:
        for each in (wire, other):
            _warm(each)
            each.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        wire.send(raw.query(sql))

        def is_held_back() -> bool:
            waits = pool.as_admin(
                "SELECT wait_event FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 1000)%'"
                " AND pid <> pg_backend_pid() AND usename = 'tester' AND state = 'active'"
            )
            return waits == [("ClientWrite",)]

        wait_until(is_held_back, "Postgres waits until it may write")
        assert _ask(other, _note(7))[1].values == (b"7", b"note 7")
        rows = wire.read_until(ReadyForQuery)
        assert len(rows) == 100_000 + 3
        assert _ask(wire, _note(8))[1].values == (b"8", b"note 8")


def _held_up(pool: Pooled) -> list[int]:
    found = pool.as_admin(
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'tester'"
    )
    return [pid for (pid,) in found]


@contextlib.contextmanager
def _stuck(pool: Pooled, *wires: Wire) -> Iterator[int]:
    """An exchange of each that has passed is under way until the block ends; one backend's pid."""
    data = raw.query("SELECT count(*) FROM hd_runtime.held")
    for wire in wires:
        for _ in range(3):
            _ask(wire, data)
    with psycopg.connect(pool.admin) as admin:
        admin.execute("LOCK TABLE hd_runtime.held")
        for wire in wires:
            wire.send(data)
        wait_until(lambda: len(_held_up(pool)) == len(wires), "they run")
        yield _held_up(pool)[0]


def test_a_backend_lost_meanwhile_is_an_error(both: Both) -> None:
    for pool in both:
        with _wire(pool) as wire:
            with _stuck(pool, wire) as pid:
                pool.as_admin(f"SELECT pg_terminate_backend({pid})")
                *_, error, ready = wire.read_until(ReadyForQuery)
            assert (error.fields["C"], error.fields["S"]) == ("57P01", "ERROR")
            assert ready == ReadyForQuery("I")
            assert _ask(wire, _note(5))[1].values == (b"5", b"note 5")


def test_a_backend_killed_in_the_middle_of_a_row_ends_the_client(both: Both) -> None:
    """What is cut off cannot be made good."""
    sql = "SELECT repeat('x', 50000000) FROM hd_runtime.notes WHERE id = {}"
    for pool in both:
        with _wire(pool) as wire:
            for _ in range(3):
                _ask(wire, raw.query(sql.format(901)))
            wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            wire.send(raw.query(sql.format(1)))
            wire.sock.recv(1000)

            def waiting(pool: Pooled = pool) -> list[int]:
                found = pool.as_admin(
                    "SELECT pid FROM pg_stat_activity WHERE wait_event = 'ClientWrite' "
                    "AND usename = 'tester'"
                )
                return [pid for (pid,) in found]

            pid, *_ = wait_until(waiting, "Postgres waits until it may write")
            pool.as_admin(f"SELECT pg_terminate_backend({pid})")
            with contextlib.suppress(ConnectionResetError):
                while wire.sock.recv(1 << 20):
                    pass


@pytest.mark.parametrize("how", ["hangs up", "is reset"])
def test_a_client_that_vanishes_stops_its_statement(both: Both, how: str) -> None:
    for pool in both:
        with _wire(pool) as wire, _stuck(pool, wire):
            if how == "is reset":
                wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.sock.close()
            wait_until(lambda pool=pool: not _held_up(pool), "it is stopped")
        with _wire(pool) as wire:
            _warm(wire)


def test_a_cancel_stops_what_has_passed_and_nothing_else(both: Both) -> None:
    for pool in both:
        parts = urlsplit(pool.url)
        with _wire(pool) as wire:
            assert wire.key is not None
            with _stuck(pool, wire):
                one = Wire.connect(parts.hostname or "", parts.port or 0)
                one.send(raw.cancel_request(wire.key.pid, wire.key.secret))
                assert one.read() == Closed()
                *_, error, _ready = wire.read_until(ReadyForQuery)
            assert error.fields["C"] == "57014"
            assert _ask(wire, _note(5))[1].values == (b"5", b"note 5")


def test_cancels_that_race_hit_nobody_else(pool: Pooled) -> None:
    """One client cancels itself all the time, on the same two backends as others."""
    parts = urlsplit(pool.url)
    stop = threading.Event()
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with _wire(pool) as wire:
                _warm(wire)
                for n in range(300):
                    data = _note(n % 100 + 1) if n % 2 else _bound(n % 100 + 1)
                    rows = [row for row in _ask(wire, data) if isinstance(row, raw.DataRow)]
                    assert [row.values[0] for row in rows] == [b"%d" % (n % 100 + 1)], number
        except BaseException as error:
            failures.append(error)

    def cancelled() -> None:
        try:
            with _wire(pool) as wire:
                _warm(wire)
                assert wire.key is not None
                while not stop.is_set():
                    wire.send(_note(1))
                    other = Wire.connect(parts.hostname or "", parts.port or 0)
                    other.send(raw.cancel_request(wire.key.pid, wire.key.secret))
                    other.read()
                    wire.read_until(ReadyForQuery)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    canceller = threading.Thread(target=cancelled)
    for thread in (*threads, canceller):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    canceller.join()
    assert not failures


def test_many_clients_share_two_backends_in_turn(both: Both) -> None:
    """Each gets its own answers, however long it waits."""
    for pool in both:
        failures: list[BaseException] = []

        def work(number: int, pool: Pooled = pool, failures: list = failures) -> None:
            try:
                sql = f"SELECT {number}, id FROM hd_runtime.notes WHERE id = "
                with _wire(pool) as wire:
                    _warm(wire)
                    for n in range(1, 61):
                        if n % 3 == 0:
                            (row,) = (
                                each for each in _ask(wire, _bound(n)) if hasattr(each, "values")
                            )
                            assert row.values == (b"%d" % n, b"note %d" % n)
                        else:
                            row = _ask(wire, raw.query(f"{sql}{n}"))[1]
                            assert row.values == (b"%d" % number, b"%d" % n)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


@contextlib.contextmanager
def _busy(pool: Pooled) -> Iterator[None]:
    """Both backends run something."""
    with _wire(pool) as one, _wire(pool) as two:
        with _stuck(pool, one, two):
            yield
        for wire in (one, two):
            wire.read_until(ReadyForQuery)


def _waiting(pool: Pooled) -> int:
    with pool.connect() as console:
        return int(console.execute("SHOW hatidata.pools").fetchone()[2])  # type: ignore[index]


@pytest.mark.parametrize("data", [_note(6), _bound(6)], ids=["simple", "prepared"])
def test_who_waits_may_be_cancelled_or_vanish_or_say_more(both: Both, data: bytes) -> None:
    for pool in both:
        parts = urlsplit(pool.url)
        with contextlib.ExitStack() as stack:
            told, gone, more = (stack.enter_context(_wire(pool)) for _ in range(3))
            for wire in (told, gone, more):
                _warm(wire)
            with _busy(pool):
                for wire in (told, gone, more):
                    wire.send(data)
                wait_until(lambda pool=pool: _waiting(pool) == 3, "three wait")
                assert told.key is not None
                one = Wire.connect(parts.hostname or "", parts.port or 0)
                one.send(raw.cancel_request(told.key.pid, told.key.secret))
                error, _ = told.read_until(ReadyForQuery)
                assert error.fields["C"] == "57014"
                gone.sock.close()
                wait_until(lambda pool=pool: _waiting(pool) == 1, "one waits")
                more.send(_note(7))
                told.send(data)
            for expected in (b"6", b"7"):
                rows = [m for m in more.read_until(ReadyForQuery) if isinstance(m, raw.DataRow)]
                assert [row.values[0] for row in rows] == [expected]
            rows = [m for m in told.read_until(ReadyForQuery) if isinstance(m, raw.DataRow)]
            assert [row.values[0] for row in rows] == [b"6"]


def test_waiting_has_an_end() -> None:
    options = ("--pool-size", "2", "--pool-wait", "1")
    with _running(ServerProcess, *options) as pool, _wire(pool) as wire:
        _warm(wire)
        with _busy(pool):
            for _ in range(2):
                error, ready = _ask(wire, _note(4))
                assert (error.fields["C"], ready) == ("53300", ReadyForQuery("I"))
        assert _ask(wire, _note(4))[1].values == (b"4", b"note 4")


def test_a_changed_result_is_an_error_until_it_is_prepared_anew(both: Both) -> None:
    answers = []
    for pool in both:
        pool.as_admin("ALTER TABLE hd_runtime.changing DROP COLUMN IF EXISTS more")
        found = []
        with _wire(pool) as wire, _wire(pool) as other:
            prepare = raw.parse("s", "SELECT * FROM hd_runtime.changing WHERE n = $1", [23])
            for each in (wire, other):
                _ask(each, prepare + raw.describe(b"S", "s") + raw.sync())
                for _ in range(3):
                    _ask(each, _bound(1))
            pool.as_admin("ALTER TABLE hd_runtime.changing ADD COLUMN more text")
            for _ in range(2):
                for each in (wire, other):
                    found.append(
                        [m for m in _ask(each, _bound(1)) if not isinstance(m, ReadyForQuery)]
                    )
            assert all(each[-1].fields["C"] == "0A000" for each in found)
            _ask(wire, raw.close(b"S", "s") + prepare + raw.describe(b"S", "s") + raw.sync())
            for _ in range(3):
                found.append(_ask(wire, _bound(1)))
            assert found[-1][2].values == (b"1", None)
            found.append(_ask(other, _bound(1)))
            assert found[-1][-2].fields["C"] == "0A000"
        answers.append([[_told(m) for m in each] for each in found])
    assert answers[0] == answers[1]


def _told(message: raw.Message) -> object:
    """Without the table's OID, which is each server's own."""
    if isinstance(message, raw.RowDescription):
        return [(column.name, column.type_oid) for column in message.columns]
    return message


def test_a_closed_statement_is_gone_and_a_new_one_takes_its_name(both: Both) -> None:
    answers = []
    for pool in both:
        with _wire(pool) as wire:
            _warm(wire)
            found = [_ask(wire, raw.close(b"S", "s") + raw.sync()), _ask(wire, _bound(3))]
            parse = raw.parse("s", "SELECT note FROM hd_runtime.notes WHERE id = $1 + 1", [23])
            found.append(_ask(wire, parse + raw.sync()))
            found += [_ask(wire, _bound(3)) for _ in range(3)]
            assert found[-1][2].values == (b"note 4",)
            found += [_ask(wire, raw.query("DEALLOCATE ALL")), _ask(wire, _bound(3))]
            assert found[-1][0].fields["C"] == "26000"
            answers.append(found)
    assert answers[0] == answers[1]


def test_settings_blocks_and_channels_are_the_sessions_own(pool: Pooled) -> None:
    sql = "SELECT current_setting('TimeZone'), count(*) FROM hd_runtime.notes"
    with pool.connect() as one, pool.connect() as two:
        for zone in ("Asia/Tokyo", "UTC", "Europe/Paris"):
            one.execute(f"SET TimeZone = '{zone}'")
            for _ in range(3):
                assert one.execute(sql).fetchone() == (zone, 100)
                assert two.execute(sql).fetchone() == ("UTC", 100)
        with one.transaction():
            one.execute("INSERT INTO hd_runtime.notes VALUES (900, 'mine')")
            for _ in range(3):
                assert one.execute(sql).fetchone() == ("Europe/Paris", 101)
                assert two.execute(sql).fetchone() == ("UTC", 100)
            one.execute("DELETE FROM hd_runtime.notes WHERE id = 900")
        one.execute("LISTEN work")
        two.execute("NOTIFY work, 'done'")
        assert [each.payload for each in one.notifies(timeout=20, stop_after=1)] == ["done"]
        assert one.execute(sql).fetchone() == ("Europe/Paris", 100)
        one.execute("UNLISTEN work")
        one.execute("SET statement_timeout = 50")
        with pytest.raises(errors.QueryCanceled):
            one.execute("SELECT pg_sleep(30), count(*) FROM hd_runtime.notes")
        one.execute("RESET statement_timeout")
        for _ in range(3):
            assert one.execute(sql).fetchone() == ("Europe/Paris", 100)


def test_the_console_counts_and_shows_what_passes(pool: Pooled) -> None:
    def stats() -> tuple[int, int]:
        with pool.connect() as console:
            (row,) = console.execute("SHOW hatidata.stats").fetchall()
            return int(row[1]), int(row[2])

    with _wire(pool) as wire:
        _warm(wire)
        exchanges, lent = stats()
        for n in range(1, 21):
            _ask(wire, _note(n))
            _ask(wire, _bound(n))
        assert stats() == (exchanges + 40, lent + 40)
        with _stuck(pool, wire), pool.connect() as console:
            clients = console.execute("SHOW hatidata.clients").fetchall()
            assert [row[5] for row in clients if row[6] is not None] == ["active"]
            pools = console.execute("SHOW hatidata.pools").fetchall()
            assert pools[0][1:4] == ("1", "0", "1")


def test_statements_are_numbered_whoever_answers(pool: Pooled) -> None:
    with pool.connect() as connection:
        sql = "SELECT count(*) FROM hd_runtime.notes WHERE id < 50"
        for _ in range(3):
            connection.execute(sql)
        (first,) = connection.execute("SELECT LAST_QUERY_ID()").fetchone()  # type: ignore[misc]
        for _ in range(5):
            connection.execute(sql)
        (second,) = connection.execute("SELECT LAST_QUERY_ID()").fetchone()  # type: ignore[misc]
        assert int(second[-8:], 16) - int(first[-8:], 16) == 6


def test_a_server_that_stops_lets_what_has_passed_end() -> None:
    with _running(ServerProcess, *OPTIONS) as pool, _wire(pool) as wire, _wire(pool) as idle:
        _warm(idle)
        with _stuck(pool, wire):
            pool.process._process.terminate()
            assert idle.read().fields["C"] == "57P01"
        messages: list[raw.Message] = []
        while not isinstance(message := wire.read(), Closed):
            messages.append(message)
        assert messages[1].values == (b"0",)
        assert messages[-2] == ReadyForQuery("I")
        assert messages[-1].fields["C"] == "57P01"
        assert idle.read() == Closed()
        assert pool.process.wait() == 0


def test_drivers_pass_and_go_on(pool: Pooled) -> None:
    """What is prepared by a driver after a few times goes on as it began."""
    sql = "SELECT note FROM hd_runtime.notes WHERE id = %s"
    with pool.connect() as one, pool.connect() as two:
        for n in range(1, 41):
            for each in (one, two):
                assert each.execute(sql, [n]).fetchone() == (f"note {n}",)
                assert each.execute(sql.replace("%s", str(n))).fetchone() == (f"note {n}",)
