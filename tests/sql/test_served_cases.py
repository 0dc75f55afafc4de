"""The documented Snowflake cases once more, through the real server: with its session and its wire."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import psycopg
import pytest
from psycopg.types.json import set_json_loads

from tests.conftest import Running

from .cases import Case, Outcome, judged, read_cases
from .test_cases import known_differences

RIGHT_AT_LEAST = 466
"""Raised with every case that is won; never lowered."""

_SCHEMA = "served_case"
_LOWER_CASE = {  # these compare names that were not quoted with literals in upper case
    *("info_schema_tables", "info_schema_number_prec", "info_schema_views", "show_result_scan"),
}


def _text(raw: str | bytes) -> str:
    return raw if isinstance(raw, str) else raw.decode()


def _run(connection: psycopg.Connection, text: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    result = connection.execute(text)
    while result.nextset():
        pass
    if result.description is None:
        return [], []
    return [column.name for column in result.description], result.fetchall()


def _served(connection: psycopg.Connection, case: Case) -> Outcome:
    try:
        for text in case["setup"]:
            _run(connection, text)
        columns, rows = _run(connection, case["sql"])
    except psycopg.errors.FeatureNotSupported as error:
        return Outcome("refused", str(error))
    except psycopg.Error as error:
        return Outcome("right" if "error" in case else "error", str(error).split("\n")[0])
    return judged(case, columns, rows)


@pytest.fixture(scope="module")
def outcomes(server: Running) -> dict[str, Outcome]:
    found = {}
    for case in read_cases():
        with server.connect() as connection:
            set_json_loads(_text, connection)
            connection.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            connection.execute(f"CREATE SCHEMA {_SCHEMA}")
            connection.execute(f"SET search_path = {_SCHEMA}")
            found[case["id"]] = _served(connection, case)
            with contextlib.suppress(psycopg.Error):
                connection.execute("ROLLBACK")
    return found


def test_no_case_is_wrong_unknowingly(outcomes: dict[str, Outcome]) -> None:
    wrong = {name: o.seen for name, o in outcomes.items() if o.verdict == "wrong"}
    assert wrong.keys() <= known_differences() | _LOWER_CASE, wrong


def test_no_case_that_was_right_is_lost(outcomes: dict[str, Outcome]) -> None:
    counts = Counter(outcome.verdict for outcome in outcomes.values())
    assert counts["right"] >= RIGHT_AT_LEAST, counts
