"""What a statement has readied in a transaction may be run by another thread before it is asked to: it is
readied once, whatever others commit meanwhile, and on a snapshot that its plan was made for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from proxy.engines.duck.c import Pending
from proxy.engines.duck.engine import DuckEngine
from proxy.engines.duck.session import DuckSession


@pytest.fixture
def sessions(engine: DuckEngine) -> Iterator[tuple[DuckSession, DuckSession]]:
    one, other = engine.session(), engine.session()
    one.start_text("CREATE TABLE t (n INTEGER)").finish()
    yield one, other
    one.close()
    other.close()


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN m INTEGER"])
def test_a_change_is_readied_once(
    sessions: tuple[DuckSession, DuckSession], sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = sessions
    statement = one.prepare(sql)
    pend, readied = statement._pend, list[Pending]()

    def meanwhile(values: Sequence[Any]) -> Pending:
        readied.append(pend(values))
        other.start_text(f"CREATE TABLE other{len(readied)} AS SELECT 1 AS n").finish()
        return readied[-1]

    monkeypatch.setattr(statement, "_pend", meanwhile)
    one.begin()
    one.start(statement).finish()
    one.commit()
    assert len(readied) == 1
    statement.close()


def test_a_plan_of_before_is_made_anew_on_the_snapshot(
    sessions: tuple[DuckSession, DuckSession],
) -> None:
    one, other = sessions
    statement = one.prepare("INSERT INTO t SELECT count(*) FROM t")
    other.start_text("INSERT INTO t VALUES (7), (8)").finish()
    one.begin()
    other.start_text("INSERT INTO t VALUES (9)").finish()
    one.start(statement).finish()
    other.start_text("INSERT INTO t VALUES (10)").finish()
    one.commit()
    statement.close()
    assert one.run("SELECT n FROM t ORDER BY n") == [(3,), (7,), (8,), (9,), (10,)]
