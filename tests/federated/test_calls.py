"""Postgres's functions, called with constants, beside analytical tables."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.federated.both_engines import new_task

PROJECT = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize("dialect", ["snowflake", "postgres"])
def test_a_call_is_its_value(memories: Any, dialect: str, prepare: bool) -> None:
    memories.execute(f"SET hatidata.dialect = '{dialect}'")

    def one(text: str) -> Any:
        return memories.execute(text, prepare=prepare).fetchone()[0]

    found = memories.execute(
        "SELECT memory_key, default_project() FROM agent_memories "
        "WHERE project_id = hd_runtime.default_project()",
        prepare=prepare,
    )
    assert [column.name for column in found.description] == ["memory_key", "default_project"]
    ((key, project),) = found.fetchall()
    assert (key, str(project)) == ("style", PROJECT)
    assert (
        one("SELECT current_setting('server_version_num') FROM agent_memories LIMIT 1")
        == (memories.execute("SELECT current_setting('server_version_num')").fetchone()[0])
    )
    assert one("SELECT has_schema_privilege('hd_runtime', 'usage') FROM agent_memories") is True
    assert one("SELECT has_schema_privilege('hd_runtime', 'create') FROM agent_memories") is False
    assert one("SELECT quote_literal('it''s \\') FROM agent_memories LIMIT 1") in (
        "E'it''s \\\\'", "'it''s '"
    )  # fmt: skip
    memories.execute("RESET hatidata.dialect")


def test_a_write_that_calls(memories: Any) -> None:
    memories.execute("INSERT INTO agent_memories SELECT default_project(), 'called', '{}'")
    found = memories.execute("SELECT project_id FROM agent_memories WHERE memory_key = 'called'")
    assert str(found.fetchone()[0]) == PROJECT


def test_its_value_is_a_filter_that_goes_to_postgres(memories: Any) -> None:
    new_task(memories, "by call")
    text = (
        "SELECT m.memory_key FROM hd_runtime.tasks t JOIN agent_memories m "
        "ON m.project_id = t.project_id WHERE t.project_id = default_project() "
        "AND t.agent_type = 'by call'"
    )
    assert memories.execute(text).fetchall() == [("style",)]
    asked = memories.execute(f"EXPLAIN {text}").fetchall()[-1][0]
    assert f"\"project_id\" = E'{PROJECT}'::pg_catalog.uuid" in asked


def test_it_sees_the_clients_role_and_transaction(memories: Any) -> None:
    with memories.transaction():
        memories.execute("SELECT set_config('app.word', 'inside', true)")
        found = memories.execute("SELECT current_setting('app.word') FROM agent_memories LIMIT 1")
        assert found.fetchone() == ("inside",)


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("pg_sleep(1)", "pg_sleep"),
        ("set_config('app.word', 'x', false)", "set_config"),
        ("pg_advisory_lock(1)", "pg_advisory_lock"),
        ("quote_literal(set_config('app.word', 'x', false))", "set_config"),
        ("pg_terminate_backend(1)", "pg_terminate_backend"),
        ("claim_next_task('a')", "claim_next_task"),
        ("hd_runtime.heartbeat(NULL, 'a')", "heartbeat"),
    ],
)
@pytest.mark.parametrize("prepare", [False, True])
def test_what_may_change_something_is_refused(
    memories: Any, call: str, names: str, prepare: bool
) -> None:
    with pytest.raises(errors.FeatureNotSupported, match=names):
        memories.execute(f"SELECT {call} FROM agent_memories", prepare=prepare)


def test_postgress_own_refusals(memories: Any) -> None:
    with pytest.raises(errors.UndefinedFunction):
        memories.execute("SELECT pg_no_such_function(1) FROM agent_memories")
    with pytest.raises(psycopg.Error):
        memories.execute("SELECT current_setting('no.such_setting') FROM agent_memories")
    with pytest.raises((errors.UndefinedFunction, errors.SyntaxError, errors.UndefinedTable)):
        memories.execute('SELECT temp.main."postgres:.default_project()"() FROM agent_memories')
    assert memories.execute("SELECT count(*) FROM agent_memories").fetchone() == (2,)
