"""Only what a statement needs leaves Postgres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import errors

TABLE = """AS SELECT n AS id, n % 3 AS k, n * 1.5::numeric(8, 2) AS d, 'w' || n AS word,
 (ARRAY['sad', 'glad'])[1 + n % 2]::text AS mood, n % 2 = 0 AS even, n * 0.5::float8 AS f,
 '2026-01-01'::date + n AS day, '2026-01-01 00:00:00+00'::timestamptz + n * interval '1 hour' AS at,
 ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid AS key,
 CASE n WHEN 5 THEN NULL ELSE n END AS maybe, jsonb_build_object('n', n) AS doc
 FROM generate_series(1, 20) n"""

# A filter in the client's SQL, and whether it goes to Postgres whole.
FILTERS = [
    ("id = 7", True),
    ("7 = id", True),
    ("id <> 7", True),
    ("id < 3 OR id >= 18", True),
    ("id BETWEEN 3 AND 5", True),
    ("NOT (id < 5 OR (k = 1 AND even))", True),
    ("id IN (1, 2, 99)", True),
    ("id NOT IN (1, 2, 99)", True),
    ("NOT (id = 1 OR k = 2)", True),
    ("d > 12.75", True),
    ("d = 1.5", True),
    ("f <= 2.5", True),
    ("word = 'w7'", True),
    ("word > 'w15'", True),
    ("word <> 'w1'", True),
    ("word LIKE 'w1%'", True),
    ("word IN ('w1', 'it''s')", True),
    ("mood = 'no such label'", True),
    ("even", True),
    ("NOT even", True),
    ("even = false", True),
    ("day = '2026-01-05'::date", True),
    ("day >= '2026-01-15'", True),
    ("at < '2026-01-01 05:00:00+00'::timestamptz", True),
    ("at = '2026-01-01 07:00:00+02'::timestamptz", True),
    ("key = '00000000-0000-0000-0000-000000000007'::uuid", True),
    ("key::text = '00000000-0000-0000-0000-000000000007'", False),
    ("id > 3 AND id < 7", False),  # EXPLAIN calls it BETWEEN
    ("NOT (id > 3 AND id < 7)", False),
    ("NOT (id BETWEEN 3 AND 7)", False),
    ("maybe IS NULL", True),
    ("maybe IS NOT NULL", True),
    ("id::bigint = 7", True),
    ("id = 7 AND upper(word) = 'W7'", False),
    ("upper(word) = 'W7'", False),
    ("doc:n::int = 7", False),
    ("id + 1 = 8", None),
    ("id = 7 OR upper(word) = 'W8'", False),
]


@pytest.fixture
def table(relation: Callable[..., str]) -> str:
    return relation("pushed", TABLE)


def _asked(connection: Any, text: str) -> str:
    return connection.execute(f"EXPLAIN {text}").fetchall()[-1][0]


@pytest.mark.parametrize(("condition", "whole"), FILTERS, ids=[text for text, _ in FILTERS])
def test_a_filter_changes_nothing_but_what_is_asked(
    memories: Any, table: str, condition: str, whole: bool | None
) -> None:
    memories.execute("CREATE OR REPLACE TABLE local_copy AS SELECT * FROM hd_runtime.pushed")
    text = (
        f"SELECT p.id FROM {{}} p, agent_memories m WHERE m.memory_key = 'style' AND ({condition})"
    )
    expected = sorted(memories.execute(text.format("local_copy")).fetchall())
    assert sorted(memories.execute(text.format("hd_runtime.pushed")).fetchall()) == expected
    asked = _asked(memories, text.format("hd_runtime.pushed"))
    if whole:
        assert " WHERE " in asked
        # What is left of the rows in Postgres is just what the statement wants.
        sent = memories.execute(
            f"SELECT count(*) FROM ({asked.removeprefix('Postgres: ')}) s"
        ).fetchone()
        assert sent == (len(expected),)
    memories.execute("DROP TABLE local_copy")


def test_an_order_is_that_of_bytes_whatever_the_collation(
    memories: Any, relation: Callable[..., str]
) -> None:
    relation("words", "AS SELECT w FROM unnest(ARRAY['a', 'B', 'c', 'Z', '\u00e9']) w")
    found = memories.execute(
        "SELECT w FROM hd_runtime.words, agent_memories "
        "WHERE memory_key = 'style' AND w > 'Z' ORDER BY w"
    ).fetchall()
    assert found == [("a",), ("c",), ("\u00e9",)]


def test_columns_that_nothing_reads_stay_in_postgres(
    memories: Any, relation: Callable[..., str]
) -> None:
    """`broken` raises for whoever reads it, which is shown by the last statement."""
    relation(
        "boom", "AS SELECT n, n AS m, 1 / (n - n) AS broken FROM generate_series(1, 9) n", "VIEW"
    )
    sums = "SELECT sum(n) FROM (SELECT * FROM hd_runtime.boom) b, agent_memories"
    assert memories.execute(sums).fetchone() == (90,)
    with pytest.raises(errors.DivisionByZero):
        memories.execute("SELECT sum(broken) FROM hd_runtime.boom, agent_memories")


def test_rows_that_the_filter_leaves_out_stay_in_postgres(
    memories: Any, relation: Callable[..., str]
) -> None:
    """`broken` raises in all rows but one."""
    relation(
        "boom",
        "AS SELECT n, CASE n WHEN 4 THEN 0 ELSE 1 / (n - n) END AS broken "
        "FROM generate_series(1, 9) n",
        "VIEW",
    )
    for condition in ("n = 4", "n IN (4, 44)", "n = length('four')"):
        found = memories.execute(
            f"SELECT broken FROM hd_runtime.boom, agent_memories WHERE {condition}"
        ).fetchall()
        assert found == [(0,), (0,)]
    memories.execute(
        "CREATE VIEW fed_view AS SELECT b.*, memory_key FROM hd_runtime.boom b, agent_memories"
    )
    assert memories.execute("SELECT broken FROM fed_view WHERE n = %s", [4]).fetchall() == [
        (0,), (0,)
    ]  # fmt: skip
    memories.execute("DROP VIEW fed_view")
    with pytest.raises(errors.DivisionByZero):
        memories.execute("SELECT sum(broken) FROM hd_runtime.boom, agent_memories")


def test_a_filter_crosses_an_equality(memories: Any, relation: Callable[..., str]) -> None:
    relation("boom", "AS SELECT n, 1 / (n - n) AS broken FROM generate_series(1, 9) n", "VIEW")
    memories.execute("CREATE OR REPLACE TABLE keys AS SELECT 77 AS n")
    found = memories.execute(
        "SELECT broken FROM keys k JOIN hd_runtime.boom b ON b.n = k.n WHERE k.n = 77"
    ).fetchall()
    assert found == []
    memories.execute("DROP TABLE keys")


def test_each_place_of_a_relation_has_its_own_filter(memories: Any, table: str) -> None:
    text = (
        "SELECT a.id, b.id FROM hd_runtime.pushed a, hd_runtime.pushed b, agent_memories m "
        "WHERE a.id = 3 AND b.k = 2 AND b.id < 6 AND m.memory_key = 'style' ORDER BY 2"
    )
    assert memories.execute(text).fetchall() == [(3, 2), (3, 5)]
    asked = _asked(memories, text)
    parts = ['("id" = (3))', '("k" = (2) AND "id" < (6))']
    wheres = tuple(f"WHERE {' OR '.join(order)}" for order in (parts, parts[::-1]))
    assert asked.endswith(wheres), asked
    text = (
        "SELECT count(*) FROM hd_runtime.pushed a, hd_runtime.pushed b, agent_memories m "
        "WHERE a.id = 3 AND m.memory_key = 'style'"
    )
    assert memories.execute(text).fetchone() == (20,)


def test_a_relation_of_which_nothing_is_needed(memories: Any, table: str) -> None:
    text = "SELECT p.word FROM hd_runtime.pushed p, agent_memories WHERE 1 = 0"
    assert memories.execute(text).fetchall() == []
    assert _asked(memories, text).endswith(" WHERE false")
