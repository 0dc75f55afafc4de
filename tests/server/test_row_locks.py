"""SELECT ... FOR UPDATE on analytical tables: those who lock a row take turns, or do without it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.conftest import waits


@pytest.fixture
def two(server: Any) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Two sessions, in no transaction, beside tables `t` and `u`."""
    with server.connect() as one, server.connect() as other:
        for each in (one, other):
            each.execute("SET hatidata.dialect = 'postgres'")
        for name in ("t", "u"):
            one.execute(f"CREATE TABLE {name} (id INT PRIMARY KEY, n INT, s TEXT)")
            one.execute(f"INSERT INTO {name} VALUES (1, 10, 'a'), (2, 20, 'b')")
        one.execute("CREATE VIEW over_t AS SELECT * FROM t")
        yield one, other
        for each in (one, other):
            each.execute("ROLLBACK")
        one.execute("DROP VIEW over_t; DROP TABLE t; DROP TABLE u")


Two = tuple[psycopg.Connection, psycopg.Connection]
LOCK = "SELECT n FROM t WHERE id = 1 FOR UPDATE"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n FROM t WHERE id = %s FOR UPDATE",
        "SELECT n FROM public.t AS x WHERE id = %s FOR NO KEY UPDATE OF x",
        "SELECT t.n FROM t JOIN u USING (id) WHERE id = %s ORDER BY 1 LIMIT 1 FOR UPDATE OF t NOWAIT",
        "SELECT n FROM t WHERE id = %s FOR SHARE",
        "SELECT * FROM (SELECT n FROM t WHERE id = %s FOR UPDATE) AS x",
        "WITH c AS (SELECT 1 AS i) SELECT n FROM c, t WHERE id = %s FOR UPDATE",
        "SELECT n FROM t, generate_series(1, 1) AS g WHERE id = %s FOR UPDATE",
    ],
)
def test_it_gives_the_rows(two: Two, sql: str) -> None:
    one, _ = two
    assert one.execute(sql, [1]).fetchall() == [(10,)]
    with one.transaction():
        for _ in range(7):  # also once psycopg has prepared it
            assert one.execute(sql, [1]).fetchall() == [(10,)]
        assert one.execute(sql.replace("%s", "2").encode()).fetchall() == [(20,)]
        one.execute("UPDATE t SET n = 11 WHERE id = 1")
    assert one.execute("SELECT n FROM t WHERE id = 1").fetchone() == (11,)


def test_numbers_are_given_once(server: Any, two: Two) -> None:
    """Each takes the highest number there is and inserts the next: without turns they meet."""
    one, _ = two
    one.execute("CREATE TABLE numbers (n INT)")

    def take(_: int) -> None:
        with server.connect() as connection:
            connection.execute("SET hatidata.dialect = 'postgres'")
            for _ in range(15):
                with connection.transaction():
                    connection.execute("SELECT s FROM t WHERE id = %s FOR UPDATE", [1])
                    connection.execute(
                        "INSERT INTO numbers SELECT coalesce(max(n), 0) + 1 FROM numbers"
                    )

    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(take, range(4)))
        found = one.execute("SELECT n FROM numbers ORDER BY n").fetchall()
    finally:
        one.execute("DROP TABLE numbers")
    assert found == [(n,) for n in range(1, 61)]


def test_who_does_not_wait_is_told(two: Two) -> None:
    one, other = two
    one.execute("BEGIN")
    one.execute(LOCK)
    other.execute("BEGIN")
    with pytest.raises(errors.LockNotAvailable):
        other.execute(f"{LOCK} NOWAIT")
    other.execute("ROLLBACK")
    other.execute("SET lock_timeout = '50ms'")
    other.execute("BEGIN")
    with pytest.raises(errors.LockNotAvailable, match="lock timeout"):
        other.execute(LOCK)
    other.execute("ROLLBACK")
    other.execute("SET lock_timeout = 0; SET statement_timeout = '50ms'")
    other.execute("BEGIN")
    with pytest.raises(errors.QueryCanceled, match="statement timeout"):
        other.execute(LOCK)
    other.execute("ROLLBACK")
    # Another table's rows are not waited for, and who waits does so in a statement of its own, too.
    other.execute("BEGIN")
    other.execute("SELECT n FROM u FOR UPDATE")
    other.execute("COMMIT")
    with pytest.raises(errors.LockNotAvailable):
        other.execute(f"{LOCK} NOWAIT")
    one.execute("COMMIT")
    assert other.execute(LOCK).fetchone() == (10,)


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK", "SELECT no_such_column FROM t", "gone"])
def test_the_next_has_its_turn(server: Any, two: Two, end: str) -> None:
    one, other = two
    holder = server.connect() if end == "gone" else one
    holder.execute("SET hatidata.dialect = 'postgres'")
    holder.execute("BEGIN")
    holder.execute(LOCK)
    if end == "COMMIT":
        holder.execute("UPDATE t SET n = 12 WHERE id = 1")
    found: list[Any] = []

    def wait() -> None:
        with other.transaction():
            found.append(other.execute(LOCK).fetchone())
            other.execute("UPDATE t SET n = n + 1 WHERE id = 1")

    waiter = threading.Thread(target=wait)
    waiter.start()
    if end == "gone":
        holder.close()
    elif end.startswith("SELECT"):
        with pytest.raises(errors.UndefinedColumn):
            holder.execute(end)
    else:
        holder.execute(end.encode())
    waiter.join()
    assert found == [(12 if end == "COMMIT" else 10,)]


def test_waiting_can_be_cancelled(two: Two) -> None:
    one, other = two
    one.execute("BEGIN")
    one.execute(LOCK)
    other.execute("BEGIN")
    failed: list[Exception] = []

    def wait() -> None:
        try:
            other.execute(LOCK)
        except psycopg.Error as error:
            failed.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    while waiter.is_alive():
        other.cancel_safe()
        waiter.join(0.01)
    assert [type(error) for error in failed] == [errors.QueryCanceled]
    assert other.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    one.execute("COMMIT")


def test_so_can_waiting_for_who_looks_for_its_rows(two: Two) -> None:
    one, other = two
    slow = "(SELECT count(*) FROM generate_series(1, 3000000) AS x (i), generate_series(1, 3000) AS y (j))"
    sql = f"SELECT id FROM t WHERE n < {slow} FOR UPDATE SKIP LOCKED".encode()
    with ThreadPoolExecutor() as threads:
        for each in two:
            each.execute("BEGIN")
        first, second = (threads.submit(each.execute, sql) for each in two)
        assert waits(second)
        other.cancel()
        with pytest.raises(errors.QueryCanceled):
            second.result()
        other.execute("ROLLBACK")
        other.execute("SET statement_timeout = '100ms'")
        with pytest.raises(errors.QueryCanceled):
            threads.submit(other.execute, sql).result()
        assert not first.done()
        one.cancel()
        with pytest.raises(errors.QueryCanceled):
            first.result()


def test_a_deadlock_is_found(two: Two) -> None:
    told: list[type] = []

    def cross(connection: psycopg.Connection, table: str) -> None:
        try:
            connection.execute(f"SELECT n FROM {table} FOR UPDATE".encode())
        except errors.DeadlockDetected as error:
            told.append(type(error))
            connection.execute("ROLLBACK")

    for connection, table in zip(two, ("t", "u"), strict=True):
        connection.execute("BEGIN")
        cross(connection, table)
    threads = [
        threading.Thread(target=cross, args=(connection, table))
        for connection, table in zip(two, ("u", "t"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [errors.DeadlockDetected]


def test_an_older_snapshot_is_told_of(two: Two) -> None:
    """Where something has been written in it: otherwise there is a new one."""
    one, other = two
    for write in (False, True):
        one.execute("BEGIN")
        if write:
            one.execute("UPDATE u SET n = 0")
        assert one.execute("SELECT count(*) FROM t").fetchone() == (2,)
        with other.transaction():
            other.execute(LOCK)
            other.execute("UPDATE t SET n = n + 1 WHERE id = 1")
        if not write:
            assert one.execute(LOCK).fetchone() == (11,)
            one.execute("ROLLBACK")
            continue
        assert one.execute(f"{LOCK} SKIP LOCKED").fetchall() == []
        assert one.execute("SELECT n FROM t WHERE id = 2 FOR UPDATE").fetchone() == (20,)
        with pytest.raises(errors.SerializationFailure):
            one.execute(LOCK)


@pytest.mark.parametrize("begin", ["SELECT 1", "BEGIN"])
@pytest.mark.parametrize(
    ("write", "left"),
    [
        ("UPDATE t SET n = n + %s WHERE id = 1", [(1, 12), (2, 20)]),
        (
            "UPDATE t SET n = t.n + %s FROM u WHERE t.id = u.id AND u.id = 1 RETURNING t.n",
            [(1, 12), (2, 20)],
        ),
        ("DELETE FROM t WHERE id = %s", [(2, 20)]),
    ],
)
def test_who_writes_waits_for_who_has_locked(
    two: Two, begin: str, write: str, left: list[tuple[int, int]]
) -> None:
    one, other = two
    one.execute("BEGIN")
    one.execute(LOCK)
    other.execute(begin.encode())
    assert other.execute("UPDATE t SET s = 'c' WHERE id = 2").rowcount == 1
    with ThreadPoolExecutor() as threads:
        if begin == "BEGIN":
            other.execute("ROLLBACK; BEGIN")
        waiting = threads.submit(other.execute, write.encode(), [1])
        assert waits(waiting)
        one.execute("UPDATE t SET n = n + 1 WHERE id = 1")
        one.execute("COMMIT")
        assert waiting.result().rowcount == 1
    if begin == "BEGIN":
        other.execute("COMMIT")
    assert one.execute("SELECT id, n FROM t ORDER BY id").fetchall() == left


def test_who_locks_waits_for_who_has_written(two: Two) -> None:
    """Of a table whose rows were locked before."""
    one, other = two
    one.execute(LOCK)
    one.execute("BEGIN")
    one.execute("UPDATE t SET n = 11 WHERE id = 1")
    other.execute("BEGIN")
    assert other.execute("SELECT id FROM t FOR UPDATE SKIP LOCKED").fetchall() == [(2,)]
    assert other.execute("SELECT n FROM t WHERE id = 1").fetchone() == (10,)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(other.execute, LOCK)
        assert waits(waiting)
        one.execute("COMMIT")
        assert waiting.result().fetchone() == (11,)
    assert other.execute("UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n").fetchone() == (12,)


def test_a_deadlock_of_those_who_write_is_found(two: Two) -> None:
    one, other = two
    one.execute(LOCK)
    for number, each in enumerate(two, start=1):
        each.execute("BEGIN")
        each.execute("UPDATE t SET n = 0 WHERE id = %s", [number])
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(one.execute, "UPDATE t SET n = 1 WHERE id = 2")
        assert waits(waiting)
        with pytest.raises(errors.DeadlockDetected):
            other.execute("UPDATE t SET n = 2 WHERE id = 1")
        other.execute("ROLLBACK")
        assert waiting.result().rowcount == 1
    one.execute("COMMIT")
    assert one.execute("SELECT n FROM t ORDER BY id").fetchall() == [(0,), (1,)]


def test_other_rows_are_not_waited_for(two: Two) -> None:
    one, other = two
    one.execute("BEGIN")
    one.execute(LOCK)
    other.execute("BEGIN")
    assert other.execute("SELECT n FROM t WHERE id = 2 FOR UPDATE NOWAIT").fetchone() == (20,)
    with pytest.raises(errors.LockNotAvailable):
        other.execute("SELECT n FROM t ORDER BY id FOR UPDATE NOWAIT")


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        ("KEY SHARE", "NO KEY UPDATE", False),
        ("KEY SHARE", "UPDATE", True),
        ("SHARE", "SHARE", False),
        ("SHARE", "NO KEY UPDATE", True),
        ("NO KEY UPDATE", "NO KEY UPDATE", True),
        ("UPDATE", "KEY SHARE", True),
    ],
)
def test_which_locks_meet(two: Two, first: str, second: str, meet: bool) -> None:
    one, other = two
    one.execute("BEGIN")
    one.execute(f"SELECT n FROM t FOR {first}".encode())
    with other.transaction():
        skipping = f"SELECT n FROM t ORDER BY id FOR {second} SKIP LOCKED"
        assert other.execute(skipping.encode()).fetchall() == ([] if meet else [(10,), (20,)])


NEXT = "SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
TAKE = {
    "query": f"{NEXT}",
    "subquery": f"UPDATE t SET n = 0 WHERE id = ({NEXT}) RETURNING id",
    "among": f"UPDATE t SET n = 0 WHERE id IN ({NEXT}) RETURNING t.id",
    "with": f"WITH x AS ({NEXT}) UPDATE t SET n = 0 FROM x WHERE x.id = t.id RETURNING t.id",
    "with apart": f"WITH x AS MATERIALIZED ({NEXT}) DELETE FROM t USING x WHERE x.id = t.id RETURNING t.id",
    "any": f"DELETE FROM t WHERE id = ANY (ARRAY({NEXT})) RETURNING id",
    "using": f"DELETE FROM t USING ({NEXT}) AS x WHERE x.id = t.id RETURNING t.id",
    "moved": f"WITH x AS (DELETE FROM t WHERE id = ({NEXT}) RETURNING id)"
    " INSERT INTO u (id) SELECT id + 10 FROM x RETURNING id - 10",
    "joined": "SELECT t.id FROM t LEFT JOIN u USING (n) ORDER BY 1 LIMIT 1 FOR UPDATE OF t SKIP LOCKED",
    "offset": "SELECT id FROM (VALUES (0)) AS x(y), t ORDER BY id DESC LIMIT 1 OFFSET 1"
    " FOR UPDATE OF t SKIP LOCKED",
}


@pytest.mark.parametrize("sql", TAKE.values(), ids=TAKE)
@pytest.mark.parametrize("prepare", [False, True])
def test_what_is_locked_is_skipped(two: Two, sql: str, prepare: bool) -> None:
    """An idle worker is given the next one at once; what is rolled back is there again."""
    one, other = two
    if "OFFSET" in sql:  # which locks what it leaves out
        one.execute("INSERT INTO t VALUES (3, 30, 'c'), (4, 40, 'd')")
        given = [[(3,)], [(1,)]]
    else:
        given = [[(1,)], [(2,)]]
    for connection, ids in zip(two, given, strict=True):
        connection.execute("BEGIN")
        assert connection.execute(sql.encode(), prepare=prepare).fetchall() == ids
    if "OFFSET" not in sql:
        third = other.execute("SELECT count(*) FROM t WHERE id > 100")
        assert third.fetchone() == (0,)
    one.execute("ROLLBACK")
    other.execute("ROLLBACK")
    with one.transaction():
        assert one.execute(sql.encode(), prepare=prepare).fetchall() == given[0]


def test_none_is_left(two: Two) -> None:
    one, other = two
    one.execute("BEGIN")
    assert len(one.execute("SELECT id FROM t FOR UPDATE SKIP LOCKED").fetchall()) == 2
    assert one.execute(NEXT).fetchall() == [(1,)]  # its own
    assert other.execute(NEXT).fetchall() == []
    assert other.execute("SELECT id FROM t FOR UPDATE SKIP LOCKED").fetchall() == []
    assert other.execute(
        "SELECT t.id FROM u JOIN t USING (id) FOR UPDATE OF u SKIP LOCKED"
    ).fetchall()
    one.execute("INSERT INTO t VALUES (3, 30, 'c')")
    assert one.execute("SELECT id FROM t ORDER BY id DESC LIMIT 1 FOR UPDATE").fetchall() == [(3,)]
    one.execute("COMMIT")
    assert other.execute("SELECT count(*) FROM t").fetchone() == (3,)
    assert len(other.execute("SELECT id FROM t FOR UPDATE SKIP LOCKED").fetchall()) == 3


@pytest.mark.parametrize("way", ["update", "block", "delete"])
def test_each_job_is_given_once(server: Any, two: Two, way: str) -> None:
    """Eight workers; one in ten jobs is given back first."""
    one, _ = two
    one.execute("CREATE TABLE jobs (id INT PRIMARY KEY, state TEXT)")
    one.execute("CREATE INDEX ON jobs (state)")
    one.execute("INSERT INTO jobs SELECT n, 'new' FROM generate_series(1, 200) AS g(n)")
    next_one = "SELECT id FROM jobs WHERE state = %s ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"

    taking = {
        "update": f"UPDATE jobs SET state = 'old' WHERE id = ({next_one}) RETURNING id",
        "delete": f"DELETE FROM jobs USING ({next_one}) AS x WHERE x.id = jobs.id RETURNING jobs.id",
    }
    sql = taking.get(way, next_one)

    def work(_: int) -> list[int]:
        done, given_back = [], set[int]()
        with server.connect() as connection:
            connection.execute("SET hatidata.dialect = 'postgres'")
            while True:
                with connection.transaction():
                    row = connection.execute(sql.encode(), ["new"]).fetchone()
                    if row is None:
                        return done
                    kept = row[0] % 10 > 0 or row[0] in given_back
                    if way == "block":
                        connection.execute("UPDATE jobs SET state = 'old' WHERE id = %s", row)
                    if not kept:
                        raise psycopg.Rollback
                if kept:
                    done.append(row[0])
                else:
                    given_back.add(row[0])

    try:
        with ThreadPoolExecutor(8) as pool:
            taken = [one for done in pool.map(work, range(8)) for one in done]
    finally:
        one.execute("DROP TABLE jobs")
    assert sorted(taken) == list(range(1, 201))


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        (
            "SELECT n FROM u WHERE n IN (SELECT n FROM t WHERE t.id = u.id FOR UPDATE SKIP LOCKED)",
            "0A000",
        ),
        ("WITH RECURSIVE x AS (SELECT n FROM t FOR UPDATE SKIP LOCKED) SELECT * FROM x", "0A000"),
        ("SELECT count(*) FROM t FOR UPDATE", "0A000"),
        ("SELECT DISTINCT n FROM t FOR UPDATE", "0A000"),
        ("SELECT n FROM t GROUP BY n FOR UPDATE", "0A000"),
        ("SELECT n FROM t UNION SELECT n FROM u FOR UPDATE", "0A000"),
        ("SELECT * FROM (SELECT n FROM t UNION SELECT n FROM u FOR UPDATE) AS x", "0A000"),
        ("WITH c AS (SELECT 1 AS id) SELECT * FROM c JOIN t USING (id) FOR UPDATE OF c", "0A000"),
        ("SELECT * FROM t, generate_series(1, 2) AS g FOR UPDATE OF g", "0A000"),
        ("SELECT * FROM (SELECT id FROM t) AS x FOR UPDATE", "0A000"),
        ("SELECT n FROM t FOR UPDATE OF nobody", "42P01"),
        ("SELECT n FROM over_t FOR UPDATE", "0A000"),
        ("SELECT n FROM nowhere FOR UPDATE", "42P01"),
        ("COPY (SELECT n FROM t FOR UPDATE) TO STDOUT", "0A000"),
        ("BEGIN; DECLARE c CURSOR FOR SELECT n FROM t FOR UPDATE", "0A000"),
    ],
)
def test_what_cannot_be_locked_is_refused(two: Two, sql: str, sqlstate: str) -> None:
    one, _ = two
    with pytest.raises(psycopg.Error) as caught:
        one.execute(sql.encode())
    assert caught.value.sqlstate == sqlstate
