"""Moves old months of the audit trail into Parquet files, from which it can be verified for ever.

A month goes in three steps: its events are written to a file, the file is verified (every hash is
recomputed by DuckDB, which shares no code with what wrote it), and only then is the partition
detached, in one transaction with the record of it in hd_runtime.event_archives. What fails before
that leaves the database as it was.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from runtime_sql.trail import export_events, file_digest, verify_archives

_TRIES, _PAUSE = 60, 0.5  # to get the table for itself; seconds between two


class ArchiveError(Exception):
    """A month could not be archived; the message says why. The database is as it was."""


@dataclass(frozen=True, slots=True)
class ArchivedMonth:
    """One month that was archived. month: its first day, UTC. sha256: of the file, hex."""

    month: date
    path: Path
    events: int
    sha256: str


def archive(
    conninfo: str, before: date, directory: Path, *, drop: bool = False
) -> list[ArchivedMonth]:
    """Archive all months of workflow_events that ended before `before`, never the current one.

    Events that lie in the default partition, because theirs was not made in time, are moved into
    the partitions of their months first.

    Files are named `workflow_events_2026_01.parquet`, in `directory`, which is made. Columns are
    the table's: ids as UUID and BIGINT, ts as a timestamp in UTC, detail as the text that was
    hashed, hashes as binary. drop: also drop the detached table, which otherwise stays in
    hd_runtime under its name, outside the audit trail.

    Raises ArchiveError (a file that is there already, a broken hash, a table that is in use for more
    than half a minute) or psycopg.OperationalError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    first_of_this = datetime.now(UTC).date().replace(day=1)
    done = []
    with psycopg.connect(conninfo, autocommit=True, application_name="hatidata archive") as conn:
        conn.execute("SELECT pg_advisory_lock(%s, %s)", (0x4844, 0x61726368))
        try:
            _patiently(conn, lambda: conn.execute("SELECT hd_runtime._sort_default_partition()"))
        except psycopg.OperationalError as error:
            raise ArchiveError(f"the default partition could not be sorted: {error}") from error
        for month, partition in _partitions(conn):
            following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
            if following <= before and following <= first_of_this:
                done.append(_archive_month(conn, month, partition, directory, drop))
    return done


def _partitions(conn: psycopg.Connection) -> list[tuple[date, str]]:
    rows = conn.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'hd_runtime.workflow_events'::regclass"
        " AND c.relname <> 'workflow_events_default' ORDER BY 1"
    )
    found = []
    for (name,) in rows:
        year, month = name.removeprefix("workflow_events_").split("_")
        found.append((date(int(year), int(month), 1), name))
    return found


def _archive_month(
    conn: psycopg.Connection, month: date, partition: str, directory: Path, drop: bool
) -> ArchivedMonth:
    target = directory / f"{partition}.parquet"
    if target.exists():
        raise ArchiveError(f"{target} is there already; move it away or choose another directory")
    with tempfile.TemporaryDirectory(dir=directory, prefix=".archive-") as scratch:
        parquet = Path(scratch) / "events.parquet"
        events = export_events(conn, partition, parquet)
        problems = verify_archives([parquet])
        if problems:
            raise ArchiveError(f"{partition} was not archived: {problems[0]}")
        digest = file_digest(parquet)
        with parquet.open("rb") as file:
            os.fsync(file.fileno())
        parquet.rename(target)
    try:
        _patiently(conn, lambda: _detach(conn, month, partition, target, events, digest, drop))
    except (psycopg.Error, ArchiveError) as error:
        target.unlink()
        if isinstance(error, psycopg.OperationalError):
            raise ArchiveError(f"{partition} could not be detached: {error}") from error
        raise
    return ArchivedMonth(month, target, events, digest)


def _patiently(conn: psycopg.Connection, step: Callable[[], object]) -> None:
    """Does the step in a transaction, again and again while the table is in use."""
    for attempt in range(_TRIES):
        try:
            with conn.transaction():
                # Whoever writes an event meanwhile waits behind this: not for longer than a moment.
                conn.execute("SET LOCAL lock_timeout = '200ms'")
                step()
            return
        except psycopg.errors.LockNotAvailable:
            if attempt == _TRIES - 1:
                raise
            time.sleep(_PAUSE)


def _detach(
    conn: psycopg.Connection,
    month: date,
    partition: str,
    target: Path,
    events: int,
    digest: str,
    drop: bool,
) -> None:
    name = sql.Identifier("hd_runtime", partition)
    conn.execute(sql.SQL("ALTER TABLE hd_runtime.workflow_events DETACH PARTITION {}").format(name))
    [(count,)] = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchall()
    if count != events:
        raise ArchiveError(f"{partition} has {count} events now, the file has {events}")
    conn.execute(
        "INSERT INTO hd_runtime.event_archives (month, uri, events, file_sha256)"
        " VALUES (%s, %s, %s, %s)",
        (month, target.resolve().as_uri(), events, digest),
    )
    if drop:
        conn.execute(sql.SQL("DROP TABLE {}").format(name))
