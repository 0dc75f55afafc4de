"""SHOW hatidata.*: real rows, in both protocols, also while a client waits or holds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.relay.pooled import Pooled


def _show(connection: Any, name: str, **options: Any) -> list[dict[str, str | None]]:
    cursor = connection.execute(f"SHOW hatidata.{name}", **options)
    columns = [column.name for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor]


@pytest.mark.parametrize("prepare", [False, True])
@pytest.mark.parametrize("name", ["pools", "clients", "stats", "plans"])
def test_each_view_gives_rows_in_both_protocols(pool: Pooled, name: str, prepare: bool) -> None:
    with pool.connect() as connection:
        connection.execute("SELECT count(*) FROM hd_runtime.notes")
        rows = _show(connection, name, prepare=prepare)
        assert rows
        assert all(set(row) == set(rows[0]) for row in rows)


def test_pools_and_clients_tell_who_holds_what(pool: Pooled) -> None:
    with pool.connect(application_name="watched") as holder, pool.connect() as observer:
        holder.execute("BEGIN")
        (pid,) = holder.execute("SELECT pg_backend_pid()").fetchone()
        (row,) = [row for row in _show(observer, "pools") if row["role"] == "tester"]
        assert (row["backends_active"], row["pool_size"]) == ("1", "2")
        (mine,) = [
            row for row in _show(observer, "clients") if row["application_name"] == "watched"
        ]
        assert (mine["state"], mine["backend_pid"]) == ("idle in transaction", str(pid))
        holder.execute("COMMIT")
        holder.execute("LISTEN work")
        holder.execute("SELECT count(*) FROM hd_runtime.notes")
        (mine,) = [
            row for row in _show(observer, "clients") if row["application_name"] == "watched"
        ]
        assert mine["pinned"] == "yes"


def test_stats_count_what_was_relayed(pool: Pooled) -> None:
    with pool.connect() as connection:
        connection.execute("SELECT count(*) FROM hd_runtime.notes")
        before, after = [
            int(row["exchanges"] or 0)
            for _ in range(2)
            for row in [_show(connection, "stats")[0]]
            if connection.execute("SELECT count(*) FROM hd_runtime.notes")
        ]
        assert after == before + 1
