"""Changes of one row in DuckDB's two ways, in its place and by adding it anew: none is lost, no other row is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from proxy.engines.duck.engine import DuckEngine
from proxy.engines.duck.session import DuckSession
from proxy.engines.row_changes import RowChange, change_of
from proxy.errors import SqlError

MATCHED = "MERGE INTO t USING (SELECT {id} AS i) AS s ON t.id = s.i WHEN MATCHED"
UPSERT = "INSERT INTO t (id, n) VALUES ({id}, 0) ON CONFLICT (id) DO UPDATE SET n = t.n + 1"
IN_PLACE = [
    "UPDATE t SET n = n + 1 WHERE id = {id}",
    "WITH s AS (SELECT {id} AS i, 1 AS j) UPDATE main.t AS x SET n = n + j FROM s WHERE id = i",
    f"{MATCHED} THEN UPDATE SET n = n + 1",
    UPSERT,
]
ANEW = [
    "UPDATE t SET n = n + 1 WHERE id = {id} RETURNING n",
    "UPDATE t SET n = n + 1, indexed = indexed + 1 WHERE id = {id}",
    "UPDATE t SET n = n + 1, items = [n] WHERE id = {id}",
    "UPDATE t SET n = n + 1, part = {'m': n} WHERE id = {id}",
    f"{MATCHED} THEN UPDATE SET n = n + 1 RETURNING n",
    f"{UPSERT} RETURNING n",
    "INSERT INTO t VALUES ({id}, 0, 0, 0, [], NULL) ON CONFLICT (id) DO UPDATE SET n = t.n + 1 RETURNING n",
    f"{MATCHED} AND n > 5 THEN DELETE WHEN MATCHED THEN UPDATE SET n = n + 1",
    "DELETE FROM t WHERE id = {id}",
    "DELETE FROM t USING (SELECT {id} AS i) AS s WHERE id = s.i",
]
PAIRS = [
    *((one, other) for one in IN_PLACE[:2] for other in (*ANEW, *IN_PLACE[2:])),
    *((one, other) for one in ANEW for other in IN_PLACE),
    (ANEW[0], ANEW[1]),
    (ANEW[1], ANEW[-1]),
]


@pytest.fixture
def sessions(engine: DuckEngine) -> Iterator[Callable[[], DuckSession]]:
    made: list[DuckSession] = []

    def start() -> DuckSession:
        made.append(engine.session())
        return made[-1]

    first = start()
    run(
        first,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, m INTEGER, indexed INTEGER, items INTEGER[],"
        " part STRUCT(m INTEGER))",
    )
    run(first, "CREATE INDEX i ON t (indexed)")
    run(first, "INSERT INTO t VALUES (1, 0, 0, 0, [], {'m': 0}), (2, 0, 0, 0, [], {'m': 0})")
    yield start
    for one in made:
        one.close()


def run(duck: DuckSession, sql: str, row: int = 1) -> int:
    return duck._translate(lambda: duck.start_text(sql.replace("{id}", str(row))).run_out())


def meets(duck: DuckSession, sql: str, row: int = 1) -> None:
    with pytest.raises(SqlError) as error:
        run(duck, sql, row)
    assert error.value.sqlstate == "40001"


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("committed", [True, False])
def test_of_one_row_the_later_one_fails_and_of_two_none(
    sessions: Callable[[], DuckSession], one: str, other: str, committed: bool
) -> None:
    first, second, third = sessions(), sessions(), sessions()
    for duck in (first, second, third):
        duck.begin()
        duck.run("SELECT * FROM t")
    assert run(first, one) == 1
    if committed:
        first.commit()
    meets(second, other)
    second.rollback()
    assert run(third, other, row=2) == 1
    third.commit()
    if not committed:
        first.commit()
    left = dict(second.run("SELECT id, n FROM t"))
    assert left == {row: 1 for row, sql in ((1, one), (2, other)) if not sql.startswith("DELETE")}


@pytest.mark.parametrize(
    ("one", "other"), [pair for pair in PAIRS if not {IN_PLACE[0], ANEW[0]}.isdisjoint(pair)]
)
def test_outside_of_transactions_too(
    sessions: Callable[[], DuckSession], one: str, other: str
) -> None:
    first, second = sessions(), sessions()
    first.begin()
    run(first, one)
    meets(second, other)
    assert run(second, other, row=2) == 1
    first.commit()
    assert run(second, UPSERT) == 1
    third = sessions()
    third.begin()  # and nothing is left open by the second
    assert run(third, IN_PLACE[0]) == run(third, UPSERT, row=2) == 1
    third.commit()


def test_other_columns_of_one_row_are_set_by_both(sessions: Callable[[], DuckSession]) -> None:
    first, second = sessions(), sessions()
    first.begin()
    run(first, IN_PLACE[0])
    run(second, "UPDATE t SET m = 7 WHERE id = 1")
    first.commit()
    assert first.run("SELECT n, m FROM t WHERE id = 1") == [(1, 7)]


def test_three_ways_to_one_row(sessions: Callable[[], DuckSession]) -> None:
    """Who goes another way than its text says is seen to do so by who comes next."""
    first, second, third = sessions(), sessions(), sessions()
    first.begin()
    second.begin()
    run(first, ANEW[0], row=2)
    run(second, IN_PLACE[0])  # adds it anew
    first.rollback()
    meets(third, "UPDATE t SET m = 1 WHERE id = 1")
    second.commit()
    assert third.run("SELECT n, m FROM t ORDER BY id") == [(1, 0), (0, 0)]


def test_what_others_refer_to_is_not_added_anew(sessions: Callable[[], DuckSession]) -> None:
    first, second = sessions(), sessions()
    run(first, "CREATE TABLE referring (id INTEGER REFERENCES t (id))")
    run(first, "INSERT INTO referring VALUES (1)")
    first.begin()
    run(first, ANEW[0], row=2)
    meets(second, IN_PLACE[0])
    first.commit()
    assert run(second, IN_PLACE[0]) == 1


INDEX = "CREATE INDEX of_m ON t (m)"


@pytest.mark.parametrize("change", [ANEW[0], ANEW[-1], IN_PLACE[0]])
def test_no_index_is_made_while_rows_are_kept_for_an_older_snapshot(
    sessions: Callable[[], DuckSession], change: str
) -> None:
    """DuckDB would end the process where it is to forget the first of the two."""
    reader, one, other = sessions(), sessions(), sessions()
    reader.begin()
    reader.run("SELECT 1")
    run(one, change)
    meets(other, INDEX)
    run(one, change, row=2)
    reader.commit()
    run(other, INDEX)
    assert [row for (row,) in one.run("SELECT id FROM t WHERE m = 0 ORDER BY id")] == [
        row for row in (1, 2) if not change.startswith("DELETE")
    ]


def test_no_row_is_changed_while_an_index_is_made(sessions: Callable[[], DuckSession]) -> None:
    older, one, other = sessions(), sessions(), sessions()
    older.begin()
    older.run("SELECT 1")
    one.begin()
    run(one, INDEX)
    meets(other, IN_PLACE[0])
    meets(other, ANEW[-1])
    assert run(one, ANEW[0]) == 1
    one.commit()
    meets(older, IN_PLACE[0])
    older.rollback()
    assert run(older, IN_PLACE[0]) == run(other, ANEW[-1], row=2) == 1


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ('UPDATE t SET A = 1, "b" = (SELECT 1), c = 2 FROM u, v', ("", "t", "abc", False)),
        ("UPDATE s.t SET a = 1 WHERE x IN (1) RETURNING a", ("s", "t", "", True)),
        ('UPDATE "returning" SET "set" = \'RETURNING\'', ("", "returning", ["set"], False)),
        ("UPDATE t SET (a, b) = (1, 2)", ("", "t", None, False)),
        ("INSERT OR REPLACE INTO t VALUES (1)", ("", "t", None, False)),
        ("INSERT INTO t SELECT replace(a, b, c) FROM u", None),
        ("INSERT INTO t VALUES ('update')", None),
        (f"{MATCHED} THEN UPDATE", ("", "t", None, False)),
        (f"{MATCHED} THEN UPDATE SET a = CASE WHEN b THEN 1 END, c = 2", ("", "t", "ac", False)),
        ("MERGE INTO t USING u ON x WHEN NOT MATCHED THEN INSERT (a) VALUES (1)", None),
        ("UPDATE temp.t SET a = 1", None),
        ("TRUNCATE TABLE t", ("", "t", "", True)),
    ],
)
def test_what_a_text_says(sql: str, change: tuple[str, str, list[str] | None, bool] | None) -> None:
    if change is not None:
        schema, name, columns, anew = change
        sets = None if columns is None else frozenset(columns)
        change = RowChange(schema, name, sets, anew)
    assert change_of(sql) == change
