"""Few backends for many sessions: one pool a role, lent for a statement or a transaction.

A backend is authenticated as its pool's role and never anything else, so there is nothing stronger
to escape to. Who needs one asks with `request` and is given it by a call: at once, or when another
session gives one back, or an error. First come, first served; nobody waits longer than
`Limits.wait`, nor behind more than `Limits.queue` others (53300).

A pool opens connections while more sessions wait than connections are being opened. What ends them:
idle too long, older than their lifetime when given back, a cancel that may still be under way, a
sign of life that does not come, and Postgres itself. While one Postgres is full, idle backends of
other roles give way.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import structlog

from proxy.engines.backend import Backend
from proxy.engines.lane import Counters, PoolEnd
from proxy.engines.postgres import ControlPlane, unreachable
from proxy.engines.prepared import PreparedTexts
from proxy.engines.profile import Profiles
from proxy.errors import SqlError

log = structlog.get_logger()

_CHECK_AFTER = 30.0  # seconds of idleness after which a backend must prove that it lives
_TICK = 1.0  # seconds between looks at what is idle or silent, at most

# How every backend writes values unless a session wants otherwise: what sessions begin with.
_START = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}


class Login(NamedTuple):
    role: str
    password: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """size: backends a role. idle, lifetime, wait: seconds. queue: sessions that wait, a role."""

    size: int = 20
    idle: float = 600.0
    lifetime: float = 3600.0
    queue: int = 10_000
    wait: float = 60.0


class Borrower(Protocol):
    """Who asked for a backend; is told exactly one of the two."""

    def lend(self, backend: Backend) -> None: ...

    def refuse(self, error: SqlError) -> None: ...


class Pools:
    """All pools over one Postgres, and what they share."""

    def __init__(self, control: ControlPlane, limits: Limits) -> None:
        self.control = control
        self.limits = limits
        self.profiles = Profiles()
        self.texts = PreparedTexts()
        self.by_role: dict[str, Pool] = {}
        self._upkeep: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None

    def of(self, login: Login) -> Pool:
        if (pool := self.by_role.get(login.role)) is None:
            pool = self.by_role[login.role] = Pool(self, login)
        if self._upkeep is None:
            self._upkeep = asyncio.get_running_loop().create_task(self._keep_up())
        return pool

    def evict(self) -> bool:
        """Closes the backend that has been idle longest; False when none is."""
        pools = [pool for pool in self.by_role.values() if pool.idle]
        if not pools:
            return False
        pool = min(pools, key=lambda pool: pool.idle[0].idle_since or math.inf)
        pool.drop(pool.idle.pop(0))
        return True

    def close(self) -> None:
        for task in (self._upkeep, self._asking):
            if task is not None:
                task.cancel()
        for pool in self.by_role.values():
            pool.close()

    async def _keep_up(self) -> None:
        loop = asyncio.get_running_loop()
        half = self.control.timeout / 2
        shortest = min(half, self.limits.idle, self.limits.lifetime) / 2
        tick = min(_TICK, max(shortest, 0.05))
        silent: dict[Backend, tuple[int, float]] = {}
        while True:
            await asyncio.sleep(tick)
            now = loop.time()
            quiet: dict[Backend, tuple[int, float]] = {}
            for pool in list(self.by_role.values()):
                pool.tidy(now)
                for backend in pool.lent:
                    if backend.busy and not backend.copying:
                        before = silent.get(backend)
                        same = before is not None and before[0] == backend.heard
                        quiet[backend] = before if same and before else (backend.heard, now)
            silent = quiet
            suspects = [backend for backend, (_, since) in silent.items() if now - since >= half]
            if suspects and self._asking is None:
                self._asking = loop.create_task(self._ask_for_life(suspects, half))
                for backend in suspects:
                    del silent[backend]  # which begins its time anew

    async def _ask_for_life(self, suspects: list[Backend], seconds: float) -> None:
        """Gives up on silent backends when Postgres itself does not answer either."""
        try:
            heard = [backend.heard for backend in suspects]
            if await self.control.answers(seconds):
                return
            for backend, count in zip(suspects, heard, strict=True):
                if backend.alive and backend.busy and backend.heard == count:
                    log.warning("postgres does not answer", pid=backend.pid)
                    backend.give_up(unreachable(f"no answer within {2 * seconds:g} s"))
        finally:
            self._asking = None


@dataclass(slots=True, eq=False)
class _Waiting:
    borrower: Borrower
    since: float


@dataclass(slots=True, eq=False)
class Pool:
    """The backends of one role."""

    pools: Pools
    login: Login
    idle: list[Backend] = field(default_factory=list)  # longest idle first
    lent: set[Backend] = field(default_factory=set)
    opening: int = 0
    waiting: deque[_Waiting] = field(default_factory=deque)
    counters: Counters = field(default_factory=Counters)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _alarm: asyncio.TimerHandle | None = None
    end: PoolEnd = field(init=False)  # what the compiled way knows of it: these very containers

    def __post_init__(self) -> None:
        limits = self.pools.limits
        containers = self.idle, self.lent, self.waiting
        self.end = PoolEnd(self, *containers, self.counters, limits.size, limits.queue)

    # --- borrowing ----------------------------------------------------------------------------

    def take(self) -> Backend | None:
        """A backend that can be used at once, if there is one."""
        idle = self.idle
        if not idle or self.waiting or idle[-1].stale:
            return None
        backend = idle.pop()
        self.lent.add(backend)
        self.counters.lent += 1
        return backend

    def request(self, borrower: Borrower) -> None:
        """Lends to `borrower` as soon as there is a backend. Raises 53300 when too many wait."""
        if (backend := self.take()) is not None:
            borrower.lend(backend)
            return
        limits = self.pools.limits
        if len(self.waiting) >= limits.queue:
            raise SqlError(
                "53300",
                f'too many clients wait for a backend of role "{self.login.role}"',
                detail=f"{len(self.waiting)} clients wait for {limits.size} backends.",
                hint="See --pool-size and --pool-queue.",
            )
        loop = asyncio.get_running_loop()
        self.waiting.append(_Waiting(borrower, loop.time()))
        self.counters.waits += 1
        if self._alarm is None:
            self._set_alarm(limits.wait)
        self._serve()

    def withdraw(self, borrower: Borrower) -> bool:
        """Takes a request back; False when it has been met."""
        for waiting in self.waiting:
            if waiting.borrower is borrower:
                self.waiting.remove(waiting)
                return True
        return False

    def give_back(self, backend: Backend) -> None:
        """backend: outside any transaction, with nothing of its client's left on it."""
        if not backend.alive:
            self.lost(backend)
            return
        assert not backend.busy
        if backend.cancels or backend.untrusted:
            backend.detach(self.lost)
            if not backend.cancels:
                self.drop(backend)
            return
        if backend.expired:
            self.drop(backend)
        elif self.waiting:
            waiting = self.waiting.popleft()
            self._count_wait(asyncio.get_running_loop().time() - waiting.since)
            waiting.borrower.lend(backend)
        else:
            backend.idle_since = 0.0  # `tidy` knows the time
            backend.detach(self.lost)
            self.lent.discard(backend)
            self.idle.append(backend)

    def rest(self, backend: Backend) -> bool:
        """`give_back` of a backend that nobody waits for and nothing is the matter with, after an
        exchange. False: it is neither, and nothing was done.
        """
        if self.waiting or not backend.sound:
            return False
        backend.idle_since = 0.0
        backend.detach(self.lost)
        self.lent.discard(backend)
        self.idle.append(backend)
        self.counters.exchanges += 1
        return True

    def cancelled(self, backend: Backend) -> None:
        """The last request to cancel has landed on a backend that was given back meanwhile."""
        if backend.untrusted or not backend.alive:
            self.drop(backend)
        else:
            self._spawn(self._try(backend))

    def drop(self, backend: Backend) -> None:
        """Closes a backend that nobody uses."""
        backend.on_lost = _known
        backend.close()
        self.lost(backend)

    def _count_wait(self, seconds: float) -> None:
        self.counters.lent += 1
        self.counters.waited += seconds

    def _set_alarm(self, seconds: float) -> None:
        """It is not called off when nobody waits any more: soon somebody will again."""
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._time_out)
        self.end.alarmed = True

    def _time_out(self) -> None:
        """Refuses those that have waited too long; the one that came first is due first."""
        self._alarm, self.end.alarmed = None, False
        loop, limit = asyncio.get_running_loop(), self.pools.limits.wait
        while self.waiting:
            left = self.waiting[0].since + limit - loop.time()
            if left > 0.001:
                self._set_alarm(left)
                return
            others = len(self.waiting) - 1
            self.waiting.popleft().borrower.refuse(
                SqlError(
                    "53300",
                    f'no backend of role "{self.login.role}" became free within {limit:g} s',
                    detail=f"{len(self.lent)} backends are in use, {others} more clients wait.",
                    hint="See --pool-size and --pool-wait.",
                )
            )

    # --- opening ------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Sees to it that whoever waits will be served."""
        while self.waiting and self.idle:
            backend = self.idle.pop()
            self.lent.add(backend)
            if backend.stale:
                self._spawn(self._try(backend))
                return
            self._offer(backend)
        room = self.pools.limits.size - len(self.idle) - len(self.lent) - self.opening
        for _ in range(min(room, len(self.waiting) - self.opening)):
            self.opening += 1
            self._spawn(self._open())

    def _offer(self, backend: Backend) -> None:
        """A backend is there, and counted as lent."""
        self.give_back(backend)

    def _spawn(self, work: object) -> None:
        task = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try(self, backend: Backend) -> None:
        """Uses an idle backend if it still answers."""
        backend.stale = False
        try:
            async with asyncio.timeout(self.pools.control.timeout):
                await backend.ask("")
        except (SqlError, TimeoutError):
            self.drop(backend)
        else:
            self._offer(backend)

    async def _open(self) -> None:
        control = self.pools.control
        try:
            try:
                backend = await self._connect()
            except SqlError as error:
                if error.sqlstate != "53300" or not self.pools.evict():
                    raise
                backend = await self._connect_in_time(control.timeout)
        except SqlError as error:
            self.opening -= 1
            self.counters.failed += 1
            self._refused(error)
            return
        self.opening -= 1
        self.counters.opened += 1
        backend.born = asyncio.get_running_loop().time()
        backend.profile = self.pools.profiles.base
        backend.on_lost = self.lost
        backend.pool = self.end
        backend.take_over()
        self.lent.add(backend)
        self._offer(backend)

    async def _connect(self) -> Backend:
        role, password = self.login
        return await self.pools.control.connect(Backend, role, password, _START)

    async def _connect_in_time(self, seconds: float) -> Backend:
        """Another role's backend has been closed; Postgres may take a moment to notice."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        pause = 0.01
        while True:
            try:
                return await self._connect()
            except SqlError as error:
                if error.sqlstate != "53300" or loop.time() + pause > until:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.2)

    def _refused(self, error: SqlError) -> None:
        """Postgres lets nobody in: those that wait go on waiting only for a backend that lives."""
        if error.sqlstate == "53300" and (self.lent or self.idle or self.opening):
            loop = asyncio.get_running_loop()
            overdue = [each.borrower for each in self.waiting]
            loop.call_later(self.pools.control.timeout, self._refuse, overdue, error)
            return
        self._refuse([each.borrower for each in self.waiting], error)

    def _refuse(self, borrowers: list[Borrower], error: SqlError) -> None:
        for borrower in borrowers:
            if self.withdraw(borrower):
                borrower.refuse(error)

    # --- losing -------------------------------------------------------------------------------

    def lost(self, backend: Backend) -> None:
        """A backend is closed: it makes room for another."""
        self.lent.discard(backend)
        if backend in self.idle:
            self.idle.remove(backend)
        if self.waiting:
            self._serve()

    def tidy(self, now: float) -> None:
        """Closes what has been idle too long, and marks what has been idle for long."""
        limits, idle = self.pools.limits, self.idle
        for backend in (*idle, *self.lent):
            backend.expired = now - backend.born > limits.lifetime
        for backend in list(idle):
            backend.idle_since = backend.idle_since or now
            rested = now - backend.idle_since
            if rested > limits.idle or backend.expired:
                idle.remove(backend)
                self.drop(backend)
            elif rested > _CHECK_AFTER:
                backend.stale = True

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._alarm is not None:
            self._alarm.cancel()
        for backend in [*self.idle, *self.lent]:
            self.drop(backend)


def _known(backend: Backend) -> None:
    return None
