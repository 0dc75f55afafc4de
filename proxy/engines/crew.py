"""The threads that help with long statements, and that no small one wakes.

Why it exists: DuckDB hands each statement to its threads, and wakes one even for `SELECT 1`. That
one comes too late, takes a core from the thread that runs the statement, and where cores are few
doubles its time. So DuckDB is left without threads of its own (`external_threads`), and these work
for it only while some statement has been running for a while.

A thread looks out for such statements, not a timer of the loop: a loop that has a timer sets it each
time it waits, and for a small statement that costs as much as the statement.

Promise: a statement has all cores from `_TICK` or two after its start until it ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from typing import Any

from proxy.engines.duck import c as duckdb_c

_TICK = 0.002  # seconds: what runs longer is long
_LINGER = 50  # ticks that the crew stays after the last long piece of work


class _Duty:
    """A time of work for the whole crew."""

    def __init__(self, tasks: duckdb_c.Tasks, size: int) -> None:
        self._tasks, self._left = tasks, size
        self._lock = threading.Lock()

    def work(self) -> None:
        """In a thread of the crew: blocks until `end`."""
        self._tasks.execute()
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self._tasks.close()

    def end(self) -> None:
        self._tasks.finish()


class Crew:
    """`starts` and `ends` are told of each piece of work, on the loop's thread."""

    def __init__(self, database: duckdb_c.Database, size: int) -> None:
        """size: threads, beside those that run the statements."""
        self._database = database
        self._queues = [SimpleQueue[_Duty | None]() for _ in range(size)]
        self._threads: list[threading.Thread] = []
        self._duty: _Duty | None = None
        self._running: dict[Hashable, int] = {}  # work -> the tick in which it began
        self._tick = 0
        self._lookout: threading.Thread | None = None
        self._awake = self._closed = False
        self._call = threading.Event()

    def starts(self, work: Hashable) -> None:
        self._running[work] = self._tick
        if not self._awake and self._queues:
            self._awake = True
            self._call.set()
            if self._lookout is None:
                self._lookout = _thread(self._look_out, "crew-lookout")

    def ends(self, work: Hashable) -> None:
        self._running.pop(work, None)

    def _look_out(self) -> None:
        """In a thread: sleeps while nothing runs."""
        while not self._closed:
            self._call.wait()
            self._call.clear()
            rest = _LINGER
            while rest and not self._closed:
                time.sleep(_TICK)
                rest = _LINGER if self._look() else rest - 1
            self._end()
            self._awake = False
            if self._running:  # begun while this was going to sleep
                self._awake = True
                self._call.set()

    def _look(self) -> bool:
        """Sets the crew to work where something takes long; whether it does."""
        long = any(began < self._tick for began in list(self._running.values()))
        self._tick += 1
        if long and self._duty is None:
            self._begin()
        return long

    def _begin(self) -> None:
        if not self._threads:
            for number, duties in enumerate(self._queues):
                self._threads.append(_thread(_work, f"crew-{number}", duties))
        self._duty = _Duty(self._database.tasks(), len(self._queues))
        for duties in self._queues:
            duties.put(self._duty)

    def _end(self) -> None:
        if self._duty is not None:
            self._duty.end()
            self._duty = None

    def close(self) -> None:
        """Waits for the threads. No work may be running."""
        self._closed = True
        self._call.set()
        if self._lookout is not None:
            self._lookout.join()
        for duties in self._queues:
            duties.put(None)
        for thread in self._threads:
            thread.join()


def _thread(target: Callable[..., None], name: str, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    thread.start()
    return thread


def _work(duties: SimpleQueue[_Duty | None]) -> None:
    while (duty := duties.get()) is not None:
        duty.work()
