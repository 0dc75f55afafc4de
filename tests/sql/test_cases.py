"""The documented Snowflake cases: how many are right, and that none is wrong unknowingly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .cases import Outcome, Runner, read_cases, run_case

RIGHT_AT_LEAST = 457
"""Raised with every case that is won; never lowered."""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    runner = Runner()
    return {case["id"]: run_case(runner, case) for case in read_cases()}


def known_differences() -> set[str]:
    lines = (Path(__file__).parent / "known_differences.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def test_no_case_is_wrong_unknowingly(outcomes: dict[str, Outcome]) -> None:
    wrong = {name: o.seen for name, o in outcomes.items() if o.verdict == "wrong"}
    assert wrong.keys() == known_differences(), wrong


def test_no_case_that_was_right_is_lost(outcomes: dict[str, Outcome]) -> None:
    counts = Counter(outcome.verdict for outcome in outcomes.values())
    assert counts["right"] >= RIGHT_AT_LEAST, counts
