"""Workers that do everything to hd_runtime at once, and die in the middle of it.

A supervisor starts worker processes (`worker.py`), which connect to the proxy and create, claim,
advance, heartbeat, complete, fail, release, cancel, decide, recover, roll back and forget, over two
projects, three classes and a growing web of dependencies, with leases of a fraction of a second, while
the proxy's own housekeeping reaps. It kills them with SIGKILL at random and starts
others with the dead ones' lease tokens. A worker writes each operation that Postgres has acknowledged
to a pipe, which outlives it. Afterwards `invariants.violations` looks at every row, twice: as the dead
have left them, and after whatever is left was worked off.

By hand, for as long as you like:

    python -m tests.runtime.torture --operations 200000 --workers 16
"""

from __future__ import annotations

import argparse
import json
import random
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

import runtime_sql
from catalog import roles
from proxy.demo.server import ServerProcess
from proxy.engines.embedded import running_conninfo

from . import worker as workers_own
from .worker import BUDGETS, CLASSES, LADDER, LATE, LEASE

_HOPELESS = 20  # workers that ended by themselves, after which no more are started


@dataclass
class Run:
    """What a torture leaves behind: every acknowledged operation, and what was left at the end."""

    acknowledged: list[dict] = field(default_factory=list)
    killed: int = 0
    unfinished: list[dict] = field(default_factory=list)

    def of(self, operation: str) -> list[dict]:
        return [ack for ack in self.acknowledged if ack["op"] == operation]


def prepare(conn: psycopg.Connection) -> None:
    """The classes and the second project."""
    for name in CLASSES:
        conn.execute(
            "SELECT hd_runtime.define_task_class(%s, lease_ttl => %s, max_l1 => %s, max_l2 => %s,"
            " max_l3 => %s, max_expiries => %s, model_classes => %s,"
            " backoff => interval '2 milliseconds', backoff_max => interval '5 milliseconds')",
            [name, LEASE, *BUDGETS.values(), list(LADDER)],
        )
    conn.execute("SELECT hd_runtime.create_project('second')")


def torture(conninfo: str, direct: str, operations: int, workers: int, seed: int = 0) -> Run:
    """Runs until so many operations are acknowledged, and kills whoever is still alive.

    conninfo: how workers connect, as a role with hd_operator. direct: Postgres itself, as superuser.
    """
    chance = random.Random(seed)
    run = Run()
    conn = psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
    prepare(conn)
    selector = selectors.DefaultSelector()
    numbers = iter(range(1, 1_000_000))
    leases: dict[int, list[dict]] = {}

    def start(inherited: list[dict]) -> None:
        number = next(numbers)
        process = subprocess.Popen(
            [sys.executable, str(Path(workers_own.__file__)), "--name", f"w{number}", "--conninfo", conninfo, "--direct", direct, "--seed", str(chance.getrandbits(32)), "--inherited", json.dumps(inherited, default=str)],
            stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        leases[process.pid] = []
        # Each dies after so many operations that it has told of.
        selector.register(
            process.stdout, selectors.EVENT_READ, (process, [chance.randrange(40, 400)])
        )

    def take(process: subprocess.Popen, line: bytes) -> None:
        ack = json.loads(line)
        run.acknowledged.append(ack)
        if ack["op"] == "claim":
            leases[process.pid].append(
                {key: ack[key] for key in ("task_id", "attempt_id", "lease_token")}
            )

    for _ in range(workers):
        start([])
    rests: dict[int, bytes] = {}
    failed = 0
    while selector.get_map():
        for key, _ in selector.select():
            process, life = key.data
            data = key.fileobj.read(65536)
            *lines, rest = (rests.get(process.pid, b"") + data).split(b"\n")
            rests[process.pid] = rest
            for line in lines:
                take(process, line)
            life[0] -= len(lines)
            over = len(run.acknowledged) >= operations
            if data and (life[0] < 0 or over):
                process.send_signal(signal.SIGKILL)
                life[0] = 1 << 30
                run.killed += 1
            if not data:
                process.wait()
                selector.unregister(key.fileobj)
                key.fileobj.close()
                if process.returncode not in (0, -signal.SIGKILL):
                    run.acknowledged.append(
                        {"op": "unexpected", "error": f"worker exited with {process.returncode}"}
                    )
                    failed += 1
                if not over and failed < _HOPELESS:
                    start(leases[process.pid][-10:])
    conn.close()
    return run


def work_off(conninfo: str, run: Run) -> None:
    """Finishes all that is left, as one agent with nobody in its way; what cannot be is a violation.

    Gives up when nothing at all has happened for as long as a hundred leases last.
    """
    conn = psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
    events, since = -1, None
    while True:
        conn.execute("SELECT hd_runtime.housekeep()")
        for review in conn.execute("SELECT review_id FROM hd_runtime.review_queue").fetchall():
            conn.execute("SELECT hd_runtime.decide_review(%s, 'rejected')", [review["review_id"]])
        claimed = conn.execute(
            "SELECT * FROM hd_runtime.claim_next_task('last', max_tasks => 10)"
        ).fetchall()
        for lease in claimed:
            try:
                conn.execute(
                    "SELECT hd_runtime.complete_attempt(%s, %s, '{\"ok\": true}')",
                    [lease["attempt_id"], lease["lease_token"]],
                )
            except psycopg.Error as error:
                if error.sqlstate not in LATE:
                    run.acknowledged.append({"op": "unexpected", "error": str(error)})
        run.unfinished = conn.execute(
            "SELECT t.id, t.status, a.status AS attempt_status, a.available_at, a.lease_expires"
            " FROM hd_runtime.tasks t LEFT JOIN hd_runtime.task_attempts a ON a.task_id = t.id"
            " AND a.status NOT IN ('completed_verified', 'terminal_failed')"
            " WHERE t.status NOT IN ('done', 'failed')"
        ).fetchall()
        [(now, number)] = [
            row.values()
            for row in conn.execute(
                "SELECT clock_timestamp(), count(*) FROM hd_runtime.workflow_events"
            )
        ]
        if number != events:
            events, since = number, now
        if not run.unfinished or now - since > 100 * LEASE:
            conn.close()
            return


@contextmanager
def server(
    directory: Path, *, mutated: Callable[[Path], None] | None = None
) -> Iterator[tuple[str, str]]:
    """A server of its own for a torture: how workers connect to it, and how a superuser does.

    directory: an empty one. mutated: changes the copy of runtime_sql that the server is to use.
    """
    if mutated is not None:
        # The server runs there, and Python looks there first.
        shutil.copytree(Path(runtime_sql.__file__).parent, directory / "runtime_sql")
        mutated(directory / "runtime_sql")
    with ServerProcess(directory, "--housekeeping-interval", "0.2") as up:
        direct = running_conninfo(up.data_directory / "postgres")
        assert direct is not None
        with psycopg.connect(direct, autocommit=True) as admin:
            # No test here pulls the plug.
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
        roles.set_operator(direct, "torture", operator=True, create=True)
        yield up.url.replace("//", "//torture@", 1), direct


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conninfo", help="workers connect here; default: a server of its own")
    parser.add_argument("--direct", help="its Postgres, as superuser; default: --conninfo")
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    conninfo, direct = arguments.conninfo, arguments.direct or arguments.conninfo
    from . import invariants

    with ExitStack() as stack:
        if conninfo is None:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hdtort"))
            conninfo, direct = stack.enter_context(server(Path(directory)))
        run = torture(conninfo, direct, arguments.operations, arguments.workers, arguments.seed)
        print(f"{len(run.acknowledged)} operations acknowledged, {run.killed} workers killed")
        found = invariants.violations(direct, run)
        work_off(conninfo, run)
        found += invariants.violations(direct, run)
    print("\n".join(found) or "every invariant holds")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
