"""The documented Snowflake cases, through the real server: how many are right, and that none is
wrong unknowingly. The counts by area stand at the end of pytest's output."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import CASES_BY_AREA, Running

from .cases import Case, Outcome
from .served import by_area, listed, outcomes

RIGHT_AT_LEAST = 505
"""Raised with every case that is won; never lowered."""


@pytest.fixture(scope="module")
def all_found(server: Running) -> dict[str, tuple[Case, Outcome]]:
    return outcomes(server.url)


@pytest.fixture(scope="module")
def found(all_found: dict[str, tuple[Case, Outcome]]) -> dict[str, Outcome]:
    return {name: outcome for name, (_, outcome) in all_found.items()}


def test_no_case_is_answered_otherwise_unknowingly(found: dict[str, Outcome]) -> None:
    known = {name for name, (verdict, _) in listed().items() if verdict == "wrong"}
    wrong = {name: o.seen for name, o in found.items() if o.verdict == "wrong"}
    assert wrong.keys() == known, wrong


def test_what_is_not_right_is_listed(found: dict[str, Outcome]) -> None:
    """`not_right.txt`, and with it docs/snowflake.md, has them all with the reason."""
    known = {(name, verdict) for name, (verdict, _) in listed().items()}
    others = {(name, o.verdict): o.seen for name, o in found.items() if o.verdict != "right"}
    assert others.keys() <= known, {k: v for k, v in others.items() if k not in known}


def test_no_case_that_was_right_is_lost(
    all_found: dict[str, tuple[Case, Outcome]], record_property: Callable[[str, object], None]
) -> None:
    record_property(CASES_BY_AREA, by_area(all_found))
    right = sum(outcome.verdict == "right" for _, outcome in all_found.values())
    assert right >= RIGHT_AT_LEAST
