"""INSERT, UPDATE and DELETE of views that show rows of one table: what two sessions and parameters make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

POSTGRES = "-c hatidata.dialect=postgres -c search_path=shown"


@pytest.fixture
def two(server: Any) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    with server.connect() as admin:
        admin.execute("CREATE SCHEMA shown")
    try:
        with server.connect(options=POSTGRES) as one, server.connect(options=POSTGRES) as other:
            one.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT, hidden TEXT DEFAULT 'x')")
            one.execute("INSERT INTO t VALUES (1, 10), (2, 20), (3, -30)")
            one.execute("CREATE VIEW v AS SELECT id, n AS m FROM t WHERE n > 0")
            yield one, other
            for each in (one, other):
                each.execute("ROLLBACK")
    finally:
        with server.connect() as admin:
            admin.execute("DROP SCHEMA shown CASCADE")


Two = tuple[psycopg.Connection, psycopg.Connection]


@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize(
    ("sql", "values", "rows"),
    [
        (
            "INSERT INTO v (m, id) VALUES (%s, %s), (%s, 5) RETURNING *",
            [40, 4, 50],
            [(4, 40), (5, 50)],
        ),
        ("UPDATE v SET m = %s WHERE id = %s RETURNING id, m", [11, 1], [(1, 11)]),
        ("UPDATE v SET m = m + %s RETURNING m", [1], [(11,), (21,)]),
        ("DELETE FROM v WHERE m = ANY(%s) RETURNING v.id", [[10, -30]], [(1,)]),
        (
            "WITH x AS (SELECT %s AS k) DELETE FROM v USING x WHERE x.k = v.id RETURNING m",
            [2],
            [(20,)],
        ),
    ],
)
def test_parameters(two: Two, sql: str, values: list[Any], rows: list[Any], prepare: bool) -> None:
    one, _ = two
    one.execute("BEGIN")
    assert sorted(one.execute(sql.encode(), values, prepare=prepare).fetchall()) == rows
    one.execute("ROLLBACK")
    for _ in range(2):
        one.execute("BEGIN")
        assert sorted(one.execute(sql.encode(), values, prepare=prepare).fetchall()) == rows
        one.execute("ROLLBACK")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE v SET n = 1",
        "UPDATE v SET m = 1 WHERE hidden = 'x'",
        "UPDATE v SET m = length(hidden)",
        "UPDATE v SET m = 1 WHERE id IN (SELECT 1 WHERE hidden = 'x')",
        "DELETE FROM v WHERE hidden = 'x'",
        "DELETE FROM v WHERE id = 1 RETURNING hidden",
        "INSERT INTO v (id, hidden) VALUES (9, 'y')",
    ],
)
def test_what_a_view_does_not_show_is_not_there(two: Two, sql: str) -> None:
    one, _ = two
    with pytest.raises(errors.UndefinedColumn):
        one.execute(sql.encode())
    assert one.execute("SELECT count(*), sum(n) FROM t").fetchone() == (3, 0)


def test_a_view_that_is_another_by_now(two: Two) -> None:
    """What was prepared means the view as it is when it runs."""
    one, other = two
    change = "UPDATE v SET m = m + 1 RETURNING id"
    assert len(one.execute(change, prepare=True).fetchall()) == 2
    other.execute("CREATE OR REPLACE VIEW v AS SELECT id, n AS m FROM t WHERE n > 15")
    assert one.execute(change, prepare=True).fetchall() == [(2,)]
    other.execute("CREATE TABLE elsewhere (i INT)")
    assert one.execute(change, prepare=True).fetchall() == [(2,)]
    other.execute("DROP VIEW v")
    other.execute("CREATE VIEW v AS SELECT max(id) AS id, max(n) AS m FROM t")
    with pytest.raises(errors.ObjectNotInPrerequisiteState):
        one.execute(change, prepare=True)


def test_two_change_one_row(two: Two) -> None:
    one, other = two
    one.execute("BEGIN")
    one.execute("UPDATE v SET m = 12 WHERE id = 1")
    assert other.execute("UPDATE v SET m = 21 WHERE id = 2").rowcount == 1
    other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    other.execute("SELECT * FROM v")
    one.execute("COMMIT")
    with pytest.raises(errors.SerializationFailure):
        other.execute("UPDATE v SET m = 13 WHERE id = 1")
    other.execute("ROLLBACK")
    assert one.execute("SELECT * FROM v ORDER BY id").fetchall() == [(1, 12), (2, 21)]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("INSERT INTO v VALUES (1, 1) ON CONFLICT DO NOTHING", "ON CONFLICT"),
        ("CREATE VIEW w AS SELECT * FROM t WITH CHECK OPTION", "^WITH CHECK OPTION is not"),
        ("MERGE INTO v USING t ON t.id = v.id WHEN MATCHED THEN DELETE", "MERGE"),
    ],
)
def test_what_is_refused(two: Two, sql: str, said: str) -> None:
    one, _ = two
    with pytest.raises(errors.FeatureNotSupported, match=said):
        one.execute(sql.encode())
