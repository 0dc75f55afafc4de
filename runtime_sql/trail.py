"""Recomputes the audit trail outside the database that keeps it.

Why it exists: a database that was tampered with cannot be its own witness. Events are taken out as
the text that was hashed, and every hash, link and number is recomputed by DuckDB, which shares no
code with what wrote them. The same checks serve the Parquet files of archived months, on their own
or together with what is still in the database.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

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
_HEADS = """
    COPY (
        SELECT id, task_id, attempt_no, status, event_seq, encode(event_hash, 'hex') AS event_hash
        FROM hd_runtime.task_attempts
    ) TO STDOUT (FORMAT csv, HEADER)
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
# The rest needs the whole trail: where a chain begins, and where the attempts say that it ends.
_BROKEN_BEGINNINGS = """
    SELECT format('task {}: its first event is missing', task_id)
    FROM (SELECT task_id, arg_min(prev_hash, id) AS first, min(id) AS id
          FROM read_parquet($files) GROUP BY task_id)
    WHERE first <> unhex(repeat('00', 32)) ORDER BY id LIMIT 20
"""
_BROKEN_HEADS = """
    SELECT CASE WHEN h.id IS NULL THEN format('attempt {}, which has events, is missing', e.attempt_id)
                WHEN e.attempt_id IS NULL THEN format('attempt {} has no events', h.id)
                WHEN e.seq <> h.event_seq THEN format(
                    'attempt {}: its last event is {}, its head says {}', h.id, e.seq, h.event_seq)
                WHEN e.hash <> unhex(h.event_hash) THEN format(
                    'attempt {}: hash is not the one at its head', h.id)
                ELSE format('attempt {} is {}, but its last event ended at {}',
                            h.id, h.status, e.to_status) END
    FROM (SELECT attempt_id, max(seq) AS seq, arg_max(hash, seq) AS hash,
                 arg_max(to_status, seq) AS to_status
          FROM read_parquet($files) GROUP BY attempt_id) AS e
    FULL JOIN (SELECT * REPLACE (id::UUID AS id, event_seq::BIGINT AS event_seq)
               FROM read_csv($heads, header = true, all_varchar = true)) AS h ON h.id = e.attempt_id
    WHERE h.id IS NULL OR e.attempt_id IS NULL OR e.seq <> h.event_seq
       OR e.hash <> unhex(h.event_hash) OR e.to_status <> h.status
    LIMIT 20
"""
_LINKS = (_BROKEN_HASHES, _BROKEN_LINKS, _BROKEN_NUMBERS)


def verify_archives(paths: Iterable[Path]) -> list[str]:
    """What is wrong with archived events, a line each; empty when every hash and link is right.

    All months of a stretch should be given together: links between them are then checked too. A
    chain that began before the first of them is taken up where it is found.
    """
    files = [str(path) for path in paths]
    return _problems(_LINKS, files=files) if files else []


def verify_trail(conninfo: str) -> list[str]:
    """What is wrong with the whole trail, a line each: in the database and in its archives.

    Archives are read from where hd_runtime.event_archives says they are; one that is not there is a
    problem, and chains are then taken up after it. Raises psycopg.Error.
    """
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="hatidata-trail-") as scratch:
        events, heads = Path(scratch) / "events.parquet", Path(scratch) / "heads.csv"
        with psycopg.connect(conninfo) as conn:
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            files, whole = [], True
            for month, uri, digest in conn.execute(
                "SELECT month, uri, file_sha256 FROM hd_runtime.event_archives ORDER BY month"
            ):
                path = Path(unquote(urlsplit(uri).path))
                if not path.is_file():
                    problems.append(f"{month:%Y-%m}: its archive is not at {uri}")
                    whole = False
                elif file_digest(path) != digest:
                    problems.append(f"{month:%Y-%m}: {uri} is not the file that was written")
                    whole = False
                else:
                    files.append(str(path))
            export_events(conn, "workflow_events", events)
            _copy_out(conn, sql.SQL(_HEADS), heads)
        files.append(str(events))
        problems += _problems(_LINKS, files=files)
        if whole:
            problems += _problems((_BROKEN_BEGINNINGS,), files=files)
            problems += _problems((_BROKEN_HEADS,), files=files, heads=str(heads))
    return problems


def export_events(conn: psycopg.Connection, table: str, target: Path) -> int:
    """Writes a table of events in hd_runtime to the Parquet file `target`; how many there were."""
    csv = target.with_suffix(".csv")
    _copy_out(conn, sql.SQL(_EXPORT).format(sql.Identifier(table)), csv)
    with duckdb.connect() as duck:
        quoted = str(target).replace("'", "''")
        duck.execute(_TO_PARQUET.format(quoted), {"csv": str(csv)})
        [events] = duck.execute(
            "SELECT count(*) FROM read_parquet($file)", {"file": str(target)}
        ).fetchone() or [0]
    csv.unlink()
    return events


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_out(conn: psycopg.Connection, statement: sql.Composable, target: Path) -> None:
    with conn.cursor() as cursor, target.open("wb") as file, cursor.copy(statement) as copy:
        for block in copy:
            file.write(block)


def _problems(queries: Iterable[str], **parameters: object) -> list[str]:
    with duckdb.connect() as duck:
        return [
            problem
            for query in queries
            for (problem,) in duck.execute(query, parameters).fetchall()
        ]
