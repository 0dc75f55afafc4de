"""The protocol, case by case: what a client sends and what must come back.

The cases are the files under `scripts/` (their format: `script.py`). Each is run against a real
Postgres, which proves the case, and against our server, which must answer the same. What our
server does not do yet stands in `not_yet.txt`, one case id per line; a case that passes although
it stands there fails, so that the list can only shrink.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from . import script, targets
from .run import Target, run_case

HERE = Path(__file__).parent
CASES = [case for path in sorted(HERE.glob("scripts/*.script")) for case in script.read(path)]
NOT_YET = {
    line.split("#")[0].strip()
    for line in (HERE / "not_yet.txt").read_text().splitlines()
    if line.split("#")[0].strip()
}


def _parameters() -> list[pytest.ParameterSet]:
    parameters = []
    for case in CASES:
        for target in targets.NAMES:
            if case.only in (None, target):
                late = target == "hatidata" and case.id in NOT_YET
                marks = [pytest.mark.xfail(strict=True, reason="not_yet.txt")] if late else []
                parameters.append(pytest.param(case, target, id=f"{case.id}-{target}", marks=marks))
    return parameters


@pytest.mark.parametrize(("case", "target"), _parameters(), indirect=["target"])
def test_script(case: script.Case, target: Target) -> None:
    run_case(case, target)


def test_case_ids_are_unique_and_known() -> None:
    ids = [case.id for case in CASES]
    assert len(ids) == len(set(ids)), sorted(id for id in set(ids) if ids.count(id) > 1)
    assert set(ids) >= NOT_YET, NOT_YET - set(ids)
