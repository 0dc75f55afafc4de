"""What a long statement costs others: the longest answer that a second client waits for meanwhile.

    python -m bench.long_statements [--rows 10000]

One client inserts rows of literals, simple and extended, in both dialects; another asks SELECT 1 all
the while, which alone takes a fraction of a millisecond. The peer is the same statement planned on the
event loop: how long that would keep everybody waiting is measured as this thread's CPU time.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from proxy.demo.server import ServerProcess
from proxy.sql import inference
from proxy.sql.plan import Dialect, planned

_TABLE = """
    CREATE TABLE seeded (a int, b varchar, c decimal(12, 2), d date, e varchar, f int,
                                    g boolean, h int, i varchar, j float)
"""


def _insert(rows: int) -> str:
    return "INSERT INTO seeded VALUES " + ",\n".join(
        f"({n}, 'name {n}', {n}.25, '2024-01-{n % 28 + 1:02}', 'it''s {n}', NULL, true, -{n}, 'x', 1e{n % 5})"
        for n in range(rows)
    )


def _asked_while(other: psycopg.Connection, done: threading.Event) -> list[float]:
    waits = []
    while not done.is_set():
        begun = time.perf_counter()
        other.execute("SELECT 1")
        waits.append(time.perf_counter() - begun)
    return waits


def _on_the_loop(text: str, dialect: str) -> float:
    begun = time.thread_time()
    (plan,) = planned(text, Dialect(name=dialect))
    inference.read(plan.sql)
    return time.thread_time() - begun


def _measure(url: str, dialect: str, prepare: bool, text: str) -> None:
    with (
        psycopg.connect(url, user="bench", autocommit=True) as writer,
        psycopg.connect(url, user="bench", autocommit=True) as other,
    ):
        writer.execute(f"SET hatidata.dialect = '{dialect}'")
        writer.execute("DROP TABLE IF EXISTS seeded")
        writer.execute(_TABLE)
        done = threading.Event()

        def write() -> None:
            try:
                writer.execute(text, prepare=prepare)
            finally:
                done.set()

        writing = threading.Thread(target=write)
        writing.start()
        waits = _asked_while(other, done)
        writing.join()
    print(
        f"{dialect:10} {'extended' if prepare else 'simple':9} longest wait {1e3 * max(waits):6.1f} ms"
        f"   on the loop it would be {1e3 * _on_the_loop(text, dialect):6.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    text = _insert(parser.parse_args().rows)
    with (
        tempfile.TemporaryDirectory(prefix="hdb") as directory,
        ServerProcess(Path(directory)) as up,
    ):
        for dialect in ("postgres", "snowflake"):
            for prepare in (False, True):
                _measure(up.url, dialect, prepare, text)


if __name__ == "__main__":
    main()
