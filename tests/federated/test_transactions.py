"""Reads of both engines within a client's transaction, and what goes wrong in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.federated.both_engines import new_task

COUNT = (
    "SELECT count(DISTINCT t.id) FROM hd_runtime.tasks t, agent_memories m WHERE t.agent_type = %s"
)


def _count(connection: Any, agent_type: str, prepare: bool = False) -> int:
    row = connection.execute(COUNT, [agent_type], prepare=prepare).fetchone()
    return row[0]


@pytest.mark.parametrize("prepare", [False, True])
def test_a_transaction_sees_what_it_wrote_on_both_sides(memories: Any, prepare: bool) -> None:
    name = f"seen {prepare}"
    memories.execute("BEGIN")
    assert _count(memories, name, prepare) == 0
    new_task(memories, name)
    assert _count(memories, name, prepare) == 1
    memories.execute("DELETE FROM agent_memories")
    assert _count(memories, name, prepare) == 0
    memories.execute("ROLLBACK")
    assert _count(memories, name, prepare) == 0


def test_what_is_not_committed_is_not_seen_by_others(memories: Any, server: Any) -> None:
    with server.connect() as other, other.transaction():
        new_task(other, "unseen")
        assert _count(other, "unseen") == 1
        assert _count(memories, "unseen") == 0
    assert _count(memories, "unseen") == 1


def test_repeatable_read_holds_for_the_block(memories: Any, server: Any) -> None:
    with server.connect() as other:
        memories.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert _count(memories, "repeated") == 0
        new_task(other, "repeated")
        assert _count(memories, "repeated") == 0
        memories.execute("COMMIT")
        assert _count(memories, "repeated") == 1


def test_read_committed_sees_what_others_commit(memories: Any, server: Any) -> None:
    with server.connect() as other, memories.transaction():
        assert _count(memories, "committed") == 0
        new_task(other, "committed")
        assert _count(memories, "committed") == 1


def test_a_read_only_transaction(memories: Any) -> None:
    memories.execute("BEGIN READ ONLY")
    assert _count(memories, "nobody") == 0
    with pytest.raises(errors.ReadOnlySqlTransaction):
        memories.execute("INSERT INTO agent_memories (project_id) SELECT id FROM hd_runtime.tasks")
    memories.execute("ROLLBACK")


@pytest.mark.parametrize(
    "wrong",
    [
        "SELECT 1 FROM hd_runtime.nothing, agent_memories",
        "SELECT memory_key::int FROM hd_runtime.tasks, agent_memories",
    ],
)
def test_an_error_undoes_both_sides(memories: Any, wrong: str) -> None:
    memories.execute("BEGIN")
    new_task(memories, "undone")
    memories.execute("DELETE FROM agent_memories WHERE memory_key = 'other'")
    with pytest.raises(psycopg.Error):
        memories.execute(wrong)
    with pytest.raises(errors.InFailedSqlTransaction):
        _count(memories, "undone")
    assert memories.execute("COMMIT").statusmessage == "ROLLBACK"
    assert _count(memories, "undone") == 0
    assert memories.execute("SELECT count(*) FROM agent_memories").fetchone() == (2,)


def test_a_write_that_reads_both_is_undone_with_its_block(memories: Any) -> None:
    memories.execute("BEGIN")
    new_task(memories, "block")
    memories.execute(
        "INSERT INTO agent_memories SELECT project_id, agent_type, NULL FROM hd_runtime.tasks "
        "WHERE agent_type = 'block'"
    )
    assert memories.execute("SELECT count(*) FROM agent_memories").fetchone() == (3,)
    memories.execute("ROLLBACK")
    assert memories.execute("SELECT count(*) FROM agent_memories").fetchone() == (2,)


def test_savepoints(memories: Any) -> None:
    memories.execute("BEGIN")
    memories.execute("SAVEPOINT before")
    new_task(memories, "saved")
    assert _count(memories, "saved") == 1
    memories.execute("ROLLBACK TO before")
    assert _count(memories, "saved") == 0
    memories.execute(
        "INSERT INTO agent_memories (project_id, memory_key) SELECT project_id, 'x' FROM hd_runtime.tasks LIMIT 1"
    )
    memories.execute("SAVEPOINT after_write")
    with pytest.raises(psycopg.Error):
        memories.execute("SELECT 1 / (length(memory_key) * 0) FROM agent_memories")
    # What it wrote hangs on what Postgres held then: it cannot be repeated.
    with pytest.raises(errors.FeatureNotSupported):
        memories.execute("ROLLBACK TO after_write")
    memories.execute("ROLLBACK")


def test_in_a_pipeline_it_sees_what_came_before_it(memories: Any) -> None:
    with memories.pipeline():
        made = memories.execute(
            "SELECT task_id FROM create_task(default_project(), 'piped', 'code')"
        )
        seen = memories.execute(COUNT, ["piped"])
        again = memories.execute(
            "SELECT agent_type FROM hd_runtime.tasks WHERE agent_type = 'piped'"
        )
        both = memories.execute(COUNT, ["piped"])
        assert seen.fetchone() == (1,)
        assert again.fetchall() == [("piped",)]
        assert both.fetchone() == (1,)
    assert made.fetchone() is not None
    assert _count(memories, "piped") == 1


def test_an_error_in_a_pipeline_undoes_it(memories: Any) -> None:
    def run() -> None:
        with memories.pipeline():
            memories.execute("SELECT * FROM create_task(default_project(), 'burst', 'code')")
            memories.execute(COUNT, ["burst"])
            memories.execute("SELECT 1 FROM hd_runtime.nothing, agent_memories")

    with pytest.raises(errors.UndefinedTable):
        run()
    assert _count(memories, "burst") == 0


def test_several_statements_in_one_message(memories: Any) -> None:
    cursor = psycopg.ClientCursor(memories)
    cursor.execute(
        "SELECT 1; INSERT INTO agent_memories (project_id, memory_key) SELECT project_id, 'many' FROM hd_runtime.tasks "
        "LIMIT 0; SELECT count(*) FROM hd_runtime.tasks, agent_memories WHERE memory_key = 'none'; "
        "SELECT 2"
    )
    answers = [cursor.fetchall() if cursor.description else None]
    while cursor.nextset():
        answers.append(cursor.fetchall() if cursor.description else None)
    assert answers == [[(1,)], None, [(0,)], [(2,)]]


def test_one_statement_is_one_question_to_postgres(
    memories: Any, relation: Callable[..., str]
) -> None:
    """So that all of its rows are of one snapshot."""
    plan = memories.execute(
        "EXPLAIN SELECT 1 FROM hd_runtime.tasks t JOIN hd_runtime.task_attempts a "
        "ON a.task_id = t.id JOIN agent_memories m ON m.project_id = t.project_id"
    ).fetchall()
    asked = [line for (line,) in plan if line.startswith("Postgres: ")]
    assert len(asked) == 1
    assert asked[0].count(" UNION ALL ") == 1
