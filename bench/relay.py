"""What the relay costs, beside PgBouncer and beside nothing, over one Postgres, in turns in one run.

    python -m bench.relay [--seconds 4] [--rounds 3] [--only select,runtime,rows,agents]

Postgres is the one in the wheel, PgBouncer is Debian's (`apt-get install pgbouncer`), pgbench too.
Every target is measured in each round, one after the other, and compared within the round; a line
gives the median of the rounds' ratios, with the limit that it must reach. "Straight" is over TCP, as
the clients of the proxy and of PgBouncer come; both have Postgres's unix socket behind them.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench import peers
from bench.peers import Unavailable
from proxy.demo.server import ServerProcess

_ACCOUNTS = 100_000
_TABLE = "hd_runtime.pgbench_accounts"
_POOL = 20
_SELECT = f"\\set aid random(1, {_ACCOUNTS})\nSELECT abalance FROM {_TABLE} WHERE aid = :aid;\n"
_CLAIM = "SELECT attempt_id FROM hd_runtime.claim_next_task('bench');\n"
_BEAT = "SELECT * FROM hd_runtime.heartbeat(:attempt, :token);\n"
_LIMITS = {1: 0.9, 8: 1.0, 32: 1.0}


@dataclass(frozen=True)
class Target:
    name: str
    host: str
    port: int
    user: str
    database: str

    @property
    def url(self) -> str:
        return f"host={self.host} port={self.port} user={self.user} dbname={self.database}"


@contextmanager
def _bouncer(directory: Path, server: Target, mode: str) -> Iterator[Target]:
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise Unavailable("there is no pgbouncer")
    port = peers._free_port()
    directory.mkdir()
    (directory / "users").write_text(f'"{server.user}" ""\n')
    (directory / "ini").write_text(
        f"[databases]\n* = host={server.host} port={server.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {directory}/users\npool_mode = {mode}\ndefault_pool_size = "
        f"{40 if mode == 'session' else _POOL}\nmax_client_conn = 4000\n"
        "logfile =\npidfile =\nsyslog = 0\n"
    )
    as_user = peers._not_as_root(directory)
    for each in directory.iterdir():
        each.chmod(0o644)
    with (directory / "out").open("wb") as out:
        process = subprocess.Popen(
            [*as_user, program, "-q", str(directory / "ini")], cwd="/", stdout=out, stderr=out
        )
    try:
        target = Target(f"pgbouncer {mode}", "127.0.0.1", port, server.user, server.database)
        _await(target)
        yield target
    finally:
        process.terminate()
        process.wait()


def _await(target: Target) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(target.url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _pgbench(target: Target, script: Path, clients: int, mode: str, seconds: float) -> float:
    """Transactions a second."""
    command = ["pgbench", "-h", target.host, "-p", str(target.port), "-U", target.user, "-n"]
    command += ["-M", mode, "-c", str(clients), "-T", str(round(seconds)), "-f", str(script)]
    done = subprocess.run([*command, target.database], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("tps ="):
            return float(line.split()[2])
    raise Unavailable(f"{target.name}: {done.stderr.strip()[-300:]}")


def _ratios(
    what: str,
    limit: float,
    targets: list[Target],
    base: list[str],
    rounds: int,
    measure: Callable[[Target], float],
) -> None:
    """Prints each target's median, and ours against the best of `base` in the same round."""
    found: dict[str, list[float]] = {target.name: [] for target in targets}
    for _ in range(rounds):
        for target in targets:
            found[target.name].append(measure(target))
    ratios = [
        ours / max(found[name][n] for name in base) for n, ours in enumerate(found["hatidata"])
    ]
    ratio = statistics.median(ratios)
    medians = "  ".join(f"{name} {statistics.median(v):,.0f}" for name, v in found.items())
    verdict = "ok  " if ratio >= limit else "MISS"
    print(f"{verdict} {what:34} {ratio:5.2f}x (>= {limit})   {medians}", flush=True)


def _select(targets: list[Target], directory: Path, seconds: float, rounds: int) -> None:
    script = directory / "select.sql"
    script.write_text(_SELECT)
    for mode in ("simple", "prepared"):
        if mode == "prepared":  # Debian's is older than its prepared statements over transactions
            targets = [target for target in targets if target.name != "pgbouncer transaction"]
        bouncers = [target.name for target in targets if target.name.startswith("pgbouncer")]
        for clients, limit in _LIMITS.items():
            _ratios(
                f"point select, {mode}, {clients} clients",
                limit,
                targets,
                bouncers,
                rounds,
                lambda target, c=clients, m=mode: _pgbench(target, script, c, m, seconds),
            )


def _beside(targets: list[Target]) -> list[Target]:
    """Those who pass on whatever comes; PgBouncer in one mode is enough."""
    return [each for each in targets if each.name != "pgbouncer transaction"]


def _runtime(targets: list[Target], direct: Target, directory: Path, args: tuple) -> None:
    seconds, rounds = args
    beside = _beside(targets)
    script = directory / "claim.sql"
    script.write_text(_CLAIM)
    with psycopg.connect(direct.url, autocommit=True) as admin:
        admin.execute(
            "SELECT hd_runtime.create_task(hd_runtime.default_project(), 'bench', 'code', "
            "to_jsonb(n)) FROM generate_series(1, 200000) AS n"
        )
        admin.execute("ANALYZE")
    what = "claim_next_task, 8 clients"
    _ratios(
        what,
        0.9,
        beside,
        [direct.name],
        rounds,
        lambda target: _pgbench(target, script, 8, "simple", seconds),
    )
    with psycopg.connect(direct.url, autocommit=True) as admin:
        leases = admin.execute(
            "SELECT attempt_id, lease_token FROM hd_runtime.claim_next_task('beat', max_tasks => 8)"
        ).fetchall()
    beat = directory / "beat.sql"
    cases = "".join(
        f"\\{'if' if n == 0 else 'elif'} :client_id = {n}\n"
        f"SELECT * FROM hd_runtime.heartbeat('{attempt}', '{token}');\n"
        for n, (attempt, token) in enumerate(leases)
    )
    beat.write_text(cases + "\\endif\n")
    for mode in ("simple", "prepared"):
        _ratios(
            f"heartbeat, {mode}, 8 clients",
            0.9,
            beside,
            [direct.name],
            rounds,
            lambda target, m=mode: _pgbench(target, beat, 8, m, seconds),
        )


def _rows(targets: list[Target], direct: Target, rounds: int) -> None:
    sql = f"SELECT n, n * 7 AS m, 'row ' || n AS t FROM (SELECT aid * 10 + d AS n FROM {_TABLE}, (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS v (d)) AS x"

    def measure(target: Target) -> float:
        with psycopg.connect(target.url) as connection:
            begun = time.perf_counter()
            result = connection.pgconn.exec_(sql.encode())
            if result.ntuples != 1_000_000:
                raise Unavailable(f"{target.name}: {result.error_message!r}")
            return 1_000_000 / (time.perf_counter() - begun)

    _ratios("1,000,000 rows", 0.9, _beside(targets), [direct.name], rounds, measure)


async def _agents(target: Target, count: int, seconds: float) -> tuple[list[float], int]:
    """Latencies in milliseconds of claims and heartbeats of `count` agents, and the errors."""
    latencies: list[float] = []
    failures = 0
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(50)

    async def connect() -> psycopg.AsyncConnection:
        async with gate:
            return await psycopg.AsyncConnection.connect(target.url, autocommit=True)

    connections = await asyncio.gather(*(connect() for _ in range(count)))
    end = loop.time() + seconds

    async def agent(number: int, connection: psycopg.AsyncConnection) -> None:
        nonlocal failures
        await asyncio.sleep(10 * number / count)
        beat_at = loop.time() + 60 * number / count
        lease: tuple[object, ...] | None = None
        while loop.time() < end:
            begun = loop.time()
            try:
                if lease is not None and begun >= beat_at:
                    await connection.execute("SELECT * FROM hd_runtime.heartbeat(%s, %s)", lease)
                    beat_at = begun + 60
                else:
                    cursor = await connection.execute(
                        "SELECT attempt_id, lease_token FROM hd_runtime.claim_next_task(%s)",
                        [f"agent {number}"],
                    )
                    lease = await cursor.fetchone() or lease
            except psycopg.Error as error:
                failures += 1
                print(f"     {target.name}: {error}")
            latencies.append(1000 * (loop.time() - begun))
            await asyncio.sleep(max(0.0, 10 - (loop.time() - begun)))

    await asyncio.gather(*(agent(n, each) for n, each in enumerate(connections)))
    for connection in connections:
        await connection.close()
    return latencies, failures


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def _crowd(ours: Target, direct: Target, pid: int, seconds: float) -> None:
    def resident() -> int:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096

    async def both() -> None:
        few, _ = await _agents(direct, 60, seconds)
        before = resident()
        task = asyncio.create_task(_agents(ours, 2000, seconds))
        peak = before
        while not task.done():
            await asyncio.wait([task], timeout=0.2)
            peak = max(peak, resident())
        many, failures = await task
        over, memory = _p99(many) - _p99(few), (peak - before) / 2000 / 1024
        good = not failures and over < 50 and memory < 60
        print(
            f"{'ok  ' if good else 'MISS'} 2,000 agents on {_POOL} backends: {len(many)} calls, "
            f"{failures} errors, p99 {_p99(many):.1f} ms, {over:+.1f} ms over direct (< 50), "
            f"{memory:.1f} KB an agent (< 60)"
        )

    asyncio.run(both())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="select,runtime,rows,agents")
    args = parser.parse_args()
    wanted = args.only.split(",")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hdb")))
        directory.chmod(0o755)
        (directory / "pg").mkdir()
        server = stack.enter_context(peers.postgres(directory / "pg", "max_connections=300"))
        direct = Target("postgres", str(directory / "pg"), server.port, "bench", "postgres")
        straight = Target("postgres", "127.0.0.1", server.port, "bench", "postgres")
        options = ("--postgres", direct.url, "--pool-size", str(_POOL), "--max-connections", "2200")
        (directory / "hd").mkdir()
        ours = stack.enter_context(
            ServerProcess(directory / "hd", *options, "--log-level", "warning")
        )
        parts = urlsplit(ours.url)
        with psycopg.connect(direct.url, autocommit=True) as admin:
            admin.execute(
                f"CREATE TABLE {_TABLE} AS SELECT n AS aid, 0 AS abalance, repeat(' ', 84) AS filler "
                f"FROM generate_series(1, {_ACCOUNTS}) AS n"
            )
            admin.execute(f"ALTER TABLE {_TABLE} ADD PRIMARY KEY (aid)")
            admin.execute(f"GRANT SELECT ON {_TABLE} TO hd_agent")
            admin.execute(f"VACUUM ANALYZE {_TABLE}")
        targets = [
            straight,
            Target("hatidata", parts.hostname or "", parts.port or 0, "bench", "hatidata"),
        ]
        for mode in ("session", "transaction"):
            try:
                targets.append(stack.enter_context(_bouncer(directory / mode, direct, mode)))
            except (Unavailable, psycopg.OperationalError) as error:
                print(f"no pgbouncer in {mode} mode: {error}")
        if "select" in wanted:
            _select(targets, directory, args.seconds, args.rounds)
        if "runtime" in wanted:
            _runtime(targets, straight, directory, (args.seconds, args.rounds))
        if "rows" in wanted:
            _rows(targets, straight, args.rounds)
        if "agents" in wanted:
            _crowd(targets[1], straight, ours.pid, 30)


if __name__ == "__main__":
    main()
