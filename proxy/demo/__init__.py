"""`hatidata demo`: everything this project promises, shown on the reader's own machine in a minute.

A real server in a process of its own, a real Postgres client over TCP, and nothing taken on trust:
all 22 TPC-H queries in Snowflake's dialect are compared with the answers that TPC-H prints, and
two agents compete for the same tasks. Whatever happens, nothing is left behind: no process, no
file.
"""

import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psycopg
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from proxy.demo import agents
from proxy.demo.answers import differences
from proxy.demo.server import ServerError, ServerProcess
from proxy.demo.tpch import QUERIES, Query

__all__ = ["run"]

SCALE_FACTOR = 0.1
"""TPC-H's scale: 0.1 is 600,000 order lines."""

AGENTS = ("agent-1", "agent-2")
TASKS = 6

SHOWN_DIFFERENCES = 5
"""How many differences of one wrong answer are printed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One TPC-H query: rows returned, seconds until the last row was here, what was wrong."""

    query: Query
    rows: int
    seconds: float
    wrong: list[str]


def run(console: Console) -> int:
    """Run the demonstration and print it. Returns the exit code.

    0: every answer was right, every task was claimed once and done, and the server ended as it
    should. 1: something was not; what, is printed. 130: interrupted (Ctrl-C or SIGTERM).
    """
    try:
        with (
            _interrupt_on_sigterm(),
            tempfile.TemporaryDirectory(prefix="hatidata-") as directory,
        ):
            return _run(console, Path(directory))
    except KeyboardInterrupt:
        console.print("[yellow]Interrupted; server stopped, files removed.[/]")
        return 130
    except (ServerError, psycopg.Error) as error:
        console.print(f"[bold red]{type(error).__name__}[/]: {escape(str(error))}", soft_wrap=True)
        return 1


def _run(console: Console, directory: Path) -> int:
    began = time.perf_counter()
    server = ServerProcess(directory, "--extensions", "tpch", "--log-level", "warning")
    with ExitStack() as running:
        with console.status("Starting a server: DuckDB and an embedded Postgres"):
            running.enter_context(server)
        started = time.perf_counter() - began
        console.print(f"Server ready at [bold]{escape(server.url)}[/] after {started:.1f} s")
        try:
            outcomes = _analyse(console, server)
            task_problems = _compete(console, server)
        except psycopg.Error:
            if log := server.log():
                console.print(f"The server's log:\n{log}", markup=False)
            raise
    right = sum(not outcome.wrong for outcome in outcomes)
    verdicts = {
        f"{right} of {len(QUERIES)} TPC-H answers right": right == len(QUERIES),
        f"{TASKS} tasks done, each by one agent": not task_problems,
        f"server stopped with exit code {server.exit_code}": server.exit_code == 0,
    }
    console.print()
    for text, holds in verdicts.items():
        console.print(f"[green]✓[/] {text}" if holds else f"[bold red]✗[/] {text}")
    if server.exit_code and (log := server.log()):
        console.print(log, markup=False)
    console.print(f"{time.perf_counter() - began:.1f} s in all")
    return 0 if all(verdicts.values()) else 1


def _analyse(console: Console, server: ServerProcess) -> list[Outcome]:
    """Generate TPC-H, run its queries with a progress bar, print what came out."""
    with server.connect("demo") as connection:
        began = time.perf_counter()
        connection.execute(f"CALL dbgen(sf = {SCALE_FACTOR})")
        console.print(
            f"TPC-H at scale {SCALE_FACTOR} generated in {time.perf_counter() - began:.1f} s"
        )
        outcomes = []
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        ) as progress:
            bar = progress.add_task("", total=len(QUERIES))
            for query in QUERIES:
                progress.update(bar, description=f"Q{query.number}: {query.title}")
                outcomes.append(_check(connection, query))
                progress.advance(bar)
    _print_outcomes(console, outcomes)
    return outcomes


def _check(connection: psycopg.Connection, query: Query) -> Outcome:
    """Run one query and compare. An error of the server is a wrong answer, not the end."""
    answer = connection.execute(
        f"SELECT answer FROM tpch_answers() WHERE query_nr = {query.number}"
        f" AND scale_factor = {SCALE_FACTOR}"
    ).fetchone()
    if answer is None:
        return Outcome(query, 0, 0.0, ["there is no answer to compare with"])
    began = time.perf_counter()
    try:
        cursor = connection.execute(query.sql)
        rows = cursor.fetchall()
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        return Outcome(query, 0, time.perf_counter() - began, [f"{error.sqlstate}: {error}"])
    seconds = time.perf_counter() - began
    columns = [column.name for column in cursor.description or ()]
    return Outcome(query, len(rows), seconds, differences(answer[0], columns, rows))


def _print_outcomes(console: Console, outcomes: list[Outcome]) -> None:
    table = Table(title="TPC-H in Snowflake's dialect, against TPC-H's printed answers")
    table.add_column("query")
    for heading in ("rows", "ms"):
        table.add_column(heading, justify="right")
    table.add_column("answer")
    for outcome in outcomes:
        table.add_row(
            f"Q{outcome.query.number}: {outcome.query.title}",
            f"{outcome.rows:,}",
            f"{outcome.seconds * 1000:,.0f}",
            "[bold red]wrong[/]" if outcome.wrong else "[green]right[/]",
        )
    table.add_section()
    total = sum(outcome.seconds for outcome in outcomes)
    rows = sum(outcome.rows for outcome in outcomes)
    table.add_row("all", f"{rows:,}", f"{total * 1000:,.0f}", "")
    console.print(table)
    for outcome in outcomes:
        for difference in outcome.wrong[:SHOWN_DIFFERENCES]:
            console.print(f"Q{outcome.query.number}: {difference}", markup=False)
        if (more := len(outcome.wrong) - SHOWN_DIFFERENCES) > 0:
            console.print(f"Q{outcome.query.number}: and {more} more differences")


def _compete(console: Console, server: ServerProcess) -> list[str]:
    """Create tasks, let the agents compete for them, print who got which and one task's events."""
    with server.connect("demo") as connection:
        created = agents.create_tasks(connection, TASKS)
        claims = agents.compete(server, AGENTS)
        found = agents.problems(connection, created, claims)
        history = agents.events(connection, created[0])
    _print_claims(console, claims)
    _print_events(console, history)
    for problem in found:
        console.print(f"[bold red]{escape(problem)}[/]")
    return found


def _print_claims(console: Console, claims: list[agents.Claim]) -> None:
    table = Table(title=f"{len(AGENTS)} agents, one queue")
    for heading, justify in (("task", "right"), ("agent", "left"), ("lease epoch", "right")):
        table.add_column(heading, justify=justify)
    table.add_column("claim, heartbeat, complete: ms", justify="right")
    for claim in sorted(claims, key=lambda claim: claim.task):
        table.add_row(
            str(claim.task), claim.agent, str(claim.lease_epoch), f"{claim.seconds * 1000:.1f}"
        )
    console.print(table)


def _print_events(console: Console, history: list[agents.Event]) -> None:
    table = Table(title="What happened to task 1 (hd_runtime.workflow_events)")
    for heading in ("seq", "at", "type", "new status", "actor"):
        table.add_column(heading, justify="right" if heading == "seq" else "left")
    for event in history:
        table.add_row(
            str(event.seq),
            f"{event.happened_at:%H:%M:%S.%f}"[:-3],
            event.type,
            event.to_status,
            event.actor,
        )
    console.print(table)


@contextmanager
def _interrupt_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that it too leaves nothing behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
