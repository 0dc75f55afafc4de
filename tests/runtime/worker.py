"""One worker of the torture: does everything to hd_runtime, until it is killed.

A script of its own, so that it starts quickly. It writes each operation that Postgres has acknowledged
to standard output, a line each, and only then.
"""

from __future__ import annotations

import argparse
import json
import random
import uuid
from datetime import UTC, datetime, timedelta
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

# A statement that takes a moment, and keeps a transaction open for it.
PAUSE = "SELECT pg_backend_pid()"

# What an operation may be refused with, being late or second. Anything else is a violation.
LATE = {"HD001"}
SECOND = {"HD002", "HD005"}
# Who fails a task with dependents and who declares needs in a long transaction may deadlock; Postgres
# ends one of them, and nothing of it remains.
CROSSED = {"40P01"}


# --- the worker -----------------------------------------------------------------------------------


class Worker:
    """One agent: a connection, the leases it holds, the leases it should have forgotten."""

    def __init__(
        self, conninfo: str, direct: str, name: str, seed: int, inherited: list[dict]
    ) -> None:
        self.conn = psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
        self.superuser = psycopg.connect(direct, autocommit=True)
        self.name = name
        self.random = random.Random(seed)
        self.held: list[dict] = []
        self.stale = inherited
        self.decided: list[tuple[Any, str]] = []
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
            (", available_at => now() + interval '100 milliseconds'", "", "", "")
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
                    self.rows(PAUSE)
                for _ in range(self.random.choice((1, 1, 1, 3))):
                    self.create()
                # The transaction stays open while others go on.
                for _ in range(self.random.choice((0, 0, 5, 40))):
                    self.rows(PAUSE)
        except psycopg.Error as error:
            if error.sqlstate not in CROSSED:
                self.report("unexpected", query="create_task", error=f"{error.sqlstate} {error}")
            return
        if keep:
            for made in self.made:
                self.report("create", **made)
                self.tasks.append(made)

    def create_diamond(self) -> None:
        """Two that anybody may take at once, and one that needs both."""
        project, kind = self.random.choice(self.projects), self.random.choice(CLASSES)
        create = (
            "SELECT * FROM hd_runtime.create_task(%s, 'worker', %s, priority => 1, needs => %s)"
        )
        ends: list[dict] = []
        for needs in ([], [], None):
            needs = [end["task_id"] for end in ends] if needs is None else needs
            made = self.attempt(set(), create, project, kind, needs)
            if made is None:
                return
            made[0] |= {"project": project, "needs": needs}
            self.report("create", **made[0])
            self.tasks.append(made[0])
            ends.append(made[0])

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
        try:
            with self.conn.transaction(force_rollback=not keep):
                claimed = self.rows(
                    f"SELECT * FROM hd_runtime.claim_next_task(%s, max_tasks => %s{filters})",
                    self.name, many,
                )  # fmt: skip
                if not keep:
                    for _ in range(self.random.choice((0, 5, 20))):
                        self.rows(PAUSE)
        except psycopg.Error as error:
            self.report("unexpected", query="claim_next_task", error=f"{error.sqlstate} {error}")
            return
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

    def work(
        self,
        operation: str,
        call: str,
        *parameters: Any,
        ends: bool = False,
        lease: dict | None = None,
    ) -> None:
        lease = lease or self.lease()
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
        """Usually for the reason that the task failed for before, until that budget is spent."""
        lease = self.lease()
        if lease is not None:
            kind = FAILURES[uuid.UUID(str(lease["task_id"])).int % len(FAILURES)]
            if self.random.random() < 0.3:
                kind = self.random.choice(FAILURES)
            self.work("fail", "fail_attempt(%s, %s, %s)", kind, ends=True, lease=lease)

    def fail_again(self) -> None:
        """One task that fails whenever it is tried, as far as nobody comes between."""
        if not self.tasks:
            return
        task = self.random.choice(self.tasks[-40:])["task_id"]
        kind = self.random.choice(("timeout", "network", "schema_validation", "build_failed"))
        for _ in range(5):
            claimed = self.attempt(
                SECOND, "SELECT * FROM hd_runtime.claim_task(%s, %s)", task, self.name
            )
            for lease in claimed or ():
                self.report("claim", **lease)
                self.work("fail", "fail_attempt(%s, %s, %s)", kind, ends=True, lease=lease)

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
        if decided:
            self.decided = [*self.decided[-19:], (decided[0]["id"], key[1])]
            self.invoke()

    def invoke(self) -> None:
        """Tells of a call, often long after the lease that it was made under."""
        if self.decided:
            decision, token = self.random.choice(self.decided)
            [made] = self.rows(
                "SELECT id FROM hd_runtime.record_llm_invocation(%s, %s, 'p', 'm', cost_usd => 0.01)",
                decision, token,
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
                for _ in range(self.random.choice((5, 20, 40))):
                    self.rows(PAUSE)
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
        self.superuser.execute(f"SELECT hd_runtime._advance_marks({lanes}, %s)", [project])
        self.report("advance_marks")

    MIX = (
        (create_some, 16), (claim, 22), (claim_one, 3), (heartbeat, 10), (advance, 8), (complete, 16),
        (several, 12), (fail, 9), (fail_again, 3), (create_diamond, 5), (release, 3), (publish, 3), (decide_model, 4), (invoke, 3), (abandon, 3), (steal, 2), (cancel, 1),
        (review, 3), (recover, 2), (depend, 2), (housekeep, 3), (advance_marks, 4),
    )  # fmt: skip

    def run(self, operations: int) -> None:
        choices, weights = zip(*self.MIX, strict=True)
        for _ in range(operations):
            self.random.choices(choices, weights)[0](self)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True)
    parser.add_argument("--conninfo", required=True)
    parser.add_argument("--direct", required=True, help="Postgres itself, as superuser")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inherited", default="[]", help="leases of somebody who died, as JSON")
    arguments = parser.parse_args()
    Worker(
        arguments.conninfo,
        arguments.direct,
        arguments.name,
        arguments.seed,
        json.loads(arguments.inherited),
    ).run(1 << 30)


if __name__ == "__main__":
    main()
