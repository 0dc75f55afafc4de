"""Keeps the agent runtime tidy while the server runs: `hd_runtime.housekeep()` every few seconds.

Why it exists: a lease ends, a task falls due and a month begins without any client saying so. The
database knows what is to be done then; somebody has to ask it to. This module promises that each of
the proxies on one database asks, and that no two do so at the same moment (an advisory lock); that it
happens on a connection of its own, so that no session waits for it; and that a Postgres that is away
is tried again until it is back.
"""

from __future__ import annotations

import asyncio

import psycopg
import structlog

log = structlog.get_logger()

# The lock's key is two int4: 'HD' and a number of our own, apart from those of the SQL functions.
_BEGIN = """
    SELECT set_config('statement_timeout', '20s', true), set_config('lock_timeout', '2s', true),
           pg_try_advisory_xact_lock(18500, 1752135027)
"""
_PATIENCE = 30.0  # seconds for one round, after which the connection is given up
_FULL_ROUND = 1000  # leases that one round reaps at most


class Housekeeping:
    """One proxy's part of it. `run` until cancelled."""

    def __init__(self, conninfo: str, interval: float) -> None:
        """conninfo: of a role that may call housekeep(). interval: seconds between two rounds."""
        self._conninfo = conninfo
        self._interval = interval
        self._connection: psycopg.AsyncConnection | None = None
        self._away = False

    async def run(self) -> None:
        """A round, a pause, a round... Errors are logged, once for as long as they last."""
        try:
            while True:
                more = False
                try:
                    async with asyncio.timeout(_PATIENCE):
                        more = await self._round()
                    self._report(None)
                except (psycopg.Error, OSError, TimeoutError) as error:
                    self._report(error)
                    await self._disconnect()
                if not more:
                    await asyncio.sleep(self._interval)
        finally:
            await self._disconnect()

    async def _round(self) -> bool:
        """Does what is to be done, unless another proxy does so now; True: there is more."""
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                connect_timeout=5,
                application_name="hatidata housekeeping",
            )
        async with self._connection.transaction():
            begun = await (await self._connection.execute(_BEGIN)).fetchone()
            if begun is None or not begun[-1]:
                return False
            done = await self._connection.execute("SELECT * FROM hd_runtime.housekeep()")
            reaped, announced, removed, partitions = await done.fetchone() or (0, 0, 0, 0)
        if reaped or partitions:
            log.info("housekeeping", leases_expired=reaped, partitions_made=partitions)
        log.debug("housekeeping", announced=announced, rows_removed=removed)
        return reaped >= _FULL_ROUND

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _report(self, error: BaseException | None) -> None:
        if error is not None and not self._away:
            reason = str(error).strip() or type(error).__name__
            log.warning("housekeeping is interrupted", error=reason)
        elif error is None and self._away:
            log.info("housekeeping goes on")
        self._away = error is not None
