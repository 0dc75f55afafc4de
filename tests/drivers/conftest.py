"""What drivers need to begin: a server to talk to and a table name of the test's own.

Every test runs on both targets of `tests/protocol/targets.py`: a real Postgres proves the test,
our server has to pass it. Drivers keep their default settings; the SQL is what both understand.
"""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..protocol import run
from ..protocol.conftest import real_postgres, target
from ..protocol.run import Target

__all__ = ["real_postgres", "target"]

_HERE = Path(__file__).parent
_NOT_YET = {
    line.split("#")[0].strip()
    for line in (_HERE / "not_yet.txt").read_text().splitlines()
    if line.split("#")[0].strip()
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Strict expected failures, as for the protocol's scripts: the list can only shrink."""
    for item in items:
        if item.path.parent == _HERE and f"{item.path.name}::{item.name}" in _NOT_YET:
            item.add_marker(pytest.mark.xfail(strict=True, reason="not_yet.txt"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that is a coroutine, in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def libpq(target: Target) -> dict[str, Any]:
    """Keyword arguments of psycopg.connect and psycopg2.connect."""
    return {
        "host": target.host,
        "port": target.port,
        "user": target.user,
        "dbname": target.database,
        "options": target.options,
    }


@pytest.fixture
def table(target: Target) -> Iterator[str]:
    """A name that no table has yet; what the test makes of it is dropped afterwards."""
    name = f"drv_{uuid.uuid4().hex[:12]}"
    yield name
    run.execute(target, [f"drop table if exists {name}"])
