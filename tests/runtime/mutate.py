"""Breaks the SQL in one place on purpose, and sees whether the torture notices.

`mutations/sql.toml` lists the places. A mutation that goes unnoticed is a rule that nothing tests:

    python -m tests.runtime.mutate [NAME ...]

Each runs on a server of its own, through the proxy. Prints a line for each; exits
with 1 if one went unnoticed.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from pathlib import Path

import psycopg

from . import invariants, torture

MUTATIONS = tomllib.loads((Path(__file__).parent / "mutations" / "sql.toml").read_text())


def mutate(name: str, package: Path) -> None:
    """Apply mutation `name` to the copy of runtime_sql at `package`; ValueError if it does not fit."""
    mutation = MUTATIONS[name]
    file = package / mutation["file"]
    text = file.read_text()
    if text.count(mutation["find"]) != mutation.get("count", 1):
        raise ValueError(
            f"{name}: {mutation['file']} has {text.count(mutation['find'])} such places"
        )
    file.write_text(text.replace(mutation["find"], mutation["replace"]))


def noticed(name: str, operations: int = 4000, rounds: int = 3) -> list[str]:
    """What the torture finds wrong with a server of the mutated runtime, in at most so many rounds."""
    for seed in range(rounds):
        with (
            tempfile.TemporaryDirectory(prefix="hdmut") as directory,
            torture.server(Path(directory), mutated=lambda package: mutate(name, package)) as up,
        ):
            conninfo, direct = up
            try:
                run = torture.torture(conninfo, direct, operations, workers=6, seed=seed)
                found = invariants.violations(direct, run)
                if not found:
                    torture.work_off(conninfo, run)
                    found = invariants.violations(direct, run)
            except psycopg.Error as error:
                found = [f"{error.sqlstate} {error}"]
        if found:
            return found
    return []


def main() -> None:
    names = sys.argv[1:] or list(MUTATIONS)
    unnoticed = []
    for name in names:
        found = noticed(name)
        verdict = f"noticed: {found[0].splitlines()[0][:150]}" if found else "NOT NOTICED"
        print(f"{name:30} {verdict}", flush=True)
        if not found:
            unnoticed.append(name)
    print(f"{len(names) - len(unnoticed)} of {len(names)} noticed")
    sys.exit(bool(unnoticed))


if __name__ == "__main__":
    main()
