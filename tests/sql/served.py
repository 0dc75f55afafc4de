"""Runs the documented Snowflake cases through a real server, as a client of it.

Each case gets an empty schema and a session of its own. `python -m tests.sql.served URL` runs them all
against a server that is up and writes `not_right.txt`, from which docs/snowflake.md is made.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import set_json_loads

from .cases import Case, Outcome, judged, read_cases

NOT_RIGHT = Path(__file__).parent / "not_right.txt"
_SCHEMA = "served_case"


def _text(raw: str | bytes) -> str:
    return raw if isinstance(raw, str) else raw.decode()


def _run(connection: psycopg.Connection, text: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    result = connection.execute(text)
    while result.nextset():
        pass
    if result.description is None:
        return [], []
    return [column.name for column in result.description], result.fetchall()


def _outcome(connection: psycopg.Connection, case: Case) -> Outcome:
    try:
        for text in case["setup"]:
            _run(connection, text)
        columns, rows = _run(connection, case["sql"])
    except psycopg.errors.FeatureNotSupported as error:
        return Outcome("refused", error.diag.message_primary or "")
    except psycopg.Error as error:
        return Outcome("right" if "error" in case else "error", str(error).split("\n")[0])
    return judged(case, columns, rows)


_OURS = ("public", "hd_runtime", "information_schema", "pg_catalog", "pg_toast", "main")


def _drop_schemas(connection: psycopg.Connection) -> None:
    """A case may have made schemas of its own."""
    names = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
    for (name,) in names:
        if name not in _OURS and not name.startswith(("pg_", "hatidata")):
            connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


def outcomes(url: str) -> dict[str, tuple[Case, Outcome]]:
    """Each case by its name, with what became of it on the server at `url`."""
    found = {}
    for case in read_cases():
        with psycopg.connect(url, autocommit=True) as connection:
            set_json_loads(_text, connection)
            connection.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            connection.execute(f"CREATE SCHEMA {_SCHEMA}")
            connection.execute(f"SET search_path = {_SCHEMA}")
            found[case["id"]] = case, _outcome(connection, case)
            with contextlib.suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            if any("create schema" in text for text in [*case["setup"], case["sql"]]):
                _drop_schemas(connection)
    return found


def by_area(found: dict[str, tuple[Case, Outcome]]) -> list[str]:
    """A line for each area, and one for all."""
    counts: dict[str, Counter[str]] = {}
    for case, outcome in found.values():
        counts.setdefault(case["area"], Counter())[outcome.verdict] += 1
    total = sum(counts.values(), Counter())
    lines = []
    for area, count in [*sorted(counts.items()), ("all", total)]:
        rest = ", ".join(f"{n} {what}" for what, n in sorted(count.items()) if what != "right")
        lines.append(f"{area:14} {count['right']:4} of {count.total():4} right   {rest}".rstrip())
    return lines


def listed() -> dict[str, tuple[str, str]]:
    """The cases in `not_right.txt`: verdict and reason by name."""
    found = {}
    for line in NOT_RIGHT.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, verdict, reason = line.split(maxsplit=2)
            found[name] = verdict, reason
    return found


def main(url: str) -> None:
    """Print the counts and bring `not_right.txt` up to date: reasons that stand there stay."""
    found = outcomes(url)
    before = listed()
    comments = [line for line in NOT_RIGHT.read_text().splitlines() if line.startswith("#")]
    lines = []
    for name, (_, outcome) in found.items():
        if outcome.verdict != "right":
            verdict, reason = before.get(name, ("", ""))
            kept = reason if verdict == outcome.verdict else outcome.seen
            lines.append(f"{name:24} {outcome.verdict:8} {kept}")
            print(lines[-1])
    NOT_RIGHT.write_text("\n".join([*comments, "", *lines, ""]))
    print(*by_area(found), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1])
