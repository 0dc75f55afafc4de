"""Threads for blocking work, most recently used first, as many as there is work at once.

`ThreadPoolExecutor` starts a thread whenever none has *yet* reported itself idle, so that a session
that alternates between loop and thread runs each statement on a cold one (measured: five times the
cost of a small statement), until hundreds exist. Here a thread is idle before its result is known.

Two more things are done for the sake of small statements. A thread wakes the loop by a call that
lets go of the GIL, so that the loop need not wait for it. And a wait for work is not shielded by a
second future: a task that is cancelled cancels the future it waits on, while the job goes on and
says when it has ended.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Job(Generic[T]):
    """A function on its way through a thread.

    future: done with the job, unless whoever awaits it was cancelled: `ended` tells the truth then,
    and `again` gives another future to wait on. All three are for the loop's thread alone.
    """

    __slots__ = ("_arguments", "_error", "_function", "_loop", "_result", "ended", "future")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        function: Callable[..., T],
        arguments: tuple[Any, ...],
    ) -> None:
        self._loop, self._function, self._arguments = loop, function, arguments
        self._result: Any = None
        self._error: BaseException | None = None
        self.future: asyncio.Future[T] = loop.create_future()
        self.ended = False

    def again(self) -> asyncio.Future[T]:
        self.future = self._loop.create_future()
        return self.future

    def run(self) -> None:
        """In the thread: does the work."""
        try:
            self._result = self._function(*self._arguments)
        except BaseException as error:
            self._error = error
        del self._function, self._arguments

    def end(self) -> None:
        """On the loop: says how it went."""
        self.ended = True
        if self.future.done():
            return
        if self._error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(self._error)


class Workers:
    """submit runs a function in a thread; the job belongs to the running loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle: list[SimpleQueue[Job[Any] | None]] = []  # a stack: append and pop are atomic
        self._all: list[tuple[threading.Thread, SimpleQueue[Job[Any] | None]]] = []
        self._done: deque[Job[Any]] = deque()
        self._heard, self._bell = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(self._bell, False)
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, function: Callable[..., T], *arguments: Any) -> Job[T]:
        """Called on the event loop's thread alone."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            loop.add_reader(self._heard, self._hear)
            self._loop = loop
        job = Job(loop, function, arguments)
        try:
            jobs = self._idle.pop()
        except IndexError:
            jobs = self._start()
        jobs.put(job)
        return job

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._heard, 4096)
        while self._done:
            self._done.popleft().end()

    def _start(self) -> SimpleQueue[Job[Any] | None]:
        jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        name = f"{self._name}-{len(self._all)}"
        thread = threading.Thread(target=self._work, args=(jobs,), name=name, daemon=True)
        self._all.append((thread, jobs))
        thread.start()
        return jobs

    def _work(self, jobs: SimpleQueue[Job[Any] | None]) -> None:
        while (job := jobs.get()) is not None:
            job.run()
            self._done.append(job)
            del job
            self._idle.append(jobs)
            with suppress(BlockingIOError):  # full: the loop will hear it anyway
                os.write(self._bell, b"!")

    def close(self) -> None:
        """Waits for what runs, then ends the threads."""
        for _, jobs in self._all:
            jobs.put(None)
        for thread, _ in self._all:
            thread.join()
        os.close(self._bell)
        os.close(self._heard)
