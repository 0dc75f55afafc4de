"""The threads that help with long statements, and that no small one wakes.

Why it exists: DuckDB hands each statement to its threads, and wakes one even for `SELECT 1`. That
one comes too late, takes a core from the thread that runs the statement, and where cores are few
doubles its time. So DuckDB is left without threads of its own (`external_threads`), and these work
for it only while some statement has been running for a while.

Promise: a statement has all cores from `_TICK` or two after its start until it ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Hashable
from queue import SimpleQueue

from proxy.engines import duckdb_c

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
        self._until = 0  # the last tick of the duty
        self._timer: asyncio.TimerHandle | None = None

    def starts(self, work: Hashable) -> None:
        self._running[work] = self._tick
        if self._timer is None and self._queues:
            self._timer = asyncio.get_running_loop().call_later(_TICK, self._look)

    def ends(self, work: Hashable) -> None:
        self._running.pop(work, None)

    def _look(self) -> None:
        if any(began < self._tick for began in self._running.values()):
            self._until = self._tick + _LINGER
            if self._duty is None:
                self._begin()
        elif self._duty is not None and self._tick > self._until:
            self._end()
        self._tick += 1
        idle = not self._running and self._duty is None
        loop = asyncio.get_running_loop()
        self._timer = None if idle else loop.call_later(_TICK, self._look)

    def _begin(self) -> None:
        if not self._threads:
            for number, duties in enumerate(self._queues):
                name = f"crew-{number}"
                thread = threading.Thread(target=_work, args=(duties,), name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
        self._duty = _Duty(self._database.tasks(), len(self._queues))
        for duties in self._queues:
            duties.put(self._duty)

    def _end(self) -> None:
        if self._duty is not None:
            self._duty.end()
            self._duty = None

    def close(self) -> None:
        """Waits for the threads. No work may be running."""
        self._end()
        for duties in self._queues:
            duties.put(None)
        for thread in self._threads:
            thread.join()


def _work(duties: SimpleQueue[_Duty | None]) -> None:
    while (duty := duties.get()) is not None:
        duty.work()
