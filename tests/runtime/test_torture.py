"""The short form of the torture; `torture.py` has the long one."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from . import invariants, torture


@pytest.fixture
def server() -> Iterator[tuple[str, str]]:
    """How workers connect (to the proxy), and how a superuser does (to Postgres)."""
    with tempfile.TemporaryDirectory(prefix="hdtort") as name, torture.server(Path(name)) as up:
        yield up


def test_every_invariant_holds_under_fire(server):
    conninfo, direct = server
    seed = random.randrange(1 << 30)
    run = torture.torture(conninfo, direct, operations=4000, workers=6, seed=seed)
    assert invariants.violations(direct, run) == []
    torture.work_off(conninfo, run)
    assert invariants.violations(direct, run) == []

    # It was a torture.
    assert run.killed > 10
    for operation in (
        "create",
        "claim",
        "complete",
        "fail",
        "release",
        "publish",
        "review",
        "cancel",
    ):
        assert run.of(operation), operation
    with psycopg.connect(direct) as conn:
        kinds = {k for (k,) in conn.execute("SELECT DISTINCT type FROM hd_runtime.workflow_events")}
    assert {"attempt.expired", "attempt.unblocked", "attempt.dependency_failed"} <= kinds
    assert len(run.of("crossed")) < len(run.acknowledged) / 50
