"""What a DELETE sets off in tables that refer to its own, as Postgres has it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

TABLES = """
    CREATE TABLE p (id INT PRIMARY KEY, n TEXT);
    CREATE TABLE c (id SERIAL PRIMARY KEY, pid INT REFERENCES p ON DELETE CASCADE, note TEXT DEFAULT 'x');
    CREATE INDEX c_pid ON c (pid);
    COMMENT ON COLUMN c.note IS 'said';
    CREATE TABLE g (id INT PRIMARY KEY, cid INT REFERENCES c ON DELETE CASCADE);
    CREATE TABLE s (id INT PRIMARY KEY, pid INT NOT NULL, own INT REFERENCES p (id) ON DELETE SET NULL);
    CREATE TABLE r (id INT PRIMARY KEY, pid INT REFERENCES p);
    INSERT INTO p VALUES (1, 'a'), (2, 'b'), (3, 'c');
    INSERT INTO c (pid) VALUES (1), (1), (2);
    INSERT INTO g VALUES (10, 1), (11, 3);
    INSERT INTO s VALUES (1, 1, 1), (2, 2, 2);
    INSERT INTO r VALUES (1, 3);
"""
POSTGRES = "-c hatidata.dialect=postgres -c search_path=followed"


@pytest.fixture
def two(server: Any) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    with server.connect() as admin:
        admin.execute("CREATE SCHEMA followed")
    try:
        with server.connect(options=POSTGRES) as one, server.connect(options=POSTGRES) as other:
            for statement in TABLES.split(";"):
                one.execute(statement.encode())
            yield one, other
    finally:
        with server.connect() as admin:
            admin.execute("DROP SCHEMA followed CASCADE")


Two = tuple[psycopg.Connection, psycopg.Connection]


def rows(connection: psycopg.Connection) -> dict[str, list[Any]]:
    return {
        name: connection.execute(f"SELECT * FROM {name} ORDER BY 1".encode()).fetchall()
        for name in ("p", "c", "g", "s", "r")
    }


LEFT = {
    "p": [(2, "b"), (3, "c")],
    "c": [(3, 2, "x")],
    "g": [(11, 3)],
    "s": [(1, 1, None), (2, 2, 2)],
    "r": [(1, 3)],
}


@pytest.mark.parametrize(
    ("sql", "given"),
    [
        ("DELETE FROM p WHERE id = 1", None),
        ("DELETE FROM p WHERE id = %s", [1]),
        ("DELETE FROM followed.p AS x USING (SELECT %s AS k) AS q WHERE x.n = q.k", ["a"]),
        ("WITH q AS (SELECT 'a' AS k) DELETE FROM p USING q WHERE p.n = q.k", None),
    ],
)
@pytest.mark.parametrize("block", [False, True])
def test_rows_go_along(two: Two, sql: str, given: list[Any] | None, block: bool) -> None:
    one, other = two
    before = rows(one)
    if block:
        one.execute("BEGIN")
    deleted = one.execute(f"{sql} RETURNING n" if block else sql, given)
    assert deleted.rowcount == 1
    assert rows(one) == LEFT
    if block:
        assert rows(other) == before
        one.execute("ROLLBACK")
        assert rows(one) == before
        one.execute(sql, given)
    assert rows(other) == LEFT


def test_it_is_prepared_and_done_again(two: Two) -> None:
    one, _ = two
    for number in range(20, 40):
        one.execute("INSERT INTO p VALUES (%s, 'new')", [number])
        one.execute("INSERT INTO c (pid) VALUES (%s)", [number])
        one.execute("DELETE FROM p WHERE id = %s", [number])
    assert one.execute("SELECT count(*) FROM c WHERE pid > 3").fetchone() == (0,)


def test_the_tables_are_what_they_were(two: Two) -> None:
    one, other = two
    catalog = """
        SELECT c.relname, pg_get_constraintdef(k.oid), k.conname FROM pg_constraint AS k
        JOIN pg_class AS c ON c.oid = k.conrelid WHERE c.relnamespace = 'followed'::regnamespace
        UNION ALL SELECT tablename, indexdef, indexname FROM pg_indexes WHERE schemaname = 'followed'
        UNION ALL SELECT 'c', col_description('followed.c'::regclass, 3), '' ORDER BY 1, 2, 3
    """
    before = one.execute(catalog).fetchall()
    one.execute("DELETE FROM p WHERE id = 1")
    assert other.execute(catalog).fetchall() == before
    assert other.execute("INSERT INTO c (pid) VALUES (2) RETURNING id, note").fetchone() == (4, "x")
    with pytest.raises(errors.ForeignKeyViolation, match="c_pid_fkey"):
        other.execute("INSERT INTO c (pid) VALUES (1)")
    with pytest.raises(errors.ForeignKeyViolation, match="g_cid_fkey"):
        other.execute("INSERT INTO g VALUES (99, 1)")


def test_what_refers_and_stays_is_told(two: Two) -> None:
    one, _ = two
    before = rows(one)
    with pytest.raises(errors.ForeignKeyViolation, match="r_pid_fkey"):
        one.execute("DELETE FROM p WHERE id = 3")
    with pytest.raises(errors.ForeignKeyViolation, match="r_pid_fkey"):
        one.execute("DELETE FROM p")
    assert rows(one) == before


@pytest.mark.parametrize(
    "change", ["DELETE FROM r WHERE id = 1", "UPDATE r SET pid = 2", "UPDATE r SET pid = NULL"]
)
def test_a_row_goes_after_those_that_referred_to_it(two: Two, change: str) -> None:
    """As mappers do: children first, then the parent, in one transaction."""
    one, other = two
    with one.transaction():
        one.execute(change.encode())
        one.execute("DELETE FROM p WHERE id = 3")
    assert other.execute("SELECT count(*) FROM p").fetchone() == (2,)
    with one.transaction():
        one.execute("DELETE FROM g WHERE cid = 3")
        one.execute("DELETE FROM c WHERE id = 3")
        one.execute("DELETE FROM r")
        one.execute("DELETE FROM p WHERE id = 2")
    found = rows(other)
    assert (found["p"], found["g"], found["r"]) == ([(1, "a")], [(10, 1)], [])


def test_a_savepoint_brings_them_back(two: Two) -> None:
    one, other = two
    before = rows(one)
    with one.transaction():
        one.execute("INSERT INTO p VALUES (4, 'd')")
        one.execute("SAVEPOINT here")
        one.execute("DELETE FROM p WHERE id = 1")
        one.execute("ROLLBACK TO here")
        assert rows(one) == before | {"p": [*before["p"], (4, "d")]}
        one.execute("DELETE FROM p WHERE id = 4")
    assert rows(other) == before


def test_who_writes_meanwhile_is_told(two: Two) -> None:
    """Of two transactions, at least the one that would leave a row that refers to nothing fails."""
    one, other = two
    other.execute("BEGIN")
    other.execute("INSERT INTO c (pid) VALUES (1)")
    failed = []
    for connection, sql in ((one, b"DELETE FROM p WHERE id = 1"), (other, b"COMMIT")):
        try:
            connection.execute(sql)
        except psycopg.Error as error:
            failed.append(error.sqlstate)
    other.execute("ROLLBACK")
    assert failed
    assert set(failed) <= {"40001", "23503", "0A000"}
    left = "SELECT count(*) FROM c WHERE pid NOT IN (SELECT id FROM p)"
    assert one.execute(left).fetchone() == (0,)


@pytest.fixture
def tree(two: Two) -> psycopg.Connection:
    """One that refers to itself: 1 > 2 > 3, and 4."""
    one, _ = two
    one.execute(
        "CREATE TABLE tree (id INT PRIMARY KEY, up INT REFERENCES tree ON DELETE CASCADE, n INT)"
    )
    for row in ("1, NULL", "2, 1", "3, 2", "4, NULL"):
        one.execute(f"INSERT INTO tree VALUES ({row}, 0)".encode())
    return one


def test_rows_of_the_same_table_go_along(tree: psycopg.Connection, two: Two) -> None:
    _, other = two
    for number in range(20, 40):  # also once psycopg has prepared it
        tree.execute("INSERT INTO tree VALUES (%s, 3, 0)", [number])
        tree.execute("INSERT INTO tree VALUES (%s, %s, 0)", [number + 100, number])
        assert tree.execute("DELETE FROM tree WHERE id = %s", [number]).rowcount == 1
    tree.execute("BEGIN")
    assert tree.execute("DELETE FROM tree WHERE id = 2 RETURNING up").fetchall() == [(1,)]
    assert tree.execute("SELECT id FROM tree ORDER BY id").fetchall() == [(1,), (4,)]
    tree.execute("ROLLBACK")
    assert other.execute("SELECT count(*) FROM tree").fetchone() == (4,)
    with pytest.raises(errors.ForeignKeyViolation, match="tree_up_fkey"):
        other.execute("INSERT INTO tree VALUES (5, 9, 0)")


def test_what_a_condition_reads_does_not_go_before(tree: psycopg.Connection) -> None:
    before = tree.execute("SELECT * FROM tree ORDER BY id").fetchall()
    with pytest.raises(errors.FeatureNotSupported, match="reads what goes along"):
        tree.execute("DELETE FROM tree AS t USING tree AS u WHERE u.up = t.id AND t.up IS NULL")
    assert tree.execute("SELECT * FROM tree ORDER BY id").fetchall() == before
    with pytest.raises(errors.FeatureNotSupported, match="reads what goes along"):
        tree.execute("DELETE FROM p USING c WHERE c.pid = p.id")


@pytest.mark.parametrize(
    "change",
    [
        "ADD CONSTRAINT small CHECK (n < 7)",
        "RENAME COLUMN up TO above",
        "RENAME COLUMN id TO number",
        "RENAME TO forest",
        "ALTER COLUMN n TYPE BIGINT",
        "ALTER COLUMN n SET NOT NULL",
        "ADD COLUMN m INT NOT NULL DEFAULT 3",
        "DROP COLUMN n",
    ],
)
def test_a_table_that_refers_to_itself_is_altered(tree: psycopg.Connection, change: str) -> None:
    before = tree.execute("SELECT id, up FROM tree ORDER BY id").fetchall()
    tree.execute(f"ALTER TABLE tree {change}".encode())
    table = "forest" if "forest" in change else "tree"
    number, above = (
        ("number" if "number" in change else "id"),
        "above" if "above" in change else "up",
    )
    found = tree.execute(f"SELECT {number}, {above} FROM {table} ORDER BY 1".encode()).fetchall()
    assert found == before
    with pytest.raises(errors.ForeignKeyViolation):
        tree.execute(f"INSERT INTO {table} ({number}, {above}) VALUES (5, 9)".encode())
    assert tree.execute(f"DELETE FROM {table} WHERE {number} = 1".encode()).rowcount == 1
    assert tree.execute(f"SELECT {number} FROM {table}".encode()).fetchall() == [(4,)]


def test_what_another_lets_refer_meanwhile_is_a_conflict(
    tree: psycopg.Connection, two: Two
) -> None:
    """Its row is in DuckDB's index, and not in the snapshot in which rows go along."""
    _, other = two
    with pytest.raises(errors.SerializationFailure) as caught, tree.transaction():
        tree.execute("SELECT * FROM tree")
        other.execute("INSERT INTO tree VALUES (5, 4, 0)")
        tree.execute("DELETE FROM tree WHERE id = 4")
    assert caught.value.diag.message_primary.startswith("could not serialize access")
    assert tree.execute("DELETE FROM tree WHERE id = 4").rowcount == 1
    assert tree.execute("SELECT id FROM tree ORDER BY id").fetchall() == [(1,), (2,), (3,)]


def test_a_table_made_again_by_another_meanwhile_is_a_conflict(
    tree: psycopg.Connection, two: Two
) -> None:
    _, other = two
    with pytest.raises(errors.SerializationFailure), tree.transaction():
        tree.execute("INSERT INTO tree VALUES (5, 4, 0)")
        other.execute("DELETE FROM tree WHERE id = 1")
    assert tree.execute("SELECT id FROM tree").fetchall() == [(4,)]


def test_of_two_who_delete_and_insert_none_leaves_an_orphan(
    tree: psycopg.Connection, two: Two, server: Any
) -> None:
    """Several sessions grow and fell trees; what is left refers to what is there."""
    done = []

    def work(seed: int) -> None:
        chosen = random.Random(seed)
        with server.connect(options=POSTGRES) as own:
            for _ in range(25):
                number = chosen.randrange(1, 30)
                sql = chosen.choice(
                    (
                        f"DELETE FROM tree WHERE id = {number}",
                        f"INSERT INTO tree VALUES ({number}, {chosen.randrange(1, 30)}, 0)",
                        f"INSERT INTO tree VALUES ({number}, NULL, 0)",
                    )
                )
                try:
                    own.execute(sql.encode())
                except psycopg.Error as error:
                    done.append(error.sqlstate)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(done) <= {"23503", "23505", "40001"}
    orphans = "SELECT count(*) FROM tree WHERE up NOT IN (SELECT id FROM tree)"
    assert tree.execute(orphans).fetchone() == (0,)
