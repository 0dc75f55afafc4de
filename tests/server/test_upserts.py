"""INSERT ... ON CONFLICT where an index over expressions or over some of the rows decides, as in Postgres."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

TABLE = """
    CREATE TABLE t (id SERIAL PRIMARY KEY, name TEXT NOT NULL, n INT DEFAULT 7 CHECK (n < 1000),
                    live BOOL DEFAULT true, at TIMESTAMP, code VARCHAR(5));
    CREATE UNIQUE INDEX by_name ON t (lower(name));
    CREATE UNIQUE INDEX by_code ON t (code) WHERE live;
    INSERT INTO t (name, n, code) VALUES ('A', 1, 'x'), ('B', 2, NULL);
"""
POSTGRES = "-c hatidata.dialect=postgres -c search_path=upserted"


@pytest.fixture
def one(server: Any) -> Iterator[psycopg.Connection]:
    with server.connect() as admin:
        admin.execute("CREATE SCHEMA upserted")
    try:
        with server.connect(options=POSTGRES) as connection:
            for statement in TABLE.split(";"):
                connection.execute(statement.encode())
            yield connection
    finally:
        with server.connect() as admin:
            admin.execute("DROP SCHEMA upserted CASCADE")


INTO = "INSERT INTO t (name, n, code) VALUES "


@pytest.mark.parametrize(
    ("sql", "tag", "rows"),
    [
        ("('a', 5, 'y') ON CONFLICT (lower(name)) DO NOTHING", "INSERT 0 0", []),
        (
            "('a', 5, 'y'), ('c', 6, 'c'), ('C', 7, 'd') ON CONFLICT (lower(name)) DO NOTHING",
            "INSERT 0 1",
            [("c", 6, "c")],
        ),
        (
            "('a', 5, 'y'), ('d', 6, 'z') ON CONFLICT (lower(name)) DO UPDATE"
            " SET n = excluded.n + t.n, code = excluded.code",
            "INSERT 0 2",
            [("A", 6, "y"), ("d", 6, "z")],
        ),
        (
            "('a', 5, 'y') ON CONFLICT (lower(name)) DO UPDATE SET n = 0 WHERE t.n > 1",
            "INSERT 0 0",
            [],
        ),
        (
            "('a', 5, 'y'), ('A', 6, 'z') ON CONFLICT (lower(name)) DO UPDATE"
            " SET n = excluded.n WHERE excluded.n = 6",
            "INSERT 0 1",
            [("A", 6, "x")],
        ),
        (
            "('z', 66, 'x') ON CONFLICT (code) WHERE live = true DO UPDATE"
            " SET (name, n) = (excluded.name, DEFAULT)",
            "INSERT 0 1",
            [("z", 7, "x")],
        ),
        (
            "('z', 66, NULL), ('y', DEFAULT, NULL) ON CONFLICT (code) WHERE live AND id > 0 DO NOTHING",
            "INSERT 0 2",
            [("y", 7, None), ("z", 66, None)],
        ),
        (
            "('q', 1, 'x'), ('b', 2, 'b'), ('z', 3, 'kk') ON CONFLICT DO NOTHING",
            "INSERT 0 1",
            [("z", 3, "kk")],
        ),
        ("('r', 1, 'x') ON CONFLICT (id) WHERE id > 0 DO NOTHING", "23505", []),
        ("('r', 1, 'x') ON CONFLICT (code) DO NOTHING", "42P10", []),
        ("('r', 1, 'x') ON CONFLICT (code) WHERE NOT live DO NOTHING", "42P10", []),
        ("('r', 1, 'x') ON CONFLICT (upper(name)) DO NOTHING", "42P10", []),
        (
            "('a', 1, 'y'), ('A', 2, 'z') ON CONFLICT (lower(name)) DO UPDATE SET n = excluded.n",
            "21000",
            [],
        ),
        (
            "('e', 1, 'y'), ('E', 2, 'z') ON CONFLICT (lower(name)) DO UPDATE SET n = excluded.n",
            "21000",
            [],
        ),
        (
            "('w1', 1, 'w'), ('w2', 1, 'w'), ('W2', 1, 'ww') ON CONFLICT DO NOTHING",
            "0A000",  # the second is left out, and so in nobody's way
            [],
        ),
    ],
)
@pytest.mark.parametrize("prepared", [False, True])
def test_what_becomes_of_the_rows(
    one: psycopg.Connection, sql: str, tag: str, rows: list[Any], prepared: bool
) -> None:
    before = one.execute("SELECT * FROM t ORDER BY id").fetchall()
    sql = f"{INTO}{sql} RETURNING name, n, code"
    if not tag.startswith("INSERT"):
        with pytest.raises(errors.lookup(tag)):
            one.execute(sql.encode(), prepare=prepared)
        assert one.execute("SELECT * FROM t ORDER BY id").fetchall() == before
        return
    answer = one.execute(sql.encode(), prepare=prepared)
    assert (answer.statusmessage, sorted(answer.fetchall())) == (tag, rows)


def test_rows_of_a_query_and_of_parameters(one: psycopg.Connection) -> None:
    sql = (
        "INSERT INTO t AS q (name, n) VALUES (%s, %s) ON CONFLICT (lower(name))"
        " DO UPDATE SET n = q.n + excluded.n RETURNING q.n + %s"
    )
    assert [one.execute(sql, ["a", k, 100]).fetchone() for k in range(8)] == [
        (101 + sum(range(k + 1)),) for k in range(8)
    ]
    told = one.execute(
        "WITH s AS (SELECT 'm' AS a UNION ALL SELECT name FROM t)"
        " INSERT INTO t (name) SELECT a FROM s ON CONFLICT (lower(name)) DO NOTHING RETURNING name"
    ).fetchall()
    assert told == [("m",)]
    told = one.execute(
        "INSERT INTO t (name) SELECT v FROM (VALUES ('o', 1), ('O', 2)) AS x (v, k) ORDER BY k DESC"
        " ON CONFLICT (lower(name)) DO NOTHING RETURNING name"
    ).fetchall()
    assert told == [("O",)]
    one.execute("INSERT INTO t SELECT 100, 'hundred' ON CONFLICT (lower(name)) DO NOTHING")
    assert one.execute("SELECT n, live FROM t WHERE id = 100").fetchone() == (7, True)
    with pytest.raises(errors.SyntaxError, match="more expressions than target columns"):
        one.execute("INSERT INTO t (name) SELECT 'a', 1 ON CONFLICT (lower(name)) DO NOTHING")
    with pytest.raises(errors.SyntaxError, match="more target columns than expressions"):
        one.execute("INSERT INTO t (name, n) SELECT 'a' ON CONFLICT (lower(name)) DO NOTHING")


def test_a_number_is_drawn_once(one: psycopg.Connection) -> None:
    drawn = one.execute(
        "INSERT INTO t (name) VALUES ('p'), ('P'), ('r') ON CONFLICT (lower(name)) DO NOTHING"
        " RETURNING id, name"
    ).fetchall()
    assert drawn == [(3, "p"), (5, "r")]
    assert one.execute("SELECT currval('t_id_seq')").fetchone() == (5,)


def test_a_row_of_a_key_is_not_changed_twice(one: psycopg.Connection) -> None:
    one.execute("CREATE TABLE k (id INT PRIMARY KEY, n INT)")
    sql = "INSERT INTO k VALUES (1, 1), (%s, 2) ON CONFLICT {} DO UPDATE SET n = excluded.n"
    for target in ("(id)", "ON CONSTRAINT k_pkey"):
        for _ in range(2):
            with pytest.raises(errors.CardinalityViolation, match="second time"):
                one.execute(sql.format(target).encode(), [1])
            one.execute(sql.format(target).encode(), [2])
    assert one.execute("SELECT * FROM k ORDER BY id").fetchall() == [(1, 1), (2, 2)]


@pytest.mark.parametrize("index", ["t (b) WHERE a > 1", "t (lower(b))", "t (a, upper(b))"])
def test_an_index_that_comes_and_goes_is_looked_into(
    one: psycopg.Connection, server: Any, index: str
) -> None:
    """DuckDB would look for `y` in an index that has it not for its key."""
    one.execute("DROP TABLE t")
    one.execute("CREATE TABLE t (a INT PRIMARY KEY, b TEXT)")
    one.execute("INSERT INTO t VALUES (2, 'Y'), (4, 'y')")
    sql = "INSERT INTO t (a, b) VALUES (1, 'y'), (9, 'z') ON CONFLICT DO NOTHING"
    for _ in range(7):  # also once psycopg has prepared it
        one.execute(sql)
        one.execute("DELETE FROM t WHERE a IN (1, 9)")
    one.execute("DELETE FROM t WHERE a = 4")
    with server.connect(options=POSTGRES) as other:
        other.execute(f"CREATE UNIQUE INDEX one ON {index}")
        met = "lower" in index
        for _ in range(7):
            assert one.execute(sql).rowcount == (1 if met else 2)
            one.execute("DELETE FROM t WHERE a IN (1, 9)")
        other.execute("DROP INDEX one")
    assert one.execute(sql).rowcount == 2


def test_of_two_sessions_the_later_one_is_told(one: psycopg.Connection, server: Any) -> None:
    sql = "INSERT INTO t (name) VALUES ('New') ON CONFLICT (lower(name)) DO {}"
    for what in ("NOTHING", "UPDATE SET n = t.n + 1"):
        one.execute("DELETE FROM t WHERE lower(name) = 'new'")
        with server.connect(options=POSTGRES) as other:
            one.execute("BEGIN")
            other.execute("BEGIN")
            one.execute(sql.format(what).encode())
            with pytest.raises((errors.SerializationFailure, errors.UniqueViolation)):
                other.execute(sql.format(what).encode())
                one.execute("COMMIT")
                other.execute("COMMIT")
            other.execute("ROLLBACK")
            one.execute("COMMIT") if one.info.transaction_status else None
        assert one.execute("SELECT n FROM t WHERE lower(name) = 'new'").fetchall() == [(7,)]


def test_a_counter_that_many_count_misses_nothing(one: psycopg.Connection, server: Any) -> None:
    one.execute("DELETE FROM t")
    counted: list[int] = []

    def count() -> None:
        done = 0
        with server.connect(options=POSTGRES) as own:
            while done < 10:
                try:
                    own.execute(
                        "INSERT INTO t (name, n) VALUES ('Total', 1)"
                        " ON CONFLICT (lower(name)) DO UPDATE SET n = t.n + 1"
                    )
                    done += 1
                except (errors.SerializationFailure, errors.UniqueViolation):
                    continue
        counted.append(done)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.execute("SELECT name, n FROM t").fetchall() == [("Total", sum(counted))]


def test_a_savepoint_brings_them_back(one: psycopg.Connection) -> None:
    with one.transaction():
        one.execute("UPDATE t SET n = 3 WHERE name = 'A'")
        one.execute("SAVEPOINT here")
        one.execute(f"{INTO} ('a', 9, 'k') ON CONFLICT (lower(name)) DO UPDATE SET n = excluded.n")
        one.execute("ROLLBACK TO here")
    assert one.execute("SELECT n FROM t WHERE name = 'A'").fetchone() == (3,)


def test_a_query_of_parameters_proposes_rows(one: psycopg.Connection) -> None:
    one.execute("CREATE TABLE web (sid VARCHAR PRIMARY KEY, seen TIMESTAMP, sess JSON)")
    sql = """INSERT INTO web (sess, seen, sid) SELECT $1, to_timestamp($2), $3
             ON CONFLICT (sid) DO UPDATE SET sess = $1, seen = to_timestamp($2) RETURNING sid"""
    cursor = psycopg.RawCursor(one)
    for number in (1, 2):
        assert cursor.execute(sql, [f"{number}", 60.0 * number, "s"]).fetchall() == [("s",)]
    (row,) = one.execute("SELECT sid, seen::text, sess FROM web").fetchall()
    assert row == ("s", "1970-01-01 00:02:00", 2)
