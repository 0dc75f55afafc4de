"""Workers that do everything to hd_runtime at once, and die in the middle of it.

A supervisor starts worker processes, which create, claim, advance, heartbeat, complete, fail, release,
cancel, decide, recover, roll back and forget, over two projects, three classes and a growing web of
dependencies, with leases of a fraction of a second. It kills them with SIGKILL at random and starts
others with the dead ones' lease tokens. A worker writes each operation that Postgres has acknowledged
to a pipe, which outlives it. Afterwards `invariants.violations` looks at every row, twice: as the dead
have left them, and after whatever is left was worked off.

By hand, for as long as you like:

    python -m tests.runtime.torture 'host=... dbname=...' --operations 200000 --workers 16
"""

from __future__ import annotations

import argparse
import json
import random
import selectors
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

CLASSES = ("spin", "burn", "churn")
LEASE = timedelta(milliseconds=250)
BUDGETS = {"max_l1": 2, "max_l2": 1, "max_l3": 1, "max_expiries": 2}
LADDER = ("standard", "strong", "strongest")
FAILURES = (
    "timeout", "network", "schema_validation", "build_failed", "policy_denied",
    "missing_dependency", "an unknown kind",
)  # fmt: skip
STEPS = (
    "model_selected", "cache_checked", "executing", "artifact_validating", "evidence_collecting",
    "verifier_pending",
)  # fmt: skip

# What an operation may be refused with, being late or second. Anything else is a violation.
LATE = {"HD001"}
SECOND = {"HD002", "HD005"}
# Who fails a task with dependents and who declares needs in a long transaction may deadlock; Postgres
# ends one of them, and nothing of it remains.
CROSSED = {"40P01"}


# --- the worker -----------------------------------------------------------------------------------


class Worker:
    """One agent: a connection, the leases it holds, the leases it should have forgotten."""

    def __init__(self, conninfo: str, name: str, seed: int, inherited: list[dict]) -> None:
        self.conn = psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
        self.name = name
        self.random = random.Random(seed)
        self.held: list[dict] = []
        self.stale = inherited
        self.tasks: list[dict] = []
        self.projects = [
            r["id"] for r in self.rows("SELECT id FROM hd_runtime.projects ORDER BY 1")
        ]

    def rows(self, query: str, *parameters: Any) -> list[dict]:
        return self.conn.execute(query, parameters or None).fetchall()

    def report(self, operation: str, **fields: Any) -> None:
        print(json.dumps({"op": operation, "by": self.name, **fields}, default=str), flush=True)

    def attempt(self, allowed: set[str], query: str, *parameters: Any) -> list[dict] | None:
        """The rows; None when refused for one of the reasons that are part of the game."""
        try:
            return self.rows(query, *parameters)
        except psycopg.Error as error:
            if error.sqlstate in CROSSED:
                self.report("crossed", query=query)
                return None
            if error.sqlstate in allowed:
                return None
            self.report("unexpected", query=query, error=f"{error.sqlstate} {error}")
            return None

    # Each operation reports after Postgres has acknowledged it, and only then.

    def create(self) -> None:
        project = self.random.choice(self.projects)
        near = [t["task_id"] for t in self.tasks[-12:] if t["project"] == project]
        needs = self.random.sample(near, min(len(near), self.random.choice((0, 0, 1, 2, 3, 3))))
        later = self.random.choice(
            (", available_at => now() + interval '30 milliseconds'", "", "", "")
        )
        made = self.rows(
            "SELECT * FROM hd_runtime.create_task(%s, 'worker', %s, priority => %s,"
            " work_item_key => %s, needs => %s" + later + ")",
            project,
            self.random.choice(CLASSES),
            self.random.choice((10, 100)),
            f"key {self.random.randrange(40)}" if self.random.random() < 0.2 else None,
            needs,
        )[0]
        self.made.append(made | {"project": project, "needs": needs})

    def create_some(self) -> None:
        self.made: list[dict] = []
        keep = self.random.random() < 0.8
        try:
            with self.conn.transaction(force_rollback=not keep):
                for _ in range(self.random.choice((0, 0, 0, 20))):
                    self.rows("SELECT 1")
                for _ in range(self.random.choice((1, 1, 1, 3))):
                    self.create()
                # The transaction stays open while others go on.
                for _ in range(self.random.choice((0, 0, 5, 40))):
                    self.rows("SELECT 1")
        except psycopg.Error as error:
            if error.sqlstate not in CROSSED:
                self.report("unexpected", query="create_task", error=f"{error.sqlstate} {error}")
            return
        if keep:
            for made in self.made:
                self.report("create", **made)
                self.tasks.append(made)

    def claim(self) -> None:
        filters = self.random.choice(
            (
                "",
                "",
                ", task_classes => '{spin,burn}'",
                ", task_classes => '{churn}'",
                f", project_id => '{self.random.choice(self.projects)}'",
                ", agent_type => 'repair'",
            )
        )
        many = self.random.choice((1, 1, 1, 3))
        keep = self.random.random() < 0.85
        with self.conn.transaction(force_rollback=not keep):
            claimed = self.rows(
                f"SELECT * FROM hd_runtime.claim_next_task(%s, max_tasks => %s{filters})",
                self.name, many,
            )  # fmt: skip
            if not keep:
                for _ in range(self.random.choice((0, 5, 20))):
                    self.rows("SELECT 1")
        if keep:
            for lease in claimed:
                self.report("claim", **lease)
                self.held.append(lease)

    def claim_one(self) -> None:
        if self.tasks:
            task = self.random.choice(self.tasks)["task_id"]
            claimed = self.attempt(
                SECOND, "SELECT * FROM hd_runtime.claim_task(%s, %s)", task, self.name
            )
            for lease in claimed or ():
                self.report("claim", **lease)
                self.held.append(lease)

    def lease(self) -> dict | None:
        """One to work with: usually held, sometimes one that ought to be over."""
        if self.stale and self.random.random() < 0.25:
            return self.random.choice(self.stale)
        return self.random.choice(self.held) if self.held else None

    def work(self, operation: str, call: str, *parameters: Any, ends: bool = False) -> None:
        lease = self.lease()
        if lease is None:
            return
        began = datetime.now(UTC)
        row = self.attempt(
            LATE | (SECOND if operation == "advance" else set()),
            f"SELECT * FROM hd_runtime.{call}",
            lease["attempt_id"], lease["lease_token"], *parameters,
        )  # fmt: skip
        if row is None:
            if lease in self.held and operation != "advance":
                self.forget(lease)
            return
        self.report(operation, began=began, attempt_id=lease["attempt_id"], **row[0])
        if ends:
            self.forget(lease)

    def forget(self, lease: dict) -> None:
        if lease in self.held:
            self.held.remove(lease)
        if lease not in self.stale:
            self.stale.append(lease)
        del self.stale[:-20]

    def heartbeat(self) -> None:
        self.work("heartbeat", "heartbeat(%s, %s)")

    def advance(self) -> None:
        self.work("advance", "advance_attempt(%s, %s, %s)", self.random.choice(STEPS))

    def complete(self) -> None:
        self.work("complete", "complete_attempt(%s, %s, '{\"ok\": true}')", ends=True)

    def fail(self) -> None:
        kind = self.random.choice(FAILURES)
        self.work("fail", "fail_attempt(%s, %s, %s)", kind, ends=True)

    def release(self) -> None:
        self.work("release", "release_attempt(%s, %s)", ends=True)

    def publish(self) -> None:
        self.work("publish", "publish_artifact(%s, %s, 'kind', 'key', '{\"a\": 1}')")

    def decide_model(self) -> None:
        lease = self.lease()
        if lease is None:
            return
        key = lease["attempt_id"], lease["lease_token"]
        decided = self.attempt(
            LATE, "SELECT id FROM hd_runtime.record_model_decision(%s, %s, 'm')", *key
        )
        decisions = decided or self.rows(
            "SELECT id FROM hd_runtime.model_decisions WHERE attempt_id = %s LIMIT 1", key[0]
        )
        if decisions:
            [made] = self.rows(
                "SELECT id FROM hd_runtime.record_llm_invocation(%s, %s, 'p', 'm', cost_usd => 0.01)",
                decisions[0]["id"], key[1],
            )  # fmt: skip
            self.report("invoke", id=made["id"])

    def abandon(self) -> None:
        if self.held:
            self.forget(self.random.choice(self.held))

    def steal(self) -> None:
        """Somebody else's attempt, with a token that was never given out."""
        others = self.rows(
            "SELECT id FROM hd_runtime.task_attempts WHERE lease_check_at IS NOT NULL LIMIT 5"
        )
        if others:
            other = self.random.choice(others)["id"]
            call = self.random.choice(("complete_attempt(%s, %s)", "release_attempt(%s, %s)",
                                       "heartbeat(%s, %s)", "advance_attempt(%s, %s, 'executing')",
                                       "fail_attempt(%s, %s, 'timeout')"))  # fmt: skip
            if self.attempt(
                LATE, f"SELECT * FROM hd_runtime.{call}", other, f"guess of {self.name}"
            ):
                self.report("unexpected", query=call, error=f"attempt {other} was stolen")

    def cancel(self) -> None:
        if self.tasks:
            task = self.random.choice(self.tasks[-20:])["task_id"]
            row = self.attempt(set(), "SELECT * FROM hd_runtime.cancel_task(%s, 'torture')", task)
            if row:
                self.report("cancel", task_id=task, **row[0])

    def review(self) -> None:
        asked = self.rows("SELECT review_id FROM hd_runtime.review_queue LIMIT 3")
        if asked:
            review = self.random.choice(asked)["review_id"]
            decision = self.random.choice(("approved", "rejected"))
            if self.attempt(
                SECOND, "SELECT * FROM hd_runtime.decide_review(%s, %s)", review, decision
            ):
                self.report("review", review_id=review, decision=decision)

    def recover(self) -> None:
        if self.tasks:
            task = self.random.choice(self.tasks[-40:])["task_id"]
            last = self.rows(
                "SELECT id FROM hd_runtime.task_attempts WHERE task_id = %s"
                " ORDER BY attempt_no DESC LIMIT 1",
                task,
            )
            level = self.random.choice((None, "L1", "L2", "L3", "L4"))
            self.attempt(
                SECOND, "SELECT * FROM hd_runtime.recover_attempt(%s, %s)", last[0]["id"], level
            )

    def depend(self) -> None:
        if len(self.tasks) > 2:
            one, other = self.random.sample(self.tasks[-10:], 2) if len(self.tasks) > 9 else (
                self.tasks[-1], self.tasks[-2],
            )  # fmt: skip
            # HD004: of another project. HD006: a cycle.
            row = self.attempt(
                SECOND | {"HD004", "HD006"},
                "SELECT * FROM hd_runtime.add_dependency(%s, %s)",
                one["task_id"], other["task_id"],
            )  # fmt: skip
            if row:
                self.report("depend", task_id=one["task_id"], needs=other["task_id"])

    def several(self) -> None:
        """Several ends in one transaction, kept or not."""
        leases = self.held[:3]
        if not leases:
            return
        keep = self.random.random() < 0.7
        ended = []
        try:
            with self.conn.transaction(force_rollback=not keep):
                for lease in leases:
                    began = datetime.now(UTC)
                    row = self.conn.execute(
                        "SELECT * FROM hd_runtime.complete_attempt(%s, %s, '{\"ok\": true}')",
                        [lease["attempt_id"], lease["lease_token"]],
                    ).fetchone()
                    ended.append((lease, began, row))
                # The transaction stays open while others end what the same tasks need.
                for _ in range(self.random.choice((0, 5, 20))):
                    self.rows("SELECT 1")
        except psycopg.Error as error:
            if error.sqlstate not in LATE | CROSSED:
                self.report("unexpected", query="several", error=f"{error.sqlstate} {error}")
            ended = []
        for lease in leases:
            self.forget(lease)
        for lease, began, row in ended if keep else ():
            self.report("complete", began=began, attempt_id=lease["attempt_id"], **row)

    def housekeep(self) -> None:
        self.attempt(set(), "SELECT * FROM hd_runtime.housekeep()")
        self.report("housekeep")

    def advance_marks(self) -> None:
        """What a claim does now and then under dead entries, here all the time."""
        lanes = "ARRAY(SELECT id FROM hd_runtime.queue_lanes UNION ALL SELECT 0)"
        project = self.random.choice((*self.projects, None))
        self.rows(f"SELECT hd_runtime._advance_marks({lanes}, %s)", project)
        self.report("advance_marks")

    MIX = (
        (create_some, 16), (claim, 22), (claim_one, 3), (heartbeat, 10), (advance, 8), (complete, 16),
        (several, 7), (fail, 9), (release, 3), (publish, 3), (decide_model, 3), (abandon, 3), (steal, 2), (cancel, 1),
        (review, 3), (recover, 2), (depend, 2), (housekeep, 3), (advance_marks, 4),
    )  # fmt: skip

    def run(self, operations: int) -> None:
        choices, weights = zip(*self.MIX, strict=True)
        for _ in range(operations):
            self.random.choices(choices, weights)[0](self)


# --- the supervisor -------------------------------------------------------------------------------


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


def torture(conninfo: str, operations: int, workers: int, seed: int = 0) -> Run:
    """Runs until so many operations are acknowledged, and kills whoever is still alive."""
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
            [sys.executable, str(Path(__file__)), conninfo, "--worker", f"w{number}",
             "--seed", str(chance.getrandbits(32)), "--inherited", json.dumps(inherited, default=str)],
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
                if not over:
                    start(leases[process.pid][-10:])
    conn.close()
    return run


def work_off(conninfo: str, run: Run) -> None:
    """Finishes all that is left, as one agent with nobody in its way; what cannot be is a violation."""
    conn = psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while True:
        conn.execute("SELECT hd_runtime.housekeep()")
        for review in conn.execute("SELECT review_id FROM hd_runtime.review_queue").fetchall():
            conn.execute("SELECT hd_runtime.decide_review(%s, 'rejected')", [review["review_id"]])
        claimed = conn.execute(
            "SELECT * FROM hd_runtime.claim_next_task('last', max_tasks => 50)"
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
        if not run.unfinished or datetime.now(UTC) > deadline:
            conn.close()
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("conninfo")
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker")
    parser.add_argument("--inherited", default="[]")
    arguments = parser.parse_args()
    if arguments.worker:
        Worker(
            arguments.conninfo, arguments.worker, arguments.seed, json.loads(arguments.inherited)
        ).run(1 << 30)
        return
    from tests.runtime import invariants

    run = torture(arguments.conninfo, arguments.operations, arguments.workers, arguments.seed)
    print(f"{len(run.acknowledged)} operations acknowledged, {run.killed} workers killed")
    found = invariants.violations(arguments.conninfo, run)
    work_off(arguments.conninfo, run)
    found += invariants.violations(arguments.conninfo, run)
    print("\n".join(found) or "every invariant holds")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
