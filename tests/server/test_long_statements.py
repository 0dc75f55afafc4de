"""Long statements are read beside the server: they mean what short ones do, and nobody waits for them."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from proxy.session.long_texts import LONG
from tests.conftest import Running

_NOTHING = f"/*{' ' * LONG}*/ "  # a comment: what makes a statement long, and nothing else


_number = itertools.count()


def _unknown() -> str:
    """A long statement that no plan is kept of; it gives (1, n)."""
    return f"{_NOTHING} SELECT 1, {next(_number)} AS n"


def _readers(server: Running) -> list[int]:
    """The processes that read long statements for a server."""
    tasks = Path(f"/proc/{server.pid}/task")
    children = [pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()]
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [pid for pid, line in lines.items() if b"long_texts" in line]


@pytest.fixture(params=["postgres", "snowflake"])
def client(server: Running, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    with server.connect() as connection:
        connection.execute(f"SET hatidata.dialect = '{request.param}'")
        connection.execute("CREATE SCHEMA long_ones")
        connection.execute("SET search_path = long_ones")
        yield connection
        connection.execute("DROP SCHEMA long_ones CASCADE")


def _rows(count: int) -> str:
    return ", ".join(
        f"({n}, 'it''s {n}', {n}.25, '2024-01-{n % 28 + 1:02}', NULL, true, -{n}, 1e{n % 5})"
        for n in range(count)
    )


_TABLE = "(a int, b varchar(20), c decimal(12, 2), d date, e int, f boolean, g int, h float)"


def _outcome(run: Callable[[], psycopg.Cursor], before: int = 0) -> object:
    """Rows, tag and columns; or the error, with its place less what stands before the statement."""
    try:
        cursor = run()
    except psycopg.Error as error:
        told = error.diag
        place = int(told.statement_position or before) - before
        return told.sqlstate, told.message_primary, told.message_detail, told.message_hint, place
    columns = [(one.name, one.type_code, one.display_size) for one in cursor.description or ()]
    return cursor.statusmessage, columns, cursor.fetchall() if cursor.description else None


@pytest.mark.parametrize("prepared", [False, True])
def test_they_give_what_short_ones_give(client: psycopg.Connection, prepared: bool) -> None:
    client.execute(f"CREATE TABLE t {_TABLE}")
    client.execute("CREATE TABLE k (a int PRIMARY KEY, b varchar CHECK (b <> 'no'))")
    for statement in (
        f"INSERT INTO t VALUES {_rows(3)} RETURNING a, b, d",
        "INSERT INTO t (a, d) VALUES (1, '2024-02-30')",
        "INSERT INTO t (a, f) VALUES (1, 'perhaps')",
        "INSERT INTO t (a, nobody) VALUES (1, 2)",
        "INSERT INTO t (a, b) VALUES (1, 'longer than twenty characters')",
        "INSERT INTO k VALUES (1, 'a'), (2, DEFAULT)",
        "INSERT INTO k VALUES (3, 'no')",
        "SELECT * FROM t WHERE a IN (0, 1) ORDER BY a",
        "SELECT a, sum(c), 'x' || b FROM t GROUP BY ALL ORDER BY ALL",
        "SELECT nothing FROM t",
        "SELECT a FROM nowhere",
        "SELECT a FROM t WHERE d > 'yesteryear'",
        "SELECT a FROM WHERE",
        "SELECT count(*) FROM hd_runtime.tasks WHERE false",
        "SELECT relname FROM pg_class WHERE relname = 'pg_class'",
        "CREATE TABLE u AS SELECT a, d FROM t",
        "ALTER TABLE u ADD COLUMN z int",
        "DROP TABLE u",
        "SET TimeZone = 'UTC'",
        "SHOW TimeZone",
        "EXPLAIN SELECT 1",
    ):
        told = []
        for opening in ("", _NOTHING):
            client.execute("BEGIN")
            text = opening + statement
            run = lambda text=text: client.execute(text, prepare=prepared)  # noqa: E731
            told.append(_outcome(run, len(opening)))
            client.execute("ROLLBACK")
        assert told[0] == told[1], statement


def test_many_rows_arrive_whole(client: psycopg.Connection) -> None:
    client.execute(f"CREATE TABLE t {_TABLE}")
    client.execute(f"CREATE TABLE one_by_one {_TABLE}")
    client.execute(f"INSERT INTO t VALUES {_rows(1000)}")
    for start in range(0, 1000, 100):
        rows = _rows(1000).split("), (")[start : start + 100]
        client.execute(f"INSERT INTO one_by_one VALUES ({'), ('.join(rows).strip('()')})")
    [(differing,)] = client.execute(
        "SELECT count(*) FROM (TABLE t EXCEPT ALL TABLE one_by_one) AS d"
    ).fetchall()
    assert differing == 0
    assert client.execute("SELECT count(*), sum(g) FROM t").fetchone() == (1000, -499500)


def test_parameters_of_long_statements(client: psycopg.Connection) -> None:
    client.execute("CREATE TABLE t (a int, b varchar, c decimal(10, 2))")
    places = ", ".join(["(%s, %s, %s)"] * 2000)
    values = [value for n in range(2000) for value in (n, f"v{n}", None if n % 7 else n / 4)]
    for _ in range(2):
        cursor = client.execute(f"INSERT INTO t VALUES {places} RETURNING a", values)
        assert [a for (a,) in cursor.fetchall()] == list(range(2000))
    assert client.execute("SELECT count(c), sum(c) FROM t").fetchone() == (
        572,
        Decimal("142642.50"),
    )


def test_nobody_waits_while_one_is_read(server: Running) -> None:
    with server.connect() as reading, server.connect() as other:
        reading.execute(_unknown())
        [reader] = _readers(server)
        os.kill(reader, signal.SIGSTOP)  # it takes as long as it takes
        failures: list[psycopg.Error] = []

        def read() -> None:
            try:
                reading.execute(_unknown())
            except psycopg.Error as error:
                failures.append(error)

        waiting = threading.Thread(target=read)
        waiting.start()
        try:
            for number in range(100):
                assert other.execute("SELECT %s::int", (number,)).fetchone() == (number,)
            assert waiting.is_alive()
            while waiting.is_alive():  # the statement may not have begun yet
                reading.cancel_safe()
                waiting.join(0.1)
        finally:
            for pid in _readers(server):
                os.kill(pid, signal.SIGCONT)
            waiting.join()
        assert [error.sqlstate for error in failures] == ["57014"]
        assert reading.execute(_unknown()).rowcount == 1


def test_a_statement_times_out_while_it_is_read(server: Running) -> None:
    with server.connect() as reading:
        reading.execute(_unknown())
        [reader] = _readers(server)
        os.kill(reader, signal.SIGSTOP)
        reading.execute("SET statement_timeout = '200ms'")
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            reading.execute(_unknown())


def test_the_server_outlives_what_reads_for_it(server: Running) -> None:
    with server.connect() as reading:
        reading.execute(_unknown())
        [reader] = _readers(server)
        os.kill(reader, signal.SIGKILL)
        while _readers(server):
            pass
        with pytest.raises(psycopg.errors.OutOfMemory, match="too long to be read"):
            reading.execute(_unknown())
        assert reading.execute(_unknown()).rowcount == 1
