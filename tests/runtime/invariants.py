"""What must be true of hd_runtime's rows after anything whatever has happened to it.

Everything is recomputed here, in Python, from the rows: hash chains, legal transitions, recovery
decisions, leases. Nothing asks the database's own functions whether they were right.
"""

from __future__ import annotations

import graphlib
import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from . import torture, worker

LEASED = (
    "context_resolved", "model_selected", "cache_checked", "executing", "artifact_validating",
    "evidence_collecting", "verifier_pending",
)  # fmt: skip
ENDED = ("completed_verified", "terminal_failed")
LEGAL = {
    (None, "queued"), (None, "preflight_blocked"), ("queued", "context_resolved"),
    ("queued", "preflight_blocked"), ("preflight_blocked", "queued"), ("queued", "terminal_failed"),
    ("preflight_blocked", "terminal_failed"), ("retryable_failed", "terminal_failed"),
    ("repair_required", "terminal_failed"),
    *itertools.combinations(LEASED, 2),
    *itertools.product(LEASED, ("completed_verified", "retryable_failed", "repair_required",
                                "terminal_failed")),
}  # fmt: skip
FIRST_LEVEL = {
    "timeout": "L1", "rate_limit": "L1", "network": "L1", "lease_expired": "L1",
    "schema_validation": "L2", "build_failed": "L3", "test_failed": "L3", "deploy_failed": "L3",
    "security_blocker": "L4", "policy_denied": "L4", "missing_dependency": "blocked",
}  # fmt: skip
ACTIONS = {
    "retry": "L1", "requeue": "L1", "escalate": "L2", "repair": "L3", "ask_human": "L4",
    "resume": "L4", "reject": "L4", "block": "blocked", "cancel": "blocked",
}  # fmt: skip
WORKERS_OWN = {"attempt.claimed", "attempt.advanced", "attempt.completed", "attempt.released"}


class Rows:
    """All rows of the tables, read in one snapshot, and indexed as the checks need them."""

    def __init__(self, conninfo: str) -> None:
        with psycopg.connect(conninfo, row_factory=dict_row) as conn:
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

            def read(query: str) -> list[dict]:
                return conn.execute(query).fetchall()

            self.tasks = {t["id"]: t for t in read("SELECT * FROM hd_runtime.tasks")}
            attempts = read("SELECT * FROM hd_runtime.task_attempts ORDER BY attempt_no")
            self.events = read(
                "SELECT *, detail::text AS detail_text FROM hd_runtime.workflow_events ORDER BY id"
            )
            self.actions = read("SELECT * FROM hd_runtime.recovery_actions ORDER BY id")
            self.needs = read("SELECT * FROM hd_runtime.task_dependencies")
            self.artifacts = read("SELECT * FROM hd_runtime.artifact_instances")
            self.invocations = read(
                "SELECT i.*, d.attempt_id FROM hd_runtime.llm_invocations i"
                " JOIN hd_runtime.model_decisions d ON d.id = i.decision_id"
            )
            self.keys = read("SELECT * FROM hd_runtime.open_work_items")
            self.reviews = read("SELECT * FROM hd_runtime.review_requests")
        self.attempts = {a["id"]: a for a in attempts}
        self.attempts_of: dict[Any, list[dict]] = defaultdict(list)
        for attempt in attempts:
            self.attempts_of[attempt["task_id"]].append(attempt)
        self.events_of: dict[Any, list[dict]] = defaultdict(list)
        self.chain_of: dict[Any, list[dict]] = defaultdict(list)
        for event in self.events:
            self.events_of[event["attempt_id"]].append(event)
            self.chain_of[event["task_id"]].append(event)


def violations(conninfo: str, run: torture.Run | None = None) -> list[str]:
    """A line for each thing that is wrong; at most twenty of a kind."""
    rows = Rows(conninfo)
    checks = [
        chains, heads, transitions, one_at_a_time, statuses, completions, leases, epochs, successors,
        levels, dependencies, work_items, artifacts, invocations, reviews,
    ]  # fmt: skip
    found = []
    for check in checks:
        found += itertools.islice(check(rows), 20)
    if run is not None:
        found += itertools.islice(acknowledged(rows, run), 40)
        found += [f"lost or stuck: task {dict(task)}" for task in run.unfinished[:20]]
    return found


def chains(rows: Rows) -> Iterator[str]:
    """Every link of every chain, recomputed; one event per transition, without a gap."""
    for task_id, events in rows.chain_of.items():
        prev = bytes(32)
        for event in events:
            ts = event["ts"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            fields = [
                str(task_id), str(event["attempt_id"]), str(event["seq"]), ts, event["type"],
                event["from_status"] or "", event["to_status"], event["actor"],
                event["detail_text"] or "",
            ]  # fmt: skip
            expected = hashlib.sha256(prev + "\n".join(fields).encode()).digest()
            if (event["prev_hash"], event["hash"]) != (prev, expected):
                yield f"chain of task {task_id} is broken at event {event['id']}"
                break
            prev = expected


def heads(rows: Rows) -> Iterator[str]:
    for attempt in rows.attempts.values():
        events = rows.events_of[attempt["id"]]
        if [e["seq"] for e in events] != list(range(1, attempt["event_seq"] + 1)):
            yield f"events of attempt {attempt['id']} have gaps: {[e['seq'] for e in events]}"
        elif events[-1]["hash"] != attempt["event_hash"]:
            yield f"head of attempt {attempt['id']} is not its last event"
        elif events[-1]["to_status"] != attempt["status"]:
            yield f"attempt {attempt['id']} is {attempt['status']} without an event"
    for attempt_id in rows.events_of.keys() - rows.attempts.keys():
        yield f"events of attempt {attempt_id}, which is not there"


def transitions(rows: Rows) -> Iterator[str]:
    for attempt_id, events in rows.events_of.items():
        before = None
        for event in events:
            if event["from_status"] != before or (before, event["to_status"]) not in LEGAL:
                yield (
                    f"attempt {attempt_id} went from {before} to {event['to_status']}"
                    f" (event says from {event['from_status']})"
                )
            before = event["to_status"]


def one_at_a_time(rows: Rows) -> Iterator[str]:
    """No attempt begins before the one before it has ended."""
    for task_id, events in rows.chain_of.items():
        active = None
        for event in events:
            if event["from_status"] is None:
                if active is not None:
                    yield f"task {task_id} had two active attempts at event {event['id']}"
                active = event["attempt_id"]
            elif event["attempt_id"] != active:
                yield f"task {task_id}: event {event['id']} is not of the active attempt"
            if event["to_status"] in ENDED:
                active = None


def statuses(rows: Rows) -> Iterator[str]:
    for task in rows.tasks.values():
        attempts = rows.attempts_of[task["id"]]
        last = attempts[-1]["status"] if attempts else None
        expected = {
            "preflight_blocked": "created",
            "queued": "queued",
            "completed_verified": "done",
            "terminal_failed": "failed",
        }.get(last, "running")
        if task["status"] != expected:
            # An ended task that was put to a human (recover_attempt to L4) has failed all the same.
            yield f"task {task['id']} is {task['status']}, its last attempt {last}"
        numbers = [a["attempt_no"] for a in attempts]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"attempts of task {task['id']} are numbered {numbers}"


def completions(rows: Rows) -> Iterator[str]:
    for task_id, events in rows.chain_of.items():
        completed = [e for e in events if e["to_status"] == "completed_verified"]
        done = rows.tasks[task_id]["status"] == "done"
        if len(completed) != done:
            yield f"task {task_id} was completed {len(completed)} times, and is done: {done}"
        if completed and events[-1] is not completed[0]:
            yield f"task {task_id} went on after it was completed"


def leases(rows: Rows) -> Iterator[str]:
    """Each attempt has one lease, which lasts as long as it is kept alive and no longer."""
    for attempt in rows.attempts.values():
        events = rows.events_of[attempt["id"]]
        claims = [e for e in events if e["type"] == "attempt.claimed"]
        if len(claims) > 1:
            yield f"attempt {attempt['id']} was claimed {len(claims)} times"
        if not claims:
            continue
        if claims[0]["ts"] < attempt["available_at"]:
            yield f"attempt {attempt['id']} was claimed before it was available"
        if attempt["lease_ttl"] != worker.LEASE:
            yield f"attempt {attempt['id']} has a lease of {attempt['lease_ttl']}"
        # Only the last heartbeat is known; what came before it was within an earlier one's lease.
        kept = max(filter(None, (attempt["claimed_at"], attempt["heartbeat_at"])))
        expired = [e for e in events if e["type"] == "attempt.expired"]
        if expired and expired[0]["ts"] < kept + worker.LEASE:
            yield f"attempt {attempt['id']} was reaped before its lease had expired"
        if (attempt["lease_expires"] is None) != (attempt["status"] not in LEASED):
            yield f"attempt {attempt['id']} is {attempt['status']} with lease {attempt['lease_expires']}"
        for event in events:
            if event["type"] in WORKERS_OWN and event["actor"] != attempt["agent_run_id"]:
                yield f"attempt {attempt['id']}: {event['type']} by {event['actor']}"


def epochs(rows: Rows) -> Iterator[str]:
    """The fencing token rises with each lease of a task."""
    for task_id, attempts in rows.attempts_of.items():
        epoch = 0
        for attempt in attempts:
            epoch += attempt["claimed_at"] is not None
            if attempt["lease_epoch"] != epoch:
                yield f"task {task_id}: attempt {attempt['attempt_no']} has epoch {attempt['lease_epoch']}, not {epoch}"


def successors(rows: Rows) -> Iterator[str]:
    """Each attempt replaces the one before it, for a reason."""
    made_by = defaultdict(list)
    for action in rows.actions:
        if action["new_attempt_id"]:
            made_by[action["new_attempt_id"]].append(action)
        if (action["new_attempt_id"] is not None) != (
            action["action"] in ("retry", "requeue", "escalate", "repair", "resume")
        ):
            yield f"recovery action {action['id']} ({action['action']}) made {action['new_attempt_id']}"
    for attempts in rows.attempts_of.values():
        for before, attempt in itertools.pairwise([None, *attempts]):
            if attempt["parent_attempt_id"] != (before and before["id"]):
                yield f"attempt {attempt['id']} has the wrong parent"
            if before is None:
                continue
            released = any(e["type"] == "attempt.released" for e in rows.events_of[before["id"]])
            actions = made_by[attempt["id"]]
            if len(actions) != (0 if released else 1):
                yield f"attempt {attempt['id']} was made by {len(actions)} recovery actions"
            elif actions and (
                actions[0]["failed_attempt_id"] != before["id"]
                or actions[0]["level"] != attempt["recovery_level"]
            ):
                yield f"attempt {attempt['id']} does not fit recovery action {actions[0]['id']}"


def levels(rows: Rows) -> Iterator[str]:
    """Every decision of the coordinator, taken again."""
    used: dict[Any, Counter] = defaultdict(Counter)
    for action in rows.actions:
        count = used[action["task_id"]]
        kind, name = action["failure_kind"], action["action"]
        if ACTIONS[name] != action["level"]:
            yield f"recovery action {action['id']}: {name} at level {action['level']}"
        if name in ("retry", "requeue") and (name == "requeue") != (kind == "lease_expired"):
            yield f"recovery action {action['id']}: {name} after {kind}"
        decided = name not in ("resume", "reject", "cancel") and " chose " not in action["reason"]
        if decided and not action["reason"].startswith("needs task"):
            model = rows.attempts[action["failed_attempt_id"]]["model_class"]
            expected = _level(kind, count, model)
            if action["level"] != expected:
                yield (
                    f"recovery action {action['id']}: {kind} after {dict(count)} led to"
                    f" {action['level']} and not {expected}"
                )
        if name == "resume":
            count.clear()
        count[name] += 1


def _level(kind: str, used: Counter, model: str) -> str:
    level = FIRST_LEVEL.get(kind, "L4")
    budget = worker.BUDGETS
    if level == "L1":
        expiry = kind == "lease_expired"
        spent = used["requeue"] if expiry else used["retry"]
        if spent >= budget["max_expiries" if expiry else "max_l1"]:
            level = "L2"
    if level == "L2" and (used["escalate"] >= budget["max_l2"] or model == worker.LADDER[-1]):
        level = "L3"
    if level == "L3" and used["repair"] >= budget["max_l3"]:
        level = "L4"
    return level


def dependencies(rows: Rows) -> Iterator[str]:
    """No child before its parents; none waits for nothing; none outlives a failed parent."""
    done = {e["task_id"]: e["id"] for e in rows.events if e["to_status"] == "completed_verified"}
    for need in rows.needs:
        child, parent = need["task_id"], need["needs_task_id"]
        for event in rows.chain_of[child]:
            claimed = event["to_status"] == "context_resolved" and event["ts"] > need["created_at"]
            if claimed and done.get(parent, 1 << 62) > event["id"]:
                yield f"task {child} was claimed before task {parent}, which it needs, was done"
        if rows.tasks[child]["status"] == "created" and rows.tasks[parent]["status"] == "failed":
            yield f"task {child} waits for task {parent}, which has failed"
    parents = defaultdict(list)
    for need in rows.needs:
        parents[need["task_id"]].append(rows.tasks[need["needs_task_id"]]["status"])
    for task in rows.tasks.values():
        if task["status"] == "created" and set(parents[task["id"]]) <= {"done"}:
            yield f"task {task['id']} waits for nothing"
    graph = defaultdict(list)
    for need in rows.needs:
        graph[need["task_id"]].append(need["needs_task_id"])
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        yield f"a cycle of tasks: {error.args[1]}"


def work_items(rows: Rows) -> Iterator[str]:
    unfinished = Counter(
        (t["project_id"], t["work_item_key"])
        for t in rows.tasks.values()
        if t["work_item_key"] and t["status"] not in ("done", "failed")
    )
    for key, count in unfinished.items():
        if count > 1:
            yield f"work item {key} has {count} unfinished tasks"
    spans = defaultdict(list)
    for attempt in rows.attempts.values():
        task, events = rows.tasks[attempt["task_id"]], rows.events_of[attempt["id"]]
        if task["work_item_key"] and events:
            end = events[-1]["id"] if attempt["status"] in ENDED else 1 << 62
            spans[task["project_id"], task["work_item_key"]].append(
                (events[0]["id"], end, task["id"])
            )
    for key, active in spans.items():
        for (_, end, one), (start, _, other) in itertools.pairwise(sorted(active)):
            if start < end and one != other:
                yield f"work item {key}: tasks {one} and {other} were unfinished at once"
    kept = {(k["project_id"], k["work_item_key"]) for k in rows.keys}
    for key in kept ^ unfinished.keys():
        yield f"work item {key} is open: {key in kept}, unfinished: {key in unfinished}"


def artifacts(rows: Rows) -> Iterator[str]:
    for artifact in rows.artifacts:
        attempt = rows.attempts[artifact["attempt_id"]]
        if artifact["lease_epoch"] != attempt["lease_epoch"]:
            yield f"artifact {artifact['id']} has epoch {artifact['lease_epoch']}"
        if attempt["claimed_at"] is None or not (
            attempt["claimed_at"] <= artifact["created_at"]
            and (
                attempt["completed_at"] is None or artifact["created_at"] <= attempt["completed_at"]
            )
        ):
            yield f"artifact {artifact['id']} was published without a lease"


def invocations(rows: Rows) -> Iterator[str]:
    for call in rows.invocations:
        attempt = rows.attempts[call["attempt_id"]]
        ended = attempt["completed_at"] is not None and call["created_at"] > attempt["completed_at"]
        if ended and not call["stale"]:
            yield f"invocation {call['id']} came late and is not marked"
        kept = max(filter(None, (attempt["claimed_at"], attempt["heartbeat_at"])))
        if call["stale"] and call["created_at"] < kept:
            yield f"invocation {call['id']} was made under a lease and is marked stale"


def reviews(rows: Rows) -> Iterator[str]:
    pending = Counter(
        r["attempt_id"]
        for r in rows.reviews
        if r["status"] == "pending" and r["subject"] == "recovery"
    )
    for attempt in rows.attempts.values():
        if attempt["status"] == "repair_required" and pending[attempt["id"]] != 1:
            yield f"attempt {attempt['id']} waits for a human whom nobody asks"
        if attempt["status"] == "retryable_failed":
            yield f"attempt {attempt['id']} was left as retryable_failed"


def acknowledged(rows: Rows, run: torture.Run) -> Iterator[str]:
    """What Postgres acknowledged is there; what happened to one worker did not happen to another."""
    for ack in run.of("unexpected"):
        yield f"unexpected: {ack['error']} ({ack.get('query', '')})"
    by_id = {str(k): v for k, v in rows.attempts.items()}
    events = {(str(e["attempt_id"]), e["seq"]): e for e in rows.events}
    tasks = {str(k) for k in rows.tasks}
    for ack in run.of("create"):
        if ack["task_id"] not in tasks or ack["attempt_id"] not in by_id:
            yield f"created and acknowledged, but not there: {ack}"
    claimed: dict[str, str] = {}
    began = {
        str(e["attempt_id"]): e["ts"] for e in rows.events if e["to_status"] == "context_resolved"
    }
    needed = defaultdict(list)
    for need in rows.needs:
        needed[str(need["task_id"])].append(need)
    for ack in run.of("claim"):
        got = {need["task_id"] for need in ack["context"].get("needs") or ()}
        for need in needed[ack["task_id"]]:
            declared = need["created_at"] < began.get(ack["attempt_id"], need["created_at"])
            if declared and str(need["needs_task_id"]) not in got:
                yield f"claimed without what task {need['needs_task_id']} produced: {ack}"
        attempt = by_id.get(ack["attempt_id"])
        if attempt is None or attempt["agent_run_id"] != ack["by"]:
            yield f"claimed by {ack['by']} and acknowledged, but not so: {ack['attempt_id']}"
        if ack["attempt_id"] in claimed:
            yield f"attempt {ack['attempt_id']} was given to {claimed[ack['attempt_id']]} and {ack['by']}"
        claimed[ack["attempt_id"]] = ack["by"]
    for operation, kind in (("complete", "attempt.completed"), ("advance", "attempt.advanced")):
        for ack in run.of(operation):
            event = events.get((ack["attempt_id"], ack["seq"]))
            if event is None or event["type"] != kind:
                yield f"acknowledged, but without its event: {ack}"
    yield from _late(by_id, run)
    ends = Counter(
        ack["attempt_id"] for op in ("complete", "fail", "release") for ack in run.of(op)
    )
    yield from (f"attempt {a} ended {n} times" for a, n in ends.items() if n > 1)
    for ack in run.of("fail"):
        if by_id[ack["attempt_id"]]["failure_kind"] is None:
            yield f"acknowledged failure without a trace: {ack}"
        if ack["new_attempt_id"] and ack["new_attempt_id"] not in by_id:
            yield f"acknowledged recovery without a trace: {ack}"
    for ack in run.of("release"):
        if ack["new_attempt_id"] and ack["new_attempt_id"] not in by_id:
            yield f"acknowledged release without a trace: {ack}"
    published = {str(a["id"]) for a in rows.artifacts}
    yield from _missing("publish", "artifact", published, run)
    billed = {str(i["id"]) for i in rows.invocations}
    yield from _missing("invoke", "invocation", billed, run)
    needs = {(str(n["task_id"]), str(n["needs_task_id"])) for n in rows.needs}
    for ack in run.of("depend"):
        if (ack["task_id"], ack["needs"]) not in needs:
            yield f"acknowledged dependency without a trace: {ack}"


def _late(attempts: dict[str, dict], run: torture.Run) -> Iterator[str]:
    """What was begun after the lease had expired must not have been done."""
    until = {}
    for ack in run.acknowledged:
        if ack["op"] == "claim":
            until[ack["attempt_id"], ack["by"]] = datetime.fromisoformat(ack["lease_expires"])
        elif ack["op"] == "heartbeat":
            # Who inherited the lease may not know of its last heartbeat.
            known = until.get((ack["attempt_id"], ack["by"]))
            if known and datetime.fromisoformat(ack["began"]) > known:
                yield f"a heartbeat after the lease had expired: {ack}"
            until[ack["attempt_id"], ack["by"]] = datetime.fromisoformat(ack["lease_expires"])
        elif "began" in ack:
            attempt = attempts[ack["attempt_id"]]
            kept = max(filter(None, (attempt["claimed_at"], attempt["heartbeat_at"])))
            if datetime.fromisoformat(ack["began"]) > kept + worker.LEASE:
                yield f"done after the lease had expired: {ack}"


def _missing(operation: str, what: str, there: set[str], run: torture.Run) -> Iterable[str]:
    return (
        f"acknowledged {what} {ack['id']} is not there"
        for ack in run.of(operation)
        if ack["id"] not in there
    )
