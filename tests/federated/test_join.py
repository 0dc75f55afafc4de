"""One statement over the runtime's relations and analytical tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.federated.both_engines import new_task

PROJECT = "00000000-0000-0000-0000-000000000001"

GUIDE = """
-- Join V1 and V2 data
SELECT
t.agent_type,
a.status,
m.memory_key,
m.value
FROM hd_runtime.tasks t
JOIN hd_runtime.task_attempts a ON a.task_id = t.id
LEFT JOIN agent_memories m ON m.project_id = t.project_id
WHERE t.project_id = '00000000-0000-0000-0000-000000000001' AND t.agent_type = 'guide'
"""


def test_the_transition_guides_join(memories: Any) -> None:
    new_task(memories, "guide")
    expected = [("guide", "queued", "style", {"tone": "plain"})]
    for prepare in (False, True):
        assert memories.execute(GUIDE, prepare=prepare).fetchall() == expected
    for dialect in ("postgres", "duckdb"):
        memories.execute(f"SET hatidata.dialect = '{dialect}'")
        assert memories.execute(GUIDE).fetchall() == expected
    memories.execute("RESET hatidata.dialect")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT agent_type FROM hd_runtime.tasks WHERE project_id IN "
        "(SELECT project_id FROM agent_memories) AND agent_type = 'shapes'",
        "SELECT t.agent_type FROM hd_runtime.tasks t WHERE t.agent_type = 'shapes' AND EXISTS "
        "(SELECT 1 FROM agent_memories m WHERE m.project_id = t.project_id)",
        "WITH t AS (SELECT * FROM hd_runtime.tasks), m AS (SELECT * FROM agent_memories) "
        "SELECT agent_type FROM t JOIN m USING (project_id) WHERE agent_type = 'shapes'",
        "SELECT agent_type FROM hd_runtime.tasks WHERE agent_type = 'shapes' "
        "UNION ALL SELECT memory_key FROM agent_memories WHERE memory_key = 'none'",
        "SELECT x.agent_type FROM agent_memories m, LATERAL (SELECT agent_type FROM "
        "hd_runtime.tasks t WHERE t.project_id = m.project_id AND agent_type = 'shapes') x",
        "SELECT hd_runtime.tasks.agent_type FROM hd_runtime.tasks, agent_memories m "
        "WHERE tasks.project_id = m.project_id AND tasks.agent_type = 'shapes'",
        "SELECT a.agent_type FROM hd_runtime.tasks a JOIN hd_runtime.tasks b ON a.id = b.id "
        "JOIN agent_memories m ON m.project_id = b.project_id WHERE a.agent_type = 'shapes'",
        "SELECT (SELECT max(agent_type) FROM hd_runtime.tasks WHERE agent_type = 'shapes') "
        "FROM agent_memories LIMIT 1",
        "SELECT agent_type FROM agent_memories m RIGHT JOIN hd_runtime.tasks t "
        "ON m.memory_key = 'nowhere' WHERE t.agent_type = 'shapes'",
    ],
)
def test_wherever_the_relation_stands(memories: Any, text: str) -> None:
    memories.execute("SET hatidata.dialect = 'snowflake'")
    if not memories.execute(
        "SELECT 1 FROM hd_runtime.tasks WHERE agent_type = 'shapes'"
    ).fetchone():
        new_task(memories, "shapes")
    assert memories.execute(text).fetchall() == [("shapes",)]
    assert memories.execute(text, prepare=True).fetchall() == [("shapes",)]


def test_an_outer_joins_filter_is_not_taken_for_a_filter_on_its_rows(
    memories: Any, relation: Callable[..., str]
) -> None:
    relation("pair", "AS SELECT n, n * 10 AS tens FROM generate_series(1, 3) n")
    found = memories.execute(
        "SELECT p.n, m.memory_key FROM hd_runtime.pair p LEFT JOIN agent_memories m "
        "ON p.n = 2 AND m.memory_key = 'style' ORDER BY 1"
    ).fetchall()
    assert found == [(1, None), (2, "style"), (3, None)]
    found = memories.execute(
        "SELECT m.memory_key, p.n FROM agent_memories m LEFT JOIN hd_runtime.pair p "
        "ON p.n = 2 AND p.tens = 20 AND m.memory_key = 'style' ORDER BY 1"
    ).fetchall()
    assert found == [("other", None), ("style", 2)]
    found = memories.execute(
        "SELECT count(*) FROM agent_memories m LEFT JOIN hd_runtime.pair p ON p.n = 9 "
        "WHERE p.n IS NULL"
    ).fetchall()
    assert found == [(2,)]


def test_rows_are_counted_that_have_no_column_to_show(
    memories: Any, relation: Callable[..., str]
) -> None:
    relation("pair", "AS SELECT n FROM generate_series(1, 3) n")
    assert memories.execute("SELECT count(*) FROM hd_runtime.pair, agent_memories").fetchone() == (
        6,
    )


def test_create_table_as_and_insert(memories: Any, relation: Callable[..., str]) -> None:
    relation("pair", "AS SELECT n, n * 10 AS tens FROM generate_series(1, 3) n")
    made = memories.execute("CREATE TABLE fed_copy AS SELECT * FROM hd_runtime.pair")
    assert made.statusmessage == "SELECT 3"
    put = memories.execute("INSERT INTO fed_copy SELECT n, tens FROM hd_runtime.pair WHERE n > 2")
    assert put.statusmessage == "INSERT 0 1"
    rows = memories.execute("SELECT * FROM fed_copy ORDER BY ALL").fetchall()
    assert rows == [(1, 10), (2, 20), (3, 30), (3, 30)]
    put = memories.execute(
        "INSERT INTO fed_copy SELECT n, %s FROM hd_runtime.pair WHERE n < %s RETURNING n",
        [5, 2],
        prepare=True,
    )
    assert put.fetchall() == [(1,)]
    memories.execute("DROP TABLE fed_copy")


def test_update_delete_and_merge(memories: Any, relation: Callable[..., str]) -> None:
    relation("pair", "AS SELECT n, n * 10 AS tens FROM generate_series(1, 3) n")
    memories.execute("CREATE OR REPLACE TABLE fed_copy (n int, tens int)")
    memories.execute("INSERT INTO fed_copy VALUES (1, 0), (2, 0), (7, 0)")
    changed = memories.execute(
        "UPDATE fed_copy SET tens = p.tens FROM hd_runtime.pair p WHERE p.n = fed_copy.n"
    )
    assert changed.statusmessage == "UPDATE 2"
    changed = memories.execute(
        "DELETE FROM fed_copy WHERE n NOT IN (SELECT n FROM hd_runtime.pair)"
    )
    assert changed.statusmessage == "DELETE 1"
    memories.execute(
        "MERGE INTO fed_copy c USING hd_runtime.pair p ON p.n = c.n "
        "WHEN MATCHED THEN UPDATE SET tens = -1 WHEN NOT MATCHED THEN INSERT (n, tens) "
        "VALUES (p.n, p.tens)"
    )
    rows = memories.execute("SELECT * FROM fed_copy ORDER BY ALL").fetchall()
    assert rows == [(1, -1), (2, -1), (3, 30)]
    memories.execute("DROP TABLE fed_copy")


def test_catalog_relations_beside_analytical_ones(memories: Any) -> None:
    found = memories.execute(
        "SELECT c.relname, a.attname, m.memory_key FROM pg_class c "
        "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = 2 "
        "CROSS JOIN agent_memories m WHERE c.relname = 'pg_namespace' AND m.memory_key = %s",
        ["style"],
    ).fetchall()
    assert found == [("pg_namespace", "nspname", "style")]
    memories.execute("SET hatidata.dialect = 'postgres'")
    found = memories.execute(
        "SELECT t.table_type FROM information_schema.tables t, agent_memories m "
        "WHERE t.table_schema = 'hd_runtime' AND t.table_name = 'tasks' LIMIT 1"
    ).fetchall()
    memories.execute("RESET hatidata.dialect")
    assert found == [("BASE TABLE",)]


@pytest.mark.parametrize(
    ("text", "sqlstate", "says"),
    [
        ("SELECT * FROM agent_memories, hd_runtime.nothing", "42P01", "hd_runtime.nothing"),
        ("SELECT nothing FROM agent_memories, hd_runtime.tasks", "42703", "nothing"),
        ("SELECT claim_next_task('a') FROM agent_memories", "0A000", "claim_next_task"),
        (
            "SELECT * FROM agent_memories m, hd_runtime.tasks t, hd_runtime.cancel_task(t.id)",
            "0A000",
            "cancel_task",
        ),
        ("INSERT INTO hd_runtime.tasks SELECT * FROM agent_memories", "0A000", "hd_runtime.tasks"),
        (
            "UPDATE hd_runtime.tasks SET priority = 1 FROM agent_memories m",
            "0A000",
            "hd_runtime.tasks",
        ),
        (
            "DELETE FROM hd_runtime.tasks WHERE id IN (SELECT project_id FROM agent_memories)",
            "0A000",
            "hd_runtime.tasks",
        ),
        (
            "MERGE INTO hd_runtime.tasks t USING agent_memories m ON m.project_id = t.project_id "
            "WHEN MATCHED THEN DELETE",
            "0A000",
            "hd_runtime.tasks",
        ),
        (
            "CREATE TABLE hd_runtime.stolen AS SELECT * FROM agent_memories",
            "0A000",
            "hd_runtime.stolen",
        ),
        (
            "SELECT * FROM agent_memories m, hd_runtime.tasks t FOR UPDATE",
            "0A000",
            "FOR UPDATE",
        ),
    ],
)
def test_what_is_wrong_is_said(memories: Any, text: str, sqlstate: str, says: str) -> None:
    for prepare in (False, True):
        with pytest.raises(psycopg.Error) as caught:
            memories.execute(text, prepare=prepare)
        assert caught.value.sqlstate == sqlstate
        assert says in str(caught.value)
    assert memories.execute("SELECT 1").fetchone() == (1,)


def test_an_error_has_its_place_in_the_clients_text(memories: Any) -> None:
    text = "SELECT memory_key, nothing FROM agent_memories, hd_runtime.tasks"
    with pytest.raises(errors.UndefinedColumn) as caught:
        memories.execute(text)
    assert caught.value.diag.statement_position == str(text.index("nothing") + 1)


def test_nothing_stays_behind(memories: Any) -> None:
    memories.execute(GUIDE).fetchall()
    memories.execute(GUIDE, prepare=True).fetchall()
    with pytest.raises(psycopg.Error):
        memories.execute(
            "SELECT 1 / (length(agent_type) * 0) FROM hd_runtime.tasks, agent_memories"
        )
    left = memories.execute(
        "SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal "
        "UNION ALL SELECT table_name FROM duckdb_tables() WHERE temporary"
    )
    assert left.fetchall() == []
