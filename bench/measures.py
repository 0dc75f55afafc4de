"""What is measured, one function for each line or two of the table that `wire.py` prints.

A measurement takes turns: ours, peer, ours, peer, so that whatever else the machine does falls on
both. Of small statements a round gives the median of many; then the median of the rounds is shown,
and as ratio the median of the ratios of the rounds, which belong together in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import duckdb

from bench import raw
from bench.peers import Peer, Unavailable
from proxy.engines.duck import c as duckdb_c
from proxy.wire.types import BY_NAME

ROWS = 1_000_000
LARGE = 50_000_000
CALLS = 500  # small statements in one round
IDLE = 1_000
BUSY = 8

COLUMNS = "i integer, d double precision, s varchar, t timestamp, n decimal(18, 2)"
ROWS_OF = f"""
    select i::integer as i,
           (hash(i) % 1000000007) / 1000.0::double as d,
           'name_' || (hash(i + 1) % 100000)::varchar as s,
           timestamp '2024-01-01' + to_microseconds((hash(i + 2) % 31536000000)::bigint * 1000) as t,
           ((hash(i + 3) % 1000000000) / 100.0)::decimal(18, 2) as n
    from range({ROWS}) r(i)
"""


@dataclass
class Bench:
    """What the measurements work on. csv: the rows of the table `wide`, which all servers have."""

    ours: Peer
    peers: list[Peer]  # Postgres first
    duck: duckdb.DuckDBPyConnection
    database: duckdb_c.Database
    csv: Path
    rounds: int
    slow: bool = False

    @property
    def servers(self) -> list[Peer]:
        return [self.ours, *self.peers]


@dataclass
class Row:
    """One line: the values of all rounds, ours and the peer's, in `unit`.

    most: what the ratio (or, with `absolute`, our value; with `over`, ours minus the peer's) may be.
    """

    what: str
    unit: str
    ours: list[float]
    peer: str = ""
    theirs: list[float] = field(default_factory=list)
    most: float | None = None
    absolute: bool = False
    over: bool = False

    @property
    def judged(self) -> float:
        """What `most` is said of."""
        if self.absolute or not self.theirs:
            return statistics.median(self.ours)
        pairs = zip(self.ours, self.theirs, strict=True)
        if self.over:
            return statistics.median(ours - theirs for ours, theirs in pairs)
        return statistics.median(ours / theirs for ours, theirs in pairs)


@dataclass
class Note:
    """What could not be measured, and why."""

    what: str
    why: str


Rows = Iterator[Row | Note]


def create(peer: Peer, source: duckdb.DuckDBPyConnection, csv: Path) -> None:
    """Gives a server the table `wide`. Its point query has no index: DuckDB's has none either."""
    with peer.connect() as client:
        client.ask(raw.query(f"create table wide ({COLUMNS})"))
        try:
            client.copy_in("copy wide from stdin (format csv)", _pieces(csv))
        except raw.Refused:
            client.ask(raw.query("set hatidata.transpile = off"))
            client.ask(raw.query(f"insert into wide {ROWS_OF}"))
        client.ask(raw.query("analyze wide"))
        counted = client.ask(raw.query("select count(*), sum(n), sum(d), max(t) from wide"))
        expected = source.sql("select count(*), sum(n) from wide").fetchone()
        for value in map(str, expected or ()):
            if value.encode() not in counted:
                raise Unavailable(f"{peer.name} has other rows in its table")


def _pieces(csv: Path) -> Iterator[bytes]:
    with csv.open("rb") as file:
        while piece := file.read(1 << 16):
            yield piece


def _in_turns(
    servers: Sequence[Peer], rounds: int, work: Callable[[Peer], tuple[float, ...]]
) -> list[list[tuple[float, ...]]]:
    """For each server the measured values of all rounds; one round before is not counted."""
    values: list[list[tuple[float, ...]]] = [[] for _ in servers]
    for turn in range(rounds + 1):
        for peer, kept in zip(servers, values, strict=True):
            got = work(peer)
            if turn:
                kept.append(got)
    return values


def _compared(
    bench: Bench, what: str, unit: str, most: float | None, values: list[list[float]]
) -> Rows:
    """Ours against each peer; the limit is said of the first, Postgres."""
    ours, *others = values
    for at, (peer, theirs) in enumerate(zip(bench.peers, others, strict=True)):
        yield Row(what, unit, ours, peer.name, theirs, None if at else most)


# --- large results --------------------------------------------------------------------------------


def text_rows(bench: Bench) -> Rows:
    """1,000,000 rows of five columns through psql."""
    psql = shutil.which("psql")
    if psql is None:
        yield Note("1 M rows x 5, text", "there is no psql")
        return

    def once(peer: Peer) -> tuple[float, float]:
        cpu, start = peer.cpu_seconds(), time.perf_counter()
        subprocess.run(
            [psql, "-X", "-At", "-c", "select * from wide", peer.url],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - start, peer.cpu_seconds() - cpu

    values = _in_turns(bench.servers, bench.rounds, once)
    what = f"{ROWS:,} rows x 5, text, psql -At"
    for at, (name, most) in enumerate((("wall", 1.0), ("server CPU", 1.5))):
        yield from _compared(
            bench, f"{what}: {name}", "s", most, [[v[at] for v in vs] for vs in values]
        )


def binary_rows(bench: Bench) -> Rows:
    """The same through a cursor of asyncpg, which asks for binary."""

    async def once(peer: Peer) -> float:
        connection = await asyncpg.connect(peer.url)
        try:
            start, count = time.perf_counter(), 0
            async with connection.transaction():
                cursor = await connection.cursor("select * from wide")
                while rows := await cursor.fetch(10_000):
                    count += len(rows)
            assert count == ROWS
            return time.perf_counter() - start
        finally:
            await connection.close()

    servers = [bench.ours, bench.peers[0]]  # buenavista does not speak binary
    values = _in_turns(servers, bench.rounds, lambda peer: (asyncio.run(once(peer)),))
    ours, theirs = ([v[0] for v in vs] for vs in values)
    yield Row(
        f"{ROWS:,} rows x 5, binary, asyncpg cursor", "s", ours, bench.peers[0].name, theirs, 1.0
    )


def memory(bench: Bench) -> Rows:
    """How much the server grows while it gives a result of 50 million rows."""
    what = f"{LARGE:,} rows: server memory +"
    if not bench.slow:
        yield Note(what, "takes minutes: ask for it with --slow")
        return
    with bench.ours.connect() as client:
        client.ask(raw.query("select 1"))
        before = bench.ours.resident()
        bench.ours.forget_peak()
        client.count(raw.query(f"select i, i * 2 as j from generate_series(1, {LARGE}) r(i)"))
        yield Row(what, "MB", [(bench.ours.peak() - before) / 1e6], most=100.0, absolute=True)


# --- small statements -----------------------------------------------------------------------------


def _latency(client: raw.RawClient, requests: Iterable[bytes]) -> float:
    """The median, in microseconds, of the answers to these requests."""
    taken = []
    for request in requests:
        start = time.perf_counter()
        client.ask(request)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


def _small(
    bench: Bench,
    what: str,
    most: float,
    first: bytes,
    requests: Sequence[bytes],
    servers: Sequence[Peer],
) -> Rows:
    with contextlib.ExitStack() as stack:
        clients = {}
        for peer in servers:
            clients[peer.name] = stack.enter_context(peer.connect())
            clients[peer.name].ask(first)
        values = _in_turns(
            servers, bench.rounds, lambda peer: (_latency(clients[peer.name], requests),)
        )
    ours, *others = [[v[0] for v in vs] for vs in values]
    for at, (peer, theirs) in enumerate(zip(servers[1:], others, strict=True)):
        yield Row(what, "us", ours, peer.name, theirs, None if at else most)


def simple_query(bench: Bench) -> Rows:
    request = raw.query("select 1")
    yield from _small(bench, "select 1, simple", 4.0, request, [request] * CALLS, bench.servers)


def prepared(bench: Bench) -> Rows:
    first = raw.parse("p", "select $1::int + 1") + raw.SYNC
    servers = bench.servers[:2]  # buenavista cannot give the parameter's type
    what = "select $1::int + 1, prepared"
    same = [raw.execute("p", b"41")] * CALLS
    others = [raw.execute("p", b"%d" % number) for number in range(CALLS)]
    yield from _small(bench, f"{what}, the same value", 4.0, first, same, servers)
    yield from _small(bench, f"{what}, another each time", 4.0, first, others, servers)


POINT = "select * from wide where i = $1::int"


def point_query(bench: Bench) -> Rows:
    """One row of a million, prepared, against DuckDB itself in this process, by both its APIs."""
    numbers = [(k * 7919 + 13) % ROWS for k in range(CALLS)]
    integer = BY_NAME["int4"].oid
    connection = bench.database.connect()
    statement = connection.prepare(POINT)

    def by_c_api() -> float:
        taken = []
        for number in numbers:
            start = time.perf_counter()
            statement.bind([(integer, number)])
            result = statement.execute()
            rows = sum(batch.num_rows for batch in result)
            result.close()
            taken.append(time.perf_counter() - start)
            assert rows == 1
        return statistics.median(taken) * 1e6

    def by_db_api() -> float:
        taken = []
        for number in numbers:
            start = time.perf_counter()
            rows = bench.duck.execute("select * from wide where i = ?", [number]).fetchall()
            taken.append(time.perf_counter() - start)
            assert len(rows) == 1
        return statistics.median(taken) * 1e6

    ours: list[float] = []
    in_process: tuple[list[float], list[float]] = ([], [])
    try:
        with bench.ours.connect() as client:
            client.ask(raw.parse("p", POINT) + raw.SYNC)
            for turn in range(bench.rounds + 1):
                requests = (raw.execute("p", b"%d" % number) for number in numbers)
                latency = _latency(client, requests)
                theirs = (by_c_api(), by_db_api())
                if turn:
                    ours.append(latency)
                    for kept, value in zip(in_process, theirs, strict=True):
                        kept.append(value)
    finally:
        statement.close()
        connection.close()
    what = f"point query, {ROWS:,} rows, prepared"
    for name, theirs in zip(("duckdb, C API", "duckdb, DB-API"), in_process, strict=True):
        yield Row(what, "us", ours, name, theirs, 150.0, over=True)


# --- COPY -----------------------------------------------------------------------------------------


def copy_in(bench: Bench) -> Rows:
    """COPY FROM STDIN of the rows as CSV into an empty table."""
    what = f"COPY IN of {ROWS:,} rows, CSV"

    def once(peer: Peer) -> tuple[float]:
        with peer.connect() as client:
            client.ask(raw.query("drop table if exists copied"))
            client.ask(raw.query(f"create table copied ({COLUMNS})"))
            start = time.perf_counter()
            client.copy_in("copy copied from stdin (format csv)", _pieces(bench.csv))
            taken = time.perf_counter() - start
            assert str(ROWS).encode() in client.ask(raw.query("select count(*) from copied"))
            client.ask(raw.query("drop table copied"))
            return (taken,)

    servers = bench.servers[:2]
    try:
        values = _in_turns(servers, bench.rounds, once)
    except raw.Refused as error:
        yield Note(what, str(error))
        return
    ours, theirs = ([v[0] for v in vs] for vs in values)
    yield Row(what, "s", ours, servers[1].name, theirs, 0.7)


# --- many sessions --------------------------------------------------------------------------------

_LONG = "select count(*) from wide a join wide b on a.s = b.s where a.d < b.d"


def beside_long_queries(bench: Bench) -> Rows:
    """The latency of `select 1` while eight other sessions keep the machine busy."""
    stop = threading.Event()
    begun = threading.Barrier(BUSY + 1)

    def keep_busy(client: raw.RawClient) -> None:
        begun.wait()
        while not stop.is_set():
            client.ask(raw.query(_LONG))

    request = raw.query("select 1")
    taken = []
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(bench.ours.connect())
        client.ask(request)
        busy = [stack.enter_context(bench.ours.connect()) for _ in range(BUSY)]
        threads = [threading.Thread(target=keep_busy, args=(each,)) for each in busy]
        for thread in threads:
            thread.start()
        begun.wait()
        try:
            for _ in range(bench.rounds * 200):
                start = time.perf_counter()
                client.ask(request)
                taken.append((time.perf_counter() - start) * 1e3)
                time.sleep(0.002)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    parts = statistics.quantiles(taken, n=100)
    what = f"select 1 beside {BUSY} sessions with long queries"
    yield Row(f"{what}: p50", "ms", [parts[49]], absolute=True)
    yield Row(f"{what}: p99", "ms", [parts[98]], most=50.0, absolute=True)


def idle_sessions(bench: Bench) -> Rows:
    """What a session costs that has run one statement and waits."""
    request = raw.query("select 1")
    with contextlib.ExitStack() as stack:
        for _ in range(20):  # what is shared is there before
            stack.enter_context(bench.ours.connect()).ask(request)
        before = bench.ours.resident()
        for _ in range(IDLE):
            stack.enter_context(bench.ours.connect()).ask(request)
        grown = bench.ours.resident() - before
    yield Row(
        f"{IDLE:,} idle sessions, each", "KB", [grown / IDLE / 1000], most=60.0, absolute=True
    )


MEASURES: dict[str, Callable[[Bench], Rows]] = {
    "idle": idle_sessions,  # first: later there is memory to be used again
    "text": text_rows,
    "binary": binary_rows,
    "simple": simple_query,
    "prepared": prepared,
    "point": point_query,
    "copy": copy_in,
    "memory": memory,
    "busy": beside_long_queries,
}
