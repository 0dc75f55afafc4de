"""One COMMIT, two engines: what the client is told when the second refuses."""

from __future__ import annotations

import pytest
from psycopg import errors

from tests.relay.pooled import Pooled


def test_a_commit_that_duckdb_refuses_says_what_postgres_kept(pool: Pooled) -> None:
    with pool.connect() as one, pool.connect() as two:
        one.execute("CREATE TABLE contested (n int PRIMARY KEY, m int)")
        one.execute("BEGIN")
        one.execute("INSERT INTO contested VALUES (1, 1)")
        one.execute("INSERT INTO hd_runtime.notes VALUES (500, 'kept')")
        two.execute("INSERT INTO contested VALUES (1, 2)")
        with pytest.raises(errors.Error) as caught:
            one.execute("COMMIT")
        assert "control plane's part of the transaction was committed" in (
            caught.value.diag.message_detail or ""
        )
        assert one.info.transaction_status == 0  # idle
        kept = one.execute("SELECT note FROM hd_runtime.notes WHERE id = 500").fetchone()
        assert kept == ("kept",)
        assert one.execute("SELECT m FROM contested").fetchall() == [(2,)]
        one.execute("DELETE FROM hd_runtime.notes WHERE id = 500")


def test_engines_interleave_in_one_transaction_on_one_backend(pool: Pooled) -> None:
    with pool.connect() as one:
        one.execute("CREATE TABLE both_sides (n int)")
        pids = set()
        with one.transaction():
            for n in range(5):
                one.execute("INSERT INTO both_sides VALUES (%s)", [n])
                pids.add(one.execute("SELECT pg_backend_pid()").fetchone())
                one.execute("INSERT INTO hd_runtime.notes VALUES (%s, 'x')", [600 + n])
        assert len(pids) == 1
        assert one.execute("SELECT count(*) FROM both_sides").fetchone() == (5,)
        gone = one.execute("DELETE FROM hd_runtime.notes WHERE id >= 600")
        assert gone.rowcount == 5
