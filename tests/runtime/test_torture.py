"""The short form of the torture; `torture.py` has the long one."""

from __future__ import annotations

import random

from . import invariants, torture


def test_every_invariant_holds_under_fire(rt_newest):
    conninfo = rt_newest.conninfo()
    run = torture.torture(conninfo, operations=4000, workers=6, seed=random.randrange(1 << 30))
    assert invariants.violations(conninfo, run) == []
    torture.work_off(conninfo, run)
    assert invariants.violations(conninfo, run) == []

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
    kinds = {row["type"] for row in rt_newest.rows("SELECT DISTINCT type FROM workflow_events")}
    assert {"attempt.expired", "attempt.unblocked", "attempt.dependency_failed"} <= kinds
    assert len(run.of("crossed")) < len(run.acknowledged) / 200
