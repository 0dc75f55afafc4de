"""Threads for blocking work, most recently used first, as many as there is work at once.

`ThreadPoolExecutor` starts a thread whenever none has *yet* reported itself idle, so that a session
that alternates between loop and thread runs each statement on a cold one (measured: five times the
cost of a small statement), until hundreds exist. Here a thread is idle before its result is known.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Workers:
    """submit runs a function in a thread; the future belongs to the running loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle: list[SimpleQueue[_Job | None]] = []  # a stack: append and pop are atomic
        self._all: list[tuple[threading.Thread, SimpleQueue[_Job | None]]] = []

    def submit(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Called on the event loop's thread alone."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        try:
            jobs = self._idle.pop()
        except IndexError:
            jobs = self._start()
        jobs.put((loop, future, function, arguments))
        return future

    def _start(self) -> SimpleQueue[_Job | None]:
        jobs: SimpleQueue[_Job | None] = SimpleQueue()
        name = f"{self._name}-{len(self._all)}"
        thread = threading.Thread(target=self._work, args=(jobs,), name=name, daemon=True)
        self._all.append((thread, jobs))
        thread.start()
        return jobs

    def _work(self, jobs: SimpleQueue[_Job | None]) -> None:
        while (job := jobs.get()) is not None:
            loop, future, function, arguments = job
            try:
                outcome: Any = function(*arguments)
                deliver = _set_result
            except BaseException as error:
                outcome, deliver = error, _set_exception
            del job, function, arguments
            self._idle.append(jobs)
            try:
                loop.call_soon_threadsafe(deliver, future, outcome)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
            del future, outcome

    def close(self) -> None:
        """Waits for what runs, then ends the threads."""
        for _, jobs in self._all:
            jobs.put(None)
        for thread, _ in self._all:
            thread.join()


def _set_result(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
