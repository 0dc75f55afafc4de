"""The macros of the database `_sf`, kept in a file beside the data.

Why it exists: DuckDB takes a second to read some 900 statements, a third of what a start costs, and some hundredths
to read the file that they have made. The file is never changed: its name says what it was made of.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from proxy.engines.duck import c as duckdb_c
from proxy.sql.quoting import literal


def attach(
    connection: duckdb_c.Connection,
    scripts: tuple[str, ...],
    calls: Iterable[object],
    directory: Path,
) -> None:
    """Blocks. Attaches `_sf` with what the scripts make, read-only where they make anything.

    calls: what tells apart the functions that the scripts call, which must be there. Raises `DuckError`, OSError.
    """
    if not scripts:
        connection.run(_attach(":memory:"))
        return
    kept = directory / f"macros.{_digest(scripts, calls)}.duckdb"
    if kept.exists():
        with suppress(duckdb_c.DuckError):  # a file that cannot be read is made again
            connection.run(f"{_attach(kept)} (READ_ONLY)")
            return
    for old in directory.glob("macros.*.duckdb*"):
        old.unlink()
    _make(connection, scripts, kept)
    connection.run(f"{_attach(kept)} (READ_ONLY)")


def _make(connection: duckdb_c.Connection, scripts: tuple[str, ...], kept: Path) -> None:
    """Under another name first: a file of that name is whole."""
    new = kept.with_suffix(".duckdb.new")
    connection.run(_attach(new))
    connection.run("BEGIN")
    for script in scripts:
        connection.run_script(script)
    connection.run("COMMIT")
    connection.run("DETACH _sf")  # writes the checkpoint
    with new.open("rb") as file:
        os.fsync(file)
    new.replace(kept)


def _attach(path: Path | str) -> str:
    return f"ATTACH {literal(str(path))} AS _sf"


def _digest(scripts: tuple[str, ...], calls: Iterable[object]) -> str:
    """Of all that the file follows from."""
    digest = hashlib.sha256()
    for part in (duckdb_c.VERSION, *scripts, *map(repr, calls)):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]
