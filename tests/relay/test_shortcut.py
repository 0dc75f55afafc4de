"""The shortest way: which texts may take it, and that what takes it is answered like all else."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors

from proxy.session.shortcut import KnownTexts, passes
from proxy.sql.plan import Dialect, plan_message
from proxy.wire import messages as m
from tests.relay.pooled import Pooled

_DIALECT = Dialect()


def _known(text: str, *, again: bool = True) -> KnownTexts:
    known = KnownTexts()
    (plan,) = plan_message(text, _DIALECT)
    known.learn(text.encode(), plan, _DIALECT, again)
    return known


@pytest.mark.parametrize(
    ("learned", "other", "same"),
    [
        ("SELECT * FROM hd_runtime.t WHERE a = 10", "SELECT * FROM hd_runtime.t WHERE a = 77", True),
        ("SELECT * FROM hd_runtime.t WHERE a = 10", "SELECT * FROM hd_runtime.t WHERE a = 777", False),
        ("SELECT a1 FROM hd_runtime.t WHERE b = 1", "SELECT a1 FROM hd_runtime.t WHERE b = 2", True),
        ("SELECT a1 FROM hd_runtime.t WHERE b = 1", "SELECT a2 FROM hd_runtime.t WHERE b = 1", False),
        ("SELECT * FROM hd_runtime.t1", "SELECT * FROM hd_runtime.t2", False),
        ("SELECT '1' FROM hd_runtime.t", "SELECT '2' FROM hd_runtime.t", False),
        ("SELECT $1 FROM hd_runtime.t", "SELECT $2 FROM hd_runtime.t", False),
        ('SELECT "1" FROM hd_runtime.t', 'SELECT "2" FROM hd_runtime.t', False),
        ("SELECT 1 /* 1 */ FROM hd_runtime.t", "SELECT 1 /* 2 */ FROM hd_runtime.t", False),
    ],
)  # fmt: skip
def test_only_the_digits_of_numbers_may_differ(learned: str, other: str, same: bool) -> None:
    known = _known(learned)
    assert known.find(learned.encode()) is not None
    assert (known.find(other.encode()) is not None) is same


def test_a_text_that_may_not_come_again_is_not_kept() -> None:
    once = "SELECT heartbeat('a', 'b')"
    assert _known(once, again=False).find(once.encode()) is None
    assert _known(once, again=True).find(once.encode()) is not None


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("SELECT * FROM hd_runtime.tasks", True),
        ("SELECT claim_next_task('a')", True),
        ("SELECT 1", False),
        ("SELECT pg_advisory_lock(1)", False),
        ("SELECT hd_runtime.unheard_of()", False),
        ("SELECT set_config('a.b', 'c', false)", False),
        ("LISTEN work", False),
        ("COPY hd_runtime.tasks TO STDOUT", False),
        ("BEGIN", False),
    ],
)
def test_what_leaves_nothing_on_postgres_alone_passes(text: str, may: bool) -> None:
    (plan,) = plan_message(text, _DIALECT)
    assert passes(plan) is may


def test_answers_and_errors_are_the_same_the_second_time(pool: Pooled) -> None:
    with pool.connect() as connection:
        for n in (11, 12, 13, 99):
            found = connection.execute(f"SELECT note FROM hd_runtime.notes WHERE id = {n}")
            assert found.fetchall() == [(f"note {n}",)]
        for n in (1, 2, 3):
            with pytest.raises(errors.DivisionByZero):
                connection.execute(f"SELECT {n} / (id - id) FROM hd_runtime.notes")
            with pytest.raises(errors.UndefinedColumn) as caught:
                connection.execute(f"SELECT no FROM hd_runtime.notes WHERE id = {n}")
            assert caught.value.diag.statement_position == "8"
        connection.execute("BEGIN")
        connection.execute("INSERT INTO hd_runtime.notes VALUES (901, 'mine')")
        assert connection.execute("SELECT note FROM hd_runtime.notes WHERE id = 901").rowcount == 1
        connection.execute("ROLLBACK")
        assert connection.execute("SELECT note FROM hd_runtime.notes WHERE id = 901").rowcount == 0


def test_settings_are_those_of_the_client(pool: Pooled) -> None:
    sql = "SELECT current_setting('TimeZone'), count(*) FROM hd_runtime.notes"
    with pool.connect() as one, pool.connect(options="-c TimeZone=Asia/Tokyo") as two:
        for _ in range(4):
            assert one.execute(sql).fetchone() == ("UTC", 100)
            assert two.execute(sql).fetchone() == ("Asia/Tokyo", 100)


def test_messages_sent_at_once_are_answered_in_order(pool: Pooled) -> None:
    """More comes while the first is under way."""
    parts = urlsplit(pool.url)
    texts = [f"SELECT id FROM hd_runtime.notes WHERE id = {n}" for n in (21, 22, 23)]
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
        client.sendall(m.startup((("user", "tester"), ("database", "hatidata"))))
        client.settimeout(20)
        got = b""
        while not got.endswith(m.READY["I"]):
            got += client.recv(65536)
        for text in (texts[0], texts[0]):
            client.sendall(m.frame(b"Q", m.cstring(text)))
            got = b""
            while not got.endswith(m.READY["I"]):
                got += client.recv(65536)
        client.sendall(m.frame(b"Q", m.cstring(texts[0])))
        client.sendall(b"".join(m.frame(b"Q", m.cstring(text)) for text in texts))
        got = b""
        while got.count(m.READY["I"]) < 4:
            got += client.recv(65536)
    assert [got.count(value) for value in (b"\0\x0221", b"\0\x0222", b"\0\x0223")] == [2, 1, 1]
    assert [got.index(value) for value in (b"\0\x0221", b"\0\x0222", b"\0\x0223")] == sorted(
        got.index(value) for value in (b"\0\x0221", b"\0\x0222", b"\0\x0223")
    )


def test_a_lost_backend_is_an_error_and_not_the_end(pool: Pooled) -> None:
    sql = "SELECT count(*) FROM hd_runtime.notes"
    with pool.connect() as connection:
        for _ in range(3):
            connection.execute(sql)
        with pytest.raises(psycopg.Error) as caught:
            for _ in range(2):
                connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        assert caught.value.sqlstate in ("57P01", "08006")
        assert connection.execute(sql).fetchone() == (100,)
