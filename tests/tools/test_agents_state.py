"""What agents' frameworks keep in Postgres, kept in analytical tables: LangGraph's checkpoints."""

from __future__ import annotations

from typing import Any

import pytest

postgres = pytest.importorskip("langgraph.checkpoint.postgres")


def _checkpoint(number: int) -> dict[str, Any]:
    return {
        "v": 4,
        "id": f"1ef4f797-8335-6428-8001-8a1503f9b87{number}",
        "ts": f"2026-01-0{number}T00:00:00+00:00",
        "channel_values": {"messages": ["it's \\ here", number], "raw": b"\x00\xff"},
        "channel_versions": {"messages": f"{number:05}.1", "raw": f"{number:05}.1"},
        "versions_seen": {"node": {"messages": f"{number:05}.1"}},
    }


def test_checkpoints_of_langgraph(server: Any) -> None:
    url = f"{server.url}?options=-c%20hatidata.dialect%3Dpostgres"
    thread = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    with postgres.PostgresSaver.from_conn_string(url) as saver:
        try:
            saver.setup()
            saver.setup()
            at = thread
            for number in (1, 2):
                made = _checkpoint(number)
                metadata = {"source": "loop" if number > 1 else "input", "step": number}
                at = saver.put(at, made, metadata, made["channel_versions"])
                saver.put_writes(
                    at, [("messages", {"n": number}), ("raw", b"\x01")], f"task{number}"
                )
            last = saver.get_tuple(thread)
            assert last.checkpoint["channel_values"] == _checkpoint(2)["channel_values"]
            assert last.parent_config["configurable"]["checkpoint_id"] == _checkpoint(1)["id"]
            assert last.pending_writes == [
                ("task2", "messages", {"n": 2}),
                ("task2", "raw", b"\x01"),
            ]
            assert [one.metadata["step"] for one in saver.list(thread)] == [2, 1]
            assert [
                one.metadata["step"] for one in saver.list(thread, filter={"source": "input"})
            ] == [1]
            assert len(list(saver.list(thread, before=last.config, limit=5))) == 1
            saver.delete_thread("t")
            assert saver.get_tuple(thread) is None
        finally:
            for table in ("checkpoint_migrations", "checkpoint_blobs", "checkpoint_writes"):
                saver.conn.execute(f"DROP TABLE IF EXISTS {table}")
            saver.conn.execute("DROP TABLE IF EXISTS checkpoints")
