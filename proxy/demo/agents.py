"""Two agents and one queue: the runtime as an agent sees it, in nothing but SQL.

Each agent is a thread with a connection of its own that claims a task, heartbeats and completes it
until nothing is left to claim. Both start at the same moment and neither knows of the other: that
no task goes to both is Postgres's doing.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from proxy.demo.server import ServerProcess

__all__ = ["Claim", "Event", "compete", "create_tasks", "events", "problems"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A task that an agent was given and completed, and how long that took it (seconds)."""

    agent: str
    task: int
    task_id: UUID
    attempt_id: UUID
    lease_epoch: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Event:
    """One row of `hd_runtime.workflow_events`: a change of an attempt's status, and who made it."""

    seq: int
    happened_at: datetime
    type: str
    to_status: str
    actor: str


def create_tasks(connection: psycopg.Connection, count: int) -> list[UUID]:
    """Queue `count` tasks, numbered from 1 in their payload; their ids in that order."""
    created = []
    for number in range(1, count + 1):
        row = connection.execute(
            "SELECT task_id FROM create_task(create_project('demo'), 'worker', 'research', %s::jsonb)",
            [Jsonb({"task": number, "numbers": [number, 40]})],
        ).fetchone()
        assert row is not None
        created.append(row[0])
    return created


def compete(server: ServerProcess, agents: Sequence[str]) -> list[Claim]:
    """Let the agents empty the queue together; what each of them did, in the order of completion.

    Raises `psycopg.Error` when an agent's statement fails.
    """
    claims: list[Claim] = []
    start = threading.Barrier(len(agents))

    def work(agent: str, connection: psycopg.Connection) -> None:
        start.wait()
        while (claim := _do_one(connection, agent)) is not None:
            claims.append(claim)

    with ExitStack() as opened, ThreadPoolExecutor(len(agents)) as threads:
        connections = [opened.enter_context(server.connect(agent)) for agent in agents]
        running = [
            threads.submit(work, agent, connection)
            for agent, connection in zip(agents, connections, strict=True)
        ]
        for agent in running:
            agent.result()
    return claims


def _do_one(connection: psycopg.Connection, agent: str) -> Claim | None:
    began = time.perf_counter()
    row = connection.execute(
        "SELECT task_id, attempt_id, payload, lease_token, lease_epoch FROM claim_next_task(%s)",
        [agent],
    ).fetchone()
    if row is None:
        return None
    task_id, attempt_id, payload, lease_token, lease_epoch = row
    connection.execute("SELECT * FROM heartbeat(%s::uuid, %s)", [attempt_id, lease_token])
    connection.execute(
        "SELECT * FROM complete_attempt(%s::uuid, %s, %s::jsonb)",
        [attempt_id, lease_token, Jsonb({"sum": sum(payload["numbers"])})],
    )
    seconds = time.perf_counter() - began
    return Claim(agent, payload["task"], task_id, attempt_id, lease_epoch, seconds)


def problems(
    connection: psycopg.Connection, created: Sequence[UUID], claims: Sequence[Claim]
) -> list[str]:
    """Everything that is not as it must be: each task created is claimed once, and then done."""
    claimed = Counter(claim.task_id for claim in claims)
    found = [
        f"task {task} was claimed {times} times, not once"
        for task in created
        if (times := claimed.pop(task, 0)) != 1
    ]
    found += [f"task {task} was claimed, but not created here" for task in claimed]
    states = dict(connection.execute("SELECT id, status FROM hd_runtime.tasks").fetchall())
    found += [
        f"task {task} is {states.get(task, 'missing')}, not done"
        for task in created
        if states.get(task) != "done"
    ]
    return found


def events(connection: psycopg.Connection, task_id: UUID) -> list[Event]:
    """What happened to a task, oldest first."""
    with connection.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            "SELECT seq, ts AS happened_at, type, to_status, actor"
            " FROM hd_runtime.workflow_events WHERE task_id = %s::uuid ORDER BY id",
            [task_id],
        ).fetchall()
