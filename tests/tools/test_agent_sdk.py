"""The published agent SDK and its MCP server, as they come from PyPI.

One of the SDK's calls fails by its own fault and is not here: `set_state` passes a `%` to psycopg2 in a
statement with parameters.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

sdk = pytest.importorskip("hatidata_agent")


class Mcp:
    """`hatidata-mcp-server` over its standard input and output."""

    def __init__(self, server: Any, agent: str) -> None:
        command = [sys.executable, "-m", "hatidata_agent.mcp_server", "--host", server.host]
        command += ["--port", str(server.port), "--agent-id", agent]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._ids = itertools.count(1)

    def ask(self, method: str, /, **params: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["id"] == request["id"]
        return answer["result"]

    def call(self, name: str, /, **arguments: Any) -> Any:
        """What a tool gives; fails if it says that it failed."""
        result = self.ask("tools/call", name=name, arguments=arguments)
        text = result["content"][0]["text"]
        assert not result.get("isError"), text
        return json.loads(text)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


@pytest.fixture
def agent_id() -> str:
    return f"agent-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def mcp(server: Any, agent_id: str) -> Iterator[Mcp]:
    client = Mcp(server, agent_id)
    yield client
    client.close()


@pytest.fixture
def agent(server: Any, agent_id: str) -> Iterator[Any]:
    with sdk.HatiDataAgent(host=server.host, port=server.port, agent_id=agent_id) as agent:
        yield agent


@pytest.fixture
def sold(server: Any) -> Iterator[str]:
    """A table of the default schema."""
    name = f"sold_{uuid.uuid4().hex[:8]}"
    with server.connect() as connection:
        connection.execute(f"CREATE TABLE {name} (id INTEGER NOT NULL, price DECIMAL(10,2))")
        connection.execute(f"INSERT INTO {name} VALUES (1, 10.50), (2, NULL)")
        yield name
        connection.execute(f"DROP TABLE IF EXISTS {name}")


def test_the_server_has_its_23_tools(mcp: Mcp) -> None:
    assert mcp.ask("initialize")["serverInfo"]["name"] == "hatidata"
    assert len(mcp.ask("tools/list")["tools"]) == 23


def test_queries(mcp: Mcp, sold: str) -> None:
    rows = [{"id": 1, "price": "10.50"}, {"id": 2, "price": None}]
    assert mcp.call("query", sql=f"SELECT * FROM {sold} ORDER BY id") == rows
    assert mcp.call("read_query", sql=f"SELECT COUNT(*) AS n FROM {sold};") == [{"n": 2}]
    refused = mcp.ask(
        "tools/call", name="read_query", arguments={"sql": f"DELETE FROM {sold} RETURNING id"}
    )
    assert refused["isError"]
    assert mcp.call("query", sql=f"SELECT COUNT(*) AS n FROM {sold}") == [{"n": 2}]


def test_the_catalog(mcp: Mcp, sold: str) -> None:
    assert {"public", "hd_runtime"} <= set(mcp.call("list_schemas"))
    own = {"table_schema": "public", "table_name": sold, "table_type": "BASE TABLE"}
    assert own in mcp.call("list_tables")
    assert own in mcp.call("list_tables", schema="public")
    assert own in mcp.call("list_tables", schema="main")
    assert mcp.call("describe_table", table_name=sold) == [
        {"column_name": "id", "data_type": "bigint", "is_nullable": "NO"},
        {"column_name": "price", "data_type": "numeric", "is_nullable": "YES"},
    ]


def test_usage_asks_duckdb_for_a_table_schema(mcp: Mcp, sold: str) -> None:
    [used] = [one for one in mcp.call("get_usage_stats") if one["table_name"] == sold]
    assert used == {
        "table_schema": "main",
        "table_name": sold,
        "estimated_size": 2,
        "column_count": 2,
    }


def test_memories(mcp: Mcp, agent_id: str) -> None:
    kept = mcp.call("store_memory", content="it's 100% tea", metadata={"cups": 2}, importance=0.9)[
        "memory_id"
    ]
    mcp.call("store_memory", content="coffee at work")
    [found] = mcp.call("search_memory", query="likes tea", min_importance=0.5, memory_type="fact")
    assert (found["memory_id"], found["agent_id"]) == (kept, agent_id)
    assert (found["content"], found["importance"]) == ("it's 100% tea", 0.9)
    assert json.loads(found["metadata"]) == {"cups": 2}
    assert len(found["created_at"]) == len("2026-01-01T00:00:00Z")
    assert mcp.call("delete_memory", memory_id=kept)["deleted"] is True
    assert mcp.call("delete_memory", memory_id=kept)["deleted"] is False
    assert mcp.call("search_memory", query="likes tea") == []


def test_states_are_read(mcp: Mcp, server: Any, agent_id: str) -> None:
    assert mcp.call("get_agent_state", key="plan") == {"key": "plan", "value": None}
    with server.connect() as connection:
        for value in ("[1]", "[1, 2]"):  # what set_state says, with its `%` doubled
            connection.execute(
                'INSERT INTO "_hatidata_memory_local".agent_state (agent_id, key, value) '
                "VALUES (%s, %s, %s) ON CONFLICT (agent_id, key) DO UPDATE "
                "SET value = EXCLUDED.value, "
                'version = "_hatidata_memory_local".agent_state.version + 1, '
                "updated_at = strftime(now(), '%%Y-%%m-%%dT%%H:%%M:%%SZ')",
                (agent_id, "plan", value),
            )
    assert mcp.call("get_agent_state", key="plan") == {"key": "plan", "value": [1, 2]}


def test_reasoning_steps_form_a_chain(mcp: Mcp, agent_id: str) -> None:
    session = uuid.uuid4().hex
    for number in range(3):
        mcp.call(
            "log_reasoning_step",
            session_id=session,
            step_type="decision",
            content=f"it's step {number}",
            metadata={"n": number},
        )
    replayed = mcp.call("replay_decision", session_id=session, verify_chain=True)
    assert (replayed["step_count"], replayed["chain_valid"]) == (3, True)
    assert [step["content"] for step in replayed["steps"]][-1] == "it's step 2"
    [history] = mcp.call("get_session_history", agent_id=agent_id, since="2020-01-01")
    assert (history["session_id"], history["step_count"]) == (session, 3)


def test_triggers(mcp: Mcp) -> None:
    made = mcp.call(
        "register_trigger", name="late", concept="late payment", action_config={"url": "u"}
    )["trigger_id"]

    def listed(status: str) -> list[str]:
        return [one["trigger_id"] for one in mcp.call("list_triggers", status=status)]

    assert made in listed("active")
    tested = mcp.call("test_trigger", trigger_id=made, content="a payment that is late")
    assert (tested["matched"], tested["score"]) == (True, 1.0)
    assert mcp.call("delete_trigger", trigger_id=made)["deleted"] is True
    assert made not in listed("active")
    assert made in listed("inactive")


def test_a_branch_shows_the_default_schemas_tables_and_is_merged(mcp: Mcp, sold: str) -> None:
    made = mcp.call("branch_create", name="trial")
    branch, schema = made["branch_id"], made["schema_name"]
    assert made["table_count"] >= 1
    seen = mcp.call("branch_query", branch_id=branch, sql=f"SELECT id FROM {sold} ORDER BY id")
    assert seen == [{"id": 1}, {"id": 2}]
    assert schema in [one["schema_name"] for one in mcp.call("branch_list")]
    for sql in (
        f'DROP VIEW "{schema}".{sold}',
        f'CREATE TABLE "{schema}".{sold} AS SELECT id + 10 AS id FROM main.{sold}',
    ):
        mcp.call("branch_query", branch_id=branch, sql=sql)
    assert mcp.call("query", sql=f"SELECT MIN(id) AS id FROM {sold}") == [{"id": 1}]
    inside = mcp.call("branch_query", branch_id=branch, sql=f"SELECT MIN(id) AS id FROM {sold}")
    assert inside == [{"id": 11}]
    [own] = [one for one in mcp.call("branch_list") if one["branch_id"] == branch]
    assert (own["materialized_tables"], own["views"]) == (1, made["table_count"] - 1)
    assert mcp.call("branch_merge", branch_id=branch)["merged"] == 1
    assert mcp.call("query", sql=f"SELECT MIN(id) AS id FROM {sold}") == [{"id": 11}]
    assert schema not in mcp.call("list_schemas")


def test_a_branch_is_discarded(mcp: Mcp, sold: str) -> None:
    made = mcp.call("branch_create")
    assert mcp.call("branch_discard", branch_id=made["branch_id"])["discarded"] is True
    assert made["schema_name"] not in mcp.call("list_schemas")
    assert mcp.call("query", sql=f"SELECT COUNT(*) AS n FROM {sold}") == [{"n": 2}]


def test_a_reasoning_chain_sets_the_sessions_settings(agent: Any, agent_id: str) -> None:
    with agent.reasoning_chain("request-1", "request-0") as chain:
        assert chain.query("SELECT 1 AS one") == [{"one": 1}]
        assert chain.query("SELECT %s AS word", ("yes",), step=4) == [{"word": "yes"}]
        for name, value in (
            ("agent_id", agent_id),
            ("request_id", "request-1"),
            ("parent_request_id", "request-0"),
            ("reasoning_step", "4"),
        ):
            assert agent.query(f"SHOW hatidata_{name}") == [{f"hatidata_{name}": value}]
    assert agent.query("SHOW hatidata_request_id") == [{"hatidata_request_id": ""}]


def test_statements_say_how_many_rows_they_changed(agent: Any, sold: str) -> None:
    assert agent.execute(f"UPDATE {sold} SET price = %s WHERE id = %s", ("3.25", 2)) == 1
    assert agent.execute(f"DELETE FROM {sold} WHERE id > %s", (5,)) == 0
    assert len(agent.query(f"SELECT * FROM {sold} WHERE price > %s", (1,))) == 2


def test_context_is_found_by_words_and_by_likeness(agent: Any, server: Any) -> None:
    with server.connect() as connection:
        connection.execute("SET hatidata.dialect = 'postgres'")
        connection.execute("CREATE TABLE notes (id INT, note TEXT, place FLOAT8[])")
        try:
            connection.execute(
                "INSERT INTO notes VALUES (1, 'late payment of rent', '{1,0}'), "
                "(2, 'coffee', '{0,1}'), (3, 'a payment', '{0.5,0.5}'), (4, NULL, NULL)"
            )
            found = agent.get_context("notes", "Late payment?", top_k=2)
            assert [row["id"] for row in found] == [1, 3]
            assert agent.get_context("public.notes", "tea") == []
            found = agent.get_rag_context("notes", "place", [-1.0, 0.1], top_k=3)
            assert [row["id"] for row in found] == [2, 3, 1]
        finally:
            connection.execute("DROP TABLE notes")


def test_main_is_public_wherever_the_catalog_is_asked_for_it(server: Any, sold: str) -> None:
    with server.connect() as connection:
        for condition in ("= 'main'", "IN ('x', 'main')", "NOT IN ('x', 'public')", "<> 'main'"):
            found = connection.execute(
                "SELECT 1 FROM information_schema.tables "
                f"WHERE table_name = '{sold}' AND table_schema {condition}"
            ).fetchall()
            assert bool(found) is (condition in ("= 'main'", "IN ('x', 'main')")), condition
