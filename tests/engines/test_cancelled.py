"""A cancel reaches what a session is at, also where it comes just before DuckDB has begun with it."""

from __future__ import annotations

import asyncio

import pytest

from proxy.engines.duck.engine import DuckEngine
from proxy.errors import SqlError

LONG = "SELECT count(*) FROM range(10000000000) WHERE random() < 2"


async def _interrupted(engine: DuckEngine, turns: int) -> list[str]:
    """What becomes of statements that are interrupted after so many turns of the loop."""
    session, states = engine.session(), list[str]()
    for _ in range(10):
        running = asyncio.create_task(session.call(session.run, LONG))
        for _ in range(turns):
            await asyncio.sleep(0)
        session.interrupt()
        try:
            await running
        except SqlError as error:
            states.append(error.sqlstate)
        assert await session.call(session.run, "SELECT 1") == [(1,)]
    await session.call(session.close)
    return states


@pytest.mark.parametrize("turns", [1, 2, 10])
def test_it_comes_before_the_statement_has_begun(engine: DuckEngine, turns: int) -> None:
    assert asyncio.run(_interrupted(engine, turns)) == ["57014"] * 10
