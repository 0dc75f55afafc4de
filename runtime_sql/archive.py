"""Moves old months of the audit trail into Parquet files, from which it can be verified for ever.

A month goes in three steps: its events are written to a file, the file is verified (every hash is
recomputed by DuckDB, which shares no code with what wrote it), and only then is the partition
detached, in one transaction with the record of it in hd_runtime.event_archives. What fails before
that leaves the database as it was.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

# Exactly as event_digest has it: text, so that no engine's idea of a type comes in between.
_EXPORT = """
    COPY (
        SELECT id, task_id, attempt_id, seq,
               to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS ts,
               type, from_status, to_status, actor, detail::text AS detail,
               encode(prev_hash, 'hex') AS prev_hash, encode(hash, 'hex') AS hash
        FROM hd_runtime.{} ORDER BY id
    ) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)
"""
_TO_PARQUET = """
    COPY (
        SELECT id::BIGINT AS id, task_id::UUID AS task_id, attempt_id::UUID AS attempt_id,
               seq::BIGINT AS seq, strptime(ts, '%Y-%m-%dT%H:%M:%S.%fZ')::TIMESTAMP AS ts,
               type, from_status, to_status, actor, detail,
               unhex(prev_hash) AS prev_hash, unhex(hash) AS hash
        FROM read_csv($csv, header = true, all_varchar = true, allow_quoted_nulls = false)
    ) TO '{}' (FORMAT parquet, COMPRESSION zstd)
"""
_BROKEN_HASHES = """
    SELECT format('event {} of attempt {}: hash does not match the row', seq, attempt_id)
    FROM read_parquet($files)
    WHERE unhex(sha256(prev_hash || encode(concat_ws(chr(10),
        task_id, attempt_id, seq, strftime(ts, '%Y-%m-%dT%H:%M:%S.%fZ'), type,
        coalesce(from_status, ''), to_status, actor, coalesce(detail, ''))))) IS DISTINCT FROM hash
    ORDER BY id LIMIT 20
"""
_BROKEN_LINKS = """
    SELECT format('event {} of attempt {}: prev_hash is not the hash of the event before',
                  seq, attempt_id)
    FROM (SELECT *, lag(hash) OVER (PARTITION BY task_id ORDER BY id) AS before
          FROM read_parquet($files))
    WHERE before IS NOT NULL AND before <> prev_hash
    ORDER BY id LIMIT 20
"""
_BROKEN_NUMBERS = """
    SELECT format('attempt {}: event {} is missing', attempt_id, before + 1)
    FROM (SELECT *, lag(seq) OVER (PARTITION BY attempt_id ORDER BY id) AS before
          FROM read_parquet($files))
    WHERE before IS NOT NULL AND seq <> before + 1
    ORDER BY id LIMIT 20
"""


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

    Files are named `workflow_events_2026_01.parquet`, in `directory`, which is made. Columns are
    the table's: ids as UUID and BIGINT, ts as a timestamp in UTC, detail as the text that was
    hashed, hashes as binary. drop: also drop the detached table, which otherwise stays in
    hd_runtime under its name, outside the audit trail.

    Raises ArchiveError (a file that is there already, a broken hash, a table that is in use for more
    than ten seconds) or psycopg.OperationalError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    first_of_this = datetime.now(UTC).date().replace(day=1)
    done = []
    with psycopg.connect(conninfo, autocommit=True, application_name="hatidata archive") as conn:
        conn.execute("SELECT pg_advisory_lock(%s, %s)", (0x4844, 0x61726368))
        for month, partition in _partitions(conn):
            following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
            if following <= before and following <= first_of_this:
                done.append(_archive_month(conn, month, partition, directory, drop))
    return done


def verify_archives(paths: Iterable[Path]) -> list[str]:
    """What is wrong with archived events, a line each; empty when every hash and link is right.

    All months of a stretch should be given together: links between them are then checked too. A
    chain that began before the first of them is taken up where it is found.
    """
    return _problems([str(path) for path in paths])


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
        csv, parquet = Path(scratch) / "events.csv", Path(scratch) / "events.parquet"
        export = sql.SQL(_EXPORT).format(sql.Identifier(partition))
        with conn.cursor() as cursor, csv.open("wb") as file, cursor.copy(export) as copy:
            for block in copy:
                file.write(block)
        with duckdb.connect() as duck:
            quoted = str(parquet).replace("'", "''")
            duck.execute(_TO_PARQUET.format(quoted), {"csv": str(csv)})
            [events] = duck.execute(
                "SELECT count(*) FROM read_parquet($file)", {"file": str(parquet)}
            ).fetchone() or [0]
        problems = _problems([str(parquet)])
        if problems:
            raise ArchiveError(f"{partition} was not archived: {problems[0]}")
        with parquet.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        parquet.rename(target)
    try:
        _detach(conn, month, partition, target, events, digest, drop)
    except (psycopg.Error, ArchiveError) as error:
        target.unlink()
        if isinstance(error, psycopg.OperationalError):
            raise ArchiveError(f"{partition} could not be detached: {error}") from error
        raise
    return ArchivedMonth(month, target, events, digest)


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
    with conn.transaction():
        conn.execute("SET LOCAL lock_timeout = '10s'")
        conn.execute(
            sql.SQL("ALTER TABLE hd_runtime.workflow_events DETACH PARTITION {}").format(name)
        )
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


def _problems(files: list[str]) -> list[str]:
    if not files:
        return []
    with duckdb.connect() as duck:
        return [
            problem
            for query in (_BROKEN_HASHES, _BROKEN_LINKS, _BROKEN_NUMBERS)
            for (problem,) in duck.execute(query, {"files": files}).fetchall()
        ]
